// SPDX-License-Identifier: MIT

/// Named choices of the three steps of a memory (similarities, separations and projections), and their
/// compatibility.
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

/// Which parameters a memory uses.
struct MemoryUses {
  bool hamming_radius = false;
  bool equal_within_radius = false;  ///< all patterns within the Hamming radius have the same weight
  bool beta = false;                 ///< an inverse temperature
  bool alpha = false;                ///< parameter of alpha-entmax
  bool degree = false;               ///< degree of a polynomial
  bool finite_locations = false;     ///< the number of hard locations is finite
  bool hard_locations = false;       ///< hard locations are stored, so their number can be chosen
  bool selected_coordinates = false; ///< hard locations compare selected coordinates, without a radius
  bool is_fitted = false;            ///< beta or degree is fitted to the Hamming radius unless it is given
};

/// One parameter that a memory uses.
struct MemorySetting {
  std::string
      name; ///< "hamming_radius", "selected_coordinates", "encoded_bits", "hard_locations", "beta", ...
  double value;
  /// Origin of the value, for display: "fitted to the Hamming radius 75"; empty: given by the user.
  std::string origin;
};

/// Parameters of one memory, chosen by parameter_choice.h. Unused parameters are 0.
struct MemoryParameters {
  int64_t hamming_radius = 0; ///< of SDM, and for the fit of beta; in bits of the compared (encoded) patterns
  int64_t encoded_bits = 0;   ///< bits of the encoded patterns (`BitEncoding`); 0: no encoding
  double hard_locations = 0;  ///< number of hard locations if it is finite
  int64_t selected_coordinates = 0; ///< bits that each hard location compares; 0: all
  double beta = 0; ///< multiplies the unscaled scores; cosines and dot products are of unit vectors
  double alpha = 0;
  double degree = 0;
  int64_t update_steps_max = 10;
  std::vector<MemorySetting> settings = {}; ///< the used parameters, for display
};

struct SimilarityStep {
  std::string name; ///< "cosine", ...
  Similarity similarity;
};

/// Choices of another step that are compatible with a separation.
struct CompatibleSteps {
  std::vector<std::string> names = {}; ///< empty: all
  std::string explanation = {};        ///< why the others are incompatible
};

struct SeparationStep {
  std::string name; ///< "softmax", "circle-intersection", ...
  MemoryUses uses = {};
  double default_alpha = 0;
  /// Creates the separation for patterns of this size. `locations` is absent if their number is infinite.
  std::function<Separation(int64_t size, const MemoryParameters& parameters,
                           const std::optional<FiniteLocations>& locations)>
      make;
  CompatibleSteps similarities = {}, projections = {};
};

struct ProjectionStep {
  std::string name; ///< "majority", ...
  Projection projection;
  bool on_bits; ///< true: reads out bits; false: real patterns
};

const std::vector<SimilarityStep>& similarities();
/// The separations that memories and layers have in common (core/simplex_separation.h) come first.
const std::vector<SeparationStep>& separations();
const std::vector<ProjectionStep>& projections();

/// Names of the three steps of a memory.
struct MemorySteps {
  std::string similarity = {}, separation = {}, projection = {};

  bool operator==(const MemorySteps&) const = default;
};

/// Replaces empty names by the defaults: cosine, softmax, and majority for Hamming distances or normalise
/// otherwise.
MemorySteps with_defaults(MemorySteps steps);

/// Errors  UsageError if a name is unknown, or if the steps are incompatible (with the reason and
///         alternatives)
void require_compatible(const MemorySteps& steps);

/// The step with this name. Errors  UsageError with the list of names
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
