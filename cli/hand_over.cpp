// SPDX-License-Identifier: MIT

#include "cli/hand_over.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "mneme/core/error.h"

namespace mneme::cli {

void hand_over(const std::vector<std::string>& arguments) {
  std::error_code unreadable;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", unreadable);
  const std::string program = self.parent_path() / "mneme-nn";
  std::vector<std::string> words{"mneme"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  // A Ctrl-C while LibTorch is being loaded waits until the other program can answer it.
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::execv(program.c_str(), pointers.data());
  throw UnsupportedError(fmt::format(
      "this verb runs in {}, which cannot be started: {}.\n  It is built and installed together with "
      "mneme: keep the two in one folder.",
      program, std::strerror(errno)));
}

} // namespace mneme::cli
