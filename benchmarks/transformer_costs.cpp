// SPDX-License-Identifier: MIT

/// Time of a forward pass and of generated tokens of a GPT-2 model, for transformer_section.py.
///
/// transformer_costs forward FOLDER TOKENS THREADS [int8]    logits of all tokens of one text
/// transformer_costs decode FOLDER TOKENS THREADS [int8]     one token after the other, after TOKENS tokens
///
/// With int8, the model has int8 weights instead of float32 ones.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include "mneme/core/parallel.h"
#include "mneme/language/model.h"

namespace {

constexpr size_t kMaxCalls = 20; // as in transformer_peer.py
constexpr double kSeconds = 4;
constexpr int kGenerated = 24;

double seconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Bytes that a generated token reads: all weights but the table of positions (that of words is also the
/// matrix of the logits), and the state.
int64_t bytes_of_token(mneme::language::Model& model, const mneme::language::ModelState& state) {
  int64_t bytes = 0;
  for (const auto& parameter : model.module().named_parameters()) {
    bytes += parameter.key().ends_with("wpe.weight") ? 0 : static_cast<int64_t>(parameter.value().nbytes());
  }
  for (const auto& [name, tensor] : state.to_file().tensors) {
    bytes += static_cast<int64_t>(tensor.nbytes());
  }
  return bytes;
}

void print(const std::vector<double>& seconds, const at::Tensor& logits, int64_t bytes) {
  const at::Tensor last = logits[0][-1];
  std::printf(R"({"seconds": %.9f, "bytes": %lld, "logits": [%.6f, %.6f, %.6f, %.6f]})"
              "\n",
              *std::ranges::min_element(seconds), static_cast<long long>(bytes), last[0].item<double>(),
              last[1].item<double>(), last[2].item<double>(), last[3].item<double>());
}

} // namespace

int main(int count, char** words) {
  const std::string what = count == 5 || count == 6 ? words[1] : "", format = count == 6 ? words[5] : "int8";
  if ((what != "forward" && what != "decode") || format != "int8") {
    std::fprintf(stderr, "transformer_costs forward|decode FOLDER TOKENS THREADS [int8]\n");
    return 2;
  }
  const int64_t tokens = std::atoll(words[3]);
  mneme::set_threads(std::atoi(words[4]));
  at::set_num_threads(std::atoi(words[4]));
  const torch::NoGradGuard no_gradient;
  const std::unique_ptr<mneme::language::Model> model = mneme::language::read_model(
      words[2], nullptr, count == 6 ? mneme::language::Weights::int8 : mneme::language::Weights::float32);
  const at::Tensor ids = (torch::arange(tokens) * 7919).remainder(model->vocab_size()).unsqueeze(0);
  std::vector<double> seconds;
  at::Tensor logits;
  int64_t bytes = 0;
  if (what == "forward") {
    model->logits(ids);
    while (seconds.size() < kMaxCalls &&
           (seconds.size() < 3 || std::accumulate(seconds.begin(), seconds.end(), 0.0) < kSeconds)) {
      seconds.push_back(seconds_of([&] { logits = model->logits(ids); }));
    }
  } else {
    const std::unique_ptr<mneme::language::ModelState> state = model->start(1);
    logits = model->step(ids, *state);
    for (int64_t i = 0; i < kGenerated; ++i) {
      const at::Tensor token = torch::full({1, 1}, (tokens + i) * 7919 % model->vocab_size(), at::kLong);
      seconds.push_back(seconds_of([&] { logits = model->step(token, *state); }));
    }
    bytes = bytes_of_token(*model, *state);
  }
  print(seconds, logits, bytes);
  return 0;
}
