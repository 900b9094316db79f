// SPDX-License-Identifier: MIT

#include "experiments/registry.h"

#include <algorithm>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/nearest_word.h"

// One line per experiment: X(name) refers to the function `Experiment name()`, defined in the experiment's
// file.
#define MNEME_EXPERIMENTS(X)                                                                                 \
  X(sdm_softmax_circle)                                                                                      \
  X(sdm_exp_bounds)                                                                                          \
  X(sdm_recall_randunif64)                                                                                   \
  X(sdm_recall_randunif1000)                                                                                 \
  X(sdm_recall_mnist)                                                                                        \
  X(sdm_neuron_limited)                                                                                      \
  X(sdm_neuron_distance)                                                                                     \
  X(sdm_critical_distances)                                                                                  \
  X(sdm_full_size)                                                                                           \
  X(sdm_keyquery_norm_betas)                                                                                 \
  X(sdm_circle_differences)                                                                                  \
  X(sdm_optimal_radius)                                                                                      \
  X(sdm_learn_projections)                                                                                   \
  X(sdm_learn_projections_beta)                                                                              \
  X(sdm_learn_projections_cifar)                                                                             \
  X(attention_gain_plot)                                                                                     \
  X(attention_dataset_samples)                                                                               \
  X(attention_comparison)                                                                                    \
  X(attention_weights)                                                                                       \
  X(attention_rule_graph)                                                                                    \
  X(attention_sample_complexity)                                                                             \
  X(attention_competitive_mlp)                                                                               \
  X(hopfield_energy_descent)                                                                                 \
  X(hopfield_one_step)                                                                                       \
  X(hopfield_capacity)                                                                                       \
  X(hopfield_fixed_points)                                                                                   \
  X(hopfield_bit_pattern)                                                                                    \
  X(hopfield_latch)                                                                                          \
  X(hopfield_mnist_bags)                                                                                     \
  X(hopfield_immune_repertoire)                                                                              \
  X(leap_stability)                                                                                          \
  X(leap_cost)                                                                                               \
  X(leap_scaling)                                                                                            \
  X(leap_ablation)                                                                                           \
  X(leap_window_sizes)                                                                                       \
  X(leap_rescaled_dot_product)                                                                               \
  X(leap_additive_attention)                                                                                 \
  X(leap_shakespeare)                                                                                        \
  X(leap_mqar)                                                                                               \
  X(transformer_effective_betas)                                                                             \
  X(transformer_training)                                                                                    \
  X(transformer_averaging_heads)                                                                             \
  X(transformer_fine_tuning)

namespace mneme::experiments {

#define MNEME_DECLARE_EXPERIMENT(name) Experiment name();
MNEME_EXPERIMENTS(MNEME_DECLARE_EXPERIMENT)

const std::vector<Experiment>& all_experiments() {
#define MNEME_LIST_EXPERIMENT(name) name(),
  static const std::vector<Experiment> experiments = {MNEME_EXPERIMENTS(MNEME_LIST_EXPERIMENT)};
  return experiments;
}

namespace {

/// The id, or first part of ids, that is most similar to `id`; empty if none is. An id without its first part
/// is completed.
std::string similar_id(const std::string& id) {
  std::vector<std::string> names;
  for (const Experiment& experiment : all_experiments()) {
    if (!id.empty() && experiment.id.ends_with("/" + id)) {
      return experiment.id;
    }
    names.insert(names.end(), {experiment.id, experiment.id.substr(0, experiment.id.find('/'))});
  }
  return nearest_word(id, names);
}

} // namespace

std::vector<const Experiment*> experiments_named(std::span<const std::string> ids) {
  // The id of one experiment may be the beginning of others, such as "sdm/learn-projections".
  const auto is_beginning = [](const std::string& id, const Experiment& experiment) {
    return id.find('/') != std::string::npos && experiment.id.starts_with(id) &&
           std::ranges::find(all_experiments(), id, &Experiment::id) == all_experiments().end();
  };
  const auto matches = [&](const std::string& id, const Experiment& experiment) {
    if (id.ends_with('*')) {
      return experiment.id.starts_with(id.substr(0, id.size() - 1));
    }
    return id == "all" || experiment.id == id || experiment.id.starts_with(id + "/") ||
           is_beginning(id, experiment);
  };
  for (const std::string& id : ids) {
    if (std::ranges::none_of(all_experiments(),
                             [&](const Experiment& experiment) { return matches(id, experiment); })) {
      const std::string close = similar_id(id);
      std::string known;
      for (const Experiment& experiment : all_experiments()) {
        known += (known.empty() ? " Available ids: " : ", ") + experiment.id;
      }
      throw UsageError(
          "there is no experiment \"" + id + "\".\n  " +
          (close.empty() ? "" : "Did you mean \"" + close + "\"? ") +
          "The beginning of an id selects all experiments that start with it; \"all\" selects every "
          "experiment." +
          (close.empty() ? known + "." : "") + " `mneme reproduce --list` lists them.");
    }
  }
  std::vector<const Experiment*> chosen;
  for (const Experiment& experiment : all_experiments()) {
    if (std::ranges::any_of(ids, [&](const std::string& id) { return matches(id, experiment); })) {
      chosen.push_back(&experiment);
    }
  }
  return chosen;
}

const std::vector<ParameterInfo>& all_parameters() {
  static const std::vector<ParameterInfo> parameters = [] {
    std::vector<ParameterInfo> all;
    for (const Experiment& experiment : all_experiments()) {
      for (const ParameterInfo& parameter : experiment.parameters) {
        const auto same = std::ranges::find(all, parameter.name, &ParameterInfo::name);
        if (same == all.end()) {
          all.push_back(parameter);
        } else { // the option accepts what any of them accepts
          same->min = std::min(same->min, parameter.min);
          same->max = std::max(same->max, parameter.max);
        }
      }
    }
    return all;
  }();
  return parameters;
}

namespace {

bool has_parameter(const Experiment& experiment, const std::string& name) {
  return std::ranges::find(experiment.parameters, name, &ParameterInfo::name) != experiment.parameters.end();
}

std::string ids_of(const std::vector<const Experiment*>& experiments) {
  std::string ids;
  for (const Experiment* each : experiments) {
    ids += (ids.empty() ? "" : ", ") + each->id;
  }
  return ids;
}

/// Errors  UsageError, as none of the chosen experiments has the parameter
[[noreturn]] void refuse_parameter(std::span<const Experiment* const> chosen, const std::string& name) {
  std::string own;
  for (const Experiment* experiment : chosen) {
    for (const ParameterInfo& each : experiment->parameters) {
      own += (own.empty() ? "" : ", ") + ("--" + each.name);
    }
  }
  const bool is_one = chosen.size() == 1;
  std::vector<const Experiment*> having;
  for (const Experiment& each : all_experiments()) {
    if (has_parameter(each, name)) {
      having.push_back(&each);
    }
  }
  throw UsageError("--" + name + ": " +
                   (is_one ? "the experiment " + chosen.front()->id + " has no such parameter" +
                                 (own.empty() ? "; it has none" : "; its parameters are " + own)
                           : "none of the chosen experiments has this parameter") +
                   ".\n  Experiments with --" + name + ": " + ids_of(having) + ".");
}

} // namespace

std::vector<std::string> check_parameters(std::span<const Experiment* const> chosen,
                                          std::span<const GivenParameter> given) {
  if (chosen.size() == 1) {
    std::string missing;
    for (const ParameterInfo& each : chosen.front()->parameters) {
      if (each.is_required && std::ranges::find(given, each.name, &GivenParameter::name) == given.end()) {
        missing += (missing.empty() ? "--" : " and --") + each.name + " " + each.path;
      }
    }
    if (!missing.empty()) {
      throw UsageError("the experiment " + chosen.front()->id + " needs " + missing +
                       ".\n  `mneme reproduce --help` describes the parameters.");
    }
  }
  std::vector<std::string> messages;
  for (const GivenParameter& parameter : given) {
    std::vector<const Experiment*> without;
    for (const Experiment* experiment : chosen) {
      const auto info = std::ranges::find(experiment->parameters, parameter.name, &ParameterInfo::name);
      if (info == experiment->parameters.end()) {
        without.push_back(experiment);
        continue;
      }
      for (const double number : parameter.numbers) {
        if (number > static_cast<double>(info->max)) {
          throw UsageError(
              fmt::format("--{} {}: the experiment {} accepts numbers up to {}.\n  Give values in this "
                          "range.",
                          parameter.name, number, experiment->id, info->max));
        }
      }
      for (const int64_t value : parameter.values) {
        if (value < info->min || value > info->max) {
          throw UsageError("--" + parameter.name + " " + std::to_string(value) + ": the experiment " +
                           experiment->id + " accepts " + std::to_string(info->min) + " to " +
                           std::to_string(info->max) + ".\n  Give values in this range.");
        }
      }
    }
    if (without.size() == chosen.size()) {
      refuse_parameter(chosen, parameter.name);
    }
    if (!without.empty()) {
      messages.push_back("--" + parameter.name + " has no effect on " + ids_of(without) + ".");
    }
  }
  return messages;
}

RunSettings settings_of(const Experiment& experiment, RunSettings settings) {
  std::erase_if(settings.parameters,
                [&](const GivenParameter& given) { return !has_parameter(experiment, given.name); });
  return settings;
}

} // namespace mneme::experiments
