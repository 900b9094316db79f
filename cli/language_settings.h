// SPDX-License-Identifier: MIT

/// Options of `mneme train lm`, its text, and the settings in config.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/text_files.h"
#include "learning/language_run.h"
#include "mneme/tokens/tokenizer.h"

namespace mneme::cli {

/// Options as given on the command line; empty ones have defaults that depend on others.
struct LanguageOptions {
  std::vector<std::string> text = {}, validation = {};
  std::string field = {};                       ///< of JSON Lines; empty: texts
  FileContent content = FileContent::automatic; ///< of both texts
  double validation_share = 0.1;
  std::string tokenizer = {}; ///< folder; empty: bytes
  std::string init = {};      ///< folder of a trained model; empty: a new one
  std::string model = "leap", preset = "tiny";
  std::optional<int64_t> layers = {}, width = {}, heads = {}, length = {};
  std::string positions = "learned";
  double dropout = 0;
  int64_t batch = 0; ///< rows of a micro-batch; 0: chosen
  std::optional<int64_t> tokens_per_step = {};
  std::optional<int64_t> steps = {}, tokens = {};
  std::optional<double> minutes = {};
  double learning_rate = 1e-3, final_fraction = 0.1;
  training::RateSchedule rate_schedule = training::RateSchedule::cosine;
  std::string warmup = "5%";
  double weight_decay = 0.1;
  std::vector<double> betas = {0.9, 0.95};
  double clip = 1;
  ProductPrecision precision = ProductPrecision::float32;
  std::optional<int64_t> eval_every = {}, sample_every = {}, save_every = {};
  int64_t keep = 2;
  std::string resume = "auto";
  std::vector<const Option*> of_new_model = {}; ///< options that do not go with `init`
  const Option *of_validation_share = nullptr, *of_final_fraction = nullptr;
  bool overfit_one_batch = false, dry_run = false;

  void declare(Arguments& arguments);
};

/// Text of a run as tokens, with the hashes that identify it.
struct LanguageText {
  tokens::Tokenizer tokenizer;
  training::LanguageData data = {};
  std::string training_sha256 = {}, validation_sha256 = {}; ///< of the texts, as bytes
};

/// Reads the texts and divides them.
///
/// Errors  DataError for a file that cannot be read; UsageError if a part is too short
LanguageText read_language_text(const LanguageOptions& options, int64_t length,
                                const std::optional<learning::InitialModel>& initial);

/// The model of --init, if it is given. Its type and, unless --length is given, the length of the rows
/// of its training are set in the options.
///
/// Errors  as read_initial_model; UsageError for options of a new model
std::optional<learning::InitialModel> initial_model_of(LanguageOptions& options);

/// Errors  UsageError if parameters, gradients and moments of the model need more memory than is available
void require_memory(const learning::LanguageRun& run, int64_t vocab_size,
                    const std::optional<learning::InitialModel>& initial);

/// The run that the options describe. `earlier`: the config.json of an earlier run in the same folder,
/// or null; numbers that were computed from a measured speed are taken from it, so that a resumed run is the
/// same run.
///
/// Errors  UsageError for options that do not fit together
learning::LanguageRun language_run_of(const LanguageOptions& options, uint64_t seed,
                                      const nlohmann::ordered_json& earlier);

/// Settings that identify a run, without the numbers of its plan.
nlohmann::ordered_json language_settings(const LanguageOptions& options, const learning::LanguageRun& run,
                                         const LanguageText& text,
                                         const std::optional<learning::InitialModel>& initial);

/// Rewrites the settings in a config.json of an earlier version of mneme as language_settings returns them.
void update_language_config(nlohmann::ordered_json& config);

/// Settings and plan as names and values, for people.
std::vector<std::pair<std::string, std::string>> language_summary(const LanguageOptions& options,
                                                                  const learning::LanguageRun& run,
                                                                  const LanguageText& text,
                                                                  const learning::LanguagePlan& plan);

} // namespace mneme::cli
