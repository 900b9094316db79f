// SPDX-License-Identifier: MIT

#include "mneme/ops/association_dropout.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>

#include "kernels/pair_dropout.h"
#include "mneme/core/parallel.h"
#include "ops/checks.h"

namespace mneme::ops {
namespace {

template <class T>
void draw(const kernels::PairDropout& dropout, int64_t queries, int64_t num_stored, T* factors) {
  constexpr int64_t kBlock = 64;
  const auto left = static_cast<T>(dropout.scale());
  parallel_for(queries, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) {
      for (int64_t s = 0; s < num_stored; s += 4) {
        const std::array<uint32_t, 4> words = dropout.words(q, s / 4);
        for (int64_t i = 0; i < std::min<int64_t>(4, num_stored - s); ++i) {
          factors[q * num_stored + s + i] = words[static_cast<size_t>(i)] < dropout.threshold() ? T{0} : left;
        }
      }
    }
  });
}

} // namespace

at::Tensor association_dropout(const at::Tensor& association, double share, int64_t seed) {
  const Checks checks("association_dropout");
  checks.defined({"association", association}, "..., queries, patterns");
  checks.share("share", share);
  if (association.dim() < 2) {
    checks.refuse(c10::str("association has ", association.dim(), " dimensions (shape ", association.sizes(),
                           "), at least 2 are needed: queries, patterns."),
                  "A single query is unsqueeze(0).");
  }
  const bool in_double = association.scalar_type() == at::kDouble;
  at::Tensor factors = at::empty(association.sizes(), in_double ? at::kDouble : at::kFloat);
  const kernels::PairDropout dropout{share, static_cast<uint64_t>(seed)};
  const int64_t num_stored = association.size(-1),
                queries = num_stored == 0 ? 0 : association.numel() / num_stored;
  AT_DISPATCH_FLOATING_TYPES(factors.scalar_type(), "mneme::association_dropout", [&] {
    draw(dropout, queries, num_stored, factors.mutable_data_ptr<scalar_t>());
  });
  return factors.to(association.options().requires_grad(false));
}

} // namespace mneme::ops
