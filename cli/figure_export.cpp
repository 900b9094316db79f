// SPDX-License-Identifier: MIT

#include "cli/figure_export.h"

#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/arguments.h"
#include "cli/child_program.h"
#include "cli/choices.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme::cli {
namespace {

constexpr int kWriteFailed = 3; // exit status of the script if a file cannot be written

// Arguments: the format, and the paths of the figures without ".vl.json".
constexpr const char* kScript = R"(import os, sys
import vl_convert
convert = getattr(vl_convert, "vegalite_to_" + sys.argv[1])
options = {"scale": 3} if sys.argv[1] == "png" else {}
for name in sys.argv[2:]:
    with open(name + ".vl.json", encoding="utf-8") as file:
        drawn = convert(file.read(), **options)
    part = f"{name}.{sys.argv[1]}.{os.getpid()}.part"
    try:
        with open(part, "wb") as file:
            file.write(drawn.encode() if isinstance(drawn, str) else drawn)
        os.replace(part, f"{name}.{sys.argv[1]}")
    except OSError as error:
        sys.exit(print(error) or 3)
)";

bool has_vl_convert(const std::string& python) {
  const CommandLine command(python, {python, "-c", "import vl_convert"});
  const ProgramOutput output = run_child(command, Captured::output_and_errors);
  return output.error == 0 && output.status == 0;
}

/// .venv/bin/python in the folder of this program, or the nearest one above it; empty if there is none.
std::string python_of_program() {
  std::error_code unreadable;
  std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", unreadable).parent_path();
  for (; folder.has_relative_path(); folder = folder.parent_path()) {
    const std::filesystem::path python = folder / ".venv" / "bin" / "python";
    if (std::filesystem::exists(python, unreadable)) {
      return python.string();
    }
  }
  return "";
}

[[noreturn]] void fail_without_vl_convert(const std::string& tried, const std::string& python) {
  throw UnsupportedError(
      fmt::format("--figures needs vl-convert, a Python package, but {} does not have it.\n  Install "
                  "it with `{} -m pip install vl-convert-python`, or set MNEME_PYTHON to a Python "
                  "that has it. Without --figures, nothing needs it.",
                  printable(tried), printable(python)));
}

} // namespace

void FigureExport::declare(Arguments& arguments) {
  const std::vector<std::string> formats = {"svg", "png", "pdf"};
  std::vector<std::string> words = formats;
  words.emplace_back("all");
  add_word_option(
      arguments, "--figures", words, "",
      [this, formats](size_t index) {
        formats_ = index < formats.size() ? std::vector<std::string>{formats[index]} : formats;
      },
      "Also write each figure of --out in this format (needs the Python package vl-convert-python); all: as "
      "SVG, PNG and PDF");
}

void FigureExport::prepare() {
  if (!is_requested()) {
    return;
  }
  if (const char* python = std::getenv("MNEME_PYTHON"); python != nullptr && *python != '\0') {
    if (!has_vl_convert(python)) {
      fail_without_vl_convert(fmt::format("{} ($MNEME_PYTHON)", python), python);
    }
    python_ = python;
    return;
  }
  const std::string own = python_of_program();
  for (const std::string& python : {own, std::string("python3")}) {
    if (!python.empty() && has_vl_convert(python)) {
      python_ = python;
      return;
    }
  }
  fail_without_vl_convert(own.empty() ? "python3" : own + " or python3", own.empty() ? "python3" : own);
}

void FigureExport::write(const std::vector<std::filesystem::path>& names) const {
  if (!is_requested() || names.empty()) {
    return;
  }
  for (const std::string& format : formats_) {
    write_as(format, names);
  }
}

void FigureExport::write_as(const std::string& format,
                            const std::vector<std::filesystem::path>& names) const {
  std::vector<std::string> arguments = {python_, "-c", kScript, format};
  for (const std::filesystem::path& name : names) {
    arguments.push_back(name.string());
  }
  const ProgramOutput output = run_child({python_, std::move(arguments)}, Captured::output_and_errors);
  const std::string message = printable(output.out.substr(0, output.out.find_last_not_of('\n') + 1));
  if (output.error == 0 && output.status == kWriteFailed) {
    throw OutputError(fmt::format("--figures {}: a figure cannot be written: {}.", format, message));
  }
  if (output.error != 0 || output.status != 0) {
    throw UnsupportedError(
        fmt::format("--figures {}: {} could not draw the figures: {}\n  The Vega-Lite files are "
                    "complete; another version of vl-convert-python may draw them.",
                    format, printable(python_), output.error != 0 ? std::strerror(output.error) : message));
  }
}

std::string FigureExport::written_text() const {
  return is_requested() ? fmt::format(", and every figure as .{}", fmt::join(formats_, ", .")) : "";
}

} // namespace mneme::cli
