// SPDX-License-Identifier: MIT

#include "ops/other_device.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <string_view>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/Functions.h>
#include <ATen/detail/HPUHooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_local_scalar_dense.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/alloc_cpu.h>
#include <torch/library.h>

#include "ops/tensors.h"

namespace mneme::testing {
namespace {

/// A device type that LibTorch knows, but for which this build has neither operators nor an allocator.
constexpr c10::DeviceType kType = c10::DeviceType::HPU;
const c10::Device kDevice(kType, 0);

std::atomic<int64_t> waits, copies;
thread_local bool inside_fallback = false; ///< copies within an operator are not counted

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(size_t size) override {
    void* data = size == 0 ? nullptr : c10::alloc_cpu(size);
    return {data, data, &c10::free_cpu, kDevice};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &c10::free_cpu; }
  void copy_data(void* to, const void* from, size_t size) const override {
    default_copy_data(to, from, size);
  }
};
Memory memory;

struct Guard final : c10::impl::NoOpDeviceGuardImpl<kType> {
  c10::Device exchangeDevice(c10::Device) const override { return kDevice; }
  c10::Device getDevice() const override { return kDevice; }
  c10::Stream getStream(c10::Device) const noexcept override { return stream(); }
  c10::Stream exchangeStream(c10::Stream) const noexcept override { return stream(); }

private:
  static c10::Stream stream() { return c10::Stream(c10::Stream::DEFAULT, kDevice); }
};
C10_REGISTER_GUARD_IMPL(HPU, Guard);

struct HPUHooks final : at::HPUHooksInterface {
  explicit HPUHooks(at::HPUHooksArgs) {}
  void init() const override {}
  bool hasHPU() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    static const at::Generator generator = at::detail::createCPUGenerator(); // seeded by manual_seed
    return generator;
  }
};

/// View of the same memory as a CPU tensor.
at::Tensor on_cpu(const at::Tensor& tensor) {
  return tensor.device().is_cpu()
             ? tensor
             : at::from_blob(tensor.data_ptr(), tensor.sizes(), tensor.strides(),
                             at::TensorOptions().dtype(tensor.scalar_type()).device(at::kCPU));
}

at::Tensor empty(c10::IntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout>,
                 std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &memory, c10::DispatchKeySet(c10::DispatchKey::HPU),
                                   c10::dtype_or_default(type), format);
}

at::Tensor empty_strided(c10::IntArrayRef size, c10::IntArrayRef stride, std::optional<at::ScalarType> type,
                         std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &memory, c10::DispatchKeySet(c10::DispatchKey::HPU),
                                           c10::dtype_or_default(type));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool) {
  if (!inside_fallback && from.device() != to.device()) {
    ++copies;
  }
  on_cpu(to).copy_(on_cpu(from));
  return to;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  if (from.sizes() != to.sizes()) {
    c10::TensorImpl* resized = to.unsafeGetTensorImpl();
    resized->set_sizes_contiguous(from.sizes());
    const size_t bytes = from.nbytes();
    resized->unsafe_storage().set_data_ptr_noswap(memory.allocate(bytes));
    resized->unsafe_storage().set_nbytes(bytes);
  }
  return copy_from(from, to, false);
}

at::Scalar local_scalar(const at::Tensor& tensor) {
  waits += inside_fallback ? 0 : 1;
  return at::_local_scalar_dense(on_cpu(tensor));
}

/// Operators whose result is a number or has a size that depends on the data, so that the host has to wait.
constexpr std::array<std::string_view, 6> kWaiting = {"aten::nonzero",    "aten::masked_select",
                                                      "aten::equal",      "aten::_unique2",
                                                      "aten::unique_dim", "aten::repeat_interleave"};

void fall_back_to_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const std::string& name = op.schema().name();
  const auto check = [&](const at::Tensor& tensor) {
    TORCH_CHECK(!tensor.defined() || tensor.dim() == 0 || tensor.device() == kDevice, name,
                ": expected all tensors to be on ", kDevice, ", but one of shape ", tensor.sizes(), " is on ",
                tensor.device());
  };
  for (const c10::IValue& argument : torch::jit::last(*stack, op.schema().arguments().size())) {
    if (argument.isTensor()) {
      check(argument.toTensor());
    } else if (argument.isTensorList()) {
      for (const at::Tensor& tensor : argument.toTensorVector()) {
        check(tensor);
      }
    }
  }
  waits += !inside_fallback && std::ranges::find(kWaiting, name) != kWaiting.end() ? 1 : 0;
  const bool was_inside = std::exchange(inside_fallback, true);
  at::native::cpu_fallback(op, stack);
  inside_fallback = was_inside;
}

} // namespace
} // namespace mneme::testing

namespace at {
using mneme::testing::HPUHooks; // LibTorch looks it up under this name
REGISTER_HPU_HOOKS(HPUHooks);
} // namespace at

namespace mneme::testing {
namespace {

TORCH_LIBRARY_IMPL(aten, HPU, library) {
  library.impl("empty.memory_format", empty);
  library.impl("empty_strided", empty_strided);
  library.impl("_copy_from", copy_from);
  library.impl("_copy_from_and_resize", copy_from_and_resize);
  library.impl("_local_scalar_dense", local_scalar);
  library.impl("as_strided", at::native::as_strided_tensorimpl);
  library.impl("view", at::native::view);
  library.impl("unfold", at::native::unfold);
  library.impl("_reshape_alias", at::native::_reshape_alias);
}
TORCH_LIBRARY_IMPL(_, HPU, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&fall_back_to_cpu>());
}

} // namespace

c10::Device other_device() {
  static const bool registered = [] {
    c10::SetAllocator(kType, &memory);
    return true;
  }();
  (void)registered;
  return kDevice;
}

HostTraffic host_traffic() {
  return {waits, copies};
}

namespace {

/// Copies of the inputs on a device; those of floating point require gradients.
Tensors leaves_of(const Tensors& inputs, c10::Device device) {
  Tensors leaves;
  for (const at::Tensor& input : inputs) {
    const at::Tensor leaf = input.defined() ? input.detach().to(device) : input;
    leaves.push_back(leaf.defined() && leaf.is_floating_point() ? leaf.clone().requires_grad_() : leaf);
  }
  return leaves;
}

Tensors gradients_of(const Tensors& results, const Tensors& leaves) {
  Tensors differentiable, inputs, directions;
  for (const at::Tensor& leaf : leaves) {
    if (leaf.defined() && leaf.requires_grad()) {
      inputs.push_back(leaf);
    }
  }
  for (const at::Tensor& result : results) {
    if (result.requires_grad()) {
      differentiable.push_back(result);
      directions.push_back(
          ops::random_tensor(result.sizes(), directions.size()).to(result.scalar_type()).to(result.device()));
    }
  }
  return differentiable.empty() || inputs.empty()
             ? Tensors()
             : torch::autograd::grad(differentiable, inputs, directions, std::nullopt, false, true);
}

void expect_near(const char* what, const Tensors& actual, const Tensors& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_EQ(actual[i].defined(), expected[i].defined()) << what << " " << i;
    if (!actual[i].defined() || expected[i].numel() == 0) {
      continue;
    }
    EXPECT_EQ(actual[i].device(), kDevice) << what << " " << i;
    EXPECT_EQ(actual[i].scalar_type(), expected[i].scalar_type()) << what << " " << i;
    EXPECT_LE(ops::max_abs_difference(actual[i].detach().cpu(), expected[i].detach()), tolerance)
        << what << " " << i;
  }
}

} // namespace

void expect_same_on_device(const std::function<Tensors(const Tensors&)>& function, const Tensors& inputs,
                           double tolerance) {
  const Tensors on_host = leaves_of(inputs, at::kCPU), on_device = leaves_of(inputs, other_device());
  const Tensors expected = function(on_host);
  const HostTraffic before = host_traffic();
  const Tensors actual = function(on_device);
  EXPECT_EQ(host_traffic().waits, before.waits) << "the host waits for the device";
  EXPECT_EQ(host_traffic().copies, before.copies) << "tensors are copied between host and device";
  expect_near("result", actual, expected, tolerance);
  expect_near("gradient", gradients_of(actual, on_device), gradients_of(expected, on_host), tolerance);
}

} // namespace mneme::testing
