// SPDX-License-Identifier: MIT

/// A function that needs LibTorch, declared without it: a program that links the implementation can call it, in any other
/// program the call throws. So one set of sources serves programs with and without LibTorch.
#pragma once

#include <utility>

namespace mneme {

/// Throws UnsupportedError: `what`, the subject of the sentence, needs LibTorch, and how to get a program with it.
[[noreturn]] void refuse_without_torch(const char* what);

template <class Signature> class TorchFunction;

/// Declare one in a header, `inline constinit TorchFunction<double(int)> name{"subject of the message"};`, and implement
/// it in a source file of its own, `[[maybe_unused]] const bool implemented = name.implement(function);`.
/// That source must be linked as an object file: a linker leaves it out of a static library.
template <class Result, class... Arguments> class TorchFunction<Result(Arguments...)> {
public:
  using Pointer = Result (*)(Arguments...);

  /// what: what the function computes, as the subject of a sentence: "training on bags".
  constexpr explicit TorchFunction(const char* what) : what_(what) {}

  /// True in a program with LibTorch.
  explicit operator bool() const { return pointer_ != nullptr; }

  /// Errors  UnsupportedError in a program without LibTorch, and those of the function
  Result operator()(Arguments... arguments) const {
    if (pointer_ == nullptr) {
      refuse_without_torch(what_);
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
