// SPDX-License-Identifier: MIT

#include "mneme/nn/associative_memory.h"

#include <cmath>
#include <numeric>
#include <vector>

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include "mneme/core/interrupt.h"
#include "mneme/ops/associate.h"
#include "nn/checks.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

constexpr const char* kMemory = "AssociativeMemory";

void check_patterns(const char* name, const at::Tensor& patterns) {
  const bool is_double = patterns.defined() && patterns.scalar_type() == at::kDouble;
  check_shape(kMemory, name, patterns, {"patterns", "features"}, "They are float32 or float64.",
              is_double ? at::kDouble : at::kFloat);
  if (patterns.device().is_cpu() && !all_finite(patterns)) {
    refuse(kMemory, c10::str(name, " contain NaN or infinity, but all numbers must be finite."),
           "Replace it, or leave this pattern out.");
  }
}

/// On the CPU only: on other devices this check would force a synchronisation.
const at::Tensor& checked_result(const char* name, const at::Tensor& result) {
  if (result.device().is_cpu() && !all_finite(result)) {
    refuse(kMemory,
           c10::str(name, " is not finite, although all arguments are: numbers are too large for ",
                    result.scalar_type(), "."),
           "Scale patterns and states down, or use float64.");
  }
  return result;
}

/// Checks that features, type and device are equal.
void check_same(const char* a_name, const at::Tensor& a, const char* b_name, const at::Tensor& b) {
  if (a.size(1) != b.size(1) || a.scalar_type() != b.scalar_type() || a.device() != b.device()) {
    refuse(kMemory,
           c10::str(a_name, " have ", a.size(1), " features of ", a.scalar_type(), " on ", a.device(), ", ",
                    b_name, " have ", b.size(1), " of ", b.scalar_type(), " on ", b.device(), "."),
           "Make features, type and device equal.");
  }
}

/// For each row, whether no element of `a` and `b` differs by more than eps; false if one is NaN. On a CPU.
std::vector<bool> are_equal_rows(const at::Tensor& a, const at::Tensor& b, double eps) {
  const at::Tensor from = a.contiguous(), to = b.contiguous();
  const int64_t rows = from.size(0), columns = from.size(1);
  std::vector<bool> equal(static_cast<size_t>(rows));
  AT_DISPATCH_FLOATING_TYPES(from.scalar_type(), "mneme::AssociativeMemory", [&] {
    const auto *x = from.const_data_ptr<scalar_t>(), *y = to.const_data_ptr<scalar_t>();
    auto bound = static_cast<scalar_t>(eps); // the largest number of this type up to eps
    bound = static_cast<double>(bound) > eps ? std::nextafter(bound, scalar_t{0}) : bound;
    for (int64_t r = 0; r < rows; ++r) {
      int64_t within = 0; // a sum without branches, which the compiler vectorises
      for (int64_t i = r * columns; i < (r + 1) * columns; ++i) {
        within += std::abs(y[i] - x[i]) <= bound ? 1 : 0;
      }
      equal[static_cast<size_t>(r)] = within == columns;
    }
  });
  return equal;
}

} // namespace

AssociativeMemory::AssociativeMemory(AssociativeMemoryOptions options) : options_(std::move(options)) {
  check_positive(kMemory, "beta", options_.beta(), "A larger beta separates patterns that are more similar.");
  check_size(kMemory, "update_steps_max", options_.update_steps_max());
  if (!(options_.update_steps_eps() >= 0)) {
    refuse(kMemory, c10::str("update_steps_eps is ", options_.update_steps_eps(), ", but must be >= 0."),
           "The default is 1e-4.");
  }
}

void AssociativeMemory::store(const at::Tensor& patterns, const at::Tensor& values) {
  check_patterns("patterns", patterns);
  if (values.defined()) {
    check_patterns("values", values);
    if (values.size(0) != patterns.size(0) || values.scalar_type() != patterns.scalar_type() ||
        values.device() != patterns.device()) {
      refuse(kMemory,
             c10::str("there are ", patterns.size(0), " patterns of ", patterns.scalar_type(), " on ",
                      patterns.device(), ", but ", values.size(0), " values of ", values.scalar_type(),
                      " on ", values.device(), "."),
             "Each pattern needs one value, of the same type and on the same device.");
    }
  }
  if (!stored_.defined() && patterns.size(0) == 0) {
    refuse(kMemory, c10::str("patterns of shape ", patterns.sizes(), " are to be stored first."),
           "Store at least one pattern.");
  }
  if (stored_.defined()) {
    check_same("patterns", patterns, "the stored ones", stored_);
    if (values.defined() != values_.defined()) {
      refuse(kMemory,
             c10::str("patterns are given ", values.defined() ? "with" : "without", " values, but the ",
                      size(), " stored patterns are ", values_.defined() ? "with" : "without", " values."),
             "Give values for all patterns or for none.");
    }
    if (values.defined()) {
      check_same("values", values, "the stored ones", values_);
    }
  }
  stored_ = stored_.defined() ? at::cat({stored_, patterns}) : patterns.clone();
  if (values.defined()) {
    values_ = values_.defined() ? at::cat({values_, values}) : values.clone();
  }
  max_square_ = at::Tensor();
  if (!stored_.requires_grad()) { // else energies are differentiated with respect to the patterns
    max_square_ = max_square();
  }
}

void AssociativeMemory::check_states(const at::Tensor& states) const {
  if (size() == 0) {
    refuse(kMemory, "no patterns are stored.", "Call store first.");
  }
  check_patterns("states", states);
  check_same("states", states, "stored patterns", stored_);
}

at::Tensor AssociativeMemory::association(const at::Tensor& states) const {
  check_states(states);
  return checked_result("the association", weights(states));
}

at::Tensor AssociativeMemory::weights(const at::Tensor& states) const {
  return ops::separate(at::matmul(states * options_.beta(), stored_.t()), options_.separation());
}

at::Tensor AssociativeMemory::read(const at::Tensor& states, const at::Tensor& values) const {
  if (options_.separation() == ops::Separation::softmax && stored_.size(1) > 0) {
    return ops::associate(states.unsqueeze(0), stored_.unsqueeze(0), values.unsqueeze(0),
                          {.beta = options_.beta()})
        .squeeze(0);
  }
  return at::matmul(weights(states), values);
}

at::Tensor AssociativeMemory::energy(const at::Tensor& states) const {
  check_states(states);
  return checked_result("the energy", energy_of(states));
}

at::Tensor AssociativeMemory::energy_of(const at::Tensor& states) const {
  const double beta = options_.beta();
  const at::Tensor scores = at::matmul(states * beta, stored_.t());
  return states.square().sum(-1) / 2 - ops::separation_potential(scores, options_.separation()) / beta +
         (ops::max_entropy(size(), options_.separation()) / beta + max_square() / 2);
}

at::Tensor AssociativeMemory::max_square() const {
  return max_square_.defined() ? max_square_ : stored_.square().sum(-1).amax();
}

at::Tensor AssociativeMemory::has_converged(const at::Tensor& from, const at::Tensor& to) const {
  const at::NoGradGuard no_gradient;
  return stored_.size(1) == 0 ? at::ones({from.size(0)}, from.options().dtype(at::kBool).requires_grad(false))
                              : (to - from).abs().amax(-1) <= options_.update_steps_eps();
}

at::Tensor AssociativeMemory::update_unconverged(MemoryRetrieval& result) const {
  at::Tensor before = result.state;
  auto* steps = result.steps.mutable_data_ptr<int64_t>();
  auto* converged = result.converged.mutable_data_ptr<bool>();
  std::vector<int64_t> active(static_cast<size_t>(before.size(0)));
  std::iota(active.begin(), active.end(), 0);
  for (int64_t step = 0; step < options_.update_steps_max() && !active.empty(); ++step) {
    throw_if_interrupted();
    const bool all = std::ssize(active) == before.size(0);
    const at::Tensor rows = all ? at::Tensor() : at::tensor(active, at::kLong);
    const at::Tensor from = all ? result.state : result.state.index_select(0, rows), to = read(from, stored_);
    before = all ? from : before.index_copy(0, rows, from);
    result.state = all ? to : result.state.index_copy(0, rows, to);
    const std::vector<bool> is_equal = are_equal_rows(from, to, options_.update_steps_eps());
    std::vector<int64_t> still_active;
    for (size_t i = 0; i < active.size(); ++i) {
      ++steps[active[i]];
      converged[active[i]] = is_equal[i];
      if (!is_equal[i]) {
        still_active.push_back(active[i]);
      }
    }
    active = std::move(still_active);
  }
  return before;
}

at::Tensor AssociativeMemory::update_all(MemoryRetrieval& result) const {
  constexpr int64_t kUpdatesPerCheck = 8;
  at::Tensor before = result.state, active = result.converged.logical_not();
  for (int64_t step = 0; step < options_.update_steps_max() && active.numel() > 0; ++step) {
    throw_if_interrupted();
    if (step > 0 && step % kUpdatesPerCheck == 0 && !active.any().item<bool>()) {
      break;
    }
    const at::Tensor from = result.state, to = read(from, stored_), row = active.unsqueeze(1);
    before = at::where(row, from, before);
    result.state = at::where(row, to, from);
    result.steps = result.steps + active;
    const at::Tensor converged = has_converged(from, to);
    result.converged = result.converged.logical_or(active.logical_and(converged));
    active = active.logical_and(converged.logical_not());
  }
  return before;
}

MemoryRetrieval AssociativeMemory::retrieve(const at::Tensor& states) const {
  check_states(states);
  const at::TensorOptions per_state = states.options().requires_grad(false);
  MemoryRetrieval result{.state = states,
                         .steps = at::zeros({states.size(0)}, per_state.dtype(at::kLong)),
                         .converged = at::zeros({states.size(0)}, per_state.dtype(at::kBool))};
  const at::Tensor before = states.device().is_cpu() ? update_unconverged(result) : update_all(result);
  checked_result("the state after an update", result.state);
  result.readout = values_.defined() ? read(before, values_) : result.state;
  result.energy = checked_result("the energy", energy_of(result.state));
  return result;
}

} // namespace mneme::nn
