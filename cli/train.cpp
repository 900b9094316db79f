// SPDX-License-Identifier: MIT

/// `mneme train`: trains a model on a task; each task is a subcommand.

#include <algorithm>

#include "cli/arguments.h"
#include "cli/json_output.h"
#include "cli/train_task.h"
#include "mneme/core/error.h"
#include "report/table.h"

// One entry per task: X(name) declares and calls `std::unique_ptr<TrainTask> make_train_name()`.
#define MNEME_TRAIN_TASKS(X) X(lm) X(sparse_and) X(bit_pattern) X(latch) X(mnist_bags) X(bags)

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

  bool uses_seed(const Arguments& leaf) const override {
    return leaf.is_subcommand(); // each task has its own options
  }

  std::string default_out(const Arguments& leaf) const override {
    return leaf.is_subcommand() ? "runs/train/" + leaf.name() + "/MODEL" : "";
  }

  void declare(Arguments& arguments) override {
    arguments.require_subcommand(0, 1); // without a subcommand, the verb lists the tasks
    for (auto& [task, task_app] : tasks_) {
      task_app = arguments.add_subcommand(task->name(), task->summary());
      task->declare(*task_app);
    }
  }

  ExitCode run(Context& context) override {
    for (const auto& [task, arguments] : tasks_) {
      if (arguments->parsed()) {
        return task->run(context);
      }
    }
    list(context);
    return ExitCode::ok;
  }

private:
  /// Errors  UsageError if --out is given, since the list writes no files
  void list(Context& context) const {
    if (!context.options.out.empty()) {
      throw UsageError("--out needs a task.\n  Give it after the task, such as `mneme train " +
                       tasks_.front().first->name() + " --out DIR`.");
    }
    report::Table table{.columns = {{.name = "task"}, {.name = "description"}}};
    nlohmann::ordered_json tasks = nlohmann::ordered_json::array();
    for (const auto& [task, arguments] : tasks_) {
      table.rows.push_back({task->name(), task->summary()});
      tasks.push_back(
          {{"name", task->name()}, {"summary", task->summary()}, {"needs_torch", task->needs_torch()}});
    }
    if (context.options.json) {
      print_json(context.out, {{"tasks", tasks}});
      return;
    }
    context.out
        << report::to_text(table, context.text_style())
        << "\n`mneme train TASK` trains models on a task; `mneme train TASK --help` lists its options.\n";
  }

  std::vector<std::pair<std::unique_ptr<TrainTask>, Arguments*>> tasks_;
};

} // namespace

std::unique_ptr<Verb> make_train() {
  return std::make_unique<Train>();
}

} // namespace mneme::cli
