// SPDX-License-Identifier: MIT

/// The three steps of a memory by name: similarities, separations and projections, and which of them fit together.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mneme/memory/projection.h"
#include "mneme/memory/separation.h"
#include "mneme/memory/similarity.h"

namespace mneme::trials {

/// The parameters that a memory has.
struct MemoryUses {
  bool hamming_radius = false;
  bool equal_within_radius = false; ///< all patterns within the Hamming radius have the same weight
  bool beta = false;                ///< an inverse temperature
  bool alpha = false;               ///< of alpha-entmax
  bool degree = false;              ///< of a polynomial
  bool finite_locations = false;    ///< finitely many hard locations
  bool hard_locations = false;      ///< whose number can be chosen: they are stored
  bool is_fitted = false; ///< beta or degree, where it is not chosen, is fitted to the Hamming radius
};

/// One parameter that a memory uses.
struct MemorySetting {
  std::string name; ///< "hamming_radius", "encoded_bits", "hard_locations", "beta", "alpha", "degree"
  double value;
  std::string
      origin; ///< where it comes from, for readers: "fitted to the Hamming radius 75"; empty: as given
};

/// What one memory is built with (parameter_choice.h chooses it). What it does not use is 0.
struct MemoryParameters {
  int64_t hamming_radius = 0; ///< of SDM, and of the fit of beta; in bits of what is compared
  int64_t encoded_bits = 0;   ///< patterns are compared in this many bits (`BitEncoding`); 0: as they are
  double hard_locations = 0;  ///< where they are finitely many
  double beta = 0;            ///< of the scores as they are; cosines and dot products are of length 1
  double alpha = 0;
  double degree = 0;
  int64_t update_steps_max = 10;
  std::vector<MemorySetting> settings = {}; ///< the same for readers, only what is used
};

struct SimilarityStep {
  std::string name; ///< "cosine", ...
  Similarity similarity;
};

/// Choices of another step that a separation fits.
struct FittingSteps {
  std::vector<std::string> names = {}; ///< empty: all
  std::string reason = {};             ///< why no others fit
};

struct SeparationStep {
  std::string name; ///< "softmax", "circle-intersection", ...
  MemoryUses uses = {};
  double default_alpha = 0;
  /// Of patterns of this size; `locations` are absent where they are infinitely many.
  std::function<Separation(int64_t size, const MemoryParameters& parameters,
                           const std::optional<FiniteLocations>& locations)>
      make;
  FittingSteps similarities = {}, projections = {};
};

struct ProjectionStep {
  std::string name; ///< "majority", ...
  Projection projection;
  bool on_bits; ///< reads out bits; else real patterns
};

const std::vector<SimilarityStep>& similarities();
/// First the list that memories and layers share (core/simplex_separation.h), by its names.
const std::vector<SeparationStep>& separations();
const std::vector<ProjectionStep>& projections();

/// Names of the three steps of a memory.
struct MemorySteps {
  std::string similarity = {}, separation = {}, projection = {};

  bool operator==(const MemorySteps&) const = default;
};

/// A name that is empty is replaced by the default: cosine, softmax, and majority for Hamming distances, else
/// normalise.
MemorySteps with_defaults(MemorySteps steps);

/// Errors  UsageError if a name is unknown, or the steps do not fit together: why, and what fits instead
void require_fitting(const MemorySteps& steps);

/// The step of this name. Errors  UsageError that lists the names
template <class Step> const Step& step_named(const std::vector<Step>& steps, const std::string& name);
extern template const SimilarityStep& step_named(const std::vector<SimilarityStep>&, const std::string&);
extern template const SeparationStep& step_named(const std::vector<SeparationStep>&, const std::string&);
extern template const ProjectionStep& step_named(const std::vector<ProjectionStep>&, const std::string&);

template <class Row> std::vector<std::string> names_of(const std::vector<Row>& rows) {
  std::vector<std::string> names;
  for (const Row& row : rows) {
    names.push_back(row.name);
  }
  return names;
}

} // namespace mneme::trials
