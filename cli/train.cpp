// SPDX-License-Identifier: MIT

/// `mneme train`: trains a model on a task; each task is a subcommand.

#include <algorithm>

#include <CLI/CLI.hpp>

#include "cli/train_task.h"

// One entry per task: X(name) declares and calls `std::unique_ptr<TrainTask> make_train_name()`.
#define MNEME_TRAIN_TASKS(X) X(lm) X(sparse_and) X(bit_pattern) X(latch) X(mnist_bags)

namespace mneme::cli {

#define MNEME_DECLARE_TASK(name) std::unique_ptr<TrainTask> make_train_##name();
MNEME_TRAIN_TASKS(MNEME_DECLARE_TASK)

namespace {

class Train : public Verb {
public:
  Train() {
#define MNEME_ADD_TASK(name) tasks_.push_back({make_train_##name(), nullptr});
    MNEME_TRAIN_TASKS(MNEME_ADD_TASK)
  }

  std::string name() const override {
    return "train";
  }
  std::string summary() const override {
    return "train models with several random seeds, and evaluate them";
  }

  TorchNeed torch_need() const override {
    const bool any = std::ranges::any_of(
        tasks_, [](const auto& task) { return task.second->parsed() && task.first->needs_torch(); });
    return any ? TorchNeed::required : TorchNeed::none;
  }

  void declare(CLI::App& app) override {
    for (auto& [task, task_app] : tasks_) {
      task_app = app.add_subcommand(task->name(), task->summary());
      task->declare(*task_app);
    }
  }

  ExitCode run(Context& context) override {
    for (const auto& [task, app] : tasks_) {
      if (app->parsed()) {
        return task->run(context);
      }
    }
    return ExitCode::wrong_usage; // not reached: the command line requires a task
  }

private:
  std::vector<std::pair<std::unique_ptr<TrainTask>, CLI::App*>> tasks_;
};

} // namespace

std::unique_ptr<Verb> make_train() {
  return std::make_unique<Train>();
}

} // namespace mneme::cli
