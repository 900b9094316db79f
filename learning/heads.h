// SPDX-License-Identifier: MIT

/// Attention heads of a transformer on one or more texts, declared without LibTorch
/// (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"
#include "mneme/theory/attention_head.h"

namespace mneme::learning {

/// A text, as bytes for the tokenizer of the model or as token ids.
struct InspectedText {
  std::string name; ///< for messages, such as its file
  std::string text;
  std::vector<int64_t> ids; ///< used if `text` is empty
};

struct HeadsRequest {
  std::filesystem::path model; ///< model folder, or a file of parameters in it
  std::string type;            ///< model_type of config.json: "gpt2", "bert" or "albert"
  std::string key;             ///< key of the parameter dict in the file, see nn::read_tensor_file
  std::vector<InspectedText> texts;
  std::optional<int64_t> end;         ///< number of tokens of each text that are used; all if empty
  bool cut_to_positions = false;      ///< cut texts that are longer than the model has positions
  std::optional<int64_t> layer, head; ///< the only layer and head; all if empty
};

/// The heads of one text.
struct TextHeads {
  std::string name;
  int64_t tokens = 0;
  std::optional<double> loss; ///< nats per token; empty for one token and for encoders
  std::vector<theory::HeadReading> heads;
};

struct HeadsInspection {
  std::string type; ///< model_type of config.json
  int64_t layers = 0, heads_per_layer = 0, head_size = 0, vocab_size = 0, parameters = 0;
  std::vector<std::string> notes; ///< of the loader, such as ignored buffers
  std::vector<TextHeads> texts;
};

/// One head over all texts.
struct HeadSummary {
  int64_t layer = 0, head = 0;
  double beta = 0;              ///< the largest over texts
  double entropy = 0;           ///< mean over texts, in nats
  double keys_90 = 0, keys = 0; ///< means over texts
  theory::FixedPoint kind = theory::FixedPoint::global;
};

/// The heads of all texts, which are from one model, by layer and head.
std::vector<HeadSummary> summaries(std::span<const TextHeads> texts);

/// Several heads, such as those of a layer.
struct HeadStatistics {
  int64_t global = 0, metastable = 0, single = 0; ///< number of heads of each kind
  double mean_beta = 0, max_beta = 0;
  double entropy = 0;    ///< mean, in nats
  double keys_share = 0; ///< mean share of the keys that carry 90 % of the weight

  int64_t count() const { return global + metastable + single; }
};

/// Errors  UsageError if there is no head
HeadStatistics statistics_of(std::span<const HeadSummary> heads);
std::map<int64_t, HeadStatistics> statistics_by_layer(std::span<const HeadSummary> heads);

/// The folder of a model that is given as a folder or as a file in it.
std::filesystem::path folder_of(const std::filesystem::path& model);
/// The config.json of a model, which is a folder or a file in it; null if there is none or it is not JSON.
/// The loader reports this.
nlohmann::json config_of(const std::filesystem::path& model);
/// The kind of a model, which is a folder or a file in it, by its config.json (json/transformer_type.h);
/// empty if there is none. The loader reports other errors.
std::string model_type_of(const std::filesystem::path& model);

/// Errors  UsageError for a layer or head that does not exist; DataError for a model or text that cannot be
///         used; Interrupted
inline constinit TorchFunction<HeadsInspection(const HeadsRequest& request, Progress& progress)>
    inspect_heads{"inspecting a model"};

} // namespace mneme::learning
