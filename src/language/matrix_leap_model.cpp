// SPDX-License-Identifier: MIT

#include <array>

#include <ATen/Functions.h>

#include "language/head_model.h"
#include "language/models.h"
#include "mneme/core/error.h"
#include "mneme/nn/leap_folder.h"
#include "mneme/nn/lm_folders.h"
#include "mneme/nn/state_dict.h"

namespace mneme::language {
namespace {

constexpr const char* kType = "matrix-leap";
constexpr const char* kFormat = "mneme matrix LEAP state 1";

/// The tensors of a layer's state, with their names in a file.
template <class State> auto tensors_of(State& state) {
  return std::array{std::pair("sums", &state.sums), std::pair("reference", &state.reference),
                    std::pair("logit", &state.logit), std::pair("key", &state.key),
                    std::pair("value", &state.value)};
}

class MatrixLeapState : public ModelState {
public:
  explicit MatrixLeapState(nn::MatrixLeapModelState state_ = {}) : state(std::move(state_)) {}

  std::unique_ptr<ModelState> clone() const override {
    nn::MatrixLeapModelState copy = state; // a step may update the tensors in place
    for (ops::MatrixLeapState& layer : copy.layers) {
      for (const auto& [name, tensor] : tensors_of(layer)) {
        *tensor = tensor->defined() ? tensor->clone() : *tensor;
      }
    }
    return std::make_unique<MatrixLeapState>(std::move(copy));
  }
  nn::TensorFile to_file() const override {
    nn::TensorFile file{.texts = {{"format", kFormat}}};
    file.tensors["position"] = at::scalar_tensor(state.position, at::kLong);
    for (size_t i = 0; i < state.layers.size(); ++i) {
      for (const auto& [name, tensor] : tensors_of(state.layers[i])) {
        if (tensor->defined()) {
          file.tensors.emplace(c10::str("layers.", i, ".", name), tensor->cpu());
        }
      }
    }
    return file;
  }
  int64_t position() const override { return state.position; }

  nn::MatrixLeapModelState state;
};

class MatrixLeapModel : public ModuleModel<nn::MatrixLeapForCausalLM> {
public:
  explicit MatrixLeapModel(nn::MatrixLeapForCausalLM model) : ModuleModel(std::move(model), kType) {}

  std::optional<int64_t> max_length() const override {
    const nn::MatrixLeapConfig& config = model_->config;
    return config.positions() == nn::LeapPositions::learned ? std::optional(config.max_positions())
                                                            : std::nullopt;
  }
  bool is_recurrent() const override { return true; }

  std::unique_ptr<ModelState> start(int64_t) const override { return std::make_unique<MatrixLeapState>(); }
  std::unique_ptr<ModelState> state_from(const nn::TensorFile& file,
                                         const std::string& source) const override {
    check_format(file, kFormat, source);
    auto state = std::make_unique<MatrixLeapState>();
    state->state.position = position_in(file, source);
    if (state->state.position == 0) {
      return state;
    }
    size_t taken = 1; // the position
    for (int64_t i = 0; i < model_->config.num_layers(); ++i) {
      ops::MatrixLeapState& layer = state->state.layers.emplace_back();
      layer.position = state->state.position;
      for (const auto& [name, tensor] : tensors_of(layer)) {
        if (const auto found = file.tensors.find(c10::str("layers.", i, ".", name));
            found != file.tensors.end()) {
          *tensor = found->second;
          ++taken;
        }
      }
    }
    if (taken != file.tensors.size()) { // shapes are checked by the next step
      throw DataError(c10::str(source, ": ", file.tensors.size() - taken, " of ", file.tensors.size(),
                               " tensors belong to none of the ", model_->config.num_layers(),
                               " layers.\n  Is it the state of this model?"));
    }
    return state;
  }

  nn::NamedTensors published_state() override { return nn::state_dict(*model_); }

protected:
  at::Tensor step_input(const at::Tensor& ids, ModelState& state) override {
    return model_->step(ids, own_state<MatrixLeapState>(state, kType).state);
  }
  at::Tensor words() const override { return model_->word_embedding->weight; }
};

} // namespace

std::unique_ptr<Model> make_matrix_leap(const ModelConfig& config) {
  return std::make_unique<MatrixLeapModel>(
      nn::MatrixLeapForCausalLM(config_of<nn::MatrixLeapConfig>(config)
                                    .dropout(config.dropout)
                                    .positions(nn::leap_positions(config.positions))));
}

std::unique_ptr<Model> read_matrix_leap(const std::filesystem::path& folder, std::vector<std::string>* notes,
                                        nn::Mapping mapping) {
  return std::make_unique<MatrixLeapModel>(nn::read_matrix_leap_model(folder, "", notes, mapping));
}

} // namespace mneme::language
