// SPDX-License-Identifier: MIT

#include "mneme/language/evaluate.h"

#include <algorithm>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include "language/refuse.h"
#include "mneme/core/interrupt.h"
#include "mneme/language/model.h"
#include "mneme/ops/linear_cross_entropy.h"

namespace mneme::language {
namespace {

constexpr int64_t kBatchTokens = 4096; // of windows that are computed together
constexpr int64_t kCarryTokens = 512;  // of one step of a state

void check(const Model& model, int64_t tokens, const EvalOptions& options) {
  if (tokens < 2) {
    refuse(c10::str("the text has ", tokens, tokens == 1 ? " token" : " tokens",
                    ", but a loss needs at least 2."),
           "The first token of a text is not predicted.");
  }
  const bool in_windows = options.protocol == EvalProtocol::windows;
  if (in_windows && options.window < 1) {
    refuse(c10::str("the window is ", options.window, ", but must be at least 1."), "It is in tokens.");
  }
  if (in_windows && (options.stride < 1 || options.stride > options.window)) {
    refuse(c10::str("the stride is ", options.stride, ", but must be from 1 to the window, ", options.window,
                    "."),
           "With a larger stride, tokens would not be predicted.");
  }
  const int64_t longest = in_windows ? std::min(options.window, tokens - 1) : tokens - 1;
  if (model.max_length() && longest > *model.max_length()) {
    refuse(c10::str(in_windows ? "a window passes " : "the text passes ", longest,
                    " tokens to the model, which has ", *model.max_length(), " learned positions."),
           c10::str("Use windows of at most that many tokens (mneme eval lm --window ", *model.max_length(),
                    ")."));
  }
}

/// The inputs of a window, and which of its targets count.
struct Window {
  int64_t begin, end;  ///< inputs [begin, end) are followed by targets [begin + 1, end + 1)
  int64_t first_input; ///< the targets of earlier inputs were counted before
};

/// Windows whose counted targets are all tokens but the first, each once.
std::vector<Window> windows_of(int64_t inputs, const EvalOptions& options) {
  std::vector<Window> windows;
  for (int64_t begin = 0, counted = 0; counted < inputs; begin += options.stride) {
    const int64_t end = std::min(begin + options.window, inputs);
    windows.push_back({begin, end, counted});
    counted = end;
  }
  return windows;
}

class Evaluation {
public:
  Evaluation(Model& model, std::span<const int32_t> ids, Progress& progress)
      : model_(model), progress_(progress), inputs_(static_cast<int64_t>(ids.size()) - 1) {
    ids_ = at::empty({inputs_ + 1}, at::kLong);
    std::ranges::copy(ids, ids_.mutable_data_ptr<int64_t>());
  }

  void in_windows(const EvalOptions& options) {
    const std::vector<Window> all = windows_of(inputs_, options);
    result_.windows = static_cast<int64_t>(all.size());
    for (size_t first = 0; first < all.size();) {
      const int64_t size = all[first].end - all[first].begin;
      size_t last = first + 1; // windows of equal size are computed together
      while (last < all.size() && all[last].end - all[last].begin == size &&
             static_cast<int64_t>(last + 1 - first) * size <= kBatchTokens) {
        ++last;
      }
      std::vector<at::Tensor> inputs, targets;
      for (size_t i = first; i < last; ++i) {
        inputs.push_back(ids_.slice(0, all[i].begin, all[i].end));
        targets.push_back(ids_.slice(0, all[i].begin + 1, all[i].end + 1).clone());
        targets.back().slice(0, 0, all[i].first_input - all[i].begin).fill_(ops::kIgnoredTarget);
      }
      const LossSum loss = model_.loss(at::stack(inputs), at::stack(targets));
      add(loss.sum.item<double>(), loss.count);
      first = last;
    }
  }

  void in_one_state() {
    const std::unique_ptr<ModelState> state = model_.start(1);
    for (int64_t begin = 0; begin < inputs_; begin += kCarryTokens) {
      const int64_t end = std::min(begin + kCarryTokens, inputs_);
      const at::Tensor logits = model_.step(ids_.slice(0, begin, end).unsqueeze(0), *state)[0];
      const at::Tensor log_probabilities = at::log_softmax(logits, 1, at::kFloat);
      const at::Tensor losses =
          log_probabilities.gather(1, ids_.slice(0, begin + 1, end + 1).unsqueeze(1)).to(at::kDouble).neg();
      double sum = 0;
      for (int64_t i = 0; i < losses.size(0); ++i) {
        sum += losses.const_data_ptr<double>()[i];
      }
      add(sum, end - begin);
    }
  }

  EvalResult result_;

private:
  void add(double nats, int64_t tokens) {
    throw_if_interrupted();
    result_.nats += nats;
    result_.tokens += tokens;
    progress_.advance(tokens);
  }

  Model& model_;
  Progress& progress_;
  int64_t inputs_;
  at::Tensor ids_;
};

} // namespace

std::string name_of(const EvalOptions& options) {
  switch (options.protocol) {
  case EvalProtocol::full:
    return "full";
  case EvalProtocol::carry:
    return "carry";
  case EvalProtocol::windows:
    break;
  }
  return c10::str("window ", options.window, ", stride ", options.stride);
}

EvalResult evaluate(Model& model, const tokens::Tokenizer& tokenizer, std::span<const int32_t> ids,
                    const EvalOptions& options, Progress& progress) {
  check(model, static_cast<int64_t>(ids.size()), options);
  const at::NoGradGuard no_gradient;
  Evaluation evaluation(model, ids, progress);
  progress.start("tokens", static_cast<int64_t>(ids.size()) - 1);
  if (options.protocol == EvalProtocol::carry) {
    evaluation.in_one_state();
  } else {
    const int64_t all = std::max<int64_t>(1, static_cast<int64_t>(ids.size()) - 1);
    evaluation.in_windows(options.protocol == EvalProtocol::full ? EvalOptions{options.protocol, all, all}
                                                                 : options);
  }
  progress.finish();
  evaluation.result_.text_bytes = tokenizer.text_bytes(ids.subspan(1));
  return evaluation.result_;
}

} // namespace mneme::language
