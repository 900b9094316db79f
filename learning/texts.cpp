// SPDX-License-Identifier: MIT

#include "learning/texts.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/folders.h"
#include "mneme/data/read_file.h"
#include "report/text.h"

namespace mneme::learning {
namespace {

constexpr const char* kSdmFile = "text_inputs.txt";

/// Errors  DataError if the nine texts are not in the data folder
std::filesystem::path sdm_texts(const std::filesystem::path& data_folder) {
  const std::filesystem::path folder = data::data_folder(data_folder);
  if (const auto found = find_sdm_texts(folder)) {
    return *found;
  }
  std::error_code unreadable;
  throw DataError(fmt::format(
      "{}: the nine texts of Bricken & Pehlevan were not found (searched for {}/{} and {}).\n  Download them "
      "with `mneme data get {}`, or choose their folder with --data.{}",
      printable(folder.string()), kSdmTexts, kSdmFile, kSdmFile, kSdmTexts,
      std::filesystem::exists(kSdmTexts, unreadable)
          ? fmt::format(" The file {0} of the current folder is ./{0}.", kSdmTexts)
          : ""));
}

} // namespace

std::optional<std::filesystem::path> find_sdm_texts(const std::filesystem::path& data_folder) {
  return data::find_data_file(data_folder, kSdmTexts, {kSdmFile});
}

std::vector<std::string> read_lines(const std::filesystem::path& file) {
  const std::vector<std::byte> bytes = data::read_decompressed_file(file);
  std::vector<std::string> lines;
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    line.remove_suffix(line.ends_with('\r') ? 1 : 0);
    lines.emplace_back(line);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return lines;
}

std::vector<InspectedText> read_texts(const std::filesystem::path& file,
                                      const std::filesystem::path& data_folder) {
  const std::string name = printable(file.string());
  std::vector<InspectedText> texts;
  for (std::string& line : read_lines(file == kSdmTexts ? sdm_texts(data_folder) : file)) {
    InspectedText& text = texts.emplace_back();
    text.name = fmt::format("{}: line {}", name, texts.size());
    if (line.empty()) {
      throw DataError(text.name + " is empty, but each line is a text.\n  Remove the line.");
    }
    text.text = std::move(line);
  }
  return texts;
}

std::vector<int64_t> parse_ids(std::string_view text, const std::string& name) {
  constexpr std::string_view kSeparators = " \t\r\n,";
  std::vector<int64_t> ids;
  for (size_t at = text.find_first_not_of(kSeparators); at != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    int64_t id = 0;
    const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || rest != word.data() + word.size()) {
      throw DataError(fmt::format(
          "{}: byte {}: \"{}\" is not an integer.\n  Give token ids separated by spaces or commas.", name, at,
          report::one_line(word.substr(0, 24))));
    }
    ids.push_back(id);
    at = text.find_first_not_of(kSeparators, end);
  }
  return ids;
}

} // namespace mneme::learning
