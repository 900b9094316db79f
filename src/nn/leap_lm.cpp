// SPDX-License-Identifier: MIT

#include "mneme/nn/leap_lm.h"

#include <array>
#include <charconv>
#include <cmath>

#include <ATen/Functions.h>

#include "mneme/core/error.h"
#include "mneme/ops/linear.h"
#include "nn/apply_embedding.h"
#include "nn/apply_norm.h"
#include "nn/causal_lm.h"
#include "nn/checks.h"
#include "nn/refuse.h"
#include "nn/transformer_block.h"

namespace mneme::nn {
namespace {

constexpr const char* kModel = "LeapForCausalLM";
/// Windows of the published code, repeated over layers.
constexpr std::array<int64_t, 4> kWindowPattern = {0, 4, 8, 16};

void check(const LeapConfig& config) {
  check_sizes(kModel, {{"vocab_size", config.vocab_size()},
                       {"hidden_size", config.hidden_size()},
                       {"num_heads", config.num_heads()},
                       {"num_layers", config.num_layers()},
                       {"max_positions", config.max_positions()}});
  check_layer_windows(kModel, config.windows(), config.local_windows(), config.num_layers());
  check_positive(kModel, "initial_std", config.initial_std().value_or(1),
                 "Leave it out to get 1 / sqrt(hidden_size).");
}

double initial_std_of(const LeapConfig& config) {
  return config.initial_std().value_or(1 / std::sqrt(static_cast<double>(config.hidden_size())));
}

/// The tensors of a layer's state, with their names in a file.
template <class State> auto tensors_of(State& state) {
  return std::array{std::pair("sums", &state.sums),      std::pair("reference", &state.reference),
                    std::pair("logit", &state.logit),    std::pair("key", &state.key),
                    std::pair("value", &state.value),    std::pair("scan", &state.scan),
                    std::pair("windows", &state.windows)};
}

constexpr const char* kFormat = "mneme LEAP state 1";

/// A number in the texts of a file. Errors  DataError that begins with `source`
int64_t number_in(const TensorFile& file, const char* name, const std::string& source) {
  const auto text = file.texts.find(name);
  int64_t number = -1;
  if (text != file.texts.end()) {
    const std::string& digits = text->second;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    number = error == std::errc() && end == digits.data() + digits.size() ? number : -1;
  }
  if (number < 0) {
    throw DataError(c10::str(source, ": ", name, " is ",
                             text == file.texts.end() ? "missing" : "\"" + text->second + "\"",
                             ", expected a whole number >= 0.\n  Is it the state of a LEAP model?"));
  }
  return number;
}

} // namespace

std::vector<int64_t> LeapConfig::layer_windows() const {
  std::vector<int64_t> layers;
  for (int64_t layer = 0; layer < num_layers(); ++layer) {
    const auto index = static_cast<size_t>(layer);
    int64_t window = kWindowPattern[index % kWindowPattern.size()];
    if (!local_windows()) {
      window = 0;
    } else if (windows()) {
      window = windows()->at(index);
    }
    // No text has more tokens than learned positions: a window of that size has no effect, and without one
    // the state is smaller.
    const bool is_unlimited = positions() == LeapPositions::learned && window >= max_positions();
    layers.push_back(is_unlimited ? 0 : window);
  }
  return layers;
}

MultiheadLeapOptions LeapConfig::layer(int64_t index) const {
  MultiheadLeapOptions options(hidden_size(), num_heads());
  options.windows({layer_windows().at(static_cast<size_t>(index))})
      .dropout(dropout())
      .weight(weight())
      .rescale(rescale())
      .gate(gate())
      .rotary(positions() == LeapPositions::rotary);
  if (positions() == LeapPositions::decay) {
    options.decay(alibi_slopes(num_heads()));
  }
  return options;
}

TensorFile to_file(const LeapModelState& state) {
  TensorFile file{.texts = {{"format", kFormat},
                            {"position", std::to_string(state.position)},
                            {"layers", std::to_string(state.layers.size())}}};
  for (size_t i = 0; i < state.layers.size(); ++i) {
    for (const auto& [name, tensor] : tensors_of(state.layers[i])) {
      if (tensor->defined()) {
        file.tensors.emplace(c10::str("layers.", i, ".", name), tensor->cpu());
      }
    }
  }
  return file;
}

LeapModelState leap_state_from(const TensorFile& file, const std::string& source) {
  const auto format = file.texts.find("format");
  if (format == file.texts.end() || format->second != kFormat) {
    throw DataError(c10::str(source, ": its format is ",
                             format == file.texts.end() ? "not stated" : "\"" + format->second + "\"",
                             ", expected \"", kFormat, "\".\n  Is it the state of a LEAP model?"));
  }
  const int64_t layers = number_in(file, "layers", source);
  // Every layer has at least one tensor, except before the first token.
  if (layers > static_cast<int64_t>(file.tensors.size())) {
    if (!file.tensors.empty() || number_in(file, "position", source) > 0) {
      throw DataError(c10::str(source, ": there are ", layers, " layers but ", file.tensors.size(),
                               " tensors.\n  The file was damaged or changed."));
    }
    return {};
  }
  LeapModelState state{.position = number_in(file, "position", source)};
  size_t taken = 0;
  for (int64_t i = 0; i < layers; ++i) {
    ops::LeapState& layer = state.layers.emplace_back();
    layer.position = state.position;
    for (const auto& [name, tensor] : tensors_of(layer)) {
      if (const auto found = file.tensors.find(c10::str("layers.", i, ".", name));
          found != file.tensors.end()) {
        *tensor = found->second;
        ++taken;
      }
    }
  }
  if (taken != file.tensors.size()) {
    throw DataError(c10::str(source, ": ", file.tensors.size() - taken, " of ", file.tensors.size(),
                             " tensors belong to no layer.\n  The file was damaged or changed."));
  }
  return state;
}

LeapDecoderImpl::LeapDecoderImpl(LeapConfig config_) : config(std::move(config_)) {
  check(config);
  reset();
}

void LeapDecoderImpl::reset() {
  if (config.positions() == LeapPositions::learned) {
    position_embeddings = register_module(
        "position_embeddings", uninitialised_embedding(config.max_positions(), config.hidden_size()));
  }
  decoders = register_module("decoders", torch::nn::ModuleList());
  for (int64_t i = 0; i < config.num_layers(); ++i) {
    decoders->push_back(LeapBlock(config.layer(i)));
  }
  initialise_weights(*this, initial_std_of(config), config.seed());
}

at::Tensor LeapDecoderImpl::with_positions(const at::Tensor& embeddings, int64_t first_position) {
  check_sequence("LeapDecoder", embeddings, config.hidden_size(),
                 decoders->ptr(0)->as<LeapBlock>()->attn_norm->weight);
  if (config.positions() != LeapPositions::learned) {
    return embeddings;
  }
  const int64_t end = first_position + embeddings.size(1);
  check_positions("LeapDecoder", end, config.max_positions(),
                  "Truncate the text, or train with rotary, decay or no positions, which are unlimited.");
  return embeddings + position_embeddings->weight.slice(0, first_position, end);
}

at::Tensor LeapDecoderImpl::block_input(const at::Tensor& embeddings) {
  return apply_dropout(with_positions(embeddings, 0), config.dropout(), is_training());
}

at::Tensor LeapDecoderImpl::forward(const at::Tensor& embeddings, const at::Tensor& key_padding_mask) {
  return hidden_states(embeddings, key_padding_mask).back();
}

std::vector<at::Tensor> LeapDecoderImpl::hidden_states(const at::Tensor& embeddings,
                                                       const at::Tensor& key_padding_mask) {
  std::vector<at::Tensor> all = {block_input(embeddings)};
  for (const std::shared_ptr<torch::nn::Module>& block : *decoders) {
    all.push_back(block->as<LeapBlock>()->forward(all.back(), key_padding_mask));
  }
  return all;
}

at::Tensor LeapDecoderImpl::step(const at::Tensor& embeddings, LeapModelState& state) {
  const at::NoGradGuard no_gradient;
  if (state.layers.empty() && state.position == 0) {
    state.layers.resize(decoders->size());
  }
  if (state.layers.size() != decoders->size()) {
    refuse(
        "LeapDecoder",
        c10::str("the state has ", state.layers.size(), " layers, but the model has ", decoders->size(), "."),
        "Give the state that the previous call returned; an empty one for the first call.");
  }
  at::Tensor x = with_positions(embeddings, state.position);
  for (size_t i = 0; i < decoders->size(); ++i) {
    MultiheadLeapStep next = decoders->ptr(i)->as<LeapBlock>()->step(x, std::move(state.layers[i]));
    x = next.output;
    state.layers[i] = std::move(next.state);
  }
  state.position += embeddings.size(1);
  return x;
}

LeapForCausalLMImpl::LeapForCausalLMImpl(LeapConfig config_) : config(std::move(config_)) {
  check(config);
  reset();
}

void LeapForCausalLMImpl::reset() {
  word_embedding =
      register_module("word_embedding", uninitialised_embedding(config.vocab_size(), config.hidden_size()));
  leap_model = register_module("leap_model", LeapDecoder(config));
  last_norm = register_module("last_norm", block_norm(config.hidden_size()));
  initialise_weights(*this, initial_std_of(config), config.seed());
}

at::Tensor LeapForCausalLMImpl::decoder_padding_mask(const at::Tensor& key_padding_mask) const {
  if (!key_padding_mask.defined() || !config.padding_counts()) {
    return key_padding_mask;
  }
  // On other devices this check would force a synchronisation.
  if (key_padding_mask.size(1) > 1 && key_padding_mask.device().is_cpu()) {
    const at::Tensor padded_before_token =
        key_padding_mask.slice(1, 0, -1).logical_and(key_padding_mask.slice(1, 1).logical_not()).any(1);
    if (padded_before_token.any().item<bool>()) {
      refuse(kModel,
             c10::str("attention_mask has padding before tokens in text ",
                      padded_before_token.nonzero()[0].item<int64_t>(),
                      ", where it would have weights like tokens."),
             "Pad on the right, or set padding_counts to false.");
    }
  }
  return {};
}

CausalLMOutput LeapForCausalLMImpl::forward(const at::Tensor& ids, const CausalLMCall& call) {
  check_ids(kModel, ids, config.vocab_size());
  const at::Tensor key_padding_mask = key_padding_mask_of(kModel, ids, call.attention_mask);
  return lm_output(kModel,
                   leap_model->hidden_states(apply_embedding(*word_embedding, ids),
                                             decoder_padding_mask(key_padding_mask)),
                   last_norm, word_embedding->weight, {}, call, key_padding_mask);
}

at::Tensor LeapForCausalLMImpl::head_input(const at::Tensor& ids) {
  check_ids(kModel, ids, config.vocab_size());
  return apply_norm(*last_norm, leap_model->forward(apply_embedding(*word_embedding, ids)));
}

LeapLMStep LeapForCausalLMImpl::step(const at::Tensor& ids, LeapModelState state) {
  const at::NoGradGuard no_gradient;
  LeapLMStep next{{}, std::move(state)};
  next.logits = ops::linear(step_input(ids, next.state), word_embedding->weight);
  return next;
}

at::Tensor LeapForCausalLMImpl::step_input(const at::Tensor& ids, LeapModelState& state) {
  check_ids(kModel, ids, config.vocab_size());
  const at::NoGradGuard no_gradient;
  return apply_norm(*last_norm, leap_model->step(apply_embedding(*word_embedding, ids), state));
}

MultiheadLeap LeapForCausalLMImpl::layer(int64_t index) {
  if (index < 0 || index >= config.num_layers()) {
    refuse(kModel,
           c10::str("there is no layer ", index, ": the ", config.num_layers(), " layers are 0 to ",
                    config.num_layers() - 1, "."),
           "The first layer is 0.");
  }
  return leap_model->decoders->ptr(static_cast<size_t>(index))->as<LeapBlock>()->leap;
}

std::vector<ops::LeapIntermediates> LeapForCausalLMImpl::explain(const at::Tensor& ids,
                                                                 const at::Tensor& attention_mask) {
  std::vector<ops::LeapIntermediates> layers;
  explain_layers(
      ids, [&](int64_t, const ops::LeapIntermediates& layer) { layers.push_back(layer); }, attention_mask);
  return layers;
}

void LeapForCausalLMImpl::explain_layers(
    const at::Tensor& ids, const std::function<void(int64_t, const ops::LeapIntermediates&)>& visit,
    const at::Tensor& attention_mask) {
  check_ids(kModel, ids, config.vocab_size());
  const at::Tensor mask = decoder_padding_mask(key_padding_mask_of(kModel, ids, attention_mask));
  at::Tensor x = leap_model->block_input(apply_embedding(*word_embedding, ids));
  for (int64_t i = 0; i < config.num_layers(); ++i) {
    auto* block = leap_model->decoders->ptr(static_cast<size_t>(i))->as<LeapBlock>();
    visit(i, block->leap->explain(apply_norm(*block->attn_norm, x), mask));
    x = i + 1 < config.num_layers() ? block->forward(x, mask) : x;
  }
}

std::vector<std::string> load_leap_state(LeapForCausalLM& model, NamedTensors state,
                                         const std::string& source) {
  std::vector<std::string> notes = remove_causal_lm_prefixes(*model, state);
  if (has_leap_1_0_names(state) && model->config.weight() == ops::FocusWeight::elu) {
    throw DataError(
        source +
        ": its projections have the names of LEAP 1.0.0 and 1.0.1, whose focus weights are "
        "exponential, but the weights of this model are elu.\n  Use weight exponential and the rescale "
        "of its training, 10 by default.");
  }
  load_causal_lm_state(*model, std::move(state), source);
  return notes;
}

} // namespace mneme::nn
