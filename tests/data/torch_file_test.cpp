// SPDX-License-Identifier: MIT

#include "mneme/data/torch_file.h"

#include <algorithm>

#include <zlib.h>

#include "data/testing.h"
#include "mneme/data/read_file.h"

namespace mneme::data {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(MNEME_SOURCE_DIR) / "tests/golden/torch_file";

/// Protocol 2, a dict with one entry "w": storage "0" of `numbers` float32, then offset, sizes and strides.
std::string one_tensor(const std::string& numbers, const std::string& place,
                       const std::string& type = "torch\nFloatStorage\n") {
  const auto text = [](const std::string& letters) {
    return std::string("X") + static_cast<char>(letters.size()) + std::string(3, '\0') + letters;
  };
  return "\x80\x02}" + text("w") + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "c" + type +
         text("0") + text("cpu") + numbers + "tQ" + place + "\x89}tRs.";
}
std::string number(int value) {
  return std::string("K") + static_cast<char>(value);
}

/// A zip file as torch.save lays it out, with checksums that hold.
std::vector<std::byte> torch_file(const std::string& pickle,
                                  const std::string& storage = std::string(24, '\1')) {
  Bytes file, directory;
  const std::pair<std::string, std::string> entries[] = {
      {"a/data.pkl", pickle}, {"a/byteorder", "little"}, {"a/data/0", storage}};
  for (const auto& [name, content] : entries) {
    const auto* letters = reinterpret_cast<const Bytef*>(content.data());
    const uint64_t checksum = crc32_z(0, letters, content.size()), header = file.size();
    file.little(0x04034b50, 4)
        .little(0, 10)
        .little(checksum, 4)
        .little(content.size(), 4)
        .little(content.size(), 4);
    file.little(name.size(), 2).little(0, 2).text(name).text(content);
    directory.little(0x02014b50, 4).little(0, 12).little(checksum, 4).little(content.size(), 4);
    directory.little(content.size(), 4).little(name.size(), 2).little(0, 12).little(header, 4).text(name);
  }
  const size_t begin = file.size();
  file.append(directory.all()).little(0x06054b50, 4).little(0, 4).little(3, 2).little(3, 2);
  file.little(directory.size(), 4).little(begin, 4).little(0, 2);
  return {file.all().begin(), file.all().end()};
}

std::vector<TorchFileEntry> parse(const std::string& pickle,
                                  const std::string& storage = std::string(24, '\1')) {
  return parse_torch_file(torch_file(pickle, storage), "made.pt");
}
void refuse(const std::string& pickle, std::initializer_list<std::string_view> parts) {
  expect_error<DataError>([&] { parse(pickle); }, parts);
}

TEST(TorchFile, SaysWhereEveryTensorLies) {
  const std::vector<std::byte> bytes = read_file(kGolden / "state_dict.pt");
  ASSERT_TRUE(is_torch_file(bytes));
  const std::vector<TorchFileEntry> entries = parse_torch_file(bytes, "state_dict.pt");
  ASSERT_EQ(entries.size(), 12U);
  EXPECT_EQ(entries[0].name, "weight");
  EXPECT_EQ(entries[0].dtype, "F32");
  EXPECT_EQ(entries[0].shape, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(entries[1].strides, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(entries[1].begin, entries[2].begin); // views of one storage
  EXPECT_EQ(entries[2].offset, 4);
  EXPECT_EQ(entries[2].strides, (std::vector<int64_t>{4, 2}));
  EXPECT_EQ(entries[0].end - entries[0].begin, 48);
}

TEST(TorchFile, RefusesWhatHoldsMoreThanTensors) {
  expect_error<DataError>([] { parse_torch_file(read_file(kGolden / "with_epoch.pt"), "with_epoch.pt"); },
                          {"with_epoch.pt", "\"epoch\" is a whole number", "state_dict()"});
}

TEST(TorchFile, RefusesPlacesOutsideOfTheStorage) {
  const std::string numbers = number(6);
  const auto place = [](int offset, const std::string& sizes, const std::string& strides) {
    return number(offset) + sizes + strides;
  };
  const std::string two = number(2) + "\x85", one = number(1) + "\x85";
  EXPECT_EQ(parse(one_tensor(numbers, place(4, two, one)))[0].offset, 4);
  refuse(one_tensor(numbers, place(5, two, one)), {"\"w\" reaches beyond the 6 numbers"});
  refuse(one_tensor(numbers, place(0, two, number(6) + "\x85")), {"reaches beyond"});
  refuse(one_tensor(numbers, place(0, number(7) + "\x85", number(0) + "\x85")),
         {"reaches beyond"}); // expanded
  refuse(one_tensor(numbers, place(0, two, number(1) + number(1) + "\x86")), {"1 sizes and 2 strides"});
  refuse(one_tensor(number(7), place(0, two, one)), {"needs 7 numbers of 4 bytes", "24 bytes"});
  refuse(one_tensor(numbers, place(0, two, one), "torch\nComplexFloatStorage\n"),
         {"torch ComplexFloatStorage"});
  const std::string huge = "\x8a\x08" + std::string(7, '\xff') + '\x7f', minus = "J" + std::string(4, '\xff');
  refuse(
      one_tensor(numbers, number(0) + "(" + number(0) + huge + huge + "t" + "(" + huge + huge + huge + "t"),
      {"reaches beyond"});
  refuse(one_tensor(numbers, place(0, two, huge + "\x85")), {"reaches beyond"});
  refuse(one_tensor(numbers, place(0, minus + "\x85", one)), {"a size of -1"});
}

TEST(TorchFile, NeverCallsWhatAPickleNames) {
  refuse("\x80\x02}X\1" + std::string(3, '\0') + "wcos\nsystem\nX\2" + std::string(3, '\0') + "ls\x85Rs.",
         {"\"w\" is made by os system", "plain tensors"});
  refuse("\x80\x02"
         "cos\nsystem\n)\x81.",
         {"operation 0x81"}); // NEWOBJ
}

TEST(TorchFile, SurvivesNestingAndCircles) {
  refuse("\x80\x02)" + std::string(1'000'000, '\x85') + ".", {"holds a list"});
  refuse("\x80\x02]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a.", {"holds a list"});
}

TEST(TorchFile, AnyDamageIsRefusedOrHarmless) {
  const std::string pickle = one_tensor(number(6), number(0) + number(6) + "\x85" + number(1) + "\x85");
  int64_t refused = 0;
  for (size_t at = 0; at < pickle.size(); ++at) {
    for (int value = 0; value < 256; ++value) { // checksums hold, so that the pickle itself is tried
      std::string damaged = pickle;
      damaged[at] = static_cast<char>(value);
      try {
        for (const TorchFileEntry& entry : parse(damaged)) {
          EXPECT_LE(entry.begin, entry.end);
        }
      } catch (const DataError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 1000);
  const std::vector<std::byte> file = torch_file(pickle);
  for (size_t at = 0; at < file.size(); ++at) {
    for (const uint8_t flip : {0x01, 0x80, 0xff}) {
      std::vector<std::byte> damaged = file;
      damaged[at] ^= std::byte{flip};
      try {
        parse_torch_file(damaged, "made.pt");
      } catch (const DataError&) {
        continue;
      }
    }
  }
  for (size_t length = 0; length < file.size(); ++length) {
    const std::vector<std::byte> prefix(file.begin(), file.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_THROW(parse_torch_file(prefix, "made.pt"), DataError) << length;
  }
}

TEST(TorchFile, ChecksumsAreChecked) {
  std::vector<std::byte> file =
      torch_file(one_tensor(number(6), number(0) + number(6) + "\x85" + number(1) + "\x85"));
  const std::string storage(24, '\1');
  const auto found = std::search(file.begin(), file.end(), storage.begin(), storage.end(),
                                 [](std::byte a, char b) { return a == static_cast<std::byte>(b); });
  ASSERT_NE(found, file.end());
  *found ^= std::byte{4};
  expect_error<DataError>([&] { parse_torch_file(file, "made.pt"); }, {"checksum", "a/data/0"});
}

} // namespace
} // namespace mneme::data
