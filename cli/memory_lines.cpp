// SPDX-License-Identifier: MIT

#include "cli/memory_lines.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "json/strict_json.h"
#include "mneme/core/error.h"
#include "mneme/core/nearest_word.h"
#include "mneme/core/text.h"
#include "mneme/data/text_bits.h"
#include "report/text.h"
#include "report/json_text.h"

namespace mneme::cli {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kHex = "0123456789abcdef";

[[noreturn]] void fail(const std::string& where, const std::string& what, const std::string& advice) {
  throw DataError(fmt::format("{}: {}.\n  {}", where, what, advice));
}

std::string shown(const std::string& line) {
  constexpr size_t kShown = 60;
  return printable(line.size() <= kShown ? line : line.substr(0, kShown) + "...");
}

/// The bytes; empty if the text is not base64 (RFC 4648, with padding).
std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return std::nullopt;
  }
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::string bytes;
  uint32_t group = 0;
  for (size_t i = 0; i < text.size() - padding; ++i) {
    const size_t digit = kBase64.find(text[i]);
    if (digit == std::string_view::npos) {
      return std::nullopt;
    }
    group = group << 6 | static_cast<uint32_t>(digit);
    if (i % 4 == 3) {
      for (const int shift : {16, 8, 0}) {
        bytes += static_cast<char>(group >> shift & 0xFF);
      }
      group = 0;
    }
  }
  if (padding == 2) {
    group <<= 12;
  } else if (padding == 1) {
    group <<= 6;
  }
  for (size_t i = 0; padding > 0 && i < 3 - padding; ++i) {
    bytes += static_cast<char>(group >> (16 - 8 * i) & 0xFF);
  }
  return to_base64(bytes) == text ? std::optional(bytes) : std::nullopt; // no other text means the same bytes
}

std::optional<std::string> from_hex(std::string_view text) {
  std::string bytes;
  if (text.size() % 2 != 0) {
    return std::nullopt;
  }
  for (size_t i = 0; i < text.size(); i += 2) {
    unsigned byte = 0;
    for (const char c : {text[i], text[i + 1]}) {
      const size_t digit = kHex.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
      if (digit == std::string_view::npos) {
        return std::nullopt;
      }
      byte = byte << 4 | static_cast<unsigned>(digit);
    }
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

void set_bytes(BitPatterns& patterns, int64_t index, const std::string& bytes, const std::string& where,
               const char* format) {
  const int64_t bits = patterns.bits(), expected = (bits + 7) / 8;
  if (std::ssize(bytes) != expected) {
    fail(where,
         fmt::format("the pattern has {} bytes, but the memory has patterns of {} bits, which are {} bytes",
                     bytes.size(), bits, expected),
         fmt::format("Give {} {} digits.",
                     format == std::string("hex") ? 2 * expected : (expected + 2) / 3 * 4, format));
  }
  const std::span<uint64_t> words = patterns[index];
  std::memcpy(words.data(), bytes.data(), bytes.size());
  if ((words.back() & ~patterns.last_word_mask()) != 0) {
    fail(where, fmt::format("bits after the first {} are not 0", bits),
         "Set the unused bits of the last byte to 0.");
  }
}

void set_pattern(BitPatterns& patterns, int64_t index, const std::string& line, LineFormat format,
                 const std::string& where) {
  switch (format) {
  case LineFormat::text:
    try {
      std::ranges::copy(data::text_bits(std::span(&line, 1), patterns.bits())[0], patterns[index].begin());
    } catch (const UsageError&) {
      fail(where, fmt::format("\"{}\" has no letters or digits", shown(line)), "Leave the line out.");
    }
    return;
  case LineFormat::bits:
    if (std::ssize(line) != patterns.bits() || line.find_first_not_of("01") != std::string::npos) {
      fail(where,
           fmt::format("\"{}\" is not a pattern of {} characters 0 and 1 (it has {})", shown(line),
                       patterns.bits(), line.size()),
           "Give one character per bit.");
    }
    for (int64_t b = 0; b < patterns.bits(); ++b) {
      patterns.set(index, b, line[static_cast<size_t>(b)] == '1');
    }
    return;
  case LineFormat::hex:
  case LineFormat::base64: {
    const char* name = format == LineFormat::hex ? "hex" : "base64";
    const std::optional<std::string> bytes = format == LineFormat::hex ? from_hex(line) : from_base64(line);
    if (!bytes) {
      fail(where, fmt::format("\"{}\" is not {}", shown(line), name),
           "Choose the format of the lines with --format text|bits|hex|base64|json.");
    }
    set_bytes(patterns, index, *bytes, where, name);
    return;
  }
  case LineFormat::json:
    break;
  }
}

const std::array<std::pair<const char*, LineFormat>, 4> kPatternFields = {{{"text", LineFormat::text},
                                                                           {"bits", LineFormat::bits},
                                                                           {"hex", LineFormat::hex},
                                                                           {"base64", LineFormat::base64}}};

auto pattern_field(const std::string& name) {
  return std::ranges::find(kPatternFields, name,
                           [](const auto& known) { return std::string_view(known.first); });
}

constexpr const char* kJsonAdvice = "A line is an object with one of text, bits, hex, base64 and vector, and "
                                    "optionally key, label, payload or payload_base64.";

/// The field that is probably meant by another name; empty if there is none.
std::string intended_field(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, const char*>, 8> kOtherNames = {{{"id", "key"},
                                                                                    {"name", "key"},
                                                                                    {"tag", "label"},
                                                                                    {"class", "label"},
                                                                                    {"data", "payload"},
                                                                                    {"value", "payload"},
                                                                                    {"content", "text"},
                                                                                    {"query", "text"}}};
  const auto* other = std::ranges::find(kOtherNames, name, [](const auto& known) { return known.first; });
  return other != kOtherNames.end() ? other->second
                                    : nearest_word(name, {"text", "bits", "hex", "base64", "vector", "key",
                                                          "label", "payload", "payload_base64"});
}

/// Refuses a field that lines do not have.
void require_known_field(const std::string& name, const std::string& where) {
  constexpr std::array kOthers = {"seq", "threshold", "vector", "key", "label", "payload", "payload_base64"};
  if (std::ranges::find(kOthers, name) != kOthers.end() || pattern_field(name) != kPatternFields.end()) {
    return;
  }
  const std::string close = name == "embedding" ? "vector" : intended_field(name);
  fail(where,
       fmt::format("unknown field \"{}\"{}", shown(name),
                   close.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", close)),
       kJsonAdvice);
}

/// The key of a line {"forget": KEY}; empty for other lines.
std::optional<std::string> key_to_forget(const nlohmann::json& object, const std::string& where) {
  const auto key = object.find("forget");
  if (key == object.end()) {
    return std::nullopt;
  }
  if (object.size() > 1 || !key->is_string()) {
    fail(where, "a line with the field \"forget\" has other fields, or its value is not a text",
         "Write {\"forget\": \"KEY\"}.");
  }
  return key->get<std::string>();
}

constexpr std::array<std::pair<const char*, double store::Threshold::*>, 4> kThresholdFields = {
    {{"value", &store::Threshold::value},
     {"min", &store::Threshold::min},
     {"max", &store::Threshold::max},
     {"file_scale", &store::Threshold::file_scale}}};

/// The field "threshold", which `export` writes to its first line.
store::Threshold parse_threshold(const nlohmann::json& object, const std::string& where) {
  store::Threshold threshold;
  bool is_valid = object.is_object() && object.size() == kThresholdFields.size();
  for (const auto& [name, member] : kThresholdFields) {
    is_valid = is_valid && object.contains(name) && object[name].is_number();
    if (is_valid) {
      threshold.*member = object[name].get<double>();
    }
  }
  if (!is_valid) {
    fail(where, "the field \"threshold\" is not an object with the numbers value, min, max and file_scale",
         "`mneme memory export` writes it: the threshold of numbers in files. Leave it out.");
  }
  return threshold;
}

/// Numbers on the scale of the file of which the memory keeps the threshold.
void set_vector(BitPatterns& patterns, int64_t index, const nlohmann::json& numbers, const std::string& where,
                const std::optional<store::Threshold>& threshold) {
  const bool are_numbers = numbers.is_array() && std::ranges::all_of(numbers, [](const auto& number) {
                             return number.is_number();
                           });
  if (!are_numbers || std::ssize(numbers) != patterns.bits()) {
    fail(where,
         are_numbers ? fmt::format("the vector has {} numbers, but the memory has patterns of {} bits",
                                   numbers.size(), patterns.bits())
                     : "the field \"vector\" is not an array of numbers",
         "Write {\"vector\": [0.5, -1, ...]}, with one number per bit.");
  }
  if (!threshold) {
    fail(where, "the memory has no threshold with which numbers become bits",
         "Write a file of numbers first, which determines it: mneme memory write DIR --patterns FILE.");
  }
  int64_t ones = 0;
  bool are_equal = true; // the numbers, as of a blank pattern
  for (int64_t b = 0; b < patterns.bits(); ++b) {
    const auto& number = numbers[static_cast<size_t>(b)];
    const bool bit = number.get<double>() / threshold->file_scale > threshold->value;
    patterns.set(index, b, bit);
    ones += bit ? 1 : 0;
    are_equal = are_equal && number == numbers[0];
  }
  if (threshold->value != 0 && !are_equal && (ones == 0 || ones == patterns.bits())) {
    fail(where,
         fmt::format(
             "every bit would be {}: the memory has numbers from {:.6g} to {:.6g} and the threshold {:.6g}",
             ones == 0 ? 0 : 1, threshold->min * threshold->file_scale,
             threshold->max * threshold->file_scale, threshold->value * threshold->file_scale),
         "Bring the vector to this scale.");
  }
}

store::Annotation parse_json_line(BitPatterns& patterns, int64_t index, const nlohmann::json& object,
                                  std::string& line, const std::string& where,
                                  const std::optional<store::Threshold>& threshold_of_memory,
                                  std::optional<store::Threshold>& threshold) {
  const std::string advice = kJsonAdvice;
  int num_patterns = object.contains("vector") ? 1 : 0;
  for (const auto& [name, format] : kPatternFields) {
    num_patterns += object.contains(name) ? 1 : 0;
  }
  for (const auto& [name, value] : object.items()) {
    require_known_field(name, where);
  }
  if (num_patterns != 1) {
    fail(where, fmt::format("{} fields have a pattern", num_patterns), advice);
  }
  if (object.contains("payload") && object.contains("payload_base64")) {
    fail(where, "payload and payload_base64 are both given", "Leave out one of them.");
  }
  store::Annotation annotation;
  std::optional<std::string> given_text;
  for (const auto& [name, value] : object.items()) {
    if (name == "seq" && value.is_number_integer()) {
      continue; // of the memory that wrote the line
    }
    if (name == "threshold") {
      threshold = parse_threshold(value, where);
      continue;
    }
    if (name == "vector") {
      set_vector(patterns, index, value, where, threshold_of_memory);
      continue;
    }
    if (!value.is_string() || name == "seq") {
      fail(where, fmt::format("the field \"{}\" is not {}", name, name == "seq" ? "an integer" : "a text"),
           advice);
    }
    const auto text = value.get<std::string>();
    if (name == "key") {
      annotation.key = text;
    } else if (name == "label") {
      annotation.label = text;
    } else if (name == "payload") {
      annotation.payload = text;
    } else if (name == "payload_base64") {
      annotation.payload = from_base64(text);
      if (!annotation.payload) {
        fail(where, "payload_base64 is not base64", advice);
      }
    } else {
      const LineFormat format = pattern_field(name)->second;
      set_pattern(patterns, index, text, format, where);
      if (format == LineFormat::text) {
        given_text = text;
      }
    }
  }
  if (object.contains("vector")) {
    line = annotation.key.value_or("vector of " + report::counted(patterns.bits(), "number"));
  }
  if (given_text) {
    line = *given_text;
    annotation.payload = annotation.payload ? annotation.payload : given_text;
  }
  return annotation;
}

} // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Character character = first_character(text);
    if (!character.valid) {
      return false;
    }
    text.remove_prefix(character.size);
  }
  return true;
}

std::string to_base64(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (size_t k = 0; k < 4; ++k) {
      text += k <= count ? kBase64[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\v\f") == std::string_view::npos;
}

ParsedLines parse_lines(std::span<const std::string> lines, std::span<const int64_t> numbers,
                        LineFormat format, int64_t bits, const std::optional<store::Threshold>& threshold,
                        bool may_forget) {
  Lines parsed{.numbers = {numbers.begin(), numbers.end()},
               .texts = {lines.begin(), lines.end()},
               .patterns = BitPatterns(std::ssize(lines), bits),
               .annotations = {}};
  std::exception_ptr error;
  int64_t count = 0; // of valid lines
  for (; count < std::ssize(lines) && !error; count += error ? 0 : 1) {
    std::string& line = parsed.texts[static_cast<size_t>(count)];
    const std::string where = fmt::format("line {}", parsed.number(count));
    try {
      if (line.empty()) {
        fail(where, "the line is empty", "Leave it out.");
      }
      if (format == LineFormat::json) {
        const auto object = parse_strict_json(line, where, {.is_line = true, .advice = kJsonAdvice});
        const std::optional<std::string> key = may_forget ? key_to_forget(object, where) : std::nullopt;
        if (count > 0 && key.has_value() == parsed.forget.empty()) {
          break; // of another kind
        }
        if (key) {
          parsed.forget.push_back(*key);
        } else {
          parsed.annotations.push_back(
              parse_json_line(parsed.patterns, count, object, line, where, threshold, parsed.threshold));
        }
        continue;
      }
      set_pattern(parsed.patterns, count, line, format, where);
      parsed.annotations.emplace_back();
      if (format == LineFormat::text) {
        parsed.annotations.back().payload = line;
      }
    } catch (const DataError&) {
      error = std::current_exception();
    }
  }
  parsed.texts.resize(static_cast<size_t>(count));
  if (const int64_t num_patterns = parsed.forget.empty() ? count : 0; num_patterns < std::ssize(lines)) {
    parsed.patterns = slice(parsed.patterns, 0, num_patterns);
  }
  return {std::move(parsed), error};
}

std::string hex_of(const BitPatterns& patterns, int64_t index) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(patterns[index].data());
  std::string text;
  for (int64_t i = 0; i < (patterns.bits() + 7) / 8; ++i) {
    text += kHex[bytes[i] >> 4];
    text += kHex[bytes[i] & 15];
  }
  return text;
}

template <class Json> void add_annotation(Json& object, const store::Annotation& annotation) {
  if (annotation.key) {
    object["key"] = *annotation.key;
  }
  if (annotation.label) {
    object["label"] = *annotation.label;
  }
  if (annotation.payload) {
    if (is_utf8(*annotation.payload)) {
      object["payload"] = *annotation.payload;
    } else {
      object["payload_base64"] = to_base64(*annotation.payload);
    }
  }
}
template void add_annotation(nlohmann::ordered_json&, const store::Annotation&);

namespace {

nlohmann::ordered_json json_of(const store::Entry& entry) {
  nlohmann::ordered_json object = {{"seq", entry.seq}, {"hex", hex_of(entry.pattern, 0)}};
  add_annotation(object, entry.annotation);
  return object;
}

} // namespace

std::string json_line(const store::Entry& entry) {
  return json_of(entry).dump();
}

std::string json_line(const store::Entry& entry, const store::Threshold& threshold) {
  nlohmann::ordered_json object = json_of(entry);
  for (const auto& [name, member] : kThresholdFields) {
    object["threshold"][name] = threshold.*member;
  }
  return object.dump();
}

} // namespace mneme::cli
