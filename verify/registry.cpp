// SPDX-License-Identifier: MIT

#include "verify/registry.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace mneme::verify {
namespace {

// A new runner is one line here, one declaration in registry.h and one file.
constexpr std::array kFormats = {
    Format{"BitPatternSet", run_bit_bags},
    Format{"LatchSequenceSet", run_latch_sequences},
    Format{"ByteLevelBpe", run_byte_level_bpe},
    Format{"Smiles", run_smiles},
    Format{"WordPiece", run_word_piece},
    Format{"beta_fit", run_beta_fit},
    Format{"beta_vs_d_n64", run_beta_vs_d},
    Format{"bpe", run_byte_level_bpe},
    Format{"caches", run_caches},
    Format{"cap_intersection", run_cap_intersection},
    Format{"circle_intersection", run_circle_intersection},
    Format{"circle_intersection_book_continuous", run_book_intersection},
    Format{"circle_intersection_r_and_weights", run_original_circle_intersection},
    Format{"conversions", run_conversions},
    Format{"cosine_perturb", run_cosine_noise},
    Format{"critical_distance", run_critical_distance},
    Format{"effective_beta", run_effective_beta},
    Format{"exp_bounds", run_exponential_bounds},
    Format{"experiment_randunif1000", run_experiment_randunif},
    Format{"experiment_randunif64", run_experiment_randunif},
    Format{"neuron_near", run_hard_location_near},
    Format{"optimal_d", run_optimal_radius},
    Format{"projection_recall", run_projection_recall},
    Format{"recall_first_release", run_recall_first_release},
    Format{"recall_head", run_recall_head},
    Format{"snr_variance", run_signal_to_noise},
    Format{"theory", run_hopfield_theory},
    Format{"AlbertModel", nullptr, &run_bert_cases, "encoders run on the CPU, not on other devices"},
    Format{"BertModel", nullptr, &run_bert_cases, "encoders run on the CPU, not on other devices"},
    Format{"GPT2LMHeadModel", nullptr, &run_gpt2_cases,
           "texts are generated on the CPU, not on other devices"},
    Format{"cases", nullptr, &run_gpt2_cases, "texts are generated on the CPU, not on other devices"},
    Format{"Hopfield", nullptr, &run_layer_case},
    Format{"HopfieldCore", nullptr, &run_layer_case},
    Format{"HopfieldDecoderLayer", nullptr, &run_layer_case},
    Format{"HopfieldEncoderLayer", nullptr, &run_layer_case},
    Format{"HopfieldLayer", nullptr, &run_layer_case},
    Format{"HopfieldPooling", nullptr, &run_layer_case},
    Format{"FastformerForCausalLM", nullptr, &run_leap_case},
    Format{"LeapBlock", nullptr, &run_leap_case},
    Format{"LeapDecoder", nullptr, &run_leap_case},
    Format{"LeapForCausalLM", nullptr, &run_leap_case},
    Format{"LstmForCausalLM", nullptr, &run_leap_case},
    Format{"MultiheadLeap", nullptr, &run_leap_case},
    Format{"projection_training", nullptr, &run_projection_training,
           "projections are trained on the CPU, not on other devices"},
    Format{.name = "keyquery_norm_betas", .holds_data = true},
    Format{.name = "published_betas", .holds_data = true},
    Format{.name = "published_tables", .holds_data = true},
    Format{.name = "text_inputs", .holds_data = true},
    Format{.name = "unicode_classes", .holds_data = true},
};

} // namespace

const Format* find_format(std::string_view name) {
  const auto found = std::ranges::find(kFormats, name, &Format::name);
  return found == kFormats.end() ? nullptr : &*found;
}

std::string known_formats() {
  std::set<std::string_view> names;
  for (const Format& format : kFormats) {
    names.insert(format.name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

} // namespace mneme::verify
