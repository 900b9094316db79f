// SPDX-License-Identifier: MIT

#include "cli/arguments.h"
#include "cli/json_output.h"
#include "cli/run.h"

#include <functional>
#include <new>
#include <ostream>
#include <sstream>

#include <gtest/gtest.h>

#include "cli/json_frame.h"
#include "core/text_checks.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"

namespace mneme::cli {
namespace {

using mneme::testing::contains;

/// A verb that calls a function of the test.
class FakeVerb : public Verb {
public:
  explicit FakeVerb(std::function<ExitCode(Context&)> work) : work_(std::move(work)) {}
  std::string name() const override { return "made"; }
  std::string summary() const override { return "made for a test"; }
  void declare(Arguments&) override {}
  ExitCode run(Context& context) override { return work_(context); }

private:
  std::function<ExitCode(Context&)> work_;
};

struct Outcome {
  ExitCode code;
  std::string out, err;
};

Outcome run_made(std::function<ExitCode(Context&)> work, const std::vector<std::string>& arguments = {}) {
  FakeVerb verb(std::move(work));
  std::ostringstream out, err;
  const int former_threads = threads();
  const ExitCode code = run_verb(verb, arguments, out, err);
  set_threads(former_threads);
  return {code, out.str(), err.str()};
}

template <class Failure> std::function<ExitCode(Context&)> throwing(const Failure& failure) {
  return [failure](Context& context) -> ExitCode {
    context.out << "half a resu";
    throw failure;
  };
}

template <class Failure> void expect_failure(const Failure& failure, ExitCode code, const std::string& part) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{{}, {"--json"}}) {
    const Outcome outcome = run_made(throwing(failure), arguments);
    EXPECT_EQ(outcome.code, code);
    EXPECT_TRUE(outcome.err.starts_with("mneme made: ")) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, part));
    EXPECT_EQ(outcome.out, arguments.empty() ? "half a resu" : "");
  }
}

TEST(JsonBuffer, KeepsTheDocument) {
  JsonBuffer buffer;
  nlohmann::ordered_json document = {{"ids", {1, 2, 3}}};
  const auto* numbers = &document["ids"];
  print_json(buffer, std::move(document));
  EXPECT_EQ(&buffer.document["ids"], numbers);
}

TEST(RunVerb, ConvertsErrorsToExitCodes) {
  expect_failure(UsageError("3 rows but 4 columns"), ExitCode::wrong_usage, "3 rows but 4 columns");
  expect_failure(DataError("a.npy is cut off"), ExitCode::bad_input, "a.npy is cut off");
  expect_failure(UnsupportedError("no such GPU"), ExitCode::failed, "no such GPU");
  expect_failure(OutputError("disk full"), ExitCode::failed, "disk full");
  expect_failure(Interrupted(), ExitCode::interrupted, "interrupted");
  expect_failure(std::bad_alloc(), ExitCode::failed, "not enough memory");
  expect_failure(std::runtime_error("surprise"), ExitCode::failed, "unexpected failure: surprise");
  expect_failure(42, ExitCode::failed, "unexpected failure");
}

TEST(RunVerb, OmitsTheBacktraceOfLibTorch) {
  std::ostringstream err;
  const std::runtime_error error(
      "float != double\nException raised from mm at mm.cpp:1 (most recent call first):\n"
      "frame #0: main");
  report_error(std::make_exception_ptr(error), "apply", err);
  EXPECT_EQ(err.str(), "mneme apply: unexpected failure: float != double\n");
}

TEST(RunVerb, ExitCodesHaveTheirDocumentedValues) {
  EXPECT_EQ(static_cast<int>(ExitCode::ok), 0);
  EXPECT_EQ(static_cast<int>(ExitCode::failed), 1);
  EXPECT_EQ(static_cast<int>(ExitCode::wrong_usage), 2);
  EXPECT_EQ(static_cast<int>(ExitCode::bad_input), 3);
  EXPECT_EQ(static_cast<int>(ExitCode::check_failed), 4);
  EXPECT_EQ(static_cast<int>(ExitCode::interrupted), 130);
}

TEST(RunVerb, PrintsTheResultOfAFailedCheck) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{{}, {"--json"}}) {
    const Outcome outcome = run_made(
        [](Context& context) {
          context.out << "{}";
          return ExitCode::check_failed;
        },
        arguments);
    EXPECT_EQ(outcome.code, ExitCode::check_failed);
    EXPECT_EQ(arguments.empty() ? outcome.out : testing::results_of(outcome.out).dump(), "{}");
    EXPECT_EQ(outcome.err, "");
  }
}

TEST(RunVerb, PutsJsonIntoTheFrameThatAllVerbsShare) {
  const Outcome outcome = run_made(
      [](Context& context) {
        context.out << R"({"verb": "x", "config": {"version": "1", "bits": 3}, "found": 2, )"
                    << R"("timing": {"parts": [1]}})";
        return ExitCode::ok;
      },
      {"--json", "--seed", "4"});
  const nlohmann::json document = testing::framed(outcome.out);
  EXPECT_EQ(document.at("verb"), "made");
  EXPECT_EQ(document.at("seed"), 4);
  EXPECT_EQ(document.at("parameters"), (nlohmann::json{{"bits", 3}}));
  EXPECT_EQ(document.at("results"), (nlohmann::json{{"found", 2}}));
  EXPECT_EQ(document.at("timing").at("parts"), nlohmann::json::array({1}));
  EXPECT_GE(document.at("timing").at("seconds"), 0);
}

TEST(RunVerb, PassesTheCommonOptionsToTheVerb) {
  const Outcome outcome = run_made(
      [](Context& context) {
        EXPECT_TRUE(context.options.json);
        EXPECT_EQ(context.options.out, "results");
        EXPECT_EQ(context.options.seed, 1'000'000U);
        EXPECT_EQ(context.options.threads, 3);
        EXPECT_EQ(threads(), 3);
        EXPECT_TRUE(context.options.quiet);
        EXPECT_EQ(context.options.progress, ProgressStyle::json);
        EXPECT_TRUE(context.options.no_color);
        EXPECT_FALSE(context.colour);
        return ExitCode::ok;
      },
      {"--json", "--out", "results", "--seed=1e6", "--threads", "3", "--quiet", "--progress", "json",
       "--no-color"});
  EXPECT_EQ(outcome.code, ExitCode::ok) << outcome.err;
}

TEST(RunVerb, HasDefaultsForTheCommonOptions) {
  const int usual_threads = threads();
  const Outcome outcome = run_made([usual_threads](Context& context) {
    EXPECT_FALSE(context.options.json);
    EXPECT_TRUE(context.options.out.empty());
    EXPECT_EQ(context.options.seed, 1U);
    EXPECT_EQ(context.options.threads, usual_threads);
    EXPECT_EQ(context.options.progress, ProgressStyle::automatic);
    return ExitCode::ok;
  });
  EXPECT_EQ(outcome.code, ExitCode::ok) << outcome.err;
}

TEST(RunVerb, StopsAtAnInterruptOfALoop) {
  const Outcome outcome = run_made([](Context&) {
    parallel_for(1000, 1, [](int64_t, int64_t) { request_interrupt(); });
    return ExitCode::ok;
  });
  clear_interrupt();
  EXPECT_EQ(outcome.code, ExitCode::interrupted);
  EXPECT_EQ(outcome.err, "mneme made: interrupted\n");
}

/// A verb with subcommands.
class Nested : public Verb {
public:
  std::string name() const override { return "nested"; }
  std::string summary() const override { return "has verbs below it"; }
  void declare(Arguments& app) override {
    app.add_subcommand("create", "Make one")->callback([this] { called_ = "create"; });
    app.add_subcommand("forget", "Lose one")->callback([this] { called_ = "forget"; });
  }
  ExitCode run(Context& context) override {
    context.out << called_ << " " << context.options.seed;
    return ExitCode::ok;
  }

private:
  std::string called_;
};

Outcome run_nested(const std::vector<std::string>& arguments) {
  Nested verb;
  std::ostringstream out, err;
  const ExitCode code = run_verb(verb, arguments, out, err);
  return {code, out.str(), err.str()};
}

TEST(RunVerb, GivesSubcommandsTheCommonOptions) {
  EXPECT_EQ(run_nested({"create", "--seed", "5"}).out, "create 5");
  EXPECT_EQ(run_nested({"forget", "create"}).code, ExitCode::wrong_usage);
  const Outcome help = run_nested({"forget", "--help"});
  EXPECT_EQ(help.code, ExitCode::ok);
  EXPECT_TRUE(contains(help.out, "--seed"));
}

TEST(RunVerb, RequiresASubcommand) {
  EXPECT_EQ(run_nested({}).code, ExitCode::wrong_usage);
  const Outcome mistyped = run_nested({"forgt"});
  EXPECT_EQ(mistyped.code, ExitCode::wrong_usage);
  EXPECT_TRUE(contains(mistyped.err, "\"forget\"?"));
  const Outcome option = run_nested({"create", "--sed", "1"});
  EXPECT_EQ(option.code, ExitCode::wrong_usage);
  EXPECT_TRUE(contains(option.err, "\"--seed\"?"));
  EXPECT_TRUE(contains(option.err, "`mneme nested create --help`"));
}

} // namespace
} // namespace mneme::cli
