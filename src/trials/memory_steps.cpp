// SPDX-License-Identifier: MIT

#include "mneme/trials/memory_steps.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mneme/core/error.h"
#include "mneme/core/simplex_separation.h"

namespace mneme::trials {
namespace {

using Locations = std::optional<FiniteLocations>;

std::vector<SeparationStep> all_separations() {
  std::vector<SeparationStep> steps;
  for (const NamedSeparation& named : kSimplexSeparations) {
    steps.push_back(
        {.name = std::string(named.name),
         .uses = {.beta = true, .alpha = named.separation.alpha > 0, .is_fitted = true},
         .default_alpha = named.separation.alpha,
         .make = [separation = named.separation](int64_t, const MemoryParameters& parameters,
                                                 const Locations&) -> Separation {
           if (separation == SimplexSeparation::softmax) {
             return Softmax{parameters.beta}; // streamed for cosines and dot products: weights are not stored
           }
           return SimplexWeights{separation.alpha > 0 ? SimplexSeparation::entmax(parameters.alpha)
                                                      : separation,
                                 parameters.beta};
         }});
  }
  steps.push_back(
      {.name = "polynomial",
       .uses = {.degree = true, .is_fitted = true},
       .make = [](int64_t, const MemoryParameters& parameters, const Locations&) -> Separation {
         return Polynomial{parameters.degree};
       },
       .similarities = {{"cosine", "dot"},
                        "scores that are not above 0 have the weight 0, and the scores of a distance are "
                        "negated distances, which are never above 0"}});
  steps.push_back(
      {.name = "circle-intersection",
       .uses = {.hamming_radius = true},
       .make = [](int64_t size, const MemoryParameters& parameters,
                  const Locations& locations) -> Separation {
         return CircleIntersection{size, parameters.hamming_radius, locations};
       },
       .similarities = {{"hamming", "cosine"},
                        "the number of hard locations that two patterns share is a function of their Hamming "
                        "distance, which can also be computed from their cosine"}});
  steps.push_back(
      {.name = "cap-intersection",
       .uses = {.hamming_radius = true},
       .make = [](int64_t size, const MemoryParameters& parameters,
                  const Locations& locations) -> Separation {
         return CapIntersection{size, parameters.hamming_radius, locations};
       },
       .similarities = {{"cosine"},
                        "the fraction of the unit sphere in the caps around two patterns is a function of "
                        "their cosine"}});
  steps.push_back(
      {.name = "radius",
       .uses = {.hamming_radius = true, .equal_within_radius = true},
       .make = [](int64_t, const MemoryParameters& parameters, const Locations&) -> Separation {
         return Radius{parameters.hamming_radius};
       },
       .similarities = {
           {"hamming", "cosine"},
           "the radius is a number of bits, which can be compared only with a Hamming distance, or "
           "with one computed from a cosine"}});
  steps.push_back(
      {.name = "identity",
       .make = [](int64_t, const MemoryParameters&, const Locations&) -> Separation { return Identity{}; },
       .similarities =
           {{"cosine", "dot"},
            "the weights are the scores themselves, and a negated distance is 0 for a stored pattern "
            "that equals the cue and negative for all others"},
       .projections = {{"majority", "normalise"},
                       "the weights are the scores themselves, whose sum is not 1, as an average requires"}});
  steps.push_back(
      {.name = "best-match",
       .make = [](int64_t, const MemoryParameters&, const Locations&) -> Separation { return BestMatch{}; }});
  return steps;
}

bool fits(const CompatibleSteps& fitting, const std::string& name) {
  return fitting.names.empty() || std::ranges::find(fitting.names, name) != fitting.names.end();
}

void require_fit(const SeparationStep& separation, const char* step, const std::string& name,
                 CompatibleSteps SeparationStep::*fitting) {
  if (fits(separation.*fitting, name)) {
    return;
  }
  std::vector<std::string> others;
  for (const SeparationStep& other : separations()) {
    if (fits(other.*fitting, name)) {
      others.push_back(other.name);
    }
  }
  throw UsageError(fmt::format(
      "the separation {} does not fit the {} {}: {}.\n  Use the {} {}, or one of the separations {}.",
      separation.name, step, name, (separation.*fitting).explanation, step,
      fmt::join((separation.*fitting).names, " or "), fmt::join(others, ", ")));
}

} // namespace

const std::vector<SimilarityStep>& similarities() {
  static const std::vector<SimilarityStep> steps = {{"hamming", Hamming{}},
                                                    {"cosine", Cosine{}},
                                                    {"dot", Dot{}},
                                                    {"euclidean", Euclidean{}},
                                                    {"manhattan", Manhattan{}}};
  return steps;
}

const std::vector<SeparationStep>& separations() {
  static const std::vector<SeparationStep> steps = all_separations();
  return steps;
}

const std::vector<ProjectionStep>& projections() {
  static const std::vector<ProjectionStep> steps = {
      {"majority", Majority{}, true}, {"normalise", Normalise{}, false}, {"average", Average{}, false}};
  return steps;
}

MemorySteps with_defaults(MemorySteps steps) {
  const auto set = [](std::string& name, const char* value) { name = name.empty() ? value : name; };
  set(steps.similarity, "cosine");
  set(steps.separation, "softmax");
  set(steps.projection, steps.similarity == "hamming" ? "majority" : "normalise");
  return steps;
}

template <class Step> const Step& step_named(const std::vector<Step>& steps, const std::string& name) {
  const auto found = std::ranges::find(steps, name, &Step::name);
  if (found == steps.end()) {
    throw UsageError(fmt::format("there is no step of a memory called \"{}\".\n  Valid names: {}.", name,
                                 fmt::join(names_of(steps), ", ")));
  }
  return *found;
}
template const SimilarityStep& step_named(const std::vector<SimilarityStep>&, const std::string&);
template const SeparationStep& step_named(const std::vector<SeparationStep>&, const std::string&);
template const ProjectionStep& step_named(const std::vector<ProjectionStep>&, const std::string&);

void require_compatible(const MemorySteps& steps) {
  const SeparationStep& separation = step_named(separations(), steps.separation);
  require_fit(separation, "similarity", step_named(similarities(), steps.similarity).name,
              &SeparationStep::similarities);
  require_fit(separation, "projection", step_named(projections(), steps.projection).name,
              &SeparationStep::projections);
}

} // namespace mneme::trials
