// SPDX-License-Identifier: MIT

#include "verify/apply_case.h"

#include <nlohmann/json.hpp>

#include "mneme/core/error.h"
#include "mneme/nn/hopfield.h"
#include "verify/device.h"
#include "verify/json_file.h"
#include "verify/module_case.h"
#include "verify/on_device.h"

namespace mneme::verify {
namespace {

/// Notes on activations that hflayers ignores, of all Hopfield layers of a case.
void add_notes(const nlohmann::json& json, std::vector<std::string>& notes) {
  if (!json.is_object()) {
    return;
  }
  for (const auto& [key, value] : json.items()) {
    if (key == "association_activation" && value.is_string() &&
        nn::hflayers_ignores_activation(value.get<std::string>())) {
      notes.push_back("association_activation \"" + value.get<std::string>() +
                      "\" is not applied, as in hflayers, which looks for torch." + value.get<std::string>());
    }
    add_notes(value, notes);
  }
}

AppliedCase run_case(const std::filesystem::path& file, const std::filesystem::path& out,
                     const ApplyOptions& options) {
  const std::string device = checked_device(options.device);
  nn::NamedTensors tensors;
  AppliedCase result;
  try {
    const nlohmann::json json = read_json(file);
    if (options.compat) {
      add_notes(json, result.notes);
    }
    const GoldenValue golden(json);
    tensors = ModuleCase(golden, file, device)
                  .run({.compat = options.compat, .gradients = options.gradients})
                  .tensors;
  } catch (const DataError& error) {
    throw DataError(file.string() + ": " + error.what());
  } catch (const UsageError& error) {
    throw DataError(file.string() + ": " + error.what());
  } catch (const c10::Error& error) {
    if (device != "cpu") {
      throw UnsupportedError(file.string() + ": LibTorch fails on " + device + ": " + first_line(error) +
                             ".\n  Run it on the CPU (without --device) to find out whether the file or the "
                             "device is the cause.");
    }
    throw DataError( // tensors of incompatible types or shapes
        file.string() + ": LibTorch does not accept the layer's tensors: " + first_line(error) +
        ".\n  Compare types and shapes of \"input.*\" and \"cotangent\" with \"dtype\" and the layer.");
  }
  nn::write_tensor_file(out, {tensors, {}});
  for (const auto& [name, tensor] : tensors) {
    result.tensors.push_back({name, c10::str(tensor.scalar_type()), tensor.sizes().vec()});
  }
  return result;
}

[[maybe_unused]] const bool implemented = apply_case.implement(run_case);

} // namespace

} // namespace mneme::verify
