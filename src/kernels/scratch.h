// SPDX-License-Identifier: MIT

/// Memory of a kernel for the time of a call.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>

namespace mneme::kernels {

/// Whether memory is cached: not under the address sanitizer, from which a cached block would hide accesses
/// beyond it.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCachesScratch = false;
#elif defined(__has_feature) // clang
constexpr bool kCachesScratch = !__has_feature(address_sanitizer);
#else
constexpr bool kCachesScratch = true;
#endif

constexpr size_t kScratchAlignment = 128; // two cache lines, which CPUs read together

/// Memory of at least this many bytes, aligned and not initialised. It is cached by the thread for its later
/// calls: small problems take less time than the allocator.
///
/// Errors  std::bad_alloc
void* take_scratch_bytes(size_t bytes);
void return_scratch_bytes(void* memory) noexcept;

struct ReturnScratch {
  void operator()(void* memory) const noexcept { return_scratch_bytes(memory); }
};
template <class T> using Scratch = std::unique_ptr<T[], ReturnScratch>;

/// `count` elements, not initialised; one if `count` is 0.
template <class T> Scratch<T> take_scratch(int64_t count) {
  static_assert(std::is_trivially_copyable_v<T>);
  return Scratch<T>(
      static_cast<T*>(take_scratch_bytes(static_cast<size_t>(std::max<int64_t>(count, 1)) * sizeof(T))));
}

/// One default-initialised object: its arrays are not initialised.
template <class T> std::unique_ptr<T, ReturnScratch> make_scratch() {
  static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= kScratchAlignment);
  return std::unique_ptr<T, ReturnScratch>(::new (take_scratch_bytes(sizeof(T))) T);
}

} // namespace mneme::kernels
