// SPDX-License-Identifier: MIT

/// Texts and parameters of the experiments on transformers.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/experiment.h"
#include "learning/heads.h"

namespace mneme::experiments {

struct StudyTexts {
  std::string training, held_out; ///< the last tenth is held out
  std::string source;             ///< for readers, such as a file name and its size
};

/// --text FILE, or else tinyshakespeare.txt in the data folder (also in its folder text), or else sentences
/// of a small grammar.
///
/// Errors  DataError for a file that cannot be read, or that has fewer than 20 000 bytes
StudyTexts study_texts(const RunSettings& settings);

/// Sentences about a few people and things, several of which occur in each paragraph again, so that a model
/// has something to retrieve; at least `bytes` bytes.
std::string grammar_text(int64_t bytes, uint64_t seed);

/// Texts on which the heads of a given model are measured: --texts FILE (one per line; learning/texts.h),
/// --tokens FILE (ids, one text per line), or else excerpts of the held-out text. For a model of the sizes of
/// gpt2-small or gpt2-large without any of these, the nine published texts if they are in the data folder.
struct GivenTexts {
  std::vector<learning::InspectedText> texts;
  bool are_excerpts = false, cut_to_positions = false;
  std::string source; ///< for readers
};

/// Errors  UsageError if several kinds are given; DataError for a file that cannot be used
GivenTexts given_texts(const RunSettings& settings);

/// The heads of a GPT-2, BERT or ALBERT model. Errors  DataError for other models, and as inspect_heads
learning::HeadsInspection inspect_given(const std::filesystem::path& model, const GivenTexts& texts,
                                        Progress& progress);

/// Signature of the files of the parameters of the experiments: names, sizes and times.
std::string study_inputs(const RunSettings& settings);

/// The parameters --text, --texts, --tokens and --steps. `quick`, `full`: default numbers of steps.
ParameterInfo text_parameter();
ParameterInfo texts_parameter();
ParameterInfo tokens_parameter();
ParameterInfo steps_parameter(int64_t quick, int64_t full);
/// The parameter --model. `help` describes which models are accepted.
ParameterInfo model_parameter(const std::string& help);

/// Number of training steps: --steps, or else the default.
int64_t study_steps(const RunSettings& settings, int64_t quick, int64_t full);

} // namespace mneme::experiments
