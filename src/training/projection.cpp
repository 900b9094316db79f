// SPDX-License-Identifier: MIT

#include "mneme/training/projection.h"

#include <cmath>
#include <map>
#include <numbers>

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <torch/optim/adam.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/data/corruption.h"
#include "mneme/ops/associate.h"
#include "mneme/ops/encode.h"
#include "mneme/theory/beta_fit.h"
#include "mneme/training/checkpoint.h"
#include "training/trainer.h"

namespace mneme::training {
namespace {

/// Random streams by purpose.
enum Stream : uint64_t { kStart, kOrder, kNoise };

constexpr const char* kFormat = "mneme projection 1";
constexpr double kWhite = 255; // byte value of white

const TrainerChecks kChecks("mneme::training::ProjectionTrainer");

[[noreturn]] void refuse(const std::string& what, const std::string& how_to_fix) {
  kChecks.refuse(what, how_to_fix);
}

void check(const ProjectionOptions& options) {
  kChecks.at_least("dimension", options.dimension, 1);
  kChecks.at_least("update_steps", options.update_steps, 1);
  kChecks.at_least("batch_size", options.batch_size, 1);
  kChecks.at_least("epochs", options.epochs, 1);
  kChecks.positive("beta", options.beta.value_or(1));
  kChecks.positive("learning_rate", options.learning_rate.value_or(1));
  if (options.type != at::kFloat && options.type != at::kDouble) {
    refuse(c10::str("type is ", options.type, ", but must be Float or Double."), "Float is faster.");
  }
}

void check_noise(const ProjectionOptions& options, int64_t size) {
  if (!(options.noise_min >= 0 && options.noise_min <= options.noise_max &&
        options.noise_max <= static_cast<double>(size))) {
    refuse(c10::str("noise_min is ", options.noise_min, " and noise_max is ", options.noise_max,
                    ", but they must satisfy 0 <= noise_min <= noise_max <= ", size,
                    ", the size of a pattern."),
           "The published values for patterns of 784 pixels are 10 and 100.");
  }
}

double white_of(const at::Tensor& patterns) {
  return patterns.scalar_type() == at::kByte ? kWhite : 1;
}

/// Calls `body` with a typed pointer to the numbers of the patterns.
template <class Body> void with_numbers(const at::Tensor& patterns, Body body) {
  if (patterns.scalar_type() == at::kByte) {
    body(patterns.const_data_ptr<uint8_t>());
  } else if (patterns.scalar_type() == at::kFloat) {
    body(patterns.const_data_ptr<float>());
  } else {
    body(patterns.const_data_ptr<double>());
  }
}

at::Tensor checked_patterns(const at::Tensor& patterns, const ProjectionOptions& options) {
  if (!patterns.defined() || patterns.dim() != 2 || patterns.size(0) < 1 || patterns.size(1) < 2) {
    refuse(c10::str("patterns have shape ", patterns.defined() ? c10::str(patterns.sizes()) : "(undefined)",
                    ", but must have shape [patterns, numbers], with at least 1 pattern of 2 numbers."),
           "Flatten images to one row each.");
  }
  const bool bytes = patterns.scalar_type() == at::kByte;
  if (!patterns.device().is_cpu() || !(bytes || at::isFloatingType(patterns.scalar_type()))) {
    refuse(c10::str("patterns are of type ", patterns.scalar_type(), " on ", patterns.device(),
                    ", but must be floating point or uint8 on the CPU."),
           "Convert them first.");
  }
  at::Tensor converted = (bytes ? patterns : patterns.detach().to(options.type)).contiguous();
  const int64_t size = converted.size(1);
  with_numbers(converted, [&](const auto* numbers) {
    parallel_for(converted.size(0), 256, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        bool any = false;
        for (int64_t i = row * size; i < (row + 1) * size; ++i) {
          const auto x = static_cast<double>(numbers[i]);
          if (!std::isfinite(x)) {
            refuse(c10::str("pattern ", row, " contains ", x, ", but all numbers must be finite."),
                   "Remove or correct it.");
          }
          any = any || x != 0;
        }
        if (!any) {
          refuse(c10::str("pattern ", row, " is all zeros, so it has no direction that could be rotated."),
                 "Remove it.");
        }
      }
    });
  });
  return converted;
}

/// Shape, type and FNV-1a hash of a tensor as text, for checkpoints.
std::string fingerprint(const at::Tensor& patterns) {
  Fingerprint hash;
  const auto* bytes = static_cast<const uint8_t*>(patterns.const_data_ptr());
  for (size_t i = 0; i < patterns.nbytes(); ++i) {
    hash.add(bytes[i]);
  }
  return c10::str(patterns.sizes(), " ", patterns.scalar_type(), " ", hash.value());
}

double fitted_beta(const ProjectionOptions& options) {
  if (options.beta) {
    return *options.beta;
  }
  constexpr double kLearnedBetaFactor = 3; // initial learned beta / fitted beta, as published
  const double all_addresses = static_cast<double>(options.dimension) * std::numbers::ln2;
  const double fitted = theory::fit_beta(options.dimension, options.hamming_radius, all_addresses).beta;
  return options.learn_beta ? kLearnedBetaFactor * fitted : fitted;
}

double rate_of(const ProjectionOptions& options) {
  return options.learning_rate.value_or(options.learn_beta ? 0.01 : 0.005);
}

std::string moment_name(const std::string& parameter, const char* moment) {
  return "adam." + parameter + "." + moment;
}

} // namespace

struct ProjectionTrainer::State {
  ProjectionOptions options;
  at::Tensor patterns; ///< [S, n], contiguous
  at::Tensor matrix;   ///< [dimension, n]
  at::Tensor beta;     ///< [1]
  std::unique_ptr<torch::optim::Adam> adam;
  std::vector<double> losses;
  int64_t epoch_of_order = -1;
  std::vector<int64_t> order; ///< of the patterns in epoch_of_order

  NamedParameters parameters() const {
    NamedParameters learned{{"matrix", matrix}};
    if (options.learn_beta) {
      learned.emplace_back("beta", beta);
    }
    return learned;
  }

  int64_t count() const { return patterns.size(0); }
  int64_t size() const { return patterns.size(1); }
  int64_t steps_per_epoch() const { return (count() + options.batch_size - 1) / options.batch_size; }

  /// Indices of the patterns of a batch.
  std::vector<int64_t> batch(int64_t step) {
    const int64_t epoch = step / steps_per_epoch();
    if (epoch != epoch_of_order) {
      if (options.shuffle) {
        order = Random(options.seed)
                    .stream(kOrder)
                    .stream(static_cast<uint64_t>(epoch))
                    .distinct(count(), count());
      } else {
        order.resize(static_cast<size_t>(count()));
        std::iota(order.begin(), order.end(), 0);
      }
      epoch_of_order = epoch;
    }
    const int64_t first = step % steps_per_epoch() * options.batch_size;
    return {order.begin() + first, order.begin() + std::min(count(), first + options.batch_size)};
  }

  /// Target patterns and noisy queries, both [batch, n].
  std::pair<at::Tensor, at::Tensor> targets_and_queries(int64_t step,
                                                        const std::vector<int64_t>& chosen) const {
    const auto rows = static_cast<int64_t>(chosen.size());
    const at::Tensor targets = at::empty({rows, size()}, options.type), queries = at::empty_like(targets);
    const Random random = Random(options.seed).stream(kNoise).stream(static_cast<uint64_t>(step));
    const double white = white_of(patterns);
    const auto n = static_cast<double>(size());
    AT_DISPATCH_FLOATING_TYPES(options.type, "mneme::training::ProjectionTrainer", [&] {
      with_numbers(patterns, [&](const auto* numbers) {
        parallel_for(rows, 4, [&](int64_t begin, int64_t end) {
          std::vector<double> target(static_cast<size_t>(size())), direction(target.size());
          for (int64_t row = begin; row < end; ++row) {
            const Random stream = random.stream(static_cast<uint64_t>(row));
            const auto draw = [&](int64_t number) {
              return options.draw ? options.draw(step, row, number)
                                  : stream.uniform_at(static_cast<uint64_t>(number));
            };
            const auto* from = numbers + chosen[static_cast<size_t>(row)] * size();
            const double noise = options.noise_min + (options.noise_max - options.noise_min) * draw(0);
            for (int64_t i = 0; i < size(); ++i) {
              target[static_cast<size_t>(i)] = static_cast<double>(from[i]) / white;
              direction[static_cast<size_t>(i)] = 2 * draw(1 + i) - 1;
            }
            const std::vector<double> query = data::rotate_towards(target, 1 - 2 * noise / n, direction);
            std::copy(target.begin(), target.end(), targets.mutable_data_ptr<scalar_t>() + row * size());
            std::copy(query.begin(), query.end(), queries.mutable_data_ptr<scalar_t>() + row * size());
          }
        });
      });
    });
    return {targets, queries};
  }

  at::Tensor readout_of(at::Tensor queries) const {
    const at::Tensor stored = ops::encode(patterns, matrix).unsqueeze(0), values = patterns.unsqueeze(0);
    for (int64_t step = 0; step < options.update_steps; ++step) {
      queries =
          ops::associate(ops::encode(queries, matrix).unsqueeze(0), stored, values, {.beta_tensor = beta})
              .squeeze(0);
    }
    return queries;
  }

  /// The loss, summed in a fixed order, and its gradient with respect to the readout.
  std::pair<double, at::Tensor> loss_of(const at::Tensor& readout, const at::Tensor& targets) const {
    const at::Tensor gradient = at::empty_like(targets);
    const auto rows = static_cast<double>(targets.size(0));
    double sum = 0;
    AT_DISPATCH_FLOATING_TYPES(options.type, "mneme::training::ProjectionTrainer", [&] {
      const auto* x = readout.const_data_ptr<scalar_t>();
      const auto* t = targets.const_data_ptr<scalar_t>();
      auto* d = gradient.mutable_data_ptr<scalar_t>();
      for (int64_t i = 0; i < targets.numel(); ++i) {
        const double difference = static_cast<double>(x[i]) - static_cast<double>(t[i]);
        sum += difference * difference;
        d[i] = static_cast<scalar_t>(2 * difference / rows);
      }
    });
    return {sum / rows, gradient};
  }

  /// Everything that must be equal for a run to be resumed, as text.
  std::map<std::string, std::string> identity() const {
    return {{"format", kFormat},
            {"patterns", fingerprint(patterns)},
            {"type", c10::str(options.type)},
            {"dimension", std::to_string(options.dimension)},
            {"hamming_radius", std::to_string(options.hamming_radius)},
            {"beta_at_start", exact(fitted_beta(options))},
            {"learn_beta", options.learn_beta ? "yes" : "no"},
            {"update_steps", std::to_string(options.update_steps)},
            {"batch_size", std::to_string(options.batch_size)},
            {"learning_rate", exact(rate_of(options))},
            {"noise", exact(options.noise_min) + " to " + exact(options.noise_max)},
            {"shuffle", options.shuffle ? "yes" : "no"},
            {"seed", std::to_string(options.seed)},
            {"start", options.start.defined() ? fingerprint(options.start.contiguous()) : "from the seed"}};
  }

  void make_adam() {
    std::vector<at::Tensor> learned;
    for (const auto& [name, parameter] : parameters()) {
      learned.push_back(parameter);
    }
    adam = std::make_unique<torch::optim::Adam>(learned, torch::optim::AdamOptions(rate_of(options)));
  }
};

ProjectionTrainer::ProjectionTrainer(const at::Tensor& patterns, const ProjectionOptions& options)
    : state_(std::make_unique<State>()) {
  check(options);
  State& s = *state_;
  s.options = options;
  s.patterns = checked_patterns(patterns, options);
  check_noise(options, s.size());
  if (options.start.defined()) {
    if (options.start.sizes() != at::IntArrayRef({options.dimension, s.size()})) {
      refuse(c10::str("start has shape ", options.start.sizes(), ", but must have [", options.dimension, ", ",
                      s.size(), "]."),
             "It needs one row per dimension and one column per number of a pattern.");
    }
    s.matrix = options.start.detach().to(options.type).contiguous().clone();
  } else {
    s.matrix = at::empty({options.dimension, s.size()}, options.type);
    Random random = Random(options.seed).stream(kStart);
    AT_DISPATCH_FLOATING_TYPES(options.type, "mneme::training::ProjectionTrainer", [&] {
      std::generate_n(s.matrix.mutable_data_ptr<scalar_t>(), s.matrix.numel(),
                      [&] { return static_cast<scalar_t>(random.normal()); });
    });
  }
  s.matrix.requires_grad_();
  s.beta = at::full({1}, fitted_beta(options), options.type);
  s.beta.requires_grad_(options.learn_beta);
  s.make_adam();
}

ProjectionTrainer::ProjectionTrainer(ProjectionTrainer&&) noexcept = default;
ProjectionTrainer::~ProjectionTrainer() = default;

double ProjectionTrainer::step() {
  throw_if_interrupted();
  State& s = *state_;
  const int64_t step = steps_done();
  const std::vector<int64_t> chosen = s.batch(step);
  const auto [targets, queries] = s.targets_and_queries(step, chosen);
  s.adam->zero_grad();
  const at::Tensor readout = s.readout_of(queries);
  const auto [loss, gradient] = s.loss_of(readout, targets);
  kChecks.finite_loss(step, loss);
  readout.backward(gradient);
  s.adam->step();
  s.losses.push_back(loss);
  return loss;
}

int64_t ProjectionTrainer::steps_done() const {
  return static_cast<int64_t>(state_->losses.size());
}
int64_t ProjectionTrainer::steps_per_epoch() const {
  return state_->steps_per_epoch();
}
int64_t ProjectionTrainer::steps_total() const {
  return state_->steps_per_epoch() * state_->options.epochs;
}
const std::vector<double>& ProjectionTrainer::losses() const {
  return state_->losses;
}
at::Tensor ProjectionTrainer::matrix() const {
  return state_->matrix;
}
at::Tensor ProjectionTrainer::beta() const {
  return state_->beta;
}
const ProjectionOptions& ProjectionTrainer::options() const {
  return state_->options;
}

void ProjectionTrainer::save(const std::filesystem::path& path) const {
  Checkpoint checkpoint{.tensors = {{"matrix", state_->matrix},
                                    {"beta", state_->beta},
                                    {"losses", at::tensor(state_->losses, at::kDouble)}},
                        .texts = state_->identity()};
  save_moments<torch::optim::AdamParamState>(*state_->adam, state_->parameters(), moment_name, checkpoint);
  save_checkpoint(path, checkpoint);
}

void ProjectionTrainer::restore(const std::filesystem::path& path) {
  State& s = *state_;
  const Checkpoint checkpoint = load_checkpoint(path);
  kChecks.same_run(checkpoint, s.identity(), "a projection");
  const at::Tensor& losses = checkpoint.tensor("losses");
  if (losses.scalar_type() != at::kDouble || losses.dim() != 1) {
    throw DataError(c10::str(path.string(), ": tensor \"losses\" is ", losses.scalar_type(), " of shape ",
                             losses.sizes(), ", but must be one-dimensional and Double."));
  }
  const at::Tensor matrix = fitting(checkpoint, "matrix", s.matrix),
                   beta = fitting(checkpoint, "beta", s.beta);
  Moments moments =
      read_moments<torch::optim::AdamParamState>(checkpoint, s.parameters(), moment_name, losses.numel());
  // Everything has been checked: nothing below can fail and leave the trainer half restored.
  const at::NoGradGuard no_gradient;
  s.matrix.copy_(matrix);
  s.beta.copy_(beta);
  s.losses.assign(losses.const_data_ptr<double>(), losses.const_data_ptr<double>() + losses.numel());
  s.make_adam();
  put_moments(std::move(moments), *s.adam);
}

TrainedProjection train_projection(const at::Tensor& patterns, const ProjectionOptions& options,
                                   const TrainingRun& run) {
  Progress silent;
  Progress& progress = run.progress != nullptr ? *run.progress : silent;
  ProjectionTrainer trainer(patterns, options);
  const auto save = [&] {
    if (!run.checkpoint.empty()) {
      trainer.save(run.checkpoint);
    }
  };
  if (!run.checkpoint.empty() && std::filesystem::exists(run.checkpoint)) {
    trainer.restore(run.checkpoint);
  }
  const int64_t last =
      run.steps_max > 0 ? std::min(run.steps_max, trainer.steps_total()) : trainer.steps_total();
  if (trainer.steps_done() < last) {
    progress.start("training the projection", last - trainer.steps_done());
  }
  try {
    while (trainer.steps_done() < last) {
      trainer.step();
      progress.advance();
      if (trainer.steps_done() % trainer.steps_per_epoch() == 0 || trainer.steps_done() == last) {
        save();
      }
    }
  } catch (const Interrupted&) {
    save();
    throw;
  }
  progress.finish();
  return {trainer.matrix().detach().clone(), trainer.beta().to(at::kDouble).item<double>(), trainer.losses()};
}

at::Tensor tensor_of(const RealPatterns& patterns) {
  const int64_t total = patterns.count() * patterns.size();
  const auto is_byte = [](double x) {
    const double byte = std::nearbyint(x * kWhite);
    return byte >= 0 && byte <= kWhite && byte / kWhite == x;
  };
  const bool bytes = std::all_of(patterns.data(), patterns.data() + total, is_byte);
  at::Tensor rows = at::empty({patterns.count(), patterns.size()}, bytes ? at::kByte : at::kDouble);
  if (bytes) {
    std::transform(patterns.data(), patterns.data() + total, rows.mutable_data_ptr<uint8_t>(),
                   [](double x) { return static_cast<uint8_t>(std::nearbyint(x * kWhite)); });
  } else {
    std::copy(patterns.data(), patterns.data() + total, rows.mutable_data_ptr<double>());
  }
  return rows;
}

RealPatterns patterns_of(const at::Tensor& rows) {
  if (!rows.defined() || rows.dim() != 2) {
    throw UsageError(
        c10::str("mneme::training::patterns_of: the tensor has shape ",
                 rows.defined() ? c10::str(rows.sizes()) : "(undefined)",
                 ", but must have shape [patterns, numbers].\n  Flatten images to one row each."));
  }
  const at::Tensor numbers = rows.detach().to(at::kCPU, at::kDouble).contiguous() / white_of(rows);
  const double* from = numbers.const_data_ptr<double>();
  return {rows.size(0), rows.size(1), std::vector<double>(from, from + numbers.numel())};
}

} // namespace mneme::training
