// SPDX-License-Identifier: MIT

#include "nn/checks.h"

#include <array>
#include <atomic>
#include <cmath>
#include <iterator>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/autocast_mode.h>
#include <torch/utils.h>

#include "mneme/core/error.h"
#include "mneme/core/finite.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/ops/backend.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

template <class T> bool are_finite_in_parallel(const T* numbers, int64_t count) {
  constexpr int64_t kBlock = 1 << 16;
  std::atomic<bool> is_finite = true;
  parallel_for(count, kBlock, [&](int64_t begin, int64_t end) {
    if (!mneme::all_finite(std::span<const T>(numbers + begin, numbers + end))) {
      is_finite = false;
    }
  });
  return is_finite;
}

} // namespace

bool all_finite(const at::Tensor& tensor) {
  if (!ops::has_kernel(tensor) || !tensor.is_contiguous()) {
    return at::isfinite(tensor.detach()).all().item<bool>();
  }
  return tensor.scalar_type() == at::kDouble
             ? are_finite_in_parallel(tensor.const_data_ptr<double>(), tensor.numel())
             : are_finite_in_parallel(tensor.const_data_ptr<float>(), tensor.numel());
}

void check_size(const char* layer, const char* name, int64_t size) {
  if (size < 1) {
    refuse(layer, c10::str(name, " is ", size, ", but must be at least 1."));
  }
}

void check_sizes(const char* layer, std::initializer_list<std::pair<const char*, int64_t>> sizes) {
  for (const auto& [name, size] : sizes) {
    check_size(layer, name, size);
  }
}

void check_positive(const char* layer, const char* name, double number, const char* how_to_fix) {
  if (!(std::isfinite(number) && number > 0)) {
    refuse(layer, c10::str(name, " is ", number, ", but must be finite and > 0."), how_to_fix);
  }
}

void check_norm_epsilon(const char* layer, const char* name, double epsilon) {
  if (!(std::isfinite(epsilon) && epsilon >= 0)) {
    refuse(layer, c10::str(name, " is ", epsilon, ", but must be finite and >= 0."), "The default is 1e-5.");
  }
}

void check_shape(const char* layer, const char* name, const at::Tensor& tensor,
                 std::initializer_list<NeededSize> shape, const char* how_to_fix,
                 std::optional<at::ScalarType> type) {
  bool fits = tensor.defined() && tensor.dim() == std::ssize(shape) &&
              tensor.scalar_type() == type.value_or(tensor.scalar_type());
  for (int64_t i = 0; fits && i < std::ssize(shape); ++i) {
    const int64_t* number = std::get_if<int64_t>(shape.begin() + i);
    fits = number == nullptr || tensor.size(i) == *number;
  }
  if (!fits) {
    std::vector<std::string> needed;
    for (const NeededSize& size : shape) {
      needed.push_back(std::visit([](auto shown) -> std::string { return c10::str(shown); }, size));
    }
    const auto type_text = [&](at::ScalarType shown) { return type ? c10::str(" and type ", shown) : ""; };
    refuse(
        layer,
        c10::str(name,
                 tensor.defined() ? c10::str(" has shape ", tensor.sizes(), type_text(tensor.scalar_type()))
                                  : " is undefined",
                 ", but must have shape [", c10::Join(", ", needed), "]", type ? type_text(*type) : "", "."),
        how_to_fix);
  }
}

void check_parameter_type(const char* layer, const char* name, const at::Tensor& input,
                          const at::Tensor& parameter) {
  if (!parameter.defined() || !at::isFloatingType(parameter.scalar_type())) {
    return;
  }
  const auto has_autocast = [&] {
    const at::DeviceType device = input.device().type();
    return at::isFloatingType(input.scalar_type()) && at::autocast::is_autocast_available(device) &&
           at::autocast::is_autocast_enabled(device);
  };
  if (input.device() != parameter.device() ||
      (input.scalar_type() != parameter.scalar_type() && !has_autocast())) {
    refuse(layer,
           c10::str(name, " is ", input.scalar_type(), " on ", input.device(), " but the parameters are ",
                    parameter.scalar_type(), " on ", parameter.device(), "."),
           "Convert or move the input, or the layer with to().");
  }
}

void check_heads(const char* layer, int64_t hidden_size, int64_t num_heads) {
  check_sizes(layer, {{"hidden_size", hidden_size}, {"num_heads", num_heads}});
  if (hidden_size % num_heads != 0) {
    refuse(layer,
           c10::str("hidden_size is ", hidden_size, ", but must be divisible by num_heads, ", num_heads, "."),
           "Every head has hidden_size / num_heads features.");
  }
}

void check_sequence(const char* layer, const at::Tensor& x, int64_t size, const at::Tensor& parameter) {
  check_shape(layer, "the input", x, {"B", "T", size},
              "Call unsqueeze(0) on an input without batch dimension.");
  check_parameter_type(layer, "the input", x, parameter);
}

void check_partial_dropout(const char* layer, double dropout, const char* name) {
  if (!(dropout >= 0 && dropout < 1)) {
    refuse(layer, c10::str(name, " is ", dropout, ", but must be in [0, 1)."),
           "It is the probability that an element is dropped.");
  }
}

void check_bits(const char* layer, const at::Tensor& bits, int64_t length) {
  check_shape(layer, "the input", bits, {"B", length}, "It has a 0 or 1 per position.", at::kLong);
  if (bits.numel() > 0 && bits.device().is_cpu() && ((bits < 0) | (bits > 1)).any().item<bool>()) {
    refuse(layer,
           c10::str("the input contains numbers from ", bits.min().item<int64_t>(), " to ",
                    bits.max().item<int64_t>(), ", but must contain only 0 and 1."),
           "It has a 0 or 1 per position.");
  }
}

at::Generator make_generator(uint64_t seed) {
  return at::detail::createCPUGenerator(seed);
}

int64_t draw_seed(const at::Generator& generator) {
  if (generator.defined() && !generator.device().is_cpu()) {
    // Seed and offset of the generator are on the host; a number drawn on the device would force a
    // synchronisation.
    at::Generator own = generator;
    const std::scoped_lock lock(own.mutex());
    const uint64_t key = own.current_seed(), offset = own.get_offset();
    constexpr uint64_t kWords = 4; // 32-bit words consumed by one call
    own.set_offset(offset + kWords);
    const std::array<uint32_t, 4> words =
        philox4x32({static_cast<uint32_t>(offset), static_cast<uint32_t>(offset >> 32), 0, 0},
                   {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
    return static_cast<int64_t>((uint64_t{words[1] >> 1} << 32) | words[0]);
  }
  at::Tensor seed = at::empty({1}, at::kLong);
  seed.random_(generator.defined() ? std::optional(generator) : std::nullopt);
  return seed.item<int64_t>();
}

namespace {
thread_local bool skips_initialisation = false;
} // namespace

SkipInitialisation::SkipInitialisation() : before_(std::exchange(skips_initialisation, true)) {}

SkipInitialisation::~SkipInitialisation() {
  skips_initialisation = before_;
}

at::Tensor zero_parameter(at::IntArrayRef shape) {
  return skips_initialisation ? at::empty(shape) : at::zeros(shape);
}

void fill_normal(at::Tensor& parameter, double stddev, at::Generator& generator) {
  const torch::NoGradGuard no_grad;
  if (!skips_initialisation) {
    parameter.normal_(0, stddev, generator);
  }
}

void fill_uniform(at::Tensor& parameter, double bound, at::Generator& generator) {
  const torch::NoGradGuard no_grad;
  if (!skips_initialisation) {
    parameter.uniform_(-bound, bound, generator);
  }
}

} // namespace mneme::nn
