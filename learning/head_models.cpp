// SPDX-License-Identifier: MIT

#include "learning/heads.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <utility>

#include <ATen/Functions.h>
#include <fmt/format.h>

#include "learning/inspected_ids.h"
#include "mneme/core/error.h"
#include "mneme/language/head_reader.h"
#include "mneme/nn/bert_folder.h"
#include "mneme/nn/gpt2_folder.h"
#include "mneme/nn/state_dict.h"
#include "mneme/ops/linear_cross_entropy.h"
#include "mneme/tokens/smiles.h"
#include "mneme/tokens/tokenizer.h"
#include "mneme/tokens/word_piece.h"

namespace mneme::learning {
namespace {

using Encode = std::function<std::vector<int32_t>(std::string_view text)>;

/// A model that reports its attention.
struct ObservedModel {
  int64_t layers = 0, heads = 0, head_size = 0, vocab_size = 0, max_positions = 0, parameters = 0;
  /// Runs a text, ids [1, T], and returns its loss in nats per token; empty for encoders and single tokens.
  std::function<std::optional<double>(const at::Tensor& ids, const nn::AttentionObserver& observer)> run;
  std::function<Encode()> read_tokenizer; ///< called only if there is a text: token ids need no tokenizer
};

/// The sizes of a model of `layers` layers, in evaluation mode from now on.
template <class Model> ObservedModel sizes_of(Model& model, int64_t layers) {
  model->eval();
  const auto& config = model->config;
  return {.layers = layers,
          .heads = config.num_heads(),
          .head_size = config.hidden_size() / config.num_heads(),
          .vocab_size = config.vocab_size(),
          .max_positions = config.max_positions(),
          .parameters = nn::count_parameters(*model)};
}

template <class Tokenizer>
Encode encoder_of(const Tokenizer& tokenizer, const tokens::EncodeOptions& options) {
  return [tokenizer, options](std::string_view text) { return tokenizer.encode(text, options); };
}

/// Errors  DataError if a folder has no file of a tokenizer; in a folder with some of them, the reader names
///         those that are missing
void require_tokenizer(const std::filesystem::path& folder, std::initializer_list<const char*> files,
                       const char* listed) {
  std::error_code error;
  if (std::ranges::none_of(files, [&](const char* file) { return exists(folder / file, error); })) {
    throw DataError(
        fmt::format("{}: contains no tokenizer: neither {}.\n  Copy it into the folder, or give token "
                    "ids with --tokens.",
                    folder.string(), listed));
  }
}

ObservedModel open_gpt2(const HeadsRequest& request, std::vector<std::string>& notes) {
  nn::Gpt2ForCausalLM model = nn::read_gpt2_model(request.model, request.key, &notes, nn::Mapping::all);
  ObservedModel result = sizes_of(model, model->config.num_layers());
  result.read_tokenizer = [folder = folder_of(request.model)] {
    require_tokenizer(folder, {"tokenizer.json", "vocab.json", "merges.txt"},
                      "tokenizer.json nor vocab.json and merges.txt");
    return encoder_of(tokens::read_tokenizer(folder), {});
  };
  result.run = [model](const at::Tensor& ids,
                       const nn::AttentionObserver& observer) mutable -> std::optional<double> {
    const at::Tensor hidden = model->head_input(ids, observer)[0];
    if (ids.size(1) == 1) {
      return {};
    }
    const ops::CrossEntropySum loss =
        ops::linear_cross_entropy(hidden.slice(0, 0, -1), model->head_weight(), {}, ids[0].slice(0, 1));
    return loss.sum.item<double>() / static_cast<double>(loss.count);
  };
  return result;
}

ObservedModel open_bert(const HeadsRequest& request, std::vector<std::string>& notes) {
  nn::BertEncoder model = nn::read_bert_model(request.model, request.key, &notes);
  ObservedModel result = sizes_of(model, model->config.num_layers() * model->config.layers_per_group());
  result.read_tokenizer = [folder = folder_of(request.model)] {
    require_tokenizer(folder, {"tokenizer.json", "vocab.txt"}, "tokenizer.json nor vocab.txt");
    const tokens::EncodeOptions options{.add_special = true};
    return tokens::has_smiles_tokenizer(folder) ? encoder_of(tokens::read_smiles_tokenizer(folder), options)
                                                : encoder_of(tokens::read_word_piece(folder), options);
  };
  result.run = [model](const at::Tensor& ids,
                       const nn::AttentionObserver& observer) mutable -> std::optional<double> {
    model->forward(ids, {.observer = observer});
    return {};
  };
  return result;
}

/// The ids of a text, or those that are given; `encode` is read from the model before the first text.
std::vector<int64_t> ids_of(const InspectedText& text, const HeadsRequest& request,
                            const ObservedModel& model, Encode& encode) {
  std::vector<int64_t> ids = text.ids;
  if (!text.text.empty()) {
    if (!encode) {
      encode = model.read_tokenizer();
    }
    try {
      const std::vector<int32_t> encoded = encode(text.text);
      ids.assign(encoded.begin(), encoded.end());
    } catch (const DataError& error) {
      throw DataError(fmt::format("{}: {}", text.name, error.what()));
    }
  }
  int64_t end = request.end.value_or(std::ssize(ids));
  if (request.cut_to_positions) {
    end = std::min(end, model.max_positions);
  }
  ids.resize(static_cast<size_t>(std::min(end, std::ssize(ids))));
  return ids;
}

at::Tensor tensor_of(const std::vector<int64_t>& ids, const InspectedText& text, const ObservedModel& model) {
  if (ids.empty()) {
    throw DataError(fmt::format("{}: the text has no tokens.\n  Give at least one token.", text.name));
  }
  check_ids(text.name, ids, model.vocab_size, model.max_positions);
  return at::tensor(ids, at::kLong).unsqueeze(0);
}

/// Keeps the requested layer and head.
void select(std::vector<theory::HeadReading>& heads, const HeadsRequest& request) {
  std::erase_if(heads, [&](const theory::HeadReading& head) {
    return (request.layer && head.layer != *request.layer) || (request.head && head.head != *request.head);
  });
}

HeadsInspection inspect(const HeadsRequest& request, Progress& progress) {
  HeadsInspection inspection{.type = request.type};
  const at::NoGradGuard no_gradient;
  ObservedModel model =
      request.type == "gpt2" ? open_gpt2(request, inspection.notes) : open_bert(request, inspection.notes);
  inspection.layers = model.layers;
  inspection.heads_per_layer = model.heads;
  inspection.head_size = model.head_size;
  inspection.vocab_size = model.vocab_size;
  inspection.parameters = model.parameters;
  check_index("--layer", request.layer, inspection.layers);
  check_index("--head", request.head, inspection.heads_per_layer);
  Encode encode;
  std::vector<at::Tensor> all; // checked before the first text takes its time
  for (const InspectedText& text : request.texts) {
    all.push_back(tensor_of(ids_of(text, request, model, encode), text, model));
  }
  progress.start("reading heads", static_cast<int64_t>(all.size()));
  for (size_t i = 0; i < all.size(); ++i) {
    language::HeadReader reader;
    TextHeads text{.name = request.texts[i].name, .tokens = all[i].size(1)};
    text.loss = model.run(all[i], std::ref(reader));
    text.heads = reader.heads();
    select(text.heads, request);
    inspection.texts.push_back(std::move(text));
    progress.advance();
  }
  progress.finish();
  return inspection;
}

[[maybe_unused]] const bool implemented = inspect_heads.implement(inspect);

} // namespace
} // namespace mneme::learning
