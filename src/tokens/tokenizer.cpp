// SPDX-License-Identifier: MIT

#include "mneme/tokens/tokenizer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>
#include <iterator>
#include <numbers>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/core/text.h"
#include "tokens/byte_alphabet.h"
#include "tokens/errors.h"
#include "tokens/tokenizer_state.h"
#include "tokens/unicode.h"

namespace mneme::tokens {
namespace {

/// Size of the blocks of a long text that are encoded in parallel.
constexpr size_t kBlockBytes = size_t{2} << 20;
/// Number of blocks whose ids are in memory at the same time.
constexpr size_t kBlocksAtOnce = 16;

/// Part of a text: an added token, or text between added tokens.
struct Part {
  std::string_view text;
  const AddedToken* token = nullptr; ///< null for text
};

/// Divides a text at the added tokens that `finder` finds. Special tokens that are not parsed are text.
void find_added_tokens(const AddedTokens& finder, bool parse_special, std::string_view text,
                       std::vector<Part>& parts) {
  size_t begin = 0;
  const bool may_occur = parse_special ? !finder.empty() : finder.has_ordinary();
  for (size_t from = 0; may_occur && from < text.size();) {
    const AddedTokenMatch match = finder.find(text, from);
    if (match.token == nullptr) {
      break;
    }
    from = match.begin + match.size;
    if (match.token->is_special && !parse_special) {
      continue;
    }
    const std::string_view before = text.substr(0, match.begin), after = text.substr(from);
    if (match.token->is_single_word && (ends_with_word(before) || begins_with_word(after))) {
      continue;
    }
    const size_t its_begin =
        match.token->strips_left ? std::max(match.begin - trailing_white_space(before), begin) : match.begin;
    const size_t its_end = from + (match.token->strips_right ? leading_white_space(after) : 0);
    if (its_begin > begin) {
      parts.push_back({text.substr(begin, its_begin - begin)});
    }
    if (its_begin < its_end) { // otherwise it is white space that belongs to the token before
      parts.push_back({text.substr(match.begin, match.size), match.token});
    }
    begin = its_end;
  }
  if (begin < text.size()) {
    parts.push_back({text.substr(begin)});
  }
}

/// Divides a text at added tokens, and normalizes what is between them. `storage` keeps normalized texts.
std::vector<Part> divide_at_added_tokens(const Tokenizer::State& state, std::string_view text,
                                         bool parse_special, std::deque<std::string>& storage) {
  const std::vector<TextNormalizer>& normalizers = state.definition.normalizers;
  std::vector<Part> parts;
  find_added_tokens(state.added[0], parse_special, text, parts);
  if (state.added[1].empty() && normalizers.empty()) {
    return parts;
  }
  std::vector<Part> all;
  for (const Part& part : parts) {
    if (part.token != nullptr) {
      all.push_back(part);
    } else {
      const std::string_view its_text =
          normalizers.empty() ? part.text
                              : std::string_view(storage.emplace_back(normalized(normalizers, part.text)));
      find_added_tokens(state.added[1], parse_special, its_text, all);
    }
  }
  return all;
}

/// Divides long parts at places where this does not change their tokens.
std::vector<Part> divide_long_parts(const Definition& definition, const std::vector<Part>& parts) {
  const bool is_gpt2 = definition.rules == SplitRules{.rules = {{.kind = SplitRule::Kind::gpt2}}};
  const bool is_bytes =
      definition.rules == SplitRules{} && definition.merges.empty() && !definition.ignore_merges;
  std::vector<Part> divided;
  for (Part part : parts) {
    while ((is_gpt2 || is_bytes) && part.token == nullptr && part.text.size() > kBlockBytes) {
      const size_t end = is_bytes ? kBlockBytes : gpt2_division(part.text, kBlockBytes);
      divided.push_back({part.text.substr(0, end)});
      part.text.remove_prefix(end);
    }
    if (!part.text.empty()) {
      divided.push_back(part);
    }
  }
  return divided;
}

/// Calls `use_text` for the valid UTF-8 in a text, and `use_byte` for the bytes between, in their order.
template <class UseText, class UseByte>
void for_each_valid_part(std::string_view text, const UseText& use_text, const UseByte& use_byte) {
  while (!text.empty()) {
    const size_t valid = valid_prefix(text);
    if (valid > 0) {
      use_text(text.substr(0, valid));
      text.remove_prefix(valid);
    }
    if (!text.empty()) {
      use_byte(static_cast<unsigned char>(text.front()));
      text.remove_prefix(1);
    }
  }
}

std::string with_space(std::string_view text) {
  std::string result(1, ' ');
  result += text;
  return result;
}

/// Bounded cache of the ids of pieces. It stores places in the text and in the ids, and no copies.
class PieceCache {
public:
  static constexpr size_t kMaxPiece = 32; ///< longer pieces rarely occur twice

  explicit PieceCache(size_t text_size)
      : mask_(std::bit_ceil(std::clamp(text_size / 8, kMinSlots, kMaxSlots)) - 1), slots_(mask_ + 1) {}

  struct Slot {
    const char* piece = nullptr;
    uint32_t size = 0, num_ids = 0;
    size_t first_id = 0; ///< position in the ids; the id itself if there is only one
  };
  Slot& slot_of(std::string_view piece) { return slots_[hash(piece) & mask_]; }
  static bool holds(const Slot& slot, std::string_view piece) {
    return slot.size == piece.size() && std::memcmp(slot.piece, piece.data(), piece.size()) == 0;
  }

private:
  static constexpr size_t kMinSlots = 16, kMaxSlots = size_t{1} << 15;

  static uint64_t load(const char* from, size_t size) {
    uint64_t value = 0;
    std::memcpy(&value, from, size);
    return value;
  }
  static uint64_t mixed(uint64_t value) {
    value *= 0x9e3779b97f4a7c15U; // 2^64 / golden ratio
    return value ^ value >> 29U;
  }
  static uint64_t hash(std::string_view piece) {
    const char* at = piece.data();
    size_t left = piece.size();
    uint64_t value = left;
    for (; left > 8; at += 8, left -= 8) {
      value = mixed(value ^ load(at, 8));
    }
    if (left >= 4) { // two words that may overlap
      value ^= load(at, 4) << 32U | load(at + left - 4, 4);
    } else {
      value ^= load(at, 1) | load(at + left / 2, 1) << 8U | load(at + left - 1, 1) << 16U;
    }
    value = mixed(mixed(value));
    return value >> 20U;
  }

  size_t mask_;
  std::vector<Slot> slots_;
};

/// Encodes parts of a text, one after the other.
class TextEncoder {
public:
  TextEncoder(const Tokenizer::State& state, size_t text_size, std::vector<int32_t>& ids)
      : state_(state), ids_(ids), pieces_(state.merges, state.id_of_byte), cache_(text_size) {}

  void encode(const Part& part) {
    if (part.token != nullptr) {
      ids_.push_back(part.token->id);
      return;
    }
    std::string_view text = part.text;
    const SplitRules& rules = state_.definition.rules;
    if (rules.add_prefix_space && !rules.adds_space_to_pieces() && text.front() != ' ') {
      prefixed_.push_back(with_space(text));
      text = prefixed_.back();
    }
    for_each_valid_part(
        text,
        [&](std::string_view valid) {
          if (state_.definition.merges.empty() && !state_.definition.ignore_merges && rules.keep_all() &&
              !rules.adds_space_to_pieces()) {
            for (const char c : valid) {
              encode_byte(static_cast<unsigned char>(c));
            }
          } else {
            for_each_piece(rules, valid, [&](std::string_view piece) { encode_piece(piece); });
          }
        },
        [&](unsigned char byte) { encode_byte(byte); });
  }

private:
  void encode_byte(unsigned char byte) { ids_.push_back(state_.id_of_byte[byte]); }

  void encode_piece(std::string_view piece) {
    if (piece.size() > PieceCache::kMaxPiece) {
      encode_new_piece(piece);
      return;
    }
    PieceCache::Slot& slot = cache_.slot_of(piece);
    const size_t size = ids_.size();
    if (PieceCache::holds(slot, piece)) {
      if (slot.num_ids == 1) {
        ids_.push_back(static_cast<int32_t>(slot.first_id));
      } else {
        ids_.resize(size + slot.num_ids);
        std::copy_n(ids_.data() + slot.first_id, slot.num_ids, ids_.data() + size);
      }
      return;
    }
    if (state_.definition.rules.adds_space_to_pieces()) { // the piece exists only now
      piece = prefixed_.emplace_back(piece);
    }
    encode_new_piece(piece);
    const size_t num_ids = ids_.size() - size;
    slot = {.piece = piece.data(),
            .size = static_cast<uint32_t>(piece.size()),
            .num_ids = static_cast<uint32_t>(num_ids),
            .first_id = num_ids == 1 ? static_cast<size_t>(ids_.back()) : size};
  }

  void encode_new_piece(std::string_view piece) {
    if (state_.definition.ignore_merges) {
      if (const auto found = state_.id_of_token.find(piece); found != state_.id_of_token.end()) {
        ids_.push_back(found->second);
        return;
      }
    }
    pieces_.encode(piece, ids_);
  }

  const Tokenizer::State& state_;
  std::vector<int32_t>& ids_;
  PieceEncoder pieces_;
  PieceCache cache_;
  std::deque<std::string> prefixed_; ///< texts with a space in front; the cache refers to them
};

void encode_parts(const Tokenizer::State& state, std::span<const Part> parts, std::vector<int32_t>& ids) {
  size_t bytes = 0;
  for (const Part& part : parts) {
    bytes += part.text.size();
  }
  const bool has_merges = !state.definition.merges.empty();
  ids.reserve(has_merges ? bytes / 3 + 8 : bytes);
  TextEncoder encoder(state, bytes, ids);
  for (const Part& part : parts) {
    encoder.encode(part);
  }
}

/// Parts of about kBlockBytes.
std::vector<std::span<const Part>> blocks_of(std::span<const Part> parts) {
  std::vector<std::span<const Part>> blocks;
  while (!parts.empty()) {
    size_t count = 0;
    for (size_t bytes = 0; count < parts.size() && bytes < kBlockBytes; ++count) {
      bytes += parts[count].text.size();
    }
    blocks.push_back(parts.first(count));
    parts = parts.subspan(count);
  }
  return blocks;
}

std::string name_of(const SplitRule& rule) {
  switch (rule.kind) {
  case SplitRule::Kind::gpt2:
    return "the pattern of GPT-2";
  case SplitRule::Kind::pattern:
    return "the pattern " + rule.pattern_text;
  case SplitRule::Kind::digit:
    return "single digits";
  case SplitRule::Kind::digit_runs:
    return "runs of digits";
  case SplitRule::Kind::punctuation:
    return "punctuation";
  case SplitRule::Kind::white_space:
    return "white space";
  case SplitRule::Kind::words:
    return "words and runs of other characters";
  }
  return "";
}

std::string description_of(const SplitRule& rule) {
  constexpr std::array kEffects = {"", " is removed", " is joined to the text before",
                                   " is joined to the text after", ", repeated"};
  const std::string name = name_of(rule);
  if (rule.kind == SplitRule::Kind::words) {
    return name + ", without white space";
  }
  return (rule.is_inverted ? "what does not match " : "") + name +
         kEffects.at(static_cast<size_t>(rule.behavior));
}

std::string description_of(const TextNormalizer& normalizer) {
  switch (normalizer.kind) {
  case TextNormalizer::Kind::nfc:
    return "NFC";
  case TextNormalizer::Kind::nfd:
    return "NFD";
  case TextNormalizer::Kind::nfkc:
    return "NFKC";
  case TextNormalizer::Kind::nfkd:
    return "NFKD";
  case TextNormalizer::Kind::lowercase:
    return "lower case";
  case TextNormalizer::Kind::prepend:
    return fmt::format("{:?} is put in front", printable(normalizer.text));
  case TextNormalizer::Kind::replace:
    return fmt::format("{:?} becomes {:?}", printable(normalizer.text), printable(normalizer.content));
  case TextNormalizer::Kind::strip:
    return normalizer.strips_left && normalizer.strips_right ? "no white space at the ends"
           : normalizer.strips_left                          ? "no white space at the begin"
           : normalizer.strips_right                         ? "no white space at the end"
                                                             : "no effect";
  }
  return "";
}

} // namespace

Tokenizer Tokenizer::bytes() {
  Definition definition;
  for (int byte = 0; byte < 256; ++byte) {
    definition.tokens.emplace_back(1, static_cast<char>(byte));
  }
  return make_tokenizer(std::move(definition), "bytes");
}

int64_t Tokenizer::vocab_size() const {
  return static_cast<int64_t>(state_->definition.tokens.size());
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  std::vector<int32_t> ids;
  encode_blocks(text, options, [&](std::vector<int32_t> block) {
    if (ids.empty()) {
      ids = std::move(block);
    } else {
      ids.insert(ids.end(), block.begin(), block.end());
    }
  });
  return ids;
}

void Tokenizer::encode_blocks(std::string_view text, const EncodeOptions& options,
                              const std::function<void(std::vector<int32_t>)>& use) const {
  const Definition& definition = state_->definition;
  if (options.add_special && !definition.before_text.empty()) {
    use(definition.before_text);
  }
  std::deque<std::string> storage;
  const std::vector<Part> parts =
      divide_long_parts(definition, divide_at_added_tokens(*state_, text, options.parse_special, storage));
  const std::vector<std::span<const Part>> blocks = blocks_of(parts);
  std::vector<std::vector<int32_t>> ids(std::min(blocks.size(), kBlocksAtOnce));
  for (size_t first = 0; first < blocks.size(); first += ids.size()) {
    const size_t count = std::min(ids.size(), blocks.size() - first);
    parallel_for(static_cast<int64_t>(count), 1, [&](int64_t begin, int64_t) {
      const auto i = static_cast<size_t>(begin);
      ids[i].clear();
      encode_parts(*state_, blocks[first + i], ids[i]);
    });
    for (size_t i = 0; i < count; ++i) {
      use(std::move(ids[i]));
    }
  }
  if (options.add_special && !definition.after_text.empty()) {
    use(definition.after_text);
  }
}

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) {
    text += token_bytes(id);
  }
  return text;
}

std::string_view Tokenizer::token_bytes(int32_t id) const {
  check_id(id, vocab_size());
  return state_->definition.tokens[static_cast<size_t>(id)];
}

std::string Tokenizer::token_text(int32_t id) const {
  const std::string_view bytes = token_bytes(id);
  return state_->added_of_id[static_cast<size_t>(id)] != nullptr ? std::string(bytes) : to_alphabet(bytes);
}

bool Tokenizer::is_special(int32_t id) const {
  token_bytes(id); // checks the id
  const AddedToken* token = state_->added_of_id[static_cast<size_t>(id)];
  return token != nullptr && token->is_special;
}

std::vector<int32_t> Tokenizer::special_tokens() const {
  std::vector<int32_t> ids;
  for (const AddedToken& token : state_->definition.added) {
    if (token.is_special) {
      ids.push_back(token.id);
    }
  }
  return ids;
}

const std::vector<int32_t>& Tokenizer::before_text() const {
  return state_->definition.before_text;
}

std::optional<int32_t> Tokenizer::end_of_text() const {
  return state_->definition.end_of_text;
}

int64_t Tokenizer::text_bytes(std::span<const int32_t> ids) const {
  int64_t bytes = 0;
  for (const int32_t id : ids) {
    bytes += is_special(id) ? 0 : static_cast<int64_t>(token_bytes(id).size());
  }
  return bytes;
}

std::vector<std::string> Tokenizer::split(std::string_view text, const EncodeOptions& options) const {
  std::vector<std::string> pieces;
  std::deque<std::string> storage;
  for (const Part& part : divide_at_added_tokens(*state_, text, options.parse_special, storage)) {
    if (part.token != nullptr) {
      pieces.push_back(part.token->text);
      continue;
    }
    const SplitRules& rules = state_->definition.rules;
    const bool add_space =
        rules.add_prefix_space && !rules.adds_space_to_pieces() && part.text.front() != ' ';
    for_each_valid_part(
        add_space ? with_space(part.text) : std::string(part.text),
        [&](std::string_view valid) {
          for_each_piece(rules, valid, [&](std::string_view piece) { pieces.emplace_back(piece); });
        },
        [&](unsigned char byte) { pieces.emplace_back(1, static_cast<char>(byte)); });
  }
  return pieces;
}

int64_t Tokenizer::num_merges() const {
  return static_cast<int64_t>(state_->definition.merges.size());
}

std::string Tokenizer::splitting() const {
  const SplitRules& rules = state_->definition.rules;
  std::vector<std::string> names;
  std::ranges::transform(rules.rules, std::back_inserter(names),
                         [](const SplitRule& rule) { return description_of(rule); });
  return (names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", then "))) +
         (rules.adds_space_to_pieces()
              ? fmt::format("; a space is put in front of each piece of the first {}",
                            rules.rules_before_space == 1 ? "rule"
                                                          : fmt::format("{} rules", rules.rules_before_space))
          : rules.add_prefix_space ? "; a space is put in front of a text"
                                   : "");
}

std::string Tokenizer::normalizing() const {
  std::vector<std::string> names;
  std::ranges::transform(state_->definition.normalizers, std::back_inserter(names),
                         [](const TextNormalizer& normalizer) { return description_of(normalizer); });
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", then "));
}

std::string Tokenizer::hash() const {
  return state_->hash;
}

double bits_per_byte(double nats, int64_t text_bytes) {
  if (text_bytes < 1) {
    throw UsageError(fmt::format("mneme::tokens::bits_per_byte: text_bytes is {}, at least 1 was expected.\n"
                                 "  Score at least one token that is not special.",
                                 text_bytes));
  }
  return nats / (std::numbers::ln2 * static_cast<double>(text_bytes));
}

} // namespace mneme::tokens
