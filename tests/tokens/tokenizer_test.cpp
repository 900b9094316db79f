// SPDX-License-Identifier: MIT

#include "mneme/tokens/tokenizer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "mneme/core/error.h"

namespace mneme::tokens {
namespace {

RC_GTEST_PROP(ByteTokenizer, DecodesWhatItEncoded, (const std::string& text)) {
  const Tokenizer tokenizer = Tokenizer::bytes();
  const std::vector<int32_t> ids = tokenizer.encode(text);
  RC_ASSERT(ids.size() == text.size());
  RC_ASSERT(tokenizer.decode(ids) == text);
}

TEST(ByteTokenizer, HasTheBytesAsIds) {
  const Tokenizer tokenizer = Tokenizer::bytes();
  EXPECT_EQ(tokenizer.vocab_size(), 256);
  EXPECT_EQ(tokenizer.encode("a\xff"), (std::vector<int32_t>{97, 255}));
  EXPECT_EQ(tokenizer.token_bytes(97), "a");
  EXPECT_FALSE(tokenizer.is_special(0));
  EXPECT_EQ(tokenizer.end_of_text(), std::nullopt);
  EXPECT_THROW((void)tokenizer.token_bytes(256), UsageError);
  EXPECT_THROW((void)tokenizer.decode(std::vector{-1}), UsageError);
}

} // namespace
} // namespace mneme::tokens
