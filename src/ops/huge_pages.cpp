// SPDX-License-Identifier: MIT

#include "ops/huge_pages.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <memory>
#include <mutex>

#include <ATen/EmptyTensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/CPUAllocator.h>

#include "mneme/core/machine.h"

namespace mneme::ops {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;   // bytes, on x86-64 and on AArch64 with pages of 4 kB
constexpr size_t kMaxCached = size_t{64} << 20; // bytes, as much freed memory as the heap of glibc keeps

struct Block {
  void* data;
  size_t bytes;
};

/// Cache of freed blocks, oldest first. Successive calls mostly allocate the same sizes, and memory from the
/// system would be zeroed first.
class BlockCache {
public:
  /// A cached block of exactly that size, or nullptr.
  void* take(size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(blocks_.rbegin(), blocks_.rend(), bytes, &Block::bytes);
    if (found == blocks_.rend()) {
      return nullptr;
    }
    void* data = found->data;
    blocks_.erase(std::next(found).base());
    bytes_ -= bytes;
    return data;
  }

  void add(Block block) {
    const std::lock_guard lock(mutex_);
    blocks_.push_back(block);
    bytes_ += block.bytes;
    for (; bytes_ > kMaxCached; blocks_.pop_front()) {
      bytes_ -= blocks_.front().bytes;
      std::free(blocks_.front().data);
    }
  }

private:
  std::mutex mutex_;
  std::deque<Block> blocks_;
  size_t bytes_ = 0;
};

BlockCache& block_cache() {
  static auto* cache = new BlockCache; // never destroyed: tensors may outlive static objects
  return *cache;
}

/// Deleter of the storage of a tensor.
void return_block(void* context) {
  const std::unique_ptr<Block> block(static_cast<Block*>(context));
  block_cache().add(*block);
}

struct HugePageAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    auto block = std::make_unique<Block>(Block{nullptr, (bytes + kHugePage - 1) / kHugePage * kHugePage});
    block->data = block_cache().take(block->bytes);
    if (block->data == nullptr) {
      block->data = std::aligned_alloc(kHugePage, block->bytes);
      if (block->data == nullptr) {
        return c10::GetCPUAllocator()->allocate(bytes); // its error names the size
      }
      // Normal pages are used for the rest that does not fill a huge page.
      prefer_huge_pages(block->data, bytes / kHugePage * kHugePage);
    }
    void* data = block->data;
    return {data, block.release(), return_block, at::kCPU};
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

constexpr c10::DispatchKeySet kCpu(c10::DispatchKey::CPU);

HugePageAllocator* huge_page_allocator() {
  static auto* allocator = new HugePageAllocator; // storages refer to it
  return allocator;
}

at::ScalarType type_of(const at::TensorOptions& options) {
  return at::typeMetaToScalarType(options.dtype());
}

/// Whether a tensor of these sizes does not fill a huge page.
bool fits_heap(at::IntArrayRef sizes, const at::TensorOptions& options) {
  return at::detail::computeStorageNbytesContiguous(sizes, options.dtype().itemsize()) < kHugePage;
}

} // namespace

at::Tensor empty_on_huge_pages(at::IntArrayRef sizes, const at::TensorOptions& options) {
  return fits_heap(sizes, options)
             ? at::empty(sizes, options)
             : at::detail::empty_generic(sizes, huge_page_allocator(), kCpu, type_of(options), std::nullopt);
}

at::Tensor empty_on_huge_pages(at::IntArrayRef sizes, at::IntArrayRef strides,
                               const at::TensorOptions& options) {
  return fits_heap(sizes, options) ? at::empty_strided(sizes, strides, options)
                                   : at::detail::empty_strided_generic(sizes, strides, huge_page_allocator(),
                                                                       kCpu, type_of(options));
}

} // namespace mneme::ops
