// SPDX-License-Identifier: MIT

#include "house/banned_phrases.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace mneme::house {
namespace {

namespace fs = std::filesystem;

struct Exception {
  std::string path; ///< of a file or folder, relative to the root
  std::string text; ///< only in lines that contain this; empty: everywhere
  int line;         ///< in the list
  bool used = false;
};

struct Phrase {
  bool at_comment_start;
  std::regex regex;
  std::string replacement;
  std::vector<Exception> exceptions;
};

bool is_letter_or_digit(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}
char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}
char upper(char c) {
  return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
}

[[noreturn]] void fail(int line, const std::string& what) {
  throw std::invalid_argument("banned phrases, line " + std::to_string(line) + ": " + what);
}

/// The phrases of a list, by their first letter in lower case.
using Phrases = std::multimap<char, Phrase>;

Phrases parse(const std::string& list) {
  const std::string arrow = " => ", allow = "  allow ";
  Phrases phrases;
  Phrase* last = nullptr;
  std::istringstream stream(list);
  int line = 0;
  for (std::string text; std::getline(stream, text);) {
    ++line;
    if (text.empty() || text[0] == '#') {
      continue;
    }
    if (text.starts_with(allow)) {
      if (last == nullptr) {
        fail(line, "an exception needs a phrase before it");
      }
      const std::string rest = text.substr(allow.size());
      const size_t space = rest.find(' ');
      last->exceptions.push_back(
          {rest.substr(0, space), space == std::string::npos ? "" : rest.substr(space + 1), line});
      continue;
    }
    const size_t begin = text[0] == '^' ? 1 : 0, end = text.find(arrow);
    if (end == std::string::npos || std::isalpha(static_cast<unsigned char>(text[begin])) == 0) {
      fail(line, "expected 'EXPRESSION => REPLACEMENT' with a letter at the start, or '  allow PATH'");
    }
    const char first = text[begin];
    const std::string start =
        first == lower(first) ? std::string{'[', first, upper(first), ']'} : std::string{first};
    const std::string rest = text.substr(begin + 1, end - begin - 1);
    try {
      Phrase phrase{begin == 1,
                    std::regex("(?:" + start + rest + ")(?![A-Za-z0-9])"),
                    text.substr(end + arrow.size()),
                    {}};
      last = &phrases.emplace(lower(first), std::move(phrase))->second;
    } catch (const std::regex_error& error) {
      fail(line, error.what());
    }
  }
  return phrases;
}

/// Mark of a comment that extends to the end of the line; empty for pages.
std::string comment_mark(const fs::path& file) {
  const std::string extension = file.extension().string();
  const bool is_code = extension == ".h" || extension == ".cpp" || extension == ".cu" || extension == ".js" ||
                       extension == ".css";
  return is_code ? "//" : extension == ".md" ? "" : "#";
}

/// The words of a file on one line. Line breaks and the marks of comments after them are single spaces, so
/// that a phrase is also found where a line break divides it. Underscores are spaces, so that names are
/// searched as well.
struct FlatText {
  std::string text;
  std::vector<int> lines;             ///< the line of each character, from 1
  std::vector<bool> at_comment_start; ///< for each character: whether a comment begins with it

  FlatText(const std::string& original, const std::string& mark) {
    const auto npos = std::string::npos;
    std::istringstream stream(original);
    bool after_comment_line = false;
    int number = 0;
    for (std::string line; std::getline(stream, line);) {
      ++number;
      size_t begin = line.find_first_not_of(" \t"), comment = npos;
      const size_t at = mark.empty() || begin == npos ? npos : line.find(mark, begin);
      const bool is_comment_line = at != npos && at == begin;
      if (at != npos && !(is_comment_line && after_comment_line)) {
        comment = line.find_first_not_of("/#< \t", at);
      }
      if (is_comment_line) {
        begin = line.find_first_not_of("/#< \t", at);
      }
      after_comment_line = is_comment_line;
      append(' ', number, false);
      for (size_t i = begin; i < line.size(); ++i) {
        append(line[i], number, i == comment);
      }
    }
  }

private:
  void append(char c, int line, bool starts_comment) {
    const bool is_blank = c == '_' || std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!is_blank || (!text.empty() && text.back() != ' ')) {
      text += is_blank ? ' ' : c;
      lines.push_back(line);
      at_comment_start.push_back(starts_comment);
    }
  }
};

std::string line_of(const std::string& text, int line) {
  std::istringstream stream(text);
  std::string found;
  for (int i = 0; i < line; ++i) {
    std::getline(stream, found);
  }
  return found;
}

std::vector<fs::path> files_to_check(const fs::path& root) {
  const std::set<std::string> extensions{".h",  ".cpp", ".cu",  ".md",  ".py",
                                         ".sh", ".js",  ".css", ".txt", ".cmake"};
  std::vector<fs::path> files;
  const auto add = [&](const fs::directory_entry& entry) {
    const fs::path path = fs::relative(entry.path(), root);
    const bool is_text = extensions.contains(path.extension().string()) || path == "dev";
    if (entry.is_regular_file() && is_text && !path.generic_string().starts_with("docs/results/")) {
      files.push_back(path);
    }
  };
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    add(entry);
  }
  for (const char* folder : {"include", "src", "cli", "experiments", "learning", "verify", "report", "fetch",
                             "server", "python", "tests", "benchmarks", "docs", "cmake"}) {
    if (fs::exists(root / folder)) {
      for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / folder)) {
        add(entry);
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool is_allowed(std::vector<Exception>& exceptions, const std::string& file, const std::string& line) {
  bool allowed = false;
  for (Exception& exception : exceptions) {
    if (file.starts_with(exception.path) && line.find(exception.text) != std::string::npos) {
      exception.used = allowed = true;
    }
  }
  return allowed;
}

} // namespace

Inspection inspect_phrases(const fs::path& root, const std::string& list, const std::string& list_path) {
  Phrases phrases = parse(list);
  Inspection result;
  for (const fs::path& path : files_to_check(root)) {
    const std::string file = path.generic_string();
    if (file == list_path) {
      continue;
    }
    ++result.files;
    std::ifstream stream(root / path, std::ios::binary);
    const std::string original{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    const FlatText flat(original, comment_mark(path));
    for (size_t i = 0; i < flat.text.size(); ++i) {
      if (i > 0 && is_letter_or_digit(flat.text[i - 1])) {
        continue; // not the start of a word
      }
      const auto [begin, end] = phrases.equal_range(lower(flat.text[i]));
      for (auto phrase = begin; phrase != end; ++phrase) {
        std::smatch match;
        if ((flat.at_comment_start[i] || !phrase->second.at_comment_start) &&
            std::regex_search(flat.text.begin() + static_cast<std::ptrdiff_t>(i), flat.text.end(), match,
                              phrase->second.regex, std::regex_constants::match_continuous)) {
          const int line = flat.lines[i];
          if (!is_allowed(phrase->second.exceptions, file, line_of(original, line))) {
            result.violations.push_back(
                {file, line, "'" + match.str() + "': write " + phrase->second.replacement});
          }
        }
      }
    }
  }
  for (const auto& [letter, phrase] : phrases) {
    for (const Exception& exception : phrase.exceptions) {
      if (!exception.used) {
        result.violations.push_back(
            {list_path, exception.line, "the exception for " + exception.path + " is not needed"});
      }
    }
  }
  return result;
}

} // namespace mneme::house
