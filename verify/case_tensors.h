// SPDX-License-Identifier: MIT

/// The tensors beside a case file, for runners that need no LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

namespace mneme::verify {

/// NAME.safetensors beside NAME.json.
std::filesystem::path tensors_beside(const std::filesystem::path& json);

/// That file's tensors.
class CaseTensors {
public:
  /// Errors  DataError
  explicit CaseTensors(const std::filesystem::path& case_file);

  /// All numbers of a tensor, row-major. Errors  DataError if there is none, or its shape is another
  std::vector<double> numbers(const std::string& name, const std::vector<int64_t>& shape) const;
  /// Its sizes; there must be so many. Errors  DataError
  std::vector<int64_t> shape(const std::string& name, size_t axes) const;

private:
  std::string source_;
  std::vector<std::byte> bytes_;
};

} // namespace mneme::verify
