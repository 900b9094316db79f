// SPDX-License-Identifier: MIT

#include "cli/tokenize_info.h"

#include <ostream>

#include <fmt/format.h>

#include "cli/json_output.h"
#include "mneme/core/text.h"
#include "report/table.h"

namespace mneme::cli {
namespace {

using tokens::TokenFileFormat;
using tokens::Tokenizer;
using tokens::TokenType;

constexpr size_t kMaxSpecial = 8; // special tokens that are listed

std::string in_quotes(std::string_view text) {
  return "\"" + printable(text) + "\"";
}

/// Lines of names and values, aligned.
std::string lines_of(const std::vector<std::pair<std::string, std::string>>& rows) {
  size_t width = 0;
  for (const auto& [name, value] : rows) {
    width = std::max(width, name.size());
  }
  std::string text;
  for (const auto& [name, value] : rows) {
    text += fmt::format("{:<{}}  {}\n", name, width, value);
  }
  return text;
}

std::string special_text(const Tokenizer& tokenizer) {
  const std::vector<int32_t> special = tokenizer.special_tokens();
  std::string text;
  for (size_t i = 0; i < special.size() && i < kMaxSpecial; ++i) {
    text += fmt::format("{}{} ({})", i == 0 ? "" : ", ", printable(tokenizer.token_bytes(special[i])),
                        special[i]);
  }
  if (special.size() > kMaxSpecial) {
    text += fmt::format(" and {} more", special.size() - kMaxSpecial);
  }
  return special.empty() ? "none" : text;
}

nlohmann::ordered_json tokens_json(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const int32_t id : ids) {
    list.push_back({{"id", id}, {"token", tokenizer.token_text(id)}});
  }
  return list;
}

std::string kind_of(const Tokenizer& tokenizer) {
  return tokenizer.num_merges() == 0 ? "bytes" : "byte-level BPE";
}

const char* name_of(TokenFileFormat format) {
  return format == TokenFileFormat::mneme ? "mneme" : format == TokenFileFormat::llm_c ? "llm.c" : "raw";
}

} // namespace

void print_tokenizer_info(Context& context, const Tokenizer& tokenizer, const std::string& name,
                          const std::string& sample) {
  const std::vector<int32_t> ids = tokenizer.encode(sample);
  const std::vector<std::string> pieces = tokenizer.split(sample);
  if (context.options.json) {
    nlohmann::ordered_json document = {{"tokenizer", printable(name)},
                                       {"kind", kind_of(tokenizer)},
                                       {"vocab_size", tokenizer.vocab_size()},
                                       {"merges", tokenizer.num_merges()},
                                       {"normalizing", tokenizer.normalizing()},
                                       {"splitting", tokenizer.splitting()},
                                       {"special_tokens", tokens_json(tokenizer, tokenizer.special_tokens())},
                                       {"end_of_text", nullptr},
                                       {"sha256", tokenizer.hash()},
                                       {"sample",
                                        {{"text", printable(sample)},
                                         {"pieces", nlohmann::ordered_json::array()},
                                         {"tokens", tokens_json(tokenizer, ids)}}}};
    if (const auto end = tokenizer.end_of_text()) {
      document["end_of_text"] = *end;
    }
    for (const std::string& piece : pieces) {
      document["sample"]["pieces"].push_back(printable(piece));
    }
    print_json(context.out, document);
    return;
  }
  const auto end = tokenizer.end_of_text();
  context.out << lines_of(
      {{"tokenizer", printable(name)},
       {"kind", kind_of(tokenizer)},
       {"vocabulary", fmt::format("{} ids", tokenizer.vocab_size())},
       {"merges", std::to_string(tokenizer.num_merges())},
       {"normalizing", tokenizer.normalizing()},
       {"splitting", tokenizer.splitting()},
       {"special tokens", special_text(tokenizer)},
       {"end of text", end ? fmt::format("{} ({})", printable(tokenizer.token_bytes(*end)), *end) : "none"},
       {"SHA-256", tokenizer.hash()}});
  report::Table table{.columns = {{.name = "piece", .align = report::Align::left},
                                  {.name = "tokens", .align = report::Align::left},
                                  {.name = "ids", .align = report::Align::left}}};
  for (const std::string& piece : pieces) {
    std::string shown, numbers;
    for (const int32_t id : tokenizer.encode(piece)) {
      shown += (shown.empty() ? "" : " ") + in_quotes(tokenizer.token_bytes(id));
      numbers += fmt::format("{}{}", numbers.empty() ? "" : " ", id);
    }
    table.rows.push_back({in_quotes(piece), shown, numbers});
  }
  context.out << fmt::format("\nSample of {} bytes, {} tokens:\n\n", sample.size(), ids.size())
              << report::to_text(table, context.text_style());
}

void print_token_file_info(Context& context, const tokens::TokenFile& file,
                           const std::filesystem::path& path) {
  const tokens::TokenFileInfo& info = file.info();
  const char* type = info.type == TokenType::uint16 ? "uint16" : "uint32";
  if (context.options.json) {
    nlohmann::ordered_json document = {{"token_file", printable(path.string())},
                                       {"format", name_of(info.format)},
                                       {"type", type},
                                       {"tokens", info.num_tokens},
                                       {"vocab_size", nullptr},
                                       {"text_bytes", nullptr},
                                       {"tokenizer_sha256", nullptr}};
    if (info.format == TokenFileFormat::mneme) {
      document["vocab_size"] = *info.vocab_size;
      document["text_bytes"] = *info.text_bytes;
      document["tokenizer_sha256"] = info.tokenizer_hash;
    }
    print_json(context.out, document);
    return;
  }
  std::vector<std::pair<std::string, std::string>> rows = {{"token file", printable(path.string())},
                                                           {"format", name_of(info.format)},
                                                           {"type of ids", type},
                                                           {"tokens", std::to_string(info.num_tokens)}};
  if (info.format == TokenFileFormat::mneme) {
    rows.emplace_back("bytes of text", std::to_string(*info.text_bytes));
    rows.emplace_back("vocabulary", fmt::format("{} ids", *info.vocab_size));
    rows.emplace_back("SHA-256 of the tokenizer", info.tokenizer_hash);
  } else {
    rows.emplace_back("vocabulary", "not recorded in this format");
  }
  context.out << lines_of(rows);
}

} // namespace mneme::cli
