// SPDX-License-Identifier: MIT

#include "ops/checks.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/StringUtil.h>

#include "mneme/core/error.h"

namespace mneme::ops {

void Checks::fail(const std::string& what, const std::string& how_to_fix) const {
  throw UsageError(c10::str("mneme::ops::", function_, ": ", what, "\n  ", how_to_fix));
}

std::string Checks::size_text(const Named& input, int64_t dimension, const char* unit) {
  return c10::str(input.tensor.size(dimension), " ", unit, " (shape ", input.tensor.sizes(), ")");
}

void Checks::defined(const Named& input, const char* needed) const {
  if (!input.tensor.defined()) {
    fail(c10::str(input.name, " is an undefined tensor."),
         c10::str("Pass a tensor with the dimensions ", needed, "."));
  }
}

void Checks::dimensions(const Named& input, int64_t count, const char* needed, const char* how_to_fix) const {
  defined(input, needed);
  if (input.tensor.dim() != count) {
    fail(c10::str(input.name, " has ", input.tensor.dim(), " dimensions (shape ", input.tensor.sizes(), "), ",
                  count, " are needed: ", needed, "."),
         how_to_fix);
  }
}

void Checks::floating_point(const Named& input) const {
  if (!at::isFloatingType(input.tensor.scalar_type())) {
    fail(c10::str(input.name, " is of type ", input.tensor.scalar_type(), ", real floating point is needed."),
         "Convert it first, for example to float32.");
  }
}

void Checks::same_type(const Named& a, const Named& b) const {
  if (a.tensor.scalar_type() != b.tensor.scalar_type()) {
    fail(c10::str(b.name, " is of type ", b.tensor.scalar_type(), " but ", a.name, " is of type ",
                  a.tensor.scalar_type(), "."),
         "Convert one of them.");
  }
}

void Checks::same_device(const Named& a, const Named& b) const {
  if (a.tensor.device() != b.tensor.device()) {
    fail(c10::str(b.name, " is on ", b.tensor.device(), " but ", a.name, " is on ", a.tensor.device(), "."),
         "Move one of them.");
  }
}

void Checks::same_type_and_device(const Named& a, const Named& b) const {
  same_type(a, b);
  same_device(a, b);
}

void Checks::same_size(const Named& a, int64_t dimension_of_a, const Named& b, int64_t dimension_of_b,
                       const char* unit, const char* how_to_fix) const {
  if (a.tensor.size(dimension_of_a) != b.tensor.size(dimension_of_b)) {
    fail(c10::str(b.name, " has ", size_text(b, dimension_of_b, unit), " but ", a.name, " has ",
                  size_text(a, dimension_of_a, unit), "."),
         how_to_fix);
  }
}

void Checks::not_empty(const Named& input, int64_t dimension, const char* unit,
                       const char* how_to_fix) const {
  if (input.tensor.size(dimension) == 0) {
    fail(c10::str(input.name, " has ", size_text(input, dimension, unit), ", at least 1 is needed."),
         how_to_fix);
  }
}

void Checks::associated_sizes(const Named& query, const Named& stored, const Named& value) const {
  const auto batches_fit = [this](const Named& a, const Named& b) {
    if (a.tensor.size(0) != 1 && b.tensor.size(0) != 1) {
      same_size(a, 0, b, 0, "batches", "Make the batches equal, or 1 in one of the tensors.");
    }
  };
  batches_fit(query, stored);
  batches_fit(query, value);
  batches_fit(stored, value);
  same_size(query, -1, stored, -1, "features", "Scores are dot products over features: project one of them.");
  same_size(stored, -2, value, -2, "patterns", "Each stored pattern needs one value.");
  not_empty(stored, -2, "patterns", "An empty memory has no readout.");
  not_empty(stored, -1, "features", "Patterns without features have no scores.");
}

void Checks::probability(const char* name, double number) const {
  if (!(number >= 0 && number <= 1)) {
    fail(c10::str(name, " is ", number, ", but must be in [0, 1]."), "It is the dropout probability.");
  }
}

void Checks::no_double_backward() const {
  if (at::GradMode::is_enabled()) {
    fail("a second derivative was requested (create_graph), but double backward is not supported.",
         "Leave create_graph out, or use plain LibTorch expressions.");
  }
}

} // namespace mneme::ops
