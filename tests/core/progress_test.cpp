// SPDX-License-Identifier: MIT

#include "mneme/core/progress.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/text_checks.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

using testing::contains;
using testing::ends_with;
using testing::starts_with;

/// Text that a progress of this style writes during `work`.
std::string shown(ProgressStyle style, const std::function<void(Progress&)>& work) {
  std::FILE* file = std::tmpfile();
  if (file == nullptr) {
    ADD_FAILURE() << "no temporary file";
    return "";
  }
  {
    const std::unique_ptr<Progress> progress = make_progress(style, file, false);
    work(*progress);
  }
  std::rewind(file);
  std::string text;
  for (int letter = std::fgetc(file); letter != EOF; letter = std::fgetc(file)) {
    text += static_cast<char>(letter);
  }
  std::fclose(file);
  return text;
}

/// As `shown`, on a terminal of `columns` columns whose type is `terminal`.
std::string shown_on_terminal(ProgressStyle style, unsigned short columns, const char* terminal,
                              const std::function<void(Progress&)>& work) {
  const int main_side = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (main_side < 0 || ::grantpt(main_side) != 0 || ::unlockpt(main_side) != 0) {
    ADD_FAILURE() << "no pseudoterminal";
    return "";
  }
  std::FILE* file = std::fopen(::ptsname(main_side), "w");
  const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  ::ioctl(main_side, TIOCSWINSZ, &size);
  const char* present = std::getenv("TERM");
  const std::optional<std::string> before =
      present == nullptr ? std::nullopt : std::optional<std::string>(present);
  ::setenv("TERM", terminal, 1);
  {
    const std::unique_ptr<Progress> progress = make_progress(style, file, false);
    work(*progress);
  }
  if (before) {
    ::setenv("TERM", before->c_str(), 1);
  } else {
    ::unsetenv("TERM");
  }
  std::fclose(file); // the end of what is read
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(main_side, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  ::close(main_side);
  return text;
}

/// The longest line between redraws, in characters. All are one column wide.
size_t longest_line(const std::string& text) {
  size_t longest = 0, columns = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' || text[i] == '\n') {
      columns = 0;
    } else if (text.compare(i, 3, "\033[K") == 0) {
      i += 2;
    } else {
      columns += (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80 ? 0 : 1;
      longest = std::max(longest, columns);
    }
  }
  return longest;
}

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(nlohmann::json::parse(line));
  }
  return lines;
}

void ten_steps(Progress& progress) {
  progress.start("recalling", 10);
  for (int i = 0; i < 10; ++i) {
    progress.advance();
  }
  progress.finish();
}

TEST(PlainProgress, LeavesOneLineForAShortStage) {
  const std::string text = shown(ProgressStyle::plain, ten_steps);
  EXPECT_TRUE(starts_with(text, "recalling: 100% (10/10)"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(PlainProgress, IsTheDefaultForAFile) {
  EXPECT_TRUE(starts_with(shown(ProgressStyle::automatic, ten_steps), "recalling: 100% (10/10)"));
}

TEST(PlainProgress, EndsAStageWhenTheNextBegins) {
  const std::string text = shown(ProgressStyle::plain, [](Progress& progress) {
    progress.start("writing", 4);
    progress.advance(3);
    progress.start("reading", 2);
    progress.advance(2);
    progress.finish();
    progress.finish();
  });
  EXPECT_TRUE(starts_with(text, "writing: 75% (3/4)"));
  EXPECT_TRUE(contains(text, "\nreading: 100% (2/2)"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(JsonProgress, IsOneObjectPerLineFromStartToEnd) {
  const std::vector<nlohmann::json> lines = json_lines(shown(ProgressStyle::json, ten_steps));
  ASSERT_GE(lines.size(), 2U);
  for (const nlohmann::json& line : lines) {
    EXPECT_EQ(line.at("stage"), "recalling");
    EXPECT_EQ(line.at("total"), 10);
    EXPECT_GE(line.at("seconds").get<double>(), 0);
  }
  EXPECT_EQ(lines.front().at("done"), 0);
  EXPECT_EQ(lines.back().at("done"), 10);
}

TEST(JsonProgress, IsValidForAnyNameOfTheStage) {
  const auto lines = json_lines(
      shown(ProgressStyle::json, [](Progress& progress) { progress.start("file \xff \"\n\" 1", 1); }));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(contains(lines[0].at("stage").get<std::string>(), "\"\n\" 1"));
}

TEST(JsonProgress, HasMessagesAsObjects) {
  const auto lines = json_lines(shown(ProgressStyle::json, [](Progress& progress) {
    progress.message("a warning\nof two lines");
    progress.interim("loss \xff 2.31");
  }));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].at("message"), "a warning\nof two lines");
  EXPECT_TRUE(contains(lines[1].at("message").get<std::string>(), "2.31"));
}

TEST(Progress, ShowsAStatusInsteadOfTheRate) {
  for (const ProgressStyle style : {ProgressStyle::plain, ProgressStyle::bar}) {
    const std::string text = shown(style, [](Progress& progress) {
      progress.start("steps", 10);
      progress.advance(10);
      progress.status("loss 2.31\x1b[2J");
      progress.finish();
    });
    EXPECT_TRUE(contains(text, "loss 2.31")) << text;
    EXPECT_TRUE(contains(text, "10/10")) << text;
    EXPECT_TRUE(contains(text, "took ")) << text;
    EXPECT_FALSE(contains(text, "\x1b[2J")) << text;
    EXPECT_FALSE(contains(text, "/s")) << text;
  }
  const auto lines = json_lines(shown(ProgressStyle::json, [](Progress& progress) {
    progress.start("steps", 10);
    progress.status("loss 2.31");
    progress.start("more steps", 1);
    progress.finish();
  }));
  EXPECT_EQ(lines.at(1).at("status"), "loss 2.31");
  EXPECT_FALSE(lines.back().contains("status"));
}

TEST(Progress, LeavesStepsOfAnEarlierRunOutOfTheRate) {
  const auto work = [](Progress& progress) {
    progress.start("steps", 1'000'000'000);
    progress.skip(999'999'999);
    progress.finish();
  };
  EXPECT_FALSE(contains(shown(ProgressStyle::bar, work), "/s")) << "no step of this run has been done";
  EXPECT_EQ(json_lines(shown(ProgressStyle::json, work)).back().at("done"), 999'999'999);
}

TEST(Progress, EscapesControlCharacters) {
  for (const ProgressStyle style : {ProgressStyle::plain, ProgressStyle::bar, ProgressStyle::none}) {
    const std::string text = shown(style, [](Progress& progress) {
      progress.start("a\x1b[2J", 1);
      progress.finish();
      progress.message("kept in b\x1b[2J\nc");
    });
    EXPECT_FALSE(contains(text, "\x1b[2J"));
    EXPECT_TRUE(contains(text, "kept in b\\x1b[2J\\nc\n"));
  }
}

TEST(Progress, CountsStepsFromManyThreads) {
  const auto lines = json_lines(shown(ProgressStyle::json, [](Progress& progress) {
    progress.start("adding", 1000);
    parallel_for(1000, 10, [&](int64_t begin, int64_t end) { progress.advance(end - begin); });
    progress.finish();
  }));
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.back().at("done"), 1000);
}

TEST(Progress, AcceptsTotalsThatAreZeroNegativeOrVeryLarge) {
  for (const int64_t total : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::max()}) {
    const std::string text = shown(ProgressStyle::plain, [total](Progress& progress) {
      progress.start("odd", total);
      progress.advance();
      progress.finish();
    });
    EXPECT_TRUE(starts_with(text, "odd: 0% (1/" + std::to_string(total) + ")"));
  }
}

TEST(BarProgress, EndsFullAndWithALineBreak) {
  const std::string text = shown(ProgressStyle::bar, ten_steps);
  EXPECT_TRUE(contains(text, "100%"));
  EXPECT_TRUE(ends_with(text, "\n"));
  EXPECT_FALSE(contains(text, "\033[36m")) << "no colour was requested";
}

TEST(BarProgress, FitsIntoTheTerminal) {
  for (const unsigned short columns : {12, 24, 40, 80}) {
    const std::string text = shown_on_terminal(ProgressStyle::automatic, columns, "xterm", ten_steps);
    EXPECT_TRUE(contains(text, "recalling ")) << text;
    EXPECT_LT(longest_line(text), columns) << text;
    EXPECT_EQ(contains(text, "█"), columns >= 80) << text;
    const std::string status =
        shown_on_terminal(ProgressStyle::automatic, columns, "xterm", [](Progress& progress) {
          progress.start("schön", 10);
          progress.status(
              "Verlust in natürlichen Einheiten größer als öfter üblich, und noch viel mehr Text");
          progress.finish();
        });
    EXPECT_LT(longest_line(status), columns) << status;
  }
}

TEST(BarProgress, IsNotUsedOnATerminalThatCannotRedraw) {
  const std::string text = shown_on_terminal(ProgressStyle::automatic, 80, "dumb", ten_steps);
  EXPECT_TRUE(starts_with(text, "recalling: 100% (10/10)")) << text;
}

TEST(BarProgress, IsClearedBeforeAMessage) {
  const std::string text = shown(ProgressStyle::bar, [](Progress& progress) {
    progress.start("recalling", 10);
    progress.message("a warning");
    progress.finish();
  });
  EXPECT_TRUE(contains(text, "\r\033[Ka warning\n"));
}

TEST(Progress, ShowsInterimResultsUnlessThereIsNone) {
  const auto lines = [](ProgressStyle style) {
    return shown(style, [](Progress& progress) { progress.interim("loss 3"); });
  };
  EXPECT_EQ(lines(ProgressStyle::plain), "loss 3\n");
  EXPECT_EQ(lines(ProgressStyle::none), "");
}

TEST(NoProgress, ShowsOnlyMessages) {
  const std::string text = shown(ProgressStyle::none, [](Progress& progress) {
    ten_steps(progress);
    progress.message("a warning");
  });
  EXPECT_EQ(text, "a warning\n");
}

} // namespace
} // namespace mneme
