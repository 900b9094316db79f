// SPDX-License-Identifier: MIT

/// Reads every attention head of a model as an associative memory (mneme/theory/attention_head.h) while the
/// model runs.
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/nn/attention_observer.h"
#include "mneme/theory/attention_head.h"

namespace mneme::language {

/// Pass it to a model as its AttentionObserver, by std::ref:
///
///   HeadReader reader;
///   model->head_input(ids, std::ref(reader));
///   for (const theory::HeadReading& head : reader.heads()) ...
///
/// Keeps numbers of each head only, not the tensors of a layer. The batch must have one text.
///
/// Errors  UsageError for a batch of several texts, or scores that are not finite
class HeadReader {
public:
  /// `queries`: number of query positions in the second half of the text over which means are formed, evenly
  /// spaced and ending with the last token; fewer if the text is shorter. At least 1.
  explicit HeadReader(int64_t queries = 32);

  void operator()(const nn::AttentionView& attention);

  /// The heads of all layers seen so far, in order.
  const std::vector<theory::HeadReading>& heads() const { return heads_; }

private:
  int64_t queries_;
  std::vector<theory::HeadReading> heads_;
};

/// Entropy, in nats, of a head that averages over all keys: log of the number of keys, as a mean over the
/// queries that a HeadReader of `queries` reads in a causal model.
double averaging_entropy(int64_t tokens, int64_t queries = 32);

} // namespace mneme::language
