// SPDX-License-Identifier: MIT

/// Runners that need LibTorch. A program links mneme_verify_nn to have them, or mneme_verify_no_nn to start
/// without loading LibTorch.
#pragma once

#include <span>
#include <string_view>

#include "verify/registry.h"

namespace mneme::verify {

struct NnRunner {
  std::string_view format;
  Runner run;
  std::string_view cpu_only =
      {}; ///< why it runs on the CPU whatever the device; empty: it follows the device
};

/// nn_runners.cpp: all of them; no_nn_runners.cpp: none.
std::span<const NnRunner> nn_runners();

} // namespace mneme::verify
