// SPDX-License-Identifier: MIT

#include "cli/program.h"

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include "cli/colour.h"
#include "cli/hand_over.h"
#include "mneme/core/nearest_word.h"
#include "cli/run.h"
#include "mneme/core/error.h"
#include "mneme/core/version.h"

namespace mneme::cli {
namespace {

using Verbs = std::vector<std::unique_ptr<Verb>>;

std::string overview(const Verbs& verbs, const Paint& paint) {
  std::string text = fmt::format(
      "{} {} is an associative memory: write patterns into it, ask with a noisy or partial one,\n"
      "and it recalls what was stored. Kanerva's SDM, Hopfield networks and attention in one idea.\n\n",
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
          "  mneme theory plan --items 10000   how large a memory must be; `mneme theory` lists what can be "
          "asked\n"
          "  mneme verify golden/ --json       check this build against published numbers, as JSON\n"
          "  source <(mneme completion bash)   let the Tab key know the verbs and options\n"
          "\n`mneme VERB --help`, or `mneme help VERB`, lists the options of a verb.\n";
  return text;
}

/// `more` are the arguments behind the name.
Verb& find_verb(const Verbs& verbs, const std::string& name, const std::vector<std::string>& more) {
  std::vector<std::string> names;
  for (const auto& verb : verbs) {
    if (verb->name() == name) {
      return *verb;
    }
    names.push_back(verb->name());
  }
  if (name.starts_with("-")) {
    const auto verb = std::ranges::find_first_of(more, names);
    throw UsageError(
        fmt::format("\"{}\" stands before the verb.\n  Options come last, as in `mneme {} {}{}`.", name,
                    verb == more.end() ? names.front() : *verb, name,
                    verb == more.end() || verb == more.begin() ? "" : " ..."));
  }
  const std::string close = nearest_word(name, names);
  throw UsageError(fmt::format("there is no verb \"{}\".\n  {}`mneme` alone lists them all.", name,
                               close.empty() ? "" : fmt::format("Did you mean \"{}\"? ", close)));
}

} // namespace

ExitCode run_program(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  try {
    const Verbs verbs = all_verbs();
    const std::string first = arguments.empty() ? "" : arguments.front();
    const bool asks_version = first == "--version" || first == "-V";
    const bool is_help = first == "help";
    const auto wants_overview = [&](size_t place) {
      return place == arguments.size() || arguments[place] == "--help" || arguments[place] == "-h" ||
             (place == 1 && arguments[place] == "help");
    };
    if (asks_version || wants_overview(0) || (is_help && wants_overview(1))) {
      out << (asks_version ? fmt::format("mneme {}\n", version())
                           : overview(verbs, {wants_colour(stdout, false)}));
      check_output(out);
      return ExitCode::ok;
    }
    const auto name = arguments.begin() + (is_help ? 1 : 0);
    std::vector<std::string> own(name + 1, arguments.end());
    Verb& verb = find_verb(verbs, *name, own);
    if (is_help) {
      own.emplace_back("--help");
    }
    return run_verb(verb, own, out, err, [&] { hand_over(arguments, verb); });
  } catch (...) {
    return report_error(std::current_exception(), "", err);
  }
}

} // namespace mneme::cli
