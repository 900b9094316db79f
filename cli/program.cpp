// SPDX-License-Identifier: MIT

#include "cli/program.h"

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include "cli/colour.h"
#include "cli/run.h"
#include "cli/torch_program.h"
#include "mneme/core/error.h"
#include "mneme/core/nearest_word.h"
#include "mneme/core/version.h"

namespace mneme::cli {
namespace {

using Verbs = std::vector<std::unique_ptr<Verb>>;

std::string overview(const Verbs& verbs, const Paint& paint) {
  std::string text = fmt::format(
      "{} {} is an associative memory: store patterns, query it with a noisy or partial one, and it\n"
      "recalls the stored pattern. It includes Kanerva's sparse distributed memory (SDM), Hopfield\n"
      "networks and attention.\n\n",
      paint.bold("mneme"), version());
  size_t width = 0;
  for (const auto& verb : verbs) {
    width = std::max(width, verb->name().size());
  }
  for (const auto& verb : verbs) {
    text += fmt::format("  {}{}  {}\n", paint.bold(verb->name()),
                        std::string(width - verb->name().size(), ' '), verb->summary());
  }
  text += "\nExamples\n"
          "  mneme recall                      recall the built-in letters and digits from noise\n"
          "  mneme recall --patterns digits.npy --noise 0.1..0.4..0.1 --memory attention,hopfield --out out\n"
          "  mneme memory create notes         keep a memory on disk: `mneme memory write notes` and `read "
          "notes`\n"
          "  mneme theory plan --items 10000   compute the required memory size; `mneme theory` lists all\n"
          "                                    quantities\n"
          "  mneme verify golden/ --json       check this build against published numbers, print JSON\n"
          "  source <(mneme completion bash)   enable tab completion in bash\n"
          "\n`mneme VERB --help` or `mneme help VERB` shows the options of a verb.\n";
  return text;
}

/// The verb `name`. `rest` are the arguments after the name, used for the error message.
Verb& find_verb(const Verbs& verbs, const std::string& name, const std::vector<std::string>& rest) {
  std::vector<std::string> names;
  for (const auto& verb : verbs) {
    if (verb->name() == name) {
      return *verb;
    }
    names.push_back(verb->name());
  }
  if (name.starts_with("-")) {
    const auto verb = std::ranges::find_first_of(rest, names);
    throw UsageError(fmt::format(
        "the option \"{}\" is before the verb.\n  Options go after the verb, as in `mneme {} {}{}`.", name,
        verb == rest.end() ? names.front() : *verb, name,
        verb == rest.end() || verb == rest.begin() ? "" : " ..."));
  }
  const std::string close = nearest_word(name, names);
  throw UsageError(fmt::format("there is no verb \"{}\".\n  {}`mneme` without arguments lists all verbs.",
                               name, close.empty() ? "" : fmt::format("Did you mean \"{}\"? ", close)));
}

} // namespace

ExitCode run_program(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  try {
    const Verbs verbs = all_verbs();
    const std::string first = arguments.empty() ? "" : arguments.front();
    const bool is_version = first == "--version" || first == "-V";
    const bool is_help = first == "help";
    const auto is_overview = [&](size_t index) {
      return index == arguments.size() || arguments[index] == "--help" || arguments[index] == "-h" ||
             (index == 1 && arguments[index] == "help");
    };
    if (is_version || is_overview(0) || (is_help && is_overview(1))) {
      out << (is_version ? fmt::format("mneme {}\n", version())
                         : overview(verbs, {use_colour(stdout, false)}));
      check_output(out);
      return ExitCode::ok;
    }
    const auto name = arguments.begin() + (is_help ? 1 : 0);
    std::vector<std::string> verb_arguments(name + 1, arguments.end());
    Verb& verb = find_verb(verbs, *name, verb_arguments);
    if (is_help) {
      verb_arguments.emplace_back("--help");
    }
    return run_verb(verb, verb_arguments, out, err, [&] { relaunch_with_torch(arguments, verb); });
  } catch (...) {
    return report_error(std::current_exception(), "", err);
  }
}

} // namespace mneme::cli
