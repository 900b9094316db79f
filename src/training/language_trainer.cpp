// SPDX-License-Identifier: MIT

#include "mneme/nn/state_dict.h"
#include "mneme/training/language_trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <numbers>
#include <optional>
#include <span>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/language/model.h"
#include "mneme/nn/matrix_leap.h"
#include "mneme/nn/multihead_leap.h"
#include "mneme/ops/linear.h"
#include "training/adamw.h"
#include "training/trainer.h"

namespace mneme::training {
namespace {

constexpr const char* kFormat = "mneme language model 1";
const std::string kModel = "model.";
constexpr int64_t kSkippedInARowMax = 10;
const TrainerChecks kChecks("mneme::training::LanguageTrainer");

std::string moment_name(const std::string& parameter, const char* moment) {
  return c10::str("adam.", moment, ".", parameter);
}

std::string fingerprint(const std::vector<int32_t>& tokens) {
  Fingerprint hash;
  for (const int32_t token : tokens) {
    hash.add(static_cast<uint64_t>(token));
  }
  return c10::str(tokens.size(), " tokens, ", hash.value());
}

const char* name_of(RateSchedule schedule) {
  switch (schedule) {
  case RateSchedule::wsd:
    return "wsd";
  case RateSchedule::constant:
    return "constant";
  case RateSchedule::cosine:
    break;
  }
  return "cosine";
}

const char* name_of(ProductPrecision precision) {
  return precision == ProductPrecision::bfloat16 ? "bfloat16" : "float32";
}

void in_unit(const char* name, double value, bool one_included) {
  if (!(value >= 0 && (one_included ? value <= 1 : value < 1))) {
    kChecks.refuse(c10::str(name, " is ", value, ", but must be in [0, 1", one_included ? "]." : ")."),
                   "Leave it out for the default.");
  }
}

void check(const LanguageSchedule& schedule) {
  kChecks.at_least("steps", schedule.steps, 1);
  kChecks.at_least("length", schedule.length, 1);
  kChecks.at_least("rows_per_step", schedule.rows_per_step, 1);
  kChecks.at_least("rows_per_batch", schedule.rows_per_batch, 1);
  kChecks.at_least("warmup_steps", schedule.warmup_steps, 0);
  kChecks.positive("learning_rate", schedule.learning_rate);
  kChecks.not_negative("weight_decay", schedule.weight_decay);
  kChecks.positive("gradient_norm_max", schedule.gradient_norm_max);
  in_unit("final_fraction", schedule.final_fraction, true);
  in_unit("beta1", schedule.beta1, false);
  in_unit("beta2", schedule.beta2, false);
}

/// Positions of the first `rows` rows of a step.
std::vector<int64_t> first_positions(LanguageSchedule schedule, int64_t step, const LanguageData& data,
                                     int64_t rows) {
  schedule.rows_per_step = rows; // the position of a row does not depend on it
  return row_positions(schedule, step, static_cast<int64_t>(data.training.size()));
}

void check(const LanguageData& data, const LanguageSchedule& schedule, language::Model& model) {
  if (data.vocab_size() != model.vocab_size()) {
    kChecks.refuse(c10::str("the vocabulary of the text has ", data.vocab_size(),
                            " tokens, but that of the model has ", model.vocab_size(), "."),
                   "Use the tokenizer of the model.");
  }
  for (const std::vector<int32_t>* tokens : {&data.training, &data.validation}) {
    if (tokens->empty()) {
      continue;
    }
    const auto [min, max] = std::ranges::minmax(*tokens);
    if (min < 0 || max >= data.vocab_size()) {
      kChecks.refuse(c10::str("tokens range from ", min, " to ", max, ", but the vocabulary has ",
                              data.vocab_size(), " tokens."),
                     "Use the tokenizer of the model.");
    }
  }
  if (const std::optional<int64_t> max = model.max_length(); max && schedule.length > *max) {
    kChecks.refuse(c10::str("length is ", schedule.length, ", but the model has ", *max, " positions."),
                   "Use shorter rows.");
  }
  static_cast<void>(first_positions(schedule, 0, data, 1)); // checks it
}

/// Rows of consecutive tokens as int64 [rows, length]. `shift` 1: targets, the token after each input token.
at::Tensor rows_of(const std::vector<int32_t>& tokens, std::span<const int64_t> positions, int64_t length,
                   int64_t shift) {
  at::Tensor rows = at::empty({static_cast<int64_t>(positions.size()), length}, at::kLong);
  int64_t* to = rows.mutable_data_ptr<int64_t>();
  for (const int64_t position : positions) {
    to = std::copy_n(tokens.begin() + position + shift, length, to);
  }
  return rows;
}

/// Lets layers compute with numbers that are not finite instead of throwing: the trainer skips such steps.
void allow_not_finite(torch::nn::Module& model) {
  for (const std::shared_ptr<torch::nn::Module>& layer : model.modules(/*include_self=*/false)) {
    if (auto* leap = layer->as<nn::MultiheadLeap>()) {
      leap->options.check_finite(false);
    } else if (auto* matrix_leap = layer->as<nn::MatrixLeap>()) {
      matrix_leap->options.check_finite(false);
    }
  }
}

double bits_per_byte(double nats, int64_t bytes) {
  return nats / std::numbers::ln2 / static_cast<double>(bytes);
}

/// Loss and gradient of one micro-batch.
struct MicroBatch {
  double sum = 0; ///< of cross-entropies, in nats
  int64_t count = 0;
  std::vector<at::Tensor> gradients = {}; ///< of the sum
};

/// Adds micro-batches that are finished in any order in the order of their index. Keeps only those that wait
/// for an earlier one.
class OrderedSum {
public:
  explicit OrderedSum(int64_t count) : waiting_(static_cast<size_t>(count)) {}

  void add(int64_t index, MicroBatch batch) {
    const std::lock_guard lock(mutex_);
    waiting_[static_cast<size_t>(index)] = std::move(batch);
    for (; next_ < waiting_.size() && waiting_[next_]; ++next_) {
      add_next(*waiting_[next_]);
      waiting_[next_].reset();
    }
  }
  MicroBatch& total() { return total_; }

private:
  void add_next(MicroBatch& batch) {
    total_.sum += batch.sum;
    total_.count += batch.count;
    if (total_.gradients.empty()) {
      total_.gradients = std::move(batch.gradients);
      return;
    }
    for (size_t i = 0; i < batch.gradients.size(); ++i) {
      total_.gradients[i].add_(batch.gradients[i]);
    }
  }

  std::mutex mutex_;
  std::vector<std::optional<MicroBatch>> waiting_;
  size_t next_ = 0;
  MicroBatch total_;
};

} // namespace

struct LanguageTrainer::State {
  std::shared_ptr<language::Model> model;
  const LanguageData& data;
  LanguageSchedule schedule;
  std::map<std::string, std::string> identity;
  std::vector<std::string> names; ///< of the parameters
  std::vector<at::Tensor> parameters;
  AdamW adam;
  int64_t done = 0, skipped = 0, skipped_in_a_row = 0;

  /// Everything that must be equal for a run to be resumed, as text.
  void set_identity() {
    identity = {{"format", kFormat},
                {"model", model->type() + " " + model->config_json()},
                {"training text", fingerprint(data.training)},
                {"validation text", fingerprint(data.validation)},
                {"steps", std::to_string(schedule.steps)},
                {"length", std::to_string(schedule.length)},
                {"rows_per_step", std::to_string(schedule.rows_per_step)},
                {"rows_per_batch", std::to_string(schedule.rows_per_batch)},
                {"learning_rate", exact(schedule.learning_rate)},
                {"final_fraction", exact(schedule.final_fraction)},
                {"rate_schedule", name_of(schedule.rate_schedule)},
                {"warmup_steps", std::to_string(schedule.warmup_steps)},
                {"weight_decay", exact(schedule.weight_decay)},
                {"beta1", exact(schedule.beta1)},
                {"beta2", exact(schedule.beta2)},
                {"gradient_norm_max", exact(schedule.gradient_norm_max)},
                {"has_dropout", schedule.has_dropout ? "yes" : "no"},
                {"precision", name_of(schedule.precision)},
                {"one_batch", schedule.one_batch ? "yes" : "no"},
                {"seed", std::to_string(schedule.seed)}};
  }

  /// Calls compute(index) for each micro-batch, in parallel, each on one thread.
  void for_each_batch(int64_t count, bool in_order, const std::function<void(int64_t)>& compute) const {
    const OneThread one_thread;
    const auto compute_block = [&](int64_t begin, int64_t end) {
      const OneThread one_thread_of_worker;
      for (int64_t i = begin; i < end; ++i) {
        throw_if_interrupted();
        compute(i);
      }
    };
    if (in_order) {
      compute_block(0, count);
    } else {
      parallel_for(count, 1, compute_block);
    }
  }

  /// Loss and gradient of the first rows of the next step.
  MicroBatch total_of_rows(int64_t num_rows) {
    model->module().train(schedule.has_dropout); // a model from a file can have dropout of its own
    const std::vector<int64_t> positions = first_positions(schedule, done, data, num_rows);
    const int64_t size = schedule.rows_per_batch, count = (num_rows + size - 1) / size;
    OrderedSum sum(count);
    for_each_batch(count, schedule.has_dropout, [&](int64_t index) {
      const ops::ProductPrecisionGuard precision(schedule.precision);
      if (schedule.has_dropout) {
        constexpr uint64_t kDropout = 0x64726F70; // stream
        const Random random = Random(schedule.seed).stream(kDropout).stream(static_cast<uint64_t>(done));
        at::Generator generator = at::detail::getDefaultCPUGenerator(); // a reference to it
        generator.set_current_seed(random.at(static_cast<uint64_t>(index)));
      }
      const auto first = static_cast<size_t>(index * size);
      const auto rows =
          std::span(positions).subspan(first, std::min(static_cast<size_t>(size), positions.size() - first));
      const language::LossSum loss = model->loss(rows_of(data.training, rows, schedule.length, 0),
                                                 rows_of(data.training, rows, schedule.length, 1));
      MicroBatch batch{.sum = loss.sum.item<double>(),
                       .count = loss.count,
                       .gradients = torch::autograd::grad({loss.sum}, parameters, {}, std::nullopt,
                                                          /*create_graph=*/false, /*allow_unused=*/true)};
      for (size_t i = 0; i < parameters.size(); ++i) {
        at::Tensor& gradient = batch.gradients[i];
        gradient = gradient.defined() ? gradient.contiguous() : at::zeros_like(parameters[i]);
      }
      sum.add(index, std::move(batch));
    });
    return std::move(sum.total());
  }

  /// Bytes that the targets of the next step stand for.
  int64_t bytes_of_step() const {
    int64_t bytes = 0;
    for (const int64_t position : row_positions(schedule, done, static_cast<int64_t>(data.training.size()))) {
      bytes += bytes_of(data.training, position + 1, position + 1 + schedule.length);
    }
    return bytes;
  }

  int64_t bytes_of(const std::vector<int32_t>& tokens, int64_t begin, int64_t end) const {
    int64_t bytes = 0;
    for (int64_t i = begin; i < end; ++i) {
      bytes += data.token_bytes[static_cast<size_t>(tokens[static_cast<size_t>(i)])];
    }
    return bytes;
  }

  [[noreturn]] void refuse_to_diverge(const LanguageStep& result) const {
    kChecks.refuse(c10::str("loss or gradient were not finite in ", kSkippedInARowMax,
                            " successive steps, the last of them step ", result.step,
                            " with a learning rate of ", result.learning_rate, ": training has diverged."),
                   "Start again with a smaller learning rate, or a longer warm-up.");
  }
};

LanguageTrainer::LanguageTrainer(std::shared_ptr<language::Model> model, const LanguageData& data,
                                 const LanguageSchedule& schedule) {
  LanguageSchedule filled = schedule;
  if (filled.rows_per_batch == 0 && filled.length > 0) {
    filled.rows_per_batch = rows_per_batch_for(filled.rows_per_step, filled.length);
  }
  check(filled);
  check(data, filled, *model);
  allow_not_finite(model->module());
  std::vector<std::string> names;
  std::vector<at::Tensor> parameters;
  for (const auto& item : model->module().named_parameters()) {
    names.push_back(item.key());
    parameters.push_back(item.value());
  }
  state_ = std::make_unique<State>(State{.model = std::move(model),
                                         .data = data,
                                         .schedule = filled,
                                         .names = std::move(names),
                                         .parameters = parameters,
                                         .adam = AdamW(parameters)});
  state_->set_identity();
}

LanguageTrainer::LanguageTrainer(LanguageTrainer&&) noexcept = default;
LanguageTrainer::~LanguageTrainer() = default;

LanguageStep LanguageTrainer::step() {
  State& s = *state_;
  const MicroBatch total = s.total_of_rows(s.schedule.rows_per_step);
  const auto count = static_cast<double>(total.count);
  const double norm = s.adam.norm(total.gradients) / count;
  LanguageStep result{.step = s.done,
                      .loss = total.sum / count,
                      .bits_per_byte = bits_per_byte(total.sum, s.bytes_of_step()),
                      .gradient_norm = norm,
                      .learning_rate = learning_rate(s.schedule, s.done),
                      .skipped = !(std::isfinite(total.sum) && std::isfinite(norm))};
  if (result.skipped && s.skipped_in_a_row + 1 >= kSkippedInARowMax) {
    s.refuse_to_diverge(result);
  }
  ++s.done;
  if (result.skipped) {
    ++s.skipped;
    ++s.skipped_in_a_row;
    return result;
  }
  s.skipped_in_a_row = 0;
  constexpr double kNormEpsilon = 1e-6; // of torch.nn.utils.clip_grad_norm_
  s.adam.step(
      total.gradients,
      {.learning_rate = result.learning_rate,
       .beta1 = s.schedule.beta1,
       .beta2 = s.schedule.beta2,
       .weight_decay = s.schedule.weight_decay,
       .gradient_scale = std::min(1.0, s.schedule.gradient_norm_max / (norm + kNormEpsilon)) / count});
  return result;
}

double LanguageTrainer::rehearse(std::optional<int64_t> rows) {
  const int64_t all = state_->schedule.rows_per_step, used = rows.value_or(all);
  if (used < 1 || used > all) {
    kChecks.refuse(c10::str("rows is ", used, ", but a step has 1 to ", all, "."),
                   "Leave it out for all rows.");
  }
  const MicroBatch total = state_->total_of_rows(used);
  return total.sum / static_cast<double>(total.count);
}

LanguageScore LanguageTrainer::validate() {
  State& s = *state_;
  const std::vector<int32_t>& tokens = s.data.validation;
  const int64_t length = s.schedule.length, num_targets = static_cast<int64_t>(tokens.size()) - 1;
  if (num_targets < 1) {
    kChecks.refuse(c10::str("the validation text has ", tokens.size(), " tokens, but 2 are needed."),
                   "Use a longer validation text.");
  }
  s.model->module().eval();
  // The rows of a micro-batch are windows; the last window, which may be shorter, is one on its own.
  const int64_t windows = num_targets / length, size = s.schedule.rows_per_batch,
                batches = (windows + size - 1) / size, rest = num_targets % length;
  std::vector<double> sums(static_cast<size_t>(batches + (rest > 0 ? 1 : 0)));
  s.for_each_batch(static_cast<int64_t>(sums.size()), false, [&](int64_t index) {
    const at::NoGradGuard no_gradient;
    std::vector<int64_t> positions;
    for (int64_t window = index * size; window < std::min((index + 1) * size, windows); ++window) {
      positions.push_back(window * length);
    }
    const bool is_rest = positions.empty();
    if (is_rest) {
      positions.push_back(windows * length);
    }
    const int64_t used = is_rest ? rest : length;
    sums[static_cast<size_t>(index)] =
        s.model->loss(rows_of(tokens, positions, used, 0), rows_of(tokens, positions, used, 1))
            .sum.item<double>();
  });
  double sum = 0;
  for (const double part : sums) {
    sum += part;
  }
  return {.loss = sum / static_cast<double>(num_targets),
          .bits_per_byte = bits_per_byte(sum, s.bytes_of(tokens, 1, num_targets + 1)),
          .tokens = num_targets};
}

std::vector<int32_t> LanguageTrainer::sample(const std::vector<int32_t>& prompt, int64_t count,
                                             double temperature) {
  kChecks.at_least("tokens of the prompt", static_cast<int64_t>(prompt.size()), 1);
  kChecks.positive("temperature", temperature);
  const OneThread one_thread;
  const at::NoGradGuard no_gradient;
  State& s = *state_;
  s.model->module().eval();
  constexpr uint64_t kSample = 0x73616D706C; // stream
  const Random random = Random(s.schedule.seed).stream(kSample).stream(static_cast<uint64_t>(s.done));
  const std::unique_ptr<language::ModelState> state = s.model->start(1);
  at::Tensor next = rows_of(prompt, std::array<int64_t, 1>{0}, static_cast<int64_t>(prompt.size()), 0);
  std::vector<int32_t> drawn;
  for (int64_t i = 0; i < count; ++i) {
    throw_if_interrupted();
    const at::Tensor logits = s.model->step(next, *state).select(1, -1).flatten().to(at::kDouble);
    const at::Tensor sums = (logits / temperature).softmax(0).cumsum(0).contiguous();
    const double* begin = sums.const_data_ptr<double>();
    const double* end = begin + sums.numel();
    const double number = random.uniform_at(static_cast<uint64_t>(i)) * end[-1];
    const auto token = std::min(std::upper_bound(begin, end, number) - begin, sums.numel() - 1);
    drawn.push_back(static_cast<int32_t>(token));
    next.resize_({1, 1}).fill_(token);
  }
  return drawn;
}

int64_t LanguageTrainer::steps_done() const {
  return state_->done;
}
int64_t LanguageTrainer::steps_skipped() const {
  return state_->skipped;
}
bool LanguageTrainer::finished() const {
  return state_->done >= state_->schedule.steps;
}
int64_t LanguageTrainer::num_parameters() const {
  return nn::count_parameters(state_->model->module());
}
const LanguageSchedule& LanguageTrainer::schedule() const {
  return state_->schedule;
}
language::Model& LanguageTrainer::model() {
  return *state_->model;
}

Checkpoint LanguageTrainer::checkpoint() const {
  const State& s = *state_;
  Checkpoint checkpoint{.texts = s.identity};
  checkpoint.texts["done"] = std::to_string(s.done);
  checkpoint.texts["skipped"] = std::to_string(s.skipped);
  checkpoint.texts["skipped_in_a_row"] = std::to_string(s.skipped_in_a_row);
  checkpoint.texts["adam steps"] = std::to_string(s.adam.steps);
  for (size_t i = 0; i < s.names.size(); ++i) {
    checkpoint.tensors.emplace(kModel + s.names[i], s.parameters[i].detach());
    checkpoint.tensors.emplace(moment_name(s.names[i], "mean"), s.adam.means[i]);
    checkpoint.tensors.emplace(moment_name(s.names[i], "square"), s.adam.squares[i]);
  }
  return checkpoint;
}

void LanguageTrainer::restore(const Checkpoint& given) {
  State& s = *state_;
  Checkpoint checkpoint = given;
  checkpoint.texts.try_emplace("precision",
                               name_of(ProductPrecision::float32)); // the only one of old versions
  kChecks.same_run(checkpoint, s.identity, "a language model");
  const auto number = [&](const char* name) {
    const std::string& text = checkpoint.text(name);
    const bool is_number = !text.empty() && text.size() < 19 &&
                           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number) {
      throw DataError(c10::str(checkpoint.source, ": \"", name, "\" is \"", text,
                               "\", but must be a number.\n  Use an unmodified checkpoint."));
    }
    return std::stoll(text);
  };
  const int64_t done = number("done"), skipped = number("skipped"), in_a_row = number("skipped_in_a_row"),
                adam_steps = number("adam steps");
  std::vector<at::Tensor> parameters, means, squares;
  for (size_t i = 0; i < s.names.size(); ++i) {
    const at::Tensor& like = s.parameters[i];
    parameters.push_back(fitting(checkpoint, kModel + s.names[i], like));
    means.push_back(fitting(checkpoint, moment_name(s.names[i], "mean"), like));
    squares.push_back(fitting(checkpoint, moment_name(s.names[i], "square"), like));
  }
  // Everything has been checked: nothing below can fail and leave the trainer half restored.
  const at::NoGradGuard no_gradient;
  for (size_t i = 0; i < s.names.size(); ++i) {
    s.parameters[i].copy_(parameters[i]);
    s.adam.means[i].copy_(means[i]);
    s.adam.squares[i].copy_(squares[i]);
  }
  s.adam.steps = adam_steps;
  s.done = done;
  s.skipped = skipped;
  s.skipped_in_a_row = in_a_row;
}

} // namespace mneme::training
