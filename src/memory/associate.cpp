// SPDX-License-Identifier: MIT

#include "mneme/memory/associate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "kernels/softmax_projection/softmax_projection.h"
#include "memory/bit_association.h"
#include "memory/checks.h"
#include "memory/length.h"
#include "memory/projecting.h"
#include "memory/scoring.h"
#include "memory/separator.h"
#include "memory/update_loop.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

RealPatterns as_reals(const RealPatterns& patterns) {
  return patterns;
}
RealPatterns as_reals(const BitPatterns& patterns) {
  return to_bipolar(patterns);
}

/// Scores of `patterns` against the rows of the matrix: patterns [N, n] . matrix [e, n]^T.
RealPatterns encoded(const RealPatterns& matrix, const RealPatterns& patterns) {
  return similarity(patterns, matrix, Dot{}).values;
}

/// Between steps the published continuous code scales a readout to length 1, whatever the readout itself is.
void keep(const BitPatterns& queries, int64_t query, std::span<uint64_t> readout) {
  std::ranges::copy(queries[query], readout.begin());
}
void keep(const RealPatterns& queries, int64_t query, std::span<double> readout) {
  std::ranges::copy(queries[query], readout.begin());
}

bool all_zero(std::span<const double> numbers) {
  return std::ranges::all_of(numbers, [](double x) { return x == 0; });
}

template <class T> constexpr const char* kArithmetic = std::is_same_v<T, float> ? "float" : "double";

} // namespace

template <class Patterns> class AssociativeMemory<Patterns>::Implementation {
public:
  Implementation(Patterns stored, AssociateOptions<Patterns> options)
      : stored_(std::move(stored)), options_(std::move(options)),
        separator_(options_.separation, score_kind(options_.similarity), compared_size()) {
    require_finite("stored pattern", stored_);
    prepare_encoded_bits();
    if (std::is_same_v<Patterns, BitPatterns> && !options_.encode && !separator_.draws()) {
      bit_association_ =
          std::make_unique<const BitAssociation>(options_.separation, options_.similarity, compared_size());
    }
    require_projection(options_.projection, stored_);
    if (options_.values) {
      require_finite("the value of stored pattern", *options_.values);
      if (options_.values->count() != stored_.count()) {
        throw UsageError(fmt::format(
            "mneme: there are {} stored patterns but {} values.\n  Each stored pattern needs one value.",
            stored_.count(), options_.values->count()));
      }
    }
    if (options_.encode) {
      require_same_size("a row of the encoding matrix", options_.encode->size(), "a stored pattern",
                        pattern_size(stored_));
      encoded_ = prepared(encoded(*options_.encode, as_reals(stored_)), options_.similarity);
    } else if constexpr (std::is_same_v<Patterns, RealPatterns>) {
      encoded_ = prepared(stored_, options_.similarity);
    }
    for (int64_t s = 0; streams() && s < encoded_.count(); ++s) {
      if (const double length = compared_length(encoded_[s]); length > stored_length_max_) {
        stored_length_max_ = length;
        longest_stored_ = s;
      }
    }
    if (options_.precision == Precision::float32) {
      stored32_.assign(encoded_.data(), encoded_.data() + encoded_.count() * encoded_.size());
      if constexpr (std::is_same_v<Patterns, RealPatterns>) {
        values32_.assign(values().data(), values().data() + values().count() * values().size());
      }
    }
    if (const auto* identity = std::get_if<Identity>(&options_.separation);
        identity != nullptr && !identity->self_connections) {
      find_self_connections();
    }
  }

  const Patterns& stored() const { return stored_; }
  const AssociateOptions<Patterns>& options() const { return options_; }

  Recall<Patterns> recall(const Patterns& cues, const UpdateOptions& update) const {
    require_same_size("a cue", pattern_size(cues), "a stored pattern", pattern_size(stored_));
    require_finite("cue", cues);
    return recall_in_steps(
        cues, pattern_size(values()), update,
        [&](const Patterns& queries, std::span<const int64_t> cue, int64_t step, Patterns& readout,
            std::span<int64_t> reached) {
          if constexpr (std::is_same_v<Patterns, BitPatterns>) {
            if (!separator_.draws()) { // What is drawn differs between equal queries.
              ask_distinct(
                  queries, readout, reached,
                  [&](const BitPatterns& distinct, BitPatterns& answer, std::span<int64_t> answered) {
                    const std::vector<int64_t> unused(static_cast<size_t>(distinct.count()), 0);
                    this->step(distinct, unused, step, update.empty_read, answer, answered);
                  });
              return;
            }
          }
          this->step(queries, cue, step, update.empty_read, readout, reached);
        },
        [&](Patterns& readout) {
          if constexpr (std::is_same_v<Patterns, RealPatterns>) {
            if (std::holds_alternative<Normalise>(options_.projection)) {
              readout = normalised(readout);
            }
          }
        });
  }

private:
  const Patterns& values() const { return options_.values ? *options_.values : stored_; }
  int64_t compared_size() const {
    return options_.encode        ? options_.encode->count()
           : options_.encode_bits ? options_.encode_bits->bits()
                                  : pattern_size(stored_);
  }

  void prepare_encoded_bits() {
    if (!options_.encode_bits) {
      return;
    }
    if constexpr (std::is_same_v<Patterns, BitPatterns>) {
      if (!options_.encode) {
        encoded_bits_ = options_.encode_bits->encode(stored_);
        return;
      }
    }
    throw UsageError(
        "mneme: encode_bits is an encoding of bits, and the only one: it needs patterns of bits, and "
        "no other encoding.");
  }

  /// Softmax of dot products or cosines of real patterns: one pass, which keeps no scores.
  bool streams() const {
    const auto* softmax = std::get_if<Softmax>(&options_.separation);
    return std::is_same_v<Patterns, RealPatterns> && softmax != nullptr && std::isfinite(softmax->beta) &&
           (std::holds_alternative<Dot>(options_.similarity) ||
            std::holds_alternative<Cosine>(options_.similarity));
  }

  double compared_length(std::span<const double> pattern) const {
    return std::holds_alternative<Cosine>(options_.similarity) ? 1 : Length(pattern).value();
  }

  void find_self_connections() {
    if (options_.values || options_.encode || options_.encode_bits ||
        !std::holds_alternative<Dot>(options_.similarity)) {
      throw UsageError("mneme: Identity without self-connections is the classical Hopfield network: it needs "
                       "the similarity Dot, and "
                       "neither values nor an encoding.");
    }
    self_connections_.assign(static_cast<size_t>(pattern_size(stored_)), 0.0);
    const RealPatterns reals = as_reals(stored_);
    for (int64_t s = 0; s < reals.count(); ++s) {
      for (size_t i = 0; i < self_connections_.size(); ++i) {
        self_connections_[i] += reals[s][i] * reals[s][i];
      }
    }
  }

  /// One association of every query, in parallel over blocks.
  void step(const Patterns& queries, std::span<const int64_t> cue, int64_t step, EmptyRead empty_read,
            Patterns& readout, std::span<int64_t> reached) const {
    RealPatterns compared; // stays empty where bits are compared as bits
    if (options_.encode) {
      compared = prepared(encoded(*options_.encode, as_reals(queries)), options_.similarity);
    } else if constexpr (std::is_same_v<Patterns, RealPatterns>) {
      compared = prepared(queries, options_.similarity);
    }
    BitPatterns compared_bits; // stays empty unless bits are encoded as bits
    if constexpr (std::is_same_v<Patterns, BitPatterns>) {
      if (options_.encode_bits) {
        compared_bits = options_.encode_bits->encode(queries);
      }
    }
    if constexpr (std::is_same_v<Patterns, BitPatterns>) {
      if (bit_association_) {
        step_on_bits(queries, options_.encode_bits ? compared_bits : queries, cue, empty_read, readout,
                     reached);
        return;
      }
    }
    parallel_for(queries.count(), queries_per_block(stored_.count()), [&](int64_t begin, int64_t end) {
      std::vector<Separator::Row> rows(static_cast<size_t>(end - begin));
      const Block block{queries, compared, compared_bits, cue, begin, end - begin, step, empty_read};
      std::vector<double> sums = options_.precision == Precision::float32
                                     ? associated<float>(block, stored32_.data(), values32_.data(), rows)
                                     : associated<double>(block, encoded_.data(), reals_of(values()), rows);
      const int64_t value_size = pattern_size(values());
      for (int64_t q = begin; q < end; ++q) {
        const Separator::Row row = rows[static_cast<size_t>(q - begin)];
        reached[static_cast<size_t>(q)] = row.reached;
        finish(queries, q, cue[static_cast<size_t>(q)], row,
               std::span(sums).subspan(static_cast<size_t>((q - begin) * value_size),
                                       static_cast<size_t>(value_size)),
               empty_read, readout[q]);
      }
    });
  }

  /// The same where bits are compared as bits and nothing is drawn at random.
  void step_on_bits(const BitPatterns& queries, const BitPatterns& compared, std::span<const int64_t> cue,
                    EmptyRead empty_read, BitPatterns& readout,
                    std::span<int64_t> reached) const requires std::is_same_v<Patterns, BitPatterns> {
    const BitPatterns& stored = options_.encode_bits ? encoded_bits_ : stored_;
    parallel_for(queries.count(), queries_per_scan(stored_.count()), [&](int64_t begin, int64_t end) {
      auto sums = bit_association_->associate(compared, begin, end - begin, stored, values(), separator_,
                                              self_connections_.empty(), empty_read);
      for (int64_t q = begin; q < end; ++q) {
        auto& of_query = sums[static_cast<size_t>(q - begin)];
        reached[static_cast<size_t>(q)] = of_query.row.reached;
        finish(queries, q, cue[static_cast<size_t>(q)], of_query.row, of_query.values, empty_read,
               readout[q]);
      }
    });
  }

  struct Block {
    const Patterns& queries;
    const RealPatterns& compared;
    const BitPatterns& compared_bits;
    std::span<const int64_t> cue;
    int64_t begin, count, step;
    EmptyRead empty_read;
  };

  static const double* reals_of(const RealPatterns& patterns) { return patterns.data(); }
  static const double* reals_of(const BitPatterns&) { return nullptr; }

  /// The weighted sums of a block of queries, computed in T. `rows` gets what the separation said; its sum is
  /// what the sums are yet to be divided by.
  template <class T>
  std::vector<double> associated(const Block& block, const T* stored, const T* value_numbers,
                                 std::vector<Separator::Row>& rows) const {
    const int64_t value_size = pattern_size(values()), size = block.compared.size();
    const double* from = block.compared.data() + block.begin * size;
    const std::vector<T> asked(from, from + block.count * size);
    std::vector<T> sums(static_cast<size_t>(block.count * value_size), T{0});
    if (streams()) {
      require_no_overflow<T>(block);
      // Softmax of dot products never needs the weights.
      kernels::softmax_projection(kernels::SoftmaxProjectionArgs<T>{
          .queries = asked.data(),
          .stored = stored,
          .values = value_numbers,
          .beta = static_cast<T>(std::get<Softmax>(options_.separation).beta),
          .readout = sums.data(),
          .largest = nullptr,
          .sum = nullptr,
          .num_queries = block.count,
          .num_stored = stored_.count(),
          .size = size,
          .value_size = value_size});
      std::ranges::fill(rows, Separator::Row{stored_.empty() ? 0.0 : 1.0, stored_.count()});
      return {sums.begin(), sums.end()};
    }
    std::vector<double> weights(static_cast<size_t>(block.count * stored_.count()));
    if (const bool on_bits = std::is_same_v<Patterns, BitPatterns> && !options_.encode; on_bits) {
      score_bits(block, weights.data());
    } else {
      score_block(asked.data(), block.count, stored, stored_.count(), size, options_.similarity,
                  weights.data());
    }
    for (int64_t q = 0; q < block.count; ++q) {
      const std::span<double> row(weights.data() + q * stored_.count(), static_cast<size_t>(stored_.count()));
      require_finite_scores(row, block.cue[static_cast<size_t>(block.begin + q)], kArithmetic<T>);
      Separator::Row& result = rows[static_cast<size_t>(q)];
      result = separator_.separate(row, block.step, block.cue[static_cast<size_t>(block.begin + q)]);
      if (result.reached == 0 && block.empty_read == EmptyRead::mean_of_values) {
        std::ranges::fill(row, 1.0);
        result.sum = static_cast<double>(stored_.count());
      }
      if (std::is_same_v<T, float> && separator_.divides_by_sum() && result.sum > 0) {
        for (double& weight : row) {
          weight /= result.sum; // Counts of hard locations leave the range of float.
        }
        result.sum = 1;
      }
    }
    const std::vector<T> narrowed(weights.begin(), weights.end());
    if constexpr (std::is_same_v<Patterns, BitPatterns>) {
      add_weighted(narrowed.data(), block.count, values(), sums.data());
    } else {
      add_weighted(narrowed.data(), block.count, value_numbers, stored_.count(), value_size, sums.data());
    }
    return {sums.begin(), sums.end()};
  }

  /// Scores that are streamed cannot be looked at: the lengths bound them (Cauchy-Schwarz), and every partial sum.
  template <class T> void require_no_overflow(const Block& block) const {
    const double beta = std::get<Softmax>(options_.separation).beta;
    for (int64_t q = block.begin; q < block.begin + block.count; ++q) {
      const double length = compared_length(block.compared[q]);
      // Divided, not multiplied: the product is what may overflow. Differences of two scores take a factor of 2.
      const double limit = static_cast<double>(std::numeric_limits<T>::max()) / 4;
      if (length > limit || stored_length_max_ > limit / std::max(length, 1.0) ||
          beta > limit / std::max(length, 1.0) / std::max(stored_length_max_, 1.0)) {
        throw UsageError(fmt::format("mneme: beta {} times the similarity of query {} (length {:.4g}) and "
                                     "stored pattern {} (length {:.4g}) "
                                     "can overflow {}.\n  Divide queries and stored patterns by a common "
                                     "factor, compare them by Cosine, or "
                                     "take a smaller beta{}.",
                                     beta, block.cue[static_cast<size_t>(q)], length, longest_stored_,
                                     stored_length_max_, kArithmetic<T>,
                                     std::is_same_v<T, float> ? " or Precision::float64" : ""));
      }
    }
  }

  void score_bits(const Block& block, double* scores) const {
    if constexpr (std::is_same_v<Patterns, BitPatterns>) {
      const bool encodes = options_.encode_bits.has_value();
      score_block(encodes ? block.compared_bits : block.queries, block.begin, block.count,
                  encodes ? encoded_bits_ : stored_, options_.similarity, scores);
    }
  }

  /// Weighted sums of one query -> its readout.
  template <class Row>
  void finish(const Patterns& queries, int64_t query, int64_t cue, Separator::Row weights,
              std::span<double> sums, EmptyRead empty_read, Row readout) const {
    if (separator_.divides_by_sum() && weights.sum > 0 && weights.sum != 1) {
      for (double& sum : sums) {
        sum /= weights.sum;
      }
    }
    if (!self_connections_.empty()) {
      for (size_t i = 0; i < sums.size(); ++i) {
        if constexpr (std::is_same_v<Patterns, BitPatterns>) {
          sums[i] -= self_connections_[i] * (queries.get(query, static_cast<int64_t>(i)) ? 1.0 : -1.0);
        } else {
          sums[i] -= self_connections_[i] * queries[query][i];
        }
      }
    }
    if (!std::isfinite(weights.sum) ||
        !std::ranges::all_of(sums, [](double x) { return std::isfinite(x); })) {
      throw UsageError(fmt::format("mneme: the readout of query {} overflows {}.\n  Divide the values (the "
                                   "stored patterns, where no values are "
                                   "given) by a common factor.",
                                   cue, options_.precision == Precision::float32 ? "float" : "double"));
    }
    // A readout of zeros has no direction: for real patterns it is an empty read, too.
    const bool no_direction = std::is_same_v<Patterns, RealPatterns> && all_zero(sums);
    const bool empty = (separator_.divides_by_sum() && weights.sum == 0) || no_direction;
    if (empty && empty_read == EmptyRead::keep_query &&
        sums.size() == static_cast<size_t>(pattern_size(queries))) {
      keep(queries, query, readout);
    } else if (empty) {
      std::ranges::fill(readout, 0);
    } else if (std::holds_alternative<Normalise>(options_.projection)) {
      read_out(sums, Average{},
               readout); // scaled between steps: the published stopping rule looks at the average
    } else {
      read_out(sums, options_.projection, readout);
    }
  }

  Patterns stored_;
  AssociateOptions<Patterns> options_;
  Separator separator_;
  std::unique_ptr<const BitAssociation>
      bit_association_;      ///< where bits are compared as bits and nothing is drawn
  RealPatterns encoded_;     ///< what queries are compared with, unless bits are compared as bits
  BitPatterns encoded_bits_; ///< the same where bits are encoded as bits
  std::vector<float> stored32_, values32_; ///< the same and the values for Precision::float32
  std::vector<double> self_connections_;
  double stored_length_max_ = 0; ///< of what queries are compared with, where scores are streamed
  int64_t longest_stored_ = 0;   ///< the stored pattern of this length
};

template <class Patterns>
AssociativeMemory<Patterns>::AssociativeMemory(Patterns stored, AssociateOptions<Patterns> options)
    : implementation_(std::make_shared<const Implementation>(std::move(stored), std::move(options))) {}

template <class Patterns> Recall<Patterns> AssociativeMemory<Patterns>::recall(const Patterns& cues) const {
  return implementation_->recall(cues, implementation_->options().update);
}

template <class Patterns>
Recall<Patterns> AssociativeMemory<Patterns>::recall(const Patterns& cues,
                                                     const UpdateOptions& update) const {
  return implementation_->recall(cues, update);
}

template <class Patterns> const Patterns& AssociativeMemory<Patterns>::stored() const {
  return implementation_->stored();
}

template class AssociativeMemory<BitPatterns>;
template class AssociativeMemory<RealPatterns>;

Recall<BitPatterns> associate(const BitPatterns& cues, const BitPatterns& stored,
                              const AssociateOptions<BitPatterns>& options) {
  return AssociativeMemory<BitPatterns>(stored, options).recall(cues);
}

Recall<RealPatterns> associate(const RealPatterns& cues, const RealPatterns& stored,
                               const AssociateOptions<RealPatterns>& options) {
  return AssociativeMemory<RealPatterns>(stored, options).recall(cues);
}

} // namespace mneme
