// SPDX-License-Identifier: MIT

/// Causal language models of any kind behind one interface: loss, logits, recurrent state, folders.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/nn/module.h>

#include "mneme/language/weights.h"
#include "mneme/nn/tensor_file.h"

namespace mneme::language {

/// A sum and not a mean, so that the parts of a batch add up to the whole: the loss of a training step is the
/// total of the sums, divided by the total of the counts.
struct LossSum {
  at::Tensor sum;    ///< scalar, float64, with gradient: cross-entropies in nats of the counted targets
  int64_t count = 0; ///< number of counted targets
};

/// Recurrent state or cache of a text. Each text has its own; a clone continues independently.
class ModelState {
public:
  virtual ~ModelState() = default;
  virtual std::unique_ptr<ModelState> clone() const = 0;
  virtual nn::TensorFile to_file() const = 0;
  virtual int64_t position() const = 0; ///< number of tokens so far
};

/// Shapes  ids int64 [B, T] of words of the vocabulary
/// Errors  UsageError for other ids, and for texts with more tokens than max_length
class Model {
public:
  virtual ~Model() = default;
  virtual std::string type() const = 0;    ///< that of ModelConfig
  virtual torch::nn::Module& module() = 0; ///< parameters; train() and eval()
  virtual int64_t vocab_size() const = 0;
  /// Number of learned positions; empty: texts of any length.
  virtual std::optional<int64_t> max_length() const = 0;
  /// Whether the size of the state does not grow with the text.
  virtual bool is_recurrent() const = 0;

  virtual Weights weights() const = 0;
  /// Replaces the float32 matrices by int8 ones in place, which need a quarter of the memory. Results change
  /// a little; there are no gradients afterwards.
  ///
  /// Errors  UsageError if the type has no such weights ("lstm"), or they are not float32 on the CPU
  virtual void use_int8_weights() = 0;
  /// Stores the matrices in place in the order in which steps of single tokens read them fastest. Results
  /// change by rounding only. Worth its time, that of reading the weights a few times, for some ten tokens.
  virtual void order_weights_for_steps() = 0;

  /// targets int64 [B, T]: the word that follows each of the ids (already shifted); -100 is not counted.
  virtual LossSum loss(const at::Tensor& ids, const at::Tensor& targets) = 0;
  virtual at::Tensor logits(const at::Tensor& ids) = 0; ///< [B, T, vocab_size]

  /// The state before the first token of `batch` texts.
  virtual std::unique_ptr<ModelState> start(int64_t batch) const = 0;
  /// The logits [B, T, vocab_size] after each of the next tokens, T >= 1, without gradients or dropout.
  /// Advances the state. For every division of a text into calls, the logits are those of the whole text, up
  /// to rounding. If it throws, the state must not be used any more.
  virtual at::Tensor step(const at::Tensor& ids, ModelState& state) = 0;
  /// Advances the state as `step` does, without computing logits, which are not needed within a prompt.
  virtual void advance(const at::Tensor& ids, ModelState& state) { step(ids, state); }
  /// The inverse of ModelState::to_file. Errors  DataError that begins with `source`
  virtual std::unique_ptr<ModelState> state_from(const nn::TensorFile& file,
                                                 const std::string& source) const = 0;

  /// The text of the config.json of this model, without its seed.
  virtual std::string config_json() const = 0;
  /// All parameters under their published names, tied ones as the published files have them.
  virtual nn::NamedTensors published_state() = 0;
};

/// The sizes of a new model. Options that a type does not have must keep their defaults.
struct ModelConfig {
  std::string type = "leap"; ///< "leap", "matrix-leap", "gpt2", "lstm", "fastformer"
  int64_t vocab_size = 256;
  int64_t width = 256, heads = 4, layers = 4;
  int64_t max_length = 512; ///< number of learned positions, where the type has any
  double dropout = 0;       ///< probability, in [0, 1)
  uint64_t seed = 1;        ///< of the initial weights
  /// LEAP: "learned", "rotary" (not of matrix-leap), "decay" or "none"; with all but "learned", texts may
  /// have any length.
  std::string positions = "learned";
};

/// A new model with random weights that depend on the seed alone, in training mode.
/// Errors  UsageError for a type that does not exist, and for sizes out of their range
std::unique_ptr<Model> make_model(const ModelConfig& config);

/// Reads config.json and the parameters of a folder (model.safetensors, shards, pytorch_model.bin, model.pt);
/// the kind of the model is that of "model_type" or "architectures". The model is in evaluation mode. `notes`
/// receives a sentence for each entry that was ignored or renamed. Files have float numbers whatever
/// `weights` is: int8 weights are computed from them. `mapping`: as in nn::read_tensor_file.
/// Errors  DataError; UsageError if the type of the model has no such weights
std::unique_ptr<Model> read_model(const std::filesystem::path& folder,
                                  std::vector<std::string>* notes = nullptr,
                                  Weights weights = Weights::float32,
                                  nn::Mapping mapping = nn::Mapping::aligned);

/// Writes config.json and model.safetensors, each atomically; creates the folder.
/// Errors  OutputError; UsageError for int8 weights
void write_model(const std::filesystem::path& folder, Model& model);

} // namespace mneme::language
