// SPDX-License-Identifier: MIT

#include "mneme/tokens/tokenizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "tokens/merge_table.h"
#include "tokens/testing.h"
#include "tokens/tokenizer_state.h"

namespace mneme::tokens {
namespace {

using Ids = std::vector<int32_t>;

RC_GTEST_PROP(ByteTokenizer, DecodesWhatItEncoded, (const std::string& text)) {
  const Tokenizer tokenizer = Tokenizer::bytes();
  const Ids ids = tokenizer.encode(text);
  RC_ASSERT(ids.size() == text.size());
  RC_ASSERT(tokenizer.decode(ids) == text);
}

TEST(ByteTokenizer, HasTheBytesAsIds) {
  const Tokenizer tokenizer = Tokenizer::bytes();
  EXPECT_EQ(tokenizer.vocab_size(), 256);
  EXPECT_EQ(tokenizer.encode("a\xff"), (Ids{97, 255}));
  EXPECT_EQ(tokenizer.token_bytes(97), "a");
  EXPECT_EQ(tokenizer.token_text(32), "\u0120");
  EXPECT_FALSE(tokenizer.is_special(0));
  EXPECT_EQ(tokenizer.end_of_text(), std::nullopt);
  EXPECT_EQ(tokenizer.num_merges(), 0);
  EXPECT_EQ(tokenizer.hash(), Tokenizer::bytes().hash());
  EXPECT_NE(tokenizer.hash(), testing::golden_tokenizer().hash());
}

// NOLINTBEGIN(bugprone-use-after-move,performance-move-const-arg): a move copies
TEST(Tokenizer, CanBeUsedAfterAMove) {
  Tokenizer tokenizer = Tokenizer::bytes();
  const Tokenizer moved = std::move(tokenizer);
  EXPECT_EQ(tokenizer.encode("ab"), moved.encode("ab"));
}
// NOLINTEND(bugprone-use-after-move,performance-move-const-arg)

TEST(Tokenizer, RejectsIdsThatAreNotInTheVocabulary) {
  const Tokenizer tokenizer = Tokenizer::bytes();
  EXPECT_THROW((void)tokenizer.token_bytes(256), UsageError);
  EXPECT_THROW((void)tokenizer.token_text(256), UsageError);
  EXPECT_THROW((void)tokenizer.is_special(-1), UsageError);
  EXPECT_THROW((void)tokenizer.decode(Ids{1, -1}), UsageError);
  EXPECT_THROW((void)tokenizer.text_bytes(Ids{256}), UsageError);
}

TEST(Tokenizer, DecodesArbitraryBytesToThemselves) {
  Random random(1);
  for (const char* name : {"gpt2_pattern", "digits", "ignore_merges"}) {
    const Tokenizer tokenizer = testing::golden_tokenizer(name);
    for (int i = 0; i < 3000; ++i) {
      const std::string text = testing::random_text(random, 40);
      for (const bool parse_special : {false, true}) {
        ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, {.parse_special = parse_special})), text) << name;
      }
      std::string joined;
      for (const std::string& piece : tokenizer.split(text)) {
        joined += piece;
      }
      ASSERT_EQ(joined, text) << name;
    }
  }
}

TEST(Tokenizer, EncodesBytesThatAreNotUtf8SeparatelyFromTheTextAroundThem) {
  const Tokenizer tokenizer = testing::golden_tokenizer();
  const std::string surrogate = "\xed\xa0\x80";
  Ids expected = tokenizer.encode("the  ");
  for (const char byte : surrogate) {
    expected.push_back(tokenizer.state().id_of_byte[static_cast<unsigned char>(byte)]);
  }
  const Ids rest = tokenizer.encode("the");
  expected.insert(expected.end(), rest.begin(), rest.end());
  EXPECT_EQ(tokenizer.encode("the  " + surrogate + "the"), expected);
}

TEST(Tokenizer, ReadsSpecialTokensInTheTextAsTextUnlessRequested) {
  const Tokenizer tokenizer = testing::golden_tokenizer();
  const int32_t end = *tokenizer.end_of_text();
  EXPECT_EQ(tokenizer.special_tokens(), Ids{end});
  EXPECT_TRUE(tokenizer.is_special(end));
  EXPECT_EQ(tokenizer.token_bytes(end), "<|endoftext|>");
  const std::string text = "a<|endoftext|>b";
  const Ids plain = tokenizer.encode(text);
  EXPECT_EQ(std::ranges::count(plain, end), 0);
  EXPECT_EQ(tokenizer.decode(plain), text);
  const Ids parsed = tokenizer.encode(text, {.parse_special = true});
  EXPECT_EQ(parsed.size(), 3U);
  EXPECT_EQ(parsed[1], end);
  EXPECT_EQ(tokenizer.decode(parsed), text);
  EXPECT_EQ(tokenizer.split(text, {.parse_special = true}),
            (std::vector<std::string>{"a", "<|endoftext|>", "b"}));
}

TEST(Tokenizer, AlwaysFindsAddedTokensThatAreNotSpecial) {
  const Tokenizer tokenizer = testing::golden_tokenizer("digits");
  const Ids ids = tokenizer.encode("x<tag>y<|endoftext|>");
  EXPECT_EQ(tokenizer.token_text(ids[1]), "<tag>");
  EXPECT_FALSE(tokenizer.is_special(ids[1]));
  EXPECT_EQ(std::ranges::count(ids, *tokenizer.end_of_text()), 0);
}

TEST(Tokenizer, CountsTheBytesOfTheTextWithoutSpecialTokens) {
  const Tokenizer tokenizer = testing::golden_tokenizer();
  const std::string text = "the \u65e5 king<|endoftext|>the";
  EXPECT_EQ(tokenizer.text_bytes(tokenizer.encode(text)), static_cast<int64_t>(text.size()));
  EXPECT_EQ(tokenizer.text_bytes(tokenizer.encode(text, {.parse_special = true})),
            static_cast<int64_t>(text.size() - 13));
}

TEST(BitsPerByte, IsEqualForTwoTokenizersAndAUniformModel) {
  const std::string text = "the king and the lord \u65e5\u672c";
  for (const Tokenizer& tokenizer : {Tokenizer::bytes(), testing::golden_tokenizer()}) {
    const Ids ids = tokenizer.encode(text);
    double nats = 0; // of a model in which every byte has the probability 1/256, whatever tokens it is in
    for (const int32_t id : ids) {
      nats -= std::log(std::pow(1.0 / 256, static_cast<double>(tokenizer.token_bytes(id).size())));
    }
    EXPECT_NEAR(bits_per_byte(nats, tokenizer.text_bytes(ids)), 8, 1e-12);
  }
  EXPECT_THROW((void)bits_per_byte(1, 0), UsageError);
}

TEST(Tokenizer, EncodesAMegabyteWithoutASpace) {
  const Tokenizer tokenizer = testing::golden_tokenizer();
  std::string word;
  Random random(3);
  while (word.size() < (size_t{1} << 20)) {
    word += "inorgthe"[random.below(8)];
  }
  for (const std::string& text :
       {word, std::string(size_t{1} << 20, 'a'), std::string(size_t{1} << 20, ' ')}) {
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text); // minutes if its time were quadratic
  }
}

/// Merges as the definition states, in quadratic time.
Ids plain_merges(const Tokenizer::State& state, std::string_view piece) {
  Ids ids;
  for (const char c : piece) {
    ids.push_back(state.id_of_byte[static_cast<unsigned char>(c)]);
  }
  for (;;) {
    MergeTable::Found best;
    size_t place = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const MergeTable::Found found = state.merges.find(ids[i], ids[i + 1]);
      if (found.rank < best.rank) {
        best = found;
        place = i;
      }
    }
    if (best.rank == kNoRank) {
      return ids;
    }
    ids[place] = best.result;
    ids.erase(ids.begin() + static_cast<int64_t>(place) + 1);
  }
}

TEST(PieceEncoder, MergesTheLowestRankFirstForShortAndLongPieces) {
  const Tokenizer tokenizer = testing::golden_tokenizer();
  PieceEncoder encoder(tokenizer.state().merges, tokenizer.state().id_of_byte);
  Random random(4);
  for (int i = 0; i < 2000; ++i) {
    std::string piece;
    for (uint64_t left = 1 + random.below(120); left > 0; --left) {
      piece += "aeinorgsthk"[random.below(11)];
    }
    Ids ids;
    encoder.encode(piece, ids);
    ASSERT_EQ(ids, plain_merges(tokenizer.state(), piece)) << piece;
  }
}

TEST(Tokenizer, EncodesLongTextsEquallyOnAnyNumberOfThreads) {
  const Tokenizer tokenizer = testing::golden_tokenizer();
  Random random(5);
  std::string text;
  while (text.size() < 4'500'000) {
    text += testing::random_text(random, 40);
  }
  const int before = threads();
  set_threads(1);
  const Ids one = tokenizer.encode(text, {.parse_special = true});
  set_threads(3);
  const Ids three = tokenizer.encode(text, {.parse_special = true});
  set_threads(before);
  EXPECT_EQ(one, three);
  EXPECT_EQ(tokenizer.decode(one), text);
  // Blocks of a long text have the same ids as the text piece by piece.
  Ids by_pieces;
  for (const std::string& piece : tokenizer.split(text, {.parse_special = true})) {
    const Ids ids = tokenizer.encode(piece, {.parse_special = true});
    by_pieces.insert(by_pieces.end(), ids.begin(), ids.end());
  }
  EXPECT_EQ(by_pieces, one);
  Ids by_blocks;
  int blocks = 0;
  tokenizer.encode_blocks(text, {.parse_special = true}, [&](const Ids& ids) {
    by_blocks.insert(by_blocks.end(), ids.begin(), ids.end());
    ++blocks;
  });
  EXPECT_EQ(by_blocks, one);
  EXPECT_GT(blocks, 2);
  EXPECT_EQ(Tokenizer::bytes().decode(Tokenizer::bytes().encode(text)), text);
}

} // namespace
} // namespace mneme::tokens
