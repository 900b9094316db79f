// SPDX-License-Identifier: MIT

#include "cli/hand_over.h"

namespace mneme::cli {

void hand_over(const std::vector<std::string>& /*arguments*/) {}

std::optional<ProgramOutput> run_torch_program(const std::vector<std::string>& /*arguments*/) {
  return std::nullopt;
}

} // namespace mneme::cli
