// SPDX-License-Identifier: MIT

#include "mneme/core/torch_function.h"

#include <string>

#include "mneme/core/error.h"

namespace mneme {

void throw_needs_torch(const char* what) {
  throw UnsupportedError(
      std::string(what) +
      " needs LibTorch, and this program is built without it.\n  The program mneme-nn has it: "
      "`./dev nn` builds it next to mneme.");
}

} // namespace mneme
