// SPDX-License-Identifier: MIT

#include "mneme/core/assert.h"

#include <cstdio>
#include <cstdlib>

namespace mneme::detail {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "mneme: broken invariant %s at %s:%d; this is a bug in mneme\n", condition, file,
               line);
  std::abort();
}

} // namespace mneme::detail
