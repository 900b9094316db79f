// SPDX-License-Identifier: MIT

/// Attention of a LEAP language model in a text, declared without LibTorch (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"

namespace mneme::cli {

/// Tokens whose matrix of readers and tokens is written out; longer texts have tracks alone.
constexpr int64_t kMatrixTokens = 256;

struct LookRequest {
  std::filesystem::path model;      ///< folder, or a file of parameters in it
  std::string key;                  ///< of the dict of parameters in the file, see nn::read_tensor_file
  std::vector<int64_t> ids;         ///< of the text, up to and with the reader
  std::string ids_source;           ///< where they are from, for messages
  bool ids_are_bytes = false;       ///< they need a vocabulary of all bytes
  std::optional<int64_t> num_words; ///< names of ids that there are; must be those of the vocabulary
  std::string words_source;
  std::optional<int64_t> layer, head;
  int64_t from = 0;              ///< of the matrix
  std::filesystem::path tensors; ///< .safetensors file for all of it; empty: none
};

/// One head. Tracks have a number per token, the matrix one per reader and token of the tile, row after row.
struct HeadLook {
  int64_t layer = 0, head = 0;
  int64_t window = 0;                  ///< tokens; 0 = all
  double decay = 0;                    ///< a token that is n tokens away weighs exp(-decay n) times as much
  std::vector<float> gate, gate_logit; ///< of readers; no logit where the gate is open
  std::vector<float> log_weight,
      log_denominator;                    ///< share = exp(log_weight - log_denominator - decay * distance)
  std::vector<float> value_length;        ///< |value|
  std::vector<float> share, contribution; ///< of tokens, for the last reader
  std::vector<float> attention;           ///< empty without a matrix
};

struct Look {
  int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads_per_layer = 0;
  std::string weight, gate, positions; ///< as config.json names them
  std::vector<int64_t> ids;
  int64_t from = 0, to = 0; ///< tokens of the matrix; from = to: none
  std::vector<HeadLook> heads;
  /// What the last reader is made of, through all layers, whichever were asked for: shares that sum to 1.
  std::vector<float> roll_out;
};

/// Errors  UsageError for a layer, head or range that is not there; DataError for a model or text that does not fit;
///         Interrupted
inline constinit TorchFunction<Look(const LookRequest& request, Progress& progress)> look_at{
    "inspecting a model"};

} // namespace mneme::cli
