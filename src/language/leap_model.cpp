// SPDX-License-Identifier: MIT

#include <array>

#include <ATen/Functions.h>

#include "language/head_model.h"
#include "language/models.h"
#include "mneme/nn/leap_folder.h"

namespace mneme::language {
namespace {

constexpr const char* kType = "leap";

class LeapState : public ModelState {
public:
  explicit LeapState(nn::LeapModelState state_) : state(std::move(state_)) {}

  std::unique_ptr<ModelState> clone() const override {
    nn::LeapModelState copy = state; // a step may update the tensors in place
    for (ops::LeapState& layer : copy.layers) {
      for (at::Tensor* tensor : {&layer.sums, &layer.reference, &layer.logit, &layer.key, &layer.value,
                                 &layer.scan, &layer.windows}) {
        *tensor = tensor->defined() ? tensor->clone() : *tensor;
      }
    }
    return std::make_unique<LeapState>(std::move(copy));
  }
  nn::TensorFile to_file() const override { return nn::to_file(state); }
  int64_t position() const override { return state.position; }

  nn::LeapModelState state;
};

class LeapModel : public ModuleModel<nn::LeapForCausalLM> {
public:
  explicit LeapModel(nn::LeapForCausalLM model) : ModuleModel(std::move(model), kType) {}

  std::optional<int64_t> max_length() const override {
    const nn::LeapConfig& config = model_->config;
    return config.positions() == nn::LeapPositions::learned ? std::optional(config.max_positions())
                                                            : std::nullopt;
  }
  bool is_recurrent() const override { return true; }

  std::unique_ptr<ModelState> start(int64_t) const override {
    return std::make_unique<LeapState>(nn::LeapModelState());
  }
  std::unique_ptr<ModelState> state_from(const nn::TensorFile& file,
                                         const std::string& source) const override {
    return std::make_unique<LeapState>(nn::leap_state_from(file, source));
  }

protected:
  at::Tensor step_input(const at::Tensor& ids, ModelState& state) override {
    return model_->step_input(ids, own_state<LeapState>(state, kType).state);
  }
  at::Tensor words() const override { return model_->word_embedding->weight; }
};

} // namespace

std::unique_ptr<Model> make_leap(const ModelConfig& config) {
  return std::make_unique<LeapModel>(
      nn::LeapForCausalLM(config_of<nn::LeapConfig>(config)
                              .dropout(config.dropout)
                              .positions(nn::leap_positions(config.positions))));
}

std::unique_ptr<Model> read_leap(const std::filesystem::path& folder, std::vector<std::string>* notes,
                                 nn::Mapping mapping) {
  return std::make_unique<LeapModel>(nn::read_leap_model(folder, "", notes, mapping));
}

} // namespace mneme::language
