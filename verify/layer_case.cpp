// SPDX-License-Identifier: MIT

#include "verify/layer_case.h"

#include <array>
#include <memory>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/nn/state_dict.h"
#include "verify/case_tensors.h"
#include "verify/expect_tensor.h"
#include "verify/layer_call.h"
#include "verify/layer_options.h"
#include "verify/on_device.h"

namespace mneme::verify {
namespace {

/// Input tensors of one call, by parameter.
class Arguments {
public:
  Arguments(const GoldenValue& json, nn::NamedTensors inputs, const std::vector<std::string>& parameters,
            bool with_gradients)
      : path_(json.at("call").path()), inputs_(std::move(inputs)) {
    std::set<std::string> names;
    for (const auto& [name, tensor] : inputs_) {
      names.insert(name);
    }
    call_ = parse_call(json.at("call"), parameters, names);
    if (json.has("same_tensor")) { // alias -> name of the same tensor
      const GoldenValue same = json.at("same_tensor");
      for (const std::string& alias : same.keys()) {
        const std::string original = same.at(alias.c_str()).text();
        if (!inputs_.contains(alias) || !inputs_.contains(original)) {
          same.at(alias.c_str()).fail("names of two inputs");
        }
        inputs_[alias] = inputs_.at(original);
        aliases_.insert(alias);
      }
    }
    for (auto& [name, tensor] : inputs_) {
      if (with_gradients && at::isFloatingType(tensor.scalar_type()) && !name.ends_with("mask") &&
          !aliases_.contains(name)) {
        tensor.requires_grad_();
      }
    }
  }

  /// The tensors of a parameter, followed by undefined ones up to `max_count`.
  ///
  /// Errors  DataError if there are not between `min_count` and `max_count`
  std::vector<at::Tensor> all(const char* parameter, size_t min_count, size_t max_count) const {
    std::vector<at::Tensor> tensors;
    if (const auto found = call_.find(parameter); found != call_.end()) {
      for (const std::string& name : found->second) {
        tensors.push_back(inputs_.at(name));
      }
    }
    if (tensors.size() < min_count || tensors.size() > max_count) {
      throw DataError(fmt::format("{}: {} tensors for {}, expected {} to {}.", path_, tensors.size(),
                                  parameter, min_count, max_count));
    }
    tensors.resize(max_count);
    return tensors;
  }
  at::Tensor one(const char* parameter) const { return all(parameter, 1, 1)[0]; }
  at::Tensor mask(const char* parameter) const { return all(parameter, 0, 1)[0]; }
  nn::HopfieldMasks masks(const char* padding, const char* association) const {
    return {mask(padding), mask(association)};
  }

  void add_gradients(nn::NamedTensors& tensors) const {
    for (const auto& [name, tensor] : inputs_) {
      if (tensor.grad().defined() && !aliases_.contains(name)) {
        tensors["grad.input." + name] = tensor.grad();
      }
    }
  }

private:
  std::string path_;
  nn::NamedTensors inputs_;
  std::set<std::string> aliases_;
  LayerCall call_;
};

/// Adapter of one layer class: constructs it, names the parameters of its forward, calls it.
class Layer {
public:
  virtual ~Layer() = default;
  virtual torch::nn::Module& module() = 0;
  virtual std::vector<std::string> parameters() const {
    return {"input", "stored_pattern_padding_mask", "association_mask"};
  }
  virtual LayerOutput run(const Arguments& arguments) = 0;

protected:
  /// Takes the result from forward, everything else from retrieve.
  template <class Module, class... Inputs>
  static LayerOutput run_retrieval(Module& module, const Inputs&... inputs) {
    LayerOutput output;
    output.tensors["output.result"] = module->forward(inputs...);
    const at::NoGradGuard no_gradient;
    const nn::HopfieldRetrieval retrieval = module->retrieve(inputs...);
    output.tensors["output.association_matrix"] = retrieval.association;
    output.tensors["output.projected_patterns"] = retrieval.projected_patterns;
    output.updates = retrieval.updates;
    output.changes = retrieval.changes;
    return output;
  }
  static nn::HopfieldMasks masks(const Arguments& arguments) {
    return arguments.masks("stored_pattern_padding_mask", "association_mask");
  }
};

class CoreLayer : public Layer {
public:
  CoreLayer(const GoldenValue& json, bool compat) : module_(core_options(json.at("constructor"), compat)) {
    if (json.has("forward_options")) {
      options_ = core_call_options(json.at("forward_options"));
    }
  }
  torch::nn::Module& module() override { return *module_; }
  std::vector<std::string> parameters() const override {
    return {"query", "key", "value", "key_padding_mask", "need_weights", "attn_mask"};
  }
  LayerOutput run(const Arguments& arguments) override {
    nn::HopfieldCoreCall call = options_.call;
    call.key_padding_mask = arguments.mask("key_padding_mask");
    call.attn_mask = arguments.mask("attn_mask");
    const nn::HopfieldCoreResult result =
        module_->forward(arguments.one("query"), arguments.one("key"), arguments.one("value"), call);
    LayerOutput output{.updates = result.updates, .changes = result.changes};
    output.tensors["output.result"] = result.output;
    if (options_.mean_association) {
      output.tensors["output.attn_output_weights"] = result.mean_association;
    }
    if (options_.raw_associations) {
      output.tensors["output.raw_associations"] = result.association;
    }
    if (options_.pattern_projections) {
      output.tensors["output.projected_patterns"] = result.projected_patterns;
    }
    return output;
  }

private:
  nn::HopfieldCore module_;
  CoreCallOptions options_;
};

class HopfieldAlone : public Layer {
public:
  HopfieldAlone(const GoldenValue& json, bool compat)
      : module_(hopfield_options(json.at("constructor"), compat)) {}
  torch::nn::Module& module() override { return *module_; }
  LayerOutput run(const Arguments& arguments) override {
    const std::vector<at::Tensor> inputs = arguments.all("input", 1, 3);
    return run_retrieval(module_, inputs[0], inputs[1], inputs[2], masks(arguments));
  }

private:
  nn::Hopfield module_;
};

class PoolingLayer : public Layer {
public:
  PoolingLayer(const GoldenValue& json, bool compat)
      : module_(pooling_options(json.at("constructor"), compat)) {}
  torch::nn::Module& module() override { return *module_; }
  LayerOutput run(const Arguments& arguments) override {
    const std::vector<at::Tensor> inputs = arguments.all("input", 1, 2);
    return run_retrieval(module_, inputs[0], inputs[1], masks(arguments));
  }

private:
  nn::HopfieldPooling module_;
};

class LookupLayer : public Layer {
public:
  LookupLayer(const GoldenValue& json, bool compat)
      : module_(lookup_options(json.at("constructor"), compat)) {}
  torch::nn::Module& module() override { return *module_; }
  LayerOutput run(const Arguments& arguments) override {
    return run_retrieval(module_, arguments.one("input"), masks(arguments));
  }

private:
  nn::HopfieldLayer module_;
};

class EncoderBlock : public Layer {
public:
  EncoderBlock(const GoldenValue& json, bool compat) : module_(encoder_options(json, compat)) {}
  torch::nn::Module& module() override { return *module_; }
  std::vector<std::string> parameters() const override { return {"src", "src_mask", "src_key_padding_mask"}; }
  LayerOutput run(const Arguments& arguments) override {
    const at::Tensor src = arguments.one("src");
    LayerOutput output;
    output.tensors["output.result"] =
        module_->forward(src, arguments.masks("src_key_padding_mask", "src_mask"));
    output.tensors["output.association_matrix"] = module_->get_association_matrix(src);
    return output;
  }

private:
  nn::HopfieldEncoderLayer module_;
};

class DecoderBlock : public Layer {
public:
  DecoderBlock(const GoldenValue& json, bool compat) : module_(decoder_options(json, compat)) {}
  torch::nn::Module& module() override { return *module_; }
  std::vector<std::string> parameters() const override {
    return {"tgt", "memory", "tgt_mask", "memory_mask", "tgt_key_padding_mask", "memory_key_padding_mask"};
  }
  LayerOutput run(const Arguments& arguments) override {
    const at::Tensor tgt = arguments.one("tgt"), memory = arguments.one("memory");
    LayerOutput output;
    output.tensors["output.result"] =
        module_->forward(tgt, memory, arguments.masks("tgt_key_padding_mask", "tgt_mask"),
                         arguments.masks("memory_key_padding_mask", "memory_mask"));
    output.tensors["output.association_matrix_self"] = module_->get_association_matrix_self(tgt);
    output.tensors["output.association_matrix_cross"] = module_->get_association_matrix_cross(memory, tgt);
    return output;
  }

private:
  nn::HopfieldDecoderLayer module_;
};

template <class Kind> std::unique_ptr<Layer> make(const GoldenValue& json, bool compat) {
  return std::make_unique<Kind>(json, compat);
}

struct Class {
  std::string_view name;
  std::unique_ptr<Layer> (*make)(const GoldenValue& json, bool compat);
};
constexpr std::array kClasses = {
    Class{"Hopfield", make<HopfieldAlone>},
    Class{"HopfieldCore", make<CoreLayer>},
    Class{"HopfieldDecoderLayer", make<DecoderBlock>},
    Class{"HopfieldEncoderLayer", make<EncoderBlock>},
    Class{"HopfieldLayer", make<LookupLayer>},
    Class{"HopfieldPooling", make<PoolingLayer>},
};

std::unique_ptr<Layer> layer_of(const GoldenValue& json, bool compat) {
  const GoldenValue name = json.at("class");
  for (const Class& known : kClasses) {
    if (known.name == name.text()) {
      return known.make(json, compat);
    }
  }
  std::string names;
  for (const Class& known : kClasses) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
  }
  name.fail("one of the layers " + names);
}

bool one_of(const GoldenValue& value, const char* first, const char* second) {
  const std::string text = value.text();
  if (text != first && text != second) {
    value.fail(fmt::format("\"{}\" or \"{}\"", first, second));
  }
  return text == first;
}

} // namespace

LayerCase::LayerCase(const GoldenValue& json, const std::filesystem::path& file, const std::string& device)
    : json_(json), device_(device) {
  const std::filesystem::path path = tensors_path(file);
  source_ = path.filename().string();
  tensors_ = nn::read_tensor_file(path).tensors;
}

void LayerCase::check_type(const std::string& name, const at::Tensor& tensor, at::ScalarType type) const {
  if (tensor.is_floating_point() && tensor.scalar_type() != type) {
    throw DataError(
        fmt::format("{}: the tensor \"{}\" is of type {}, but the case is of type {}.\n  Use one type for "
                    "both: change \"dtype\" of the case, or the tensor.",
                    source_, name, c10::toString(tensor.scalar_type()), c10::toString(type)));
  }
}

LayerOutput LayerCase::run(bool compat, bool with_gradients) const {
  const std::unique_ptr<Layer> layer = layer_of(json_, compat);
  torch::nn::Module& module = layer->module();
  const at::ScalarType type = one_of(json_.at("dtype"), "float64", "float32") ? at::kDouble : at::kFloat;
  module.to(type);
  module.train(one_of(json_.at("mode"), "train", "eval"));
  nn::load_state_dict(module, with_prefix(tensors_, "state."), source_);
  module.to(device_);
  nn::NamedTensors inputs = with_prefix(tensors_, "input.");
  for (auto& [name, tensor] : inputs) {
    check_type("input." + name, tensor, type);
    tensor = tensor.to(tensor.options().device(device_), false,
                       /*copy=*/true); // a copy, since it accumulates gradients
  }
  const Arguments arguments(json_, std::move(inputs), layer->parameters(), with_gradients);
  const FullFloat32 full_float32(device_);
  const at::AutoGradMode differentiate(with_gradients);
  LayerOutput output = layer->run(arguments);
  if (with_gradients) {
    const auto cotangent = tensors_.find("cotangent");
    const at::Tensor result = output.tensors.at("output.result");
    if (cotangent == tensors_.end()) {
      throw DataError(
          fmt::format("{}: there is no tensor \"cotangent\", which is needed for gradients.\n  Add it, with "
                      "the shape of the result.",
                      source_));
    }
    check_type("cotangent", cotangent->second, type);
    if (cotangent->second.sizes() != result.sizes()) {
      throw DataError(
          c10::str(source_, ": cotangent has shape ", cotangent->second.sizes(), ", but the result has ",
                   result.sizes(),
                   ".\n  If it was made by hflayers, it may have the shape of the result with compat."));
    }
    result.backward(cotangent->second.to(device_));
    arguments.add_gradients(output.tensors);
    for (const auto& parameter : module.named_parameters()) {
      if (parameter.value().grad().defined()) {
        output.tensors["grad.state." + parameter.key()] = parameter.value().grad();
      }
    }
  }
  for (auto& [name, tensor] : output.tensors) {
    tensor = tensor.detach().cpu();
  }
  return output;
}

} // namespace mneme::verify
