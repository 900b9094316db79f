// SPDX-License-Identifier: MIT

#include "mneme/core/torch_function.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "mneme/core/error.h"

namespace mneme {
namespace {

constinit TorchFunction<size_t(std::unique_ptr<std::string>, int&)> measured{"measuring a text"};
constinit TorchFunction<int()> unimplemented{"counting"};

size_t measure(std::unique_ptr<std::string> text, int& calls) {
  ++calls;
  return text->size();
}
const bool implemented = measured.implement(measure);

TEST(TorchFunction, CallsItsImplementation) {
  ASSERT_TRUE(implemented && measured);
  int calls = 0;
  EXPECT_EQ(measured(std::make_unique<std::string>("abc"), calls), 3U);
  EXPECT_EQ(calls, 1);
}

TEST(TorchFunction, ThrowsWithoutAnImplementation) {
  EXPECT_FALSE(unimplemented);
  try {
    unimplemented();
    FAIL();
  } catch (const UnsupportedError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("counting needs LibTorch")) << error.what();
  }
}

} // namespace
} // namespace mneme
