// SPDX-License-Identifier: MIT

#include "mneme/ops/associate_normed.h"

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include "kernels/normed_association/normed_association.h"
#include "mneme/core/parallel.h"
#include "mneme/ops/associate.h"
#include "mneme/ops/backend.h"
#include "ops/checks.h"

namespace mneme::ops {
namespace {

const Checks kChecks("associate_normed");
constexpr int64_t kRowsPerPiece =
    4096; // float32 inside of a piece, float64 over pieces: long sums lose nothing

void check_one(const Checks::Named& input) {
  kChecks.defined(input, "batch, patterns, features");
  kChecks.dimensions(input, 3, "batch, patterns, features", "A single batch is unsqueeze(0).");
  kChecks.real(input);
}

void check_epsilon(double epsilon) {
  if (!(epsilon > 0) || !std::isfinite(epsilon)) {
    kChecks.refuse(c10::str("epsilon is ", epsilon, ", but must be finite and > 0."),
                   "1e-5 is the usual one.");
  }
}

void check(const at::Tensor& query, const at::Tensor& rows, double epsilon) {
  const Checks::Named q{"query", query}, r{"rows", rows};
  check_one(q);
  check_one(r);
  kChecks.same_type(q, r);
  kChecks.same_device(q, r);
  kChecks.equal(q, 2, r, 2, "features", "They are compared feature by feature: project the query.");
  if (query.size(0) != 1) {
    kChecks.equal(q, 0, r, 0, "batches", "Make the batches equal, or that of the query 1.");
  }
  if (rows.size(2) == 0) {
    kChecks.refuse(c10::str("rows has ", Checks::sized(r, 2, "features"), ", at least 1 is needed."),
                   "There is nothing to compare.");
  }
  check_epsilon(epsilon);
}

template <class T> std::unique_ptr<T[]> room_for(int64_t count) {
  return std::make_unique_for_overwrite<T[]>(static_cast<size_t>(count));
}

void check_missing(const at::Tensor& missing, const at::Tensor& rows) {
  if (missing.scalar_type() != at::kBool || missing.device() != rows.device() ||
      missing.sizes() != at::IntArrayRef{rows.size(0), rows.size(1)}) {
    kChecks.refuse(c10::str("missing is ", missing.scalar_type(), " on ", missing.device(), " (shape ",
                            missing.sizes(), "), but Bool on ", rows.device(), " of [", rows.size(0), ", ",
                            rows.size(1), "] is needed: batch, rows."),
                   "True stands for a row that is not there.");
  }
}

/// Bags in memory as a tensor, or one bag in a source.
struct Rows {
  at::Tensor tensor;  ///< [B, N, E], contiguous
  at::Tensor missing; ///< bool [B, N], contiguous; undefined: all rows are there
  std::shared_ptr<const RowSource> source;

  int64_t bags() const { return source ? 1 : tensor.size(0); }
  int64_t count() const { return source ? source->count() : tensor.size(1); }
  int64_t size() const { return source ? source->size() : tensor.size(2); }
};

/// The rows of a piece that are not missing, one after the other.
template <class T> struct Piece {
  const T* rows;
  int64_t count;
  std::span<const int64_t> places; ///< in the whole piece; none: they are its first rows
};

/// All bags are cut into pieces of the same number of rows, whatever the number of threads.
template <class T> struct Bags {
  const T *query, *rows; ///< rows: nullptr if there is a source
  const bool* missing;   ///< nullptr: all rows are there
  const RowSource* source;
  T epsilon;
  int64_t count, num_queries, num_rows, size, pieces;
  bool shared_query;

  Bags(const at::Tensor& queries, const Rows& all, double eps)
      : query(queries.const_data_ptr<T>()), rows(all.source ? nullptr : all.tensor.const_data_ptr<T>()),
        missing(all.missing.defined() ? all.missing.const_data_ptr<bool>() : nullptr),
        source(all.source.get()), epsilon(static_cast<T>(eps)), count(all.bags()),
        num_queries(queries.size(1)), num_rows(all.count()), size(all.size()),
        pieces((num_rows + kRowsPerPiece - 1) / kRowsPerPiece), shared_query(queries.size(0) == 1) {}

  const T* query_of(int64_t bag) const { return query + (shared_query ? 0 : bag * num_queries * size); }
  int64_t first_row(int64_t piece) const { return piece * kRowsPerPiece; }
  int64_t rows_of(int64_t piece) const { return std::min(kRowsPerPiece, num_rows - first_row(piece)); }
  /// Of a piece in a tensor [bag, row, feature].
  int64_t offset(int64_t bag, int64_t piece) const { return (bag * num_rows + first_row(piece)) * size; }

  /// Calls work(item, bag, which, piece) for each piece of each bag.
  template <class Work> void each_piece(Work work) const {
    constexpr int64_t kPiecesPerRead = 8; // share the memory that they are read into
    parallel_for(count * pieces, rows == nullptr ? kPiecesPerRead : 1, [&](int64_t begin, int64_t end) {
      std::unique_ptr<T[]> room;
      std::vector<int64_t> places;
      for (int64_t item = begin; item < end; ++item) {
        const int64_t bag = item / pieces, which = item % pieces;
        work(item, bag, which, read(bag, which, room, places));
      }
    });
  }

private:
  Piece<T> read(int64_t bag, int64_t which, std::unique_ptr<T[]>& room, std::vector<int64_t>& places) const {
    const auto make_room = [&] {
      if (!room) {
        room = room_for<T>(std::min(kRowsPerPiece, num_rows) * size);
      }
    };
    if (source != nullptr) {
      make_room();
      source->read(first_row(which), std::span(room.get(), static_cast<size_t>(rows_of(which) * size)));
      return {room.get(), rows_of(which), {}};
    }
    const T* from = rows + offset(bag, which);
    if (missing == nullptr) {
      return {from, rows_of(which), {}};
    }
    places.clear();
    const bool* is_missing = missing + bag * num_rows + first_row(which);
    for (int64_t row = 0; row < rows_of(which); ++row) {
      if (!is_missing[row]) {
        places.push_back(row);
      }
    }
    const int64_t there = std::ssize(places);
    if (there == 0 || places.back() == there - 1) { // what is missing comes last
      return {from, there, {}};
    }
    make_room();
    for (int64_t row = 0; row < there; ++row) {
      std::copy_n(from + places[static_cast<size_t>(row)] * size, size, room.get() + row * size);
    }
    return {room.get(), there, places};
  }
};

struct Answer {
  at::Tensor readout;      ///< [B, Q, E]
  at::Tensor largest, sum; ///< [B, Q]
};

template <class T> void forward(const Bags<T>& bags, const Answer& to) {
  const int64_t q = bags.num_queries, items = bags.count * bags.pieces * q;
  const auto readouts = room_for<T>(items * bags.size), largest = room_for<T>(items),
             sums = room_for<T>(items);
  bags.each_piece([&](int64_t item, int64_t bag, int64_t, const Piece<T>& piece) {
    kernels::normed_association(
        kernels::NormedAssociationArgs<T>{.queries = bags.query_of(bag),
                                          .rows = piece.rows,
                                          .epsilon = bags.epsilon,
                                          .readout = readouts.get() + item * q * bags.size,
                                          .largest = largest.get() + item * q,
                                          .sum = sums.get() + item * q,
                                          .num_queries = q,
                                          .num_rows = piece.count,
                                          .size = bags.size});
  });
  T *readout = to.readout.mutable_data_ptr<T>(), *to_largest = to.largest.mutable_data_ptr<T>(),
    *to_sum = to.sum.mutable_data_ptr<T>();
  std::vector<double> total(static_cast<size_t>(bags.size));
  for (int64_t at = 0; at < bags.count * q; ++at) {
    const int64_t first = at / q * bags.pieces * q + at % q, last = first + bags.pieces * q;
    T most = std::numeric_limits<T>::lowest();
    for (int64_t part = first; part < last; part += q) {
      most = std::max(most, largest[static_cast<size_t>(part)]);
    }
    double sum = 0;
    std::ranges::fill(total, 0.0);
    for (int64_t part = first; part < last; part += q) {
      const double share =
          static_cast<double>(sums[static_cast<size_t>(part)]) *
          std::exp(static_cast<double>(largest[static_cast<size_t>(part)]) - static_cast<double>(most));
      sum += share;
      for (int64_t i = 0; i < bags.size; ++i) {
        total[static_cast<size_t>(i)] +=
            share * static_cast<double>(readouts[static_cast<size_t>(part * bags.size + i)]);
      }
    }
    for (int64_t i = 0; i < bags.size; ++i) {
      readout[at * bags.size + i] = static_cast<T>(sum == 0 ? 0.0 : total[static_cast<size_t>(i)] / sum);
    }
    to_largest[at] = most;
    to_sum[at] = static_cast<T>(sum);
  }
}

struct Wanted {
  bool query, rows;
};

template <class T>
torch::autograd::variable_list backward(const Bags<T>& bags, const at::Tensor& d_readout,
                                        const Answer& forward, const at::Tensor& query, Wanted wanted) {
  const int64_t q = bags.num_queries, of_queries = q * bags.size;
  const T *g = d_readout.const_data_ptr<T>(), *readout = forward.readout.const_data_ptr<T>();
  std::vector<T> shift(static_cast<size_t>(bags.count * q));
  for (size_t at = 0; at < shift.size(); ++at) {
    double sum = 0;
    for (int64_t i = static_cast<int64_t>(at) * bags.size; i < static_cast<int64_t>(at + 1) * bags.size;
         ++i) {
      sum += static_cast<double>(g[i]) * static_cast<double>(readout[i]);
    }
    shift[at] = static_cast<T>(sum);
  }
  const at::Tensor d_rows = // 0 for missing ones
      wanted.rows ? at::zeros({bags.count, bags.num_rows, bags.size}, query.options()) : at::Tensor();
  const auto parts = std::make_unique<T[]>( // begin with 0: gradients are added
      static_cast<size_t>(wanted.query ? bags.count * bags.pieces * of_queries : 0));
  bags.each_piece([&](int64_t item, int64_t bag, int64_t which, const Piece<T>& piece) {
    T* d_piece = wanted.rows ? d_rows.mutable_data_ptr<T>() + bags.offset(bag, which) : nullptr;
    const auto scattered = room_for<T>(wanted.rows ? std::ssize(piece.places) * bags.size : 0);
    kernels::normed_association_gradient(kernels::NormedAssociationGradientArgs<T>{
        .queries = bags.query_of(bag),
        .rows = piece.rows,
        .epsilon = bags.epsilon,
        .largest = forward.largest.const_data_ptr<T>() + bag * q,
        .sum = forward.sum.const_data_ptr<T>() + bag * q,
        .d_readout = g + bag * of_queries,
        .shift = shift.data() + bag * q,
        .d_queries = wanted.query ? parts.get() + item * of_queries : nullptr,
        .d_rows = piece.places.empty() || !wanted.rows ? d_piece : scattered.get(),
        .num_queries = q,
        .num_rows = piece.count,
        .size = bags.size});
    for (int64_t row = 0; wanted.rows && row < std::ssize(piece.places); ++row) {
      std::copy_n(scattered.get() + row * bags.size, bags.size,
                  d_piece + piece.places[static_cast<size_t>(row)] * bags.size);
    }
  });
  at::Tensor d_query;
  if (wanted.query) {
    d_query = at::zeros_like(query);
    T* to = d_query.mutable_data_ptr<T>();
    std::vector<double> total(static_cast<size_t>(d_query.numel()));
    for (int64_t item = 0; item < bags.count * bags.pieces; ++item) {
      const int64_t first = bags.shared_query ? 0 : item / bags.pieces * of_queries;
      for (int64_t i = 0; i < of_queries; ++i) {
        total[static_cast<size_t>(first + i)] +=
            static_cast<double>(parts[static_cast<size_t>(item * of_queries + i)]);
      }
    }
    std::ranges::copy(total, to);
  }
  return {d_query, d_rows, at::Tensor(), at::Tensor(), at::Tensor()};
}

/// Keeps a source until the way back.
struct KeptSource : torch::CustomClassHolder {
  explicit KeptSource(std::shared_ptr<const RowSource> kept) : source(std::move(kept)) {}
  std::shared_ptr<const RowSource> source;
};

class AssociateNormed : public torch::autograd::Function<AssociateNormed> {
public:
  /// Either rows, of which some may be missing, or a source.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& query,
                            const std::optional<at::Tensor>& rows, const std::optional<at::Tensor>& missing,
                            const std::shared_ptr<const RowSource>& source, double epsilon) {
    at::AutoDispatchBelowADInplaceOrView below;
    const at::Tensor q = query.contiguous();
    const Rows all{rows ? rows->contiguous() : at::Tensor(), missing ? missing->contiguous() : at::Tensor(),
                   source};
    const int64_t batches = all.bags(), queries = q.size(1);
    Answer answer{at::empty({batches, queries, all.size()}, q.options()),
                  at::empty({batches, queries}, q.options()), at::empty({batches, queries}, q.options())};
    AT_DISPATCH_FLOATING_TYPES(q.scalar_type(), "mneme::associate_normed",
                               [&] { ops::forward(Bags<scalar_t>(q, all, epsilon), answer); });
    context->save_for_backward({q, all.tensor, all.missing, answer.readout, answer.largest, answer.sum});
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["source"] = c10::IValue::make_capsule(c10::make_intrusive<KeptSource>(source));
    return answer.readout;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    kChecks.first_derivative();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const double epsilon = context->saved_data["epsilon"].toDouble();
    const auto kept = context->saved_data["source"].toCapsule();
    const Rows all{saved[1], saved[2], static_cast<const KeptSource&>(*kept).source};
    return AT_DISPATCH_FLOATING_TYPES(saved[0].scalar_type(), "mneme::associate_normed", [&] {
      return ops::backward(Bags<scalar_t>(saved[0], all, epsilon), gradients[0].contiguous(),
                           {saved[3], saved[4], saved[5]}, saved[0],
                           {context->needs_input_grad(0), !all.source && context->needs_input_grad(1)});
    });
  }
};

} // namespace

at::Tensor associate_normed(const at::Tensor& query, const at::Tensor& rows, double epsilon,
                            const at::Tensor& missing) {
  check(query, rows, epsilon);
  if (missing.defined()) {
    check_missing(missing, rows);
  }
  if (has_kernel(rows)) {
    return AssociateNormed::apply(query, std::optional(rows),
                                  missing.defined() ? std::optional(missing) : std::nullopt,
                                  std::shared_ptr<const RowSource>(), epsilon);
  }
  if (rows.size(1) == 0) {
    return at::zeros({rows.size(0), query.size(1), rows.size(2)}, rows.options());
  }
  const at::Tensor normed = at::layer_norm(rows, {rows.size(2)}, {}, {}, epsilon);
  if (!missing.defined()) {
    return associate(query, normed, normed, {.beta = 1.0});
  }
  const at::ScalarType wide = rows.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor absent = missing.unsqueeze(1);
  const at::Tensor scores =
      at::matmul(query, normed.transpose(1, 2))
          .to(wide)
          .masked_fill(absent, static_cast<double>(std::numeric_limits<float>::lowest()));
  const at::Tensor weights = at::softmax(scores, -1).masked_fill(absent, 0).to(rows.scalar_type());
  return at::matmul(weights, normed.masked_fill(missing.unsqueeze(2), 0));
}

at::Tensor associate_normed(const at::Tensor& query, const std::shared_ptr<const RowSource>& rows,
                            double epsilon) {
  const Checks::Named q{"query", query};
  check_one(q);
  check_epsilon(epsilon);
  if (!rows) {
    kChecks.refuse("rows is no source at all.", "Give one, for example a data::RowFile.");
  }
  if (query.size(0) != 1 || query.size(2) != rows->size() || rows->size() < 1) {
    kChecks.refuse(c10::str("query has shape ", query.sizes(),
                            ", but the rows of the source, which is one bag, have ", rows->size(),
                            " features: [1, queries, ", rows->size(), "] is needed."),
                   "They are compared feature by feature: project the query.");
  }
  if (!has_kernel(query)) {
    kChecks.refuse(c10::str("query is ", query.scalar_type(), " on ", query.device(),
                            ", but a source is read as Float or Double on the CPU."),
                   "Convert or move it.");
  }
  return AssociateNormed::apply(query, std::optional<at::Tensor>(), std::optional<at::Tensor>(), rows,
                                epsilon);
}

} // namespace mneme::ops
