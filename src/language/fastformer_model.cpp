// SPDX-License-Identifier: MIT

#include <ATen/Functions.h>

#include "language/head_model.h"
#include "language/models.h"
#include "mneme/core/error.h"
#include "mneme/nn/lm_folders.h"

namespace mneme::language {
namespace {

constexpr const char* kType = "fastformer";
constexpr const char* kFormat = "mneme tokens 1";

/// The tokens so far: each step computes the whole text again.
class TokensState : public ModelState {
public:
  explicit TokensState(at::Tensor ids_) : ids(std::move(ids_)) {}

  std::unique_ptr<ModelState> clone() const override { return std::make_unique<TokensState>(ids); }
  nn::TensorFile to_file() const override {
    return {.tensors = {{"ids", ids}}, .texts = {{"format", kFormat}}};
  }
  int64_t position() const override { return ids.size(1); }

  at::Tensor ids; ///< int64 [B, position]
};

class FastformerModel : public ModuleModel<nn::FastformerForCausalLM> {
public:
  explicit FastformerModel(nn::FastformerForCausalLM model) : ModuleModel(std::move(model), kType) {}

  std::optional<int64_t> max_length() const override { return model_->config.max_positions(); }
  bool is_recurrent() const override { return false; }

  std::unique_ptr<ModelState> start(int64_t batch) const override {
    return std::make_unique<TokensState>(at::empty({batch, 0}, at::kLong));
  }
  at::Tensor step_input(const at::Tensor& ids, ModelState& state) override {
    auto& own = own_state<TokensState>(state, kType);
    if (own.ids.size(0) != ids.size(0)) {
      refuse(c10::str("the state is of ", own.ids.size(0), " texts, but the ids are of ", ids.size(0), "."),
             "Give the next tokens of the same texts.");
    }
    const int64_t before = own.ids.size(1);
    own.ids = at::cat({own.ids, ids.cpu()}, 1);
    return head_input(own.ids.to(words().device())).slice(1, before);
  }
  std::unique_ptr<ModelState> state_from(const nn::TensorFile& file,
                                         const std::string& source) const override {
    check_format(file, kFormat, source);
    const at::Tensor ids = tensor_in(file, "ids", source);
    if (ids.dim() != 2 || ids.scalar_type() != at::kLong) {
      throw DataError(c10::str(source, ": the ids are of shape ", ids.sizes(), " and type ",
                               ids.scalar_type(),
                               ", expected Long [texts, tokens].\n  The file was damaged."));
    }
    return std::make_unique<TokensState>(ids);
  }

protected:
  at::Tensor words() const override { return model_->word_embedding->weight; }
  at::Tensor bias() const override { return model_->proj_logits->bias; }
};

} // namespace

std::unique_ptr<Model> make_fastformer(const ModelConfig& config) {
  return std::make_unique<FastformerModel>(
      nn::FastformerForCausalLM(config_of<nn::FastformerConfig>(config).dropout(config.dropout)));
}

std::unique_ptr<Model> read_fastformer(const std::filesystem::path& folder, std::vector<std::string>* notes,
                                       nn::Mapping mapping) {
  return std::make_unique<FastformerModel>(nn::read_fastformer_model(folder, "", notes, mapping));
}

} // namespace mneme::language
