// SPDX-License-Identifier: MIT

#include "ops/large_tensor.h"

#include <cstdlib>

#include <ATen/EmptyTensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/CPUAllocator.h>
#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

namespace mneme::ops {
namespace {

constexpr size_t kLargePage = size_t{2} << 20; // bytes: of x86-64, and of AArch64 with pages of 4 kB
constexpr size_t kFromBytes = 2 * kLargePage;  // less is mostly at hand in the heap

struct LargePages final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    const size_t whole = (bytes + kLargePage - 1) / kLargePage * kLargePage;
    void* data = std::aligned_alloc(kLargePage, whole);
    if (data == nullptr) {
      return c10::GetCPUAllocator()->allocate(bytes); // which says how much was asked for
    }
#ifdef MADV_HUGEPAGE
    madvise(data, whole, MADV_HUGEPAGE); // a wish: where it is refused, small pages do
#endif
    return {data, data, std::free, at::kCPU};
  }
  at::DeleterFnPtr raw_deleter() const override {
    return nullptr;
  } // not all of it is freed in the same way
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

} // namespace

at::Tensor empty_on_large_pages(at::IntArrayRef sizes, const at::TensorOptions& options) {
  static LargePages pages;
  const size_t bytes = at::detail::computeStorageNbytesContiguous(sizes, options.dtype().itemsize());
  if (bytes < kFromBytes) {
    return at::empty(sizes, options);
  }
  return at::detail::empty_generic(sizes, &pages, c10::DispatchKeySet(c10::DispatchKey::CPU),
                                   at::typeMetaToScalarType(options.dtype()), std::nullopt);
}

} // namespace mneme::ops
