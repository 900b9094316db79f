// SPDX-License-Identifier: MIT

#include "mneme/data/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <gtest/gtest.h> // must precede rapidcheck, which does not include it
#include <rapidcheck/gtest.h>

#include "data/testing.h"

namespace mneme::data {
namespace {

Bytes file(const std::string& header, std::string_view data = "") {
  return Bytes().little(header.size(), 8).text(header).text(data);
}

PatternSet parse(const Bytes& bytes, const std::string& tensor = "", int64_t limit = 0) {
  return parse_safetensors(bytes.all(), "m.safetensors", tensor, limit);
}

constexpr const char* kTwo =
    R"({"b":{"dtype":"I8","shape":[2,2],"data_offsets":[4,8]},)"
    R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{"format":"pt"}})";
constexpr std::string_view kTwoData("\0\0\x80\x3F\1\xFE\3\4", 8);

TEST(Safetensors, ReadsATensorByName) {
  const PatternSet set = parse(file(kTwo, kTwoData), "b");
  ASSERT_EQ(set.patterns.count(), 2);
  EXPECT_EQ(set.patterns[0][0], 1);
  EXPECT_EQ(set.patterns[0][1], -2);
  EXPECT_EQ(set.patterns[1][1], 4);
  EXPECT_EQ(set.source, "m.safetensors");
  EXPECT_EQ(parse(file(kTwo, kTwoData), "a").patterns[0][0], 1);
  EXPECT_EQ(parse(file(kTwo, kTwoData), "b", 1).patterns.count(), 1);
}

TEST(Safetensors, ReportsOtherFilesSavedUnderThisName) {
  const auto entries = [](const std::string& text) {
    return [text] { parse_safetensors_entries(Bytes().text(text).all(), "m.safetensors"); };
  };
  expect_error<DataError>(entries("<!DOCTYPE html><html><head><title>404</title></head></html>"),
                          {"m.safetensors", "HTML page"});
  expect_error<DataError>(entries("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"),
                          {"m.safetensors", "git-lfs pointer", "git lfs pull"});
}

TEST(Safetensors, ReadsRawNumbers) {
  std::vector<uint8_t> bytes(2 * 3 * 2 * 2);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  const std::vector<std::byte> file =
      to_safetensors({{{"x", "U8", {2, 3, 2, 2}, std::as_bytes(std::span(bytes))}}});
  const RealPatterns numbers = parse_safetensors_numbers(file, "x.safetensors", "x");
  ASSERT_EQ(numbers.count(), 2);
  for (int64_t i = 0; i < 24; ++i) { // neither scaled nor permuted
    EXPECT_EQ(numbers.data()[i], static_cast<double>(i));
  }
}

TEST(Safetensors, ListsTensorsInTheOrderOfTheirBytes) {
  const Bytes bytes = file(kTwo, kTwoData);
  const TemporaryFolder folder;
  for (const auto& entries : {parse_safetensors_entries(bytes.all(), "m"),
                              read_safetensors_entries(folder.file("m", bytes.all()))}) {
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_EQ(entries[0].name, "a");
    EXPECT_EQ(entries[1].dtype, "I8");
    EXPECT_EQ(entries[1].shape, (std::vector<int64_t>{2, 2}));
    EXPECT_EQ(entries[1].end, static_cast<int64_t>(bytes.size()));
    EXPECT_EQ(entries[1].begin, entries[1].end - 4);
  }
}

TEST(Safetensors, ReadsTheHeaderAndTensorsOfAFileInParts) {
  const Bytes bytes = file(kTwo, kTwoData);
  const TemporaryFolder folder;
  const InputFile input(folder.file("m", bytes.all()));
  EXPECT_EQ(input.size(), static_cast<int64_t>(bytes.size()));
  const SafetensorsHeader header = read_safetensors_header(input);
  EXPECT_EQ(header.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  ASSERT_EQ(header.entries.size(), 2U);
  std::array<std::byte, 4> numbers{};
  input.read(header.entries[1].begin, numbers);
  EXPECT_EQ(numbers[1], std::byte{0xFE});
  EXPECT_TRUE(std::ranges::equal(input.first_bytes(1000), bytes.all()));
  expect_error<DataError>([&] { input.read(input.size() - 3, numbers); },
                          {"cannot read data", "ends at byte"});
  const InputFile cut(folder.file("cut", std::vector<std::byte>(bytes.all().begin(), bytes.all().end() - 1)));
  expect_error<DataError>([&] { read_safetensors_header(cut); }, {"cut", "8 bytes", "7 bytes"});
}

TEST(Safetensors, ReadsWhatItWrites) {
  const std::array<float, 6> floats{1, 2, 3, 4, 5, 6};
  const std::array<uint8_t, 3> small{7, 8, 255};
  const std::map<std::string, std::string> metadata{{"format", "mneme"}, {"quote", "\"\\"}};
  const std::vector<SafetensorsTensor> tensors{{"b", "U8", {3}, std::as_bytes(std::span(small))},
                                               {"a", "F32", {2, 3}, std::as_bytes(std::span(floats))},
                                               {"empty", "F32", {0, 3}, {}}};
  const std::vector<std::byte> written = to_safetensors(tensors, metadata);
  EXPECT_EQ(parse_safetensors_metadata(written, "m"), metadata);
  EXPECT_TRUE(parse_safetensors_metadata(to_safetensors(tensors), "m").empty());
  const std::vector<SafetensorsEntry> entries = parse_safetensors_entries(written, "m");
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].name, "b");
  EXPECT_EQ(entries[0].begin % kSafetensorsAlignment, 0);
  EXPECT_EQ(parse_safetensors(written, "m", "a").patterns, RealPatterns(2, 3, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(parse_safetensors(written, "m", "b").patterns.data()[2], 1);
}

TEST(Safetensors, ReadsEveryType) {
  struct Case {
    const char* dtype;
    size_t size;
    uint64_t stored;
    double expected;
  };
  for (const Case& c : std::array<Case, 13>{{{"BOOL", 1, 1, 1},
                                             {"U8", 1, 51, 0.2},
                                             {"I8", 1, 0xFF, -1},
                                             {"U16", 2, 0xFFFE, 65534},
                                             {"I16", 2, 0xFFFE, -2},
                                             {"U32", 4, 0xFFFFFFFE, 4294967294.0},
                                             {"I32", 4, 0xFFFFFFFE, -2},
                                             {"U64", 8, uint64_t{1} << 63, 0x1p63},
                                             {"I64", 8, ~uint64_t{0}, -1},
                                             {"F16", 2, 0x3555, 1365.0 / 4096},
                                             {"BF16", 2, 0xC049, -3.140625},
                                             {"F32", 4, 0x3DCCCCCD, 0.1F},
                                             {"F64", 8, std::bit_cast<uint64_t>(0.1), 0.1}}}) {
    Bytes bytes =
        file(fmt::format(R"({{"x":{{"dtype":"{}","shape":[1,1],"data_offsets":[0,{}]}}}})", c.dtype, c.size));
    bytes.little(c.stored, c.size);
    EXPECT_EQ(parse(bytes).patterns[0][0], c.expected) << c.dtype;
  }
}

TEST(Safetensors, RejectsEveryTruncationAndTrailingBytes) {
  expect_no_prefix_parses(file(kTwo, kTwoData), [](auto part) { parse_safetensors(part, "cut", "b"); });
  expect_error<DataError>([] { parse(file(kTwo, std::string(kTwoData) + "x"), "b"); },
                          {"have 8 bytes", "9 bytes follow"});
}

TEST(Safetensors, ListsTheTensorsInMessages) {
  expect_error<DataError>([] { parse(file(kTwo, kTwoData)); }, {"contains 2 tensors", "\"a\", \"b\""});
  expect_error<DataError>([] { parse(file(kTwo, kTwoData), "c"); }, {"no tensor \"c\"", "\"a\", \"b\""});
  expect_error<DataError>([] { parse(file("{}")); }, {"contains no tensors"});
  std::string many = "{";
  for (int i = 0; i < 25; ++i) {
    many +=
        fmt::format(R"({}"t{:02}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", i == 0 ? "" : ",", i);
  }
  expect_error<DataError>([&] { parse(file(many + "}")); }, {"\"t19\" and 5 more"});
}

TEST(Safetensors, ReportsInvalidHeaders) {
  const auto wrong = [](const std::string& header, std::string_view data,
                        std::initializer_list<std::string_view> parts) {
    expect_error<DataError>([&] { parse(file(header, data)); }, parts);
  };
  wrong("[]", "", {"beginning with '{'"});
  wrong(" {}", "", {"beginning with '{'"});
  wrong(std::string("{}\0x", 4), "", {"without null bytes"});
  wrong("{", "", {"invalid JSON"});
  wrong("{\"\xFF\":1}", "", {"invalid JSON"});
  wrong(R"({"a":1})", "", {"\"a\"", "dtype (a string), shape and data_offsets", "1"});
  wrong(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}})", "x", {"dtype (a string)"});
  wrong(R"({"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}})", "x", {"dtype (a string)"});
  wrong(R"({"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})", "x", {"shape", "integers", "found 1"});
  wrong(R"({"a":{"dtype":"U8","shape":{"x":1},"data_offsets":[0,1]}})", "x", {"shape", "integers"});
  wrong(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", "x", {"shape", "[-1]"});
  wrong(R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", "x", {"shape", "[1.0]"});
  wrong(R"({"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}})", "x", {"2^63 - 1"});
  wrong(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", "x", {"data_offsets", "[0]"});
  wrong(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", "x", {"[begin, end]", "[1,0]"});
  wrong(R"({"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,4]}})", "1234",
        {"F32 of shape [1, 2]", "4 bytes"});
  wrong(R"({"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", "", {"4294967296"});
  wrong(R"({"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}})", "12345678",
        {"dtype is \"C64\"", "BOOL, U8"});
  wrong(R"({"__metadata__":{"a":1}})", "", {"__metadata__", "object of strings"});
  const std::string null = R"({"__metadata__":null})";
  EXPECT_TRUE(parse_safetensors_metadata(Bytes().little(null.size(), 8).text(null).all(), "m").empty());
  wrong(R"({"__metadata__":[]})", "", {"__metadata__", "[]"});
  wrong(R"({"a":)" + std::string(20, '[') + std::string(20, ']') + "}", "", {"nested more than 8"});
}

TEST(Safetensors, RejectsDuplicateKeys) {
  const std::string one = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  expect_error<DataError>([&] { parse(file("{\"a\":" + one + ",\"a\":" + one + "}", "x")); },
                          {"\"a\" occurs twice"});
  expect_error<DataError>(
      [] { parse(file(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x")); },
      {"\"dtype\" occurs twice"});
  EXPECT_NO_THROW(parse(file(R"({"dtype":)" + one + "}", "x"))); // the same key on two levels
}

TEST(Safetensors, RejectsGapsAndOverlaps) {
  const auto two = [](const char* first, const char* second) {
    return file(fmt::format(R"({{"a":{{"dtype":"U8","shape":[2],"data_offsets":{}}},)"
                            R"("b":{{"dtype":"U8","shape":[2],"data_offsets":{}}}}})",
                            first, second),
                "12345");
  };
  expect_error<DataError>([&] { parse(two("[0,2]", "[3,5]")); }, {"\"b\" begins at byte 3", "ends at 2"});
  expect_error<DataError>([&] { parse(two("[0,2]", "[1,3]")); }, {"\"b\" begins at byte 1", "ends at 2"});
  expect_error<DataError>([&] { parse(two("[1,3]", "[3,5]")); }, {"\"a\" begins at byte 1", "ends at 0"});
  expect_error<DataError>([&] { parse(two("[0,2]", "[2,4]")); }, {"have 4 bytes", "5 bytes follow"});
}

TEST(Safetensors, RejectsHeadersLongerThanTheFileOrTheLimit) {
  expect_error<DataError>([] { parse(Bytes().little(3, 8).text("{}")); },
                          {"the header has 3 bytes", "2 bytes follow"});
  expect_error<DataError>([] { parse(Bytes().little(~uint64_t{0}, 8).text("{}")); },
                          {"18446744073709551615"});
}

RC_GTEST_PROP(Safetensors, ReadsWhatWasGenerated, ()) {
  struct Tensor {
    int64_t count, size;
    std::vector<float> values;
  };
  std::vector<Tensor> tensors;
  nlohmann::json header = nlohmann::json::object();
  Bytes data;
  const int num_tensors = *rc::gen::inRange(1, 6);
  for (int t = 0; t < num_tensors; ++t) {
    const auto count = *rc::gen::inRange<int64_t>(1, 4), size = *rc::gen::inRange<int64_t>(1, 5);
    tensors.push_back({count, size,
                       *rc::gen::container<std::vector<float>>(static_cast<size_t>(count * size),
                                                               rc::gen::arbitrary<float>())});
    const size_t begin = data.size();
    for (const float value : tensors.back().values) {
      data.little(std::bit_cast<uint32_t>(value), 4);
    }
    header["tensor " + std::to_string(t)] = {
        {"dtype", "F32"}, {"shape", {count, size}}, {"data_offsets", {begin, data.size()}}};
  }
  Bytes bytes = file(header.dump() + std::string(*rc::gen::inRange<size_t>(0, 9), ' '));
  bytes.append(data.all());
  for (int t = 0; t < num_tensors; ++t) {
    const Tensor& tensor = tensors[static_cast<size_t>(t)];
    const PatternSet set = parse(bytes, "tensor " + std::to_string(t));
    RC_ASSERT(set.patterns ==
              RealPatterns(tensor.count, tensor.size, {tensor.values.begin(), tensor.values.end()}));
  }
}

} // namespace
} // namespace mneme::data
