// SPDX-License-Identifier: MIT

#include "house/house_rules.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace mneme::house {
namespace {

namespace fs = std::filesystem;

/// What a room may use besides itself. `public`: every room that has headers in include/mneme.
constexpr const char* kDirections = R"(
  cli          -> experiments learning verify fetch report json public
  server       -> experiments verify report public
  python       -> public
  experiments  -> learning report public
  learning     -> report public
  verify       -> report json public
  report       -> trials data core
  fetch        -> core
  training     -> nn ops trials memory theory data kernels core
  language     -> nn ops trials memory theory data core
  nn           -> ops data json core
  ops          -> kernels core
  trials       -> memory theory data core
  memory       -> theory kernels core
  data         -> json core
  json         -> core
  kernels      -> core
  theory       -> core
  core         ->
)";
const std::set<std::string> kPublicRooms{"core", "theory", "memory",   "data",    "trials",
                                         "ops",  "nn",     "training", "language"};

/// The rooms of mneme::memory, and what they know nothing of.
const std::set<std::string> kRoomsWithoutTorch{"core",   "json", "kernels", "theory",
                                               "memory", "data", "trials"};
const std::regex kTorch("^(torch|ATen|c10)/");
const std::regex kKeptOutOfPublicHeaders("^(fmt|nlohmann|boost|CLI)/");
/// The library is silent: only programs speak and end. Formatting into memory (snprintf) is no output.
const std::regex kSpeaksOrExits(
    R"(\bstd::(cout|cerr|clog)\b|\b(stdout|stderr)\b|\b(printf|puts|putchar|perror)\s*\(|\bfmt::print(ln)?\s*\(|\b(exit|_exit|_Exit|quick_exit|abort)\s*\()");
const std::set<std::string> kMaySpeakOrExit{
    "src/core/progress.cpp", // shows progress on the stream it is given
    "src/core/assert.cpp",   // a broken invariant ends the process
};
const std::regex kHiddenRandomness(R"(\bstd::random_device\b|\bs?rand\s*\()");
const std::regex kOwnThreads(R"(#\s*pragma\s+omp\b|\bomp_)");
const std::regex kUsingNamespace(R"(\busing\s+namespace\b)");

using Directions = std::map<std::string, std::set<std::string>>;

Directions read_directions() {
  Directions allowed;
  std::istringstream lines(kDirections);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string room, word;
    if (!(words >> room >> word)) {
      continue;
    }
    std::set<std::string>& uses = allowed[room];
    while (words >> word) {
      if (word == "public") {
        uses.insert(kPublicRooms.begin(), kPublicRooms.end());
      } else {
        uses.insert(word);
      }
    }
  }
  return allowed;
}

/// Blanks comments, and the insides of strings and characters; lines stay where they are.
std::string code_only(const std::string& text) {
  std::string code = text;
  size_t i = 0;
  const auto blank_until = [&](size_t end) {
    for (end = std::min(end, text.size()); i < end; ++i) {
      if (text[i] != '\n') {
        code[i] = ' ';
      }
    }
  };
  const auto follows_a_digit = [&](size_t at) { // as in 1'000'000
    return at > 0 && std::isxdigit(static_cast<unsigned char>(text[at - 1])) != 0;
  };
  const auto after = [&](const std::string& mark, size_t from) {
    const size_t found = text.find(mark, from);
    return found == std::string::npos ? text.size() : found + mark.size();
  };
  while (i < text.size()) {
    if (text.compare(i, 2, "//") == 0) {
      blank_until(std::min(text.find('\n', i), text.size()));
    } else if (text.compare(i, 2, "/*") == 0) {
      blank_until(after("*/", i + 2));
    } else if (text.compare(i, 2, "R\"") == 0) {
      const size_t open = std::min(text.find('(', i), text.size());
      blank_until(after(")" + text.substr(i + 2, open - i - 2) + "\"", open));
    } else if (text[i] == '"' || (text[i] == '\'' && !follows_a_digit(i))) {
      size_t end = i + 1;
      while (end < text.size() && text[end] != text[i] && text[end] != '\n') {
        end += text[end] == '\\' ? 2 : 1;
      }
      blank_until(end + 1);
    } else {
      ++i;
    }
  }
  return code;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

struct Place {
  std::string room;          ///< empty: no room of ours
  bool is_public = false;    ///< under include/mneme
  bool only_licence = false; ///< tests and benchmarks
};

Place place_of(const fs::path& file, const Directions& allowed) {
  std::vector<std::string> parts;
  std::transform(file.begin(), file.end(), std::back_inserter(parts),
                 [](const fs::path& part) { return part.string(); });
  Place place;
  place.is_public = parts.size() > 2 && parts[0] == "include";
  place.room = place.is_public ? parts[2] : parts[0] == "src" ? parts[1] : parts[0];
  const std::string stem = file.stem().string();
  place.only_licence = parts[0] == "tests" || parts[0] == "benchmarks" ||
                       (place.room == "kernels" && (stem.ends_with("_test") || stem.ends_with("_benchmark")));
  if (!allowed.contains(place.room)) {
    place.room.clear();
  }
  return place;
}

class Reader {
public:
  explicit Reader(fs::path root) : root_(std::move(root)) {}

  Inspection read_all() {
    for (const char* folder : {"include", "src", "cli", "experiments", "learning", "verify", "report",
                               "server", "python", "tests", "benchmarks"}) {
      if (!fs::exists(root_ / folder)) {
        continue;
      }
      std::vector<fs::path> files;
      for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root_ / folder)) {
        const std::string extension = entry.path().extension().string();
        if (entry.is_regular_file() && (extension == ".h" || extension == ".cpp" || extension == ".cu")) {
          files.push_back(fs::relative(entry.path(), root_));
        }
      }
      std::sort(files.begin(), files.end());
      std::for_each(files.begin(), files.end(), [this](const fs::path& file) { read(file); });
    }
    return result_;
  }

private:
  void read(const fs::path& file) {
    std::ifstream stream(root_ / file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    file_ = file.generic_string();
    place_ = place_of(file, allowed_);
    ++result_.files;

    const std::vector<std::string> written = lines_of(text);
    if (written.empty() || written[0] != "// SPDX-License-Identifier: MIT") {
      report(1, "the first line is not '// SPDX-License-Identifier: MIT'");
    }
    if (place_.only_licence) {
      return;
    }
    if (place_.room.empty()) {
      report(1, "lies in no known room");
      return;
    }
    const std::vector<std::string> code = lines_of(code_only(text));
    static const std::regex include(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
    static const std::regex directive(R"(^\s*#\s*include\b)");
    for (size_t i = 0; i < code.size(); ++i) {
      const int line = static_cast<int>(i) + 1;
      std::smatch match;
      if (std::regex_search(code[i], directive) && std::regex_search(written[i], match, include)) {
        check_include(match[1], line);
      } else {
        check_code(code[i], line);
      }
    }
    const bool per_cpu_target =
        file.filename().string().ends_with("-inl.h"); // Highway includes it once per target.
    if (file.extension() == ".h" && !per_cpu_target &&
        std::find(code.begin(), code.end(), "#pragma once") == code.end()) {
      report(1, "has no '#pragma once'");
    }
  }

  void check_include(const std::string& path, int line) {
    if (kRoomsWithoutTorch.contains(place_.room) && std::regex_search(path, kTorch)) {
      report(line, place_.room + " includes " + path + ": mneme::memory knows no LibTorch");
    }
    if (place_.is_public && std::regex_search(path, kKeptOutOfPublicHeaders)) {
      report(line, "a public header includes " + path + ", which belongs into a source file");
    }
    if (path.starts_with("../") || path.find("/../") != std::string::npos) {
      report(line, "includes " + path + " by a relative path; write it in full");
      return;
    }
    const bool is_public = path.starts_with("mneme/");
    const std::string rest = is_public ? path.substr(6) : path;
    const size_t slash = rest.find('/');
    const std::string room = slash == std::string::npos ? "" : rest.substr(0, slash);
    if (is_public) {
      if (!kPublicRooms.contains(room)) {
        report(line, "includes " + path + ", which lies in no public room");
      } else {
        check_direction(room, path, line);
      }
    } else if (allowed_.contains(room)) {
      if (place_.is_public) {
        report(line, "a public header includes the private " + path);
      } else if (kPublicRooms.contains(room) && room != place_.room) {
        report(line, "includes " + path + ", a private header of " + room);
      } else {
        check_direction(room, path, line);
      }
    }
  }

  void check_direction(const std::string& room, const std::string& path, int line) {
    if (room != place_.room && !allowed_.at(place_.room).contains(room)) {
      report(line, place_.room + " may not use " + room + " (" + path + ")");
    }
  }

  void check_code(const std::string& code, int line) {
    const bool is_header = file_.ends_with(".h");
    const bool is_program = place_.room == "cli" || place_.room == "server";
    if (is_header && std::regex_search(code, kUsingNamespace)) {
      report(line, "'using namespace' in a header reaches everyone who includes it");
    }
    std::smatch match;
    if (!is_program && !kMaySpeakOrExit.contains(file_) && std::regex_search(code, match, kSpeaksOrExits)) {
      report(line, "'" + match.str() + "': only cli and server write to the terminal or end the process");
    }
    if (std::regex_search(code, match, kHiddenRandomness)) {
      report(line, "'" + match.str() + "': randomness comes in as a seed (mneme/core/random.h)");
    }
    if (file_ != "src/core/parallel.cpp" && std::regex_search(code, match, kOwnThreads)) {
      report(line, "'" + match.str() + "': loops run in parallel through mneme/core/parallel.h");
    }
  }

  void report(int line, const std::string& what) { result_.violations.push_back({file_, line, what}); }

  fs::path root_;
  Directions allowed_ = read_directions();
  Inspection result_;
  std::string file_;
  Place place_;
};

} // namespace

Inspection inspect(const fs::path& root) {
  return Reader(root).read_all();
}

} // namespace mneme::house
