// SPDX-License-Identifier: MIT

#include "verify/leap_case.h"

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
#include "verify/case_tensors.h"
#include "verify/expect_tensor.h"
#include "verify/on_device.h"

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

/// Adapter of one class of the published code. run() returns results under their names in case files, without
/// "output.".
class Model {
public:
  virtual ~Model() = default;
  virtual torch::nn::Module& module() = 0;
  virtual nn::NamedTensors run(const Inputs& inputs) = 0;
  /// Names of the input with a gradient, and of the output that input.grad_output belongs to; nullptr:
  /// gradients are those of the loss.
  virtual const char* input() const { return nullptr; }
  virtual const char* result() const { return nullptr; }
};

class Mechanism : public Model {
public:
  explicit Mechanism(const GoldenValue& file) : module_(mechanism_options(file)) {}
  torch::nn::Module& module() override { return *module_; }
  const char* input() const override { return "mod"; }
  const char* result() const override { return "attention"; }
  nn::NamedTensors run(const Inputs& inputs) override {
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
  explicit Block(const GoldenValue& file) : module_(block_options(file)) {}
  torch::nn::Module& module() override { return *module_; }
  const char* input() const override { return "mod"; }
  const char* result() const override { return "mod"; }
  nn::NamedTensors run(const Inputs& inputs) override {
    return {{"mod", module_->forward(inputs.at("mod"))}};
  }

private:
  nn::LeapBlock module_;
};

class Decoder : public Model {
public:
  explicit Decoder(const GoldenValue& file) : module_(leap_config(file)) {}
  torch::nn::Module& module() override { return *module_; }
  const char* input() const override { return "input_embs"; }
  const char* result() const override { return "layer_outputs"; }
  nn::NamedTensors run(const Inputs& inputs) override {
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
  template <class Options> explicit LanguageModel(const Options& options) : module_(options) {}
  torch::nn::Module& module() override { return *module_; }
  nn::NamedTensors run(const Inputs& inputs) override {
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

template <class Kind> std::unique_ptr<Model> make(const GoldenValue& file) {
  return std::make_unique<Kind>(file);
}
template <class Module, auto options> std::unique_ptr<Model> make_lm(const GoldenValue& file) {
  return std::make_unique<LanguageModel<Module>>(options(file));
}

struct Class {
  std::string_view name;
  std::unique_ptr<Model> (*make)(const GoldenValue& file);
};
constexpr std::array kClasses = {
    Class{"FastformerForCausalLM", make_lm<nn::FastformerForCausalLM, fastformer_config>},
    Class{"LeapBlock", make<Block>},
    Class{"LeapDecoder", make<Decoder>},
    Class{"LeapForCausalLM", make_lm<nn::LeapForCausalLM, leap_config>},
    Class{"LstmForCausalLM", make_lm<nn::LstmForCausalLM, lstm_config>},
    Class{"MultiheadLeap", make<Mechanism>},
};

const Class* class_named(std::string_view name) {
  const auto found =
      std::find_if(kClasses.begin(), kClasses.end(), [&](const Class& known) { return known.name == name; });
  return found == kClasses.end() ? nullptr : &*found;
}

std::unique_ptr<Model> model_of(const GoldenValue& file) {
  const GoldenValue name = file.at("class");
  const Class* known = class_named(name.text());
  if (known == nullptr) {
    name.fail("a class of the published LEAP code");
  }
  return known->make(file);
}

} // namespace

bool LeapCase::supports(std::string_view class_name) {
  return class_named(class_name) != nullptr;
}

LeapCase::LeapCase(const GoldenValue& json, const std::filesystem::path& file, const std::string& device)
    : json_(json), source_(tensors_path(file).filename().string()),
      tensors_(nn::read_tensor_file(tensors_path(file)).tensors), device_(device) {}

nn::NamedTensors LeapCase::run_in_double(bool with_gradients) const {
  nn::NamedTensors renamed;
  for (const auto& [name, tensor] : run_in(at::kDouble, with_gradients)) {
    const size_t dot = name.find('.');
    renamed.emplace(name.substr(0, dot) + "64" + name.substr(dot), tensor);
  }
  return renamed;
}

nn::NamedTensors LeapCase::run_in(at::ScalarType type, bool with_gradients) const {
  if (const GoldenValue mode = json_.at("forward").at("mode"); mode.text() != "eval") {
    mode.fail("\"eval\"");
  }
  const std::unique_ptr<Model> model = model_of(json_);
  torch::nn::Module& module = model->module();
  nn::load_causal_lm_state(module, with_prefix(tensors_, "state."), source_);
  module.to(device_, type);
  module.eval();
  nn::NamedTensors given = with_prefix(tensors_, "input.");
  for (auto& [name, tensor] : given) {
    tensor = at::isFloatingType(tensor.scalar_type()) ? tensor.to(device_, type, false, /*copy=*/true)
                                                      : tensor.to(device_);
  }
  if (with_gradients && model->input() != nullptr && given.contains(model->input())) {
    given[model->input()].requires_grad_();
  }
  const Inputs inputs(given, source_);
  const FullFloat32 full_float32(device_);
  const at::AutoGradMode differentiate(with_gradients);
  const nn::NamedTensors computed = model->run(inputs);
  nn::NamedTensors out;
  for (const auto& [name, tensor] : computed) {
    out.emplace("output." + name, tensor.detach().cpu());
  }
  if (!with_gradients) {
    return out;
  }
  if (model->result() == nullptr) {
    computed.at("loss").backward();
  } else {
    const at::Tensor result = computed.at(model->result()), cotangent = inputs.at("grad_output");
    if (cotangent.sizes() != result.sizes()) {
      throw DataError(c10::str(source_, ": input.grad_output has shape ", cotangent.sizes(),
                               ", but the result has ", result.sizes(), "."));
    }
    result.backward(cotangent);
    out.emplace(std::string("grad.") + model->input(), given.at(model->input()).grad().cpu());
  }
  for (const auto& parameter : module.named_parameters()) {
    if (parameter.value().grad().defined()) {
      out.emplace("grad." + parameter.key(), parameter.value().grad().cpu());
    }
  }
  return out;
}

} // namespace mneme::verify
