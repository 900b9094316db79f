// SPDX-License-Identifier: MIT

/// Argument checks and random initialisation that layers share. `layer` is the name of the layer without
/// namespace, as for `refuse`, and `name` that of the argument.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <utility>
#include <variant>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

/// Errors  UsageError if size < 1
void check_size(const char* layer, const char* name, int64_t size);
void check_sizes(const char* layer, std::initializer_list<std::pair<const char*, int64_t>> sizes);

/// Errors  UsageError unless number is finite and > 0
void check_positive(const char* layer, const char* name, double number, const char* how_to_fix);

/// For the number that a layer norm adds to the variance.
///
/// Errors  UsageError unless epsilon is finite and >= 0
void check_norm_epsilon(const char* layer, const char* name, double epsilon);

/// The size of a dimension, or its name ("B") if it may have any size.
using NeededSize = std::variant<int64_t, const char*>;
/// Errors  UsageError unless tensor is defined and has this shape and type
void check_shape(const char* layer, const char* name, const at::Tensor& tensor,
                 std::initializer_list<NeededSize> shape, const char* how_to_fix,
                 std::optional<at::ScalarType> type = {});

/// For an input that a layer multiplies by its parameters. An undefined parameter, or one of integers, has no
/// required type. Under autocast only devices are compared.
///
/// Errors  UsageError unless input and parameter have the same type and device
void check_parameter_type(const char* layer, const char* name, const at::Tensor& input,
                          const at::Tensor& parameter);

/// Errors  UsageError unless num_heads divides hidden_size, and both are at least 1
void check_heads(const char* layer, int64_t hidden_size, int64_t num_heads);

/// Errors  UsageError unless x has shape [B, T, size], and type and device of `parameter`
void check_sequence(const char* layer, const at::Tensor& x, int64_t size, const at::Tensor& parameter);

/// For layers that scale kept elements by 1 / (1 - dropout).
///
/// Errors  UsageError unless dropout is in [0, 1)
void check_partial_dropout(const char* layer, double dropout, const char* name = "dropout");

/// Errors  UsageError unless `bits` is int64 [B, length] and contains only 0 and 1 (values are checked on the
///         CPU only: on other devices this check would force a synchronisation)
void check_bits(const char* layer, const at::Tensor& bits, int64_t length);

/// True if no element is NaN or infinite; an empty tensor is finite. On other devices than the CPU, this
/// forces a synchronisation.
bool all_finite(const at::Tensor& tensor);

/// New CPU generator, for the initialisation of parameters.
at::Generator make_generator(uint64_t seed);
/// Draws a seed for one call, such as that of a dropout mask; undefined generator: LibTorch's default
/// generator.
int64_t draw_seed(const at::Generator& generator = {});

/// While one exists, zero_parameter, fill_normal and fill_uniform leave memory as it is, on this thread: for
/// a model whose parameters are all read from a file, since random numbers for those of GPT-2 take half a
/// second.
class SkipInitialisation {
public:
  SkipInitialisation();
  ~SkipInitialisation();
  SkipInitialisation(const SkipInitialisation&) = delete;
  SkipInitialisation& operator=(const SkipInitialisation&) = delete;

private:
  bool before_;
};

/// Zeros of type float32.
at::Tensor zero_parameter(at::IntArrayRef shape);
/// Fill a parameter in place, without gradient: normal with mean 0, uniform in [-bound, bound].
void fill_normal(at::Tensor& parameter, double stddev, at::Generator& generator);
void fill_uniform(at::Tensor& parameter, double bound, at::Generator& generator);

} // namespace mneme::nn
