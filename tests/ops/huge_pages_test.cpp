// SPDX-License-Identifier: MIT

#include "ops/huge_pages.h"

#include <thread>

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace mneme::ops {
namespace {

TEST(EmptyOnHugePages, IsAContiguousTensorOfAnySize) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{0, 3}, {2, 5}, {3, 700'001}}) {
      const at::Tensor tensor = empty_on_huge_pages(sizes, at::TensorOptions(type));
      EXPECT_EQ(tensor.sizes(), at::IntArrayRef(sizes));
      EXPECT_EQ(tensor.scalar_type(), type);
      EXPECT_TRUE(tensor.is_contiguous());
      tensor.fill_(2);
      EXPECT_EQ(tensor.sum().item<double>(), 2.0 * static_cast<double>(tensor.numel()));
    }
  }
}

TEST(EmptyOnHugePages, AlignsLargeTensorsToAPage) {
  const at::Tensor tensor = empty_on_huge_pages({2'000'000}, at::kFloat);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % (2 << 20), 0U);
}

TEST(EmptyOnHugePages, ReusesFreedMemory) {
  const void* first = empty_on_huge_pages({2'000'000}, at::kFloat).const_data_ptr();
  const at::Tensor again = empty_on_huge_pages({1'000'000}, at::kDouble),
                   other = empty_on_huge_pages({2'000'000}, at::kFloat);
  EXPECT_EQ(again.const_data_ptr(), first);
  EXPECT_NE(other.const_data_ptr(), first);
}

TEST(EmptyOnHugePages, IsThreadSafe) {
  const auto allocate_and_free = [](float value) {
    for (int i = 0; i < 100; ++i) {
      const at::Tensor tensor = empty_on_huge_pages({1'100'000 + 600'000 * (i % 3)}, at::kFloat);
      tensor.slice(0, 0, 10).fill_(value);
      ASSERT_EQ(tensor.slice(0, 0, 10).min().item<float>(), value);
      ASSERT_EQ(tensor.slice(0, 0, 10).max().item<float>(), value);
    }
  };
  std::thread other(allocate_and_free, 2);
  allocate_and_free(1);
  other.join();
}

TEST(EmptyOnHugePages, GrowsWhenResized) {
  const at::Tensor tensor = empty_on_huge_pages({2'000'000}, at::kFloat).fill_(3);
  tensor.resize_({3'000'000});
  EXPECT_EQ(tensor.slice(0, 0, 2'000'000).min().item<float>(), 3);
}

#ifndef __SANITIZE_ADDRESS__ // the sanitizer would end the process
TEST(EmptyOnHugePages, ThrowsIfMemoryDoesNotSuffice) {
  EXPECT_THROW(empty_on_huge_pages({int64_t{1} << 45}, at::kFloat), c10::Error);
}
#endif

} // namespace
} // namespace mneme::ops
