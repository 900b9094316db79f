// SPDX-License-Identifier: MIT

#include "mneme/trials/memory_kinds.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/memory/attention.h"
#include "mneme/memory/continuous_sdm.h"
#include "mneme/memory/hopfield_network.h"
#include "mneme/memory/neuron_sdm.h"
#include "mneme/memory/pattern_sdm.h"
#include "mneme/theory/beta_fit.h"
#include "mneme/theory/space_fraction.h"

namespace mneme::trials {
namespace {

constexpr double kLocationsOfRadius = 1e6;

template <class Patterns>
std::function<Recall<Patterns>(const Patterns&)>
remembering(const Patterns& stored, AssociateOptions<Patterns> options, int64_t update_steps_max) {
  if (!std::holds_alternative<Identity>(
          options.separation)) {            // The sums of a classical network are whole numbers: kept exact.
    options.precision = Precision::float32; // Sweeps ask many times; what they measure is far coarser.
  }
  return [memory = AssociativeMemory<Patterns>(stored, std::move(options)),
          update = UpdateOptions{.update_steps_max = update_steps_max}](const Patterns& cues) {
    return memory.recall(cues, update);
  };
}

} // namespace

const std::vector<MemoryKind>& memory_kinds() {
  constexpr MemoryUses kRadius{.hamming_radius = true}, kBeta{.beta = true},
      kFittedBeta{.beta = true, .beta_is_fitted = true};
  static const std::vector<MemoryKind> kinds = {
      {"sdm",
       "SDM, hard locations",
       "Hamming -> radius -> counters, majority",
       true,
       {.hamming_radius = true, .hard_locations = true}},
      {"pattern-sdm", "SDM, infinite locations", "Hamming -> circle intersection -> majority", true, kRadius},
      {"pattern-sdm-finite", "SDM, a million locations", "Hamming -> sampled circle intersection -> majority",
       true, kRadius},
      {"continuous-sdm", "Continuous SDM", "cosine -> cap intersection -> normalise", false, kRadius},
      {"continuous-binary-sdm", "Continuous SDM, binary table",
       "Hamming of cosine -> circle intersection -> normalise", false, kRadius},
      {"binary-attention", "Binary SDM attention", "Hamming -> softmax, fitted beta -> majority", true,
       kFittedBeta},
      {"attention", "SDM attention", "cosine -> softmax, fitted beta -> normalise", false, kFittedBeta},
      {"transformer", "Transformer attention", "cosine -> softmax, beta 1/sqrt(n) -> normalise", false,
       kBeta},
      {"hopfield", "Hopfield, classical", "dot -> identity -> majority", true},
      {"modern-hopfield", "Hopfield, modern", "dot -> softmax -> average", false, kBeta},
      {"dense", "Dense associative memory", "dot -> cube -> average", false},
  };
  return kinds;
}

std::vector<MemoryKind> memory_kinds_named(const std::vector<std::string>& names) {
  std::vector<MemoryKind> chosen;
  for (const std::string& name : names) {
    bool known = false;
    for (const MemoryKind& kind : memory_kinds()) {
      if (name != "all" && name != kind.name) {
        continue;
      }
      known = true;
      if (std::ranges::none_of(chosen, [&](const MemoryKind& other) { return other.name == kind.name; })) {
        chosen.push_back(kind);
      }
    }
    if (!known) {
      std::string there_are;
      for (const MemoryKind& kind : memory_kinds()) {
        there_are += kind.name + ", ";
      }
      throw UsageError(
          fmt::format("there is no memory called \"{}\".\n  There are: {}all.", name, there_are));
    }
  }
  return chosen;
}

MemoryParameters parameters_for(int64_t size, int64_t num_patterns, const ParameterChoices& choices) {
  if (size < 4) {
    throw UsageError(fmt::format(
        "patterns of {} components are too small to be told apart by noise: at least 4 are needed.", size));
  }
  for (const std::optional<int64_t>& radius : {choices.hamming_radius, choices.location_radius}) {
    if (radius && (*radius < 2 || *radius > size - 1)) {
      throw UsageError(fmt::format(
          "the Hamming radius is {}, but it must lie in 2 .. {} for patterns of {} bits.\n  It is counted in "
          "bits; left out, it is chosen for the best signal-to-noise ratio.",
          *radius, size - 1, size));
    }
  }
  constexpr double kBetaMax = 1e30; // far beyond any use, and within the range of float
  if (choices.beta && !(*choices.beta >= 0 && *choices.beta <= kBetaMax)) {
    throw UsageError(
        fmt::format("beta is {}, a number of at least 0 and at most {} is needed.", *choices.beta, kBetaMax));
  }
  if (choices.hard_locations < 1 || choices.update_steps_max < 1) {
    throw UsageError(
        fmt::format("{} hard locations and {} update steps were asked for, at least 1 of each is needed.",
                    choices.hard_locations, choices.update_steps_max));
  }
  const int64_t best = std::clamp<int64_t>(
      theory::hamming_radius_for_signal_to_noise(size, static_cast<double>(num_patterns), kLocationsOfRadius),
      2, size - 1);
  const int64_t radius = choices.hamming_radius.value_or(best);
  const double root = std::sqrt(static_cast<double>(size));
  return {
      .hamming_radius = radius,
      .location_radius = choices.location_radius.value_or(best),
      .beta =
          choices.beta ? *choices.beta : theory::fit_beta(size, radius, std::log(kLocationsOfRadius)).beta,
      .transformer_beta = choices.beta.value_or(1 / root),
      // The Hopfield layer's normalised patterns have length sqrt(n) and its beta is 1/sqrt(n): on patterns of
      // length 1 that is a beta of sqrt(n).
      .hopfield_beta = choices.beta.value_or(root),
      .hard_locations = choices.hard_locations,
      .pattern_locations = kLocationsOfRadius,
      .update_steps_max = choices.update_steps_max};
}

std::vector<MemorySetting> settings_of(const MemoryKind& kind, const ParameterChoices& choices,
                                       const MemoryParameters& parameters) {
  std::vector<MemorySetting> settings;
  if (kind.uses.hamming_radius) {
    const bool is_sampled = kind.name == "sdm" || kind.name == "pattern-sdm-finite";
    settings.push_back({"hamming_radius", static_cast<double>(is_sampled ? parameters.location_radius
                                                                         : parameters.hamming_radius)});
  }
  if (kind.uses.hard_locations) {
    settings.push_back({"hard_locations", static_cast<double>(parameters.hard_locations)});
  } else if (kind.name == "pattern-sdm-finite") {
    settings.push_back({"hard_locations", parameters.pattern_locations, "expected numbers, sampled"});
  }
  if (kind.uses.beta) {
    const bool is_transformer = kind.name == "transformer";
    const double beta = kind.uses.beta_is_fitted ? parameters.beta
                        : is_transformer         ? parameters.transformer_beta
                                                 : parameters.hopfield_beta;
    settings.push_back({"beta", beta,
                        choices.beta ? ""
                        : kind.uses.beta_is_fitted
                            ? fmt::format("fitted to the Hamming radius {}", parameters.hamming_radius)
                        : is_transformer ? "1 / sqrt(size)"
                                         : "sqrt(size)"});
  }
  if (kind.name == "dense") {
    settings.push_back({"degree", 3});
  }
  return settings;
}

RecallBits build(const MemoryKind& kind, const BitPatterns& stored, const MemoryParameters& parameters,
                 uint64_t seed) {
  const int64_t bits = stored.bits(), radius = parameters.hamming_radius, steps = parameters.update_steps_max;
  if (kind.name == "sdm") {
    auto memory = std::make_shared<NeuronSdm>(NeuronSdmOptions{.bits = bits,
                                                               .hard_locations = parameters.hard_locations,
                                                               .hamming_radius = parameters.location_radius,
                                                               .seed = seed});
    memory->write(stored);
    return [memory, steps](const BitPatterns& cues) {
      return memory->recall(cues, {.update_steps_max = steps});
    };
  }
  if (kind.name == "pattern-sdm") {
    return remembering(stored, pattern_sdm(bits, radius), steps);
  }
  if (kind.name == "pattern-sdm-finite") {
    return remembering(stored,
                       pattern_sdm(bits, parameters.location_radius,
                                   {.hard_locations = parameters.pattern_locations, .seed = seed}),
                       steps);
  }
  if (kind.name == "binary-attention") {
    return remembering(stored, binary_attention(parameters.beta), steps);
  }
  if (kind.name == "hopfield") {
    return remembering(stored, classical_hopfield(), steps);
  }
  throw UsageError(fmt::format("the memory \"{}\" does not store bits.", kind.name));
}

RecallReals build(const MemoryKind& kind, const RealPatterns& stored, const MemoryParameters& parameters) {
  const int64_t size = stored.size(), radius = parameters.hamming_radius, steps = parameters.update_steps_max;
  if (kind.name == "continuous-sdm") {
    return remembering(stored, continuous_sdm(size, radius), steps);
  }
  if (kind.name == "continuous-binary-sdm") {
    return remembering(stored, continuous_binary_sdm(size, radius), steps);
  }
  if (kind.name == "attention") {
    return remembering(stored, cosine_attention(parameters.beta), steps);
  }
  if (kind.name == "transformer") {
    return remembering(stored, cosine_attention(parameters.transformer_beta), steps);
  }
  if (kind.name == "modern-hopfield") {
    return remembering(stored, modern_hopfield(parameters.hopfield_beta), steps);
  }
  if (kind.name == "dense") {
    return remembering(stored, dense_associative_memory(), steps);
  }
  throw UsageError(fmt::format("the memory \"{}\" does not store real patterns.", kind.name));
}

} // namespace mneme::trials
