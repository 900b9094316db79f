// SPDX-License-Identifier: MIT

#include "experiments/transformer/head_study.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

#include <ATen/Functions.h>
#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/random.h"
#include "mneme/language/head_reader.h"
#include "mneme/language/model.h"
#include "mneme/nn/gpt2_folder.h"
#include "mneme/nn/state_dict.h"
#include "mneme/ops/linear_cross_entropy.h"
#include "mneme/tokens/tokenizer.h"
#include "mneme/training/checkpoint_folder.h"
#include "mneme/training/language_trainer.h"

namespace mneme::experiments {
namespace {

using learning::HeadSummary;
using learning::TextHeads;
using nn::Gpt2ForCausalLMImpl;
using theory::PositionGaussian;

// The model that is trained: 0.8 million parameters, one token per byte.
constexpr int64_t kLayers = 4, kHeads = 8, kWidth = 128, kLength = 128, kRows = 16;
constexpr int64_t kMaxLength = 512;         // of windows for a given model
constexpr int64_t kTexts = 8;               // windows whose heads are read
constexpr int64_t kUniform = 1'000'000'000; // deviation of practically uniform weights

/// Windows of `length` tokens, one after the other, as int64 [count, length].
at::Tensor windows_of(const std::vector<int32_t>& tokens, int64_t length, int64_t count) {
  count = std::min(count, std::ssize(tokens) / length);
  if (count < 1) {
    throw UsageError(fmt::format("the text has {} tokens, but windows of {} are measured.\n  Give a longer "
                                 "text with --text.",
                                 tokens.size(), length));
  }
  const std::vector<int64_t> ids(tokens.begin(), tokens.begin() + count * length);
  return at::tensor(ids, at::kLong).view({count, length});
}

/// A model with its texts as tokens.
class Subject {
public:
  explicit Subject(const HeadStudy& study) {
    if (study.model.empty()) {
      const tokens::Tokenizer bytes = tokens::Tokenizer::bytes();
      data_.training = bytes.encode(study.training);
      held_out_ = bytes.encode(study.held_out);
      data_.token_bytes.assign(256, 1);
      trainer_.emplace(language::make_model({.type = "gpt2",
                                             .vocab_size = 256,
                                             .width = kWidth,
                                             .heads = kHeads,
                                             .layers = kLayers,
                                             .max_length = kLength,
                                             .seed = study.seed}),
                       data_,
                       training::LanguageSchedule{.steps = study.steps,
                                                  .length = kLength,
                                                  .rows_per_step = kRows,
                                                  .learning_rate = 2e-3,
                                                  .warmup_steps = std::min<int64_t>(50, study.steps / 10),
                                                  .seed = study.seed});
    } else {
      loaded_ = nn::read_gpt2_model(study.model, "", nullptr, nn::Mapping::all);
      const tokens::Tokenizer tokenizer = tokens::read_tokenizer(learning::folder_of(study.model));
      data_.training = tokenizer.encode(study.training);
      held_out_ = tokenizer.encode(study.held_out);
    }
    const nn::Gpt2Config& config = model().config;
    length_ = std::min(config.max_positions(), kMaxLength);
    loss_windows_ = windows_of(held_out_, length_, std::max<int64_t>(1, study.held_out_tokens / length_));
    head_windows_ = loss_windows_.slice(0, 0, std::min(kTexts, loss_windows_.size(0)));
  }

  Subject(const Subject&) = delete; // the trainer refers to its data
  Subject& operator=(const Subject&) = delete;

  Gpt2ForCausalLMImpl& model() {
    return loaded_.is_empty() ? *trainer_->model().module().as<nn::Gpt2ForCausalLM>() : *loaded_;
  }
  training::LanguageTrainer& trainer() { return *trainer_; }
  /// Replaces the parameters of a model that was read.
  void load(nn::NamedTensors state, const std::string& source) {
    nn::load_gpt2_state(loaded_, std::move(state), source);
  }

  StudiedModel info() {
    const nn::Gpt2Config& config = model().config;
    return {.layers = config.num_layers(),
            .heads_per_layer = config.num_heads(),
            .head_size = config.hidden_size() / config.num_heads(),
            .vocab_size = config.vocab_size(),
            .parameters = nn::count_parameters(model()),
            .length = length_,
            .texts = head_windows_.size(0),
            .targets = loss_windows_.size(0) * (length_ - 1),
            .averaging_entropy = language::averaging_entropy(length_)};
  }

  /// Windows of the training text, for fits.
  at::Tensor training_windows() const { return windows_of(data_.training, length_, kTexts); }

  std::vector<TextHeads> read_heads() {
    const at::NoGradGuard no_gradient;
    model().eval();
    std::vector<TextHeads> texts;
    for (int64_t i = 0; i < head_windows_.size(0); ++i) {
      language::HeadReader reader;
      model().head_input(head_windows_.slice(0, i, i + 1), std::ref(reader));
      texts.push_back({.name = fmt::format("window {}", i + 1), .tokens = length_, .heads = reader.heads()});
    }
    return texts;
  }

  /// Mean cross-entropy of the held-out text, in nats per token.
  double loss(const nn::AttentionReadout& readout = {}) {
    constexpr int64_t kTokensPerCall = 2048;
    const at::NoGradGuard no_gradient;
    model().eval();
    double sum = 0;
    int64_t count = 0;
    const int64_t rows = std::max<int64_t>(1, kTokensPerCall / length_);
    for (const at::Tensor& windows : loss_windows_.split(rows)) {
      throw_if_interrupted();
      const at::Tensor hidden = model().head_input(windows.slice(1, 0, -1), {}, readout);
      const ops::CrossEntropySum part = ops::linear_cross_entropy(hidden.flatten(0, 1), model().head_weight(),
                                                                  {}, windows.slice(1, 1).flatten());
      sum += part.sum.item<double>();
      count += part.count;
    }
    return sum / static_cast<double>(count);
  }

private:
  training::LanguageData data_; // of the trainer
  std::vector<int32_t> held_out_;
  std::optional<training::LanguageTrainer> trainer_;
  nn::Gpt2ForCausalLM loaded_{nullptr};
  int64_t length_ = 0;
  at::Tensor loss_windows_, head_windows_;
};

/// 10, 20, 50, 100, 200, 500 ... and the last step.
bool is_recorded(int64_t step, int64_t last) {
  int64_t power = 10;
  while (10 * power <= step) {
    power *= 10;
  }
  return step == last || step == power || step == 2 * power || step == 5 * power;
}

void train(Subject& subject, int64_t steps, Progress& progress,
           const std::function<void(int64_t step)>& recorded) {
  training::LanguageTrainer& trainer = subject.trainer();
  progress.start("training step", steps);
  recorded(0);
  while (!trainer.finished()) {
    const training::LanguageStep step = trainer.step();
    progress.status(fmt::format("loss {:.3f} nats per token", step.loss));
    progress.advance();
    if (is_recorded(trainer.steps_done(), steps)) {
      recorded(trainer.steps_done());
    }
  }
  progress.finish();
}

int64_t step_of(const training::Checkpoint& checkpoint) {
  const std::string& text = checkpoint.text("done");
  int64_t step = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw DataError(fmt::format("{}: \"done\" is \"{}\", but must be a number of steps.\n  Use an unmodified "
                                "checkpoint.",
                                checkpoint.source, text));
  }
  return step;
}

/// Calls `recorded` after the parameters of each checkpoint of a run have been loaded.
void read_checkpoints(Subject& subject, const std::filesystem::path& run, Progress& progress,
                      const std::function<void(int64_t step)>& recorded) {
  std::vector<std::filesystem::path> files = training::CheckpointFolder(run / "checkpoints").files();
  if (files.empty()) {
    throw UsageError(fmt::format("--model {}: there are no checkpoints of a training run in it.\n  Give the "
                                 "folder of a run such as `mneme train lm --model gpt2 --steps 2000 "
                                 "--save-every 200 --keep 20 --text FILE --out DIR`.",
                                 run.string()));
  }
  std::ranges::reverse(files);
  progress.start("checkpoints", std::ssize(files));
  for (const std::filesystem::path& file : files) {
    const std::string prefix = "model.";
    const training::Checkpoint checkpoint = training::load_checkpoint(file);
    nn::NamedTensors state;
    for (const auto& [name, tensor] : checkpoint.tensors) {
      if (name.starts_with(prefix)) {
        state.emplace(name.substr(prefix.size()), tensor);
      }
    }
    subject.load(std::move(state), checkpoint.source);
    recorded(step_of(checkpoint));
    progress.advance();
  }
  progress.finish();
}

TrainingStudy observe_training(const HeadStudy& study, Progress& progress) {
  Subject subject(study);
  TrainingStudy result{.model = subject.info()};
  const auto recorded = [&](int64_t step) {
    result.last_texts = subject.read_heads();
    result.steps.push_back(
        {.step = step, .loss = subject.loss(), .heads = learning::summaries(result.last_texts)});
  };
  if (study.model.empty()) {
    train(subject, study.steps, progress, recorded);
  } else {
    read_checkpoints(subject, study.model, progress, recorded);
  }
  return result;
}

/// Sums over texts of the moments and entropies of the attention weights of each query.
class MomentSums {
public:
  void operator()(const nn::AttentionView& attention) {
    const int64_t tokens = attention.query.size(2);
    const at::Tensor weights = at::softmax(attention.scores(0, tokens).to(at::kDouble), -1);
    const at::Tensor positions = at::arange(tokens, weights.options());
    const at::Tensor distances = positions.unsqueeze(1) - positions;
    Layer& layer = layers_[attention.layer];
    const auto add = [](at::Tensor& sum, const at::Tensor& of_queries) {
      const at::Tensor over_texts = of_queries.sum(-1).sum(0); // [num_heads, tokens]
      sum = sum.defined() ? sum + over_texts : over_texts;
    };
    add(layer.mean, weights * distances);
    add(layer.square, weights * distances.square());
    add(layer.entropy, at::special_entr(weights));
    layer.texts += attention.query.size(0);
  }

  FittedHead fit(const HeadSummary& head) const {
    const Layer& layer = layers_.at(head.layer);
    const at::Tensor mean = (layer.mean[head.head] / layer.texts).contiguous(),
                     square = (layer.square[head.head] / layer.texts).contiguous();
    std::vector<theory::DistanceMoments> queries;
    for (int64_t t = 0; t < mean.numel(); ++t) {
      queries.push_back({mean.const_data_ptr<double>()[t], square.const_data_ptr<double>()[t]});
    }
    const PositionGaussian gaussian = theory::fit_position_gaussian(queries);
    const double entropy = layer.entropy[head.head].mean().item<double>() / static_cast<double>(layer.texts);
    return {.head = head,
            .gaussian = gaussian,
            .divergence = std::max(0.0, theory::cross_entropy(queries, gaussian) - entropy)};
  }

private:
  struct Layer {
    at::Tensor mean, square, entropy; ///< [num_heads, tokens], float64
    int64_t texts = 0;
  };
  std::map<int64_t, Layer> layers_;
};

/// Attention weights that depend on positions alone, float32 [tokens, tokens].
at::Tensor weights_of(const PositionGaussian& gaussian, int64_t tokens) {
  at::Tensor weights = at::zeros({tokens, tokens}, at::kFloat);
  for (int64_t t = 0; t < tokens; ++t) {
    const std::vector<double> row = theory::position_weights(gaussian, t);
    std::ranges::copy(row, weights.mutable_data_ptr<float>() + t * tokens);
  }
  return weights;
}

/// Attention in which heads are replaced.
class ReplacedHeads {
public:
  /// The matrix may have more tokens than the texts.
  void replace(const HeadSummary& head, at::Tensor weights) {
    layers_[head.layer].emplace_back(head.head, std::move(weights));
  }

  at::Tensor operator()(const nn::AttentionView& attention) const {
    const auto layer = layers_.find(attention.layer);
    if (layer == layers_.end()) {
      return {};
    }
    const int64_t tokens = attention.query.size(2);
    at::Tensor readout = at::scaled_dot_product_attention(attention.query, attention.key, attention.value, {},
                                                          0, /*is_causal=*/true, attention.scale);
    for (const auto& [head, weights] : layer->second) {
      readout.select(1, head).copy_(
          at::matmul(weights.slice(0, 0, tokens).slice(1, 0, tokens), attention.value.select(1, head)));
    }
    return readout;
  }

private:
  std::map<int64_t, std::vector<std::pair<int64_t, at::Tensor>>> layers_;
};

ReplacementStudy replace_heads(const HeadStudy& study, int64_t draws, Progress& progress) {
  Subject subject(study);
  if (study.model.empty()) {
    train(subject, study.steps, progress, [](int64_t) {});
  }
  const at::NoGradGuard no_gradient;
  ReplacementStudy result{.model = subject.info(), .loss = subject.loss()};
  MomentSums moments;
  subject.model().eval();
  for (const at::Tensor& window : subject.training_windows().split(1)) {
    subject.model().head_input(window, std::ref(moments));
  }
  for (const HeadSummary& head : learning::summaries(subject.read_heads())) {
    result.fitted.push_back(moments.fit(head));
  }
  const auto share = [](const FittedHead& fitted) { return fitted.head.keys_90 / fitted.head.keys; };
  std::ranges::stable_sort(result.fitted, std::greater(), share);
  const int64_t heads = std::ssize(result.fitted);
  result.counts =
      replacement_counts(heads, std::ranges::count_if(result.fitted, [](const FittedHead& fitted) {
                           return fitted.head.kind == theory::FixedPoint::global;
                         }));

  std::vector<at::Tensor> gaussians; // of each head in `fitted`
  for (const FittedHead& fitted : result.fitted) {
    gaussians.push_back(weights_of(fitted.gaussian, result.model.length));
  }
  const std::vector<at::Tensor> uniform(result.fitted.size(),
                                        weights_of({.mean = 0, .deviation = kUniform}, result.model.length));
  progress.start("losses", std::ssize(result.counts) * (3 + draws));
  /// Losses after the first heads of an order are replaced.
  const auto losses_of = [&](const std::vector<int64_t>& order, const std::vector<at::Tensor>& weights) {
    std::vector<double> losses;
    for (const int64_t count : result.counts) {
      ReplacedHeads replaced;
      for (const int64_t i : std::span(order).first(static_cast<size_t>(count))) {
        replaced.replace(result.fitted[static_cast<size_t>(i)].head, weights[static_cast<size_t>(i)]);
      }
      losses.push_back(subject.loss(replaced));
      progress.advance();
    }
    return losses;
  };
  std::vector<int64_t> order(result.fitted.size());
  std::iota(order.begin(), order.end(), 0);
  result.by_keys = losses_of(order, gaussians);
  result.uniform = losses_of(order, uniform);
  std::ranges::stable_sort(order, {},
                           [&](int64_t i) { return result.fitted[static_cast<size_t>(i)].divergence; });
  result.by_divergence = losses_of(order, gaussians);
  for (int64_t draw = 0; draw < draws; ++draw) {
    constexpr uint64_t kStream = 0x68656164; // of the order of heads
    Random random = Random(study.seed).stream(kStream).stream(static_cast<uint64_t>(draw));
    result.at_random.push_back(losses_of(random.distinct(heads, heads), gaussians));
  }
  progress.finish();
  return result;
}

[[maybe_unused]] const bool implemented =
    study_training.implement(observe_training) && study_replacement.implement(replace_heads);

} // namespace

std::vector<int64_t> replacement_counts(int64_t heads, int64_t averaging) {
  std::vector<int64_t> counts = {heads};
  for (int64_t count = 1; count < heads; count *= 2) {
    counts.push_back(count);
  }
  if (averaging > 0) {
    counts.push_back(averaging);
  }
  std::ranges::sort(counts);
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

} // namespace mneme::experiments
