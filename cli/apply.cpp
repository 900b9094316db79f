// SPDX-License-Identifier: MIT

/// `mneme apply`: runs a layer, with trained weights or with the parameters and inputs of a case file.

#include <ostream>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/arguments.h"
#include "cli/common_options.h"
#include "cli/json_output.h"
#include "cli/layer_run.h"
#include "cli/numbers.h"
#include "cli/output_file.h"
#include "cli/verb.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "report/text.h"
#include "verify/apply_case.h"
#include "verify/device.h"

namespace mneme::cli {
namespace {

class Apply : public Verb {
public:
  std::string name() const override { return "apply"; }
  std::string summary() const override {
    return "run a layer with trained weights (or the layer of a case file), and save the outputs";
  }
  TorchNeed torch_need() const override { return TorchNeed::required; }
  bool out_is_file() const override { return true; }
  bool uses_seed(const Arguments&) const override { return false; }
  void declare(Arguments& arguments) override {
    arguments.add_option("CASE", case_, "Case file: NAME.json, with NAME.safetensors in the same folder")
        ->type_name("FILE");
    arguments.add_flag("--grad", options_.gradients,
                       "With a case file: also compute the gradients of sum(result * cotangent)");
    arguments.add_flag("--compat", options_.compat,
                       "Reproduce the results of hflayers where they differ from its documentation");
    add_device_option(arguments, options_.device);
    declare_weights(arguments);
    arguments.footer(
        "With --weights, --out is a .npy file (the output), or a .safetensors file (the output and "
        "the association). Sizes, biases and norms of the layer are those of its weights; every "
        "other option that differs from its default must be given. Layers with options that cannot be "
        "given here, such as pattern_projection_as_connected, run from a case file; "
        "with one, --out is a .safetensors file.");
  }

  ExitCode run(Context& context) override {
    const bool has_weights = !layer_.weights.empty();
    if (has_weights == !case_.empty()) {
      throw UsageError(
          fmt::format("{}.\n  Give either --weights FILE and --input FILE, or a case file.",
                      has_weights ? "both --weights and a case file are given" : "there is no layer to run"));
    }
    if (context.options.out.empty()) {
      throw UsageError(fmt::format("--out is missing.\n  Give the name of the {} file to write.",
                                   has_weights ? ".npy or .safetensors" : ".safetensors"));
    }
    return has_weights ? run_weights(context) : run_case(context);
  }

private:
  void declare_weights(Arguments& arguments) {
    const auto add = [&](Option* option, const char* type = nullptr) {
      if (type != nullptr) {
        option->type_name(type);
      }
      weights_options_.push_back(option->group("Layers of hflayers"));
    };
    arguments
        .add_option("--weights", layer_.weights,
                    "State dict of a Hopfield, HopfieldPooling or HopfieldLayer: .safetensors, .pt")
        ->type_name("FILE")
        ->group("Layers of hflayers");
    add(arguments.add_option(
            "--input", layer_.inputs,
            "Input [batch, length, features], or [length, features] of a single bag: .npy, "
            ".safetensors, .pt. Several files: stored patterns, state patterns (Hopfield only), "
            "pattern projections"),
        "FILE");
    add(arguments.add_option("--tensor", layer_.tensors,
                             "Name of the tensor in the files of --input: one for all, or one for each"),
        "NAME");
    add(arguments.add_option("--key", layer_.key,
                             "Key of the dict of parameters in the checkpoint, such as model.ema"),
        "KEY");
    add(arguments.add_option("--layer", layer_.layer,
                             "Name of the layer in the model, if the weights have several"),
        "NAME");
    add(add_integer_option(arguments, "--heads", layer_.num_heads, {.min = 1},
                           "Number of heads (num_heads)"));
    add(add_reals_option(
        arguments, "--beta", layer_.beta, {.min = 0},
        "Inverse temperature (scaling): one number, or one per head; by default 1 / sqrt(hidden_size)"));
    add(add_parsed_option(
        arguments, "--update-steps", "N|converge", "0",
        [this](const std::string& name, const std::string& text) {
          layer_.update_steps_max =
              text == "converge" ? std::nullopt : std::optional(parse_integer(name, text, {.min = 0}));
        },
        "Maximum number of updates (update_steps_max); converge: None in Python"));
    add(add_real_option(arguments, "--update-eps", layer_.update_steps_eps, {.min = 0, .min_included = false},
                        "Convergence threshold (update_steps_eps)"));
    add(arguments.add_option(
            "--padding-mask", layer_.padding_mask,
            "stored_pattern_padding_mask [batch, length]: not 0 for stored patterns that are ignored"),
        "FILE");
    add(arguments.add_option(
            "--association-mask", layer_.association_mask,
            "association_mask [states, stored patterns], or [batch * heads, states, stored patterns]: true, "
            "or 1 in a .npy file of 0 and 1, for pairs that are ignored; other numbers are added to the "
            "scores"),
        "FILE");
    add(arguments.add_option(
            "--option", layer_.options,
            "Options of the layer in Python that its weights do not show, such as "
            "normalize_hopfield_space=True, add_zero_association=True or association_activation=tanh"),
        "NAME=VALUE");
    add(arguments.add_flag("--length-first", layer_.length_first,
                           "Inputs are [length, batch, features] (batch_first=False)"));
  }

  ExitCode run_case(Context& context) {
    for (const Option* option : weights_options_) {
      if (option->count() > 0) {
        throw UsageError(fmt::format("{} has an effect with --weights only.\n  Write it into the case file.",
                                     option->name()));
      }
    }
    if (context.options.out.extension() != ".safetensors") {
      throw UsageError(
          fmt::format("--out {}: is not a .safetensors file, which the outputs of a case file are written "
                      "to.\n  Give this ending.",
                      printable(context.options.out.string())));
    }
    const std::filesystem::path json = case_;
    require_other_file("--out", context.options.out,
                       {json, std::filesystem::path(json).replace_extension(".safetensors")});
    options_.device = verify::checked_device(options_.device);
    const verify::AppliedCase applied = verify::apply_case(case_, context.options.out, options_);
    for (const std::string& note : applied.notes) {
      context.progress.message(fmt::format("{}: {}", printable(case_), note));
    }
    print(context, {}, applied.tensors);
    return ExitCode::ok;
  }

  ExitCode run_weights(Context& context) {
    const std::filesystem::path& out = context.options.out;
    if (options_.gradients) {
      throw UsageError("--grad has an effect with a case file only.\n  Leave it out.");
    }
    if (layer_.inputs.empty()) {
      throw UsageError("--input is missing.\n  Give the .npy or .safetensors file of the input.");
    }
    if (layer_.tensors.size() > 1 && layer_.tensors.size() != layer_.inputs.size()) {
      throw UsageError(
          fmt::format("--tensor has {} names, but --input has {} files.\n  Give one name for all "
                      "files, or one for each.",
                      layer_.tensors.size(), layer_.inputs.size()));
    }
    if (out.extension() != ".npy" && out.extension() != ".safetensors") {
      throw UsageError(
          fmt::format("--out {}: is neither a .npy nor a .safetensors file.\n  Give one of these "
                      "endings.",
                      printable(out.string())));
    }
    std::vector<std::filesystem::path> read = layer_.inputs;
    read.insert(read.end(), {layer_.weights, layer_.padding_mask, layer_.association_mask});
    require_other_file("--out", out, read);
    layer_.compat = options_.compat;
    layer_.device = options_.device = verify::checked_device(options_.device);
    const LayerOutput output = run_layer(layer_, out);
    for (const std::string& note : output.notes) {
      context.progress.message(fmt::format("{}: {}", layer_.weights.string(), note));
    }
    print(context, output.layer, output.tensors);
    return ExitCode::ok;
  }

  /// `layer`: empty for a case file.
  void print(Context& context, const std::string& layer, const std::vector<verify::WrittenTensor>& written) {
    if (context.options.json) {
      nlohmann::ordered_json tensors = nlohmann::ordered_json::object();
      for (const verify::WrittenTensor& tensor : written) {
        tensors[tensor.name] = {{"type", tensor.type}, {"shape", tensor.shape}};
      }
      nlohmann::ordered_json results = {
          {"device", options_.device}, {"file", context.options.out.string()}, {"tensors", tensors}};
      if (!layer.empty()) {
        results["layer"] = layer;
      }
      print_json(context.out, results);
      return;
    }
    if (!layer.empty()) {
      context.out << layer << '\n';
    }
    for (const verify::WrittenTensor& tensor : written) {
      context.out << fmt::format("{} [{}] {}\n", tensor.name, fmt::join(tensor.shape, ", "), tensor.type);
    }
    const std::string where =
        options_.device == "cpu" ? "" : fmt::format(", computed on {}", options_.device);
    context.out << fmt::format("{} written to {}{}\n", report::counted(std::ssize(written), "tensor"),
                               context.options.out.string(), where);
  }

  std::string case_;
  verify::ApplyOptions options_;
  LayerRun layer_;
  std::vector<Option*> weights_options_;
};

} // namespace

std::unique_ptr<Verb> make_apply() {
  return std::make_unique<Apply>();
}

} // namespace mneme::cli
