// SPDX-License-Identifier: MIT

#include "mneme/core/patterns.h"

int main() {
  mneme::BitPatterns patterns(2, 100);
  patterns.flip(1, 99);
  return mneme::hamming_distance(patterns, 0, patterns, 1) == 1 ? 0 : 1;
}
