// SPDX-License-Identifier: MIT

/// SDM_Experiments: recall with all algorithms on random patterns and on MNIST.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/published.h"
#include "experiments/sdm/recall_grid.h"
#include "mneme/core/text.h"
#include "mneme/data/folders.h"
#include "mneme/data/load_patterns.h"
#include "mneme/data/png.h"
#include "mneme/data/random_patterns.h"
#include "mneme/theory/space_fraction.h"
#include "report/sheet.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;

constexpr int64_t kPatterns = 1024;
constexpr double kInfinite = 18446744073709551616.0; // 2^64
constexpr int64_t kPublishedSets = 3;
/// Effective number of published cues: the five cues per pattern are not independent.
constexpr int64_t kPublishedCues = kPublishedSets * kPatterns;

std::vector<int64_t> published_radii(int64_t bits) {
  std::vector<int64_t> radii;
  for (const double p : {1e-13, 1e-9, 1e-8, 7e-6, 3.68e-4, 0.1}) {
    radii.push_back(theory::hamming_radius_for_space_fraction(bits, p));
  }
  return radii;
}

/// All algorithms except the neuron-based memory, which is in sdm/neuron-limited.
std::vector<std::string> grid_algorithms(bool on_bits) {
  std::vector<std::string> names = {"Cont_SDM", "Cont_SDM_NeuronLimit", "Cont_Binary_SDM",
                                    "Cont_SDM_BFit_Attention", "Cont_SDM_CFit_Attention"};
  if (on_bits) {
    names.insert(names.begin(), {"Binary_SDM", "Binary_SDM_NeuronLimit", "Binary_SDM_BFit_Attention"});
  }
  return names;
}

trials::DrawPatterns uniform_patterns(int64_t bits) {
  return [bits](int64_t, const Random& random) {
    return trials::published_patterns(data::random_uniform(kPatterns, bits, -1, 1, random), 0);
  };
}

std::string radii_text(const std::vector<int64_t>& radii) {
  return fmt::format("{} (p = 1e-13, 1e-9, 1e-8, 7e-6, 3.68e-4, 0.1)", fmt::join(radii, ", "));
}

std::vector<std::pair<std::string, std::string>> parameters_of(const trials::RecallGrid& grid,
                                                               const std::string& patterns) {
  return {{"patterns", patterns},
          {"data sets", std::to_string(grid.data_sets)},
          {"cues",
           fmt::format(
               "{} of each data set, one per pattern (published: 5 for each of 1024 patterns of 3 data sets)",
               grid.cues)},
          {"bits changed, k", fmt::format("{}", fmt::join(grid.distances, ", "))},
          {"Hamming radii", radii_text(grid.radii)},
          {"hard locations of the limited algorithms", fmt::format("{:g}", grid.hard_locations)},
          {"update steps", "at most 100"}};
}

trials::RecallGrid base_grid(const RunSettings& settings, int64_t bits, bool on_bits) {
  return {.algorithms = grid_algorithms(on_bits),
          .radii = published_radii(bits),
          .distances = {},
          .hard_locations = kInfinite,
          .data_sets = settings.quick ? 8 : 12,
          .cues = settings.quick ? 16 : 256,
          .keep_nearest = true,
          .seed = settings.seed};
}

Outcome outcome_of(const trials::RecallGrid& grid, int64_t bits, const std::string& patterns,
                   const std::vector<GridPoint>& points, const std::vector<GridPoint>& golden) {
  Outcome outcome{.parameters = parameters_of(grid, patterns)};
  for (const std::string& algorithm : grid.algorithms) {
    outcome.figures.push_back(recall_figure(algorithm, bits, points, golden));
  }
  outcome.tables.push_back(grid_table(points));
  outcome.notes = recall_notes();
  return outcome;
}

/// Means read off the figures of the notebook.
struct ReadOff {
  const char* algorithm;
  int64_t radius, distance;
  double mean;
};
constexpr ReadOff kReadOff64[] = {
    {"Binary_SDM", 5, 10, 1},
    {"Binary_SDM", 5, 12, 0},
    {"Binary_SDM", 9, 12, 1},
    {"Binary_SDM", 11, 12, 1},
    {"Binary_SDM", 15, 12, 1},
    {"Binary_SDM", 19, 12, 0.90},
    {"Binary_SDM", 27, 0, 0.84},
    {"Binary_SDM", 27, 12, 0.53},
    {"Cont_SDM", 19, 12, 1},
    {"Cont_SDM", 27, 0, 0.03},
    {"Cont_SDM_BFit_Attention", 15, 12, 1},
    {"Cont_SDM_BFit_Attention", 19, 12, 0.99},
    {"Cont_SDM_CFit_Attention", 19, 12, 1},
    {"Cont_Binary_SDM", 5, 12, 0.625},
    {"Binary_SDM_BFit_Attention", 19, 6, 1},
    {"Binary_SDM_BFit_Attention", 19, 8, 0.98},
    {"Binary_SDM_BFit_Attention", 19, 10, 0.85},
    {"Binary_SDM_BFit_Attention", 19, 12, 0.68},
    {"Binary_SDM_BFit_Attention", 27, 0, 0.72},
    {"Binary_SDM_BFit_Attention", 27, 12, 0.45},
};

Outcome run_64(const RunSettings& settings, Progress& progress) {
  constexpr int64_t kBits = 64;
  constexpr double kReading = 0.03; // reading accuracy; lines are 0.01 thick
  trials::RecallGrid grid = base_grid(settings, kBits, true);
  grid.distances = {0, 2, 4, 6, 8, 10, 12};
  const std::vector<GridPoint> points = trials::recall_over_grid(grid, uniform_patterns(kBits), progress);
  const std::vector<GridPoint> golden = golden_points("experiment_randunif64");
  Outcome outcome = outcome_of(
      grid, kBits, "1024 patterns of 64 numbers, uniform in (-1, 1); a bit is 1 if its number is positive",
      points, golden);
  ComparisonTable figures{.title = "Read off the published figures",
                          .source = "SDM_Experiments, figures for RandUnif64",
                          .tolerance = tolerance_text("0.03 for reading the figure")};
  for (const auto& [algorithm, radius, distance, mean] : kReadOff64) {
    const GridPoint& point = *find_point(points, algorithm, radius, distance);
    const GridPoint as_published{
        .deviation = point.deviation, .samples = kPublishedCues, .data_sets = kPublishedSets};
    figures.rows.push_back({.what = fmt::format("{}, d = {}, k = {}", algorithm, radius, distance),
                            .published = mean,
                            .measured = point.mean,
                            .tolerance = trials::allowed_difference(point, as_published, kReading)});
  }
  outcome.comparisons.push_back(figures);
  std::ranges::copy(compare_with_golden(points, golden, "the published code run on one data set"),
                    std::back_inserter(outcome.comparisons));
  return outcome;
}

/// Name in the released version of an algorithm of the first version.
const char* released_name(const std::string& first_version) {
  return first_version == "Continuous_SDM"         ? "Cont_SDM"
         : first_version == "Binary_SDM_Attention" ? "Binary_SDM_BFit_Attention"
         : first_version == "SDM_Attention"        ? "Cont_SDM_BFit_Attention"
         : first_version == "Pattern_SDM"          ? "Binary_SDM"
                                                   : "Binary_SDM_NeuronLimit";
}

ComparisonTable compare_first_version(const std::vector<GridPoint>& points) {
  // The first version uses double precision, exact convergence per cue and different cap tables.
  constexpr double kFloor = 5e-3;
  const json& table = published("sdm_tables").at("FirstRelease_Associative_Memory_Tests");
  ComparisonTable comparisons{
      .title = "Printed by the first version",
      .source = "Associative_Memory_Tests of the first version",
      .tolerance = tolerance_text(
          "0.005 for the different precision and convergence rule. The notebook does not print the standard "
          "deviation of its 50 cues; that of all-or-nothing recall with the printed mean is used, which is "
          "the maximum")};
  const int64_t samples = table.at("samples_per_point");
  for (const json& row : table.at("rows")) {
    const std::string first_version = row.at("algorithm");
    const std::string name = released_name(first_version);
    for (size_t i = 0; i < table.at("perturbations").size(); ++i) {
      const GridPoint* point =
          find_point(points, name, row.at("hamm_radius"), table.at("perturbations").at(i));
      if (point == nullptr) {
        continue;
      }
      const double mean = row.at("mean").at(i);
      const double all_or_nothing = std::sqrt(std::max(0.0, mean * (1 - mean)));
      const GridPoint as_published{
          .deviation = std::max(point->deviation, all_or_nothing), .samples = samples, .data_sets = 5};
      comparisons.rows.push_back(
          {.what = fmt::format("{}, d = {}, k = {}", first_version, point->radius, point->distance),
           .published = mean,
           .measured = point->mean,
           .tolerance = trials::allowed_difference(*point, as_published, kFloor)});
    }
  }
  return comparisons;
}

Outcome run_1000(const RunSettings& settings, Progress& progress) {
  constexpr int64_t kBits = 1000;
  trials::RecallGrid grid = base_grid(settings, kBits, true);
  // Distances of the notebook, of the first version (75, 150, 225) and of our run of the published code
  // (125).
  grid.distances = settings.quick ? std::vector<int64_t>{0, 125, 225, 250, 300, 312, 375}
                                  : std::vector<int64_t>{0, 62, 75, 125, 150, 187, 225, 250, 300, 312, 375};
  grid.hard_locations = 1e6;
  grid.data_sets = 8;
  grid.cues = settings.quick ? 3 : 64;
  const std::vector<GridPoint> points = trials::recall_over_grid(grid, uniform_patterns(kBits), progress);
  const std::vector<GridPoint> golden = golden_points("experiment_randunif1000");
  Outcome outcome = outcome_of(
      grid, kBits, "1024 patterns of 1000 numbers, uniform in (-1, 1); a bit is 1 if its number is positive",
      points, golden);
  outcome.comparisons.push_back(compare_first_version(points));
  std::ranges::copy(compare_with_golden(points, golden, "the published code run on one data set"),
                    std::back_inserter(outcome.comparisons));
  outcome.notes.push_back("The first version checks convergence for each cue and uses double precision; its "
                          "notebook prints means over 50 cues without standard deviations.");
  return outcome;
}

constexpr const char* kMnistSet = "mnist";

std::optional<std::filesystem::path> mnist_file(const RunSettings& settings) {
  return data::find_data_file(settings.data, kMnistSet,
                              {"train-images-idx3-ubyte", "t10k-images-idx3-ubyte"});
}

std::string mnist_inputs(const RunSettings& settings) {
  const auto file = mnist_file(settings);
  return file ? fmt::format("{}, {} bytes", file->filename().string(), std::filesystem::file_size(*file))
              : "no MNIST";
}

/// Sheet with the recall of one image from every distance by each algorithm.
PictureFigure mnist_sheet(const data::PatternSet& images, const trials::PublishedPatterns& patterns,
                          int64_t radius, const trials::RecallGrid& grid) {
  const std::vector<std::string> shown = {"Cont_Binary_SDM", "Cont_SDM", "Cont_SDM_BFit_Attention",
                                          "Cont_SDM_CFit_Attention"};
  report::Sheet sheet{.title = fmt::format("One image recalled, d = {}", radius),
                      .columns = {"cue", "Cont_Binary", "Cont", "BFit", "CFit"}};
  report::SheetGroup group;
  const auto raster = [&](const RealPatterns& one) {
    const double max = *std::ranges::max_element(one[0]);
    return report::to_raster(one, 0, images.image_shape(), 0, max > 0 ? max : 1);
  };
  for (const int64_t distance : grid.distances) {
    const trials::PublishedPatterns cue =
        trials::published_cues({.reals = patterns.reals}, 1, distance, false,
                               Random(grid.seed).stream(static_cast<uint64_t>(distance)));
    report::SheetRow row{.caption = fmt::format("k = {}", distance), .cells = {{raster(cue.reals)}}};
    for (const std::string& algorithm : shown) {
      const trials::PublishedMemory memory(algorithm, patterns,
                                           {.hamming_radius = radius, .hard_locations = grid.hard_locations});
      row.cells.push_back({raster(memory.recall(cue).readouts.reals)});
    }
    group.rows.push_back(std::move(row));
  }
  sheet.groups.push_back(std::move(group));
  const std::vector<std::byte> png = data::to_png(report::draw_sheet(sheet));
  return {.name = "one-image",
          .png = std::string(reinterpret_cast<const char*>(png.data()), png.size()),
          .alt = "A digit, its cues at increasing distances, and the readouts of four algorithms",
          .caption =
              fmt::format("Cues of the first image at a distance of k of 784 bits, and the readouts with "
                          "d = {}.",
                          radius)};
}

Outcome run_mnist(const RunSettings& settings, Progress& progress) {
  const auto file = mnist_file(settings);
  if (!file) {
    return {.skipped = fmt::format(
                "MNIST was not found in {} (searched for {}/train-images-idx3-ubyte and "
                "t10k-images-idx3-ubyte, also .gz). `mneme data get mnist` downloads it; --data or "
                "MNEME_DATA selects another folder.",
                printable(settings.data.string()), kMnistSet)};
  }
  const data::PatternSet images = data::load_patterns(*file);
  const int64_t bits = images.patterns.size();
  if (images.patterns.count() < kPatterns) {
    return {.skipped = fmt::format("{} contains {} images, but {} are needed.", file->filename().string(),
                                   images.patterns.count(), kPatterns)};
  }
  trials::RecallGrid grid = base_grid(settings, bits, false);
  grid.distances = {0, 50, 100, 150, 200, 250, 300};
  grid.keep_nearest = false;
  const auto draw = [&](int64_t, const Random& random) {
    Random chooser = random;
    const std::vector<int64_t> chosen = chooser.distinct(kPatterns, images.patterns.count());
    RealPatterns patterns(kPatterns, bits);
    for (int64_t i = 0; i < kPatterns; ++i) {
      std::ranges::copy(images.patterns[chosen[static_cast<size_t>(i)]], patterns[i].begin());
    }
    return trials::PublishedPatterns{.reals = normalised(patterns)};
  };
  const std::vector<GridPoint> points = trials::recall_over_grid(grid, draw, progress);
  Outcome outcome = outcome_of(
      grid, bits,
      fmt::format("1024 images of {}, pixels in [0, 1], scaled to length 1", file->filename().string()),
      points, {});

  // The notebook prints five final cosines of one setting.
  const std::vector<double> printed = {.99878, .99821, .99687, .99606, .99993};
  constexpr int64_t kDistance = 50;
  const double count = static_cast<double>(printed.size());
  double mean = 0, variance = 0;
  for (const double cosine : printed) {
    mean += cosine / count;
  }
  for (const double cosine : printed) {
    variance += (cosine - mean) * (cosine - mean) / (count - 1);
  }
  const GridPoint& point = *find_point(points, "Cont_SDM", grid.radii.front(), kDistance);
  outcome.comparisons.push_back(
      {.title = "Debugging output",
       .source = "SDM_Experiments, cell 22",
       .tolerance = tolerance_text("0; five cosines are printed"),
       .rows = {{.what = fmt::format("Cont_SDM, d = {}, k = {}: mean cosine", point.radius, kDistance),
                 .published = mean,
                 .measured = point.mean,
                 .tolerance = trials::allowed_difference(
                     point, {.deviation = std::sqrt(variance), .samples = std::ssize(printed)}, 0)}}});
  outcome.pictures.push_back(mnist_sheet(images, draw(0, Random(settings.seed)), grid.radii[1], grid));
  outcome.notes.push_back(
      "Images are correlated: even different images have a cosine of about 0.4, so that large circles return "
      "their mean.");
  outcome.notes.push_back(
      "The figures for MNIST have no numbers; only one debugging output can be compared.");
  return outcome;
}

Outcome run_neuron_limited(const RunSettings& settings, Progress& progress) {
  const json& table = published("sdm_tables").at("SDM_Experiments_cell5");
  const int64_t bits = table.at("n");
  constexpr double kFloor = 1e-6; // printed in single precision
  trials::RecallGrid grid = base_grid(settings, bits, true);
  grid.algorithms = {"Binary_SDM_NeuronLimit"};
  grid.distances = table.at("perturbations").get<std::vector<int64_t>>();
  grid.hard_locations = table.at("r").get<double>();
  grid.data_sets = settings.quick ? 2 : kPublishedSets;
  grid.cues = kPatterns; // the result depends on the batch, see recall_notes
  std::vector<GridPoint> points = trials::recall_over_grid(grid, uniform_patterns(bits), progress);
  trials::RecallGrid neurons = grid; // this result does not depend on the batch, and reads are slower
  neurons.algorithms = {"Binary_Neuron_SDM"};
  neurons.cues = settings.quick ? 128 : kPatterns;
  std::ranges::copy(trials::recall_over_grid(neurons, uniform_patterns(bits), progress),
                    std::back_inserter(points));
  grid.algorithms.push_back(neurons.algorithms.front());

  std::vector<GridPoint> published_points;
  for (const json& row : table.at("tables")) {
    for (size_t i = 0; i < grid.distances.size(); ++i) {
      published_points.push_back({.algorithm = row.at("algorithm"),
                                  .radius = row.at("hamm_radius"),
                                  .distance = grid.distances[i],
                                  .mean = {row.at("mean").at(i), std::nullopt},
                                  .deviation = row.at("std").at(i),
                                  .samples = kPublishedCues,
                                  .data_sets = kPublishedSets});
    }
  }
  Outcome outcome = outcome_of(
      grid, bits, "1024 patterns of 64 numbers, uniform in (-1, 1); a bit is 1 if its number is positive",
      points, published_points);
  for (const GridPoint& point : points) {
    const GridPoint& printed = *find_point(published_points, point.algorithm, point.radius, point.distance);
    if (outcome.comparisons.empty() || outcome.comparisons.back().title != point.algorithm) {
      outcome.comparisons.push_back(
          {.title = point.algorithm,
           .source = "SDM_Experiments, cell 5",
           .tolerance = tolerance_text("1e-6 for single precision. The published mean is over 15360 cues of "
                                       "3072 patterns; the number of patterns is used as the sample size")});
    }
    outcome.comparisons.back().rows.push_back(
        {.what = fmt::format("d = {}, k = {}", point.radius, point.distance),
         .published = printed.mean.mean,
         .measured = point.mean,
         .tolerance = trials::allowed_difference(point, printed, kFloor)});
  }
  outcome.notes.push_back(
      "The printed blocks have no names; they are assumed to be in the order of the list of algorithms.");
  outcome.notes.push_back("The published run uses 1e5 hard locations of 64 bits, since 1e6 locations of 1000 "
                          "bits stored as floats need 4 GB. As packed bits they need 125 MB.");
  return outcome;
}

} // namespace

Experiment sdm_recall_randunif64() {
  return {.id = "sdm/sdm-experiments/randunif64",
          .title = "Recall of random patterns, n = 64",
          .claim =
              "All variants of SDM and attention with the fitted beta have similar recall: perfect up to "
              "d = 15 even from distant cues, worse from d = 19 on, and very poor at d = 27.",
          .source = "Bricken & Pehlevan 2021, notebook SDM_Experiments, figures for RandUnif64",
          .is_parallel = true,
          .run = run_64};
}

Experiment sdm_recall_randunif1000() {
  return {.id = "sdm/sdm-experiments/randunif1000",
          .title = "Recall of random patterns, n = 1000",
          .claim =
              "With 1000 components and 1e6 hard locations, small circles contain no location, large ones "
              "mix all patterns, and in between the recall of attention is similar to that of SDM.",
          .source = "Bricken & Pehlevan 2021, notebook Associative_Memory_Tests (first version)",
          .is_parallel = true,
          .run = run_1000};
}

Experiment sdm_recall_mnist() {
  return {.id = "sdm/sdm-experiments/mnist",
          .title = "Recall of MNIST images",
          .claim = "On correlated images recall needs smaller circles than on random patterns.",
          .source = "Bricken & Pehlevan 2021, notebook SDM_Experiments, cell 22",
          .is_parallel = true,
          .run = run_mnist,
          .inputs = mnist_inputs};
}

Experiment sdm_neuron_limited() {
  return {.id = "sdm/neuron-limited",
          .title = "Recall with 100 000 hard locations",
          .claim =
              "With a limited number of hard locations there is an optimal radius: small circles contain "
              "no location, large ones mix all patterns. Rounded intersections and an actual set of "
              "locations agree.",
          .source = "Bricken & Pehlevan 2021, notebook SDM_Experiments, cell 5",
          .is_parallel = true,
          .run = run_neuron_limited};
}

} // namespace mneme::experiments
