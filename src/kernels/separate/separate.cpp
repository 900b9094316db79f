// SPDX-License-Identifier: MIT

#include "kernels/separate/separate.h"

#include "kernels/export.h"

#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/separate/separate.cpp"
#include <hwy/foreach_target.h>

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/linear_parts-inl.h"
#include "kernels/selected_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names
namespace hn = hwy::HWY_NAMESPACE;

using Kind = SimplexSeparation::Kind;

constexpr int64_t kSumBlock = 1024; // elements that are summed in T; the sums of blocks are added in double

template <class V> struct Pair { V first, second; };

template <class D, class V> HWY_INLINE V IsPositive(D d, V x) {
  return hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), hn::Set(d, 1));
}

/// (sum - sqrt(sum)) / derivative: the step of Newton's method for e = 2, see Form::Step.
template <class D, class V> HWY_INLINE V StepOfSquares(D, V sum, V derivative) {
  return hn::Div(hn::Sub(sum, hn::Sqrt(sum)), derivative);
}

/// Functions that define a separation, for x = max(u - tau, 0): the exponent e of the sum of x^e that must be
/// 1, the powers x^e and x^(e - 1), the weight, and the coefficient q of a weight in the gradient (s for
/// normmax). All functions are 0 for x = 0. Step: the step of Newton's method for (sum x^e)^(1/e) = 1, which
/// is (1 - sum^(-1/e)) sum / (sum of x^(e - 1)).
template <Kind kind> struct Form;

template <> struct Form<Kind::sparsemax> {
  explicit Form(SimplexSeparation) {}
  static constexpr bool kIsNormalised = false; ///< whether weights are divided by their sum
  static constexpr double Scale() { return 1; }
  static constexpr double Exponent() { return 1; }
  template <class D, class V> HWY_INLINE Pair<V> Powers(D d, V x) const { return {x, IsPositive(d, x)}; }
  template <class D, class V> HWY_INLINE V Step(D d, V sum, V derivative) const {
    return hn::Div(hn::Sub(sum, hn::Set(d, 1)), derivative);
  }
  template <class D, class V> HWY_INLINE V Weight(D, V x) const { return x; }
  template <class D, class V> HWY_INLINE V GradientWeight(D d, V weight) const {
    return IsPositive(d, weight);
  }
};

template <> struct Form<Kind::entmax15> {
  explicit Form(SimplexSeparation) {}
  static constexpr bool kIsNormalised = false;
  static constexpr double Scale() { return 0.5; }
  static constexpr double Exponent() { return 2; }
  template <class D, class V> HWY_INLINE Pair<V> Powers(D, V x) const { return {hn::Mul(x, x), x}; }
  template <class D, class V> HWY_INLINE V Step(D d, V sum, V derivative) const {
    return StepOfSquares(d, sum, derivative);
  }
  template <class D, class V> HWY_INLINE V Weight(D, V x) const { return hn::Mul(x, x); }
  template <class D, class V> HWY_INLINE V GradientWeight(D, V weight) const { return hn::Sqrt(weight); }
};

template <> struct Form<Kind::normmax> {
  explicit Form(SimplexSeparation) {}
  static constexpr bool kIsNormalised = true;
  static constexpr double Scale() { return 1; }
  static constexpr double Exponent() { return 2; }
  template <class D, class V> HWY_INLINE Pair<V> Powers(D, V x) const { return {hn::Mul(x, x), x}; }
  template <class D, class V> HWY_INLINE V Step(D d, V sum, V derivative) const {
    return StepOfSquares(d, sum, derivative);
  }
  template <class D, class V> HWY_INLINE V Weight(D, V x) const { return x; }
  template <class D, class V> HWY_INLINE V GradientWeight(D d, V weight) const {
    return IsPositive(d, weight);
  }
};

template <> struct Form<Kind::entmax> {
  explicit Form(SimplexSeparation separation) : alpha(separation.alpha), halves(HalvesOf(Exponent() - 1)) {}
  static constexpr bool kIsNormalised = false;
  double Scale() const { return alpha - 1; }
  double Exponent() const { return 1 / (alpha - 1); }
  template <class D, class V> HWY_INLINE Pair<V> Powers(D d, V x) const {
    const V power = halves > 0 ? PowerOfHalves(d, x) : Power(d, x, Exponent() - 1);
    return {hn::Mul(power, x), power};
  }
  template <class D, class V> HWY_INLINE V Step(D d, V sum, V derivative) const {
    const auto power = hn::Set(d, static_cast<hn::TFromD<D>>(-1 / Exponent()));
    const auto log = hn::Log1p(d, hn::Sub(sum, hn::Set(d, 1)));
    return hn::Neg(hn::Div(hn::Mul(hn::Expm1(d, hn::Mul(power, log)), sum), derivative));
  }
  template <class D, class V> HWY_INLINE V Weight(D d, V x) const {
    return halves > 0 ? hn::Mul(PowerOfHalves(d, x), x) : Power(d, x, Exponent());
  }
  template <class D, class V> HWY_INLINE V GradientWeight(D d, V weight) const {
    return Power(d, weight, 2 - alpha);
  }

private:
  /// Twice the exponent if that is a whole number up to 64, as for alpha = 1.1, 1.2, 1.25 and 1.4; else 0.
  /// Such powers are products, which take a third of the time of a logarithm and an exponential.
  static int HalvesOf(double exponent) {
    constexpr double kRounding = 1e-13; // of 1 / (alpha - 1) for a decimal alpha
    const double halves = std::round(2 * exponent);
    return halves >= 1 && halves <= 64 && std::abs(2 * exponent - halves) <= kRounding * halves
               ? static_cast<int>(halves)
               : 0;
  }

  /// x^(halves / 2) for x >= 0
  template <class D, class V> HWY_INLINE V PowerOfHalves(D d, V x) const {
    V power = halves % 2 == 1 ? hn::Sqrt(x) : hn::Set(d, 1);
    for (int whole = halves / 2; whole > 0; whole /= 2) {
      if (whole % 2 == 1) {
        power = hn::Mul(power, x);
      }
      x = hn::Mul(x, x);
    }
    return power;
  }

  /// x^exponent for x > 0, else 0.
  template <class D, class V> static HWY_INLINE V Power(D d, V x, double exponent) {
    const auto positive = hn::Gt(x, hn::Zero(d));
    if (hn::AllFalse(d, positive)) {
      return hn::Zero(d);
    }
    const auto power = hn::Exp(d, hn::Mul(hn::Log(d, x), hn::Set(d, static_cast<hn::TFromD<D>>(exponent))));
    return hn::IfThenElseZero(positive, power);
  }

  double alpha;
  int halves; ///< twice the exponent of x^(e - 1), or 0
};

/// tau as an unevaluated sum of two numbers of type T, so that float keeps the precision of the double tau.
template <class T> struct Threshold {
  explicit Threshold(double tau)
      : high(static_cast<T>(tau)), low(static_cast<T>(tau - static_cast<double>(high))) {}
  T high, low;

  /// max(u - tau, 0)
  template <class D, class V> HWY_INLINE V Excess(D d, V u) const {
    return hn::Max(hn::Sub(hn::Sub(u, hn::Set(d, high)), hn::Set(d, low)), hn::Zero(d));
  }
};

/// Calls body(vector, index, count) for the elements begin .. end - 1; lanes from `count` on are 0.
template <class D, class T, class Body>
HWY_INLINE void ForEachVector(D d, const T* from, int64_t begin, int64_t end, const Body& body) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) {
    body(hn::LoadU(d, from + i), i, lanes);
  }
  if (i < end) {
    body(LoadFirst(d, from + i, end - i), i, end - i);
  }
}

/// Stores the first `used` lanes.
template <class D, class T> HWY_INLINE void StoreUpTo(hn::Vec<D> v, D d, T* to, int64_t used) {
  if (used == static_cast<int64_t>(hn::Lanes(d))) {
    hn::StoreU(v, d, to);
  } else {
    StoreFirst(v, d, to, used);
  }
}

/// Sums of two functions of the elements of a row.
struct Sums {
  double first, second;
};
template <class D, class T, class Function>
HWY_INLINE Sums SumsOf(D d, const T* row, int64_t count, const Function& function) {
  Sums total{0, 0};
  for (int64_t begin = 0; begin < count; begin += kSumBlock) {
    auto first = hn::Zero(d), second = hn::Zero(d);
    ForEachVector(d, row, begin, HWY_MIN(begin + kSumBlock, count),
                  [&](auto x, int64_t i, int64_t used) HWY_ATTR {
                    const auto [a, b] = function(x, i, used);
                    first = hn::Add(first, a);
                    second = hn::Add(second, b);
                  });
    total.first += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, first)));
    total.second += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, second)));
  }
  return total;
}

/// Largest score of a row; NaN if the row has a NaN.
template <class D, class T> T RowMax(D d, const T* scores, int64_t count) {
  auto row_max = hn::Set(d, -std::numeric_limits<T>::infinity());
  auto nan_lanes = hn::Zero(d);
  ForEachVector(d, scores, 0, count, [&](auto x, int64_t, int64_t used) HWY_ATTR {
    nan_lanes = hn::IfThenElse(hn::IsNaN(x), x, nan_lanes);
    const auto in_row = hn::FirstN(d, static_cast<size_t>(used));
    row_max = hn::Max(row_max, hn::IfThenElse(in_row, x, row_max));
  });
  return hn::AllFalse(d, hn::IsNaN(nan_lanes)) ? hn::GetLane(hn::MaxOfLanes(d, row_max))
                                               : std::numeric_limits<T>::quiet_NaN();
}

/// Writes the elements of (from - offset) factor above `bound` to `to`, in their order; returns their number.
/// `to` may be `from`.
template <class D, class T>
int64_t KeepAbove(D d, T bound, const T* from, T offset, T factor, T* to, int64_t count) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t kept = 0, i = 0;
  // StoreSelected writes a whole vector, but never beyond the elements that have been read.
  for (; i + lanes <= count; i += lanes) {
    const auto x = hn::Mul(hn::Sub(hn::LoadU(d, from + i), hn::Set(d, offset)), hn::Set(d, factor));
    const auto above = hn::Gt(x, hn::Set(d, bound));
    StoreSelected(d, x, above, to + kept);
    kept += static_cast<int64_t>(hn::CountTrue(d, above));
  }
  for (; i < count; ++i) {
    to[kept] = (from[i] - offset) * factor;
    kept += to[kept] > bound ? 1 : 0;
  }
  return kept;
}

/// 1 - (1 + excess)^-power, approximately: a Newton step needs few digits, and short rows few other
/// operations.
inline double RelativeStep(double excess, double power) {
  constexpr double kSmall = 0.02; // the first term that is left out is below 1e-5 of the sum
  if (std::abs(excess) < kSmall) {
    return power * excess * (1 - (1 + power) / 2 * excess * (1 - (2 + power) / 3 * excess));
  }
  return 1 -
         static_cast<double>(std::exp(-static_cast<float>(power) * std::log(static_cast<float>(1 + excess))));
}

/// Computes tau from the scaled scores u of a row, which must be above -1. Overwrites `u`. Newton's method
/// for (sum x^e)^(1/e) = 1, within a bracket, because rounding of long sums can make a step overshoot. This
/// norm is convex in tau as the sum is, and nearly linear. It stops when the residual is of the order of
/// rounding errors.
template <class F, class D, class T> double ThresholdOf(const F& form, D d, T* u, int64_t count) {
  constexpr int kMaxSteps = 200;
  constexpr double kNear = 1e-3, kRounding = 4 * static_cast<double>(std::numeric_limits<T>::epsilon());
  double tau = -1, low = -1, high = 0, last_residual = std::numeric_limits<double>::infinity();
  for (int step = 0; step < kMaxSteps; ++step) {
    const Threshold<T> threshold(tau);
    const Sums sums = SumsOf(d, u, count, [&](auto x, int64_t, int64_t used) HWY_ATTR {
      const auto above = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(used)), threshold.Excess(d, x));
      return form.Powers(d, above);
    });
    const double excess = sums.first - 1, residual = excess < 0 ? -excess : excess;
    if (residual <= kRounding || (residual < kNear && residual >= last_residual / 2)) {
      break;
    }
    last_residual = residual;
    (excess > 0 ? low : high) = tau;
    if (excess > 0) { // tau only increases: scores below it have no weight
      count = KeepAbove(d, static_cast<T>(low) - std::numeric_limits<T>::epsilon(), u, T{0}, T{1}, u, count);
    }
    // The norm, minus 1, divided by its derivative: (1 - sum^(-1/e)) sum / (sum of x^(e - 1)).
    const double next = tau + RelativeStep(excess, 1 / form.Exponent()) * sums.first / sums.second;
    tau = next > low && next < high ? next : (low + high) / 2;
  }
  return tau;
}

/// `slopes` may be null.
template <class F, class T>
void SeparateRow(const SeparateArgs<T>& args, const T* scores, T* weights, T* slopes) {
  const hn::ScalableTag<T> d;
  const F form(args.separation);
  const int64_t n = args.num_scores;
  const T row_max = RowMax(d, scores, n);
  const auto fill = [&](T weight) HWY_ATTR {
    const T slope = weight > 0 ? hn::GetLane(form.GradientWeight(d, hn::Set(d, weight))) : weight;
    for (int64_t i = 0; i < n; ++i) {
      weights[i] = weight;
      if (slopes != nullptr) {
        slopes[i] = slope;
      }
    }
  };
  if (!(row_max - row_max == 0)) { // not finite
    fill(std::numeric_limits<T>::quiet_NaN());
    return;
  }
  if (args.beta == 0) {
    fill(static_cast<T>(1.0 / static_cast<double>(n)));
    return;
  }
  const T scaled_beta = args.beta * static_cast<T>(form.Scale());
  const int64_t count = KeepAbove(d, T{-1}, scores, row_max, scaled_beta, weights, n);
  const Threshold<T> threshold(ThresholdOf(form, d, weights, count));
  const auto max = hn::Set(d, row_max), scale = hn::Set(d, scaled_beta);
  ForEachVector(d, scores, 0, n, [&](auto x, int64_t i, int64_t used) HWY_ATTR {
    const auto above = threshold.Excess(d, hn::Mul(hn::Sub(x, max), scale));
    const auto weight = form.Weight(d, above);
    StoreUpTo(weight, d, weights + i, used);
    if (slopes != nullptr) { // x^(1 / (alpha - 1)) / x = weight^(2 - alpha)
      const auto slope = hn::IfThenElseZero(hn::Gt(above, hn::Zero(d)), hn::Div(weight, above));
      StoreUpTo(slope, d, slopes + i, used);
    }
  });
  if constexpr (F::kIsNormalised) {
    const double sum = SumsOf(d, weights, n, [&](auto x, int64_t, int64_t) HWY_ATTR {
                         return Pair<decltype(x)>{x, x};
                       }).first;
    const auto factor = hn::Set(d, static_cast<T>(1 / sum));
    ForEachVector(d, weights, 0, n, [&](auto x, int64_t i, int64_t used) HWY_ATTR {
      StoreUpTo(hn::Mul(x, factor), d, weights + i, used);
    });
  }
}

/// `slopes` may be null.
template <class F, class T>
void GradientOfRow(const SeparateGradientArgs<T>& args, const T* weights, const T* slopes, const T* d_weights,
                   T* d_scores) {
  const hn::ScalableTag<T> d;
  const F form(args.separation);
  const auto load = [&](const T* from, int64_t i, int64_t used) HWY_ATTR {
    return used == static_cast<int64_t>(hn::Lanes(d)) ? hn::LoadU(d, from + i) : LoadFirst(d, from + i, used);
  };
  if constexpr (F::kIsNormalised) { // normmax
    const Sums of_weights =
        SumsOf(d, weights, args.num_scores, [&](auto p, int64_t i, int64_t used) HWY_ATTR {
          return Pair<decltype(p)>{hn::Mul(p, load(d_weights, i, used)), hn::Mul(p, p)};
        });
    const auto dot = hn::Set(d, static_cast<T>(of_weights.first)); // a of separate.h
    const auto support_sum = hn::Set(
        d, static_cast<T>(SumsOf(d, weights, args.num_scores, [&](auto p, int64_t i, int64_t used) HWY_ATTR {
                            const auto x =
                                hn::Mul(form.GradientWeight(d, p), hn::Sub(load(d_weights, i, used), dot));
                            return Pair<decltype(p)>{x, x};
                          }).first));
    const auto norm = hn::Sqrt(hn::Set(d, static_cast<T>(of_weights.second))),
               factor = hn::Mul(norm, hn::Set(d, args.beta));
    ForEachVector(d, weights, 0, args.num_scores, [&](auto p, int64_t i, int64_t used) HWY_ATTR {
      const auto x = hn::Sub(hn::Sub(load(d_weights, i, used), dot), hn::Mul(p, support_sum));
      StoreUpTo(hn::Mul(hn::Mul(form.GradientWeight(d, p), factor), x), d, d_scores + i, used);
    });
    return;
  }
  const auto products = [&](auto q, int64_t i, int64_t used) HWY_ATTR {
    return Pair<decltype(q)>{hn::Mul(q, load(d_weights, i, used)), q};
  };
  const Sums sums = slopes != nullptr
                        ? SumsOf(d, slopes, args.num_scores, products)
                        : SumsOf(d, weights, args.num_scores, [&](auto p, int64_t i, int64_t used) HWY_ATTR {
                            const auto q = form.GradientWeight(d, p);
                            StoreUpTo(q, d, d_scores + i, used);
                            return products(q, i, used);
                          });
  const auto beta = hn::Set(d, args.beta), mean = hn::Set(d, static_cast<T>(sums.first / sums.second));
  const T* all_slopes = slopes != nullptr ? slopes : d_scores;
  ForEachVector(d, all_slopes, 0, args.num_scores, [&](auto q, int64_t i, int64_t used) HWY_ATTR {
    StoreUpTo(hn::Mul(hn::Mul(q, beta), hn::Sub(load(d_weights, i, used), mean)), d, d_scores + i, used);
  });
}

/// Rows of at most this many scores are separated one per lane.
constexpr int64_t kMaxLaneRow = 128;

/// Copies columns[i * lanes + row] to to[row * size + i]: the inverse of PackPanel for one panel of rows.
template <class T>
HWY_INLINE void FromColumns(const T* HWY_RESTRICT columns, int64_t rows, int64_t size, T* to) {
  const hn::ScalableTag<T> d;
  const int64_t n = Lanes<T>();
  int64_t i = 0;
  if (kHasBlocks && rows == n) {
    for (; i + n <= size; i += n) {
      for (int64_t row = 0; row < n; row += kBlock<T>) {
        TransposeRows(columns + i * n + row, n, [&](int64_t k, auto elements) HWY_ATTR {
          hn::StoreU(elements, d, to + (row + k) * size + i);
        });
      }
    }
  }
  for (; i < size; ++i) {
    for (int64_t row = 0; row < rows; ++row) {
      to[row * size + i] = columns[i * n + row];
    }
  }
}

/// As SeparateRow, for at most as many short rows as a vector has lanes, one per lane. Each lane is computed
/// in the same way whatever the others contain. The last step of Newton's method is the low part of the
/// threshold.
template <class F, class T>
void SeparateShortRows(const SeparateArgs<T>& args, int64_t rows, const T* scores, T* weights, T* slopes) {
  const hn::ScalableTag<T> d;
  const F form(args.separation);
  constexpr int kMaxSteps = 200;
  constexpr T kNear = T(1e-3), kRounding = 4 * std::numeric_limits<T>::epsilon();
  const int64_t n = Lanes<T>(), size = args.num_scores;
  HWY_ALIGN T columns[kMaxLaneRow * hn::MaxLanes(hn::ScalableTag<T>())];
  HWY_ALIGN T slope_columns[kMaxLaneRow * hn::MaxLanes(hn::ScalableTag<T>())];
  PackPanel(scores, 1, size, rows, n, size, columns); // lanes without a row have zeros
  auto row_max = hn::Set(d, -std::numeric_limits<T>::infinity()), nan_or_zero = hn::Zero(d);
  for (int64_t i = 0; i < size; ++i) {
    const auto x = hn::Load(d, columns + i * n);
    row_max = hn::Max(row_max, x);
    nan_or_zero = hn::IfThenElse(hn::IsNaN(x), x, nan_or_zero);
  }
  row_max = hn::IfThenElse(hn::IsNaN(nan_or_zero), nan_or_zero, row_max);
  const auto is_finite = hn::Eq(hn::Sub(row_max, row_max), hn::Zero(d));
  const auto scale = hn::Set(d, args.beta * static_cast<T>(form.Scale()));
  for (int64_t i = 0; i < size; ++i) {
    T* const column = columns + i * n;
    hn::Store(hn::Mul(hn::Sub(hn::Load(d, column), row_max), scale), d, column);
  }
  auto tau = hn::Set(d, -1), low = tau, high = hn::Zero(d), step = high,
       last_residual = hn::Set(d, std::numeric_limits<T>::max());
  auto is_open = is_finite;
  for (int count = 0; count < kMaxSteps; ++count) {
    auto sum = hn::Zero(d), derivative = sum;
    for (int64_t i = 0; i < size; ++i) {
      const auto above = hn::Max(hn::Sub(hn::Load(d, columns + i * n), tau), hn::Zero(d));
      const auto [power, power_of_derivative] = form.Powers(d, above);
      sum = hn::Add(sum, power);
      derivative = hn::Add(derivative, power_of_derivative);
    }
    const auto excess = hn::Sub(sum, hn::Set(d, 1)), residual = hn::Abs(excess);
    step = hn::IfThenElse(is_open, form.Step(d, sum, derivative), step);
    const auto is_done = hn::Or(hn::Le(residual, hn::Set(d, kRounding)),
                                hn::And(hn::Lt(residual, hn::Set(d, kNear)),
                                        hn::Ge(residual, hn::Mul(last_residual, hn::Set(d, T(0.5))))));
    is_open = hn::AndNot(is_done, is_open);
    if (hn::AllFalse(d, is_open)) {
      break;
    }
    const auto is_above = hn::And(is_open, hn::Gt(excess, hn::Zero(d)));
    low = hn::IfThenElse(is_above, tau, low);
    high = hn::IfThenElse(hn::AndNot(is_above, is_open), tau, high);
    const auto next = hn::Add(tau, step);
    const auto is_within = hn::And(hn::Gt(next, low), hn::Lt(next, high));
    const auto middle = hn::Mul(hn::Add(low, high), hn::Set(d, T(0.5)));
    tau = hn::IfThenElse(is_open, hn::IfThenElse(is_within, next, middle), tau);
    last_residual = hn::IfThenElse(is_open, residual, last_residual);
  }
  const auto nan = hn::Set(d, std::numeric_limits<T>::quiet_NaN());
  auto sum = hn::Zero(d);
  for (int64_t i = 0; i < size; ++i) {
    T* const column = columns + i * n;
    const auto above = hn::Max(hn::Sub(hn::Sub(hn::Load(d, column), tau), step), hn::Zero(d));
    const auto weight = hn::IfThenElse(is_finite, form.Weight(d, above), nan);
    hn::Store(weight, d, column);
    sum = hn::Add(sum, weight);
    if (slopes != nullptr) {
      const auto slope = hn::IfThenElseZero(hn::Gt(above, hn::Zero(d)), hn::Div(weight, above));
      hn::Store(hn::IfThenElse(is_finite, slope, nan), d, slope_columns + i * n);
    }
  }
  if constexpr (F::kIsNormalised) {
    const auto factor = hn::Div(hn::Set(d, 1), sum);
    for (int64_t i = 0; i < size; ++i) {
      hn::Store(hn::Mul(hn::Load(d, columns + i * n), factor), d, columns + i * n);
    }
  }
  FromColumns(columns, rows, size, weights);
  if (slopes != nullptr) {
    FromColumns(slope_columns, rows, size, slopes);
  }
}

template <class F, class T> void Rows(const SeparateArgs<T>& args) {
  if (args.num_scores <= kMaxLaneRow && args.num_scores > 0 && args.beta > 0) {
    const int64_t n = Lanes<T>();
    for (int64_t r = 0; r < args.num_rows; r += n) {
      const int64_t at = r * args.num_scores;
      SeparateShortRows<F>(args, HWY_MIN(n, args.num_rows - r), args.scores + at, args.weights + at,
                           args.slopes == nullptr ? nullptr : args.slopes + at);
    }
    return;
  }
  for (int64_t r = 0; r < args.num_rows && args.num_scores > 0; ++r) {
    const int64_t at = r * args.num_scores;
    SeparateRow<F>(args, args.scores + at, args.weights + at,
                   args.slopes == nullptr ? nullptr : args.slopes + at);
  }
}
template <class F, class T> void Rows(const SeparateGradientArgs<T>& args) {
  for (int64_t r = 0; r < args.num_rows; ++r) {
    const int64_t at = r * args.num_scores;
    GradientOfRow<F>(args, args.weights + at, args.slopes == nullptr ? nullptr : args.slopes + at,
                     args.d_weights + at, args.d_scores + at);
  }
}

/// Instantiates the form of the separation.
template <class Args> void Run(const Args& args) {
  switch (args.separation.kind) {
  case Kind::sparsemax:
    return Rows<Form<Kind::sparsemax>>(args);
  case Kind::entmax15:
    return Rows<Form<Kind::entmax15>>(args);
  case Kind::normmax:
    return Rows<Form<Kind::normmax>>(args);
  case Kind::entmax:
    return Rows<Form<Kind::entmax>>(args);
  case Kind::softmax:
    break; // has no threshold
  }
}

template <class T> void Separate(const SeparateArgs<T>& args) {
  Run(args);
}
template <class T> void Gradient(const SeparateGradientArgs<T>& args) {
  Run(args);
}

MNEME_KERNEL_TYPES(Separate, SeparateArgs)
MNEME_KERNEL_TYPES(Gradient, SeparateGradientArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(separate, Separate, SeparateArgs)
MNEME_EXPORT_KERNEL(separate_gradient, Gradient, SeparateGradientArgs)

} // namespace mneme::kernels
#endif
