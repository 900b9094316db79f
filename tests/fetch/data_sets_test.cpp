// SPDX-License-Identifier: MIT

#include "fetch/data_sets.h"

#include <set>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "fetch/download.h"
#include "fetch/file_server.h"
#include "fetch/sha256.h"
#include "mneme/core/error.h"

namespace mneme::fetch {
namespace {

using testing::FileServer;
using testing::read_text;
using testing::TemporaryFolder;
using testing::write_text;

TEST(DataSets, AreDescribedCompletely) {
  for (const DataSet& set : data_sets()) {
    EXPECT_FALSE(set.mirrors.empty()) << set.name;
    for (const std::string& mirror : set.mirrors) {
      EXPECT_TRUE(mirror.starts_with("https://") && mirror.ends_with('/')) << mirror;
    }
    std::set<std::string> names;
    for (const auto* files : {&set.files, &set.unpacked}) {
      for (const RemoteFile& file : *files) {
        EXPECT_EQ(file.sha256.size(), 64U) << file.name;
        EXPECT_EQ(file.sha256.find_first_not_of("0123456789abcdef"), std::string::npos) << file.name;
        EXPECT_GT(file.size, 0) << file.name;
        EXPECT_TRUE(names.insert(file.name).second) << file.name;
      }
    }
    EXPECT_TRUE(names.contains(set.example)) << set.name;
  }
}

TEST(DataSets, ListsTheAvailableNames) {
  EXPECT_EQ(data_set_named("mnist").files.size(), 4U);
  try {
    data_set_named("imagenet");
    FAIL();
  } catch (const UsageError& error) {
    testing::expect_contains(error.what(), {"imagenet", "mnist", "cifar-10"});
  }
}

class GetDataSet : public ::testing::Test {
protected:
  DataSet set_of(const std::map<std::string, std::string>& files) const {
    DataSet set{.name = "x", .title = "x", .mirrors = {}, .files = {}, .example = ""};
    for (const auto& [name, bytes] : files) {
      Sha256 sum;
      sum.add(std::as_bytes(std::span(bytes)));
      set.files.push_back({name, static_cast<int64_t>(bytes.size()), sum.digits()});
    }
    return set;
  }
  const std::map<std::string, std::string> files_{{"a", "first"}, {"b", "second"}};
  const TemporaryFolder folder_;
  Progress quiet_;
};

TEST_F(GetDataSet, DownloadsOnlyMissingFiles) {
  const FileServer server(files_);
  const DataSet set = set_of(files_);
  write_text(folder_ / "a", "first");
  get_data_set(set, std::vector{server.address()}, folder_.path(), quiet_);
  EXPECT_EQ(read_text(folder_ / "b"), "second");
  EXPECT_EQ(server.ranges().size(), 1U);
  get_data_set(set, std::vector{server.address()}, folder_.path(), quiet_);
  EXPECT_EQ(server.ranges().size(), 1U) << "nothing is downloaded twice";
}

TEST_F(GetDataSet, NeverReplacesADifferentFile) {
  const FileServer server(files_);
  const DataSet set = set_of(files_);
  for (const char* other : {"another length", "FIRST"}) {
    write_text(folder_ / "a", other);
    try {
      get_data_set(set, std::vector{server.address()}, folder_.path(), quiet_);
      FAIL();
    } catch (const DataError& error) {
      testing::expect_contains(error.what(), {(folder_ / "a").string(), "not the published one", "--out"});
    }
    EXPECT_EQ(read_text(folder_ / "a"), other);
  }
}

TEST_F(GetDataSet, ChecksAllFilesBeforeDownloading) {
  const FileServer server(files_);
  write_text(folder_ / "b", "SECOND"); // after a missing file
  EXPECT_THROW(get_data_set(set_of(files_), std::vector{server.address()}, folder_.path(), quiet_),
               DataError);
  EXPECT_EQ(read_text(folder_ / "b"), "SECOND");
  EXPECT_TRUE(server.ranges().empty());
}

} // namespace
} // namespace mneme::fetch
