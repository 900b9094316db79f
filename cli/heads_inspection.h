// SPDX-License-Identifier: MIT

/// Attention heads of a transformer on one or more texts, declared without LibTorch
/// (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"
#include "mneme/theory/attention_head.h"

namespace mneme::cli {

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

/// Errors  UsageError for a layer or head that does not exist; DataError for a model or text that cannot be
///         used; Interrupted
inline constinit TorchFunction<HeadsInspection(const HeadsRequest& request, Progress& progress)>
    inspect_heads{"inspecting a model"};

} // namespace mneme::cli
