// SPDX-License-Identifier: MIT

#include "cli/layer_run.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include <ATen/Functions.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/npy.h"
#include "mneme/nn/hopfield_layer.h"
#include "mneme/nn/hopfield_pooling.h"
#include "mneme/nn/state_dict.h"
#include "verify/device.h"
#include "verify/layer_options.h"
#include "verify/on_device.h"

namespace mneme::cli {
namespace {

constexpr std::string_view kCore = "association_core.", kInner = "hopfield.";
constexpr const char* kOtherLayers =
    "Layers with static or connected inputs, and Transformer blocks, run from a case file or in C++ "
    "(docs/how-to/load_hflayers_weights.md).";

enum class Kind { hopfield, pooling, lookup };

/// A layer in a file of weights.
struct FoundLayer {
  Kind kind;
  std::string prefix; ///< of the names of its parameters, with the dot at its end
};

std::string shape_text(const at::Tensor& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.sizes(), ", "));
}

/// Names and shapes of the first tensors.
std::string listed(const nn::NamedTensors& tensors) {
  constexpr size_t kShown = 20;
  std::string text;
  size_t shown = 0;
  for (const auto& [name, tensor] : tensors) {
    if (shown++ == kShown) {
      return fmt::format("{}\n    and {} more", text, tensors.size() - kShown);
    }
    text += fmt::format("\n    {} {}", printable(name), shape_text(tensor));
  }
  return text.empty() ? "\n    no tensors" : text;
}

/// All layers in the file, by the name that --layer gives them.
std::map<std::string, FoundLayer> layers_in(const nn::NamedTensors& tensors) {
  std::map<std::string, FoundLayer> layers;
  for (const auto& [name, tensor] : tensors) {
    const size_t core = name.rfind(kCore);
    if (core == std::string::npos || (core > 0 && name[core - 1] != '.')) {
      continue;
    }
    FoundLayer found{.kind = Kind::hopfield, .prefix = name.substr(0, core)};
    if (found.prefix.ends_with(kInner)) {
      const std::string outer = found.prefix.substr(0, found.prefix.size() - kInner.size());
      for (const auto& [kind, parameter] :
           {std::pair(Kind::pooling, "pooling_weights"), std::pair(Kind::lookup, "lookup_weights")}) {
        if (tensors.contains(outer + parameter)) {
          found = {.kind = kind, .prefix = outer};
        }
      }
    }
    layers.emplace(found.prefix.substr(0, found.prefix.empty() ? 0 : found.prefix.size() - 1), found);
  }
  return layers;
}

FoundLayer layer_of(const LayerRun& run, const nn::NamedTensors& tensors) {
  const std::map<std::string, FoundLayer> layers = layers_in(tensors);
  const std::string file = printable(run.weights.string());
  if (layers.empty()) {
    throw DataError(fmt::format(
        "{}: has no parameters of a Hopfield layer, such as association_core.in_proj_weight. It contains:{}"
        "\n  Save the state dict of a Hopfield, HopfieldPooling or HopfieldLayer; --key selects a dict of a "
        "checkpoint.",
        file, listed(tensors)));
  }
  if (run.layer.empty() && layers.size() == 1) {
    return layers.begin()->second;
  }
  if (const auto found = layers.find(run.layer); found != layers.end() && !run.layer.empty()) {
    return found->second;
  }
  if (layers.size() == 1 && layers.begin()->first.empty()) {
    throw DataError(
        fmt::format("{}: has no layer \"{}\": it is the state dict of a layer, whose tensors have "
                    "no common name.\n  Leave out --layer.",
                    file, printable(run.layer)));
  }
  std::vector<std::string> names;
  for (const auto& [name, layer] : layers) {
    names.push_back(fmt::format("\"{}\"", printable(name)));
  }
  throw DataError(fmt::format(
      "{}: {} layers: {}.\n  Give {} with --layer.", file,
      run.layer.empty() ? "has several Hopfield"
                        : fmt::format("has no layer \"{}\", but these Hopfield", printable(run.layer)),
      fmt::join(names, ", "), layers.size() == 1 ? "this name, or leave it out," : "the name of one"));
}

/// The parameters of a layer, by their names in the layer.
class Parameters {
public:
  Parameters(std::string source, nn::NamedTensors tensors)
      : source_(std::move(source)), tensors_(std::move(tensors)) {}

  /// The tensor whose name ends with this one, which may be in the inner layer; undefined if there is none.
  at::Tensor find(const std::string& name) const {
    for (const std::string& full : {name, std::string(kInner) + name}) {
      if (const auto found = tensors_.find(full); found != tensors_.end()) {
        return found->second;
      }
    }
    return {};
  }
  at::Tensor core(const std::string& name) const { return find(std::string(kCore) + name); }
  bool has(const std::string& name) const { return find(name).defined(); }

  /// Size of an axis of a parameter that must have two axes.
  int64_t size(const at::Tensor& tensor, const std::string& name, int64_t axis) const {
    if (tensor.dim() != 2) {
      fail(fmt::format("{} has the shape {}, but a matrix was expected.", name, shape_text(tensor)));
    }
    return tensor.size(axis);
  }
  /// Errors  DataError with all tensors of the layer
  [[noreturn]] void fail(const std::string& problem) const {
    throw DataError(fmt::format("{}: {}\n  The layer has the tensors:{}\n  {}", source_, problem,
                                listed(tensors_), kOtherLayers));
  }

  const nn::NamedTensors& tensors() const { return tensors_; }
  const std::string& source() const { return source_; }

private:
  std::string source_;
  nn::NamedTensors tensors_;
};

/// Rows of a projection per head.
int64_t per_head(const Parameters& parameters, const std::string& name, int64_t rows, int64_t matrices,
                 int64_t heads) {
  if (rows == 0 || rows % (matrices * heads) != 0) {
    parameters.fail(fmt::format("{} has {} rows, which cannot be divided into {}{} heads (--heads).", name,
                                rows, matrices > 1 ? fmt::format("{} projections of ", matrices) : "",
                                heads));
  }
  return rows / (matrices * heads);
}

/// Sizes of the projections.
void set_projections(nn::HopfieldOptions& options, const Parameters& parameters) {
  const int64_t heads = options.num_heads();
  const at::Tensor joint = parameters.core("in_proj_weight"), query = parameters.core("q_proj_weight"),
                   key = parameters.core("k_proj_weight"), value = parameters.core("v_proj_weight"),
                   output = parameters.core("out_proj.weight");
  int64_t patterns = 0; // features of the readouts of all heads
  if (joint.defined()) {
    options.input_size(parameters.size(joint, "in_proj_weight", 1));
    const int64_t hidden =
        per_head(parameters, "in_proj_weight", parameters.size(joint, "in_proj_weight", 0), 3, heads);
    options.hidden_size(hidden);
    patterns = hidden * heads;
  } else if (query.defined() && key.defined() && value.defined()) {
    options.input_size(parameters.size(query, "q_proj_weight", 1))
        .stored_pattern_size(parameters.size(key, "k_proj_weight", 1))
        .pattern_projection_size(parameters.size(value, "v_proj_weight", 1));
    patterns = parameters.size(value, "v_proj_weight", 0);
    options
        .hidden_size(
            per_head(parameters, "q_proj_weight", parameters.size(query, "q_proj_weight", 0), 1, heads))
        .pattern_size(per_head(parameters, "v_proj_weight", patterns, 1, heads));
  } else {
    parameters.fail("there is neither association_core.in_proj_weight, nor each of q_proj_weight, "
                    "k_proj_weight and v_proj_weight: an input is static.");
  }
  if (!output.defined()) {
    options.disable_out_projection(true);
    return;
  }
  options.output_size(parameters.size(output, "out_proj.weight", 0));
  if (output.size(1) != patterns) {
    parameters.fail(fmt::format("out_proj.weight has {} columns, but the heads together have {} features: an "
                                "input is static.",
                                output.size(1), patterns));
  }
}

/// Options of --option: the weights do not show them, and no other option of the program sets them.
constexpr std::array<std::string_view, 10> kGivenOptions = {
    "normalize_stored_pattern",    "normalize_stored_pattern_eps", "normalize_state_pattern",
    "normalize_state_pattern_eps", "normalize_pattern_projection", "normalize_pattern_projection_eps",
    "normalize_hopfield_space",    "normalize_hopfield_space_eps", "add_zero_association",
    "association_activation"};

/// A value as Python writes it: True, False, None, a number or a text without quotes.
nlohmann::json python_value(const std::string& text) {
  if (text == "True" || text == "False") {
    return text == "True";
  }
  if (text == "None") {
    return nullptr;
  }
  nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
  return value.is_discarded() ? nlohmann::json(text) : value;
}

/// Sets the options of --option. Returns their names.
///
/// Errors  UsageError for another option, or an invalid value
std::vector<std::string> set_given_options(nn::HopfieldOptions& options,
                                           const std::vector<std::string>& given) {
  std::vector<std::string> names;
  for (const std::string& assignment : given) {
    const size_t equals = assignment.find('=');
    const std::string name = assignment.substr(0, equals);
    if (equals == std::string::npos || std::ranges::find(kGivenOptions, name) == kGivenOptions.end()) {
      throw UsageError(fmt::format(
          "--option {}: NAME=VALUE was expected, with one of the names {}.\n  The weights show the other "
          "options of a layer, or they have an option of their own; `mneme apply --help` lists these.",
          printable(assignment), fmt::join(kGivenOptions, ", ")));
    }
    const nlohmann::json value = python_value(assignment.substr(equals + 1));
    try {
      verify::set_hopfield_option(options, name, verify::GoldenValue(value, "--option " + name));
    } catch (const DataError& error) {
      throw UsageError(fmt::format("{}\n  Write the value as in Python.", error.what()));
    }
    names.push_back(name);
  }
  return names;
}

/// Sets the options that the parameters show; the others are those of `run`.
nn::HopfieldOptions options_of(const LayerRun& run, const Parameters& parameters,
                               std::vector<std::string>& notes) {
  nn::HopfieldOptions options;
  options.num_heads(run.num_heads)
      .update_steps_max(run.update_steps_max ? std::optional<nn::PerHead<int64_t>>(*run.update_steps_max)
                                             : std::nullopt)
      .update_steps_eps(run.update_steps_eps)
      .batch_first(!run.length_first)
      .compat(run.compat);
  if (!run.beta.empty()) {
    options.beta(nn::PerHead<double>(run.beta));
  }
  set_projections(options, parameters);
  const bool space_norm = parameters.core("p_norm_weight").defined();
  options.input_bias(parameters.core("in_proj_bias").defined())
      .concat_bias_pattern(parameters.core("bias_k").defined())
      .normalize_hopfield_space(space_norm)
      .normalize_hopfield_space_affine(space_norm)
      .learn_beta(parameters.has("beta"));
  const auto has_norm = [&](const char* name) { return parameters.has(fmt::format("{}.weight", name)); };
  const bool stored = has_norm("norm_stored_pattern"), state = has_norm("norm_state_pattern"),
             projection = has_norm("norm_pattern_projection");
  options.normalize_stored_pattern(stored)
      .normalize_stored_pattern_affine(stored)
      .normalize_state_pattern(state)
      .normalize_state_pattern_affine(state)
      .normalize_pattern_projection(projection)
      .normalize_pattern_projection_affine(projection);
  const std::vector<std::string> given = set_given_options(options, run.options);
  std::vector<std::string> absent, absent_options;
  for (const auto& [suffix, has_parameters, is_on] :
       {std::tuple("stored_pattern", stored, options.normalize_stored_pattern()),
        std::tuple("state_pattern", state, options.normalize_state_pattern()),
        std::tuple("pattern_projection", projection, options.normalize_pattern_projection()),
        std::tuple("hopfield_space", space_norm, options.normalize_hopfield_space())}) {
    const std::string option = fmt::format("normalize_{}", suffix);
    if (has_parameters && !is_on) {
      throw UsageError(fmt::format("--option {}=False: {} has parameters of this norm.\n  Leave it out.",
                                   option, parameters.source()));
    }
    if (!has_parameters && option != "normalize_hopfield_space" && // off by default in hflayers
        std::ranges::find(given, option) == given.end()) {
      absent.push_back(fmt::format("norm_{}", suffix));
      absent_options.push_back(option + "=True");
    }
  }
  if (!absent.empty()) {
    notes.push_back(fmt::format(
        "the weights have no parameters of {}, so the layer runs without {}; --option {} adds {} without "
        "parameters",
        fmt::join(absent, ", "), absent.size() == 1 ? "this norm" : "these norms",
        fmt::join(absent_options, " "), absent.size() == 1 ? "it" : "them"));
  }
  if (options.concat_bias_pattern() && !run.compat) {
    notes.emplace_back("the layer appends its learned stored pattern and projection (bias_k, bias_v), which "
                       "hflayers does not do: --compat reproduces the output of hflayers");
  }
  return options;
}

/// The call that constructs this layer in Python.
std::string call_text(const char* name, const nn::Hopfield& layer, const std::string& own) {
  const nn::HopfieldOptions& options = layer->options;
  std::string text = fmt::format("{}(input_size={}", name, *options.input_size());
  const auto differing = [&](const char* option, std::optional<int64_t> size) {
    if (size && size != options.input_size()) {
      text += fmt::format(", {}={}", option, *size);
    }
  };
  differing("stored_pattern_size", options.stored_pattern_size());
  differing("pattern_projection_size", options.pattern_projection_size());
  text += fmt::format(", num_heads={}, hidden_size={}", options.num_heads(), *options.hidden_size());
  if (options.pattern_size() && options.pattern_size() != options.hidden_size()) {
    text += fmt::format(", pattern_size={}", *options.pattern_size());
  }
  differing("output_size", options.output_size());
  const nn::PerHead<double> scaling = layer->scaling();
  text += scaling.values().size() == 1 ? fmt::format(", scaling={:.6g}", scaling.values().front())
                                       : fmt::format(", scaling=[{:.6g}]", fmt::join(scaling.values(), ", "));
  text += options.update_steps_max()
              ? fmt::format(", update_steps_max={}", options.update_steps_max()->values().front())
              : ", update_steps_max=None";
  if (const double eps = options.update_steps_eps().values().front(); eps != LayerRun().update_steps_eps) {
    text += fmt::format(", update_steps_eps={:.6g}", eps);
  }
  const auto flag = [&](const std::string& option, bool value, bool default_value) {
    if (value != default_value) {
      text += fmt::format(", {}={}", option, value ? "True" : "False");
    }
  };
  flag("input_bias", options.input_bias(), true);
  flag("concat_bias_pattern", options.concat_bias_pattern(), false);
  flag("disable_out_projection", options.disable_out_projection(), false);
  flag("add_zero_association", options.add_zero_association(), false);
  if (options.association_activation()) {
    text += fmt::format(", association_activation='{}'", *options.association_activation());
  }
  const auto norm = [&](const std::string& option, bool is_on, bool is_affine, double eps, bool by_default) {
    flag(option, is_on, by_default);
    flag(option + "_affine", is_affine, by_default);
    if (eps != 1e-5) {
      text += fmt::format(", {}_eps={:.6g}", option, eps);
    }
  };
  norm("normalize_stored_pattern", options.normalize_stored_pattern(),
       options.normalize_stored_pattern_affine(), options.normalize_stored_pattern_eps(), true);
  norm("normalize_state_pattern", options.normalize_state_pattern(), options.normalize_state_pattern_affine(),
       options.normalize_state_pattern_eps(), true);
  norm("normalize_pattern_projection", options.normalize_pattern_projection(),
       options.normalize_pattern_projection_affine(), options.normalize_pattern_projection_eps(), true);
  norm("normalize_hopfield_space", options.normalize_hopfield_space(),
       options.normalize_hopfield_space_affine(), options.normalize_hopfield_space_eps(), false);
  return text + own + (options.batch_first() ? ")" : ", batch_first=False)");
}

bool is_npy(const std::filesystem::path& path) {
  return path.extension() == ".npy" || path.string().ends_with(".npy.gz");
}

/// An array of a .npy file, or a tensor of another file.
at::Tensor read_input(const std::filesystem::path& path, const std::string& name) {
  if (is_npy(path)) {
    const data::NumberArray array = data::read_npy_numbers(path);
    return at::from_blob(const_cast<double*>(array.numbers.data()), array.shape, at::kDouble).clone();
  }
  const nn::NamedTensors tensors = nn::read_tensor_file(path).tensors;
  const std::string file = printable(path.string());
  if (name.empty() && tensors.size() != 1) {
    throw DataError(fmt::format("{}: contains {} tensors:{}\n  Name one of them with --tensor.", file,
                                tensors.size(), listed(tensors)));
  }
  const auto found = name.empty() ? tensors.begin() : tensors.find(name);
  if (found == tensors.end()) {
    throw DataError(fmt::format("{}: has no tensor \"{}\", but:{}\n  Name one of these with --tensor.", file,
                                printable(name), listed(tensors)));
  }
  return found->second;
}

/// The inputs, in the type of the weights and with a batch axis.
std::vector<at::Tensor> read_inputs(const LayerRun& run, const at::TensorOptions& type) {
  if (!run.tensors.empty() && std::ranges::all_of(run.inputs, is_npy)) {
    throw UsageError(
        "--tensor has no effect: the files of --input are .npy files, with one array without a name."
        "\n  Leave it out.");
  }
  std::vector<at::Tensor> inputs;
  for (size_t i = 0; i < run.inputs.size(); ++i) {
    const std::string name = run.tensors.empty() ? "" : run.tensors[run.tensors.size() == 1 ? 0 : i];
    at::Tensor input = read_input(run.inputs[i], name);
    if (input.dim() == 2) {
      input = input.unsqueeze(run.length_first ? 1 : 0); // a single bag
    }
    if (input.dim() != 3) {
      throw DataError(
          fmt::format("{}: has the shape {}, but {} or, for a single bag, [length, features] was "
                      "expected.\n  Reshape it.",
                      printable(run.inputs[i].string()), shape_text(input),
                      run.length_first ? "[length, batch, features]" : "[batch, length, features]"));
    }
    inputs.push_back(input.to(type));
  }
  return inputs;
}

/// Pairs that are ignored, or numbers that are added to the scores. The type of a .npy file is not known
/// here, so a file of 0 and 1 contains booleans.
at::Tensor read_association_mask(const std::filesystem::path& path, const at::TensorOptions& type) {
  const at::Tensor mask = read_input(path, "");
  const bool is_boolean =
      is_npy(path) ? mask.eq(0).logical_or(mask.eq(1)).all().item<bool>() : !mask.is_floating_point();
  return is_boolean ? mask.ne(0).to(type.device()) : mask.to(type);
}

/// A layer that is ready to be applied.
struct Layer {
  std::shared_ptr<torch::nn::Module> module;
  nn::Hopfield hopfield; ///< itself, or its inner layer
  std::string text;
  size_t inputs_max;
  std::function<at::Tensor(const std::vector<at::Tensor>&inputs, const nn::HopfieldMasks&masks)> forward,
      association;
};

const at::Tensor& input_or_none(const std::vector<at::Tensor>& inputs, size_t index) {
  static const at::Tensor none;
  return index < inputs.size() ? inputs[index] : none;
}

Layer make_layer(Kind kind, const LayerRun& run, const Parameters& parameters,
                 std::vector<std::string>& notes) {
  using Inputs = std::vector<at::Tensor>;
  const nn::HopfieldOptions options = options_of(run, parameters, notes);
  const int64_t length_axis = run.length_first ? 0 : 1;
  const auto quantity_of = [&](const char* name) {
    const at::Tensor learned = parameters.find(name);
    if (learned.dim() != 3) {
      parameters.fail(
          fmt::format("{} has the shape {}, but three axes were expected.", name, shape_text(learned)));
    }
    if (learned.size(1 - length_axis) != 1 && learned.size(length_axis) == 1) {
      throw DataError(fmt::format(
          "{}: {} has the shape {}, which is that of a layer with batch_first={}.\n  {} --length-first.",
          parameters.source(), name, shape_text(learned), run.length_first ? "True" : "False",
          run.length_first ? "Leave out" : "Add"));
    }
    return learned.size(length_axis);
  };
  switch (kind) {
  case Kind::pooling: {
    const int64_t quantity = quantity_of("pooling_weights");
    nn::HopfieldPooling layer(nn::HopfieldPoolingOptions(options).quantity(quantity));
    return {.module = layer.ptr(),
            .hopfield = layer->hopfield,
            .text = call_text("HopfieldPooling", layer->hopfield, fmt::format(", quantity={}", quantity)),
            .inputs_max = 2,
            .forward =
                [=](const Inputs& inputs, const nn::HopfieldMasks& masks) mutable {
                  return layer->forward(inputs[0], input_or_none(inputs, 1), masks);
                },
            .association =
                [=](const Inputs& inputs, const nn::HopfieldMasks& masks) mutable {
                  return layer->get_association_matrix(inputs[0], input_or_none(inputs, 1), masks);
                }};
  }
  case Kind::lookup: {
    const int64_t quantity = quantity_of("lookup_weights");
    const bool separated = parameters.has("target_weights");
    nn::HopfieldLayer layer(
        nn::HopfieldLayerOptions(options).quantity(quantity).lookup_weights_as_separated(separated));
    return {
        .module = layer.ptr(),
        .hopfield = layer->hopfield,
        .text = call_text(
            "HopfieldLayer", layer->hopfield,
            fmt::format(", quantity={}{}", quantity, separated ? ", lookup_weights_as_separated=True" : "")),
        .inputs_max = 1,
        .forward = [=](const Inputs& inputs,
                       const nn::HopfieldMasks& masks) mutable { return layer->forward(inputs[0], masks); },
        .association =
            [=](const Inputs& inputs, const nn::HopfieldMasks& masks) mutable {
              return layer->get_association_matrix(inputs[0], masks);
            }};
  }
  case Kind::hopfield:
    break;
  }
  nn::Hopfield layer(options);
  return {.module = layer.ptr(),
          .hopfield = layer,
          .text = call_text("Hopfield", layer, ""),
          .inputs_max = 3,
          .forward =
              [=](const Inputs& inputs, const nn::HopfieldMasks& masks) mutable {
                return layer->forward(inputs[0], input_or_none(inputs, 1), input_or_none(inputs, 2), masks);
              },
          .association =
              [=](const Inputs& inputs, const nn::HopfieldMasks& masks) mutable {
                return layer->get_association_matrix(inputs[0], input_or_none(inputs, 1),
                                                     input_or_none(inputs, 2), masks);
              }};
}

void write_npy(const std::filesystem::path& path, const at::Tensor& tensor) {
  const at::Tensor numbers = tensor.to(at::kDouble).contiguous();
  const double* begin = numbers.const_data_ptr<double>();
  data::write_npy(path, data::NumberArray{.shape = numbers.sizes().vec(),
                                          .numbers = std::vector<double>(begin, begin + numbers.numel())});
}

LayerOutput apply(const LayerRun& run, const std::filesystem::path& out) {
  nn::TensorFile file = nn::read_tensor_file(run.weights, run.key);
  LayerOutput result{.layer = {}, .notes = file.notes, .tensors = {}};
  const FoundLayer found = layer_of(run, file.tensors);
  nn::NamedTensors own;
  size_t others = 0;
  for (auto& [name, tensor] : file.tensors) {
    if (name.starts_with(found.prefix)) {
      own.emplace(name.substr(found.prefix.size()), std::move(tensor));
    } else {
      ++others;
    }
  }
  if (others > 0) {
    result.notes.push_back(fmt::format("the tensors of \"{}\" are used, and {} others are not",
                                       printable(found.prefix.substr(0, found.prefix.size() - 1)), others));
  }
  const at::ScalarType type = own.begin()->second.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Parameters parameters(printable(run.weights.string()), std::move(own));
  const Layer layer = make_layer(found.kind, run, parameters, result.notes);
  layer.module->to(type);
  for (std::string& note : nn::load_state_dict(*layer.module, parameters.tensors(), parameters.source())) {
    result.notes.push_back(std::move(note));
  }
  const at::Device device(run.device);
  layer.module->to(device);
  layer.module->eval();
  result.layer = layer.text;
  if (run.inputs.size() > layer.inputs_max) {
    throw UsageError(fmt::format("--input has {} files, but the layer of {} has at most {}.\n  {}",
                                 run.inputs.size(), parameters.source(), layer.inputs_max,
                                 "Give stored patterns first, as in Python."));
  }
  const std::vector<at::Tensor> inputs = read_inputs(run, at::TensorOptions(device).dtype(type));
  nn::HopfieldMasks masks;
  if (!run.padding_mask.empty()) {
    masks.stored_pattern_padding_mask = read_input(run.padding_mask, "").ne(0).to(device);
    if (masks.stored_pattern_padding_mask.dim() == 1) {
      masks.stored_pattern_padding_mask = masks.stored_pattern_padding_mask.unsqueeze(0);
    }
  }
  if (!run.association_mask.empty()) {
    masks.association_mask =
        read_association_mask(run.association_mask, at::TensorOptions(device).dtype(type));
  }
  const at::NoGradGuard no_gradient;
  const verify::FullFloat32 full_float32(device);
  nn::NamedTensors written{{"output", layer.forward(inputs, masks).cpu()}};
  if (out.extension() == ".npy") {
    write_npy(out, written.at("output"));
  } else {
    written.emplace("association", layer.association(inputs, masks).cpu());
    nn::write_tensor_file(out, {written, {}});
  }
  for (const auto& [name, tensor] : written) {
    result.tensors.push_back({name, c10::str(tensor.scalar_type()), tensor.sizes().vec()});
  }
  return result;
}

LayerOutput run(const LayerRun& given, const std::filesystem::path& out) {
  LayerRun run = given;
  run.device = verify::checked_device(run.device);
  try {
    return apply(run, out);
  } catch (const c10::Error& error) {
    if (run.device != "cpu") {
      throw UnsupportedError(
          fmt::format("LibTorch fails on {}: {}.\n  Run it on the CPU (without --device) to find out whether "
                      "the layer or the device is the cause.",
                      run.device, verify::first_line(error)));
    }
    throw DataError(fmt::format(
        "{}: LibTorch does not accept the layer's tensors: {}.\n  Compare the shapes of the inputs.",
        printable(run.weights.string()), verify::first_line(error)));
  }
}

[[maybe_unused]] const bool implemented = run_layer.implement(run);

} // namespace
} // namespace mneme::cli
