// SPDX-License-Identifier: MIT

#include "verify/apply_case.h"

#include <nlohmann/json.hpp>

#include "mneme/core/error.h"
#include "verify/device.h"
#include "verify/json_file.h"
#include "verify/module_case.h"
#include "verify/on_device.h"

namespace mneme::verify {
namespace {

std::vector<WrittenTensor> run_case(const std::filesystem::path& file, const std::filesystem::path& out,
                                    const ApplyOptions& options) {
  const std::string device = checked_device(options.device);
  nn::NamedTensors tensors;
  try {
    const nlohmann::json json = read_json(file);
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
  std::vector<WrittenTensor> written;
  for (const auto& [name, tensor] : tensors) {
    written.push_back({name, c10::str(tensor.scalar_type()), tensor.sizes().vec()});
  }
  return written;
}

[[maybe_unused]] const bool implemented = apply_case.implement(run_case);

} // namespace

} // namespace mneme::verify
