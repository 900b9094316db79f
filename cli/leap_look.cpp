// SPDX-License-Identifier: MIT

#include "cli/leap_look.h"

#include <algorithm>

#include <ATen/Functions.h>
#include <nlohmann/json.hpp>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/nn/leap_folder.h"
#include "mneme/ops/leap_explanation.h"

namespace mneme::cli {
namespace {

constexpr int64_t kBytes = 256; // a vocabulary that raw bytes fit

int64_t tokens_of(const LookRequest& request) {
  return static_cast<int64_t>(request.ids.size());
}

void check(const LookRequest& request, const nn::LeapConfig& config) {
  const int64_t tokens = tokens_of(request), words = config.vocab_size();
  if (request.ids_are_bytes && words < kBytes) {
    throw DataError(c10::str(request.ids_source, ": text is read as bytes, of which there are ", kBytes,
                             ", but the model's vocabulary has ", words,
                             " words.\n  Give the ids of its own tokens with --tokens."));
  }
  if (request.num_words && *request.num_words != words) {
    throw DataError(c10::str(request.words_source, ": there are ", *request.num_words,
                             " lines, but the model's vocabulary has ", words,
                             " words.\n  Give one line for each, also for those that have no name."));
  }
  const auto beyond = std::ranges::find_if(request.ids, [&](int64_t id) { return id < 0 || id >= words; });
  if (beyond != request.ids.end()) {
    throw DataError(c10::str(request.ids_source, ": token ", beyond - request.ids.begin(), " is ", *beyond,
                             ", but the model's vocabulary has ", words, " words: 0 to ", words - 1,
                             ".\n  Was another tokenizer used?"));
  }
  if (config.positions() == nn::LeapPositions::learned && tokens > config.max_positions()) {
    throw DataError(c10::str(request.ids_source, ": there are ", tokens, " tokens, but the model has ",
                             config.max_positions(), " learned positions.\n  Let --to end the text there."));
  }
}

/// Half open: those asked for, or all `count`.
std::pair<int64_t, int64_t> chosen(const char* option, const std::optional<int64_t>& asked, int64_t count) {
  if (asked && *asked >= count) {
    throw UsageError(c10::str(option, " ", *asked, ": there are ", count, ", 0 to ", count - 1,
                              ".\n  Counted from 0, as in the names of parameters."));
  }
  return asked ? std::pair(*asked, *asked + 1) : std::pair(int64_t{0}, count);
}

std::vector<float> numbers_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kFloat).contiguous();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

/// Of a list with one for all heads, or one per head.
template <class T> T of_head(const std::vector<T>& values, int64_t head) {
  return values[values.size() == 1 ? 0 : static_cast<size_t>(head)];
}

/// Looks at one layer after the other and keeps what grows with the text alone.
class Looker {
public:
  Looker(const LookRequest& request, nn::LeapForCausalLM model)
      : request_(request), model_(std::move(model)),
        layers_(chosen("--layer", request.layer, model_->config.num_layers())),
        heads_(chosen("--head", request.head, model_->config.num_heads())) {
    const nn::LeapConfig& config = model_->config;
    const auto names = nlohmann::json::parse(nn::to_json(config));
    look_.vocab_size = config.vocab_size();
    look_.hidden_size = config.hidden_size();
    look_.layers = config.num_layers();
    look_.heads_per_layer = config.num_heads();
    look_.weight = names.at("weight");
    look_.gate = names.at("gate");
    look_.positions = names.at("positions");
    look_.ids = request.ids;
    look_.to = tokens_of(request);
    look_.from = look_.to - request.from <= kMatrixTokens ? request.from : look_.to;
  }

  Look look(Progress& progress) {
    const at::NoGradGuard no_gradient;
    const at::Tensor ids = at::tensor(request_.ids, at::kLong).unsqueeze(0);
    progress.start("layers", model_->config.num_layers());
    try {
      model_->explain_layers(ids, [&](int64_t layer, const ops::LeapParts& parts) {
        throw_if_interrupted();
        take(layer, parts);
        progress.advance();
      });
      roll_out();
    } catch (const UsageError& error) { // such as numbers that overflow: model and text are files
      throw DataError(request_.model.string() + ": " + error.what());
    }
    progress.finish();
    if (!request_.tensors.empty()) {
      file_.tensors["ids"] = at::tensor(request_.ids, at::kLong);
      file_.texts = {{"first_layer", std::to_string(layers_.first)},
                     {"first_head", std::to_string(heads_.first)},
                     {"first_token_of_tiles", std::to_string(look_.from)}};
      nn::write_tensor_file(request_.tensors, file_);
    }
    return std::move(look_);
  }

private:
  void take(int64_t layer, const ops::LeapParts& parts) {
    const ops::LeapOptions options = model_->layer(layer)->op_options();
    ops::LeapLayer kept{.parts = {}, .options = options};
    kept.parts.gate = parts.gate;
    kept.parts.log_weight = parts.log_weight;
    kept.parts.log_denominator = parts.log_denominator;
    all_layers_.push_back(std::move(kept));
    if (layer < layers_.first || layer >= layers_.second) {
      return;
    }
    const ops::LeapExplanation last = ops::explain(parts, options, {look_.to - 1, look_.to}),
                               tile =
                                   ops::explain(parts, options, {look_.from, look_.to, look_.from, look_.to});
    const auto track = [&](const char* name, const at::Tensor& of_all, int heads_at) { // -> [heads, T]
      const at::Tensor of_some = of_all.slice(heads_at, heads_.first, heads_.second);
      const at::Tensor along = heads_at == 2 ? of_some[0].t() : of_some[0].squeeze(1);
      return keep(layer, name, along);
    };
    const at::Tensor logit = ops::gate_logit(parts, options);
    const bool has_logit = logit.defined();
    const at::Tensor gate = track("gate", parts.gate, 2),
                     gate_logit = has_logit ? track("gate_logit", logit, 2) : logit,
                     log_weight = track("log_weight", parts.log_weight, 2),
                     log_denominator = track("log_denominator", parts.log_denominator, 2),
                     value_length = track("value_length", parts.value.norm(2, -1), 2),
                     share = track("share", last.share, 1),
                     contribution = track("contribution", last.contribution, 1);
    track("focus_logit", parts.focus_logit, 2);
    if (has_logit) {
      track("reason", last.reason, 1);
    }
    at::Tensor attention;
    if (look_.from < look_.to) {
      const auto matrix = [&](const char* name, const at::Tensor& of_all) {
        return keep(layer, name, of_all.slice(1, heads_.first, heads_.second)[0]);
      };
      attention = matrix("tile.attention", tile.attention);
      matrix("tile.share", tile.share);
      matrix("tile.contribution", tile.contribution);
      if (has_logit) {
        matrix("tile.reason", tile.reason);
      }
    }
    for (int64_t head = heads_.first; head < heads_.second; ++head) {
      const auto of = [&](const at::Tensor& t) {
        return t.defined() ? numbers_of(t[head - heads_.first]) : std::vector<float>{};
      };
      look_.heads.push_back({.layer = layer,
                             .head = head,
                             .window = of_head(options.windows.tokens, head),
                             .decay = of_head(options.windows.decay, head),
                             .gate = of(gate),
                             .gate_logit = of(gate_logit),
                             .log_weight = of(log_weight),
                             .log_denominator = of(log_denominator),
                             .value_length = of(value_length),
                             .share = of(share),
                             .contribution = of(contribution),
                             .attention = of(attention)});
    }
  }

  /// A copy of its own, so that the tensor it was cut from can go.
  at::Tensor keep(int64_t layer, const char* name, const at::Tensor& part) {
    at::Tensor copy = part.clone(at::MemoryFormat::Contiguous);
    if (!request_.tensors.empty()) {
      file_.tensors.emplace(c10::str("layers.", layer, ".", name), copy);
    }
    return copy;
  }

  void roll_out() {
    const at::Tensor row = ops::roll_out(all_layers_, look_.to - 1, look_.to)[0][0];
    look_.roll_out = numbers_of(row / row.sum());
    if (!request_.tensors.empty()) {
      file_.tensors["roll_out"] = row;
    }
  }

  const LookRequest& request_;
  nn::LeapForCausalLM model_;
  std::pair<int64_t, int64_t> layers_, heads_;
  std::vector<ops::LeapLayer> all_layers_;
  nn::TensorFile file_;
  Look look_;
};

Look look(const LookRequest& request, Progress& progress) {
  std::vector<std::string> notes;
  nn::LeapForCausalLM model = nn::read_leap_model(request.model, request.key, &notes);
  for (const std::string& note : notes) {
    progress.say(note);
  }
  check(request, model->config);
  return Looker(request, std::move(model)).look(progress);
}

[[maybe_unused]] const bool implemented = look_at.implement(look);

} // namespace

} // namespace mneme::cli
