// SPDX-License-Identifier: MIT

#include "verify/layer_options.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/simplex_separation.h"

namespace mneme::verify {
namespace {

template <class Options> struct Row {
  std::string_view name;
  void (*set)(Options&, const GoldenValue&);
};

/// Sets the option `name`. Returns false if it is not in the table.
template <class Options, size_t count>
bool set_one(Options& options, const std::array<Row<Options>, count>& table, const std::string& name,
             const GoldenValue& value) {
  const auto row =
      std::find_if(table.begin(), table.end(), [&](const Row<Options>& known) { return known.name == name; });
  if (row == table.end()) {
    return false;
  }
  row->set(options, value);
  return true;
}

[[noreturn]] void throw_unknown_option(const GoldenValue& value) {
  throw DataError(fmt::format("{}: no such option.\n  Options have the names of hflayers 1.0.2; "
                              "\"separation\" is specific to mneme.",
                              value.path()));
}

template <class Options, size_t count>
void set_all(Options& options, const std::array<Row<Options>, count>& table, const GoldenValue& values) {
  for (const std::string& name : values.keys()) {
    if (const GoldenValue value = values.at(name.c_str()); !set_one(options, table, name, value)) {
      throw_unknown_option(value);
    }
  }
}

std::optional<int64_t> size(const GoldenValue& value) {
  return value.is_null() ? std::nullopt : std::optional(value.integer());
}

int64_t integer(const GoldenValue& value) {
  return value.integer();
}

bool boolean(const GoldenValue& value) {
  return value.boolean();
}

double number(const GoldenValue& value) {
  return value.number();
}

std::string text(const GoldenValue& value) {
  return value.text();
}

std::optional<std::string> text_or_none(const GoldenValue& value) {
  return value.is_null() ? std::nullopt : std::optional(value.text());
}

/// One number, or {"tensor": [...], "dtype": ...}.
nn::PerHead<double> numbers(const GoldenValue& value) {
  if (value.is_object()) {
    return value.at("tensor").numbers();
  }
  return value.number();
}

nn::PerHead<int64_t> integers(const GoldenValue& value) {
  if (!value.is_object()) {
    return value.integer();
  }
  std::vector<int64_t> all;
  const GoldenValue tensor = value.at("tensor");
  for (size_t i = 0; i < tensor.size(); ++i) {
    all.push_back(tensor.at(i).integer());
  }
  return all;
}

std::optional<nn::PerHead<double>> numbers_or_none(const GoldenValue& value) {
  return value.is_null() ? std::nullopt : std::optional(numbers(value));
}

std::optional<nn::PerHead<int64_t>> integers_or_none(const GoldenValue& value) {
  return value.is_null() ? std::nullopt : std::optional(integers(value));
}

/// A name of kSimplexSeparations, or {"name": "entmax", "alpha": 1.7}.
SimplexSeparation separation(const GoldenValue& value) {
  try {
    if (value.is_object()) {
      return separation_named(value.at("name").text(), value.at("alpha").number());
    }
    return separation_named(value.text());
  } catch (const UsageError& error) {
    throw DataError(fmt::format("{}: {}", value.path(), error.what()));
  }
}

#define MNEME_OPTION(Options, name, convert)                                                                 \
  Row<Options> {                                                                                             \
#name, [](Options & options, const GoldenValue& value) { options.name(convert(value)); }                 \
  }

using nn::HopfieldCoreOptions;
using nn::HopfieldDecoderLayerOptions;
using nn::HopfieldEncoderLayerOptions;
using nn::HopfieldLayerOptions;
using nn::HopfieldOptions;
using nn::HopfieldPoolingOptions;

constexpr std::array kCore = {
    MNEME_OPTION(HopfieldCoreOptions, embed_dim, size),
    MNEME_OPTION(HopfieldCoreOptions, num_heads, integer),
    MNEME_OPTION(HopfieldCoreOptions, dropout, number),
    MNEME_OPTION(HopfieldCoreOptions, bias, boolean),
    MNEME_OPTION(HopfieldCoreOptions, add_bias_kv, boolean),
    MNEME_OPTION(HopfieldCoreOptions, add_zero_attn, boolean),
    MNEME_OPTION(HopfieldCoreOptions, kdim, size),
    MNEME_OPTION(HopfieldCoreOptions, vdim, size),
    MNEME_OPTION(HopfieldCoreOptions, head_dim, size),
    MNEME_OPTION(HopfieldCoreOptions, pattern_dim, size),
    MNEME_OPTION(HopfieldCoreOptions, out_dim, size),
    MNEME_OPTION(HopfieldCoreOptions, disable_out_projection, boolean),
    MNEME_OPTION(HopfieldCoreOptions, key_as_static, boolean),
    MNEME_OPTION(HopfieldCoreOptions, query_as_static, boolean),
    MNEME_OPTION(HopfieldCoreOptions, value_as_static, boolean),
    MNEME_OPTION(HopfieldCoreOptions, value_as_connected, boolean),
    MNEME_OPTION(HopfieldCoreOptions, normalize_pattern, boolean),
    MNEME_OPTION(HopfieldCoreOptions, normalize_pattern_affine, boolean),
    MNEME_OPTION(HopfieldCoreOptions, normalize_pattern_eps, number),
    MNEME_OPTION(HopfieldCoreOptions, separation, separation), // specific to mneme
};

constexpr std::array kHopfield = {
    MNEME_OPTION(HopfieldOptions, input_size, size),
    MNEME_OPTION(HopfieldOptions, hidden_size, size),
    MNEME_OPTION(HopfieldOptions, output_size, size),
    MNEME_OPTION(HopfieldOptions, pattern_size, size),
    MNEME_OPTION(HopfieldOptions, num_heads, integer),
    Row<HopfieldOptions>{"scaling", [](HopfieldOptions& options,
                                       const GoldenValue& value) { options.beta(numbers_or_none(value)); }},
    MNEME_OPTION(HopfieldOptions, update_steps_max, integers_or_none),
    MNEME_OPTION(HopfieldOptions, update_steps_eps, numbers),
    MNEME_OPTION(HopfieldOptions, normalize_stored_pattern, boolean),
    MNEME_OPTION(HopfieldOptions, normalize_stored_pattern_affine, boolean),
    MNEME_OPTION(HopfieldOptions, normalize_stored_pattern_eps, number),
    MNEME_OPTION(HopfieldOptions, normalize_state_pattern, boolean),
    MNEME_OPTION(HopfieldOptions, normalize_state_pattern_affine, boolean),
    MNEME_OPTION(HopfieldOptions, normalize_state_pattern_eps, number),
    MNEME_OPTION(HopfieldOptions, normalize_pattern_projection, boolean),
    MNEME_OPTION(HopfieldOptions, normalize_pattern_projection_affine, boolean),
    MNEME_OPTION(HopfieldOptions, normalize_pattern_projection_eps, number),
    MNEME_OPTION(HopfieldOptions, normalize_hopfield_space, boolean),
    MNEME_OPTION(HopfieldOptions, normalize_hopfield_space_affine, boolean),
    MNEME_OPTION(HopfieldOptions, normalize_hopfield_space_eps, number),
    MNEME_OPTION(HopfieldOptions, stored_pattern_as_static, boolean),
    MNEME_OPTION(HopfieldOptions, state_pattern_as_static, boolean),
    MNEME_OPTION(HopfieldOptions, pattern_projection_as_static, boolean),
    MNEME_OPTION(HopfieldOptions, pattern_projection_as_connected, boolean),
    MNEME_OPTION(HopfieldOptions, stored_pattern_size, size),
    MNEME_OPTION(HopfieldOptions, pattern_projection_size, size),
    MNEME_OPTION(HopfieldOptions, batch_first, boolean),
    MNEME_OPTION(HopfieldOptions, association_activation, text_or_none),
    MNEME_OPTION(HopfieldOptions, dropout, number),
    MNEME_OPTION(HopfieldOptions, input_bias, boolean),
    MNEME_OPTION(HopfieldOptions, concat_bias_pattern, boolean),
    MNEME_OPTION(HopfieldOptions, add_zero_association, boolean),
    MNEME_OPTION(HopfieldOptions, disable_out_projection, boolean),
    MNEME_OPTION(HopfieldOptions, separation, separation), // specific to mneme
};

constexpr std::array kPooling = {
    MNEME_OPTION(HopfieldPoolingOptions, quantity, integer),
    MNEME_OPTION(HopfieldPoolingOptions, trainable, boolean),
};

constexpr std::array kLookup = {
    MNEME_OPTION(HopfieldLayerOptions, lookup_weights_as_separated, boolean),
    MNEME_OPTION(HopfieldLayerOptions, lookup_targets_as_trainable, boolean),
    MNEME_OPTION(HopfieldLayerOptions, quantity, integer),
    MNEME_OPTION(HopfieldLayerOptions, trainable, boolean),
};

constexpr std::array kEncoder = {
    MNEME_OPTION(HopfieldEncoderLayerOptions, dim_feedforward, integer),
    MNEME_OPTION(HopfieldEncoderLayerOptions, dropout, number),
    MNEME_OPTION(HopfieldEncoderLayerOptions, activation, text),
};

constexpr std::array kDecoder = {
    MNEME_OPTION(HopfieldDecoderLayerOptions, dim_feedforward, integer),
    MNEME_OPTION(HopfieldDecoderLayerOptions, dropout, number),
    MNEME_OPTION(HopfieldDecoderLayerOptions, activation, text),
};

/// Options of a layer that contains a Hopfield layer, where the file has both in one list.
template <class Options, size_t count>
Options around_hopfield(const GoldenValue& constructor, const std::array<Row<Options>, count>& own,
                        bool compat) {
  Options options{HopfieldOptions()};
  for (const std::string& name : constructor.keys()) {
    const GoldenValue value = constructor.at(name.c_str());
    if (!set_one(options, own, name, value) && !set_one(options.hopfield(), kHopfield, name, value)) {
      throw_unknown_option(value);
    }
  }
  options.hopfield().compat(compat);
  return options;
}

} // namespace

HopfieldCoreOptions core_options(const GoldenValue& constructor, bool compat) {
  HopfieldCoreOptions options;
  set_all(options, kCore, constructor);
  return options.compat(compat);
}

HopfieldOptions hopfield_options(const GoldenValue& constructor, bool compat) {
  HopfieldOptions options;
  set_all(options, kHopfield, constructor);
  return options.compat(compat);
}

bool set_hopfield_option(HopfieldOptions& options, const std::string& name, const GoldenValue& value) {
  return set_one(options, kHopfield, name, value);
}

HopfieldPoolingOptions pooling_options(const GoldenValue& constructor, bool compat) {
  return around_hopfield(constructor, kPooling, compat);
}

HopfieldLayerOptions lookup_options(const GoldenValue& constructor, bool compat) {
  return around_hopfield(constructor, kLookup, compat);
}

HopfieldEncoderLayerOptions encoder_options(const GoldenValue& file, bool compat) {
  HopfieldEncoderLayerOptions options(
      hopfield_options(file.at("hopfield_association").at("constructor"), compat));
  set_all(options, kEncoder, file.at("constructor"));
  return options;
}

HopfieldDecoderLayerOptions decoder_options(const GoldenValue& file, bool compat) {
  HopfieldDecoderLayerOptions options(
      hopfield_options(file.at("hopfield_association_self").at("constructor"), compat),
      hopfield_options(file.at("hopfield_association_cross").at("constructor"), compat));
  set_all(options, kDecoder, file.at("constructor"));
  return options;
}

CoreCallOptions core_call_options(const GoldenValue& forward_options) {
  CoreCallOptions options;
  for (const std::string& name : forward_options.keys()) {
    const GoldenValue value = forward_options.at(name.c_str());
    if (name == "scaling") {
      options.call.scaling = numbers_or_none(value);
    } else if (name == "update_steps_max") {
      options.call.update_steps_max = value.is_null() ? nn::PerHead<int64_t>(-1) : integers(value);
    } else if (name == "update_steps_eps") {
      options.call.update_steps_eps = numbers(value);
    } else if (name == "need_weights") {
      options.mean_association = boolean(value);
    } else if (name == "return_raw_associations") {
      options.raw_associations = boolean(value);
    } else if (name == "return_pattern_projections") {
      options.pattern_projections = boolean(value);
    } else {
      throw_unknown_option(value);
    }
  }
  options.call.need_weights = options.mean_association || options.raw_associations;
  return options;
}

} // namespace mneme::verify
