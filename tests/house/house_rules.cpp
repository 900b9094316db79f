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

/// Modules that a module may include, besides itself. `public`: every module with headers in include/mneme.
constexpr const char* kAllowedDependencies = R"(
  cli          -> experiments learning verify fetch report json public
  server       -> experiments verify report public
  python       -> public
  experiments  -> learning report public
  learning     -> report json public
  verify       -> report json public
  report       -> trials data core
  fetch        -> core
  training     -> language nn ops trials memory theory data kernels core
  language     -> nn ops trials memory theory tokens data json core
  nn           -> ops data json core
  ops          -> kernels core
  trials       -> memory theory data core
  store        -> trials theory memory data core
  memory       -> theory kernels core
  tokens       -> data json core
  data         -> json core
  json         -> core
  kernels      -> core
  theory       -> core
  core         ->
)";
const std::set<std::string> kPublicModules{"core", "theory", "memory", "data",     "tokens",  "trials",
                                           "ops",  "nn",     "store",  "training", "language"};

/// Modules of mneme::memory, which must not include headers of LibTorch.
const std::set<std::string> kModulesWithoutTorch{"core", "json",   "kernels", "theory", "memory",
                                                 "data", "tokens", "trials",  "store"};
const std::regex kTorch("^(torch|ATen|c10)/");
const std::regex kNamesTorch(R"(\b(at|torch|c10)::)");
/// Includes that bring declarations of LibTorch. A build does not notice that they are missing from a public
/// header, because headers of LibTorch are precompiled.
const std::regex kBringsTorch("^((torch|ATen|c10)|mneme/(ops|nn|language|training))/");
/// Headers of the standard library; a public header includes no others besides those of mneme and LibTorch.
const std::regex kStandardHeader("^[a-z_0-9]+$");
/// Headers that include all of LibTorch, which takes up to 30 s to compile.
const std::regex kAllOfTorch(R"(^(torch/(torch|all|extension)|ATen/ATen)\.h$)");
/// Output and exit, which only programs may use. Formatting into memory (snprintf) is not output.
const std::regex
    kPrintsOrExits(R"(\bstd::(cout|cerr|clog)\b|\b(stdout|stderr)\b|\b(printf|puts|putchar|perror)\s*\(|)"
                   R"(\bfmt::print(ln)?\s*\(|\b(exit|_exit|_Exit|quick_exit|abort)\s*\()");
const std::set<std::string> kMayPrintOrExit{
    "src/core/progress.cpp", // writes progress to the stream that a program passes
    "src/core/assert.cpp",   // ends the process if an invariant is violated
};
const std::regex kHiddenRandomness(R"(\bstd::random_device\b|\bs?rand\s*\()");
const std::regex
    kOwnThreads(R"(#\s*pragma\s+omp\b|\bomp_|\bstd::(thread\b(?!::)|jthread\b|async\b|execution::)|)"
                R"(\bpthread_create\b)");
const std::set<std::string> kMayStartThreads{"src/core/parallel.cpp", "src/core/thread_team.cpp"};
/// Algorithms that return a subrange, and views: clang 14, which `./dev sanitize` and `lint` use, does not
/// compile those of libstdc++ 12.
const std::regex
    kSubrange(R"(\bstd::ranges::(unique|remove|remove_if|partition|stable_partition|rotate|search|)"
              R"(find_end|equal_range|subrange)\b|\bviews::)");
const std::regex kUsingNamespace(R"(\busing\s+namespace\b)");

using Dependencies = std::map<std::string, std::set<std::string>>;

Dependencies read_allowed_dependencies() {
  Dependencies allowed;
  std::istringstream lines(kAllowedDependencies);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string module_name, word;
    if (!(words >> module_name >> word)) {
      continue;
    }
    std::set<std::string>& uses = allowed[module_name];
    while (words >> word) {
      if (word == "public") {
        uses.insert(kPublicModules.begin(), kPublicModules.end());
      } else {
        uses.insert(word);
      }
    }
  }
  return allowed;
}

/// `text` with comments, string literals and character literals replaced by blanks; line numbers are kept.
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
  const auto after_digit = [&](size_t at) { // as in 1'000'000
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
    } else if (text[i] == '"' || (text[i] == '\'' && !after_digit(i))) {
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
  std::string module_name;   ///< empty if there is none
  bool is_public = false;    ///< in include/mneme
  bool only_licence = false; ///< tests and benchmarks: may include anything
};

Place place_of(const fs::path& file, const Dependencies& allowed) {
  std::vector<std::string> parts;
  std::transform(file.begin(), file.end(), std::back_inserter(parts),
                 [](const fs::path& part) { return part.string(); });
  Place place;
  place.is_public = parts.size() > 2 && parts[0] == "include";
  place.module_name = place.is_public ? parts[2] : parts[0] == "src" ? parts[1] : parts[0];
  const std::string stem = file.stem().string();
  place.only_licence =
      parts[0] == "tests" || parts[0] == "benchmarks" ||
      (place.module_name == "kernels" && (stem.ends_with("_test") || stem.ends_with("_benchmark")));
  if (!allowed.contains(place.module_name)) {
    place.module_name.clear();
  }
  return place;
}

class Checker {
public:
  explicit Checker(fs::path root) : root_(std::move(root)) {}

  Inspection check_all() {
    for (const char* folder : {"include", "src", "cli", "experiments", "learning", "verify", "report",
                               "fetch", "server", "python", "tests", "benchmarks"}) {
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
      std::for_each(files.begin(), files.end(), [this](const fs::path& file) { check_file(file); });
    }
    return result_;
  }

private:
  void check_file(const fs::path& file) {
    std::ifstream stream(root_ / file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    file_ = file.generic_string();
    place_ = place_of(file, allowed_);
    ++result_.files;

    const std::vector<std::string> written = lines_of(text);
    if (written.empty() || written[0] != "// SPDX-License-Identifier: MIT") {
      report(1, "the first line is not '// SPDX-License-Identifier: MIT'");
    }
    check_build(file);
    if (place_.only_licence) {
      return;
    }
    if (place_.module_name.empty()) {
      report(1, "is not in a known module");
      return;
    }
    check_comment_lengths(written);
    const std::vector<std::string> code = lines_of(code_only(text));
    static const std::regex include(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
    static const std::regex directive(R"(^\s*#\s*include\b)");
    bool brings_torch = !place_.is_public;
    for (size_t i = 0; i < code.size(); ++i) {
      const int line = static_cast<int>(i) + 1;
      std::smatch match;
      if (std::regex_search(code[i], directive) && std::regex_search(written[i], match, include)) {
        const std::string path = match[1];
        brings_torch = brings_torch || std::regex_search(path, kBringsTorch);
        check_include(path, line);
      } else {
        check_code(code[i], line);
        if (!brings_torch && std::regex_search(code[i], kNamesTorch)) {
          report(line, "names LibTorch, but includes neither its headers nor those of a module that does");
          brings_torch = true; // one report per file
        }
      }
    }
    const bool per_cpu_target =
        file.filename().string().ends_with("-inl.h"); // included once per CPU target by Highway
    if (file.extension() == ".h" && !per_cpu_target &&
        std::find(code.begin(), code.end(), "#pragma once") == code.end()) {
      report(1, "has no '#pragma once'");
    }
  }

  /// Sources, tests and public headers are listed in a CMakeLists.txt. Otherwise a test would never run, and a
  /// header would not be installed.
  void check_build(const fs::path& file) {
    if (file.extension() != ".cpp" && !place_.is_public) {
      return;
    }
    fs::path folder = place_.is_public ? fs::path("src") / place_.module_name : file.parent_path();
    while (!folder.empty() && !fs::exists(root_ / folder / "CMakeLists.txt")) {
      folder = folder.parent_path();
    }
    const std::string list = (folder / "CMakeLists.txt").generic_string();
    if (!fs::exists(root_ / list)) {
      return; // the source tree of a test
    }
    const std::vector<std::string> names = names_in_list(file);
    if (std::ranges::none_of(names, [&](const std::string& name) {
          return words_of(list).contains(name) || words_of("cmake/MnemeTargets.cmake").contains(name);
        })) {
      report(1, "is not listed in " + list + ", so it is not built");
    }
  }

  /// Names by which a CMakeLists.txt may list a file: the ends of its path, its name without extension, the
  /// kernel that it belongs to, or what a fuzzer reads.
  static std::vector<std::string> names_in_list(const fs::path& file) {
    std::vector<std::string> names{file.stem().string()};
    const std::string stem = names[0];
    fs::path end;
    for (auto part = file.end(); part != file.begin();) {
      --part;
      end = end.empty() ? *part : *part / end;
      names.push_back(end.generic_string());
    }
    if (file.generic_string().starts_with("src/kernels/")) {
      const std::string kernel = file.parent_path().filename().string();
      for (const char* suffix : {"_reference", "_test", "_benchmark"}) {
        if (stem == kernel + suffix) {
          names.push_back(kernel);
        }
      }
    }
    if (stem.starts_with("fuzz_")) {
      names.push_back(stem.substr(5));
    }
    return names;
  }

  /// Names and paths in a CMakeLists.txt.
  const std::set<std::string>& words_of(const std::string& list) {
    std::set<std::string>& words = lists_[list];
    if (words.empty()) {
      std::ifstream stream(root_ / list);
      const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
      static const std::regex word("[A-Za-z0-9_./-]+");
      for (std::sregex_iterator found(text.begin(), text.end(), word); found != std::sregex_iterator();
           ++found) {
        const std::string name = found->str();
        words.insert(name.starts_with("/") ? name.substr(1) : name); // ${CMAKE_CURRENT_SOURCE_DIR}/name
      }
    }
    return words;
  }

  /// Comments fit the line length that clang-format enforces for code.
  void check_comment_lengths(const std::vector<std::string>& written) {
    constexpr std::ptrdiff_t kColumnsMax = 110;
    static const std::regex comment(R"(^\s*//)");
    for (size_t i = 0; i < written.size(); ++i) {
      const auto columns = std::ranges::count_if(
          written[i], [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }); // UTF-8
      if (columns > kColumnsMax && std::regex_search(written[i], comment)) {
        report(static_cast<int>(i) + 1, "a comment of more than 110 columns");
      }
    }
  }

  /// Headers of this source tree; other rules decide whether they may be included.
  bool is_ours(const std::string& path) const {
    return path.starts_with("../") || path.starts_with("mneme/") ||
           allowed_.contains(path.substr(0, path.find('/')));
  }

  void check_include(const std::string& path, int line) {
    const bool is_torch = std::regex_search(path, kTorch);
    if (kModulesWithoutTorch.contains(place_.module_name) && is_torch) {
      report(line, place_.module_name + " includes " + path + ": mneme::memory must not depend on LibTorch");
    }
    if (place_.is_public && !is_torch && !is_ours(path) && !std::regex_search(path, kStandardHeader)) {
      report(line, "a public header includes " + path + "; include it in a source file only");
    }
    if (place_.is_public && std::regex_search(path, kAllOfTorch)) {
      report(line,
             "a public header includes " + path + "; include only the headers of LibTorch that it uses");
    }
    if (path.starts_with("../") || path.find("/../") != std::string::npos) {
      report(line, "includes " + path + " by a relative path; write the path from the root");
      return;
    }
    const bool is_public = path.starts_with("mneme/");
    const std::string rest = is_public ? path.substr(6) : path;
    const size_t slash = rest.find('/');
    const std::string included = slash == std::string::npos ? "" : rest.substr(0, slash);
    if (is_public) {
      if (!kPublicModules.contains(included)) {
        report(line, "includes " + path + ", which is not in a public module");
      } else {
        check_dependency(included, path, line);
      }
    } else if (allowed_.contains(included)) {
      if (place_.is_public) {
        report(line, "a public header includes the private " + path);
      } else if (kPublicModules.contains(included) && included != place_.module_name) {
        report(line, "includes " + path + ", a private header of " + included);
      } else {
        check_dependency(included, path, line);
      }
    }
  }

  void check_dependency(const std::string& included, const std::string& path, int line) {
    if (included != place_.module_name && !allowed_.at(place_.module_name).contains(included)) {
      report(line, place_.module_name + " may not include " + included + " (" + path + ")");
    }
  }

  void check_code(const std::string& code, int line) {
    const bool is_header = file_.ends_with(".h");
    const bool is_program = place_.module_name == "cli" || place_.module_name == "server";
    if (is_header && std::regex_search(code, kUsingNamespace)) {
      report(line, "'using namespace' in a header also applies to every file that includes it");
    }
    std::smatch match;
    if (!is_program && !kMayPrintOrExit.contains(file_) && std::regex_search(code, match, kPrintsOrExits)) {
      report(line, "'" + match.str() + "': only cli and server may print or end the process");
    }
    if (std::regex_search(code, match, kHiddenRandomness)) {
      report(line, "'" + match.str() + "': pass a seed and use mneme/core/random.h");
    }
    if (std::regex_search(code, match, kSubrange)) {
      report(line, "'" + match.str() + "': clang 14 does not compile it; use the algorithm of <algorithm>");
    }
    if (!kMayStartThreads.contains(file_) && std::regex_search(code, match, kOwnThreads)) {
      report(line, "'" + match.str() + "': use mneme/core/parallel.h for parallel loops");
    }
  }

  void report(int line, const std::string& what) { result_.violations.push_back({file_, line, what}); }

  fs::path root_;
  Dependencies allowed_ = read_allowed_dependencies();
  Inspection result_;
  std::map<std::string, std::set<std::string>> lists_; ///< words of each CMakeLists.txt
  std::string file_;
  Place place_;
};

} // namespace

Inspection inspect(const fs::path& root) {
  return Checker(root).check_all();
}

} // namespace mneme::house
