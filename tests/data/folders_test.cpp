// SPDX-License-Identifier: MIT

#include "mneme/data/folders.h"

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "data/testing.h"

namespace mneme::data {
namespace {

/// Sets the environment variables of the data folder, and restores them at the end.
class Environment {
public:
  using Values = std::map<std::string, std::string>;
  explicit Environment(const Values& values) {
    for (const char* name : {"MNEME_DATA", "XDG_DATA_HOME", "HOME"}) {
      const char* before = std::getenv(name);
      before_[name] = before != nullptr ? before : "";
      const auto found = values.find(name);
      found == values.end() ? ::unsetenv(name) : ::setenv(name, found->second.c_str(), 1);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    for (const auto& [name, value] : before_) {
      value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
    }
  }

private:
  std::map<std::string, std::string> before_;
};

TEST(DataFolder, GivenPathHasPriorityOverVariables) {
  const Environment all(
      Environment::Values{{"MNEME_DATA", "/own"}, {"XDG_DATA_HOME", "/shared"}, {"HOME", "/home/me"}});
  EXPECT_EQ(data_folder("/given"), "/given");
  EXPECT_EQ(data_folder(), "/own");
}

TEST(DataFolder, UsesXdgAndHome) {
  {
    const Environment xdg(
        Environment::Values{{"MNEME_DATA", ""}, {"XDG_DATA_HOME", "/shared"}, {"HOME", "/home/me"}});
    EXPECT_EQ(data_folder(), "/shared/mneme");
  }
  const Environment home(Environment::Values{{"HOME", "/home/me"}});
  EXPECT_EQ(data_folder(), "/home/me/.local/share/mneme");
}

TEST(DataFolder, ReportsWhatToSetIfNoVariableIsSet) {
  const Environment none(Environment::Values{});
  expect_error<UsageError>([] { data_folder(); }, {"MNEME_DATA", "--data"});
}

TEST(DataFolder, FindsPlainAndCompressedFiles) {
  const mneme::testing::TemporaryFolder folder;
  EXPECT_FALSE(find_data_file(folder.path(), "mnist", {"train", "test"}));
  std::ofstream(folder / "test.gz") << "x";
  EXPECT_EQ(find_data_file(folder.path(), "mnist", {"train", "test"}), folder / "test.gz");
  std::filesystem::create_directory(folder / "mnist");
  std::ofstream(folder / "mnist/train") << "x";
  EXPECT_EQ(find_data_file(folder.path(), "mnist", {"train", "test"}), folder / "mnist/train");
  EXPECT_FALSE(find_data_file(folder / "none", "mnist", {"train"}));
}

TEST(DataFolder, FindsFilesOfTorchvisionAndNamesWithADot) {
  const mneme::testing::TemporaryFolder folder;
  const auto find = [&] { return find_data_file(folder.path(), "mnist", {"train-images-idx3-ubyte"}); };
  std::filesystem::create_directories(folder / "MNIST/raw");
  std::ofstream(folder / "MNIST/raw/train-images-idx3-ubyte.gz") << "x";
  EXPECT_EQ(find(), folder / "MNIST/raw/train-images-idx3-ubyte.gz");
  std::ofstream(folder / "MNIST/raw/train-images-idx3-ubyte") << "x";
  EXPECT_EQ(find(), folder / "MNIST/raw/train-images-idx3-ubyte");
  EXPECT_EQ(find_data_file(folder / "MNIST", "mnist", {"train-images-idx3-ubyte"}),
            folder / "MNIST/raw/train-images-idx3-ubyte");
  std::ofstream(folder / "train-images.idx3-ubyte") << "x";
  EXPECT_EQ(find(), folder / "train-images.idx3-ubyte");
}

} // namespace
} // namespace mneme::data
