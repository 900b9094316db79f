// SPDX-License-Identifier: MIT

/// The instruction set that Highway dispatches kernels to now, in its own words; "reference" for the reference path. All
/// kernels are compiled for the same list of targets, so this is what each of them runs on.
#pragma once

namespace mneme::kernels {

const char* dispatched_target();

} // namespace mneme::kernels
