// SPDX-License-Identifier: MIT

#include "kernels/scratch.h"

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace mneme::kernels {
namespace {

bool is_aligned(const void* memory) {
  return reinterpret_cast<uintptr_t>(memory) % kScratchAlignment == 0;
}

TEST(Scratch, BlocksAreAlignedAndDoNotOverlap) {
  std::vector<Scratch<uint8_t>> blocks;
  std::vector<int64_t> sizes;
  for (const int64_t size : {0, 1, 1023, 1024, 1025, 4096, 1 << 20, (1 << 23) + 1}) {
    for (int i = 0; i < 3; ++i) {
      blocks.push_back(take_scratch<uint8_t>(size));
      sizes.push_back(std::max<int64_t>(size, 1));
      ASSERT_TRUE(is_aligned(blocks.back().get()));
      std::memset(blocks.back().get(), static_cast<int>(blocks.size()), static_cast<size_t>(sizes.back()));
    }
  }
  for (size_t b = 0; b < blocks.size(); ++b) {
    for (int64_t i = 0; i < sizes[b]; ++i) {
      ASSERT_EQ(blocks[b][static_cast<size_t>(i)], static_cast<uint8_t>(b + 1)) << "block " << b;
    }
  }
}

TEST(Scratch, IsUsedAgainByTheThreadThatReturnedIt) {
  if (!kCachesScratch) {
    GTEST_SKIP() << "memory is not cached under the address sanitizer";
  }
  const void* first = take_scratch<double>(1000).get();
  EXPECT_EQ(take_scratch<double>(900).get(), first);
  std::thread([first] { EXPECT_NE(take_scratch<double>(1000).get(), first); }).join();
}

TEST(Scratch, MayBeReturnedByAnotherThread) {
  for (int i = 0; i < 100; ++i) {
    Scratch<int64_t> memory = take_scratch<int64_t>(5000);
    memory[4999] = i;
    std::thread([memory = std::move(memory), i] { EXPECT_EQ(memory[4999], i); }).join();
  }
}

TEST(Scratch, ObjectsAreConstructed) {
  struct Numbers {
    int count = 0;
    double numbers[200];
  };
  for (int i = 0; i < 3; ++i) { // the second time from the cache, with other contents
    const auto object = make_scratch<Numbers>();
    ASSERT_EQ(object->count, 0);
    object->count = 7;
  }
}

} // namespace
} // namespace mneme::kernels
