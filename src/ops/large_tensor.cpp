// SPDX-License-Identifier: MIT

#include "ops/large_tensor.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <memory>
#include <mutex>

#include <ATen/EmptyTensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/CPUAllocator.h>
#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

namespace mneme::ops {
namespace {

constexpr size_t kLargePage = size_t{2} << 20; // bytes: of x86-64, and of AArch64 with pages of 4 kB
constexpr size_t kMostKept = size_t{64} << 20; // bytes: as much as glibc's heap keeps of what was freed

struct Block {
  void* data;
  size_t bytes;
};

/// Blocks that were freed, the oldest first: what a call takes, the next one mostly takes again, and memory from the system
/// is filled with zeros first.
class KeptBlocks {
public:
  /// Memory of that size, or nullptr.
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

  void keep(Block block) {
    const std::lock_guard lock(mutex_);
    blocks_.push_back(block);
    bytes_ += block.bytes;
    for (; bytes_ > kMostKept; blocks_.pop_front()) {
      bytes_ -= blocks_.front().bytes;
      std::free(blocks_.front().data);
    }
  }

private:
  std::mutex mutex_;
  std::deque<Block> blocks_;
  size_t bytes_ = 0;
};

KeptBlocks& kept_blocks() {
  static auto* blocks = new KeptBlocks; // tensors may outlive whatever ends with the program
  return *blocks;
}

void give_back(void* context) {
  const std::unique_ptr<Block> block(static_cast<Block*>(context));
  kept_blocks().keep(*block);
}

struct LargePages final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    auto block = std::make_unique<Block>(nullptr, (bytes + kLargePage - 1) / kLargePage * kLargePage);
    block->data = kept_blocks().take(block->bytes);
    if (block->data == nullptr) {
      block->data = std::aligned_alloc(kLargePage, block->bytes);
      if (block->data == nullptr) {
        return c10::GetCPUAllocator()->allocate(bytes); // which says how much was asked for
      }
#ifdef MADV_HUGEPAGE
      // A wish: where it is refused, small pages do, as they do for what fills no large one.
      madvise(block->data, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
#endif
    }
    void* data = block->data;
    return {data, block.release(), give_back, at::kCPU};
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

} // namespace

at::Tensor empty_on_large_pages(at::IntArrayRef sizes, const at::TensorOptions& options) {
  static auto* pages = new LargePages; // storages keep it
  const size_t bytes = at::detail::computeStorageNbytesContiguous(sizes, options.dtype().itemsize());
  if (bytes < kLargePage) {
    return at::empty(sizes, options);
  }
  return at::detail::empty_generic(sizes, pages, c10::DispatchKeySet(c10::DispatchKey::CPU),
                                   at::typeMetaToScalarType(options.dtype()), std::nullopt);
}

} // namespace mneme::ops
