// SPDX-License-Identifier: MIT

#include "mneme/ops/associate.h"

#include <cmath>
#include <string>

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include "mneme/core/error.h"

namespace mneme::ops {
namespace {

struct Named {
  const char* name;
  const at::Tensor& tensor;
};

[[noreturn]] void refuse(const std::string& what, const std::string& how_to_fix) {
  throw UsageError("mneme::ops::associate: " + what + "\n  " + how_to_fix);
}

/// "3 features (shape [2, 5, 3])"
std::string sized(const Named& input, int64_t dimension, const char* unit) {
  return c10::str(input.tensor.size(dimension), " ", unit, " (shape ", input.tensor.sizes(), ")");
}

void check_alone(const Named& input) {
  if (!input.tensor.defined()) {
    refuse(c10::str(input.name, " is an undefined tensor."),
           "Give it three dimensions: batch, patterns, features.");
  }
  if (input.tensor.dim() != 3) {
    refuse(c10::str(input.name, " has ", input.tensor.dim(), " dimensions (shape ", input.tensor.sizes(),
                    "), 3 are needed: batch, patterns, features."),
           "A single batch is unsqueeze(0).");
  }
  if (!at::isFloatingType(input.tensor.scalar_type())) {
    refuse(
        c10::str(input.name, " is of type ", input.tensor.scalar_type(), ", real floating point is needed."),
        "Convert it first, for example to float32.");
  }
}

void check_equal(const Named& a, const Named& b, int64_t dimension, const char* unit,
                 const char* how_to_fix) {
  if (a.tensor.size(dimension) != b.tensor.size(dimension)) {
    refuse(c10::str(b.name, " has ", sized(b, dimension, unit), " but ", a.name, " has ",
                    sized(a, dimension, unit), "."),
           how_to_fix);
  }
}

void check_together(const Named& a, const Named& b) {
  if (a.tensor.scalar_type() != b.tensor.scalar_type()) {
    refuse(c10::str(b.name, " is of type ", b.tensor.scalar_type(), " but ", a.name, " is of type ",
                    a.tensor.scalar_type(), "."),
           "Convert one of them.");
  }
  if (a.tensor.device() != b.tensor.device()) {
    refuse(c10::str(b.name, " is on ", b.tensor.device(), " but ", a.name, " is on ", a.tensor.device(), "."),
           "Move one of them.");
  }
  if (a.tensor.size(0) != 1 && b.tensor.size(0) != 1) {
    check_equal(a, b, 0, "batches", "Make the batches equal, or 1 on one side.");
  }
}

double checked_beta(const AssociateOptions& options, int64_t features) {
  const double beta = options.beta.value_or(1.0 / std::sqrt(static_cast<double>(features)));
  if (!std::isfinite(beta) || beta <= 0) {
    refuse(c10::str("beta is ", beta, ", but must be finite and > 0."),
           "Leave it out to get 1 / sqrt(features).");
  }
  return beta;
}

} // namespace

at::Tensor associate(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                     const AssociateOptions& options) {
  const Named q{"query", query}, s{"stored", stored}, v{"value", value};
  for (const Named& input : {q, s, v}) {
    check_alone(input);
  }
  check_together(q, s);
  check_together(q, v);
  check_together(s, v);
  check_equal(q, s, 2, "features", "They are compared feature by feature: project one of them.");
  check_equal(s, v, 1, "patterns", "Each stored pattern needs one value.");
  if (stored.size(1) == 0 || stored.size(2) == 0) {
    refuse(c10::str("stored has ", sized(s, 1, "patterns"), " of ", stored.size(2),
                    " features, at least 1 of 1 is needed."),
           "There is nothing to recall from an empty memory.");
  }

  // Scaling the queries is cheaper than scaling the scores, of which there are S / D times as many.
  const at::Tensor scores = at::matmul(query * checked_beta(options, query.size(2)), stored.transpose(1, 2));
  return at::matmul(at::softmax(scores, -1), value);
}

} // namespace mneme::ops
