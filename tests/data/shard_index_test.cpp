// SPDX-License-Identifier: MIT

#include "mneme/data/shard_index.h"

#include "data/testing.h"

namespace mneme::data {
namespace {

ShardIndex parse(std::string_view text) {
  return parse_shard_index(Bytes().text(text).all(), "model.safetensors.index.json");
}
void expect_rejected(std::string_view text, std::initializer_list<std::string_view> parts) {
  SCOPED_TRACE(text);
  expect_error<DataError>([&] { parse(text); }, parts);
}

TEST(ShardIndex, ListsTheTensorsOfEachShard) {
  const ShardIndex index = parse(R"({"metadata": {"total_size": 12}, "weight_map": {
    "b": "model-00002-of-00002.safetensors", "a": "model-00001-of-00002.safetensors",
    "c": "model-00002-of-00002.safetensors"}})");
  EXPECT_EQ(index.shard_of.size(), 3U);
  const auto shards = index.names_by_shard();
  ASSERT_EQ(shards.size(), 2U);
  EXPECT_EQ(shards.at("model-00002-of-00002.safetensors"), (std::vector<std::string>{"b", "c"}));
}

TEST(ShardIndex, IsRecognisedByItsExtension) {
  EXPECT_TRUE(is_shard_index("a/model.safetensors.index.json"));
  EXPECT_TRUE(is_shard_index("pytorch_model.bin.index.json"));
  EXPECT_FALSE(is_shard_index("config.json"));
  EXPECT_FALSE(is_shard_index("x.index.json/model.safetensors"));
}

TEST(ShardIndex, ReportsInvalidFiles) {
  expect_rejected("", {"the index", "invalid JSON"});
  expect_rejected("[]", {"not a JSON object"});
  expect_rejected("{}", {"no \"weight_map\""});
  expect_rejected(R"({"weight_map": ["a"]})", {"no \"weight_map\""});
  expect_rejected(R"({"weight_map": {}})", {"contains no tensor"});
  expect_rejected(R"({"weight_map": {"a": 1}})", {"the shard of \"a\" is 1"});
  expect_rejected(R"({"weight_map": {"a": "x", "a": "y"}})", {"\"a\" occurs twice"});
  expect_rejected(R"({"weight_map": )" + std::string(20, '[') + std::string(20, ']') + "}",
                  {"nested more than 8"});
}

TEST(ShardIndex, RejectsFilesOutsideOfItsFolder) {
  for (const char* shard :
       {"", ".", "..", "../other.safetensors", "/etc/passwd", "a/b", "a\\\\b", "a\\u0000b", "a\\nb"}) {
    expect_rejected(R"({"weight_map": {"a": ")" + std::string(shard) + "\"}}",
                    {"the shard of \"a\"", "in the folder of the index"});
  }
}

} // namespace
} // namespace mneme::data
