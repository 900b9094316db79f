// SPDX-License-Identifier: MIT

#include "verify/on_device.h"

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::verify {
namespace {

const char* name_of(at::Float32MatmulPrecision precision) {
  switch (precision) {
  case at::Float32MatmulPrecision::HIGHEST:
    return "highest";
  case at::Float32MatmulPrecision::HIGH:
    return "high";
  case at::Float32MatmulPrecision::MEDIUM:
    return "medium";
  }
  return "highest";
}

} // namespace

FullFloat32::FullFloat32(at::Device device) : is_cpu_(device.is_cpu()) {
  if (is_cpu_) {
    return;
  }
  at::Context& context = at::globalContext();
  products_ = context.float32MatmulPrecision();
  cudnn_ = context.allowTF32CuDNN(at::Float32Op::RNN);
  onednn_ = context.allowTF32OneDNN();
  context.setFloat32MatmulPrecision("highest");
  context.setAllowTF32CuDNN(false);
  if (onednn_) {
    context.setAllowTF32OneDNN(false);
  }
}

FullFloat32::~FullFloat32() {
  if (is_cpu_) {
    return;
  }
  at::Context& context = at::globalContext();
  context.setFloat32MatmulPrecision(name_of(products_));
  context.setAllowTF32CuDNN(cudnn_);
  if (onednn_) {
    context.setAllowTF32OneDNN(true);
  }
}

std::string first_line(const c10::Error& error) {
  const std::string message = error.what_without_backtrace();
  return message.substr(0, message.find('\n'));
}

void run_on_device(Checker& checker, const std::function<void()>& body) {
  const std::string where = "the layer on " + checker.device();
  try {
    body();
  } catch (const c10::Error& error) {
    checker.fail(where, "LibTorch error: " + first_line(error));
  } catch (const Error& error) {
    const bool is_rejected = dynamic_cast<const UsageError*>(&error) != nullptr ||
                             dynamic_cast<const UnsupportedError*>(&error) != nullptr;
    if (!is_rejected ||
        checker.device() == "cpu") { // on the CPU, a case that a layer rejects is a wrong file
      throw;
    }
    checker.fail(where, error.what());
  }
}

} // namespace mneme::verify
