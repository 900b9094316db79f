// SPDX-License-Identifier: MIT

#include "cli/bag_run.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/bag_features.h"
#include "cli/choices.h"
#include "json/strict_json.h"
#include "learning/bag_fits.h"
#include "learning/bags.h"
#include "mneme/core/error.h"
#include "mneme/core/sha256.h"
#include "mneme/core/text.h"
#include "mneme/core/version.h"
#include "mneme/data/folders.h"
#include "mneme/data/read_file.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kRefuse = "refuse"; ///< values of --missing
constexpr const char* kMean = "mean";
constexpr const char* kBest = "best"; ///< value of --keep

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
  } else if (run.task == kOwnBags) {
    visit("files", run.own.files);
    visit("validation_files", run.own.validation_files);
    visit("offsets", run.own.offsets);
    visit("labels", run.own.labels);
    visit("bag_column", run.own.columns.bag_column);
    visit("label_column", run.own.columns.label_column);
    visit("ignored_columns", run.own.columns.ignored_columns);
    visit("validation_fraction", run.own.validation_fraction);
    visit("negative_class", run.own.classes.negative);
    visit("positive_class", run.own.classes.positive);
    visit("num_features", run.own.num_features);
    visit("features", run.own.features);
  } else {
    visit("bags", run.digits.num_bags);
    visit("target", run.digits.target);
    visit("mean_size", run.digits.mean_size);
    visit("size_deviation", run.digits.size_std);
  }
}

Json to_json(const BagContents& contents) {
  return {{"bags", contents.bags}, {"features", contents.features}, {"sha256", contents.sha256}};
}

/// Contents that `to_json` wrote; without a hash if there is no such entry.
BagContents contents_in(const Json& config, const char* key) {
  const auto found = config.find(key);
  if (found == config.end() || !found->is_object()) {
    return {};
  }
  return {.bags = found->value("bags", int64_t{0}),
          .features = found->value("features", int64_t{0}),
          .sha256 = found->value("sha256", "")};
}

/// Replaces files that are no longer there by those at the same place relative to the run folder, if these
/// exist.
void find_moved_files(OwnBags& own, const std::filesystem::path& folder) {
  if (own.files.empty() || own.data_folder.empty()) {
    return;
  }
  const std::filesystem::path before = std::filesystem::path(own.files.front()).parent_path(),
                              now = std::filesystem::absolute(folder) / own.data_folder;
  const auto find = [&](std::string& file) {
    std::error_code unreadable;
    if (!file.empty() && !std::filesystem::exists(file, unreadable)) {
      const std::filesystem::path moved =
          (now / std::filesystem::path(file).lexically_relative(before)).lexically_normal();
      file = std::filesystem::exists(moved, unreadable) ? moved.string() : file;
    }
  };
  std::ranges::for_each(own.files, find);
  std::ranges::for_each(own.validation_files, find);
  find(own.offsets);
  find(own.labels);
}

template <class T> bool has_type(const Json& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return value.is_string();
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    return value.is_array() &&
           std::ranges::all_of(value, [](const Json& entry) { return entry.is_string(); });
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
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    return "a list of strings";
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
  json["balanced_classes"] = run.schedule.balanced_classes;
  if (run.schedule.keeps_best) { // early versions had no such setting
    json["keep"] = kBest;
  }
  if (run.task == kOwnBags) {
    json["standardize"] = run.own.standardize;
    if (!run.own.columns.instance_column.empty()) {
      json["instance_column"] = run.own.columns.instance_column;
    }
    if (run.own.replaces_missing) {
      json["missing"] = kMean;
    }
    json["contents"] = to_json(run.own.contents);
    if (!run.own.validation_files.empty()) {
      json["validation_contents"] = to_json(run.own.validation_contents);
    }
    json["data_folder"] = run.own.data_folder;
  }
  return json;
}

BagRun read_bag_run(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  std::error_code unreadable;
  if (!std::filesystem::exists(path, unreadable)) {
    const char* problem = !std::filesystem::exists(folder, unreadable) ? "there is no such folder"
                          : std::filesystem::is_directory(folder, unreadable)
                              ? "this folder contains no config.json, so it is not a run"
                              : "is a file, but the folder of a run was expected";
    throw DataError(fmt::format("{}: {}.\n  Give the folder that `mneme train` has written, with config.json "
                                "and checkpoints/.",
                                printable(folder.string()), problem));
  }
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
          "`latch`, `mnist-bags` or `bags`.",
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
  run.schedule.balanced_classes = json.value("balanced_classes", Json()) == true; // early versions had none
  run.schedule.keeps_best = json.value("keep", Json()) == kBest;
  if (const auto found = json.find("standardize");
      found != json.end()) { // early versions had no such setting
    run.own.standardize = found->is_boolean() && found->get<bool>();
  }
  run.own.replaces_missing = json.value("missing", Json()) == kMean;
  if (const auto found = json.find("instance_column"); found != json.end() && found->is_string()) {
    run.own.columns.instance_column = found->get<std::string>();
  }
  if (run.task == kOwnBags) {
    OwnBags& own = run.own;
    own.contents = contents_in(json, "contents");
    own.validation_contents = contents_in(json, "validation_contents");
    if (const auto found = json.find("data_folder"); found != json.end() && found->is_string()) {
      own.data_folder = found->get<std::string>();
    }
    find_moved_files(own, folder);
  }
  if (run.seeds < 1 || run.seeds > kSeedsMax) {
    throw DataError(
        fmt::format("{}: \"seeds\" is {}, but must be from 1 to {}.\n  Give the run folder of `mneme train`.",
                    path.string(), run.seeds, kSeedsMax));
  }
  return run;
}

namespace {

data::BagFile read_files(const std::vector<std::string>& files, data::BagFileOptions options,
                         const std::string& offsets, const std::string& labels) {
  options.offsets = offsets;
  options.labels = labels;
  const std::vector<std::filesystem::path> paths(files.begin(), files.end());
  return read_bag_files(paths, options);
}

/// Throws a DataError if the bags have other features than the training bags. The names of columns have been
/// compared when the file was read.
void check_features(const OwnBags& own, const data::BagFile& bags, const std::string& file) {
  if (bags.num_features != own.num_features) {
    throw DataError(
        fmt::format("{}: the bags have {} features, but the training bags have {}.\n  Use bags with "
                    "the features of the training bags.",
                    file, bags.num_features, own.num_features));
  }
}

} // namespace

void declare_missing(Arguments& arguments, const std::string& default_word,
                     std::function<void(bool replaces)> set) {
  add_word_option(
      arguments, "--missing", {kRefuse, kMean}, default_word,
      [set = std::move(set)](size_t index) { set(index == 1); },
      "Missing values (empty cells, NA, NaN, null): refuse, or replace them by the mean of the feature in "
      "the "
      "training bags");
}

void declare_columns(Arguments& arguments, OtherBags& bags) {
  declare_missing(arguments, "as in the training",
                  [&bags](bool replaces) { bags.replaces_missing = replaces; });
  arguments.add_option("--offsets", bags.offsets, "With a .npy file: file of its offsets, [bags + 1]")
      ->type_name("FILE");
  arguments.add_option("--labels", bags.labels, "With a .npy file: file of its labels, [bags]")
      ->type_name("FILE");
  arguments
      .add_option("--bag-column", bags.bag_column,
                  "CSV: column with the name of the bag (default: that of the training bags)")
      ->type_name("NAME");
  arguments
      .add_option("--label-column", bags.label_column,
                  "CSV: column with the class of the bag (default: that of the training bags)")
      ->type_name("NAME");
  arguments
      .add_option(
          "--ignore-columns", bags.ignored_columns,
          "CSV: columns that are not features, separated by commas (default: those of the training bags)")
      ->type_name("NAMES")
      ->delimiter(',');
  arguments
      .add_option("--instance-column", bags.instance_column,
                  "CSV: column with the id of each instance, which is not a feature (default: that of the "
                  "training bags)")
      ->type_name("NAME");
}

nlohmann::ordered_json OtherBags::to_json() const {
  Json json = {{"bags", files}};
  for (const auto& [key, value] :
       {std::pair("offsets", &offsets), std::pair("labels", &labels), std::pair("bag_column", &bag_column),
        std::pair("label_column", &label_column), std::pair("instance_column", &instance_column)}) {
    if (!value->empty()) {
      json[key] = *value;
    }
  }
  if (!ignored_columns.empty()) {
    json["ignored_columns"] = ignored_columns;
  }
  if (replaces_missing) {
    json["missing"] = *replaces_missing ? kMean : kRefuse;
  }
  return json;
}

BagContents contents_of(const data::BagFile& bags) {
  return {.bags = bags.count(), .features = bags.num_features, .sha256 = content_hash(bags)};
}

void check_contents(const std::string& set, const std::vector<std::string>& files, const BagContents& before,
                    const BagContents& now, const std::string& advice) {
  if (before.sha256.empty() || before.sha256 == now.sha256) {
    return;
  }
  const auto text = [](const BagContents& contents) {
    return fmt::format("{} bags with {}", contents.bags, report::counted(contents.features, "feature"));
  };
  std::vector<std::string> names;
  for (const std::string& file : files) {
    names.push_back(printable(std::filesystem::path(file).filename().string()));
  }
  throw UsageError(
      fmt::format("the {} bags have changed since the run began: {} had {}, and now {} {}.\n  {}", set,
                  fmt::join(names, ", "), text(before), names.size() == 1 ? "has" : "have",
                  text(before) == text(now) ? "as many, with other numbers or classes" : text(now), advice));
}

std::optional<data::BagFile> read_validation_bags(const OwnBags& own) {
  if (own.validation_files.empty()) {
    return std::nullopt;
  }
  data::BagFileOptions options = own.columns;
  options.features = own.features;
  options.missing_is_nan = own.replaces_missing;
  data::BagFile file = read_files(own.validation_files, options, "", "");
  check_features(own, file, own.validation_files.front());
  if (file.classes.empty()) {
    throw DataError(
        own.validation_files.front() +
        ": the validation bags have no classes.\n  Add a column or an array with one class per bag.");
  }
  return file;
}

OwnTask own_task(const BagRun& run, const data::BagFile& bags,
                 const std::optional<data::BagFile>& validation_bags) {
  const OwnBags& own = run.own;
  data::LabelledBags training = to_labelled_bags(bags, own.classes), validation;
  if (validation_bags) {
    validation = to_labelled_bags(*validation_bags, own.classes);
  } else {
    std::tie(training, validation) = training::split_bags(training, own.validation_fraction, run.seed);
  }
  const auto hashes_of = [](const data::LabelledBags& set) {
    return data::bag_hashes(set.numbers, set.instance_size(), set.offsets);
  };
  training::BagSummary summary{.features =
                                   data::standardization_of(training.numbers, training.instance_size()),
                               .bags = hashes_of(training)};
  std::ranges::sort(summary.bags);
  OwnTask result;
  if (const int64_t repeated = count_training_bags(summary.bags, hashes_of(validation)); repeated > 0) {
    result.warnings.push_back(
        fmt::format("warning: {} of {} validation bags {} the same numbers as a training bag, so validation "
                    "measures in part what the model has memorised; give each bag once",
                    repeated, validation.count(), repeated == 1 ? "has" : "have"));
  }
  const data::Standardization* standards = own.standardize ? &summary.features : nullptr;
  check_magnitudes(bags, standards, own.files.front());
  if (validation_bags) {
    check_magnitudes(*validation_bags, standards, own.validation_files.front());
    std::ranges::move(unit_warnings(*validation_bags, summary.features, "the validation bags"),
                      std::back_inserter(result.warnings));
  }
  if (own.replaces_missing) {
    const std::vector<float>& means = summary.features.means;
    if (const auto none = std::ranges::find_if(means, [](float mean) { return std::isnan(mean); });
        none != means.end()) {
      throw DataError(
          fmt::format("{}: {} is missing in all instances of the training bags.\n  Leave it out{}.",
                      own.files.front(), feature_text(bags, none - means.begin()),
                      bags.feature_names.empty() ? "" : " with --ignore-columns"));
    }
    data::replace_missing(training.numbers, means);
    data::replace_missing(validation.numbers, means);
  }
  std::optional<data::Standardization> standardization;
  if (own.standardize) {
    standardization = standardization_of(training);
    standardize(training, *standardization);
    standardize(validation, *standardization);
  }
  result.task = training::own_bag_task(std::move(training), std::move(validation));
  result.task.standardization = std::move(standardization);
  result.task.summary = std::move(summary);
  return result;
}

data::BagFile read_bags_for(const BagRun& run, const OtherBags& bags, bool classes_may_be_missing) {
  if (run.task != kOwnBags) {
    throw UsageError(
        fmt::format("--bags needs a run of `mneme train bags`, but this run is of {}.\n  Train a model "
                    "on your bags first.",
                    run.task));
  }
  data::BagFileOptions options = run.own.columns;
  options.features = run.own.features;
  options.columns_are_optional = true;
  options.classes_may_be_missing = classes_may_be_missing;
  options.missing_is_nan = bags.replaces_missing.value_or(run.own.replaces_missing);
  if (!bags.bag_column.empty()) {
    options.bag_column = bags.bag_column;
  }
  if (!bags.label_column.empty()) {
    options.label_column = bags.label_column;
  }
  if (!bags.ignored_columns.empty()) {
    options.ignored_columns = bags.ignored_columns;
  }
  if (!bags.instance_column.empty()) {
    options.instance_column = bags.instance_column;
  }
  options.label_must_exist = !bags.label_column.empty();
  options.instance_must_exist = !bags.instance_column.empty();
  options.ignored_must_exist = !bags.ignored_columns.empty();
  data::BagFile file = read_files(bags.files, options, bags.offsets, bags.labels);
  check_features(run.own, file, bags.files.front());
  if (!bags.label_column.empty() && file.classes.empty() && file.lines.empty()) { // not a table
    throw DataError(
        fmt::format("{}: there is no column \"{}\" of classes.\n  Correct --label-column, or leave "
                    "it out.",
                    bags.files.front(), printable(bags.label_column)));
  }
  if (!bags.instance_column.empty() && file.instance_ids.empty()) {
    throw DataError(
        fmt::format("{}: there is no column \"{}\" of instances.\n  Correct --instance-column, or leave it "
                    "out.",
                    bags.files.front(), printable(bags.instance_column)));
  }
  return file;
}

std::vector<std::string> prepare_bags(const BagRun& run, data::BagFile& bags, const std::string& file,
                                      const std::filesystem::path& checkpoint) {
  std::vector<std::string> warnings;
  const std::string missing = replaced_text(bags);
  const std::optional<training::BagSummary> training = learning::training_summary(checkpoint);
  check_magnitudes(bags, run.own.standardize && training ? &training->features : nullptr, file);
  if (!training) { // of an early version
    if (missing.empty()) {
      return warnings;
    }
    throw DataError(
        fmt::format("{}: contains no means of the training bags, by which missing values could be "
                    "replaced: it was written by an earlier version.\n  Train again, or fill in the "
                    "missing values.",
                    printable(checkpoint.string())));
  }
  const int64_t repeated =
      count_training_bags(training->bags, data::bag_hashes(bags.numbers, bags.num_features, bags.offsets));
  if (repeated > 0) {
    warnings.push_back(
        fmt::format("warning: {} of {} bags {} the same numbers as a training bag of this run: "
                    "the results on {} do not show how the model classifies other bags",
                    repeated, bags.count(), repeated == 1 ? "has" : "have", repeated == 1 ? "it" : "them"));
  }
  std::ranges::move(unit_warnings(bags, training->features, "these bags"), std::back_inserter(warnings));
  if (!missing.empty()) {
    warnings.push_back(missing);
    data::replace_missing(bags.numbers, training->features.means);
  }
  return warnings;
}

void accept_moved_files(Json& earlier, const Json& config, const std::vector<std::string>& keys) {
  const auto names_of = [](const Json& paths) {
    std::vector<std::string> names;
    for (const Json& path : paths.is_array() ? paths : Json::array({paths})) {
      names.push_back(std::filesystem::path(path.is_string() ? path.get<std::string>() : "").filename());
    }
    return names;
  };
  for (const std::string& key : keys) {
    if (earlier.contains(key) && config.contains(key) && names_of(earlier[key]) == names_of(config[key])) {
      earlier[key] = config[key];
    }
  }
}

Json result_identity(const std::string& verb, const std::filesystem::path& folder, const BagRun& run,
                     const OtherBags& bags, const data::BagFile* file) {
  Json settings = to_json(run);
  for (const char* key :
       {"version", "epochs", "patience", "seeds", "files", "validation_files", "offsets", "labels",
        "data_folder"}) { // a run with more epochs or in another place is the same
    settings.erase(key);
  }
  Sha256 hash;
  hash.add(settings.dump());
  Json identity = {{"verb", verb},
                   {"run", printable(std::filesystem::canonical(folder).string())},
                   {"run_sha256", hash.digits()}};
  if (file != nullptr) {
    identity.update(bags.to_json());
    identity["bags_sha256"] = content_hash(*file);
  }
  return identity;
}

RunFolder open_result_folder(const std::filesystem::path& folder, const Json& identity) {
  const auto update = [&](Json& earlier) {
    const auto accept = [&](const char* hash, const std::vector<std::string>& keys) {
      if (!identity.contains(hash)) {
        return;
      }
      if (earlier.contains(hash) && earlier[hash] == identity[hash]) {
        accept_moved_files(earlier, identity, keys);
      }
      earlier[hash] = identity[hash]; // differences are those of the paths, which a person can read
    };
    accept("run_sha256", {"run"});
    accept("bags_sha256", {"bags", "offsets", "labels"});
  };
  return open_run_folder(folder, identity, {.update = update});
}

std::vector<std::filesystem::path> checkpoints_of(const BagRun& run, const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const training::BagJob& job : jobs_of(run, {}, folder)) {
    if (std::filesystem::exists(job.checkpoint)) {
      paths.push_back(job.checkpoint);
    }
  }
  if (paths.empty()) {
    throw DataError(fmt::format("{}: contains no checkpoint, so there is no trained model.\n  `mneme train "
                                "{}` writes one after every "
                                "epoch: run it again with the settings of this run.",
                                printable((folder / "checkpoints").string()), run.task));
  }
  return paths;
}

namespace {

/// The task of the files of a run, which must still have the same bags.
training::BagTask own_task_of(const BagRun& run) {
  const OwnBags& own = run.own;
  std::error_code unreadable;
  for (const std::vector<std::string>* files : {&own.files, &own.validation_files}) {
    for (const std::string& file : *files) {
      if (!std::filesystem::exists(file, unreadable)) {
        throw DataError(fmt::format(
            "{}: the file with the bags of the run is no longer there.\n  Put it back, or evaluate "
            "the run on other bags with --bags FILE.",
            printable(file)));
      }
    }
  }
  constexpr const char* kAdvice = "Restore the files, or evaluate the run on other bags with --bags FILE.";
  data::BagFileOptions options = own.columns;
  options.missing_is_nan = own.replaces_missing;
  const data::BagFile bags = read_files(own.files, options, own.offsets, own.labels);
  check_contents("training", own.files, own.contents, contents_of(bags), kAdvice);
  check_features(own, bags, own.files.front());
  const std::optional<data::BagFile> validation = read_validation_bags(own);
  if (validation) {
    check_contents("validation", own.validation_files, own.validation_contents, contents_of(*validation),
                   kAdvice);
  }
  return own_task(run, bags, validation).task;
}

} // namespace

training::BagTask task_of(const BagRun& run, const std::filesystem::path& data) {
  if (run.task == "bit-pattern") {
    return training::bit_pattern_task(run.bits);
  }
  if (run.task == "latch") {
    return training::latch_task(run.latch);
  }
  if (run.task == kOwnBags) {
    return own_task_of(run);
  }
  if (run.task != "mnist-bags") {
    throw DataError(fmt::format(
        "the task of this run is \"{}\", but must be bit-pattern, latch, mnist-bags or bags.\n  Runs of "
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
  // `mneme eval` with bags of its own has no training bags.
  const char* validation = task.training.count() == 0 ? "given" : "validation";
  for (const auto& [set, name] :
       {std::pair(&task.training, "training"), std::pair(&task.validation, validation)}) {
    if (set->count() == 0) {
      continue;
    }
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
