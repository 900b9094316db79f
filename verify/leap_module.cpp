// SPDX-License-Identifier: MIT

#include <array>
#include <set>

#include <ATen/Functions.h>
#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/nn/fastformer_lm.h"
#include "mneme/nn/leap_folder.h"
#include "mneme/nn/leap_lm.h"
#include "mneme/nn/lstm_lm.h"
#include "mneme/nn/state_dict.h"
#include "verify/module_case.h"

namespace mneme::verify {
namespace {

/// Fields of a configuration. Checks that every field has been read.
class Config {
public:
  explicit Config(const GoldenValue& json) : json_(json) {}

  int64_t integer(const char* key) { return field(key).integer(); }
  double number(const char* key) { return field(key).number(); }
  bool boolean(const char* key) { return field(key).boolean(); }
  bool has_number(const char* key) {
    read_keys_.insert(key);
    return json_.has(key) && !json_.at(key).is_null();
  }
  std::vector<int64_t> integers(const char* key) {
    const GoldenValue list = field(key);
    std::vector<int64_t> all;
    for (size_t i = 0; i < list.size(); ++i) {
      all.push_back(list.at(i).integer());
    }
    return all;
  }
  /// Errors  DataError (JSON path) for a field that has not been read
  void check_all_read() const {
    for (const std::string& key : json_.keys()) {
      if (!read_keys_.contains(key)) {
        json_.at(key.c_str()).fail("no such option");
      }
    }
  }

private:
  GoldenValue field(const char* key) {
    read_keys_.insert(key);
    return json_.at(key);
  }
  GoldenValue json_;
  std::set<std::string> read_keys_;
};

bool is_exponential(const GoldenValue& file) {
  const GoldenValue formulation = file.at("formulation");
  const std::string text = formulation.text();
  if (text != "elu" && text != "exp") {
    formulation.fail("\"elu\" or \"exp\"");
  }
  return text == "exp";
}

void set_formulation(const GoldenValue& file, Config& config, nn::MultiheadLeapOptions& options) {
  if (is_exponential(file)) {
    options.weight(ops::FocusWeight::exponential);
    if (config.has_number("rescale")) {
      options.rescale(config.number("rescale"));
    }
  }
}

/// Sets the windows of all layers; those stored for a model without local windows are ignored.
void set_windows(Config& config, nn::FastformerConfig& options) {
  const std::vector<int64_t> windows = config.integers("window_sizes");
  options.local_windows(config.boolean("use_local_att"));
  if (options.local_windows()) {
    options.windows(windows);
  }
}

nn::LeapConfig leap_config(const GoldenValue& file) {
  const GoldenValue json = file.at("config");
  nn::LeapConfig config = nn::leap_config_from(json.json(), json.path());
  return config.weight(is_exponential(file) ? ops::FocusWeight::exponential : ops::FocusWeight::elu);
}

nn::MultiheadLeapOptions mechanism_options(const GoldenValue& file) {
  Config config(file.at("config"));
  nn::MultiheadLeapOptions options(config.integer("hidden_size"), config.integer("n_head"));
  options.windows({config.integer("window_size")}).dropout(config.number("dropout"));
  set_formulation(file, config, options);
  config.check_all_read();
  return options;
}

nn::MultiheadLeapOptions block_options(const GoldenValue& file) {
  const nn::LeapConfig config = leap_config(file);
  return nn::MultiheadLeapOptions(config.hidden_size(), config.num_heads())
      .windows({file.at("window_size").integer()})
      .dropout(config.dropout())
      .weight(config.weight())
      .rescale(config.rescale());
}

nn::FastformerConfig fastformer_config(const GoldenValue& file) {
  Config config(file.at("config"));
  nn::FastformerConfig options;
  options.vocab_size(config.integer("vocab_size"))
      .hidden_size(config.integer("hidden_size"))
      .num_heads(config.integer("n_heads"))
      .num_layers(config.integer("n_layer"))
      .max_positions(config.integer("n_positions"))
      .rescale(config.number("rescale"))
      .dropout(config.number("hidden_dropout_prob"))
      .initial_std(config.number("initializer_range"));
  set_windows(config, options);
  config.check_all_read();
  return options;
}

nn::LstmConfig lstm_config(const GoldenValue& file) {
  Config config(file.at("config"));
  nn::LstmConfig options(config.integer("vocab_size"), config.integer("hidden_size"),
                         config.integer("n_layer"));
  options.dropout(config.number("hidden_dropout_prob"));
  config.check_all_read();
  return options;
}

/// Inputs of a case, by name.
class Inputs {
public:
  Inputs(nn::NamedTensors tensors, std::string source)
      : tensors_(std::move(tensors)), source_(std::move(source)) {}

  at::Tensor at(const char* name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) {
      throw DataError(fmt::format("{}: there is no tensor \"input.{}\".", source_, name));
    }
    return found->second;
  }

private:
  nn::NamedTensors tensors_;
  std::string source_;
};

/// Adapter of one class of the published code.
class Model : public CaseModule {
public:
  /// `input`: name of the differentiated input, empty for token ids; `result`: of the differentiated result.
  Model(const GoldenValue& file, std::string input, std::string result)
      : file_(file), input_(std::move(input)), result_(std::move(result)) {}
  CaseNames names() const override { return {"input.grad_output", "grad.", "grad."}; }
  std::string result() const override { return "output." + result_; }
  at::ScalarType configure() override {
    if (const GoldenValue mode = file_.at("forward").at("mode"); mode.text() != "eval") {
      mode.fail("\"eval\"");
    }
    module().eval();
    return at::kFloat;
  }
  void load(const nn::NamedTensors& state, const std::string& source) override {
    nn::load_causal_lm_state(module(), state, source);
  }
  bool is_differentiated(const std::string& input) const override { return input == input_; }
  ModuleResult run(const nn::NamedTensors& inputs, const std::string& source) override {
    ModuleResult output;
    for (auto& [name, tensor] : results(Inputs(inputs, source))) {
      output.tensors.emplace("output." + name, tensor);
    }
    return output;
  }

protected:
  /// Results under their names in case files, without "output.".
  virtual nn::NamedTensors results(const Inputs& inputs) = 0;

private:
  GoldenValue file_;
  std::string input_, result_;
};

class Mechanism : public Model {
public:
  explicit Mechanism(const GoldenValue& file)
      : Model(file, "mod", "attention"), module_(mechanism_options(file)) {}
  torch::nn::Module& module() override { return *module_; }
  nn::NamedTensors results(const Inputs& inputs) override {
    const at::Tensor x = inputs.at("mod");
    nn::NamedTensors out;
    out["attention"] = module_->forward(x);
    const ops::LeapIntermediates intermediates = module_->explain(x);
    out["focus_weights"] = intermediates.focus_weight.unsqueeze(-1);
    out["cumulative_weights"] = intermediates.weight_sum.unsqueeze(-1);
    out["focused_k"] = intermediates.focused_key;
    out["focused_v"] = intermediates.focused_value;
    return out;
  }

private:
  nn::MultiheadLeap module_;
};

class Block : public Model {
public:
  explicit Block(const GoldenValue& file) : Model(file, "mod", "mod"), module_(block_options(file)) {}
  torch::nn::Module& module() override { return *module_; }
  nn::NamedTensors results(const Inputs& inputs) override {
    return {{"mod", module_->forward(inputs.at("mod"))}};
  }

private:
  nn::LeapBlock module_;
};

class Decoder : public Model {
public:
  explicit Decoder(const GoldenValue& file)
      : Model(file, "input_embs", "layer_outputs"), module_(leap_config(file)) {}
  torch::nn::Module& module() override { return *module_; }
  nn::NamedTensors results(const Inputs& inputs) override {
    const std::vector<at::Tensor> states = module_->hidden_states(inputs.at("input_embs"));
    nn::NamedTensors out = {{"layer_outputs", states.back()}};
    for (size_t i = 1; i < states.size(); ++i) {
      out[fmt::format("block.{}", i - 1)] = states[i];
    }
    return out;
  }

private:
  nn::LeapDecoder module_;
};

template <class Module> class LanguageModel : public Model {
public:
  template <class Options>
  LanguageModel(const GoldenValue& file, const Options& options)
      : Model(file, "", "loss"), module_(options) {}
  torch::nn::Module& module() override { return *module_; }
  nn::NamedTensors results(const Inputs& inputs) override {
    const nn::CausalLMOutput output = module_->forward(
        inputs.at("input_ids"), {inputs.at("attention_mask"), inputs.at("labels"), /*hidden_states=*/true});
    nn::NamedTensors out = {{"logits", output.logits},
                            {"loss", output.loss.view({1})},
                            {"labels_after", output.labels},
                            {"hidden.last_norm", output.last_norm}};
    for (size_t i = 1; i < output.hidden_states.size(); ++i) {
      out[fmt::format("hidden.block.{}", i - 1)] = output.hidden_states[i];
    }
    return out;
  }

private:
  Module module_;
};

template <class Kind> std::unique_ptr<CaseModule> make(const GoldenValue& file, bool /*compat*/) {
  return std::make_unique<Kind>(file);
}
template <class Module, auto options>
std::unique_ptr<CaseModule> make_lm(const GoldenValue& file, bool /*compat*/) {
  return std::make_unique<LanguageModel<Module>>(file, options(file));
}

constexpr std::array kClasses = {
    CaseClass{"FastformerForCausalLM", make_lm<nn::FastformerForCausalLM, fastformer_config>},
    CaseClass{"LeapBlock", make<Block>},
    CaseClass{"LeapDecoder", make<Decoder>},
    CaseClass{"LeapForCausalLM", make_lm<nn::LeapForCausalLM, leap_config>},
    CaseClass{"LstmForCausalLM", make_lm<nn::LstmForCausalLM, lstm_config>},
    CaseClass{"MultiheadLeap", make<Mechanism>},
};

} // namespace

std::span<const CaseClass> leap_classes() {
  return kClasses;
}

} // namespace mneme::verify
