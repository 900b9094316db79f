// SPDX-License-Identifier: MIT

#include "cli/tensor_list.h"

#include <cmath>
#include <limits>

#include <ATen/Functions.h>

#include "mneme/core/interrupt.h"
#include "mneme/nn/tensor_file.h"

namespace mneme::cli {
namespace {

std::string type_name(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
  case at::kFloat:
    return "float32";
  case at::kDouble:
    return "float64";
  case at::kHalf:
    return "float16";
  case at::kBFloat16:
    return "bfloat16";
  case at::kLong:
    return "int64";
  case at::kInt:
    return "int32";
  case at::kShort:
    return "int16";
  case at::kChar:
    return "int8";
  case at::kByte:
    return "uint8";
  case at::kBool:
    return "bool";
  default:
    return c10::toString(tensor.scalar_type());
  }
}

TensorInfo info_of(const std::string& name, const at::Tensor& tensor) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  TensorInfo info{.name = name,
                  .type = type_name(tensor),
                  .shape = tensor.sizes().vec(),
                  .numbers = tensor.numel(),
                  .bytes = tensor.numel() * static_cast<int64_t>(tensor.element_size()),
                  .min = kNone,
                  .max = kNone,
                  .mean = kNone};
  if (tensor.numel() == 0 || tensor.is_complex()) {
    return info;
  }
  constexpr int64_t kNumbersAtOnce = 1 << 20; // temporary tensors of a piece fit in the cache
  double sum = 0;
  int64_t finite = 0;
  for (at::Tensor numbers : tensor.flatten().split(kNumbersAtOnce)) {
    if (tensor.is_floating_point()) {
      const at::Tensor is_nan = numbers.isnan(), is_infinite = numbers.isinf();
      const auto nans = is_nan.sum().item<int64_t>(), infinities = is_infinite.sum().item<int64_t>();
      info.nans += nans;
      info.infinities += infinities;
      if (nans + infinities > 0) {
        numbers = numbers.masked_select(is_nan.logical_or(is_infinite).logical_not());
      }
    }
    if (numbers.numel() == 0) {
      continue;
    }
    if (numbers.scalar_type() == at::kBool) {
      numbers = numbers.to(at::kByte);
    }
    info.min = std::fmin(info.min, numbers.min().item<double>()); // which is a number if the other one is NaN
    info.max = std::fmax(info.max, numbers.max().item<double>());
    sum += numbers.sum(at::kDouble).item<double>();
    finite += numbers.numel();
  }
  if (finite > 0) {
    info.mean = sum / static_cast<double>(finite);
  }
  return info;
}

std::vector<TensorInfo> list(const std::filesystem::path& path, const std::string& key, Progress& progress) {
  const nn::TensorFile file = nn::read_tensor_file(path, key, nn::Mapping::all);
  progress.start("measuring tensors", static_cast<int64_t>(file.tensors.size()));
  std::vector<TensorInfo> result;
  for (const auto& [name, tensor] : file.tensors) {
    throw_if_interrupted();
    result.push_back(info_of(name, tensor));
    progress.advance();
  }
  progress.finish();
  return result;
}

[[maybe_unused]] const bool implemented = list_tensors.implement(list);

} // namespace
} // namespace mneme::cli
