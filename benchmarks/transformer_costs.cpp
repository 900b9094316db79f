// SPDX-License-Identifier: MIT

/// Time of a forward pass and of generated tokens of a GPT-2 model, for transformer_section.py.
///
/// transformer_costs forward FOLDER TOKENS THREADS    logits of all tokens of one text
/// transformer_costs decode FOLDER TOKENS THREADS     one token after the other, after a text of TOKENS

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

void print(const std::vector<double>& seconds, const at::Tensor& logits) {
  const at::Tensor last = logits[0][-1];
  std::printf(R"({"seconds": %.9f, "logits": [%.6f, %.6f, %.6f, %.6f]})"
              "\n",
              *std::ranges::min_element(seconds), last[0].item<double>(), last[1].item<double>(),
              last[2].item<double>(), last[3].item<double>());
}

} // namespace

int main(int count, char** words) {
  const std::string what = count == 5 ? words[1] : "";
  if (what != "forward" && what != "decode") {
    std::fprintf(stderr, "transformer_costs forward|decode FOLDER TOKENS THREADS\n");
    return 2;
  }
  const int64_t tokens = std::atoll(words[3]);
  mneme::set_threads(std::atoi(words[4]));
  at::set_num_threads(std::atoi(words[4]));
  const torch::NoGradGuard no_gradient;
  const std::unique_ptr<mneme::language::Model> model = mneme::language::read_model(words[2]);
  const at::Tensor ids = (torch::arange(tokens) * 7919).remainder(model->vocab_size()).unsqueeze(0);
  std::vector<double> seconds;
  at::Tensor logits;
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
  }
  print(seconds, logits);
  return 0;
}
