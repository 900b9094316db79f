// SPDX-License-Identifier: MIT

#include "cli/leap_look.h"
#include "mneme/core/error.h"

namespace mneme::cli {

Look look_at(const LookRequest& /*request*/, Progress& /*progress*/) {
  throw UnsupportedError("models need LibTorch, and this build is without it.\n  Build with "
                         "-DMNEME_WITH_TORCH=ON and LibTorch in CMAKE_PREFIX_PATH.");
}

} // namespace mneme::cli
