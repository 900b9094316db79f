// SPDX-License-Identifier: MIT

/// LearnProjections: a projection learnt through attention, with a fixed or learnt beta, serves all weightings of SDM.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/curves.h"
#include "experiments/experiment.h"
#include "experiments/published.h"
#include "experiments/sdm/image_sets.h"
#include "experiments/sdm/learn_projection.h"
#include "mneme/core/text.h"
#include "mneme/trials/projection_recall.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;
using trials::ProjectionRecall;

/// Each side is the recall of one projection from a random start, and one start does not show how far starts scatter.
/// It is about how far the published weightings lie apart at one radius.
constexpr double kAllowed = 0.05;

constexpr int64_t kBatch = 128;

/// One projection and all that was recalled with it.
struct Learnt {
  int64_t radius = 0;
  LearntProjection projection;
  std::vector<ProjectionRecall> untrained, train, test_as_published, test;
};

/// What was published of one data set, with a fixed or a learnt beta.
struct Study {
  const char* set; ///< its folder
  const char* files;
  ImageFiles (*find)(const std::filesystem::path& data);
  int64_t train_images, epochs;
  bool learn_beta;
  std::vector<int64_t> radii;
  std::vector<std::optional<double>> hard_locations; ///< absent: infinitely many
  /// Sets published numbers beside ours.
  void (*compare)(const std::vector<Learnt>& all, const std::string& not_compared, Outcome& outcome);
};

/// How much is done.
struct Scale {
  int64_t images_least, images_most, test_images, targets;
  std::optional<int64_t> epochs; ///< absent: as many steps as published
  std::vector<int64_t> radii;
  std::vector<std::optional<double>> hard_locations;
};

Scale scale_of(const Study& study, bool quick) {
  if (quick) { // some 300 steps
    return {.images_least = 3000,
            .images_most = 3000,
            .test_images = 300,
            .targets = 150,
            .epochs = 14,
            .radii = {5, 11},
            .hard_locations = {std::nullopt}};
  }
  return {.images_least = 10000,
          .images_most = study.train_images + 1000,
          .test_images = 1000,
          .targets = 500,
          .epochs = {},
          .radii = study.radii,
          .hard_locations = study.hard_locations};
}

int64_t steps_of(int64_t images, int64_t epochs) {
  return (images + kBatch - 1) / kBatch * epochs;
}

/// Epochs of so many images that take about as many steps as the published ones.
int64_t epochs_of(const Study& study, const Scale& scale, int64_t images) {
  const auto published = static_cast<double>(steps_of(study.train_images, study.epochs));
  return scale.epochs.value_or(std::llround(published / static_cast<double>(steps_of(images, 1))));
}

/// Why recall at this scale cannot be compared with the published one; empty where it can.
std::string not_compared(const Study& study, bool quick, int64_t images, int64_t steps) {
  const int64_t published_steps = steps_of(study.train_images, study.epochs);
  return quick ? fmt::format(
                     "quick run with {} stored images and {} training steps instead of {} and {}; the full "
                     "run compares",
                     images, steps, study.train_images, published_steps)
         : images < study.train_images
             ? fmt::format("{} of {} images are here to be stored; `mneme data get {}` fetches all of them",
                           images, study.train_images, study.set)
             : "";
}

Learnt learn(const ImageSplit& images, int64_t radius, bool learn_beta, int64_t epochs, const Scale& scale,
             uint64_t seed, Progress& progress) {
  Learnt learnt{.radius = radius};
  learnt.projection = learn_projection(images.train, {radius, learn_beta, epochs, seed}, progress);
  trials::ProjectionRecallOptions options{.hamming_radius = radius, .seed = seed};
  const auto recall = [&](const RealPatterns& stored, const RealPatterns& targets,
                          const RealPatterns& matrix) {
    return trials::recall_with_projection(stored, slice(targets, 0, std::min(targets.count(), scale.targets)),
                                          matrix, options, progress);
  };
  learnt.untrained = recall(images.train, images.train, learnt.projection.start);
  if (learn_beta) {
    options.beta = learnt.projection.beta;
  }
  const RealPatterns& matrix = learnt.projection.matrix;
  learnt.test_as_published = recall(images.train, images.test, matrix);
  learnt.test = recall(images.test, images.test, matrix);
  options.hard_locations = scale.hard_locations;
  learnt.train = recall(images.train, images.train, matrix);
  return learnt;
}

const ProjectionRecall* find(const std::vector<ProjectionRecall>& rows, const std::string& algorithm,
                             const std::optional<double>& hard_locations) {
  const auto found = std::ranges::find_if(rows, [&](const ProjectionRecall& row) {
    return row.algorithm == algorithm && row.hard_locations == hard_locations;
  });
  return found == rows.end() ? nullptr : &*found;
}

ComparisonTable compare(const std::vector<Learnt>& all, const char* key, const std::string& source,
                        const std::string& not_compared) {
  ComparisonTable table{
      .title = "Mean cosines on training images",
      .source = source,
      .tolerance =
          "0.05: each side is the recall of one projection from a random start, and one start does not show "
          "how far starts scatter; the weightings at one radius lie about so far apart.",
      .not_compared = not_compared};
  const json& published_table = published("sdm_tables").at(key);
  for (const json& row : published_table.at("rows")) {
    std::string algorithm = row.at("algorithm");
    // In the published test loop both attentions have the same beta.
    algorithm = algorithm == "Cont_SDM_CFit_Attention" ? "Cont_SDM_BFit_Attention" : algorithm;
    if (const size_t suffix = algorithm.find("_NeuronLimit"); suffix != std::string::npos) {
      algorithm.resize(suffix);
    }
    std::optional<double> hard_locations;
    if (!row.at("neurons").is_null()) {
      hard_locations = row.at("neurons").get<double>();
    }
    for (const Learnt& learnt : all) {
      if (learnt.radius != row.at("hamm_radius")) {
        continue;
      }
      const ProjectionRecall* ours = find(learnt.train, algorithm, hard_locations);
      for (size_t i = 0; ours != nullptr && i < row.at("mean_cosine").size(); ++i) {
        table.rows.push_back(
            {.what =
                 fmt::format("{}, d = {}, {}k = {}", row.at("algorithm").get<std::string>(), learnt.radius,
                             hard_locations ? fmt::format("r = {:g}, ", *hard_locations) : "",
                             published_table.at("perturbations").at(i).get<int64_t>()),
             .published = row.at("mean_cosine").at(i),
             .measured = exactly(ours->mean_cosine[i]),
             .tolerance = kAllowed,
             .explanation =
                 "Images, steps and rates are the published ones; the random start is not, and how "
                 "far starts scatter was not measured."});
      }
    }
  }
  return table;
}

report::Series line(const std::string& name, const std::vector<double>& noise,
                    const std::vector<double>& cosines) {
  report::Series series{.name = name};
  for (size_t i = 0; i < noise.size(); ++i) {
    series.points.push_back({noise[i], certain(cosines[i])});
  }
  return series;
}

report::Series baseline(const std::vector<double>& noise, int64_t size) {
  std::vector<double> cosines;
  for (const double k : noise) {
    cosines.push_back(1 - 2 * k / static_cast<double>(size));
  }
  report::Series series = line("cue itself", noise, cosines);
  series.style = report::SeriesStyle::dashed_line;
  return series;
}

void add_figures(const Learnt& learnt, int64_t size, std::vector<Figure>& figures) {
  const std::vector<double> noise = trials::ProjectionRecallOptions{}.noise;
  const std::string suffix = fmt::format("d{}", learnt.radius);
  const std::string setting = fmt::format("d = {}", learnt.radius);
  const auto chart = [&](const std::string& title, const char* description,
                         std::vector<report::Series> series) {
    series.push_back(baseline(noise, size));
    return report::to_chart(report::LineChart{.title = title,
                                              .description = description,
                                              .x = {.title = "noise k, in bits of the image"},
                                              .y = {.title = "mean cosine to the target"},
                                              .series = std::move(series)});
  };
  std::vector<report::Series> weightings;
  for (const ProjectionRecall& row : learnt.train) {
    if (!row.hard_locations) {
      weightings.push_back(line(row.algorithm, noise, row.mean_cosine));
    }
  }
  figures.push_back(
      {.name = "weightings-" + suffix,
       .chart = chart("Recall of training images, " + setting,
                      "Mean cosine over noise for the weightings of SDM.", weightings),
       .look = "The projection was learnt with attention; the other weightings use it as well."});
  const std::string attention = "Cont_SDM_BFit_Attention";
  const auto of = [&](const std::string& name, const std::vector<ProjectionRecall>& rows) {
    return line(name, noise, find(rows, attention, std::nullopt)->mean_cosine);
  };
  figures.push_back(
      {.name = "images-" + suffix,
       .chart = chart("Attention on images it has and has not learnt from, " + setting,
                      "Mean cosine over noise for four sets of images.",
                      {of("training images", learnt.train), of("test images, which are stored", learnt.test),
                       of("test images, training images stored", learnt.test_as_published),
                       of("training images, projection not trained", learnt.untrained)}),
       .look =
           "The published test recalls test images from a memory that does not hold them; stored, they are "
           "recalled about as well as training images."});
}

TitledTable loss_table(const std::vector<Learnt>& all) {
  constexpr size_t kSteps = 20; // averaged, as the loss of a batch depends on its images
  TitledTable table{.title = fmt::format("Loss of the first and last {} steps, and beta", kSteps)};
  table.table.columns = {{.name = "d"},
                         {.name = "steps"},
                         {.name = "loss at first", .digits = 4},
                         {.name = "at last", .digits = 4},
                         {.name = "beta at first", .digits = 4},
                         {.name = "beta", .digits = 4}};
  for (const Learnt& learnt : all) {
    const std::vector<double>& losses = learnt.projection.losses;
    const size_t steps = std::min(kSteps, losses.size());
    double first = 0, last = 0;
    for (size_t i = 0; i < steps; ++i) {
      first += losses[i] / static_cast<double>(steps);
      last += losses[losses.size() - 1 - i] / static_cast<double>(steps);
    }
    table.table.rows.push_back({learnt.radius, static_cast<int64_t>(losses.size()), first, last,
                                learnt.projection.beta_start, learnt.projection.beta});
  }
  return table;
}

TitledTable recall_table(const std::vector<Learnt>& all) {
  TitledTable table{.title = "Mean cosines of all runs"};
  table.table.columns = {{.name = "d"}, {.name = "images"}, {.name = "algorithm"}, {.name = "r"}};
  for (const double k : trials::ProjectionRecallOptions{}.noise) {
    table.table.columns.push_back({.name = fmt::format("k = {:g}", k), .digits = 4});
  }
  const auto add = [&](const Learnt& learnt, const char* images, const std::vector<ProjectionRecall>& rows) {
    for (const ProjectionRecall& row : rows) {
      std::vector<report::Cell> cells{learnt.radius, std::string(images), row.algorithm,
                                      row.hard_locations ? report::Cell(*row.hard_locations)
                                                         : report::Cell(std::string("infinite"))};
      for (const double mean : row.mean_cosine) {
        cells.emplace_back(mean);
      }
      table.table.rows.push_back(std::move(cells));
    }
  };
  for (const Learnt& learnt : all) {
    add(learnt, "training", learnt.train);
    add(learnt, "training, projection not trained", learnt.untrained);
    add(learnt, "test, stored", learnt.test);
    add(learnt, "test, training images stored", learnt.test_as_published);
  }
  return table;
}

/// The published cell that asks for one photograph, beside our means.
TitledTable one_image_table(const std::vector<Learnt>& all) {
  TitledTable table{.title =
                        "One photograph of the published test beside our mean over test images, both asked "
                        "of a memory that holds the training images"};
  table.table.columns = {{.name = "algorithm"},
                         {.name = "k"},
                         {.name = "published, one image", .key = "published", .digits = 4},
                         {.name = "mean cosine", .digits = 4},
                         {.name = "deviation of single images", .key = "deviation", .digits = 4}};
  const json& cell = published("sdm_tables").at("LearnProjections_cell13_CIFAR_test_one_image");
  const std::vector<double> noise = trials::ProjectionRecallOptions{}.noise;
  for (const Learnt& learnt : all) {
    if (learnt.radius != cell.at("hamm_radius")) {
      continue;
    }
    for (const json& row : cell.at("rows")) {
      const std::string name = row.at("algorithm");
      const ProjectionRecall* ours =
          find(learnt.test_as_published, name.substr(0, name.find("_NeuronLimit")), std::nullopt);
      const auto at = std::ranges::find(noise, row.at("perturb").get<double>());
      if (ours != nullptr && at != noise.end()) {
        const auto i = static_cast<size_t>(at - noise.begin());
        table.table.rows.push_back({name, row.at("perturb").get<int64_t>(),
                                    row.at("with_target").get<double>(), ours->mean_cosine[i],
                                    ours->deviation[i]});
      }
    }
  }
  return table;
}

std::string inputs(const Study& study, const RunSettings& settings) {
  const ImageFiles files = study.find(settings.data);
  return files.any() ? files.signature() : fmt::format("no {}", study.set);
}

Outcome run(const Study& study, const RunSettings& settings, Progress& progress) {
  const ImageFiles files = study.find(settings.data);
  if (!files.any()) {
    return {.skipped =
                fmt::format("there are no images in {} (looked for {}/ with {}). `mneme data get {}` "
                            "fetches them; or put the files there, or name their folder with --data or "
                            "MNEME_DATA.",
                            printable(settings.data.string()), study.set, study.files, study.set)};
  }
  const Scale scale = scale_of(study, settings.quick);
  const ImageSplit images = load_split(files, scale.images_most, scale.test_images);
  const int64_t count = images.train.count() + images.test.count();
  if (count < scale.images_least) {
    return {.skipped =
                fmt::format("{} hold {} images, {} are needed.", images.source, count, scale.images_least)};
  }
  const int64_t epochs = epochs_of(study, scale, images.train.count());
  std::vector<Learnt> all;
  for (const int64_t radius : scale.radii) {
    all.push_back(learn(images, radius, study.learn_beta, epochs, scale, settings.seed, progress));
  }
  Outcome outcome{
      .parameters =
          {{"images", fmt::format("{} to train on and to store, {} others to test: {}", images.train.count(),
                                  images.test.count(), images.source)},
           {"projection", "64 dimensions, from normal numbers"},
           {"training",
            fmt::format("{} epochs of {} images in batches of {} (published: {} epochs of {}), Adam at {:g}, "
                        "noise k from 10 to 100, one random start (published: three)",
                        epochs, images.train.count(), kBatch, study.epochs, study.train_images,
                        study.learn_beta ? 0.01 : 0.005)},
           {"beta", study.learn_beta ? "learnt with the projection, from three times the fitted one"
                                     : "fitted to circle intersections"},
           {"Hamming radii", fmt::format("{}", fmt::join(scale.radii, ", "))},
           {"cues", fmt::format("{} per point, at most 10 update steps", scale.targets)}},
      .tables = {loss_table(all), recall_table(all)}};
  for (const Learnt& learnt : all) {
    add_figures(learnt, images.train.size(), outcome.figures);
  }
  outcome.notes = {"The published test on test images stores a copy of the training images instead: images "
                   "are asked for that "
                   "the memory does not hold. Both are shown.",
                   "In the published test the attention fitted to caps has the beta fitted to circles, so "
                   "its rows equal the "
                   "others. It is compared with our attention fitted to circles; the table has the one "
                   "fitted to caps as well."};
  study.compare(
      all,
      not_compared(study, settings.quick, images.train.count(), std::ssize(all.front().projection.losses)),
      outcome);
  return outcome;
}

void compare_fixed_beta(const std::vector<Learnt>& all, const std::string& not_compared, Outcome& outcome) {
  outcome.comparisons = {
      compare(all, "LearnProjections_cell9_MNIST_train", "LearnProjections, cell 9", not_compared)};
}

void compare_learnt_beta(const std::vector<Learnt>& all, const std::string& not_compared, Outcome& outcome) {
  outcome.comparisons = {compare(all, "LearnProjectionsBeta_cell13_MNIST_train",
                                 "LearnProjections with learnt beta, cell 13", not_compared)};
}

void show_one_photograph(const std::vector<Learnt>& all, const std::string&, Outcome& outcome) {
  outcome.tables.push_back(one_image_table(all));
  outcome.notes.push_back(
      "Of photographs the paper prints figures, and the numbers of a single image; which one is not "
      "known, so nothing here counts as met or missed.");
}

const std::vector<std::optional<double>> kPublishedLocations = {std::nullopt,        1e6, 3162277660.0, 1e13,
                                                                31622776601683792.0, 1e20};

Study digits(bool learn_beta) {
  Study study{.set = "mnist",
              .files = "train-images-idx3-ubyte and t10k-images-idx3-ubyte, also .gz",
              .find = find_mnist,
              .train_images = 60000,
              .epochs = 10,
              .learn_beta = learn_beta,
              .radii = {5, 9, 11, 15},
              .hard_locations = kPublishedLocations,
              .compare = compare_fixed_beta};
  if (learn_beta) {
    study.epochs = 20;
    study.hard_locations = {std::nullopt}; // nothing was published for limited numbers
    study.compare = compare_learnt_beta;
  }
  return study;
}

Study photographs() {
  return {.set = "cifar-10",
          .files = "data_batch_1.bin to data_batch_5.bin and test_batch.bin",
          .find = find_cifar,
          .train_images = 50000,
          .epochs = 10,
          .learn_beta = false,
          .radii = {5, 9, 11, 15, 19, 27},
          .hard_locations = kPublishedLocations,
          .compare = show_one_photograph};
}

} // namespace

Experiment sdm_learn_projections() {
  return {
      .id = "sdm/learn-projections",
      .title = "A projection learnt with attention serves SDM as well",
      .claim =
          "A projection to 64 dimensions that is trained through one update of attention makes raw images "
          "recallable, with the SDM weightings that attention approximates as well as with attention.",
      .source = "Bricken & Pehlevan 2021, notebooks LearnProjections",
      .is_parallel = true,
      .needs_torch = true,
      .run = [](const RunSettings& settings,
                Progress& progress) { return run(digits(false), settings, progress); },
      .inputs = [](const RunSettings& settings) { return inputs(digits(false), settings); }};
}

Experiment sdm_learn_projections_beta() {
  return {.id = "sdm/learn-projections-beta",
          .title = "A projection learnt together with beta",
          .claim = "The same holds where beta is learnt as well, from three times the fitted one.",
          .source = "Bricken & Pehlevan 2021, notebook LearnProjections with learnt beta",
          .is_parallel = true,
          .needs_torch = true,
          .run = [](const RunSettings& settings,
                    Progress& progress) { return run(digits(true), settings, progress); },
          .inputs = [](const RunSettings& settings) { return inputs(digits(true), settings); }};
}

Experiment sdm_learn_projections_cifar() {
  return {.id = "sdm/learn-projections-cifar",
          .title = "A projection learnt from photographs",
          .claim = "The same holds for photographs in grey, which are less alike than digits.",
          .source = "Bricken & Pehlevan 2021, notebook LearnProjections, CIFAR-10",
          .is_parallel = true,
          .needs_torch = true,
          .run = [](const RunSettings& settings,
                    Progress& progress) { return run(photographs(), settings, progress); },
          .inputs = [](const RunSettings& settings) { return inputs(photographs(), settings); }};
}

} // namespace mneme::experiments
