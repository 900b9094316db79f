// SPDX-License-Identifier: MIT

#include "nn/activation.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <ATen/Functions.h>

#include "nn/refuse.h"

namespace mneme::nn {
namespace {

struct Named {
  std::string_view name;
  Activation function;
};

#define MNEME_ACTIVATION(name)                                                                               \
  Named {                                                                                                    \
#name, [](const at::Tensor& x) { return at::name(x); }                                                   \
  }

constexpr std::array kActivations = {
    MNEME_ACTIVATION(abs),         MNEME_ACTIVATION(atan),     MNEME_ACTIVATION(celu),
    MNEME_ACTIVATION(cos),         MNEME_ACTIVATION(elu),      MNEME_ACTIVATION(erf),
    MNEME_ACTIVATION(exp),         MNEME_ACTIVATION(gelu),     MNEME_ACTIVATION(hardshrink),
    MNEME_ACTIVATION(hardswish),   MNEME_ACTIVATION(hardtanh), MNEME_ACTIVATION(leaky_relu),
    MNEME_ACTIVATION(log_sigmoid), MNEME_ACTIVATION(mish),     MNEME_ACTIVATION(relu),
    MNEME_ACTIVATION(relu6),       MNEME_ACTIVATION(selu),     MNEME_ACTIVATION(sigmoid),
    MNEME_ACTIVATION(silu),        MNEME_ACTIVATION(sin),      MNEME_ACTIVATION(softplus),
    MNEME_ACTIVATION(softshrink),  MNEME_ACTIVATION(square),   MNEME_ACTIVATION(tanh),
};

constexpr std::array<std::string_view, 11> kFunctionalOnly = {
    "elu",  "gelu",  "hardswish", "hardtanh", "leaky_relu", "log_sigmoid",
    "mish", "relu6", "silu",      "softplus", "softshrink"};

} // namespace

bool is_in_torch(const std::string& name) {
  return std::ranges::find(kFunctionalOnly, std::string_view(name)) == kFunctionalOnly.end();
}

Activation activation_named(const char* layer, const std::string& name) {
  const auto found = std::find_if(kActivations.begin(), kActivations.end(),
                                  [&](const Named& known) { return known.name == name; });
  if (found != kActivations.end()) {
    return found->function;
  }
  std::string names;
  for (const Named& known : kActivations) {
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  refuse(layer, "there is no activation \"" + name + "\".", "Name one of " + names + ".");
}

} // namespace mneme::nn
