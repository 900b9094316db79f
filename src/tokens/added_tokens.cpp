// SPDX-License-Identifier: MIT

#include "tokens/added_tokens.h"

#include <algorithm>
#include <functional>

namespace mneme::tokens {

namespace {

std::vector<std::pair<std::string_view, const AddedToken*>>
with_texts(const std::vector<const AddedToken*>& tokens) {
  std::vector<std::pair<std::string_view, const AddedToken*>> all;
  for (const AddedToken* token : tokens) {
    all.emplace_back(token->text, token);
  }
  return all;
}

} // namespace

AddedTokens::AddedTokens(const std::vector<const AddedToken*>& tokens) : AddedTokens(with_texts(tokens)) {}

AddedTokens::AddedTokens(const std::vector<std::pair<std::string_view, const AddedToken*>>& tokens) {
  for (const auto& [text, token] : tokens) {
    by_text_.emplace(text, token);
    has_ordinary_ = has_ordinary_ || !token->is_special;
    std::vector<size_t>& sizes = sizes_[static_cast<unsigned char>(text.front())];
    if (sizes.empty()) {
      first_bytes_ += text.front();
    }
    if (std::ranges::find(sizes, text.size()) == sizes.end()) {
      sizes.push_back(text.size());
    }
  }
  for (std::vector<size_t>& sizes : sizes_) {
    std::ranges::sort(sizes, std::greater<>());
  }
}

AddedTokenMatch AddedTokens::find(std::string_view text, size_t from) const {
  for (size_t at = text.find_first_of(first_bytes_, from); at != std::string_view::npos;
       at = text.find_first_of(first_bytes_, at + 1)) {
    for (const size_t size : sizes_[static_cast<unsigned char>(text[at])]) {
      if (size <= text.size() - at) {
        if (const auto found = by_text_.find(text.substr(at, size)); found != by_text_.end()) {
          return {at, size, found->second};
        }
      }
    }
  }
  return {text.size(), 0, nullptr};
}

} // namespace mneme::tokens
