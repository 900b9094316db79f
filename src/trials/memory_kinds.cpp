// SPDX-License-Identifier: MIT

#include "mneme/trials/memory_kinds.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/memory/attention.h"
#include "mneme/memory/bit_encoding.h"
#include "mneme/memory/continuous_sdm.h"
#include "mneme/memory/hopfield_network.h"
#include "mneme/memory/neuron_sdm.h"
#include "mneme/memory/pattern_sdm.h"

namespace mneme::trials {
namespace {

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

std::optional<BitEncoding> encoding(const BitPatterns& stored, const MemoryParameters& parameters,
                                    uint64_t seed) {
  if (parameters.encoded_bits == 0) {
    return std::nullopt;
  }
  return BitEncoding(stored, {.bits = parameters.encoded_bits, .seed = seed});
}

} // namespace

const std::vector<MemoryKind>& memory_kinds() {
  constexpr MemoryUses kRadius{.hamming_radius = true}, kBeta{.beta = true},
      kFittedBeta{.beta = true, .beta_is_fitted = true};
  constexpr bool kBits = true, kReals = false, kPaper = true, kOther = false;
  static const std::vector<MemoryKind> kinds = {
      {"sdm",
       "SDM, hard locations",
       "Hamming -> radius -> counters, majority",
       kBits,
       kPaper,
       {.hamming_radius = true, .finite_locations = true, .hard_locations = true}},
      {"pattern-sdm", "SDM, infinite locations", "Hamming -> circle intersection -> majority", kBits, kPaper,
       kRadius},
      {"pattern-sdm-finite",
       "SDM, a million locations",
       "Hamming -> sampled circle intersection -> majority",
       kBits,
       kPaper,
       {.hamming_radius = true, .finite_locations = true}},
      {"continuous-sdm", "Continuous SDM", "cosine -> cap intersection -> normalise", kReals, kPaper,
       kRadius},
      {"continuous-binary-sdm", "Continuous SDM, binary table",
       "Hamming of cosine -> circle intersection -> normalise", kReals, kPaper, kRadius},
      {"binary-attention", "Binary SDM attention", "Hamming -> softmax, fitted beta -> majority", kBits,
       kPaper, kFittedBeta},
      {"attention", "SDM attention", "cosine -> softmax, fitted beta -> normalise", kReals, kPaper,
       kFittedBeta},
      {"transformer", "Transformer attention", "cosine -> softmax, beta 1/sqrt(n) -> normalise", kReals,
       kOther, kBeta},
      {"hopfield", "Hopfield, classical", "dot -> identity -> majority", kBits, kOther},
      {"modern-hopfield", "Hopfield, modern", "dot -> softmax, fitted beta -> average", kReals, kOther,
       kFittedBeta},
      {"dense", "Dense associative memory", "dot -> cube -> average", kReals, kOther},
  };
  return kinds;
}

std::vector<MemoryKind> memory_kinds_named(const std::vector<std::string>& names) {
  std::vector<MemoryKind> chosen;
  for (const std::string& name : names) {
    bool known = false;
    for (const MemoryKind& kind : memory_kinds()) {
      if (name != "all" && name != kind.name && !(name == "paper" && kind.in_paper)) {
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
          fmt::format("there is no memory called \"{}\".\n  There are: {}paper, all.", name, there_are));
    }
  }
  return chosen;
}

RecallBits build(const MemoryKind& kind, const BitPatterns& stored, const MemoryParameters& parameters,
                 uint64_t seed) {
  const int64_t bits = stored.bits(), radius = parameters.hamming_radius, steps = parameters.update_steps_max;
  if (kind.name == "sdm") {
    auto memory = std::make_shared<NeuronSdm>(
        NeuronSdmOptions{.bits = bits,
                         .hard_locations = static_cast<int64_t>(parameters.hard_locations),
                         .hamming_radius = radius,
                         .seed = seed,
                         .encode = encoding(stored, parameters, seed)});
    memory->write(stored);
    return [memory, steps](const BitPatterns& cues) {
      return memory->recall(cues, {.update_steps_max = steps});
    };
  }
  if (kind.name == "pattern-sdm") {
    return remembering(stored, pattern_sdm(bits, radius), steps);
  }
  if (kind.name == "pattern-sdm-finite") {
    const int64_t compared = parameters.encoded_bits > 0 ? parameters.encoded_bits : bits;
    AssociateOptions<BitPatterns> options =
        pattern_sdm(compared, radius, {.hard_locations = parameters.hard_locations, .seed = seed});
    options.encode_bits = encoding(stored, parameters, seed);
    return remembering(stored, std::move(options), steps);
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
  if (kind.name == "attention" || kind.name == "transformer") {
    return remembering(stored, cosine_attention(parameters.beta), steps);
  }
  if (kind.name == "modern-hopfield") {
    return remembering(stored, modern_hopfield(parameters.beta), steps);
  }
  if (kind.name == "dense") {
    return remembering(stored, dense_associative_memory(), steps);
  }
  throw UsageError(fmt::format("the memory \"{}\" does not store real patterns.", kind.name));
}

} // namespace mneme::trials
