// SPDX-License-Identifier: MIT

#include "kernels/normed_association/normed_association.h"

#include "kernels/benchmark_inputs.h"
#include "mneme/core/cpu.h"

namespace mneme::kernels {
namespace {

/// Shapes: few queries over bags of rows that do and do not fit into the caches.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"queries", "stored", "size"})
      ->Args({1, 4096, 32})
      ->Args({1, 300'000, 32})
      ->Args({4, 300'000, 32})
      ->Args({1, 30'000, 512});
}

template <class T> struct Inputs {
  int64_t num_queries, num_rows, size;
  std::vector<T> queries, rows, d_readout, readout, row_max, row_sum, delta, d_queries, d_rows;

  explicit Inputs(const benchmark::State& state)
      : num_queries(state.range(0)), num_rows(state.range(1)), size(state.range(2)),
        queries(random_numbers<T>(1, num_queries * size)), rows(random_numbers<T>(2, num_rows * size)),
        d_readout(random_numbers<T>(3, num_queries * size)), readout(queries.size()),
        row_max(size_t(num_queries)), row_sum(row_max.size()), delta(row_max.size()),
        d_queries(queries.size()), d_rows(rows.size()) {
    normed_association(forward());
  }
  NormedAssociationArgs<T> forward() {
    return {queries.data(), rows.data(), T(1e-5), readout.data(), row_max.data(), row_sum.data(),
            num_queries,    num_rows,    size};
  }
  NormedAssociationGradientArgs<T> backward(bool with_d_rows) {
    return {queries.data(), rows.data(),      T(1e-5),
            row_max.data(), row_sum.data(),   d_readout.data(),
            delta.data(),   d_queries.data(), with_d_rows ? d_rows.data() : nullptr,
            num_queries,    num_rows,         size};
  }
};

template <class T, class Run> void run(benchmark::State& state, Run run) {
  Inputs<T> inputs(state);
  for (auto _ : state) {
    run(inputs);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * inputs.num_rows * inputs.size); // elements read
  state.SetLabel(cpu_target());
}

template <class T> void BM_reference(benchmark::State& state) {
  run<T>(state, [](Inputs<T>& inputs) { reference::normed_association(inputs.forward()); });
}
template <class T> void BM_normed_association(benchmark::State& state) {
  run<T>(state, [](Inputs<T>& inputs) { normed_association(inputs.forward()); });
}
template <class T> void BM_gradient_of_queries(benchmark::State& state) {
  run<T>(state, [](Inputs<T>& inputs) { normed_association_gradient(inputs.backward(false)); });
}
template <class T> void BM_gradient_of_queries_and_rows(benchmark::State& state) {
  run<T>(state, [](Inputs<T>& inputs) { normed_association_gradient(inputs.backward(true)); });
}
BENCHMARK(BM_reference<float>)->Apply(shapes);
BENCHMARK(BM_normed_association<float>)->Apply(shapes);
BENCHMARK(BM_gradient_of_queries<float>)->Apply(shapes);
BENCHMARK(BM_gradient_of_queries_and_rows<float>)->Apply(shapes);
BENCHMARK(BM_normed_association<double>)->Apply(shapes);

} // namespace
} // namespace mneme::kernels
