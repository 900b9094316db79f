// SPDX-License-Identifier: MIT

#include "ops/band_sum.h"

#include <algorithm>
#include <limits>

#include <ATen/Functions.h>

namespace mneme::ops {
namespace {

constexpr int64_t kTile = 32; // tokens of a tile, whose weights are computed as one dense matrix
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// [G, T, ...] -> [G, tiles, kTile, ...], the last tile padded with `filler`
at::Tensor in_tiles(const at::Tensor& tensor, double filler) {
  const int64_t tokens = tensor.size(1), tiles = (tokens + kTile - 1) / kTile;
  std::vector<int64_t> shape = tensor.sizes().vec();
  at::Tensor padded = tensor;
  if (tiles * kTile != tokens) {
    shape[1] = tiles * kTile - tokens;
    padded = at::cat({tensor, at::full(shape, filler, tensor.options())}, 1);
  }
  shape[1] = kTile;
  shape.insert(shape.begin() + 1, tiles);
  return padded.reshape(shape);
}

/// One sequence cut into tiles. For a tile that is entirely inside the window of a query position, the sum of
/// the tile is used. Sums over ranges of such tiles are the same problem with tiles in place of tokens.
class Tiles {
public:
  Tiles(const at::Tensor& rows, const Band& band)
      : tokens_(rows.size(1)), window_(band.window), rows_(in_tiles(rows, 0)),
        positions_(at::arange(kTile, rows.options())) {
    if (band.log_weight.defined()) {
      log_weight_ = in_tiles(band.log_weight, -kInfinity);
    }
    if (band.reference.defined()) {
      reference_ = in_tiles(band.reference, kInfinity);
    }
    if (band.decay.defined()) {
      decay_ = band.decay.view({-1, 1, 1, 1});
    }
    if (band.query.defined()) {
      query_ = in_tiles(band.query, 0);
      key_ = in_tiles(band.key, 0);
    }
  }

  at::Tensor sums() const {
    const int64_t tiles = rows_.size(1);
    at::Tensor sums = tile_sums(0);
    // Query positions in a tile differ by up to kTile - 1, so their windows begin in one of two tiles; the
    // tiles in between are entirely inside.
    const int64_t whole = std::max<int64_t>(window_ / kTile - 1, 0);
    for (int64_t back = whole + 1; back <= std::min(whole + 2, tiles - 1); ++back) {
      // Otherwise the last token of the tile is outside the window even of the first query position.
      if (window_ >= (back - 1) * kTile + 2) {
        sums.slice(1, back).add_(tile_sums(back));
      }
    }
    if (whole > 0 && tiles > 1) {
      sums.slice(1, 1).add_(whole_tile_sums(whole));
    }
    return sums.flatten(1, 2).slice(1, 0, tokens_);
  }

private:
  /// Sums over the tokens of the tile that is `back` tiles before the query positions.
  at::Tensor tile_sums(int64_t back) const {
    const int64_t count = rows_.size(1) - back;
    at::Tensor coefficients = weights(back);
    if (query_.defined()) {
      coefficients =
          coefficients * at::matmul(query_.slice(1, back), key_.slice(1, 0, count).transpose(2, 3));
    }
    return at::matmul(coefficients, rows_.slice(1, 0, count));
  }

  /// Weights by query position and token, without the factor query . key, for tokens `back` tiles before the
  /// query positions: [G or 1, tiles - back or 1, kTile, kTile]
  at::Tensor weights(int64_t back) const {
    const at::Tensor distance =
        positions_.view({-1, 1}) - positions_.view({1, -1}) + static_cast<double>(back * kTile);
    const at::Tensor in_window = (distance >= 0).logical_and(distance < static_cast<double>(window_));
    if (!log_weight_.defined() && !reference_.defined() && !decay_.defined()) {
      return in_window.to(rows_.scalar_type()).view({1, 1, kTile, kTile});
    }
    at::Tensor exponent = at::zeros({1, 1, kTile, kTile}, rows_.options());
    const int64_t tiles = rows_.size(1);
    if (log_weight_.defined()) {
      exponent = exponent + log_weight_.slice(1, 0, tiles - back).unsqueeze(2);
    }
    if (reference_.defined()) {
      exponent = exponent - reference_.slice(1, back).unsqueeze(3);
    }
    if (decay_.defined()) {
      exponent = exponent - decay_ * distance;
    }
    return at::where(in_window, exponent, -kInfinity).exp();
  }

  /// For all tiles except the first: sums over the `count` tiles before each tile.
  at::Tensor whole_tile_sums(int64_t count) const {
    const int64_t tiles = rows_.size(1);
    const auto decay_to_end = [&] {
      return decay_ * (static_cast<double>(kTile - 1) - positions_).view({1, 1, 1, -1});
    };
    Band band{.window = std::min(count, tiles)};
    // Weights of the tokens of a tile, at the last query position of the tile.
    at::Tensor weights = at::ones({1, 1, 1, kTile}, rows_.options());
    if (log_weight_.defined()) {
      at::Tensor exponent = log_weight_.unsqueeze(2);
      if (decay_.defined()) {
        exponent = exponent - decay_to_end();
      }
      const at::Tensor max = exponent.amax(-1, true).clamp_min(kMinReference);
      weights = (exponent - max).exp();
      band.log_weight = max.view({-1, tiles});
    } else if (decay_.defined()) {
      weights = (-decay_to_end()).exp();
    }
    if (decay_.defined()) {
      band.decay = decay_.view(-1) * static_cast<double>(kTile);
    }
    // With keys, the sum of a tile is a matrix [D, R], which is multiplied by queries later.
    const at::Tensor sums_of_tiles =
        key_.defined() ? at::matmul((weights.transpose(2, 3) * key_).transpose(2, 3), rows_).flatten(2)
                       : at::matmul(weights, rows_).squeeze(2);
    if (band.log_weight.defined()) {
      band.reference = band_max(band);
    }
    at::Tensor sums = band_sum(sums_of_tiles, band).slice(1, 0, tiles - 1).unsqueeze(2);
    if (query_.defined()) {
      sums = at::matmul(query_.slice(1, 1), sums.view({rows_.size(0), tiles - 1, -1, rows_.size(3)}));
    }
    at::Tensor exponent; // from the end of the last whole tile to the query position
    if (log_weight_.defined()) {
      exponent = band.reference.slice(1, 0, tiles - 1).view({-1, tiles - 1, 1, 1});
    }
    if (reference_.defined()) {
      const at::Tensor reference = reference_.slice(1, 1).unsqueeze(3);
      exponent = exponent.defined() ? exponent - reference : -reference;
    }
    if (decay_.defined()) {
      const at::Tensor decay = decay_ * (positions_ + 1).view({1, 1, -1, 1});
      exponent = exponent.defined() ? exponent - decay : -decay;
    }
    return exponent.defined() ? sums * exponent.exp() : sums.expand({-1, -1, kTile, -1});
  }

  int64_t tokens_, window_;
  at::Tensor rows_;                   // [G, tiles, kTile, R]
  at::Tensor positions_;              // [kTile]: 0, 1, ...
  at::Tensor log_weight_, reference_; // [G, tiles, kTile]
  at::Tensor decay_;                  // [G, 1, 1, 1]
  at::Tensor query_, key_;            // [G, tiles, kTile, D]
};

} // namespace

at::Tensor band_sum(const at::Tensor& rows, const Band& band) {
  return Tiles(rows, band).sums();
}

at::Tensor band_sum_last(const at::Tensor& rows, const Band& band, int64_t count) {
  const int64_t tokens = rows.size(1), first_query = tokens - count;
  const int64_t first_key = std::max<int64_t>(0, first_query + 1 - band.window); // of all windows
  const auto from_first_key = [&](const at::Tensor& t) { return t.slice(1, first_key); };
  const at::Tensor distance = at::arange(first_query, tokens, rows.options()).unsqueeze(1) -
                              at::arange(first_key, tokens, rows.options());
  at::Tensor exponent = at::zeros({1, 1, 1}, rows.options());
  if (band.log_weight.defined()) {
    exponent = exponent + from_first_key(band.log_weight).unsqueeze(1);
  }
  if (band.reference.defined()) {
    exponent = exponent - band.reference.slice(1, first_query).unsqueeze(2);
  }
  if (band.decay.defined()) {
    exponent = exponent - band.decay.view({-1, 1, 1}) * distance;
  }
  const at::Tensor in_window = (distance >= 0).logical_and(distance < static_cast<double>(band.window));
  at::Tensor weights = at::where(in_window, exponent, -kInfinity).exp();
  if (band.query.defined()) {
    weights =
        weights * at::matmul(band.query.slice(1, first_query), from_first_key(band.key).transpose(1, 2));
  }
  return at::matmul(weights, from_first_key(rows));
}

at::Tensor transposed_band_sum(const at::Tensor& rows, const Band& band) {
  // The transposed band is the band of the reversed sequence with the roles of tokens and query positions
  // swapped.
  const auto reversed = [](const at::Tensor& t) { return t.defined() ? t.flip(1) : t; };
  const auto negated = [](const at::Tensor& t) { return t.defined() ? -t.flip(1) : t; };
  return band_sum(rows.flip(1), {band.window, negated(band.reference), negated(band.log_weight), band.decay,
                                 reversed(band.key), reversed(band.query)})
      .flip(1);
}

at::Tensor band_max(const Band& band) {
  const int64_t window = std::min(band.window, band.log_weight.size(1));
  at::Tensor max = band.log_weight; // over a span that doubles
  const auto extended = [&](int64_t by) {
    at::Tensor earlier = max.slice(1, 0, -by);
    if (band.decay.defined()) {
      earlier = earlier - band.decay.unsqueeze(1) * static_cast<double>(by);
    }
    return at::cat({max.slice(1, 0, by), at::maximum(max.slice(1, by), earlier)}, 1);
  };
  int64_t span = 1;
  for (; 2 * span <= window; span *= 2) {
    max = extended(span);
  }
  if (span < window) {
    max = extended(window - span);
  }
  return max.clamp_min(kMinReference);
}

} // namespace mneme::ops
