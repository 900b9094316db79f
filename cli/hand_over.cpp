// SPDX-License-Identifier: MIT

#include "cli/hand_over.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mneme/core/error.h"
#include "verify/device.h"

namespace mneme::cli {
namespace {

/// A program and its arguments as the system takes them.
struct Call {
  Call(std::string file, std::vector<std::string> arguments)
      : program(std::move(file)), words(std::move(arguments)) {
    for (std::string& word : words) {
      pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  std::string program;
  std::vector<std::string> words;
  std::vector<char*> pointers;
};

std::filesystem::path torch_program() {
  std::error_code unreadable;
  return std::filesystem::read_symlink("/proc/self/exe", unreadable).parent_path() / "mneme-nn";
}

Call torch_call(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"mneme"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return {torch_program(), std::move(words)};
}

[[noreturn]] void cannot_start(const std::string& program, int reason) {
  throw UnsupportedError(fmt::format("{}, which computes with LibTorch, cannot be started: {}.", program,
                                     std::strerror(reason)));
}

/// Starts a program whose stdout is the descriptor `out`; returns 0, or why it cannot be started (errno).
int start(const Call& call, int out, pid_t& child) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  const int failure =
      ::posix_spawn(&child, call.program.c_str(), &actions, nullptr, call.pointers.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return failure;
}

/// As a shell gives it.
int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void build_torch_program(const char* dev) {
  std::cerr << "mneme: this needs LibTorch, for which there is the program mneme-nn: building it, once\n";
  const Call call(dev, {dev, "nn"});
  // Only errors and progress, which go to stderr: stdout is for the results of the verb.
  pid_t child = 0;
  const int failure = start(call, STDERR_FILENO, child);
  if (failure != 0 || wait_for(child) != 0) {
    throw UnsupportedError(
        fmt::format("mneme-nn, which this verb needs, was not built.\n  `{} nn` builds it.", dev));
  }
}

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

void hand_over(const std::vector<std::string>& arguments, const Verb& verb) {
  if (verify::libtorch_devices) {
    return;
  }
  const TorchNeed need = verb.torch_need();
  if (need == TorchNeed::none) {
    return;
  }
  if (!std::filesystem::exists(torch_program())) {
    if (const char* dev = std::getenv("MNEME_DEV"); dev != nullptr && *dev != '\0') {
      build_torch_program(dev);
    } else if (need == TorchNeed::some) {
      return;
    } else {
      throw UnsupportedError(
          fmt::format("this verb needs LibTorch, which the program mneme-nn has, and there is none in {}.\n  "
                      "`./dev nn` in a clone of mneme builds it. Installed programs stay in one folder.",
                      torch_program().parent_path().string()));
    }
  }
  const Call call = torch_call(arguments);
  // A Ctrl-C while LibTorch is being loaded waits until the other program can answer it.
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::execv(call.program.c_str(), call.pointers.data());
  cannot_start(call.program, errno);
}

std::optional<ProgramOutput> run_torch_program(const std::vector<std::string>& arguments) {
  if (!std::filesystem::exists(torch_program())) {
    return std::nullopt;
  }
  const Call call = torch_call(arguments);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    cannot_start(call.program, errno);
  }
  pid_t child = 0;
  const int failure = start(call, ends[1], child);
  ::close(ends[1]);
  ProgramOutput output;
  if (failure == 0) {
    output.out = read_to_end(ends[0]);
  }
  ::close(ends[0]);
  if (failure != 0) {
    cannot_start(call.program, failure);
  }
  output.status = wait_for(child);
  return output;
}

} // namespace mneme::cli
