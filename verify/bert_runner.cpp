// SPDX-License-Identifier: MIT

#include <ATen/Functions.h>
#include <nlohmann/json.hpp>

#include "mneme/core/error.h"
#include "mneme/nn/bert_folder.h"
#include "mneme/nn/state_dict.h"
#include "verify/case_tensors.h"
#include "verify/expect_tensor.h"
#include "verify/json_file.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

// The values of the file are float32.
constexpr double kHiddenTolerance = 1e-4, kAttentionTolerance = 1e-5;

/// A model folder next to the case file, and the tensors of the cases.
class BertCases {
public:
  BertCases(const GoldenValue& file, Checker& checker)
      : file_(file), checker_(checker),
        folder_(checker.file().parent_path() / folder_name(file.at("checkpoint"))),
        model_(nn::read_bert_model(folder_)),
        tensors_(nn::read_tensor_file(tensors_path(checker.file())).tensors) {}

  void run() {
    checker_.each_case(file_.at("cases"), [&](const GoldenValue& golden) { check_text(golden); });
    checker_.each_case(file_.at("variants"), [&](const GoldenValue& golden) { check_variant(golden); });
  }

private:
  /// int64 [B, T]; undefined for null.
  static at::Tensor table_of(const GoldenValue& rows) {
    if (rows.is_null()) {
      return {};
    }
    std::vector<at::Tensor> all;
    for (size_t i = 0; i < rows.size(); ++i) {
      std::vector<int64_t> row;
      for (size_t j = 0; j < rows.at(i).size(); ++j) {
        row.push_back(rows.at(i).at(j).integer());
      }
      all.push_back(at::tensor(row, at::kLong));
      if (all.back().sizes() != all.front().sizes()) {
        rows.at(i).fail("as many items as in the first list");
      }
    }
    if (all.empty()) {
      rows.fail("a list of at least one list");
    }
    return at::stack(all);
  }

  static nn::BertCall call_of(const GoldenValue& golden) {
    const at::Tensor attention_mask = table_of(golden.at("attention_mask"));
    return {.token_types = table_of(golden.at("token_type_ids")),
            .key_padding_mask = attention_mask.defined() ? attention_mask == 0 : at::Tensor()};
  }

  void expect(const std::string& name, const at::Tensor& actual, double tolerance) {
    if (const auto expected = tensors_.find(name); expected == tensors_.end()) {
      checker_.fail(name, "the .safetensors file does not have this tensor");
    } else {
      expect_tensor(checker_, name, expected->second, actual, tolerance);
    }
  }

  void check_text(const GoldenValue& golden) {
    const at::NoGradGuard no_gradient;
    nn::BertCall call = call_of(golden);
    call.hidden_states = true;
    std::vector<at::Tensor> queries, keys, weights;
    call.observer = [&](const nn::AttentionView& attention) {
      queries.push_back(attention.query);
      keys.push_back(attention.key);
      weights.push_back(at::softmax(attention.scores(0, attention.query.size(2)), -1));
    };
    const nn::BertOutput output = model_->forward(table_of(golden.at("input_ids")), call);
    const std::string name = golden.at("name").text();
    expect(name + ".hidden", at::stack(output.hidden_states), kHiddenTolerance);
    expect(name + ".last", output.last_hidden_state, kHiddenTolerance);
    expect(name + ".q", at::stack(queries), kAttentionTolerance);
    expect(name + ".k", at::stack(keys), kAttentionTolerance);
    expect(name + ".attn", at::stack(weights), kAttentionTolerance);
  }

  /// The same parameters with one field of the configuration changed.
  void check_variant(const GoldenValue& golden) {
    const at::NoGradGuard no_gradient;
    nlohmann::json config = read_json(folder_ / "config.json");
    config.update(nlohmann::json::parse(golden.at("change").json()));
    nn::BertEncoder variant(nn::bert_config_from(config.dump(), golden.path()));
    nn::load_bert_state(variant, nn::state_dict(*model_), folder_.string());
    variant->eval();
    const GoldenValue input = variant_input();
    const nn::BertOutput output = variant->forward(table_of(input.at("input_ids")), call_of(input));
    expect("variant." + golden.at("name").text() + ".last", output.last_hidden_state, kHiddenTolerance);
  }

  GoldenValue variant_input() const {
    const GoldenValue cases = file_.at("cases");
    for (size_t i = 0; i < cases.size(); ++i) {
      if (cases.at(i).at("name").text() == file_.at("variant_case").text()) {
        return cases.at(i);
      }
    }
    file_.at("variant_case").fail("the name of one of the cases");
  }

  GoldenValue file_;
  Checker& checker_;
  std::filesystem::path folder_;
  nn::BertEncoder model_;
  nn::NamedTensors tensors_;
};

void check_bert_cases(const GoldenValue& file, Checker& checker) {
  BertCases(file, checker).run();
}

[[maybe_unused]] const bool implemented = run_bert_cases.implement(check_bert_cases);

} // namespace
} // namespace mneme::verify
