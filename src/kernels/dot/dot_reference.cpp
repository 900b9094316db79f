// SPDX-License-Identifier: MIT

#include "kernels/dot/dot.h"

#include <cmath>

namespace mneme::kernels::reference {
namespace {

double term_of(DotTerm term, double a, double b) {
  switch (term) {
  case DotTerm::squared_difference:
    return (a - b) * (a - b);
  case DotTerm::absolute_difference:
    return std::abs(a - b);
  default:
    return a * b;
  }
}

template <class T> void dot_plain(const DotArgs<T>& args) {
  for (int64_t q = 0; q < args.num_queries; ++q) {
    for (int64_t s = 0; s < args.num_stored; ++s) {
      double sum = 0;
      for (int64_t i = 0; i < args.size; ++i) {
        sum += term_of(args.term, static_cast<double>(args.queries[q * args.size + i]),
                       static_cast<double>(args.stored[s * args.size + i]));
      }
      args.scores[q * args.num_stored + s] = static_cast<T>(sum);
    }
  }
}

} // namespace

void dot(const DotArgs<float>& args) {
  dot_plain(args);
}
void dot(const DotArgs<double>& args) {
  dot_plain(args);
}

} // namespace mneme::kernels::reference
