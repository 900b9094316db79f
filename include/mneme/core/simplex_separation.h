// SPDX-License-Identifier: MIT

/// Separations with weights on the probability simplex (softmax, entmax, ...), for any kind of score; shared
/// by memories and layers.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace mneme {

/// Choice of a regularised argmax: the weights p >= 0 that sum to 1 and maximise p . scores + entropy(p). The
/// choices differ in the entropy.
struct SimplexSeparation {
  enum class Kind { softmax, entmax15, sparsemax, normmax, entmax };

  Kind kind = Kind::softmax;
  double alpha = 0; ///< for entmax, in (1, 2]; else 0

  static const SimplexSeparation softmax;   ///< entropy -sum p ln p: all weights are positive
  static const SimplexSeparation entmax15;  ///< entropy 4/3 (1 - sum p^1.5): between softmax and sparsemax
  static const SimplexSeparation sparsemax; ///< entropy (1 - sum p^2) / 2: distant patterns have weight 0
  static const SimplexSeparation normmax;   ///< entropy 1 - sqrt(sum p^2): few, nearly equal weights
  /// Entropy (1 - sum p^alpha) / (alpha (alpha - 1)). alpha = 1.5 is 1.5-entmax, 2 is sparsemax; the limit 1
  /// is softmax.
  static constexpr SimplexSeparation entmax(double alpha);

  bool operator==(const SimplexSeparation&) const = default;
};
inline constexpr SimplexSeparation SimplexSeparation::softmax{Kind::softmax};
inline constexpr SimplexSeparation SimplexSeparation::entmax15{Kind::entmax15};
inline constexpr SimplexSeparation SimplexSeparation::sparsemax{Kind::sparsemax};
inline constexpr SimplexSeparation SimplexSeparation::normmax{Kind::normmax};
constexpr SimplexSeparation SimplexSeparation::entmax(double alpha) {
  return {Kind::entmax, alpha};
}

/// Errors  UsageError for entmax with alpha outside of (1, 2]
void check_separation(const SimplexSeparation& separation);

/// Name of a separation on the command line and in files.
struct NamedSeparation {
  std::string_view name;
  SimplexSeparation separation;
};
inline constexpr std::array kSimplexSeparations{
    NamedSeparation{"softmax", SimplexSeparation::softmax},
    NamedSeparation{"entmax15", SimplexSeparation::entmax15},
    NamedSeparation{"sparsemax", SimplexSeparation::sparsemax},
    NamedSeparation{"normmax", SimplexSeparation::normmax},
    NamedSeparation{"entmax", SimplexSeparation::entmax(1.25)}, // default alpha
};

/// "softmax", "entmax15", ...
constexpr std::string_view name_of(SimplexSeparation separation) {
  for (const NamedSeparation& named : kSimplexSeparations) {
    if (named.separation.kind == separation.kind) {
      return named.name;
    }
  }
  return "";
}

/// Separation with a name of kSimplexSeparations. `alpha` is for entmax; default: the alpha of the list.
///
/// Errors  UsageError for an unknown name, an alpha outside of (1, 2], or an alpha for a separation without
///         one
SimplexSeparation separation_named(std::string_view name, std::optional<double> alpha = std::nullopt);

} // namespace mneme
