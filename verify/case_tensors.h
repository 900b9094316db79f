// SPDX-License-Identifier: MIT

/// Tensors of a case file, for runners that do not need LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

namespace mneme::verify {

/// NAME.safetensors for NAME.json.
std::filesystem::path tensors_path(const std::filesystem::path& json);

/// The tensors of that .safetensors file.
class CaseTensors {
public:
  /// Errors  DataError
  explicit CaseTensors(const std::filesystem::path& case_file);

  /// All elements of a tensor, row-major.
  ///
  /// Errors  DataError if there is no such tensor, or its shape is different
  std::vector<double> numbers(const std::string& name, const std::vector<int64_t>& shape) const;
  /// Shape of a tensor with `axes` axes.
  ///
  /// Errors  DataError
  std::vector<int64_t> shape(const std::string& name, size_t axes) const;

private:
  std::string source_;
  std::vector<std::byte> bytes_;
};

} // namespace mneme::verify
