// SPDX-License-Identifier: MIT

/// `mneme train lm`: trains a causal language model on text files.

#include <algorithm>
#include <cmath>
#include <optional>
#include <ostream>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/environment_json.h"
#include "cli/json_output.h"
#include "cli/language_settings.h"
#include "cli/run_folder.h"
#include "cli/train_task.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "report/page.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using learning::LanguageFit;
using learning::LanguagePlan;
using learning::LanguageRecord;
using Json = nlohmann::ordered_json;

constexpr double kOverfitLoss = 0.01; // nats per token

/// The last record of a kind; nullptr if there is none.
const LanguageRecord* last(const LanguageFit& fit, LanguageRecord::Kind kind) {
  const auto found = std::find_if(fit.records.rbegin(), fit.records.rend(),
                                  [&](const LanguageRecord& record) { return record.kind == kind; });
  return found == fit.records.rend() ? nullptr : &*found;
}

class TrainLm : public TrainTask {
public:
  std::string name() const override { return "lm"; }
  std::string summary() const override { return "train a language model on text files"; }
  bool needs_torch() const override { return true; }
  void declare(Arguments& arguments) override { options_.declare(arguments); }

  ExitCode run(Context& context) override {
    const std::optional<learning::InitialModel> initial = initial_model_of(options_);
    folder_ = context.options.out;
    if (folder_.empty() && !options_.dry_run) { // a dry run without a folder is that of a new run
      folder_ = std::filesystem::path("runs/train/lm") / options_.model;
    }
    const Json earlier = folder_.empty() ? Json() : read_run_config(folder_, name());
    require_other_folder();
    require_config();
    run_ = language_run_of(options_, context.options.seed, earlier);
    const LanguageText text = read_language_text(options_, run_.schedule.length, initial);
    require_memory(run_, text.data.vocab_size(), initial);
    const Json identity = {
        {"verb", "train"}, {"task", name()}, {"training", language_settings(options_, run_, text, initial)}};
    std::optional<RunFolder> lock;
    if (!options_.dry_run) {
      Json requested = identity;
      if (earlier.contains("plan")) { // its numbers hold, unless others are given
        requested["plan"] = earlier.at("plan");
        for (const auto& [key, value] :
             {std::pair("eval_every", run_.eval_every), {"sample_every", run_.sample_every}}) {
          if (value) {
            requested["plan"][key] = *value;
          }
        }
      }
      lock.emplace(open_run_folder(
          folder_, requested,
          {.update = update_language_config,
           .advice = fmt::format("`--init {}` with another --out trains the model of that run further",
                                 printable(folder_.string()))}));
    }
    learning::LanguageJob job{.run = run_,
                              .data = &text.data,
                              .tokenizer = text.tokenizer,
                              .folder = folder_,
                              .initial = initial ? initial->model : nullptr,
                              .start_token = initial ? initial->start_token : std::nullopt};
    set_resume(job);
    Json config;
    const LanguageFit fit = learning::train_language_model(
        job,
        [&](const LanguagePlan& plan) {
          require_end_of_warmup(plan);
          config = config_of(plan, identity, text.tokenizer,
                             initial ? initial->end_tokens : std::vector<int32_t>());
          summary_ = language_summary(options_, run_, text, plan);
          if (!context.options.json && (!context.options.quiet || options_.dry_run)) {
            print_settings(plan, context);
          }
          if (!options_.dry_run) {
            write_file_atomically(folder_ / "config.json", report::json_text(config));
          }
          return !options_.dry_run;
        },
        context.progress);
    if (options_.dry_run) {
      if (context.options.json) {
        print_json(context.out, {{"config", config}, {"plan", to_json(fit.plan)}});
      }
      return ExitCode::ok;
    }
    return finish(fit, config, context);
  }

private:
  /// Errors  UsageError if the run would overwrite the model that it starts from
  void require_other_folder() const {
    std::error_code missing;
    if (!options_.init.empty() && !folder_.empty() &&
        std::filesystem::equivalent(folder_, options_.init, missing)) {
      throw UsageError(fmt::format("--init {}: --out is the same folder, whose model the run would overwrite."
                                   "\n  Choose another folder with --out.",
                                   printable(options_.init)));
    }
  }

  /// Errors  UsageError if the folder contains checkpoints, but no config.json that identifies their run
  void require_config() const {
    const std::filesystem::path checkpoints = folder_ / "checkpoints";
    std::error_code missing;
    if (options_.dry_run || std::filesystem::exists(folder_ / "config.json", missing)) {
      return;
    }
    std::string newest;
    for (std::filesystem::directory_iterator entry(checkpoints, missing), end; !missing && entry != end;
         entry.increment(missing)) {
      if (entry->path().extension() == ".safetensors") {
        newest = std::max(newest, entry->path().string());
      }
    }
    if (!newest.empty()) {
      throw UsageError(fmt::format(
          "{}: contains checkpoints, but no config.json that identifies their run.\n  Restore it, or choose "
          "another folder with --out: --resume {} continues the run there with the same options.",
          printable(folder_.string()), printable(newest)));
    }
  }

  /// Errors  UsageError if a new run ends before its learning rate has reached the highest one
  void require_end_of_warmup(const LanguagePlan& plan) const {
    if (plan.warmup_steps > 0 && plan.warmup_steps >= plan.steps && plan.resumed_from.empty()) {
      throw UsageError(fmt::format("--warmup {}: the run has {}, so that the learning rate would never reach "
                                   "--lr {:g}.\n  Use a smaller --warmup, such as 5%, or a longer run.",
                                   printable(options_.warmup), report::counted(plan.steps, "step"),
                                   options_.learning_rate));
    }
  }

  void set_resume(learning::LanguageJob& job) const {
    std::error_code missing;
    if (options_.resume == "never") {
      if (const auto checkpoints = folder_ / "checkpoints";
          !std::filesystem::is_empty(checkpoints, missing) && !missing) {
        throw UsageError(fmt::format("--resume never: {} contains checkpoints, which a new run would replace."
                                     "\n  Choose another folder with --out, or resume the run.",
                                     printable(folder_.string())));
      }
    } else if (options_.resume != "auto") {
      if (!std::filesystem::is_regular_file(options_.resume, missing)) {
        throw UsageError(
            fmt::format("--resume {}: is not a file.\n  Use auto, never, or a file of the folder "
                        "checkpoints of a run.",
                        printable(options_.resume)));
      }
      job.resume_from = options_.resume;
    }
  }

  /// config.json: the configuration of the model, the settings of the run, and what its plan computed from
  /// them.
  static Json config_of(const LanguagePlan& plan, const Json& identity, const tokens::Tokenizer& tokenizer,
                        const std::vector<int32_t>& end_tokens) {
    Json config = Json::parse(plan.model_config);
    config["bos_token_id"] = plan.start_token; // what transformers' generate begins with, too
    if (!end_tokens.empty()) {                 // of --init
      config["eos_token_id"] = end_tokens.size() == 1 ? Json(end_tokens.front()) : Json(end_tokens);
    } else if (const auto end = tokenizer.end_of_text()) {
      config["eos_token_id"] = *end;
    }
    config["version"] = version();
    config.update(identity);
    config["plan"] = {{"steps", plan.steps},
                      {"warmup_steps", plan.warmup_steps},
                      {"eval_every", plan.eval_every},
                      {"sample_every", plan.sample_every}};
    return config;
  }

  static Json to_json(const LanguagePlan& plan) {
    return {{"parameters", plan.num_parameters},
            {"steps", plan.steps},
            {"warmup_steps", plan.warmup_steps},
            {"rows_per_batch", plan.rows_per_batch},
            {"eval_every", plan.eval_every},
            {"sample_every", plan.sample_every},
            {"save_every", plan.save_every},
            {"steps_done", plan.steps_done},
            {"seconds_per_step", plan.seconds_per_step},
            {"seconds", plan.seconds}};
  }

  void print_settings(const LanguagePlan& plan, Context& context) const {
    for (const auto& [key, value] : summary_) {
      context.out << fmt::format("{:<16} {}\n", key, value);
    }
    if (!plan.resumed_from.empty()) {
      context.out << fmt::format("{:<16} from step {} ({})\n", "resumed", plan.steps_done,
                                 printable(plan.resumed_from));
    }
    if (!options_.dry_run) {
      context.out << fmt::format("{:<16} {} (the same command resumes the run)\n", "folder",
                                 printable(folder_.string()));
    }
    context.out << std::endl;
  }

  ExitCode finish(const LanguageFit& fit, const Json& config, Context& context) const {
    const LanguageRecord* step = last(fit, LanguageRecord::Kind::step);
    const LanguageRecord* score = last(fit, LanguageRecord::Kind::validation);
    const report::Chart losses = learning::loss_curves("Loss during training", fit.records);
    write_file_atomically(folder_ / "env.json", report::json_text(environment_json(context.options.threads)));
    write_file_atomically(folder_ / "timing.csv", report::to_csv(timing(fit)));
    report::write_chart(folder_, "learning", losses);
    report::write_page(folder_ / "index.html", page(fit, losses));
    const bool passed = !options_.overfit_one_batch || (step != nullptr && step->loss < kOverfitLoss);
    if (context.options.json) {
      Json document = {{"config", config}, {"plan", to_json(fit.plan)}};
      if (step != nullptr) {
        document["training_loss"] = step->loss;
        document["training_bits_per_byte"] = step->bits_per_byte;
      }
      if (score != nullptr) {
        document["validation_loss"] = score->loss;
        document["validation_bits_per_byte"] = score->bits_per_byte;
      }
      document["steps_skipped"] = fit.steps_skipped;
      document["model_step"] = fit.saved_step ? Json(*fit.saved_step) : Json();
      if (options_.overfit_one_batch) {
        document["overfit_passed"] = passed;
      }
      document["timing"] = report::to_json(timing(fit));
      document["environment"] = environment_json(context.options.threads);
      print_json(context.out, document);
      return passed ? ExitCode::ok : ExitCode::check_failed;
    }
    context.out << result_text(fit, step, score);
    if (options_.overfit_one_batch) {
      const double loss = step == nullptr ? std::nan("") : step->loss;
      context.out << fmt::format("The loss on one batch is {}; it must be below {}: {}.\n",
                                 std::isfinite(loss) ? fmt::format("{:.4g} nats per token", loss)
                                                     : learning::number_text(loss, 4),
                                 kOverfitLoss, passed ? "passed" : "failed");
    }
    return passed ? ExitCode::ok : ExitCode::check_failed;
  }

  std::string result_text(const LanguageFit& fit, const LanguageRecord* step,
                          const LanguageRecord* score) const {
    std::string text;
    if (step != nullptr) {
      text += fmt::format("training loss    {} (last step)\n",
                          learning::loss_text(step->loss, step->bits_per_byte));
    }
    if (score != nullptr) {
      text += fmt::format("validation loss  {} (step {})\n",
                          learning::loss_text(score->loss, score->bits_per_byte), score->step);
    }
    if (fit.steps_skipped > 0) {
      text += fmt::format("skipped steps    {} (loss or gradient not finite)\n", fit.steps_skipped);
    }
    const std::string shown = printable(folder_.string());
    if (!fit.saved_step) {
      return text +
             fmt::format("\nWritten to {}: metrics.jsonl, index.html; no model, because the loss was not "
                         "finite\n",
                         shown);
    }
    const std::string model = *fit.saved_step == fit.plan.steps
                                  ? "the model"
                                  : fmt::format("the model after step {}", *fit.saved_step);
    text += fmt::format("\nWritten to {}: {} (config.json, model.safetensors, tokenizer.json; `mneme "
                        "generate {}` continues a text), metrics.jsonl, index.html, checkpoints/\n",
                        shown, model, shell_path(folder_.string()));
    return text;
  }

  static report::Table timing(const LanguageFit& fit) {
    report::Table table{.columns = {{.name = "steps"}, {.name = "seconds"}, {.name = "seconds in steps"}}};
    table.rows.push_back({fit.steps_here, fit.seconds, fit.seconds_in_steps});
    return table;
  }

  report::Page page(const LanguageFit& fit, const report::Chart& losses) const {
    report::Parameters parameters;
    for (const auto& [key, value] : summary_) {
      if (key != "time per step" && key != "estimated time") { // they differ from one machine to the next
        parameters.values.emplace_back(key, value);
      }
    }
    const LanguageRecord* score = last(fit, LanguageRecord::Kind::validation);
    std::vector<report::Block> blocks = {
        report::Figure{.chart = losses,
                       .remark = "Loss of each step before the update, and of the complete validation text.",
                       .links = {{"Data (CSV)", "learning.csv"}, {"All steps", "metrics.jsonl"}}},
        learning::step_curves(fit.records), parameters};
    std::vector<report::Block> samples;
    for (const LanguageRecord& record : fit.records) {
      if (record.kind == LanguageRecord::Kind::sample) {
        samples.emplace_back(report::Heading{"After " + report::counted(record.step, "step")});
        samples.emplace_back(report::Verbatim{record.text});
      }
    }
    report::Page page{
        .title = fmt::format("Language model: {}", run_.model.type),
        .intro = fmt::format("{} parameters, {} of {} tokens{}.", fit.plan.num_parameters,
                             report::counted(fit.plan.steps, "step"), run_.schedule.tokens_per_step(),
                             score == nullptr
                                 ? ""
                                 : fmt::format("; validation loss {}",
                                               learning::loss_text(score->loss, score->bits_per_byte))),
        .sections = {{.heading = "Results", .blocks = std::move(blocks)}}};
    if (!samples.empty()) {
      page.sections.push_back({.heading = "Samples", .blocks = std::move(samples)});
    }
    return page;
  }

  LanguageOptions options_;
  learning::LanguageRun run_;
  std::filesystem::path folder_;
  std::vector<std::pair<std::string, std::string>> summary_;
};

} // namespace

std::unique_ptr<TrainTask> make_train_lm() {
  return std::make_unique<TrainLm>();
}

} // namespace mneme::cli
