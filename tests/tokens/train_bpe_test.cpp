// SPDX-License-Identifier: MIT

#include "mneme/tokens/train_bpe.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "tokens/testing.h"
#include "tokens/tokenizer_state.h"

namespace mneme::tokens {
namespace {

Tokenizer train(const std::vector<std::string_view>& texts, const TrainBpeOptions& options = {}) {
  Progress silent;
  return train_bpe(texts, options, silent);
}

std::vector<std::string> random_lines(uint64_t seed, int count) {
  Random random(seed);
  std::vector<std::string> lines;
  for (int i = 0; i < count; ++i) {
    std::string line = testing::random_text(random, 30);
    std::ranges::replace(line, '\n', ' ');
    for (uint64_t words = random.below(12); words > 0; --words) {
      line += " ";
      for (uint64_t left = 1 + random.below(7); left > 0; --left) {
        line += "aaabceinorth"[random.below(12)];
      }
    }
    lines.push_back(line + "\n");
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line;
  }
  return text;
}

/// The tokens that merges add, by the definition: all pairs are counted again after every merge.
std::vector<std::string> plain_training(const std::string& text, size_t num_tokens, int64_t min_count,
                                        const Tokenizer& pieces_of) {
  std::map<std::vector<std::string>, int64_t> words;
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    for (const std::string& piece :
         pieces_of.split(text.substr(begin, end - begin), {.parse_special = true})) {
      if (piece == "<|endoftext|>") {
        continue;
      }
      std::vector<std::string> symbols;
      for (const char c : piece) {
        symbols.emplace_back(1, c);
      }
      ++words[symbols];
    }
  }
  std::vector<std::string> tokens;
  while (tokens.size() < num_tokens) {
    std::map<std::pair<std::string, std::string>, int64_t> pairs;
    for (const auto& [symbols, count] : words) {
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        pairs[{symbols[i], symbols[i + 1]}] += count;
      }
    }
    const auto best = std::ranges::max_element(pairs, {}, [](const auto& pair) { return pair.second; });
    if (best == pairs.end() || best->second < min_count) {
      break;
    }
    const auto [left, right] = best->first; // the smallest of equal ones, as pairs are sorted
    if (std::ranges::find(tokens, left + right) == tokens.end()) {
      tokens.push_back(left + right);
    }
    std::map<std::vector<std::string>, int64_t> merged;
    for (const auto& [symbols, count] : words) {
      std::vector<std::string> result;
      for (size_t i = 0; i < symbols.size(); ++i) {
        const bool is_pair = i + 1 < symbols.size() && symbols[i] == left && symbols[i + 1] == right;
        result.push_back(is_pair ? left + right : symbols[i]);
        i += is_pair;
      }
      merged[result] += count;
    }
    words = merged;
  }
  return tokens;
}

TEST(TrainBpe, MergesTheMostFrequentPairsOfTheDefinition) {
  const Tokenizer pieces_of = testing::golden_tokenizer();
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    const std::string text = joined(random_lines(seed, 60));
    const Tokenizer tokenizer = train({text}, {.vocab_size = 457});
    std::vector<std::string> tokens;
    for (int32_t id = 256; id < tokenizer.vocab_size() - 1; ++id) {
      tokens.emplace_back(tokenizer.token_bytes(id));
    }
    EXPECT_EQ(tokens, plain_training(text, 200, 2, pieces_of));
  }
}

TEST(TrainBpe, DoesNotDependOnThreadsOrOnTheOrderOfLines) {
  std::vector<std::string> lines = random_lines(9, 40000);
  const std::string text = joined(lines);
  ASSERT_GT(text.size(), size_t{2} << 20) << "several blocks";
  const int before = threads();
  set_threads(1);
  const std::string expected = train({text}, {.vocab_size = 600}).hash();
  set_threads(4);
  EXPECT_EQ(train({text}, {.vocab_size = 600}).hash(), expected);
  std::ranges::reverse(lines);
  std::rotate(lines.begin(), lines.begin() + 777, lines.end());
  const std::string other = joined(lines);
  const size_t middle = other.find('\n', other.size() / 2) + 1;
  EXPECT_EQ(train({std::string_view(other).substr(0, middle), std::string_view(other).substr(middle)},
                  {.vocab_size = 600})
                .hash(),
            expected);
  set_threads(before);
}

TEST(TrainBpe, BreaksTiesByBytes) {
  // "ab", "cd" and "ba" are equally frequent.
  const Tokenizer tokenizer = train({"cd ab ba cd ab ba\n"}, {.vocab_size = 258});
  EXPECT_EQ(tokenizer.token_bytes(256), " a") << "a space is smaller than a letter";
}

TEST(TrainBpe, HasTheIdsOfGpt2) {
  const Tokenizer tokenizer =
      train({"hello hello hello"}, {.vocab_size = 300, .special_tokens = {"<|endoftext|>", "<|user|>"}});
  EXPECT_EQ(tokenizer.token_bytes(0), "!");
  EXPECT_EQ(tokenizer.token_bytes(220), " ");
  EXPECT_EQ(tokenizer.token_bytes(198), "\n");
  const auto last = static_cast<int32_t>(tokenizer.vocab_size() - 1);
  EXPECT_EQ(tokenizer.token_bytes(last), "<|user|>");
  EXPECT_EQ(tokenizer.end_of_text(), last - 1);
  EXPECT_LT(tokenizer.vocab_size(), 300) << "no pair is left";
  EXPECT_EQ(tokenizer.encode(" hello").size(), 1U);
}

TEST(TrainBpe, DoesNotLearnFromSpecialTokensOrInvalidBytes) {
  const Tokenizer tokenizer =
      train({"<|endoftext|><|endoftext|>\xff\xfe\xff\xfe\xff\xfe"}, {.vocab_size = 300});
  EXPECT_EQ(tokenizer.num_merges(), 0);
}

TEST(TrainBpe, AcceptsALongTextWithoutSpaces) {
  Random random(2);
  std::string text;
  while (text.size() < (size_t{1} << 20)) {
    text += "ACGT"[random.below(4)];
  }
  const Tokenizer tokenizer = train({text}, {.vocab_size = 512});
  EXPECT_EQ(tokenizer.vocab_size(), 512);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
}

TEST(TrainBpe, RestoresItselfFromFiles) {
  const Tokenizer tokenizer = train({joined(random_lines(3, 50))}, {.vocab_size = 320});
  const mneme::testing::TemporaryFolder folder;
  write_tokenizer(folder.path(), tokenizer);
  EXPECT_EQ(read_tokenizer(folder.path()).hash(), tokenizer.hash());
}

TEST(TrainBpe, RejectsInvalidOptions) {
  EXPECT_THROW(train({"a"}, {.vocab_size = 256}), UsageError);
  EXPECT_THROW(train({"a"}, {.min_count = 0}), UsageError);
  EXPECT_THROW(train({"a"}, {.special_tokens = {"<a>", "<a>"}}), UsageError);
  EXPECT_THROW(train({"a"}, {.special_tokens = {"x"}}), UsageError);
  EXPECT_THROW(train({"a"}, {.special_tokens = {"<\xff>"}}), UsageError);
  EXPECT_THROW(train({"a"}, {.special_tokens = {"<\n>"}}), UsageError);
}

TEST(TrainBpe, EndsAtTheFirstMergeOfAnotherTokenizer) {
  const std::vector<std::string_view> text = {"one two one two one"}, other = {"three four three four"};
  Progress silent;
  const Tokenizer expected = train_bpe(text, {.vocab_size = 260}, silent);
  EXPECT_EQ(train_bpe(text, {.vocab_size = 260, .expected = &expected}, silent).hash(), expected.hash());
  const auto train = [&](const std::vector<std::string_view>& on, const TrainBpeOptions& options) {
    train_bpe(on, options, silent);
  };
  EXPECT_THROW(train(other, {.vocab_size = 260, .expected = &expected}), UnexpectedTokenizer);
  EXPECT_THROW(train(text, {.vocab_size = 261, .expected = &expected}), UnexpectedTokenizer);
  EXPECT_THROW(train(text, {.vocab_size = 259, .expected = &expected}), UnexpectedTokenizer);
  EXPECT_THROW(train({}, {.vocab_size = 260, .expected = &expected}), UnexpectedTokenizer);
  EXPECT_THROW(train(text, {.vocab_size = 260, .special_tokens = {"<end>"}, .expected = &expected}),
               UnexpectedTokenizer);
}

} // namespace
} // namespace mneme::tokens
