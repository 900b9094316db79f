// SPDX-License-Identifier: MIT

#include "mneme/data/load_patterns.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "data/file_kind.h"
#include "data/gzip.h"
#include "data/numbers.h"
#include "data/pattern_folder.h"
#include "data/readers.h"
#include "mneme/core/error.h"
#include "mneme/data/idx.h"
#include "mneme/data/png.h"
#include "mneme/data/read_file.h"
#include "mneme/data/threshold.h"

namespace mneme::data {
namespace {

using Paths = std::vector<std::filesystem::path>;

void reject_option(const std::string& name, const std::string& option, const std::string& why) {
  throw UsageError(fmt::format("{}: {}, but {}.\n  Remove the option.", name, option, why));
}

/// Throws on options that do not apply to the format of the file.
void check_options(const std::string& name, const LoadOptions& options, bool has_tensors, bool has_arrays) {
  if (!options.tensor.empty() && !has_tensors) {
    reject_option(name, fmt::format("the tensor {:?} was requested", options.tensor),
                  "only .npz, .safetensors and .pt files contain named tensors");
  }
  if (options.packed && !has_arrays) {
    reject_option(name, "packed bits were requested",
                  "only files of arrays (IDX, .npy, .npz, .safetensors, .pt) can contain them");
  }
}

void transpose(PatternSet& set, const std::string& name) {
  if (!set.is_image()) {
    throw UsageError(fmt::format("{}: the patterns are not images, so they cannot be transposed.\n"
                                 "  Remove --transpose, or use an array [N, height, width].",
                                 name));
  }
  std::vector<double> pixels(static_cast<size_t>(set.patterns.size()));
  for (int64_t i = 0; i < set.patterns.count(); ++i) {
    const std::span<double> pattern = set.patterns[i];
    for (int64_t y = 0; y < set.height; ++y) {
      for (int64_t x = 0; x < set.width; ++x) {
        for (int64_t channel = 0; channel < set.channels; ++channel) {
          pixels[static_cast<size_t>((x * set.height + y) * set.channels + channel)] =
              pattern[static_cast<size_t>((y * set.width + x) * set.channels + channel)];
        }
      }
    }
    std::copy(pixels.begin(), pixels.end(), pattern.begin());
  }
  std::swap(set.height, set.width);
}

PatternSet read_as(FileKind kind, const Source& source, const LoadOptions& options) {
  const bool has_tensors = kind == FileKind::npz || kind == FileKind::safetensors || kind == FileKind::torch;
  check_options(source.name(), options, has_tensors,
                has_tensors || kind == FileKind::npy || kind == FileKind::idx);
  switch (kind) {
  case FileKind::idx:
    return read_idx(source, options);
  case FileKind::cifar:
    return read_cifar(source, options.limit);
  case FileKind::csv:
    return read_csv(source, options.limit);
  case FileKind::npy:
    return read_npy(source, options);
  case FileKind::npz:
    return read_npz(source, options);
  case FileKind::png:
    return read_png(source);
  case FileKind::netpbm:
    return read_netpbm(source);
  case FileKind::safetensors:
    return read_safetensors(source, options);
  case FileKind::torch:
    return read_torch(source, options);
  }
  return {};
}

/// True if a gzip file contains an IDX file. Decompresses only the first bytes.
bool contains_idx(const Source& gzip) {
  std::array<std::byte, 4> magic{};
  return open_stream(gzip)->read(magic) == std::ssize(magic) &&
         is_idx_magic(static_cast<uint32_t>(unsigned_from(magic, true)));
}

PatternSet read_file_of_patterns(const std::filesystem::path& path, const LoadOptions& options) {
  const std::unique_ptr<Source> source = open_source(path);
  if (!is_gzip(*source)) {
    return read_as(kind_of(*source), *source, options);
  }
  if (contains_idx(*source)) {
    return read_as(FileKind::idx, *source, options);
  }
  const std::unique_ptr<Source> content = decompress(*source);
  if (content->size() == 0) {
    fail(content->name(), "is a gzip file with no content",
         "Nothing has been written to it: create, copy or download it again.");
  }
  if (is_gzip(*content)) {
    fail(content->name(), "was compressed twice by gzip", "Decompress it once: gunzip -c FILE > NEW.gz.");
  }
  return read_as(kind_of(*content), *content, options);
}

PatternSet read_folder(const std::filesystem::path& path, const LoadOptions& options) {
  const FolderContent content = list_folder(path);
  if (image_files(content.files).empty()) {
    if (const std::optional<IdxPair> idx = find_idx_files(path)) {
      PatternSet set = read_file_of_patterns(idx->images, options);
      if (idx->labels) {
        set.labels = read_idx_labels(*idx->labels, set.patterns.count());
        if (std::ssize(set.labels) != set.patterns.count()) {
          fail(idx->labels->string(),
               fmt::format("contains {} labels, but {} contains {} images", set.labels.size(),
                           idx->images.filename().string(), set.patterns.count()),
               "Use a folder with matching files, or only the file of images.");
        }
      }
      return set;
    }
  }
  check_options(path.string(), options, false, false);
  if (image_files(content.files).empty() && !content.folders.empty()) {
    return read_class_folders(path, options.limit);
  }
  return read_png_folder(path, options.limit);
}

PatternSet read_one(const std::filesystem::path& path, const LoadOptions& options) {
  std::error_code error;
  PatternSet set = std::filesystem::is_directory(path, error) ? read_folder(path, options)
                                                              : read_file_of_patterns(path, options);
  if (options.transpose) {
    transpose(set, path.string());
  }
  set.count_without_limit = std::max(set.count_without_limit, set.patterns.count() + set.bits.count());
  return set;
}

std::string shape_of(const PatternSet& set) {
  return set.is_image() ? fmt::format("images of {} x {} x {} (height x width x channels)", set.height,
                                      set.width, set.channels)
         : set.bits.bits() > 0
             ? fmt::format("patterns of {} bit{}", set.bits.bits(), set.bits.bits() == 1 ? "" : "s")
             : fmt::format("patterns of {} number{}", set.patterns.size(),
                           set.patterns.size() == 1 ? "" : "s");
}

/// Concatenates the patterns of several files.
class PatternSetBuilder {
public:
  void add(const std::string& name, PatternSet more) {
    if (names_.empty()) {
      set_ = std::move(more);
      names_.push_back(name);
      return;
    }
    check_shape(name, more);
    merge_scale(name, more);
    merge_labels(name, more);
    merge_ids(more);
    if (set_.threshold != more.threshold) { // only one of them consists of 0 and 1
      set_.threshold = 0;
    }
    set_.patterns.append(more.patterns);
    set_.count_without_limit += more.count_without_limit;
    if (!more.bits.empty()) {
      set_.bits.append(more.bits);
    }
    names_.push_back(name);
  }

  int64_t count() const { return set_.patterns.count() + set_.bits.count(); }

  /// `is_complete`: all files were added.
  PatternSet result(bool is_complete) {
    if (!is_complete) {
      set_.count_without_limit = 0;
    }
    if (names_.size() > 1) {
      set_.source = names_.size() == 2 ? fmt::format("{}, {}", set_.source, title(names_[1]))
                                       : fmt::format("{} and {} more files", set_.source, names_.size() - 1);
    }
    return std::move(set_);
  }

private:
  static std::string title(const std::string& name) {
    return std::filesystem::path(name).filename().string();
  }

  void check_shape(const std::string& name, const PatternSet& more) const {
    if (more.patterns.size() != set_.patterns.size() || more.bits.bits() != set_.bits.bits() ||
        more.image_shape() != set_.image_shape()) {
      PatternSet first = PatternSet{.patterns = RealPatterns(0, set_.patterns.size()),
                                    .bits = BitPatterns(0, set_.bits.bits()),
                                    .height = set_.height,
                                    .width = set_.width,
                                    .channels = set_.channels};
      fail(name, fmt::format("contains {}, but {} contains {}", shape_of(more), names_[0], shape_of(first)),
           "Files that are read together must have patterns of the same shape.");
    }
  }

  void merge_scale(const std::string& name, const PatternSet& more) {
    if (set_.file_scale == more.file_scale) {
      return;
    }
    const auto is_zero = [](double x) { return x == 0; };
    if (set_.is_image()) { // all images are in [0, 1]
      set_.file_scale = 1;
    } else if (std::ranges::all_of(numbers_of(set_.patterns), is_zero)) { // the same on every scale
      set_.file_scale = more.file_scale;
      set_.threshold = more.threshold;
    } else if (!std::ranges::all_of(numbers_of(more.patterns), is_zero)) {
      fail(name,
           fmt::format("its numbers were {}, but those of {} were {}", scale_of(more), names_[0],
                       scale_of(set_)),
           "Save both with the same type and range: all as uint8, or all as floats.");
    }
  }

  static std::string scale_of(const PatternSet& set) {
    return set.file_scale == 1 ? "not scaled" : fmt::format("divided by {}", set.file_scale);
  }

  void merge_labels(const std::string& name, const PatternSet& more) {
    if (set_.labels.empty() != more.labels.empty()) {
      set_.labels.clear(); // some patterns have no labels
      set_.class_names.clear();
      return;
    }
    if (!set_.labels.empty() && set_.class_names != more.class_names) {
      fail(name,
           fmt::format("has {} classes, which are not the same as those of {}", more.class_names.size(),
                       names_[0]),
           "Files that are read together must have the same classes.");
    }
    set_.labels.insert(set_.labels.end(), more.labels.begin(), more.labels.end());
  }

  void merge_ids(const PatternSet& more) {
    if (set_.ids.empty() != more.ids.empty()) {
      set_.ids.clear(); // some patterns have no ids
      return;
    }
    set_.ids.insert(set_.ids.end(), more.ids.begin(), more.ids.end());
  }

  PatternSet set_;
  std::vector<std::string> names_;
};

} // namespace

PatternSet load_patterns(const std::filesystem::path& path, const LoadOptions& options) {
  return load_patterns(std::span(&path, 1), options);
}

namespace {

/// The files that the paths name.
Paths files_of(std::span<const std::filesystem::path> paths) {
  Paths files;
  for (const std::filesystem::path& path : paths) {
    const Paths more = expand_wildcards(path);
    files.insert(files.end(), more.begin(), more.end());
  }
  if (files.empty()) {
    throw UsageError("mneme::data::load_patterns: no file was given.\n  Pass at least one file.");
  }
  return files;
}

} // namespace

PatternSet load_patterns(std::span<const std::filesystem::path> paths, const LoadOptions& options) {
  limited(0, options.limit);
  if (options.bits != 0 && !options.packed) {
    throw UsageError(fmt::format(
        "bits: {} bits per pattern were given, but the patterns are not packed.\n  Set the bit order "
        "with --packed, or remove --bits.",
        options.bits));
  }
  if (options.as_bits && !options.packed) {
    throw UsageError(
        "mneme::data::load_patterns: the option as_bits is for packed bits.\n  Set the bit order "
        "`packed`, or use to_bits(set.patterns, set.threshold).");
  }
  if (std::count_if(paths.begin(), paths.end(), is_standard_input) > 1) {
    throw UsageError("standard input was given twice, but it can be read only once.\n  Use a file instead.");
  }
  const Paths files = files_of(paths);
  if (files.size() == 1) {
    return read_one(files[0], options);
  }
  PatternSetBuilder all;
  bool is_complete = true;
  for (const std::filesystem::path& file : files) {
    LoadOptions rest = options;
    if (options.limit > 0) {
      rest.limit = options.limit - all.count();
      if (rest.limit == 0) {
        is_complete = false;
        break;
      }
    }
    all.add(file.string(), read_one(file, rest));
  }
  return all.result(is_complete);
}

int64_t count_patterns(std::span<const std::filesystem::path> paths, LoadOptions options) {
  options.limit = 1;
  int64_t count = 0;
  for (const std::filesystem::path& file : files_of(paths)) {
    count += load_patterns(file, options).count_without_limit;
  }
  return count;
}

} // namespace mneme::data
