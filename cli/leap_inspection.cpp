// SPDX-License-Identifier: MIT

#include "cli/leap_inspection.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/Functions.h>
#include <nlohmann/json.hpp>

#include "learning/heads.h"
#include "learning/inspected_ids.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/language/generate.h"
#include "mneme/nn/leap_folder.h"
#include "mneme/ops/leap_explanation.h"
#include "mneme/ops/linear.h"

namespace mneme::cli {
namespace {

int64_t tokens_of(const InspectRequest& request) {
  return static_cast<int64_t>(request.ids.size());
}

void check(const InspectRequest& request, const nn::LeapConfig& config) {
  const int64_t vocabulary = config.vocab_size();
  if (request.ids_are_bytes) {
    language::tokenizer_of(learning::folder_of(request.model), vocabulary); // DataError unless it is of bytes
  }
  if (request.num_words && *request.num_words != vocabulary) {
    throw DataError(c10::str(request.words_source, ": the file has ", *request.num_words,
                             " lines, but the vocabulary of the model has ", vocabulary,
                             " tokens.\n  Give one line per token; a line may be empty."));
  }
  learning::check_ids(request.ids_source, request.ids, vocabulary,
                      config.positions() == nn::LeapPositions::learned ? std::optional(config.max_positions())
                                                                       : std::nullopt);
}

/// The half-open range of the requested index, or of all `count`.
std::pair<int64_t, int64_t> range_of(const char* option, const std::optional<int64_t>& requested,
                                     int64_t count) {
  learning::check_index(option, requested, count);
  return requested ? std::pair(*requested, *requested + 1) : std::pair(int64_t{0}, count);
}

std::vector<float> numbers_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kFloat).contiguous();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

/// The value of a head in a list that has one value for all heads, or one per head.
template <class T> T of_head(const std::vector<T>& values, int64_t head) {
  return values[values.size() == 1 ? 0 : static_cast<size_t>(head)];
}

/// Processes one layer at a time, and keeps only results whose size is linear in the length of the text (and
/// the matrices of at most kMatrixTokens tokens).
class LeapInspector {
public:
  LeapInspector(const InspectRequest& request, nn::LeapForCausalLM model)
      : request_(request), model_(std::move(model)),
        layers_(range_of("--layer", request.layer, model_->config.num_layers())),
        heads_(range_of("--head", request.head, model_->config.num_heads())) {
    const nn::LeapConfig& config = model_->config;
    const auto names = nlohmann::json::parse(nn::to_json(config));
    inspection_.vocab_size = config.vocab_size();
    inspection_.hidden_size = config.hidden_size();
    inspection_.layers = config.num_layers();
    inspection_.heads_per_layer = config.num_heads();
    inspection_.weight = names.at("weight");
    inspection_.gate = names.at("gate");
    inspection_.positions = names.at("positions");
    inspection_.ids = request.ids;
    inspection_.to = tokens_of(request);
    inspection_.from = inspection_.to - request.from <= kMatrixTokens ? request.from : inspection_.to;
  }

  LeapInspection run(Progress& progress) {
    const at::NoGradGuard no_gradient;
    const at::Tensor ids = at::tensor(request_.ids, at::kLong).unsqueeze(0);
    progress.start("layers", model_->config.num_layers());
    try {
      model_->explain_layers(ids, [&](int64_t layer, const ops::LeapIntermediates& intermediates) {
        throw_if_interrupted();
        add_layer(layer, intermediates);
        progress.advance();
      });
      compute_rollout();
      compute_predictions(ids);
    } catch (const UsageError& error) { // such as an overflow: caused by the files of the model and the text
      throw DataError(request_.model.string() + ": " + error.what());
    }
    progress.finish();
    if (!request_.tensors.empty()) {
      file_.tensors["ids"] = at::tensor(request_.ids, at::kLong);
      file_.texts = {{"first_layer", std::to_string(layers_.first)},
                     {"first_head", std::to_string(heads_.first)},
                     {"first_token_of_tiles", std::to_string(inspection_.from)}};
      nn::write_tensor_file(request_.tensors, file_);
    }
    return std::move(inspection_);
  }

private:
  void add_layer(int64_t layer, const ops::LeapIntermediates& intermediates) {
    const ops::LeapOptions options = model_->layer(layer)->op_options();
    ops::LeapLayer kept{.intermediates = {}, .options = options};
    kept.intermediates.gate = intermediates.gate;
    kept.intermediates.log_weight = intermediates.log_weight;
    kept.intermediates.log_denominator = intermediates.log_denominator;
    all_layers_.push_back(std::move(kept));
    if (layer < layers_.first || layer >= layers_.second) {
      return;
    }
    const int64_t from = inspection_.from, to = inspection_.to;
    const ops::LeapExplanation last = ops::explain(intermediates, options, {to - 1, to}),
                               tile = ops::explain(intermediates, options, {from, to, from, to});
    // Selects the requested heads of [1, T, H] (head_dim = 2) or [1, H, 1, T] (head_dim = 1) -> [heads, T].
    const auto track = [&](const char* name, const at::Tensor& all_heads, int head_dim) {
      const at::Tensor selected = all_heads.slice(head_dim, heads_.first, heads_.second);
      return keep(layer, name, head_dim == 2 ? selected[0].t() : selected[0].squeeze(1));
    };
    const at::Tensor logit = ops::gate_logit(intermediates, options);
    const bool has_logit = logit.defined();
    const at::Tensor gate = track("gate", intermediates.gate, 2),
                     gate_logit = has_logit ? track("gate_logit", logit, 2) : logit,
                     log_weight = track("log_weight", intermediates.log_weight, 2),
                     log_denominator = track("log_denominator", intermediates.log_denominator, 2),
                     value_length = track("value_length", intermediates.value.norm(2, -1), 2),
                     mean_weight = track("share", last.mean_weight, 1),
                     contribution = track("contribution", last.contribution, 1);
    track("focus_logit", intermediates.focus_logit, 2);
    if (has_logit) {
      track("reason", last.gate_logit_contribution, 1);
    }
    at::Tensor attention;
    if (from < to) {
      const auto matrix = [&](const char* name, const at::Tensor& all_heads) {
        return keep(layer, name, all_heads.slice(1, heads_.first, heads_.second)[0]);
      };
      attention = matrix("tile.attention", tile.attention);
      matrix("tile.share", tile.mean_weight);
      matrix("tile.contribution", tile.contribution);
      if (has_logit) {
        matrix("tile.reason", tile.gate_logit_contribution);
      }
    }
    for (int64_t head = heads_.first; head < heads_.second; ++head) {
      const auto of = [&](const at::Tensor& t) {
        return t.defined() ? numbers_of(t[head - heads_.first]) : std::vector<float>{};
      };
      inspection_.heads.push_back({.layer = layer,
                                   .head = head,
                                   .window = of_head(options.windows.tokens, head),
                                   .decay = of_head(options.windows.decay, head),
                                   .gate = of(gate),
                                   .gate_logit = of(gate_logit),
                                   .log_weight = of(log_weight),
                                   .log_denominator = of(log_denominator),
                                   .value_length = of(value_length),
                                   .mean_weight = of(mean_weight),
                                   .contribution = of(contribution),
                                   .attention = of(attention)});
    }
  }

  /// Copies a view, so that the tensor it belongs to can be freed, and adds the copy to the file to write.
  at::Tensor keep(int64_t layer, const char* name, const at::Tensor& view) {
    at::Tensor copy = view.clone(at::MemoryFormat::Contiguous);
    if (!request_.tensors.empty()) {
      file_.tensors.emplace(c10::str("layers.", layer, ".", name), copy);
    }
    return copy;
  }

  void compute_rollout() {
    const at::Tensor row = ops::attention_rollout(all_layers_, inspection_.to - 1, inspection_.to)[0][0];
    inspection_.rollout = numbers_of(row / row.sum());
    if (!request_.tensors.empty()) {
      file_.tensors["roll_out"] = row;
    }
  }

  /// Logits are computed for a part of the text at a time, because a vocabulary can be large.
  void compute_predictions(const at::Tensor& ids) {
    constexpr int64_t kNumbers = int64_t{1} << 24, kNext = 5;
    const at::Tensor hidden = model_->head_input(ids)[0];
    const int64_t tokens = hidden.size(0), rows = std::max<int64_t>(1, kNumbers / inspection_.vocab_size);
    inspection_.loss = {std::numeric_limits<float>::quiet_NaN()};
    for (int64_t first = 0; first < tokens; first += rows) {
      throw_if_interrupted();
      const int64_t end = std::min(first + rows, tokens);
      const at::Tensor log_probability =
          at::log_softmax(ops::linear(hidden.slice(0, first, end), model_->word_embedding->weight), 1);
      const int64_t followed = std::min(end, tokens - 1) - first; // the last token is followed by none
      const std::vector<float> some =
          numbers_of(-log_probability.narrow(0, 0, followed)
                          .gather(1, ids[0].narrow(0, first + 1, followed).unsqueeze(1)));
      inspection_.loss.insert(inspection_.loss.end(), some.begin(), some.end());
      if (end == tokens) {
        const auto [best, best_ids] =
            log_probability[end - first - 1].topk(std::min<int64_t>(kNext, inspection_.vocab_size));
        for (int64_t i = 0; i < best.size(0); ++i) {
          inspection_.next.push_back(
              {.id = best_ids[i].item<int64_t>(), .probability = std::exp(best[i].item<double>())});
        }
      }
    }
    if (!request_.tensors.empty()) {
      file_.tensors["loss"] = at::tensor(inspection_.loss);
    }
  }

  const InspectRequest& request_;
  nn::LeapForCausalLM model_;
  std::pair<int64_t, int64_t> layers_, heads_;
  std::vector<ops::LeapLayer> all_layers_;
  nn::TensorFile file_;
  LeapInspection inspection_;
};

LeapInspection inspect(const InspectRequest& request, Progress& progress) {
  std::vector<std::string> notes;
  nn::LeapForCausalLM model = nn::read_leap_model(request.model, request.key, &notes, nn::Mapping::all);
  for (const std::string& note : notes) {
    progress.message(note);
  }
  check(request, model->config);
  return LeapInspector(request, std::move(model)).run(progress);
}

[[maybe_unused]] const bool implemented = inspect_leap.implement(inspect);

} // namespace

} // namespace mneme::cli
