// SPDX-License-Identifier: MIT

// Fixes the seed of RapidCheck, which otherwise uses a new seed for every run.

#include <cstdlib>

namespace {

const int result = ::setenv("RC_PARAMS", "seed=1", 0); // does not replace an existing RC_PARAMS

} // namespace
