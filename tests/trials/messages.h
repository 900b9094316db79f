// SPDX-License-Identifier: MIT

/// Checks of the errors that this room throws.
#pragma once

#include <initializer_list>
#include <string>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::trials {

/// `call` must throw a UsageError whose message holds all of `parts`.
template <class Call> void expect_usage_error(Call call, std::initializer_list<std::string> parts) {
  try {
    call();
    ADD_FAILURE() << "no error";
  } catch (const UsageError& error) {
    mneme::testing::expect_contains(error.what(), parts);
  }
}

} // namespace mneme::trials
