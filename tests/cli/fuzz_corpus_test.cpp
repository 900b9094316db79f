// SPDX-License-Identifier: MIT

// Replays tests/fuzz/corpus for readers of the program.

#include <gtest/gtest.h>

#include "fuzz/line_readers.h"
#include "fuzz/replay.h"

namespace mneme::cli {
namespace {

using mneme::fuzz::replay;

TEST(LineReaderCorpus, MemoryLines) {
  replay("memory_lines", fuzz::memory_lines);
}
TEST(LineReaderCorpus, QueryLines) {
  replay("query_lines", fuzz::query_lines);
}
TEST(LineReaderCorpus, RecallFile) {
  replay("recall_file", fuzz::recall_file);
}
TEST(LineReaderCorpus, RefusesARecallFileWhoseProductOfSidesOverflowsToTheSizeOfItsPatterns) {
  EXPECT_FALSE(fuzz::recall_file(data::read_file(std::filesystem::path(MNEME_SOURCE_DIR) /
                                                 "tests/fuzz/corpus/recall_file/product-of-sides")));
}
TEST(LineReaderCorpus, RunMetrics) {
  replay("run_metrics", fuzz::run_metrics);
}

} // namespace
} // namespace mneme::cli
