// SPDX-License-Identifier: MIT

#include "mneme/store/memory_file.h"

#include <limits>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "memory/samples.h"
#include "mneme/data/read_file.h"
#include "mneme/data/safetensors.h"
#include "store/memory_file.h"

namespace mneme::store {
namespace {

using test::random_bits;
using test::random_sphere;
using testing::expect_contains;
using testing::TemporaryFolder;
using Ids = std::vector<int64_t>;
using Texts = std::vector<std::string>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Payloads of every type for three items.
std::vector<Payloads> payloads_of_three() {
  return {std::monostate(), Ids{0x1001, -5, INT64_MIN}, Texts{"", std::string("a\0\xFF", 3), "text"},
          random_bits(3, 70, 1), random_sphere(3, 2, 2)};
}

const std::vector<Separation>& separations() {
  static const std::vector<Separation> all{
      CircleIntersection{.bits = 100, .hamming_radius = 30},
      CircleIntersection{.bits = 100, .hamming_radius = 30, .locations = FiniteLocations{1e6, UINT64_MAX}},
      CapIntersection{.size = 100, .hamming_radius = 31},
      CapIntersection{
          .size = 100, .hamming_radius = 31, .locations = FiniteLocations{0.1}, .original_table = true},
      Radius{20},
      Softmax{0.1},
      Softmax{kInfinity},
      Sparsemax{1e-300},
      Entmax15{3},
      SimplexWeights{SimplexSeparation::entmax(1.3), 2.5},
      SimplexWeights{SimplexSeparation::normmax, 2.5},
      Polynomial{2.5},
      Identity{.self_connections = false},
      BestMatch{}};
  return all;
}

template <class Patterns> std::vector<std::byte> saved(const ItemMemory<Patterns>& memory) {
  const TemporaryFolder folder;
  save_memory(folder / "memory", memory);
  return data::read_file(folder / "memory");
}

template <class Patterns>
ItemMemory<Patterns> memory_of(const Patterns& patterns, const Payloads& payloads,
                               AssociateOptions<Patterns> options = {}) {
  ItemMemory<Patterns> memory(std::move(options));
  memory.add(patterns, payloads);
  return memory;
}

/// Message of the DataError that parsing must cause.
template <class Patterns = BitPatterns> std::string data_error(const std::vector<std::byte>& bytes) {
  try {
    parse_memory<Patterns>(bytes, "the-file");
  } catch (const DataError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no DataError was thrown";
  return "";
}

template <class Patterns> void expect_restored(const Patterns& patterns, const Patterns& cues) {
  for (const Payloads& payloads : payloads_of_three()) {
    const ItemMemory<Patterns> memory = memory_of(patterns, payloads);
    const auto loaded = parse_memory<Patterns>(saved(memory), "file");
    EXPECT_EQ(loaded.patterns(), patterns);
    EXPECT_EQ(loaded.payloads(), payloads) << payload_type(payloads);
  }
  for (const Separation& separation : separations()) {
    for (const Similarity& similarity : {Similarity(Hamming{}), Similarity(Dot{}), Similarity(Manhattan{})}) {
      AssociateOptions<Patterns> options{.similarity = similarity, .separation = separation};
      options.update = published_update(3, true, EmptyRead::zeros);
      options.precision = Precision::float32;
      const ItemMemory<Patterns> memory = memory_of<Patterns>(patterns, {}, options);
      const std::vector<std::byte> bytes = saved(memory);
      const auto loaded = parse_memory<Patterns>(bytes, "file");
      EXPECT_EQ(saved(loaded), bytes); // every option was restored
      try {
        const Recall<Patterns> recalled = memory.recall(cues);
        EXPECT_EQ(loaded.recall(cues).readout, recalled.readout) << separation.index();
        EXPECT_EQ(loaded.recall(cues).num_activated, recalled.num_activated);
      } catch (const UsageError&) { // steps that are not compatible
        EXPECT_THROW(loaded.recall(cues), UsageError);
      }
    }
  }
}

TEST(MemoryFile, RestoresPatternsPayloadsAndOptions) {
  expect_restored(random_bits(3, 100, 3), test::with_flips(random_bits(3, 100, 3), 10, 4));
  expect_restored(random_sphere(3, 100, 3), random_sphere(3, 100, 4));
  const ItemMemory<BitPatterns> encoded =
      memory_of<BitPatterns>(random_bits(3, 10, 5), {}, {.encode = random_sphere(20, 10, 6)});
  EXPECT_EQ(parse_memory<BitPatterns>(saved(encoded), "file").options().encode, encoded.options().encode);
  const auto empty = parse_memory<BitPatterns>(saved(ItemMemory<BitPatterns>()), "file");
  EXPECT_EQ(empty.count(), 0);
}

TEST(MemoryFile, ReplacesAFileAndLoadsIt) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "codes.safetensors";
  ItemMemory<BitPatterns> memory = memory_of(random_bits(100, 256, 7), Payloads(Ids(100, 1)));
  save_memory(path, memory);
  memory.erase(Ids{0, 99});
  save_memory(path, memory);
  EXPECT_EQ(load_memory<BitPatterns>(path).payloads(), Payloads(Ids(98, 1)));
  EXPECT_EQ(folder.names(), std::vector<std::string>{"codes.safetensors"});
  EXPECT_THROW(load_memory<BitPatterns>(folder / "missing"), DataError);
}

TEST(MemoryFile, CanBeReadAsSafetensors) {
  const BitPatterns patterns = random_bits(3, 72, 8);
  const std::vector<std::byte> bytes = saved(memory_of(patterns, Payloads(Ids{4, 5, 6})));
  const RealPatterns packed = data::parse_safetensors_numbers(bytes, "file", "patterns");
  ASSERT_EQ(packed.size(), 9);
  EXPECT_EQ(static_cast<uint64_t>(packed[1][8]), patterns[1][1]);
  EXPECT_EQ(data::parse_safetensors_numbers(bytes, "file", "payloads")[2][0], 6);
}

TEST(MemoryFile, NeverReadsADamagedFileAsAnotherMemory) {
  for (const Payloads& payloads : payloads_of_three()) {
    const ItemMemory<BitPatterns> memory = memory_of(random_bits(3, 13, 9), payloads);
    const std::vector<std::byte> intact = saved(memory);
    int refused = 0;
    for (size_t i = 0; i < intact.size(); ++i) {
      for (const std::byte flip : {std::byte{1}, std::byte{0x20}, std::byte{0x80}}) {
        std::vector<std::byte> damaged = intact;
        damaged[i] ^= flip;
        try {
          const auto loaded = parse_memory<BitPatterns>(damaged, "file");
          EXPECT_EQ(loaded.patterns(), memory.patterns()) << "byte " << i;
          EXPECT_EQ(loaded.payloads(), payloads) << "byte " << i;
        } catch (const DataError&) {
          ++refused;
        }
      }
    }
    EXPECT_GT(refused, 2 * std::ssize(intact));
    for (size_t size = 1; size < intact.size(); ++size) {
      EXPECT_THROW(parse_memory<BitPatterns>(std::span(intact).first(size), "file"), DataError) << size;
    }
  }
}

TEST(MemoryFile, ReportsForeignFiles) {
  const std::vector<std::byte> foreign = data::to_safetensors({});
  expect_contains(data_error(foreign), {"the-file", "not a memory", "export"});
  EXPECT_THROW(parse_memory<BitPatterns>({}, "file"), DataError);
  const std::vector<std::byte> reals = saved(memory_of(random_sphere(2, 3, 1), Payloads()));
  expect_contains(data_error(reals), {"the-file", "reals", "bits"});
  std::string newer(reinterpret_cast<const char*>(reals.data()), reals.size());
  const std::string version = "\"version\":\"1\"";
  newer.replace(newer.find(version), version.size(), "\"version\":\"3\"");
  const auto bytes = std::as_bytes(std::span(newer));
  expect_contains(data_error<RealPatterns>({bytes.begin(), bytes.end()}), {"version 3", "versions 1 and 2"});
}

TEST(MemoryFile, RefusesOptionsThatAFileCannotContain) {
  const TemporaryFolder folder;
  const auto refuse = [&](AssociateOptions<BitPatterns> options) {
    EXPECT_THROW(
        save_memory(folder / "file", memory_of(random_bits(3, 16, 1), Payloads(), std::move(options))),
        UnsupportedError);
  };
  refuse({.encode_bits = BitEncoding(random_bits(9, 16, 2), {.bits = 32})});
  refuse({.separation = CircleIntersection{
              .bits = 16,
              .hamming_radius = 4,
              .locations = FiniteLocations{.hard_locations = 9,
                                           .draw = [](int64_t, int64_t, int64_t) { return 0.0; }}}});
  EXPECT_TRUE(folder.names().empty());
}

TEST(MemoryFile, KeepsTheThresholdOfNumbers) {
  const TemporaryFolder folder;
  const ItemMemory<BitPatterns> memory;
  std::optional<Threshold> loaded;
  const Threshold threshold{.value = 0.1, .min = -1e300, .max = 1.0 / 3, .file_scale = 255};
  save_memory(folder / "file", memory, threshold);
  load_memory<BitPatterns>(folder / "file", &loaded);
  EXPECT_EQ(loaded, threshold);
  load_memory<BitPatterns>(folder / "file");
  save_memory(folder / "file", memory);
  load_memory<BitPatterns>(folder / "file", &loaded);
  EXPECT_EQ(loaded, std::nullopt);
  save_memory(folder / "file", memory, Threshold{.value = kInfinity});
  EXPECT_THROW(load_memory<BitPatterns>(folder / "file"), DataError);
}

} // namespace
} // namespace mneme::store
