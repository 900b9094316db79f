// SPDX-License-Identifier: MIT

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mneme/core/error.h"
#include "mneme/store/durable_memory.h"
#include "mneme/theory/beta_fit.h"
#include "mneme/theory/space_fraction.h"
#include "mneme/trials/memory_kinds.h"

namespace mneme::store {
namespace {

constexpr int64_t kBitsMax = int64_t{1} << 20, kLocationsMax = 1'000'000'000, kStepsMax = 1'000'000;
constexpr double kSpaceFraction = 0.001; // Kanerva 1988: a thousand of a million hard locations
constexpr double kDegree = 3;            // dense associative memory

/// Decrease of the score per unit of cosine, by which the beta of cosines is divided: patterns of n bits at
/// the distance d have the cosine 1 - 2 d / n.
double score_per_cosine(const std::string& similarity, int64_t bits) {
  const auto n = static_cast<double>(bits);
  if (similarity == "hamming") { // -d
    return n / 2;
  }
  if (similarity == "euclidean") { // -4 d
    return 2 * n;
  }
  return similarity == "cosine" ? 1 : n; // dot: n - 2 d; manhattan: -2 d
}

void require_range(const char* what, double value, double min, double max) {
  if (!(value >= min && value <= max)) {
    throw UsageError(fmt::format("mneme::store: {} is {}, but must be in {} .. {}.", what, value, min, max));
  }
}

/// A parameter that is used is completed; one that is not used must not be given.
template <class Value, class Default>
void complete(const char* name, bool is_used, Value& value, const char* reason, Default make_default) {
  if (is_used && value == 0) {
    value = static_cast<Value>(make_default());
  } else if (!is_used && value != 0) {
    throw UsageError(
        fmt::format("mneme::store: {} is {}, but {} does not use it.\n  Leave it out.", name, value, reason));
  }
}

} // namespace

MemoryDesign completed(MemoryDesign design) {
  require_range("the number of bits of a pattern", static_cast<double>(design.bits), 1, kBitsMax);
  require_range("the number of hard locations", static_cast<double>(design.hard_locations), 0, kLocationsMax);
  require_range("the maximum number of update steps", static_cast<double>(design.update_steps_max), 1,
                kStepsMax);
  trials::MemoryUses uses;
  std::string reason = "a memory of hard locations";
  double default_alpha = 0;
  if (design.hard_locations > 0) {
    if (design.steps != MemoryDesign().steps && design.steps != trials::MemorySteps()) {
      throw UsageError(
          fmt::format("mneme::store: a memory of hard locations has its own three steps, but {}, {} and "
                      "{} were given.\n  Give either hard locations or steps.",
                      design.steps.similarity, design.steps.separation, design.steps.projection));
    }
    design.steps = {};
    uses.selected_coordinates = design.selected_coordinates != 0;
    uses.hamming_radius = !uses.selected_coordinates;
    reason = uses.selected_coordinates ? "a memory of selected coordinates" : reason;
  } else {
    trials::require_compatible(design.steps);
    if (!trials::step_named(trials::projections(), design.steps.projection).on_bits) {
      throw UsageError(
          fmt::format("mneme::store: the projection {} reads out real numbers, but a memory on disk "
                      "stores bits.\n  Use the projection majority. Memories of real numbers are not "
                      "supported on disk.",
                      design.steps.projection));
    }
    const trials::SeparationStep& separation =
        trials::step_named(trials::separations(), design.steps.separation);
    uses = separation.uses;
    default_alpha = separation.default_alpha;
    reason = fmt::format("the separation {}", design.steps.separation);
  }
  const auto radius = [&] {
    return std::max<int64_t>(1, theory::hamming_radius_for_space_fraction(design.bits, kSpaceFraction));
  };
  complete("the Hamming radius", uses.hamming_radius, design.hamming_radius, reason.c_str(), radius);
  if (uses.selected_coordinates) {
    require_range("the number of selected coordinates", static_cast<double>(design.selected_coordinates), 1,
                  static_cast<double>(design.bits));
  } else if (design.selected_coordinates != 0 || design.assigned_values != AssignedValues::random) {
    throw UsageError("mneme::store: selected coordinates were given, but only hard locations have them.\n  "
                     "Give a number of hard locations and of selected coordinates, or leave them out.");
  }
  complete("beta", uses.beta, design.beta, reason.c_str(), [&] {
    if (design.bits < 4) { // too few distances for a fit
      throw UsageError("mneme::store: beta must be given for patterns of fewer than 4 bits.\n  Give beta "
                       "(--beta).");
    }
    try {
      return theory::fit_beta(design.bits, radius(), 0.0).beta /
             score_per_cosine(design.steps.similarity, design.bits);
    } catch (const UsageError&) { // too few distances within the radius
      throw UsageError(fmt::format(
          "mneme::store: beta cannot be fitted to the default Hamming radius {} of patterns of {} "
          "bits, which contains too few distances.\n  Give beta (--beta).",
          radius(), design.bits));
    }
  });
  complete("alpha", uses.alpha, design.alpha, reason.c_str(), [&] { return default_alpha; });
  complete("the degree", uses.degree, design.degree, reason.c_str(), [&] { return kDegree; });
  require_range("the Hamming radius", static_cast<double>(design.hamming_radius), 0,
                static_cast<double>(design.bits));
  if (design.hard_locations == 0) {
    // The memory itself checks the other parameters.
    AssociativeMemory<BitPatterns>(BitPatterns(0, design.bits), association_of(design));
  }
  return design;
}

NeuronSdmOptions neuron_sdm_of(const MemoryDesign& design) {
  return {.bits = design.bits,
          .hard_locations = design.hard_locations,
          .hamming_radius = design.hamming_radius,
          .seed = design.seed,
          .selected_coordinates = design.selected_coordinates,
          .assigned_values = design.assigned_values};
}

AssociateOptions<BitPatterns> association_of(const MemoryDesign& design) {
  AssociateOptions<BitPatterns> options =
      trials::association<BitPatterns>(trials::composed_memory(design.steps), design.bits,
                                       {.hamming_radius = design.hamming_radius,
                                        .beta = design.beta,
                                        .alpha = design.alpha,
                                        .degree = design.degree},
                                       design.seed);
  options.update.update_steps_max = design.update_steps_max;
  return options;
}

BitNeighbours find_nearest(const BitPatterns& queries, const BitPatterns& stored,
                           const ReadOptions& options) {
  if (!options.hamming_radius || options.top == 0) {
    return nearest(queries, stored, options.top, options.ties);
  }
  const BitNeighbours near = within(queries, stored, *options.hamming_radius);
  BitNeighbours found;
  for (int64_t q = 0; q < queries.count(); ++q) {
    const auto indices = near.indices_of(q);
    const auto distances = near.distances_of(q);
    auto end = static_cast<size_t>(std::min(options.top, std::ssize(indices)));
    while (options.ties == Ties::all && end < indices.size() && distances[end] == distances[end - 1]) {
      ++end;
    }
    found.indices.insert(found.indices.end(), indices.begin(), indices.begin() + static_cast<ptrdiff_t>(end));
    found.distances.insert(found.distances.end(), distances.begin(),
                           distances.begin() + static_cast<ptrdiff_t>(end));
    found.offsets.push_back(std::ssize(found.indices));
  }
  return found;
}

} // namespace mneme::store
