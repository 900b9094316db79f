// SPDX-License-Identifier: MIT

/// Row-wise access to a matrix in a file, without loading all of it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "mneme/core/row_source.h"

namespace mneme::data {

/// A matrix [rows, features] in a .npy or .safetensors file. `tensor` is the name of a tensor in a
/// .safetensors file; it may be empty if there is only one. The file is read with pread rather than
/// memory-mapped: mapped pages would count as memory of the process, and truncating a mapped file would crash
/// it.
///
/// Types   any number type of the two formats; no conversion if it is the type of the output
/// Errors  DataError if the file is invalid, if it is not a matrix, or if the matrix is in Fortran order.
///         `read` throws DataError for a nan or infinity (with row and feature) and if the file has been
///         truncated; UsageError for rows out of range
class RowFile final : public RowSource {
public:
  explicit RowFile(const std::filesystem::path& path, const std::string& tensor = "");
  ~RowFile() override;

  int64_t count() const override;
  int64_t size() const override;
  void read(int64_t first, std::span<float> to) const override;
  void read(int64_t first, std::span<double> to) const override;

private:
  struct Matrix;
  std::unique_ptr<const Matrix> matrix_;
};

} // namespace mneme::data
