// SPDX-License-Identifier: MIT

#include "cli/hand_over.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mneme/core/error.h"

namespace mneme::cli {
namespace {

/// The program beside this one, and its arguments as the system takes them.
struct Call {
  explicit Call(const std::vector<std::string>& arguments) {
    std::error_code unreadable;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", unreadable);
    program = self.parent_path() / "mneme-nn";
    words.insert(words.end(), arguments.begin(), arguments.end());
    for (std::string& word : words) {
      pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  [[noreturn]] void cannot_start(const std::string& what, int reason) const {
    throw UnsupportedError(
        fmt::format("{} in {}, which cannot be started: {}.\n  It is built and installed together "
                    "with mneme: keep the two in one folder.",
                    what, program, std::strerror(reason)));
  }

  std::string program;
  std::vector<std::string> words{"mneme"};
  std::vector<char*> pointers;
};

std::string read_to_end(int from) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    if (count > 0) {
      text.append(buffer.data(), static_cast<size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      return text;
    }
  }
}

} // namespace

void hand_over(const std::vector<std::string>& arguments) {
  const Call call(arguments);
  // A Ctrl-C while LibTorch is being loaded waits until the other program can answer it.
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::execv(call.program.c_str(), call.pointers.data());
  call.cannot_start("this verb runs", errno);
}

std::optional<ProgramOutput> run_torch_program(const std::vector<std::string>& arguments) {
  const Call call(arguments);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    call.cannot_start("LibTorch is", errno);
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t child = 0;
  const int failure =
      ::posix_spawn(&child, call.program.c_str(), &actions, nullptr, call.pointers.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  ProgramOutput output;
  if (failure == 0) {
    output.out = read_to_end(ends[0]);
  }
  ::close(ends[0]);
  if (failure != 0) {
    call.cannot_start("LibTorch is", failure);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  output.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return output;
}

} // namespace mneme::cli
