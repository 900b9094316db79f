// SPDX-License-Identifier: MIT

#include "cli/child_program.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mneme::cli {
namespace {

/// Returns 0, or the errno of the failure.
int start(const CommandLine& command, int out, bool with_errors, pid_t& child) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  if (with_errors) {
    ::posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
  }
  const int error =
      ::posix_spawnp(&child, command.program.c_str(), &actions, nullptr, command.argv.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return error;
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

CommandLine::CommandLine(std::string file, std::vector<std::string> all_arguments)
    : program(std::move(file)), arguments(std::move(all_arguments)) {
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
}

int start(const CommandLine& command, int out, pid_t& child) {
  return start(command, out, false, child);
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

ProgramOutput run_child(const CommandLine& command, Captured captured) {
  ProgramOutput output;
  std::array<int, 2> pipe_ends{};
  if (::pipe2(pipe_ends.data(), O_CLOEXEC) != 0) {
    output.error = errno;
    return output;
  }
  pid_t child = 0;
  output.error = start(command, pipe_ends[1], captured == Captured::output_and_errors, child);
  ::close(pipe_ends[1]);
  if (output.error == 0) {
    output.out = read_to_end(pipe_ends[0]);
    output.status = wait_for(child);
  }
  ::close(pipe_ends[0]);
  return output;
}

} // namespace mneme::cli
