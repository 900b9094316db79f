// SPDX-License-Identifier: MIT

#include "cli/torch_program.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>

#include <fmt/format.h>
#include <unistd.h>

#include "mneme/core/error.h"
#include "verify/device.h"

namespace mneme::cli {
namespace {

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
  ::sigaddset(&signals, SIGHUP);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  // Threads of LibTorch wait actively for milliseconds by default, which makes small models up to a hundred
  // times slower while other programs run on the same CPUs.
  constexpr int kKeep = 0; // a value that is already set
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) {
    ::setenv("GOMP_SPINCOUNT", "2000", kKeep);
  }
  ::execv(command.program.c_str(), command.argv.data());
  fail_to_start(command.program, errno);
}

std::optional<ProgramOutput> run_torch_program(const std::vector<std::string>& arguments) {
  if (!std::filesystem::exists(torch_program())) {
    return std::nullopt;
  }
  const CommandLine command = torch_command(arguments);
  ProgramOutput output = run_child(command, Captured::output);
  if (output.error != 0) {
    fail_to_start(command.program, output.error);
  }
  return output;
}

} // namespace mneme::cli
