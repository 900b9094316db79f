// SPDX-License-Identifier: MIT

// Opens and checks durable memories whose database has changed bytes. The input is a list of changes, 3 bytes
// for the position and 1 byte for the value, because few changes of a whole file would be damage that is not
// found by its first check.

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "mneme/core/error.h"
#include "mneme/store/durable_memory.h"

namespace {

using namespace mneme;
namespace fs = std::filesystem;

/// An intact memory, and the folder in which it is changed.
struct Base {
  fs::path folder;
  std::string database;

  Base() {
    std::string name = fs::exists("/dev/shm") ? "/dev/shm/mneme-fuzz-XXXXXX" : "/tmp/mneme-fuzz-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
      std::abort();
    }
    folder = name;
    {
      auto memory = store::DurableMemory::create(folder / "memory", {.bits = 70});
      BitPatterns patterns(5, 70);
      for (int64_t i = 0; i < 5; ++i) {
        patterns.set(i, i, true);
      }
      const std::vector<store::Annotation> annotations(5, {.label = "label", .payload = "payload"});
      memory.write(patterns, annotations);
      memory.snapshot();
      memory.forget_patterns(slice(patterns, 1, 2));
      memory.write(slice(patterns, 0, 1));
    }
    std::ifstream file(folder / "memory" / "memory.sqlite", std::ios::binary);
    database.assign(std::istreambuf_iterator<char>(file), {});
  }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Base base;
  std::string changed = base.database;
  for (size_t i = 0; i + 4 <= size; i += 4) {
    const size_t position = data[i] | data[i + 1] << 8 | data[i + 2] << 16;
    changed[position % changed.size()] = static_cast<char>(data[i + 3]);
  }
  std::ofstream(base.folder / "memory" / "memory.sqlite", std::ios::binary) << changed;
  try {
    auto memory = store::DurableMemory::open(base.folder / "memory",
                                             {.access = store::Access::read, .bytes_max = 1 << 24});
    memory.read(BitPatterns(1, memory.design().bits));
    memory.for_each([](const store::Entry&) {});
  } catch (const Error&) {
  }
  store::verify_memory(base.folder / "memory", {.bytes_max = 1 << 24});
  return 0;
}
