// SPDX-License-Identifier: MIT

/// Attention weights and gates of a LEAP language model on a text, declared without LibTorch
/// (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"

namespace mneme::cli {

/// Maximum number of tokens of an attention matrix. Longer texts have only tracks (one number per token).
constexpr int64_t kMatrixTokens = 256;

struct InspectRequest {
  std::filesystem::path model;      ///< model folder, or a file of parameters in it
  std::string key;                  ///< key of the parameter dict in the file, see nn::read_tensor_file
  std::vector<int64_t> ids;         ///< token ids of the text; the last token is the query that is explained
  std::string ids_source;           ///< file of the ids, for messages
  bool ids_are_bytes = false;       ///< the ids are bytes, so the vocabulary must be that of bytes
  std::optional<int64_t> num_words; ///< number of token names; must be the vocabulary size
  std::string words_source;         ///< file of the token names, for messages
  std::optional<int64_t> layer, head; ///< the only layer and head to inspect; all if empty
  int64_t from = 0;                   ///< first token of the attention matrix
  std::filesystem::path tensors;      ///< .safetensors file to write all tensors to; empty: none
};

/// One head. Tracks have one number per token; the matrix has one per query and token, in row-major order.
struct HeadInspection {
  int64_t layer = 0, head = 0;
  int64_t window = 0;                  ///< tokens; 0 = all
  double decay = 0;                    ///< the weight of a token at distance n is multiplied by exp(-decay n)
  std::vector<float> gate, gate_logit; ///< of each query; gate_logit is empty with an open gate
  /// mean_weight = exp(log_weight - log_denominator - decay * distance), with log_weight of the token and
  /// log_denominator of the query.
  std::vector<float> log_weight, log_denominator;
  std::vector<float> value_length; ///< |value|
  /// Of each token, for the last query (see ops::LeapExplanation).
  std::vector<float> mean_weight, contribution;
  std::vector<float> attention; ///< effective attention; empty without a matrix
};

/// A token that may follow the text.
struct NextToken {
  int64_t id = 0;
  double probability = 0;
};

struct LeapInspection {
  int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads_per_layer = 0;
  std::string weight, gate, positions; ///< names of the options as in config.json
  std::vector<int64_t> ids;
  int64_t from = 0, to = 0;          ///< tokens [from, to) of the matrix; from = to: no matrix
  std::vector<HeadInspection> heads; ///< the requested ones
  /// Attention rollout of the last token over all layers and heads, normalised to sum 1.
  std::vector<float> rollout;
  std::vector<NextToken> next; ///< the most probable tokens after the text, the most probable one first
  /// Of each token: -ln of the probability that the model gave it after the tokens before it; NaN for the
  /// first token.
  std::vector<float> loss;
};

/// Runs a model on a text: explains its attention, and computes what it predicts.
///
/// Errors  UsageError for a layer, head or range that does not exist; DataError for a model or text that
///         cannot be used; Interrupted
inline constinit TorchFunction<LeapInspection(const InspectRequest& request, Progress& progress)>
    inspect_leap{"inspecting a model"};

} // namespace mneme::cli
