// SPDX-License-Identifier: MIT

#include "mneme/nn/gpt2.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <ATen/Functions.h>

#include "mneme/core/error.h"
#include "mneme/nn/state_dict.h"
#include "mneme/ops/associate.h"
#include "mneme/ops/associate_heads.h"
#include "mneme/ops/linear.h"
#include "nn/apply_embedding.h"
#include "nn/apply_norm.h"
#include "nn/causal_lm.h"
#include "nn/checks.h"
#include "nn/name_prefixes.h"
#include "nn/refuse.h"
#include "nn/transformer_activation.h"
#include "nn/transformer_block.h"

namespace mneme::nn {
namespace {

constexpr const char* kModel = "Gpt2ForCausalLM";
constexpr const char* kHead = "lm_head.weight";
constexpr const char* kWords = "wte.weight";
constexpr std::string_view kPrefix = "transformer.";
constexpr int64_t kMinCapacity = 64; // tokens of a cache

void check(const Gpt2Config& config) {
  check_sizes(kModel, {{"vocab_size", config.vocab_size()},
                       {"hidden_size", config.hidden_size()},
                       {"num_heads", config.num_heads()},
                       {"num_layers", config.num_layers()},
                       {"max_positions", config.max_positions()},
                       {"inner_size", config.inner_size().value_or(1)}});
  check_heads(kModel, config.hidden_size(), config.num_heads());
  check_partial_dropout(kModel, config.embedding_dropout(), "embedding_dropout");
  check_partial_dropout(kModel, config.attention_dropout(), "attention_dropout");
  check_partial_dropout(kModel, config.residual_dropout(), "residual_dropout");
  check_positive(kModel, "norm_epsilon", config.norm_epsilon(), "The published value is 1e-5.");
  check_positive(kModel, "initial_std", config.initial_std(), "The published value is 0.02.");
}

torch::nn::LayerNorm norm_of(const Gpt2Config& config) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({config.hidden_size()}).eps(config.norm_epsilon()));
}

int64_t inner_size(const Gpt2Config& config) {
  return config.inner_size().value_or(4 * config.hidden_size());
}

/// bool [tokens, earlier + tokens]: whether a key is later than the query.
at::Tensor later_keys(int64_t tokens, int64_t earlier, const at::Tensor& like) {
  return at::ones({tokens, earlier + tokens}, like.options().dtype(at::kBool)).triu(earlier + 1);
}

/// Evaluation mode, without dropout, until the end of the scope.
class EvaluationMode {
public:
  explicit EvaluationMode(torch::nn::Module& module) : module_(module), was_training_(module.is_training()) {
    module_.eval();
  }
  ~EvaluationMode() { module_.train(was_training_); }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

private:
  torch::nn::Module& module_;
  bool was_training_;
};

/// Rows for one more block of tokens; contents are kept.
void reserve(at::Tensor& rows, const at::Tensor& like, int64_t used, int64_t needed, int64_t max) {
  if (rows.defined() && rows.size(2) >= needed) {
    return;
  }
  const int64_t capacity = std::min(max, std::max({kMinCapacity, needed, 2 * used}));
  at::Tensor larger = at::empty({like.size(0), like.size(1), capacity, like.size(3)}, like.options());
  if (used > 0) {
    larger.narrow(2, 0, used).copy_(rows.narrow(2, 0, used));
  }
  rows = larger;
}

} // namespace

Gpt2LinearImpl::Gpt2LinearImpl(int64_t input_size_, int64_t output_size_)
    : input_size(input_size_), output_size(output_size_) {
  reset();
}

void Gpt2LinearImpl::reset() {
  weight = register_parameter("weight", zero_parameter({input_size, output_size}));
  bias = register_parameter("bias", zero_parameter({output_size}));
}

at::Tensor Gpt2LinearImpl::forward(const at::Tensor& x) {
  return ops::linear(x, matrix(), bias);
}

at::Tensor Gpt2LinearImpl::matrix() const {
  return ops::is_int8_matrix(weight) ? weight : weight.t();
}

Gpt2AttentionImpl::Gpt2AttentionImpl(Gpt2Config config_, int64_t layer_)
    : config(std::move(config_)), layer(layer_) {
  check(config);
  reset();
}

void Gpt2AttentionImpl::reset() {
  const int64_t size = config.hidden_size();
  c_attn = register_module("c_attn", Gpt2Linear(size, 3 * size));
  c_proj = register_module("c_proj", Gpt2Linear(size, size));
}

double Gpt2AttentionImpl::scale() const {
  const auto head_size = static_cast<double>(config.hidden_size() / config.num_heads());
  return (config.scale_scores() ? 1 / std::sqrt(head_size) : 1.0) /
         (config.scale_by_layer() ? static_cast<double>(layer + 1) : 1.0);
}

std::vector<at::Tensor> Gpt2AttentionImpl::project(const at::Tensor& x) {
  check_sequence("Gpt2Attention", x, config.hidden_size(), c_attn->bias);
  std::vector<at::Tensor> parts = c_attn->forward(x).chunk(3, -1);
  const int64_t head_size = config.hidden_size() / config.num_heads();
  for (at::Tensor& part : parts) {
    part = part.view({x.size(0), x.size(1), config.num_heads(), head_size}).transpose(1, 2);
  }
  return parts;
}

at::Tensor Gpt2AttentionImpl::output(const at::Tensor& readout) {
  const at::Tensor merged = readout.transpose(1, 2).flatten(2);
  return apply_dropout(c_proj->forward(merged), config.residual_dropout(), is_training());
}

at::Tensor Gpt2AttentionImpl::attend(const at::Tensor& query, const at::Tensor& key,
                                     const at::Tensor& value) {
  const int64_t tokens = query.size(2), earlier = key.size(2) - tokens;
  const double dropout = is_training() ? config.attention_dropout() : 0;
  if (tokens == 1 && dropout == 0) { // a single query attends to all keys, which are read in place
    return ops::associate_heads(query, key, value, {.beta = scale()});
  }
  ops::AssociateOptions options{.beta = scale(), .attention_mask = later_keys(tokens, earlier, query)};
  if (dropout > 0) {
    options.dropout = dropout;
    options.dropout_seed = draw_seed();
  }
  const at::Tensor readout =
      ops::associate(query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1), options);
  return readout.unflatten(0, {query.size(0), query.size(1)});
}

at::Tensor Gpt2AttentionImpl::forward(const at::Tensor& x, const AttentionObserver& observer,
                                      const AttentionReadout& readout) {
  const std::vector<at::Tensor> parts = project(x);
  const AttentionView view{
      .layer = layer, .query = parts[0], .key = parts[1], .value = parts[2], .scale = scale()};
  if (observer) {
    observer(view);
  }
  const at::Tensor replaced = readout ? readout(view) : at::Tensor();
  if (replaced.defined() &&
      (replaced.sizes() != view.value.sizes() || replaced.scalar_type() != view.value.scalar_type())) {
    refuse(kModel,
           c10::str("the readout of layer ", layer, " is of shape ", replaced.sizes(), " and type ",
                    replaced.scalar_type(), ", but must be ", view.value.sizes(), " and ",
                    view.value.scalar_type(), "."),
           "Return the readout of all heads.");
  }
  return output(replaced.defined() ? replaced : attend(parts[0], parts[1], parts[2]));
}

at::Tensor Gpt2AttentionImpl::step(const at::Tensor& x, Gpt2Cache::Layer& cache, int64_t position) {
  const std::vector<at::Tensor> parts = project(x);
  const int64_t tokens = x.size(1), end = position + tokens;
  reserve(cache.key, parts[1], position, end, config.max_positions());
  reserve(cache.value, parts[2], position, end, config.max_positions());
  cache.key.narrow(2, position, tokens).copy_(parts[1]);
  cache.value.narrow(2, position, tokens).copy_(parts[2]);
  return output(attend(parts[0], cache.key.narrow(2, 0, end), cache.value.narrow(2, 0, end)));
}

Gpt2MlpImpl::Gpt2MlpImpl(Gpt2Config config_) : config(std::move(config_)) {
  reset();
}

void Gpt2MlpImpl::reset() {
  c_fc = register_module("c_fc", Gpt2Linear(config.hidden_size(), inner_size(config)));
  c_proj = register_module("c_proj", Gpt2Linear(inner_size(config), config.hidden_size()));
}

at::Tensor Gpt2MlpImpl::forward(const at::Tensor& x) {
  const TransformerActivation activation = config.activation();
  const bool is_exact = activation == TransformerActivation::gelu;
  const at::Tensor inner = is_exact || activation == TransformerActivation::gelu_new
                               ? ops::linear_gelu(x, c_fc->matrix(), c_fc->bias,
                                                  is_exact ? ops::GeluForm::exact : ops::GeluForm::tanh)
                               : activated(activation, c_fc->forward(x));
  return apply_dropout(c_proj->forward(inner), config.residual_dropout(), is_training());
}

Gpt2BlockImpl::Gpt2BlockImpl(Gpt2Config config_, int64_t layer_) : config(std::move(config_)), layer(layer_) {
  reset();
}

void Gpt2BlockImpl::reset() {
  ln_1 = register_module("ln_1", norm_of(config));
  attn = register_module("attn", Gpt2Attention(config, layer));
  ln_2 = register_module("ln_2", norm_of(config));
  mlp = register_module("mlp", Gpt2Mlp(config));
}

at::Tensor Gpt2BlockImpl::forward(const at::Tensor& x, const AttentionObserver& observer,
                                  const AttentionReadout& readout) {
  const at::Tensor mixed = x + attn->forward(apply_norm(*ln_1, x), observer, readout);
  return mixed + mlp->forward(apply_norm(*ln_2, mixed));
}

at::Tensor Gpt2BlockImpl::step(const at::Tensor& x, Gpt2Cache::Layer& cache, int64_t position) {
  const at::Tensor mixed = x + attn->step(apply_norm(*ln_1, x), cache, position);
  return mixed + mlp->forward(apply_norm(*ln_2, mixed));
}

Gpt2ModelImpl::Gpt2ModelImpl(Gpt2Config config_) : config(std::move(config_)) {
  check(config);
  reset();
}

void Gpt2ModelImpl::reset() {
  wte = register_module("wte", uninitialised_embedding(config.vocab_size(), config.hidden_size()));
  wpe = register_module("wpe", uninitialised_embedding(config.max_positions(), config.hidden_size()));
  h = register_module("h", torch::nn::ModuleList());
  for (int64_t i = 0; i < config.num_layers(); ++i) {
    h->push_back(Gpt2Block(config, i));
  }
  ln_f = register_module("ln_f", norm_of(config));
}

at::Tensor Gpt2ModelImpl::embedded(const at::Tensor& ids, int64_t first_position) {
  check_ids(kModel, ids, config.vocab_size());
  check_has_tokens(kModel, ids);
  const int64_t end = first_position + ids.size(1);
  check_positions(kModel, end, config.max_positions(), "Shorten the text.");
  return apply_embedding(*wte, ids) + wpe->weight.slice(0, first_position, end);
}

at::Tensor Gpt2ModelImpl::forward(const at::Tensor& ids, const AttentionObserver& observer,
                                  const AttentionReadout& readout) {
  at::Tensor x = apply_dropout(embedded(ids, 0), config.embedding_dropout(), is_training());
  for (const std::shared_ptr<torch::nn::Module>& block : *h) {
    x = block->as<Gpt2Block>()->forward(x, observer, readout);
  }
  return apply_norm(*ln_f, x);
}

at::Tensor Gpt2ModelImpl::step(const at::Tensor& ids, Gpt2Cache& cache) {
  cache.layers.resize(h->size());
  at::Tensor x = embedded(ids, cache.position);
  for (size_t i = 0; i < h->size(); ++i) {
    x = h->ptr(i)->as<Gpt2Block>()->step(x, cache.layers[i], cache.position);
  }
  cache.position += ids.size(1);
  return apply_norm(*ln_f, x);
}

Gpt2ForCausalLMImpl::Gpt2ForCausalLMImpl(Gpt2Config config_) : config(std::move(config_)) {
  check(config);
  reset();
}

void Gpt2ForCausalLMImpl::reset() {
  transformer = register_module("transformer", Gpt2Model(config));
  if (!config.tied()) {
    lm_head = register_module(
        "lm_head",
        torch::nn::Linear(torch::nn::LinearOptions(config.hidden_size(), config.vocab_size()).bias(false)));
  }
  // As published: outputs of residual branches have smaller weights, biases are 0, norms are 1.
  at::Generator generator = make_generator(config.seed());
  const double residual_std =
      config.initial_std() / std::sqrt(2.0 * static_cast<double>(config.num_layers()));
  const at::NoGradGuard no_gradient;
  for (auto& parameter : named_parameters()) {
    const std::string& name = parameter.key();
    if (name.ends_with("c_proj.weight")) {
      fill_normal(parameter.value(), residual_std, generator);
    } else if (name.ends_with(".weight") && parameter.value().dim() == 2) {
      fill_normal(parameter.value(), config.initial_std(), generator);
    }
  }
}

at::Tensor Gpt2ForCausalLMImpl::head_weight() const {
  return config.tied() ? transformer->wte->weight : lm_head->weight;
}

at::Tensor Gpt2ForCausalLMImpl::head_input(const at::Tensor& ids, const AttentionObserver& observer,
                                           const AttentionReadout& readout) {
  return transformer->forward(ids, observer, readout);
}

at::Tensor Gpt2ForCausalLMImpl::forward(const at::Tensor& ids) {
  return ops::linear(head_input(ids), head_weight());
}

at::Tensor Gpt2ForCausalLMImpl::step(const at::Tensor& ids, Gpt2Cache& cache) {
  check_shape(kModel, "ids", ids, {"B", "T"}, "A single text is unsqueeze(0).", at::kLong);
  const int64_t head_size = config.hidden_size() / config.num_heads();
  const at::ScalarType type = transformer->ln_f->weight.scalar_type();
  for (const Gpt2Cache::Layer& layer : cache.layers) {
    for (const at::Tensor& rows : {layer.key, layer.value}) {
      if (cache.position > 0 &&
          (cache.layers.size() != transformer->h->size() || !rows.defined() || rows.dim() != 4 ||
           rows.size(0) != ids.size(0) || rows.size(1) != config.num_heads() || rows.size(3) != head_size ||
           rows.size(2) < cache.position || rows.scalar_type() != type)) {
        refuse(kModel,
               c10::str("the cache of ", cache.position, " tokens has ", cache.layers.size(),
                        " layers with keys and values of shape ",
                        rows.defined() ? c10::str(rows.sizes(), " and type ", rows.scalar_type()) : "[]",
                        ", but the model has ", transformer->h->size(), " layers of shape [", ids.size(0),
                        ", ", config.num_heads(), ", tokens, ", head_size, "] and type ", type, "."),
               "Give the cache of the same texts and the same model.");
      }
    }
  }
  const at::NoGradGuard no_gradient;
  const EvaluationMode no_dropout(*this);
  return transformer->step(ids, cache);
}

std::vector<std::string> load_gpt2_state(Gpt2ForCausalLM& model, NamedTensors state,
                                         const std::string& source) {
  const auto without_prefix = [](const std::string& name) {
    return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
  };
  std::set<std::string> known = {kHead};
  for (const auto& parameter : model->named_parameters()) {
    known.insert(parameter.key());
    known.insert(without_prefix(parameter.key()));
  }
  std::set<std::string> masks;
  for (int64_t i = 0; i < model->config.num_layers(); ++i) {
    for (const char* mask : {".attn.bias", ".attn.masked_bias"}) {
      masks.insert(c10::str("h.", i, mask));
    }
  }
  for (const std::string& mask : masks) {
    known.insert(mask);
    known.insert(std::string(kPrefix) + mask);
  }
  std::vector<std::string> notes = remove_name_prefixes(state, known);

  std::set<std::string> prefixed; // names in the file, for messages
  for (const auto& [name, tensor] : state) {
    if (name.starts_with(kPrefix)) {
      prefixed.insert(name);
    }
  }
  NamedTensors named;
  int64_t ignored_masks = 0;
  for (auto& [name, tensor] : without_model_prefix(std::move(state), kPrefix, source)) {
    if (masks.contains(name)) {
      ++ignored_masks;
    } else {
      named.emplace(name, std::move(tensor));
    }
  }
  if (ignored_masks > 0) {
    notes.push_back(c10::str(ignored_masks, " causal masks (h.*.attn.bias and masked_bias) were ignored"));
  }
  const auto head = named.find(kHead), words = named.find(kWords);
  if (model->config.tied() && head != named.end()) {
    if (words == named.end()) {
      named.emplace(kWords, at::Tensor(head->second));
    } else if (head->second.scalar_type() != words->second.scalar_type() ||
               !head->second.equal(words->second)) {
      throw DataError(
          source + ": " + kHead + " is not equal to " + kWords +
          ", but config.json has \"tie_word_embeddings\": true, so that the model uses one matrix "
          "for both.\n  Set it to false if the matrices of this model are different.");
    }
    named.erase(kHead);
  }
  NamedTensors full;
  for (auto& [name, tensor] : named) {
    const std::string with_prefix = std::string(kPrefix) + name;
    const bool has_prefix = known.contains(with_prefix) || prefixed.contains(with_prefix);
    full.emplace(has_prefix ? with_prefix : name, std::move(tensor));
  }
  for (std::string& note : load_state_dict(*model, std::move(full), source)) {
    notes.push_back(std::move(note));
  }
  return notes;
}

} // namespace mneme::nn
