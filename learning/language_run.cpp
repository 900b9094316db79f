// SPDX-License-Identifier: MIT

#include "learning/language_run.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "mneme/core/error.h"
#include "report/json_text.h"

namespace mneme::learning {
namespace {

using Kind = LanguageRecord::Kind;

constexpr int64_t kEvents = 10; // validations, samples and checkpoints of a run, unless the user chooses

int64_t ceiling(int64_t numerator, int64_t denominator) {
  return (numerator + denominator - 1) / denominator;
}

/// Time of a complete validation. A forward pass takes about a third of a step.
double validation_seconds(const LanguageRun& run, double seconds_per_step, int64_t validation_tokens) {
  return seconds_per_step / 3 * static_cast<double>(validation_tokens) /
         static_cast<double>(run.schedule.tokens_per_step());
}

/// At most about a thousand points: means over consecutive records.
report::Series series_of(const std::string& name, const std::vector<LanguageRecord>& records, Kind kind,
                         double LanguageRecord::*value) {
  constexpr size_t kPoints = 1000;
  std::vector<const LanguageRecord*> used;
  for (const LanguageRecord& record : records) {
    if (record.kind == kind && std::isfinite(record.*value)) {
      used.push_back(&record);
    }
  }
  report::Series series{.name = name};
  const size_t per_point = used.size() / kPoints + 1;
  for (size_t first = 0; first < used.size(); first += per_point) {
    const size_t count = std::min(per_point, used.size() - first);
    double sum = 0;
    for (size_t i = first; i < first + count; ++i) {
      sum += used[i]->*value;
    }
    const double mean = sum / static_cast<double>(count);
    series.points.push_back({static_cast<double>(used[first + count - 1]->step), {mean, mean, mean}});
  }
  series.style = kind == Kind::step ? curve_style(series.points) : report::SeriesStyle::line_with_points;
  return series;
}

report::Chart panel(const std::string& title, const std::string& y, std::vector<report::Series> series) {
  return to_chart(report::LineChart{.title = title,
                                    .description = fmt::format("{} over optimiser steps.", title),
                                    .x = {.title = "step"},
                                    .y = {.title = y},
                                    .series = std::move(series)});
}

} // namespace

int32_t start_token_of(const tokens::Tokenizer& tokenizer, std::span<const int32_t> training_text) {
  constexpr int64_t kOccurrencesMin = 10;
  const auto is_trained = [&](int32_t id) {
    return std::ranges::count(training_text, id) >= kOccurrencesMin;
  };
  if (const std::optional<int32_t> end = tokenizer.end_of_text(); end && is_trained(*end)) {
    return *end;
  }
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.token_bytes(id) == "\n" && is_trained(id)) {
      return id;
    }
  }
  return training_text.front();
}

LanguagePlan plan_of(const LanguageRun& run, double seconds_per_step, int64_t validation_tokens) {
  LanguagePlan plan{.seconds_per_step = seconds_per_step};
  const double validation = validation_seconds(run, seconds_per_step, validation_tokens);
  if (run.steps) {
    plan.steps = *run.steps;
    plan.eval_every = run.eval_every.value_or(ceiling(plan.steps, kEvents));
  } else {
    constexpr double kValidationShare = 0.1; // of the time, at most
    const double budget = 60 * run.minutes;
    const auto steps_in = [&](double seconds) {
      return std::max<int64_t>(1, std::llround(std::min(seconds / seconds_per_step, 1e12)));
    };
    if (run.eval_every) {
      const double per_step = *run.eval_every > 0 ? validation / static_cast<double>(*run.eval_every) : 0.0;
      plan.steps = std::max<int64_t>(1, std::llround(std::min(budget / (seconds_per_step + per_step), 1e12)));
      plan.eval_every = *run.eval_every;
    } else {
      const double affordable = kValidationShare * budget / std::max(validation, 1e-9);
      const int64_t count = std::clamp<int64_t>(std::llround(std::min(affordable, 1e6)), 1, kEvents);
      plan.steps = steps_in(budget - static_cast<double>(count) * validation);
      plan.eval_every = ceiling(plan.steps, count);
    }
  }
  plan.sample_every = run.sample_every.value_or(plan.eval_every);
  plan.save_every = run.save_every.value_or(ceiling(plan.steps, kEvents));
  plan.warmup_steps = run.warmup_steps.value_or(
      static_cast<int64_t>(std::llround(run.warmup_fraction * static_cast<double>(plan.steps))));
  const int64_t validations = plan.eval_every > 0 ? ceiling(plan.steps, plan.eval_every) : 0;
  plan.seconds =
      static_cast<double>(plan.steps) * seconds_per_step + static_cast<double>(validations) * validation;
  return plan;
}

std::string number_text(double number, int digits) {
  return std::isnan(number)   ? "not a number"
         : std::isinf(number) ? "infinite"
                              : fmt::format("{:.{}f}", number, digits);
}

std::string loss_text(double loss, double bits_per_byte) {
  return std::isfinite(loss)
             ? fmt::format("{:.4f} nats per token, {} bits per byte", loss, number_text(bits_per_byte, 3))
             : number_text(loss, 4);
}

std::string line_of(const LanguageRecord& record) {
  nlohmann::ordered_json line = {{"step", record.step}};
  // JSON has no NaN: the loss of a skipped step is null.
  const auto number = [](double x) { return std::isfinite(x) ? nlohmann::ordered_json(x) : nullptr; };
  switch (record.kind) {
  case Kind::step:
    line["loss"] = number(record.loss);
    line["bits_per_byte"] = number(record.bits_per_byte);
    line["gradient_norm"] = number(record.gradient_norm);
    line["learning_rate"] = record.learning_rate;
    break;
  case Kind::validation:
    line["validation_loss"] = number(record.loss);
    line["validation_bits_per_byte"] = number(record.bits_per_byte);
    break;
  case Kind::sample:
    line["sample"] = record.text;
    break;
  }
  return report::json_text(line, -1);
}

std::vector<LanguageRecord> parse_records(const std::string& text, const std::string& source) {
  std::vector<LanguageRecord> records;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    const auto number = [&](const char* key) {
      const auto found = json.find(key);
      return found != json.end() && found->is_number() ? found->get<double>() : std::nan("");
    };
    const auto step = json.is_object() ? json.find("step") : json.end();
    if (!json.is_object() || step == json.end() || !step->is_number_integer()) {
      throw DataError(fmt::format("{}: line {} is not an object with a number \"step\".\n  Use an unmodified "
                                  "checkpoint.",
                                  source, records.size() + 1));
    }
    LanguageRecord record{.step = step->get<int64_t>()};
    if (json.contains("validation_loss")) {
      record.kind = Kind::validation;
      record.loss = number("validation_loss");
      record.bits_per_byte = number("validation_bits_per_byte");
    } else if (const auto sample = json.find("sample"); sample != json.end() && sample->is_string()) {
      record.kind = Kind::sample;
      record.loss = std::nan("");
      record.text = sample->get<std::string>();
    } else {
      record.loss = number("loss");
      record.bits_per_byte = number("bits_per_byte");
      record.gradient_norm = number("gradient_norm");
      record.learning_rate = number("learning_rate");
    }
    records.push_back(std::move(record));
  }
  return records;
}

report::Chart loss_curves(const std::string& title, const std::vector<LanguageRecord>& records) {
  const auto both = [&](double LanguageRecord::*value) {
    std::vector<report::Series> series = {series_of("training", records, Kind::step, value),
                                          series_of("validation", records, Kind::validation, value)};
    std::erase_if(series, [](const report::Series& one) { return one.points.empty(); });
    return series;
  };
  return to_chart(report::Panels{
      .title = title,
      .description = "Loss of training and validation text over optimiser steps.",
      .charts = {panel("loss", "nats per token", both(&LanguageRecord::loss)),
                 panel("bits per byte", "bits per byte of text", both(&LanguageRecord::bits_per_byte))}});
}

report::Chart step_curves(const std::vector<LanguageRecord>& records) {
  return to_chart(report::Panels{
      .title = "gradient norm and learning rate",
      .description = "Gradient norm before clipping, and learning rate, over optimiser steps.",
      .charts = {panel("gradient norm", "norm",
                       {series_of("gradient norm", records, Kind::step, &LanguageRecord::gradient_norm)}),
                 panel("learning rate", "learning rate",
                       {series_of("learning rate", records, Kind::step, &LanguageRecord::learning_rate)})}});
}

} // namespace mneme::learning
