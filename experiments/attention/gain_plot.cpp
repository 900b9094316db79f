// SPDX-License-Identifier: MIT

/// Interactive plot of attention weights controlled by two gains; the page computes them from its sliders.

#include <algorithm>
#include <array>
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
constexpr double kNoise = 0.1; // of the input, as published
// Range of the sliders, which set the logarithm of a gain: attention is sparse at gains of 100 and more. The
// left end is a gain of 0.
constexpr double kMinPower = -1, kMaxPower = 3, kStep = 0.05;

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
                    const std::vector<std::string>& names, const json& data) {
  report::Chart chart{.title = title, .description = title};
  chart.spec = report::frame(title, title);
  chart.spec["data"] = {{"values", data}};
  chart.spec["transform"] = steps();
  chart.spec["transform"].push_back({{"fold", names}, {"as", {"series", "value"}}});
  chart.spec["transform"].push_back(
      calculate("datum.series + ' at position ' + datum.t + ': ' + format(datum.value, '.9f')", "spoken"));
  const report::Axis x{.title = "position t", .range = std::pair(0.0, kLength - 1.0)};
  const report::Axis y{.title = y_title}; // its range follows the sliders
  chart.spec["encoding"] = {{"x", report::axis_encoding("t", x)},
                            {"y", report::axis_encoding("value", y)},
                            {"color", report::colour_encoding("", names)}};
  chart.spec["layer"] = json::array(
      {{{"mark", {{"type", "line"}, {"strokeWidth", 2}, {"aria", false}}}},
       {{"mark", {{"type", "point"}, {"filled", true}, {"size", report::kPointSize}, {"opacity", 1}}},
        {"encoding",
         {{"shape", report::shape_encoding("", names, {names.begin(), names.end()})},
          {"description", {{"field", "spoken"}, {"type", "nominal"}}},
          {"tooltip", json::array({report::tooltip("series", "nominal", "curve", ""),
                                   report::tooltip("t", "quantitative", "position", ""),
                                   report::tooltip("value", "quantitative", "value", ".9f")})}}}}});
  return chart;
}

/// A text in the upper right corner of a panel.
json corner_text(const char* formula) {
  return {{"transform",
           json::array(
               {{{"filter", "datum.t == 0 && datum.series == 'x' || datum.t == 0 && datum.series == 'w'"}},
                calculate(formula, "label")})},
          {"mark",
           {{"type", "text"},
            {"align", "right"},
            {"baseline", "bottom"},
            {"fontSize", 14},
            {"fill", "currentColor"}}},
          {"encoding",
           {{"x", {{"value", "width"}}},
            {"y", {{"value", -6}}},
            {"color", {{"value", "currentColor"}}},
            {"shape", {{"value", "circle"}}},
            {"text", {{"field", "label"}, {"type", "nominal"}}}}}};
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
  report::Chart weights = panel("Patterns q1, q2 and attention weights w", "weight", {"q1", "q2", "w"}, data);
  weights.spec["layer"].push_back(
      corner_text("'gains z1 = ' + format(gain_1, '.3~r') + ', z2 = ' + format(gain_2, '.3~r')"));
  // The published plot shows 5 w x, so that it is visible next to x.
  report::Chart output =
      panel("Input x, weighted input 5 w x and output y", "amplitude", {"x", "5 w x"}, data);
  output.spec["layer"].push_back(corner_text("'output y = ' + format(datum.y, '.9f')"));
  report::Chart chart = to_chart(report::Panels{
      .title = "Attention weights controlled by two gains (exercise 1)",
      .description = "Attention weights and weighted input for two gains between 0 and 1000, set by sliders.",
      .charts = {weights, output}});
  chart.numbers = numbers;
  chart.spec["params"] = json::array();
  for (const std::string name : {"1", "2"}) {
    const json slider = {{"input", "range"},
                         {"min", kMinPower},
                         {"max", kMaxPower},
                         {"step", kStep},
                         {"name", "gain z" + name + ", power of ten"}};
    chart.spec["params"].push_back({{"name", "power_" + name}, {"value", 0}, {"bind", slider}});
    chart.spec["params"].push_back(
        {{"name", "gain_" + name}, {"expr", "power_" + name + " <= -1 ? 0 : pow(10, power_" + name + ")"}});
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
  constexpr std::array kGains = {0.0, 1.0, 10.0, 100.0, 1000.0};
  for (const double gain_1 : kGains) {
    for (const double gain_2 : kGains) {
      const Attended attended = attend(inputs, gain_1, gain_2);
      double entropy = 0;
      for (size_t t = 0; t < attended.weights.size(); ++t) {
        if (attended.weights[t] > 0) { // w log w tends to 0
          entropy -= attended.weights[t] * std::log(attended.weights[t]);
        }
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
                     {"gains", "0, and 0.1 to 1000 on a logarithmic scale"}},
      .tables = {{"Output and sharpness for some gains; the effective number of positions is the exponential "
                  "of the entropy of the weights",
                  table},
                 {"All weights for these gains", each}},
      .figures = {
          {.name = "gain-plot",
           .chart = plot(inputs),
           .caption =
               "Move the sliders to set the gains: a slider at -1 is a gain of 0, at 0 of 1, at 3 of 1000. "
               "With both "
               "gains at 0, all positions have the same weight and y is the mean of x. A large z1 alone "
               "selects the left end, a large z2 the right end. The weights become sparser as the gains "
               "grow: at 1000 for one gain alone, almost all weight is on one position."}}};
}

} // namespace

Experiment attention_gain_plot() {
  return {.id = "attention/gain-plot",
          .title = "Gains control attention",
          .claim =
              "With weights softmax(z1 q1 + z2 q2), external signals select a part of the input: small gains "
              "give uniform attention, large gains sparse attention.",
          .source = "Neuromatch tutorial on attention, section 1, exercise 1",
          .run = run};
}

} // namespace mneme::experiments
