// SPDX-License-Identifier: MIT

#include "ops/band_sum.h"

#include <algorithm>
#include <limits>

#include <ATen/Functions.h>

namespace mneme::ops {
namespace {

constexpr int64_t kChunk = 32; // tokens whose weights are written out as one matrix
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// [G, T, ...] -> [G, chunks, kChunk, ...]
at::Tensor in_chunks(const at::Tensor& tensor, double filler) {
  const int64_t tokens = tensor.size(1), chunks = (tokens + kChunk - 1) / kChunk;
  std::vector<int64_t> shape = tensor.sizes().vec();
  at::Tensor whole = tensor;
  if (chunks * kChunk != tokens) {
    shape[1] = chunks * kChunk - tokens;
    whole = at::cat({tensor, at::full(shape, filler, tensor.options())}, 1);
  }
  shape[1] = kChunk;
  shape.insert(shape.begin() + 1, chunks);
  return whole.reshape(shape);
}

/// One sequence cut into chunks. Where a chunk's reader sees a whole earlier chunk, it takes that chunk's sum;
/// sums over runs of whole chunks are the same problem with chunks for tokens.
class Chunks {
public:
  Chunks(const at::Tensor& rows, const Band& band)
      : tokens_(rows.size(1)), window_(band.window), rows_(in_chunks(rows, 0)),
        places_(at::arange(kChunk, rows.options())) {
    if (band.log_weight.defined()) {
      log_weight_ = in_chunks(band.log_weight, -kInfinity);
    }
    if (band.reference.defined()) {
      reference_ = in_chunks(band.reference, kInfinity);
    }
    if (band.decay.defined()) {
      decay_ = band.decay.view({-1, 1, 1, 1});
    }
    if (band.query.defined()) {
      query_ = in_chunks(band.query, 0);
      key_ = in_chunks(band.key, 0);
    }
  }

  at::Tensor sums() const {
    const int64_t chunks = rows_.size(1);
    at::Tensor sums = sums_of_chunk(0);
    // Reader places differ by up to kChunk - 1, so the window begins in one of two chunks; those between are whole.
    const int64_t whole = std::max<int64_t>(window_ / kChunk - 1, 0);
    for (int64_t back = whole + 1; back <= std::min(whole + 2, chunks - 1); ++back) {
      if (window_ >= (back - 1) * kChunk + 2) { // else not even the first reader sees the chunk's last token
        sums.slice(1, back).add_(sums_of_chunk(back));
      }
    }
    if (whole > 0 && chunks > 1) {
      sums.slice(1, 1).add_(sums_of_whole_chunks(whole));
    }
    return sums.flatten(1, 2).slice(1, 0, tokens_);
  }

private:
  /// Of tokens `back` chunks before their readers.
  at::Tensor sums_of_chunk(int64_t back) const {
    const int64_t count = rows_.size(1) - back;
    at::Tensor of_tokens = weights(back);
    if (query_.defined()) {
      of_tokens = of_tokens * at::matmul(query_.slice(1, back), key_.slice(1, 0, count).transpose(2, 3));
    }
    return at::matmul(of_tokens, rows_.slice(1, 0, count));
  }

  /// Without query and key, by reader and token, of tokens `back` chunks before their readers: [G or 1, chunks - back or 1, kChunk, kChunk]
  at::Tensor weights(int64_t back) const {
    const at::Tensor distance =
        places_.view({-1, 1}) - places_.view({1, -1}) + static_cast<double>(back * kChunk);
    const at::Tensor seen = (distance >= 0).logical_and(distance < static_cast<double>(window_));
    if (!log_weight_.defined() && !reference_.defined() && !decay_.defined()) {
      return seen.to(rows_.scalar_type()).view({1, 1, kChunk, kChunk});
    }
    at::Tensor exponent = at::zeros({1, 1, kChunk, kChunk}, rows_.options());
    const int64_t chunks = rows_.size(1);
    if (log_weight_.defined()) {
      exponent = exponent + log_weight_.slice(1, 0, chunks - back).unsqueeze(2);
    }
    if (reference_.defined()) {
      exponent = exponent - reference_.slice(1, back).unsqueeze(3);
    }
    if (decay_.defined()) {
      exponent = exponent - decay_ * distance;
    }
    return at::where(seen, exponent, -kInfinity).exp();
  }

  /// For all chunks but the first: what its readers see of the `count` chunks before.
  at::Tensor sums_of_whole_chunks(int64_t count) const {
    const int64_t chunks = rows_.size(1);
    const auto from_end = [&] {
      return decay_ * (static_cast<double>(kChunk - 1) - places_).view({1, 1, 1, -1});
    };
    Band band{.window = std::min(count, chunks)};
    at::Tensor weights = at::ones({1, 1, 1, kChunk}, rows_.options()); // of a chunk's tokens at its end
    if (log_weight_.defined()) {
      at::Tensor exponent = log_weight_.unsqueeze(2);
      if (decay_.defined()) {
        exponent = exponent - from_end();
      }
      const at::Tensor largest = exponent.amax(-1, true).clamp_min(kLeastReference);
      weights = (exponent - largest).exp();
      band.log_weight = largest.view({-1, chunks});
    } else if (decay_.defined()) {
      weights = (-from_end()).exp();
    }
    if (decay_.defined()) {
      band.decay = decay_.view(-1) * static_cast<double>(kChunk);
    }
    // With keys, a chunk's sum is a matrix [D, R], which its readers multiply by their queries.
    const at::Tensor of_chunks =
        key_.defined() ? at::matmul((weights.transpose(2, 3) * key_).transpose(2, 3), rows_).flatten(2)
                       : at::matmul(weights, rows_).squeeze(2);
    if (band.log_weight.defined()) {
      band.reference = largest_in_window(band);
    }
    at::Tensor run = sums_of_tokens(of_chunks, band).slice(1, 0, chunks - 1).unsqueeze(2);
    if (query_.defined()) {
      run = at::matmul(query_.slice(1, 1), run.view({rows_.size(0), chunks - 1, -1, rows_.size(3)}));
    }
    at::Tensor exponent; // from the end of the last whole chunk to the reader
    if (log_weight_.defined()) {
      exponent = band.reference.slice(1, 0, chunks - 1).view({-1, chunks - 1, 1, 1});
    }
    if (reference_.defined()) {
      const at::Tensor readers = reference_.slice(1, 1).unsqueeze(3);
      exponent = exponent.defined() ? exponent - readers : -readers;
    }
    if (decay_.defined()) {
      const at::Tensor lost = decay_ * (places_ + 1).view({1, 1, -1, 1});
      exponent = exponent.defined() ? exponent - lost : -lost;
    }
    return exponent.defined() ? run * exponent.exp() : run.expand({-1, -1, kChunk, -1});
  }

  int64_t tokens_, window_;
  at::Tensor rows_;                   // [G, chunks, kChunk, R]
  at::Tensor places_;                 // [kChunk]: 0, 1, ...
  at::Tensor log_weight_, reference_; // [G, chunks, kChunk]
  at::Tensor decay_;                  // [G, 1, 1, 1]
  at::Tensor query_, key_;            // [G, chunks, kChunk, D]
};

} // namespace

at::Tensor sums_of_tokens(const at::Tensor& rows, const Band& band) {
  return Chunks(rows, band).sums();
}

at::Tensor sums_of_last_readers(const at::Tensor& rows, const Band& band, int64_t count) {
  const int64_t tokens = rows.size(1), first_reader = tokens - count;
  const int64_t first = std::max<int64_t>(0, first_reader + 1 - band.window); // that any of them sees
  const auto seen = [&](const at::Tensor& t) { return t.slice(1, first); };
  const at::Tensor distance = at::arange(first_reader, tokens, rows.options()).unsqueeze(1) -
                              at::arange(first, tokens, rows.options());
  at::Tensor exponent = at::zeros({1, 1, 1}, rows.options());
  if (band.log_weight.defined()) {
    exponent = exponent + seen(band.log_weight).unsqueeze(1);
  }
  if (band.reference.defined()) {
    exponent = exponent - band.reference.slice(1, first_reader).unsqueeze(2);
  }
  if (band.decay.defined()) {
    exponent = exponent - band.decay.view({-1, 1, 1}) * distance;
  }
  const at::Tensor sees = (distance >= 0).logical_and(distance < static_cast<double>(band.window));
  at::Tensor weights = at::where(sees, exponent, -kInfinity).exp();
  if (band.query.defined()) {
    weights = weights * at::matmul(band.query.slice(1, first_reader), seen(band.key).transpose(1, 2));
  }
  return at::matmul(weights, seen(rows));
}

at::Tensor sums_of_readers(const at::Tensor& rows, const Band& band) {
  const auto backward = [](const at::Tensor& t) { return t.defined() ? t.flip(1) : t; };
  const auto mirrored = [](const at::Tensor& t) { return t.defined() ? -t.flip(1) : t; };
  return sums_of_tokens(rows.flip(1), {band.window, mirrored(band.reference), mirrored(band.log_weight),
                                       band.decay, backward(band.key), backward(band.query)})
      .flip(1);
}

at::Tensor largest_in_window(const Band& band) {
  const int64_t window = std::min(band.window, band.log_weight.size(1));
  at::Tensor largest = band.log_weight; // over a span that doubles
  const auto with_earlier = [&](int64_t by) {
    at::Tensor earlier = largest.slice(1, 0, -by);
    if (band.decay.defined()) {
      earlier = earlier - band.decay.unsqueeze(1) * static_cast<double>(by);
    }
    return at::cat({largest.slice(1, 0, by), at::maximum(largest.slice(1, by), earlier)}, 1);
  };
  int64_t span = 1;
  for (; 2 * span <= window; span *= 2) {
    largest = with_earlier(span);
  }
  if (span < window) {
    largest = with_earlier(window - span);
  }
  return largest.clamp_min(kLeastReference);
}

} // namespace mneme::ops
