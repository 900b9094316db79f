// SPDX-License-Identifier: MIT

#include "mneme/nn/bert.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <ATen/Functions.h>

#include "mneme/core/error.h"
#include "mneme/nn/state_dict.h"
#include "mneme/ops/associate.h"
#include "mneme/ops/layer_norm.h"
#include "mneme/ops/linear.h"
#include "nn/causal_lm.h"
#include "nn/checks.h"
#include "nn/name_prefixes.h"
#include "nn/refuse.h"
#include "nn/transformer_activation.h"

namespace mneme::nn {
namespace {

constexpr const char* kModel = "BertEncoder";
constexpr int64_t kMaxLayers = 4096; // shared layers are not bounded by the size of a file

/// Names of the parameters of a block, after the name of the block.
struct BlockNames {
  const char *query, *key, *value, *output, *attention_norm, *inner, *outer, *norm;
};
constexpr BlockNames kBertNames{
    "attention.self.query",       "attention.self.key", "attention.self.value", "attention.output.dense",
    "attention.output.LayerNorm", "intermediate.dense", "output.dense",         "output.LayerNorm"};
constexpr BlockNames kAlbertNames{"attention.query", "attention.key",        "attention.value",
                                  "attention.dense", "attention.LayerNorm",  "ffn",
                                  "ffn_output",      "full_layer_layer_norm"};

void check(const BertConfig& config) {
  check_sizes(kModel, {{"vocab_size", config.vocab_size()},
                       {"hidden_size", config.hidden_size()},
                       {"embedding_size", config.embedding_size().value_or(1)},
                       {"num_heads", config.num_heads()},
                       {"num_layers", config.num_layers()},
                       {"inner_size", config.inner_size()},
                       {"max_positions", config.max_positions()},
                       {"token_types", config.token_types()},
                       {"num_groups", config.num_groups()},
                       {"layers_per_group", config.layers_per_group()}});
  check_heads(kModel, config.hidden_size(), config.num_heads());
  for (const int64_t layers : {config.num_layers(), config.layers_per_group()}) {
    if (layers > kMaxLayers) {
      refuse(kModel, c10::str("the model has ", layers, " layers, more than ", kMaxLayers, "."),
             "Published models have 6 to 48.");
    }
  }
  if (config.num_groups() > config.num_layers()) {
    refuse(kModel,
           c10::str("num_groups is ", config.num_groups(), ", but there are only ", config.num_layers(),
                    " layers."),
           "Each group of parameters serves at least one layer.");
  }
  if (config.kind() == BertKind::bert &&
      (config.num_groups() != 1 || config.layers_per_group() != 1 ||
       config.embedding_size().value_or(config.hidden_size()) != config.hidden_size())) {
    refuse(kModel, "num_groups, layers_per_group or embedding_size is set, but the kind is BERT.",
           "Only layers of ALBERT share parameters and have embeddings of another size.");
  }
  check_positive(kModel, "norm_epsilon", config.norm_epsilon(), "The published value is 1e-12.");
  if (!(std::isfinite(config.initial_std()) && config.initial_std() >= 0)) {
    refuse(kModel, c10::str("initial_std is ", config.initial_std(), ", but must be finite and >= 0."),
           "The published value is 0.02.");
  }
}

void check_token_types(const at::Tensor& types, const at::Tensor& ids, int64_t count) {
  check_shape(kModel, "token_types", types, {ids.size(0), ids.size(1)}, "Give one type per token.",
              at::kLong);
  if (types.numel() > 0 && types.device().is_cpu()) { // elsewhere this check would force a synchronisation
    const int64_t min = types.min().item<int64_t>(), max = types.max().item<int64_t>();
    if (min < 0 || max >= count) {
      refuse(kModel,
             c10::str("the token types range from ", min, " to ", max, ", but the model has ", count, "."),
             "The first sentence has type 0.");
    }
  }
}

void check(const at::Tensor& ids, const BertCall& call, const BertConfig& config) {
  check_ids(kModel, ids, config.vocab_size());
  const int64_t tokens = ids.size(1);
  check_has_tokens(kModel, ids);
  check_positions(kModel, tokens, config.max_positions(), "Shorten the text.");
  if (call.token_types.defined()) {
    check_token_types(call.token_types, ids, config.token_types());
  }
  if (call.key_padding_mask.defined()) {
    check_shape(kModel, "key_padding_mask", call.key_padding_mask, {ids.size(0), tokens},
                "true = ignored, the opposite of attention_mask in transformers.", at::kBool);
  }
}

/// The index of the group of a layer, rounded as transformers does.
int64_t group_of(int64_t layer, const BertConfig& config) {
  const double layers_of_group =
      static_cast<double>(config.num_layers()) / static_cast<double>(config.num_groups());
  return static_cast<int64_t>(static_cast<double>(layer) / layers_of_group);
}

} // namespace

BertEncoderImpl::BertEncoderImpl(BertConfig config_) : config(std::move(config_)) {
  check(config);
  const int64_t c = config.hidden_size(), embedding = config.embedding_size().value_or(c);
  words_ = add_parameter("embeddings.word_embeddings.weight", {config.vocab_size(), embedding});
  positions_ = add_parameter("embeddings.position_embeddings.weight", {config.max_positions(), embedding});
  types_ = add_parameter("embeddings.token_type_embeddings.weight", {config.token_types(), embedding});
  embedding_norm_ = add_norm("embeddings.LayerNorm", embedding);
  const auto add_block = [&](const std::string& path, const BlockNames& names) {
    const auto at_path = [&](const char* name) { return path + "." + name; };
    blocks_.push_back({.query = add_linear(at_path(names.query), c, c),
                       .key = add_linear(at_path(names.key), c, c),
                       .value = add_linear(at_path(names.value), c, c),
                       .output = add_linear(at_path(names.output), c, c),
                       .attention_norm = add_norm(at_path(names.attention_norm), c),
                       .inner = add_linear(at_path(names.inner), c, config.inner_size()),
                       .outer = add_linear(at_path(names.outer), config.inner_size(), c),
                       .norm = add_norm(at_path(names.norm), c)});
  };
  if (config.kind() == BertKind::bert) {
    for (int64_t i = 0; i < config.num_layers(); ++i) {
      add_block(c10::str("encoder.layer.", i), kBertNames);
    }
  } else {
    embedding_projection_ = add_linear("encoder.embedding_hidden_mapping_in", embedding, c);
    for (int64_t group = 0; group < config.num_groups(); ++group) {
      for (int64_t i = 0; i < config.layers_per_group(); ++i) {
        add_block(c10::str("encoder.albert_layer_groups.", group, ".albert_layers.", i), kAlbertNames);
      }
    }
  }
  initialise();
}

std::shared_ptr<torch::nn::Module> BertEncoderImpl::clone(const std::optional<torch::Device>& device) const {
  std::shared_ptr<BertEncoderImpl> copy;
  {
    const SkipInitialisation skip;
    copy = std::make_shared<BertEncoderImpl>(config);
  }
  const at::NoGradGuard no_gradient;
  const auto copies = copy->named_parameters();
  for (const auto& parameter : named_parameters()) {
    const at::Tensor& own = copies[parameter.key()];
    own.set_data(device ? parameter.value().detach().to(*device, /*non_blocking=*/false, /*copy=*/true)
                        : parameter.value().detach().clone());
    own.set_requires_grad(parameter.value().requires_grad());
  }
  copy->train(is_training());
  return copy;
}

/// A clone of a module with this encoder calls it on its new encoder.
void BertEncoderImpl::clone_(torch::nn::Module& other, const std::optional<torch::Device>& device) {
  auto* encoder = other.as<BertEncoderImpl>();
  if (encoder == nullptr) {
    refuse(kModel, "a module of another kind is to be copied into this one.", "Clone an encoder.");
  }
  *this = *std::static_pointer_cast<BertEncoderImpl>(encoder->clone(device));
}

/// Registers a parameter in submodules that are named by the components of its path.
at::Tensor BertEncoderImpl::add_parameter(const std::string& path, at::IntArrayRef shape) {
  torch::nn::Module* parent = this;
  size_t begin = 0;
  for (size_t dot = 0; (dot = path.find('.', begin)) != std::string::npos; begin = dot + 1) {
    const std::string name = path.substr(begin, dot - begin);
    const auto children = parent->named_children();
    parent = children.contains(name)
                 ? children[name].get()
                 : parent->register_module(name, std::make_shared<torch::nn::Module>()).get();
  }
  return parent->register_parameter(path.substr(begin), zero_parameter(shape));
}

BertEncoderImpl::Affine BertEncoderImpl::add_linear(const std::string& path, int64_t input_size,
                                                    int64_t output_size) {
  return {.weight = add_parameter(path + ".weight", {output_size, input_size}),
          .bias = add_parameter(path + ".bias", {output_size})};
}

BertEncoderImpl::Affine BertEncoderImpl::add_norm(const std::string& path, int64_t size) {
  return {.weight = add_parameter(path + ".weight", {size}), .bias = add_parameter(path + ".bias", {size})};
}

/// As published: weights are normal, biases are 0, norms are 1.
void BertEncoderImpl::initialise() {
  at::Generator generator = make_generator(config.seed());
  const at::NoGradGuard no_gradient;
  for (auto& parameter : named_parameters()) {
    if (parameter.value().dim() == 2) {
      fill_normal(parameter.value(), config.initial_std(), generator);
    } else if (parameter.key().ends_with(".weight")) {
      parameter.value().fill_(1);
    }
  }
}

at::Tensor BertEncoderImpl::normed(const Affine& norm, const at::Tensor& x) const {
  return ops::layer_norm(x, norm.weight, norm.bias, config.norm_epsilon());
}

at::Tensor BertEncoderImpl::embedded(const at::Tensor& ids, const at::Tensor& token_types) const {
  const at::Tensor types = token_types.defined() ? at::embedding(types_, token_types) : types_[0];
  const at::Tensor x =
      normed(embedding_norm_, at::embedding(words_, ids) + types + positions_.slice(0, 0, ids.size(1)));
  return embedding_projection_.weight.defined()
             ? ops::linear(x, embedding_projection_.weight, embedding_projection_.bias)
             : x;
}

at::Tensor BertEncoderImpl::attention(const Block& block, const at::Tensor& x, int64_t layer,
                                      const BertCall& call) const {
  const int64_t texts = x.size(0), tokens = x.size(1), heads = config.num_heads(),
                head_size = config.hidden_size() / heads;
  const auto projected = [&](const Affine& linear) {
    return ops::linear(x, linear.weight, linear.bias).view({texts, tokens, heads, head_size}).transpose(1, 2);
  };
  const AttentionView view{.layer = layer,
                           .query = projected(block.query),
                           .key = projected(block.key),
                           .value = projected(block.value),
                           .scale = 1 / std::sqrt(static_cast<double>(head_size)),
                           .causal = false,
                           .key_padding_mask = call.key_padding_mask};
  if (call.observer) {
    call.observer(view);
  }
  const at::Tensor readout =
      ops::associate(view.query.flatten(0, 1), view.key.flatten(0, 1), view.value.flatten(0, 1),
                     {.beta = view.scale, .key_padding_mask = view.key_padding_mask});
  const at::Tensor merged = readout.view({texts, heads, tokens, head_size}).transpose(1, 2).flatten(2);
  return ops::linear(merged, block.output.weight, block.output.bias);
}

at::Tensor BertEncoderImpl::run(const Block& block, const at::Tensor& x, int64_t layer,
                                const BertCall& call) const {
  const at::Tensor mixed = normed(block.attention_norm, x + attention(block, x, layer, call));
  const at::Tensor inner =
      activated(config.activation(), ops::linear(mixed, block.inner.weight, block.inner.bias));
  return normed(block.norm, mixed + ops::linear(inner, block.outer.weight, block.outer.bias));
}

BertOutput BertEncoderImpl::forward(const at::Tensor& ids, const BertCall& call) {
  check(ids, call, config);
  BertOutput output{.last_hidden_state = embedded(ids, call.token_types), .hidden_states = {}};
  const auto keep = [&] {
    if (call.hidden_states) {
      output.hidden_states.push_back(output.last_hidden_state);
    }
  };
  keep();
  int64_t layer = 0;
  for (int64_t i = 0; i < config.num_layers(); ++i) {
    for (int64_t j = 0; j < config.layers_per_group(); ++j) {
      const int64_t own =
          config.kind() == BertKind::bert ? i : group_of(i, config) * config.layers_per_group() + j;
      output.last_hidden_state =
          run(blocks_[static_cast<size_t>(own)], output.last_hidden_state, layer++, call);
      keep();
    }
  }
  return output;
}

std::vector<std::string> load_bert_state(BertEncoder& model, NamedTensors state, const std::string& source) {
  const std::string prefix = model->config.kind() == BertKind::bert ? "bert." : "albert.";
  NamedTensors renamed;
  for (auto& [name, tensor] : state) { // norms of files converted from TensorFlow
    std::string current = name;
    for (const auto& [old, now] :
         {std::pair{".LayerNorm.gamma", ".LayerNorm.weight"}, {".LayerNorm.beta", ".LayerNorm.bias"}}) {
      if (name.ends_with(old)) {
        current.replace(name.size() - std::string_view(old).size(), std::string::npos, now);
      }
    }
    if (!renamed.emplace(current, std::move(tensor)).second) {
      throw DataError(c10::str(source, ": contains both \"", name, "\" and \"", current,
                               "\".\n  They are two names of one parameter: keep one."));
    }
  }
  std::set<std::string> known;
  for (const auto& parameter : model->named_parameters()) {
    known.insert(parameter.key());
    known.insert(prefix + parameter.key());
  }
  std::vector<std::string> notes = remove_name_prefixes(renamed, known);
  NamedTensors named;
  std::set<std::string> outside;
  for (auto& [name, tensor] : without_model_prefix(std::move(renamed), prefix, source)) {
    if (name == "embeddings.position_ids" || name == "embeddings.token_type_ids") {
      notes.push_back(c10::str("the buffer ", name, " was ignored"));
    } else if (name.starts_with("embeddings.") || name.starts_with("encoder.")) {
      named.emplace(name, std::move(tensor));
    } else {
      outside.insert(name.substr(0, name.find('.')));
    }
  }
  std::string parts;
  for (const std::string& part : outside) {
    parts += (parts.empty() ? "" : ", ") + part;
  }
  if (!parts.empty()) {
    notes.push_back(c10::str("parameters outside the encoder were ignored: ", parts));
  }
  for (std::string& note : load_state_dict(*model, std::move(named), source)) {
    notes.push_back(std::move(note));
  }
  return notes;
}

} // namespace mneme::nn
