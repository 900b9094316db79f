// SPDX-License-Identifier: MIT

#include "mneme/language/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include <c10/util/StringUtil.h>

#include "language/refuse.h"

namespace mneme::language {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

void require(bool holds, const char* option, double value, const char* range) {
  if (!holds) {
    refuse(c10::str(option, " is ", value, ", but must be ", range, "."),
           "See mneme/language/sampler.h for the meaning of each option.");
  }
}

struct Scored {
  int32_t id;
  double logit;
};

/// Replaces logits by probabilities; `scored` is in descending order and not empty.
std::vector<Candidate> softmax(const std::vector<Scored>& scored) {
  std::vector<Candidate> all;
  all.reserve(scored.size());
  double sum = 0;
  for (const Scored& token : scored) {
    all.push_back({token.id, std::exp(token.logit - scored.front().logit)});
    sum += all.back().probability;
  }
  for (Candidate& candidate : all) {
    candidate.probability /= sum;
  }
  return all;
}

void penalise(std::vector<double>& logits, std::span<const int32_t> text, const SamplerOptions& options) {
  if (options.repeat_penalty == 1) {
    return;
  }
  const size_t last = options.repeat_last == 0
                          ? text.size()
                          : std::min(text.size(), static_cast<size_t>(options.repeat_last));
  std::vector<int32_t> recent(text.end() - static_cast<std::ptrdiff_t>(last), text.end());
  std::ranges::sort(recent);
  recent.erase(std::unique(recent.begin(), recent.end()), recent.end()); // each token once
  for (const int32_t id : recent) {
    if (id >= 0 && static_cast<size_t>(id) < logits.size()) {
      double& logit = logits[static_cast<size_t>(id)];
      logit = logit < 0 ? logit * options.repeat_penalty : logit / options.repeat_penalty;
    }
  }
}

bool more_probable(const Scored& a, const Scored& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

void apply_min_p(std::vector<Scored>& scored, double min_p) {
  if (min_p > 0) {
    const double least = std::ranges::min_element(scored, more_probable)->logit + std::log(min_p);
    std::erase_if(scored, [&](const Scored& token) { return token.logit < least; });
  }
}

/// Sorts the tokens, and removes some by top_k, top_p and min_p, in this order.
void restrict(std::vector<Scored>& scored, const SamplerOptions& options) {
  if (options.top_k > 0 && static_cast<size_t>(options.top_k) < scored.size()) {
    std::ranges::partial_sort(scored, scored.begin() + options.top_k, more_probable);
    scored.resize(static_cast<size_t>(options.top_k));
  } else {
    if (options.top_p == 1) { // then the order of these two steps has no effect, and fewer tokens are sorted
      apply_min_p(scored, options.min_p);
    }
    std::ranges::sort(scored, more_probable);
  }
  if (options.top_p < 1) {
    double before = 0;
    size_t kept = 0;
    for (const Candidate& candidate : softmax(scored)) {
      if (before >= options.top_p) {
        break;
      }
      before += candidate.probability;
      ++kept;
    }
    scored.resize(kept);
  }
  apply_min_p(scored, options.min_p);
}

/// Divides by the temperature; the largest logit becomes 0, so that small temperatures do not overflow.
void divide(std::vector<Scored>& scored, double temperature) {
  const double largest = std::ranges::min_element(scored, more_probable)->logit;
  for (Scored& token : scored) {
    token.logit = (token.logit - largest) / temperature;
  }
}

} // namespace

void check(const SamplerOptions& options) {
  require(std::isfinite(options.temperature) && options.temperature >= 0, "temperature", options.temperature,
          "finite and >= 0");
  require(options.top_k >= 0, "top_k", static_cast<double>(options.top_k), ">= 0");
  require(options.top_p > 0 && options.top_p <= 1, "top_p", options.top_p, "in (0, 1]");
  require(options.min_p >= 0 && options.min_p <= 1, "min_p", options.min_p, "in [0, 1]");
  require(options.repeat_penalty >= 0.001 && options.repeat_penalty <= 1000, "repeat_penalty",
          options.repeat_penalty, "between 0.001 and 1000");
  require(options.repeat_last >= 0, "repeat_last", static_cast<double>(options.repeat_last), ">= 0");
}

std::vector<Candidate> candidates(std::span<const float> logits, std::span<const int32_t> text,
                                  const SamplerOptions& options) {
  check(options);
  std::vector<double> penalised(logits.begin(), logits.end());
  penalise(penalised, text, options);
  std::vector<Scored> scored;
  scored.reserve(logits.size());
  for (size_t id = 0; id < logits.size(); ++id) {
    if (std::isnan(logits[id]) || logits[id] == std::numeric_limits<float>::infinity()) {
      refuse(c10::str("the logit of token ", id, " is ", logits[id], ", but must be a number."),
             "The parameters of the model may have diverged in training.");
    }
    if (penalised[id] != kNever) {
      scored.push_back({static_cast<int32_t>(id), penalised[id]});
    }
  }
  if (scored.empty()) {
    refuse(c10::str("none of ", logits.size(), " tokens can be drawn."),
           "At least one logit must be finite.");
  }
  if (options.temperature == 0) { // greedy: no division by it
    return {{std::ranges::min_element(scored, more_probable)->id, 1.0}};
  }
  if (options.hf_order) {
    divide(scored, options.temperature);
    restrict(scored, options);
  } else {
    restrict(scored, options);
    divide(scored, options.temperature);
  }
  return softmax(scored);
}

const Candidate& draw(std::span<const Candidate> candidates, double uniform) {
  double sum = 0;
  for (const Candidate& candidate : candidates) {
    sum += candidate.probability;
    if (uniform < sum) {
      return candidate;
    }
  }
  return candidates.back(); // the sum may be less than 1 by rounding
}

} // namespace mneme::language
