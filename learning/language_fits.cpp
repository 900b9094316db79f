// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "learning/language_run.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/core/sha256.h"
#include "mneme/language/generate.h"
#include "mneme/language/model.h"
#include "mneme/nn/state_dict.h"
#include "mneme/nn/tensor_file.h"
#include "mneme/training/checkpoint_folder.h"
#include "mneme/training/language_trainer.h"

namespace mneme::learning {
namespace {

using training::Checkpoint;
using training::LanguageTrainer;
using Clock = std::chrono::steady_clock;

constexpr const char* kMetrics = "metrics.jsonl";    // file, and tensor of a checkpoint
constexpr const char* kRecorded = "events recorded"; // text of a checkpoint

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::shared_ptr<language::Model> model_of(const LanguageJob& job) {
  if (job.initial) {
    return job.initial;
  }
  const training::LanguageModelSize& size = job.run.model;
  language::ModelConfig config{.type = size.type,
                               .vocab_size = job.data->vocab_size(),
                               .width = size.width,
                               .layers = size.layers,
                               .dropout = job.run.dropout,
                               .seed = job.run.schedule.seed,
                               .positions = size.positions};
  if (size.type != "lstm") { // which has neither heads nor positions
    config.heads = size.heads;
    config.max_length = size.length;
  }
  return language::make_model(config);
}

/// Time of one step, from a few seconds of computation, however large the step is: more and more rows of one
/// micro-batch, then as many micro-batches as are computed at once, then a few times as many of them.
double measure_step(LanguageTrainer& trainer) {
  constexpr double kSeconds = 2; // of the repetitions
  constexpr int kRepetitionsMax = 20;
  const training::LanguageSchedule& schedule = trainer.schedule();
  const int64_t size = schedule.rows_per_batch, batches = (schedule.rows_per_step + size - 1) / size,
                at_once = schedule.has_dropout ? 1 : std::min<int64_t>(batches, threads()),
                rounds = (batches + at_once - 1) / at_once;
  const auto seconds_of = [&](int64_t rows) {
    const Clock::time_point start = Clock::now();
    trainer.rehearse(rows);
    return seconds_since(start);
  };
  const auto rows_of = [&](int64_t measured_rounds) {
    return std::min(schedule.rows_per_step, measured_rounds * at_once * size);
  };
  const int64_t per_batch = std::min(size, schedule.rows_per_step);
  int64_t rows = 1;
  double seconds = seconds_of(rows);
  if (seconds < kSeconds / 2) { // the first computation also allocates memory
    seconds = seconds_of(rows);
  }
  while (rows < per_batch && seconds < kSeconds / 4) {
    rows = std::min(2 * rows, per_batch);
    seconds = seconds_of(rows);
  }
  if (rows < per_batch) {
    return seconds * static_cast<double>(per_batch * rounds) / static_cast<double>(rows);
  }
  double best = seconds_of(rows_of(1));
  const auto measured = std::clamp<int64_t>(static_cast<int64_t>(kSeconds / 4 / best), 1, rounds);
  if (measured > 1) {
    best = HUGE_VAL;
  }
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < kRepetitionsMax && (std::isinf(best) || seconds_since(begin) + best < kSeconds); ++i) {
    best = std::min(best, seconds_of(rows_of(measured)));
  }
  return best * static_cast<double>(rounds) / static_cast<double>(measured);
}

/// metrics.jsonl, and its text, which is a part of each checkpoint: a resumed run continues exactly there.
class Metrics {
public:
  explicit Metrics(std::filesystem::path path) : path_(std::move(path)) {}

  /// Replaces the file, which a run that was killed may have continued beyond its last checkpoint.
  void reset(std::string text) {
    text_ = std::move(text);
    write_file_atomically(path_, text_);
    file_.open(path_, std::ios::binary | std::ios::app);
  }
  void append(const std::string& lines) {
    text_ += lines;
    if (!file_.write(lines.data(), static_cast<std::streamsize>(lines.size())).flush()) {
      throw OutputError(fmt::format("{}: cannot be written: {}.\n  Free some space on the disk; the same "
                                    "command resumes from the last checkpoint.",
                                    path_.string(), std::strerror(errno)));
    }
  }
  const std::string& text() const { return text_; }

private:
  std::filesystem::path path_;
  std::string text_;
  std::ofstream file_;
};

class Run {
public:
  Run(const LanguageJob& job, Progress& progress)
      : job_(job), progress_(progress), folder_(job.folder / "checkpoints", job.run.keep),
        metrics_(job.folder / kMetrics) {}

  LanguageFit run(const LanguagePlanned& planned) {
    const Clock::time_point begin = Clock::now();
    plan();
    if (planned(fit_.plan)) {
      train();
    }
    fit_.saved_step = saved_;
    fit_.steps_skipped = trainer_->steps_skipped();
    fit_.records = parse_records(metrics_.text(), kMetrics);
    fit_.seconds = seconds_since(begin);
    return std::move(fit_);
  }

private:
  void plan() {
    training::LanguageSchedule schedule = job_.run.schedule;
    schedule.steps = 1; // provisional: the first trainer only measures the time
    schedule.warmup_steps = 0;
    const std::shared_ptr<language::Model> model = model_of(job_);
    trainer_.emplace(model, *job_.data, schedule);
    fit_.plan =
        plan_of(job_.run, measure_step(*trainer_), static_cast<int64_t>(job_.data->validation.size()));
    LanguagePlan& plan = fit_.plan;
    schedule.steps = plan.steps;
    schedule.warmup_steps = plan.warmup_steps;
    trainer_.reset(); // before the second one is allocated
    trainer_.emplace(model, *job_.data, schedule);
    plan.num_parameters = trainer_->num_parameters();
    plan.rows_per_batch = trainer_->schedule().rows_per_batch;
    plan.model_config = trainer_->model().config_json();
    plan.start_token = job_.start_token.value_or(start_token_of(job_.tokenizer, job_.data->training));
    if (const std::optional<Checkpoint> checkpoint = find_checkpoint()) {
      trainer_->restore(*checkpoint);
      const at::Tensor& text = checkpoint->tensor(kMetrics);
      if (text.scalar_type() != at::kByte) {
        throw DataError(
            fmt::format("{}: tensor \"{}\" is not of type uint8.\n  Use an unmodified checkpoint.",
                        checkpoint->source, kMetrics));
      }
      resumed_metrics_.assign(reinterpret_cast<const char*>(text.const_data_ptr<uint8_t>()),
                              static_cast<size_t>(text.numel()));
      events_recorded_ = checkpoint->text(kRecorded) == "yes";
      plan.steps_done = trainer_->steps_done();
      saved_ = plan.steps_done;
      plan.resumed_from = checkpoint->source;
      plan.seconds *= static_cast<double>(plan.steps - plan.steps_done) / static_cast<double>(plan.steps);
    }
  }

  std::optional<Checkpoint> find_checkpoint() {
    if (!job_.resume_from.empty()) {
      return training::load_checkpoint(job_.resume_from);
    }
    if (job_.folder.empty()) {
      return {};
    }
    bool is_damaged = false;
    std::optional<Checkpoint> found = folder_.newest([&](const std::string& reason) {
      progress_.message(fmt::format("A damaged checkpoint is ignored: {}", reason));
      is_damaged = true;
    });
    if (is_damaged) {
      progress_.message(found ? fmt::format("The run continues from {}.", found->source)
                              : "There is no other checkpoint: the run starts again.");
    }
    return found;
  }

  void train() {
    metrics_.reset(std::move(resumed_metrics_));
    tokens::write_tokenizer(job_.folder, job_.tokenizer);
    if (saved_) { // that of the checkpoint: it may have been removed, or a later one written before a crash
      write_model();
    }
    progress_.start("step", fit_.plan.steps);
    progress_.skip(trainer_->steps_done());
    try {
      while (true) {
        record_events();
        if (trainer_->finished()) {
          break;
        }
        step();
      }
    } catch (const Interrupted&) {
      if (is_finite_) {
        save();
      }
      progress_.finish();
      progress_.message(saved_
                            ? fmt::format("The run is saved after step {} of {}: the same command continues "
                                          "it.",
                                          *saved_, fit_.plan.steps)
                            : "No checkpoint was written: the same command starts again.");
      throw;
    }
    progress_.finish();
  }

  void step() {
    const Clock::time_point begin = Clock::now();
    const training::LanguageStep result = next_step();
    is_finite_ = !result.skipped;
    const double seconds = seconds_since(begin);
    metrics_.append(line_of({.kind = LanguageRecord::Kind::step,
                             .step = trainer_->steps_done(),
                             .loss = result.skipped ? std::nan("") : result.loss,
                             .bits_per_byte = result.skipped ? std::nan("") : result.bits_per_byte,
                             .gradient_norm = result.gradient_norm,
                             .learning_rate = result.learning_rate}));
    events_recorded_ = false;
    ++fit_.steps_here;
    fit_.seconds_in_steps += seconds;
    if (result.skipped) {
      progress_.message(fmt::format("Step {} was skipped, because its loss is {} and its gradient norm {}.",
                                    trainer_->steps_done(), number_text(result.loss, 3),
                                    number_text(result.gradient_norm, 3)));
    }
    const std::string bits =
        std::isfinite(result.loss) ? fmt::format(" ({:.3f} bits/byte)", result.bits_per_byte) : "";
    progress_.status(fmt::format("loss {}{}, {:.1f}k tok/s, lr {:.0e}", number_text(result.loss, 3), bits,
                                 1e-3 * static_cast<double>(trainer_->schedule().tokens_per_step()) / seconds,
                                 result.learning_rate));
    progress_.advance();
  }

  training::LanguageStep next_step() {
    try {
      return trainer_->step();
    } catch (const UsageError& error) { // training has diverged
      throw UsageError(fmt::format("{}\n  {}", error.what(),
                                   saved_ ? fmt::format("The model in {} is that after step {}, before it "
                                                        "diverged.",
                                                        job_.folder.string(), *saved_)
                                          : "No model was written."));
    }
  }

  bool is_due(int64_t every) const {
    const int64_t done = trainer_->steps_done();
    return every > 0 && (done % every == 0 || trainer_->finished());
  }

  /// Validation and sample after this number of steps, then the checkpoint. Metrics are complete when this
  /// returns; if it is interrupted, they are as before.
  void record_events() {
    const int64_t done = trainer_->steps_done();
    if (!events_recorded_) {
      std::string lines;
      if (done > 0 && is_due(fit_.plan.eval_every)) {
        const training::LanguageScore score = trainer_->validate();
        lines += line_of({.kind = LanguageRecord::Kind::validation,
                          .step = done,
                          .loss = score.loss,
                          .bits_per_byte = score.bits_per_byte});
        is_finite_ = is_finite_ && std::isfinite(score.loss);
        progress_.interim(
            fmt::format("step {}: validation loss {}", done, loss_text(score.loss, score.bits_per_byte)));
      }
      if (done > 0 && is_due(fit_.plan.sample_every)) {
        const LanguageRecord record{
            .kind = LanguageRecord::Kind::sample, .step = done, .loss = 0, .text = sample()};
        lines += line_of(record);
        progress_.interim(fmt::format("step {}: sample\n  {}", done, indented(record.text)));
      }
      metrics_.append(lines);
      events_recorded_ = true;
    }
    const bool is_new = done > fit_.plan.steps_done || fit_.plan.resumed_from.empty();
    if (is_new && (is_due(fit_.plan.save_every) || trainer_->finished())) {
      if (is_finite_) {
        save();
      } else { // later steps rarely recover, and the checkpoints before this one are still good
        progress_.message(
            fmt::format("step {}: no checkpoint is written, because the loss is not finite", done));
      }
    }
  }

  std::string sample() {
    constexpr int64_t kTokens = 200;
    constexpr double kTemperature = 0.8;
    const std::vector<int32_t> prompt = {fit_.plan.start_token};
    const int64_t count =
        std::min(kTokens, trainer_->schedule().length - static_cast<int64_t>(prompt.size()));
    return job_.tokenizer.decode(trainer_->sample(prompt, std::max<int64_t>(count, 1), kTemperature));
  }

  static std::string indented(const std::string& text) {
    std::string lines;
    for (const char letter : text) {
      lines += letter;
      if (letter == '\n') {
        lines += "  ";
      }
    }
    return lines;
  }

  void write_model() {
    nn::write_tensor_file(job_.folder / "model.safetensors",
                          {trainer_->model().published_state(), {{"format", "pt"}}});
  }

  void save() {
    Checkpoint checkpoint = trainer_->checkpoint();
    const std::string& text = metrics_.text();
    at::Tensor bytes = at::empty({static_cast<int64_t>(text.size())}, at::kByte);
    std::copy(text.begin(), text.end(), reinterpret_cast<char*>(bytes.mutable_data_ptr<uint8_t>()));
    checkpoint.tensors.emplace(kMetrics, bytes);
    checkpoint.texts.emplace(kRecorded, events_recorded_ ? "yes" : "no");
    write_model();
    folder_.save(trainer_->steps_done(), checkpoint);
    saved_ = trainer_->steps_done();
  }

  const LanguageJob& job_;
  Progress& progress_;
  training::CheckpointFolder folder_;
  Metrics metrics_;
  std::optional<LanguageTrainer> trainer_;
  LanguageFit fit_;
  std::string resumed_metrics_;
  bool events_recorded_ = false; ///< those of the current number of steps
  bool is_finite_ = true;        ///< the last loss
  std::optional<int64_t> saved_; ///< number of steps of the newest checkpoint
};

LanguageFit train(const LanguageJob& job, const LanguagePlanned& planned, Progress& progress) {
  return Run(job, progress).run(planned);
}

InitialModel initial_model(const std::filesystem::path& folder) {
  std::unique_ptr<language::Model> model = language::read_model(folder);
  InitialModel initial{.type = model->type(),
                       .vocab_size = model->vocab_size(),
                       .num_parameters = nn::count_parameters(model->module()),
                       .max_length = model->max_length(),
                       .tokenizer = language::tokenizer_of(folder, model->vocab_size())};
  initial.start_token = language::recorded_start_token(folder, initial.tokenizer);
  initial.end_tokens = language::recorded_end_tokens(folder);
  Sha256 hash;
  hash.add(model->config_json());
  for (const auto& [name, tensor] : model->published_state()) {
    const at::Tensor numbers = tensor.contiguous();
    hash.add(name);
    hash.add({static_cast<const char*>(numbers.const_data_ptr()), numbers.nbytes()});
  }
  initial.sha256 = hash.digits();
  initial.model = std::move(model);
  return initial;
}

[[maybe_unused]] const bool implemented =
    train_language_model.implement(train) && read_initial_model.implement(initial_model);

} // namespace
} // namespace mneme::learning
