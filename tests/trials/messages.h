// SPDX-License-Identifier: MIT

/// Checks of error messages.
#pragma once

#include <initializer_list>
#include <string>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::trials {

/// Expects that `call` throws a UsageError whose message contains all of `parts`.
template <class Call> void expect_usage_error(Call call, std::initializer_list<std::string> parts) {
  try {
    call();
    ADD_FAILURE() << "no error";
  } catch (const UsageError& error) {
    mneme::testing::expect_contains(error.what(), parts);
  }
}

} // namespace mneme::trials
