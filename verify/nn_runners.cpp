// SPDX-License-Identifier: MIT

#include "verify/nn_runners.h"

#include <array>

namespace mneme::verify {

void run_layer_case(const GoldenValue& file, Checker& checker);
void run_leap_case(const GoldenValue& file, Checker& checker);
void run_projection_training(const GoldenValue& file, Checker& checker);

std::span<const NnRunner> nn_runners() {
  // A new runner is one line here, one declaration above, its name in registry.cpp, and one file.
  static constexpr std::array kRunners = {
      NnRunner{"Hopfield", run_layer_case},
      NnRunner{"HopfieldCore", run_layer_case},
      NnRunner{"HopfieldDecoderLayer", run_layer_case},
      NnRunner{"HopfieldEncoderLayer", run_layer_case},
      NnRunner{"HopfieldLayer", run_layer_case},
      NnRunner{"HopfieldPooling", run_layer_case},
      NnRunner{"FastformerForCausalLM", run_leap_case},
      NnRunner{"LeapBlock", run_leap_case},
      NnRunner{"LeapDecoder", run_leap_case},
      NnRunner{"LeapForCausalLM", run_leap_case},
      NnRunner{"LstmForCausalLM", run_leap_case},
      NnRunner{"MultiheadLeap", run_leap_case},
      NnRunner{"projection_training", run_projection_training,
               "projections are trained on the CPU whatever the device"},
  };
  return kRunners;
}

} // namespace mneme::verify
