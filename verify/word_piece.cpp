// SPDX-License-Identifier: MIT

#include "mneme/tokens/word_piece.h"
#include "mneme/tokens/smiles.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

/// Strings with their ids, for the tokenizer in a folder next to the file. Special tokens are parsed and
/// added.
template <class Read> void compare_ids(const GoldenValue& file, Checker& checker, Read read) {
  const auto tokenizer = read(checker.file().parent_path() / folder_name(file.at("tokenizer")));
  checker.each_case(file.at("strings"), [&](const GoldenValue& golden) {
    const std::vector<int32_t> ids =
        tokenizer.encode(golden.at("text").text(), {.parse_special = true, .add_special = true});
    const GoldenValue expected = golden.list("ids", ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      checker.equal(expected.at(i), int64_t{ids[i]});
    }
  });
}

} // namespace

void run_word_piece(const GoldenValue& file, Checker& checker) {
  compare_ids(file, checker, tokens::read_word_piece);
}

void run_smiles(const GoldenValue& file, Checker& checker) {
  compare_ids(file, checker, tokens::read_smiles_tokenizer);
}

} // namespace mneme::verify
