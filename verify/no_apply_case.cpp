// SPDX-License-Identifier: MIT

#include "mneme/core/error.h"
#include "verify/apply_case.h"

namespace mneme::verify {

std::vector<WrittenTensor> apply_case(const std::filesystem::path& /*file*/,
                                      const std::filesystem::path& /*out*/, const ApplyOptions& /*options*/) {
  throw UnsupportedError("layers need LibTorch, and this build is without it.\n  Build with "
                         "-DMNEME_WITH_TORCH=ON and LibTorch in CMAKE_PREFIX_PATH.");
}

} // namespace mneme::verify
