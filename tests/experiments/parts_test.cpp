// SPDX-License-Identifier: MIT

#include "experiments/parts.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::experiments {
namespace {

using mneme::testing::read_text;
using mneme::testing::TemporaryFolder;
using mneme::testing::write_text;

double number_of(const nlohmann::json& json) {
  return json.at("number");
}

TEST(Parts, AreFoundByNameAndKey) {
  const TemporaryFolder folder;
  const std::filesystem::path own = folder / "work" / "parts";
  const Parts parts(own, {{"seed", 1}});
  EXPECT_FALSE(parts.find("a", number_of));
  EXPECT_FALSE(std::filesystem::exists(own));
  parts.keep("a", {{"number", 0.1}});
  parts.keep("b", {{"number", 1e300}});
  EXPECT_EQ(Parts(own, {{"seed", 1}}).find("a", number_of), 0.1);
  EXPECT_EQ(parts.find("b", number_of), 1e300);
  EXPECT_FALSE(Parts(own, {{"seed", 2}}).find("a", number_of));
  parts.clear();
  EXPECT_FALSE(parts.find("a", number_of));
  EXPECT_FALSE(std::filesystem::exists(own));
}

TEST(Parts, OfDamagedFilesAreNotFound) {
  const TemporaryFolder folder;
  const Parts parts(folder.path(), "key");
  parts.keep("a", {{"number", 2}});
  const std::string whole = read_text(folder / "a.json");
  for (const std::string& broken :
       {whole.substr(0, whole.size() / 2), std::string("[]"), std::string(), std::string("null"),
        std::string(R"({"key":"key","result":{"number":"two"}})"), std::string(R"({"key":"key"})")}) {
    write_text(folder / "a.json", broken);
    EXPECT_FALSE(parts.find("a", number_of)) << broken;
  }
  write_text(folder / "a.json", whole);
  EXPECT_EQ(parts.find("a", number_of), 2);
}

TEST(Parts, NameAFileForEachKey) {
  const TemporaryFolder folder;
  const Parts parts(folder / "parts", {{"seed", 1}});
  const std::filesystem::path file = parts.file("training");
  write_text(file, "state");
  EXPECT_EQ(Parts(folder / "parts", {{"seed", 1}}).file("training"), file);
  EXPECT_NE(Parts(folder / "parts", {{"seed", 2}}).file("training"), file);
  EXPECT_NE(parts.file("other"), file);
  parts.clear();
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(Parts, WithoutAFolderKeepNothing) {
  const Parts none;
  EXPECT_EQ(none.file("training"), "");
  none.keep("a", {{"number", 2}});
  none.clear();
  EXPECT_FALSE(none.find("a", number_of));
}

TEST(Parts, ThatCannotBeWrittenAreAnError) {
  const TemporaryFolder folder;
  write_text(folder / "file", "x");
  EXPECT_THROW(Parts(folder / "file", "key").keep("a", 1), OutputError);
}

} // namespace
} // namespace mneme::experiments
