// SPDX-License-Identifier: MIT

/// Times of linear layers, and of layers that consist of them, with each backend, for linear_section.py. The
/// contenders run in turns in one process, and the fastest call of each counts.
///
/// linear_costs linear ROWS INNER OUTPUTS THREADS
/// linear_costs leap_layer|leap_block TOKENS THREADS

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/torch.h>

#include "mneme/core/cpu.h"
#include "mneme/core/parallel.h"
#include "mneme/nn/leap_block.h"
#include "mneme/nn/multihead_leap.h"
#include "mneme/ops/linear.h"

namespace {

using mneme::ops::LinearBackend;

struct Contender {
  std::string name;
  std::function<void()> call;
  double seconds = 1e300;
};

double seconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void measure_in_turns(std::vector<Contender>& contenders) {
  constexpr double kSeconds = 1.5; // of all calls
  constexpr int kMinRounds = 5, kMaxRounds = 2000;
  const auto one_round = [&] {
    for (Contender& contender : contenders) {
      contender.seconds = std::min(contender.seconds, seconds_of(contender.call));
    }
  };
  double total = 0;
  for (int round = 0; round < kMinRounds || (total < kSeconds && round < kMaxRounds); ++round) {
    total += seconds_of(one_round);
  }
}

std::function<void()> with_backend(LinearBackend backend, std::function<void()> call) {
  return [backend, call = std::move(call)] {
    mneme::ops::set_linear_backend(backend);
    call();
  };
}

/// Forward and backward with both backends.
void add_both(std::vector<Contender>& contenders, const std::string& name,
              const std::function<void()>& call) {
  contenders.push_back({name + "_kernel", with_backend(LinearBackend::kernel, call)});
  contenders.push_back({name + "_libtorch", with_backend(LinearBackend::libtorch, call)});
}

/// oneDNN of LibTorch, for inference. Empty if this LibTorch is built without it.
std::function<void()> onednn(const at::Tensor& x, const at::Tensor& weight) {
  const auto schema = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  if (!schema) {
    return {};
  }
  return [operation = *schema, x, weight] {
    torch::jit::Stack stack = {
        x, weight, c10::IValue(), std::string("none"), c10::List<std::optional<at::Scalar>>(), c10::IValue()};
    operation.callBoxed(stack);
  };
}

std::vector<Contender> linear_contenders(int64_t rows, int64_t inner, int64_t outputs) {
  const at::Tensor x = torch::randn({rows, inner}), weight = torch::randn({outputs, inner}),
                   d_output = torch::randn({rows, outputs});
  std::vector<Contender> contenders;
  add_both(contenders, "forward", [=] {
    const torch::NoGradGuard no_gradient;
    mneme::ops::linear(x, weight);
  });
  if (auto call = onednn(x, weight)) {
    contenders.push_back({"forward_onednn", [=] {
                            const torch::NoGradGuard no_gradient;
                            call();
                          }});
  }
  for (const bool of_weight : {false, true}) {
    add_both(contenders, of_weight ? "weight_gradient" : "input_gradient", [=] {
      const torch::NoGradGuard no_gradient;
      mneme::ops::linear_backward(d_output, x, weight, {!of_weight, of_weight, false});
    });
  }
  return contenders;
}

constexpr int64_t kHidden = 512, kHeads = 8;

/// A layer of LEAP on one sequence: forward without gradients, and a training step of all parameters and the
/// input.
template <class Layer> std::vector<Contender> layer_contenders(Layer layer, int64_t tokens) {
  const at::Tensor x = torch::randn({1, tokens, kHidden}), weights = torch::randn({1, tokens, kHidden});
  std::vector<Contender> contenders;
  add_both(contenders, "forward", [=]() mutable {
    const torch::NoGradGuard no_gradient;
    layer->forward(x);
  });
  add_both(contenders, "training", [=]() mutable {
    layer->zero_grad();
    layer->forward(x.detach().requires_grad_()).backward(weights);
  });
  return contenders;
}

void use_threads(const char* text) {
  const int count = std::atoi(text);
  mneme::set_threads(count);
  at::set_num_threads(count);
}

} // namespace

int main(int count, char** words) {
  const std::string what = count > 1 ? words[1] : "";
  std::vector<Contender> contenders;
  torch::manual_seed(1);
  if (what == "linear" && count == 6) {
    use_threads(words[5]);
    contenders = linear_contenders(std::atoll(words[2]), std::atoll(words[3]), std::atoll(words[4]));
  } else if ((what == "leap_layer" || what == "leap_block") && count == 4) {
    use_threads(words[3]);
    const mneme::nn::MultiheadLeapOptions options(kHidden, kHeads);
    contenders = what == "leap_layer"
                     ? layer_contenders(mneme::nn::MultiheadLeap(options), std::atoll(words[2]))
                     : layer_contenders(mneme::nn::LeapBlock(options), std::atoll(words[2]));
  } else {
    std::fprintf(
        stderr,
        "linear_costs linear ROWS INNER OUTPUTS THREADS, or linear_costs leap_layer|leap_block TOKENS "
        "THREADS\n");
    return 2;
  }
  measure_in_turns(contenders);
  std::printf("{\"cpu\": \"%s\", \"isa\": \"%s\"", mneme::cpu_model().c_str(), mneme::cpu_target().c_str());
  for (const Contender& contender : contenders) {
    std::printf(", \"%s\": %.9f", contender.name.c_str(), contender.seconds);
  }
  std::printf("}\n");
}
