// SPDX-License-Identifier: MIT

/// Trains a small LEAP language model to repeat the letter after a star, and saves it for `mneme inspect`.

#include <cstdio>
#include <fstream>
#include <string>

#include <torch/torch.h>

#include "mneme/nn/leap_folder.h"

namespace {

constexpr int64_t kLetters = 16;

/// Texts such as "kqz*mab?m", as bytes. The letter after the question mark repeats the one after the star.
torch::Tensor random_texts(int64_t count) {
  torch::Tensor ids = torch::randint('a', 'z' + 1, {count, kLetters + 2});
  const torch::Tensor star = torch::randint(kLetters - 1, {count, 1});
  ids.scatter_(1, star, '*');
  ids.select(1, kLetters).fill_('?');
  ids.select(1, kLetters + 1).copy_(ids.gather(1, star + 1).squeeze(1));
  return ids;
}

} // namespace

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "star";
  torch::manual_seed(7);
  mneme::nn::LeapForCausalLM model(mneme::nn::LeapConfig()
                                       .vocab_size(256)
                                       .hidden_size(32)
                                       .num_heads(2)
                                       .num_layers(2)
                                       .max_positions(32)
                                       .windows(std::vector<int64_t>{2, 0}) // per layer: 2 tokens, all tokens
                                       .dropout(0));
  torch::optim::AdamW optimizer(model->parameters(), torch::optim::AdamWOptions(5e-3));
  for (int step = 0; step < 250; ++step) {
    const torch::Tensor ids = random_texts(32), labels = torch::full_like(ids, -100);
    labels.select(1, kLetters + 1).copy_(ids.select(1, kLetters + 1)); // only the last letter has a loss
    optimizer.zero_grad();
    model->forward(ids, {.labels = labels}).loss.backward();
    optimizer.step();
  }
  model->eval();
  const torch::Tensor ids = random_texts(1000),
                      prediction = model->forward(ids).logits.select(1, kLetters).argmax(-1);
  const double accuracy =
      (prediction == ids.select(1, kLetters + 1)).to(torch::kDouble).mean().item<double>();
  std::printf("accuracy on 1000 new texts: %.1f %%\n", 100 * accuracy);
  mneme::nn::write_leap_model(folder, model);
  std::ofstream(folder + "/question.txt") << "quickbrown*foxes?";
  return accuracy > 0.95 ? 0 : 1;
}
