// SPDX-License-Identifier: MIT

#include "mneme/ops/association_dropout.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "kernels/philox_dropout.h"
#include "mneme/core/parallel.h"
#include "ops/checks.h"

namespace mneme::ops {
namespace {

template <class T>
void fill_factors(const kernels::PhiloxDropout& dropout, int64_t queries, int64_t num_stored, T* factors) {
  constexpr int64_t kBlock = 64;
  const auto keep_scale = static_cast<T>(dropout.keep_scale());
  parallel_for(queries, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) {
      for (int64_t s = 0; s < num_stored; s += 4) {
        const std::array<uint32_t, 4> words = dropout.words(q, s / 4);
        for (int64_t i = 0; i < std::min<int64_t>(4, num_stored - s); ++i) {
          factors[q * num_stored + s + i] =
              words[static_cast<size_t>(i)] < dropout.drop_threshold() ? T{0} : keep_scale;
        }
      }
    }
  });
}

/// philox4x32 of core/random.h in LibTorch. The counters are int64 tensors that hold 32 bits each; they are
/// broadcast.
std::array<at::Tensor, 4> philox(std::array<at::Tensor, 4> x, uint64_t seed) {
  constexpr int64_t kLow = 0xFFFFFFFF;
  auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    // The product of two 32-bit numbers may overflow int64, but its 64 bits are those of the unsigned
    // product.
    const at::Tensor product0 = x[0] * int64_t{0xD2511F53}, product1 = x[2] * int64_t{0xCD9E8D57};
    x = {(product1.bitwise_right_shift(32) & kLow) ^ x[1] ^ int64_t{key0}, product1 & kLow,
         (product0.bitwise_right_shift(32) & kLow) ^ x[3] ^ int64_t{key1}, product0 & kLow};
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return x;
}

/// fill_factors on the device of `factors` [queries, num_stored], with equal results.
void fill_factors_on_device(const kernels::PhiloxDropout& dropout, const at::Tensor& factors) {
  constexpr int64_t kPairsAtOnce = 1 << 22, kLow = 0xFFFFFFFF; // bounds the extra memory
  const int64_t queries = factors.size(0), num_stored = factors.size(1), groups = (num_stored + 3) / 4;
  const int64_t rows_at_once = std::max<int64_t>(1, kPairsAtOnce / std::max<int64_t>(1, num_stored));
  const at::TensorOptions long_options = factors.options().dtype(at::kLong);
  const at::Tensor column = at::arange(groups, long_options).unsqueeze(0);
  for (int64_t first = 0; first < queries && num_stored > 0; first += rows_at_once) {
    const int64_t count = std::min(rows_at_once, queries - first);
    const at::Tensor row = at::arange(first, first + count, long_options).unsqueeze(1);
    const std::array<at::Tensor, 4> words =
        philox({column & kLow, column.bitwise_right_shift(32), row & kLow, row.bitwise_right_shift(32)},
               dropout.seed);
    const at::Tensor is_dropped =
        at::stack(words, -1).flatten(1).narrow(1, 0, num_stored) < int64_t{dropout.drop_threshold()};
    factors.narrow(0, first, count).fill_(dropout.keep_scale()).masked_fill_(is_dropped, 0);
  }
}

} // namespace

at::Tensor association_dropout(const at::Tensor& association, double p, int64_t seed) {
  const Checks checks("association_dropout");
  checks.defined({"association", association}, "..., queries, patterns");
  checks.probability("p", p);
  if (association.dim() < 2) {
    checks.fail(c10::str("association has ", association.dim(), " dimensions (shape ", association.sizes(),
                         "), at least 2 are needed: queries, patterns."),
                "Use unsqueeze(0) on a single query.");
  }
  const kernels::PhiloxDropout dropout{p, static_cast<uint64_t>(seed)};
  const int64_t num_stored = association.size(-1),
                queries = num_stored == 0 ? 0 : association.numel() / num_stored;
  if (!association.device().is_cpu()) {
    const at::Tensor factors = at::empty({queries, num_stored}, association.options().requires_grad(false));
    fill_factors_on_device(dropout, factors);
    return factors.view(association.sizes());
  }
  const bool in_double = association.scalar_type() == at::kDouble;
  at::Tensor factors = at::empty(association.sizes(), in_double ? at::kDouble : at::kFloat);
  AT_DISPATCH_FLOATING_TYPES(factors.scalar_type(), "mneme::association_dropout", [&] {
    fill_factors(dropout, queries, num_stored, factors.mutable_data_ptr<scalar_t>());
  });
  return factors.to(association.options().requires_grad(false));
}

} // namespace mneme::ops
