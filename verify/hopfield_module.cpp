// SPDX-License-Identifier: MIT

#include <array>
#include <map>
#include <memory>
#include <set>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/nn/state_dict.h"
#include "verify/layer_call.h"
#include "verify/layer_options.h"
#include "verify/module_case.h"

namespace mneme::verify {
namespace {

/// Whether a text is the first of two allowed ones.
bool one_of(const GoldenValue& value, const char* first, const char* second) {
  const std::string text = value.text();
  if (text != first && text != second) {
    value.fail(fmt::format("\"{}\" or \"{}\"", first, second));
  }
  return text == first;
}

/// Inputs that are the same tensor as another one, by the name of their alias.
std::map<std::string, std::string> aliases_of(const GoldenValue& file) {
  std::map<std::string, std::string> aliases;
  if (file.has("same_tensor")) {
    const GoldenValue same = file.at("same_tensor");
    for (const std::string& alias : same.keys()) {
      aliases.emplace(alias, same.at(alias.c_str()).text());
    }
  }
  return aliases;
}

/// Input tensors of one call, by parameter.
class Arguments {
public:
  Arguments(const GoldenValue& file, nn::NamedTensors inputs, const std::vector<std::string>& parameters)
      : path_(file.at("call").path()), inputs_(std::move(inputs)) {
    std::set<std::string> names;
    for (const auto& [name, tensor] : inputs_) {
      names.insert(name);
    }
    call_ = parse_call(file.at("call"), parameters, names);
    for (const auto& [alias, original] : aliases_of(file)) {
      if (!inputs_.contains(alias) || !inputs_.contains(original)) {
        file.at("same_tensor").at(alias.c_str()).fail("names of two inputs");
      }
      inputs_[alias] = inputs_.at(original);
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

private:
  std::string path_;
  nn::NamedTensors inputs_;
  LayerCall call_;
};

/// Adapter of one layer class: constructs it, names the parameters of its forward, calls it.
class Layer : public CaseModule {
public:
  explicit Layer(const GoldenValue& file) : file_(file), aliases_(aliases_of(file)) {}
  CaseNames names() const override { return {"cotangent", "grad.input.", "grad.state."}; }
  std::string result() const override { return "output.result"; }
  at::ScalarType configure() override {
    const at::ScalarType type = one_of(file_.at("dtype"), "float64", "float32") ? at::kDouble : at::kFloat;
    module().to(type);
    module().train(one_of(file_.at("mode"), "train", "eval"));
    return type;
  }
  void load(const nn::NamedTensors& state, const std::string& source) override {
    nn::load_state_dict(module(), state, source);
  }
  bool is_differentiated(const std::string& input) const override {
    return !input.ends_with("mask") && !aliases_.contains(input);
  }
  ModuleResult run(const nn::NamedTensors& inputs, const std::string& /*source*/) override {
    return call(Arguments(file_, inputs, parameters()));
  }

protected:
  virtual std::vector<std::string> parameters() const {
    return {"input", "stored_pattern_padding_mask", "association_mask"};
  }
  virtual ModuleResult call(const Arguments& arguments) = 0;

  /// Takes the result from forward, everything else from retrieve.
  template <class Module, class... Inputs>
  static ModuleResult run_retrieval(Module& module, const Inputs&... inputs) {
    ModuleResult output;
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

private:
  GoldenValue file_;
  std::map<std::string, std::string> aliases_;
};

class CoreLayer : public Layer {
public:
  CoreLayer(const GoldenValue& json, bool compat)
      : Layer(json), module_(core_options(json.at("constructor"), compat)) {
    if (json.has("forward_options")) {
      options_ = core_call_options(json.at("forward_options"));
    }
  }
  torch::nn::Module& module() override { return *module_; }
  std::vector<std::string> parameters() const override {
    return {"query", "key", "value", "key_padding_mask", "need_weights", "attn_mask"};
  }
  ModuleResult call(const Arguments& arguments) override {
    nn::HopfieldCoreCall options = options_.call;
    options.key_padding_mask = arguments.mask("key_padding_mask");
    options.attn_mask = arguments.mask("attn_mask");
    const nn::HopfieldCoreResult result =
        module_->forward(arguments.one("query"), arguments.one("key"), arguments.one("value"), options);
    ModuleResult output{.updates = result.updates, .changes = result.changes};
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
      : Layer(json), module_(hopfield_options(json.at("constructor"), compat)) {}
  torch::nn::Module& module() override { return *module_; }
  ModuleResult call(const Arguments& arguments) override {
    const std::vector<at::Tensor> inputs = arguments.all("input", 1, 3);
    return run_retrieval(module_, inputs[0], inputs[1], inputs[2], masks(arguments));
  }

private:
  nn::Hopfield module_;
};

class PoolingLayer : public Layer {
public:
  PoolingLayer(const GoldenValue& json, bool compat)
      : Layer(json), module_(pooling_options(json.at("constructor"), compat)) {}
  torch::nn::Module& module() override { return *module_; }
  ModuleResult call(const Arguments& arguments) override {
    const std::vector<at::Tensor> inputs = arguments.all("input", 1, 2);
    return run_retrieval(module_, inputs[0], inputs[1], masks(arguments));
  }

private:
  nn::HopfieldPooling module_;
};

class LookupLayer : public Layer {
public:
  LookupLayer(const GoldenValue& json, bool compat)
      : Layer(json), module_(lookup_options(json.at("constructor"), compat)) {}
  torch::nn::Module& module() override { return *module_; }
  ModuleResult call(const Arguments& arguments) override {
    return run_retrieval(module_, arguments.one("input"), masks(arguments));
  }

private:
  nn::HopfieldLayer module_;
};

class EncoderBlock : public Layer {
public:
  EncoderBlock(const GoldenValue& json, bool compat) : Layer(json), module_(encoder_options(json, compat)) {}
  torch::nn::Module& module() override { return *module_; }
  std::vector<std::string> parameters() const override { return {"src", "src_mask", "src_key_padding_mask"}; }
  ModuleResult call(const Arguments& arguments) override {
    const at::Tensor src = arguments.one("src");
    ModuleResult output;
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
  DecoderBlock(const GoldenValue& json, bool compat) : Layer(json), module_(decoder_options(json, compat)) {}
  torch::nn::Module& module() override { return *module_; }
  std::vector<std::string> parameters() const override {
    return {"tgt", "memory", "tgt_mask", "memory_mask", "tgt_key_padding_mask", "memory_key_padding_mask"};
  }
  ModuleResult call(const Arguments& arguments) override {
    const at::Tensor tgt = arguments.one("tgt"), memory = arguments.one("memory");
    ModuleResult output;
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

template <class Kind> std::unique_ptr<CaseModule> make(const GoldenValue& file, bool compat) {
  return std::make_unique<Kind>(file, compat);
}

constexpr std::array kClasses = {
    CaseClass{"Hopfield", make<HopfieldAlone>},
    CaseClass{"HopfieldCore", make<CoreLayer>},
    CaseClass{"HopfieldDecoderLayer", make<DecoderBlock>},
    CaseClass{"HopfieldEncoderLayer", make<EncoderBlock>},
    CaseClass{"HopfieldLayer", make<LookupLayer>},
    CaseClass{"HopfieldPooling", make<PoolingLayer>},
};

} // namespace

std::span<const CaseClass> hopfield_classes() {
  return kClasses;
}

} // namespace mneme::verify
