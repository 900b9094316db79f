// SPDX-License-Identifier: MIT

#include "mneme/nn/lstm_lm.h"

#include <cmath>

#include "nn/apply_norm.h"
#include "nn/causal_lm.h"
#include "nn/checks.h"
#include "nn/refuse.h"
#include "nn/transformer_block.h"

namespace mneme::nn {
namespace {
constexpr const char* kModel = "LstmForCausalLM";
} // namespace

LstmForCausalLMImpl::LstmForCausalLMImpl(LstmConfig config_) : config(std::move(config_)) {
  check_sizes(kModel, {{"vocab_size", config.vocab_size()},
                       {"hidden_size", config.hidden_size()},
                       {"num_layers", config.num_layers()}});
  check_partial_dropout(kModel, config.dropout());
  reset();
}

void LstmForCausalLMImpl::reset() {
  const int64_t size = config.hidden_size();
  word_embedding = register_module("word_embedding", uninitialised_embedding(config.vocab_size(), size));
  rnn = register_module("rnn", torch::nn::LSTM(torch::nn::LSTMOptions(size, size)
                                                   .num_layers(config.num_layers())
                                                   .batch_first(true)
                                                   .dropout(config.num_layers() > 1 ? config.dropout() : 0)));
  last_norm = register_module("last_norm", block_norm(size));
  at::Generator generator = make_generator(config.seed());
  fill_normal(word_embedding->weight, 1, generator);
  for (at::Tensor& parameter : rnn->parameters()) {
    fill_uniform(parameter, 1 / std::sqrt(static_cast<double>(size)), generator);
  }
}

void LstmForCausalLMImpl::check(const at::Tensor& ids) const {
  check_ids(kModel, ids, config.vocab_size());
  if (ids.numel() == 0) {
    refuse(kModel, c10::str("the ids are of shape ", ids.sizes(), ": there is no token."),
           "An LSTM needs at least one token.");
  }
}

CausalLMOutput LstmForCausalLMImpl::forward(const at::Tensor& ids, const CausalLMCall& call) {
  check(ids);
  const at::Tensor key_padding_mask = key_padding_mask_of(kModel, ids, call.attention_mask),
                   words = word_embedding->forward(ids);
  return lm_output(kModel, {words, std::get<0>(rnn->forward(words))}, last_norm, word_embedding->weight, {},
                   call, key_padding_mask);
}

at::Tensor LstmForCausalLMImpl::head_input(const at::Tensor& ids) {
  check(ids);
  return apply_norm(*last_norm, std::get<0>(rnn->forward(word_embedding->forward(ids))));
}

at::Tensor LstmForCausalLMImpl::step(const at::Tensor& ids, LstmState& state) {
  check(ids);
  const at::NoGradGuard no_gradient;
  for (const auto& [name, tensor] :
       {std::pair("state.hidden", &state.hidden), std::pair("state.cell", &state.cell)}) {
    if (state.hidden.defined() || state.cell.defined()) {
      check_shape(kModel, name, *tensor, {config.num_layers(), ids.size(0), config.hidden_size()},
                  "Give the state that the previous call for the same texts returned.",
                  last_norm->weight.scalar_type());
    }
  }
  const at::Tensor words = word_embedding->forward(ids);
  auto [output, next] = state.hidden.defined() ? rnn->forward(words, std::tuple(state.hidden, state.cell))
                                               : rnn->forward(words);
  std::tie(state.hidden, state.cell) = next;
  return apply_norm(*last_norm, output);
}

} // namespace mneme::nn
