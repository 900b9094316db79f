// SPDX-License-Identifier: MIT

#include "mneme/trials/memory_kinds.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mneme/core/error.h"
#include "mneme/core/machine.h"
#include "mneme/core/nearest_word.h"
#include "mneme/memory/bit_encoding.h"

namespace mneme::trials {
namespace {

/// Number of hard locations, and for those that are stored, what they compare.
enum class Locations { infinite, sampled, addresses, selected_coordinates, hyperplane };

/// A named memory: a row of the table.
struct Row {
  std::string name, title;
  std::string description = {}, use_case = {};
  MemorySteps steps = {};
  bool in_paper = false;
  Locations locations = Locations::infinite;
  bool is_fitted = true; ///< beta or degree is fitted, if the separation has one
  std::vector<PublishedName> published = {};
};

MemoryKind kind_of(const Row& row) {
  require_compatible(row.steps);
  const SeparationStep& separation = step_named(separations(), row.steps.separation);
  const ProjectionStep& projection = step_named(projections(), row.steps.projection);
  MemoryKind kind{.name = row.name,
                  .title = row.title,
                  .description = row.description,
                  .use_case = row.use_case,
                  .steps = fmt::format("{} -> {} -> {}", row.steps.similarity, row.steps.separation,
                                       row.steps.projection),
                  .on_bits = projection.on_bits,
                  .in_paper = row.in_paper,
                  .uses = separation.uses,
                  .similarity = step_named(similarities(), row.steps.similarity).similarity,
                  .separation = &separation,
                  .projection = projection.projection,
                  .published = row.published};
  kind.uses.finite_locations = row.locations != Locations::infinite;
  kind.uses.hard_locations = row.locations > Locations::sampled;
  kind.uses.is_fitted = kind.uses.is_fitted && row.is_fitted;
  if (row.locations > Locations::addresses) {
    kind.uses.selected_coordinates = true;
    kind.uses.hamming_radius = false;
    kind.assigned_values =
        row.locations == Locations::hyperplane ? AssignedValues::ones : AssignedValues::random;
  }
  return kind;
}

const std::vector<Row>& rows() {
  using enum BetaFitTarget;
  static const std::vector<Row> table = {
      {.name = "sdm",
       .title = "SDM, hard locations",
       .description = "Kanerva's SDM: random hard locations with counters (--hard-locations).",
       .use_case = "Use it if size and read time must not depend on the number of patterns.",
       .steps = {"hamming", "radius", "majority"},
       .in_paper = true,
       .locations = Locations::addresses,
       .published = {{"Binary_Neuron_SDM", true}}},
      {.name = "pattern-sdm",
       .title = "SDM, infinite locations",
       .description = "SDM with infinitely many locations: weights are circle intersections.",
       .use_case = "Use it for bits; it is the limit of sdm for many hard locations.",
       .steps = {"hamming", "circle-intersection", "majority"},
       .in_paper = true,
       .published = {{"Binary_SDM"}}},
      {.name = "pattern-sdm-finite",
       .title = "SDM, a million locations",
       .description = "pattern-sdm with a million locations: weights are rounded at random.",
       .use_case = "Use it to measure the effect of a finite number of hard locations.",
       .steps = {"hamming", "circle-intersection", "majority"},
       .in_paper = true,
       .locations = Locations::sampled,
       .published = {{"Binary_SDM_NeuronLimit", true}}},
      {.name = "continuous-sdm",
       .title = "Continuous SDM",
       .description = "SDM of real numbers, on the unit sphere: weights are cap intersections.",
       .use_case = "Use it to recall real numbers, such as grey levels, with SDM weights.",
       .steps = {"cosine", "cap-intersection", "normalise"},
       .in_paper = true,
       .published = {{"Cont_SDM"}, {"Cont_SDM_NeuronLimit", true}}},
      {.name = "continuous-binary-sdm",
       .title = "Continuous SDM, binary table",
       .description = "continuous-sdm with circle instead of cap intersections as weights.",
       .use_case = "Use it to compare the two kinds of weights on the same real numbers.",
       .steps = {"hamming", "circle-intersection", "normalise"},
       .in_paper = true,
       .published = {{"Cont_Binary_SDM"}, {"Cont_Binary_SDM_NeuronLimit", true}}},
      {.name = "selected-sdm",
       .title = "SDM, selected coordinates",
       .description = "SDM whose hard locations compare a few selected bits (Jaeckel).",
       .use_case = "Use it as a faster sdm: a read compares about ten bits per location.",
       .steps = {"hamming", "radius", "majority"},
       .locations = Locations::selected_coordinates},
      {.name = "hyperplane-sdm",
       .title = "SDM, hyperplane design",
       .description = "SDM whose hard locations need ones in a few selected bits (Jaeckel).",
       .use_case = "Use it for patterns with few ones.",
       .steps = {"hamming", "radius", "majority"},
       .locations = Locations::hyperplane},
      {.name = "binary-attention",
       .title = "Binary SDM attention",
       .description = "Softmax attention on bits; beta is fitted to the circle intersection.",
       .use_case = "Use it to compare softmax with the weights of SDM (pattern-sdm) on bits.",
       .steps = {"cosine", "softmax", "majority"},
       .in_paper = true,
       .published = {{"Binary_SDM_BFit_Attention"}}},
      {.name = "attention",
       .title = "SDM attention",
       .description = "SDM attention: softmax of cosines of real numbers, with a fitted beta.",
       .use_case = "Use it as the first choice for real numbers.",
       .steps = {"cosine", "softmax", "normalise"},
       .in_paper = true,
       .published = {{"Cont_SDM_BFit_Attention"}, {"Cont_SDM_CFit_Attention", false, cap_intersection}}},
      {.name = "transformer",
       .title = "Transformer attention",
       .description = "Softmax attention with beta = 1/sqrt(n), the scale of Transformers.",
       .use_case = "Use it as a baseline: for patterns of length 1, this beta is too small.",
       .steps = {"cosine", "softmax", "normalise"},
       .is_fitted = false},
      {.name = "hopfield",
       .title = "Hopfield, classical",
       .description = "Classical Hopfield network on bits: the weights are the dot products.",
       .use_case = "A baseline: it recalls most of n / (2 ln n) random patterns exactly.",
       .steps = {"dot", "identity", "majority"}},
      {.name = "modern-hopfield",
       .title = "Hopfield, modern",
       .description = "Modern Hopfield network: softmax of dot products, then an average.",
       .use_case = "Use it to compare with Hopfield layers; the readout is not normalised.",
       .steps = {"dot", "softmax", "average"}},
      {.name = "dense",
       .title = "Dense associative memory",
       .description = "Dense associative memory: powers of dot products, then an average.",
       .use_case = "Use it to increase the capacity by a power (--degree) instead of beta.",
       .steps = {"dot", "polynomial", "average"}},
  };
  return table;
}

std::optional<BitEncoding> encoding(const BitPatterns& stored, const MemoryParameters& parameters,
                                    uint64_t seed) {
  if (parameters.encoded_bits == 0) {
    return std::nullopt;
  }
  return BitEncoding(stored, {.bits = parameters.encoded_bits, .seed = seed});
}

void advance(Progress* progress, int64_t steps) {
  if (progress != nullptr) {
    progress->advance(steps);
  }
}

/// Appends the results of more cues; the readouts are rows of `recall` already.
template <class Patterns> void append(Recall<Patterns>& recall, const Recall<Patterns>& more) {
  for (int64_t i = 0; i < more.readout.count(); ++i) {
    const Patterns& from = more.readout;
    std::ranges::copy(from[i], recall.readout[std::ssize(recall.steps) + i].begin());
  }
  recall.steps.insert(recall.steps.end(), more.steps.begin(), more.steps.end());
  recall.converged.insert(recall.converged.end(), more.converged.begin(), more.converged.end());
  recall.num_activated.insert(recall.num_activated.end(), more.num_activated.begin(),
                              more.num_activated.end());
}

/// Cues are recalled in groups, so that progress is reported; what a cue recalls does not depend on the
/// others. A group takes up to a second in an update step.
///
/// `work`: number of words or numbers that are compared with a cue
int64_t cues_per_recall(int64_t work) {
  constexpr int64_t kWorkOfGroup = 4'000'000'000, kCuesMin = 256;
  return std::max(kCuesMin, kWorkOfGroup / std::max<int64_t>(work, 1));
}

template <class Patterns, class RecallGroup>
Recall<Patterns> recall_in_groups(const Patterns& cues, int64_t per_group, int64_t size, Progress* progress,
                                  RecallGroup recall_group) {
  if (cues.count() <= per_group) {
    Recall<Patterns> recall = recall_group(cues);
    advance(progress, cues.count());
    return recall;
  }
  Recall<Patterns> recall{Patterns(cues.count(), size), {}, {}, {}};
  for (int64_t first = 0; first < cues.count(); first += per_group) {
    const int64_t end = std::min(first + per_group, cues.count());
    append(recall, recall_group(slice(cues, first, end)));
    advance(progress, end - first);
  }
  return recall;
}

/// Neuron-based SDM. Patterns are written and cues are read in groups, too.
RecallBits with_hard_locations(const MemoryKind& kind, const BitPatterns& stored,
                               const MemoryParameters& parameters, uint64_t seed, const UpdateOptions& update,
                               std::optional<BitEncoding> encode, Progress* progress,
                               const std::optional<BitPatterns>& values) {
  const BitPatterns& data = values ? *values : stored;
  constexpr int64_t kPatternsPerWrite = 4096, kCuesPerRead = 512;
  const NeuronSdmOptions options{.bits = stored.bits(),
                                 .hard_locations = static_cast<int64_t>(parameters.hard_locations),
                                 .hamming_radius = parameters.hamming_radius,
                                 .data_bits = data.bits(),
                                 .seed = seed,
                                 .encode = std::move(encode),
                                 .selected_coordinates = parameters.selected_coordinates,
                                 .assigned_values = kind.assigned_values};
  NeuronSdm::require_memory(options);
  constexpr double kBytesShown = 1e9;
  if (const double bytes = NeuronSdm::memory_bytes(options); progress != nullptr && bytes >= kBytesShown) {
    const auto available = machine_memory().available;
    progress->message(fmt::format(
        "{}: {} hard locations of {} bits take {:.2f} GB of memory{}", kind.name, options.hard_locations,
        options.bits, bytes / 1e9,
        available ? fmt::format(" ({:.1f} GB are available)", static_cast<double>(*available) / 1e9) : ""));
  }
  const auto memory = std::make_shared<NeuronSdm>(options);
  for (int64_t first = 0; first < stored.count(); first += kPatternsPerWrite) {
    const int64_t end = std::min(first + kPatternsPerWrite, stored.count());
    memory->write(slice(stored, first, end), slice(data, first, end));
    advance(progress, end - first);
  }
  return [memory, update, progress, bits = data.bits()](const BitPatterns& cues) {
    return recall_in_groups(cues, kCuesPerRead, bits, progress,
                            [&](const BitPatterns& group) { return memory->recall(group, update); });
  };
}

/// A pattern has no self-connections with other values, so none are left out.
template <class Patterns>
void set_values(AssociateOptions<Patterns>& options, const std::optional<Patterns>& values) {
  if (values) {
    options.values = values;
    if (std::holds_alternative<Identity>(options.separation)) {
      options.separation = Identity{};
    }
  }
}

/// Sweeps recall many times and measure much more coarsely than float32 rounds. The sums of a classical
/// Hopfield network are integers and must be exact, and so must cosines that are rounded down to Hamming
/// distances: those of signs are near whole distances.
Precision precision_of_sweeps(const MemoryKind& kind) {
  const bool rounds_cosines =
      !kind.on_bits && (std::holds_alternative<Hamming>(kind.similarity) ||
                        kind.separation->name == "circle-intersection" || kind.separation->name == "radius");
  return is_classical_hopfield(kind) || rounds_cosines ? Precision::float64 : Precision::float32;
}

} // namespace

const std::vector<MemoryKind>& memory_kinds() {
  static const std::vector<MemoryKind> kinds = [] {
    std::vector<MemoryKind> all;
    std::ranges::transform(rows(), std::back_inserter(all), kind_of);
    return all;
  }();
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
      std::vector<std::string> known_names = names_of(memory_kinds());
      known_names.insert(known_names.end(), {"paper", "all"});
      const std::string close = nearest_word(name, known_names);
      throw UsageError(fmt::format("there is no memory called \"{}\".\n  {}Valid names: {}.", name,
                                   close.empty() ? "" : fmt::format("Did you mean \"{}\"? ", close),
                                   fmt::join(known_names, ", ")));
    }
  }
  return chosen;
}

MemoryKind composed_memory(const MemorySteps& steps) {
  return kind_of({.name = fmt::format("{} + {} + {}", steps.similarity, steps.separation, steps.projection),
                  .title = "Composed of three steps",
                  .steps = steps});
}

Similarity measure_of(const MemoryKind& kind) {
  if (kind.on_bits) {
    return Hamming{};
  }
  return std::holds_alternative<Hamming>(kind.similarity) ? Cosine{} : kind.similarity;
}

bool is_classical_hopfield(const MemoryKind& kind) {
  return kind.on_bits && std::holds_alternative<Dot>(kind.similarity) && kind.separation->name == "identity";
}

template <class Patterns>
AssociateOptions<Patterns> association(const MemoryKind& kind, int64_t size,
                                       const MemoryParameters& parameters, uint64_t seed) {
  constexpr bool kBits = std::is_same_v<Patterns, BitPatterns>;
  if (kind.on_bits != kBits) {
    throw UsageError(
        fmt::format("the memory \"{}\" does not store {}.", kind.name, kBits ? "bits" : "real patterns"));
  }
  std::optional<FiniteLocations> locations;
  if (kind.uses.finite_locations) {
    locations = FiniteLocations{.hard_locations = parameters.hard_locations, .seed = seed};
  }
  AssociateOptions<Patterns> options{.similarity = kind.similarity,
                                     .separation = kind.separation->make(size, parameters, locations),
                                     .projection = kind.projection};
  if (is_classical_hopfield(kind)) {
    options.separation = Identity{.self_connections = false};
  }
  return options;
}
template AssociateOptions<BitPatterns> association(const MemoryKind&, int64_t, const MemoryParameters&,
                                                   uint64_t);
template AssociateOptions<RealPatterns> association(const MemoryKind&, int64_t, const MemoryParameters&,
                                                    uint64_t);

RecallBits build(const MemoryKind& kind, const BitPatterns& stored, const MemoryParameters& parameters,
                 uint64_t seed, const UpdateOptions& update, Precision precision, Progress* progress,
                 const std::optional<BitPatterns>& values) {
  std::optional<BitEncoding> encode = encoding(stored, parameters, seed);
  if (kind.uses.hard_locations) {
    return with_hard_locations(kind, stored, parameters, seed, update, std::move(encode), progress, values);
  }
  AssociateOptions<BitPatterns> options =
      association<BitPatterns>(kind, encode ? encode->bits() : stored.bits(), parameters, seed);
  options.encode_bits = std::move(encode);
  options.precision = precision;
  set_values(options, values);
  auto memory = std::make_shared<const AssociativeMemory<BitPatterns>>(stored, std::move(options));
  const int64_t per_recall = cues_per_recall(stored.count() * stored.words());
  return [memory, update, progress, per_recall,
          bits = values ? values->bits() : stored.bits()](const BitPatterns& cues) {
    return recall_in_groups(cues, per_recall, bits, progress,
                            [&](const BitPatterns& group) { return memory->recall(group, update); });
  };
}

RecallBits build(const MemoryKind& kind, const BitPatterns& stored, const MemoryParameters& parameters,
                 uint64_t seed, Progress* progress, const std::optional<BitPatterns>& values) {
  return build(kind, stored, parameters, seed, {.update_steps_max = parameters.update_steps_max},
               precision_of_sweeps(kind), progress, values);
}

RecallReals build(const MemoryKind& kind, const RealPatterns& stored, const MemoryParameters& parameters,
                  Progress* progress, const std::optional<RealPatterns>& values) {
  AssociateOptions<RealPatterns> options = association<RealPatterns>(kind, stored.size(), parameters, 1);
  options.precision = precision_of_sweeps(kind);
  options.update.update_steps_max = parameters.update_steps_max;
  set_values(options, values);
  const int64_t per_recall = cues_per_recall(stored.count() * stored.size());
  return [memory = AssociativeMemory<RealPatterns>(stored, std::move(options)), progress, per_recall,
          size = values ? values->size() : stored.size()](const RealPatterns& cues) {
    return recall_in_groups(cues, per_recall, size, progress,
                            [&](const RealPatterns& group) { return memory.recall(group); });
  };
}

} // namespace mneme::trials
