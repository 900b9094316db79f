// SPDX-License-Identifier: MIT

/// Argument checks of the functions of ops. Every message names the argument, both sides of the comparison,
/// and how to fix it.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// Checks of the arguments of one function; each throws a UsageError that begins with its name.
class Checks {
public:
  explicit Checks(const char* function) : function_(function) {}

  /// Tensor argument with the name used in messages.
  struct Named {
    const char* name;
    const at::Tensor& tensor;
  };

  /// Throws the UsageError.
  [[noreturn]] void fail(const std::string& what, const std::string& how_to_fix) const;
  void defined(const Named& input, const char* needed) const;
  /// Defined, with exactly `count` dimensions; `needed` names them, for example "batch, patterns, features".
  void dimensions(const Named& input, int64_t count, const char* needed, const char* how_to_fix) const;
  void floating_point(const Named& input) const;
  void same_type(const Named& a, const Named& b) const;
  void same_device(const Named& a, const Named& b) const;
  void same_type_and_device(const Named& a, const Named& b) const;
  void same_size(const Named& a, int64_t dimension_of_a, const Named& b, int64_t dimension_of_b,
                 const char* unit, const char* how_to_fix) const;
  /// At least 1 in this dimension.
  void not_empty(const Named& input, int64_t dimension, const char* unit, const char* how_to_fix) const;

  /// Of queries, stored patterns and values [batch, ..., rows, features]: batches that are equal or 1, the
  /// same features of queries and patterns, one value per pattern, and at least one pattern with one feature.
  void associated_sizes(const Named& query, const Named& stored, const Named& value) const;

  /// In [0, 1].
  void probability(const char* name, double number) const;

  /// For the backward function of an operator: double backward is not supported.
  void no_double_backward() const;

  /// "3 features (shape [2, 5, 3])"
  static std::string size_text(const Named& input, int64_t dimension, const char* unit);

private:
  const char* function_;
};

} // namespace mneme::ops
