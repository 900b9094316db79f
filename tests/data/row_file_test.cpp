// SPDX-License-Identifier: MIT

#include "mneme/data/row_file.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "data/testing.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/data/npy.h"
#include "mneme/data/safetensors.h"

namespace mneme::data {
namespace {

/// 5 rows of 3: 0, 0.5, 1, ...
RealPatterns some_rows() {
  RealPatterns rows(5, 3);
  for (int64_t i = 0; i < 15; ++i) {
    rows.data()[i] = 0.5 * static_cast<double>(i);
  }
  return rows;
}

void write_safetensors(const std::filesystem::path& path, const std::vector<float>& numbers,
                       std::vector<int64_t> shape) {
  const std::array<SafetensorsTensor, 1> tensors{
      SafetensorsTensor{"bag", "F32", std::move(shape), std::as_bytes(std::span(numbers))}};
  write_file_atomically(path, to_safetensors(tensors));
}

TEST(RowFile, ReadsRowsAsFloatOrDoubleFromBothFormats) {
  const TemporaryFolder folder;
  std::vector<float> floats(15);
  for (size_t i = 0; i < 15; ++i) {
    floats[i] = 0.5F * static_cast<float>(i);
  }
  write_npy(folder / "bag.npy", some_rows());
  write_safetensors(folder / "bag.safetensors", floats, {5, 3});
  for (const char* name : {"bag.npy", "bag.safetensors"}) {
    const RowFile file(folder / name);
    EXPECT_EQ(file.count(), 5);
    EXPECT_EQ(file.size(), 3);
    std::vector<float> small(6);
    std::vector<double> large(15);
    file.read(2, std::span(small));
    file.read(0, std::span(large));
    EXPECT_EQ(small, (std::vector<float>(floats.begin() + 6, floats.begin() + 12)));
    EXPECT_EQ(large, (std::vector<double>(floats.begin(), floats.end())));
    file.read(5, std::span<float>()); // zero rows
  }
}

TEST(RowFile, RejectsRowsOutOfRange) {
  const TemporaryFolder folder;
  write_npy(folder / "bag.npy", some_rows());
  const RowFile file(folder / "bag.npy");
  std::vector<float> numbers(6);
  for (const int64_t first : {int64_t{-1}, int64_t{4}, std::numeric_limits<int64_t>::max()}) {
    EXPECT_THROW(file.read(first, std::span(numbers)), UsageError) << first;
  }
  EXPECT_THROW(file.read(0, std::span(numbers).first(5)), UsageError);
}

TEST(RowFile, ReportsTheRowThatIsNotFinite) {
  const TemporaryFolder folder;
  std::vector<float> numbers(12, 1.0F);
  numbers[7] = std::numeric_limits<float>::infinity();
  write_safetensors(folder / "bag.safetensors", numbers, {4, 3});
  const RowFile file(folder / "bag.safetensors");
  std::vector<float> some(6);
  std::vector<double> all(12);
  file.read(0, std::span(some)); // these rows do not contain it
  expect_error<DataError>([&] { file.read(2, std::span(some)); }, {"row 2, feature 1 is inf"});
  expect_error<DataError>([&] { file.read(0, std::span(all)); }, {"row 2, feature 1 is inf"});
}

TEST(RowFile, RejectsArraysThatAreNotRowMajorMatrices) {
  const TemporaryFolder folder;
  write_npy(folder / "images.npy", RealPatterns(2, 4), {.height = 2, .width = 2, .channels = 1});
  expect_error<DataError>([&] { RowFile(folder / "images.npy"); },
                          {"images.npy", "(2, 2, 2", "rows, features"});
  write_safetensors(folder / "none.safetensors", {}, {3, 0});
  expect_error<DataError>([&] { RowFile(folder / "none.safetensors"); }, {"(3, 0)"});
  expect_error<DataError>([&] { RowFile(folder / "missing.npy"); }, {"file not found"});
  mneme::testing::write_text(folder / "fortran.npy",
                             std::string("\x93NUMPY\x01\x00\x46\x00", 10) +
                                 "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }           \n" +
                                 "abcdef");
  expect_error<DataError>([&] { RowFile(folder / "fortran.npy"); }, {"column by column", "2 x 3"});
}

TEST(RowFile, DetectsATruncatedFile) {
  const TemporaryFolder folder;
  write_npy(folder / "bag.npy", some_rows());
  const RowFile file(folder / "bag.npy");
  std::filesystem::resize_file(folder / "bag.npy", 150);
  std::vector<double> all(15);
  expect_error<DataError>([&] { file.read(0, std::span(all)); }, {"ends at byte 150"});
}

} // namespace
} // namespace mneme::data
