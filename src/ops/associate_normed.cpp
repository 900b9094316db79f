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
// Sums are accumulated in the type of the rows within a chunk and in float64 over chunks, so that long sums
// keep their precision.
constexpr int64_t kRowsPerChunk = 4096;

void check_tensor(const Checks::Named& input) {
  kChecks.dimensions(input, 3, "batch, patterns, features", "Use unsqueeze(0) on a single batch.");
  kChecks.floating_point(input);
}

void check_epsilon(double epsilon) {
  if (!(epsilon > 0) || !std::isfinite(epsilon)) {
    kChecks.fail(c10::str("epsilon is ", epsilon, ", but must be finite and > 0."),
                 "1e-5 is the usual value.");
  }
}

void check(const at::Tensor& query, const at::Tensor& rows, double epsilon) {
  const Checks::Named q{"query", query}, r{"rows", rows};
  check_tensor(q);
  check_tensor(r);
  kChecks.same_type_and_device(q, r);
  kChecks.same_size(q, 2, r, 2, "features", "Scores are dot products over features: project the query.");
  if (query.size(0) != 1) {
    kChecks.same_size(q, 0, r, 0, "batches", "Make the batches equal, or the batch of the query 1.");
  }
  kChecks.not_empty(r, 2, "features", "A layer norm needs features.");
  check_epsilon(epsilon);
}

template <class T> std::unique_ptr<T[]> allocate(int64_t count) {
  return std::make_unique_for_overwrite<T[]>(static_cast<size_t>(count));
}

void check_key_padding_mask(const at::Tensor& mask, const at::Tensor& rows) {
  if (mask.scalar_type() != at::kBool || mask.device() != rows.device() ||
      mask.sizes() != at::IntArrayRef{rows.size(0), rows.size(1)}) {
    kChecks.fail(c10::str("key_padding_mask is ", mask.scalar_type(), " on ", mask.device(), " (shape ",
                          mask.sizes(), "), but Bool on ", rows.device(), " of [", rows.size(0), ", ",
                          rows.size(1), "] is needed: batch, rows."),
                 "True means that the row is ignored.");
  }
}

/// Either bags as a tensor, or one bag that is read from a source.
struct Rows {
  at::Tensor tensor;           ///< [B, N, E], contiguous
  at::Tensor key_padding_mask; ///< bool [B, N], contiguous; undefined: no row is ignored
  std::shared_ptr<const RowSource> source;

  int64_t bags() const { return source ? 1 : tensor.size(0); }
  int64_t count() const { return source ? source->count() : tensor.size(1); }
  int64_t size() const { return source ? source->size() : tensor.size(2); }
};

/// Rows of a chunk that are not ignored, contiguous.
template <class T> struct Chunk {
  const T* rows;
  int64_t count;
  std::span<const int64_t> indices; ///< of the rows in the chunk; empty: they are its first `count` rows
};

/// Bags, all divided into chunks of the same number of rows, whatever the number of threads.
template <class T> struct Bags {
  const T *query, *rows;        ///< rows: nullptr if there is a source
  const bool* key_padding_mask; ///< nullptr: no row is ignored
  const RowSource* source;
  T epsilon;
  int64_t count, num_queries, num_rows, size, num_chunks;
  bool shared_query;

  Bags(const at::Tensor& queries, const Rows& all, double eps)
      : query(queries.const_data_ptr<T>()), rows(all.source ? nullptr : all.tensor.const_data_ptr<T>()),
        key_padding_mask(all.key_padding_mask.defined() ? all.key_padding_mask.const_data_ptr<bool>()
                                                        : nullptr),
        source(all.source.get()), epsilon(static_cast<T>(eps)), count(all.bags()),
        num_queries(queries.size(1)), num_rows(all.count()), size(all.size()),
        num_chunks((num_rows + kRowsPerChunk - 1) / kRowsPerChunk), shared_query(queries.size(0) == 1) {}

  const T* query_of(int64_t bag) const { return query + (shared_query ? 0 : bag * num_queries * size); }
  int64_t first_row(int64_t chunk) const { return chunk * kRowsPerChunk; }
  int64_t rows_of(int64_t chunk) const { return std::min(kRowsPerChunk, num_rows - first_row(chunk)); }
  /// Offset of a chunk in a tensor [bag, row, feature].
  int64_t offset(int64_t bag, int64_t chunk) const { return (bag * num_rows + first_row(chunk)) * size; }

  /// Calls work(item, bag, index of the chunk, chunk) for each chunk of each bag, in parallel.
  template <class Work> void for_each_chunk(Work work) const {
    constexpr int64_t kChunksPerBlock = 8; // of a source: they share one buffer
    parallel_for(count * num_chunks, rows == nullptr ? kChunksPerBlock : 1, [&](int64_t begin, int64_t end) {
      std::unique_ptr<T[]> buffer;
      std::vector<int64_t> indices;
      for (int64_t item = begin; item < end; ++item) {
        const int64_t bag = item / num_chunks, index = item % num_chunks;
        work(item, bag, index, read(bag, index, buffer, indices));
      }
    });
  }

private:
  Chunk<T> read(int64_t bag, int64_t index, std::unique_ptr<T[]>& buffer,
                std::vector<int64_t>& indices) const {
    const auto allocate_buffer = [&] {
      if (!buffer) {
        buffer = allocate<T>(std::min(kRowsPerChunk, num_rows) * size);
      }
    };
    if (source != nullptr) {
      allocate_buffer();
      source->read(first_row(index), std::span(buffer.get(), static_cast<size_t>(rows_of(index) * size)));
      return {buffer.get(), rows_of(index), {}};
    }
    const T* from = rows + offset(bag, index);
    if (key_padding_mask == nullptr) {
      return {from, rows_of(index), {}};
    }
    indices.clear();
    const bool* is_ignored = key_padding_mask + bag * num_rows + first_row(index);
    for (int64_t row = 0; row < rows_of(index); ++row) {
      if (!is_ignored[row]) {
        indices.push_back(row);
      }
    }
    const int64_t num_kept = std::ssize(indices);
    if (num_kept == 0 || indices.back() == num_kept - 1) { // padding at the end: rows are read in place
      return {from, num_kept, {}};
    }
    allocate_buffer();
    for (int64_t row = 0; row < num_kept; ++row) {
      std::copy_n(from + indices[static_cast<size_t>(row)] * size, size, buffer.get() + row * size);
    }
    return {buffer.get(), num_kept, indices};
  }
};

/// Readout and softmax statistics per query, from which backward recomputes the weights.
struct Readout {
  at::Tensor readout;          ///< [B, Q, E]
  at::Tensor row_max, row_sum; ///< [B, Q]
};

template <class T> void forward(const Bags<T>& bags, const Readout& to) {
  const int64_t q = bags.num_queries, items = bags.count * bags.num_chunks * q;
  const auto readouts = allocate<T>(items * bags.size), row_max = allocate<T>(items),
             row_sum = allocate<T>(items);
  bags.for_each_chunk([&](int64_t item, int64_t bag, int64_t, const Chunk<T>& chunk) {
    kernels::normed_association(
        kernels::NormedAssociationArgs<T>{.queries = bags.query_of(bag),
                                          .rows = chunk.rows,
                                          .epsilon = bags.epsilon,
                                          .readout = readouts.get() + item * q * bags.size,
                                          .row_max = row_max.get() + item * q,
                                          .row_sum = row_sum.get() + item * q,
                                          .num_queries = q,
                                          .num_rows = chunk.count,
                                          .size = bags.size});
  });
  // Merges the chunks of each query, in order.
  T *readout = to.readout.mutable_data_ptr<T>(), *to_max = to.row_max.mutable_data_ptr<T>(),
    *to_sum = to.row_sum.mutable_data_ptr<T>();
  std::vector<double> total(static_cast<size_t>(bags.size));
  for (int64_t at = 0; at < bags.count * q; ++at) {
    const int64_t first = at / q * bags.num_chunks * q + at % q, last = first + bags.num_chunks * q;
    T max = std::numeric_limits<T>::lowest();
    for (int64_t partial = first; partial < last; partial += q) {
      max = std::max(max, row_max[static_cast<size_t>(partial)]);
    }
    double sum = 0;
    std::ranges::fill(total, 0.0);
    for (int64_t partial = first; partial < last; partial += q) {
      const double weight =
          static_cast<double>(row_sum[static_cast<size_t>(partial)]) *
          std::exp(static_cast<double>(row_max[static_cast<size_t>(partial)]) - static_cast<double>(max));
      sum += weight;
      for (int64_t i = 0; i < bags.size; ++i) {
        total[static_cast<size_t>(i)] +=
            weight * static_cast<double>(readouts[static_cast<size_t>(partial * bags.size + i)]);
      }
    }
    for (int64_t i = 0; i < bags.size; ++i) {
      readout[at * bags.size + i] = static_cast<T>(sum == 0 ? 0.0 : total[static_cast<size_t>(i)] / sum);
    }
    to_max[at] = max;
    to_sum[at] = static_cast<T>(sum);
  }
}

struct NeedsGradient {
  bool query, rows;
};

template <class T>
torch::autograd::variable_list backward(const Bags<T>& bags, const at::Tensor& d_readout,
                                        const Readout& forward, const at::Tensor& query,
                                        NeedsGradient needs_gradient) {
  const int64_t q = bags.num_queries, query_size = q * bags.size;
  const T *g = d_readout.const_data_ptr<T>(), *readout = forward.readout.const_data_ptr<T>();
  std::vector<T> delta(static_cast<size_t>(bags.count * q)); // d_readout . readout of each query
  for (size_t at = 0; at < delta.size(); ++at) {
    double sum = 0;
    for (int64_t i = static_cast<int64_t>(at) * bags.size; i < static_cast<int64_t>(at + 1) * bags.size;
         ++i) {
      sum += static_cast<double>(g[i]) * static_cast<double>(readout[i]);
    }
    delta[at] = static_cast<T>(sum);
  }
  // Gradients of ignored rows stay 0.
  const at::Tensor d_rows =
      needs_gradient.rows ? at::zeros({bags.count, bags.num_rows, bags.size}, query.options()) : at::Tensor();
  const auto partials = std::make_unique<T[]>( // zeros: the kernel adds to them
      static_cast<size_t>(needs_gradient.query ? bags.count * bags.num_chunks * query_size : 0));
  bags.for_each_chunk([&](int64_t item, int64_t bag, int64_t index, const Chunk<T>& chunk) {
    T* d_chunk = needs_gradient.rows ? d_rows.mutable_data_ptr<T>() + bags.offset(bag, index) : nullptr;
    const auto gathered = allocate<T>(needs_gradient.rows ? std::ssize(chunk.indices) * bags.size : 0);
    kernels::normed_association_gradient(kernels::NormedAssociationGradientArgs<T>{
        .queries = bags.query_of(bag),
        .rows = chunk.rows,
        .epsilon = bags.epsilon,
        .row_max = forward.row_max.const_data_ptr<T>() + bag * q,
        .row_sum = forward.row_sum.const_data_ptr<T>() + bag * q,
        .d_readout = g + bag * query_size,
        .delta = delta.data() + bag * q,
        .d_queries = needs_gradient.query ? partials.get() + item * query_size : nullptr,
        .d_rows = chunk.indices.empty() || !needs_gradient.rows ? d_chunk : gathered.get(),
        .num_queries = q,
        .num_rows = chunk.count,
        .size = bags.size});
    for (int64_t row = 0; needs_gradient.rows && row < std::ssize(chunk.indices); ++row) {
      std::copy_n(gathered.get() + row * bags.size, bags.size,
                  d_chunk + chunk.indices[static_cast<size_t>(row)] * bags.size);
    }
  });
  at::Tensor d_query;
  if (needs_gradient.query) {
    d_query = at::zeros_like(query);
    T* to = d_query.mutable_data_ptr<T>();
    std::vector<double> total(static_cast<size_t>(d_query.numel()));
    for (int64_t item = 0; item < bags.count * bags.num_chunks; ++item) {
      const int64_t first = bags.shared_query ? 0 : item / bags.num_chunks * query_size;
      for (int64_t i = 0; i < query_size; ++i) {
        total[static_cast<size_t>(first + i)] +=
            static_cast<double>(partials[static_cast<size_t>(item * query_size + i)]);
      }
    }
    std::ranges::copy(total, to);
  }
  return {d_query, d_rows, at::Tensor(), at::Tensor(), at::Tensor()};
}

/// Keeps a source alive until backward.
struct SavedSource : torch::CustomClassHolder {
  explicit SavedSource(std::shared_ptr<const RowSource> saved) : source(std::move(saved)) {}
  std::shared_ptr<const RowSource> source;
};

class AssociateNormed : public torch::autograd::Function<AssociateNormed> {
public:
  /// Either `rows` with an optional key padding mask, or `source`.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& query,
                            const std::optional<at::Tensor>& rows,
                            const std::optional<at::Tensor>& key_padding_mask,
                            const std::shared_ptr<const RowSource>& source, double epsilon) {
    at::AutoDispatchBelowADInplaceOrView below;
    const at::Tensor q = query.contiguous();
    const Rows all{rows ? rows->contiguous() : at::Tensor(),
                   key_padding_mask ? key_padding_mask->contiguous() : at::Tensor(), source};
    const int64_t batches = all.bags(), queries = q.size(1);
    Readout result{at::empty({batches, queries, all.size()}, q.options()),
                   at::empty({batches, queries}, q.options()), at::empty({batches, queries}, q.options())};
    AT_DISPATCH_FLOATING_TYPES(q.scalar_type(), "mneme::associate_normed",
                               [&] { ops::forward(Bags<scalar_t>(q, all, epsilon), result); });
    context->save_for_backward(
        {q, all.tensor, all.key_padding_mask, result.readout, result.row_max, result.row_sum});
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["source"] = c10::IValue::make_capsule(c10::make_intrusive<SavedSource>(source));
    return result.readout;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    kChecks.no_double_backward();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const double epsilon = context->saved_data["epsilon"].toDouble();
    const auto saved_source = context->saved_data["source"].toCapsule();
    const Rows all{saved[1], saved[2], static_cast<const SavedSource&>(*saved_source).source};
    return AT_DISPATCH_FLOATING_TYPES(saved[0].scalar_type(), "mneme::associate_normed", [&] {
      return ops::backward(Bags<scalar_t>(saved[0], all, epsilon), gradients[0].contiguous(),
                           {saved[3], saved[4], saved[5]}, saved[0],
                           {context->needs_input_grad(0), !all.source && context->needs_input_grad(1)});
    });
  }
};

} // namespace

at::Tensor associate_normed(const at::Tensor& query, const at::Tensor& rows, double epsilon,
                            const at::Tensor& key_padding_mask) {
  check(query, rows, epsilon);
  if (key_padding_mask.defined()) {
    check_key_padding_mask(key_padding_mask, rows);
  }
  if (has_kernel(rows)) {
    return AssociateNormed::apply(query, std::optional(rows),
                                  key_padding_mask.defined() ? std::optional(key_padding_mask) : std::nullopt,
                                  std::shared_ptr<const RowSource>(), epsilon);
  }
  if (rows.size(1) == 0) {
    return at::zeros({rows.size(0), query.size(1), rows.size(2)}, rows.options());
  }
  const at::Tensor normed = at::layer_norm(rows, {rows.size(2)}, {}, {}, epsilon);
  if (!key_padding_mask.defined()) {
    return associate(query, normed, normed, {.beta = 1.0});
  }
  const at::ScalarType wide = rows.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor ignored = key_padding_mask.unsqueeze(1);
  const at::Tensor scores =
      at::matmul(query, normed.transpose(1, 2))
          .to(wide)
          .masked_fill(ignored, static_cast<double>(std::numeric_limits<float>::lowest()));
  const at::Tensor weights = at::softmax(scores, -1).masked_fill(ignored, 0).to(rows.scalar_type());
  return at::matmul(weights, normed.masked_fill(key_padding_mask.unsqueeze(2), 0));
}

at::Tensor associate_normed(const at::Tensor& query, const std::shared_ptr<const RowSource>& rows,
                            double epsilon) {
  const Checks::Named q{"query", query};
  check_tensor(q);
  check_epsilon(epsilon);
  if (!rows) {
    kChecks.fail("rows is a null pointer.", "Pass a source, for example a data::RowFile.");
  }
  if (query.size(0) != 1 || query.size(2) != rows->size() || rows->size() < 1) {
    kChecks.fail(c10::str("query has shape ", query.sizes(), ", but the source is one bag with rows of ",
                          rows->size(), " features: [1, queries, ", rows->size(), "] is needed."),
                 "Scores are dot products over features: project the query.");
  }
  if (!has_kernel(query)) {
    kChecks.fail(c10::str("query is ", query.scalar_type(), " on ", query.device(),
                          ", but a source is read as Float or Double on the CPU."),
                 "Convert or move it.");
  }
  return AssociateNormed::apply(query, std::optional<at::Tensor>(), std::optional<at::Tensor>(), rows,
                                epsilon);
}

} // namespace mneme::ops
