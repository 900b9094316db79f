// SPDX-License-Identifier: MIT

#include "mneme/core/error.h"

namespace mneme {

Interrupted::Interrupted() : Error("interrupted") {}

} // namespace mneme
