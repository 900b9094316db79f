// SPDX-License-Identifier: MIT

#include "mneme/data/load_patterns.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "data/archives.h"
#include "data/gzip.h"
#include "data/testing.h"
#include "mneme/data/glyphs.h"
#include "mneme/data/npy.h"
#include "mneme/data/png.h"
#include "mneme/data/read_file.h"

namespace mneme::data {
namespace {

Bytes small_idx() {
  return Bytes().big(0x0803, 4).big(2, 4).big(1, 4).big(1, 4).text("\x33\xFF");
}

Bytes small_safetensors() {
  const std::string header = R"({"x":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]}})";
  return Bytes().little(header.size(), 8).text(header).text("\x05\x06");
}

TEST(LoadPatterns, DetectsTheFormatFromTheContent) {
  const TemporaryFolder folder;
  EXPECT_EQ(load_patterns(folder.file("a.npy", small_idx().all())).patterns[0][0], 0.2);
  EXPECT_EQ(load_patterns(folder.file("b", small_safetensors().all())).patterns[1][0], 6.0 / 255);
  write_npy(folder.path() / "c.png", builtin_glyphs().patterns);
  EXPECT_EQ(load_patterns(folder.path() / "c.png").patterns, builtin_glyphs().patterns);
  write_png(folder.path() / "d.npy", {.height = 1, .width = 2, .channels = 1, .pixels = {0, 255}});
  EXPECT_EQ(load_patterns(folder.path() / "d.npy").patterns[0][1], 1);
}

TEST(LoadPatterns, UsesTheNameIfTheContentIsAmbiguous) {
  const TemporaryFolder folder;
  const Bytes noise = Bytes().text("something else entirely");
  const auto message_of = [&](const std::string& name, std::initializer_list<std::string_view> parts) {
    expect_error<DataError>([&] { load_patterns(folder.file(name, noise.all())); }, parts);
  };
  message_of("a.npy", {"NUMPY"});
  message_of("a.PNG", {"named .png", "first bytes"});
  message_of("a.idx", {"magic number"});
  message_of("a-ubyte", {"magic number"});
  message_of("a.bin", {"3073"});
  message_of("a.safetensors", {"is text", "tensors (.safetensors or .pt) were expected"});
  message_of("a.csv", {"a.csv", "no line of numbers"});
  message_of("a.npz", {"named .npz", "first bytes"});
  message_of("a.pt", {"named .pt", "first bytes"});
  message_of("a.md",
             {"a.md", "is text", "IDX", "CIFAR-10", ".npy", ".npz", ".png", ".csv", ".safetensors", ".pt"});
  expect_error<DataError>([&] { load_patterns(folder.file("a.dat", Bytes().text("\x01\x02\x03").all())); },
                          {"a.dat", "format is unknown"});
}

TEST(LoadPatterns, DetectsCifarByNameEvenIfItsPixelsLookLikeIdx) {
  const TemporaryFolder folder;
  const Bytes record = Bytes().big(0x00000803, 4).text(std::string(3069, '\0'));
  const PatternSet set = load_patterns(folder.file("data_batch_1.bin", record.all()));
  EXPECT_EQ(set.image_shape(), (ImageShape{32, 32, 3}));
  EXPECT_EQ(set.labels, std::vector<int64_t>{0});
}

TEST(LoadPatterns, ReadsAFolderOfImages) {
  const TemporaryFolder folder;
  write_png(folder.path() / "a.png", {.height = 1, .width = 2, .channels = 1, .pixels = {0, 255}});
  write_png(folder.path() / "b.png", {.height = 1, .width = 2, .channels = 1, .pixels = {255, 0}});
  EXPECT_EQ(load_patterns(folder.path()).patterns.count(), 2);
  EXPECT_EQ(load_patterns(folder.path(), {.limit = 1, .tensor = ""}).patterns.count(), 1);
}

TEST(LoadPatterns, AppliesOptions) {
  const TemporaryFolder folder;
  EXPECT_EQ(
      load_patterns(folder.file("a.idx", small_idx().all()), {.limit = 1, .tensor = ""}).patterns.count(), 1);
  const auto path = folder.file("b", small_safetensors().all());
  EXPECT_EQ(load_patterns(path, {.limit = 1, .tensor = "x"}).patterns.count(), 1);
  expect_error<DataError>([&] { load_patterns(path, {.limit = 0, .tensor = "y"}); },
                          {"no tensor \"y\"", "\"x\""});
  expect_error<UsageError>([&] { load_patterns(path, {.limit = -3, .tensor = ""}); }, {"-3"});
  expect_error<UsageError>(
      [&] { load_patterns(folder.file("c.idx", small_idx().all()), {.limit = 0, .tensor = "x"}); },
      {"c.idx", "\"x\"", "only .npz, .safetensors and .pt"});
  const TemporaryFolder images;
  write_png(images.path() / "a.png", {.height = 1, .width = 2, .channels = 1, .pixels = {0, 255}});
  expect_error<UsageError>([&] { load_patterns(images.path(), {.limit = 0, .tensor = "x"}); }, {"\"x\""});
}

TEST(LoadPatterns, ReportsAMissingFile) {
  const TemporaryFolder folder;
  expect_error<DataError>([&] { load_patterns(folder.path() / "no.npy"); }, {"no.npy", "file not found"});
}

/// A file with these first bytes, followed by bytes that are not text.
Bytes binary(std::string_view start) {
  return Bytes().text(start).text(std::string(600, '\x01'));
}

TEST(LoadPatterns, ReportsUnsupportedFormatsWithAdvice) {
  using namespace std::string_view_literals;
  const TemporaryFolder folder;
  const auto named = [&](const std::string& name, const Bytes& bytes,
                         std::initializer_list<std::string_view> parts) {
    const auto path = folder.file(name, bytes.all());
    expect_error<DataError>([&] { load_patterns(path); }, parts);
    try {
      load_patterns(path);
    } catch (const DataError& error) {
      EXPECT_EQ(std::string(error.what()).find("damaged"), std::string::npos) << error.what();
    }
  };
  named("images-idx3-ubyte.gz", Bytes().text("\n <!DOCTYPE html><title>404</title>"),
        {"HTML page", "browser"});
  named("a.npy", Bytes().text("<HTML lang=en>"), {"HTML page"});
  named("a.npy", Bytes().text("<?xml version='1.0'?><Error>"), {"XML"});
  named("a.npy", Bytes().text("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n"),
        {"git-lfs pointer", "git lfs pull"});
  named("a.npy", binary("BZh9"), {"bzip2", "bunzip2"});
  named("a.npy",
        binary("\xFD"
               "7zXZ\0"sv),
        {"xz", "unxz"});
  named("a.npy", binary("\x28\xB5\x2F\xFD"), {"zstd", "unzstd"});
  named("a.npy", binary("\x04\x22\x4D\x18"), {"lz4", "unlz4"});
  named("a.idx", Bytes().text(std::string(257, '\0')).text("ustar").text(std::string(300, '\0')),
        {"tar archive", "tar -xf"});
  named("a.png", binary("\xFF\xD8\xFF\xE0"), {"JPEG", "PIL"});
  named("a.png", binary("GIF89a"), {"GIF", "PIL"});
  named("a.png", binary("II*\0"sv), {"TIFF"});
  named("a.png", binary("MM\0*"sv), {"TIFF"});
  named("a.png", binary("RIFF\1\1\1\1WEBPVP8 "), {"WebP"});
  named("a.png", Bytes().text("BM").little(14, 4).little(0, 8), {"BMP"});
  named("a.png", Bytes().text("P7\nWIDTH 2\nHEIGHT 2\n"), {"PAM"});
  named("a.mat", binary("\x89HDF\r\n\x1A\n"), {"HDF5", "h5py"});
  named("a.mat", binary("MATLAB 5.0 MAT-file, Platform"), {"MATLAB", "scipy.io"});
  named("a.mat", binary("MATLAB 7.3 MAT-file, Platform"), {"MATLAB", "7.3", "h5py"});
  named("a.parquet", binary("PAR1"), {"Parquet", "pandas"});
  named("a.csv",
        binary("\xFF\xFE"
               "1\0"sv),
        {"UTF-16", "iconv"});
  named("a.pkl", Bytes().text("\x80\x04K\x01."), {"pickle", "numpy.save"});
  named("data_batch_1",
        Bytes().text("\x80\x02}q\x01(U\x0b"
                     "batch_labelq\x02"),
        {"CIFAR", "Python", "mneme data get"});
  named("a.npy.gz", gzipped(gzipped(Bytes().text("1,2").all()).all()), {"twice by gzip", "gunzip -c"});
  named("a.npy.gz", gzipped({}), {"no content"});
  named("a.npy", {}, {"empty (0 bytes)"});
  named("a.zip", zip({{"readme.txt", "hi"}, {"b\\\xC3\xA4.txt", "x"}}),
        {"zip archive", "readme.txt", "\\\\", "unzip"});
  named("a.xlsx", zip({{"xl/workbook.xml", "x"}}), {"Excel", "CSV"});
  named("a.npz", zip({}), {"empty zip archive"});
  named("train.bin", Bytes().text("\x13\x63").text(std::string(3072, '\x05')),
        {"CIFAR-100", "reshape(-1, 3, 32, 32)"});
}

TEST(LoadPatterns, ReadsEveryFormatCompressedByGzip) {
  const TemporaryFolder folder;
  write_npy(folder.path() / "a.npy", builtin_glyphs().patterns);
  const auto compress = [&](const std::string& name, const std::filesystem::path& path) {
    return folder.file(name, gzipped(read_file(path)).all());
  };
  EXPECT_EQ(load_patterns(compress("a.npy.gz", folder.path() / "a.npy")).patterns, builtin_glyphs().patterns);
  EXPECT_EQ(load_patterns(folder.file("b.gz", gzipped(small_safetensors().all()).all())).patterns[1][0],
            6.0 / 255);
  EXPECT_EQ(load_patterns(folder.file("c.csv.gz", gzipped(Bytes().text("a,b\n1,2\n").all()).all())).patterns,
            RealPatterns(1, 2, {1, 2}));
  write_png(folder.path() / "d.png", {.height = 1, .width = 2, .channels = 1, .pixels = {0, 255}});
  EXPECT_EQ(load_patterns(compress("d.png.gz", folder.path() / "d.png")).patterns,
            RealPatterns(1, 2, {0, 1}));
  const Bytes record = Bytes().text(std::string("\7", 1)).text(std::string(3072, '\5'));
  EXPECT_EQ(load_patterns(folder.file("e.bin.gz", gzipped(record.all()).all())).labels,
            std::vector<int64_t>{7});
  Bytes cut = gzipped(read_file(folder.path() / "a.npy"));
  expect_error<DataError>([&] { load_patterns(folder.file("f.npy.gz", cut.first(cut.size() - 1))); },
                          {"f.npy.gz", "ends at byte"});
}

TEST(LoadPatterns, ReadsTextOfNumbersAsATableWhateverItsName) {
  const TemporaryFolder folder;
  for (const std::string text : {"1 2\n3 4",
                                 "\xEF\xBB\xBF"
                                 "1;2\n3;4",
                                 "# a comment\n\nx,y\n1,2\n3,4\n"}) {
    EXPECT_EQ(load_patterns(folder.file("table", Bytes().text(text).all())).patterns,
              RealPatterns(2, 2, {1, 2, 3, 4}))
        << text;
  }
}

TEST(LoadPatterns, LimitsTheDecompressedSize) {
  const Bytes bomb = gzipped(Bytes().text(std::string(3'000'000, '\0')).all());
  const MemorySource source(bomb.all(), "bomb.gz");
  EXPECT_EQ(decompress(source, 3'000'000)->size(), 3'000'000);
  expect_error<DataError>([&] { decompress(source, 2'999'999); },
                          {"bomb.gz", "more than 2999999 bytes", "gunzip -k"});
}

TEST(LoadPatterns, ReadsTensorsOfTorchFilesWithTheirStrides) {
  const std::filesystem::path golden = std::filesystem::path(MNEME_SOURCE_DIR) / "tests/golden/torch_file";
  for (const char* tensor :
       {"weight", "transposed", "view", "half", "bfloat", "long", "int", "char", "byte", "bool"}) {
    const PatternSet set = load_patterns(golden / "state_dict.pt", {.tensor = tensor}),
                     same = load_patterns(golden / "state_dict.safetensors", {.tensor = tensor});
    EXPECT_EQ(set.patterns, same.patterns) << tensor;
    EXPECT_EQ(set.file_scale, same.file_scale) << tensor;
    EXPECT_EQ(set.source, "state_dict.pt");
  }
  expect_error<DataError>([&] { load_patterns(golden / "state_dict.pt"); },
                          {"state_dict.pt", "12 tensors", "\"weight\""});
  expect_error<DataError>([&] { load_patterns(golden / "state_dict.pt", {.tensor = "no"}); },
                          {"no tensor \"no\""});
  EXPECT_EQ(load_patterns(golden / "before_1_6.pt", {.tensor = "weight"}).patterns,
            load_patterns(golden / "state_dict.pt", {.tensor = "weight"}).patterns);
  EXPECT_EQ(load_patterns(golden / "accepted.pt", {.tensor = "expanded"}).patterns,
            RealPatterns(2, 5, {1, 1, 1, 1, 1, 2, 2, 2, 2, 2}));
  expect_error<DataError>([&] { load_patterns(golden / "accepted.pt", {.tensor = "negated"}); },
                          {"\"negated\"", "negative bit", "resolve_neg"});
  expect_error<DataError>([&] { load_patterns(golden / "averaged.pt"); }, {"2 dicts", "\"model.ema\""});
  EXPECT_GT(load_patterns(golden / "averaged.pt", {.tensor = "model.ema.weight"}).patterns.count(), 0);
  EXPECT_EQ(load_patterns(golden / "accepted.pt", {.limit = 1, .tensor = "expanded"}).patterns.count(), 1);
}

TEST(LoadPatterns, ReadsSeveralFilesAndGlobPatternsInOrder) {
  const TemporaryFolder folder;
  for (int i = 0; i < 3; ++i) {
    write_npy(folder.path() / fmt::format("p{}.npy", i), RealPatterns(2, 2, {1.0 * i, 7, 8, 9}));
  }
  write_npy(folder.path() / "p[0].npy", RealPatterns(1, 2, {5, 5}));
  const std::filesystem::path p = folder.path() / "p";
  const auto firsts = [](const PatternSet& set) {
    std::vector<double> numbers;
    for (int64_t i = 0; i < set.patterns.count(); ++i) {
      numbers.push_back(set.patterns[i][0]);
    }
    return numbers;
  };
  const auto load = [](std::vector<std::filesystem::path> paths, int64_t limit = 0) {
    return load_patterns(paths, {.limit = limit});
  };
  EXPECT_EQ(firsts(load({p.string() + "2.npy", p.string() + "0.npy"})), (std::vector<double>{2, 8, 0, 8}));
  EXPECT_EQ(firsts(load({p.string() + "?.npy"})), (std::vector<double>{0, 8, 1, 8, 2, 8}));
  EXPECT_EQ(firsts(load({p.string() + "[01].npy"})), (std::vector<double>{0, 8, 1, 8}));
  EXPECT_EQ(firsts(load({p.string() + "[0].npy"})),
            std::vector<double>{5}); // a file with exactly this name exists
  EXPECT_EQ(firsts(load({p.string() + "?.npy"}, 3)), (std::vector<double>{0, 8, 1}));
  EXPECT_EQ(load({p.string() + "0.npy", p.string() + "1.npy"}).source, "p0.npy, p1.npy");
  EXPECT_EQ(load({p.string() + "?.npy"}).source, "p0.npy and 2 more files");
  expect_error<DataError>([&] { load({folder.path() / "*.csv"}); }, {"*.csv", "no file matches"});
  expect_error<DataError>([&] { load({folder.path() / "p3.npy"}); }, {"p3.npy", "file not found"});
  expect_error<UsageError>([&] { load({}); }, {"no file"});
  expect_error<UsageError>([&] { load({"-", "/dev/stdin"}); }, {"standard input was given twice"});

  write_npy(folder.path() / "long.npy", RealPatterns(1, 3, {1, 2, 3}));
  expect_error<DataError>(
      [&] {
        load({p.string() + "0.npy", folder.path() / "long.npy"});
      },
      {"long.npy", "patterns of 3 numbers", "p0.npy", "patterns of 2 numbers"});
  write_npy(folder.path() / "image.npy", RealPatterns(1, 2, {0, 1}), {1, 2, 1});
  expect_error<DataError>(
      [&] {
        load({p.string() + "0.npy", folder.path() / "image.npy"});
      },
      {"image.npy", "images of 1 x 2 x 1", "p0.npy"});
}

/// uint8 [1, 2] in an .npy file.
Bytes two_bytes(std::string_view numbers) {
  return Bytes()
      .text("\x93NUMPY")
      .little(1, 2)
      .little(58, 2)
      .text("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2)}\n")
      .text(numbers);
}

TEST(LoadPatterns, MergesFilesOfTheSameScaleOrReportsBoth) {
  using namespace std::string_view_literals;
  const TemporaryFolder folder;
  const auto bytes = folder.file("bytes.npy", two_bytes("\x33\xFF").all());
  const auto dark = folder.file("dark.npy", two_bytes("\0\0"sv).all());
  write_npy(folder.path() / "reals.npy", RealPatterns(1, 2, {51, 255}));
  const auto load = [](std::vector<std::filesystem::path> paths) { return load_patterns(paths, {}); };
  EXPECT_EQ(load({bytes, bytes}).file_scale, 255);
  for (const PatternSet& set : {load({bytes, dark}), load({dark, bytes})}) {
    EXPECT_EQ(set.file_scale, 255);
    EXPECT_EQ(set.threshold, 0.5);
  }
  expect_error<DataError>(
      [&] {
        load({bytes, folder.path() / "reals.npy"});
      },
      {"reals.npy", "not scaled", "bytes.npy", "divided by 255"});
  write_npy(folder.path() / "bits.npy", RealPatterns(1, 2, {0, 1}));
  EXPECT_EQ(load({folder.path() / "bits.npy", folder.path() / "bits.npy"}).threshold, 0.5);
  EXPECT_EQ(load({folder.path() / "bits.npy", folder.path() / "reals.npy"}).threshold, 0);
  // Images are in [0, 1] whatever range their files contain.
  write_png(folder.path() / "a.png", {.height = 1, .width = 2, .channels = 1, .pixels = {51, 255}});
  write_npy(folder.path() / "image.npy", RealPatterns(1, 2, {0, 0.5}), {1, 2, 1});
  const PatternSet images = load({folder.path() / "a.png", folder.path() / "image.npy"});
  EXPECT_EQ(images.patterns, RealPatterns(2, 2, {0.2, 1, 0, 0.5}));
  EXPECT_EQ(images.file_scale, 1);
}

TEST(LoadPatterns, UnpacksBits) {
  const TemporaryFolder folder;
  const auto path = folder.file("a.npy", two_bytes("\xB1\x80").all());
  const auto load = [&](BitOrder order, int64_t bits = 0) {
    return load_patterns(path, {.packed = order, .bits = bits});
  };
  // numpy.unpackbits(numpy.array([0xB1, 0x80], numpy.uint8), bitorder=...)
  EXPECT_EQ(load(BitOrder::big).patterns,
            RealPatterns(1, 16, {1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(load(BitOrder::little).patterns,
            RealPatterns(1, 16, {1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(load(BitOrder::big, 9).patterns, RealPatterns(1, 9, {1, 0, 1, 1, 0, 0, 0, 1, 1}));
  EXPECT_EQ(load(BitOrder::big).threshold, 0.5);
  expect_error<DataError>([&] { load(BitOrder::little, 9); },
                          {"a.npy", "pattern 0", "bit 15 is 1", "7 bits after bit 8"});
  for (const int64_t bits : {int64_t{8}, int64_t{17}, int64_t{-1}, std::numeric_limits<int64_t>::max()}) {
    expect_error<UsageError>([&] { load(BitOrder::big, bits); },
                             {"a.npy", std::to_string(bits) + " bits per pattern", "from 9 to 16"});
  }
  expect_error<UsageError>([&] { load_patterns(path, {.bits = 9}); }, {"9 bits", "not packed"});
  write_npy(folder.path() / "reals.npy", RealPatterns(1, 2, {51, 255}));
  expect_error<UsageError>([&] { load_patterns(folder.path() / "reals.npy", {.packed = BitOrder::big}); },
                           {"reals.npy", "float64", "[1, 2]", "numpy.packbits"});
  write_png(folder.path() / "a.png", {.height = 1, .width = 2, .channels = 1, .pixels = {51, 255}});
  expect_error<UsageError>([&] { load_patterns(folder.path() / "a.png", {.packed = BitOrder::big}); },
                           {"a.png", "packed"});
}

TEST(LoadPatterns, TransposesImages) {
  const TemporaryFolder folder;
  write_npy(folder.path() / "a.npy", RealPatterns(1, 6, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}), {2, 3, 1});
  const PatternSet set = load_patterns(folder.path() / "a.npy", {.transpose = true});
  EXPECT_EQ(set.image_shape(), (ImageShape{3, 2, 1}));
  EXPECT_EQ(set.patterns, RealPatterns(1, 6, {0.1, 0.4, 0.2, 0.5, 0.3, 0.6}));
  write_npy(folder.path() / "b.npy", RealPatterns(1, 6, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}), {2, 1, 3});
  EXPECT_EQ(load_patterns(folder.path() / "b.npy", {.transpose = true}).image_shape(), (ImageShape{1, 2, 3}));
  write_npy(folder.path() / "plain.npy", RealPatterns(1, 6));
  expect_error<UsageError>([&] { load_patterns(folder.path() / "plain.npy", {.transpose = true}); },
                           {"plain.npy", "not images", "--transpose"});
}

TEST(LoadPatterns, ReadsOneFolderPerClass) {
  const TemporaryFolder folder;
  const auto image = [&](const std::string& name, uint8_t grey) {
    std::filesystem::create_directories((folder.path() / name).parent_path());
    write_png(folder.path() / name, {.height = 1, .width = 1, .channels = 1, .pixels = {grey}});
  };
  image("set/dog/b.png", 51);
  image("set/dog/a.png", 255);
  image("set/cat/z.png", 0);
  image("set/.hidden/z.png", 0);
  const PatternSet set = load_patterns(folder.path() / "set");
  EXPECT_EQ(set.patterns, RealPatterns(3, 1, {0, 1, 0.2}));
  EXPECT_EQ(set.labels, (std::vector<int64_t>{0, 1, 1}));
  EXPECT_EQ(set.class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(set.source, "set");
  EXPECT_EQ(load_patterns(folder.path() / "set", {.limit = 2}).labels, (std::vector<int64_t>{0, 1}));
  const std::vector<std::filesystem::path> twice{folder.path() / "set", folder.path() / "set"};
  EXPECT_EQ(load_patterns(twice, {}).labels, (std::vector<int64_t>{0, 1, 1, 0, 1, 1}));
  image("other/cow/a.png", 0);
  const std::vector<std::filesystem::path> differ{folder.path() / "set", folder.path() / "other"};
  expect_error<DataError>([&] { load_patterns(differ, {}); }, {"other", "has 1 classes", "set"});
  image("deep/train/cat/a.png", 0);
  expect_error<DataError>([&] { load_patterns(folder.path() / "deep"); },
                          {"deep/train", "\"cat\"", "one folder of images per class"});
  image("hole/cat/a.png", 0);
  std::filesystem::create_directory(folder.path() / "hole/dog");
  expect_error<DataError>([&] { load_patterns(folder.path() / "hole"); },
                          {"hole/dog", "no files named *.png"});
  image("photos/x/a.png", 0);
  std::filesystem::remove_all(folder.path() / "photos/x");
  folder.file("photos/a.JPG", Bytes().text("x").all());
  expect_error<DataError>([&] { load_patterns(folder.path() / "photos"); }, {"a.JPG", "mogrify"});
}

TEST(LoadPatterns, ReadsAFolderOfOneIdxFileWithItsLabels) {
  const TemporaryFolder folder;
  const Bytes labels = Bytes().big(0x0801, 4).big(2, 4).text("\7\2");
  std::filesystem::create_directories(folder.path() / "MNIST/raw");
  folder.file("MNIST/raw/t10k-images-idx3-ubyte", small_idx().all());
  folder.file("MNIST/raw/t10k-images-idx3-ubyte.gz", gzipped(small_idx().all()).all());
  folder.file("MNIST/raw/t10k-labels-idx1-ubyte", labels.all());
  for (const char* place : {"", "MNIST", "MNIST/raw"}) {
    const PatternSet set = load_patterns(folder.path() / place);
    EXPECT_EQ(set.patterns.count(), 2) << place;
    EXPECT_EQ(set.labels, (std::vector<int64_t>{7, 2})) << place;
    EXPECT_EQ(set.source, "t10k-images-idx3-ubyte") << place;
  }
  EXPECT_EQ(load_patterns(folder.path(), {.limit = 1}).labels, std::vector<int64_t>{7});
  folder.file("MNIST/raw/t10k-labels-idx1-ubyte", Bytes().big(0x0801, 4).big(1, 4).text("\7").all());
  expect_error<DataError>([&] { load_patterns(folder.path()); },
                          {"t10k-labels-idx1-ubyte", "1 labels", "2 images"});
  folder.file("MNIST/raw/train-images.idx3-ubyte", small_idx().all());
  folder.file("MNIST/raw/train-labels.idx1-ubyte", Bytes().big(0x0801, 4).big(2, 4).text("\1\3").all());
  for (const char* place : {"", "MNIST", "MNIST/raw"}) {
    const PatternSet training = load_patterns(folder.path() / place);
    EXPECT_EQ(training.source, "train-images.idx3-ubyte") << "next to the test set";
    EXPECT_EQ(training.labels, (std::vector<int64_t>{1, 3}));
  }
  folder.file("MNIST/raw/other-images.idx3-ubyte", small_idx().all());
  expect_error<DataError>([&] { load_patterns(folder.path()); },
                          {"3 IDX files of images", "t10k-images-idx3-ubyte", "train-images.idx3-ubyte"});
}

TEST(LoadPatterns, CountsThePatternsThatTheLimitLeavesOut) {
  const TemporaryFolder folder;
  write_npy(folder.path() / "a.npy", RealPatterns(4, 2, {1, 2, 3, 4, 5, 6, 7, 8}));
  folder.file("b.csv", Bytes().text("x,y\n1,2\n\n3,4\n# a comment\n5,6").all());
  folder.file("c", small_idx().all());
  folder.file("c.gz", gzipped(small_idx().all()).all());
  folder.file("d", small_safetensors().all());
  std::filesystem::create_directories(folder.path() / "images");
  for (const char* name : {"images/a.png", "images/b.png"}) {
    write_png(folder.path() / name, {.height = 1, .width = 2, .channels = 1, .pixels = {0, 255}});
  }
  for (const auto& [name, count] : std::vector<std::pair<const char*, int64_t>>{
           {"a.npy", 4}, {"b.csv", 3}, {"c", 2}, {"c.gz", 2}, {"d", 2}, {"images", 2}}) {
    for (const int64_t limit : {0, 1, 2, 9}) {
      EXPECT_EQ(load_patterns(folder.path() / name, {.limit = limit}).count_without_limit, count)
          << name << " " << limit;
    }
  }
  const std::vector<std::filesystem::path> files{folder.path() / "a.npy", folder.path() / "b.csv"};
  EXPECT_EQ(load_patterns(files).count_without_limit, 7);
  EXPECT_EQ(load_patterns(files, {.limit = 5}).count_without_limit, 7);
  EXPECT_EQ(load_patterns(files, {.limit = 4}).count_without_limit, 0) << "unknown";
  EXPECT_EQ(count_patterns(files, {.limit = 4}), 7);
}

} // namespace
} // namespace mneme::data
