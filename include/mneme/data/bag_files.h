// SPDX-License-Identifier: MIT

/// Reads bags of feature vectors with class names from files.
///
/// A CSV table has one instance per line, a column of bag names, and optionally a column of class names,
/// equal for all instances of a bag; all other columns are features. Lines of one bag need not follow each
/// other. Files of arrays have:
///
/// instances  [instances, features...] with `offsets`, or [bags, instances, features...] for bags of one size
/// offsets    integers [bags + 1]: the instances of bag b are offsets[b] to offsets[b + 1] (exclusive)
/// labels     integers or booleans [bags]: optional; the class name is the number as text
///
/// In .safetensors and .npz files these are the names of the tensors or arrays; a .npy file contains
/// instances only. Every file may be compressed by gzip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "mneme/data/labelled_bags.h"

namespace mneme::data {

struct BagFileOptions {
  std::string bag_column = "bag", label_column = "label"; ///< CSV: names of the columns
  std::vector<std::string> ignored_columns = {};          ///< CSV: names of columns that are not features
  /// CSV: name of the column with an id of each instance, which is not a feature; empty: none.
  std::string instance_column = {};
  /// CSV: names of the features, in the order of BagFile::numbers; the columns may be in any order. Empty:
  /// all columns but those above are features, in the order of the file.
  std::vector<std::string> features = {};
  /// true: the names above are those of other bags. The columns of class names and of ids and ignored
  /// columns may be missing, and the names have no effect on files of other kinds. false: only a column of
  /// class names with the default name may be missing.
  bool columns_are_optional = false;
  /// true: these columns must exist in spite of columns_are_optional.
  bool label_must_exist = false, instance_must_exist = false, ignored_must_exist = false;
  /// true: the class of a bag may be missing, which is an empty cell, or a file without classes among others.
  bool classes_may_be_missing = false;
  /// true: missing values are NaN in BagFile::numbers; false: they are an error. A missing value is an empty
  /// cell, or NA, N/A, NaN, null or None in any case, and NaN in an array.
  bool missing_is_nan = false;
  std::filesystem::path offsets = {}, labels = {}; ///< .npy: files of offsets and labels; empty: none
};

/// Bags as they are in the files.
struct BagFile {
  std::vector<std::string> names = {}; ///< of the bags; files of arrays: 0, 1, ...
  /// Class name of each bag; empty if the files have none. Empty text: the class of this bag is missing.
  std::vector<std::string> classes = {};
  std::vector<std::string> feature_names = {}; ///< CSV: names of the columns; else empty
  int64_t num_features = 0;
  std::vector<float> numbers = {};    ///< [instances, num_features], bag after bag
  std::vector<int64_t> offsets = {0}; ///< [bags + 1]
  /// Number of each instance in its file, from 0, without the header of a CSV table.
  std::vector<int64_t> rows = {};
  std::vector<int64_t> lines = {};            ///< CSV: line of each instance, from 1; else empty
  std::vector<std::string> instance_ids = {}; ///< of each instance; empty if the files have none

  int64_t count() const { return static_cast<int64_t>(names.size()); }
};

/// Reads one or more files into one set, in the order given; columns of features may be in another order than
/// in the first file. `name` is used in messages.
///
/// Errors  DataError with file and line or index: a column or tensor is missing, there are no features, a bag
///         has two classes, offsets do not fit, a number is not finite, missing or beyond float32, a bag is
///         in two files, files differ in features or only some of them have classes or ids. UsageError if an
///         option does not apply to the files
BagFile read_bag_files(std::span<const std::filesystem::path> paths, const BagFileOptions& options = {});
BagFile parse_bag_csv(std::span<const std::byte> bytes, const std::string& name,
                      const BagFileOptions& options = {});
BagFile parse_bag_safetensors(std::span<const std::byte> bytes, const std::string& name);

/// Name of a feature in messages: that of its column in quotes, or "feature 3" in files of arrays.
std::string feature_text(const BagFile& bags, int64_t feature);

/// Number of missing values, in total and in each feature, such as
/// `3 of 40 numbers are missing: "age" (2), "bmi" (1)`; empty if there are none.
std::string missing_text(const BagFile& bags);

/// SHA-256 of the instances, the sizes and the classes of the bags, 64 hexadecimal digits: equal for the same
/// bags in the same order, whatever the names of bags, features and files are.
std::string content_hash(const BagFile& bags);

/// The two classes of a task.
struct BagClasses {
  std::string negative, positive;
};

/// Chooses the positive class: `positive` if it is not empty; the negative class is then the other one, or,
/// with more than two classes, "not <positive>". Otherwise there must be two classes, and the positive one is
/// the larger number, or the later text in the order of bytes.
///
/// Errors  DataError if there are no class names, or one class only; UsageError if `positive` is not among
///         them, or if it is empty and there are more than two
BagClasses choose_classes(const BagFile& bags, const std::string& positive = "");

/// Whether the names of two classes are equal, as texts or as numbers: pandas writes 1 as 1.0 if other values
/// of the column are missing.
bool are_same_class(const std::string& a, const std::string& b);

/// Whether all classes but the positive one are negative.
bool is_one_against_all(const BagClasses& classes);

/// Bags with labels: 1 for bags of the positive class, else 0. Without class names all labels are 0.
///
/// Errors  DataError for a class that is not among `classes`
LabelledBags to_labelled_bags(const BagFile& bags, const BagClasses& classes);

} // namespace mneme::data
