// SPDX-License-Identifier: MIT

/// Times of layers and separations at random shapes, next to plain LibTorch and chains of
/// scaled_dot_product_attention. survey.py runs it and evaluates the output.
///
/// survey [--seed S] [--minutes M] [--threads 1|2]   measures random cases until the time is over
/// survey --case "KEY=VALUE ..."                     measures one case
///
/// Prints a JSON object per line: the case, the seconds of one call of each implementation, and the largest
/// difference of a result from that of plain LibTorch, relative to the largest absolute value. Seconds are
/// CPU time on one thread, which other programs hardly affect, and elapsed time on several.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include "benchmarks/hopfield_peer.h"
#include "mneme/core/cpu.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/nn/associative_memory.h"
#include "mneme/nn/hopfield_layer.h"
#include "mneme/nn/hopfield_pooling.h"
#include "mneme/nn/multihead_leap.h"
#include "mneme/ops/attention_plan.h"
#include "mneme/ops/original_leap.h"
#include "mneme/ops/separate.h"

namespace {

using mneme::nn::HopfieldOptions;
using Tensors = std::vector<at::Tensor>;

constexpr double kDropout = 0.1;
constexpr int64_t kUntilConvergence = -1;
constexpr double kNeverReached = 1e-12; // convergence threshold: all updates are computed

struct Case {
  std::string layer; ///< hopfield | self | pooling | lookup | static | memory | leap | separate
  int64_t batch = 1, states = 1, stored = 1;
  int64_t features = 1, heads = 1, head_size = 1;
  int64_t updates = 0;       ///< kUntilConvergence: until convergence
  std::string mask = "none"; ///< none | padding | causal | bias; separate: sparsemax | entmax15
  bool dropout = false;
  std::string pass = "forward"; ///< forward | parameters | inputs (backward, gradients of inputs as well)
  std::string type = "float";   ///< float | double
  int64_t threads = 1;
  std::string strategy = "chosen"; ///< chosen | lanes | rows | folded | joined | separate: forced in mneme

  bool backward() const { return pass != "forward"; }
  bool needs_input_gradients() const { return pass == "inputs"; }
  at::ScalarType scalar_type() const { return type == "double" ? at::kDouble : at::kFloat; }
};

/// Calls visit(name, member) for every member.
template <class CaseType, class Visit> void for_each_member(CaseType& c, const Visit& visit) {
  visit("layer", c.layer), visit("batch", c.batch), visit("states", c.states), visit("stored", c.stored);
  visit("features", c.features), visit("heads", c.heads), visit("head_size", c.head_size);
  visit("updates", c.updates), visit("mask", c.mask), visit("dropout", c.dropout), visit("pass", c.pass);
  visit("type", c.type), visit("threads", c.threads), visit("strategy", c.strategy);
}

std::string to_text(const Case& c) {
  std::ostringstream text;
  for_each_member(c, [&](const char* name, const auto& value) {
    text << (text.tellp() > 0 ? " " : "") << name << '=' << value;
  });
  return text.str();
}

Case case_from(const std::string& text) {
  Case c;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    bool is_known = false;
    for_each_member(c, [&](const char* name, auto& value) {
      if (equals != std::string::npos && word.substr(0, equals) == name) {
        std::istringstream in(word.substr(equals + 1));
        is_known = static_cast<bool>(in >> value) && in.peek() == std::istringstream::traits_type::eof();
      }
    });
    if (!is_known) {
      throw std::invalid_argument("--case: cannot read \"" + word + "\"");
    }
  }
  return c;
}

/// Draws a case; the same seed and index give the same case.
class Draw {
public:
  Draw(uint64_t seed, uint64_t index) : random_(mneme::Random(seed).stream(index)) {}

  Case next() {
    Case c;
    c.layer = one_of({"hopfield", "hopfield", "hopfield", "self", "self", "pooling", "pooling", "pooling",
                      "lookup", "lookup", "lookup", "memory", "memory", "static", "leap", "separate"});
    c.threads = 1 + static_cast<int64_t>(random_.below(2));
    c.type = one_of({"float", "float", "double"});
    c.pass = one_of({"forward", "parameters", "inputs"});
    c.features = log_uniform(4, 784);
    c.stored = log_uniform(1, 16384);
    if (c.layer == "separate") {
      c.batch = log_uniform(1, 65536);
      c.mask = one_of({"sparsemax", "entmax15"});
      c.features = 1;
      c.pass = c.backward() ? "inputs" : "forward";
      return shrunk(c);
    }
    c.states = c.layer == "pooling" ? log_uniform(1, 8) : log_uniform(1, 4096);
    c.batch = c.layer == "memory" ? 1 : log_uniform(1, 1024);
    if (c.layer == "static" || c.layer == "memory") { // without parameters
      c.head_size = c.features;
      c.pass = c.backward() ? "inputs" : "forward";
    } else if (c.layer == "leap") {
      c.heads = log_uniform(1, 8);
      c.head_size = log_uniform(4, 96);
      c.features = c.heads * c.head_size;
    } else {
      c.heads = log_uniform(1, 16);
      c.head_size = log_uniform(4, 256);
    }
    if (c.layer == "self" || c.layer == "leap") {
      c.states = c.stored;
    }
    if (c.layer != "leap" && c.layer != "memory") {
      c.updates = std::array<int64_t, 6>{0, 0, 0, 1, 3, kUntilConvergence}[random_.below(6)];
      c.mask =
          one_of({"none", "none", "none", "none", "padding", "bias", c.layer == "self" ? "causal" : "none"});
      c.dropout = c.layer != "static" && random_.below(5) == 0;
    }
    if (c.layer == "lookup" && c.mask == "padding") { // stored patterns without padding
      c.mask = "none";
    }
    if (c.layer == "memory") {
      c.updates = kUntilConvergence;
      c.pass = "forward";
    }
    return shrunk(c);
  }

private:
  std::string one_of(std::initializer_list<const char*> choices) {
    return choices.begin()[random_.below(choices.size())];
  }

  int64_t log_uniform(int64_t min, int64_t max) {
    const double low = std::log(static_cast<double>(min)), high = std::log(static_cast<double>(max) + 1);
    return std::clamp(static_cast<int64_t>(std::exp(low + random_.uniform() * (high - low))), min, max);
  }

  /// Halves the longest length until a call needs no more multiply-adds than a random number of them.
  Case shrunk(Case c) {
    const auto max_multiply_adds = static_cast<double>(log_uniform(100'000, 300'000'000));
    constexpr double kMaxElements = 4e6, kMaxWeights = 1e7,
                     kPerScore = 20; // multiply-adds per separated score
    for (;;) {
      const auto n = static_cast<double>(c.batch), l = static_cast<double>(c.states),
                 s = static_cast<double>(c.stored), e = static_cast<double>(c.features),
                 space = static_cast<double>(c.heads * c.head_size);
      const double steps = c.updates == kUntilConvergence ? 6 : static_cast<double>(c.updates + 1);
      const double weights = c.layer == "separate" ? n * s : n * static_cast<double>(c.heads) * l * s;
      const double attention = c.layer == "separate"
                                   ? n * s * kPerScore
                                   : (c.layer == "leap" ? n * l : n * l * s) * 2 * space * steps;
      const double projections = c.layer == "separate" ? 0 : n * (2 * l + 2 * s) * e * space;
      const double inputs = n * (l + s) * std::max(e, space);
      if ((attention + projections) * (c.backward() ? 3 : 1) <= max_multiply_adds && inputs <= kMaxElements &&
          weights * steps <= kMaxWeights) {
        return c;
      }
      int64_t& longest = c.batch >= std::max(c.states, c.stored) ? c.batch
                         : c.states >= c.stored                  ? c.states
                                                                 : c.stored;
      const bool same_lengths = c.layer == "self" || c.layer == "leap";
      if (longest == 1) {
        return c;
      }
      longest /= 2;
      if (same_lengths) {
        c.states = c.stored = std::min(c.states, c.stored);
      }
    }
  }

  mneme::Random random_;
};

/// One implementation: computes the outputs and, with a backward pass, the gradients.
struct Implementation {
  const char* name;
  std::function<Tensors()> call;
};

struct Contest {
  std::vector<Implementation> implementations; ///< mneme, plain, and if it applies sdpa
  std::function<Tensors()> exact;              ///< mneme without dropout, to compare results with plain
  std::function<Tensors()> exact_peer;
};

/// `output`, and its gradients with respect to `inputs`.
using Function = std::function<at::Tensor()>;
std::function<Tensors()> with_gradients(const Case& c, const Function& function, const Tensors& inputs) {
  if (!c.backward()) {
    return [function] {
      const at::NoGradGuard no_gradient;
      return Tensors{function()};
    };
  }
  at::Tensor cotangent;
  {
    const at::NoGradGuard no_gradient;
    const at::Tensor output = function(); // draws random numbers if it uses dropout
    torch::manual_seed(3);
    cotangent = at::randn_like(output);
  }
  return [function, inputs, cotangent] {
    const at::Tensor output = function();
    Tensors results = torch::autograd::grad({output}, inputs, {cotangent}, {}, false, /*allow_unused=*/true);
    results.push_back(output.detach());
    return results;
  };
}

at::Tensor random_input(const Case& c, at::IntArrayRef sizes) {
  return at::randn(sizes, c.scalar_type()).requires_grad_(c.needs_input_gradients());
}

mneme::nn::HopfieldMasks masks_of(const Case& c) {
  if (c.mask == "padding") {
    const at::Tensor lengths = at::linspace(static_cast<double>(c.stored) / 3, c.stored, c.batch).ceil();
    return {.stored_pattern_padding_mask = at::arange(c.stored).unsqueeze(0) >= lengths.unsqueeze(1)};
  }
  if (c.mask == "causal") {
    return {.association_mask = at::ones({c.states, c.stored}, at::kBool).triu(1)};
  }
  return {.association_mask =
              c.mask == "bias" ? at::randn({c.states, c.stored}, c.scalar_type()) : at::Tensor()};
}

/// softmax(beta query . key^T, masked), all weights in memory. `mask` is that of
/// scaled_dot_product_attention.
at::Tensor plain_weights(const at::Tensor& query, const at::Tensor& key, const at::Tensor& mask,
                         double beta) {
  at::Tensor scores = at::matmul(query * beta, key.transpose(-1, -2));
  if (mask.defined()) {
    scores = mask.scalar_type() == at::kBool
                 ? scores.masked_fill(mask.logical_not(), -std::numeric_limits<double>::infinity())
                 : scores + mask;
  }
  return at::softmax(scores, -1);
}

at::Tensor plain_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                           const at::Tensor& mask, double dropout, double beta) {
  at::Tensor weights = plain_weights(query, key, mask, beta);
  if (dropout > 0) {
    weights = at::dropout(weights, dropout, true);
  }
  return at::matmul(weights, value);
}

at::Tensor sdpa(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                const at::Tensor& mask, double dropout, double beta) {
  return at::scaled_dot_product_attention(
      query, key, value, mask.defined() ? std::optional(mask) : std::nullopt, dropout, false, beta);
}

using Attention = decltype(&sdpa);

HopfieldOptions options_of(const Case& c) {
  return HopfieldOptions(c.features)
      .num_heads(c.heads)
      .hidden_size(c.head_size)
      .update_steps_max(c.updates == kUntilConvergence
                            ? std::nullopt
                            : std::optional(mneme::nn::PerHead<int64_t>(c.updates)))
      .update_steps_eps(c.updates == kUntilConvergence ? 1e-4 : kNeverReached)
      .dropout(c.dropout ? kDropout : 0);
}

int64_t num_updates(const Case& c, const mneme::nn::HopfieldRetrieval& retrieval) {
  return c.updates == kUntilConvergence ? std::ranges::max(retrieval.updates) : c.updates;
}

/// Layers with a Hopfield layer inside. forward(hopfield masks) is mneme; the peers compute the same from
/// `stored` and `state`, both batch first.
struct HopfieldContest {
  const Case& c;
  mneme::nn::Hopfield layer;
  torch::nn::Module& module;
  at::Tensor stored, state;
  std::function<at::Tensor(const mneme::nn::HopfieldMasks&)> forward;
  std::function<at::Tensor(const at::Tensor&)> reshape; ///< of a peer's output
  Tensors inputs;                                       ///< differentiated, besides the parameters

  Contest build(int64_t updates) {
    const mneme::nn::HopfieldMasks masks = masks_of(c);
    const at::Tensor mask = mneme::benchmarks::mask_for_sdpa(masks);
    const auto peer = [c = c, layer = layer, stored = stored, state = state, reshape = reshape, mask,
                       updates](Attention attention, double dropout) {
      return reshape(mneme::benchmarks::hopfield_by(
          layer, stored, state, updates,
          [&](const at::Tensor& q, const at::Tensor& k, double beta) {
            return attention(q, k, k, mask, 0, beta);
          },
          [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double beta) {
            return attention(q, k, v, mask, dropout, beta);
          }));
    };
    Tensors differentiated = module.parameters();
    differentiated.insert(differentiated.end(), inputs.begin(), inputs.end());
    const double dropout = c.dropout ? kDropout : 0;
    const auto ours = [forward = forward, masks] { return forward(masks); };
    const auto in_eval_mode = [layer = layer](const std::function<Tensors()>& call) {
      return [layer, call]() mutable {
        layer->eval();
        Tensors results = call();
        layer->train();
        return results;
      };
    };
    return {
        .implementations = {{"mneme", with_gradients(c, ours, differentiated)},
                            {"plain", with_gradients(
                                          c, [=] { return peer(plain_attention, dropout); }, differentiated)},
                            {"sdpa", with_gradients(
                                         c, [=] { return peer(sdpa, dropout); }, differentiated)}},
        .exact = in_eval_mode(with_gradients(c, ours, differentiated)),
        .exact_peer = with_gradients(
            c, [=] { return peer(plain_attention, 0); }, differentiated)};
  }
};

at::Tensor unchanged(const at::Tensor& output) {
  return output;
}

Tensors if_differentiated(const Case& c, const Tensors& inputs) {
  return c.needs_input_gradients() ? inputs : Tensors{};
}

Contest hopfield_contest(const Case& c) {
  mneme::nn::Hopfield layer(options_of(c));
  layer->to(c.scalar_type());
  const at::Tensor stored = random_input(c, {c.batch, c.stored, c.features}),
                   state = c.layer == "self" ? stored : random_input(c, {c.batch, c.states, c.features});
  return HopfieldContest{
      .c = c,
      .layer = layer,
      .module = *layer,
      .stored = stored,
      .state = state,
      .forward = [=](const auto& masks) mutable { return layer->forward(stored, state, {}, masks); },
      .reshape = unchanged,
      .inputs = if_differentiated(c, c.layer == "self" ? Tensors{stored} : Tensors{stored, state})}
      .build(num_updates(c, layer->retrieve(stored, state, {}, masks_of(c))));
}

Contest pooling_contest(const Case& c) {
  mneme::nn::HopfieldPooling layer(mneme::nn::HopfieldPoolingOptions(options_of(c)).quantity(c.states));
  layer->to(c.scalar_type());
  const at::Tensor stored = random_input(c, {c.batch, c.stored, c.features});
  return HopfieldContest{
      .c = c,
      .layer = layer->hopfield,
      .module = *layer,
      .stored = stored,
      .state = layer->pooling_weights,
      .forward = [=](const auto& masks) mutable { return layer->forward(stored, {}, masks); },
      .reshape = [](const at::Tensor& output) { return output.flatten(1); },
      .inputs = if_differentiated(c, {stored})}
      .build(num_updates(c, layer->retrieve(stored, {}, masks_of(c))));
}

/// The peers fold the batch into the states, unless a mask differs between states.
Contest lookup_contest(const Case& c) {
  mneme::nn::HopfieldLayer layer(mneme::nn::HopfieldLayerOptions(options_of(c)).quantity(c.stored));
  layer->to(c.scalar_type());
  const at::Tensor state = random_input(c, {c.batch, c.states, c.features});
  const bool folds = c.mask == "none";
  return HopfieldContest{.c = c,
                         .layer = layer->hopfield,
                         .module = *layer,
                         .stored = layer->lookup_weights,
                         .state = folds ? state.view({1, c.batch * c.states, c.features}) : state,
                         .forward = [=](const auto& masks) mutable { return layer->forward(state, masks); },
                         .reshape = [sizes = std::vector{c.batch, c.states, c.features}](
                                        const at::Tensor& output) { return output.view(sizes); },
                         .inputs = if_differentiated(c, {state})}
      .build(num_updates(c, layer->retrieve(state, masks_of(c))));
}

/// A layer without parameters; the peers have one head.
Contest static_contest(const Case& c) {
  HopfieldOptions options = HopfieldOptions::memory(1 / std::sqrt(static_cast<double>(c.features)));
  if (c.updates != kUntilConvergence) {
    options.update_steps_max(mneme::nn::PerHead<int64_t>(c.updates)).update_steps_eps(kNeverReached);
  }
  mneme::nn::Hopfield layer(options);
  const at::Tensor stored = random_input(c, {c.batch, c.stored, c.features}),
                   state = random_input(c, {c.batch, c.states, c.features});
  const mneme::nn::HopfieldMasks masks = masks_of(c);
  const at::Tensor mask = mneme::benchmarks::mask_for_sdpa(masks);
  const int64_t updates = num_updates(c, layer->retrieve(stored, state, {}, masks));
  const double beta = layer->scaling().of(0);
  const auto peer = [=](Attention attention) {
    const at::Tensor key = stored.unsqueeze(1);
    at::Tensor query = state.unsqueeze(1);
    for (int64_t step = 0; step <= updates; ++step) {
      query = attention(query, key, key, mask, 0, beta);
    }
    return query.squeeze(1);
  };
  const Tensors differentiated = {stored, state};
  const auto ours = with_gradients(
      c, [=]() mutable { return layer->forward(stored, state, {}, masks); }, differentiated);
  const auto plain = with_gradients(
      c, [=] { return peer(plain_attention); }, differentiated);
  return {.implementations = {{"mneme", ours},
                              {"plain", plain},
                              {"sdpa", with_gradients(
                                           c, [=] { return peer(sdpa); }, differentiated)}},
          .exact = ours,
          .exact_peer = plain};
}

/// Retrieval until convergence, with energies. A peer updates all states until the last one has converged.
Contest memory_contest(const Case& c) {
  const double beta = 4 / std::sqrt(static_cast<double>(c.features));
  mneme::nn::AssociativeMemory memory{mneme::nn::AssociativeMemoryOptions(beta)};
  const at::Tensor stored = at::randn({c.stored, c.features}, c.scalar_type());
  const at::Tensor states = stored.index_select(0, at::arange(c.states) % c.stored) +
                            0.5 * at::randn({c.states, c.features}, c.scalar_type());
  memory.store(stored);
  const auto peer = [=](Attention attention) {
    const at::Tensor key = stored.unsqueeze(0).unsqueeze(0);
    at::Tensor state = states.unsqueeze(0).unsqueeze(0);
    for (int step = 0; step < mneme::nn::AssociativeMemoryOptions().update_steps_max(); ++step) {
      const at::Tensor next = attention(state, key, key, {}, 0, beta);
      const bool has_converged = ((next - state).abs() <= 1e-4).all().item<bool>();
      state = next;
      if (has_converged) {
        break;
      }
    }
    state = state.view(states.sizes());
    const at::Tensor energy =
        state.square().sum(-1) / 2 - at::logsumexp(at::matmul(state * beta, stored.t()), -1) / beta +
        (std::log(static_cast<double>(c.stored)) / beta + stored.square().sum(-1).amax() / 2);
    return Tensors{state, energy};
  };
  const auto without_gradient = [](auto call) {
    return [call] {
      const at::NoGradGuard no_gradient;
      return call();
    };
  };
  const auto ours = without_gradient([=] {
    const mneme::nn::MemoryRetrieval result = memory.retrieve(states);
    return Tensors{result.state, result.energy};
  });
  const auto plain = without_gradient([=] { return peer(plain_attention); });
  return {.implementations = {{"mneme", ours}, {"plain", plain}, {"sdpa", without_gradient([=] {
                                                                    return peer(sdpa);
                                                                  })}},
          .exact = ours,
          .exact_peer = plain};
}

/// The peer is the published code, with one matrix product for all projections.
Contest leap_contest(const Case& c) {
  mneme::nn::MultiheadLeap layer(mneme::nn::MultiheadLeapOptions(c.features, c.heads).dropout(0));
  layer->to(c.scalar_type());
  const at::Tensor x = random_input(c, {c.batch, c.states, c.features});
  Tensors differentiated = layer->parameters();
  if (c.needs_input_gradients()) {
    differentiated.push_back(x);
  }
  const auto ours = with_gradients(
      c, [=]() mutable { return layer->forward(x); }, differentiated);
  const auto plain = with_gradients(
      c,
      [=]() mutable {
        const Tensors p =
            at::linear(x, layer->projections->weight).unflatten(-1, {4, c.heads, c.head_size}).unbind(2);
        return mneme::ops::original_leap(p[0], p[1], p[2], p[3], 0).flatten(2);
      },
      differentiated);
  return {.implementations = {{"mneme", ours}, {"plain", plain}}, .exact = ours, .exact_peer = plain};
}

/// Weights by sorting each row; autograd differentiates the threshold through the prefix sums.
at::Tensor plain_separation(const at::Tensor& scores, bool is_sparsemax) {
  const at::Tensor z = is_sparsemax ? scores - scores.amax(-1, true) : (scores - scores.amax(-1, true)) / 2;
  const at::Tensor sorted = std::get<0>(z.sort(-1, true)), count = at::arange(1, z.size(-1) + 1, z.options());
  const at::Tensor sum = sorted.cumsum(-1);
  const at::Tensor mean = sum / count;
  const at::Tensor threshold =
      is_sparsemax ? (sum - 1) / count
                   : mean - ((1 - (sorted.square().cumsum(-1) - mean * sum)) / count).clamp_min(1e-12).sqrt();
  const at::Tensor support = (threshold.detach() < sorted.detach()).sum(-1, true);
  const at::Tensor weights = at::relu(z - threshold.gather(-1, support - 1));
  return is_sparsemax ? weights : weights.square();
}

Contest separate_contest(const Case& c) {
  const at::Tensor scores = random_input(c, {c.batch, c.stored});
  const bool is_sparsemax = c.mask == "sparsemax";
  const auto ours =
      with_gradients(c,
                     [=] {
                       return mneme::ops::separate(scores, is_sparsemax ? mneme::ops::Separation::sparsemax
                                                                        : mneme::ops::Separation::entmax15);
                     },
                     {scores});
  const auto plain = with_gradients(c, [=] { return plain_separation(scores, is_sparsemax); }, {scores});
  return {.implementations = {{"mneme", ours}, {"plain", plain}}, .exact = ours, .exact_peer = plain};
}

Contest contest_of(const Case& c) {
  torch::manual_seed(1);
  if (c.layer == "hopfield" || c.layer == "self") {
    return hopfield_contest(c);
  }
  if (c.layer == "pooling") {
    return pooling_contest(c);
  }
  if (c.layer == "lookup") {
    return lookup_contest(c);
  }
  if (c.layer == "static") {
    return static_contest(c);
  }
  if (c.layer == "memory") {
    return memory_contest(c);
  }
  if (c.layer == "leap") {
    return leap_contest(c);
  }
  if (c.layer == "separate") {
    return separate_contest(c);
  }
  throw std::invalid_argument("--case: there is no layer \"" + c.layer + "\"");
}

/// Largest difference of each pair of results relative to its largest absolute value; results of both that
/// are far smaller than all others count as equal.
double relative_difference(const Tensors& ours, const Tensors& peers) {
  double scale = 0, difference = 0;
  std::vector<double> differences, scales;
  for (size_t i = 0; i < ours.size(); ++i) {
    if (!ours[i].defined() || !peers[i].defined() || ours[i].numel() == 0) {
      continue;
    }
    const at::Tensor a = ours[i].to(at::kDouble).flatten(), b = peers[i].to(at::kDouble).flatten();
    differences.push_back((a - b).abs().max().item<double>());
    scales.push_back(b.abs().max().item<double>());
    scale = std::max(scale, scales.back());
  }
  constexpr double kNegligible = 1e-3; // relative to the largest result: rounding errors of sums that cancel
  for (size_t i = 0; i < differences.size(); ++i) {
    difference = std::max(difference, differences[i] / std::max({scales[i], kNegligible * scale, 1e-30}));
  }
  return difference;
}

/// Seconds of the CPU time of this thread, or of elapsed time.
double now(bool of_thread) {
  timespec time{};
  clock_gettime(of_thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double seconds_of(const std::function<Tensors()>& call, int64_t count) {
  const bool of_thread = at::get_num_threads() == 1;
  const double begin = now(of_thread);
  for (int64_t i = 0; i < count; ++i) {
    call();
  }
  return (now(of_thread) - begin) / static_cast<double>(count);
}

/// The fastest turn of each implementation; turns alternate.
std::vector<double> fastest_turns(const Contest& contest, double budget) {
  constexpr double kTurn = 1e-3; // seconds of the calls that are timed together
  constexpr double kMinTurns = 4, kMaxTurns = 40;
  std::vector<double> best;
  std::vector<int64_t> calls;
  double round = 0;
  for (const Implementation& implementation : contest.implementations) {
    seconds_of(implementation.call, 1);
    best.push_back(seconds_of(implementation.call, 1));
    calls.push_back(std::clamp<int64_t>(static_cast<int64_t>(kTurn / best.back()), 1, 1000));
    round += best.back() * static_cast<double>(calls.back());
  }
  const auto turns = static_cast<int64_t>(std::clamp(budget / round, kMinTurns, kMaxTurns));
  for (int64_t turn = 0; turn < turns; ++turn) {
    for (size_t i = 0; i < best.size(); ++i) {
      best[i] = std::min(best[i], seconds_of(contest.implementations[i].call, calls[i]));
    }
  }
  return best;
}

/// Seconds of each implementation, mneme first. A case in which mneme is slower is measured once more, for
/// longer, because a single disturbance of a few turns looks the same; the faster turns of both count.
std::vector<double> measure(const Contest& contest, double budget) {
  constexpr double kLonger = 4;
  std::vector<double> best = fastest_turns(contest, budget);
  if (best[0] > *std::min_element(best.begin() + 1, best.end())) {
    const std::vector<double> again = fastest_turns(contest, kLonger * budget);
    for (size_t i = 0; i < best.size(); ++i) {
      best[i] = std::min(best[i], again[i]);
    }
  }
  return best;
}

std::unique_ptr<mneme::ops::ForcedStrategy> forced_by(const Case& c) {
  using mneme::ops::AttentionStrategy;
  using mneme::ops::ForcedStrategy;
  if (c.strategy == "chosen") {
    return nullptr;
  }
  if (c.strategy == "lanes" || c.strategy == "rows") {
    return std::make_unique<ForcedStrategy>(c.strategy == "lanes" ? AttentionStrategy::lanes
                                                                  : AttentionStrategy::rows);
  }
  if (c.strategy != "folded" && c.strategy != "joined" && c.strategy != "separate") {
    throw std::invalid_argument("--case: there is no strategy \"" + c.strategy + "\"");
  }
  return std::make_unique<ForcedStrategy>(c.strategy == "folded", c.strategy == "joined");
}

void print_measurement(const Case& c, double budget) {
  const auto forced = forced_by(c);
  mneme::set_threads(static_cast<int>(c.threads));
  at::set_num_threads(static_cast<int>(c.threads));
  const Contest contest = contest_of(c);
  const double difference = relative_difference(contest.exact(), contest.exact_peer());
  const std::vector<double> seconds = measure(contest, budget);
  std::printf("{\"case\": \"%s\", \"difference\": %.3g, \"seconds\": {", to_text(c).c_str(), difference);
  for (size_t i = 0; i < seconds.size(); ++i) {
    std::printf("%s\"%s\": %.9f", i == 0 ? "" : ", ", contest.implementations[i].name, seconds[i]);
  }
  std::printf("}, \"cpu\": \"%s\", \"isa\": \"%s\", \"torch\": \"%s\"}\n", mneme::cpu_model().c_str(),
              mneme::cpu_target().c_str(), TORCH_VERSION);
  std::fflush(stdout);
}

int run(const std::vector<std::string>& arguments) {
  constexpr double kSecondsPerCase = 0.15, kSecondsOfOneCase = 2;
  uint64_t seed = 1;
  double minutes = 5;
  int64_t threads = 0; // 0: random
  for (size_t i = 0; i < arguments.size(); i += 2) {
    if (i + 1 == arguments.size()) {
      throw std::invalid_argument(arguments[i] + " needs a value");
    }
    const std::string& value = arguments[i + 1];
    if (arguments[i] == "--case") {
      print_measurement(case_from(value), kSecondsOfOneCase);
      return 0;
    }
    if (arguments[i] == "--seed") {
      seed = std::stoull(value);
    } else if (arguments[i] == "--minutes") {
      minutes = std::stod(value);
    } else if (arguments[i] == "--threads") {
      threads = std::stoll(value);
    } else {
      throw std::invalid_argument("unknown option " + arguments[i]);
    }
  }
  const auto begin = std::chrono::steady_clock::now();
  for (uint64_t index = 0;
       std::chrono::steady_clock::now() - begin < std::chrono::duration<double>(60 * minutes); ++index) {
    Case drawn = Draw(seed, index).next();
    drawn.threads = threads > 0 ? threads : drawn.threads;
    print_measurement(drawn, kSecondsPerCase);
  }
  return 0;
}

} // namespace

int main(int count, char** arguments) {
  try {
    return run({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    std::fprintf(stderr,
                 "survey: %s\nusage: survey [--seed S] [--minutes M] [--threads 1|2] | survey --case "
                 "\"KEY=VALUE ...\"\n",
                 error.what());
    return 2;
  }
}
