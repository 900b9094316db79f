// SPDX-License-Identifier: MIT

#include "mneme/tokens/word_piece.h"
#include "verify/registry.h"

namespace mneme::verify {

/// Strings with their ids, for the tokenizer in a folder next to the file. Special tokens are parsed and added.
void run_word_piece(const GoldenValue& file, Checker& checker) {
  const std::filesystem::path folder = checker.file().parent_path() / folder_name(file.at("tokenizer"));
  const tokens::WordPiece tokenizer = tokens::read_word_piece(folder);
  checker.each_case(file.at("strings"), [&](const GoldenValue& golden) {
    const std::vector<int32_t> ids =
        tokenizer.encode(golden.at("text").text(), {.parse_special = true, .add_special = true});
    const GoldenValue expected = golden.list("ids", ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      checker.equal(expected.at(i), int64_t{ids[i]});
    }
  });
}

} // namespace mneme::verify
