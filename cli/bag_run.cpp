// SPDX-License-Identifier: MIT

#include "cli/bag_run.h"

#include <fmt/format.h>

#include "json/strict_json.h"
#include "learning/bags.h"
#include "mneme/core/error.h"
#include "mneme/core/version.h"
#include "mneme/data/folders.h"
#include "mneme/data/read_file.h"

namespace mneme::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Calls `visit` with the key in config.json and the variable of each setting.
template <class Run, class Visit> void for_each_setting(Run& run, Visit visit) {
  visit("task", run.task);
  visit("model", run.model.name);
  visit("epochs", run.schedule.epochs);
  visit("batch_size", run.schedule.batch_size);
  visit("learning_rate", run.schedule.learning_rate);
  visit("weight_decay", run.schedule.weight_decay);
  visit("gradient_norm_max", run.schedule.gradient_norm_max);
  visit("probability_floor", run.schedule.probability_floor);
  visit("scored_after_step", run.schedule.scored_after_step);
  visit("patience", run.schedule.patience);
  visit("seeds", run.seeds);
  visit("seed", run.seed);
  if (run.task == "bit-pattern") {
    visit("bags", run.bits.num_bags);
    visit("instances", run.bits.num_instances);
    visit("signals", run.bits.num_signals);
    visit("signals_per_bag", run.bits.num_signals_per_bag);
    visit("bits", run.bits.num_bits);
  } else if (run.task == "latch") {
    visit("samples", run.latch.num_samples);
    visit("length", run.latch.num_instances);
    visit("characters", run.latch.num_characters);
  } else {
    visit("bags", run.digits.num_bags);
    visit("target", run.digits.target);
    visit("mean_size", run.digits.mean_size);
    visit("size_deviation", run.digits.size_std);
  }
}

template <class T> bool has_type(const Json& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return value.is_string();
  } else if constexpr (std::is_same_v<T, bool>) {
    return value.is_boolean();
  } else if constexpr (std::is_same_v<T, double>) {
    return value.is_number();
  } else if constexpr (std::is_unsigned_v<T>) {
    return value.is_number_unsigned();
  } else {
    return value.is_number_integer();
  }
}

template <class T> const char* type_text() {
  if constexpr (std::is_same_v<T, std::string>) {
    return "a string";
  } else if constexpr (std::is_same_v<T, bool>) {
    return "true or false";
  } else {
    return "a number";
  }
}

} // namespace

nlohmann::ordered_json to_json(const BagRun& run) {
  Json json = {{"version", version()}, {"verb", "train"}};
  for_each_setting(run, [&](const char* name, const auto& value) { json[name] = value; });
  json["separation"] = name_of(run.model.separation);
  if (run.model.separation.kind == SimplexSeparation::Kind::entmax) {
    json["alpha"] = run.model.separation.alpha;
  }
  return json;
}

BagRun read_bag_run(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  const std::vector<std::byte> bytes = data::read_file(path);
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  const auto json = parse_strict_json<Json>({text, bytes.size()}, path.string(),
                                            {.advice = "Give the run folder of `mneme train`."});
  BagRun run;
  for_each_setting(run, [&]<class T>(const char* name, T& value) {
    const auto found = json.find(name);
    if (found == json.end() || !has_type<T>(*found)) {
      throw DataError(fmt::format(
          "{}: \"{}\" is {}, but must be {}.\n  Give the run folder of `mneme train bit-pattern`, "
          "`latch` or `mnist-bags`.",
          path.string(), name, found == json.end() ? "missing" : found->dump(), type_text<T>()));
    }
    value = found->get<T>();
  });
  if (const auto found = json.find("separation"); found != json.end()) {
    const auto alpha = json.find("alpha");
    try {
      run.model.separation =
          separation_named(found->get<std::string>(),
                           alpha == json.end() ? std::nullopt : std::optional(alpha->get<double>()));
    } catch (const std::exception& error) { // wrong type, or unknown name
      throw DataError(fmt::format("{}: \"separation\": {}", path.string(), error.what()));
    }
  }
  if (run.seeds < 1 || run.seeds > kSeedsMax) {
    throw DataError(
        fmt::format("{}: \"seeds\" is {}, but must be from 1 to {}.\n  Give the run folder of `mneme train`.",
                    path.string(), run.seeds, kSeedsMax));
  }
  return run;
}

training::BagTask task_of(const BagRun& run, const std::filesystem::path& data) {
  if (run.task == "bit-pattern") {
    return training::bit_pattern_task(run.bits);
  }
  if (run.task == "latch") {
    return training::latch_task(run.latch);
  }
  if (run.task != "mnist-bags") {
    throw DataError(fmt::format(
        "the task of this run is \"{}\", but must be bit-pattern, latch or mnist-bags.\n  Runs of "
        "other tasks have no checkpoints.",
        run.task));
  }
  const std::filesystem::path folder = data::data_folder(data);
  const std::optional<learning::Digits> digits = learning::find_digits(folder);
  if (!digits) {
    throw DataError(
        fmt::format("{}: MNIST not found (neither mnist/train-images-idx3-ubyte nor "
                    "mnist/t10k-images-idx3-ubyte, also tried with .gz).\n  Download it with `mneme data get "
                    "mnist`, or choose its folder with --data.",
                    folder.string()));
  }
  return training::digit_bag_task(digits->images, digits->split, run.digits);
}

report::Table class_table(const training::BagTask& task) {
  const auto percent = [](const char* name, const char* key) {
    return report::Column{.name = name, .key = key, .notation = report::Notation::percent, .digits = 1};
  };
  report::Table table{.columns = {{.name = "set"},
                                  {.name = "bags"},
                                  {.name = "positive"},
                                  percent("positive fraction", "share_positive"),
                                  {.name = "negative"},
                                  percent("negative fraction", "share_negative")}};
  for (const auto& [set, name] :
       {std::pair(&task.training, "training"), std::pair(&task.validation, "validation")}) {
    const int64_t count = set->count(), positive = set->num_positive(), negative = count - positive;
    const auto fraction = [&](int64_t part) {
      return static_cast<double>(part) / static_cast<double>(count);
    };
    table.rows.push_back({name, count, positive, fraction(positive), negative, fraction(negative)});
  }
  return table;
}

std::vector<training::BagJob> jobs_of(const BagRun& run, const training::BagTask& task,
                                      const std::filesystem::path& folder) {
  std::vector<training::BagJob> jobs;
  for (int64_t i = 0; i < run.seeds; ++i) {
    const uint64_t seed = run.seed + static_cast<uint64_t>(i);
    jobs.push_back({.task = &task,
                    .model = run.model,
                    .schedule = run.schedule,
                    .seed = seed,
                    .checkpoint = folder / "checkpoints" / fmt::format("seed-{}.safetensors", seed)});
  }
  return jobs;
}

} // namespace mneme::cli
