// SPDX-License-Identifier: MIT

#include "kernels/projection_dropout/projection_dropout.h"

namespace mneme::kernels::reference {
namespace {

template <class T> void projection_dropout_of(const ProjectionDropoutArgs<T>& args) {
  const int64_t size = args.num_heads * args.head_size;
  for (int64_t r = 0; r < args.num_rows; ++r) {
    const auto factor = [&](int64_t column) { return static_cast<T>(args.dropout.factor(r, column)); };
    T* row = args.rows + r * 4 * size;
    for (int64_t i = 0; i < size; ++i) {
      row[i] *= factor(i);
      row[size + i] = row[size + i] * factor(size + i) * factor(2 * size + i / args.head_size);
      row[3 * size + i] *= factor(3 * size + i);
    }
  }
}

} // namespace

void projection_dropout(const ProjectionDropoutArgs<float>& args) {
  projection_dropout_of(args);
}
void projection_dropout(const ProjectionDropoutArgs<double>& args) {
  projection_dropout_of(args);
}

} // namespace mneme::kernels::reference
