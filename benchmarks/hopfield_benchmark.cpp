// SPDX-License-Identifier: MIT

/// Time and peak memory above the inputs of one implementation of a Hopfield layer at one shape. Each
/// measurement needs a separate process, since peak memory is that of the process. hopfield_section.py runs
/// it.
///
/// hopfield_benchmark SHAPE IMPLEMENTATION PASS THREADS
///   SHAPE           association:HEAD_SIZE:UPDATES:FACTOR   layer with 4 heads and 64 features, 8 batches of
///                                                          1024 state and 1024 stored patterns; FACTOR
///                                                          multiplies the default beta
///                   padding:...                            as above with a key padding mask, on average a
///                                                          third of the patterns of a batch
///                   causal:...                             as above with a causal mask
///                   bias:...                               as above with numbers added to all scores
///                   dropout:...                            as above in training with dropout 0.1
///                   pooling:ROWS:FEATURES:FACTOR           pooling of a bag with one learned state pattern
///                   file:BAG.npy                           pooling of a bag that is read from a file
///   IMPLEMENTATION  mneme | plain (LibTorch, association matrices in memory) | sdpa (LibTorch's
///                   scaled_dot_product_attention) | read (only reads the bag)
///   PASS            forward | backward (forward and backward; gradients of the parameters, and of the inputs
///                   except a bag)

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <malloc.h>
#include <torch/torch.h>

#include "benchmarks/hopfield_peer.h"
#include "benchmarks/peak_memory.h"
#include "mneme/core/cpu.h"
#include "mneme/core/parallel.h"
#include "mneme/data/row_file.h"
#include "mneme/nn/hopfield_pooling.h"

namespace {

using mneme::benchmarks::hopfield_by_sdpa;
using mneme::benchmarks::mask_for_sdpa;
using mneme::nn::Hopfield;
using mneme::nn::HopfieldOptions;

struct Shape {
  bool pooling;
  std::string kind;      ///< first part of SHAPE
  int64_t first, second; ///< head size and updates, or rows and features
  double beta_factor;
  std::shared_ptr<const mneme::data::RowFile> file = {};
};

Shape shape_of(const std::string& text) {
  if (constexpr std::string_view kFile = "file:"; text.starts_with(kFile)) {
    const auto file = std::make_shared<const mneme::data::RowFile>(text.substr(kFile.size()));
    return {.pooling = true,
            .kind = "file",
            .first = file->count(),
            .second = file->size(),
            .beta_factor = 1,
            .file = file};
  }
  std::istringstream in(text);
  std::string kind, first, second, factor;
  std::getline(in, kind, ':') && std::getline(in, first, ':') && std::getline(in, second, ':') &&
      std::getline(in, factor);
  constexpr std::string_view kKinds[] = {"association", "pooling", "padding", "causal", "bias", "dropout"};
  if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds)) {
    throw std::invalid_argument("unknown shape " + text);
  }
  return {kind == "pooling", kind, std::stoll(first), std::stoll(second), std::stod(factor)};
}

/// Convergence threshold that is never reached, so that all updates are computed.
constexpr double kEps = 1e-12;

double dropout_of(const Shape& shape) {
  constexpr double kDropout = 0.1;
  return shape.kind == "dropout" ? kDropout : 0;
}

HopfieldOptions options_of(const Shape& shape, bool streaming) {
  const int64_t features = shape.pooling ? shape.second : 64, head = shape.pooling ? 32 : shape.first;
  return HopfieldOptions(features)
      .num_heads(shape.pooling ? 1 : 4)
      .hidden_size(head)
      .update_steps_max(shape.pooling ? 0 : shape.second)
      .update_steps_eps(kEps)
      .beta(shape.beta_factor / std::sqrt(static_cast<double>(head)))
      .dropout(dropout_of(shape))
      .streaming(streaming);
}

constexpr int64_t kBatches = 8, kLength = 1024;

mneme::nn::HopfieldMasks masks_of(const std::string& kind) {
  if (kind == "padding") {
    const at::Tensor position = at::arange(kLength).unsqueeze(0),
                     lengths = at::linspace(kLength / 3, kLength, kBatches);
    return {.stored_pattern_padding_mask = position >= lengths.unsqueeze(1)};
  }
  if (kind == "causal") {
    return {.association_mask = at::ones({kLength, kLength}, at::kBool).triu(1)};
  }
  return {.association_mask = kind == "bias" ? at::randn({kLength, kLength}) : at::Tensor()};
}

/// Reads the bag once, on all threads.
void read(const at::Tensor& bag) {
  const auto* words = static_cast<const uint64_t*>(bag.const_data_ptr());
  const auto count = static_cast<int64_t>(bag.nbytes() / sizeof(uint64_t));
  constexpr int64_t kBlock = 65536;
  mneme::parallel_for(count, kBlock, [&](int64_t begin, int64_t end) {
    uint64_t sum = 0;
    for (int64_t i = begin; i < end; ++i) {
      sum += words[i];
    }
    volatile uint64_t result = sum;
    (void)result;
  });
}

void read(const mneme::data::RowFile& bag) {
  constexpr int64_t kRowsPerBuffer = 4096, kBuffersPerBlock = 8;
  mneme::parallel_for(bag.count(), kRowsPerBuffer * kBuffersPerBlock, [&](int64_t begin, int64_t end) {
    std::vector<float> buffer(static_cast<size_t>(kRowsPerBuffer * bag.size()));
    for (int64_t row = begin; row < end; row += kRowsPerBuffer) {
      bag.read(row, std::span(buffer).first(
                        static_cast<size_t>(std::min(kRowsPerBuffer, end - row) * bag.size())));
    }
  });
}

/// Returns a function that runs one step of the layer; it owns the inputs.
std::function<void()> prepare_step(const Shape& shape, const std::string& implementation, bool backward) {
  torch::manual_seed(1);
  const HopfieldOptions options = options_of(shape, implementation != "plain");
  const auto finish = [backward](const at::Tensor& output) {
    if (backward) {
      output.sum().backward();
    }
  };
  if (shape.pooling) {
    mneme::nn::HopfieldPooling pooling(options);
    if (shape.file) {
      return [=, file = shape.file]() mutable {
        if (implementation == "read") {
          read(*file);
        } else {
          finish(pooling->forward_from(file));
        }
      };
    }
    const at::Tensor bag = at::randn({1, shape.first, shape.second});
    if (implementation == "read") {
      return [bag] { read(bag); };
    }
    if (implementation == "sdpa") {
      return [=] { finish(hopfield_by_sdpa(pooling->hopfield, bag, pooling->pooling_weights, 0)); };
    }
    return [=]() mutable { finish(pooling->forward(bag)); };
  }
  Hopfield layer(options);
  {
    // Weights with the spread of a trained layer; with the default initialisation, states converge
    // immediately.
    const at::NoGradGuard no_gradient;
    for (const at::Tensor& weights :
         {layer->association_core->in_proj_weight, layer->association_core->out_proj->weight}) {
      torch::nn::init::xavier_normal_(weights, std::sqrt(2.0));
    }
  }
  const auto input = [&] { return at::randn({kBatches, kLength, 64}).requires_grad_(backward); };
  const at::Tensor stored = input(), state = input();
  const mneme::nn::HopfieldMasks masks = masks_of(shape.kind);
  if (implementation == "sdpa") {
    const at::Tensor mask = mask_for_sdpa(masks);
    return [=] { finish(hopfield_by_sdpa(layer, stored, state, shape.second, mask, dropout_of(shape))); };
  }
  return [=]() mutable { finish(layer->forward(stored, state, {}, masks)); };
}

int run(const Shape& shape, const std::string& implementation, bool backward, int threads) {
  mneme::set_threads(threads);
  at::set_num_threads(threads);
  torch::autograd::AutoGradMode with_gradients(backward);
  // Warm-up: libraries, threads and LibTorch's buffers for matrix products are not part of the measured
  // memory.
  const Shape warm_up{.pooling = true, .kind = "pooling", .first = 64, .second = 32, .beta_factor = 1};
  prepare_step(warm_up, implementation, backward)();
  at::mm(at::ones({kLength, 64}), at::ones({64, 64}));

  // Return freed blocks to the system, so that resident memory is memory in use.
  constexpr int kLargeBlock = 1 << 18, kDefaultMax = 1 << 25;
  mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  const std::function<void()> step = prepare_step(shape, implementation, backward);
  const double at_start = mneme::peak_memory();
  step();
  const double memory = mneme::peak_memory() - at_start;
  // The thresholds that the allocator reaches by default after a while, so that blocks are reused.
  mallopt(M_MMAP_THRESHOLD, kDefaultMax);
  mallopt(M_TRIM_THRESHOLD, 2 * kDefaultMax);
  constexpr double kTotalSeconds = 1;
  constexpr size_t kMinRuns = 3, kMaxRuns = 200;
  std::vector<double> seconds;
  for (double total = 0; seconds.size() < kMinRuns || (total < kTotalSeconds && seconds.size() < kMaxRuns);
       total += seconds.back()) {
    const auto begin = std::chrono::steady_clock::now();
    step();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("{\"seconds\": %.9f, \"memory\": %.0f, \"resident\": %.0f, \"cpu\": \"%s\", \"isa\": \"%s\", "
              "\"torch\": \"%s\"}\n",
              seconds[seconds.size() / 2], memory, mneme::peak_memory(), mneme::cpu_model().c_str(),
              mneme::cpu_target().c_str(), TORCH_VERSION);
  return 0;
}

} // namespace

int main(int count, char** arguments) {
  if (count != 5) {
    std::fprintf(stderr, "usage: %s SHAPE mneme|plain|sdpa|read forward|backward THREADS\n", arguments[0]);
    return 2;
  }
  try {
    return run(shape_of(arguments[1]), arguments[2], std::string(arguments[3]) == "backward",
               std::atoi(arguments[4]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
