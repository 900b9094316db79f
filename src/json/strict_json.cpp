// SPDX-License-Identifier: MIT

#include "json/strict_json.h"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme {
namespace {

/// Checks nesting depth and keys, without building the document. The callback of nlohmann's parser could do
/// this while the document is built, but takes quadratic time for lists of many objects.
template <class Json> class Checker : public nlohmann::json_sax<Json> {
public:
  using typename nlohmann::json_sax<Json>::number_integer_t;
  using typename nlohmann::json_sax<Json>::number_unsigned_t;
  using typename nlohmann::json_sax<Json>::number_float_t;
  using typename nlohmann::json_sax<Json>::string_t;
  using typename nlohmann::json_sax<Json>::binary_t;

  explicit Checker(int max_depth) : max_depth_(max_depth) {}
  const std::string& problem() const { return problem_; } ///< empty if there is none

  bool null() override { return check_depth(); }
  bool boolean(bool /*value*/) override { return check_depth(); }
  bool number_integer(number_integer_t /*value*/) override { return check_depth(); }
  bool number_unsigned(number_unsigned_t /*value*/) override { return check_depth(); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return check_depth(); }
  bool string(string_t& /*value*/) override { return check_depth(); }
  bool binary(binary_t& /*value*/) override { return check_depth(); }
  bool start_object(size_t /*size*/) override {
    keys_.emplace_back();
    return start();
  }
  bool key(string_t& name) override {
    if (check_depth() && !keys_.back().insert(name).second) {
      problem_ = fmt::format("the key {:?} occurs twice", name);
    }
    return problem_.empty();
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(size_t /*size*/) override { return start(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return false; // reported by the parser that builds the document
  }

private:
  bool start() {
    const bool is_valid = check_depth();
    ++depth_;
    return is_valid;
  }
  bool check_depth() {
    if (depth_ > max_depth_) {
      problem_ = fmt::format("the JSON is nested more than {} levels deep", max_depth_);
    }
    return problem_.empty();
  }

  int max_depth_, depth_ = 0;
  std::vector<std::unordered_set<std::string>> keys_; ///< of the open objects
  std::string problem_;
};

/// "in line 2, column 5" of the byte with this index; without the line if the text is one line of a file.
std::string place_in(std::string_view text, size_t index, bool is_line) {
  const std::string_view before = text.substr(0, index);
  const size_t line_begin = before.rfind('\n') + 1; // 0 if there is no line feed
  const size_t column = before.size() - line_begin + 1;
  return is_line ? fmt::format("in column {}", column)
                 : fmt::format("in line {}, column {}", 1 + std::ranges::count(before, '\n'), column);
}

/// Index of the last escape of half a surrogate pair, \uD800 to \uDFFF; npos without one.
size_t last_surrogate(std::string_view text) {
  for (size_t at = text.rfind("\\u"); at != std::string_view::npos; at = text.rfind("\\u", at - 1)) {
    constexpr std::string_view kSecondDigits = "89abcdefABCDEF";
    if (at + 3 < text.size() && (text[at + 2] | 0x20) == 'd' &&
        kSecondDigits.find(text[at + 3]) != std::string_view::npos) {
      return at;
    }
    if (at == 0) {
      break;
    }
  }
  return std::string_view::npos;
}

/// Problem of a text that nlohmann's parser rejects with a message after `num_read` bytes.
std::string syntax_problem(std::string_view text, size_t num_read, std::string_view message, bool is_line) {
  constexpr size_t kShown = 20;
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return "invalid JSON: there is no content";
  }
  if (num_read > text.size()) {
    return fmt::format("invalid JSON: the text ends {}, before the document does",
                       place_in(text, text.size(), is_line));
  }
  if (const size_t half = last_surrogate(text.substr(0, num_read));
      message.find("surrogate") != std::string_view::npos && half != std::string_view::npos) {
    constexpr size_t kEscape = 6;
    return fmt::format("invalid JSON {}: {} is half of a surrogate pair, without the other half",
                       place_in(text, half, is_line), printable(text.substr(half, kEscape)));
  }
  const size_t index = num_read > 0 ? num_read - 1 : 0;
  return fmt::format("invalid JSON {}, at \"{}\"", place_in(text, index, is_line),
                     printable(text.substr(index, kShown)));
}

} // namespace

template <class Json>
Json parse_strict_json(std::string_view text, const std::string& source, const StrictJsonOptions& options) {
  const auto fail = [&](const std::string& problem) {
    throw DataError(
        fmt::format("{}: {}.{}{}", source, problem, options.advice.empty() ? "" : "\n  ", options.advice));
  };
  Checker<Json> checker(options.max_depth);
  Json::sax_parse(text.begin(), text.end(), &checker);
  if (!checker.problem().empty()) {
    fail(checker.problem());
  }
  Json parsed;
  try {
    parsed = Json::parse(text.begin(), text.end());
  } catch (const typename Json::parse_error& error) {
    fail(syntax_problem(text, error.byte, error.what(), options.is_line));
  } catch (const typename Json::exception&) {
    fail("invalid JSON: a number is too large for float64");
  }
  if (options.must_be_object && !parsed.is_object()) {
    fail("not a JSON object");
  }
  return parsed;
}

template nlohmann::json parse_strict_json(std::string_view, const std::string&, const StrictJsonOptions&);
template nlohmann::ordered_json parse_strict_json(std::string_view, const std::string&,
                                                  const StrictJsonOptions&);

} // namespace mneme
