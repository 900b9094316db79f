// SPDX-License-Identifier: MIT

#include "mneme/data/npz.h"

#include <string>
#include <vector>

#include <fmt/format.h>

#include "data/archives.h"
#include "data/testing.h"
#include "mneme/data/load_patterns.h"

namespace mneme::data {
namespace {

/// An .npy file of one byte per number.
std::string npy(const std::string& shape, const std::string& numbers, const std::string& type = "|i1") {
  const std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}}}\n", type, shape);
  std::string text("\x93NUMPY\1\0", 8);
  text += static_cast<char>(header.size());
  return text + '\0' + header + numbers;
}

PatternSet parse(const Bytes& bytes, const std::string& array = "", int64_t limit = 0) {
  return parse_npz(bytes.all(), "folder/a.npz", array, limit);
}

TEST(Npz, ReadsTheOnlyArrayStoredOrCompressed) {
  for (const uint64_t method : {0, 8}) {
    for (const bool in_64 : {false, true}) {
      const PatternSet set = parse(zip(
          {{.name = "arr_0.npy", .content = npy("(2, 2)", "\1\2\3\4"), .method = method, .in_64 = in_64}}));
      EXPECT_EQ(set.patterns, RealPatterns(2, 2, {1, 2, 3, 4}));
      EXPECT_EQ(set.source, "a.npz");
    }
  }
}

TEST(Npz, ReadsArchivesWithACommentOrWithBytesAfterThem) {
  const Bytes plain = zip({{.name = "x.npy", .content = npy("(1,)", "\5")}});
  const std::string comment = "PK\5\6" + std::string(30, 'c');
  Bytes with_comment = plain, longer = plain;
  with_comment[plain.size() - 2] = static_cast<std::byte>(comment.size());
  EXPECT_EQ(parse(with_comment.text(comment)).patterns, RealPatterns(1, 1, {5}));
  EXPECT_EQ(parse(longer.text("more")).patterns, RealPatterns(1, 1, {5}));
}

TEST(Npz, ReadsTheNamedArray) {
  const Bytes bytes = zip({{.name = "x.npy", .content = npy("(1,)", "\1")},
                           {.name = "y.npy", .content = npy("(2, 1)", "\2\3"), .method = 8},
                           {.name = "notes.txt", .content = "text"}});
  EXPECT_EQ(parse(bytes, "y").patterns, RealPatterns(2, 1, {2, 3}));
  EXPECT_EQ(parse(bytes, "y.npy", 1).patterns, RealPatterns(1, 1, {2}));
  expect_error<DataError>([&] { parse(bytes, "z"); }, {"folder/a.npz", "no array \"z\"", "\"x\", \"y\""});
  expect_error<DataError>([&] { parse(bytes); }, {"contains 2 arrays", "\"x\" (int8 of shape [1])",
                                                  "\"y\" (int8 of shape [2, 1])", "--tensor"});
}

TEST(Npz, ReadsTheOnlyNumericArray) {
  const Bytes bytes = zip({{.name = "names.npy", .content = npy("(1,)", "abcd", "<U1")},
                           {.name = "x.npy", .content = npy("(1,)", "\5"), .method = 8}});
  EXPECT_EQ(parse(bytes).patterns, RealPatterns(1, 1, {5}));
  expect_error<DataError>([&] { parse(bytes, "names"); }, {"names.npy", "strings"});
}

TEST(Npz, EscapesNamesInMessages) {
  const Bytes bytes = zip({{.name = "a\n\x1b[31m.npy", .content = npy("(1,)", "\1")},
                           {.name = "b\\.npy", .content = npy("(1,)", "\1")}});
  expect_error<DataError>([&] { parse(bytes); }, {R"("a\n\x1b[31m")", R"("b\\")"});
}

TEST(Npz, RejectsEveryTruncation) {
  const auto read = [](std::span<const std::byte> part) { parse_npz(part, "cut.npz"); };
  expect_no_prefix_parses(zip({{.name = "x.npy", .content = npy("(1,)", "\1")}}), read);
  expect_no_prefix_parses(zip({{.name = "x.npy", .content = npy("(1,)", "\1"), .method = 8, .in_64 = true}}),
                          read);
}

TEST(Npz, RejectsDamageAndZipBombs) {
  ZipFile file{.name = "x.npy", .content = npy("(8,)", "\1\1\1\1\1\1\1\1"), .method = 8};
  const auto expect_rejected = [](const ZipFile& wrong, std::initializer_list<std::string_view> parts) {
    expect_error<DataError>([&] { parse(zip({wrong}), "x"); }, parts);
  };
  ZipFile checksum = file, stored = file, longer = file, bomb = file, shorter = file, encrypted = file,
          other = file;
  ZipFile unchecked = file; // a checksum of 0 means that it was not computed
  unchecked.checksum_bits = static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(unchecked.content.data()), unchecked.content.size()));
  EXPECT_NO_THROW(parse(zip({unchecked}), "x"));
  checksum.checksum_bits = 1;
  expect_rejected(checksum, {"checksum", "x.npy"});
  stored.checksum_bits = 1;
  stored.method = 0;
  expect_rejected(stored, {"checksum", "x.npy"});
  longer.size_added = 1;
  expect_rejected(longer, {"x.npy", "ends too early"});
  bomb.size_added = 1'000'000;
  expect_rejected(bomb, {"x.npy", "cannot have", "compressed bytes"});
  shorter.size_added = ~uint64_t{0};
  expect_rejected(shorter, {"x.npy", "decompresses to more than"});
  encrypted.flags = 1;
  expect_rejected(encrypted, {"x.npy", "encrypted"});
  other.method = 12;
  expect_rejected(other, {"x.npy", "method 12"});
  expect_error<DataError>([&] { parse(zip({file, file}), "x"); }, {"same name"});
  expect_error<DataError>([&] { parse(zip({}), "x"); }, {"contains no arrays"});
  const Bytes whole = zip({file});
  for (size_t at = 0; at < whole.size(); ++at) { // a damaged byte must never change the numbers that are read
    Bytes damaged = whole;
    damaged[at] ^= std::byte{0x11};
    try {
      EXPECT_EQ(parse(damaged).patterns, RealPatterns(8, 1, std::vector<double>(8, 1))) << at;
    } catch (const DataError&) {
    }
  }
}

TEST(Npz, IsDetectedByContent) {
  const TemporaryFolder folder;
  const auto path = folder.file(
      "x.dat", zip({{.name = "x.npy", .content = npy("(1, 1)", "\x81", "|u1"), .method = 8}}).all());
  EXPECT_EQ(load_patterns(path, {.tensor = "x"}).patterns[0][0], 129.0 / 255);
  EXPECT_EQ(load_patterns(path, {.packed = BitOrder::big}).patterns,
            RealPatterns(1, 8, {1, 0, 0, 0, 0, 0, 0, 1}));
}

} // namespace
} // namespace mneme::data
