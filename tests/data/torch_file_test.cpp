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
std::string text(const std::string& letters) {
  return std::string("X") + static_cast<char>(letters.size()) + std::string(3, '\0') + letters;
}
std::string tensor(const std::string& numbers, const std::string& place,
                   const std::string& type = "torch\nFloatStorage\n", const std::string& metadata = "") {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "c" + type + text("0") + text("cpu") +
         numbers + "tQ" + place + "\x89}" + metadata + "tR";
}
std::string one_tensor(const std::string& numbers, const std::string& place,
                       const std::string& type = "torch\nFloatStorage\n", const std::string& metadata = "") {
  return "\x80\x02}" + text("w") + tensor(numbers, place, type, metadata) + "s.";
}
std::string number(int value) {
  return std::string("K") + static_cast<char>(value);
}

/// A zip file with the layout of torch.save and valid checksums.
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
  return parse_torch_checkpoint(torch_file(pickle, storage), "made.pt").entries;
}
void expect_rejected(const std::string& pickle, std::initializer_list<std::string_view> parts) {
  expect_error<DataError>([&] { parse(pickle); }, parts);
}

TEST(TorchFile, ReadsShapesStridesAndOffsets) {
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

TorchFile golden(const std::string& name, const std::string& key = "") {
  return parse_torch_checkpoint(read_file(kGolden / name), name, key);
}
void expect_golden_rejected(const std::string& name, const std::string& key,
                            std::initializer_list<std::string_view> parts) {
  SCOPED_TRACE(key);
  expect_error<DataError>([&] { golden(name, key); }, parts);
}

TEST(TorchFile, ReadsTheNegativeBit) {
  const std::vector<TorchFileEntry> entries = golden("accepted.pt").entries;
  ASSERT_EQ(entries.size(), 13U);
  for (const TorchFileEntry& entry : entries) {
    EXPECT_EQ(entry.is_negated, entry.name.starts_with("negated") || entry.name.starts_with("imaginary"))
        << entry.name;
  }
}

TEST(TorchFile, ParseTorchFileRejectsNegatedTensors) {
  expect_error<DataError>([] { parse_torch_file(read_file(kGolden / "accepted.pt"), "accepted.pt"); },
                          {"\"negated\"", "negative bit", "resolve_neg()"});
}

TEST(TorchFile, ReadsExpandedTensors) {
  const std::vector<TorchFileEntry> entries = golden("accepted.pt").entries;
  const auto expanded = std::ranges::find(entries, "expanded", &TorchFileEntry::name);
  ASSERT_NE(expanded, entries.end());
  EXPECT_EQ(expanded->shape, (std::vector<int64_t>{2, 5}));
  EXPECT_EQ(expanded->strides, (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(expanded->end - expanded->begin, 8);
}

TEST(TorchFile, ReadsTheFormatBeforePyTorch16) {
  const std::vector<std::byte> old = read_file(kGolden / "before_1_6.pt"),
                               now = read_file(kGolden / "state_dict.pt");
  ASSERT_TRUE(is_torch_file(old));
  const std::vector<TorchFileEntry> found = parse_torch_file(old, "before_1_6.pt"),
                                    expected = parse_torch_file(now, "state_dict.pt");
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].name, expected[i].name);
    EXPECT_EQ(found[i].dtype, expected[i].dtype);
    EXPECT_EQ(found[i].shape, expected[i].shape);
    EXPECT_EQ(found[i].strides, expected[i].strides);
    EXPECT_EQ(found[i].offset, expected[i].offset);
    ASSERT_EQ(found[i].end - found[i].begin, expected[i].end - expected[i].begin);
    EXPECT_TRUE(std::equal(old.begin() + found[i].begin, old.begin() + found[i].end,
                           now.begin() + expected[i].begin));
  }
}

TEST(TorchFile, RejectsTruncationAndSurvivesDamageOfTheFormatBeforePyTorch16) {
  const std::vector<std::byte> old = read_file(kGolden / "before_1_6.pt");
  for (size_t length = 0; length < old.size(); ++length) {
    const std::vector<std::byte> prefix(old.begin(), old.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_THROW(parse_torch_file(prefix, "old.pt"), DataError) << length;
  }
  for (size_t at = 0; at < old.size(); ++at) {
    for (const uint8_t flip : {0x01, 0x80, 0xff}) {
      std::vector<std::byte> damaged = old;
      damaged[at] ^= std::byte{flip};
      try {
        for (const TorchFileEntry& entry : parse_torch_file(damaged, "old.pt")) {
          EXPECT_LE(entry.end, std::ssize(damaged));
        }
      } catch (const DataError&) {
        continue;
      }
    }
  }
  std::vector<std::byte> longer = old;
  longer.resize(longer.size() + 3);
  EXPECT_EQ(parse_torch_checkpoint(longer, "old.pt").notes,
            std::vector<std::string>{"3 bytes after the last storage are ignored"});
  std::vector<std::byte> big = old; // NEWTRUE becomes NEWFALSE
  const std::string_view little = "little_endianq\x02\x88";
  const auto found = std::search(big.begin(), big.end(), little.begin(), little.end(),
                                 [](std::byte a, char b) { return a == static_cast<std::byte>(b); });
  ASSERT_NE(found, big.end());
  *(found + std::ssize(little) - 1) = std::byte{0x89};
  expect_error<DataError>([&] { parse_torch_file(big, "old.pt"); }, {"not little-endian"});
}

TEST(TorchFile, NamesTensorsWithoutADict) {
  const TorchFile tensor = golden("tensor.pt"), list = golden("list.pt");
  ASSERT_EQ(tensor.entries.size(), 1U);
  EXPECT_EQ(tensor.entries[0].name, "");
  EXPECT_EQ(tensor.entries[0].shape, (std::vector<int64_t>{2, 3}));
  ASSERT_EQ(list.entries.size(), 2U);
  EXPECT_EQ(list.entries[1].name, "1");
  EXPECT_EQ(list.entries[1].shape, std::vector<int64_t>{3});
  EXPECT_TRUE(tensor.notes.empty() && list.notes.empty());
}

TEST(TorchFile, SelectsTheOnlyDictOfTensorsInACheckpoint) {
  const TorchFile file = golden("checkpoint.pt");
  ASSERT_EQ(file.entries.size(), 2U);
  EXPECT_EQ(file.entries[0].name, "weight");
  EXPECT_EQ(file.key, "model");
  ASSERT_EQ(file.notes.size(), 1U);
  EXPECT_EQ(file.notes[0],
            "the tensors of \"model\" are read; \"epoch\" (a numpy scalar), \"arguments\" (a dict), "
            "\"optimizer\" (a dict) are skipped");
  EXPECT_EQ(golden("with_epoch.pt").key, "model");
}

TEST(TorchFile, RequiresAKeyIfSeveralDictsContainTensors) {
  expect_golden_rejected("averaged.pt", "",
                         {"2 dicts or lists contain tensors", "key: \"model.last\", \"model.ema\""});
  expect_golden_rejected("averaged.pt", "model", {"2 dicts", "\"model.last\", \"model.ema\""});
  expect_golden_rejected("averaged.pt", "model.emu", {"no key \"model.emu\"", "\"model.ema\""});
  expect_golden_rejected("averaged.pt", ".", {"\".\"", "does not directly contain tensors", "\"model.ema\""});
  expect_golden_rejected("averaged.pt", "epoch", {"\"epoch\" contains an integer"});
  expect_golden_rejected("state_dict.pt", "model", {"no key \"model\"", "remove the key"});
  const TorchFile last = golden("averaged.pt", "model.last"), average = golden("averaged.pt", "model.ema"),
                  weight = golden("averaged.pt", "model.ema.weight");
  EXPECT_TRUE(average.notes.empty());
  ASSERT_EQ(average.entries.size(), 2U);
  EXPECT_NE(average.entries[0].begin, last.entries[0].begin);
  ASSERT_EQ(weight.entries.size(), 1U);
  EXPECT_EQ(weight.entries[0].name, "");
  EXPECT_EQ(weight.entries[0].begin, average.entries[0].begin);
  EXPECT_EQ(golden("checkpoint.pt", "optimizer.state.1").entries.size(), 3U);
}

TEST(TorchFile, RejectsUnsupportedTensors) {
  const auto rejected = [](const std::string& key, std::initializer_list<std::string_view> parts) {
    expect_golden_rejected("refused.pt", key, parts);
  };
  rejected("sparse", {"\"sparse\" is a sparse tensor", "to_dense()"});
  rejected("compressed", {"\"compressed\" is a sparse tensor"});
  rejected("quantized", {"quantized tensor", "dequantize()"});
  rejected("nested", {"nested tensor", "unbind()"});
  rejected("meta", {"meta device", "no numbers"});
  rejected("complex", {"torch.ComplexFloatStorage", "view_as_real"});
  rejected("conjugate", {"torch.ComplexFloatStorage"});
  rejected("float8", {"torch.float8_e4m3fn", "float()"});
  rejected("subclass", {"of the class __main__.Subclass", "as_subclass(torch.Tensor)"});
  rejected("uninitialized", {"without a shape"});
  rejected("array", {"a numpy array", "torch.from_numpy"});
  rejected("module", {"a complete module, torch.nn.modules.linear.Linear", "state_dict()"});
  rejected("storage", {"a storage"});
  rejected("", {"\"sparse\" is a sparse tensor"});
  expect_golden_rejected("module.pt", "",
                         {"a complete module, torch.nn.modules.linear.Linear", "state_dict()"});
  expect_golden_rejected("torch_script.pt", "", {"TorchScript", "torch.jit.load"});
}

TEST(TorchFile, RejectsElementsOutsideOfTheStorage) {
  const std::string numbers = number(6);
  const auto place = [](int offset, const std::string& sizes, const std::string& strides) {
    return number(offset) + sizes + strides;
  };
  const std::string two = number(2) + "\x85", one = number(1) + "\x85";
  EXPECT_EQ(parse(one_tensor(numbers, place(4, two, one)))[0].offset, 4);
  expect_rejected(one_tensor(numbers, place(5, two, one)), {"\"w\" has elements beyond the 6 numbers"});
  expect_rejected(one_tensor(numbers, place(0, two, number(6) + "\x85")), {"has elements beyond"});
  EXPECT_EQ(parse(one_tensor(numbers, place(5, number(7) + "\x85", number(0) + "\x85")))[0].shape[0],
            7); // expanded
  expect_rejected(one_tensor(numbers, place(6, number(7) + "\x85", number(0) + "\x85")),
                  {"has elements beyond"});
  expect_rejected(one_tensor(numbers, place(0, two, number(1) + number(1) + "\x86")),
                  {"1 sizes and 2 strides"});
  expect_rejected(one_tensor(number(7), place(0, two, one)), {"requires 7 numbers of 4 bytes", "24 bytes"});
  expect_rejected(one_tensor(numbers, place(0, two, one), "torch\nComplexFloatStorage\n"),
                  {"torch.ComplexFloatStorage"});
  const std::string huge = "\x8a\x08" + std::string(7, '\xff') + '\x7f', minus = "J" + std::string(4, '\xff');
  expect_rejected(
      one_tensor(numbers, number(0) + "(" + number(0) + huge + huge + "t" + "(" + huge + huge + huge + "t"),
      {"has elements beyond"});
  expect_rejected(one_tensor(numbers, place(0, two, huge + "\x85")), {"has elements beyond"});
  expect_rejected(one_tensor(numbers, place(0, minus + "\x85", one)), {"a size of -1"});
}

TEST(TorchFile, NeverCallsWhatAPickleNames) {
  expect_rejected("\x80\x02}X\1" + std::string(3, '\0') + "wcos\nsystem\nX\2" + std::string(3, '\0') +
                      "ls\x85Rs.",
                  {"\"w\" is an object of os.system"});
  expect_rejected("\x80\x02"
                  "cos\nsystem\n)\x81.",
                  {"an object of os.system"}); // NEWOBJ
  expect_rejected("\x80\x02P1\n.", {"opcode 0x50"});
}

TEST(TorchFile, AppliesOrRejectsAllMetadataOfTensors) {
  const std::string numbers = number(6), place = number(0) + number(6) + "\x85" + number(1) + "\x85";
  const std::string type = "torch\nFloatStorage\n", yes = "\x88s", no = "\x89s";
  EXPECT_TRUE(parse(one_tensor(numbers, place, type, "}" + text("neg") + yes))[0].is_negated);
  EXPECT_FALSE(
      parse(one_tensor(numbers, place, type, "}" + text("neg") + no + text("conj") + no))[0].is_negated);
  EXPECT_FALSE(parse(one_tensor(numbers, place, type, "N"))[0].is_negated);
  expect_rejected(one_tensor(numbers, place, type, "}" + text("conj") + yes),
                  {"\"w\" has the metadata \"conj\"", "resolve_conj()"});
  expect_rejected(one_tensor(numbers, place, type, "}" + text("other") + yes), {"\"other\""});
  expect_rejected(one_tensor(numbers, place, type, "}" + text("neg") + "K\1s"), {"\"neg\""});
  expect_rejected(one_tensor(numbers, place, type, text("neg")), {"a string as its metadata"});
  expect_rejected(one_tensor(number(24), place, "torch\nByteStorage\n", "}" + text("neg") + yes),
                  {"\"neg\""});
  expect_rejected(one_tensor(numbers, place, type, "}}"),
                  {"torch._utils._rebuild_tensor_v2 with 8 arguments, 6 to 7"});
}

TEST(TorchFile, SkipsAndReportsValuesThatAreNotTensors) {
  const std::string six = tensor(number(6), number(0) + number(6) + "\x85" + number(1) + "\x85");
  const auto dict = [&](const std::string& more) {
    return parse_torch_checkpoint(torch_file("\x80\x02}" + text("w") + six + "s" + more + "."), "made.pt");
  };
  EXPECT_TRUE(dict("").notes.empty());
  const TorchFile file = dict(text("epoch") + "K\3s" + text("best") + "NsK\7K\1s");
  ASSERT_EQ(file.entries.size(), 1U);
  ASSERT_EQ(file.notes.size(), 1U);
  EXPECT_EQ(file.notes[0],
            "\"epoch\" (an integer), \"best\" (None), \"7\" (an integer) are skipped: not tensors");
  expect_error<DataError>([&] { dict(text("m") + "}" + text("v") + six + "ss"); },
                          {"2 dicts or lists contain tensors", "\".\", \"m\""});
  expect_error<DataError>([&] { dict(text("x") + "ctorch.distributed\nShard\n)\x81s"); },
                          {"\"x\" is an object of torch.distributed.Shard"});
  expect_error<DataError>([&] { dict(text("w") + "K\3s"); }, {"the key \"w\" occurs twice"});
  expect_error<DataError>([&] { dict(")K\3s"); }, {"a key of the dict is a list"});
}

TEST(TorchFile, SupportsAllOpcodesOfTorchSave) {
  const auto kind = [](const std::string& value) {
    try {
      parse("\x80\x02}" + text("v") + value + "s.");
    } catch (const DataError& error) {
      const std::string message = error.what(), start = "\"v\" is ";
      const size_t at = message.find(start);
      return at == std::string::npos
                 ? message
                 : message.substr(at + start.size(), message.find(".\n") - at - start.size());
    }
    return std::string("read");
  };
  EXPECT_EQ(kind("I01\n"), "a boolean");
  EXPECT_EQ(kind("I-7\n"), "an integer");
  EXPECT_EQ(kind("L123456789012345678901234567890L\n"), "an integer of more than 64 bits");
  EXPECT_EQ(kind("\x8a\x09" + std::string(9, '\1')), "an integer of more than 64 bits");
  EXPECT_EQ(kind("\x8b\1" + std::string(3, '\0') + "\5"), "an integer");
  EXPECT_EQ(kind("C\2ab"), "bytes");
  EXPECT_EQ(kind("U\2ab"), "bytes");
  EXPECT_EQ(kind("B\2" + std::string(3, '\0') + "ab"), "bytes");
  EXPECT_EQ(kind("\x8e\2" + std::string(7, '\0') + "ab"), "bytes");
  EXPECT_EQ(kind("\x8d\2" + std::string(7, '\0') + "ab"), "a string");
  EXPECT_EQ(kind("(K\1K\2l"), "a list");
  EXPECT_EQ(kind("(K\1K\2d"), "a dict");
  EXPECT_EQ(kind("\x8f(K\1\x90"), "an object of builtins.set");
  EXPECT_EQ(kind("(K\1\x91"), "an object of builtins.frozenset");
  EXPECT_EQ(kind("K\1(0"), "an integer");
  EXPECT_EQ(kind("K\1K\0020"), "an integer");
  EXPECT_EQ(kind("K\1(K\0021"), "an integer");
  EXPECT_EQ(kind("K\0012\x86"), "a list");
  EXPECT_EQ(kind("ccollections\ndefaultdict\nc__builtin__\nlist\n\x85RK\1K\2s"), "a dict");
  EXPECT_EQ(kind("cfunctools\npartial\n)R)R"), "an object of functools.partial(...)");
  EXPECT_EQ(kind("ca\nB\n)}\x92}b"), "an object of a.B");
  EXPECT_EQ(kind("cnumpy.core.multiarray\nscalar\n)R"), "a numpy scalar");
  EXPECT_EQ(kind("c_codecs\nencode\n)R"), "bytes");
  EXPECT_NE(kind("Ix\n").find("not written in decimal digits"), std::string::npos);
}

TEST(TorchFile, SupportsDeepNestingAndCycles) {
  expect_rejected("\x80\x02)" + std::string(1'000'000, '\x85') + ".", {"contains a list"});
  expect_rejected("\x80\x02]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a.",
                  {"contains a list"});
}

TEST(TorchFile, DamageIsRejectedOrHarmless) {
  const std::string pickle = one_tensor(number(6), number(0) + number(6) + "\x85" + number(1) + "\x85");
  int64_t rejected = 0;
  for (size_t at = 0; at < pickle.size(); ++at) {
    for (int value = 0; value < 256; ++value) { // the checksums are valid, so the pickle itself is tested
      std::string damaged = pickle;
      damaged[at] = static_cast<char>(value);
      try {
        for (const TorchFileEntry& entry : parse(damaged)) {
          EXPECT_LE(entry.begin, entry.end);
        }
      } catch (const DataError&) {
        ++rejected;
      }
    }
  }
  EXPECT_GT(rejected, 1000);
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

TEST(TorchFile, VerifiesChecksums) {
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
