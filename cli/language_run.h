// SPDX-License-Identifier: MIT

/// Generation and evaluation by language models, declared without LibTorch (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/text_files.h"
#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"
#include "mneme/language/evaluate.h"
#include "mneme/language/sampler.h"
#include "mneme/language/weights.h"

namespace mneme::cli {

struct GenerateRequest {
  std::filesystem::path model; ///< model folder
  language::Weights weights = language::Weights::float32;
  std::string prompt;         ///< bytes; may be empty if `state_in` is given
  std::string prompt_source;  ///< file of the prompt, or the option, for messages
  bool parse_special = false; ///< special tokens in the prompt become their ids
  bool add_special = false;   ///< a new text begins with the tokens that the tokenizer puts before it
  language::SamplerOptions sampler = {};
  int64_t max_tokens = 0;
  uint64_t seed = 1;
  int64_t samples = 1;
  std::vector<std::string> stop_strings;
  bool ignore_end = false;
  std::filesystem::path state_in, state_out; ///< empty: none
};

struct GeneratedSample {
  std::vector<int32_t> ids;
  std::vector<double> probabilities;
  std::string text;
  std::string reason; ///< why it ended: "max-tokens", "end-of-text", "stop-string" or "max-length"
};

struct GenerateOutcome {
  std::string type;           ///< of the model
  int64_t earlier_tokens = 0; ///< tokens of the state that was read
  int64_t prompt_tokens = 0;
  std::vector<int32_t> end_tokens; ///< at which samples end
  std::vector<GeneratedSample> samples;
  double prompt_seconds = 0, seconds = 0; ///< for the prompt, and for all samples
};

/// The words of --weights.
inline const std::vector<std::pair<std::string, language::Weights>> kWeightChoices = {
    {name_of(language::Weights::float32), language::Weights::float32},
    {name_of(language::Weights::int8), language::Weights::int8}};

/// `print` receives the text of each sample in parts, as soon as they are certain.
///
/// Errors  DataError for a model, state or prompt that cannot be used; UsageError for options; OutputError;
///         Interrupted
inline constinit TorchFunction<GenerateOutcome(
    const GenerateRequest& request, Progress& progress,
    const std::function<void(int64_t sample, std::string_view text)>& print)>
    generate_text{"generating text"};

struct EvalRequest {
  std::filesystem::path model; ///< model folder
  language::Weights weights = language::Weights::float32;
  TextFiles text; ///< without wildcards
  bool parse_special = false;
  bool add_special = false; ///< every text has the tokens that the tokenizer puts around it
  /// Without a value: carry for models of texts of any length, else windows of the number of positions.
  std::optional<language::EvalProtocol> protocol;
  std::optional<int64_t> window, stride; ///< for windows; default of the stride: the window
};

struct EvalOutcome {
  std::string type;     ///< of the model
  std::string protocol; ///< "carry", "full", or "window 512, stride 512"
  language::EvalOptions options;
  language::EvalResult result;
  std::string joined; ///< how several files are one text (text_files.h); empty: a single text
};

/// Errors  as generate_text
inline constinit TorchFunction<EvalOutcome(const EvalRequest& request, Progress& progress)> evaluate_text{
    "evaluating a language model"};

} // namespace mneme::cli
