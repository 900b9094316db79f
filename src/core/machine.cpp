// SPDX-License-Identifier: MIT

#include "mneme/core/machine.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <unistd.h>
#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

namespace mneme {
namespace {

namespace fs = std::filesystem;

/// The entry `name` of /proc/meminfo (a number of kB), in bytes.
std::optional<uint64_t> meminfo(const std::string& name) {
  std::ifstream file("/proc/meminfo");
  uint64_t kilobytes = 0;
  for (std::string word; file >> word;) {
    if (word == name && file >> kilobytes) {
      return kilobytes * 1024;
    }
  }
  return std::nullopt;
}

/// The number in a file; empty if the file is missing or contains "max".
std::optional<uint64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  uint64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

/// The control group of this process: mount point, path in it, and the files with its memory limit and usage.
struct ControlGroup {
  fs::path root, own;
  const char *limit_file, *used_file;
};

/// Reads /proc/self/cgroup. Version 2 has one line, "0::/path"; version 1 one per controller,
/// "9:memory:/path".
std::optional<ControlGroup> memory_group() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t controllers = line.find(':'), path = line.find(":/");
    if (controllers == std::string::npos || path == std::string::npos) {
      continue;
    }
    const fs::path own = fs::path(line.substr(path + 1)).relative_path();
    if (const std::string kind = line.substr(controllers, path - controllers); kind == ":") {
      return ControlGroup{"/sys/fs/cgroup", own, "memory.max", "memory.current"};
    } else if (kind == ":memory") {
      return ControlGroup{"/sys/fs/cgroup/memory", own, "memory.limit_in_bytes", "memory.usage_in_bytes"};
    }
  }
  return std::nullopt;
}

} // namespace

MachineMemory machine_memory() {
  MachineMemory memory{meminfo("MemTotal:"), meminfo("MemAvailable:"), std::nullopt};
  const auto group = memory_group();
  if (!group || !memory.total) {
    return memory;
  }
  // The limits of all parent groups apply too. Inside a container the path of the group may not exist; the
  // limit is then that of the root group.
  for (fs::path own = group->own;; own = own.parent_path()) {
    const fs::path folder = own.empty() ? group->root : group->root / own;
    if (const auto limit = number_in(folder / group->limit_file); limit && *limit < *memory.total) {
      memory.limit = std::min(memory.limit.value_or(*limit), *limit);
      const uint64_t used = number_in(folder / group->used_file).value_or(0);
      const uint64_t left = *limit - std::min(used, *limit);
      memory.available = std::min(memory.available.value_or(left), left);
    }
    if (own.empty()) {
      return memory;
    }
  }
}

int logical_cpus() {
  return static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

void prefer_huge_pages(void* data, size_t bytes) {
#ifdef MADV_HUGEPAGE
  constexpr size_t kPage = 4096; // madvise requires a multiple of the page size
  void* from = data;
  if (size_t left = bytes; std::align(kPage, kPage, from, left) != nullptr) {
    madvise(from, left / kPage * kPage, MADV_HUGEPAGE);
  }
#else
  (void)data, (void)bytes;
#endif
}

} // namespace mneme
