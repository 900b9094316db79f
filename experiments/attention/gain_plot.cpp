// SPDX-License-Identifier: MIT

/// Two gains move the attention over an input: the plot with sliders, computed in the page itself.

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
constexpr double kNoise = 0.1;                    // of the input, as published
constexpr double kGreatestGain = 10, kStep = 0.1; // of the sliders
constexpr double kShownFactor = 5; // the published plot shows 5 w x, so that it is seen beside x

struct Inputs {
  std::vector<double> first, second, input; ///< q1, q2, x
};

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

std::vector<double> summing_to_one(std::vector<double> numbers) {
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
    const double along = static_cast<double>(t) / static_cast<double>(kLength - 1);
    inputs.first.push_back(1 - sigmoid(-3 + 10 * along));
    inputs.second.push_back(sigmoid(-7 + 10 * along));
    inputs.input.push_back(std::sin(2 * std::numbers::pi * along) + kNoise * random.normal());
  }
  inputs.first = summing_to_one(inputs.first);
  inputs.second = summing_to_one(inputs.second);
  return inputs;
}

struct Attended {
  std::vector<double> weights;
  double output = 0;
};

/// One associative step: the query is the gains, each place stores what the patterns say of it, and its value is
/// the input there. Beside it the values hold the identity, which reads out the weights themselves.
Attended attend(const Inputs& inputs, double gain_1, double gain_2) {
  RealPatterns stored(kLength, 2), values(kLength, kLength + 1);
  for (int64_t t = 0; t < kLength; ++t) {
    const size_t place = static_cast<size_t>(t);
    stored[t][0] = inputs.first[place];
    stored[t][1] = inputs.second[place];
    values[t][place] = 1;
    values[t].back() = inputs.input[place];
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

json sum_over_places(const char* field, const char* name) {
  return {{"joinaggregate", json::array({{{"op", "sum"}, {"field", field}, {"as", name}}})}};
}

/// Everything that follows from the gains, as the page computes it.
json steps() {
  return json::array({calculate("exp(gain_1 * datum.q1 + gain_2 * datum.q2)", "exponential"),
                      sum_over_places("exponential", "whole"),
                      calculate("datum.exponential / datum.whole", "w"), calculate("datum.w * datum.x", "wx"),
                      calculate("5 * datum.wx", "5 w x"), sum_over_places("wx", "y")});
}

/// A panel with a line per name over the places.
report::Chart panel(const std::string& title, const std::string& y_title,
                    const std::vector<std::string>& names, double least, double most, const json& data) {
  report::Chart chart{.title = title, .description = title};
  chart.spec = report::frame(title, title);
  chart.spec["data"] = {{"values", data}};
  chart.spec["transform"] = steps();
  chart.spec["transform"].push_back({{"fold", names}, {"as", {"series", "value"}}});
  chart.spec["transform"].push_back(
      calculate("datum.series + ' at place ' + datum.t + ': ' + format(datum.value, '.9f')", "spoken"));
  const report::Axis places{.title = "place t", .range = std::pair(0.0, kLength - 1.0)};
  const report::Axis heights{.title = y_title, .range = std::pair(least, most)};
  chart.spec["encoding"] = {{"x", report::axis_encoding("t", places)},
                            {"y", report::axis_encoding("value", heights)},
                            {"color", report::colour_encoding("", names)}};
  chart.spec["layer"] = json::array(
      {{{"mark", {{"type", "line"}, {"strokeWidth", 2}, {"aria", false}}}},
       {{"mark", {{"type", "point"}, {"filled", true}, {"size", 40}, {"opacity", 1}}},
        {"encoding",
         {{"shape", report::shape_encoding("", names, {names.begin(), names.end()})},
          {"description", {{"field", "spoken"}, {"type", "nominal"}}},
          {"tooltip", json::array({report::tooltip("series", "nominal", "curve", ""),
                                   report::tooltip("t", "quantitative", "place", ""),
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
    const size_t place = static_cast<size_t>(t);
    data.push_back(
        {{"t", t}, {"q1", inputs.first[place]}, {"q2", inputs.second[place]}, {"x", inputs.input[place]}});
    numbers.rows.push_back(
        {t, inputs.first[place], inputs.second[place], inputs.input[place], start.weights[place]});
  }
  double highest = std::max(std::ranges::max(inputs.first), std::ranges::max(inputs.second)), furthest = 0;
  for (const auto& [gain_1, gain_2] : {std::pair(0.0, kGreatestGain), std::pair(kGreatestGain, 0.0)}) {
    highest = std::max(highest, std::ranges::max(attend(inputs, gain_1, gain_2).weights));
  }
  for (const double x : inputs.input) {
    furthest = std::max(furthest, std::abs(x));
  }
  const std::vector<std::string> patterns = {"q1", "q2", "w"}, amplitudes = {"x", "5 w x"};
  report::Chart weights = panel("Where the gains look: patterns q1, q2 and weights w", "weight", patterns, 0,
                                1.05 * highest, data);
  report::Chart output = panel("What is heard: input x, weighted input, output y", "amplitude", amplitudes,
                               -1.15 * furthest, 1.15 * furthest, data);
  output.spec["layer"].push_back(
      {{"transform", json::array({{{"filter", "datum.t == 0 && datum.series == 'x'"}},
                                  calculate("'output y = ' + format(datum.y, '.9f')", "said")})},
       {"mark", {{"type", "text"}, {"align", "right"}, {"fontSize", 15}, {"fill", "currentColor"}}},
       {"encoding",
        {{"x", {{"datum", kLength - 1}, {"type", "quantitative"}}},
         {"y", {{"datum", 1.05 * furthest}, {"type", "quantitative"}}},
         {"color", {{"value", "currentColor"}}},
         {"text", {{"field", "said"}, {"type", "nominal"}}}}}});
  report::Chart whole = to_chart(report::Panels{
      .title = "Two gains move the attention",
      .description = "Weights and weighted input as two gains between 0 and 10 are moved by sliders.",
      .charts = {weights, output}});
  whole.numbers = numbers;
  whole.spec["params"] = json::array();
  for (const char* name : {"gain_1", "gain_2"}) {
    const json slider = {{"input", "range"},
                         {"min", 0},
                         {"max", kGreatestGain},
                         {"step", kStep},
                         {"name", std::string("gain z") + (name + 5)}};
    whole.spec["params"].push_back({{"name", name}, {"value", 1}, {"bind", slider}});
  }
  return whole;
}

Outcome run(const RunSettings& settings, Progress&) {
  const Inputs inputs = make_inputs(settings.seed);
  report::Table table{
      .columns = {{.name = "gain z1", .key = "gain_1"},
                  {.name = "gain z2", .key = "gain_2"},
                  {.name = "output y", .key = "y", .notation = report::Notation::fixed, .digits = 6},
                  {.name = "greatest weight", .key = "greatest", .notation = report::Notation::fixed},
                  {.name = "at place", .key = "at"},
                  {.name = "places that share the weight",
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
      const auto greatest = std::ranges::max_element(attended.weights);
      table.rows.push_back({gain_1, gain_2, attended.output, *greatest,
                            static_cast<int64_t>(greatest - attended.weights.begin()), std::exp(entropy)});
    }
  }
  return {
      .parameters = {{"places T", std::to_string(kLength)},
                     {"input", "one period of a sine, plus noise of deviation 0.1 (seed " +
                                   std::to_string(settings.seed) + ")"},
                     {"patterns",
                      "q1 = 1 - sigmoid(-3 .. 7), q2 = sigmoid(-7 .. 3), each divided by its sum"},
                     {"gains", "0 to 10 in steps of 0.1"}},
      .tables = {{"Output and sharpness at some gains; the exponential of the entropy says how many places "
                  "share the weight",
                  table},
                 {"Every weight at these gains", each}},
      .figures = {
          {.name = "gain-plot",
           .chart = plot(inputs),
           .look = "Move the sliders: with both gains at 0 every place weighs the same and y is the mean of "
                   "x; a large z1 alone lets through the left end, a large z2 the right end. As gains grow, "
                   "the weights become sparser."}}};
}

} // namespace

Experiment attention_gain_plot() {
  return {
      .id = "attention/gain-plot",
      .title = "Gains choose what is heard",
      .claim =
          "Weights softmax(z1 q1 + z2 q2) let signals from outside select a part of the input: small gains "
          "spread attention evenly, large gains make it sparse.",
      .source = "Neuromatch tutorial on attention, exercise 1",
      .run = run};
}

} // namespace mneme::experiments
