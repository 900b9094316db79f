// SPDX-License-Identifier: MIT

#include <ATen/Functions.h>

#include "language/head_model.h"
#include "language/models.h"
#include "mneme/core/error.h"
#include "mneme/nn/lm_folders.h"

namespace mneme::language {
namespace {

constexpr const char* kType = "lstm";
constexpr const char* kFormat = "mneme LSTM state 1";

class LstmModelState : public ModelState {
public:
  std::unique_ptr<ModelState> clone() const override { // steps replace the tensors: no copy is needed
    return std::make_unique<LstmModelState>(*this);
  }
  nn::TensorFile to_file() const override {
    nn::TensorFile file{.texts = {{"format", kFormat}}};
    file.tensors["position"] = at::scalar_tensor(tokens, at::kLong);
    if (state.hidden.defined()) {
      file.tensors["hidden"] = state.hidden.cpu();
      file.tensors["cell"] = state.cell.cpu();
    }
    return file;
  }
  int64_t position() const override { return tokens; }

  nn::LstmState state;
  int64_t tokens = 0;
};

class LstmModel : public ModuleModel<nn::LstmForCausalLM> {
public:
  explicit LstmModel(nn::LstmForCausalLM model) : ModuleModel(std::move(model), kType) {}

  std::optional<int64_t> max_length() const override { return std::nullopt; }
  bool is_recurrent() const override { return true; }
  void use_int8_weights() override {
    refuse(c10::str("a model of the type \"", kType,
                    "\" has no int8 weights, because LibTorch computes its layers."),
           "Use float32 weights.");
  }

  std::unique_ptr<ModelState> start(int64_t) const override { return std::make_unique<LstmModelState>(); }
  at::Tensor step_input(const at::Tensor& ids, ModelState& state) override {
    auto& own = own_state<LstmModelState>(state, kType);
    if (own.state.hidden.defined() && own.state.hidden.size(1) != ids.size(0)) {
      refuse(c10::str("the state is of ", own.state.hidden.size(1), " texts, but the ids are of ",
                      ids.size(0), "."),
             "Give the next tokens of the same texts.");
    }
    at::Tensor input = model_->step(ids, own.state);
    own.tokens += ids.size(1);
    return input;
  }
  std::unique_ptr<ModelState> state_from(const nn::TensorFile& file,
                                         const std::string& source) const override {
    check_format(file, kFormat, source);
    auto state = std::make_unique<LstmModelState>();
    state->tokens = position_in(file, source);
    if (state->tokens == 0) {
      return state;
    }
    state->state = {tensor_in(file, "hidden", source), tensor_in(file, "cell", source)};
    const nn::LstmConfig& config = model_->config;
    for (const at::Tensor& tensor : {state->state.hidden, state->state.cell}) {
      if (tensor.dim() != 3 || tensor.size(0) != config.num_layers() ||
          tensor.size(2) != config.hidden_size() || tensor.sizes() != state->state.cell.sizes() ||
          tensor.scalar_type() != model_->word_embedding->weight.scalar_type()) {
        throw DataError(
            c10::str(source, ": the state is of shape ", tensor.sizes(), " and type ", tensor.scalar_type(),
                     ", expected [", config.num_layers(), ", texts, ", config.hidden_size(), "] of type ",
                     model_->word_embedding->weight.scalar_type(), ".\n  Is it the state of this model?"));
      }
    }
    return state;
  }

protected:
  at::Tensor words() const override { return model_->word_embedding->weight; }
};

} // namespace

std::unique_ptr<Model> make_lstm(const ModelConfig& config) {
  return std::make_unique<LstmModel>(
      nn::LstmForCausalLM(nn::LstmConfig(config.vocab_size, config.width, config.layers)
                              .dropout(config.dropout)
                              .seed(config.seed)));
}

std::unique_ptr<Model> read_lstm(const std::filesystem::path& folder, std::vector<std::string>* notes,
                                 nn::Mapping mapping) {
  return std::make_unique<LstmModel>(nn::read_lstm_model(folder, "", notes, mapping));
}

} // namespace mneme::language
