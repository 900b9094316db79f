// SPDX-License-Identifier: MIT

#include "mneme/data/bag_files.h"

#include <bit>
#include <cmath>

#include <gtest/gtest.h>

#include "data/testing.h"
#include "mneme/core/error.h"
#include "mneme/data/npy.h"
#include "mneme/data/safetensors.h"

namespace mneme::data {
namespace {

BagFile csv(std::string_view text, const BagFileOptions& options = {}) {
  return parse_bag_csv(Bytes().text(text).all(), "table.csv", options);
}

void expect_csv_error(std::string_view text, std::initializer_list<std::string_view> parts,
                      const BagFileOptions& options = {}) {
  expect_error<DataError>([&] { csv(text, options); }, parts);
}

/// A tensor of a file in memory.
struct OwnTensor {
  std::string name, dtype;
  std::vector<int64_t> shape;
  Bytes bytes;
};

OwnTensor floats(const std::string& name, const std::vector<int64_t>& shape,
                 const std::vector<float>& numbers) {
  OwnTensor tensor{.name = name, .dtype = "F32", .shape = shape, .bytes = {}};
  for (const float number : numbers) {
    tensor.bytes.little(std::bit_cast<uint32_t>(number), 4);
  }
  return tensor;
}

OwnTensor integers(const std::string& name, const std::vector<int64_t>& numbers) {
  OwnTensor tensor{.name = name, .dtype = "I64", .shape = {std::ssize(numbers)}, .bytes = {}};
  for (const int64_t number : numbers) {
    tensor.bytes.little(static_cast<uint64_t>(number), 8);
  }
  return tensor;
}

std::vector<std::byte> safetensors_of(const std::vector<OwnTensor>& tensors) {
  std::vector<SafetensorsTensor> views;
  for (const OwnTensor& tensor : tensors) {
    views.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.bytes.all()});
  }
  return to_safetensors(views);
}

BagFile tensors(const std::vector<OwnTensor>& all) {
  return parse_bag_safetensors(safetensors_of(all), "bags.safetensors");
}

void expect_tensor_error(const std::vector<OwnTensor>& all, std::initializer_list<std::string_view> parts) {
  expect_error<DataError>([&] { tensors(all); }, parts);
}

const OwnTensor kThree = floats("instances", {3, 2}, {1, 2, 3, 4, 5, 6});

TEST(BagFiles, ReadTablesWhoseBagsAreScattered) {
  const BagFile bags = csv("x,bag,label,y\n1,a,sick,2\n3,b,healthy,4.5\n5,a,sick,-6e-1\n");
  EXPECT_EQ(bags.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(bags.classes, (std::vector<std::string>{"sick", "healthy"}));
  EXPECT_EQ(bags.feature_names, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(bags.numbers, (std::vector<float>{1, 2, 5, -0.6F, 3, 4.5F}));
  EXPECT_EQ(bags.offsets, (std::vector<int64_t>{0, 2, 3}));
  EXPECT_EQ(bags.rows, (std::vector<int64_t>{0, 2, 1}));
}

TEST(BagFiles, ReadTablesWithOtherColumnNamesAndWithoutClasses) {
  const BagFile bags =
      csv("patient\tslide\tdisease\tx\n1\ts1\tyes\t0.5\n",
          {.bag_column = "patient", .label_column = "disease", .ignored_columns = {"slide"}});
  EXPECT_EQ(bags.num_features, 1);
  EXPECT_EQ(bags.classes, (std::vector<std::string>{"yes"}));
  EXPECT_TRUE(csv("bag,x\na,1\n").classes.empty());
  const BagFile missing =
      csv("bag,x\na,1\n",
          {.label_column = "disease", .ignored_columns = {"slide"}, .columns_are_optional = true});
  EXPECT_EQ(missing.feature_names, (std::vector<std::string>{"x"}));
}

TEST(BagFiles, ReadColumnsOfFeaturesInAnyOrder) {
  const BagFile bags =
      csv("y,bag,cell,x\n1,a,7,2\n3,a,8,4\n", {.ignored_columns = {"cell"}, .features = {"x", "y"}});
  EXPECT_EQ(bags.feature_names, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(bags.numbers, (std::vector<float>{2, 1, 4, 3}));
  expect_csv_error("bag,x\na,1\n", {"no column \"y\" of the features \"x\", \"y\"."},
                   {.features = {"x", "y"}});
}

TEST(BagFiles, ReadIdsOfInstances) {
  const BagFile bags = csv("bag,id,x\na,i1,1\nb,7,2\na,i3,3\n", {.instance_column = "id"});
  EXPECT_EQ(bags.feature_names, (std::vector<std::string>{"x"}));
  EXPECT_EQ(bags.instance_ids, (std::vector<std::string>{"i1", "i3", "7"})); // bag after bag
  const BagFile none = csv("bag,x\na,1\n", {.instance_column = "id", .columns_are_optional = true});
  EXPECT_TRUE(none.instance_ids.empty());
  expect_csv_error("bag,x\na,1\n", {"no column \"id\"", "--instance-column"}, {.instance_column = "id"});
  for (const auto& [column, contents] :
       {std::pair("bag", "names of the bags"), {"label", "classes of the bags"}}) {
    expect_csv_error("bag,label,x\na,1,1\n", {contents, "--instance-column"}, {.instance_column = column});
  }
}

TEST(BagFiles, ReportErrorsInTablesWithTheirPlace) {
  expect_csv_error("x,y\n1,2\n",
                   {"table.csv", "line 1", "no column \"bag\"", "\"x\", \"y\"", "--bag-column"});
  expect_csv_error("bag,x\na,1\n", {"no column \"sick\"", "--label-column"}, {.label_column = "sick"});
  expect_csv_error("bag,x\na,1\n", {"no column \"id\"", "--ignore-columns"}, {.ignored_columns = {"id"}});
  expect_csv_error("bag,x,x\na,1,2\n", {"line 1, column 3", "second column", "\"x\""});
  expect_csv_error(",bag,x\n0,a,1\n", {"line 1, column 1", "no name", "to_csv(FILE, index=False)"});
  expect_csv_error("bag,label\na,1\n", {"no column of features"});
  expect_csv_error("bag,x\n", {"no instances"});
  expect_csv_error("", {"header"});
  expect_csv_error("bag,x\na,1\na\n", {"line 3", "1 cell,", "2"});
  expect_csv_error("bag,x\na,inf\n", {"line 2, column 2", "finite", "inf"});
  expect_csv_error("bag,x\na,1e39\n", {"line 2, column 2", "float32"});
  expect_csv_error("bag,x\na,red\n", {"line 2, column 2", "\"red\" is not a number", "--ignore-columns"});
  expect_csv_error("bag,x\n,1\n", {"line 2, column 1", "name of the bag is empty"});
  expect_csv_error("bag,label,x\na,,1\n", {"line 2, column 2", "class is empty", "lines of this bag"});
  expect_csv_error("bag,label,x\na,1,1\nb,0,1\na,0,1\n",
                   {"line 4, column 2", "\"a\" has the class \"0\"", "\"1\" on line 2"});
}

TEST(BagFiles, ReadTensorsWithOffsets) {
  const BagFile bags = tensors({kThree, integers("offsets", {0, 1, 3}), integers("labels", {1, -1})});
  EXPECT_EQ(bags.names, (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(bags.classes, (std::vector<std::string>{"1", "-1"}));
  EXPECT_EQ(bags.num_features, 2);
  EXPECT_EQ(bags.numbers, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(bags.offsets, (std::vector<int64_t>{0, 1, 3}));
  const BagFile one_size = tensors({floats("instances", {2, 3, 1}, {1, 2, 3, 4, 5, 6})});
  EXPECT_EQ(one_size.offsets, (std::vector<int64_t>{0, 3, 6}));
  EXPECT_EQ(one_size.num_features, 1);
}

TEST(BagFiles, ReportErrorsInTensors) {
  expect_tensor_error({kThree}, {"bags.safetensors", "no offsets", "[3, 2]", "cumsum"});
  expect_tensor_error({integers("offsets", {0, 3})}, {"no \"instances\"", "\"offsets\""});
  expect_tensor_error({floats("instances", {3}, {1, 2, 3}), integers("offsets", {0, 3})},
                      {"[3]", "two axes"});
  expect_tensor_error({kThree, integers("offsets", {0, 4})}, {"last offset is 4", "3 instances"});
  expect_tensor_error({kThree, integers("offsets", {0, 2})}, {"last offset is 2", "3 instances"});
  expect_tensor_error({kThree, integers("offsets", {1, 3})}, {"first one is 1"});
  expect_tensor_error({kThree, integers("offsets", {0})}, {"1 offsets"});
  expect_tensor_error({kThree, integers("offsets", {0, 2, 1, 3})}, {"bag 1 begins at 2 and ends at 1"});
  expect_tensor_error({kThree, integers("offsets", {0, 0, 3})},
                      {"bag 0 begins at 0 and ends at 0", "Remove the bag and its label"});
  expect_tensor_error({kThree, floats("offsets", {2}, {0, 1.5F})}, {"offsets, number 1", "1.5"});
  expect_tensor_error({kThree, floats("offsets", {1, 2}, {0, 3})}, {"[1, 2]", "one axis"});
  expect_tensor_error({kThree, integers("offsets", {0, 3}), integers("labels", {1, 0})},
                      {"2 labels for 1 bags"});
  expect_tensor_error(
      {floats("instances", {1, 2}, {1, std::numeric_limits<float>::infinity()}), integers("offsets", {0, 1})},
      {"instance 0, feature 1", "inf"});
}

TEST(BagFiles, ReadArraysOfNumPyWithFilesOfOffsetsAndLabels) {
  const TemporaryFolder folder;
  const auto write = [&](const char* name, int64_t rows, int64_t size, const std::vector<double>& numbers) {
    write_npy(folder.path() / name, RealPatterns(rows, size, numbers));
    return folder.path() / name;
  };
  // One axis, as numpy.save writes for offsets and labels.
  const auto vector = [&](const char* name, const std::vector<uint8_t>& numbers) {
    std::string header =
        "{'descr': '|u1', 'fortran_order': False, 'shape': (" + std::to_string(numbers.size()) + ",)}";
    header.resize(118, ' ');
    Bytes bytes;
    bytes.text(std::string_view("\x93NUMPY\x01\x00", 8)).little(header.size(), 2).text(header);
    for (const uint8_t number : numbers) {
      bytes.little(number, 1);
    }
    return folder.file(name, bytes.all());
  };
  const std::filesystem::path instances = write("instances.npy", 3, 2, {0, 255, 3, 4, 5, 6});
  const BagFile bags = read_bag_files(std::array{instances}, {.offsets = vector("offsets.npy", {0, 2, 3}),
                                                              .labels = vector("labels.npy", {0, 1})});
  EXPECT_EQ(bags.numbers, (std::vector<float>{0, 255, 3, 4, 5, 6})); // never rescaled
  EXPECT_EQ(bags.offsets, (std::vector<int64_t>{0, 2, 3}));
  EXPECT_EQ(bags.classes, (std::vector<std::string>{"0", "1"}));
  expect_error<DataError>([&] { read_bag_files(std::array{instances}); }, {"no offsets", "--offsets"});
  const auto array_of = [&](const char* name, const std::string& type) { // without its elements
    std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (2,)}";
    header.resize(118, ' ');
    return folder.file(
        name,
        Bytes().text(std::string_view("\x93NUMPY\x01\x00", 8)).little(header.size(), 2).text(header).all());
  };
  expect_error<DataError>(
      [&] { read_bag_files(std::array{instances}, {.labels = array_of("texts.npy", "<U4")}); },
      {"these are strings", "numpy.unique(labels, return_inverse=True)[1]"});
  expect_error<DataError>([&] { read_bag_files(std::array{array_of("list.npy", "|O")}); },
                          {"Python objects", "numpy.concatenate(bags)", "cumsum"});
  EXPECT_EQ(read_bag_files(
                std::array{instances},
                {.bag_column = "id", .columns_are_optional = true, .offsets = folder.path() / "offsets.npy"})
                .count(),
            2);
  expect_error<UsageError>([&] { read_bag_files(std::array{instances}, {.bag_column = "id"}); },
                           {"--bag-column", "CSV"});
  expect_error<UsageError>(
      [&] {
        read_bag_files(std::array{instances, instances}, {.offsets = "x"});
      },
      {"2 files"});
  expect_error<UsageError>([&] { read_bag_files({}); }, {"no file"});
}

TEST(BagFiles, JoinFilesWithTheSameFeatures) {
  const TemporaryFolder folder;
  const auto file = [&](const char* name, std::string_view text) {
    return folder.file(name, Bytes().text(text).all());
  };
  const std::filesystem::path one = file("one.csv", "bag,label,x\na,1,1\nb,0,2\n"),
                              two = file("two.csv", "bag,label,x\nc,0,3\nc,0,4\n");
  const BagFile both = read_bag_files(std::array{one, two});
  EXPECT_EQ(both.names, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(both.offsets, (std::vector<int64_t>{0, 1, 2, 4}));
  EXPECT_EQ(both.rows, (std::vector<int64_t>{0, 1, 0, 1}));
  const auto refused = [&](const std::filesystem::path& other,
                           std::initializer_list<std::string_view> parts) {
    expect_error<DataError>([&] { read_bag_files(std::array{one, other}); }, parts);
  };
  refused(one, {"\"a\" is also in an earlier file"});
  refused(file("y.csv", "bag,label,y\nc,0,3\n"), {"y.csv", "no column \"x\"", "\"y\" is not one of them"});
  refused(file("more.csv", "bag,label,x,y\nc,0,3,4\n"), {"\"y\" is not one", "--ignore-columns y"});
  const auto three =
      folder.file("three.safetensors", safetensors_of({kThree, integers("offsets", {0, 1, 3})}));
  refused(three, {"has 2 features without names", "1 features (\"x\")"});
  expect_error<DataError>(
      [&] {
        read_bag_files(std::array{
            three, folder.file("one.safetensors", safetensors_of({floats("instances", {1, 1, 1}, {1})}))});
      },
      {"has 1 features, but", "has 2 features."});
  refused(file("none.csv", "bag,x\nc,3\n"), {"none.csv", "no classes"});
  expect_error<DataError>(
      [&] {
        read_bag_files(std::array{one, file("ids.csv", "bag,label,id,x\nc,0,i1,3\n")},
                       {.instance_column = "id", .columns_are_optional = true});
      },
      {"ids.csv", "has a column of instances, but", "none"});
  refused(file("x.png", "\x89PNG\r\n\x1a\n"), {"x.png", "CSV"});
  const auto write = [&](const char* name) {
    return folder.file(name, safetensors_of({kThree, integers("offsets", {0, 1, 3})}));
  };
  EXPECT_EQ(read_bag_files(std::array{write("a.safetensors"), write("b.safetensors")}).names,
            (std::vector<std::string>{"0", "1", "2", "3"}));
}

TEST(BagFiles, CountMissingValuesAndReadThemAsNaNIfPermitted) {
  constexpr std::string_view kTable = "bag,age,bmi,sex\na,1,,0\nb,NA,null,1\na,3, NaN ,n/a\nb,4,5,None\n";
  expect_csv_error(kTable, {"table.csv: 6 of 12 numbers are missing: \"age\" (1), \"bmi\" (3), \"sex\" (2);",
                            "first one is on line 2.", "--missing mean", "--ignore-columns"});
  expect_csv_error("bag,x,y\nb,1,2\na,1,2\nb,1,\n", {"1 of 6 numbers is missing: \"y\" (1)", "line 4."});
  expect_csv_error("bag,x\na,NA\nb,red\n", {"line 3, column 2", "\"red\" is not a number"});
  const BagFile bags = csv(kTable, {.missing_is_nan = true});
  EXPECT_EQ(bags.lines, (std::vector<int64_t>{2, 4, 3, 5}));
  EXPECT_EQ(missing_text(bags), "6 of 12 numbers are missing: \"age\" (1), \"bmi\" (3), \"sex\" (2)");
  std::vector<float> numbers = bags.numbers;
  EXPECT_TRUE(std::isnan(numbers[1]));
  const Standardization features = standardization_of(bags.numbers, 3);
  EXPECT_FLOAT_EQ(features.means[0], 8.0F / 3);
  EXPECT_EQ(features.means[1], 5);
  EXPECT_FLOAT_EQ(features.deviations[0], std::sqrt(14.0F) / 3);
  EXPECT_EQ(features.deviations[1], 1);
  replace_missing(numbers, features.means);
  EXPECT_EQ(numbers, (std::vector<float>{1, 5, 0, 3, 5, 0.5F, 8.0F / 3, 5, 1, 4, 5, 0.5F}));
  EXPECT_TRUE(std::isnan(standardization_of(std::vector{NAN, NAN}, 1).means[0]));
  expect_tensor_error({floats("instances", {3, 2}, {1, 2, 3, NAN, 5, NAN}), integers("offsets", {0, 3})},
                      {"2 of 6 numbers are missing: feature 1 (2)", "in instance 1.", "--missing mean"});
}

TEST(BagFiles, GiveAdviceOnColumnsWithAnotherName) {
  const BagFileOptions trained{
      .instance_column = "visit", .features = {"age", "crp"}, .columns_are_optional = true};
  expect_csv_error("bag,label,age,crp,v\na,1,2,3,4\n",
                   {"\"v\" is not one of the features",
                    "ids of the instances, as \"visit\" does in the training bags",
                    "name it with --instance-column v. Otherwise, leave it out with --ignore-columns v."},
                   trained);
  expect_csv_error(
      "bag,visit,age,crp,v\na,1,2,3,4\n",
      {"classes of the bags, as \"label\" does", "with --label-column v. Otherwise, leave it out"}, trained);
  expect_csv_error("bag,visit,label,age,crp,v\na,1,1,2,3,4\n", {"\n  Leave it out with --ignore-columns v."},
                   trained);
  expect_csv_error(
      "bag,label,age,CRP\na,1,2,3\n",
      {"no column \"crp\" of the features", "\"CRP\" differs from \"crp\" in upper and lower case only"},
      trained);
  expect_csv_error("Bag,x\na,1\n",
                   {"no column \"bag\"", "\"Bag\" differs from \"bag\" in upper and lower case"});
  expect_csv_error("bag,x\na,1\n",
                   {"no column \"foo\"", "Correct the name in --ignore-columns, or leave it out"},
                   {.ignored_columns = {"foo"}});
  BagFileOptions given = trained;
  given.instance_must_exist = true;
  expect_csv_error("bag,label,age,crp,v\na,1,2,3,4\n",
                   {"no column \"visit\"", "Correct the name in --instance-column, or leave it out"}, given);
  given = trained;
  given.label_column = "class";
  given.label_must_exist = true;
  expect_csv_error("bag,label,age,crp\na,1,2,3\n",
                   {"no column \"class\"", "Correct the name in --label-column, or leave it out"}, given);
}

TEST(BagFiles, MayHaveBagsWithoutClasses) {
  const TemporaryFolder folder;
  const auto file = [&](const char* name, std::string_view text) {
    return folder.file(name, Bytes().text(text).all());
  };
  const std::filesystem::path some = file("some.csv", "bag,label,x\na,1,1\nb,,2\nb,,3\n"),
                              none = file("none.csv", "bag,x\nc,3\n"),
                              empty = file("empty.csv", "bag,label,x\nd,,4\n");
  const auto classes = [](const std::vector<std::filesystem::path>& files) {
    return read_bag_files(files, {.classes_may_be_missing = true}).classes;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(classes({some}), (Names{"1", ""}));
  EXPECT_EQ(classes({some, none}), (Names{"1", "", ""}));
  EXPECT_EQ(classes({none, some}), (Names{"", "1", ""}));
  EXPECT_EQ(classes({empty, none}), Names{});
  expect_csv_error("bag,label,x\na,1,1\na,,1\n", {"line 3, column 2", "\"a\" has the class \"\""},
                   {.classes_may_be_missing = true});
}

TEST(BagFiles, AreIdentifiedByTheirContents) {
  const std::string hash = content_hash(csv("bag,label,x\na,1,0.5\nb,0,2\n"));
  EXPECT_EQ(hash.size(), 64U);
  EXPECT_EQ(content_hash(csv("name;y;label\r\nc;.50;1\r\nd;2;0\r\n", {.bag_column = "name"})), hash);
  for (const char* other : {"bag,label,x\na,1,0.5\nb,0,3\n", "bag,label,x\na,0,0.5\nb,1,2\n",
                            "bag,label,x\na,1,0.5\na,1,2\n", "bag,label,x\nb,0,2\na,1,0.5\n"}) {
    EXPECT_NE(content_hash(csv(other)), hash) << other;
  }
}

TEST(BagClasses, AreChosenFromTheNames) {
  const auto chosen = [](std::string_view text, const std::string& positive = "") {
    const BagClasses classes = choose_classes(csv(text), positive);
    return classes.negative + "/" + classes.positive;
  };
  EXPECT_EQ(chosen("bag,label,x\na,1,0\nb,-1,0\n"), "-1/1");
  EXPECT_EQ(chosen("bag,label,x\na,10,0\nb,9,0\n"), "9/10"); // as numbers
  EXPECT_EQ(chosen("bag,label,x\na,10.0,0\nb,9.0,0\n"), "9.0/10.0");
  EXPECT_EQ(chosen("bag,label,x\na,sick,0\nb,healthy,0\n"), "healthy/sick");
  EXPECT_EQ(chosen("bag,label,x\na,sick,0\nb,healthy,0\n", "healthy"), "sick/healthy");
  const std::string_view three = "bag,label,x\na,r,0\nb,g,0\nc,b,0\n";
  EXPECT_EQ(chosen(three, "g"), "not g/g");
  EXPECT_EQ(to_labelled_bags(csv(three), {"not g", "g"}).targets, (std::vector<uint8_t>{0, 1, 0}));
  expect_error<UsageError>([&] { chosen(three); }, {"3 classes", "\"b\", \"g\", \"r\"", "--positive"});
  expect_error<UsageError>([&] { chosen(three, "x"); }, {"--positive \"x\"", "\"g\""});
  expect_error<DataError>([&] { chosen("bag,x\na,0\n"); }, {"no classes"});
  expect_error<DataError>([&] { chosen("bag,label,x\na,1,0\nb,1,0\n"); },
                          {"all 2 bags", "\"1\"", "--allow-one-class does not replace"});
  expect_error<DataError>([&] { to_labelled_bags(csv(three), {"b", "g"}); }, {"\"a\" has the class \"r\""});
}

TEST(BagClasses, AreComparedAsNumbersOrTexts) {
  EXPECT_TRUE(are_same_class("1", "1.0"));
  EXPECT_TRUE(are_same_class("-1", "-1.000"));
  EXPECT_TRUE(are_same_class("nan", "nan"));
  for (const auto& [a, b] :
       {std::pair("1", "10"), std::pair("", "0"), std::pair("nan", "NaN"), std::pair("sick", "Sick"),
        std::pair("1 ", "1"), std::pair("9007199254740993", "9007199254740992")}) {
    EXPECT_FALSE(are_same_class(a, b)) << a << ' ' << b;
  }
  const std::string_view floats = "bag,label,x\na,1.0,0\nb,0.0,0\n";
  EXPECT_EQ(to_labelled_bags(csv(floats), {"0", "1"}).targets, (std::vector<uint8_t>{1, 0}));
}

} // namespace
} // namespace mneme::data
