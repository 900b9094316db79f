// SPDX-License-Identifier: MIT

#include "trials/close_patterns.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "mneme/core/interrupt.h"
#include "mneme/core/random.h"

namespace mneme::trials {
namespace {

constexpr size_t kGroup = 256;        // patterns that are not divided further
constexpr int kLines = 4;             // tried, before a set is given up as indivisible
constexpr double kLargestHalf = 0.85; // of the patterns of a set, with its margin
constexpr double kRounding = 1e-9;    // error of a projection, at most

class Division {
public:
  Division(const RealPatterns& patterns, double cosine_min,
           const std::function<void(std::span<const int64_t>)>& visit)
      // Unit vectors with the cosine c have the distance sqrt(2 - 2 c); projections are not farther apart.
      : patterns_(patterns), margin_(std::sqrt(std::max(0.0, 2 - 2 * cosine_min)) / 2 + kRounding),
        visit_(visit), inverse_length_(static_cast<size_t>(patterns.count())) {}

  void run() {
    std::vector<int64_t> all;
    for (int64_t i = 0; i < patterns_.count(); ++i) {
      const double length = std::sqrt(dot(patterns_[i], patterns_[i]));
      if (length > 0) {
        inverse_length_[static_cast<size_t>(i)] = 1 / length;
        all.push_back(i);
      }
    }
    divide(all);
  }

private:
  static double dot(std::span<const double> a, std::span<const double> b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  }

  void divide(const std::vector<int64_t>& members) {
    throw_if_interrupted();
    if (members.size() > kGroup) {
      for (int line = 0; line < kLines; ++line) {
        const std::vector<double> places = projections(members);
        std::vector<double> sorted = places;
        const auto middle = sorted.begin() + std::ssize(sorted) / 2;
        std::ranges::nth_element(sorted, middle);
        std::vector<int64_t> left, right;
        for (size_t i = 0; i < members.size(); ++i) {
          if (places[i] <= *middle + margin_) {
            left.push_back(members[i]);
          }
          if (places[i] >= *middle - margin_) {
            right.push_back(members[i]);
          }
        }
        const auto largest = static_cast<double>(std::max(left.size(), right.size()));
        if (largest <= kLargestHalf * static_cast<double>(members.size())) {
          divide(left);
          divide(right);
          return;
        }
      }
    }
    if (members.size() > 1) {
      visit_(members);
    }
  }

  /// On the line through two of the members.
  std::vector<double> projections(const std::vector<int64_t>& members) {
    const auto pick = [&] { return members[random_.below(members.size())]; };
    const int64_t a = pick(), b = pick();
    std::vector<double> line(static_cast<size_t>(patterns_.size()));
    for (size_t j = 0; j < line.size(); ++j) {
      line[j] = patterns_[a][j] * inverse_length_[static_cast<size_t>(a)] -
                patterns_[b][j] * inverse_length_[static_cast<size_t>(b)];
    }
    const double length = std::sqrt(dot(line, line));
    std::vector<double> places(members.size());
    for (size_t i = 0; i < places.size() && length > 0; ++i) {
      places[i] =
          dot(patterns_[members[i]], line) * inverse_length_[static_cast<size_t>(members[i])] / length;
    }
    return places;
  }

  const RealPatterns& patterns_;
  double margin_;
  const std::function<void(std::span<const int64_t>)>& visit_;
  std::vector<double> inverse_length_; // of the patterns that are not zero
  Random random_{1};
};

} // namespace

void visit_close(const RealPatterns& patterns, double cosine_min,
                 const std::function<void(std::span<const int64_t>)>& visit) {
  Division(patterns, cosine_min, visit).run();
}

std::vector<int64_t> first_of_identical(const RealPatterns& patterns) {
  std::vector<int64_t> order(static_cast<size_t>(patterns.count())), first(order.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {
    return std::ranges::lexicographical_compare(patterns[a], patterns[b]);
  });
  for (size_t i = 0; i < order.size(); ++i) {
    const bool is_new = i == 0 || !std::ranges::equal(patterns[order[i - 1]], patterns[order[i]]);
    first[static_cast<size_t>(order[i])] = is_new ? order[i] : first[static_cast<size_t>(order[i - 1])];
  }
  return first;
}

} // namespace mneme::trials
