// SPDX-License-Identifier: MIT

#include "ops/large_tensor.h"

#include <thread>

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace mneme::ops {
namespace {

TEST(EmptyOnLargePages, IsAContiguousTensorOfAnySize) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{0, 3}, {2, 5}, {3, 700'001}}) {
      const at::Tensor tensor = empty_on_large_pages(sizes, at::TensorOptions(type));
      EXPECT_EQ(tensor.sizes(), at::IntArrayRef(sizes));
      EXPECT_EQ(tensor.scalar_type(), type);
      EXPECT_TRUE(tensor.is_contiguous());
      tensor.fill_(2);
      EXPECT_EQ(tensor.sum().item<double>(), 2.0 * static_cast<double>(tensor.numel()));
    }
  }
}

TEST(EmptyOnLargePages, BeginsLargeTensorsAtAPage) {
  const at::Tensor tensor = empty_on_large_pages({2'000'000}, at::kFloat);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % (2 << 20), 0U);
}

TEST(EmptyOnLargePages, TakesTheSameMemoryAgain) {
  const void* first = empty_on_large_pages({2'000'000}, at::kFloat).const_data_ptr();
  const at::Tensor again = empty_on_large_pages({1'000'000}, at::kDouble),
                   other = empty_on_large_pages({2'000'000}, at::kFloat);
  EXPECT_EQ(again.const_data_ptr(), first);
  EXPECT_NE(other.const_data_ptr(), first);
}

TEST(EmptyOnLargePages, IsSafeWhereThreadsTakeAndFree) {
  const auto take_and_free = [](float value) {
    for (int i = 0; i < 100; ++i) {
      const at::Tensor tensor = empty_on_large_pages({1'100'000 + 600'000 * (i % 3)}, at::kFloat);
      tensor.slice(0, 0, 10).fill_(value);
      ASSERT_EQ(tensor.slice(0, 0, 10).min().item<float>(), value);
      ASSERT_EQ(tensor.slice(0, 0, 10).max().item<float>(), value);
    }
  };
  std::thread other(take_and_free, 2);
  take_and_free(1);
  other.join();
}

TEST(EmptyOnLargePages, GrowsWhenResized) {
  const at::Tensor tensor = empty_on_large_pages({2'000'000}, at::kFloat).fill_(3);
  tensor.resize_({3'000'000});
  EXPECT_EQ(tensor.slice(0, 0, 2'000'000).min().item<float>(), 3);
}

#ifndef __SANITIZE_ADDRESS__ // it ends the process instead
TEST(EmptyOnLargePages, SaysThatMemoryDoesNotSuffice) {
  EXPECT_THROW(empty_on_large_pages({int64_t{1} << 45}, at::kFloat), c10::Error);
}
#endif

} // namespace
} // namespace mneme::ops
