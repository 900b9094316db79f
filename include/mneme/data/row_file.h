// SPDX-License-Identifier: MIT

/// A matrix in a file that stays there: its rows are read in pieces.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "mneme/core/row_source.h"

namespace mneme::data {

/// A matrix [rows, features] in a .npy or .safetensors file. Files are read rather than mapped: mapped pages would count
/// as memory of the process, and a file that is cut short meanwhile would end it.
///
/// Types   any number type of the two formats; in the same type as asked for, it is copied as it is
/// Errors  DataError if the file is not sound, if it is no matrix, or if that is stored column by column; `tensor` names
///         one of a .safetensors file, and may be left out if there is only one. While reading, DataError for a nan or
///         infinity (row and feature) and for a file that has become shorter; UsageError for rows beyond the last
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
