// SPDX-License-Identifier: MIT

#include "verify/case_tensors.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mneme/core/error.h"
#include "mneme/data/read_file.h"
#include "mneme/data/safetensors.h"

namespace mneme::verify {

std::filesystem::path tensors_path(const std::filesystem::path& json) {
  return std::filesystem::path(json).replace_extension(".safetensors");
}

CaseTensors::CaseTensors(const std::filesystem::path& case_file) {
  const std::filesystem::path path = tensors_path(case_file);
  source_ = path.filename().string();
  bytes_ = data::read_file(path);
}

std::vector<int64_t> CaseTensors::shape(const std::string& name, size_t axes) const {
  const std::vector<data::SafetensorsEntry> entries = data::parse_safetensors_entries(bytes_, source_);
  const auto found = std::ranges::find(entries, name, &data::SafetensorsEntry::name);
  if (found == entries.end()) {
    throw DataError(fmt::format(
        "{}: contains no tensor \"{}\".\n  Use the tensor file that belongs to the case.", source_, name));
  }
  if (found->shape.size() != axes) {
    throw DataError(
        fmt::format("{}: {} has {} axes, expected {}.\n  Use the tensor file that belongs to the case.",
                    source_, name, found->shape.size(), axes));
  }
  return found->shape;
}

std::vector<double> CaseTensors::numbers(const std::string& name, const std::vector<int64_t>& shape) const {
  if (const std::vector<int64_t> found = this->shape(name, shape.size()); found != shape) {
    throw DataError(fmt::format(
        "{}: {} is of shape [{}], expected [{}].\n  Use the tensor file that belongs to the case.", source_,
        name, fmt::join(found, ", "), fmt::join(shape, ", ")));
  }
  const RealPatterns read = data::parse_safetensors_numbers(bytes_, source_, name);
  return {read.data(), read.data() + read.count() * read.size()};
}

} // namespace mneme::verify
