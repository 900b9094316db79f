// SPDX-License-Identifier: MIT

/// Errors of signal and noise that follow from the cancellation in the published lune form.
#pragma once

#include <vector>

#include "mneme/theory/signal_to_noise.h"
#include "verify/published_precision.h"

namespace mneme::verify {

constexpr const char* kLuneSignalNote = "compared to 1e-9 + the effect of an error of 1e-12 of the first "
                                        "signal, which each lune-form value may have";

/// Bounds on the errors of published values that result from this error in every signal; noise after Jaeckel.
class LuneError {
public:
  /// `reads`: by distance. `unrelated`: signal at the distance of unrelated patterns.
  LuneError(const std::vector<theory::SignalToNoise>& reads, double unrelated, double patterns)
      : signal_(kLuneErrorOfWhole * reads.front().signal),
        variance_(signal_ * (1 + (patterns - 1) * (1 + 2 * unrelated + signal_))) {}

  double of_signal() const { return signal_; }
  double of_deviation(const theory::SignalToNoise& read) const {
    return read.noise_deviation > 0 ? variance_ / (2 * read.noise_deviation) : 0;
  }
  double of_ratio(const theory::SignalToNoise& read) const {
    return read.noise_deviation > 0 ? (signal_ + read.ratio * of_deviation(read)) / read.noise_deviation : 0;
  }

private:
  double signal_, variance_;
};

} // namespace mneme::verify
