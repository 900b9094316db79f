// SPDX-License-Identifier: MIT

/// Loads the weights of a trained HopfieldPooling of hflayers, and compares its output on one bag with the
/// output in Python.

#include <cstdio>
#include <exception>

#include <torch/torch.h>

#include "mneme/nn/hopfield_pooling.h"
#include "mneme/nn/state_dict.h"

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::printf("usage: load_hflayers WEIGHTS EXAMPLE\n");
    return 2;
  }
  // The options of the layer in Python, which are not in the file; `scaling` is `beta` here.
  mneme::nn::HopfieldOptions options(8);
  options.num_heads(2).update_steps_max(3).update_steps_eps(1e-8).beta(0.9);
  options.compat(true); // computes what hflayers computes, also where that differs from its documentation
  mneme::nn::HopfieldPooling pooling(options);

  const mneme::nn::TensorFile weights = mneme::nn::read_tensor_file(argv[1]); // .pt or .safetensors
  for (const std::string& note : weights.notes) {
    std::printf("%s\n", note.c_str());
  }
  for (const std::string& note : mneme::nn::load_state_dict(*pooling, weights.tensors, argv[1])) {
    std::printf("%s\n", note.c_str());
  }
  pooling->eval(); // no dropout

  const torch::NoGradGuard no_gradient;
  const mneme::nn::NamedTensors example = mneme::nn::read_tensor_file(argv[2]).tensors;
  const torch::Tensor bag = example.at("bag"); // [1, instances, 8]
  const double difference = (pooling->forward(bag) - example.at("output")).abs().max().item<double>();
  const torch::Tensor attention = pooling->get_association_matrix(bag).mean(1).flatten(); // mean over heads
  std::printf("%zu tensors loaded, output as in Python: %s\n", weights.tensors.size(),
              difference < 1e-5 ? "yes" : "no");
  std::printf("instance %ld of %ld has the largest attention weight\n", attention.argmax().item<int64_t>(),
              attention.numel());
  return difference < 1e-5 ? 0 : 1;
} catch (const std::exception& error) { // mneme::Error: what failed, and how to fix it
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
