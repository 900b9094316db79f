// SPDX-License-Identifier: MIT

#include "cli/torch_program.h"

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

/// A program and its arguments, with the argv array for exec and posix_spawn.
struct CommandLine {
  CommandLine(std::string file, std::vector<std::string> all_arguments)
      : program(std::move(file)), arguments(std::move(all_arguments)) {
    for (std::string& argument : arguments) {
      argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
  }
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  std::string program;
  std::vector<std::string> arguments;
  std::vector<char*> argv; ///< pointers into `arguments`, and a null pointer at the end
};

std::filesystem::path torch_program() {
  std::error_code unreadable;
  return std::filesystem::read_symlink("/proc/self/exe", unreadable).parent_path() / "mneme-nn";
}

CommandLine torch_command(const std::vector<std::string>& arguments) {
  std::vector<std::string> all{"mneme"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return {torch_program(), std::move(all)};
}

[[noreturn]] void fail_to_start(const std::string& program, int error) {
  throw UnsupportedError(
      fmt::format("cannot start {}, the program with LibTorch: {}.", program, std::strerror(error)));
}

/// Starts a program whose stdout is the descriptor `out`. Returns 0, or the errno of the failure.
int start(const CommandLine& command, int out, pid_t& child) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  const int error =
      ::posix_spawn(&child, command.program.c_str(), &actions, nullptr, command.argv.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return error;
}

/// Returns the exit status as a shell does.
int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void build_torch_program(const char* dev) {
  std::cerr << "mneme: this verb needs LibTorch: building the program mneme-nn (only once)\n";
  const CommandLine command(dev, {dev, "nn"});
  // The output of the build goes to stderr; stdout is for the results of the verb.
  pid_t child = 0;
  const int error = start(command, STDERR_FILENO, child);
  if (error != 0 || wait_for(child) != 0) {
    throw UnsupportedError(fmt::format(
        "this verb needs the program mneme-nn, and building it failed.\n  Run `{} nn` to build it.", dev));
  }
}

std::string read_to_end(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count > 0) {
      text.append(buffer.data(), static_cast<size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      return text;
    }
  }
}

} // namespace

void relaunch_with_torch(const std::vector<std::string>& arguments, const Verb& verb) {
  if (verify::libtorch_devices) { // this program has LibTorch
    return;
  }
  const TorchNeed need = verb.torch_need();
  if (need == TorchNeed::none) {
    return;
  }
  if (!std::filesystem::exists(torch_program())) {
    if (const char* dev = std::getenv("MNEME_DEV"); dev != nullptr && *dev != '\0') {
      build_torch_program(dev);
    } else if (need == TorchNeed::optional) {
      return;
    } else {
      throw UnsupportedError(fmt::format(
          "this verb needs LibTorch, but the program with LibTorch, mneme-nn, is not in {}.\n  Run `./dev "
          "nn` "
          "in a clone of mneme to build it, or put an installed mneme-nn in the same folder as mneme.",
          torch_program().parent_path().string()));
    }
  }
  const CommandLine command = torch_command(arguments);
  // mneme-nn handles a Ctrl-C that arrives while LibTorch is being loaded: it unblocks these signals in main.
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::execv(command.program.c_str(), command.argv.data());
  fail_to_start(command.program, errno);
}

std::optional<ProgramOutput> run_torch_program(const std::vector<std::string>& arguments) {
  if (!std::filesystem::exists(torch_program())) {
    return std::nullopt;
  }
  const CommandLine command = torch_command(arguments);
  std::array<int, 2> pipe_ends{};
  if (::pipe2(pipe_ends.data(), O_CLOEXEC) != 0) {
    fail_to_start(command.program, errno);
  }
  pid_t child = 0;
  const int error = start(command, pipe_ends[1], child);
  ::close(pipe_ends[1]);
  ProgramOutput output;
  if (error == 0) {
    output.out = read_to_end(pipe_ends[0]);
  }
  ::close(pipe_ends[0]);
  if (error != 0) {
    fail_to_start(command.program, error);
  }
  output.status = wait_for(child);
  return output;
}

} // namespace mneme::cli
