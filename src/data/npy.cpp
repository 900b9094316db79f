// SPDX-License-Identifier: MIT

#include "mneme/data/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/array.h"
#include "data/readers.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/packed_bits.h"

namespace mneme::data {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr int64_t kMaxHeaderBytes = 1 << 20;
constexpr size_t kMaxAxes = 64; // NumPy's limit

struct NamedType {
  std::string_view code;
  NumberType type;
};
/// Type codes that NumPy writes, then its aliases of these types (on 64-bit Linux).
constexpr std::array<NamedType, 54> kTypes{
    {{"b1", NumberType::boolean},   {"u1", NumberType::u8},         {"i1", NumberType::i8},
     {"u2", NumberType::u16},       {"i2", NumberType::i16},        {"u4", NumberType::u32},
     {"i4", NumberType::i32},       {"u8", NumberType::u64},        {"i8", NumberType::i64},
     {"f2", NumberType::f16},       {"f4", NumberType::f32},        {"f8", NumberType::f64},
     {"?", NumberType::boolean},    {"B", NumberType::u8},          {"b", NumberType::i8},
     {"H", NumberType::u16},        {"h", NumberType::i16},         {"I", NumberType::u32},
     {"i", NumberType::i32},        {"L", NumberType::u64},         {"l", NumberType::i64},
     {"Q", NumberType::u64},        {"q", NumberType::i64},         {"e", NumberType::f16},
     {"f", NumberType::f32},        {"d", NumberType::f64},         {"bool", NumberType::boolean},
     {"uint8", NumberType::u8},     {"int8", NumberType::i8},       {"uint16", NumberType::u16},
     {"int16", NumberType::i16},    {"uint32", NumberType::u32},    {"int32", NumberType::i32},
     {"uint64", NumberType::u64},   {"int64", NumberType::i64},     {"float16", NumberType::f16},
     {"float32", NumberType::f32},  {"float64", NumberType::f64},   {"float", NumberType::f64},
     {"double", NumberType::f64},   {"int", NumberType::i64},       {"half", NumberType::f16},
     {"single", NumberType::f32},   {"byte", NumberType::i8},       {"ubyte", NumberType::u8},
     {"short", NumberType::i16},    {"ushort", NumberType::u16},    {"intc", NumberType::i32},
     {"uintc", NumberType::u32},    {"long", NumberType::i64},      {"ulong", NumberType::u64},
     {"longlong", NumberType::i64}, {"ulonglong", NumberType::u64}, {"uint", NumberType::u64}}};
constexpr size_t kMaxCodeLength = 2; // only codes may follow a byte order, aliases may not

struct Conversion {
  std::string_view letters; ///< first letters of the type codes
  const char* what;
  const char* code; ///< Python expression that converts the array x to a supported type
};
constexpr std::string_view kStrings = "SUaT", kObjects = "O";
/// Types that are not supported.
constexpr std::array<Conversion, 7> kConversions{
    {{"cFDG", "complex numbers", "numpy.stack([x.real, x.imag], axis=-1).astype(numpy.float64)"},
     {"fg", "floats of an unsupported size", "x.astype(numpy.float64)"},
     {kStrings, "strings", "x.astype(numpy.float64)"},
     {"M", "dates", "x.astype(numpy.int64)"},
     {"m", "durations", "x.astype(numpy.int64)"},
     {kObjects, "Python objects", "numpy.array(x.tolist(), dtype=numpy.float64)"},
     {"V", "bytes without a number type", "x.view(numpy.uint8)"}}};
constexpr Conversion kBfloat16{"", "probably bfloat16",
                               "(x.view(numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32)"};
constexpr Conversion kStructured{"", "records of several fields",
                                 "numpy.array(x.tolist(), dtype=numpy.float64)"};

const Conversion* conversion_of(std::string_view code) {
  if (code == "V2") {
    return &kBfloat16;
  }
  const auto found = std::find_if(kConversions.begin(), kConversions.end(), [&](const Conversion& c) {
    return !code.empty() && c.letters.find(code[0]) != std::string_view::npos;
  });
  return found == kConversions.end() ? nullptr : &*found;
}

/// Python code for the user; FILE and NEW are placeholders.
std::string advice_to_convert(const Conversion& conversion) {
  return fmt::format("Convert it in Python: x = numpy.load(FILE{}); numpy.save(NEW, {})",
                     conversion.letters == kObjects ? ", allow_pickle=True" : "", conversion.code);
}

/// Parser of the header: a Python dictionary with the keys descr, fortran_order and shape, each once, in any
/// order.
class HeaderParser {
public:
  HeaderParser(const std::string& file, std::string_view text, int64_t offset, const NpyAdvice& advice)
      : file_(file), text_(text), offset_(offset), advice_(advice) {}

  Array parse() {
    Array array;
    expect('{');
    bool descr = false, order = false, shape = false;
    while (!accept('}')) {
      const size_t at = at_;
      const std::string_view key = string();
      expect(':');
      if (key == "descr" && !std::exchange(descr, true)) {
        read_type(array);
      } else if (key == "fortran_order" && !std::exchange(order, true)) {
        array.column_major = boolean();
      } else if (key == "shape" && !std::exchange(shape, true)) {
        array.shape = tuple();
      } else {
        at_ = at;
        wrong("'descr', 'fortran_order' and 'shape', each once");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!descr || !order || !shape) {
      wrong("the keys 'descr', 'fortran_order' and 'shape'");
    }
    skip_spaces();
    if (at_ != text_.size()) {
      wrong("only spaces after the dictionary");
    }
    return array;
  }

private:
  [[noreturn]] void wrong(const std::string& expected,
                          const std::string& advice = "Write the array again with numpy.save.") const {
    const auto rest = text_.substr(at_, 24);
    fail(file_,
         fmt::format("header, byte {}: expected {}, found {}", offset_ + static_cast<int64_t>(at_), expected,
                     rest.empty() ? "the end" : fmt::format("\"{}\"", printable(rest))),
         advice);
  }
  void skip_spaces() {
    while (at_ < text_.size() && std::string_view(" \n\t\r\f").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    }
  }
  bool accept(char c) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != c) {
      return false;
    }
    ++at_;
    return true;
  }
  bool accept(std::string_view word) {
    skip_spaces();
    if (!text_.substr(at_).starts_with(word)) {
      return false;
    }
    at_ += word.size();
    return true;
  }
  void expect(char c) {
    if (!accept(c)) {
      wrong(fmt::format("'{}'", c));
    }
  }

  std::string_view string() {
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'') {
      expect('\'');
    }
    const size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) {
      wrong("a closed string");
    }
    const std::string_view result = text_.substr(at_, end - at_);
    at_ = end + 1;
    return result;
  }

  bool boolean() {
    if (accept("True")) {
      return true;
    }
    if (!accept("False")) {
      wrong("True or False");
    }
    return false;
  }

  std::vector<int64_t> tuple() {
    std::vector<int64_t> sizes;
    expect('(');
    bool closed = accept(')');
    while (!closed) {
      accept('+');
      skip_spaces();
      int64_t size = 0;
      const char* begin = text_.data() + at_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), size);
      if (error != std::errc{} || *begin == '-' || (*begin == '0' && size != 0)) {
        wrong("a size from 0 to 2^63 - 1");
      }
      at_ += static_cast<size_t>(end - begin);
      if (at_ < text_.size() && text_[at_] == 'L') { // long integer of Python 2
        ++at_;
      }
      sizes.push_back(size);
      if (sizes.size() > kMaxAxes) {
        wrong(fmt::format("at most {} axes", kMaxAxes));
      }
      const bool more = accept(',');
      closed = accept(')');
      if (!more && !closed) {
        wrong("',' or ')'");
      }
      if (closed && !more && sizes.size() == 1) {
        wrong("a tuple: (3,), not (3)");
      }
    }
    return sizes;
  }

  void read_type(Array& array) {
    constexpr const char* kSupported =
        "a number type (b1, u1 to u8, i1 to i8, f2, f4 or f8, after a byte order)";
    skip_spaces();
    const size_t at = at_;
    if (text_.substr(at_).starts_with('[') || text_.substr(at_).starts_with('(')) {
      wrong(fmt::format("{}: these are {}", kSupported, kStructured.what), advice_to_convert(kStructured));
    }
    const std::string_view code = string();
    const bool has_order = !code.empty() && std::string_view("<>|=").find(code[0]) != std::string_view::npos;
    const std::string_view plain = code.substr(has_order ? 1 : 0);
    const auto found =
        std::find_if(kTypes.begin(), kTypes.end(), [&](const NamedType& t) { return t.code == plain; });
    if (found == kTypes.end() || (has_order && plain.size() > kMaxCodeLength)) {
      at_ = at;
      const Conversion* conversion = conversion_of(plain);
      if (conversion == nullptr) {
        wrong(kSupported);
      }
      const std::string own = conversion->letters == kStrings   ? advice_.strings
                              : conversion->letters == kObjects ? advice_.objects
                                                                : "";
      wrong(fmt::format("{}: these are {}", kSupported, conversion->what),
            own.empty() ? advice_to_convert(*conversion) : own);
    }
    array.type = found->type;
    // Native order (none, '|' or '=') is little-endian on all machines that commonly write NumPy files.
    array.big_endian = has_order && code[0] == '>';
  }

  const std::string& file_;
  std::string_view text_;
  int64_t offset_;
  const NpyAdvice& advice_;
  size_t at_ = 0;
};

} // namespace

Array read_npy_header(const Source& source, const NpyAdvice& advice) {
  std::array<std::byte, 8> start{};
  source.read(0, start, "the magic string and version");
  if (std::memcmp(start.data(), kMagic.data(), kMagic.size()) != 0) {
    fail(source.name(), "does not begin with \\x93NUMPY, so it is not an .npy file",
         "Write the array with numpy.save.");
  }
  const auto version = static_cast<int>(start[6]), minor = static_cast<int>(start[7]);
  if (version < 1 || version > 3 || minor != 0) {
    fail(source.name(),
         fmt::format("byte 6: expected format version 1.0 to 3.0, found {}.{}", version, minor),
         "Write the array again with numpy.save.");
  }
  std::array<std::byte, 4> length_bytes{};
  const std::span<std::byte> used(length_bytes.data(), version == 1 ? 2 : 4);
  source.read(8, used, "the header's length");
  const auto length = static_cast<int64_t>(unsigned_from(used, false));
  const int64_t begin = 8 + std::ssize(used);
  if (length > kMaxHeaderBytes) {
    fail(source.name(),
         fmt::format("byte 8: the header has {} bytes, at most {} expected", length, kMaxHeaderBytes),
         kFileDamaged);
  }
  if (length > source.size() - begin) {
    fail(source.name(),
         fmt::format("byte 8: the header has {} bytes, but only {} bytes follow", length,
                     source.size() - begin),
         kFileDamaged);
  }
  std::string text(static_cast<size_t>(length), '\0');
  source.read(begin, std::as_writable_bytes(std::span(text)), "the header");
  Array array = HeaderParser(source.name(), text, begin, advice).parse();
  array.offset = begin + length;
  return array;
}

namespace {

/// Throws if another array follows the first one.
void reject_second_array(const Source& source, int64_t end) {
  std::array<std::byte, kMagic.size()> next{};
  if (source.size() - end < std::ssize(next)) {
    return;
  }
  source.read(end, next, "data after the array");
  if (std::memcmp(next.data(), kMagic.data(), next.size()) == 0) {
    fail(source.name(),
         fmt::format("contains a second array at byte {} (numpy.save was called twice on one file)", end),
         "Split them in Python: f = open(FILE, 'rb'); a = numpy.load(f); b = numpy.load(f); "
         "numpy.savez(NEW, a=a, b=b)");
  }
}

NumberArray numbers_of(const Source& source) {
  Array array = find_npy(source);
  NumberArray result{.shape = array.shape};
  if (const int64_t count = *product(array.shape); count > 0) {
    if (array.shape.empty()) {
      array.shape = {1};
    }
    const RealPatterns numbers = read_numbers(source, array, 0);
    result.numbers.assign(numbers.data(), numbers.data() + count);
  }
  return result;
}

std::vector<std::byte> header_bytes(std::string_view type, std::span<const int64_t> shape) {
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, fmt::join(shape, ", "));
  constexpr size_t kAlignment = 64, kBeforeText = 10;
  text.append(kAlignment - 1 - (kBeforeText + text.size()) % kAlignment, ' ');
  text += '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(text.size() & 0xFF), static_cast<char>(text.size() >> 8)};
  header += text;
  const auto bytes = std::as_bytes(std::span(header));
  return {bytes.begin(), bytes.end()};
}

} // namespace

Array find_npy(const Source& source, const NpyAdvice& advice) {
  Array array = read_npy_header(source, advice);
  const auto count = product(array.shape);
  const int64_t available = source.size() - array.offset, item = bytes_of(array.type);
  if (!count || *count > available / item || *count * item != available) {
    if (count && *count < available / item) {
      reject_second_array(source, array.offset + *count * item);
    }
    fail(source.name(),
         fmt::format("shape ({}) has {} numbers of {} bytes, but {} bytes follow the header (byte {})",
                     fmt::join(array.shape, ", "), count ? std::to_string(*count) : "more than 2^63", item,
                     available, array.offset),
         count && *count <= available / item ? "Write the array again with numpy.save." : kFileDamaged);
  }
  return array;
}

PatternSet read_npy(const Source& source, const LoadOptions& options) {
  return read_array(source, find_npy(source), options);
}

PatternSet parse_npy(std::span<const std::byte> bytes, const std::string& name, int64_t limit) {
  return read_npy(MemorySource(bytes, name), {.limit = limit});
}

PatternSet read_npy(const std::filesystem::path& path, int64_t limit) {
  return read_npy(*open_source(path), {.limit = limit});
}

NumberArray parse_npy_numbers(std::span<const std::byte> bytes, const std::string& name) {
  return numbers_of(MemorySource(bytes, name));
}

NumberArray read_npy_numbers(const std::filesystem::path& path) {
  return numbers_of(*open_source(path));
}

std::vector<int64_t> parse_npy_integers(std::span<const std::byte> bytes, const std::string& name) {
  const MemorySource source(bytes, name);
  const Array array = find_npy(source);
  if (array.type == NumberType::u64 || array.type == NumberType::boolean || is_float(array.type)) {
    fail(name, "has an unsupported number type, expected int8 to int64 or uint8 to uint32",
         "Save x.astype(numpy.int64).");
  }
  if (array.shape.size() != 1) {
    fail(name,
         fmt::format("contains an array of shape ({}), but one axis was expected",
                     fmt::join(array.shape, ", ")),
         "Save one row of it, or x.ravel().");
  }
  const bool is_signed = array.type == NumberType::i8 || array.type == NumberType::i16 ||
                         array.type == NumberType::i32 || array.type == NumberType::i64;
  const auto item = static_cast<size_t>(bytes_of(array.type));
  const int unused = 64 - 8 * static_cast<int>(item);
  std::vector<int64_t> numbers;
  numbers.reserve(static_cast<size_t>(array.shape[0]));
  for (size_t at = static_cast<size_t>(array.offset); at < bytes.size(); at += item) {
    const uint64_t bits = unsigned_from(bytes.subspan(at, item), array.big_endian);
    numbers.push_back(is_signed ? static_cast<int64_t>(bits << unused) >> unused
                                : static_cast<int64_t>(bits));
  }
  return numbers;
}

namespace {

void write_numbers(const std::filesystem::path& path, std::span<const int64_t> axes,
                   std::span<const double> numbers) {
  std::vector<std::byte> bytes = header_bytes("<f8", axes);
  bytes.reserve(bytes.size() + numbers.size_bytes());
  for (const double number : numbers) {
    const auto bits = std::bit_cast<uint64_t>(number);
    for (int shift = 0; shift < 64; shift += 8) {
      bytes.push_back(static_cast<std::byte>(bits >> shift));
    }
  }
  write_file_atomically(path, bytes);
}

} // namespace

void write_npy(const std::filesystem::path& path, const BitPatterns& patterns) {
  std::vector<std::byte> bytes = header_bytes("|u1", std::array{patterns.count(), patterns.bits()});
  bytes.reserve(bytes.size() + static_cast<size_t>(patterns.count() * patterns.bits()));
  for (int64_t i = 0; i < patterns.count(); ++i) {
    for (int64_t b = 0; b < patterns.bits(); ++b) {
      bytes.push_back(std::byte{patterns.get(i, b)});
    }
  }
  write_file_atomically(path, bytes);
}

void write_packed_npy(const std::filesystem::path& path, const BitPatterns& patterns, BitOrder order) {
  std::vector<std::byte> bytes = header_bytes("|u1", std::array{patterns.count(), (patterns.bits() + 7) / 8});
  const std::vector<std::byte> packed = pack_bits(patterns, order);
  bytes.insert(bytes.end(), packed.begin(), packed.end());
  write_file_atomically(path, bytes);
}

void write_npy(const std::filesystem::path& path, const RealPatterns& patterns, const ImageShape& shape) {
  std::vector<int64_t> axes{patterns.count()};
  if (shape == ImageShape{}) {
    axes.push_back(patterns.size());
  } else {
    const std::array<int64_t, 3> sizes{shape.height, shape.width, shape.channels};
    if (*std::min_element(sizes.begin(), sizes.end()) < 1 || product(sizes) != patterns.size()) {
      throw UsageError(
          fmt::format("mneme::data::write_npy: the image shape {} does not match patterns of {} numbers.\n"
                      "  Use a shape with height x width x channels = {}, or no shape.",
                      fmt::join(sizes, " x "), patterns.size(), patterns.size()));
    }
    axes.insert(axes.end(), sizes.begin(), sizes.end());
    if (shape.channels == 1) {
      axes.pop_back();
    }
  }
  write_numbers(path, axes,
                std::span(patterns.data(), static_cast<size_t>(patterns.count() * patterns.size())));
}

void write_npy(const std::filesystem::path& path, const NumberArray& array) {
  if (product(array.shape) != std::ssize(array.numbers)) {
    throw UsageError(fmt::format(
        "mneme::data::write_npy: {} numbers do not fill the shape ({}).\n  Give as many numbers as "
        "the product of its sizes.",
        array.numbers.size(), fmt::join(array.shape, ", ")));
  }
  write_numbers(path, array.shape, array.numbers);
}

} // namespace mneme::data
