// SPDX-License-Identifier: MIT

/// `mneme train`: trains a model on a task; each task is a verb of its own.

#include <CLI/CLI.hpp>

#include "cli/train_task.h"

// One line per task: X(name) stands for `std::unique_ptr<TrainTask> make_train_name()` in train_name.cpp.
#define MNEME_TRAIN_TASKS(X) X(sparse_and)

namespace mneme::cli {

#define MNEME_DECLARE_TASK(name) std::unique_ptr<TrainTask> make_train_##name();
MNEME_TRAIN_TASKS(MNEME_DECLARE_TASK)

namespace {

class Train : public Verb {
public:
  std::string name() const override { return "train"; }
  std::string summary() const override { return "train models, many seeds at once, and measure them"; }

  void declare(CLI::App& app) override {
#define MNEME_ADD_TASK(name) add(app, make_train_##name());
    MNEME_TRAIN_TASKS(MNEME_ADD_TASK)
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
  void add(CLI::App& app, std::unique_ptr<TrainTask> task) {
    CLI::App* own = app.add_subcommand(task->name(), task->summary());
    task->declare(*own);
    tasks_.emplace_back(std::move(task), own);
  }

  std::vector<std::pair<std::unique_ptr<TrainTask>, CLI::App*>> tasks_;
};

} // namespace

std::unique_ptr<Verb> make_train() {
  return std::make_unique<Train>();
}

} // namespace mneme::cli
