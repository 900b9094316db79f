// SPDX-License-Identifier: MIT

#include "mneme/memory/associate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "kernels/weighted_sum/weighted_sum.h"
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

const RealPatterns& as_reals(const RealPatterns& patterns) {
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

/// Blocks in parallel, or one after the other, so that each of them can use all threads.
template <class Body> void for_blocks(int64_t count, int64_t block, bool in_parallel, const Body& body) {
  if (in_parallel) {
    parallel_for(count, block, body);
    return;
  }
  for (int64_t begin = 0; begin < count; begin += block) {
    body(begin, std::min(begin + block, count));
  }
}

template <class T> constexpr const char* kArithmetic = std::is_same_v<T, float> ? "float" : "double";

} // namespace

template <class Patterns> class AssociativeMemory<Patterns>::Implementation {
public:
  Implementation(std::shared_ptr<const Patterns> stored, AssociateOptions<Patterns> options)
      : owner_(std::move(stored)), stored_(*owner_), options_(std::move(options)),
        separator_(options_.separation, score_kind(options_.similarity), compared_size()) {
    require_finite("stored pattern", stored_);
    prepare_encoded_bits();
    if constexpr (std::is_same_v<Patterns, BitPatterns>) {
      if (!options_.encode && !separator_.draws()) {
        require_scannable(options_.encode_bits ? encoded_bits_ : stored_);
        bit_association_ = std::make_unique<const BitAssociation>(separator_, options_.separation,
                                                                  options_.similarity, compared_size());
      }
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
    } else if (std::is_same_v<Patterns, RealPatterns> && uses_cosine(options_.similarity)) {
      encoded_ = prepared(as_reals(stored_), options_.similarity);
    }
    if (options_.precision == Precision::float32) {
      const RealPatterns& numbers = compared_numbers();
      stored32_.assign(numbers.data(), numbers.data() + numbers.count() * numbers.size());
      if constexpr (std::is_same_v<Patterns, RealPatterns>) {
        if (options_.values || !encoded_.empty()) { // else the values are what is compared
          values32_.assign(values().data(), values().data() + values().count() * values().size());
        }
      }
      encoded_ = {};
    }
    if constexpr (std::is_same_v<Patterns, RealPatterns>) {
      for (int64_t i = 0; i < values().count(); ++i) {
        double max = 0;
        for (const double x : values()[i]) {
          max = std::max(max, std::abs(x));
        }
        value_max_.push_back(max);
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
    return run_update_steps(
        cues, pattern_size(values()), update,
        [&](const Patterns& queries, std::span<const int64_t> cue, int64_t step, Patterns& readout,
            std::span<int64_t> reached) {
          if constexpr (std::is_same_v<Patterns, BitPatterns>) {
            if (!separator_.draws()) { // Random draws differ between equal queries.
              step_distinct_queries(
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
              readout = normalised(std::move(readout));
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

  const std::vector<float>& values32() const { return values32_.empty() ? stored32_ : values32_; }
  /// The numbers that queries are compared with, unless bits are compared as bits.
  const RealPatterns& compared_numbers() const {
    if constexpr (std::is_same_v<Patterns, RealPatterns>) {
      return encoded_.empty() ? stored_ : encoded_;
    } else {
      return encoded_;
    }
  }

  void find_self_connections() {
    if (options_.values || options_.encode || options_.encode_bits ||
        !std::holds_alternative<Dot>(options_.similarity)) {
      throw UsageError("mneme: Identity without self-connections is the classical Hopfield network: it needs "
                       "the similarity Dot, and "
                       "neither values nor an encoding.");
    }
    self_connections_.assign(static_cast<size_t>(pattern_size(stored_)), 0.0);
    const RealPatterns& reals = as_reals(stored_);
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
    const auto recall_block = [&](int64_t begin, int64_t end) {
      std::vector<Separator::Row> rows(static_cast<size_t>(end - begin));
      const Block block{queries, compared, compared_bits, cue, begin, end - begin, step, empty_read};
      std::vector<double> sums =
          options_.precision == Precision::float32
              ? associated<float>(block, stored32_.data(), values32().data(), rows)
              : associated<double>(block, compared_numbers().data(), reals_of(values()), rows);
      const int64_t value_size = pattern_size(values());
      for (int64_t q = begin; q < end; ++q) {
        const Separator::Row row = rows[static_cast<size_t>(q - begin)];
        reached[static_cast<size_t>(q)] = row.reached;
        finish(queries, q, cue[static_cast<size_t>(q)], row,
               std::span(sums).subspan(static_cast<size_t>((q - begin) * value_size),
                                       static_cast<size_t>(value_size)),
               empty_read, readout[q]);
      }
    };
    // Many stored patterns: threads share those of one block of queries after the other. Blocks are equally
    // long.
    const int64_t block_max = queries_per_block(stored_.count()),
                  blocks = std::max<int64_t>(1, (queries.count() + block_max - 1) / block_max),
                  block_size = std::max<int64_t>(1, (queries.count() + blocks - 1) / blocks);
    for_blocks(queries.count(), block_size, stored_.count() < 4 * kRowsPerTask, recall_block);
  }

  /// The same where bits are compared as bits and nothing is drawn at random. Bits is BitPatterns.
  template <class Bits>
  void step_on_bits(const Bits& queries, const Bits& compared, std::span<const int64_t> cue,
                    EmptyRead empty_read, Bits& readout, std::span<int64_t> reached) const {
    const BitPatterns& stored = options_.encode_bits ? encoded_bits_ : stored_;
    const auto recall_block = [&](int64_t begin, int64_t end) {
      auto sums = bit_association_->associate(compared, begin, end - begin, stored, values(), empty_read);
      for (int64_t q = begin; q < end; ++q) {
        auto& of_query = sums[static_cast<size_t>(q - begin)];
        reached[static_cast<size_t>(q)] = of_query.row.reached;
        finish(queries, q, cue[static_cast<size_t>(q)], of_query.row, of_query.values, empty_read,
               readout[q]);
      }
    };
    // Threads share the stored patterns of one block, unless there are blocks for all of them.
    const int64_t block_size = bit_association_->queries_together(compared, stored);
    for_blocks(queries.count(), block_size, queries.count() >= block_size * threads(), recall_block);
  }

  static constexpr int64_t kRowsPerTask = 960; ///< whole panels of 48, 24, 12 and 6 lanes

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

  /// The weighted sums of a block of queries, computed in T. `rows` receives the sum of the weights of each
  /// query, by which its sums are still to be divided.
  template <class T>
  std::vector<double> associated(const Block& block, const T* stored, const T* value_numbers,
                                 std::vector<Separator::Row>& rows) const {
    const int64_t num_stored = stored_.count(), value_size = pattern_size(values());
    const auto weights =
        std::make_unique_for_overwrite<double[]>(static_cast<size_t>(block.count * num_stored));
    if (std::is_same_v<Patterns, BitPatterns> && !options_.encode) {
      score_bits(block, weights.get());
    } else {
      score_numbers(block, stored, weights.get());
    }
    std::vector<T> sums(static_cast<size_t>(block.count * value_size), T{0});
    std::vector<char> is_dense(static_cast<size_t>(block.count), 1);
    parallel_for(block.count, 1, [&](int64_t q, int64_t) {
      const auto cue = block.cue[static_cast<size_t>(block.begin + q)];
      const std::span<double> row(weights.get() + q * num_stored, static_cast<size_t>(num_stored));
      require_finite_scores(row, cue, kArithmetic<T>);
      Separator::Row& result = rows[static_cast<size_t>(q)];
      const std::optional<std::vector<int64_t>> few = weigh<T>(row, block, cue, result);
      if constexpr (std::is_same_v<Patterns, RealPatterns>) {
        if (few) {
          add_few_weighted(row, *few, value_numbers, sums.data() + q * value_size);
          is_dense[static_cast<size_t>(q)] = 0;
        }
      }
    });
    add_dense_weighted<T>(weights.get(), is_dense, value_numbers, sums);
    return {sums.begin(), sums.end()};
  }

  /// Adds the values weighted by the rows of dense queries to `sums`, for all of them together.
  template <class T>
  void add_dense_weighted(const double* weights, const std::vector<char>& is_dense, const T* value_numbers,
                          std::vector<T>& sums) const {
    std::vector<int64_t> queries;
    for (size_t q = 0; q < is_dense.size(); ++q) {
      if (is_dense[q] != 0) {
        queries.push_back(static_cast<int64_t>(q));
      }
    }
    if (queries.empty()) {
      return;
    }
    const int64_t num_stored = stored_.count(), value_size = pattern_size(values()),
                  count = std::ssize(queries);
    const auto narrowed = std::make_unique_for_overwrite<T[]>(static_cast<size_t>(count * num_stored));
    parallel_for(count, 1, [&](int64_t i, int64_t) {
      const double* row = weights + queries[static_cast<size_t>(i)] * num_stored;
      std::transform(row, row + num_stored, narrowed.get() + i * num_stored,
                     [](double weight) { return static_cast<T>(weight); });
    });
    std::vector<T> together(static_cast<size_t>(count * value_size), T{0});
    if constexpr (std::is_same_v<Patterns, BitPatterns>) {
      add_weighted(narrowed.get(), count, values(), together.data());
    } else {
      add_weighted(narrowed.get(), count, value_numbers, num_stored, value_size, together.data());
    }
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(together.data() + i * value_size, value_size,
                  sums.data() + queries[static_cast<size_t>(i)] * value_size);
    }
  }

  /// Adds the values with the weights of one query, of which only those at `few` are not 0. The chain of
  /// additions is that of add_weighted, which adds whole tiles.
  template <class T>
  void add_few_weighted(std::span<const double> row, std::span<const int64_t> few, const T* value_numbers,
                        T* sums) const {
    constexpr auto kTile = kernels::kWeightedSumTile;
    const int64_t value_size = pattern_size(values());
    std::array<T, kTile> weights;
    for (size_t i = 0; i < few.size();) {
      const int64_t begin = few[i] / kTile * kTile, end = std::min(begin + kTile, std::ssize(row));
      weights.fill(T{0});
      for (; i < few.size() && few[i] < end; ++i) {
        weights[static_cast<size_t>(few[i] - begin)] = static_cast<T>(row[static_cast<size_t>(few[i])]);
      }
      kernels::weighted_sum(kernels::WeightedSumArgs<T>{.weights = weights.data(),
                                                        .values = value_numbers + begin * value_size,
                                                        .sums = sums,
                                                        .num_queries = 1,
                                                        .num_stored = end - begin,
                                                        .value_size = value_size,
                                                        .weight_stride = kTile});
    }
  }

  /// Scores of numbers, in parallel over stored patterns where there is one block of queries.
  template <class T> void score_numbers(const Block& block, const T* stored, double* scores) const {
    const int64_t size = block.compared.size();
    const double* from = block.compared.data() + block.begin * size;
    const std::vector<T> queries(from, from + block.count * size);
    parallel_for(stored_.count(), kRowsPerTask, [&](int64_t begin, int64_t end) {
      score_block(queries.data(), block.count, stored + begin * size, end - begin, size, options_.similarity,
                  scores + begin, stored_.count());
    });
  }

  /// Separates the scores of one query in place. Returns the positions of the weights that are not 0, if they
  /// are few: all later steps then leave out the others.
  template <class T>
  std::optional<std::vector<int64_t>> weigh(std::span<double> row, const Block& block, int64_t cue,
                                            Separator::Row& result) const {
    constexpr int64_t kFew = 16; // one of so many weights
    result = separator_.separate(row, block.step, cue);
    if (result.reached == 0 && block.empty_read == EmptyRead::mean_of_values) {
      std::ranges::fill(row, 1.0);
      result.sum = static_cast<double>(stored_.count());
      return {};
    }
    std::optional<std::vector<int64_t>> few;
    if (result.reached <= std::ssize(row) / kFew) {
      few.emplace();
      for (size_t s = 0; s < row.size(); ++s) {
        if (row[s] != 0) {
          few->push_back(static_cast<int64_t>(s));
        }
      }
    }
    if (separator_.divides_by_sum() && result.sum > 0) {
      if (few) {
        result.sum = scaled<T>(row, result.sum, [&](const auto& body) { std::ranges::for_each(*few, body); });
      } else {
        result.sum = scaled<T>(row, result.sum, [&](const auto& body) {
          for (int64_t s = 0; s < std::ssize(row); ++s) {
            body(s);
          }
        });
      }
    }
    return few;
  }

  /// Divides the weights by their sum where T needs that, and sets those to 0 that cannot change the readout.
  /// Returns their sum. `for_each(body)` calls body(s) for all weights, or for those that are not 0.
  template <class T, class ForEach>
  double scaled(std::span<double> row, const double total, const ForEach& for_each) const {
    double* const weights = row.data();
    const double sum = std::is_same_v<T, float> ? 1 : total;
    if (std::is_same_v<T, float>) { // Counts of hard locations exceed the range of float.
      for_each([=](int64_t s) { weights[s] /= total; });
    }
    if (!value_max_.empty() && !std::holds_alternative<Majority>(options_.projection)) {
      // Terms of the readout that together are below 1/16 of the rounding of its largest term; a majority
      // may be decided by them.
      const auto size_of_term = [=, value_max = value_max_.data()](int64_t s) {
        return weights[s] / sum * value_max[s];
      };
      double max = 0;
      for_each([&](int64_t s) { max = std::max(max, size_of_term(s)); });
      const double negligible = max * static_cast<double>(std::numeric_limits<T>::epsilon()) /
                                (32 * static_cast<double>(row.size()));
      for_each([=](int64_t s) { weights[s] = size_of_term(s) < negligible ? 0 : weights[s]; });
    }
    return sum;
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
    // Scores that are not normalised (Identity) may have the sum 0; and without self-connections the sums are
    // not 0 where all scores are.
    const bool no_weight =
        separator_.divides_by_sum() ? weights.sum == 0 : weights.reached == 0 && all_zero(sums);
    const bool empty = no_weight || no_direction;
    if (empty && empty_read == EmptyRead::keep_query && !options_.values) {
      keep(queries, query, readout);
    } else if (empty) {
      std::ranges::fill(readout, 0);
    } else if (std::holds_alternative<Normalise>(options_.projection)) {
      read_out(sums, Average{},
               readout); // scaled between steps: the published stopping rule uses the average
    } else {
      read_out(sums, options_.projection, readout);
    }
  }

  std::shared_ptr<const Patterns> owner_;
  const Patterns& stored_;
  AssociateOptions<Patterns> options_;
  Separator separator_;
  std::unique_ptr<const BitAssociation>
      bit_association_;      ///< where bits are compared as bits and nothing is drawn
  RealPatterns encoded_;     ///< what queries are compared with, unless bits are compared as bits
  BitPatterns encoded_bits_; ///< the same where bits are encoded as bits
  std::vector<float> stored32_, values32_; ///< the same and the values for Precision::float32
  std::vector<double> self_connections_;
  std::vector<double> value_max_; ///< largest absolute component of every value of numbers
};

template <class Patterns>
AssociativeMemory<Patterns>::AssociativeMemory(Patterns stored, AssociateOptions<Patterns> options)
    : AssociativeMemory(std::make_shared<const Patterns>(std::move(stored)), std::move(options)) {}

template <class Patterns>
AssociativeMemory<Patterns>::AssociativeMemory(std::shared_ptr<const Patterns> stored,
                                               AssociateOptions<Patterns> options) {
  if (!stored) {
    throw UsageError("mneme::AssociativeMemory: the pointer to the stored patterns is null.");
  }
  implementation_ = std::make_shared<const Implementation>(std::move(stored), std::move(options));
}

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
