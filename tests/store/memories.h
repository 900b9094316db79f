// SPDX-License-Identifier: MIT

/// Contents of durable memories, for comparisons in tests.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "memory/samples.h"
#include "mneme/core/error.h"
#include "mneme/store/durable_memory.h"

namespace mneme::store::test {

using mneme::test::random_bits;
using mneme::test::usage_error;
using mneme::test::with_flips;
using mneme::testing::expect_contains;

/// Temporary folder in main memory, if the system has such a file system: syncs take milliseconds on a disk.
class FastFolder {
public:
  FastFolder() {
    std::string name =
        std::filesystem::exists("/dev/shm") ? "/dev/shm/mneme-test-XXXXXX" : "/tmp/mneme-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error("cannot create " + name);
    }
    path_ = name;
  }
  FastFolder(const FastFolder&) = delete;
  FastFolder& operator=(const FastFolder&) = delete;
  ~FastFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
  std::filesystem::path path_;
};

/// Contents of a memory: seq -> pattern (as 64-bit words) and annotation.
struct Stored {
  std::vector<uint64_t> words;
  Annotation annotation;
  bool operator==(const Stored&) const = default;
};
using Contents = std::map<int64_t, Stored>;

inline Contents contents_of(DurableMemory& memory) {
  Contents contents;
  memory.for_each([&](const Entry& entry) {
    contents[entry.seq] = {{entry.pattern[0].begin(), entry.pattern[0].end()}, entry.annotation};
  });
  return contents;
}

/// All counters and numbers of writes, location by location; empty without hard locations.
inline std::vector<int64_t> counters_of(const NeuronSdm* locations) {
  std::vector<int64_t> state;
  for (int64_t location = 0; locations != nullptr && location < locations->options().hard_locations;
       ++location) {
    const std::vector<int16_t> counters = locations->counters(location);
    state.push_back(locations->writes(location));
    state.insert(state.end(), counters.begin(), counters.end());
  }
  return state;
}

inline Annotation numbered(int64_t number) {
  return {.key = "key " + std::to_string(number),
          .label = number % 2 == 0 ? "even" : "odd",
          .payload = "payload of " + std::to_string(number)};
}

inline std::vector<Annotation> numbered(int64_t first, int64_t count) {
  std::vector<Annotation> annotations;
  for (int64_t i = 0; i < count; ++i) {
    annotations.push_back(numbered(first + i));
  }
  return annotations;
}

/// Message of the error of type `E` that `act` must throw.
template <class E, class Act> std::string message_of(Act act) {
  try {
    act();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& other) {
    ADD_FAILURE() << "another error was thrown: " << other.what();
    return "";
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

inline const OpenOptions kReader{.access = Access::read};

} // namespace mneme::store::test
