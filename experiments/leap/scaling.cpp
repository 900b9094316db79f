// SPDX-License-Identifier: MIT

/// Loss over the number of parameters of LEAP, GPT-2 style models and LSTMs.

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "experiments/curves.h"
#include "experiments/leap/language_study.h"
#include "experiments/published.h"
#include "experiments/transformer/study_texts.h"
#include "mneme/core/error.h"
#include "mneme/theory/power_law.h"

namespace mneme::experiments {
namespace {

constexpr StudyDefault kTokensPerParameter{.quick = 4, .full = 10};
/// Published widths divided by the width that is trained: 4 in a quick run.
constexpr StudyDefault kShrink{.quick = 4, .full = 2};
constexpr double kRescale = 10;
constexpr int64_t kLstmLayersMax = 2;
constexpr double kParametersWithin = 0.05; // of the LSTM, relative to LEAP

const std::vector<int64_t> kWidths = {32, 48, 64, 80, 88, 96}, kQuickWidths = {24, 32, 44};

struct Kind {
  const char* name;
  const char* type; ///< also the key of the published numbers
};
constexpr Kind kKinds[] = {{"LEAP", "leap"}, {"GPT-2", "gpt2"}, {"LSTM", "lstm"}};

/// Depth of the published models by their width.
int64_t published_layers(int64_t published_width) {
  const double layers = (std::log(static_cast<double>(published_width)) - 5.039) / 0.0555;
  return std::max<int64_t>(1, std::llround(layers));
}

/// Heads of about 64 features of the published width; as many as published.
int64_t heads_of(int64_t width, int64_t published_width) {
  int64_t heads = std::max<int64_t>(1, published_width / 64);
  while (width % heads != 0) {
    ++heads;
  }
  return heads;
}

/// An LSTM with about as many parameters, without the embedding.
TrialModel lstm_of(const TrialModel& leap, int64_t parameters) {
  const int64_t layers = std::min(leap.layers, kLstmLayersMax);
  const auto count = [layers](int64_t width) { return layers * (8 * width * width + 8 * width) + 2 * width; };
  int64_t width = 1;
  while (count(width + 1) <= parameters) {
    ++width;
  }
  if (count(width + 1) - parameters < parameters - count(width)) {
    ++width;
  }
  return {.type = "lstm", .width = width, .heads = 1, .layers = layers};
}

std::string name_of(const Kind& kind, int64_t width) {
  return fmt::format("{}, width {}", kind.name, width);
}

struct Plan {
  std::vector<int64_t> widths;
  std::vector<Studied> models; ///< width after width, all kinds of each
  double deviation = 0;        ///< of numbers of parameters from those of LEAP, relative
};

Plan plan_of(const RunSettings& settings) {
  Plan plan{.widths = settings.values_of("width", settings.quick ? kQuickWidths : kWidths)};
  std::ranges::sort(plan.widths);
  plan.widths.erase(std::unique(plan.widths.begin(), plan.widths.end()), plan.widths.end());
  const int64_t ratio = settings.value_of("tokens-per-parameter", kTokensPerParameter.of(settings));
  for (const int64_t width : plan.widths) {
    const int64_t published_width = width * kShrink.of(settings);
    const TrialModel leap{.type = "leap",
                          .width = width,
                          .heads = heads_of(width, published_width),
                          .layers = published_layers(published_width),
                          .rescale = kRescale};
    const int64_t parameters = parameters_of(leap);
    const int64_t steps = std::max<int64_t>(1, parameters * ratio / (kStudyLength * kStudyRows));
    for (const Kind& kind : kKinds) {
      TrialModel model = leap;
      if (kind.type == std::string_view("gpt2")) {
        model.type = kind.type;
        model.rescale.reset();
      } else if (kind.type == std::string_view("lstm")) {
        model = lstm_of(leap, parameters);
      }
      const double ratio_to_leap =
          static_cast<double>(parameters_of(model)) / static_cast<double>(parameters);
      plan.deviation = std::max(plan.deviation, std::abs(ratio_to_leap - 1));
      plan.models.push_back({.name = name_of(kind, width), .model = model, .steps = steps});
    }
  }
  if (plan.deviation > kParametersWithin) {
    throw UsageError(
        fmt::format("the numbers of parameters at one width differ by {:.1f} %, but may differ by "
                    "{:.0f} %.\n  Give larger widths with --width.",
                    100 * plan.deviation, 100 * kParametersWithin));
  }
  return plan;
}

/// Exponent and scale of each kind of model, with all seeds as points.
struct Fit {
  const Kind* kind;
  theory::PowerLaw law;               ///< of logarithms
  theory::PowerLaw as_published = {}; ///< of losses
  std::vector<double> sizes, losses;
};

std::vector<Fit> fits_of(const Plan& plan, const std::map<std::string, StudiedResult>& results) {
  std::vector<Fit> fits;
  for (const Kind& kind : kKinds) {
    Fit fit{.kind = &kind};
    std::set<int64_t> different;
    for (const int64_t width : plan.widths) {
      const StudiedResult& result = results.at(name_of(kind, width));
      for (const double loss : result.losses()) {
        fit.sizes.push_back(static_cast<double>(result.parameters()));
        fit.losses.push_back(loss);
        different.insert(result.parameters());
      }
    }
    if (different.size() > 1) {
      fit.law = theory::fit_power_law(fit.sizes, fit.losses);
      fit.as_published = theory::fit_power_law(fit.sizes, fit.losses, theory::PowerLawErrors::losses);
      fits.push_back(std::move(fit));
    }
  }
  return fits;
}

report::Table losses_table(const Plan& plan, const std::map<std::string, StudiedResult>& results) {
  report::Table table{.columns = {{.name = "model"},
                                  {.name = "width"},
                                  {.name = "layers"},
                                  {.name = "heads"},
                                  {.name = "parameters without embeddings", .key = "parameters"},
                                  {.name = "steps"},
                                  {.name = "held-out loss (nats per byte)", .key = "loss", .digits = 4}}};
  for (const Studied& studied : plan.models) {
    const StudiedResult& result = results.at(studied.name);
    table.rows.push_back({studied.name.substr(0, studied.name.find(',')), studied.model.width,
                          studied.model.layers, studied.model.heads, result.parameters(), studied.steps,
                          cell(result.loss())});
  }
  return table;
}

/// Exponent of the published losses of a kind of model on a text, fitted on logarithms; missing if the losses
/// of too few sizes were published.
report::Cell refitted(const char* text, const char* type) {
  const nlohmann::json& models = published("leap_language").at("scaling").at(text);
  if (!models.contains(type)) {
    return {};
  }
  std::vector<double> sizes, losses;
  for (const nlohmann::json& model : models.at(type)) {
    sizes.push_back(model.at("parameters").get<double>());
    losses.push_back(model.at("loss").get<double>());
  }
  const theory::PowerLaw law = theory::fit_power_law(sizes, losses);
  return cell({law.exponent, law.exponent_half_width});
}

/// One row per fit: measured, or published on a text.
report::Table fits_table(const std::vector<Fit>& fits) {
  report::Table table{
      .columns = {{.name = "model"},
                  {.name = "losses"},
                  {.name = "exponent, least squares of logarithms", .key = "exponent", .digits = 3},
                  {.name = "exponent, least squares of losses", .key = "exponent_of_losses", .digits = 4},
                  {.name = "N_c, of logarithms", .key = "scale", .digits = 3}}};
  for (const Fit& fit : fits) {
    table.rows.push_back({fit.kind->name, "measured", cell({fit.law.exponent, fit.law.exponent_half_width}),
                          fit.as_published.exponent, fit.law.scale});
  }
  const nlohmann::json& exponents = published("leap_language").at("exponents");
  for (const char* text : {"enwik8", "WikiText-103"}) {
    for (const Kind& kind : kKinds) {
      if (exponents.at(text).contains(kind.type)) {
        table.rows.push_back({kind.name,
                              fmt::format("published, {}", text),
                              refitted(text, kind.type),
                              exponents.at(text).at(kind.type).get<double>(),
                              {}});
      }
    }
  }
  return table;
}

report::Table published_table() {
  report::Table table{.columns = {{.name = "text"},
                                  {.name = "width"},
                                  {.name = "layers"},
                                  {.name = "parameters of LEAP", .key = "parameters"},
                                  {.name = "loss of LEAP", .key = "leap", .digits = 5},
                                  {.name = "loss of GPT-2", .key = "gpt2", .digits = 5},
                                  {.name = "loss of the LSTM", .key = "lstm", .digits = 5}}};
  for (const auto& [text, models] : published("leap_language").at("scaling").items()) {
    for (const nlohmann::json& leap : models.at("leap")) {
      const auto of = [&, &models = models](const char* type) -> report::Cell {
        if (!models.contains(type)) {
          return {};
        }
        for (const nlohmann::json& other : models.at(type)) {
          if (other.at("width") == leap.at("width")) {
            return other.at("loss").get<double>();
          }
        }
        return {};
      };
      table.rows.push_back({text, leap.at("width").get<int64_t>(), leap.at("layers").get<int64_t>(),
                            leap.at("parameters").get<int64_t>(), of("leap"), of("gpt2"), of("lstm")});
    }
  }
  return table;
}

/// Published loss of LEAP minus that of GPT-2, over the parameters of LEAP.
report::Series published_differences(const std::string& text) {
  report::Series series{.name = "published, " + text, .style = report::SeriesStyle::dashed_line};
  const nlohmann::json& models = published("leap_language").at("scaling").at(text);
  for (const nlohmann::json& leap : models.at("leap")) {
    for (const nlohmann::json& gpt2 : models.at("gpt2")) {
      if (gpt2.at("width") == leap.at("width")) {
        series.points.push_back({leap.at("parameters").get<double>(),
                                 exact_point(leap.at("loss").get<double>() - gpt2.at("loss").get<double>())});
      }
    }
  }
  return series;
}

report::Chart losses_chart(const Plan& plan, const std::map<std::string, StudiedResult>& results,
                           const std::vector<Fit>& fits) {
  report::LineChart chart{
      .title = "Loss on held-out text of language models of several sizes: LEAP, GPT-2 and LSTM",
      .description =
          "Mean loss of each model over the seeds with its 95 % interval, and the fitted power laws.",
      .x = {.title = "parameters of the model, without embeddings", .format = "~s", .logarithmic = true},
      .y = {.title = "loss on held-out text (nats per byte)", .logarithmic = true},
      .series_title = "model",
      .intervals = report::IntervalStyle::bars};
  for (const Kind& kind : kKinds) {
    report::Series series{.name = kind.name, .style = report::SeriesStyle::points};
    for (const int64_t width : plan.widths) {
      const StudiedResult& result = results.at(name_of(kind, width));
      const trials::MeanInterval loss = result.loss();
      report::Estimate estimate = estimate_of(loss);
      if (estimate.low <= 0) {
        estimate = exact_point(loss.mean); // numbers on a logarithmic axis are above 0
      }
      series.points.push_back({static_cast<double>(result.parameters()), estimate});
    }
    chart.series.push_back(std::move(series));
  }
  for (const Fit& fit : fits) {
    const auto [min, max] = std::ranges::minmax(fit.sizes);
    chart.series.push_back(curve(
        fmt::format("{}, fit", fit.kind->name), logspace(std::log10(min), std::log10(max), 20),
        [&](double size) { return loss_at(fit.law, size); }, report::SeriesStyle::dashed_line));
  }
  return to_chart(chart);
}

report::Chart differences_chart(const Plan& plan, const std::map<std::string, StudiedResult>& results) {
  report::LineChart chart{
      .title = "Loss of LEAP minus loss of GPT-2 with as many parameters, by size of the models",
      .description = "Difference of the losses over the number of parameters, measured and published.",
      .x = {.title = "parameters of LEAP without embeddings", .format = "~s", .logarithmic = true},
      .y = {.title = "loss of LEAP minus loss of GPT-2 (nats per token)"},
      .series_title = "runs",
      .intervals = report::IntervalStyle::bars,
      .references = {{.at = 0, .label = "equal", .horizontal = true}}};
  report::Series series{.name = "measured"};
  for (const int64_t width : plan.widths) {
    const StudiedResult& leap = results.at(name_of(kKinds[0], width));
    series.points.push_back({static_cast<double>(leap.parameters()),
                             estimate_of(loss_difference(leap, results.at(name_of(kKinds[1], width))))});
  }
  chart.series = {std::move(series), published_differences("WikiText-103"), published_differences("enwik8")};
  return to_chart(chart);
}

report::Table differences_table(const Plan& plan, const std::map<std::string, StudiedResult>& results) {
  report::Table table{
      .columns = {{.name = "width"},
                  {.name = "layers"},
                  {.name = "parameters of LEAP", .key = "parameters"},
                  {.name = "LEAP minus GPT-2 (nats per byte)", .key = "leap_gpt2", .digits = 3},
                  {.name = "LEAP minus LSTM (nats per byte)", .key = "leap_lstm", .digits = 3}}};
  for (size_t i = 0; i < plan.widths.size(); ++i) {
    const int64_t width = plan.widths[i];
    const StudiedResult& leap = results.at(name_of(kKinds[0], width));
    table.rows.push_back({width, plan.models[i * std::size(kKinds)].model.layers, leap.parameters(),
                          cell(loss_difference(leap, results.at(name_of(kKinds[1], width)))),
                          cell(loss_difference(leap, results.at(name_of(kKinds[2], width))))});
  }
  return table;
}

/// The signs of the exponent of LEAP, and of LEAP minus GPT-2 for models of several layers, at the published
/// model of the same depth.
ComparisonTable compare(const Plan& plan, const std::map<std::string, StudiedResult>& results,
                        const std::vector<Fit>& fits, const RunSettings& settings) {
  ComparisonTable table{.title =
                            "Exponent of LEAP, and its loss minus that of GPT-2 in models of several layers",
                        .source = "LEAP, notebook Scaling, enwik8; differences of models of 4 to 9 layers "
                                  "with 1.8 to 7 million parameters",
                        .tolerance = sign_tolerance()};
  const nlohmann::json& models = published("leap_language").at("scaling").at("enwik8");
  const auto leap_fit = std::ranges::find(fits, kKinds, &Fit::kind);
  if (leap_fit != fits.end()) {
    table.rows.push_back(
        compare_sign("exponent of the loss of LEAP",
                     published("leap_language").at("exponents").at("enwik8").at("leap").get<double>(),
                     {leap_fit->law.exponent, leap_fit->law.exponent_half_width}));
  }
  for (size_t i = 0; i < plan.widths.size(); ++i) {
    const int64_t layers = plan.models[i * std::size(kKinds)].model.layers;
    for (size_t k = 0; k < models.at("gpt2").size(); ++k) {
      const nlohmann::json &leap = models.at("leap").at(k), &gpt2 = models.at("gpt2").at(k);
      if (layers > 1 && leap.at("layers") == layers && layers <= 9) {
        table.rows.push_back(compare_sign(
            fmt::format("{} layers, width {}: loss of LEAP minus loss of GPT-2", layers, plan.widths[i]),
            leap.at("loss").get<double>() - gpt2.at("loss").get<double>(),
            loss_difference(results.at(name_of(kKinds[0], plan.widths[i])),
                            results.at(name_of(kKinds[1], plan.widths[i])))));
      }
    }
  }
  const int64_t ratio = settings.value_of("tokens-per-parameter", kTokensPerParameter.of(settings));
  if (settings.quick || ratio < kTokensPerParameter.full) {
    table.not_compared = fmt::format("a run with {} training tokens per parameter (full: {})", ratio,
                                     kTokensPerParameter.full);
  }
  return table;
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const StudyData text = study_data(settings);
  const int64_t seeds = seeds_of(settings);
  const Plan plan = plan_of(settings);
  const std::map<std::string, StudiedResult> results =
      train_models(text, plan.models, seeds, settings, progress);
  const std::vector<Fit> fits = fits_of(plan, results);
  const int64_t ratio = settings.value_of("tokens-per-parameter", kTokensPerParameter.of(settings));
  Outcome outcome{
      .parameters =
          {{"models",
            fmt::format("LEAP with exponential weights and rescale {:.0f}, GPT-2, LSTM; the numbers of "
                        "parameters at one width agree within {:.1f} %",
                        kRescale, 100 * plan.deviation)},
           {"depth",
            fmt::format("the published rule for {} times the width: max(1, round((ln width - 5.039) / "
                        "0.0555)) layers; an LSTM has at most {}",
                        kShrink.of(settings), kLstmLayersMax)},
           {"training tokens",
            fmt::format("{} per parameter without embeddings (published: 1.29 on enwik8, 1.52 "
                        "on WikiText-103)",
                        ratio)}},
      .tables =
          {{"Fitted power laws: loss = (N_c / parameters)^exponent, over all sizes and seeds of a model, by "
            "two methods of least squares, and the published exponents. N_c is the number of parameters "
            "with a fitted loss of 1 nat",
            fits_table(fits)},
           {"Loss of LEAP minus loss of the other models with as many parameters, trained on the same "
            "batches: mean over the seeds, with the 95 % interval",
            differences_table(plan, results)},
           {"Loss on held-out text of every model that was trained here: mean over the seeds, with the 95 % "
            "interval",
            losses_table(plan, results)},
           {"Published losses in nats per token: words of a vocabulary of 8192 (WikiText-103), bytes "
            "(enwik8)",
            published_table()}},
      .figures =
          {{.name = "loss-over-parameters",
            .chart = losses_chart(plan, results, fits),
            .caption =
                "Each point is a model of one size, trained here on a small text: its mean loss on the part "
                "of the text that was held out, over the seeds, with the 95 % interval. Where points of "
                "LEAP are below those of GPT-2, LEAP has the smaller loss. The dashed lines are power laws, "
                "loss = (N_c / parameters)^exponent, fitted to all sizes and seeds; a power law is a "
                "straight line on these logarithmic axes."},
           {.name = "difference",
            .chart = differences_chart(plan, results),
            .caption =
                "Below 0, LEAP has the smaller loss. \"Measured\" are the models trained here, of which a "
                "token is a byte; the dashed lines are the published runs on two other texts: a token is a "
                "byte of enwik8, but a word of WikiText-103. The published models are larger."}},
      .notes = {
          "Sizes, text, rows (1024 tokens), learning rate (5e-4) and tokens per parameter differ from the "
          "published runs, so exponents are listed next to the published ones and not compared. The sign of "
          "the difference at one depth is compared: the windows of LEAP show their effect from 4 layers on, "
          "where each of the windows all, 4, 8, 16 occurs. Models of 1 layer have no small window.",
          "The published LSTM started with word embeddings of a standard deviation of 1, so its losses begin "
          "far above those of the other models, and had two thirds of the parameters. Here its embedding is "
          "initialised as that of the other models, and its width is chosen for equal parameters.",
          "The published exponents are fits with the least squares of the losses, on which small models have "
          "the largest "
          "influence; this program reproduces them from the published losses. Of logarithms, the same losses "
          "have "
          "other exponents: all are listed.",
          "The published results are of the exponential form with rescale 10, not of the final code. Each "
          "published number is of one seed."}};
  outcome.comparisons.push_back(compare(plan, results, fits, settings));
  add_study_parameters(outcome, settings, text, seeds, results);
  return outcome;
}

} // namespace

Experiment leap_scaling() {
  return {.id = "leap/scaling",
          .title = "Loss over parameters: LEAP, GPT-2 and LSTM",
          .claim =
              "At equal numbers of parameters, LEAP has a loss equal to or below that of GPT-2, and its loss "
              "falls with the number of parameters by a power law.",
          .source = "LEAP (github.com/mtanghu/LEAP), notebook Scaling",
          .is_parallel = true,
          .needs_torch = true,
          .run = run,
          .inputs = study_inputs,
          .parameters = {text_parameter(),
                         width_parameter("64 to 512; mneme 32 to 96, with --quick 24 to 44"),
                         seeds_parameter(),
                         {.name = "tokens-per-parameter",
                          .help = "Training tokens per parameter without embeddings",
                          .published = fmt::format("1.29 and 1.52; mneme {}, with --quick {}",
                                                   kTokensPerParameter.full, kTokensPerParameter.quick),
                          .min = 1,
                          .max = 10'000}}};
}

} // namespace mneme::experiments
