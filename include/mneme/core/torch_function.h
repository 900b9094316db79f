// SPDX-License-Identifier: MIT

/// Function that needs LibTorch, declared without it. Programs that link the implementation can call it; in
/// other programs the call throws. The same sources thus build programs with and without LibTorch.
#pragma once

#include <utility>

namespace mneme {

/// Throws UnsupportedError "`what` needs LibTorch ...", with advice on how to build a program with LibTorch.
[[noreturn]] void throw_needs_torch(const char* what);

template <class Signature> class TorchFunction;

/// Declare it in a header, `inline constinit TorchFunction<double(int)> name{"subject of the message"};`, and
/// implement it in a separate source file, `[[maybe_unused]] const bool implemented =
/// name.implement(function);`. That source must be linked as an object file, since a linker would drop it
/// from a static library.
template <class Result, class... Arguments> class TorchFunction<Result(Arguments...)> {
public:
  using Pointer = Result (*)(Arguments...);

  /// what: subject of the error message, for example "training on bags".
  constexpr explicit TorchFunction(const char* what) : what_(what) {}

  /// True in a program with LibTorch.
  explicit operator bool() const { return pointer_ != nullptr; }

  /// Errors  UnsupportedError in a program without LibTorch; errors of the function
  Result operator()(Arguments... arguments) const {
    if (pointer_ == nullptr) {
      throw_needs_torch(what_);
    }
    return pointer_(std::forward<Arguments>(arguments)...);
  }

  bool implement(Pointer pointer) {
    pointer_ = pointer;
    return true;
  }

private:
  const char* what_;
  Pointer pointer_ = nullptr;
};

} // namespace mneme
