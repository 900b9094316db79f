// SPDX-License-Identifier: MIT

#include <ATen/Functions.h>

#include "language/head_model.h"
#include "language/models.h"
#include "mneme/core/error.h"
#include "mneme/nn/gpt2_folder.h"
#include "mneme/nn/state_dict.h"

namespace mneme::language {
namespace {

constexpr const char* kType = "gpt2";
constexpr const char* kFormat = "mneme GPT-2 cache 1";

class Gpt2State : public ModelState {
public:
  std::unique_ptr<ModelState> clone() const override {
    auto copy = std::make_unique<Gpt2State>(*this); // steps write into the tensors
    for (nn::Gpt2Cache::Layer& layer : copy->cache.layers) {
      layer = {layer.key.clone(), layer.value.clone()};
    }
    return copy;
  }
  nn::TensorFile to_file() const override {
    nn::TensorFile file{.texts = {{"format", kFormat}}};
    for (size_t i = 0; i < cache.layers.size(); ++i) {
      const nn::Gpt2Cache::Layer& layer = cache.layers[i];
      file.tensors[c10::str("layers.", i, ".key")] = layer.key.narrow(2, 0, cache.position).cpu();
      file.tensors[c10::str("layers.", i, ".value")] = layer.value.narrow(2, 0, cache.position).cpu();
    }
    return file;
  }
  int64_t position() const override { return cache.position; }

  nn::Gpt2Cache cache;
};

class Gpt2 : public ModuleModel<nn::Gpt2ForCausalLM> {
public:
  explicit Gpt2(nn::Gpt2ForCausalLM model) : ModuleModel(std::move(model), kType) {}

  std::optional<int64_t> max_length() const override { return model_->config.max_positions(); }
  bool is_recurrent() const override { return false; }

  std::unique_ptr<ModelState> start(int64_t) const override { return std::make_unique<Gpt2State>(); }
  std::unique_ptr<ModelState> state_from(const nn::TensorFile& file,
                                         const std::string& source) const override {
    check_format(file, kFormat, source);
    auto state = std::make_unique<Gpt2State>();
    if (file.tensors.empty()) {
      return state;
    }
    const nn::Gpt2Config& config = model_->config;
    const at::ScalarType type = model_->transformer->ln_f->weight.scalar_type();
    if (static_cast<int64_t>(file.tensors.size()) != 2 * config.num_layers()) {
      throw DataError(c10::str(source, ": has ", file.tensors.size(), " tensors, expected two for each of ",
                               config.num_layers(), " layers.\n  Is it the state of this model?"));
    }
    for (int64_t i = 0; i < config.num_layers(); ++i) {
      const nn::Gpt2Cache::Layer layer{tensor_in(file, c10::str("layers.", i, ".key").c_str(), source),
                                       tensor_in(file, c10::str("layers.", i, ".value").c_str(), source)};
      for (const at::Tensor& rows : {layer.key, layer.value}) {
        const at::Tensor& first = state->cache.layers.empty() ? layer.key : state->cache.layers[0].key;
        if (rows.dim() != 4 || rows.sizes() != first.sizes() || rows.size(1) != config.num_heads() ||
            rows.size(3) != config.hidden_size() / config.num_heads() ||
            rows.size(2) > config.max_positions() || rows.scalar_type() != type) {
          throw DataError(c10::str(source, ": the rows of layer ", i, " are of shape ", rows.sizes(),
                                   " and type ", rows.scalar_type(), ", expected [texts, ",
                                   config.num_heads(), ", at most ", config.max_positions(), ", ",
                                   config.hidden_size() / config.num_heads(), "] of type ", type,
                                   ".\n  Is it the state of this model?"));
        }
      }
      state->cache.layers.push_back(layer);
    }
    state->cache.position = state->cache.layers[0].key.size(2);
    return state;
  }

  nn::NamedTensors published_state() override { return nn::state_dict(*model_); }

protected:
  at::Tensor step_input(const at::Tensor& ids, ModelState& state) override {
    return model_->step(ids, own_state<Gpt2State>(state, kType).cache);
  }
  at::Tensor words() const override { return model_->head_weight(); }
  at::Tensor word_embedding() const override { return model_->transformer->wte->weight; }
};

} // namespace

std::unique_ptr<Model> make_gpt2(const ModelConfig& config) {
  return std::make_unique<Gpt2>(nn::Gpt2ForCausalLM(config_of<nn::Gpt2Config>(config)
                                                        .embedding_dropout(config.dropout)
                                                        .attention_dropout(config.dropout)
                                                        .residual_dropout(config.dropout)));
}

std::unique_ptr<Model> read_gpt2(const std::filesystem::path& folder, std::vector<std::string>* notes,
                                 nn::Mapping mapping) {
  return std::make_unique<Gpt2>(nn::read_gpt2_model(folder, "", notes, mapping));
}

} // namespace mneme::language
