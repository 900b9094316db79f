// SPDX-License-Identifier: MIT

#include <algorithm>

#include "mneme/core/error.h"
#include "mneme/tokens/tokenizer.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

std::string bytes_from_hex(const GoldenValue& value) {
  const std::string digits = value.text();
  if (digits.size() % 2 != 0 || digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
    value.fail("bytes as pairs of lower-case hexadecimal digits");
  }
  std::string bytes;
  for (size_t i = 0; i < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

/// Bytes as text that can be compared with a string of JSON, in which invalid bytes are U+FFFD.
std::string as_utf8(const std::string& bytes) {
  return nlohmann::json::parse(
             nlohmann::json(bytes).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
      .get<std::string>();
}

template <class Item, class Compare>
void equal_lists(Checker& checker, const GoldenValue& expected, const std::vector<Item>& actual,
                 const Compare& compare) {
  if (expected.size() != actual.size()) {
    checker.fail(expected.path(), fmt::format("this build computes {} items, the file has {}", actual.size(),
                                              expected.size()));
    return;
  }
  for (size_t i = 0; i < actual.size(); ++i) {
    compare(expected.at(i), actual[i]);
  }
}

} // namespace

/// Strings with their pieces, ids and tokens, for the tokenizer in a folder next to the file. Special tokens
/// are parsed.
void run_byte_level_bpe(const GoldenValue& file, Checker& checker) {
  const GoldenValue folder = file.at("tokenizer");
  if (const std::filesystem::path name = folder.text(); name != name.filename() || name == "..") {
    folder.fail("the name of a folder next to the file");
  }
  const tokens::Tokenizer tokenizer = tokens::read_tokenizer(checker.file().parent_path() / folder.text());
  const auto as_text = [&](const GoldenValue& expected, const std::string& actual) {
    checker.equal(expected, as_utf8(actual));
  };
  checker.each_case(file.at("strings"), [&](const GoldenValue& golden) {
    const std::string text = bytes_from_hex(golden.at("utf8_hex"));
    const std::vector<int32_t> ids = tokenizer.encode(text, {.parse_special = true});
    equal_lists(checker, golden.at("pieces"), tokenizer.split(text, {.parse_special = true}), as_text);
    equal_lists(checker, golden.at("ids"), ids,
                [&](const GoldenValue& expected, int32_t id) { checker.equal(expected, int64_t{id}); });
    std::vector<std::string> written;
    std::ranges::transform(ids, std::back_inserter(written),
                           [&](int32_t id) { return tokenizer.token_text(id); });
    equal_lists(checker, golden.at("tokens"), written, as_text);
    checker.equal_boolean(golden.at("decoded_equals_text"), tokenizer.decode(ids) == text);
  });
  if (!file.has("byte_to_char")) {
    return;
  }
  checker.one_case(file.at("byte_to_char"), [&](const GoldenValue& characters) {
    for (int byte = 0; byte < 256; ++byte) {
      const std::vector<int32_t> ids = tokenizer.encode(std::string(1, static_cast<char>(byte)));
      as_text(characters.at(std::to_string(byte).c_str()), tokenizer.token_text(ids.back()));
    }
  });
}

} // namespace mneme::verify
