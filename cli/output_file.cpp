// SPDX-License-Identifier: MIT

#include "cli/output_file.h"

#include <system_error>

#include <fmt/format.h>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme::cli {

namespace fs = std::filesystem;

void require_other_file(const std::string& option, const fs::path& out, const std::vector<fs::path>& inputs) {
  for (const fs::path& input : inputs) {
    std::error_code missing; // a file that does not exist is not overwritten
    if (fs::is_regular_file(input, missing) && fs::equivalent(input, out, missing)) {
      throw UsageError(
          fmt::format("{} {}: is also an input, which would be overwritten.\n  Give another name.", option,
                      printable(out.string())));
    }
  }
}

void require_replaceable(const OutputFile& file) {
  require_writable(file.path, OutputKind::file);
  require_other_file(file.option, file.path, file.inputs);
  std::error_code missing;
  if (!fs::is_regular_file(file.path, missing)) {
    return;
  }
  const auto refuse = [&](const std::string& problem) {
    throw UsageError(fmt::format("{} {}: {}; it was not changed.\n  Give another name, or delete the file.",
                                 file.option, printable(file.path.string()), problem));
  };
  constexpr fs::perms kWritable = fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
  if ((fs::status(file.path).permissions() & kWritable) == fs::perms::none) {
    refuse("the file exists and is write-protected");
  }
  if (fs::file_size(file.path) > 0 && !file.is_of_kind(file.path)) {
    refuse("the file exists and is not " + file.kind);
  }
}

} // namespace mneme::cli
