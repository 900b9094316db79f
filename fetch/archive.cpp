// SPDX-License-Identifier: MIT

#include "fetch/archive.h"

#include <algorithm>
#include <memory>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"

namespace mneme::fetch {
namespace {

struct Close {
  void operator()(archive* open) const { archive_read_free(open); }
};
using Archive = std::unique_ptr<archive, Close>;

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw DataError(fmt::format("{}: {}.\n  Remove it and fetch it again.", path.string(), what));
}

std::vector<std::byte> read_entry(archive* open, const std::filesystem::path& path) {
  std::vector<std::byte> bytes;
  const void* block = nullptr;
  size_t size = 0;
  la_int64_t offset = 0;
  for (int status = ARCHIVE_OK; status != ARCHIVE_EOF;) {
    throw_if_interrupted();
    status = archive_read_data_block(open, &block, &size, &offset);
    if (status == ARCHIVE_OK) {
      const auto* begin = static_cast<const std::byte*>(block);
      bytes.resize(std::max(bytes.size(), static_cast<size_t>(offset)));
      bytes.insert(bytes.begin() + offset, begin, begin + size);
    } else if (status != ARCHIVE_EOF) {
      fail(path, std::string("it cannot be unpacked: ") + archive_error_string(open));
    }
  }
  return bytes;
}

} // namespace

void unpack(const std::filesystem::path& path, const std::vector<std::string>& names,
            const std::filesystem::path& folder) {
  const Archive open(archive_read_new());
  archive_read_support_filter_gzip(open.get());
  archive_read_support_format_tar(open.get());
  constexpr size_t kBlock = 1 << 16;
  if (archive_read_open_filename(open.get(), path.c_str(), kBlock) != ARCHIVE_OK) {
    fail(path, std::string("it cannot be opened: ") + archive_error_string(open.get()));
  }
  std::vector<std::string> missing = names;
  archive_entry* entry = nullptr;
  int status = ARCHIVE_OK;
  while ((status = archive_read_next_header(open.get(), &entry)) == ARCHIVE_OK) {
    const char* name = archive_entry_pathname(entry);
    const std::string stem = name == nullptr ? "" : std::filesystem::path(name).filename().string();
    const auto found = std::ranges::find(missing, stem);
    if (found != missing.end() && archive_entry_filetype(entry) == AE_IFREG) {
      write_file_atomically(folder / stem, read_entry(open.get(), path));
      missing.erase(found);
    }
  }
  if (status != ARCHIVE_EOF) {
    fail(path, std::string("it cannot be unpacked: ") + archive_error_string(open.get()));
  }
  if (!missing.empty()) {
    fail(path, fmt::format("it does not contain {}", missing.front()));
  }
}

} // namespace mneme::fetch
