// SPDX-License-Identifier: MIT

/// Replays tests/fuzz/corpus, so that inputs found by a fuzzer are checked in every test run.
#pragma once

#include <filesystem>
#include <span>

#include <gtest/gtest.h>

#include "mneme/data/read_file.h"

namespace mneme::fuzz {

using Reader = bool (*)(std::span<const std::byte>);

/// Seeds ("valid-...") must be read successfully; other inputs may fail, but only with a DataError.
inline void replay(const char* name, Reader reader) {
  const std::filesystem::path folder = std::filesystem::path(MNEME_SOURCE_DIR) / "tests/fuzz/corpus" / name;
  int seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().filename().string());
    const std::vector<std::byte> bytes = data::read_file(entry.path());
    bool read = false;
    EXPECT_NO_THROW(read = reader(bytes));
    if (entry.path().filename().string().starts_with("valid-")) {
      ++seeds;
      EXPECT_TRUE(read);
    }
  }
  EXPECT_GT(seeds, 0);
}

} // namespace mneme::fuzz
