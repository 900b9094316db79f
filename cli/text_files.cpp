// SPDX-License-Identifier: MIT

#include "cli/text_files.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/choices.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/text.h"
#include "mneme/data/read_file.h"
#include "mneme/tokens/json_lines.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

constexpr std::string_view kGzip = ".gz";

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool has_name_of_json_lines(std::string_view path) {
  path.remove_suffix(path.ends_with(kGzip) ? kGzip.size() : 0);
  return path.ends_with(".jsonl") || path.ends_with(".ndjson");
}

/// Errors  DataError if the first line is a JSON object
void require_no_json_lines(const std::string& path, std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  const std::string_view line = text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
  const nlohmann::ordered_json object = nlohmann::ordered_json::parse(line, nullptr, false);
  if (!object.is_object()) {
    return;
  }
  std::vector<std::string> names, texts;
  for (const auto& [name, value] : object.items()) {
    names.push_back(name);
    if (value.is_string()) {
      texts.push_back(name);
    }
  }
  std::string advice = "Name the field with the text of a document with --field";
  if (!texts.empty()) {
    advice +=
        ", such as --field " + (std::ranges::find(texts, "text") == texts.end() ? texts.front() : "text");
  }
  throw DataError(printable_message(fmt::format(
      "{}: its lines are JSON objects with the fields {}.\n  {}. To use the lines as they are, give "
      "the file another ending.",
      path, names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")), advice)));
}

constexpr std::array kContents = {
    std::pair("auto", FileContent::automatic), std::pair("text", FileContent::text),
    std::pair("uint16", FileContent::uint16), std::pair("uint32", FileContent::uint32)};

/// Errors  DataError for bytes that are probably ids without a header
void require_text(const std::string& path, std::string_view text) {
  const size_t nul = text.find('\0');
  std::string_view name = path;
  name.remove_suffix(name.ends_with(kGzip) ? kGzip.size() : 0);
  if (nul == std::string_view::npos && !name.ends_with(".bin")) {
    return;
  }
  throw DataError(fmt::format(
      "{}: {}, as files of token ids without a header do, such as those of nanoGPT.\n  Give the type of the "
      "ids with --token-type uint16 or uint32. If it is a text, give --token-type text; convert UTF-16 to "
      "UTF-8 before.",
      printable(path),
      nul == std::string_view::npos ? "its name ends with .bin" : fmt::format("byte {} is NUL", nul + 1)));
}

} // namespace

const char* name_of(FileContent content) {
  return std::ranges::find(kContents, content, [](const auto& named) { return named.second; })->first;
}

std::optional<tokens::TokenType> raw_type_of(FileContent content) {
  switch (content) {
  case FileContent::uint16:
    return tokens::TokenType::uint16;
  case FileContent::uint32:
    return tokens::TokenType::uint32;
  default:
    return std::nullopt;
  }
}

Option* add_text_option(Arguments& arguments, std::vector<std::string>& paths, const std::string& help) {
  return arguments.add_option("--text", paths, help)->type_name("FILE");
}

Option* add_field_option(Arguments& arguments, std::string& field) {
  return arguments
      .add_option("--field", field,
                  "The files are JSON Lines, one object per line, with the text of a document in this field")
      ->type_name("NAME");
}

Option* add_content_option(Arguments& arguments, FileContent& content, bool with_text) {
  std::vector<std::pair<std::string, FileContent>> choices(kContents.begin(), kContents.end());
  if (!with_text) {
    std::erase_if(choices, [](const auto& choice) { return choice.second == FileContent::text; });
  }
  const std::string help = "Type of the ids in a token file without a header, such as those of nanoGPT";
  return add_choice_option<FileContent>(
      arguments, "--token-type", content, choices,
      with_text ? help + "; text: the files are texts, also with NUL bytes or the ending .bin, which are "
                         "otherwise refused"
                : help);
}

std::vector<std::string> expanded(const std::vector<std::string>& paths) {
  std::vector<std::string> all;
  for (const std::string& path : paths) {
    for (const std::filesystem::path& file : data::expand_wildcards(path)) {
      std::error_code missing;
      if (std::filesystem::is_directory(file, missing)) {
        throw DataError(fmt::format("{0}: is a folder, but files of text are needed.\n  Name its files, such "
                                    "as '{1}'.",
                                    printable(file.string()), printable((file / "*.txt").string())));
      }
      all.push_back(file.string());
    }
  }
  return all;
}

Documents::Documents(const std::string& path, const std::string& field) {
  if (!field.empty()) {
    texts_ = tokens::read_json_lines(path, field);
    return;
  }
  bytes_ = data::read_decompressed_file(path);
  if (has_name_of_json_lines(path)) {
    require_no_json_lines(path, text_of(bytes_));
  }
}

std::vector<std::string_view> Documents::texts() const {
  return bytes_.empty() ? std::vector<std::string_view>(texts_.begin(), texts_.end())
                        : std::vector{text_of(bytes_)};
}

void encode_files(const TextFiles& files, const tokens::Tokenizer& tokenizer,
                  const tokens::EncodeOptions& options, const std::string& advice, Progress& progress,
                  const std::function<void(std::span<const int32_t>)>& use) {
  const std::optional<tokens::TokenType> raw_type = raw_type_of(files.content);
  if (raw_type && !files.field.empty()) {
    throw UsageError(fmt::format("--token-type {} with --field: JSON Lines have no ids.\n  Leave out one of "
                                 "them.",
                                 name_of(files.content)));
  }
  const std::optional<int32_t> end = tokenizer.end_of_text();
  std::optional<int32_t> last; ///< token
  const auto add = [&](const std::vector<int32_t>& ids) {
    if (!ids.empty()) {
      last = ids.back();
      use(ids);
    }
  };
  if (files.paths.size() > 1) {
    progress.start("encode", static_cast<int64_t>(files.paths.size()));
  }
  for (const std::string& path : files.paths) {
    throw_if_interrupted();
    const Documents documents(path, files.field);
    if (last && end && *last != *end) {
      add({*end});
    }
    if (raw_type || tokens::is_token_file(documents.bytes())) {
      add(tokens::ids_of(documents.bytes(), path, tokenizer, options, advice, raw_type));
    } else {
      if (files.content == FileContent::automatic && files.field.empty()) {
        require_text(path, text_of(documents.bytes()));
      }
      for (const std::string_view text : documents.texts()) {
        tokenizer.encode_blocks(text, options, add);
        if (!files.field.empty()) {
          add(end ? std::vector{*end} : tokenizer.encode("\n"));
        }
      }
    }
    progress.advance();
  }
  progress.finish();
}

std::string joined_text(const TextFiles& files, const tokens::Tokenizer& tokenizer) {
  const std::optional<int32_t> end = tokenizer.end_of_text();
  const size_t count = files.paths.size();
  const std::string number = report::counted(static_cast<int64_t>(count), "file");
  if (!files.field.empty()) {
    return fmt::format("documents of {}, each followed by {}", number,
                       end ? printable(std::string(tokenizer.token_bytes(*end))) : "a line feed");
  }
  if (count == 1) {
    return "";
  }
  return end ? fmt::format("{}, separated by {}", number, printable(std::string(tokenizer.token_bytes(*end))))
             : number + ", joined without a separator";
}

} // namespace mneme::cli
