// SPDX-License-Identifier: MIT

#include "kernels/hamming/hamming.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/hamming/hamming.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/row_distances-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR // One lane cannot be seen as eight bytes, and the reference is what it would do.
void Hamming(const HammingArgs& args) {
  reference::hamming(args);
}
#else

/// Stores all distances.
class AllDistances {
public:
  explicit AllDistances(const HammingArgs& args) : args_(args) {}

  template <class OfVector>
  HWY_INLINE void add(int64_t query, int64_t first, int64_t num_vectors, const OfVector& of_vector) const {
    const DistanceTag d32;
    auto* to = reinterpret_cast<uint32_t*>(args_.distances + query * args_.num_stored + first);
    for (int64_t i = 0; i < num_vectors; ++i, to += hn::Lanes(d32)) {
      hn::StoreU(of_vector(i), d32, to);
    }
  }
  void add_row(int64_t query, int64_t row, int32_t distance) const {
    args_.distances[query * args_.num_stored + row] = distance;
  }

private:
  const HammingArgs& args_;
};

void Hamming(const HammingArgs& args) {
  RowDistances(args.queries, args.num_queries, args.stored, args.num_stored, args.words, AllDistances(args));
}
#endif

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_UNTYPED_KERNEL(void, hamming, Hamming, HammingArgs)

} // namespace mneme::kernels
#endif
