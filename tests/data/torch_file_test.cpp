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
  return parse_torch_checkpoint(torch_file(pickle, storage), "made.pt").entries;
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

TorchFile golden(const std::string& name, const std::string& key = "") {
  return parse_torch_checkpoint(read_file(kGolden / name), name, key);
}
void refuse_golden(const std::string& name, const std::string& key,
                   std::initializer_list<std::string_view> parts) {
  SCOPED_TRACE(key);
  expect_error<DataError>([&] { golden(name, key); }, parts);
}

TEST(TorchFile, KeepsTheNegativeBit) {
  const std::vector<TorchFileEntry> entries = golden("accepted.pt").entries;
  ASSERT_EQ(entries.size(), 13U);
  for (const TorchFileEntry& entry : entries) {
    EXPECT_EQ(entry.is_negated, entry.name.starts_with("negated") || entry.name.starts_with("imaginary"))
        << entry.name;
  }
}

TEST(TorchFile, RefusesNegatedTensorsWhereNumbersAreTakenAsTheyAre) {
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

TEST(TorchFile, RefusesAnyPrefixAndDamageOfTheFormatBeforePyTorch16) {
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
            std::vector<std::string>{"3 bytes behind the last storage are left out"});
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

TEST(TorchFile, ChoosesTheOnlyDictOfTensorsInACheckpoint) {
  const TorchFile file = golden("checkpoint.pt");
  ASSERT_EQ(file.entries.size(), 2U);
  EXPECT_EQ(file.entries[0].name, "weight");
  EXPECT_EQ(file.key, "model");
  ASSERT_EQ(file.notes.size(), 1U);
  EXPECT_EQ(file.notes[0],
            "the tensors of \"model\" are read; \"epoch\" (a numpy scalar), \"arguments\" (a dict), "
            "\"optimizer\" (a dict) are left out");
  EXPECT_EQ(golden("with_epoch.pt").key, "model");
}

TEST(TorchFile, NeedsAKeyWhereSeveralDictsHoldTensors) {
  refuse_golden("averaged.pt", "", {"2 dicts or lists hold tensors", "key: \"model.last\", \"model.ema\""});
  refuse_golden("averaged.pt", "model", {"2 dicts", "\"model.last\", \"model.ema\""});
  refuse_golden("averaged.pt", "model.emu", {"no key \"model.emu\"", "\"model.ema\""});
  refuse_golden("averaged.pt", ".", {"\".\"", "holds no tensors itself", "\"model.ema\""});
  refuse_golden("averaged.pt", "epoch", {"\"epoch\" holds a whole number"});
  refuse_golden("state_dict.pt", "model", {"no key \"model\"", "leave the key out"});
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

TEST(TorchFile, RefusesByNameWhatIsNoPlainTensor) {
  const auto refused = [](const std::string& key, std::initializer_list<std::string_view> parts) {
    refuse_golden("refused.pt", key, parts);
  };
  refused("sparse", {"\"sparse\" is a sparse tensor", "to_dense()"});
  refused("compressed", {"\"compressed\" is a sparse tensor"});
  refused("quantized", {"quantized tensor", "dequantize()"});
  refused("nested", {"nested tensor", "unbind()"});
  refused("meta", {"meta device", "no numbers"});
  refused("complex", {"torch.ComplexFloatStorage", "view_as_real"});
  refused("conjugate", {"torch.ComplexFloatStorage"});
  refused("float8", {"torch.float8_e4m3fn", "float()"});
  refused("subclass", {"of the class __main__.Subclass", "as_subclass(torch.Tensor)"});
  refused("uninitialized", {"no shape yet"});
  refused("array", {"a numpy array", "torch.from_numpy"});
  refused("module", {"a whole module, torch.nn.modules.linear.Linear", "state_dict()"});
  refused("storage", {"a storage"});
  refused("", {"\"sparse\" is a sparse tensor"});
  refuse_golden("module.pt", "", {"a whole module, torch.nn.modules.linear.Linear", "state_dict()"});
  refuse_golden("torch_script.pt", "", {"TorchScript", "torch.jit.load"});
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
  EXPECT_EQ(parse(one_tensor(numbers, place(5, number(7) + "\x85", number(0) + "\x85")))[0].shape[0],
            7); // expanded
  refuse(one_tensor(numbers, place(6, number(7) + "\x85", number(0) + "\x85")), {"reaches beyond"});
  refuse(one_tensor(numbers, place(0, two, number(1) + number(1) + "\x86")), {"1 sizes and 2 strides"});
  refuse(one_tensor(number(7), place(0, two, one)), {"needs 7 numbers of 4 bytes", "24 bytes"});
  refuse(one_tensor(numbers, place(0, two, one), "torch\nComplexFloatStorage\n"),
         {"torch.ComplexFloatStorage"});
  const std::string huge = "\x8a\x08" + std::string(7, '\xff') + '\x7f', minus = "J" + std::string(4, '\xff');
  refuse(
      one_tensor(numbers, number(0) + "(" + number(0) + huge + huge + "t" + "(" + huge + huge + huge + "t"),
      {"reaches beyond"});
  refuse(one_tensor(numbers, place(0, two, huge + "\x85")), {"reaches beyond"});
  refuse(one_tensor(numbers, place(0, minus + "\x85", one)), {"a size of -1"});
}

TEST(TorchFile, NeverCallsWhatAPickleNames) {
  refuse("\x80\x02}X\1" + std::string(3, '\0') + "wcos\nsystem\nX\2" + std::string(3, '\0') + "ls\x85Rs.",
         {"\"w\" is an object of os.system"});
  refuse("\x80\x02"
         "cos\nsystem\n)\x81.",
         {"an object of os.system"}); // NEWOBJ
  refuse("\x80\x02P1\n.", {"operation 0x50"});
}

TEST(TorchFile, HonoursOrRefusesAllMetadataOfTensors) {
  const std::string numbers = number(6), place = number(0) + number(6) + "\x85" + number(1) + "\x85";
  const std::string type = "torch\nFloatStorage\n", yes = "\x88s", no = "\x89s";
  EXPECT_TRUE(parse(one_tensor(numbers, place, type, "}" + text("neg") + yes))[0].is_negated);
  EXPECT_FALSE(
      parse(one_tensor(numbers, place, type, "}" + text("neg") + no + text("conj") + no))[0].is_negated);
  EXPECT_FALSE(parse(one_tensor(numbers, place, type, "N"))[0].is_negated);
  refuse(one_tensor(numbers, place, type, "}" + text("conj") + yes),
         {"\"w\" has the metadata \"conj\"", "resolve_conj()"});
  refuse(one_tensor(numbers, place, type, "}" + text("other") + yes), {"\"other\""});
  refuse(one_tensor(numbers, place, type, "}" + text("neg") + "K\1s"), {"\"neg\""});
  refuse(one_tensor(numbers, place, type, text("neg")), {"a text for its metadata"});
  refuse(one_tensor(number(24), place, "torch\nByteStorage\n", "}" + text("neg") + yes), {"\"neg\""});
  refuse(one_tensor(numbers, place, type, "}}"),
         {"torch._utils._rebuild_tensor_v2 with 8 arguments, 6 to 7"});
}

TEST(TorchFile, LeavesOutWhatIsNoTensorAndSaysSo) {
  const std::string six = tensor(number(6), number(0) + number(6) + "\x85" + number(1) + "\x85");
  const auto dict = [&](const std::string& more) {
    return parse_torch_checkpoint(torch_file("\x80\x02}" + text("w") + six + "s" + more + "."), "made.pt");
  };
  EXPECT_TRUE(dict("").notes.empty());
  const TorchFile file = dict(text("epoch") + "K\3s" + text("best") + "NsK\7K\1s");
  ASSERT_EQ(file.entries.size(), 1U);
  ASSERT_EQ(file.notes.size(), 1U);
  EXPECT_EQ(file.notes[0],
            "\"epoch\" (a whole number), \"best\" (None), \"7\" (a whole number) are left out: no tensors");
  expect_error<DataError>([&] { dict(text("m") + "}" + text("v") + six + "ss"); },
                          {"2 dicts or lists hold tensors", "\".\", \"m\""});
  expect_error<DataError>([&] { dict(text("x") + "ctorch.distributed\nShard\n)\x81s"); },
                          {"\"x\" is an object of torch.distributed.Shard"});
  expect_error<DataError>([&] { dict(text("w") + "K\3s"); }, {"\"w\" is there twice"});
  expect_error<DataError>([&] { dict(")K\3s"); }, {"a key of the dict is a list"});
}

TEST(TorchFile, UnderstandsEveryOperationThatFilesAreMadeOf) {
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
  EXPECT_EQ(kind("I01\n"), "a truth value");
  EXPECT_EQ(kind("I-7\n"), "a whole number");
  EXPECT_EQ(kind("L123456789012345678901234567890L\n"), "a whole number beyond 64 bits");
  EXPECT_EQ(kind("\x8a\x09" + std::string(9, '\1')), "a whole number beyond 64 bits");
  EXPECT_EQ(kind("\x8b\1" + std::string(3, '\0') + "\5"), "a whole number");
  EXPECT_EQ(kind("C\2ab"), "bytes");
  EXPECT_EQ(kind("U\2ab"), "bytes");
  EXPECT_EQ(kind("B\2" + std::string(3, '\0') + "ab"), "bytes");
  EXPECT_EQ(kind("\x8e\2" + std::string(7, '\0') + "ab"), "bytes");
  EXPECT_EQ(kind("\x8d\2" + std::string(7, '\0') + "ab"), "a text");
  EXPECT_EQ(kind("(K\1K\2l"), "a list");
  EXPECT_EQ(kind("(K\1K\2d"), "a dict");
  EXPECT_EQ(kind("\x8f(K\1\x90"), "an object of builtins.set");
  EXPECT_EQ(kind("(K\1\x91"), "an object of builtins.frozenset");
  EXPECT_EQ(kind("K\1(0"), "a whole number");
  EXPECT_EQ(kind("K\1K\0020"), "a whole number");
  EXPECT_EQ(kind("K\1(K\0021"), "a whole number");
  EXPECT_EQ(kind("K\0012\x86"), "a list");
  EXPECT_EQ(kind("ccollections\ndefaultdict\nc__builtin__\nlist\n\x85RK\1K\2s"), "a dict");
  EXPECT_EQ(kind("cfunctools\npartial\n)R)R"), "an object of functools.partial(...)");
  EXPECT_EQ(kind("ca\nB\n)}\x92}b"), "an object of a.B");
  EXPECT_EQ(kind("cnumpy.core.multiarray\nscalar\n)R"), "a numpy scalar");
  EXPECT_EQ(kind("c_codecs\nencode\n)R"), "bytes");
  EXPECT_NE(kind("Ix\n").find("not written in decimal digits"), std::string::npos);
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
