// SPDX-License-Identifier: MIT

#include <ATen/ops/ones.h>

#include "mneme/ops/associate.h"

int main() {
  const at::Tensor patterns = at::ones({1, 2, 3});
  return mneme::ops::associate(patterns, patterns, patterns).sizes() == patterns.sizes() ? 0 : 1;
}
