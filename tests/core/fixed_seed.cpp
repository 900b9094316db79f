// SPDX-License-Identifier: MIT

// RapidCheck takes a new seed for every run unless it is told one.

#include <cstdlib>

namespace {

const int told = ::setenv("RC_PARAMS", "seed=1", 0); // an RC_PARAMS from outside wins

} // namespace
