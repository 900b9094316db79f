// SPDX-License-Identifier: MIT

#include "kernels/scratch.h"

#include <array>
#include <bit>
#include <cstdlib>
#include <new>
#include <vector>

namespace mneme::kernels {
namespace {

constexpr size_t kMaxCached = size_t{16} << 20; // bytes of a thread
constexpr size_t kOffsets = 8;                  // see take_scratch_bytes
constexpr int kMinClass = 10, kMaxClass = 23;   // binary logarithms of the sizes that are cached
constexpr size_t kClasses = kMaxClass - kMinClass + 1;

/// In front of the memory that is returned.
struct Header {
  void* block;
  int size_class;
};
static_assert(sizeof(Header) <= kScratchAlignment);

Header& header_of(void* memory) {
  return *reinterpret_cast<Header*>(static_cast<std::byte*>(memory) - kScratchAlignment);
}

/// Free memory of a thread, by size.
class Cache {
public:
  Cache() = default;
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  ~Cache() {
    for (const std::vector<void*>& all : free_) {
      for (void* memory : all) {
        std::free(header_of(memory).block);
      }
    }
  }

  /// nullptr: none
  void* take(int size_class) {
    std::vector<void*>& all = free_[index(size_class)];
    if (all.empty()) {
      return nullptr;
    }
    void* memory = all.back();
    all.pop_back();
    bytes_ -= size_t{1} << size_class;
    return memory;
  }
  /// False if the memory must be freed instead.
  bool keep(void* memory, int size_class) noexcept {
    const size_t bytes = size_t{1} << size_class;
    if (bytes_ + bytes > kMaxCached) {
      return false;
    }
    try {
      free_[index(size_class)].push_back(memory);
    } catch (const std::bad_alloc&) {
      return false;
    }
    bytes_ += bytes;
    return true;
  }

private:
  static size_t index(int size_class) { return static_cast<size_t>(size_class - kMinClass); }

  std::array<std::vector<void*>, kClasses> free_;
  size_t bytes_ = 0;
};

thread_local Cache cache;
thread_local size_t allocations = 0;

} // namespace

void* take_scratch_bytes(size_t bytes) {
  const int size_class = std::max<int>(kMinClass, static_cast<int>(std::bit_width(bytes - 1)));
  const bool is_cached = kCachesScratch && size_class <= kMaxClass;
  if (is_cached) {
    if (void* memory = cache.take(size_class); memory != nullptr) {
      return memory;
    }
    bytes = size_t{1} << size_class;
  }
  // Blocks begin at different distances from a page: a load waits for an earlier store at the same distance.
  const size_t front = kScratchAlignment * (1 + allocations++ % kOffsets),
               total = (front + bytes + kScratchAlignment - 1) / kScratchAlignment * kScratchAlignment;
  void* block = total < bytes ? nullptr : std::aligned_alloc(kScratchAlignment, total);
  if (block == nullptr) {
    throw std::bad_alloc();
  }
  void* memory = static_cast<std::byte*>(block) + front;
  header_of(memory) = {block, is_cached ? size_class : 0};
  return memory;
}

void return_scratch_bytes(void* memory) noexcept {
  const Header header = header_of(memory);
  if (header.size_class == 0 || !cache.keep(memory, header.size_class)) {
    std::free(header.block);
  }
}

} // namespace mneme::kernels
