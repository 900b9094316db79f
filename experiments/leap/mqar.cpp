// SPDX-License-Identifier: MIT

/// Multi-query associative recall (MQAR): accuracy of LEAP, LEAP with a matrix state, softmax attention and
/// the Hopfield layer over the size of their state.

#include <algorithm>
#include <map>
#include <ranges>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/experiment.h"
#include "experiments/given_points.h"
#include "experiments/leap/recall_fits.h"
#include "experiments/published.h"
#include "mneme/core/error.h"
#include "mneme/core/random.h"
#include "report/text.h"

namespace mneme::experiments {
namespace {

using training::RecallFit;
using training::RecallMixer;
using training::RecallModel;

constexpr double kSolved = 0.99; // accuracy from which the published runs stop
constexpr int64_t kLeapHeads = 4;
constexpr int64_t kUpdates[] = {1, 2}; // of queries of the Hopfield layer

/// Sizes of data, models and training.
struct Size {
  int64_t vocabulary = 0, length = 0;
  std::vector<int64_t> pairs = {};
  int64_t width = 0;
  std::vector<int64_t> head_sizes = {}; ///< of matrix LEAP, in addition to a single head
  int64_t training_examples = 0, test_examples = 0;
  int64_t batch = 0, epochs = 0;
  std::vector<double> learning_rates = {};
  int64_t seeds = 0;
  bool convolution = true;
};

const Size kFull{.vocabulary = 256,
                 .length = 64,
                 .pairs = {4, 8},
                 .width = 64,
                 .head_sizes = {1, 4, 16},
                 .training_examples = 20'000,
                 .test_examples = 1000,
                 .batch = 256,
                 .epochs = 16,
                 .learning_rates = {1e-3, 3.2e-3, 1e-2},
                 .seeds = 3};
const Size kQuick{.vocabulary = 64,
                  .length = 32,
                  .pairs = {4},
                  .width = 32,
                  .head_sizes = {1},
                  .training_examples = 4000,
                  .test_examples = 500,
                  .batch = 64,
                  .epochs = 8,
                  .learning_rates = {1e-2},
                  .seeds = 2};

std::string list_of(const std::vector<int64_t>& numbers) {
  return fmt::format("{}", fmt::join(numbers, ", "));
}

Size size_of(const RunSettings& settings) {
  Size size = settings.quick ? kQuick : kFull;
  size.vocabulary = settings.value_of("vocabulary", size.vocabulary);
  size.length = settings.value_of("length", size.length);
  size.pairs = settings.values_of("pairs", size.pairs);
  size.width = settings.value_of("width", size.width);
  size.training_examples = settings.value_of("examples", size.training_examples);
  size.epochs = settings.value_of("epochs", size.epochs);
  size.seeds = settings.value_of("seeds", size.seeds);
  size.convolution = settings.value_of("convolution", 1) != 0;
  for (const int64_t pairs : size.pairs) {
    if (std::ranges::count(size.pairs, pairs) > 1) {
      throw UsageError(fmt::format("--pairs {}: {} is given twice.\n  Give each number once.",
                                   list_of(size.pairs), pairs));
    }
    if (size.length % 2 != 0 || 4 * pairs > size.length) {
      throw UsageError(fmt::format("--pairs {} and --length {}: a sequence has an even length, and 4 tokens "
                                   "for each pair.\n  Give an even --length of at least {}.",
                                   pairs, size.length, 4 * pairs));
    }
  }
  if (size.width % kLeapHeads != 0) {
    throw UsageError(fmt::format("--width {}: LEAP has {} heads, whose number must divide the width.\n  Give "
                                 "a multiple of {}.",
                                 size.width, kLeapHeads, kLeapHeads));
  }
  if (size.length >= size.vocabulary) {
    throw UsageError(fmt::format("--length {} and --vocabulary {}: the vocabulary must be larger than the "
                                 "length.\n  Give a --vocabulary of at least {}.",
                                 size.length, size.vocabulary, size.length + 1));
  }
  return size;
}

std::vector<RecallModel> models_of(const Size& size) {
  std::vector<RecallModel> models;
  const auto add = [&](RecallMixer mixer, int64_t heads, int64_t updates = 0) {
    models.push_back({.mixer = mixer,
                      .width = size.width,
                      .heads = heads,
                      .updates = updates,
                      .convolution = size.convolution});
  };
  add(RecallMixer::leap, kLeapHeads);
  for (const int64_t head_size : size.head_sizes) {
    if (head_size < size.width && size.width % head_size == 0) {
      add(RecallMixer::matrix_leap, size.width / head_size);
    }
  }
  add(RecallMixer::matrix_leap, 1);
  add(RecallMixer::attention, 1);
  for (const int64_t updates : kUpdates) {
    add(RecallMixer::hopfield, 1, updates);
  }
  return models;
}

/// Name of a curve over the size of the state.
std::string name_of_curve(const RecallModel& model) {
  const std::string name = training::name_of(model.mixer);
  return model.updates == 0 ? name : name + ", " + report::counted(model.updates, "update");
}

std::string name_of(const RecallModel& model) {
  return name_of_curve(model) + ", " + report::counted(model.heads, "head");
}

/// All runs of one model with one learning rate.
struct Group {
  int64_t pairs = 0;
  RecallModel model = {};
  double learning_rate = 0;
  std::vector<RecallFit> fits = {}; ///< one per seed

  trials::MeanInterval accuracy() const {
    std::vector<double> all;
    std::ranges::transform(fits, std::back_inserter(all), &RecallFit::accuracy);
    return trials::mean_interval(all);
  }
  /// Mean accuracy after an epoch; runs that ended keep their last one.
  double accuracy_after(size_t epoch) const {
    double sum = 0;
    for (const RecallFit& fit : fits) {
      sum += fit.epochs.empty() ? 0 : fit.epochs[std::min(epoch, fit.epochs.size() - 1)].accuracy;
    }
    return sum / static_cast<double>(fits.size());
  }
};

struct Examples {
  data::AssociativeRecall training, test;
};

std::vector<Group> run_all(const Size& size, const RunSettings& settings, Progress& progress) {
  std::map<std::pair<int64_t, int64_t>, Examples> examples; // by pairs and seed
  std::vector<Group> groups;
  std::vector<training::RecallJob> jobs;
  const Random random(settings.seed);
  for (const int64_t pairs : size.pairs) {
    for (int64_t i = 0; i < size.seeds; ++i) {
      const Random own = random.stream(static_cast<uint64_t>(i));
      data::AssociativeRecallOptions options{.num_examples = size.training_examples,
                                             .length = size.length,
                                             .num_pairs = pairs,
                                             .vocab_size = size.vocabulary,
                                             .seed = own.at(0)};
      Examples& drawn = examples[{pairs, i}];
      drawn.training = data::draw_associative_recall(options);
      options.num_examples = size.test_examples;
      options.seed = own.at(1);
      drawn.test = data::draw_associative_recall(options);
    }
    for (const RecallModel& model : models_of(size)) {
      for (const double learning_rate : size.learning_rates) {
        groups.push_back({.pairs = pairs, .model = model, .learning_rate = learning_rate});
        for (int64_t i = 0; i < size.seeds; ++i) {
          const Examples& drawn = examples.at({pairs, i});
          jobs.push_back({.model = model,
                          .schedule = {.epochs = size.epochs,
                                       .batch_size = size.batch,
                                       .learning_rate = learning_rate,
                                       .stop_accuracy = kSolved},
                          .training = &drawn.training,
                          .test = &drawn.test,
                          .seed = random.stream(static_cast<uint64_t>(i)).at(2)});
        }
      }
    }
  }
  progress.start("epochs", static_cast<int64_t>(jobs.size()) * size.epochs);
  const std::vector<RecallFit> fits = recall_fits(jobs, settings.parts, progress);
  progress.finish();
  for (size_t i = 0; i < fits.size(); ++i) {
    groups[i / static_cast<size_t>(size.seeds)].fits.push_back(fits[i]);
  }
  return groups;
}

/// For each number of pairs and model, the runs with the best learning rate.
std::vector<const Group*> best_of(const std::vector<Group>& groups, size_t num_rates) {
  std::vector<const Group*> best;
  for (size_t first = 0; first < groups.size(); first += num_rates) {
    best.push_back(&*std::max_element(
        groups.begin() + static_cast<ptrdiff_t>(first),
        groups.begin() + static_cast<ptrdiff_t>(first + num_rates),
        [](const Group& a, const Group& b) { return a.accuracy().mean < b.accuracy().mean; }));
  }
  return best;
}

report::Axis bytes_axis() {
  return {.title = "state (bytes)", .format = "~s", .logarithmic = true};
}

report::Chart published_chart() {
  report::LineChart chart{.title = "published: mixture of 4 to 256 pairs",
                          .description = "Published accuracy over the bytes of the state.",
                          .x = bytes_axis(),
                          .y = report::fraction_axis("accuracy"),
                          .series_title = "mixer"};
  for (const nlohmann::json& result : published("mqar").at("results")) {
    report::Series& series = chart.series.emplace_back();
    series.name = "published: " + result.at("mixer").get<std::string>();
    for (const nlohmann::json& point : result.at("points")) {
      series.points.push_back(
          {point.at("state_bytes").get<double>(), exact_point(point.at("accuracy").get<double>())});
    }
  }
  return to_chart(chart);
}

report::Chart accuracy_chart(const std::vector<const Group*>& best, int64_t pairs, int64_t length) {
  report::LineChart chart{
      .title = fmt::format("measured: {} pairs", pairs),
      .description = "Measured accuracy over the bytes of the state.",
      .x = bytes_axis(),
      .y = report::fraction_axis("accuracy"),
      .series_title = "mixer",
      .intervals = report::IntervalStyle::bars,
      .references = {{.at = 1 / static_cast<double>(pairs), .label = "1 / pairs", .horizontal = true}}};
  for (const Group* group : best) {
    if (group->pairs != pairs) {
      continue;
    }
    const std::string name = name_of_curve(group->model);
    auto series = std::ranges::find(chart.series, name, &report::Series::name);
    if (series == chart.series.end()) {
      series = chart.series.insert(series, report::Series{.name = name});
    }
    series->points.push_back(
        {static_cast<double>(training::state_bytes(group->model, length)), estimate_of(group->accuracy())});
  }
  for (report::Series& series : chart.series) {
    std::ranges::sort(series.points, {}, &report::Point::x);
  }
  return to_chart(chart);
}

report::Chart epochs_chart(const std::vector<const Group*>& best, int64_t pairs, int64_t epochs) {
  report::LineChart chart{.title = fmt::format("{} pairs", pairs),
                          .description = "Mean accuracy on the test set by epoch.",
                          .x = {.title = "epoch"},
                          .y = report::fraction_axis("accuracy"),
                          .series_title = "mixer"};
  for (const Group* group : best) {
    if (group->pairs == pairs) {
      report::Series series{.name = name_of(group->model), .style = report::SeriesStyle::line};
      for (int64_t epoch = 0; epoch < epochs; ++epoch) {
        series.points.push_back(
            {static_cast<double>(epoch + 1), exact_point(group->accuracy_after(static_cast<size_t>(epoch)))});
      }
      chart.series.push_back(std::move(series));
    }
  }
  return to_chart(chart);
}

TitledTable runs_table(const std::vector<Group>& groups, int64_t length) {
  TitledTable table{
      .title = "Accuracy by learning rate: mean over seeds with its 95 % interval",
      .table = {.columns = {{.name = "pairs"},
                            {.name = "mixer"},
                            {.name = "state", .unit = "bytes", .key = "state_bytes"},
                            {.name = "model parameters", .key = "num_parameters"},
                            {.name = "learning rate", .key = "learning_rate", .digits = 2},
                            {.name = "accuracy", .notation = report::Notation::percent, .digits = 1},
                            {.name = "solved seeds", .key = "solved"},
                            {.name = "diverged seeds", .key = "diverged"}}}};
  for (const Group& group : groups) {
    table.table.rows.push_back(
        {group.pairs, name_of(group.model), training::state_bytes(group.model, length),
         group.fits.front().num_parameters, group.learning_rate, cell(group.accuracy(), report::kFraction),
         std::ranges::count_if(group.fits, [](const RecallFit& fit) { return fit.accuracy() >= kSolved; }),
         std::ranges::count_if(group.fits, &RecallFit::diverged)});
  }
  return table;
}

/// Published and measured accuracies, by the size of the state.
TitledTable side_by_side(const std::vector<const Group*>& best, int64_t length) {
  TitledTable table{
      .title =
          "Published and measured accuracy by size of the state (see the table of the sizes of the runs)",
      .table = {.columns = {{.name = "state", .unit = "bytes", .key = "state_bytes"},
                            {.name = "mixer"},
                            {.name = "pairs"},
                            {.name = "published", .notation = report::Notation::percent, .digits = 1},
                            {.name = "measured", .notation = report::Notation::percent, .digits = 1}}}};
  std::vector<std::vector<report::Cell>>& rows = table.table.rows;
  for (const nlohmann::json& result : published("mqar").at("results")) {
    for (const nlohmann::json& point : result.at("points")) {
      rows.push_back({point.at("state_bytes").get<int64_t>(), result.at("mixer").get<std::string>(),
                      "4 to 256", point.at("accuracy").get<double>(), report::Cell()});
    }
  }
  for (const Group* group : best) {
    rows.push_back({training::state_bytes(group->model, length), name_of(group->model),
                    std::to_string(group->pairs), report::Cell(),
                    cell(group->accuracy(), report::kFraction)});
  }
  std::ranges::stable_sort(rows, {}, [](const auto& row) { return std::get<int64_t>(row[0]); });
  return table;
}

TitledTable sizes_table(const Size& size) {
  TitledTable table{.title = "Sizes of the runs",
                    .table = {.columns = {{.name = "size"},
                                          {.name = "published, single cells", .key = "published_cells"},
                                          {.name = "published, mixture", .key = "published_mixture"},
                                          {.name = "here"}}}};
  table.table.rows = {
      {"vocabulary", "8192", "8192", std::to_string(size.vocabulary)},
      {"tokens of a sequence", "64, 128, 256, 512", "64 to 256, tested up to 1024",
       std::to_string(size.length)},
      {"pairs", "4, 8, 16, 64", "4 to 64, tested up to 256", list_of(size.pairs)},
      {"width", "64 to 512", "64 to 256", std::to_string(size.width)},
      {"training examples", "100 000 per cell", "180 000", std::to_string(size.training_examples)},
      {"test examples", "3000 per cell", "7000", std::to_string(size.test_examples)},
      {"epochs", "64", "32", std::to_string(size.epochs)},
      {"batch", "64 to 512", "256", std::to_string(size.batch)},
      {"learning rates", "4, from 1e-4 to 1e-2", "4, from 1e-3 to 10^-1.5",
       fmt::format("{}", fmt::join(size.learning_rates, ", "))},
      {"tokens between queries", "0", "random", "random"},
      {"first layer", "the tested mixer", "gated convolution of 3 tokens",
       size.convolution ? "gated convolution of 3 tokens" : "the tested mixer"},
      {"seeds", "1", "1", std::to_string(size.seeds)}};
  return table;
}

/// The claims of the papers that do not depend on the size of a run.
ComparisonTable claims(const std::vector<const Group*>& best, const Size& size, bool is_quick,
                       const std::string& not_compared) {
  // In a small vocabulary, random tokens are more often equal to a key, which limits the accuracy.
  const double tolerance = is_quick ? 0.02 : 1 - kSolved;
  ComparisonTable table{
      .title = "Claims that can be judged at this size",
      .source = "arXiv 2312.04927, abstract and figure 2; arXiv 2402.18668, figure 2",
      .tolerance =
          fmt::format("Attention solves the task: 100 %, with a tolerance of {:.0f} % (published runs "
                      "stop at 99 %). A larger state recalls more: any gain, unless the 95 % interval of the "
                      "difference over the seeds contains 0.",
                      100 * tolerance),
      .not_compared = not_compared};
  for (const int64_t pairs : size.pairs) {
    std::vector<const Group*> matrices;
    for (const Group* group : best) {
      if (group->pairs == pairs && group->model.mixer == RecallMixer::attention) {
        table.rows.push_back({.what = fmt::format("softmax attention, {} pairs: accuracy", pairs),
                              .published = 1,
                              .measured = group->accuracy(),
                              .tolerance = tolerance});
      } else if (group->pairs == pairs && group->model.mixer == RecallMixer::matrix_leap) {
        matrices.push_back(group);
      }
    }
    if (matrices.size() > 1) {
      const auto bytes = [&](const Group* group) { return training::state_bytes(group->model, size.length); };
      const auto [smallest, largest] = std::ranges::minmax(matrices, {}, bytes);
      std::vector<double> gains; // the seeds have the same examples
      for (size_t i = 0; i < largest->fits.size(); ++i) {
        gains.push_back(largest->fits[i].accuracy() - smallest->fits[i].accuracy());
      }
      table.rows.push_back(judge_side(
          fmt::format("matrix LEAP, {} pairs: accuracy with a state of {} bytes minus that with {}", pairs,
                      bytes(largest), bytes(smallest)),
          Relation::above, 0, trials::mean_interval(gains)));
    }
  }
  return table;
}

/// The published result of the mixer that is also measured here.
ComparisonTable mixture(const std::vector<const Group*>& best, const Size& size) {
  ComparisonTable table{
      .title = "Published result of softmax attention on the mixture",
      .source = "result figures of HazyResearch/zoology",
      .tolerance = "0.01, the precision of values read from a figure.",
      .not_compared = fmt::format(
          "published for up to 256 pairs of a vocabulary of 8192; here {} pairs of a vocabulary of {}",
          list_of(size.pairs), size.vocabulary)};
  for (const Group* group : best) {
    if (group->model.mixer == RecallMixer::attention) {
      table.rows.push_back(
          {.what = fmt::format("softmax attention (here: {} pairs)", group->pairs),
           .published = published("mqar").at("results").at(0).at("points").at(0).at("accuracy").get<double>(),
           .measured = group->accuracy(),
           .tolerance = 0.01});
    }
  }
  return table;
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const Size size = size_of(settings);
  const std::vector<Group> groups = run_all(size, settings, progress);
  const std::vector<const Group*> best = best_of(groups, size.learning_rates.size());
  std::vector<report::Chart> accuracies, epochs;
  for (const int64_t pairs : size.pairs) {
    accuracies.push_back(accuracy_chart(best, pairs, size.length));
    epochs.push_back(epochs_chart(best, pairs, size.epochs));
  }
  accuracies.push_back(published_chart());
  const bool chooses_rate = size.learning_rates.size() > 1;
  Outcome outcome{
      .parameters =
          {{"data", fmt::format("sequences of {} tokens of a vocabulary of {}: K pairs of a key and a value, "
                                "then each key once among random tokens; K = {}",
                                size.length, size.vocabulary, list_of(size.pairs))},
           {"models",
            fmt::format("two layers of width {} without feed-forward layers: {}; embeddings are also "
                        "the output matrix",
                        size.width,
                        size.convolution ? "a gated convolution of 3 tokens, then the mixer; no positions"
                                         : "the mixer twice; attention and the Hopfield layer with learned "
                                           "positions, LEAP with a window of 2 tokens in the first layer")},
           {"training",
            fmt::format("{} examples, at most {} epochs in batches of {}, until 99 % of {} test "
                        "examples are correct; AdamW, weight decay 0.1, learning rate{} {}, cosine",
                        size.training_examples, size.epochs, size.batch, size.test_examples,
                        chooses_rate ? "s" : "", fmt::join(size.learning_rates, ", "))},
           {"seeds",
            fmt::format("{} from seed {}: examples and initial parameters", size.seeds, settings.seed)}},
      .comparisons = {claims(best, size, settings.quick,
                             settings.parameters.empty() ? "" : "other parameters than those of a full run"),
                      mixture(best, size)},
      .tables = {sizes_table(size), side_by_side(best, size.length), runs_table(groups, size.length)},
      .figures = {{.name = "accuracy-over-state",
                   .chart = to_chart(report::Panels{
                       .title = "Accuracy over the size of the state",
                       .description = "Measured panels by number of pairs, and the published figure.",
                       .charts = accuracies}),
                   .caption =
                       std::string(chooses_rate ? "Each point is the best learning rate of a mixer. " : "") +
                       "Points of matrix LEAP differ in the number of heads. The dashed line is the accuracy "
                       "of a random value of "
                       "the sequence. The published panel is of a larger task, and is not comparable point "
                       "by point."},
                  {.name = "accuracy-by-epoch",
                   .chart = to_chart(
                       report::Panels{.title = chooses_rate ? "Accuracy by epoch, at the best learning rate"
                                                            : "Accuracy by epoch",
                                      .description = "One panel per number of pairs.",
                                      .charts = epochs}),
                   .caption = "Mean over the seeds. A run that reaches 99 % ends, and keeps its accuracy."}},
      .notes = {
          "The state is what the last layer keeps of a sequence, in float32: LEAP two vectors and one number "
          "per head, matrix LEAP one matrix and one vector per head, attention and the Hopfield layer the "
          "keys and values of all tokens.",
          "The focus weights of LEAP do not depend on the query: a head returns one mean, of which a query "
          "takes more or less. LEAP cannot select one of several values of the same head.",
          "The layers of LEAP end with an output projection here, as all published mixers do. In the LEAP "
          "language model its feed-forward layer mixes the heads.",
          "The Hopfield layer normalises queries and keys in its association space. An update replaces a "
          "query by a mean of keys: it moves the query towards stored patterns, and loses what distinguishes "
          "it from them. One association without an update is softmax attention."}};
  if (chooses_rate) {
    outcome.notes.emplace_back(
        "As published, the best learning rate is chosen by the accuracy on the test set.");
  }
  add_given(outcome, settings);
  return outcome;
}

} // namespace

Experiment leap_mqar() {
  return {.id = "leap/mqar",
          .title = "Multi-query associative recall",
          .claim = "Softmax attention solves multi-query associative recall at any size, while a recurrent "
                   "model recalls only as many pairs of key and value as its state can store.",
          .source = "Zoology (arXiv 2312.04927) and Based (arXiv 2402.18668); repository "
                    "HazyResearch/zoology, README and result figures",
          .is_parallel = true,
          .needs_torch = true,
          .run = run,
          .parameters = {
              {.name = "pairs", .help = "Pairs of a key and a value in a sequence", .published = "4, 8"},
              {.name = "length", .help = "Tokens of a sequence, even", .published = "64", .min = 4},
              {.name = "vocabulary", .help = "Size of the vocabulary", .published = "256", .min = 5},
              {.name = "width", .help = "Width of the models", .published = "64", .max = 4096},
              {.name = "examples", .help = "Training examples", .published = "20000", .max = 1'000'000},
              {.name = "epochs", .help = "Training epochs", .published = "16"},
              {.name = "seeds", .help = "Number of seeds", .published = "3", .max = 1000},
              {.name = "convolution",
               .help = "1: the first layer is a gated convolution; 0: both layers are the tested mixer",
               .published = "1",
               .min = 0,
               .max = 1}}};
}

} // namespace mneme::experiments
