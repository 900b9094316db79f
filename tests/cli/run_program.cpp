// SPDX-License-Identifier: MIT

#include "cli/run_program.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"

namespace mneme::testing {
namespace {

using Clock = std::chrono::steady_clock;

/// A pipe. The destructor closes the ends that are still open.
class Pipe {
public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error("cannot make a pipe");
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_end(size_t end) {
    if (ends_[end] >= 0) {
      ::close(ends_[end]);
      ends_[end] = -1;
    }
  }

private:
  std::array<int, 2> ends_{-1, -1};
};

/// Runs the command in the child process. Uses only functions that are safe after fork.
[[noreturn]] void exec_command(const std::vector<char*>& command, const std::vector<char*>& environment,
                               const char* folder, const ProgramOptions& options, int in, int out, int err) {
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) { // the test runner may ignore them
    ::signal(signal, SIG_DFL);
  }
  if (::chdir(folder) != 0) {
    ::_exit(126);
  }
  if (options.stdout_to) {
    out = ::open(options.stdout_to->c_str(), O_WRONLY | O_CREAT, 0666);
  }
  ::dup2(in, 0);
  ::dup2(err, 2);
  if (options.stdout_closed) {
    ::close(1);
  } else {
    ::dup2(out, 1);
  }
  ::execvpe(command[0], command.data(), environment.data());
  ::_exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!changes.contains(text.substr(0, text.find('=')))) {
      all.push_back(text);
    }
  }
  for (const auto& [name, value] : changes) {
    all.push_back(name + "=" + value);
  }
  return all;
}

/// Appends available data to `text`. Returns false at the end of the stream.
bool drain(int descriptor, std::string& text) {
  std::array<char, 4096> buffer;
  const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
  if (got > 0) {
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  return got > 0 || (got < 0 && errno == EINTR);
}

} // namespace

ProgramResult run_program(const std::vector<std::string>& command, const ProgramOptions& options) {
  const TemporaryFolder temporary;
  const std::string folder = options.folder.empty() ? temporary.path().string() : options.folder.string();
  write_text(temporary / "stdin", options.input);
  const int in = ::open((temporary / "stdin").c_str(), O_RDONLY | O_CLOEXEC);
  std::vector<std::string> words = command, environment = environment_with(options.environment);
  const std::vector<char*> word_pointers = pointers(words), environment_pointers = pointers(environment);
  Pipe out, err;

  const pid_t child = ::fork();
  if (child == 0) {
    if (options.pipe_closed) {
      out.close_end(0);
    }
    exec_command(word_pointers, environment_pointers, folder.c_str(), options, in, out.write_end(),
                 err.write_end());
  }
  out.close_end(1);
  err.close_end(1);
  ::close(in);
  if (options.pipe_closed) {
    out.close_end(0);
  }

  ProgramResult result;
  const Clock::time_point begin = Clock::now();
  bool signal_sent = !options.signal, killed = false;
  bool out_open = !options.pipe_closed, err_open = true;
  while (out_open || err_open) {
    const auto passed = Clock::now() - begin;
    if (!signal_sent && result.err.find(options.signal_after) != std::string::npos) {
      ::kill(child, *options.signal);
      signal_sent = true;
    }
    if (passed >= options.timeout && !killed) {
      ::kill(child, SIGKILL);
      killed = true;
    }
    std::array<pollfd, 2> waited{pollfd{out_open ? out.read_end() : -1, POLLIN, 0},
                                 pollfd{err_open ? err.read_end() : -1, POLLIN, 0}};
    constexpr int kPollMilliseconds = 20;
    if (::poll(waited.data(), waited.size(), kPollMilliseconds) <= 0) {
      continue;
    }
    if (waited[0].revents != 0) {
      out_open = drain(out.read_end(), result.out);
    }
    if (waited[1].revents != 0) {
      err_open = drain(err.read_end(), result.err);
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  EXPECT_FALSE(killed) << words[0] << " had to be killed: it did not end in time";
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return result;
}

ProgramResult run_mneme(const std::vector<std::string>& arguments, const ProgramOptions& options) {
  std::vector<std::string> command{MNEME_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_program(command, options);
}

} // namespace mneme::testing
