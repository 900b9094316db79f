// SPDX-License-Identifier: MIT

/// Interactive plot of attention weights controlled by two gains; the page computes them from its sliders.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "experiments/experiment.h"
#include "mneme/core/random.h"
#include "mneme/memory/associate.h"
#include "report/chart_parts.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;

constexpr int64_t kLength = 20;
constexpr double kNoise = 0.1;               // of the input, as published
constexpr double kMaxGain = 10, kStep = 0.1; // of the sliders
constexpr double kShownFactor = 5; // the published plot shows 5 w x, so that it is visible next to x

struct Inputs {
  std::vector<double> first, second, input; ///< q1, q2, x
};

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

std::vector<double> normalised_to_sum_one(std::vector<double> numbers) {
  double sum = 0;
  for (const double number : numbers) {
    sum += number;
  }
  for (double& number : numbers) {
    number /= sum;
  }
  return numbers;
}

Inputs make_inputs(uint64_t seed) {
  Random random(seed);
  Inputs inputs;
  for (int64_t t = 0; t < kLength; ++t) {
    const double fraction = static_cast<double>(t) / static_cast<double>(kLength - 1);
    inputs.first.push_back(1 - sigmoid(-3 + 10 * fraction));
    inputs.second.push_back(sigmoid(-7 + 10 * fraction));
    inputs.input.push_back(std::sin(2 * std::numbers::pi * fraction) + kNoise * random.normal());
  }
  inputs.first = normalised_to_sum_one(inputs.first);
  inputs.second = normalised_to_sum_one(inputs.second);
  return inputs;
}

struct Attended {
  std::vector<double> weights;
  double output = 0;
};

/// One associative step. The query is the vector of gains, the stored pattern of position t is (q1[t],
/// q2[t]), and its value is the input x[t]. The other value columns are the identity, which reads out the
/// weights.
Attended attend(const Inputs& inputs, double gain_1, double gain_2) {
  RealPatterns stored(kLength, 2), values(kLength, kLength + 1);
  for (int64_t t = 0; t < kLength; ++t) {
    const size_t position = static_cast<size_t>(t);
    stored[t][0] = inputs.first[position];
    stored[t][1] = inputs.second[position];
    values[t][position] = 1;
    values[t].back() = inputs.input[position];
  }
  const Recall<RealPatterns> recall =
      associate(RealPatterns(1, 2, {gain_1, gain_2}), stored,
                {.similarity = Dot{}, .separation = Softmax{.beta = 1}, .values = values});
  const auto readout = recall.readout[0];
  return {{readout.begin(), readout.end() - 1}, readout.back()};
}

json calculate(const std::string& formula, const char* name) {
  return {{"calculate", formula}, {"as", name}};
}

json sum_over_positions(const char* field, const char* name) {
  return {{"joinaggregate", json::array({{{"op", "sum"}, {"field", field}, {"as", name}}})}};
}

/// Vega-Lite transforms that compute weights and outputs from the gains.
json steps() {
  return json::array({calculate("exp(gain_1 * datum.q1 + gain_2 * datum.q2)", "exponential"),
                      sum_over_positions("exponential", "sum"),
                      calculate("datum.exponential / datum.sum", "w"), calculate("datum.w * datum.x", "wx"),
                      calculate("5 * datum.wx", "5 w x"), sum_over_positions("wx", "y")});
}

/// A panel with one line per name over the positions.
report::Chart panel(const std::string& title, const std::string& y_title,
                    const std::vector<std::string>& names, double min, double max, const json& data) {
  report::Chart chart{.title = title, .description = title};
  chart.spec = report::frame(title, title);
  chart.spec["data"] = {{"values", data}};
  chart.spec["transform"] = steps();
  chart.spec["transform"].push_back({{"fold", names}, {"as", {"series", "value"}}});
  chart.spec["transform"].push_back(
      calculate("datum.series + ' at position ' + datum.t + ': ' + format(datum.value, '.9f')", "spoken"));
  const report::Axis x{.title = "position t", .range = std::pair(0.0, kLength - 1.0)};
  const report::Axis y{.title = y_title, .range = std::pair(min, max)};
  chart.spec["encoding"] = {{"x", report::axis_encoding("t", x)},
                            {"y", report::axis_encoding("value", y)},
                            {"color", report::colour_encoding("", names)}};
  chart.spec["layer"] = json::array(
      {{{"mark", {{"type", "line"}, {"strokeWidth", 2}, {"aria", false}}}},
       {{"mark", {{"type", "point"}, {"filled", true}, {"size", 40}, {"opacity", 1}}},
        {"encoding",
         {{"shape", report::shape_encoding("", names, {names.begin(), names.end()})},
          {"description", {{"field", "spoken"}, {"type", "nominal"}}},
          {"tooltip", json::array({report::tooltip("series", "nominal", "curve", ""),
                                   report::tooltip("t", "quantitative", "position", ""),
                                   report::tooltip("value", "quantitative", "value", ".9f")})}}}}});
  return chart;
}

report::Chart plot(const Inputs& inputs) {
  json data = json::array();
  report::Table numbers{.columns = {{.name = "t"},
                                    {.name = "q1"},
                                    {.name = "q2"},
                                    {.name = "x"},
                                    {.name = "w at gains 1 and 1", .key = "w"}}};
  const Attended start = attend(inputs, 1, 1);
  for (int64_t t = 0; t < kLength; ++t) {
    const size_t position = static_cast<size_t>(t);
    data.push_back({{"t", t},
                    {"q1", inputs.first[position]},
                    {"q2", inputs.second[position]},
                    {"x", inputs.input[position]}});
    numbers.rows.push_back({t, inputs.first[position], inputs.second[position], inputs.input[position],
                            start.weights[position]});
  }
  double max_weight = std::max(std::ranges::max(inputs.first), std::ranges::max(inputs.second));
  double max_input = 0;
  for (const auto& [gain_1, gain_2] : {std::pair(0.0, kMaxGain), std::pair(kMaxGain, 0.0)}) {
    max_weight = std::max(max_weight, std::ranges::max(attend(inputs, gain_1, gain_2).weights));
  }
  for (const double x : inputs.input) {
    max_input = std::max(max_input, std::abs(x));
  }
  const std::vector<std::string> patterns = {"q1", "q2", "w"}, amplitudes = {"x", "5 w x"};
  report::Chart weights =
      panel("Patterns q1, q2 and attention weights w", "weight", patterns, 0, 1.05 * max_weight, data);
  report::Chart output = panel("Input x, weighted input 5 w x and output y", "amplitude", amplitudes,
                               -1.15 * max_input, 1.15 * max_input, data);
  output.spec["layer"].push_back(
      {{"transform", json::array({{{"filter", "datum.t == 0 && datum.series == 'x'"}},
                                  calculate("'output y = ' + format(datum.y, '.9f')", "label")})},
       {"mark", {{"type", "text"}, {"align", "right"}, {"fontSize", 15}, {"fill", "currentColor"}}},
       {"encoding",
        {{"x", {{"datum", kLength - 1}, {"type", "quantitative"}}},
         {"y", {{"datum", 1.05 * max_input}, {"type", "quantitative"}}},
         {"color", {{"value", "currentColor"}}},
         {"text", {{"field", "label"}, {"type", "nominal"}}}}}});
  report::Chart chart = to_chart(report::Panels{
      .title = "Attention weights controlled by two gains",
      .description = "Attention weights and weighted input for two gains between 0 and 10, set by sliders.",
      .charts = {weights, output}});
  chart.numbers = numbers;
  chart.spec["params"] = json::array();
  for (const char* name : {"gain_1", "gain_2"}) {
    const json slider = {{"input", "range"},
                         {"min", 0},
                         {"max", kMaxGain},
                         {"step", kStep},
                         {"name", std::string("gain z") + (name + 5)}};
    chart.spec["params"].push_back({{"name", name}, {"value", 1}, {"bind", slider}});
  }
  return chart;
}

Outcome run(const RunSettings& settings, Progress&) {
  const Inputs inputs = make_inputs(settings.seed);
  report::Table table{
      .columns = {{.name = "gain z1", .key = "gain_1"},
                  {.name = "gain z2", .key = "gain_2"},
                  {.name = "output y", .key = "y", .notation = report::Notation::fixed, .digits = 6},
                  {.name = "maximum weight", .key = "greatest", .notation = report::Notation::fixed},
                  {.name = "at position", .key = "at"},
                  {.name = "effective number of positions",
                   .key = "places",
                   .notation = report::Notation::fixed,
                   .digits = 1}}};
  report::Table each{
      .columns = {{.name = "t"},
                  {.name = "gain z1", .key = "gain_1"},
                  {.name = "gain z2", .key = "gain_2"},
                  {.name = "w", .notation = report::Notation::fixed, .digits = 6},
                  {.name = "w x", .key = "wx", .notation = report::Notation::fixed, .digits = 6}}};
  for (const double gain_1 : {0.0, 1.0, 5.0, 10.0}) {
    for (const double gain_2 : {0.0, 1.0, 5.0, 10.0}) {
      const Attended attended = attend(inputs, gain_1, gain_2);
      double entropy = 0;
      for (size_t t = 0; t < attended.weights.size(); ++t) {
        entropy -= attended.weights[t] * std::log(attended.weights[t]);
        each.rows.push_back({static_cast<int64_t>(t), gain_1, gain_2, attended.weights[t],
                             attended.weights[t] * inputs.input[t]});
      }
      const auto max = std::ranges::max_element(attended.weights);
      table.rows.push_back({gain_1, gain_2, attended.output, *max,
                            static_cast<int64_t>(max - attended.weights.begin()), std::exp(entropy)});
    }
  }
  return {
      .parameters = {{"positions T", std::to_string(kLength)},
                     {"input", "one period of a sine, plus noise of standard deviation 0.1 (seed " +
                                   std::to_string(settings.seed) + ")"},
                     {"patterns",
                      "q1 = 1 - sigmoid(-3 .. 7), q2 = sigmoid(-7 .. 3), each divided by its sum"},
                     {"gains", "0 to 10 in steps of 0.1"}},
      .tables = {{"Output and sharpness for some gains; the effective number of positions is the exponential "
                  "of the entropy of the weights",
                  table},
                 {"All weights for these gains", each}},
      .figures = {{.name = "gain-plot",
                   .chart = plot(inputs),
                   .caption =
                       "Move the sliders to set the gains. With both gains at 0, all positions have the same "
                       "weight and y is the mean of x. A large z1 alone selects the left end, a large z2 the "
                       "right end. The weights become sparser as the gains grow."}}};
}

} // namespace

Experiment attention_gain_plot() {
  return {.id = "attention/gain-plot",
          .title = "Gains control attention",
          .claim =
              "With weights softmax(z1 q1 + z2 q2), external signals select a part of the input: small gains "
              "give uniform attention, large gains sparse attention.",
          .source = "Neuromatch tutorial on attention, exercise 1",
          .run = run};
}

} // namespace mneme::experiments
