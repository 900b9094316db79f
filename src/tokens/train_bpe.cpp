// SPDX-License-Identifier: MIT

#include "mneme/tokens/train_bpe.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "tokens/tokenizer_state.h"
#include "tokens/unicode.h"

namespace mneme::tokens {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20; // of text that is counted at once
constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

/// Pieces of the text with their frequencies.
using PieceCounts = std::unordered_map<std::string_view, int64_t>;

void check(const TrainBpeOptions& options) {
  const auto fixed = 256 + static_cast<int64_t>(options.special_tokens.size());
  if (options.vocab_size < fixed || options.vocab_size > std::numeric_limits<int32_t>::max()) {
    throw UsageError(fmt::format(
        "mneme::tokens::train_bpe: vocab_size is {}, expected {} (256 bytes and {} special "
        "tokens) to {}.\n  Use a larger vocabulary, such as 8192.",
        options.vocab_size, fixed, options.special_tokens.size(), std::numeric_limits<int32_t>::max()));
  }
  if (options.min_count < 1) {
    throw UsageError(fmt::format(
        "mneme::tokens::train_bpe: min_count is {}, at least 1 was expected.\n  Use 2 for most texts.",
        options.min_count));
  }
  std::unordered_set<std::string_view> given;
  for (const std::string& token : options.special_tokens) {
    if (token.size() < 2 || token.find('\n') != std::string::npos || valid_prefix(token) != token.size() ||
        !given.insert(token).second) {
      throw UsageError(fmt::format(
          "mneme::tokens::train_bpe: {:?} is not a valid special token: it must have at least "
          "2 bytes, all on one line, be UTF-8, and be given once.\n  Use a name such as <|endoftext|>.",
          token));
    }
  }
}

/// Divides texts into blocks of about kBlockBytes that end at line ends.
std::vector<std::string_view> blocks_of(std::span<const std::string_view> texts) {
  std::vector<std::string_view> blocks;
  for (std::string_view text : texts) {
    while (!text.empty()) {
      const size_t line_end = text.find('\n', std::min(kBlockBytes, text.size()) - 1);
      const size_t size = line_end == std::string_view::npos ? text.size() : line_end + 1;
      blocks.push_back(text.substr(0, size));
      text.remove_prefix(size);
    }
  }
  return blocks;
}

class PieceCounter {
public:
  explicit PieceCounter(const AddedTokens& separators) : separators_(separators) {}

  /// Counts the pieces of a block, line by line.
  void add(std::string_view block) {
    while (!block.empty()) {
      const size_t size = std::min(block.find('\n'), block.size() - 1) + 1;
      add_line(block.substr(0, size));
      block.remove_prefix(size);
    }
  }
  const PieceCounts& counts() const { return counts_; }

private:
  void add_line(std::string_view line) {
    size_t begin = 0;
    while (!separators_.empty() && begin < line.size()) {
      const AddedTokenMatch match = separators_.find(line, begin);
      if (match.token == nullptr) {
        break;
      }
      add_text(line.substr(begin, match.begin - begin));
      begin = match.begin + match.size;
    }
    add_text(line.substr(begin));
  }
  void add_text(std::string_view text) {
    while (!text.empty()) {
      const size_t valid = valid_prefix(text);
      for (size_t begin = 0, end = 0; begin < valid; begin = end) {
        end = gpt2_piece_end(text.substr(0, valid), begin);
        if (end - begin > 1) { // a byte has no pairs
          ++counts_[text.substr(begin, end - begin)];
        }
      }
      text.remove_prefix(std::min(valid + 1, text.size()));
    }
  }

  const AddedTokens& separators_;
  PieceCounts counts_;
};

PieceCounts count_pieces(std::span<const std::string_view> texts, const AddedTokens& separators,
                         Progress& progress) {
  const std::vector<std::string_view> blocks = blocks_of(texts);
  PieceCounts counts;
  std::mutex mutex;
  progress.start("count pieces", static_cast<int64_t>(blocks.size()));
  parallel_for(static_cast<int64_t>(blocks.size()), 1, [&](int64_t begin, int64_t) {
    PieceCounter counter(separators);
    counter.add(blocks[static_cast<size_t>(begin)]);
    const std::lock_guard lock(mutex);
    for (const auto& [piece, count] : counter.counts()) {
      counts[piece] += count;
    }
    progress.advance();
  });
  progress.finish();
  return counts;
}

/// Distinct pieces as linked lists of tokens, with an index of the places of every pair.
class PairIndex {
public:
  PairIndex(const PieceCounts& counts, std::span<const int32_t, 256> id_of_byte) {
    std::vector<std::pair<std::string_view, int64_t>> pieces(counts.begin(), counts.end());
    std::ranges::sort(pieces); // the order of a hash table depends on the order of insertion
    size_t size = 0;
    for (const auto& [piece, count] : pieces) {
      size += piece.size();
    }
    if (size >= kNone) {
      throw UsageError("mneme::tokens::train_bpe: the distinct words of the text have more than 4 GB.\n"
                       "  Train on a part of the text.");
    }
    id_.reserve(size);
    previous_.reserve(size);
    next_.reserve(size);
    piece_.reserve(size);
    for (const auto& [piece, count] : pieces) {
      const auto begin = static_cast<uint32_t>(id_.size());
      for (size_t i = 0; i < piece.size(); ++i) {
        const uint32_t at = begin + static_cast<uint32_t>(i);
        id_.push_back(id_of_byte[static_cast<unsigned char>(piece[i])]);
        previous_.push_back(i == 0 ? kNone : at - 1);
        next_.push_back(i + 1 == piece.size() ? kNone : at + 1);
        piece_.push_back(static_cast<uint32_t>(count_.size()));
      }
      count_.push_back(count);
    }
    for (uint32_t at = 0; at < id_.size(); ++at) {
      add(at);
    }
  }

  struct Pair {
    int64_t count = 0;
    std::vector<uint32_t> places; ///< of the left token; some may be out of date
  };
  using Pairs = std::unordered_map<uint64_t, Pair>;

  static uint64_t key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32U | static_cast<uint32_t>(right);
  }
  const Pairs& pairs() const { return pairs_; }
  int64_t count(uint64_t pair) const {
    const auto found = pairs_.find(pair);
    return found == pairs_.end() ? 0 : found->second.count;
  }

  /// Replaces a pair by one token at all its places. Returns the pairs that this created.
  std::vector<uint64_t> merge(int32_t left, int32_t right, int32_t result) {
    std::vector<uint32_t> places = std::move(pairs_.at(key(left, right)).places);
    pairs_.erase(key(left, right));
    std::ranges::sort(places); // "aaa" is "aa" "a": the leftmost pair first
    std::vector<uint64_t> created;
    for (const uint32_t at : places) {
      const uint32_t removed = id_[at] == left ? next_[at] : kNone;
      if (removed == kNone || id_[removed] != right) {
        continue; // one of the tokens has been merged with another neighbour
      }
      const uint32_t before = previous_[at], after = next_[removed];
      if (before != kNone) {
        remove(before);
      }
      if (after != kNone) {
        remove(removed);
      }
      id_[at] = result;
      id_[removed] = -1;
      next_[at] = after;
      if (after != kNone) {
        previous_[after] = at;
        created.push_back(add(at));
      }
      if (before != kNone) {
        created.push_back(add(before));
      }
    }
    std::ranges::sort(created);
    created.erase(std::unique(created.begin(), created.end()), created.end());
    return created;
  }

private:
  /// Counts the pair of the token at a place and the next one, if there is one. Returns its key.
  uint64_t add(uint32_t at) {
    if (next_[at] == kNone) {
      return 0;
    }
    const uint64_t pair = key(id_[at], id_[next_[at]]);
    Pair& found = pairs_[pair];
    found.count += count_[piece_[at]];
    found.places.push_back(at);
    return pair;
  }
  void remove(uint32_t at) {
    if (const auto found = pairs_.find(key(id_[at], id_[next_[at]])); found != pairs_.end()) {
      found->second.count -= count_[piece_[at]];
    }
  }

  // Per byte of the distinct pieces: the token that begins there (-1: none), its neighbours, its piece.
  std::vector<int32_t> id_;
  std::vector<uint32_t> previous_, next_, piece_;
  std::vector<int64_t> count_; ///< of every piece
  Pairs pairs_;
};

/// Pair of tokens in the queue of merges, with its frequency when it was added.
struct Candidate {
  int64_t count = 0;
  int32_t left = 0, right = 0;
};

class Trainer {
public:
  Trainer(Definition& definition, PairIndex index, int64_t min_count)
      : definition_(definition), index_(std::move(index)), min_count_(min_count),
        queue_(Later{&definition.tokens}) {
    for (const auto& [pair, found] : index_.pairs()) {
      push(pair);
    }
  }

  /// Adds one merge, or returns false if no pair is frequent enough.
  bool merge_once() {
    while (!queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      const uint64_t pair = PairIndex::key(best.left, best.right);
      if (const int64_t count = index_.count(pair); count != best.count) {
        push(pair);
        continue;
      }
      const int32_t result = id_of(token(best.left) + token(best.right));
      definition_.merges.push_back({.left = best.left, .right = best.right, .result = result});
      for (const uint64_t created : index_.merge(best.left, best.right, result)) {
        push(created);
      }
      return true;
    }
    return false;
  }

private:
  /// True if `a` is merged later than `b`.
  struct Later {
    const std::vector<std::string>* tokens;
    bool operator()(const Candidate& a, const Candidate& b) const {
      if (a.count != b.count) {
        return a.count < b.count;
      }
      const auto text = [this](int32_t id) -> const std::string& {
        return (*tokens)[static_cast<size_t>(id)];
      };
      if (const int order = text(a.left).compare(text(b.left)); order != 0) {
        return order > 0;
      }
      return text(a.right) > text(b.right);
    }
  };

  /// Id of a merged token. It may exist: "a" "bc" and "ab" "c" are the same token.
  int32_t id_of(const std::string& merged) {
    const auto [at, is_new] = ids_.emplace(merged, static_cast<int32_t>(definition_.tokens.size()));
    if (is_new) {
      definition_.tokens.push_back(merged);
    }
    return at->second;
  }
  const std::string& token(int32_t id) const { return definition_.tokens[static_cast<size_t>(id)]; }
  void push(uint64_t pair) {
    if (const int64_t count = index_.count(pair); count >= min_count_) {
      queue_.push({count, static_cast<int32_t>(pair >> 32U), static_cast<int32_t>(pair & 0xffffffffU)});
    }
  }

  Definition& definition_;
  PairIndex index_;
  int64_t min_count_;
  std::unordered_map<std::string, int32_t> ids_; ///< of merged tokens
  std::priority_queue<Candidate, std::vector<Candidate>, Later> queue_;
};

[[noreturn]] void fail_unexpected() {
  throw UnexpectedTokenizer(
      "mneme::tokens::train_bpe: the tokenizer differs from the expected one.\n  Train it "
      "on the same texts, with the same options.");
}

/// Errors  UnexpectedTokenizer if the options alone give another tokenizer
void require_expected(const TrainBpeOptions& options) {
  if (options.expected == nullptr) {
    return;
  }
  const Definition& expected = options.expected->state().definition;
  if (static_cast<int64_t>(expected.tokens.size()) > options.vocab_size ||
      !std::ranges::equal(expected.added, options.special_tokens, {}, &AddedToken::text)) {
    fail_unexpected();
  }
}

/// Errors  UnexpectedTokenizer if the last merge is another one
void require_expected_merge(const Tokenizer* expected, const Definition& definition) {
  if (expected == nullptr) {
    return;
  }
  const std::vector<Merge>& merges = expected->state().definition.merges;
  const Merge& found = definition.merges.back();
  const size_t number = definition.merges.size() - 1;
  if (number >= merges.size() || merges[number].left != found.left || merges[number].right != found.right) {
    fail_unexpected();
  }
}

} // namespace

Tokenizer train_bpe(std::span<const std::string_view> texts, const TrainBpeOptions& options,
                    Progress& progress) {
  check(options);
  require_expected(options);
  Definition definition{.rules = {.rules = {{.kind = SplitRule::Kind::gpt2}}}};
  std::array<int32_t, 256> id_of_byte{};
  for (const uint8_t byte : bytes_in_gpt2_order()) {
    id_of_byte[byte] = static_cast<int32_t>(definition.tokens.size());
    definition.tokens.emplace_back(1, static_cast<char>(byte));
  }
  std::vector<AddedToken> special;
  std::vector<const AddedToken*> separators;
  for (const std::string& token : options.special_tokens) {
    special.push_back({.text = token, .is_special = true});
  }
  std::ranges::transform(special, std::back_inserter(separators),
                         [](const AddedToken& token) { return &token; });

  {
    Trainer trainer(definition, PairIndex(count_pieces(texts, AddedTokens(separators), progress), id_of_byte),
                    options.min_count);
    const size_t size = static_cast<size_t>(options.vocab_size) - special.size();
    progress.start("merge pairs", static_cast<int64_t>(size - definition.tokens.size()));
    for (size_t before = definition.tokens.size(); before < size && trainer.merge_once();) {
      throw_if_interrupted();
      require_expected_merge(options.expected, definition);
      progress.advance(static_cast<int64_t>(definition.tokens.size() - before));
      before = definition.tokens.size();
    }
    progress.finish();
  }

  for (AddedToken& token : special) { // never learned tokens as well, because they separate the text
    token.id = static_cast<int32_t>(definition.tokens.size());
    definition.tokens.push_back(token.text);
    if (token.text == "<|endoftext|>") {
      definition.end_of_text = token.id;
    }
    definition.added.push_back(token);
  }
  Tokenizer trained = make_tokenizer(std::move(definition), "trained tokenizer");
  if (options.expected != nullptr && trained.hash() != options.expected->hash()) {
    fail_unexpected();
  }
  return trained;
}

} // namespace mneme::tokens
