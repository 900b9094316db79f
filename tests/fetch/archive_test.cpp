// SPDX-License-Identifier: MIT

#include "fetch/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::fetch {
namespace {

using testing::read_text;
using testing::TemporaryFolder;
using testing::write_text;

void write_tar_gz(const std::filesystem::path& path,
                  const std::vector<std::pair<std::string, std::string>>& files) {
  archive* to = archive_write_new();
  archive_write_add_filter_gzip(to);
  archive_write_set_format_ustar(to);
  ASSERT_EQ(archive_write_open_filename(to, path.c_str()), ARCHIVE_OK);
  for (const auto& [name, bytes] : files) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_write_header(to, entry);
    archive_write_data(to, bytes.data(), bytes.size());
    archive_entry_free(entry);
  }
  archive_write_close(to);
  archive_write_free(to);
}

TEST(Unpack, ExtractsOnlyTheNamedFilesAndOnlyIntoTheFolder) {
  const TemporaryFolder folder;
  const std::string long_text(100'000, 'l');
  write_tar_gz(folder / "x.tar.gz",
               {{"batches/readme.html", "no"}, {"batches/a.bin", long_text}, {"../b.bin", "b"}});
  unpack(folder / "x.tar.gz", {"a.bin", "b.bin"}, folder.path());
  EXPECT_TRUE(read_text(folder / "a.bin") == long_text);
  EXPECT_EQ(read_text(folder / "b.bin"), "b");
  EXPECT_EQ(folder.names().size(), 3U);
}

TEST(Unpack, ReportsProblemsOfAnArchive) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& name, const std::string& member) -> std::string {
    try {
      unpack(folder / name, {member}, folder.path());
    } catch (const DataError& error) {
      return error.what();
    }
    return "no DataError";
  };
  write_tar_gz(folder / "x.tar.gz", {{"a.bin", std::string(100'000, 'a')}});
  testing::expect_contains(message("x.tar.gz", "c.bin"), {"x.tar.gz", "does not contain c.bin"});
  const std::string whole = read_text(folder / "x.tar.gz");
  write_text(folder / "half.tar.gz", whole.substr(0, whole.size() / 2));
  testing::expect_contains(message("half.tar.gz", "a.bin"), {"half.tar.gz", "truncated"});
  write_text(folder / "text.tar.gz", "this is not an archive");
  testing::expect_contains(message("text.tar.gz", "a.bin"), {"text.tar.gz"});
  testing::expect_contains(message("none.tar.gz", "a.bin"), {"none.tar.gz"});
}

} // namespace
} // namespace mneme::fetch
