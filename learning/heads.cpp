// SPDX-License-Identifier: MIT

#include "learning/heads.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "json/transformer_type.h"
#include "mneme/core/error.h"
#include "mneme/data/read_file.h"

namespace mneme::learning {

std::vector<HeadSummary> summaries(std::span<const TextHeads> texts) {
  std::map<std::pair<int64_t, int64_t>, HeadSummary> heads;
  const auto count = static_cast<double>(texts.size());
  for (const TextHeads& text : texts) {
    for (const theory::HeadReading& head : text.heads) {
      const auto [found, is_new] =
          heads.try_emplace(std::pair(head.layer, head.head),
                            HeadSummary{.layer = head.layer, .head = head.head, .beta = head.last.beta});
      found->second.beta = std::max(found->second.beta, head.last.beta);
      found->second.entropy += head.entropy / count;
      found->second.keys_90 += head.keys_90 / count;
      found->second.keys += head.keys / count;
    }
  }
  std::vector<HeadSummary> result;
  for (auto& [place, head] : heads) {
    head.kind = theory::fixed_point(head.keys_90, head.keys);
    result.push_back(head);
  }
  return result;
}

HeadStatistics statistics_of(std::span<const HeadSummary> heads) {
  if (heads.empty()) {
    throw UsageError("statistics_of: there is no head.\n  Read the heads of a text first.");
  }
  const auto count = static_cast<double>(heads.size());
  HeadStatistics result{.max_beta = heads[0].beta};
  for (const HeadSummary& head : heads) {
    using theory::FixedPoint;
    ++(head.kind == FixedPoint::global       ? result.global
       : head.kind == FixedPoint::metastable ? result.metastable
                                             : result.single);
    result.mean_beta += head.beta / count;
    result.max_beta = std::max(result.max_beta, head.beta);
    result.entropy += head.entropy / count;
    result.keys_share += head.keys_90 / head.keys / count;
  }
  return result;
}

std::map<int64_t, HeadStatistics> statistics_by_layer(std::span<const HeadSummary> heads) {
  std::map<int64_t, std::vector<HeadSummary>> layers;
  for (const HeadSummary& head : heads) {
    layers[head.layer].push_back(head);
  }
  std::map<int64_t, HeadStatistics> result;
  for (const auto& [layer, own] : layers) {
    result.emplace(layer, statistics_of(own));
  }
  return result;
}

std::filesystem::path folder_of(const std::filesystem::path& model) {
  std::error_code unreadable;
  return std::filesystem::is_directory(model, unreadable) ? model : model.parent_path();
}

nlohmann::json config_of(const std::filesystem::path& model) {
  std::error_code unreadable;
  const std::filesystem::path file = folder_of(model) / "config.json";
  if (!std::filesystem::is_regular_file(file, unreadable)) {
    return nullptr;
  }
  const std::vector<std::byte> bytes = data::read_file(file);
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  nlohmann::json config = nlohmann::json::parse(text, text + bytes.size(), nullptr, false);
  return config.is_discarded() ? nlohmann::json() : config;
}

std::string model_type_of(const std::filesystem::path& model) {
  return transformer_type(config_of(model));
}

} // namespace mneme::learning
