// SPDX-License-Identifier: MIT

/// Trains HopfieldPooling to classify whether a bag contains an instance similar to a pattern. Only the bags
/// are labelled, not the instances.

#include <cstdio>
#include <utility>

#include <torch/torch.h>

#include "mneme/nn/hopfield_pooling.h"

namespace {

/// Bags of 40 random instances with 16 features. In every second bag, one instance is similar to `pattern`.
std::pair<torch::Tensor, torch::Tensor> bags(int64_t count, const torch::Tensor& pattern) {
  torch::Tensor instances = torch::randn({count, 40, 16});
  const torch::Tensor labels = torch::arange(count).remainder(2);
  for (int64_t bag = 1; bag < count; bag += 2) {
    instances[bag][torch::randint(40, {1}).item<int64_t>()] = pattern + 0.3 * torch::randn({16});
  }
  return {instances, labels.to(torch::kFloat)};
}

} // namespace

int main() {
  torch::manual_seed(7);
  const torch::Tensor pattern = torch::randn({16});
  mneme::nn::HopfieldPooling pooling(mneme::nn::HopfieldOptions(16).hidden_size(8).num_heads(4).beta(1.0));
  torch::nn::Linear output(*pooling->output_size(), 1);
  torch::nn::Sequential model(pooling, output);
  torch::optim::AdamW optimizer(model->parameters(), torch::optim::AdamWOptions(1e-2));

  for (int step = 0; step < 400; ++step) {
    const auto [instances, labels] = bags(64, pattern);
    const torch::Tensor loss =
        torch::binary_cross_entropy_with_logits(model->forward(instances).squeeze(1), labels);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  }

  const auto [instances, labels] = bags(1000, pattern);
  const torch::Tensor correct = (model->forward(instances).squeeze(1) > 0) == (labels > 0);
  // Attention weights: the largest ones show the instances that determine the prediction.
  const torch::Tensor weights = pooling->get_association_matrix(instances); // [bag, head, 1, instance]
  const double accuracy = correct.to(torch::kDouble).mean().item<double>();
  std::printf("accuracy on 1000 new bags: %.1f %%; attention weights per bag: %ld heads x %ld instances\n",
              100 * accuracy, weights.size(1), weights.size(3));
  return accuracy > 0.95 ? 0 : 1;
}
