// SPDX-License-Identifier: MIT

#include "kernels/normed_association/normed_association.h"

#include <cmath>
#include <limits>
#include <vector>

namespace mneme::kernels::reference {
namespace {

using Numbers = std::vector<double>;

/// A normalised row and the deviation that it was divided by.
struct NormedRow {
  Numbers y;
  double deviation = 0;

  template <class T> NormedRow(const T* row, int64_t size, double epsilon) : y(row, row + size) {
    double mean = 0, variance = 0;
    for (const double x : y) {
      mean += x / static_cast<double>(size);
    }
    for (const double x : y) {
      variance += (x - mean) * (x - mean) / static_cast<double>(size);
    }
    deviation = std::sqrt(variance + epsilon);
    for (double& x : y) {
      x = (x - mean) / deviation;
    }
  }
};

template <class T> double product(const Numbers& y, const T* x) {
  double sum = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    sum += y[i] * static_cast<double>(x[i]);
  }
  return sum;
}

template <class T> void forward(const NormedAssociationArgs<T>& args) {
  for (int64_t q = 0; q < args.num_queries; ++q) {
    Numbers scores;
    double row_max = static_cast<double>(std::numeric_limits<T>::lowest()), row_sum = 0;
    for (int64_t r = 0; r < args.num_rows; ++r) {
      const NormedRow row(args.rows + r * args.size, args.size, static_cast<double>(args.epsilon));
      scores.push_back(product(row.y, args.queries + q * args.size));
      row_max = std::fmax(row_max, scores.back());
    }
    Numbers readout(static_cast<size_t>(args.size));
    for (int64_t r = 0; r < args.num_rows; ++r) {
      const NormedRow row(args.rows + r * args.size, args.size, static_cast<double>(args.epsilon));
      const double weight = std::exp(scores[static_cast<size_t>(r)] - row_max);
      row_sum += weight;
      for (size_t i = 0; i < readout.size(); ++i) {
        readout[i] += weight * row.y[i];
      }
    }
    for (size_t i = 0; i < readout.size(); ++i) {
      args.readout[q * args.size + static_cast<int64_t>(i)] =
          static_cast<T>(row_sum == 0 ? 0.0 : readout[i] / row_sum);
    }
    args.row_max[q] = static_cast<T>(row_max);
    args.row_sum[q] = static_cast<T>(row_sum);
  }
}

template <class T> void backward(const NormedAssociationGradientArgs<T>& args) {
  const double size = static_cast<double>(args.size);
  Numbers d_queries(static_cast<size_t>(args.num_queries * args.size));
  for (int64_t r = 0; r < args.num_rows; ++r) {
    const NormedRow row(args.rows + r * args.size, args.size, static_cast<double>(args.epsilon));
    Numbers d_y(row.y.size());
    for (int64_t q = 0; q < args.num_queries; ++q) {
      if (args.row_sum[q] == 0) {
        continue;
      }
      const T *query = args.queries + q * args.size, *g = args.d_readout + q * args.size;
      const double score = product(row.y, query);
      const double p =
          std::exp(score - static_cast<double>(args.row_max[q])) / static_cast<double>(args.row_sum[q]);
      const double d_score = p * (product(row.y, g) - static_cast<double>(args.delta[q]));
      for (size_t i = 0; i < d_y.size(); ++i) {
        d_queries[static_cast<size_t>(q * args.size) + i] += d_score * row.y[i];
        d_y[i] += d_score * static_cast<double>(query[i]) + p * static_cast<double>(g[i]);
      }
    }
    if (args.d_rows != nullptr) {
      double mean = 0;
      for (const double d : d_y) {
        mean += d / size;
      }
      const double mean_of_products = product(row.y, d_y.data()) / size;
      for (size_t i = 0; i < d_y.size(); ++i) {
        args.d_rows[r * args.size + static_cast<int64_t>(i)] =
            static_cast<T>((d_y[i] - mean - row.y[i] * mean_of_products) / row.deviation);
      }
    }
  }
  for (size_t i = 0; args.d_queries != nullptr && i < d_queries.size(); ++i) {
    args.d_queries[i] += static_cast<T>(d_queries[i]);
  }
}

} // namespace

void normed_association(const NormedAssociationArgs<float>& args) {
  forward(args);
}
void normed_association(const NormedAssociationArgs<double>& args) {
  forward(args);
}
void normed_association_gradient(const NormedAssociationGradientArgs<float>& args) {
  backward(args);
}
void normed_association_gradient(const NormedAssociationGradientArgs<double>& args) {
  backward(args);
}

} // namespace mneme::kernels::reference
