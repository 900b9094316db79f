// SPDX-License-Identifier: MIT

#include "cli/heads_inspection.h"

#include <algorithm>
#include <functional>

#include <ATen/Functions.h>
#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/language/head_reader.h"
#include "mneme/nn/gpt2_folder.h"
#include "mneme/ops/linear_cross_entropy.h"
#include "mneme/tokens/tokenizer.h"

namespace mneme::cli {
namespace {

/// The folder of a model that is given as a folder or as a file in it.
std::filesystem::path folder_of(const std::filesystem::path& model) {
  return std::filesystem::is_directory(model) ? model : model.parent_path();
}

std::vector<int64_t> ids_of(const InspectedText& text, const HeadsRequest& request,
                            std::optional<tokens::Tokenizer>& tokenizer) {
  std::vector<int64_t> ids = text.ids;
  if (!text.text.empty()) {
    if (!tokenizer) {
      tokenizer = tokens::read_tokenizer(folder_of(request.model));
    }
    const std::vector<int32_t> encoded = tokenizer->encode(text.text);
    ids.assign(encoded.begin(), encoded.end());
  }
  if (request.end && *request.end < static_cast<int64_t>(ids.size())) {
    ids.resize(static_cast<size_t>(*request.end));
  }
  return ids;
}

at::Tensor tensor_of(const std::vector<int64_t>& ids, const InspectedText& text,
                     const nn::Gpt2Config& config) {
  const auto count = static_cast<int64_t>(ids.size());
  if (count == 0) {
    throw DataError(fmt::format("{}: the text has no tokens.\n  Give at least one token.", text.name));
  }
  const auto invalid =
      std::ranges::find_if(ids, [&](int64_t id) { return id < 0 || id >= config.vocab_size(); });
  if (invalid != ids.end()) {
    throw DataError(fmt::format(
        "{}: token {} has the id {}, but the vocabulary of the model has {} tokens, 0 "
        "to {}.\n  Use the tokenizer of the model.",
        text.name, invalid - ids.begin(), *invalid, config.vocab_size(), config.vocab_size() - 1));
  }
  if (count > config.max_positions()) {
    throw DataError(fmt::format("{}: the text has {} tokens, but the model has {} learned positions.\n  "
                                "Shorten the text, for example with --to {}.",
                                text.name, count, config.max_positions(), config.max_positions()));
  }
  return at::tensor(ids, at::kLong).unsqueeze(0);
}

/// Keeps the requested layer and head.
void select(std::vector<theory::HeadReading>& heads, const HeadsRequest& request) {
  std::erase_if(heads, [&](const theory::HeadReading& head) {
    return (request.layer && head.layer != *request.layer) || (request.head && head.head != *request.head);
  });
}

void check_index(const char* option, const std::optional<int64_t>& requested, int64_t count) {
  if (requested && *requested >= count) {
    throw UsageError(fmt::format("{} {}: the model has {}, 0 to {}.\n  They are counted from 0, as in the "
                                 "names of the parameters.",
                                 option, *requested, count, count - 1));
  }
}

HeadsInspection inspect(const HeadsRequest& request, Progress& progress) {
  HeadsInspection inspection{.type = "gpt2"};
  nn::Gpt2ForCausalLM model = nn::read_gpt2_model(request.model, request.key, &inspection.notes);
  model->eval();
  const nn::Gpt2Config& config = model->config;
  inspection.layers = config.num_layers();
  inspection.heads_per_layer = config.num_heads();
  inspection.head_size = config.hidden_size() / config.num_heads();
  inspection.vocab_size = config.vocab_size();
  for (const at::Tensor& parameter : model->parameters()) {
    inspection.parameters += parameter.numel();
  }
  check_index("--layer", request.layer, inspection.layers);
  check_index("--head", request.head, inspection.heads_per_layer);
  std::optional<tokens::Tokenizer> tokenizer;
  std::vector<at::Tensor> all; // checked before the first text takes its time
  for (const InspectedText& text : request.texts) {
    all.push_back(tensor_of(ids_of(text, request, tokenizer), text, config));
  }
  const at::NoGradGuard no_gradient;
  progress.start("reading heads", static_cast<int64_t>(all.size()));
  for (size_t i = 0; i < all.size(); ++i) {
    const at::Tensor& ids = all[i];
    language::HeadReader reader;
    const at::Tensor hidden = model->head_input(ids, std::ref(reader))[0];
    TextHeads text{.name = request.texts[i].name, .tokens = ids.size(1), .heads = reader.heads()};
    if (text.tokens > 1) {
      const ops::CrossEntropySum loss =
          ops::linear_cross_entropy(hidden.slice(0, 0, -1), model->head_weight(), {}, ids[0].slice(0, 1));
      text.loss = loss.sum.item<double>() / static_cast<double>(loss.count);
    }
    select(text.heads, request);
    inspection.texts.push_back(std::move(text));
    progress.advance();
  }
  progress.finish();
  return inspection;
}

[[maybe_unused]] const bool implemented = inspect_heads.implement(inspect);

} // namespace
} // namespace mneme::cli
