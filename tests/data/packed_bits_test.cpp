// SPDX-License-Identifier: MIT

#include "mneme/data/packed_bits.h"

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "memory/samples.h"
#include "mneme/core/error.h"

namespace mneme::data {
namespace {

TEST(PackedBits, PutTheFirstBitInTheLeastOrMostSignificantPlace) {
  BitPatterns patterns(2, 10);
  patterns.set(0, 0, true);
  patterns.set(0, 9, true);
  patterns.set(1, 6, true);
  const auto bytes = [](std::initializer_list<int> values) {
    std::vector<std::byte> all;
    for (const int value : values) {
      all.push_back(static_cast<std::byte>(value));
    }
    return all;
  };
  EXPECT_EQ(pack_bits(patterns, BitOrder::little), bytes({0x01, 0x02, 0x40, 0x00}));
  EXPECT_EQ(pack_bits(patterns, BitOrder::big), bytes({0x80, 0x40, 0x02, 0x00}));
}

TEST(PackedBits, AreRestoredDirectlyAndFromAFile) {
  const testing::TemporaryFolder folder;
  for (const int64_t bits : {1, 8, 63, 64, 65, 127, 256}) {
    const BitPatterns patterns = test::random_bits(5, bits, static_cast<uint64_t>(bits));
    for (const BitOrder order : {BitOrder::little, BitOrder::big}) {
      EXPECT_EQ(unpack_bits(pack_bits(patterns, order), 5, bits, order, "file"), patterns) << bits;
      write_packed_npy(folder / "packed.npy", patterns, order);
      const PatternSet loaded = load_patterns(folder / "packed.npy", {.packed = order, .bits = bits});
      EXPECT_EQ(to_bits(loaded.patterns, 0.5), patterns) << bits;
      EXPECT_EQ(load_packed_bits(folder / "packed.npy", {.packed = order, .bits = bits}), patterns) << bits;
      EXPECT_EQ(load_packed_bits(folder / "packed.npy", {.limit = 2, .packed = order, .bits = bits}),
                slice(patterns, 0, 2))
          << bits;
    }
  }
  EXPECT_EQ(unpack_bits({}, 0, 10, BitOrder::little, "file"), BitPatterns(0, 10));
  EXPECT_EQ(unpack_bits({}, 3, 0, BitOrder::little, "file"), BitPatterns(3, 0));
}

TEST(PackedBits, AreJoinedFromSeveralFiles) {
  const testing::TemporaryFolder folder;
  const BitPatterns patterns = test::random_bits(9, 100, 1);
  write_packed_npy(folder / "a.npy", slice(patterns, 0, 4), BitOrder::big);
  write_packed_npy(folder / "b.npy", slice(patterns, 4, 9), BitOrder::big);
  EXPECT_EQ(load_packed_bits(folder / "?.npy", {.bits = 100}), patterns);
  EXPECT_EQ(load_packed_bits(folder / "?.npy", {.limit = 6, .bits = 100}), slice(patterns, 0, 6));
  write_packed_npy(folder / "c.npy", BitPatterns(1, 40), BitOrder::big);
  EXPECT_THROW(load_packed_bits(folder / "?.npy"), DataError);
  EXPECT_THROW(load_patterns(folder / "a.npy", {.as_bits = true}), UsageError);
}

TEST(PackedBits, ReportsBytesThatDoNotFit) {
  const std::vector<std::byte> bytes(4, std::byte{0x03});
  EXPECT_THROW(unpack_bits(bytes, 3, 10, BitOrder::little, "file"), DataError);
  EXPECT_THROW(unpack_bits(bytes, 2, 17, BitOrder::little, "file"), DataError);
  EXPECT_THROW(unpack_bits(bytes, 2, 9, BitOrder::little, "file"), DataError) << "bit 9 is 1";
  EXPECT_NO_THROW(unpack_bits(bytes, 2, 10, BitOrder::little, "file"));
  EXPECT_THROW(unpack_bits(bytes, 2, 14, BitOrder::big, "file"), DataError) << "bits 14 and 15 are 1";
}

} // namespace
} // namespace mneme::data
