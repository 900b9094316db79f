// SPDX-License-Identifier: MIT

// Replays tests/fuzz/corpus, so that inputs found by a fuzzer are checked in every test run.

#include <gtest/gtest.h>

#include "fuzz/readers.h"
#include "fuzz/replay.h"

namespace mneme::data {
namespace {

using mneme::fuzz::replay;

TEST(FuzzCorpus, Idx) {
  replay("idx", fuzz::idx);
}
TEST(FuzzCorpus, Cifar) {
  replay("cifar", fuzz::cifar);
}
TEST(FuzzCorpus, Csv) {
  replay("csv", fuzz::csv);
}
TEST(FuzzCorpus, BagFiles) {
  replay("bag_files", fuzz::bag_files);
}
TEST(FuzzCorpus, Netpbm) {
  replay("netpbm", fuzz::netpbm);
}
TEST(FuzzCorpus, Npy) {
  replay("npy", fuzz::npy);
}
TEST(FuzzCorpus, Npz) {
  replay("npz", fuzz::npz);
}
TEST(FuzzCorpus, Png) {
  replay("png", fuzz::png);
}
TEST(FuzzCorpus, Safetensors) {
  replay("safetensors", fuzz::safetensors);
}
TEST(FuzzCorpus, TorchFile) {
  replay("torch_file", fuzz::torch_file);
}
TEST(FuzzCorpus, ChunkFile) {
  replay("chunk_file", fuzz::chunk_file);
}
TEST(FuzzCorpus, MemoryFile) {
  replay("memory_file", fuzz::memory_file);
}
TEST(FuzzCorpus, ShardIndex) {
  replay("shard_index", fuzz::shard_index);
}
TEST(FuzzCorpus, TokenizerJson) {
  replay("tokenizer_json", fuzz::tokenizer_json);
}
TEST(FuzzCorpus, Gpt2Files) {
  replay("gpt2_files", fuzz::gpt2_files);
}
TEST(FuzzCorpus, TokenFile) {
  replay("token_file", fuzz::token_file);
}
TEST(FuzzCorpus, WordPiece) {
  replay("word_piece", fuzz::word_piece);
}
TEST(FuzzCorpus, Smiles) {
  replay("smiles", fuzz::smiles);
}
TEST(FuzzCorpus, TokenizerConfig) {
  replay("tokenizer_config", fuzz::tokenizer_config);
}
TEST(FuzzCorpus, PatternFile) {
  replay("pattern_file", fuzz::pattern_file);
}
TEST(FuzzCorpus, RowFile) {
  replay("row_file", fuzz::row_file);
}
TEST(FuzzCorpus, JsonLines) {
  replay("json_lines", fuzz::json_lines);
}

} // namespace
} // namespace mneme::data
