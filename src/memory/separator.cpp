// SPDX-License-Identifier: MIT

#include "memory/separator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numbers>

#include <fmt/format.h>

#include "kernels/separate/separate.h"
#include "memory/checks.h"
#include "mneme/core/error.h"
#include "mneme/theory/cap_intersection.h"
#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/original_cap_table.h"
#include "mneme/theory/space_fraction.h"

namespace mneme {
namespace {

using RowFunction = std::function<void(std::span<double>, int64_t step, int64_t query)>;

/// Hamming distance that a score stands for.
int64_t distance_of(double score, ScoreKind kind, int64_t size) {
  return kind == ScoreKind::minus_hamming ? static_cast<int64_t>(-score)
                                          : theory::cosine_to_hamming(size, std::clamp(score, -1.0, 1.0));
}

double cosine_of(double score, ScoreKind kind, int64_t size) {
  return kind == ScoreKind::minus_hamming ? 1.0 + 2.0 * score / static_cast<double>(size)
                                          : std::clamp(score, -1.0, 1.0);
}

void require_distances(const char* separation, ScoreKind kind) {
  if (kind == ScoreKind::other) {
    throw UsageError(fmt::format(
        "mneme: {} separates by Hamming distance or by cosine, but the similarity gives neither.\n  Take the "
        "similarity Hamming or Cosine, or another separation (Softmax, Polynomial, ...).",
        separation));
  }
}

void require_radius(const char* separation, int64_t radius, int64_t low, int64_t high) {
  if (radius < low || radius > high) {
    throw UsageError(fmt::format(
        "mneme: {} has a Hamming radius of {}, but it must lie in {} .. {} for patterns of {} bits.\n  The "
        "radius is counted in bits, not as a fraction.",
        separation, radius, low, high, high));
  }
}

void require_size(const char* separation, int64_t given, int64_t size) {
  if (given != size) {
    throw UsageError(
        fmt::format("mneme: {} is made for patterns of {} bits, but they have {}.", separation, given, size));
  }
}

void require_beta(const char* separation, double beta) {
  if (!(beta >= 0)) {
    throw UsageError(
        fmt::format("mneme: {} has beta = {}, a number of at least 0 is needed.", separation, beta));
  }
}

/// floor(w), plus 1 with probability w - floor(w).
RowFunction with_finite_locations(RowFunction expected, const FiniteLocations& locations) {
  return [expected = std::move(expected), draw = locations.draw,
          random = Random(locations.seed)](std::span<double> row, int64_t step, int64_t query) {
    expected(row, step, query);
    const Random of_row = random.stream(static_cast<uint64_t>(step)).stream(static_cast<uint64_t>(query));
    for (size_t s = 0; s < row.size(); ++s) {
      const double whole = std::floor(row[s]);
      const double uniform = draw ? draw(step, query, static_cast<int64_t>(s)) : of_row.uniform_at(s);
      row[s] = whole + (uniform < row[s] - whole ? 1.0 : 0.0);
    }
  };
}

double log_locations(const FiniteLocations& locations) {
  if (!(locations.hard_locations > 0) || !std::isfinite(locations.hard_locations)) {
    throw UsageError(
        fmt::format("mneme: the number of hard locations is {}, but it must be finite and above 0.",
                    locations.hard_locations));
  }
  return std::log(locations.hard_locations);
}

/// Counts times `scale`, given their logarithms. Ratios of small counts are exact, so that ties stay ties.
std::vector<double> scaled_counts(const std::vector<double>& log_counts, double scale, double log_scale) {
  constexpr double kLogOfExact = 34.0; // counts below e^34 < 2^50 come out of exp to less than half a unit
  std::vector<double> counts(log_counts.size());
  std::transform(log_counts.begin(), log_counts.end(), counts.begin(), [&](double log_count) {
    return log_count < kLogOfExact ? std::round(std::exp(log_count)) * scale
                                   : std::exp(log_count + log_scale);
  });
  return counts;
}

RowFunction separation_of(const CircleIntersection& circle, ScoreKind kind, int64_t size) {
  require_distances("CircleIntersection", kind);
  require_size("CircleIntersection", circle.bits, size);
  require_radius("CircleIntersection", circle.hamming_radius, 0, size);
  const std::vector<double> log_counts = theory::log_circle_intersections(size, circle.hamming_radius);
  std::vector<double> weights;
  if (circle.locations) {
    const double log_scale = log_locations(*circle.locations) - static_cast<double>(size) * std::numbers::ln2;
    weights = scaled_counts(log_counts, std::exp(log_scale), log_scale);
  } else { // Only ratios matter: the largest weight becomes about 1, by a power of 2 that keeps them exact.
    const double power = -std::ceil(log_counts.front() / std::numbers::ln2);
    weights = scaled_counts(log_counts, std::exp2(power), power * std::numbers::ln2);
  }
  RowFunction expected = [weights, kind, size](std::span<double> row, int64_t, int64_t) {
    for (double& score : row) {
      score = weights[static_cast<size_t>(distance_of(score, kind, size))];
    }
  };
  return circle.locations ? with_finite_locations(std::move(expected), *circle.locations) : expected;
}

/// The weight of a cap intersection at any cosine, quick to read: cubic Hermite in u = sin(v / 2) = sqrt((1 -
/// cosine) / 2), in which the weight is smooth, with its exact slope. Off by less than 1e-7 of the largest
/// weight.
class CapWeights {
public:
  CapWeights(int64_t size, int64_t hamming_radius, double log_scale) : knots_(kCells + 2) {
    const theory::CapIntersectionTable table(size, hamming_radius);
    const double n = static_cast<double>(size), cos_t = 1 - 2 * static_cast<double>(hamming_radius) / n;
    for (int64_t i = 0; i <= kCells; ++i) {
      const double u = static_cast<double>(i) / kCells, cos_half_squared = 1 - u * u;
      Knot& knot = knots_[static_cast<size_t>(i)];
      knot.value = std::exp(table.log_fraction(std::clamp(1 - 2 * u * u, -1.0, 1.0)) + log_scale);
      // d fraction / dv = -(sin^2 t - cos^2 t tan^2(v/2))^((n-2)/2) / (2 pi), and dv = 2 du / cos(v/2)
      const double q = cos_half_squared > 0 ? 1 - cos_t * cos_t / cos_half_squared : 0;
      knot.slope = q > 0 ? -std::exp((n - 2) / 2 * std::log(q) + log_scale) /
                               (std::numbers::pi * std::sqrt(cos_half_squared)) / kCells
                         : 0;
    }
    knots_.back() = knots_[kCells];
  }

  double at(double cosine) const {
    const double u = std::sqrt(std::max(0.0, (1 - cosine) / 2)) * kCells;
    const auto cell = static_cast<size_t>(std::min(u, static_cast<double>(kCells)));
    const double x = u - static_cast<double>(cell), y = 1 - x;
    const Knot &left = knots_[cell], &right = knots_[cell + 1];
    return y * y * ((1 + 2 * x) * left.value + x * left.slope) +
           x * x * ((3 - 2 * x) * right.value - y * right.slope);
  }

private:
  static constexpr int64_t kCells = 1 << 14;
  struct Knot {
    double value = 0, slope = 0; ///< slope per cell
  };
  std::vector<Knot> knots_;
};

RowFunction separation_of(const CapIntersection& cap, ScoreKind kind, int64_t size) {
  require_distances("CapIntersection", kind);
  require_size("CapIntersection", cap.size, size);
  require_radius("CapIntersection", cap.hamming_radius, 1, size - 1);
  const auto with_weights = [&](auto weight_at) -> RowFunction {
    RowFunction expected = [weight_at, kind, size](std::span<double> row, int64_t, int64_t) {
      for (double& score : row) {
        score = weight_at(cosine_of(score, kind, size));
      }
    };
    return cap.locations ? with_finite_locations(std::move(expected), *cap.locations) : expected;
  };
  // Infinitely many locations: only ratios matter, so the largest weight may be 1.
  if (cap.original_table) {
    const auto table = std::make_shared<const theory::OriginalCapTable>(size, cap.hamming_radius, 0.0);
    const double log_scale = cap.locations ? log_locations(*cap.locations) : -table->log_expected_at(1.0);
    return with_weights(
        [table, log_scale](double cosine) { return std::exp(table->log_expected_at(cosine) + log_scale); });
  }
  const double log_scale =
      cap.locations ? log_locations(*cap.locations) : -theory::log_cap_fraction(size, cap.hamming_radius);
  return with_weights([weights = std::make_shared<const CapWeights>(size, cap.hamming_radius, log_scale)](
                          double cosine) { return weights->at(cosine); });
}

RowFunction separation_of(const Radius& radius, ScoreKind kind, int64_t size) {
  require_distances("Radius", kind);
  require_radius("Radius", radius.hamming_radius, 0, size);
  return [limit = radius.hamming_radius, kind, size](std::span<double> row, int64_t, int64_t) {
    for (double& score : row) {
      score = distance_of(score, kind, size) <= limit ? 1.0 : 0.0;
    }
  };
}

/// The largest of finite numbers, 0 if there are none. Several maxima at once fit vector registers.
double largest_of(std::span<const double> row) {
  constexpr size_t kAtOnce = 32;
  if (row.size() < kAtOnce) {
    return row.empty() ? 0.0 : *std::max_element(row.begin(), row.end());
  }
  std::array<double, kAtOnce> maxima;
  std::copy_n(row.begin(), kAtOnce, maxima.begin());
  size_t i = kAtOnce;
  for (; i + kAtOnce <= row.size(); i += kAtOnce) {
    for (size_t j = 0; j < kAtOnce; ++j) {
      maxima[j] = maxima[j] < row[i + j] ? row[i + j] : maxima[j];
    }
  }
  return std::max(*std::ranges::max_element(maxima),
                  *std::max_element(row.begin() + static_cast<std::ptrdiff_t>(i - kAtOnce), row.end()));
}

/// Returns the number of best scores.
int64_t best_match(std::span<double> row) {
  const double best = largest_of(row);
  const int64_t ties = std::count(row.begin(), row.end(), best);
  const double weight = 1.0 / static_cast<double>(ties);
  for (double& score : row) {
    score = score == best ? weight : 0.0;
  }
  return ties;
}

RowFunction separation_of(const BestMatch&, ScoreKind, int64_t) {
  return [](std::span<double> row, int64_t, int64_t) { best_match(row); };
}

/// `separate` gets beta * (score - row_max), of which the largest is 0: exp does not overflow, and
/// differences of scores beyond 2^53 keep their digits. An infinite beta means the best match.
template <class Separate> RowFunction with_beta(const char* name, double beta, Separate separate) {
  require_beta(name, beta);
  return [beta, separate](std::span<double> row, int64_t, int64_t) {
    if (row.empty()) {
      return;
    }
    if (std::isinf(beta)) {
      best_match(row);
      return;
    }
    const double row_max = largest_of(row);
    for (double& score : row) {
      // A difference may overflow to -inf, which means weight 0; beta = 0 makes all scores equal.
      score = beta > 0 ? beta * (score - row_max) : 0;
    }
    separate(row);
  };
}

RowFunction separation_of(const Softmax& softmax, ScoreKind, int64_t) {
  return with_beta("Softmax", softmax.beta, [](std::span<double> row) {
    for (double& score : row) {
      score = std::exp(score);
    }
  });
}

RowFunction separation_of(const SimplexWeights& choice, ScoreKind kind, int64_t size) {
  check_separation(choice.separation);
  if (choice.separation == SimplexSeparation::softmax) {
    return separation_of(Softmax{choice.beta}, kind, size);
  }
  return with_beta(name_of(choice.separation).data(), choice.beta,
                   [separation = choice.separation](std::span<double> row) {
                     const std::vector<double> scores(row.begin(),
                                                      row.end()); // the kernel does not work in place
                     kernels::separate({.scores = scores.data(),
                                        .weights = row.data(),
                                        .num_rows = 1,
                                        .num_scores = std::ssize(scores),
                                        .separation = separation});
                   });
}

RowFunction separation_of(const Sparsemax& sparsemax, ScoreKind kind, int64_t size) {
  return separation_of(SimplexWeights{SimplexSeparation::sparsemax, sparsemax.beta}, kind, size);
}

RowFunction separation_of(const Entmax15& entmax, ScoreKind kind, int64_t size) {
  return separation_of(SimplexWeights{SimplexSeparation::entmax15, entmax.beta}, kind, size);
}

RowFunction separation_of(const Polynomial& polynomial, ScoreKind, int64_t) {
  const double degree = polynomial.degree;
  if (!(degree > 0) || !std::isfinite(degree)) {
    throw UsageError(
        fmt::format("mneme: Polynomial has degree {}, a finite number above 0 is needed.", degree));
  }
  return [degree](std::span<double> row, int64_t, int64_t) {
    // Relative to the largest score: high powers leave the range of doubles, and only ratios matter.
    const double largest = largest_of(row);
    for (double& score : row) {
      score = largest > 0 && score > 0 ? std::pow(score / largest, degree) : 0.0;
    }
  };
}

RowFunction separation_of(const Identity&, ScoreKind, int64_t) {
  return [](std::span<double>, int64_t, int64_t) {};
}

} // namespace

Separator::Separator(const Separation& separation, ScoreKind kind, int64_t size)
    : separate_(
          std::visit([&](const auto& choice) { return separation_of(choice, kind, size); }, separation)),
      divides_by_sum_(!std::holds_alternative<Identity>(separation)),
      is_best_match_(std::holds_alternative<BestMatch>(separation)) {
  if (const auto* circle = std::get_if<CircleIntersection>(&separation)) {
    draws_ = circle->locations.has_value();
  } else if (const auto* cap = std::get_if<CapIntersection>(&separation)) {
    draws_ = cap->locations.has_value();
  }
}

Separator::Row Separator::separate(std::span<double> scores, int64_t step, int64_t query) const {
  if (is_best_match_ && !scores.empty()) {
    const int64_t ties = best_match(scores);
    return {1.0 / static_cast<double>(ties) * static_cast<double>(ties), ties};
  }
  separate_(scores, step, query);
  Row row{0, 0};
  for (const double weight : scores) {
    row.sum += weight;
    row.reached += weight != 0 ? 1 : 0;
  }
  return row;
}

namespace {

bool reads_distances(const Separation& separation) {
  return std::holds_alternative<CircleIntersection>(separation) ||
         std::holds_alternative<CapIntersection>(separation) || std::holds_alternative<Radius>(separation);
}

/// Errors  UsageError if a score is not the negative of a Hamming distance of patterns of `scores.size` bits
void require_hamming_scores(const Scores& scores) {
  for (int64_t q = 0; q < scores.values.count(); ++q) {
    const std::span<const double> row = scores.values[q];
    for (size_t s = 0; s < row.size(); ++s) {
      if (row[s] > 0 || row[s] < -static_cast<double>(scores.size)) {
        throw UsageError(
            fmt::format("mneme: score {} of query {} is {}, but must be from {} to 0.\n  A "
                        "score of ScoreKind::minus_hamming is the negative of a Hamming distance.",
                        s, q, row[s], -scores.size));
      }
    }
  }
}

} // namespace

RealPatterns separate(const Scores& scores, const Separation& separation) {
  require_finite("the scores of query", scores.values);
  if (scores.kind == ScoreKind::minus_hamming && reads_distances(separation)) {
    require_hamming_scores(scores);
  }
  const Separator separator(separation, scores.kind, scores.size);
  RealPatterns weights = scores.values;
  for (int64_t q = 0; q < weights.count(); ++q) {
    const Separator::Row row = separator.separate(weights[q], 0, q);
    if (separator.divides_by_sum() && row.sum > 0) {
      for (double& weight : weights[q]) {
        weight /= row.sum;
      }
    }
  }
  return weights;
}

} // namespace mneme
