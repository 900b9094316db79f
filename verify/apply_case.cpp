// SPDX-License-Identifier: MIT

#include "verify/apply_case.h"

#include <c10/util/Exception.h>
#include <nlohmann/json.hpp>

#include "mneme/core/error.h"
#include "verify/json_file.h"
#include "verify/layer_case.h"
#include "verify/leap_case.h"

namespace mneme::verify {

std::vector<WrittenTensor> apply_case(const std::filesystem::path& file, const std::filesystem::path& out,
                                      const ApplyOptions& options) {
  nn::NamedTensors tensors;
  try {
    const nlohmann::json json = read_json(file);
    const GoldenValue golden(json);
    if (golden.has("class") && LeapCase::takes(golden.at("class").text())) {
      tensors = LeapCase(golden, file).run(options.gradients);
    } else {
      tensors = LayerCase(golden, file).run(options.compat, options.gradients).tensors;
    }
  } catch (const DataError& error) {
    throw DataError(file.string() + ": " + error.what());
  } catch (const UsageError& error) {
    throw DataError(file.string() + ": " + error.what());
  } catch (const c10::Error& error) { // tensors that do not fit together; a backtrace follows the first line
    const std::string message = error.what_without_backtrace();
    throw DataError(
        file.string() + ": LibTorch refuses the layer's tensors: " + message.substr(0, message.find('\n')) +
        ".\n  Compare types and shapes of \"input.*\" and \"cotangent\" with \"dtype\" and the layer.");
  }
  nn::write_tensor_file(out, {tensors, {}});
  std::vector<WrittenTensor> written;
  for (const auto& [name, tensor] : tensors) {
    written.push_back({name, c10::str(tensor.scalar_type()), tensor.sizes().vec()});
  }
  return written;
}

} // namespace mneme::verify
