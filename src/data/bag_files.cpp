// SPDX-License-Identifier: MIT

#include "mneme/data/bag_files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/csv_rows.h"
#include "data/file_kind.h"
#include "data/gzip.h"
#include "data/readers.h"
#include "data/zip.h"
#include "mneme/core/error.h"
#include "mneme/core/sha256.h"
#include "mneme/data/safetensors.h"

namespace mneme::data {
namespace {

constexpr const char* kInstances = "instances";
constexpr const char* kOffsets = "offsets";
constexpr const char* kLabels = "labels";
constexpr const char* kAdviceOnLabels =
    "Save labels = numpy.unique(labels, return_inverse=True)[1], the number of each class; classes of a CSV "
    "table may be texts.";
constexpr const char* kAdviceOnLists = "Save instances = numpy.concatenate(bags) and offsets = "
                                       "numpy.concatenate([[0], numpy.cumsum([len(bag) for "
                                       "bag in bags])]).";
constexpr const char* kAdviceOnOffsets =
    "Write offsets = numpy.concatenate([[0], numpy.cumsum(sizes)]), with the number of instances of each bag "
    "in sizes.";

/// The number as float32. `place` names it in messages.
float to_float(const std::string& file, double number, const std::string& place) {
  if (!std::isfinite(number)) {
    fail(file, fmt::format("{}: a finite number was expected, found {}", place, number), "Replace it.");
  }
  if (std::abs(number) > double{std::numeric_limits<float>::max()}) {
    fail(file, fmt::format("{}: {} is beyond the range of float32", place, number), "Rescale this feature.");
  }
  return static_cast<float>(number);
}

/// Names in quotes, the first ones of many.
std::string columns_text(const std::vector<std::string>& names) {
  constexpr size_t kShown = 20;
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    shown.push_back(shown_cell(names[i]));
  }
  return fmt::format("{}{}", fmt::join(shown, ", "), names.size() > kShown ? ", ..." : "");
}

/// Whether a cell is one of the ways to write that a number is missing.
bool is_missing(std::string_view cell) {
  constexpr std::array kTexts = {"", "na", "n/a", "nan", "null", "none"};
  std::string lower;
  for (const char c : cell) {
    if (c != ' ' && c != '\t') {
      lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
  }
  return std::ranges::find(kTexts, lower) != kTexts.end();
}

/// Throws if numbers are missing and the options do not permit it.
void check_missing(const BagFile& bags, const std::string& name, const BagFileOptions& options) {
  const std::string missing = options.missing_is_nan ? "" : missing_text(bags);
  if (missing.empty()) {
    return;
  }
  int64_t first = std::numeric_limits<int64_t>::max(); // line or row; bags may be scattered over the lines
  for (size_t i = 0; i < bags.numbers.size(); ++i) {
    if (std::isnan(bags.numbers[i])) {
      const size_t row = i / static_cast<size_t>(bags.num_features);
      first = std::min(first, bags.lines.empty() ? bags.rows[row] : bags.lines[row]);
    }
  }
  fail(name,
       fmt::format("{}; the first one is {} {}", missing, bags.lines.empty() ? "in instance" : "on line",
                   first),
       fmt::format(
           "--missing mean replaces them by the mean of the feature in the training bags. Or fill them "
           "in{}.",
           bags.lines.empty() ? "" : ", or leave out these columns with --ignore-columns"));
}

/// A remark on the first name that differs from `name` in upper and lower case only; empty if there is none.
std::string case_remark(const std::string& name, const std::vector<std::string>& others) {
  const auto lower = [](std::string text) {
    for (char& c : text) {
      c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return text;
  };
  for (const std::string& other : others) {
    if (other != name && lower(other) == lower(name)) {
      return fmt::format(". {} differs from {} in upper and lower case only", shown_cell(other),
                         shown_cell(name));
    }
  }
  return "";
}

// ---- CSV

/// Columns of a table, from its header.
struct Columns {
  size_t count = 0, bag = 0;
  std::optional<size_t> label, instance;
  std::vector<size_t> features;
};

class CsvBags {
public:
  CsvBags(const Source& source, std::string_view text, const BagFileOptions& options)
      : source_(source), rows_(source, text), options_(options) {}

  BagFile read() {
    if (!rows_.next()) {
      fail(source_.name(), "is empty, a header was expected", "Write a table with a header.");
    }
    read_header();
    while (rows_.next()) {
      read_row();
    }
    if (bags_.empty()) {
      fail(source_.name(), "contains no instances after the header", "Write one instance per line.");
    }
    BagFile file;
    file.num_features = std::ssize(columns_.features);
    file.feature_names = std::move(feature_names_);
    for (Bag& bag : bags_) {
      file.numbers.insert(file.numbers.end(), bag.numbers.begin(), bag.numbers.end());
      file.rows.insert(file.rows.end(), bag.rows.begin(), bag.rows.end());
      file.lines.insert(file.lines.end(), bag.lines.begin(), bag.lines.end());
      std::ranges::move(bag.ids, std::back_inserter(file.instance_ids));
      file.offsets.push_back(std::ssize(file.rows));
      file.names.push_back(std::move(bag.name));
      if (columns_.label) {
        file.classes.push_back(std::move(bag.label));
      }
      bag = {}; // its memory is no longer needed
    }
    check_missing(file, source_.name(), options_);
    return file;
  }

private:
  struct Bag {
    std::string name, label;
    int64_t line = 0; ///< of its first instance
    std::vector<float> numbers;
    std::vector<int64_t> rows, lines;
    std::vector<std::string> ids;
  };

  void read_header() {
    const std::vector<std::string>& cells = rows_.cells();
    columns_.count = cells.size();
    std::set<std::string> seen;
    for (size_t column = 0; column < cells.size(); ++column) {
      if (cells[column].empty()) { // without this check, a column of row numbers would be a feature
        rows_.wrong(rows_.location(column), "the column has no name",
                    "Name or remove it. If it contains row numbers that pandas has written, use "
                    "to_csv(FILE, index=False).");
      }
      if (!seen.insert(cells[column]).second) {
        rows_.wrong(rows_.location(column),
                    fmt::format("a second column has the name {}", shown_cell(cells[column])),
                    "Rename one of them.");
      }
    }
    const auto column_of = [&](const std::string& name) {
      const auto found = std::ranges::find(cells, name);
      return found == cells.end() ? std::nullopt : std::optional(static_cast<size_t>(found - cells.begin()));
    };
    const std::string kIgnore = "--ignore-columns";
    const auto require = [&](const std::string& name, const std::string& option, bool is_given = false) {
      const std::optional<size_t> column = column_of(name);
      if (!column) {
        rows_.wrong(
            rows_.location(),
            fmt::format("there is no column {}; the columns are {}{}", shown_cell(name), columns_text(cells),
                        case_remark(name, cells)),
            is_given || option == kIgnore
                ? fmt::format("Correct the name in {}, or leave it out; the first line must be a header.",
                              option)
                : fmt::format("Name the column with {}, or add it; the first line must be a header.",
                              option));
      }
      return *column;
    };
    columns_.bag = require(options_.bag_column, "--bag-column");
    const bool label_is_optional =
        !options_.label_must_exist &&
        (options_.columns_are_optional || options_.label_column == BagFileOptions().label_column);
    columns_.label =
        label_is_optional
            ? column_of(options_.label_column)
            : std::optional(require(options_.label_column, "--label-column", options_.label_must_exist));
    if (!options_.instance_column.empty()) {
      columns_.instance = options_.columns_are_optional && !options_.instance_must_exist
                              ? column_of(options_.instance_column)
                              : std::optional(require(options_.instance_column, "--instance-column",
                                                      options_.instance_must_exist));
      if (columns_.instance && (columns_.instance == columns_.bag || columns_.instance == columns_.label)) {
        rows_.wrong(
            rows_.location(*columns_.instance),
            fmt::format("the column {} contains the {}, and cannot also contain the ids of instances",
                        shown_cell(options_.instance_column),
                        columns_.instance == columns_.bag ? "names of the bags" : "classes of the bags"),
            "Name the column with the ids with --instance-column, or leave it out.");
      }
    }
    std::set<std::optional<size_t>> ignored{columns_.instance};
    for (const std::string& name : options_.ignored_columns) {
      ignored.insert(options_.columns_are_optional && !options_.ignored_must_exist
                         ? column_of(name)
                         : std::optional(require(name, kIgnore)));
    }
    for (size_t column = 0; column < cells.size(); ++column) {
      if (column != columns_.bag && column != columns_.label && !ignored.contains(column)) {
        columns_.features.push_back(column);
        feature_names_.push_back(cells[column]);
      }
    }
    if (columns_.features.empty()) {
      rows_.wrong(rows_.location(), "there is no column of features", "Add columns of numbers.");
    }
    if (!options_.features.empty()) {
      order_features();
    }
  }

  /// The beginning of advice on columns that are no features: the column of ids or of classes may have a
  /// name other than in the training bags.
  std::string extra_advice(const std::vector<std::string>& extra) const {
    const char* option = !options_.instance_column.empty() && !columns_.instance ? "--instance-column"
                         : !columns_.label                                       ? "--label-column"
                                                                                 : nullptr;
    if (option == nullptr || extra.size() != 1) {
      return "L";
    }
    const bool ids = option == std::string_view("--instance-column");
    return fmt::format(
        "If it contains the {}, as {} does in the training bags, name it with {} {}. Otherwise, l",
        ids ? "ids of the instances" : "classes of the bags",
        shown_cell(ids ? options_.instance_column : options_.label_column), option, extra.front());
  }

  /// Puts the features into the order of the options.
  void order_features() {
    const auto not_in = [](const std::vector<std::string>& names, const std::vector<std::string>& others) {
      std::vector<std::string> rest;
      std::ranges::copy_if(names, std::back_inserter(rest), [&](const std::string& name) {
        return std::ranges::find(others, name) == others.end();
      });
      return rest;
    };
    const std::vector<std::string> absent = not_in(options_.features, feature_names_),
                                   extra = not_in(feature_names_, options_.features);
    if (!absent.empty()) {
      rows_.wrong(
          rows_.location(),
          fmt::format("there is no column {} of the features {}{}{}", columns_text(absent),
                      columns_text(options_.features),
                      extra.empty() ? "" : fmt::format("; {} is not one of them", columns_text(extra)),
                      case_remark(absent.front(), extra)),
          "Add or rename columns.");
    }
    if (!extra.empty()) {
      rows_.wrong(
          rows_.location(),
          fmt::format("the column {} is not one of the features {}", columns_text(extra),
                      columns_text(options_.features)),
          fmt::format("{}eave it out with --ignore-columns {}.", extra_advice(extra), fmt::join(extra, ",")));
    }
    std::vector<size_t> ordered;
    for (const std::string& name : options_.features) {
      ordered.push_back(columns_.features[static_cast<size_t>(std::ranges::find(feature_names_, name) -
                                                              feature_names_.begin())]);
    }
    columns_.features = std::move(ordered);
    feature_names_ = options_.features;
  }

  void read_row() {
    const std::vector<std::string>& cells = rows_.cells();
    if (cells.size() != columns_.count) {
      rows_.wrong(rows_.location(),
                  fmt::format("has {} cell{}, but the header has {}", cells.size(),
                              cells.size() == 1 ? "" : "s", columns_.count),
                  "Complete the line, or remove it.");
    }
    const std::string& name = cells[columns_.bag];
    if (name.empty()) {
      rows_.wrong(rows_.location(columns_.bag), "the name of the bag is empty", "Fill it in.");
    }
    const auto [found, is_new] = places_.emplace(name, bags_.size());
    if (is_new) {
      bags_.push_back({.name = name,
                       .label = {},
                       .line = rows_.line(),
                       .numbers = {},
                       .rows = {},
                       .lines = {},
                       .ids = {}});
    }
    Bag& bag = bags_[found->second];
    if (columns_.label) {
      const std::string& label = cells[*columns_.label];
      if (label.empty() && !options_.classes_may_be_missing) {
        rows_.wrong(rows_.location(*columns_.label), "the class is empty",
                    "Fill it in, or remove the lines of this bag. `mneme predict` classifies bags without "
                    "classes.");
      }
      if (!is_new && label != bag.label) {
        rows_.wrong(rows_.location(*columns_.label),
                    fmt::format("the bag {} has the class {}, but {} on line {}", shown_cell(name),
                                shown_cell(label), shown_cell(bag.label), bag.line),
                    "All instances of a bag have the class of the bag.");
      }
      bag.label = label;
    }
    for (const size_t column : columns_.features) {
      if (is_missing(cells[column])) {
        bag.numbers.push_back(std::numeric_limits<float>::quiet_NaN());
        continue;
      }
      const double number =
          rows_.number(column, "Correct it, or leave out the column of texts with --ignore-columns.");
      bag.numbers.push_back(to_float(source_.name(), number, rows_.location(column)));
    }
    bag.rows.push_back(row_++);
    bag.lines.push_back(rows_.line());
    if (columns_.instance) {
      bag.ids.push_back(cells[*columns_.instance]);
    }
  }

  const Source& source_;
  CsvRows rows_;
  const BagFileOptions& options_;
  Columns columns_;
  std::vector<std::string> feature_names_;
  std::map<std::string, size_t> places_; ///< index of each bag
  std::vector<Bag> bags_;
  int64_t row_ = 0;
};

BagFile read_csv_bags(const Source& source, const BagFileOptions& options) {
  const std::vector<std::byte> bytes = source.first_bytes(source.size());
  return CsvBags(source, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, options).read();
}

// ---- arrays

struct Tensor {
  std::unique_ptr<Source> own; ///< empty if the source belongs to the caller
  const Source* source = nullptr;
  Array array;
  std::string name; ///< for messages

  /// All numbers, flattened. Numbers of float types may be NaN.
  std::vector<double> numbers() const {
    const RealPatterns read = read_numbers(*source, array, 0);
    return {read.data(), read.data() + read.count() * read.size()};
  }
};

struct Tensors {
  std::optional<Tensor> instances, offsets, labels;
};

/// Integers of one axis.
std::vector<int64_t> integers_of(const Tensor& tensor, const char* what) {
  if (tensor.array.shape.size() != 1) {
    fail(tensor.name,
         fmt::format("{} have the shape [{}], but one axis was expected", what,
                     fmt::join(tensor.array.shape, ", ")),
         "Save x.ravel().");
  }
  constexpr double kMax = 0x1p53;
  std::vector<int64_t> integers;
  for (const double number : tensor.numbers()) {
    if (!(std::abs(number) <= kMax) || number != std::floor(number)) {
      fail(tensor.name,
           fmt::format("{}, number {}: an integer was expected, found {}", what, integers.size(), number),
           "Save integers.");
    }
    integers.push_back(static_cast<int64_t>(number));
  }
  return integers;
}

void set_offsets(BagFile& file, const Tensors& tensors) {
  const Tensor& instances = *tensors.instances;
  const std::vector<int64_t>& shape = instances.array.shape;
  if (!tensors.offsets) {
    if (shape.size() < 3) {
      fail(instances.name,
           fmt::format("there are no offsets, and instances have the shape [{}]", fmt::join(shape, ", ")),
           fmt::format("Add offsets (.npy: --offsets FILE), or save bags of one size as [bags, instances, "
                       "features]. {}",
                       kAdviceOnOffsets));
    }
    for (int64_t bag = 1; bag <= shape[0]; ++bag) {
      file.offsets.push_back(bag * shape[1]);
    }
    return;
  }
  const Tensor& tensor = *tensors.offsets;
  file.offsets = integers_of(tensor, kOffsets);
  const std::vector<int64_t>& offsets = file.offsets;
  if (offsets.size() < 2 || offsets.front() != 0) {
    fail(tensor.name,
         fmt::format(
             "there are {} offsets, and the first one is {}; at least 2 were expected, beginning with 0",
             offsets.size(), offsets.empty() ? "missing" : std::to_string(offsets.front())),
         kAdviceOnOffsets);
  }
  for (size_t bag = 0; bag + 1 < offsets.size(); ++bag) {
    if (offsets[bag + 1] <= offsets[bag]) {
      fail(tensor.name,
           fmt::format("bag {} begins at {} and ends at {}, but must have at least one instance", bag,
                       offsets[bag], offsets[bag + 1]),
           offsets[bag + 1] == offsets[bag] ? "Remove the bag and its label." : kAdviceOnOffsets);
    }
  }
  if (offsets.back() != shape[0]) {
    fail(tensor.name,
         fmt::format("the last offset is {}, but there are {} instances", offsets.back(), shape[0]),
         kAdviceOnOffsets);
  }
}

BagFile read_tensors(const Tensors& tensors, const BagFileOptions& options) {
  const Tensor& instances = *tensors.instances;
  const std::vector<int64_t>& shape = instances.array.shape;
  if (shape.size() < 2) {
    fail(instances.name,
         fmt::format("instances have the shape [{}], but at least two axes were expected",
                     fmt::join(shape, ", ")),
         "Save [instances, features].");
  }
  BagFile file;
  const std::vector<double> numbers = instances.numbers(); // also checks that no size is 0
  set_offsets(file, tensors);
  file.num_features = std::ssize(numbers) / file.offsets.back();
  file.numbers.reserve(numbers.size());
  for (const double number : numbers) {
    const int64_t at = std::ssize(file.numbers);
    const bool fits = std::isfinite(number) && std::abs(number) <= double{std::numeric_limits<float>::max()};
    file.numbers.push_back(std::isnan(number) ? std::numeric_limits<float>::quiet_NaN()
                           : fits             ? static_cast<float>(number)
                                              : to_float(instances.name, number,
                                                         fmt::format("instance {}, feature {}", at / file.num_features,
                                                                     at % file.num_features)));
  }
  for (int64_t row = 0; row < file.offsets.back(); ++row) {
    file.rows.push_back(row);
  }
  for (size_t bag = 0; bag + 1 < file.offsets.size(); ++bag) {
    file.names.push_back(std::to_string(bag));
  }
  if (tensors.labels) {
    for (const int64_t label : integers_of(*tensors.labels, kLabels)) {
      file.classes.push_back(std::to_string(label));
    }
    if (file.classes.size() != file.names.size()) {
      fail(tensors.labels->name,
           fmt::format("there are {} labels for {} bags", file.classes.size(), file.names.size()),
           "Save one label per bag.");
    }
  }
  check_missing(file, instances.name, options);
  return file;
}

void require_instances(const Source& source, const Tensors& tensors, const std::vector<std::string>& names) {
  if (!tensors.instances) {
    fail(source.name(),
         fmt::format("there is no \"{}\"; it contains {}", kInstances,
                     names.empty() ? "nothing" : fmt::format("\"{}\"", fmt::join(names, "\", \""))),
         "Name the arrays \"instances\", \"offsets\" and \"labels\".");
  }
}

/// Calls `find` for each array that there is.
template <class Find> Tensors find_all(const std::vector<std::string>& names, Find find) {
  Tensors tensors;
  for (const auto& [name, tensor] :
       {std::pair(kInstances, &tensors.instances), std::pair(kOffsets, &tensors.offsets),
        std::pair(kLabels, &tensors.labels)}) {
    if (std::ranges::find(names, name) != names.end()) {
      *tensor = find(name);
    }
  }
  return tensors;
}

BagFile read_safetensors_bags(const Source& source, const BagFileOptions& options) {
  std::vector<std::string> names;
  const std::vector<std::byte> bytes = source.first_bytes(source.size());
  for (const SafetensorsEntry& entry : parse_safetensors_entries(bytes, source.name())) {
    names.push_back(entry.name);
  }
  const Tensors tensors = find_all(names, [&](const std::string& name) {
    return Tensor{
        .own = nullptr, .source = &source, .array = find_safetensors(source, name), .name = source.name()};
  });
  require_instances(source, tensors, names);
  return read_tensors(tensors, options);
}

/// `name`: kInstances, kOffsets or kLabels.
Tensor npy_tensor(std::unique_ptr<Source> source, const std::string& name) {
  const Source* where = source.get();
  const NpyAdvice advice = name == kLabels ? NpyAdvice{.strings = kAdviceOnLabels, .objects = kAdviceOnLabels}
                           : name == kInstances ? NpyAdvice{.objects = kAdviceOnLists}
                                                : NpyAdvice();
  return {
      .own = std::move(source), .source = where, .array = find_npy(*where, advice), .name = where->name()};
}

BagFile read_npz_bags(const Source& source, const BagFileOptions& options) {
  constexpr std::string_view kEnding = ".npy";
  std::vector<ZipMember> members = zip_members(source);
  std::erase_if(members, [&](const ZipMember& member) { return !member.name.ends_with(kEnding); });
  std::vector<std::string> names;
  for (const ZipMember& member : members) {
    names.push_back(member.name.substr(0, member.name.size() - kEnding.size()));
  }
  const Tensors tensors = find_all(names, [&](const std::string& name) {
    const auto index = static_cast<size_t>(std::ranges::find(names, name) - names.begin());
    return npy_tensor(open_member(source, members[index]), name);
  });
  require_instances(source, tensors, names);
  return read_tensors(tensors, options);
}

std::unique_ptr<Source> open_content(const std::filesystem::path& path) {
  std::unique_ptr<Source> source = open_source(path);
  return is_gzip(*source) ? decompress(*source) : std::move(source);
}

BagFile read_npy_bags(std::unique_ptr<Source> source, const BagFileOptions& options) {
  Tensors tensors{.instances = npy_tensor(std::move(source), kInstances), .offsets = {}, .labels = {}};
  if (!options.offsets.empty()) {
    tensors.offsets = npy_tensor(open_content(options.offsets), kOffsets);
  }
  if (!options.labels.empty()) {
    tensors.labels = npy_tensor(open_content(options.labels), kLabels);
  }
  return read_tensors(tensors, options);
}

/// Throws if an option was given that has no effect on a file of this kind.
void check_options(const std::string& name, const BagFileOptions& options, FileKind kind) {
  const auto refuse = [&](const char* option, const char* kinds) {
    throw UsageError(fmt::format("{}: {} has an effect on {} only.\n  Leave it out.", name, option, kinds));
  };
  if (kind != FileKind::npy && !(options.offsets.empty() && options.labels.empty())) {
    refuse(options.offsets.empty() ? "--labels" : "--offsets", ".npy files");
  }
  const BagFileOptions defaults;
  if (kind != FileKind::csv && !options.columns_are_optional) {
    if (options.bag_column != defaults.bag_column || options.label_column != defaults.label_column) {
      refuse(options.bag_column != defaults.bag_column ? "--bag-column" : "--label-column", "CSV tables");
    }
    if (!options.ignored_columns.empty() || !options.instance_column.empty()) {
      refuse(options.ignored_columns.empty() ? "--instance-column" : "--ignore-columns", "CSV tables");
    }
  }
}

BagFile read_one(const std::filesystem::path& path, const BagFileOptions& options) {
  std::unique_ptr<Source> source = open_content(path);
  const FileKind kind = kind_of(*source);
  check_options(source->name(), options, kind);
  switch (kind) {
  case FileKind::csv:
    return read_csv_bags(*source, options);
  case FileKind::npy:
    return read_npy_bags(std::move(source), options);
  case FileKind::npz:
    return read_npz_bags(*source, options);
  case FileKind::safetensors:
    return read_safetensors_bags(*source, options);
  default:
    fail(source->name(), "is neither a CSV table nor a .npy, .npz or .safetensors file",
         "Save the bags in one of these formats.");
  }
}

/// Adds the bags of another file. Bags of arrays have no names of their own, so they are counted on.
void append(BagFile& all, BagFile more, const std::string& path, const std::string& first_path,
            bool classes_may_be_missing) {
  if (all.num_features != more.num_features || all.feature_names != more.feature_names) {
    const bool have_names = !all.feature_names.empty() || !more.feature_names.empty();
    const auto text = [&](const BagFile& bags) {
      return fmt::format("{} features{}", bags.num_features,
                         !have_names ? ""
                         : bags.feature_names.empty()
                             ? " without names"
                             : fmt::format(" ({})", columns_text(bags.feature_names)));
    };
    fail(path, fmt::format("has {}, but {} has {}", text(more), first_path, text(all)),
         "All files must have the same features: either CSV tables with the same columns, or arrays.");
  }
  if (all.classes.empty() != more.classes.empty() && classes_may_be_missing) {
    BagFile& without = all.classes.empty() ? all : more;
    without.classes.resize(without.names.size());
  }
  if (all.classes.empty() != more.classes.empty()) {
    fail(path,
         fmt::format("has {} classes, but {} has {}", more.classes.empty() ? "no" : "", first_path,
                     all.classes.empty() ? "none" : "classes"),
         "Either all files or none have classes.");
  }
  if (all.instance_ids.empty() != more.instance_ids.empty()) {
    fail(path,
         fmt::format("has {} column of instances, but {} has {}", more.instance_ids.empty() ? "no" : "a",
                     first_path, all.instance_ids.empty() ? "none" : "one"),
         "Either all files or none have the column that --instance-column names.");
  }
  if (all.feature_names.empty()) {
    for (size_t bag = 0; bag < more.names.size(); ++bag) {
      more.names[bag] = std::to_string(all.names.size() + bag);
    }
  } else {
    const std::set<std::string> names(all.names.begin(), all.names.end());
    for (const std::string& name : more.names) {
      if (names.contains(name)) {
        fail(path, fmt::format("the bag {} is also in an earlier file", shown_cell(name)),
             "Rename one of them.");
      }
    }
  }
  const int64_t instances = all.offsets.back();
  for (size_t bag = 1; bag < more.offsets.size(); ++bag) {
    all.offsets.push_back(instances + more.offsets[bag]);
  }
  all.numbers.insert(all.numbers.end(), more.numbers.begin(), more.numbers.end());
  all.rows.insert(all.rows.end(), more.rows.begin(), more.rows.end());
  all.lines.insert(all.lines.end(), more.lines.begin(), more.lines.end());
  std::ranges::move(more.names, std::back_inserter(all.names));
  std::ranges::move(more.classes, std::back_inserter(all.classes));
  std::ranges::move(more.instance_ids, std::back_inserter(all.instance_ids));
}

/// The number that a text is; nullopt for other texts, and for numbers that float64 may round.
std::optional<double> number_in(const std::string& text) {
  constexpr double kMax = 0x1p53;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  return is_number && std::abs(number) < kMax ? std::optional(number) : std::nullopt;
}

} // namespace

BagFile parse_bag_csv(std::span<const std::byte> bytes, const std::string& name,
                      const BagFileOptions& options) {
  return read_csv_bags(MemorySource(bytes, name), options);
}

BagFile parse_bag_safetensors(std::span<const std::byte> bytes, const std::string& name) {
  return read_safetensors_bags(MemorySource(bytes, name), {});
}

BagFile read_bag_files(std::span<const std::filesystem::path> paths, const BagFileOptions& options) {
  if (paths.empty()) {
    throw UsageError("mneme::data::read_bag_files: no file is given.\n  Give at least one file of bags.");
  }
  if (paths.size() > 1 && !(options.offsets.empty() && options.labels.empty())) {
    throw UsageError(
        fmt::format("--offsets and --labels belong to one .npy file, but {} files are given.\n  Save "
                    "the arrays of each set of bags in one .npz or .safetensors file.",
                    paths.size()));
  }
  BagFile all = read_one(paths.front(), options);
  BagFileOptions same_features = options;
  same_features.features = all.feature_names;
  for (const std::filesystem::path& path : paths.subspan(1)) {
    append(all, read_one(path, same_features), path.string(), paths.front().string(),
           options.classes_may_be_missing);
  }
  if (std::ranges::all_of(all.classes, &std::string::empty)) {
    all.classes.clear();
  }
  return all;
}

std::string feature_text(const BagFile& bags, int64_t feature) {
  return bags.feature_names.empty() ? fmt::format("feature {}", feature)
                                    : shown_cell(bags.feature_names[static_cast<size_t>(feature)]);
}

std::string missing_text(const BagFile& bags) {
  constexpr size_t kShown = 20;
  std::vector<int64_t> counts(static_cast<size_t>(bags.num_features));
  int64_t sum = 0;
  for (size_t i = 0; i < bags.numbers.size(); ++i) {
    if (std::isnan(bags.numbers[i])) {
      ++counts[i % counts.size()];
      ++sum;
    }
  }
  if (sum == 0) {
    return "";
  }
  std::vector<std::string> features;
  for (size_t feature = 0; feature < counts.size() && features.size() < kShown; ++feature) {
    if (counts[feature] > 0) {
      features.push_back(
          fmt::format("{} ({})", feature_text(bags, static_cast<int64_t>(feature)), counts[feature]));
    }
  }
  const int64_t num_features = std::ssize(counts) - std::ranges::count(counts, 0);
  return fmt::format("{} of {} numbers {} missing: {}{}", sum, bags.numbers.size(), sum == 1 ? "is" : "are",
                     fmt::join(features, ", "), num_features > std::ssize(features) ? ", ..." : "");
}

std::string content_hash(const BagFile& bags) {
  Sha256 hash;
  hash.add(std::as_bytes(std::span(bags.numbers)));
  hash.add(std::as_bytes(std::span(bags.offsets)));
  for (const std::string& name : bags.classes) {
    hash.add(name);
    hash.add(std::string_view("\0", 1)); // classes are separated by a byte that is 0
  }
  return hash.digits();
}

BagClasses choose_classes(const BagFile& bags, const std::string& positive) {
  if (bags.classes.empty()) {
    throw DataError(
        "the bags have no classes.\n  Add a column (CSV) or an array (\"labels\") with one class per "
        "bag; --label-column names another column.");
  }
  const std::set<std::string> distinct(bags.classes.begin(), bags.classes.end());
  std::vector<std::string> names(distinct.begin(), distinct.end());
  if (std::ranges::all_of(names, [](const std::string& name) { return number_in(name).has_value(); })) {
    std::ranges::sort(names, {}, [](const std::string& name) { return *number_in(name); });
  }
  constexpr size_t kShown = 20;
  const std::string shown = fmt::format(
      "\"{}\"{}",
      fmt::join(names.begin(), names.begin() + std::min(std::ssize(names), std::ptrdiff_t{kShown}), "\", \""),
      names.size() > kShown ? ", ..." : "");
  if (names.size() == 1) {
    throw DataError(fmt::format(
        "all {} bags have the class {}.\n  Add bags of another class. --allow-one-class does not "
        "replace them: it permits that the training or the validation bags have only one of two classes.",
        bags.count(), shown));
  }
  if (positive.empty()) {
    if (names.size() > 2) {
      throw UsageError(
          fmt::format("the bags have {} classes: {}.\n  Name one of them with --positive; bags of all "
                      "other classes are then negative.",
                      names.size(), shown));
    }
    return {.negative = names[0], .positive = names[1]};
  }
  if (!distinct.contains(positive)) {
    throw UsageError(fmt::format("--positive \"{}\": the bags have the classes {}.\n  Name one of these.",
                                 positive, shown));
  }
  return {.negative = names.size() == 2 ? names[names[0] == positive ? 1 : 0] : "not " + positive,
          .positive = positive};
}

bool are_same_class(const std::string& a, const std::string& b) {
  const std::optional<double> number = number_in(a);
  return a == b || (number && number == number_in(b));
}

bool is_one_against_all(const BagClasses& classes) {
  return classes.negative == "not " + classes.positive;
}

LabelledBags to_labelled_bags(const BagFile& bags, const BagClasses& classes) {
  LabelledBags labelled{
      .instance_shape = {bags.num_features}, .numbers = bags.numbers, .offsets = bags.offsets};
  labelled.targets.assign(bags.names.size(), 0);
  const bool one_against_all = is_one_against_all(classes);
  for (size_t bag = 0; bag < bags.classes.size(); ++bag) {
    const std::string& name = bags.classes[bag];
    const bool is_positive = are_same_class(name, classes.positive);
    if (!is_positive && !are_same_class(name, classes.negative) && !one_against_all) {
      throw DataError(
          fmt::format("the bag {} has the class {}, but the classes are {} and {}.\n  Use the classes of "
                      "the training bags.",
                      shown_cell(bags.names[bag]), shown_cell(name), shown_cell(classes.negative),
                      shown_cell(classes.positive)));
    }
    labelled.targets[bag] = is_positive ? 1 : 0;
  }
  return labelled;
}

} // namespace mneme::data
