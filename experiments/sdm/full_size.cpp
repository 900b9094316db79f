// SPDX-License-Identifier: MIT

/// Kanerva's memory at the size of his book, simulated location by location: a million hard locations of 1000
/// bits, 10 000 patterns. Compared with an independent run of the same random numbers, with the corrected
/// theory, and with the published formulas.

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "experiments/curves.h"
#include "experiments/published.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/memory/neuron_sdm.h"
#include "mneme/theory/critical_distance.h"
#include "mneme/theory/one_read_error.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;

/// Random numbers of the independent run, which must be the same here.
/// Source  Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators" (splitmix64)
class SplitMix {
public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t bound) { return next() % bound; } ///< slightly biased, as in that run

private:
  uint64_t state_;
};

constexpr int64_t kReadsMax = 25; ///< of one cue

enum Seed : uint64_t { kAddresses = 1, kPatterns = 2, kCues = 3, kData = 4 };

struct Size {
  int64_t bits = 1000, hard_locations = 1'000'000, hamming_radius = 451, patterns = 10'000;
  int64_t cues = 200; ///< per distance
  std::vector<int64_t> distances = {};

  theory::SdmParameters parameters() const {
    return {.bits = bits,
            .hard_locations = static_cast<double>(hard_locations),
            .hamming_radius = hamming_radius,
            .patterns = static_cast<double>(patterns)};
  }
  NeuronSdmOptions options() const {
    return {.bits = bits, .hard_locations = hard_locations, .hamming_radius = hamming_radius};
  }
};

Size size_of(const RunSettings& settings) {
  if (settings.quick) {
    return {.hard_locations = 50'000, .patterns = 1000, .cues = 100, .distances = integer_range(0, 300, 50)};
  }
  Size size{.distances = integer_range(0, 300, 10)};
  std::ranges::copy(integer_range(155, 235, 10), std::back_inserter(size.distances));
  std::ranges::sort(size.distances);
  return size;
}

BitPatterns random_bits(int64_t count, int64_t bits, uint64_t seed) {
  SplitMix random(seed);
  BitPatterns patterns(count, bits);
  for (int64_t i = 0; i < count; ++i) {
    std::ranges::generate(patterns[i], [&] { return random.next(); });
    patterns[i].back() &= patterns.last_word_mask();
  }
  return patterns;
}

struct Cues {
  BitPatterns bits;
  std::vector<int64_t> targets; ///< pattern of each cue, `Size::cues` per distance
};

Cues make_cues(const Size& size, const BitPatterns& patterns) {
  SplitMix random(kCues);
  const auto count = static_cast<int64_t>(size.distances.size()) * size.cues;
  Cues cues{BitPatterns(count, size.bits), {}};
  for (int64_t i = 0; i < count; ++i) {
    cues.targets.push_back(static_cast<int64_t>(random.below(static_cast<uint64_t>(size.patterns))));
    std::ranges::copy(patterns[cues.targets.back()], cues.bits[i].begin());
    std::vector<int64_t> order(static_cast<size_t>(size.bits));
    std::iota(order.begin(), order.end(), 0);
    const auto flips = static_cast<size_t>(size.distances[static_cast<size_t>(i / size.cues)]);
    for (size_t b = 0; b < flips; ++b) {
      std::swap(order[b], order[b + random.below(order.size() - b)]);
      cues.bits.flip(i, order[b]);
    }
  }
  return cues;
}

struct CounterSummary {
  uint64_t hash = 0; ///< h = 0; h = h * P + uint16(counter), over all counters of all locations in order
  int64_t max_counter = 0, max_writes = 0, writes = 0;
};

CounterSummary summary_of_counters(const NeuronSdm& memory) {
  constexpr uint64_t kPrime = 0x100000001B3;
  constexpr int64_t kLocationsPerBlock = 4096;
  const int64_t locations = memory.options().hard_locations;
  std::vector<CounterSummary> blocks(
      static_cast<size_t>((locations + kLocationsPerBlock - 1) / kLocationsPerBlock));
  parallel_for(locations, kLocationsPerBlock, [&](int64_t begin, int64_t end) {
    CounterSummary& block = blocks[static_cast<size_t>(begin / kLocationsPerBlock)];
    for (int64_t k = begin; k < end; ++k) {
      for (const int16_t counter : memory.counters(k)) {
        block.hash = block.hash * kPrime + static_cast<uint16_t>(counter);
        block.max_counter = std::max<int64_t>(block.max_counter, std::abs(counter));
      }
      block.max_writes = std::max(block.max_writes, memory.writes(k));
      block.writes += memory.writes(k);
    }
  });
  CounterSummary all;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const int64_t begin = static_cast<int64_t>(i) * kLocationsPerBlock;
    const int64_t counters = std::min(kLocationsPerBlock, locations - begin) * memory.options().data_bits;
    uint64_t power = 1; // of the prime, to the number of counters in the block
    for (int64_t c = 0; c < counters; ++c) {
      power *= kPrime;
    }
    all.hash = all.hash * power + blocks[i].hash;
    all.max_counter = std::max(all.max_counter, blocks[i].max_counter);
    all.max_writes = std::max(all.max_writes, blocks[i].max_writes);
    all.writes += blocks[i].writes;
  }
  return all;
}

/// Measurements of one memory: writes all patterns; reads all cues, once or until nothing changes.
class Run {
public:
  Run(const Size& size, const BitPatterns& patterns, const BitPatterns& data, const Cues& cues,
      int64_t reads_max, const char* name, Progress& progress)
      : cues_(static_cast<size_t>(size.cues)) {
    NeuronSdm memory(size.options(), random_bits(size.hard_locations, size.bits, kAddresses));
    constexpr int64_t kPatternsPerWrite = 4096, kCuesPerRead = 512;
    progress.start(fmt::format("{}: write", name), patterns.count());
    for (int64_t first = 0; first < patterns.count(); first += kPatternsPerWrite) {
      const int64_t end = std::min(first + kPatternsPerWrite, patterns.count());
      memory.write(slice(patterns, first, end), slice(data, first, end));
      progress.advance(end - first);
    }
    progress.start(fmt::format("{}: read", name), cues.bits.count());
    for (int64_t first = 0; first < cues.bits.count(); first += kCuesPerRead) {
      const int64_t end = std::min(first + kCuesPerRead, cues.bits.count());
      const BitPatterns part = slice(cues.bits, first, end);
      const Recall<BitPatterns> once = memory.recall(part);
      const Recall<BitPatterns> last =
          reads_max > 1 ? memory.recall(part, {.update_steps_max = reads_max}) : once;
      for (int64_t i = 0; i < part.count(); ++i) {
        const int64_t target = cues.targets[static_cast<size_t>(first + i)];
        wrong_once.push_back(hamming_distance(once.readout, i, data, target));
        wrong_at_end.push_back(hamming_distance(last.readout, i, data, target));
        steps.push_back(last.steps[static_cast<size_t>(i)]);
        converged.push_back(last.converged[static_cast<size_t>(i)] != 0);
      }
      progress.advance(part.count());
    }
    counters = summary_of_counters(memory);
    progress.finish();
  }

  /// Values of the cues at the i-th distance.
  template <class T> std::span<const T> at(const std::vector<T>& values, size_t i) const {
    return std::span(values).subspan(i * cues_, cues_);
  }
  double mean_wrong(size_t i) const {
    const auto wrong = at(wrong_once, i);
    return static_cast<double>(std::accumulate(wrong.begin(), wrong.end(), int64_t{0})) /
           static_cast<double>(wrong.size());
  }
  double deviation(size_t i) const {
    double squares = 0;
    for (const int64_t wrong : at(wrong_once, i)) {
      squares += std::pow(static_cast<double>(wrong) - mean_wrong(i), 2);
    }
    return std::sqrt(squares / static_cast<double>(cues_ - 1));
  }
  int64_t exact_once(size_t i) const { return std::ranges::count(at(wrong_once, i), 0); }
  /// Cues that end at their target, confirmed by a further read that changes nothing.
  int64_t exact_at_end(size_t i) const {
    int64_t exact = 0;
    for (size_t cue = i * cues_; cue < (i + 1) * cues_; ++cue) {
      exact += wrong_at_end[cue] == 0 && converged[cue] != 0 ? 1 : 0;
    }
    return exact;
  }

  CounterSummary counters;
  std::vector<int64_t> wrong_once, wrong_at_end, steps;
  std::vector<uint8_t> converged;

private:
  size_t cues_; ///< per distance
};

/// The distance at which half of the cues converge, by logistic regression (Newton's method).
double half_converge_at(const Size& size, const Run& run) {
  const double middle = 200, scale = 10; // for conditioning
  double a = 0, b = -1;
  for (int step = 0; step < 50; ++step) {
    double ga = 0, gb = 0, haa = 0, hab = 0, hbb = 0;
    for (size_t i = 0; i < size.distances.size(); ++i) {
      const double x = (static_cast<double>(size.distances[i]) - middle) / scale;
      const double p = 1 / (1 + std::exp(-(a + b * x))), cues = static_cast<double>(size.cues);
      const double rest = static_cast<double>(run.exact_at_end(i)) - cues * p, weight = cues * p * (1 - p);
      ga += rest, gb += rest * x;
      haa += weight, hab += weight * x, hbb += weight * x * x;
    }
    const double determinant = haa * hbb - hab * hab;
    if (!(determinant > 0)) {
      break;
    }
    a += (hbb * ga - hab * gb) / determinant;
    b += (haa * gb - hab * ga) / determinant;
  }
  return middle - scale * a / b;
}

size_t index_of(const Size& size, int64_t distance) {
  return static_cast<size_t>(std::ranges::find(size.distances, distance) - size.distances.begin());
}

Comparison counter_hash(const json& published, const CounterSummary& summary) {
  const uint64_t expected = std::stoull(published.at("counter_hash").get<std::string>(), nullptr, 16);
  const bool equal = expected == summary.hash;
  return {.what = fmt::format("counters equal: hash {:016x}, here {:016x}", expected, summary.hash),
          .published = 1,
          .measured = exact_mean(equal ? 1 : 0)};
}

/// The independent run of the same random numbers.
std::vector<ComparisonTable> compare_with_run(const Size& size, const Run& autoassociative,
                                              const Run& hetero) {
  const CounterSummary &of_auto = autoassociative.counters, &of_hetero = hetero.counters;
  const json& all = published("sdm_full_size");
  const json& expected = all.at("autoassociative");
  constexpr double kExact = 0, kRounding = 1e-9;
  const char* source = "independent program, same random numbers";
  const double mean_hits = static_cast<double>(of_auto.writes) / static_cast<double>(size.patterns);
  int64_t elsewhere = 0;
  for (size_t i = 0; i < autoassociative.steps.size(); ++i) {
    // The independent run did not count those that the last of its reads confirmed.
    elsewhere += autoassociative.steps[i] < kReadsMax && autoassociative.wrong_at_end[i] != 0 ? 1 : 0;
  }
  std::vector<ComparisonTable> tables;
  tables.push_back({.title = "Counters after writing",
                    .source = source,
                    .tolerance = "0 for counts; half of the last digit of the mean.",
                    .rows = {compare_absolute("locations activated by a pattern, mean", all.at("mean_hits"),
                                              mean_hits, 0.005),
                             compare_absolute("most patterns in one location", all.at("max_writes"),
                                              static_cast<double>(of_auto.max_writes), kExact),
                             compare_absolute("largest counter", expected.at("max_counter"),
                                              static_cast<double>(of_auto.max_counter), kExact),
                             counter_hash(expected, of_auto),
                             compare_absolute("heteroassociative: largest counter",
                                              all.at("heteroassociative").at("max_counter"),
                                              static_cast<double>(of_hetero.max_counter), kExact),
                             counter_hash(all.at("heteroassociative"), of_hetero)}});
  ComparisonTable reads{.title = "Reads, autoassociative",
                        .source = source,
                        .tolerance = "0 for counts; half of the last printed digit of means; 0.1 for "
                                     "deviations, which were cut off after a digit."};
  for (const json& row : expected.at("rows")) {
    const int64_t distance = row.at(0);
    const size_t i = index_of(size, distance);
    const auto name = [&](const char* what) { return fmt::format("D = {}: {}", distance, what); };
    reads.rows.push_back(compare_absolute(name("wrong bits after one read"), row.at(1),
                                          autoassociative.mean_wrong(i), 0.005 + kRounding));
    if (!row.at(2).is_null()) {
      reads.rows.push_back(
          compare_absolute(name("their standard deviation"), row.at(2), autoassociative.deviation(i), 0.1));
    }
    reads.rows.push_back(compare_absolute(name("cues exact after one read"), row.at(3),
                                          static_cast<double>(autoassociative.exact_once(i)), kExact));
    reads.rows.push_back(compare_absolute(name("cues exact at the end"), row.at(4),
                                          static_cast<double>(autoassociative.exact_at_end(i)), kExact));
  }
  for (const json& row : expected.at("steps_of_exact")) {
    const size_t i = index_of(size, row.at(0));
    double steps = 0;
    for (size_t cue = 0; cue < static_cast<size_t>(size.cues); ++cue) {
      steps += autoassociative.at(autoassociative.wrong_at_end, i)[cue] == 0
                   ? static_cast<double>(autoassociative.at(autoassociative.steps, i)[cue])
                   : 0;
    }
    reads.rows.push_back(compare_absolute(
        fmt::format("D = {}: reads of cues that end exact", row.at(0).get<int>()), row.at(1),
        steps / static_cast<double>(autoassociative.exact_at_end(i)), row.at(2).get<double>() + kRounding));
  }
  reads.rows.push_back(
      compare_absolute("reads of all cues", expected.at("reads"),
                       static_cast<double>(std::accumulate(autoassociative.steps.begin(),
                                                           autoassociative.steps.end(), int64_t{0})),
                       kExact));
  reads.rows.push_back(compare_absolute("cues that settle elsewhere", expected.at("settled_elsewhere"),
                                        static_cast<double>(elsewhere), kExact));
  tables.push_back(std::move(reads));
  tables.push_back({.title = "Critical distance",
                    .source = source,
                    .tolerance = "2 bits.",
                    .rows = {compare_absolute("half of the cues converge", expected.at("critical_distance"),
                                              half_converge_at(size, autoassociative), 2)}});
  ComparisonTable unrelated{
      .title = "Reads, heteroassociative", .source = source, .tolerance = "half of the last printed digit."};
  for (const json& row : all.at("heteroassociative").at("rows")) {
    unrelated.rows.push_back(
        compare_absolute(fmt::format("D = {}: wrong bits after one read", row.at(0).get<int>()), row.at(1),
                         hetero.mean_wrong(index_of(size, row.at(0))), row.at(2).get<double>() + kRounding));
  }
  tables.push_back(std::move(unrelated));
  return tables;
}

/// Wrong bits after one read, expected by the corrected theory; the form for small memories if `quick`.
std::vector<double> expected_wrong(const Size& size, theory::Storage storage, bool quick) {
  std::vector<double> wrong;
  if (quick) {
    wrong = theory::bit_error_rates_after_read(size.parameters(), size.distances, storage);
    for (double& rate : wrong) {
      rate *= static_cast<double>(size.bits);
    }
    return wrong;
  }
  const std::vector<theory::ReadStatistics> reads = theory::read_statistics(size.parameters(), storage);
  for (const int64_t distance : size.distances) {
    wrong.push_back(reads[static_cast<size_t>(distance)].wrong_bits);
  }
  return wrong;
}

ComparisonTable compare_with_theory(const char* title, const Size& size, const Run& run,
                                    theory::Storage storage, bool quick) {
  constexpr double kRelative = 0.08;
  ComparisonTable table{.title = title,
                        .source =
                            "corrected formula of the error of one read (docs/theory/one_read_error.md)",
                        .tolerance = "8 %, at distances from 100 to 300."};
  const std::vector<double> expected = expected_wrong(size, storage, quick);
  for (size_t i = 0; i < size.distances.size(); ++i) {
    if (size.distances[i] >= 100) {
      table.rows.push_back(compare_relative(fmt::format("D = {}: wrong bits", size.distances[i]), expected[i],
                                            run.mean_wrong(i), kRelative));
    }
  }
  return table;
}

Figure one_read_figure(const Size& size, const Run& autoassociative, const Run& hetero) {
  const std::vector<int64_t> all = integer_range(0, size.distances.back(), 5);
  const auto measured = [&](std::string name, const Run& run) {
    report::Series series{.name = std::move(name), .style = report::SeriesStyle::points};
    for (size_t i = 0; i < size.distances.size(); ++i) {
      series.points.push_back({static_cast<double>(size.distances[i]), exact_point(run.mean_wrong(i))});
    }
    return series;
  };
  const auto corrected = [&](std::string name, theory::Storage storage) {
    const auto reads = theory::read_statistics(size.parameters(), storage);
    return curve(
        std::move(name), all, [&](int64_t d) { return reads[static_cast<size_t>(d)].wrong_bits; },
        report::SeriesStyle::line);
  };
  const auto published_curve = [&](std::string name, theory::NoiseModel noise) {
    const auto after = theory::published_distances_after_read(size.parameters(), {.noise = noise});
    return curve(
        std::move(name), all, [&](int64_t d) { return after[static_cast<size_t>(d)]; },
        report::SeriesStyle::dashed_line);
  };
  return {.name = "one-read",
          .chart = report::to_chart(report::LineChart{
              .title = fmt::format("Wrong bits after one read, n = {}, r = {}, d = {}, m = {}", size.bits,
                                   size.hard_locations, size.hamming_radius, size.patterns),
              .description = "Wrong bits after one read by the distance of the cue, measured and predicted.",
              .x = {.title = "distance of the cue (bits)"},
              .y = {.title = "wrong bits after one read"},
              .series = {measured("autoassociative, measured", autoassociative),
                         corrected("autoassociative, corrected theory", theory::Storage::autoassociative),
                         measured("heteroassociative, measured", hetero),
                         corrected("heteroassociative, corrected theory", theory::Storage::heteroassociative),
                         published_curve("published, newer variance", theory::NoiseModel::jaeckel),
                         published_curve("published, older variance", theory::NoiseModel::book),
                         curve(
                             "no change", all, [](int64_t d) { return static_cast<double>(d); },
                             report::SeriesStyle::dashed_line)}}),
          .caption =
              "The newer published variance describes unrelated data well, but overestimates the error "
              "of patterns stored at their own addresses, whose noise favours the bits of the cue."};
}

Figure convergence_figure(const Size& size, const Run& run, double critical) {
  report::Series series{.name = "measured"};
  for (size_t i = 0; i < size.distances.size(); ++i) {
    series.points.push_back(
        {static_cast<double>(size.distances[i]),
         exact_point(static_cast<double>(run.exact_at_end(i)) / static_cast<double>(size.cues))});
  }
  const auto published_at = [&](theory::NoiseModel noise, bool book) {
    return static_cast<double>(theory::published_critical_distance(
                                   theory::published_distances_after_read(
                                       size.parameters(), {.noise = noise, .book_intersection = book}))
                                   .distance);
  };
  return {
      .name = "convergence",
      .chart = report::to_chart(report::LineChart{
          .title = "Cues that converge to their pattern",
          .description = "Fraction of cues that converge to their pattern, by their distance.",
          .x = {.title = "distance of the cue (bits)"},
          .y = {.title = "fraction", .format = ".0%", .range = std::pair{0.0, 1.0}},
          .series = {series},
          .references = {{.at = critical, .label = fmt::format("half converge: {:.1f}", critical)},
                         {.at = static_cast<double>(theory::critical_distance(size.parameters()).distance),
                          .label = "one read, corrected theory"},
                         {.at = published_at(theory::NoiseModel::book, false),
                          .label = "published, older variance"},
                         {.at = published_at(theory::NoiseModel::book, true),
                          .label = "published, continuous form of the book"},
                         {.at = published_at(theory::NoiseModel::jaeckel, false),
                          .label = "published, newer variance"}}}),
      .caption = "Published critical distances predict where one read no longer reduces the distance; "
                 "repeated reads converge from a smaller distance."};
}

TitledTable measured_table(const Size& size, const Run& run, const Run& hetero) {
  using report::Cell;
  TitledTable table{.title = "Reads by distance",
                    .table = {.columns = {{.name = "distance"},
                                          {.name = "wrong bits after one read"},
                                          {.name = "standard deviation"},
                                          {.name = "exact after one read"},
                                          {.name = "exact at the end"},
                                          {.name = "wrong bits, heteroassociative"}}}};
  for (size_t i = 0; i < size.distances.size(); ++i) {
    table.table.rows.push_back({Cell(size.distances[i]), Cell(run.mean_wrong(i)), Cell(run.deviation(i)),
                                Cell(run.exact_once(i)), Cell(run.exact_at_end(i)),
                                Cell(hetero.mean_wrong(i))});
  }
  return table;
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const Size size = size_of(settings);
  try {
    NeuronSdm::require_memory(size.options());
  } catch (const UsageError& error) {
    return {.skipped = error.what()};
  }
  const BitPatterns patterns = random_bits(size.patterns, size.bits, kPatterns);
  const Cues cues = make_cues(size, patterns);
  Outcome outcome;
  outcome.parameters = {{"n", std::to_string(size.bits)},
                        {"hard locations r", std::to_string(size.hard_locations)},
                        {"Hamming radius d", std::to_string(size.hamming_radius)},
                        {"patterns m", std::to_string(size.patterns)},
                        {"cues", fmt::format("{} at each of {} distances", size.cues, size.distances.size())},
                        {"random numbers", "splitmix64 with the fixed seeds 1 to 4, whatever --seed is"}};
  const Run autoassociative(size, patterns, patterns, cues, kReadsMax, "autoassociative", progress);
  const BitPatterns data = random_bits(size.patterns, size.bits, kData);
  const Run hetero(size, patterns, data, cues, 1, "heteroassociative", progress);
  if (settings.quick) {
    outcome.notes.push_back("A quick run has 50 000 locations and 1000 patterns; only the full size is "
                            "compared with the independent run.");
  } else {
    outcome.comparisons = compare_with_run(size, autoassociative, hetero);
  }
  outcome.comparisons.push_back(compare_with_theory("Error of one read, autoassociative", size,
                                                    autoassociative, theory::Storage::autoassociative,
                                                    settings.quick));
  outcome.comparisons.push_back(compare_with_theory("Error of one read, heteroassociative", size, hetero,
                                                    theory::Storage::heteroassociative, settings.quick));
  outcome.tables.push_back(measured_table(size, autoassociative, hetero));
  outcome.figures.push_back(one_read_figure(size, autoassociative, hetero));
  outcome.figures.push_back(
      convergence_figure(size, autoassociative, half_converge_at(size, autoassociative)));
  outcome.notes.push_back(
      "The book's critical distance of 209 bits is near the measured one. Its formula, and those of the "
      "notebooks, describe one read: a read reduces the distance up to 231 bits, but repeated reads converge "
      "only from about 205, because the errors of later reads depend on the memory.");
  return outcome;
}

} // namespace

Experiment sdm_full_size() {
  return {.id = "sdm/full-size",
          .title = "Kanerva's memory at full size",
          .claim =
              "With a million hard locations of 1000 bits and 10 000 stored patterns, cues of up to about "
              "209 wrong bits converge to their pattern.",
          .source = "Kanerva 1988, \"Sparse Distributed Memory\"; Bricken & Pehlevan 2021",
          .is_parallel = true,
          .run = run};
}

} // namespace mneme::experiments
