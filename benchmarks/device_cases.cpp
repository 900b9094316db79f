// SPDX-License-Identifier: MIT

#include "benchmarks/device_cases.h"

#include <cmath>

#include "benchmarks/hopfield_peer.h"
#include "mneme/nn/hopfield_pooling.h"
#include "mneme/nn/multihead_leap.h"
#include "mneme/ops/associate.h"
#include "mneme/ops/associate_normed.h"
#include "mneme/ops/association_change.h"
#include "mneme/ops/association_dropout.h"
#include "mneme/ops/encode.h"
#include "mneme/ops/leap.h"
#include "mneme/ops/matrix_leap.h"
#include "mneme/ops/original_leap.h"
#include "mneme/ops/separate.h"

namespace mneme::benchmarks {
namespace {

constexpr double kDropout = 0.1;

std::string joined(std::initializer_list<int64_t> sizes) {
  std::string text;
  for (const int64_t size : sizes) {
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  }
  return text;
}

/// Work of attention over `batches`; `pairs` is the total number of unmasked pairs of a query and a stored
/// pattern.
Work attention_work(int64_t batches, int64_t queries, int64_t stored, int64_t size, int64_t value_size,
                    int64_t pairs) {
  const int64_t inputs = batches * (queries * size + stored * (size + value_size)),
                outputs = batches * queries * value_size;
  return {.elements = inputs + outputs,
          .gradient_elements = inputs + outputs,
          .multiply_adds = pairs * (size + value_size),
          .backward_multiply_adds = pairs * 2 * (size + value_size)};
}

at::Tensor causal_mask(int64_t length, at::Device device) {
  return at::ones({length, length}, at::device(device).dtype(at::kBool)).triu(1);
}

/// Key padding mask with lengths between a third and all of the patterns.
at::Tensor padding_mask(int64_t batches, int64_t length, at::Device device) {
  const at::Tensor lengths = at::linspace(length / 3, length, batches, at::device(device));
  return at::arange(length, at::device(device)).unsqueeze(0) >= lengths.unsqueeze(1);
}

enum class Mask { none, padding, causal, bias, dropout };

std::string named(const std::string& op, Mask mask) {
  switch (mask) {
  case Mask::none:
    return op;
  case Mask::padding:
    return op + ", key padding mask";
  case Mask::causal:
    return op + ", causal mask";
  case Mask::bias:
    return op + ", attention bias";
  case Mask::dropout:
    return op + ", dropout";
  }
  return op;
}

int64_t unmasked_pairs(Mask mask, int64_t batches, int64_t length) {
  switch (mask) {
  case Mask::padding:
    return batches * length * (length / 3 + length) / 2;
  case Mask::causal:
    return batches * length * (length + 1) / 2;
  default:
    return batches * length * length;
  }
}

int64_t mask_bytes(Mask mask, int64_t batches, int64_t length) {
  constexpr int64_t kBytesOfFloat = 4;
  if (mask == Mask::padding) {
    return batches * length;
  }
  return mask == Mask::bias ? length * length * kBytesOfFloat : 0;
}

/// Self-attention of `batches` sequences with `heads` heads.
Case associate_case(Mask mask, int64_t batches, int64_t heads, int64_t length, int64_t size) {
  const int64_t all = batches * heads;
  const auto inputs = [=](const Setting& setting) {
    return std::vector{setting.input({all, length, size}), setting.input({all, length, size}),
                       setting.input({all, length, size})};
  };
  const auto ours = [=](const Setting& setting) {
    const std::vector<at::Tensor> x = inputs(setting);
    ops::AssociateOptions options;
    if (mask == Mask::padding) {
      options.key_padding_mask = padding_mask(batches, length, setting.device);
    } else if (mask == Mask::causal) {
      options.attention_mask = causal_mask(length, setting.device);
    } else if (mask == Mask::bias) {
      options.attention_mask = at::randn({length, length}, setting.options());
    } else if (mask == Mask::dropout) {
      options.dropout = kDropout;
      options.dropout_seed = 1;
    }
    return Call{x, [x, options] { return ops::associate(x[0], x[1], x[2], options); }};
  };
  const auto sdpa = [=](const Setting& setting) {
    const std::vector<at::Tensor> x = inputs(setting);
    at::Tensor attention_mask;
    if (mask == Mask::padding) {
      attention_mask = padding_mask(batches, length, setting.device).logical_not().unsqueeze(1).unsqueeze(1);
    } else if (mask == Mask::bias) {
      attention_mask = at::randn({length, length}, setting.options());
    }
    return Call{x, [=] {
                  const auto split = [&](const at::Tensor& t) { return t.unflatten(0, {batches, heads}); };
                  return at::scaled_dot_product_attention(
                      split(x[0]), split(x[1]), split(x[2]),
                      attention_mask.defined() ? std::optional(attention_mask) : std::nullopt,
                      mask == Mask::dropout ? kDropout : 0, mask == Mask::causal);
                }};
  };
  Work work = attention_work(all, length, length, size, size, unmasked_pairs(mask, all, length));
  work.mask_bytes = mask_bytes(mask, batches, length);
  return {.part = "associate",
          .op = named("associate", mask),
          .shape = joined({batches, length, length, size}) + ", " + std::to_string(heads) + " heads",
          .work = work,
          .contenders = {{"mneme", ours}, {"sdpa", sdpa, mask != Mask::dropout}}};
}

/// Attention of `queries` to `stored` patterns.
Case lookup_case(int64_t queries, int64_t stored, int64_t size) {
  const auto inputs = [=](const Setting& setting) {
    return std::vector{setting.input({1, queries, size}), setting.input({1, stored, size}),
                       setting.input({1, stored, size})};
  };
  return {.part = "associate",
          .op = "associate",
          .shape = joined({1, queries, stored, size}),
          .work = attention_work(1, queries, stored, size, size, queries * stored),
          .contenders = {{"mneme",
                          [=](const Setting& setting) {
                            const std::vector<at::Tensor> x = inputs(setting);
                            return Call{x, [x] { return ops::associate(x[0], x[1], x[2]); }};
                          }},
                         {"sdpa",
                          [=](const Setting& setting) {
                            const std::vector<at::Tensor> x = inputs(setting);
                            return Call{x, [x] {
                                          return at::scaled_dot_product_attention(
                                              x[0].unsqueeze(0), x[1].unsqueeze(0), x[2].unsqueeze(0));
                                        }};
                          },
                          true}}};
}

Case change_case(int64_t batches, int64_t length, int64_t size) {
  const int64_t patterns = batches * length * size;
  return {.part = "associate",
          .op = "association_change",
          .shape = joined({batches, length, length, size}),
          .work = {.elements = 3 * patterns, .multiply_adds = 2 * patterns * length},
          .contenders = {{"mneme",
                          [=](const Setting& setting) {
                            const double deviation = 1 / std::sqrt(static_cast<double>(size));
                            const at::Tensor before = setting.input({batches, length, size}, deviation),
                                             after = setting.input({batches, length, size}, deviation),
                                             stored = setting.input({batches, length, size});
                            return Call{{}, [=] { return ops::association_change(before, after, stored); }};
                          }}},
          .has_backward = false};
}

Case dropout_case(int64_t batches, int64_t length) {
  const auto association = [=](const Setting& setting) {
    return at::ones({batches, length, length}, setting.options());
  };
  return {.part = "associate",
          .op = "association_dropout",
          .shape = joined({batches, length, length}),
          .work = {.elements = batches * length * length},
          .contenders = {{"mneme",
                          [=](const Setting& setting) {
                            const at::Tensor x = association(setting);
                            return Call{{}, [x] { return ops::association_dropout(x, kDropout, 1); }};
                          }},
                         {"dropout",
                          [=](const Setting& setting) {
                            const at::Tensor x = association(setting);
                            return Call{{}, [x] { return at::dropout(x, kDropout, /*train=*/true); }};
                          }}},
          .has_backward = false};
}

/// Converts a layer to the device and type of the setting.
template <class Module> Module converted(Module module, const Setting& setting) {
  module->to(setting.device, setting.type);
  for (const at::Tensor& parameter : module->parameters()) {
    parameter.set_requires_grad(setting.backward);
  }
  return module;
}

/// Pooling of a bag, which has no gradient, with one learned state pattern.
Case pooling_case(int64_t rows, int64_t features) {
  constexpr int64_t kHeadSize = 32;
  struct Prepared {
    nn::HopfieldPooling pooling;
    at::Tensor bag;
  };
  const auto prepared = [=](const Setting& setting) {
    return Prepared{
        converted(nn::HopfieldPooling(nn::HopfieldOptions(features).hidden_size(kHeadSize)), setting),
        at::randn({1, rows, features}, setting.options())};
  };
  const int64_t folded =
      2 * rows * features; // scores and readout, with projections folded into query and readout
  return {.part = "hopfield",
          .op = "HopfieldPooling",
          .shape = joined({rows, features}),
          .work = {.elements = rows * features, .multiply_adds = folded, .backward_multiply_adds = folded},
          .contenders = {{"mneme",
                          [=](const Setting& setting) {
                            Prepared made = prepared(setting);
                            return Call{made.pooling->parameters(),
                                        [made]() mutable { return made.pooling->forward(made.bag); }};
                          }},
                         {"sdpa",
                          [=](const Setting& setting) {
                            Prepared made = prepared(setting);
                            return Call{made.pooling->parameters(), [made] {
                                          return hopfield_by_sdpa(made.pooling->hopfield, made.bag,
                                                                  made.pooling->pooling_weights, 0);
                                        }};
                          },
                          true, 2 * rows * features * kHeadSize}}};
}

Case normed_case(int64_t queries, int64_t rows, int64_t features) {
  constexpr double kEpsilon = 1e-5;
  const auto inputs = [=](const Setting& setting) {
    const double deviation = 1 / std::sqrt(static_cast<double>(features));
    return std::vector{setting.input({1, queries, features}, deviation), setting.input({1, rows, features})};
  };
  Work work = attention_work(1, queries, rows, features, features, queries * rows);
  work.elements -= rows * features; // rows are both keys and values
  work.gradient_elements -= rows * features;
  return {.part = "hopfield",
          .op = "associate_normed",
          .shape = joined({1, queries, rows, features}),
          .work = work,
          .contenders = {{"mneme",
                          [=](const Setting& setting) {
                            const std::vector<at::Tensor> x = inputs(setting);
                            return Call{x, [x] { return ops::associate_normed(x[0], x[1], kEpsilon); }};
                          }},
                         {"sdpa",
                          [=](const Setting& setting) {
                            const std::vector<at::Tensor> x = inputs(setting);
                            return Call{x, [x, features] {
                                          const at::Tensor normed =
                                              at::layer_norm(x[1], {features}, {}, {}, kEpsilon).unsqueeze(0);
                                          return at::scaled_dot_product_attention(x[0].unsqueeze(0), normed,
                                                                                  normed, {}, 0, false, 1.0);
                                        }};
                          },
                          true}}};
}

/// Layer of 64 features with as many stored patterns as state patterns.
Case hopfield_case(Mask mask, int64_t batches, int64_t length, int64_t head_size, int64_t updates) {
  constexpr int64_t kFeatures = 64, kHeads = 4;
  constexpr double kEps = 1e-12; // never reached, so that all updates are computed
  struct Prepared {
    nn::Hopfield layer{nullptr};
    at::Tensor stored, state;
    nn::HopfieldMasks masks;
  };
  const auto prepared = [=](const Setting& setting) {
    nn::Hopfield layer(nn::HopfieldOptions(kFeatures)
                           .num_heads(kHeads)
                           .hidden_size(head_size)
                           .update_steps_max(updates)
                           .update_steps_eps(kEps)
                           .dropout(mask == Mask::dropout ? kDropout : 0));
    {
      // Weights with the spread of a trained layer; with the default initialisation, states converge
      // immediately.
      const at::NoGradGuard no_gradient;
      for (const at::Tensor& weights :
           {layer->association_core->in_proj_weight, layer->association_core->out_proj->weight}) {
        torch::nn::init::xavier_normal_(weights, std::sqrt(2.0));
      }
    }
    Prepared made{converted(layer, setting),
                  setting.input({batches, length, kFeatures}),
                  setting.input({batches, length, kFeatures}),
                  {}};
    if (mask == Mask::padding) {
      made.masks.stored_pattern_padding_mask = padding_mask(batches, length, setting.device);
    } else if (mask == Mask::causal) {
      made.masks.association_mask = causal_mask(length, setting.device);
    } else if (mask == Mask::bias) {
      made.masks.association_mask = at::randn({length, length}, setting.options());
    }
    return made;
  };
  const auto differentiated = [](const Prepared& made) {
    std::vector<at::Tensor> inputs = made.layer->parameters();
    inputs.insert(inputs.end(), {made.stored, made.state});
    return inputs;
  };
  const int64_t tokens = batches * length, width = kHeads * head_size;
  const int64_t multiply_adds =
      4 * tokens * kFeatures * width + (updates + 1) * unmasked_pairs(mask, batches, length) * 2 * width;
  return {.part = "hopfield",
          .op = named("Hopfield, " + std::to_string(updates) + " updates", mask),
          .shape = joined({batches, length, length, head_size}) + ", " + std::to_string(kHeads) + " heads",
          .work = {.elements = 3 * tokens * kFeatures,
                   .gradient_elements = 3 * tokens * kFeatures,
                   .mask_bytes = mask_bytes(mask, batches, length),
                   .multiply_adds = multiply_adds,
                   .backward_multiply_adds = 2 * multiply_adds},
          .contenders = {{"mneme",
                          [=](const Setting& setting) {
                            Prepared made = prepared(setting);
                            return Call{differentiated(made), [made]() mutable {
                                          return made.layer->forward(made.stored, made.state, {}, made.masks);
                                        }};
                          }},
                         {"sdpa",
                          [=](const Setting& setting) {
                            Prepared made = prepared(setting);
                            const at::Tensor attention_mask = mask_for_sdpa(made.masks);
                            return Call{differentiated(made), [=] {
                                          return hopfield_by_sdpa(made.layer, made.stored, made.state,
                                                                  updates, attention_mask,
                                                                  mask == Mask::dropout ? kDropout : 0);
                                        }};
                          },
                          mask != Mask::dropout}}};
}

constexpr int64_t kLeapHeads = 8, kLeapHeadSize = 64, kLeapWidth = kLeapHeads * kLeapHeadSize;

std::string leap_shape(int64_t tokens, int64_t window) {
  return std::to_string(tokens) + " tokens, window " + (window == 0 ? "all" : std::to_string(window));
}

int64_t causal_attention_multiply_adds(int64_t tokens) {
  return tokens * (tokens + 1) / 2 * 2 * kLeapWidth;
}

std::vector<at::Tensor> leap_inputs(const Setting& setting, int64_t tokens) {
  std::vector<at::Tensor> x;
  for (int64_t i = 0; i < 4; ++i) {
    x.push_back(setting.input({1, tokens, kLeapHeads, kLeapHeadSize}));
  }
  return x;
}

/// Causal softmax attention of tensors [B, T, H, D], the layout of a projection.
at::Tensor causal_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  return at::scaled_dot_product_attention(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2),
                                          {}, 0, /*is_causal=*/true);
}

Contender attention_peer(int64_t tokens) {
  return {"sdpa",
          [=](const Setting& setting) {
            const std::vector<at::Tensor> x = leap_inputs(setting, tokens);
            return Call{{x[0], x[2], x[3]}, [x] { return causal_attention(x[0], x[2], x[3]); }};
          },
          false, causal_attention_multiply_adds(tokens)};
}

Case leap_case(int64_t tokens, int64_t window) {
  const int64_t elements = 5 * tokens * kLeapWidth, multiply_adds = 4 * tokens * kLeapWidth;
  return {.part = "leap",
          .op = "leap",
          .shape = leap_shape(tokens, window),
          .work = {.elements = elements,
                   .gradient_elements = elements,
                   .multiply_adds = multiply_adds,
                   .backward_multiply_adds = 2 * multiply_adds},
          .contenders = {
              {"mneme",
               [=](const Setting& setting) {
                 const std::vector<at::Tensor> x = leap_inputs(setting, tokens);
                 return Call{x, [=] { return ops::leap(x[0], x[1], x[2], x[3], {.windows = {{window}}}); }};
               }},
              attention_peer(tokens),
              {"original",
               [=](const Setting& setting) {
                 const std::vector<at::Tensor> x = leap_inputs(setting, tokens);
                 return Call{x, [=] { return ops::original_leap(x[0], x[1], x[2], x[3], window); }};
               },
               true}}};
}

Case matrix_leap_case(int64_t tokens, int64_t window) {
  const int64_t elements = 5 * tokens * kLeapWidth,
                multiply_adds = 2 * tokens * kLeapWidth * kLeapHeadSize; // update and readout of the state
  return {.part = "matrix_leap",
          .op = "matrix_leap",
          .shape = leap_shape(tokens, window),
          .work = {.elements = elements,
                   .gradient_elements = elements,
                   .multiply_adds = multiply_adds,
                   .backward_multiply_adds = 2 * multiply_adds},
          .contenders = {{"mneme",
                          [=](const Setting& setting) {
                            const std::vector<at::Tensor> x = leap_inputs(setting, tokens);
                            return Call{x, [=] {
                                          return ops::matrix_leap(x[0], x[1], x[2], x[3],
                                                                  {.windows = {{window}}});
                                        }};
                          }},
                         attention_peer(tokens)}};
}

at::Tensor projection_weight(const Setting& setting, int64_t parts) {
  return setting.input({parts * kLeapWidth, kLeapWidth}, 1 / std::sqrt(static_cast<double>(kLeapWidth)));
}

/// MultiheadLeap; with dropout, the same layer in plain LibTorch is an additional peer.
Case leap_layer_case(int64_t tokens, int64_t window, bool has_dropout) {
  const auto ours = [=](const Setting& setting) {
    const at::Tensor x = setting.input({1, tokens, kLeapWidth});
    nn::MultiheadLeap layer = converted(nn::MultiheadLeap(nn::MultiheadLeapOptions(kLeapWidth, kLeapHeads)
                                                              .windows({window})
                                                              .dropout(has_dropout ? kDropout : 0)),
                                        setting);
    return Call{{x, layer->projections->weight}, [=]() mutable { return layer->forward(x); }};
  };
  const auto split = [=](const at::Tensor& x, const at::Tensor& weight, int64_t parts) {
    return at::linear(x, weight).view({1, tokens, parts, kLeapHeads, kLeapHeadSize}).unbind(2);
  };
  const auto sdpa = [=](const Setting& setting) {
    const at::Tensor x = setting.input({1, tokens, kLeapWidth}), weight = projection_weight(setting, 3);
    return Call{{x, weight}, [=] {
                  const std::vector<at::Tensor> parts = split(x, weight, 3);
                  return causal_attention(parts[0], parts[1], parts[2]);
                }};
  };
  const auto projection = [=](const Setting& setting) {
    const at::Tensor x = setting.input({1, tokens, kLeapWidth}), weight = projection_weight(setting, 4);
    return Call{{x, weight}, [=] { return at::linear(x, weight); }};
  };
  const auto original = [=](const Setting& setting) {
    const at::Tensor x = setting.input({1, tokens, kLeapWidth}), weight = projection_weight(setting, 4);
    const at::Tensor ones = at::ones({1, tokens, kLeapHeads, 1}, setting.options());
    return Call{{x, weight}, [=] {
                  const auto drop = [](const at::Tensor& t) { return at::dropout(t, kDropout, true); };
                  const std::vector<at::Tensor> parts = split(x, weight, 4);
                  return ops::original_leap(drop(parts[0]), drop(parts[1]) * drop(ones), parts[2],
                                            drop(parts[3]), window);
                }};
  };
  const int64_t elements = 2 * tokens * kLeapWidth + 4 * kLeapWidth * kLeapWidth,
                multiply_adds = 4 * tokens * kLeapWidth * (kLeapWidth + 1);
  Case made = {.part = "leap layer",
               .op = has_dropout ? "MultiheadLeap, dropout" : "MultiheadLeap",
               .shape = leap_shape(tokens, window),
               .work = {.elements = elements,
                        .gradient_elements = elements,
                        .multiply_adds = multiply_adds,
                        .backward_multiply_adds = 2 * multiply_adds},
               .contenders = {{"mneme", ours},
                              {"sdpa", sdpa, false, causal_attention_multiply_adds(tokens)},
                              {"projection alone", projection}},
               .has_forward = !has_dropout};
  if (has_dropout) {
    made.contenders.push_back({"original", original});
  }
  return made;
}

Case separate_case(ops::Separation separation, const std::string& name, int64_t batches, int64_t length) {
  const int64_t scores = batches * length * length;
  return {.part = "separate",
          .op = "separate, " + name,
          .shape = joined({batches, length, length}),
          .work = {.elements = 2 * scores, .gradient_elements = 2 * scores},
          .contenders = {{"mneme",
                          [=](const Setting& setting) {
                            const at::Tensor x = setting.input({batches, length, length});
                            return Call{{x}, [=] { return ops::separate(x, separation); }};
                          }},
                         {"softmax",
                          [=](const Setting& setting) {
                            const at::Tensor x = setting.input({batches, length, length});
                            return Call{{x}, [=] { return at::softmax(x, -1); }};
                          },
                          separation == ops::Separation::softmax}}};
}

Case encode_case(int64_t patterns, int64_t size, int64_t encoded_size) {
  const auto inputs = [=](const Setting& setting) {
    return std::vector{setting.input({patterns, size}), setting.input({encoded_size, size})};
  };
  const int64_t elements = patterns * (size + encoded_size) + encoded_size * size,
                multiply_adds = patterns * size * encoded_size;
  return {.part = "encode",
          .op = "encode",
          .shape = joined({patterns, size, encoded_size}),
          .work = {.elements = elements,
                   .gradient_elements = elements,
                   .multiply_adds = multiply_adds,
                   .backward_multiply_adds = 2 * multiply_adds},
          .contenders = {{"mneme",
                          [=](const Setting& setting) {
                            const std::vector<at::Tensor> x = inputs(setting);
                            return Call{x, [x] { return ops::encode(x[0], x[1]); }};
                          }},
                         {"linear and normalize",
                          [=](const Setting& setting) {
                            const std::vector<at::Tensor> x = inputs(setting);
                            return Call{x, [x] {
                                          return torch::nn::functional::normalize(
                                              at::linear(x[0], x[1]),
                                              torch::nn::functional::NormalizeFuncOptions().dim(-1));
                                        }};
                          },
                          true}}};
}

} // namespace

at::Tensor Setting::input(at::IntArrayRef shape, double deviation) const {
  return at::randn(shape, options()).mul_(deviation).requires_grad_(backward);
}

std::vector<Case> device_cases(bool short_form) {
  std::vector<Case> cases;
  const auto size = [short_form](int64_t full, int64_t small) { return short_form ? small : full; };
  const int64_t batches = size(8, 2), length = size(1024, 48);
  for (const Mask mask : {Mask::none, Mask::padding, Mask::causal, Mask::bias, Mask::dropout}) {
    cases.push_back(associate_case(mask, batches, 4, length, 64));
  }
  cases.push_back(associate_case(Mask::none, batches, 4, length, 16));
  cases.push_back(lookup_case(1, size(100'000, 1000), 64));
  cases.push_back(lookup_case(48, size(1000, 100), 784));
  cases.push_back(change_case(4 * batches, length, 64));
  cases.push_back(dropout_case(4 * batches, length));

  cases.push_back(pooling_case(size(300'000, 1000), 32));
  cases.push_back(pooling_case(size(100'000, 300), 512));
  cases.push_back(normed_case(4, size(300'000, 1000), 32));
  cases.push_back(hopfield_case(Mask::none, batches, length, 16, 5));
  cases.push_back(hopfield_case(Mask::none, batches, length, 64, 0));
  cases.push_back(hopfield_case(Mask::none, batches, length, 64, 5));
  for (const Mask mask : {Mask::padding, Mask::causal, Mask::bias, Mask::dropout}) {
    cases.push_back(hopfield_case(mask, batches, length, 64, 1));
  }

  const std::vector<int64_t> tokens =
      short_form ? std::vector<int64_t>{150} : std::vector<int64_t>{1024, 4096, 16384, 65536};
  for (const int64_t count : tokens) {
    for (const int64_t window : {int64_t{64}, size(256, 100), int64_t{0}}) {
      cases.push_back(leap_case(count, window));
    }
  }
  for (const int64_t count : tokens) {
    cases.push_back(leap_layer_case(count, size(256, 100), false));
    cases.push_back(leap_layer_case(count, size(256, 100), true));
  }
  for (const int64_t count : tokens) {
    if (count <= 16384) { // longer sequences need gigabytes for the states of all chunks
      cases.push_back(matrix_leap_case(count, size(256, 100)));
      cases.push_back(matrix_leap_case(count, 0));
    }
  }
  for (const auto& [separation, name] :
       {std::pair(ops::Separation::softmax, "softmax"), std::pair(ops::Separation::entmax15, "entmax15"),
        std::pair(ops::Separation::sparsemax, "sparsemax")}) {
    cases.push_back(separate_case(separation, name, batches, length));
  }
  cases.push_back(encode_case(size(60'000, 500), 784, 64));
  return cases;
}

} // namespace mneme::benchmarks
