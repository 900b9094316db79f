// SPDX-License-Identifier: MIT

#include "cli/standard_input.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "cli/run.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"

namespace mneme::cli {
namespace {

constexpr size_t kLineMax = size_t{512} << 20; // a payload of 256 MiB as base64

} // namespace

void StandardInput::fill() {
  constexpr int kPollMilliseconds = 200; // between checks for an interrupt
  constexpr size_t kBlock = 1 << 16;
  for (;;) {
    throw_if_interrupted();
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&input, 1, kPollMilliseconds);
    if (ready == 0 || (ready < 0 && errno == EINTR)) {
      continue;
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    if (buffer_.size() > kLineMax) {
      throw DataError(fmt::format(
          "stdin: a line is longer than {} bytes.\n  Separate patterns by line feeds.", kLineMax));
    }
    const size_t size = buffer_.size();
    buffer_.resize(size + kBlock);
    const ssize_t count = ::read(STDIN_FILENO, buffer_.data() + size, kBlock);
    buffer_.resize(size + static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno != EINTR && errno != EAGAIN) {
      throw DataError(
          fmt::format("stdin: {}.\n  Redirect a file or a pipe to it, or give the patterns as arguments.",
                      std::strerror(errno)));
    }
    at_end_ = count == 0;
    if (count >= 0) {
      return;
    }
  }
}

std::vector<std::string> StandardInput::next(size_t count_max) {
  std::vector<std::string> lines;
  while (lines.size() < count_max) {
    const size_t end = buffer_.find('\n', begin_);
    if (end == std::string::npos) {
      if (!lines.empty()) {
        return lines; // what has arrived is processed before more is awaited
      }
      if (!at_end_) {
        fill();
        continue;
      }
      if (begin_ < buffer_.size()) {
        lines.push_back(buffer_.substr(begin_));
        begin_ = buffer_.size();
      }
      return lines;
    }
    lines.push_back(buffer_.substr(begin_, end - begin_));
    if (lines.back().ends_with('\r')) {
      lines.back().pop_back();
    }
    begin_ = end + 1;
  }
  return lines;
}

nlohmann::ordered_json error_json(int64_t line, const std::exception_ptr& error, ExitCode& worst) {
  std::string message;
  try {
    std::rethrow_exception(error);
  } catch (const UsageError& usage) {
    message = usage.what();
    worst = std::max(worst, ExitCode::wrong_usage);
  } catch (const DataError& data) {
    message = data.what();
    worst = std::max(worst, ExitCode::bad_input);
  } catch (const Error& other) {
    message = other.what();
    worst = ExitCode::failed;
  }
  message = without_functions(message);
  const std::string where = fmt::format("line {}: ", line);
  for (const std::string& beginning : {"stdin: " + where, where}) {
    if (message.starts_with(beginning)) {
      message.erase(0, beginning.size());
    }
  }
  constexpr std::string_view kAdvice = "\n  ";
  for (size_t at = 0; (at = message.find(kAdvice)) != std::string::npos;) {
    message.replace(at, kAdvice.size(), " ");
  }
  return {{"error", message}, {"line", line}};
}

} // namespace mneme::cli
