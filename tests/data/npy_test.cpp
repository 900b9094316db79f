// SPDX-License-Identifier: MIT

#include "mneme/data/npy.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <gtest/gtest.h> // must precede rapidcheck, which does not include it
#include <rapidcheck/gtest.h>

#include "data/testing.h"
#include "mneme/core/random.h"
#include "mneme/data/read_file.h"

namespace mneme::data {
namespace {

/// Header of a file of the given version with this dictionary. The caller appends the numbers.
Bytes npy(const std::string& dictionary, int version = 1) {
  Bytes bytes;
  bytes.text("\x93NUMPY").little(static_cast<uint64_t>(version), 1).little(0, 1);
  bytes.little(dictionary.size() + 1, version == 1 ? 2 : 4).text(dictionary).text("\n");
  return bytes;
}

std::string dictionary(const std::string& type, const std::string& shape, bool fortran = false) {
  return fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}", type,
                     fortran ? "True" : "False", shape);
}

std::vector<double> values(const RealPatterns& patterns) {
  return {patterns.data(), patterns.data() + patterns.count() * patterns.size()};
}

PatternSet parse(const Bytes& bytes, int64_t limit = 0) {
  return parse_npy(bytes.all(), "a.npy", limit);
}

TEST(Npy, ReadsEveryTypeInBothByteOrders) {
  struct Case {
    std::string type;
    size_t size;
    std::array<uint64_t, 2> stored;
    std::array<double, 2> expected;
  };
  const std::array<Case, 12> cases{{
      {"b1", 1, {1, 0}, {1, 0}},
      {"u1", 1, {51, 255}, {0.2, 1}},
      {"i1", 1, {0x80, 0x7F}, {-128, 127}},
      {"u2", 2, {0xFFFF, 0x0102}, {65535, 258}},
      {"i2", 2, {0x8000, 0x0102}, {-32768, 258}},
      {"u4", 4, {0xFFFFFFFF, 7}, {4294967295.0, 7}},
      {"i4", 4, {0x80000000, 7}, {-2147483648.0, 7}},
      {"u8", 8, {uint64_t{1} << 63, 7}, {0x1p63, 7}},
      {"i8", 8, {uint64_t{1} << 63, 7}, {-0x1p63, 7}},
      {"f2", 2, {0xC100, 0x0001}, {-2.5, 0x1p-24}},
      {"f4", 4, {0x40490FDB, 0x00000001}, {std::bit_cast<float>(0x40490FDBU), 0x1p-149}},
      {"f8", 8, {std::bit_cast<uint64_t>(-0.1), 0}, {-0.1, 0}},
  }};
  for (const Case& c : cases) {
    for (const char order : {'<', '>'}) {
      Bytes bytes = npy(dictionary(order + c.type, "(1, 2)"));
      for (const uint64_t number : c.stored) {
        order == '<' ? bytes.little(number, c.size) : bytes.big(number, c.size);
      }
      const PatternSet set = parse(bytes);
      EXPECT_EQ(values(set.patterns), std::vector<double>(c.expected.begin(), c.expected.end()))
          << order << c.type;
      EXPECT_FALSE(set.is_image());
      EXPECT_EQ(set.threshold, c.type == "b1" || c.type == "u1" ? 0.5 : 0.0) << c.type;
      EXPECT_EQ(set.file_scale, c.type == "u1" ? 255 : 1) << c.type;
    }
  }
}

TEST(Npy, ReadsIntegersOfEveryTypeUnscaled) {
  struct Case {
    std::string type;
    size_t size;
    uint64_t stored;
    int64_t expected;
  };
  for (const Case& c :
       {Case{"u1", 1, 200, 200}, Case{"i1", 1, 0x80, -128}, Case{"u2", 2, 0xFFFF, 65535},
        Case{"i2", 2, 0x8000, -32768}, Case{"u4", 4, 0xFFFFFFFF, 4294967295}, Case{"i4", 4, 0xFFFFFFFE, -2},
        Case{"i8", 8, 0x7FFFFFFFFFFFFFFF, std::numeric_limits<int64_t>::max()},
        Case{"i8", 8, uint64_t{1} << 63, std::numeric_limits<int64_t>::min()}}) {
    const Bytes little = npy(dictionary("<" + c.type, "(2,)")).little(c.stored, c.size).little(7, c.size);
    EXPECT_EQ(parse_npy_integers(little.all(), "a.npy"), (std::vector<int64_t>{c.expected, 7})) << c.type;
  }
  EXPECT_EQ(parse_npy_integers(npy(dictionary(">i4", "(1,)")).little(0x01000000, 4).all(), "a.npy"),
            std::vector<int64_t>{1});
  EXPECT_TRUE(parse_npy_integers(npy(dictionary("<i8", "(0,)")).all(), "a.npy").empty());
  const auto expect_rejected = [](const std::string& type, const std::string& shape, size_t bytes,
                                  std::initializer_list<std::string_view> parts) {
    Bytes file = npy(dictionary(type, shape));
    for (size_t i = 0; i < bytes; ++i) {
      file.little(0, 1);
    }
    expect_error<DataError>([&] { parse_npy_integers(file.all(), "a.npy"); }, parts);
  };
  expect_rejected("<i8", "(1, 2)", 16, {"a.npy", "shape (1, 2), but one axis"});
  expect_rejected("<f8", "(2,)", 16, {"int64"});
  expect_rejected("<u8", "(2,)", 16, {"int64"});
  expect_rejected("<i8", "(2,)", 8, {"8 bytes follow"});
}

TEST(Npy, ReadsNumbersOfAnyShapeUnscaled) {
  const auto numbers = [](const Bytes& bytes) { return parse_npy_numbers(bytes.all(), "a.npy"); };
  const NumberArray pixels = numbers(npy(dictionary("|u1", "(1, 2, 2)")).text("\1\2\xFF\4"));
  EXPECT_EQ(pixels.shape, (std::vector<int64_t>{1, 2, 2}));
  EXPECT_EQ(pixels.numbers, (std::vector<double>{1, 2, 255, 4}));
  EXPECT_EQ(numbers(npy(dictionary("|u1", "(2, 2)", true)).text("\1\2\3\4")).numbers,
            (std::vector<double>{1, 3, 2, 4}));
  const NumberArray one = numbers(npy(dictionary("<f8", "()")).little(std::bit_cast<uint64_t>(-HUGE_VAL), 8));
  EXPECT_TRUE(one.shape.empty());
  EXPECT_EQ(one.numbers, std::vector<double>{-HUGE_VAL});
  EXPECT_EQ(numbers(npy(dictionary("<f8", "(3, 0)"))).shape, (std::vector<int64_t>{3, 0}));
  expect_error<DataError>([&] { numbers(npy(dictionary("<f8", "(1, 2)")).little(0, 8)); },
                          {"a.npy", "8 bytes"});
}

TEST(Npy, ReadsMaximumAndSubnormalHalves) {
  Bytes bytes = npy(dictionary("<f2", "(4,)"));
  bytes.little(0x7BFF, 2).little(0x0400, 2).little(0x03FF, 2).little(0x3C00, 2);
  EXPECT_EQ(values(parse(bytes).patterns), (std::vector<double>{65504, 0x1p-14, 1023 * 0x1p-24, 1}));
}

TEST(Npy, ReadsAllVersions) {
  for (const int version : {1, 2, 3}) {
    Bytes bytes = npy(dictionary("|u1", "(2, 2)"), version);
    bytes.text(std::string_view("\1\0\0\1", 4));
    EXPECT_EQ(values(parse(bytes).patterns), (std::vector<double>{1, 0, 0, 1})) << version;
  }
}

TEST(Npy, ReadsKeysInAnyOrderAndEitherQuote) {
  Bytes bytes = npy(R"({"shape":(2,1),"descr":"i1",'fortran_order':False})");
  bytes.text("\x05\x06");
  EXPECT_EQ(values(parse(bytes).patterns), (std::vector<double>{5, 6}));
}

// numpy.load accepts all of these headers.
TEST(Npy, ReadsEveryHeaderThatNumpyReads) {
  for (const std::string shape : {"(2L, 1L)", "(+2,1L,)", "( 2 , 1 )", "(\t2,\n1)", "(2, 1)", "(2,1,)"}) {
    const std::string text = "{'descr': '<i2', 'fortran_order': False, 'shape': " + shape + ", }";
    EXPECT_EQ(values(parse(npy(text).little(5, 2).little(6, 2)).patterns), (std::vector<double>{5, 6}))
        << shape;
  }
  for (const std::string type : {"<i2", "|i2", "=i2", "i2", "h", "<h", "int16", "short"}) {
    const Bytes bytes = npy(" {\"shape\" : (2L,),'fortran_order':False , \"descr\":'" + type + "'}  ");
    EXPECT_EQ(values(parse(Bytes(bytes).little(5, 2).little(0xFFFF, 2)).patterns),
              (std::vector<double>{5, -1}))
        << type;
  }
  for (const std::string type : {"float64", "float", "double", "d", "=f8", "f8"}) {
    EXPECT_EQ(values(parse(npy(dictionary(type, "(1L,)")).little(std::bit_cast<uint64_t>(0.5), 8)).patterns),
              std::vector<double>{0.5})
        << type;
  }
  for (const std::string type : {"?", "bool", "|b1", "<b1"}) {
    EXPECT_EQ(values(parse(npy(dictionary(type, "(1,)")).text("\1")).patterns), std::vector<double>{1})
        << type;
  }
  // Neither padding nor a newline at the end of the header.
  const std::string bare = dictionary("|i1", "(1,)");
  const Bytes unpadded = Bytes().text("\x93NUMPY").little(1, 2).little(bare.size(), 2).text(bare).text("\3");
  EXPECT_EQ(values(parse(unpadded).patterns), std::vector<double>{3});
}

TEST(Npy, AdvisesHowToConvertUnsupportedTypes) {
  const auto advised = [](const std::string& descr, std::initializer_list<std::string_view> parts) {
    const std::string text = "{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,), }";
    expect_error<DataError>([&] { parse(npy(text)); }, parts);
  };
  advised("'<c16'", {"f2, f4 or f8", "complex", "<c16", "numpy.stack([x.real, x.imag], axis=-1)"});
  advised("'<V2'", {"bfloat16", "(x.view(numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32)"});
  advised("'|V2'", {"bfloat16"});
  advised("'|V5'", {"bytes without a number type", "x.view(numpy.uint8)"});
  advised("'<U3'", {"strings", "x.astype(numpy.float64)"});
  advised("'|S3'", {"strings", "x.astype(numpy.float64)"});
  advised("'<f16'", {"floats of an unsupported size", "x.astype(numpy.float64)"});
  advised("'<M8[D]'", {"dates", "x.astype(numpy.int64)"});
  advised("'<m8[ns]'", {"durations", "x.astype(numpy.int64)"});
  advised("'|O'", {"Python objects", "numpy.load(FILE, allow_pickle=True)", "numpy.array(x.tolist()"});
  advised("[('a', '<f8'), ('b', '<i4')]", {"records", "numpy.array(x.tolist()"});
}

TEST(Npy, ReportsASecondArray) {
  Bytes bytes = npy(dictionary("|i1", "(2,)")).text("\1\2");
  const size_t first = bytes.size();
  bytes.append(Bytes(bytes).all());
  expect_error<DataError>([&] { parse(bytes); },
                          {"a second array at byte " + std::to_string(first), "numpy.savez"});
}

TEST(Npy, FirstAxisCountsPatterns) {
  Bytes line = npy(dictionary("|i1", "(3,)")), block = npy(dictionary("|i1", "(2, 1, 3, 1)"));
  EXPECT_EQ(parse(line.text("\1\2\3")).patterns.count(), 3);
  const PatternSet set = parse(block.text("\1\2\3\4\5\6"));
  EXPECT_EQ(set.patterns.count(), 2);
  EXPECT_EQ(set.patterns.size(), 3);
}

TEST(Npy, FortranOrderGivesTheSamePatterns) {
  // Element (i, j, k) of shape (2, 3, 4) is 100 i + 10 j + k.
  Bytes rows = npy(dictionary("<i2", "(2, 3, 4)")), columns = npy(dictionary("<i2", "(2, 3, 4)", true));
  for (uint64_t i = 0; i < 2; ++i) {
    for (uint64_t j = 0; j < 3; ++j) {
      for (uint64_t k = 0; k < 4; ++k) {
        rows.little(100 * i + 10 * j + k, 2);
      }
    }
  }
  for (uint64_t k = 0; k < 4; ++k) {
    for (uint64_t j = 0; j < 3; ++j) {
      for (uint64_t i = 0; i < 2; ++i) {
        columns.little(100 * i + 10 * j + k, 2);
      }
    }
  }
  EXPECT_EQ(parse(rows).patterns, parse(columns).patterns);
  EXPECT_EQ(parse(rows, 1).patterns, parse(columns, 1).patterns);
  EXPECT_EQ(parse(rows).patterns[1][11], 123);
}

TEST(Npy, DetectsImages) {
  Bytes pixels = npy(dictionary("|u1", "(1, 1, 2)"));
  const PatternSet grey = parse(pixels.text(std::string_view("\xFF\x33", 2)));
  EXPECT_EQ(grey.image_shape(), (ImageShape{1, 2, 1}));
  EXPECT_EQ(values(grey.patterns), (std::vector<double>{1, 0.2}));
  EXPECT_EQ(grey.threshold, 0.5);

  Bytes black_and_white = npy(dictionary("|u1", "(1, 1, 2)"));
  EXPECT_EQ(values(parse(black_and_white.text(std::string_view("\1\0", 2))).patterns),
            (std::vector<double>{1, 0}));

  Bytes colour = npy(dictionary("|u1", "(1, 1, 1, 3)"));
  EXPECT_EQ(parse(colour.text("\x0F\x0F\x0F")).image_shape(), (ImageShape{1, 1, 3}));

  Bytes unit = npy(dictionary("<f4", "(1, 1, 2)")), beyond = npy(dictionary("<f4", "(1, 1, 2)"));
  unit.little(0x3F000000, 4).little(0x3F800000, 4);
  EXPECT_EQ(parse(unit).image_shape(), (ImageShape{1, 2, 1}));
  beyond.little(0x3F000000, 4).little(0x3F800001, 4);
  EXPECT_FALSE(parse(beyond).is_image());
  EXPECT_EQ(parse(beyond).threshold, 0);
}

/// Images with integers 0 .. 255 stored as `type`, in a shape such as "(2, 2, 2)".
PatternSet images(const std::string& type, size_t size, const std::string& shape,
                  std::initializer_list<double> numbers) {
  Bytes bytes = npy(dictionary(type, shape));
  for (const double number : numbers) {
    bytes.little(type == "<f4"   ? std::bit_cast<uint32_t>(static_cast<float>(number))
                 : type == "<f8" ? std::bit_cast<uint64_t>(number)
                                 : static_cast<uint64_t>(number),
                 size);
  }
  return parse(bytes);
}

TEST(Npy, ReadsImagesTheSameWayForEveryType) {
  const PatternSet expected = images("|u1", 1, "(1, 2, 2)", {0, 51, 204, 255});
  EXPECT_EQ(values(expected.patterns), (std::vector<double>{0, 0.2, 0.8, 1}));
  for (const auto& [type, size] : {std::pair("<f4", 4), {"<f8", 8}, {"<i8", 8}, {"<u2", 2}, {"<i4", 4}}) {
    const PatternSet same = images(type, static_cast<size_t>(size), "(1, 2, 2)", {0, 51, 204, 255});
    EXPECT_EQ(same.patterns, expected.patterns) << type;
    EXPECT_EQ(same.image_shape(), (ImageShape{2, 2, 1})) << type;
    EXPECT_EQ(same.file_scale, 255) << type;
    EXPECT_EQ(same.threshold, 0.5) << type;
  }
  // Fractions, numbers above 255 or below 0, and images that are dark everywhere are not detected as images.
  for (const std::initializer_list<double>& numbers : {std::initializer_list<double>{0.5, 51, 204, 255},
                                                       {0, 51, 204, 256},
                                                       {-1, 51, 204, 255},
                                                       {0, 1, 16, 127}}) {
    const PatternSet plain = images("<f8", 8, "(1, 2, 2)", numbers);
    EXPECT_EQ(values(plain.patterns), std::vector<double>(numbers));
    EXPECT_FALSE(plain.is_image());
    EXPECT_EQ(plain.file_scale, 1);
    EXPECT_EQ(plain.threshold, 0);
  }
  // Without an image shape only bytes are pixels.
  EXPECT_EQ(images("<f8", 8, "(1, 4)", {0, 51, 204, 255}).file_scale, 1);
  const PatternSet flat = images("|u1", 1, "(1, 4)", {0, 51, 204, 255});
  EXPECT_EQ(flat.patterns, expected.patterns);
  EXPECT_EQ(flat.file_scale, 255);
  EXPECT_EQ(flat.threshold, 0.5);
  EXPECT_FALSE(flat.is_image());
  const PatternSet bits = images("|u1", 1, "(1, 4)", {0, 1, 1, 0});
  EXPECT_EQ(values(bits.patterns), (std::vector<double>{0, 1, 1, 0}));
  EXPECT_EQ(bits.file_scale, 1);
}

TEST(Npy, MovesChannelsLast) {
  const PatternSet grey = images("|u1", 1, "(2, 1, 1, 2)", {0, 51, 204, 255});
  EXPECT_EQ(grey.image_shape(), (ImageShape{1, 2, 1}));
  EXPECT_EQ(values(grey.patterns), (std::vector<double>{0, 0.2, 0.8, 1}));
  const PatternSet colour = images("<f8", 8, "(1, 3, 1, 2)", {0.1, 0.2, 0.3, 0.4, 0.5, 0.6});
  EXPECT_EQ(colour.image_shape(), (ImageShape{1, 2, 3}));
  EXPECT_EQ(values(colour.patterns), (std::vector<double>{0.1, 0.3, 0.5, 0.2, 0.4, 0.6}));
  // If both axes can be channels, the last one is used.
  const PatternSet both = images("<f8", 8, "(1, 3, 2, 1)", {0.1, 0.2, 0.3, 0.4, 0.5, 0.6});
  EXPECT_EQ(both.image_shape(), (ImageShape{3, 2, 1}));
  EXPECT_EQ(values(both.patterns), (std::vector<double>{0.1, 0.2, 0.3, 0.4, 0.5, 0.6}));
  // Arrays that are not images keep the order of the file.
  EXPECT_EQ(values(images("<f8", 8, "(1, 3, 1, 2)", {0.1, 0.2, 0.3, 0.4, 0.5, 1.6}).patterns),
            (std::vector<double>{0.1, 0.2, 0.3, 0.4, 0.5, 1.6}));
}

TEST(Npy, ReportsTheNumberThatIsNotFinite) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    Bytes bytes = npy(dictionary("<f8", "(2, 3)"));
    for (int at = 0; at < 6; ++at) {
      bytes.little(std::bit_cast<uint64_t>(at == 5 ? bad : 1.0), 8);
    }
    expect_error<DataError>([&] { parse(bytes); },
                            {"a.npy", "pattern 1", "position 2", fmt::format("{}", bad)});
  }
}

TEST(Npy, RejectsABooleanOfTwo) {
  Bytes bytes = npy(dictionary("|b1", "(1, 2)"));
  expect_error<DataError>([&] { parse(bytes.text("\1\2")); }, {"pattern 0, position 1", "0 or 1", "2"});
}

TEST(Npy, RejectsEveryTruncationAndTrailingBytes) {
  for (const int version : {1, 2}) {
    Bytes bytes = npy(dictionary("<i2", "(2, 2)"), version);
    bytes.little(0x0004000300020001, 8);
    expect_no_prefix_parses(bytes, [](auto part) { parse_npy(part, "cut.npy"); });
    const std::string available = std::to_string(9);
    bytes.text("x");
    expect_error<DataError>([&] { parse(bytes); },
                            {"shape (2, 2)", "has 4 numbers", available + " bytes follow"});
  }
}

TEST(Npy, ReportsInvalidHeaders) {
  const auto wrong = [](const std::string& text, std::initializer_list<std::string_view> parts) {
    expect_error<DataError>([&] { parse(npy(text)); }, parts);
  };
  wrong("", {"header, byte 11", "'{'", "the end"});
  wrong("{'descr': '<f8', 'shape': (1,)}", {"the keys 'descr', 'fortran_order' and 'shape'"});
  wrong("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", {"byte 27", "each once"});
  wrong("{'colour': 3}", {"byte 11", "each once", "'colour': 3"});
  wrong("{'descr': '<float64', 'fortran_order': False, 'shape': (1,)}", {"after a byte order", "<float64"});
  wrong("{'descr': 'xyz', 'fortran_order': False, 'shape': (1,)}", {"after a byte order", "xyz"});
  wrong("{'descr': '<f8', 'fortran_order': 0, 'shape': (1,)}", {"True or False"});
  wrong("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", {"a size from 0", "-1"});
  wrong("{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775808,)}", {"2^63 - 1"});
  wrong("{'descr': '<f8', 'fortran_order': False, 'shape': (1)}", {"(3,), not (3)"});
  wrong("{'descr': '<f8', 'fortran_order': False, 'shape': (1 2)}", {"',' or ')'"});
  wrong("{'descr': '<f8', 'fortran_order': False, 'shape': (012,)}", {"a size from 0"});
  wrong("{'descr': '<f8', 'fortran_order': False, 'shape': (1LL,)}", {"',' or ')'"});
  wrong("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)", {"'}'"});
  wrong("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} x", {"only spaces", "x"});
  wrong("{'descr", {"a closed string"});
  std::string many = "{'descr': '|u1', 'fortran_order': False, 'shape': (";
  for (int axis = 0; axis < 65; ++axis) {
    many += "1,";
  }
  wrong(many + ")}", {"at most 64 axes"});
  wrong(dictionary("|u1", "()"), {"has 1 numbers"});
}

TEST(Npy, RejectsSizesThatOverflow) {
  expect_error<DataError>([] { parse(npy(dictionary("<f8", "(4294967296, 4294967296)"))); },
                          {"more than 2^63"});
  expect_error<DataError>([] { parse(npy(dictionary("<f8", "(2305843009213693952,)"))); },
                          {"has 2305843009213693952 numbers", "0 bytes follow"});
}

TEST(Npy, RejectsEmptyArraysAndScalars) {
  expect_error<DataError>([] { parse(npy(dictionary("<f8", "(0, 9223372036854775807, 4)"))); },
                          {"0 patterns"});
  expect_error<DataError>([] { parse(npy(dictionary("<f8", "(9223372036854775807, 0)"))); },
                          {"9223372036854775807 patterns of 0 numbers"});
  expect_error<DataError>([] { parse(npy(dictionary("|u1", "()")).text("x")); },
                          {"shape ()", "at least one axis"});
}

TEST(Npy, RejectsOtherFilesVersionsAndLongHeaders) {
  Bytes bytes = npy(dictionary("|u1", "(1,)"), 3);
  bytes.text("x");
  Bytes other = bytes, newer = bytes, minor = bytes, longer = bytes;
  other[1] = std::byte{'X'};
  expect_error<DataError>([&] { parse(other); }, {"\\x93NUMPY"});
  newer[6] = std::byte{4};
  expect_error<DataError>([&] { parse(newer); }, {"byte 6", "version 1.0 to 3.0", "found 4.0"});
  minor[7] = std::byte{1};
  expect_error<DataError>([&] { parse(minor); }, {"found 3.1"});
  longer[10] = std::byte{0x11}; // 2^20 and more
  expect_error<DataError>([&] { parse(longer); }, {"byte 8", "at most 1048576"});
}

TEST(Npy, LimitReadsTheFirstPatterns) {
  const TemporaryFolder folder;
  Bytes bytes = npy(dictionary("|i1", "(3, 2)"));
  const auto path = folder.file("a.npy", bytes.text("\1\2\3\4\5\6").all());
  EXPECT_EQ(values(read_npy(path, 2).patterns), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(read_npy(path, 100).patterns.count(), 3);
  EXPECT_EQ(read_npy(path).source, "a.npy");
}

TEST(Npy, ReadsMoreThanOneBlock) {
  const TemporaryFolder folder;
  RealPatterns patterns(3, 20001);
  for (int64_t at = 0; at < 3 * 20001; ++at) {
    patterns.data()[at] = static_cast<double>(at) - 7.5;
  }
  write_npy(folder.path() / "a.npy", patterns);
  EXPECT_EQ(read_npy(folder.path() / "a.npy").patterns, patterns);
}

TEST(Npy, WritesTheSameBytesAsNumpy) {
  const TemporaryFolder folder;
  BitPatterns bits(2, 3);
  bits.set(0, 1, true);
  bits.set(1, 2, true);
  write_npy(folder.path() / "b.npy", bits);
  // numpy.save of numpy.array([[0, 1, 0], [0, 0, 1]], dtype=numpy.uint8)
  Bytes expected;
  expected.text("\x93NUMPY").text(std::string_view("\1\0\x76\0", 4));
  expected.text("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }");
  expected.text(std::string(118 - 59 - 1, ' ')).text("\n").text(std::string_view("\0\1\0\0\0\1", 6));
  const std::vector<std::byte> written = read_file(folder.path() / "b.npy");
  EXPECT_EQ(Bytes().append(written).size(), expected.size());
  EXPECT_TRUE(std::equal(written.begin(), written.end(), expected.all().begin(), expected.all().end()));
}

TEST(Npy, KeepsAnyShapeOfNumbers) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "numbers.npy";
  for (const NumberArray& array : {NumberArray{.shape = {0, 5, 8}}, NumberArray{.shape = {2, 0}},
                                   NumberArray{.shape = {}, .numbers = {7}},
                                   NumberArray{.shape = {1, 2, 1, 2}, .numbers = {1, 2, 3, std::nan("")}}}) {
    write_npy(path, array);
    const NumberArray read = read_npy_numbers(path);
    EXPECT_EQ(read.shape, array.shape);
    EXPECT_EQ(read.numbers.size(), array.numbers.size());
  }
  expect_error<UsageError>(
      [&] {
        write_npy(path, NumberArray{.shape = {2, 3}, .numbers = {1}});
      },
      {"1 numbers", "(2, 3)"});
}

TEST(Npy, KeepsImageShape) {
  const TemporaryFolder folder;
  const RealPatterns grey(2, 6, std::vector<double>(12, 0.25));
  write_npy(folder.path() / "a.npy", grey, {2, 3, 1});
  EXPECT_EQ(read_npy(folder.path() / "a.npy").image_shape(), (ImageShape{2, 3, 1}));
  write_npy(folder.path() / "a.npy", grey, {1, 2, 3});
  EXPECT_EQ(read_npy(folder.path() / "a.npy").image_shape(), (ImageShape{1, 2, 3}));
  expect_error<UsageError>(
      [&] {
        write_npy(folder.path() / "a.npy", grey, {2, 2, 1});
      },
      {"2 x 2 x 1", "6 numbers"});
  expect_error<OutputError>([&] { write_npy(folder.path() / "no" / "a.npy", grey); }, {"a.npy"});
}

RC_GTEST_PROP(Npy, RoundTripsReals, ()) {
  const auto count = *rc::gen::inRange<int64_t>(1, 6);
  const auto size = *rc::gen::inRange<int64_t>(1, 70);
  const auto numbers = *rc::gen::container<std::vector<double>>(static_cast<size_t>(count * size),
                                                                rc::gen::arbitrary<double>());
  const RealPatterns patterns(count, size, numbers);
  const TemporaryFolder folder;
  write_npy(folder.path() / "a.npy", patterns);
  RC_ASSERT(read_npy(folder.path() / "a.npy").patterns == patterns);
}

RC_GTEST_PROP(Npy, RoundTripsBits, (uint64_t seed)) {
  BitPatterns bits(*rc::gen::inRange<int64_t>(1, 6), *rc::gen::inRange<int64_t>(1, 200));
  Random random(seed);
  for (int64_t at = 0; at < bits.count() * bits.bits(); ++at) {
    bits.set(at / bits.bits(), at % bits.bits(), random.below(2) == 1);
  }
  const TemporaryFolder folder;
  write_npy(folder.path() / "a.npy", bits);
  const PatternSet set = read_npy(folder.path() / "a.npy");
  RC_ASSERT(set.threshold == 0.5);
  RC_ASSERT(to_bits(set.patterns, set.threshold) == bits);
}

} // namespace
} // namespace mneme::data
