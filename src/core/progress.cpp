// SPDX-License-Identifier: MIT

#include "mneme/core/progress.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mneme/core/text.h"

namespace mneme {
namespace {

using Clock = std::chrono::steady_clock;

std::string as_duration(double seconds) {
  const int64_t rounded = std::llround(std::min(seconds, 1e15)); // a slow start may give a huge estimate
  if (rounded < 60) {
    return fmt::format("{} s", rounded);
  }
  return rounded < 3600 ? fmt::format("{}:{:02} min", rounded / 60, rounded % 60)
                        : fmt::format("{}:{:02} h", rounded / 3600, rounded / 60 % 60);
}

std::string as_rate(double per_second) {
  if (per_second >= 1e6) {
    return fmt::format("{:.1f} M/s", per_second / 1e6);
  }
  return per_second >= 1e3 ? fmt::format("{:.1f} k/s", per_second / 1e3)
                           : fmt::format("{:.1f} /s", per_second);
}

/// The first `count` characters of a text.
std::string first_characters(const std::string& text, size_t count) {
  size_t end = 0;
  for (; count > 0 && end < text.size(); --count) {
    end += first_character(std::string_view(text).substr(end)).size;
  }
  return text.substr(0, end);
}

size_t count_characters(std::string_view text) {
  size_t count = 0;
  for (; !text.empty(); ++count) {
    text.remove_prefix(first_character(text).size);
  }
  return count;
}

/// Whether the stream is a terminal that can redraw a line.
bool is_terminal(std::FILE* stream) {
  const char* terminal = std::getenv("TERM");
  return ::isatty(::fileno(stream)) != 0 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

/// Counts steps and time; derived classes format the display.
class ShownProgress : public Progress {
public:
  ShownProgress(std::FILE* stream, double seconds_between_updates)
      : stream_(stream), interval_(seconds_between_updates) {}

  void start(const std::string& stage, int64_t total) override {
    const std::lock_guard lock(mutex_);
    end_stage();
    stage_ = stage;
    status_.clear();
    total_ = total;
    done_ = skipped_ = 0;
    begin_ = last_shown_ = Clock::now();
    active_ = true;
    on_start();
  }
  void advance(int64_t steps) override {
    const std::lock_guard lock(mutex_);
    done_ += steps;
    const Clock::time_point now = Clock::now();
    if (active_ && std::chrono::duration<double>(now - last_shown_).count() >= interval_) {
      last_shown_ = now;
      show();
    }
  }
  void skip(int64_t steps) override {
    const std::lock_guard lock(mutex_);
    done_ += steps;
    skipped_ += steps;
  }
  void status(const std::string& text) override {
    const std::lock_guard lock(mutex_);
    status_ = text;
  }
  void finish() override {
    const std::lock_guard lock(mutex_);
    end_stage();
  }
  void message(const std::string& line) override {
    const std::lock_guard lock(mutex_);
    clear_line();
    show_message(line);
  }
  void interim(const std::string& line) override { message(line); }

protected:
  virtual void on_start() { show(); }
  virtual void show() = 0;
  virtual void on_end() { show(); }
  virtual void clear_line() {}
  virtual void show_message(const std::string& line) { write(printable_message(line) + "\n"); }

  void write(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stream_);
    std::fflush(stream_);
  }
  std::FILE* stream() const { return stream_; }
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
  double fraction() const { return total_ > 0 ? std::clamp(double(done_) / double(total_), 0.0, 1.0) : 0.0; }
  std::string rate_and_time() const {
    const double passed = seconds();
    if (done_ <= skipped_ || passed <= 0) {
      return printable(status_);
    }
    const double rate = double(done_ - skipped_) / passed;
    const std::string time = done_ < total_
                                 ? fmt::format("{} left", as_duration(double(total_ - done_) / rate))
                                 : fmt::format("took {}", as_duration(passed));
    // A status may be cut at the end of the line.
    return status_.empty() ? fmt::format("{}, {}", as_rate(rate), time)
                           : fmt::format("{}, {}", time, printable(status_));
  }

  std::string stage_, status_;
  int64_t total_ = 0, done_ = 0, skipped_ = 0;

private:
  void end_stage() {
    if (active_) {
      active_ = false;
      on_end();
    }
  }

  std::FILE* stream_;
  double interval_;
  bool active_ = false;
  Clock::time_point begin_, last_shown_;
  std::mutex mutex_;
};

class Bar : public ShownProgress {
public:
  Bar(std::FILE* stream, bool colour) : ShownProgress(stream, 0.1), colour_(colour) {}

private:
  /// A line that is longer than the terminal is wide cannot be redrawn: the bar is shortened or left out
  /// first, then the end of the line. With a status, there is no bar.
  void show() override {
    constexpr size_t kBarMin = 6, kBarMax = 24; // columns
    const std::string stage = printable(stage_) + " ";
    const std::string rest = status_.empty() ? fmt::format("{:3.0f}%  {}", 100 * fraction(), rate_and_time())
                                             : fmt::format("{}/{}: {}", done_, total_, rate_and_time());
    const size_t available = columns(), text = count_characters(stage + rest) + 1;
    if (!status_.empty() || text + kBarMin > available) {
      const std::string name =
          stage.substr(0, stage.find_last_not_of(' ') + 1); // without the padding of a bar
      write("\r\033[K" + first_characters(name + " " + rest, available));
      return;
    }
    const size_t width = std::min(kBarMax, available - text);
    const auto filled = static_cast<size_t>(fraction() * static_cast<double>(width));
    std::string bar;
    for (size_t i = 0; i < width; ++i) {
      bar += i < filled ? "█" : "░";
    }
    write(fmt::format("\r\033[K{}{}{}{} {}", stage, colour_ ? "\033[36m" : "", bar, colour_ ? "\033[0m" : "",
                      rest));
  }
  void on_end() override {
    show();
    write("\n");
  }
  void clear_line() override { write("\r\033[K"); }
  /// Columns that a line of text may use.
  size_t columns() const {
    winsize size{};
    const bool known = ::ioctl(::fileno(stream()), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return known ? size.ws_col - size_t{1} : 79;
  }

  bool colour_;
};

class Plain : public ShownProgress {
public:
  explicit Plain(std::FILE* stream) : ShownProgress(stream, 2.0) {}

private:
  void on_start() override { printed_ = -1; } // no line, so that short stages print one line only
  void on_end() override {
    if (printed_ != done_) { // the last step has not printed it
      show();
    }
  }
  void show() override {
    printed_ = done_;
    write(fmt::format("{}: {:.0f}% ({}/{})  {}\n", printable(stage_), 100 * fraction(), done_, total_,
                      rate_and_time()));
  }

  int64_t printed_ = -1; ///< done_ of the last line of this stage
};

class JsonLines : public ShownProgress {
public:
  explicit JsonLines(std::FILE* stream) : ShownProgress(stream, 0.5) {}

private:
  void show_message(const std::string& line) override { write_line({{"message", line}}); }
  void show() override {
    nlohmann::json line = {{"stage", stage_}, {"done", done_}, {"total", total_}, {"seconds", seconds()}};
    if (!status_.empty()) {
      line["status"] = status_;
    }
    write_line(line);
  }
  void write_line(const nlohmann::json& line) {
    // Replaces invalid UTF-8, for example of a file name.
    write(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
};

class Quiet : public Progress {
public:
  explicit Quiet(std::FILE* stream) : stream_(stream) {}
  void message(const std::string& line) override {
    const std::string text = printable_message(line) + "\n";
    std::fwrite(text.data(), 1, text.size(), stream_);
  }

private:
  std::FILE* stream_;
};

} // namespace

void Progress::start(const std::string&, int64_t) {}
void Progress::advance(int64_t) {}
void Progress::skip(int64_t) {}
void Progress::status(const std::string&) {}
void Progress::finish() {}
void Progress::message(const std::string&) {}
void Progress::interim(const std::string&) {}

std::unique_ptr<Progress> make_progress(ProgressStyle style, std::FILE* stream, bool colour) {
  if (style == ProgressStyle::automatic) {
    style = is_terminal(stream) ? ProgressStyle::bar : ProgressStyle::plain;
  }
  switch (style) {
  case ProgressStyle::bar:
    return std::make_unique<Bar>(stream, colour);
  case ProgressStyle::plain:
    return std::make_unique<Plain>(stream);
  case ProgressStyle::json:
    return std::make_unique<JsonLines>(stream);
  default:
    return std::make_unique<Quiet>(stream);
  }
}

} // namespace mneme
