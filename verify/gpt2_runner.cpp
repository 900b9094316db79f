// SPDX-License-Identifier: MIT

#include <algorithm>
#include <limits>

#include <ATen/Functions.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "mneme/core/error.h"
#include "mneme/language/head_reader.h"
#include "mneme/nn/gpt2_folder.h"
#include "mneme/nn/state_dict.h"
#include "mneme/ops/linear_cross_entropy.h"
#include "mneme/tokens/tokenizer.h"
#include "verify/case_tensors.h"
#include "verify/expect_tensor.h"
#include "verify/json_file.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

// The values of the file are float32. Those of a float64 computation differ by at most 1.2e-5 in the logits.
constexpr double kLogitTolerance = 1e-4, kLossTolerance = 1e-5, kAttentionTolerance = 1e-5,
                 kScoreTolerance = 1e-4;

/// A model folder next to the case file, and the tensors of the cases.
class Gpt2Cases {
public:
  Gpt2Cases(const GoldenValue& file, Checker& checker)
      : file_(file), checker_(checker),
        folder_(checker.file().parent_path() / folder_name(file.at("checkpoint"))),
        model_(nn::read_gpt2_model(folder_)),
        tensors_(nn::read_tensor_file(tensors_path(checker.file())).tensors) {
    std::error_code error;
    if (std::filesystem::exists(folder_ / "tokenizer.json", error)) {
      tokenizer_ = tokens::read_tokenizer(folder_);
    }
  }

  void run() {
    checker_.each_case(file_.at("cases"), [&](const GoldenValue& golden) { check_text(golden); });
    if (file_.has("aggregate")) {
      checker_.one_case(file_.at("aggregate"), [&](const GoldenValue& golden) { check_aggregate(golden); });
    }
    checker_.each_case(file_.at("variants"), [&](const GoldenValue& golden) { check_variant(golden); });
    checker_.note("hidden states of the file are not compared");
  }

private:
  /// int64 [1, T]
  static at::Tensor ids_of(const GoldenValue& list) {
    std::vector<int64_t> ids;
    for (size_t i = 0; i < list.size(); ++i) {
      ids.push_back(list.at(i).integer());
    }
    return at::tensor(ids, at::kLong).unsqueeze(0);
  }

  void expect_attention(const std::string& name, const at::Tensor& actual, double tolerance) {
    if (const auto expected = tensors_.find(name); expected == tensors_.end()) {
      checker_.fail(name, "the .safetensors file does not have this tensor");
    } else {
      expect_tensor(checker_, name, expected->second, actual, tolerance);
    }
  }

  /// Queries, keys, attention weights and scores of all layers, and the published effective betas. Files
  /// without "beta" do not have them.
  void expect_heads(const GoldenValue& golden, const at::Tensor& ids) {
    if (!golden.has("beta")) {
      return;
    }
    std::vector<at::Tensor> queries, keys, weights, value_norms;
    language::HeadReader reader;
    model_->head_input(ids, [&](const nn::AttentionView& attention) {
      queries.push_back(attention.query[0].clone());
      keys.push_back(attention.key[0].clone());
      weights.push_back(attention.scores(0, attention.query.size(2))[0].softmax(-1));
      value_norms.push_back(attention.value[0].norm(2, -1));
      reader(attention);
    });
    const std::string name = golden.at("name").text();
    expect_attention(name + ".q", at::stack(queries), kAttentionTolerance);
    expect_attention(name + ".k", at::stack(keys), kAttentionTolerance);
    expect_attention(name + ".attn", at::stack(weights), kAttentionTolerance);
    expect_attention(name + ".v_norm", at::stack(value_norms), kScoreTolerance);
    const auto num_heads = static_cast<size_t>(model_->config.num_heads());
    std::vector<at::Tensor> scores;
    for (size_t i = 0; i < reader.heads().size(); ++i) {
      const theory::HeadReading& head = reader.heads()[i];
      const size_t layer = i / num_heads, column = i % num_heads;
      scores.push_back(at::tensor(head.scores));
      checker_.near(golden.at("beta").at(layer).at(column), head.last.beta, kScoreTolerance);
      checker_.near(golden.at("beta_min").at(layer).at(column), head.last.min_score, kScoreTolerance);
    }
    expect_attention(name + ".last_scores", at::stack(scores).unflatten(0, {-1, model_->config.num_heads()}),
                     kScoreTolerance);
    readings_.push_back(reader.heads());
  }

  /// Statistics of the last queries over all texts.
  void check_aggregate(const GoldenValue& golden) {
    const auto num_heads = static_cast<size_t>(model_->config.num_heads());
    const auto heads = static_cast<size_t>(model_->config.num_layers()) * num_heads;
    int64_t scores = 0;
    for (size_t i = 0; i < heads; ++i) {
      double largest = -std::numeric_limits<double>::infinity(), smallest = -largest;
      for (const std::vector<theory::HeadReading>& text : readings_) {
        largest = std::max(largest, text.at(i).last.beta);
        smallest = std::min(smallest, text.at(i).last.min_score);
        scores += i == 0 ? text.at(i).last.keys : 0;
      }
      const auto at = [&](const char* name) { return golden.at(name).at(i / num_heads).at(i % num_heads); };
      checker_.near(at("head_max_over_texts"), largest, kScoreTolerance);
      checker_.near(at("head_half_range"), (largest - smallest) / 2, kScoreTolerance);
      checker_.near(at("head_mid"), (largest + smallest) / 2, kScoreTolerance);
      checker_.near(at("head_mid_plus_min"), (largest + smallest) / 2 + smallest, kScoreTolerance);
    }
    checker_.equal(golden.at("n_scores"), scores * static_cast<int64_t>(heads));
  }

  void expect_logits(const std::string& name, const at::Tensor& logits) {
    if (const auto expected = tensors_.find(name); expected == tensors_.end()) {
      checker_.fail(name, "the .safetensors file does not have this tensor");
    } else {
      const at::Tensor last = logits.slice(0, logits.size(0) - expected->second.size(0));
      expect_tensor(checker_, name, expected->second, last, kLogitTolerance);
    }
  }

  /// Mean loss over all tokens but the first, computed as training does.
  void expect_loss(const GoldenValue& golden, nn::Gpt2ForCausalLM& model, const at::Tensor& ids) {
    if (golden.at("loss").is_null()) { // a single token
      return;
    }
    const at::Tensor hidden = model->head_input(ids)[0];
    const ops::CrossEntropySum loss =
        ops::linear_cross_entropy(hidden.slice(0, 0, -1), model->head_weight(), {}, ids[0].slice(0, 1));
    checker_.near_relative(golden.at("loss"), loss.sum.item<double>() / static_cast<double>(loss.count),
                           kLossTolerance);
  }

  /// The most probable tokens after a prompt, with and without the cache of keys and values.
  void expect_greedy(const GoldenValue& golden, const at::Tensor& ids) {
    const GoldenValue expected = golden.at("generated");
    at::Tensor text = ids.slice(1, 0, golden.at("prompt_tokens").integer_between(1, ids.size(1)));
    nn::Gpt2Cache cache;
    at::Tensor next = text;
    for (size_t i = 0; i < expected.size(); ++i) {
      const at::Tensor logits = at::linear(model_->step(next, cache), model_->head_weight())[0][-1];
      checker_.equal(expected.at(i), logits.argmax().item<int64_t>());
      const at::Tensor without_cache = model_->forward(text)[0][-1];
      checker_.equal(expected.at(i), without_cache.argmax().item<int64_t>());
      next = at::full({1, 1}, expected.at(i).integer(), at::kLong);
      text = at::cat({text, next}, 1);
    }
  }

  void expect_tokens(const GoldenValue& golden) {
    if (!tokenizer_ || !golden.has("text")) {
      return;
    }
    const std::vector<int32_t> ids = tokenizer_->encode(golden.at("text").text());
    const GoldenValue expected = golden.at("input_ids");
    for (size_t i = 0; i < expected.size(); ++i) { // the ids of a long text are those of its beginning
      checker_.equal(expected.at(i), i < ids.size() ? ids[i] : -1);
    }
    if (golden.has("generated_text")) {
      std::vector<int32_t> generated;
      for (size_t i = 0; i < golden.at("generated").size(); ++i) {
        generated.push_back(static_cast<int32_t>(golden.at("generated").at(i).integer()));
      }
      checker_.equal(golden.at("generated_text"), tokenizer_->decode(generated));
    }
  }

  void check_text(const GoldenValue& golden) {
    const at::NoGradGuard no_gradient;
    const at::Tensor ids = ids_of(golden.at("input_ids"));
    expect_tokens(golden);
    expect_logits(golden.at("name").text() + ".logits", model_->forward(ids)[0]);
    expect_loss(golden, model_, ids);
    expect_greedy(golden, ids);
    expect_heads(golden, ids);
  }

  /// The same parameters with one field of the configuration changed.
  void check_variant(const GoldenValue& golden) {
    const at::NoGradGuard no_gradient;
    nlohmann::json config = read_json(folder_ / "config.json");
    config.update(nlohmann::json::parse(golden.at("change").json()));
    nn::Gpt2ForCausalLM variant(nn::gpt2_config_from(config.dump(), golden.path()));
    nn::load_gpt2_state(variant, nn::state_dict(*model_), folder_.string());
    variant->eval();
    const at::Tensor ids = ids_of(file_.at("variant_input_ids"));
    expect_logits("variant." + golden.at("name").text() + ".logits", variant->forward(ids)[0]);
    expect_loss(golden, variant, ids);
  }

  GoldenValue file_;
  Checker& checker_;
  std::filesystem::path folder_;
  nn::Gpt2ForCausalLM model_;
  nn::NamedTensors tensors_;
  std::optional<tokens::Tokenizer> tokenizer_;
  std::vector<std::vector<theory::HeadReading>> readings_; ///< of the texts so far
};

void check_gpt2_cases(const GoldenValue& file, Checker& checker) {
  Gpt2Cases(file, checker).run();
}

[[maybe_unused]] const bool implemented = run_gpt2_cases.implement(check_gpt2_cases);

} // namespace
} // namespace mneme::verify
