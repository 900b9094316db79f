// SPDX-License-Identifier: MIT

#include "mneme/store/memory_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstring>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "mneme/core/atomic_file.h"
#include "mneme/core/crc32c.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/packed_bits.h"
#include "mneme/data/read_file.h"
#include "mneme/data/safetensors.h"
#include "store/memory_file.h"

namespace mneme::store {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they are in memory");

constexpr const char* kFormat = "mneme.item-memory";
constexpr const char *kVersion = "1", *kThresholdVersion = "2"; // 2: of a file with a threshold
constexpr int64_t kBitsMax = (int64_t{1} << 30) - 1;            // of a pattern; more cannot be searched

using Metadata = std::map<std::string, std::string>;

[[noreturn]] void
fail(const std::string& file, const std::string& problem,
     const std::string& advice = "Restore the file from a copy, or save the memory again.") {
  throw DataError(fmt::format("{}: {}.\n  {}", printable(file), printable(problem), advice));
}

// --- options as metadata -------------------------------------------------------------------------
// `fields` lists the members of an option once, for writing and reading.

/// Writes values as texts.
class Writer {
public:
  static constexpr bool kReads = false;
  explicit Writer(Metadata& metadata) : metadata_(metadata) {}

  void operator()(const std::string& name, int64_t value) { metadata_[name] = fmt::format("{}", value); }
  void operator()(const std::string& name, uint64_t value) { metadata_[name] = fmt::format("{}", value); }
  void operator()(const std::string& name, double value) { metadata_[name] = fmt::format("{:.17g}", value); }
  void operator()(const std::string& name, bool value) { metadata_[name] = value ? "true" : "false"; }
  template <size_t N>
  void choice(const std::string& name, size_t index, const std::array<const char*, N>& names) {
    metadata_[name] = names.at(index);
  }

private:
  Metadata& metadata_;
};

/// Reads what Writer wrote.
class Reader {
public:
  static constexpr bool kReads = true;
  Reader(Metadata metadata, const std::string& file) : metadata_(std::move(metadata)), file_(file) {}

  bool has(const std::string& name) const { return metadata_.contains(name); }
  std::string text(const std::string& name) {
    const auto found = metadata_.find(name);
    if (found == metadata_.end()) {
      fail(file_, fmt::format("the metadata have no \"{}\"", name));
    }
    std::string value = std::move(found->second);
    metadata_.erase(found);
    return value;
  }
  template <class Number>
  requires(std::same_as<Number, int64_t> || std::same_as<Number, uint64_t> ||
           std::same_as<Number, double>) void
  operator()(const std::string& name, Number& value) {
    const std::string digits = text(name);
    const char* end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, value);
    bool valid = parsed.ec == std::errc() && parsed.ptr == end;
    if constexpr (std::same_as<Number, double>) {
      valid = valid && !std::isnan(value);
    }
    if (!valid) {
      fail(file_, fmt::format("the metadata \"{}\" is \"{:.40}\", but a number was expected", name, digits));
    }
  }
  void operator()(const std::string& name, bool& value) {
    size_t index = 0;
    choice(name, index, std::array{"false", "true"});
    value = index == 1;
  }
  template <size_t N>
  void choice(const std::string& name, size_t& index, const std::array<const char*, N>& names) {
    const std::string value = text(name);
    const auto found = std::ranges::find(names, value);
    if (found == names.end()) {
      fail(file_, fmt::format("the metadata \"{}\" is \"{:.40}\", which is unknown", name, value));
    }
    index = static_cast<size_t>(found - names.begin());
  }
  /// Everything must have been read.
  void finish() const {
    if (!metadata_.empty()) {
      fail(file_, fmt::format("the metadata \"{:.40}\" are unknown", metadata_.begin()->first));
    }
  }

private:
  Metadata metadata_;
  const std::string& file_;
};

template <class Archive, class Enum, size_t N>
void enumerator(Archive& archive, const std::string& name, Enum& value,
                const std::array<const char*, N>& names) {
  auto index = static_cast<size_t>(value);
  archive.choice(name, index, names);
  value = static_cast<Enum>(index);
}

template <class Archive, class Empty>
requires std::is_empty_v<Empty>
void fields(Archive&, Empty&) {}

template <class Archive> void fields(Archive& archive, std::optional<FiniteLocations>& locations) {
  const std::string name = "separation.hard_locations";
  if constexpr (Archive::kReads) {
    if (!archive.has(name)) {
      return;
    }
    locations.emplace();
  } else if (!locations) {
    return;
  } else if (locations->draw) {
    throw UnsupportedError("mneme::store::save_memory: the options have a function that draws random "
                           "numbers, which cannot be saved.\n  Use FiniteLocations with a seed alone.");
  }
  archive(name, locations->hard_locations);
  archive("separation.seed", locations->seed);
}
template <class Archive> void fields(Archive& archive, CircleIntersection& circle) {
  archive("separation.bits", circle.bits);
  archive("separation.hamming_radius", circle.hamming_radius);
  fields(archive, circle.locations);
}
template <class Archive> void fields(Archive& archive, CapIntersection& cap) {
  archive("separation.size", cap.size);
  archive("separation.hamming_radius", cap.hamming_radius);
  archive("separation.original_table", cap.original_table);
  fields(archive, cap.locations);
}
template <class Archive> void fields(Archive& archive, Radius& radius) {
  archive("separation.hamming_radius", radius.hamming_radius);
}
template <class Archive, class WithBeta>
requires(std::same_as<WithBeta, Softmax> || std::same_as<WithBeta, Sparsemax> ||
         std::same_as<WithBeta, Entmax15>) void fields(Archive& archive, WithBeta& separation) {
  archive("separation.beta", separation.beta);
}
template <class Archive> void fields(Archive& archive, SimplexWeights& simplex) {
  enumerator(archive, "separation.kind", simplex.separation.kind,
             std::array{"softmax", "entmax15", "sparsemax", "normmax", "entmax"});
  archive("separation.alpha", simplex.separation.alpha);
  archive("separation.beta", simplex.beta);
}
template <class Archive> void fields(Archive& archive, Polynomial& polynomial) {
  archive("separation.degree", polynomial.degree);
}
template <class Archive> void fields(Archive& archive, Identity& identity) {
  archive("separation.self_connections", identity.self_connections);
}

/// The name of the alternative of a variant, then its fields.
template <class Archive, class... Steps>
void step(Archive& archive, const std::string& name, std::variant<Steps...>& variant,
          const std::array<const char*, sizeof...(Steps)>& names) {
  size_t index = variant.index();
  archive.choice(name, index, names);
  if constexpr (Archive::kReads) {
    size_t i = 0;
    ((i++ == index ? (variant = Steps{}, 0) : 0), ...);
  }
  std::visit([&](auto& alternative) { fields(archive, alternative); }, variant);
}

template <class Archive, class Patterns> void fields(Archive& archive, AssociateOptions<Patterns>& options) {
  step(archive, "similarity", options.similarity,
       std::array{"hamming", "dot", "cosine", "euclidean", "manhattan"});
  step(archive, "separation", options.separation,
       std::array{"circle-intersection", "cap-intersection", "radius", "softmax", "sparsemax", "entmax15",
                  "simplex", "polynomial", "identity", "best-match"});
  step(archive, "projection", options.projection, std::array{"average", "majority", "normalise"});
  enumerator(archive, "precision", options.precision, std::array{"float64", "float32"});
  UpdateOptions& update = options.update;
  archive("update_steps_max", update.update_steps_max);
  archive("update_steps_eps", update.update_steps_eps);
  enumerator(archive, "convergence_criterion", update.convergence_criterion,
             std::array{"direction_change", "max_component_change"});
  archive("stop_together", update.stop_together);
  enumerator(archive, "empty_read", update.empty_read, std::array{"keep_query", "zeros", "mean_of_values"});
}

/// The value comes first: without it, a file has no threshold.
template <class Archive> void fields(Archive& archive, Threshold& threshold) {
  archive("threshold", threshold.value);
  archive("threshold_min", threshold.min);
  archive("threshold_max", threshold.max);
  archive("threshold_file_scale", threshold.file_scale);
}

// --- patterns and payloads as tensors ------------------------------------------------------------

/// A tensor with its bytes.
struct Tensor {
  std::string name, dtype;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
};

template <class T> std::vector<std::byte> bytes_of(const T* values, int64_t count) {
  const auto bytes = std::as_bytes(std::span(values, static_cast<size_t>(count)));
  return {bytes.begin(), bytes.end()};
}

Tensor tensor_of(const std::string& name, const BitPatterns& bits) {
  return {name, "U8", {bits.count(), (bits.bits() + 7) / 8}, data::pack_bits(bits, data::BitOrder::little)};
}
Tensor tensor_of(const std::string& name, const RealPatterns& reals) {
  return {name, "F64", {reals.count(), reals.size()}, bytes_of(reals.data(), reals.count() * reals.size())};
}
Tensor tensor_of(const std::string& name, const std::vector<int64_t>& integers) {
  return {name, "I64", {std::ssize(integers)}, bytes_of(integers.data(), std::ssize(integers))};
}

/// Checksum of the file as memory_file.h defines it. `tensors` are sorted by name; each has a name, a dtype
/// and bytes.
template <class Tensors> std::string checksum(const Metadata& metadata, const Tensors& tensors) {
  uint32_t crc = 0;
  const auto add = [&](std::span<const std::byte> bytes) { crc = crc32c_with_size(bytes, crc); };
  for (const auto& [name, value] : metadata) {
    if (name != "crc32c") {
      add(std::as_bytes(std::span(name)));
      add(std::as_bytes(std::span(value)));
    }
  }
  for (const auto& tensor : tensors) {
    add(std::as_bytes(std::span(tensor.name)));
    add(std::as_bytes(std::span(tensor.dtype)));
    add(tensor.bytes);
  }
  return crc32c_text(crc);
}

constexpr const char* type_name(const BitPatterns&) {
  return "bits";
}
constexpr const char* type_name(const RealPatterns&) {
  return "reals";
}

template <class Patterns>
std::vector<std::byte> to_bytes(const ItemMemory<Patterns>& memory, std::optional<Threshold> threshold) {
  Metadata metadata{{"format", kFormat},
                    {"version", threshold ? kThresholdVersion : kVersion},
                    {"patterns", type_name(memory.patterns())},
                    {"payloads", payload_type(memory.payloads())}};
  Writer writer(metadata);
  AssociateOptions<Patterns> options = memory.options();
  fields(writer, options);
  if (threshold) {
    fields(writer, *threshold);
  }
  if (options.encode_bits) {
    throw UnsupportedError("mneme::store::save_memory: the options have a BitEncoding, which cannot be "
                           "saved.\n  Encode the patterns before they are added.");
  }
  std::vector<Tensor> tensors; // sorted by name
  if (options.encode) {
    tensors.push_back(tensor_of("encode", *options.encode));
  }
  tensors.push_back(tensor_of("patterns", memory.patterns()));
  if constexpr (std::same_as<Patterns, BitPatterns>) {
    metadata["bits"] = std::to_string(memory.patterns().bits());
  }
  if (const auto* texts = std::get_if<std::vector<std::string>>(&memory.payloads())) {
    Tensor all{.name = "payloads", .dtype = "U8", .shape = {}, .bytes = {}};
    std::vector<int64_t> ends;
    for (const std::string& text : *texts) {
      const auto bytes = std::as_bytes(std::span(text));
      all.bytes.insert(all.bytes.end(), bytes.begin(), bytes.end());
      ends.push_back(std::ssize(all.bytes));
    }
    all.shape = {std::ssize(all.bytes)};
    tensors.push_back(tensor_of("payload_ends", ends));
    tensors.push_back(std::move(all));
  } else if (const auto* integers = std::get_if<std::vector<int64_t>>(&memory.payloads())) {
    tensors.push_back(tensor_of("payloads", *integers));
  } else if (const auto* bits = std::get_if<BitPatterns>(&memory.payloads())) {
    metadata["payload_bits"] = std::to_string(bits->bits());
    tensors.push_back(tensor_of("payloads", *bits));
  } else if (const auto* reals = std::get_if<RealPatterns>(&memory.payloads())) {
    tensors.push_back(tensor_of("payloads", *reals));
  }
  std::ranges::sort(tensors, {}, &Tensor::name);
  metadata["crc32c"] = checksum(metadata, tensors);
  std::vector<data::SafetensorsTensor> views;
  for (const Tensor& tensor : tensors) {
    views.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.bytes});
  }
  // 64-bit numbers first, so that every tensor is aligned.
  std::ranges::stable_sort(views, {}, [](const auto& view) { return view.dtype == "U8"; });
  return data::to_safetensors(views, metadata);
}

/// A tensor in the bytes of a file.
struct TensorView {
  std::string name, dtype;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

/// The tensors of a file by name.
class Tensors {
public:
  Tensors(std::span<const std::byte> bytes, const std::string& file) : file_(file) {
    for (const data::SafetensorsEntry& entry : data::parse_safetensors_entries(bytes, file)) {
      views_.push_back(
          {entry.name, entry.dtype, entry.shape,
           bytes.subspan(static_cast<size_t>(entry.begin), static_cast<size_t>(entry.end - entry.begin))});
    }
    std::ranges::sort(views_, {}, &TensorView::name);
  }

  const std::vector<TensorView>& all() const { return views_; }

  bool has(const std::string& name) const { return find(name) != views_.end(); }
  /// Rows of a tensor that must exist with this type; a `size` of -1 is free.
  const TensorView& take(const std::string& name, const std::string& dtype,
                         const std::vector<int64_t>& shape) {
    const auto found = find(name);
    if (found == views_.end()) {
      fail(file_, fmt::format("there is no tensor \"{}\"", name));
    }
    bool fits = found->dtype == dtype && found->shape.size() == shape.size();
    for (size_t i = 0; fits && i < shape.size(); ++i) {
      fits = shape[i] < 0 || found->shape[i] == shape[i];
    }
    if (!fits) {
      fail(file_, fmt::format("the tensor \"{}\" has the type {} and {} axes, which do not match {} and the "
                              "other tensors",
                              name, found->dtype, found->shape.size(), dtype));
    }
    ++taken_;
    return *found;
  }
  BitPatterns bits(const std::string& name, int64_t count, int64_t bits) {
    const TensorView& view = take(name, "U8", {count, (bits + 7) / 8});
    return data::unpack_bits(view.bytes, view.shape[0], bits, data::BitOrder::little, file_);
  }
  RealPatterns reals(const std::string& name, int64_t count) {
    const TensorView& view = take(name, "F64", {count, -1});
    return {view.shape[0], view.shape[1], numbers<double>(view)};
  }
  std::vector<int64_t> integers(const std::string& name, int64_t count) {
    return numbers<int64_t>(take(name, "I64", {count}));
  }
  std::vector<std::string> texts(int64_t count) {
    const std::vector<int64_t> ends = integers("payload_ends", count);
    const TensorView& all = take("payloads", "U8", {-1});
    const auto* characters = reinterpret_cast<const char*>(all.bytes.data());
    std::vector<std::string> texts;
    int64_t begin = 0;
    for (const int64_t end : ends) {
      if (end < begin || end > std::ssize(all.bytes)) {
        fail(file_, fmt::format("payload {} ends at byte {}, but begins at byte {} of {}", texts.size(), end,
                                begin, all.bytes.size()));
      }
      texts.emplace_back(characters + begin, static_cast<size_t>(end - begin));
      begin = end;
    }
    if (begin != std::ssize(all.bytes)) {
      fail(file_, fmt::format("the last payload ends at byte {} of {}", begin, all.bytes.size()));
    }
    return texts;
  }
  void finish() const {
    if (taken_ != views_.size()) {
      fail(file_, "there are more tensors than a memory has");
    }
  }

private:
  std::vector<TensorView>::const_iterator find(const std::string& name) const {
    return std::ranges::find(views_, name, &TensorView::name);
  }
  template <class T> static std::vector<T> numbers(const TensorView& view) {
    std::vector<T> values(view.bytes.size() / sizeof(T));
    if (!values.empty()) {
      std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    }
    return values;
  }

  const std::string& file_;
  std::vector<TensorView> views_;
  size_t taken_ = 0;
};

int64_t read_bits(Reader& reader, const std::string& name, const std::string& file) {
  int64_t bits = 0;
  reader(name, bits);
  if (bits < 0 || bits > kBitsMax) {
    fail(file, fmt::format("the metadata \"{}\" is {}, but 0 to {} bits are possible", name, bits, kBitsMax));
  }
  return bits;
}

} // namespace

template <class Patterns>
ItemMemory<Patterns> parse_memory(std::span<const std::byte> bytes, const std::string& name,
                                  Checksum verification, std::optional<Threshold>* threshold) {
  constexpr const char* kNoMemory =
      "Memories are written by `mneme memory export --out FILE.safetensors` and by "
      "mneme::store::save_memory. Read patterns with `mneme recall --patterns` or "
      "mneme::data::load_patterns.";
  constexpr size_t kLengthBytes = 8; // before the header of a safetensors file, which is a JSON object
  if (bytes.size() <= kLengthBytes || bytes[kLengthBytes] != std::byte{'{'}) {
    fail(name, "this file is not a memory, because it is no safetensors file", kNoMemory);
  }
  const Metadata metadata = data::parse_safetensors_metadata(bytes, name);
  Tensors tensors(bytes, name);
  if (const auto format = metadata.find("format"); format == metadata.end() || format->second != kFormat) {
    fail(name, "this safetensors file is not a memory", kNoMemory);
  }
  Reader reader(metadata, name);
  reader.text("format");
  const std::string version = reader.text("version");
  if (version != kVersion && version != kThresholdVersion) {
    fail(name,
         fmt::format("the file has format version {:.20}, but this program reads the versions {} and {}",
                     version, kVersion, kThresholdVersion),
         "Use a newer version of mneme.");
  }
  if (const std::string crc = reader.text("crc32c");
      verification == Checksum::verify && crc != checksum(metadata, tensors.all())) {
    fail(name, fmt::format("the checksum is {:.20}, but {} was expected: the file is damaged", crc,
                           checksum(metadata, tensors.all())));
  }
  if (const std::string type = reader.text("patterns"); type != type_name(Patterns())) {
    fail(name,
         fmt::format("the memory has patterns of {:.20}, but patterns of {} are required", type,
                     type_name(Patterns())),
         std::same_as<Patterns, BitPatterns>
             ? "`mneme memory` reads memories of bits. In C++, load it with load_memory<RealPatterns>."
             : "Load it with load_memory<BitPatterns>.");
  }
  Patterns patterns;
  if constexpr (std::same_as<Patterns, BitPatterns>) {
    patterns = tensors.bits("patterns", -1, read_bits(reader, "bits", name));
  } else {
    patterns = tensors.reals("patterns", -1);
  }
  Payloads payloads;
  if (const std::string type = reader.text("payloads"); type == "integers") {
    payloads = tensors.integers("payloads", patterns.count());
  } else if (type == "bytes") {
    payloads = tensors.texts(patterns.count());
  } else if (type == "bits") {
    payloads = tensors.bits("payloads", patterns.count(), read_bits(reader, "payload_bits", name));
  } else if (type == "reals") {
    payloads = tensors.reals("payloads", patterns.count());
  } else if (type != "none") {
    fail(name, fmt::format("the payloads are \"{:.40}\", which is unknown", type));
  }
  AssociateOptions<Patterns> options;
  fields(reader, options);
  if (tensors.has("encode")) {
    options.encode = tensors.reals("encode", -1);
  }
  std::optional<Threshold> of_file;
  if (version == kThresholdVersion) {
    fields(reader, of_file.emplace());
    if (!std::isfinite(of_file->value) || !std::isfinite(of_file->min) || !std::isfinite(of_file->max) ||
        !std::isfinite(of_file->file_scale)) {
      fail(name, "the threshold of numbers is not finite");
    }
  }
  if (threshold != nullptr) {
    *threshold = of_file;
  }
  reader.finish();
  tensors.finish();
  try {
    ItemMemory<Patterns> memory(std::move(options));
    memory.add(patterns, payloads);
    return memory;
  } catch (const UsageError& error) { // numbers that are not finite
    fail(name, error.what());
  }
}

template <class Patterns>
void save_memory(const std::filesystem::path& path, const ItemMemory<Patterns>& memory,
                 const std::optional<Threshold>& threshold) {
  write_file_atomically(path, to_bytes(memory, threshold));
}

template <class Patterns>
ItemMemory<Patterns> load_memory(const std::filesystem::path& path, std::optional<Threshold>* threshold) {
  return parse_memory<Patterns>(data::read_file(path), path.string(), Checksum::verify, threshold);
}

template ItemMemory<BitPatterns> parse_memory(std::span<const std::byte>, const std::string&, Checksum,
                                              std::optional<Threshold>*);
template ItemMemory<RealPatterns> parse_memory(std::span<const std::byte>, const std::string&, Checksum,
                                               std::optional<Threshold>*);
template void save_memory(const std::filesystem::path&, const ItemMemory<BitPatterns>&,
                          const std::optional<Threshold>&);
template void save_memory(const std::filesystem::path&, const ItemMemory<RealPatterns>&,
                          const std::optional<Threshold>&);
template ItemMemory<BitPatterns> load_memory(const std::filesystem::path&, std::optional<Threshold>*);
template ItemMemory<RealPatterns> load_memory(const std::filesystem::path&, std::optional<Threshold>*);

} // namespace mneme::store
