// SPDX-License-Identifier: MIT

#include "mneme/core/nearest_word.h"

#include <gtest/gtest.h>

namespace mneme {
namespace {

TEST(NearestWord, IsTheClosestCandidate) {
  const std::vector<std::string> words = {"window_sizes", "n_layer", "n_head", "gate"};
  EXPECT_EQ(nearest_word("window_size", words), "window_sizes");
  EXPECT_EQ(nearest_word("window", words), "window_sizes"); // a prefix
  EXPECT_EQ(nearest_word("n_haed", words), "n_head");
  EXPECT_EQ(nearest_word("gte", words), "gate");
  EXPECT_EQ(nearest_word("tokenizer", words), "");
  EXPECT_EQ(nearest_word("", words), "");
  EXPECT_EQ(nearest_word("gate", {}), "");
}

TEST(NearestWord, FindsNamesOfSomeOfTheWords) {
  const std::vector<std::string> options = {"--bits", "--hamming-radius", "--locations"};
  EXPECT_EQ(nearest_word("--hard-locations", options), "--locations");
  EXPECT_EQ(nearest_word("--radius", options), "--hamming-radius");
  EXPECT_EQ(nearest_word("--locate", {"--located-at"}), "--located-at"); // a prefix
  EXPECT_EQ(nearest_word("atention", {"mlp", "self-attention"}), "self-attention");
  EXPECT_EQ(nearest_word("--rad", {"--hamming-radius"}), ""); // no whole word
}

} // namespace
} // namespace mneme
