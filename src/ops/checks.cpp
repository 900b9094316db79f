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

void Checks::same_size(const Named& a, int64_t dimension_of_a, const Named& b, int64_t dimension_of_b,
                       const char* unit, const char* how_to_fix) const {
  if (a.tensor.size(dimension_of_a) != b.tensor.size(dimension_of_b)) {
    fail(c10::str(b.name, " has ", size_text(b, dimension_of_b, unit), " but ", a.name, " has ",
                  size_text(a, dimension_of_a, unit), "."),
         how_to_fix);
  }
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
