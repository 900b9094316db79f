// SPDX-License-Identifier: MIT

/// Separations whose weights are those of a probability distribution, at any kind of score: one list for memories and layers.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace mneme {

/// Of all weights p >= 0 that sum to 1, a separation takes those with the largest p . scores + entropy(p).
struct SimplexSeparation {
  enum class Kind { softmax, entmax15, sparsemax, normmax, entmax };

  Kind kind = Kind::softmax;
  double alpha = 0; ///< of entmax, in (1, 2]; else 0

  static const SimplexSeparation softmax;   ///< entropy -sum p ln p: every pattern counts
  static const SimplexSeparation entmax15;  ///< entropy 4/3 (1 - sum p^1.5): between the two
  static const SimplexSeparation sparsemax; ///< entropy (1 - sum p^2) / 2: far patterns get exactly 0
  static const SimplexSeparation normmax; ///< entropy 1 - sqrt(sum p^2): few patterns, and those nearly alike
  /// Entropy (1 - sum p^alpha) / (alpha (alpha - 1)): 1.5-entmax and sparsemax at 1.5 and 2, towards softmax near 1.
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

/// Errors  UsageError if alpha is not in (1, 2] where there is one
void check_separation(const SimplexSeparation& separation);

/// A row of the list: what a separation is called on the command line and in files.
struct NamedSeparation {
  std::string_view name;
  SimplexSeparation separation;
};
inline constexpr std::array kSimplexSeparations{
    NamedSeparation{"softmax", SimplexSeparation::softmax},
    NamedSeparation{"entmax15", SimplexSeparation::entmax15},
    NamedSeparation{"sparsemax", SimplexSeparation::sparsemax},
    NamedSeparation{"normmax", SimplexSeparation::normmax},
    NamedSeparation{"entmax", SimplexSeparation::entmax(1.25)}, // the alpha where none is given
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

/// The separation of a name of kSimplexSeparations; `alpha` is that of entmax, by default the one of the list.
///
/// Errors  UsageError for another name, for an alpha that is not in (1, 2], and for one that the separation does not have
SimplexSeparation separation_named(std::string_view name, std::optional<double> alpha = std::nullopt);

} // namespace mneme
