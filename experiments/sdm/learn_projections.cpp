// SPDX-License-Identifier: MIT

/// LearnProjections: a projection trained through attention, with a fixed or learned beta, and used with all
/// weightings of SDM.

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

/// Tolerance of mean cosines. Both values are from one random initialisation, and the scatter between
/// initialisations is unknown; it is about the difference between the published weightings at one radius.
constexpr double kAllowed = 0.05;

constexpr int64_t kBatch = 128;

/// One projection and the recall results with it.
struct ProjectionResult {
  int64_t radius = 0;
  double beta_start = 0, beta = 0;
  std::vector<double> losses; ///< one per step
  std::vector<ProjectionRecall> untrained, train, test_as_published, test;
};

/// A published study of one data set, with a fixed or learned beta.
struct Study {
  const char* set; ///< name of the data set and its folder
  const char* files;
  ImageFiles (*find)(const std::filesystem::path& data);
  int64_t train_images, epochs;
  bool learn_beta;
  std::vector<int64_t> radii;
  std::vector<std::optional<double>> hard_locations; ///< nullopt: infinitely many
  /// Adds comparisons with published values to the outcome.
  void (*compare)(const std::vector<ProjectionResult>& all, const std::string& not_compared,
                  Outcome& outcome);
};

/// Size of a run.
struct Scale {
  int64_t images_min, images_max, test_images, targets;
  std::optional<int64_t> epochs; ///< nullopt: about as many steps as published
  std::vector<int64_t> radii;
  std::vector<std::optional<double>> hard_locations;
};

Scale scale_of(const Study& study, bool quick) {
  if (quick) { // about 300 steps
    return {.images_min = 3000,
            .images_max = 3000,
            .test_images = 300,
            .targets = 150,
            .epochs = 14,
            .radii = {5, 11},
            .hard_locations = {std::nullopt}};
  }
  return {.images_min = 10000,
          .images_max = study.train_images + 1000,
          .test_images = 1000,
          .targets = 500,
          .epochs = {},
          .radii = study.radii,
          .hard_locations = study.hard_locations};
}

int64_t steps_of(int64_t images, int64_t epochs) {
  return (images + kBatch - 1) / kBatch * epochs;
}

/// Number of epochs with this number of images that has about as many steps as the published training.
int64_t epochs_of(const Study& study, const Scale& scale, int64_t images) {
  const auto published = static_cast<double>(steps_of(study.train_images, study.epochs));
  return scale.epochs.value_or(std::llround(published / static_cast<double>(steps_of(images, 1))));
}

/// Why recall at this scale cannot be compared with the published values; empty if it can.
std::string not_compared(const Study& study, bool quick, int64_t images, int64_t steps) {
  const int64_t published_steps = steps_of(study.train_images, study.epochs);
  if (quick) {
    return fmt::format("quick run with {} stored images and {} training steps instead of {} and {}; the full "
                       "run is compared",
                       images, steps, study.train_images, published_steps);
  }
  if (images < study.train_images) {
    return fmt::format(
        "only {} of {} images to be stored were found; `mneme data get {}` downloads all of them", images,
        study.train_images, study.set);
  }
  return "";
}

json to_json(const std::vector<ProjectionRecall>& rows) {
  json all = json::array();
  for (const ProjectionRecall& row : rows) {
    all.push_back({{"algorithm", row.algorithm},
                   {"hard_locations", row.hard_locations ? json(*row.hard_locations) : json()},
                   {"beta", row.beta},
                   {"mean_cosine", row.mean_cosine},
                   {"deviation", row.deviation}});
  }
  return all;
}

std::vector<ProjectionRecall> recalls_from(const json& rows) {
  std::vector<ProjectionRecall> all;
  for (const json& row : rows) {
    const json& locations = row.at("hard_locations");
    all.push_back(
        {.algorithm = row.at("algorithm"),
         .hard_locations = locations.is_null() ? std::nullopt : std::optional(locations.get<double>()),
         .beta = row.at("beta"),
         .mean_cosine = row.at("mean_cosine"),
         .deviation = row.at("deviation")});
  }
  return all;
}

/// Trains a projection and recalls with it. What an interrupted run has done is found again in the parts that
/// begin with `name`.
ProjectionResult learn(const ImageSplit& images, int64_t radius, bool learn_beta, int64_t epochs,
                       const Scale& scale, const RunSettings& settings, const std::string& name,
                       Progress& progress) {
  const LearnedProjection projection =
      learn_projection(images.train,
                       {.hamming_radius = radius,
                        .learn_beta = learn_beta,
                        .epochs = epochs,
                        .seed = settings.seed,
                        .checkpoint = settings.parts.file(name + "-training")},
                       progress);
  ProjectionResult result{.radius = radius,
                          .beta_start = projection.beta_start,
                          .beta = projection.beta,
                          .losses = projection.losses};
  trials::ProjectionRecallOptions options{.hamming_radius = radius, .seed = settings.seed};
  const auto recall = [&](const char* what, const RealPatterns& stored, const RealPatterns& targets,
                          const RealPatterns& matrix) {
    const std::string part = fmt::format("{}-{}", name, what);
    if (std::optional<std::vector<ProjectionRecall>> kept = settings.parts.find(part, recalls_from)) {
      return *std::move(kept);
    }
    std::vector<ProjectionRecall> rows = trials::recall_with_projection(
        stored, slice(targets, 0, std::min(targets.count(), scale.targets)), matrix, options, progress);
    settings.parts.keep(part, to_json(rows));
    return rows;
  };
  result.untrained = recall("untrained", images.train, images.train, projection.start);
  if (learn_beta) {
    options.beta = projection.beta;
  }
  const RealPatterns& matrix = projection.matrix;
  result.test_as_published = recall("test-as-published", images.train, images.test, matrix);
  result.test = recall("test", images.test, images.test, matrix);
  options.hard_locations = scale.hard_locations;
  result.train = recall("train", images.train, images.train, matrix);
  return result;
}

json to_json(const ProjectionResult& result) {
  return {{"radius", result.radius},
          {"beta_start", result.beta_start},
          {"beta", result.beta},
          {"losses", result.losses},
          {"untrained", to_json(result.untrained)},
          {"train", to_json(result.train)},
          {"test_as_published", to_json(result.test_as_published)},
          {"test", to_json(result.test)}};
}

ProjectionResult result_from(const json& kept) {
  return {.radius = kept.at("radius"),
          .beta_start = kept.at("beta_start"),
          .beta = kept.at("beta"),
          .losses = kept.at("losses"),
          .untrained = recalls_from(kept.at("untrained")),
          .train = recalls_from(kept.at("train")),
          .test_as_published = recalls_from(kept.at("test_as_published")),
          .test = recalls_from(kept.at("test"))};
}

const ProjectionRecall* find(const std::vector<ProjectionRecall>& rows, const std::string& algorithm,
                             const std::optional<double>& hard_locations) {
  const auto found = std::ranges::find_if(rows, [&](const ProjectionRecall& row) {
    return row.algorithm == algorithm && row.hard_locations == hard_locations;
  });
  return found == rows.end() ? nullptr : &*found;
}

ComparisonTable compare(const std::vector<ProjectionResult>& all, const char* key, const std::string& source,
                        const std::string& not_compared) {
  ComparisonTable table{
      .title = "Mean cosines on training images",
      .source = source,
      .tolerance =
          "0.05. Both values are from one random initialisation, and the scatter between initialisations is "
          "unknown; 0.05 is about the difference between the weightings at one radius.",
      .not_compared = not_compared};
  const json& published_table = published("sdm_tables").at(key);
  for (const json& row : published_table.at("rows")) {
    std::string algorithm = row.at("algorithm");
    // In the published test loop, both variants of attention have the same beta.
    algorithm = algorithm == "Cont_SDM_CFit_Attention" ? "Cont_SDM_BFit_Attention" : algorithm;
    if (const size_t suffix = algorithm.find("_NeuronLimit"); suffix != std::string::npos) {
      algorithm.resize(suffix);
    }
    std::optional<double> hard_locations;
    if (!row.at("neurons").is_null()) {
      hard_locations = row.at("neurons").get<double>();
    }
    for (const ProjectionResult& result : all) {
      if (result.radius != row.at("hamm_radius")) {
        continue;
      }
      const ProjectionRecall* ours = find(result.train, algorithm, hard_locations);
      for (size_t i = 0; ours != nullptr && i < row.at("mean_cosine").size(); ++i) {
        table.rows.push_back(
            {.what =
                 fmt::format("{}, d = {}, {}k = {}", row.at("algorithm").get<std::string>(), result.radius,
                             hard_locations ? fmt::format("r = {:g}, ", *hard_locations) : "",
                             published_table.at("perturbations").at(i).get<int64_t>()),
             .published = row.at("mean_cosine").at(i),
             .measured = exact_mean(ours->mean_cosine[i]),
             .tolerance = kAllowed,
             .explanation =
                 "Images, steps and learning rates are the published ones; the random initialisation is "
                 "not, and the scatter between initialisations was not measured."});
      }
    }
  }
  return table;
}

report::Series line(const std::string& name, const std::vector<double>& noise,
                    const std::vector<double>& cosines) {
  report::Series series{.name = name};
  for (size_t i = 0; i < noise.size(); ++i) {
    series.points.push_back({noise[i], exact_point(cosines[i])});
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

void add_figures(const ProjectionResult& result, int64_t size, std::vector<Figure>& figures) {
  const std::vector<double> noise = trials::ProjectionRecallOptions{}.noise;
  const std::string suffix = fmt::format("d{}", result.radius);
  const std::string setting = fmt::format("d = {}", result.radius);
  const auto chart = [&](const std::string& title, const char* description,
                         std::vector<report::Series> series) {
    series.push_back(baseline(noise, size));
    return report::to_chart(report::LineChart{.title = title,
                                              .description = description,
                                              .x = {.title = "noise k (bits of the image)"},
                                              .y = {.title = "mean cosine to the target"},
                                              .series = std::move(series)});
  };
  std::vector<report::Series> weightings;
  for (const ProjectionRecall& row : result.train) {
    if (!row.hard_locations) {
      weightings.push_back(line(row.algorithm, noise, row.mean_cosine));
    }
  }
  figures.push_back(
      {.name = "weightings-" + suffix,
       .chart = chart("Recall of training images, " + setting,
                      "Mean cosine by noise for the weightings of SDM.", weightings),
       .caption = "The projection was trained with attention and is also used with the other weightings."});
  const std::string attention = "Cont_SDM_BFit_Attention";
  const auto of = [&](const std::string& name, const std::vector<ProjectionRecall>& rows) {
    return line(name, noise, find(rows, attention, std::nullopt)->mean_cosine);
  };
  figures.push_back(
      {.name = "images-" + suffix,
       .chart = chart("Attention on training and test images, " + setting,
                      "Mean cosine by noise for four sets of images.",
                      {of("training images", result.train), of("test images, which are stored", result.test),
                       of("test images, training images stored", result.test_as_published),
                       of("training images, projection not trained", result.untrained)}),
       .caption =
           "The published test recalls test images from a memory that does not contain them. If they are "
           "stored, they are recalled about as well as training images."});
}

TitledTable loss_table(const std::vector<ProjectionResult>& all) {
  constexpr size_t kSteps = 20; // averaged, since the loss of a batch depends on its images
  TitledTable table{.title = fmt::format("Mean loss of the first and last {} steps, and beta", kSteps)};
  table.table.columns = {{.name = "d"},
                         {.name = "steps"},
                         {.name = "initial loss", .key = "loss at first", .digits = 4},
                         {.name = "final loss", .key = "at last", .digits = 4},
                         {.name = "initial beta", .key = "beta at first", .digits = 4},
                         {.name = "final beta", .key = "beta", .digits = 4}};
  for (const ProjectionResult& result : all) {
    const std::vector<double>& losses = result.losses;
    const size_t steps = std::min(kSteps, losses.size());
    double first = 0, last = 0;
    for (size_t i = 0; i < steps; ++i) {
      first += losses[i] / static_cast<double>(steps);
      last += losses[losses.size() - 1 - i] / static_cast<double>(steps);
    }
    table.table.rows.push_back(
        {result.radius, static_cast<int64_t>(losses.size()), first, last, result.beta_start, result.beta});
  }
  return table;
}

TitledTable recall_table(const std::vector<ProjectionResult>& all) {
  TitledTable table{.title = "Mean cosines of all runs"};
  table.table.columns = {{.name = "d"}, {.name = "images"}, {.name = "algorithm"}, {.name = "r"}};
  for (const double k : trials::ProjectionRecallOptions{}.noise) {
    table.table.columns.push_back({.name = fmt::format("k = {:g}", k), .digits = 4});
  }
  const auto add = [&](const ProjectionResult& result, const char* images,
                       const std::vector<ProjectionRecall>& rows) {
    for (const ProjectionRecall& row : rows) {
      std::vector<report::Cell> cells{result.radius, std::string(images), row.algorithm,
                                      row.hard_locations ? report::Cell(*row.hard_locations)
                                                         : report::Cell(std::string("infinite"))};
      for (const double mean : row.mean_cosine) {
        cells.emplace_back(mean);
      }
      table.table.rows.push_back(std::move(cells));
    }
  };
  for (const ProjectionResult& result : all) {
    add(result, "training", result.train);
    add(result, "training, projection not trained", result.untrained);
    add(result, "test, stored", result.test);
    add(result, "test, training images stored", result.test_as_published);
  }
  return table;
}

/// The published recall of one photograph, and our means.
TitledTable one_image_table(const std::vector<ProjectionResult>& all) {
  TitledTable table{.title =
                        "One photograph of the published test, and our mean over test images, both recalled "
                        "from a memory of the training images"};
  table.table.columns = {{.name = "algorithm"},
                         {.name = "k"},
                         {.name = "published, one image", .key = "published", .digits = 4},
                         {.name = "mean cosine", .digits = 4},
                         {.name = "standard deviation of single images", .key = "deviation", .digits = 4}};
  const json& cell = published("sdm_tables").at("LearnProjections_cell13_CIFAR_test_one_image");
  const std::vector<double> noise = trials::ProjectionRecallOptions{}.noise;
  for (const ProjectionResult& result : all) {
    if (result.radius != cell.at("hamm_radius")) {
      continue;
    }
    for (const json& row : cell.at("rows")) {
      const std::string name = row.at("algorithm");
      const ProjectionRecall* ours =
          find(result.test_as_published, name.substr(0, name.find("_NeuronLimit")), std::nullopt);
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
                fmt::format("no images were found in {} (searched for {}/ with {}). `mneme data get {}` "
                            "downloads them; or put the files there, or select their folder with --data or "
                            "MNEME_DATA.",
                            printable(settings.data.string()), study.set, study.files, study.set)};
  }
  Scale scale = scale_of(study, settings.quick);
  scale.radii = settings.values_of("hamming-radius", scale.radii);
  const ImageSplit images = load_split(files, scale.images_max, scale.test_images);
  const int64_t count = images.train.count() + images.test.count();
  if (count < scale.images_min) {
    return {.skipped = fmt::format("{} contain {} images, but {} are needed.", images.source, count,
                                   scale.images_min)};
  }
  const int64_t epochs = epochs_of(study, scale, images.train.count());
  std::vector<ProjectionResult> all;
  for (const int64_t radius : scale.radii) {
    const std::string name = fmt::format("radius-{}", radius);
    if (std::optional<ProjectionResult> kept = settings.parts.find(name, result_from)) {
      all.push_back(*std::move(kept));
      continue;
    }
    all.push_back(learn(images, radius, study.learn_beta, epochs, scale, settings, name, progress));
    settings.parts.keep(name, to_json(all.back()));
  }
  Outcome outcome{
      .parameters =
          {{"images", fmt::format("{} for training and storing, {} others for testing: {}",
                                  images.train.count(), images.test.count(), images.source)},
           {"projection", "64 dimensions, initialised from a normal distribution"},
           {"training",
            fmt::format("{} epochs of {} images in batches of {} (published: {} epochs of {}), Adam at {:g}, "
                        "noise k from 10 to 100, one random initialisation (published: three)",
                        epochs, images.train.count(), kBatch, study.epochs, study.train_images,
                        study.learn_beta ? 0.01 : 0.005)},
           {"beta", study.learn_beta
                        ? "learned with the projection, initialised to three times the fitted beta"
                        : "fitted to circle intersections"},
           {"Hamming radii", fmt::format("{}", fmt::join(scale.radii, ", "))},
           {"cues", fmt::format("{} per point, at most 10 update steps", scale.targets)}},
      .tables = {loss_table(all), recall_table(all)}};
  for (const ProjectionResult& result : all) {
    add_figures(result, images.train.size(), outcome.figures);
  }
  outcome.notes = {
      "The published test on test images stores a copy of the training images instead, so the "
      "recalled images are not in the memory. Both variants are shown.",
      "In the published test the attention fitted to caps uses the beta fitted to circles, so its "
      "rows equal the others. It is compared with our attention fitted to circles; the table also "
      "contains the one fitted to caps."};
  study.compare(all,
                not_compared(study, settings.quick, images.train.count(), std::ssize(all.front().losses)),
                outcome);
  return outcome;
}

void compare_fixed_beta(const std::vector<ProjectionResult>& all, const std::string& not_compared,
                        Outcome& outcome) {
  outcome.comparisons = {
      compare(all, "LearnProjections_cell9_MNIST_train", "LearnProjections, cell 9", not_compared)};
}

void compare_learned_beta(const std::vector<ProjectionResult>& all, const std::string& not_compared,
                          Outcome& outcome) {
  outcome.comparisons = {compare(all, "LearnProjectionsBeta_cell13_MNIST_train",
                                 "LearnProjections with learned beta, cell 13", not_compared)};
}

void show_one_photograph(const std::vector<ProjectionResult>& all, const std::string&, Outcome& outcome) {
  outcome.tables.push_back(one_image_table(all));
  outcome.notes.push_back(
      "For photographs the paper has figures, and numbers of a single unknown image, so no value here counts "
      "as met or missed.");
}

std::vector<ParameterInfo> radius_parameter(const Study& study) {
  constexpr int64_t kRadiusMax = 31; // of 64 dimensions
  return {{.name = "hamming-radius",
           .help = "Hamming radius d, in bits of the 64 dimensions",
           .published = fmt::format("{}", fmt::join(study.radii, ", ")),
           .max = kRadiusMax}};
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
    study.hard_locations = {std::nullopt}; // no published values for limited numbers
    study.compare = compare_learned_beta;
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
  return {.id = "sdm/learn-projections",
          .title = "A projection trained with attention also works with SDM",
          .claim = "With a projection to 64 dimensions that is trained through one update of attention, raw "
                   "images can be recalled, both with attention and with the SDM weightings that it "
                   "approximates.",
          .source = "Bricken & Pehlevan 2021, notebook LearnProjections, cell 9",
          .is_parallel = true,
          .needs_torch = true,
          .run = [](const RunSettings& settings,
                    Progress& progress) { return run(digits(false), settings, progress); },
          .inputs = [](const RunSettings& settings) { return inputs(digits(false), settings); },
          .parameters = radius_parameter(digits(false))};
}

Experiment sdm_learn_projections_beta() {
  return {.id = "sdm/learn-projections-beta",
          .title = "A projection trained together with beta",
          .claim =
              "A trained projection also works with all weightings if beta is learned as well, initialised "
              "to three times the fitted beta.",
          .source = "Bricken & Pehlevan 2021, notebook LearnProjections with learned beta, cell 13",
          .is_parallel = true,
          .needs_torch = true,
          .run = [](const RunSettings& settings,
                    Progress& progress) { return run(digits(true), settings, progress); },
          .inputs = [](const RunSettings& settings) { return inputs(digits(true), settings); },
          .parameters = radius_parameter(digits(true))};
}

Experiment sdm_learn_projections_cifar() {
  return {.id = "sdm/learn-projections-cifar",
          .title = "A projection trained on photographs",
          .claim = "A trained projection also works with all weightings for grey photographs, which are less "
                   "similar to each other than digits.",
          .source = "Bricken & Pehlevan 2021, notebook LearnProjections, CIFAR-10",
          .is_parallel = true,
          .needs_torch = true,
          .run = [](const RunSettings& settings,
                    Progress& progress) { return run(photographs(), settings, progress); },
          .inputs = [](const RunSettings& settings) { return inputs(photographs(), settings); },
          .parameters = radius_parameter(photographs())};
}

} // namespace mneme::experiments
