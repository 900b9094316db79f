// SPDX-License-Identifier: MIT

#include "mneme/core/interrupt.h"

#include <csignal>

#include <gtest/gtest.h>

#include "mneme/core/error.h"

namespace mneme {
namespace {

/// Restores the flag and the handlers after each test.
class Interrupt : public ::testing::Test {
protected:
  void TearDown() override {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    std::signal(SIGHUP, SIG_DFL);
    clear_interrupt();
  }
};

TEST_F(Interrupt, IsThrownOnlyAfterARequest) {
  EXPECT_NO_THROW(throw_if_interrupted());
  request_interrupt();
  EXPECT_TRUE(interrupted());
  EXPECT_THROW(throw_if_interrupted(), Interrupted);
  clear_interrupt();
  EXPECT_FALSE(interrupted());
  EXPECT_NO_THROW(throw_if_interrupted());
}

TEST_F(Interrupt, ASignalOnlySetsTheFlag) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    clear_interrupt();
    std::signal(signal, SIG_DFL);
    catch_interrupts();
    std::raise(signal);
    EXPECT_TRUE(interrupted());
  }
}

TEST_F(Interrupt, AHangUpThatIsIgnoredStaysIgnored) {
  std::signal(SIGHUP, SIG_IGN); // by nohup
  catch_interrupts();
  std::raise(SIGHUP);
  EXPECT_FALSE(interrupted());
}

TEST_F(Interrupt, ASecondSignalEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        catch_interrupts();
        std::raise(SIGINT);
        std::raise(SIGINT);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

} // namespace
} // namespace mneme
