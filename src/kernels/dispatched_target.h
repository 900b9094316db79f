// SPDX-License-Identifier: MIT

/// Name of the CPU target that Highway currently dispatches to, or "reference" for the reference kernels. All
/// kernels are compiled for the same list of targets, so the name holds for each of them.
#pragma once

namespace mneme::kernels {

const char* dispatched_target();

} // namespace mneme::kernels
