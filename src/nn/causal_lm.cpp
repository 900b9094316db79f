// SPDX-License-Identifier: MIT

#include "nn/apply_norm.h"
#include "nn/causal_lm.h"

#include <set>
#include <utility>

#include <ATen/Functions.h>
#include <torch/nn/modules/linear.h>

#include "mneme/core/error.h"
#include "mneme/nn/state_dict.h"
#include "mneme/ops/linear.h"
#include "nn/checks.h"
#include "nn/name_prefixes.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

constexpr int64_t kIgnoreIndex = -100; // of the published code and of LibTorch
constexpr const char* kTied = "proj_logits.weight";
constexpr const char* kWords = "word_embedding.weight";
constexpr std::string_view kProjections = ".projections.weight";

/// Whether a projection of LEAP has the name of releases 1.0.0 and 1.0.1: decoders.{i}.projections.weight.
bool is_leap_1_0_name(const std::string& name) {
  const size_t decoders = name.find("decoders.");
  return decoders != std::string::npos && name.ends_with(kProjections) &&
         name.find('.', decoders + std::string_view("decoders.").size()) == name.size() - kProjections.size();
}

/// `targets`: the labels of the loss; `shape`: that of all labels, for messages.
void check_labels(const char* model, const at::Tensor& targets, at::IntArrayRef shape, int64_t vocab_size) {
  const at::Tensor used = targets.masked_select(targets != kIgnoreIndex);
  if (used.numel() == 0) {
    refuse(model, c10::str("all labels of shape ", shape, " are ignored, so there is no loss."),
           "The first label of a text, labels of padding and -100 are ignored.");
  }
  const int64_t min = used.min().item<int64_t>(), max = used.max().item<int64_t>();
  if (min < 0 || max >= vocab_size) {
    refuse(
        model,
        c10::str("labels range from ", min, " to ", max, ", but the vocabulary has ", vocab_size, " words."),
        "Labels that should be ignored are -100.");
  }
}

void check_same_shape(const char* model, const char* name, const at::Tensor& tensor, const at::Tensor& ids) {
  if (tensor.sizes() != ids.sizes() || tensor.device() != ids.device()) {
    refuse(model,
           c10::str(name, " is of shape ", tensor.sizes(), " on ", tensor.device(),
                    ", but the ids are of shape ", ids.sizes(), " on ", ids.device(), "."),
           "It needs one element per id.");
  }
}

} // namespace

NamedTensors causal_lm_state(const torch::nn::Module& model) {
  NamedTensors state = state_dict(model);
  state[kTied] = state.at(kWords).clone();
  return state;
}

bool has_leap_1_0_names(const NamedTensors& state) {
  return std::any_of(state.begin(), state.end(),
                     [](const auto& entry) { return is_leap_1_0_name(entry.first); });
}

std::vector<std::string> remove_causal_lm_prefixes(const torch::nn::Module& model, NamedTensors& state) {
  std::set<std::string> known = {kTied};
  for (const auto& parameter : model.named_parameters()) {
    known.insert(parameter.key());
    if (const size_t leap = parameter.key().find(".leap" + std::string(kProjections));
        leap != std::string::npos) {
      known.insert(parameter.key().substr(0, leap) + std::string(kProjections));
    }
  }
  for (const auto& buffer : model.named_buffers()) {
    known.insert(buffer.key());
  }
  return remove_name_prefixes(state, known);
}

std::vector<std::string> load_causal_lm_state(torch::nn::Module& model, NamedTensors state,
                                              const std::string& source) {
  std::vector<std::string> notes = remove_causal_lm_prefixes(model, state);
  const auto tied = state.find(kTied), words = state.find(kWords);
  if (tied != state.end() && words == state.end()) {
    state.emplace(kWords, at::Tensor(tied->second));
    state.erase(kTied);
  } else if (tied != state.end()) {
    if (tied->second.scalar_type() != words->second.scalar_type() || !tied->second.equal(words->second)) {
      throw DataError(source + ": " + kTied + " is not equal to " + kWords +
                      ", but the model uses one matrix for both.\n  Give a file in which they are tied.");
    }
    state.erase(tied);
  }
  NamedTensors named;
  for (auto& [name, tensor] : state) {
    std::string current = name;
    if (is_leap_1_0_name(name)) {
      current.insert(name.size() - kProjections.size(), ".leap");
    }
    named.emplace(current, std::move(tensor));
  }
  load_state_dict(model, std::move(named), source);
  return notes;
}

void check_layer_windows(const char* model, const std::optional<std::vector<int64_t>>& windows,
                         bool local_windows, int64_t num_layers) {
  if (windows && !local_windows) {
    refuse(model, c10::str(windows->size(), " windows are given, but local_windows is false."),
           "Leave out one of them: without local windows the windows of all layers are unlimited.");
  }
  if (windows && static_cast<int64_t>(windows->size()) != num_layers) {
    refuse(model, c10::str("there are ", windows->size(), " windows but ", num_layers, " layers."),
           "Give one per layer.");
  }
}

void check_ids(const char* model, const at::Tensor& ids, int64_t vocab_size) {
  check_shape(model, "ids", ids, {"B", "T"}, "A single text is unsqueeze(0).", at::kLong);
  if (ids.numel() > 0 && ids.device().is_cpu()) { // on other devices this check would force a synchronisation
    const int64_t min = ids.min().item<int64_t>(), max = ids.max().item<int64_t>();
    if (min < 0 || max >= vocab_size) {
      refuse(model,
             c10::str("the ids range from ", min, " to ", max, ", but the vocabulary has ", vocab_size,
                      " words: 0 to ", vocab_size - 1, "."),
             "Was another tokenizer used?");
    }
  }
}

void check_has_tokens(const char* model, const at::Tensor& ids) {
  if (ids.size(1) == 0) {
    refuse(model, c10::str("the ids are of shape ", ids.sizes(), ": there is no token."),
           "Give at least one token.");
  }
}

void check_positions(const char* model, int64_t tokens, int64_t max_positions, const char* how_to_fix) {
  if (tokens > max_positions) {
    refuse(model,
           c10::str("the text has ", tokens, " tokens, but there are ", max_positions, " learned positions."),
           how_to_fix);
  }
}

at::Tensor key_padding_mask_of(const char* model, const at::Tensor& ids, const at::Tensor& attention_mask) {
  if (!attention_mask.defined()) {
    return {};
  }
  check_same_shape(model, "attention_mask", attention_mask, ids);
  return attention_mask == 0;
}

CausalLMOutput lm_output(const char* model, std::vector<at::Tensor> hidden_states, torch::nn::LayerNorm& norm,
                         const at::Tensor& words, const at::Tensor& bias, const CausalLMCall& call,
                         const at::Tensor& key_padding_mask) {
  CausalLMOutput output;
  const at::Tensor normed = apply_norm(*norm, hidden_states.back());
  output.logits = ops::linear(normed, words, bias);
  if (call.hidden_states) {
    output.hidden_states = std::move(hidden_states);
    output.last_norm = normed;
  }
  if (!call.labels.defined()) {
    return output;
  }
  const at::Tensor like = output.logits.select(2, 0);
  check_same_shape(model, "labels", call.labels, like);
  if (call.labels.scalar_type() != at::kLong) {
    refuse(model, c10::str("labels are of type ", call.labels.scalar_type(), ", but must be of type Long."),
           "Labels are ids of the vocabulary.");
  }
  output.labels = key_padding_mask.defined() ? call.labels.masked_fill(key_padding_mask, kIgnoreIndex)
                                             : call.labels.clone();
  const at::Tensor targets = output.labels.slice(1, 1).flatten();
  if (targets.device().is_cpu()) { // on other devices this check would force a synchronisation
    check_labels(model, targets, call.labels.sizes(), words.size(0));
  }
  output.loss = at::cross_entropy_loss(output.logits.slice(1, 0, -1).flatten(0, 1), targets, {},
                                       at::Reduction::Mean, kIgnoreIndex);
  return output;
}

torch::nn::Embedding uninitialised_embedding(int64_t count, int64_t size) {
  torch::nn::Embedding embedding(torch::nn::EmbeddingOptions(count, size)._weight(at::empty({count, size})));
  embedding->options._weight() = at::Tensor(); // a clone would share it
  return embedding;
}

void initialise_weights(torch::nn::Module& model, double deviation, uint64_t seed) {
  at::Generator generator = make_generator(seed);
  const at::NoGradGuard no_gradient;
  for (const std::shared_ptr<torch::nn::Module>& layer : model.modules(/*include_self=*/false)) {
    if (auto* linear = layer->as<torch::nn::Linear>()) {
      fill_normal(linear->weight, deviation, generator);
      if (linear->bias.defined()) {
        linear->bias.zero_();
      }
    } else if (auto* embedding = layer->as<torch::nn::Embedding>()) {
      fill_normal(embedding->weight, deviation, generator);
    }
  }
}

} // namespace mneme::nn
