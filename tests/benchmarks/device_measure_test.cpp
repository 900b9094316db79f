// SPDX-License-Identifier: MIT

#include <chrono>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "benchmarks/device_measure.h"

namespace mneme::benchmarks {
namespace {

TEST(HostReads, CountsReadValuesAndNonzero) {
  const at::Tensor x = at::ones({3});
  const auto reads = host_reads(
      [&] {
        x.sum().item<double>();
        if (x[0].equal(x[1]) && (x[0] > 0).item<bool>()) {
          x.nonzero();
        }
      },
      at::kCPU);
  EXPECT_EQ(reads.at("aten::nonzero"), 1);
  EXPECT_GE(reads.at("aten::_local_scalar_dense"), 2);
  EXPECT_TRUE(host_reads([&] { at::softmax(x + x, -1); }, at::kCPU).empty());
}

TEST(HostReads, CountsCopiesBetweenDevicesButNoReadsOfOtherDevices) {
  // The device "meta" has no values, but copies to it count as copies between devices.
  const at::Tensor x = at::ones({3});
  const auto reads = host_reads(
      [&] {
        x.to(at::kMeta);
        x.sum().item<double>();
      },
      at::kMeta);
  EXPECT_EQ(reads, (std::map<std::string, int64_t>{{"aten::copy_ between devices", 1}}));
}

TEST(HostReads, StopsCountingIfACallThrows) {
  EXPECT_THROW(host_reads([] { throw std::runtime_error("no"); }, at::kCPU), std::runtime_error);
  at::ones({1}).item<double>(); // would write to a dangling count
  EXPECT_TRUE(host_reads([] {}, at::kCPU).empty());
}

TEST(Measure, ReportsTheMedianOfAsManyRunsAsFit) {
  const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); };
  const Measurement measured = measure(pause, at::kCPU, {.seconds = 0.05, .min_runs = 3, .max_runs = 5});
  EXPECT_GE(measured.runs, 3);
  EXPECT_LE(measured.runs, 5);
  EXPECT_GE(measured.fastest, 0.002);
  EXPECT_GE(measured.median, measured.fastest);
  EXPECT_FALSE(measured.peak_bytes.has_value());
}

} // namespace
} // namespace mneme::benchmarks
