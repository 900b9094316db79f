// SPDX-License-Identifier: MIT

#include "experiments/leap/mixing.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <torch/torch.h>

#include "mneme/core/error.h"
#include "mneme/ops/linear.h"
#include "mneme/ops/window_means.h"

namespace mneme::experiments {
namespace {

using ops::FocusWeight;

/// Standardisation of the last dimension, as published: unbiased deviation, and 1e-5 added to it.
at::Tensor standardise(const at::Tensor& x) {
  const at::Tensor centred = x - x.mean(-1, true);
  return centred / (x.std(-1, /*unbiased=*/true, /*keepdim=*/true) + 1e-5);
}

at::Tensor uninitialised(at::IntArrayRef shape) {
  return at::empty(shape, at::kFloat);
}

/// Sums over windows of rows [B, T, R]: window means with equal weights, times their number.
at::Tensor window_sums(const at::Tensor& rows, int64_t window) {
  const int64_t tokens = rows.size(1);
  const at::Tensor logits = at::zeros({rows.size(0), tokens, 1}, rows.options());
  const at::Tensor means =
      ops::window_means(logits, rows.unsqueeze(2).contiguous(), {.windows = {.tokens = {window}}})
          .means.squeeze(2);
  at::Tensor counts = at::arange(1, tokens + 1, rows.options());
  if (window > 0) {
    counts = counts.clamp_max(window);
  }
  return means * (counts + ops::kWindowEpsilon).unsqueeze(1);
}

class Identity : public Mixing {
public:
  at::Tensor forward(const at::Tensor& x, const LogitsObserver&) override { return x; }
};

/// LEAP with heads, and its variants.
struct HeadVariant {
  enum class Logit { focus_key, two_focuses, focus_sum };
  enum class Gate {
    sigmoid, ///< of query . mean key
    gelu,    ///< of the same
    heads,   ///< softmax over the heads of the same
    query,   ///< the query, element by element
    open,    ///< none
  };

  const char* name;
  FocusWeight weight = FocusWeight::elu;
  bool rescaled = false; ///< query, focus, key and value are standardised per head
  Logit logit = Logit::focus_key;
  Gate gate = Gate::sigmoid;
  bool standardised_value = false; ///< over the whole width

  bool compares() const { return gate != Gate::query && gate != Gate::open; } ///< queries with mean keys
  bool has_query() const { return gate != Gate::open; }
  bool has_key() const { return logit != Logit::two_focuses || compares(); }
};

const std::vector<HeadVariant>& head_variants() {
  using Logit = HeadVariant::Logit;
  using Gate = HeadVariant::Gate;
  static const std::vector<HeadVariant> variants = {
      {.name = "orig", .weight = FocusWeight::exponential, .rescaled = true},
      {.name = "elu"},
      {.name = "gelu gate", .gate = Gate::gelu},
      {.name = "no q/k", .logit = Logit::two_focuses, .gate = Gate::open},
      {.name = "separate key", .logit = Logit::two_focuses, .gate = Gate::gelu},
      {.name = "bilinear", .logit = Logit::two_focuses, .gate = Gate::query},
      {.name = "norm v", .standardised_value = true},
      {.name = "sum focus", .logit = Logit::focus_sum},
      {.name = "softmax gate", .gate = Gate::heads},
      {.name = "exp", .weight = FocusWeight::exponential},
  };
  return variants;
}

class HeadMixing : public Mixing {
public:
  HeadMixing(HeadVariant variant, const MixingOptions& options) : variant_(variant), options_(options) {
    const int64_t parts = (variant.has_query() ? 1 : 0) +
                          (variant.logit == HeadVariant::Logit::two_focuses ? 2 : 1) +
                          (variant.has_key() ? 1 : 0) + 1;
    projections_ = register_parameter("projections", uninitialised({parts * options.width, options.width}));
  }

  at::Tensor forward(const at::Tensor& x, const LogitsObserver& observer) override {
    using Logit = HeadVariant::Logit;
    using Gate = HeadVariant::Gate;
    const int64_t size = options_.width / options_.heads;
    const std::vector<at::Tensor> parts =
        ops::linear(x, projections_).view({x.size(0), x.size(1), -1, options_.heads, size}).unbind(2);
    size_t next = 0;
    const auto take = [&] {
      const at::Tensor& part = parts[next++];
      return variant_.rescaled ? standardise(part) : part;
    };
    const at::Tensor query = variant_.has_query() ? take() : at::Tensor();
    const at::Tensor focus = take();
    const at::Tensor second_focus = variant_.logit == Logit::two_focuses ? take() : at::Tensor();
    const at::Tensor key = variant_.has_key() ? take() : at::Tensor();
    at::Tensor value = take();
    if (variant_.standardised_value) {
      value = standardise(value.flatten(2)).view(value.sizes());
    }
    const auto features = static_cast<double>(size);
    const double scale = variant_.rescaled ? options_.rescale / features : 1 / std::sqrt(features);
    const at::Tensor product = variant_.logit == Logit::focus_sum ? focus
                               : second_focus.defined()           ? focus * second_focus
                                                                  : focus * key;
    const at::Tensor logits = product.sum(-1) * scale;
    if (observer) {
      observer(logits);
    }
    const at::Tensor rows = variant_.compares() ? at::cat({key, value}, -1) : value.contiguous();
    const at::Tensor means =
        ops::window_means(logits.contiguous(), rows,
                          {.weight = variant_.weight, .windows = {.tokens = {options_.window}}})
            .means;
    if (variant_.gate == Gate::open) {
      return means.flatten(2);
    }
    if (variant_.gate == Gate::query) {
      return (query * means).flatten(2);
    }
    const at::Tensor gate_logits = (query * means.slice(-1, 0, size)).sum(-1, true) * scale; // [B, T, H, 1]
    const at::Tensor gate = variant_.gate == Gate::gelu    ? at::gelu(gate_logits)
                            : variant_.gate == Gate::heads ? at::softmax(gate_logits, 2)
                                                           : at::sigmoid(gate_logits);
    return (gate * means.slice(-1, size)).flatten(2);
  }

private:
  HeadVariant variant_;
  MixingOptions options_;
  at::Tensor projections_;
};

/// Gated, normalised sums over windows, of the whole width and without focus weights.
struct SumVariant {
  enum class Factor { none, gelu, sigmoid, elu, relu, identity }; ///< activation of a second projection
  enum class Norm { standardise, root_of_position, none };
  enum class Query { linear, sigmoid, gelu, absent };

  const char* name;
  Factor factor = Factor::none;
  Norm norm = Norm::standardise;
  Query query = Query::linear;
  bool query_bias = false;
  bool sigmoid_before = false, sigmoid_after = false; ///< of the output projection
  bool projects = false;                              ///< has an output projection
  bool projection_bias = false;
  double relative_width = 1; ///< of the sums
  bool unlimited = false;    ///< all windows are unlimited
  bool subtracts = false;    ///< a second projection is subtracted from the sums
  bool adds_value = false;   ///< the value is added to the normalised sum
};

const std::vector<SumVariant>& sum_variants() {
  using Factor = SumVariant::Factor;
  using Norm = SumVariant::Norm;
  using Query = SumVariant::Query;
  static const std::vector<SumVariant> variants = [] {
    std::vector<SumVariant> all = {
        {.name = "M1"},
        {.name = "M2", .unlimited = true},
        {.name = "M3", .unlimited = true, .subtracts = true},
        {.name = "M4", .factor = Factor::gelu},
        {.name = "M5", .factor = Factor::gelu, .query = Query::absent},
        {.name = "M6",
         .factor = Factor::gelu,
         .query = Query::absent,
         .projects = true,
         .projection_bias = true},
        {.name = "M7", .factor = Factor::gelu, .projects = true},
        {.name = "M8", .projects = true, .relative_width = 2},
        {.name = "M9", .factor = Factor::gelu, .sigmoid_before = true, .projects = true},
    };
    const SumVariant tenth = {.name = "M10", .factor = Factor::gelu, .sigmoid_after = true, .projects = true};
    const auto like_tenth = [&](const char* name, auto change) {
      SumVariant variant = tenth;
      variant.name = name;
      change(variant);
      all.push_back(variant);
    };
    all.push_back(tenth);
    like_tenth("M11", [](SumVariant& v) { v.projects = false; });
    like_tenth("M12", [](SumVariant& v) { v.factor = Factor::none; });
    like_tenth("M13", [](SumVariant& v) { v.factor = Factor::sigmoid; });
    like_tenth("M14", [](SumVariant& v) { v.factor = Factor::elu; });
    like_tenth("M15", [](SumVariant& v) { v.factor = Factor::relu; });
    like_tenth("M16", [](SumVariant& v) { v.factor = Factor::identity; });
    like_tenth("M17", [](SumVariant& v) { v.norm = Norm::root_of_position; });
    like_tenth("M18", [](SumVariant& v) { v.norm = Norm::none; });
    like_tenth("M19", [](SumVariant& v) { v.adds_value = true; });
    const SumVariant ninth = all[8];
    const auto like_ninth = [&](const char* name, auto change) {
      SumVariant variant = ninth;
      variant.name = name;
      change(variant);
      all.push_back(variant);
    };
    like_ninth("M21", [](SumVariant& v) { v.query = Query::absent; });
    like_ninth("M22", [](SumVariant& v) {
      v.query = Query::absent;
      v.relative_width = 1.5;
    });
    like_ninth("M23", [](SumVariant& v) { v.query = Query::sigmoid; });
    like_ninth("M24", [](SumVariant& v) {
      v.query = Query::sigmoid;
      v.query_bias = v.projection_bias = true;
    });
    like_ninth("M25", [](SumVariant& v) {
      v.query = Query::gelu;
      v.query_bias = v.projection_bias = true;
    });
    return all;
  }();
  return variants;
}

class SumMixing : public Mixing {
public:
  SumMixing(SumVariant variant, const MixingOptions& options)
      : variant_(variant), window_(variant.unlimited ? 0 : options.window) {
    const auto inner =
        static_cast<int64_t>(std::lround(static_cast<double>(options.width) * variant.relative_width));
    const auto matrix = [&](const char* name, int64_t rows, int64_t columns) {
      return register_parameter(name, uninitialised({rows, columns}));
    };
    if (variant.query != SumVariant::Query::absent) {
      query_ = matrix("query", options.width, options.width);
    }
    if (variant.query_bias) {
      query_bias_ = register_parameter("query_bias", uninitialised({options.width}));
    }
    value_ = matrix("value", inner, options.width);
    if (variant.factor != SumVariant::Factor::none || variant.subtracts) {
      second_ = matrix("second", inner, options.width);
    }
    if (variant.projects) {
      output_ = matrix("output", options.width, inner);
    }
    if (variant.projection_bias) {
      output_bias_ = register_parameter("output_bias", uninitialised({options.width}));
    }
  }

  at::Tensor forward(const at::Tensor& x, const LogitsObserver&) override {
    const at::Tensor value = ops::linear(x, value_);
    at::Tensor rows = value;
    if (variant_.subtracts) {
      rows = value - ops::linear(x, second_);
    } else if (variant_.factor != SumVariant::Factor::none) {
      rows = activate(variant_.factor, ops::linear(x, second_)) * value;
    }
    at::Tensor sums = normalise(window_sums(rows, window_));
    if (variant_.adds_value) {
      sums = sums + value;
    }
    if (variant_.sigmoid_before) {
      sums = at::sigmoid(sums);
    }
    if (output_.defined()) {
      sums = ops::linear(sums, output_, output_bias_);
    }
    if (variant_.sigmoid_after) {
      sums = at::sigmoid(sums);
    }
    if (!query_.defined()) {
      return sums;
    }
    const at::Tensor query = ops::linear(x, query_, query_bias_);
    switch (variant_.query) {
    case SumVariant::Query::sigmoid:
      return at::sigmoid(query) * sums;
    case SumVariant::Query::gelu:
      return at::gelu(query) * sums;
    default:
      return query * sums;
    }
  }

private:
  static at::Tensor activate(SumVariant::Factor factor, const at::Tensor& x) {
    switch (factor) {
    case SumVariant::Factor::gelu:
      return at::gelu(x);
    case SumVariant::Factor::sigmoid:
      return at::sigmoid(x);
    case SumVariant::Factor::elu:
      return at::elu(x) + 1;
    case SumVariant::Factor::relu:
      return at::relu(x);
    default:
      return x;
    }
  }

  at::Tensor normalise(const at::Tensor& sums) const {
    switch (variant_.norm) {
    case SumVariant::Norm::root_of_position:
      return sums / at::arange(1, sums.size(1) + 1, sums.options()).sqrt().unsqueeze(1);
    case SumVariant::Norm::none:
      return sums;
    case SumVariant::Norm::standardise:
      break;
    }
    return standardise(sums);
  }

  SumVariant variant_;
  int64_t window_;
  at::Tensor query_, query_bias_, value_, second_, output_, output_bias_;
};

/// Softmax attention with an output projection, as in GPT-2; rescaled: with standardised queries and keys.
class AttentionMixing : public Mixing {
public:
  AttentionMixing(bool rescaled, const MixingOptions& options) : rescaled_(rescaled), options_(options) {
    projections_ = register_parameter("projections", uninitialised({3 * options.width, options.width}));
    projections_bias_ = register_parameter("projections_bias", uninitialised({3 * options.width}));
    output_ = register_parameter("output", uninitialised({options.width, options.width}));
    output_bias_ = register_parameter("output_bias", uninitialised({options.width}));
  }

  at::Tensor forward(const at::Tensor& x, const LogitsObserver& observer) override {
    const int64_t size = options_.width / options_.heads, tokens = x.size(1);
    std::vector<at::Tensor> parts = ops::linear(x, projections_, projections_bias_)
                                        .view({x.size(0), tokens, 3, options_.heads, size})
                                        .permute({2, 0, 3, 1, 4})
                                        .unbind(0); // [B, H, T, size]
    const auto features = static_cast<double>(size);
    double scale = 1 / std::sqrt(features);
    if (rescaled_) {
      parts[0] = standardise(parts[0]);
      parts[1] = standardise(parts[1]);
      scale = options_.rescale / features;
    }
    if (observer) {
      const at::Tensor scores = at::matmul(parts[0], parts[1].transpose(-2, -1)) * scale;
      const at::Tensor allowed = at::ones({tokens, tokens}, at::kBool).tril();
      observer(scores.masked_select(allowed));
    }
    const at::Tensor readout =
        at::scaled_dot_product_attention(parts[0], parts[1], parts[2], {}, 0, /*is_causal=*/true, scale);
    return ops::linear(readout.transpose(1, 2).flatten(2), output_, output_bias_);
  }

private:
  bool rescaled_;
  MixingOptions options_;
  at::Tensor projections_, projections_bias_, output_, output_bias_;
};

constexpr const char* kAttention = "attention";
constexpr const char* kRescaledAttention = "rescaled attention";
constexpr const char* kIdentity = "identity";

} // namespace

std::vector<std::string> mixing_names() {
  std::vector<std::string> names = {"orig", kIdentity};
  for (const HeadVariant& variant : head_variants()) {
    if (variant.name != names.front()) {
      names.emplace_back(variant.name);
    }
  }
  for (const SumVariant& variant : sum_variants()) {
    names.emplace_back(variant.name);
  }
  names.emplace_back(kAttention);
  names.emplace_back(kRescaledAttention);
  return names;
}

std::shared_ptr<Mixing> make_mixing(const std::string& name, const MixingOptions& options) {
  if (options.heads < 1 || options.width < 1 || options.width % options.heads != 0) {
    throw UsageError(c10::str("make_mixing: the width ", options.width, " is not divisible by ",
                              options.heads, " heads.\n  Choose a multiple of the number of heads."));
  }
  if (name == kIdentity) {
    return std::make_shared<Identity>();
  }
  if (name == kAttention || name == kRescaledAttention) {
    return std::make_shared<AttentionMixing>(name == kRescaledAttention, options);
  }
  for (const HeadVariant& variant : head_variants()) {
    if (name == variant.name) {
      return std::make_shared<HeadMixing>(variant, options);
    }
  }
  for (const SumVariant& variant : sum_variants()) {
    if (name == variant.name) {
      return std::make_shared<SumMixing>(variant, options);
    }
  }
  std::string names;
  for (const std::string& known : mixing_names()) {
    names += (names.empty() ? "" : ", ") + known;
  }
  throw UsageError("make_mixing: there is no mixing \"" + name + "\".\n  Choose one of " + names + ".");
}

MixingLm::MixingLm(const std::string& mixing, const MixingOptions& options, std::vector<int64_t> windows,
                   int64_t vocab_size, int64_t max_positions, uint64_t seed) {
  const int64_t width = options.width;
  const auto parameter = [this](const std::string& name, at::IntArrayRef shape) {
    return register_parameter(name, uninitialised(shape));
  };
  words = parameter("word_embedding", {vocab_size, width});
  positions_ = parameter("position_embeddings", {max_positions, width});
  for (size_t i = 0; i < windows.size(); ++i) {
    MixingOptions layer = options;
    layer.window = windows[i];
    const std::string block = c10::str("block", i, "_");
    blocks_.push_back({.norm_weight = parameter(block + "norm_weight", {width}),
                       .norm_bias = parameter(block + "norm_bias", {width}),
                       .boom_norm_weight = parameter(block + "boom_norm_weight", {width}),
                       .boom_norm_bias = parameter(block + "boom_norm_bias", {width}),
                       .boom_weight = parameter(block + "boom", {4 * width, width}),
                       .boom_bias = parameter(block + "boom_bias", {4 * width}),
                       .unboom_weight = parameter(block + "unboom", {width, 4 * width}),
                       .unboom_bias = parameter(block + "unboom_bias", {width}),
                       .mixing = register_module(block + "mixing", make_mixing(mixing, layer))});
  }
  last_norm_weight_ = parameter("last_norm_weight", {width});
  last_norm_bias_ = parameter("last_norm_bias", {width});
  const at::NoGradGuard no_gradient;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto& item : named_parameters()) {
    if (item.value().dim() > 1) {
      item.value().normal_(0, options.initial_std, generator);
    } else {
      item.value().fill_(item.key().ends_with("norm_weight") ? 1 : 0);
    }
  }
}

at::Tensor MixingLm::head_input(const at::Tensor& ids, const LogitsObserver& observer) {
  const int64_t width = words.size(1);
  const auto norm = [&](const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    return at::layer_norm(x, {width}, weight, bias);
  };
  at::Tensor x = at::embedding(words, ids) + positions_.slice(0, 0, ids.size(1));
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    x = x + block.mixing->forward(norm(x, block.norm_weight, block.norm_bias),
                                  i == 0 ? observer : LogitsObserver());
    const at::Tensor inner = ops::linear_gelu(norm(x, block.boom_norm_weight, block.boom_norm_bias),
                                              block.boom_weight, block.boom_bias);
    x = x + ops::linear(inner, block.unboom_weight, block.unboom_bias);
  }
  return norm(x, last_norm_weight_, last_norm_bias_);
}

} // namespace mneme::experiments
