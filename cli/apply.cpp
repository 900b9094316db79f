// SPDX-License-Identifier: MIT

/// `mneme apply`: runs the layer of a case file.

#include <ostream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/arguments.h"
#include "cli/common_options.h"
#include "cli/json_output.h"
#include "cli/verb.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "verify/apply_case.h"
#include "verify/device.h"

namespace mneme::cli {
namespace {

class Apply : public Verb {
public:
  std::string name() const override { return "apply"; }
  std::string summary() const override {
    return "run a layer with the parameters and inputs of a case file, and save the outputs";
  }
  TorchNeed torch_need() const override { return TorchNeed::required; }
  bool out_is_file() const override { return true; }
  bool uses_seed(const Arguments&) const override { return false; }
  void declare(Arguments& arguments) override {
    arguments.add_option("CASE", case_, "Case file: NAME.json, with NAME.safetensors in the same folder")
        ->type_name("FILE")
        ->required();
    arguments.add_flag("--grad", options_.gradients, "Also compute the gradients of sum(result * cotangent)");
    arguments.add_flag("--compat", options_.compat,
                       "Reproduce the results of hflayers where they differ from its documentation");
    add_device_option(arguments, options_.device);
  }

  ExitCode run(Context& context) override {
    if (context.options.out.empty()) {
      throw UsageError("--out is missing.\n  Give the name of the .safetensors file to write.");
    }
    require_other_file(context.options.out);
    options_.device = verify::checked_device(options_.device);
    const std::vector<verify::WrittenTensor> written =
        verify::apply_case(case_, context.options.out, options_);
    if (context.options.json) {
      nlohmann::ordered_json tensors = nlohmann::ordered_json::object();
      for (const verify::WrittenTensor& tensor : written) {
        tensors[tensor.name] = {{"type", tensor.type}, {"shape", tensor.shape}};
      }
      print_json(context.out,
                 {{"device", options_.device}, {"file", context.options.out.string()}, {"tensors", tensors}});
    } else {
      for (const verify::WrittenTensor& tensor : written) {
        context.out << fmt::format("{} [{}] {}\n", tensor.name, fmt::join(tensor.shape, ", "), tensor.type);
      }
      const std::string where =
          options_.device == "cpu" ? "" : fmt::format(", computed on {}", options_.device);
      context.out << fmt::format("{} tensors written to {}{}\n", written.size(), context.options.out.string(),
                                 where);
    }
    return ExitCode::ok;
  }

private:
  /// Errors  UsageError if `out` is one of the two files of the case
  void require_other_file(const std::filesystem::path& out) const {
    const std::filesystem::path json = case_;
    for (const std::filesystem::path& input :
         {json, std::filesystem::path(json).replace_extension(".safetensors")}) {
      std::error_code missing; // a file that does not exist is not overwritten
      if (std::filesystem::equivalent(input, out, missing)) {
        throw UsageError(
            fmt::format("--out {}: is a file of the case itself, which would be overwritten.\n  Give "
                        "another name.",
                        printable(out.string())));
      }
    }
  }

  std::string case_;
  verify::ApplyOptions options_;
};

} // namespace

std::unique_ptr<Verb> make_apply() {
  return std::make_unique<Apply>();
}

} // namespace mneme::cli
