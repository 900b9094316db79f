// SPDX-License-Identifier: MIT

#include "mneme/memory/item_memory.h"

#include <fstream>
#include <new>

#include <sys/resource.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "memory/samples.h"

namespace mneme {
namespace {

using test::expect_contains;
using test::usage_error;

using Ids = std::vector<int64_t>;
using Texts = std::vector<std::string>;

TEST(ItemMemory, ReturnsThePayloadOfOneItemWhereTwoAreEquallyNear) {
  // 0x1001 and 0x1002 are equally far from 0x1000, which is the majority of both and the id of a third item.
  BitPatterns codes(3, 16);
  const Ids ids{0x1001, 0x1002, 0x1000};
  codes[0][0] = 0b0001;
  codes[1][0] = 0b0010;
  codes[2][0] = 0xFF00;
  ItemMemory<BitPatterns> memory;
  memory.add(codes, ids);
  const BitPatterns query(1, 16);
  EXPECT_EQ(memory.nearest(query, 1).indices, (Ids{0}));
  const BitNeighbours all = memory.nearest(query, 1, Ties::all);
  EXPECT_EQ(all.indices, (Ids{0, 1}));
  EXPECT_EQ(memory.payloads_as<Ids>()[static_cast<size_t>(all.indices[1])], 0x1002);
  EXPECT_EQ(memory.within(query, 1).indices, (Ids{0, 1}));
}

/// Payloads of every type with one entry per item.
std::vector<Payloads> payloads_of(const Ids& items) {
  Texts texts;
  const BitPatterns bits = test::random_bits(1000, 70, 5);
  const RealPatterns reals = test::random_sphere(1000, 3, 6);
  BitPatterns of_bits(0, 70);
  std::vector<double> of_reals;
  for (const int64_t item : items) {
    texts.push_back(std::string("a\0\xFF", 3) + std::to_string(item));
    of_bits.append(slice(bits, item, item + 1));
    of_reals.insert(of_reals.end(), reals[item].begin(), reals[item].end());
  }
  return {std::monostate(), items, texts, of_bits, RealPatterns(std::ssize(items), 3, of_reals)};
}

template <class Patterns> void expect_growing_and_shrinking_equals_a_new_memory(const Patterns& patterns) {
  const std::vector<Payloads> first = payloads_of({0, 1, 2, 3}), more = payloads_of({4, 5}),
                              kept = payloads_of({1, 3, 4});
  for (size_t type = 0; type < first.size(); ++type) {
    ItemMemory<Patterns> memory;
    memory.add(slice(patterns, 0, 4), first[type]);
    memory.add(slice(patterns, 4, 6), more[type]);
    EXPECT_EQ(memory.count(), 6);
    memory.erase(Ids{0, 2, 5});
    EXPECT_EQ(memory.payloads(), kept[type]) << payload_type(kept[type]);
    ASSERT_EQ(memory.count(), 3);
    EXPECT_EQ(slice(memory.patterns(), 0, 1), slice(patterns, 1, 2));
    EXPECT_EQ(slice(memory.patterns(), 1, 3), slice(patterns, 3, 5));
    EXPECT_EQ(memory.nearest(slice(patterns, 4, 5), 1).indices, (Ids{2}));
    EXPECT_EQ(memory.recall(slice(patterns, 3, 4)).readout, slice(patterns, 3, 4));

    const Payloads before = memory.payloads();
    for (const Payloads& other : more) { // nothing changes if a call is refused
      if (other.index() != type) {
        EXPECT_NE(usage_error([&] { memory.add(slice(patterns, 4, 6), other); }).find(payload_type(other)),
                  std::string::npos);
      }
    }
    EXPECT_EQ(memory.payloads(), before);
    EXPECT_EQ(memory.count(), 3);

    memory.erase(Ids{0, 1, 2});
    EXPECT_EQ(memory.count(), 0);
    memory.add(slice(patterns, 0, 4), first[(type + 1) % first.size()]); // an empty memory accepts any type
  }
}

TEST(ItemMemory, GrowsAndShrinksWithPayloadsOfEveryType) {
  expect_growing_and_shrinking_equals_a_new_memory(test::random_bits(6, 100, 1));
  expect_growing_and_shrinking_equals_a_new_memory(test::random_sphere(6, 10, 1));
}

TEST(ItemMemory, FindsNothingWhileItIsEmpty) {
  const auto expect_nothing = [](const auto& memory, const auto& queries) {
    EXPECT_EQ(memory.nearest(queries, 5).indices, Ids());
    EXPECT_EQ(memory.nearest(queries, 5).offsets, (Ids{0, 0, 0}));
    EXPECT_EQ(memory.recall(queries).readout, queries);
  };
  const BitPatterns bits = test::random_bits(2, 70, 1);
  ItemMemory<BitPatterns> memory;
  expect_nothing(memory, bits);
  EXPECT_EQ(memory.within(bits, 70).indices, Ids());
  memory.add(test::random_bits(1, 40, 2));
  memory.erase(Ids{0});
  expect_nothing(memory, bits);
  const ItemMemory<RealPatterns> reals({.similarity = Dot{}, .separation = BestMatch{}});
  expect_nothing(reals, test::random_sphere(2, 3, 1));
  EXPECT_EQ(reals.at_least(test::random_sphere(2, 3, 1), 0).indices, Ids());
}

TEST(ItemMemory, ReportsInvalidArguments) {
  ItemMemory<BitPatterns> memory;
  memory.add(BitPatterns(2, 10), Ids{7, 8});
  expect_contains(usage_error([&] { memory.add(BitPatterns(1, 11), Ids{9}); }), {"11", "10"});
  expect_contains(usage_error([&] { memory.add(BitPatterns(2, 10), Ids{9}); }), {"2 patterns", "1 payloads"});
  expect_contains(usage_error([&] { memory.erase(Ids{2}); }), {"item 2 of 2"});
  expect_contains(usage_error([&] { memory.erase(Ids{1, 0}); }), {"item 0 of 2", "ascend"});
  expect_contains(usage_error([&] { memory.payloads_as<Texts>(); }), {"bytes", "integers"});
  expect_contains(usage_error([] { ItemMemory<BitPatterns>({.values = BitPatterns(1, 2)}); }), {"payloads"});
  ItemMemory<BitPatterns> sized;
  sized.add(BitPatterns(1, 10), BitPatterns(1, 5));
  expect_contains(usage_error([&] { sized.add(BitPatterns(1, 10), BitPatterns(1, 6)); }),
                  {"size 6", "size 5"});
  EXPECT_EQ(memory.count(), 2);
}

#ifndef __SANITIZE_ADDRESS__ // which ends the program if an allocation fails

TEST(ItemMemory, ChangesNothingIfPayloadsCannotBeAllocated) {
  constexpr size_t kMargin = size_t{32} << 20;
  const Texts large{std::string(4 * kMargin, 'a')};
  ItemMemory<BitPatterns> empty, memory;
  memory.add(test::random_bits(1, 10, 1), Texts{"small"});
  const BitPatterns before = memory.patterns();
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit former{};
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &former), 0);
  rlimit limited = former;
  limited.rlim_cur = pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE)) + kMargin;
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &limited), 0);
  EXPECT_THROW(memory.add(test::random_bits(1, 10, 2), large), std::bad_alloc);
  EXPECT_THROW(empty.add(test::random_bits(1, 10, 2), large), std::bad_alloc);
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &former), 0);
  EXPECT_EQ(memory.patterns(), before);
  EXPECT_EQ(memory.payloads_as<Texts>(), Texts{"small"});
  EXPECT_EQ(empty.count(), 0);
}

#endif

TEST(ItemMemory, AddsCopiesOfItsOwnItems) {
  ItemMemory<RealPatterns> memory;
  memory.add(test::random_sphere(3, 4, 1), Texts{"a", "b", "c"});
  memory.add(memory.patterns(), memory.payloads());
  EXPECT_EQ(memory.count(), 6);
  EXPECT_EQ(slice(memory.patterns(), 3, 6), slice(memory.patterns(), 0, 3));
  EXPECT_EQ(memory.payloads_as<Texts>(), (Texts{"a", "b", "c", "a", "b", "c"}));
}

TEST(ItemMemory, CopiesStoredNumbersOnlyWhenTheirBufferGrows) {
  ItemMemory<RealPatterns> memory;
  int64_t moves = 0;
  const double* before = nullptr;
  for (int64_t i = 0; i < 1000; ++i) {
    memory.add(RealPatterns(1, 3), RealPatterns(1, 2));
    moves += memory.patterns().data() != before ? 1 : 0;
    before = memory.patterns().data();
  }
  EXPECT_LE(moves, 12); // about log2(1000)
}

} // namespace
} // namespace mneme
