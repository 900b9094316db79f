// SPDX-License-Identifier: MIT

/// Checks of tensors at the border of the room: what is wrong, both sides of the comparison, how to fix it.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// The checks of one function: every message begins with its name.
class Checks {
public:
  explicit Checks(const char* function) : function_(function) {}

  struct Named {
    const char* name;
    const at::Tensor& tensor;
  };

  [[noreturn]] void refuse(const std::string& what, const std::string& how_to_fix) const;
  void defined(const Named& input, const char* needed) const;
  /// `needed` lists the dimensions: "batch, patterns, features".
  void dimensions(const Named& input, int64_t count, const char* needed, const char* how_to_fix) const;
  void real(const Named& input) const;
  void same_type(const Named& a, const Named& b) const;
  void same_device(const Named& a, const Named& b) const;
  void equal(const Named& a, int64_t dimension_of_a, const Named& b, int64_t dimension_of_b, const char* unit,
             const char* how_to_fix) const;

  void share(const char* name, double number) const; ///< in [0, 1]

  /// For the way back of an operator that has no second one.
  void first_derivative() const;

  /// "3 features (shape [2, 5, 3])"
  static std::string sized(const Named& input, int64_t dimension, const char* unit);

private:
  const char* function_;
};

} // namespace mneme::ops
