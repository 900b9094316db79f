// SPDX-License-Identifier: MIT

// Power failures, failing disks, killed processes and damaged files. The defaults suit a test run of seconds;
// more is tested with these environment variables:
//
//   MNEME_CRASH_IMAGES=10000   number of simulated power failures (default: 200)
//   MNEME_FAULT_STRIDE=1       lets every operation fail (default: every 7th)
//   MNEME_KILLS=1000           number of killed writers (default: 15)
//   MNEME_CUT_STRIDE=1         cuts the log at every byte (default: at every 37th)
//   MNEME_FLIP_STRIDE=1        changes every byte of the files (default: every 23rd)

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "mneme/core/parallel.h"
#include "store/recorder.h"
#include "store/workload.h"

namespace mneme::store {
namespace {

using namespace test;
namespace fs = std::filesystem;

/// Runs the workload with a recorder and acknowledges every step. The memory is closed and opened again on
/// the way.
void run_recorded(Recorder& recorder, const fs::path& path, const MemoryDesign& design, int64_t num_steps) {
  const OpenOptions options{.environment = &recorder.environment()};
  std::optional<DurableMemory> memory = DurableMemory::create(path, design, options);
  recorder.acknowledge(0);
  for (int64_t step = 0; step < num_steps; ++step) {
    apply_step(*memory, step, design.bits);
    recorder.acknowledge(step + 1);
    if (step % 11 == 10) {
      memory.reset();
      memory.emplace(DurableMemory::open(path, options));
    }
  }
}

TEST(DurableMemoryCrash, PowerFailuresLoseNothingAcknowledged) {
  constexpr int64_t kSteps = 40;
  const int64_t num_images = setting("MNEME_CRASH_IMAGES", 200);
  set_threads(1);
  int64_t not_created = 0, in_progress = 0;
  for (const MemoryDesign& design : kWorkloadDesigns) {
    const std::vector<State> states = expected_states(design, kSteps);
    const FastFolder folder;
    Recorder recorder(folder / "memory");
    run_recorded(recorder, folder / "memory", design, kSteps);
    const std::vector<Event>& events = recorder.events();
    Random random(design.hard_locations > 0 ? 1 : 2);
    for (int64_t image = 0; image < num_images / 2; ++image) {
      SCOPED_TRACE("image " + std::to_string(image) + " of " + std::to_string(design.hard_locations) +
                   " locations");
      const size_t num_events = 1 + random.below(events.size());
      const int64_t acknowledged = last_acknowledged(events, num_events);
      const fs::path path = folder / "image";
      fs::remove_all(path);
      fs::create_directory(path);
      write_crash_image(events, num_events, random.stream(static_cast<uint64_t>(image)), path);
      std::optional<DurableMemory> memory;
      try {
        memory.emplace(DurableMemory::open(path));
      } catch (const Error& error) {
        ASSERT_EQ(acknowledged, -1) << error.what();
        ++not_created;
        continue;
      }
      const State state = state_of(*memory);
      const auto before = static_cast<size_t>(std::max<int64_t>(acknowledged, 0));
      const bool is_before = state == states[before];
      const bool is_after = before + 1 < states.size() && state == states[before + 1];
      ASSERT_TRUE(is_before || is_after)
          << "after the acknowledged state " << acknowledged << ", " << state.contents.size()
          << " patterns instead of " << states[before].contents.size();
      in_progress += is_before ? 0 : 1;
      // The memory can be used, and is intact.
      memory->write(random_bits(1, design.bits, 77), std::vector<Annotation>{{.key = "after the failure"}});
      memory.reset();
      const Verification verification = verify_memory(path);
      ASSERT_EQ(verification.problems, std::vector<std::string>());
      ASSERT_EQ(verification.missing, 0);
      DurableMemory again = DurableMemory::open(path, kReader);
      ASSERT_EQ(again.stored(), std::ssize(state.contents) + 1);
    }
    std::cout << num_images / 2 << " images of " << events.size() << " events\n";
  }
  std::cout << not_created << " before the memory was created, " << in_progress
            << " with a change that was stored but not yet acknowledged\n";
  EXPECT_LT(not_created, num_images / 4);
}

TEST(DurableMemoryCrash, TheSimulationNoticesEveryMissingSync) {
  constexpr int64_t kSteps = 24;
  set_threads(1);
  const MemoryDesign& design = kWorkloadDesigns[0];
  const std::vector<State> states = expected_states(design, kSteps);
  const FastFolder folder;
  Recorder recorder(folder / "memory");
  run_recorded(recorder, folder / "memory", design, kSteps);
  // Without the syncs of one kind, acknowledged changes are lost, or verify finds damaged or missing files.
  const auto is_snapshot = [&](const Event& event) { // of a file that was renamed to a snapshot file
    return event.kind == Event::Kind::sync && std::ranges::any_of(recorder.events(), [&](const Event& name) {
             return name.kind == Event::Kind::name && name.file == event.file && name.path.ends_with(".part");
           });
  };
  using Drops = std::function<bool(const Event&)>;
  const std::vector<std::pair<const char*, Drops>> kinds = {
      {"files of SQLite",
       [&](const Event& event) { return event.kind == Event::Kind::sync && !is_snapshot(event); }},
      {"snapshot files", is_snapshot},
      {"folders", [](const Event& event) { return event.kind == Event::Kind::sync_folder; }}};
  for (const auto& [name, drops] : kinds) {
    std::vector<Event> events = recorder.events();
    std::erase_if(events, drops);
    int64_t noticed = 0;
    Random random(3);
    for (uint64_t image = 0; image < 60; ++image) {
      const size_t num_events = events.size() / 4 + random.below(events.size() * 3 / 4);
      const auto acknowledged = static_cast<size_t>(last_acknowledged(events, num_events));
      fs::remove_all(folder / "image");
      fs::create_directory(folder / "image");
      write_crash_image(events, num_events, random.stream(image), folder / "image");
      try {
        DurableMemory memory = DurableMemory::open(folder / "image", kReader);
        const State state = state_of(memory);
        const bool is_right = state == states[acknowledged] ||
                              (acknowledged + 1 < states.size() && state == states[acknowledged + 1]);
        const Verification verification = verify_memory(folder / "image");
        noticed += is_right && verification.problems.empty() && verification.missing == 0 ? 0 : 1;
      } catch (const Error&) {
        ++noticed;
      }
    }
    EXPECT_GT(noticed, 0) << "without syncs of " << name;
  }
}

TEST(DurableMemoryCrash, AFailureOfAnyOperationLosesNothing) {
  constexpr int64_t kSteps = 16;
  set_threads(1);
  for (const MemoryDesign& design : kWorkloadDesigns) {
    const std::vector<State> states = expected_states(design, kSteps);
    for (const Fault fault : {Fault::disk_full, Fault::disk_full_once, Fault::io_error, Fault::io_errors}) {
      int64_t operation = 0;
      bool finished = false;
      // A stride in place of every operation keeps the test short; MNEME_FAULT_STRIDE=1 tests all.
      const int64_t stride = setting("MNEME_FAULT_STRIDE", 7);
      for (; !finished; operation += stride) {
        SCOPED_TRACE("fault " + std::to_string(static_cast<int>(fault)) + " at operation " +
                     std::to_string(operation));
        const FastFolder folder;
        const fs::path path = folder / "memory";
        int64_t acknowledged = -1;
        {
          Recorder recorder(path);
          recorder.fail_at(operation, fault);
          const OpenOptions options{.environment = &recorder.environment()};
          std::optional<DurableMemory> memory;
          try {
            memory.emplace(DurableMemory::create(path, design, options));
            acknowledged = 0;
            for (int64_t step = 0; step < kSteps; ++step) {
              apply_step(*memory, step, design.bits);
              acknowledged = step + 1;
            }
            finished = recorder.operations() <= operation;
          } catch (const OutputError&) {
            if (memory) { // it can be used further, or refuses to be
              try {
                ASSERT_LE(memory->read(random_bits(1, design.bits, 1)).nearest[0].size(), 5);
                memory->write(random_bits(1, design.bits, 78), std::vector<Annotation>{{.key = "further"}});
                memory->snapshot();
              } catch (const Error&) {
              }
            }
          }
        }
        std::optional<DurableMemory> memory;
        try {
          memory.emplace(DurableMemory::open(path));
        } catch (const Error& error) {
          ASSERT_EQ(acknowledged, -1) << error.what();
          continue;
        }
        const auto before = static_cast<size_t>(std::max<int64_t>(acknowledged, 0));
        memory->forget_key("further");
        const State state = state_of(*memory);
        ASSERT_TRUE(state == states[before] || (before + 1 < states.size() && state == states[before + 1]))
            << "after the acknowledged state " << acknowledged;
        memory->write(random_bits(1, design.bits, 77));
        ASSERT_EQ(verify_memory(path).problems, std::vector<std::string>());
      }
      EXPECT_GT(operation, 100) << "the workload has fewer operations than expected";
    }
  }
}

TEST(DurableMemoryCrash, CanBeUsedAgainAfterAFullDisk) {
  const FastFolder folder;
  Recorder recorder(folder / "memory");
  DurableMemory memory =
      DurableMemory::create(folder / "memory", {.bits = 70}, {.environment = &recorder.environment()});
  memory.write(random_bits(3, 70, 1));
  recorder.fail_at(recorder.operations(), Fault::disk_full);
  expect_contains(message_of<OutputError>([&] { memory.write(random_bits(2000, 70, 2)); }),
                  {"Nothing of the failed transaction was stored", "Free some space"});
  EXPECT_EQ(memory.stored(), 3);
  EXPECT_EQ(memory.read(random_bits(1, 70, 1)).nearest[0].size(), 3);
  expect_contains(message_of<OutputError>([&] { memory.write(random_bits(1, 70, 2)); }),
                  {"Open the memory again"});
}

// --- killed processes -------------------------------------------------------------------------------------

/// Program of the child process of the tests below: writes until it is killed, and prints the number of every
/// acknowledged write.
TEST(DurableMemoryCrash, DISABLED_WritesUntilKilled) {
  set_threads(1);
  DurableMemory memory = DurableMemory::open(std::getenv("MNEME_CHILD_MEMORY"));
  for (int64_t i = memory.info().seq;; ++i) {
    memory.write(random_bits(1, memory.design().bits, static_cast<uint64_t>(i)), numbered(i, 1));
    const std::string line = std::to_string(i) + "\n";
    if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) {
      return;
    }
    if (i % 50 == 49) {
      memory.snapshot();
    }
  }
}

/// Starts the child, kills it `milliseconds` after its first acknowledged write, and returns its output.
std::string output_of_killed_child(const fs::path& memory, int milliseconds) {
  int pipe[2];
  if (::pipe(pipe) != 0) {
    throw std::runtime_error("pipe");
  }
  const std::string setting = "MNEME_CHILD_MEMORY=" + memory.string();
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe[1], STDOUT_FILENO);
    ::close(pipe[0]);
    ::close(pipe[1]);
    ::putenv(const_cast<char*>(setting.c_str()));
    ::execl("/proc/self/exe", "store_crash_tests", "--gtest_filter=*DISABLED_WritesUntilKilled",
            "--gtest_also_run_disabled_tests", "--gtest_brief=1", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::close(pipe[1]);
  std::string output;
  bool is_killed = false;
  char buffer[4096];
  for (ssize_t size = 0; (size = ::read(pipe[0], buffer, sizeof(buffer))) > 0;) {
    output.append(buffer, static_cast<size_t>(size));
    if (!is_killed && std::ranges::any_of(output, [](unsigned char c) { return std::isdigit(c) != 0; })) {
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); // after its first write
      ::kill(child, SIGKILL);
      is_killed = true;
    }
  }
  ::close(pipe[0]);
  ::waitpid(child, nullptr, 0);
  return output;
}

TEST(DurableMemoryCrash, KilledWritersLoseNothingAcknowledged) {
  const FastFolder folder;
  { DurableMemory::create(folder / "memory", {.bits = 70}); }
  Random random(5);
  int64_t acknowledged = 0;
  for (int64_t kill = 0; kill < setting("MNEME_KILLS", 15); ++kill) {
    const std::string output = output_of_killed_child(folder / "memory", static_cast<int>(random.below(60)));
    std::istringstream lines(output.substr(0, output.rfind('\n') + 1)); // complete lines only
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && std::isdigit(static_cast<unsigned char>(line[0])) != 0) {
        acknowledged = std::stoll(line) + 1;
      }
    }
    DurableMemory memory = DurableMemory::open(folder / "memory");
    ASSERT_GE(memory.stored(), acknowledged);
    ASSERT_LE(memory.stored(), acknowledged + 1);
    acknowledged = memory.stored();
    int64_t number = 0;
    for (const auto& [seq, stored] : contents_of(memory)) {
      ASSERT_EQ(stored.annotation, numbered(number));
      const BitPatterns pattern = random_bits(1, 70, static_cast<uint64_t>(number));
      ASSERT_EQ(stored.words, std::vector<uint64_t>(pattern[0].begin(), pattern[0].end()));
      ++number;
    }
  }
  EXPECT_GT(acknowledged, 0);
  EXPECT_EQ(verify_memory(folder / "memory").problems, std::vector<std::string>());
}

TEST(DurableMemoryCrash, ReadersSeeCommittedStatesWhileTheWriterCompacts) {
  constexpr int64_t kBatches = 120, kPerBatch = 3;
  set_threads(1);
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", {.bits = 70});
  std::atomic<int64_t> acknowledged{-1};
  std::atomic<int64_t> num_reads{0};
  std::vector<std::string> failures(8);
  std::vector<std::thread> readers;
  for (std::string& failure : failures) {
    readers.emplace_back([&] {
      try {
        DurableMemory reader = DurableMemory::open(folder / "memory", kReader);
        while (failure.empty() && acknowledged < kBatches - 1) {
          const int64_t before = acknowledged;
          std::map<int64_t, int64_t> counts; // batch -> number of its patterns
          reader.for_each([&](const Entry& entry) { ++counts[std::stoll(*entry.annotation.label)]; });
          if (before >= 0 && (counts.empty() || counts.rbegin()->first < before)) {
            failure = "batch " + std::to_string(before) + " was acknowledged but is missing";
          }
          for (const auto& [batch, count] : counts) {
            if (count != kPerBatch) {
              failure = "batch " + std::to_string(batch) + " has " + std::to_string(count) + " patterns";
            }
          }
          ++num_reads;
        }
      } catch (const std::exception& error) {
        failure = error.what();
      }
    });
  }
  for (int64_t batch = 0; batch < kBatches; ++batch) {
    const std::vector<Annotation> annotations(kPerBatch, Annotation{.label = std::to_string(batch)});
    memory.write(random_bits(kPerBatch, 70, static_cast<uint64_t>(batch)), annotations);
    acknowledged = batch;
    if (batch % 5 == 4) {
      memory.forget_label(std::to_string(batch - 2));
    }
    if (batch % 10 == 7) {
      memory.snapshot();
    }
    if (batch % 20 == 19) {
      memory.compact();
    }
  }
  for (std::thread& reader : readers) {
    reader.join();
  }
  EXPECT_EQ(failures, std::vector<std::string>(8));
  EXPECT_GT(num_reads, 8);
  EXPECT_EQ(verify_memory(folder / "memory").problems, std::vector<std::string>());
}

// --- damaged files ----------------------------------------------------------------------------------------

void copy_folder(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
}

TEST(DurableMemoryDamage, ALogThatIsCutKeepsAPrefix) {
  constexpr int64_t kBatches = 12, kFrame = 4096 + 24;
  set_threads(1);
  const FastFolder folder;
  std::vector<Contents> states;
  {
    DurableMemory memory = DurableMemory::create(folder / "memory", {.bits = 70});
    states.push_back(contents_of(memory));
    for (int64_t batch = 0; batch < kBatches; ++batch) {
      memory.write(random_bits(3, 70, static_cast<uint64_t>(batch)), numbered(3 * batch, 3));
      states.push_back(contents_of(memory));
    }
    copy_folder(folder / "memory", folder / "open"); // the log has not been moved to the database
  }
  const std::string log = testing::read_text(folder / "open" / "memory.sqlite-wal");
  const std::string database = testing::read_text(folder / "open" / "memory.sqlite");
  ASSERT_GT(std::ssize(log), 3 * kFrame);
  size_t least = states.size();
  for (int64_t cut = 0; cut <= 3 * kFrame; cut += setting("MNEME_CUT_STRIDE", 37)) {
    fs::remove_all(folder / "cut");
    fs::create_directory(folder / "cut");
    testing::write_text(folder / "cut" / "memory.sqlite", database);
    testing::write_text(folder / "cut" / "memory.sqlite-wal",
                        log.substr(0, log.size() - static_cast<size_t>(cut)));
    DurableMemory memory = DurableMemory::open(folder / "cut", kReader);
    const auto found = std::ranges::find(states, contents_of(memory));
    ASSERT_NE(found, states.end()) << "without the last " << cut << " bytes";
    const auto state = static_cast<size_t>(found - states.begin());
    ASSERT_LE(state, least);
    least = state;
    if (cut == 0) {
      ASSERT_EQ(state, states.size() - 1);
    }
  }
  EXPECT_LT(least, states.size() - 1);
}

TEST(DurableMemoryDamage, EveryFlippedByteIsDetectedOrHarmless) {
  set_threads(1);
  for (const MemoryDesign& design : kWorkloadDesigns) {
    const FastFolder folder;
    const fs::path path = folder / "memory", copy = folder / "copy";
    State expected;
    std::vector<std::vector<int64_t>> expected_nearest;
    const BitPatterns queries = random_bits(3, 70, 5);
    const auto nearest_of = [&](DurableMemory& memory) {
      std::vector<std::vector<int64_t>> nearest;
      for (const auto& of_query : memory.read(queries).nearest) {
        nearest.emplace_back();
        for (const Neighbour& neighbour : of_query) {
          nearest.back().push_back(neighbour.seq);
          nearest.back().push_back(neighbour.distance);
        }
      }
      return nearest;
    };
    {
      DurableMemory memory = DurableMemory::create(path, design);
      for (int64_t step = 0; step < 23; ++step) {
        apply_step(memory, step, 70);
      }
      expected = state_of(memory);
      expected_nearest = nearest_of(memory);
    }
    Random random(9);
    int64_t flips = 0, refused = 0, reported = 0;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
      if (!entry.is_regular_file() || entry.path().filename() == "lock") {
        continue;
      }
      const std::string name = fs::relative(entry.path(), path).string();
      const std::string intact = testing::read_text(entry.path());
      const int64_t stride = setting("MNEME_FLIP_STRIDE", 23);
      for (int64_t at = static_cast<int64_t>(random.below(static_cast<uint64_t>(stride)));
           at < std::ssize(intact); at += stride) {
        SCOPED_TRACE(name + ", byte " + std::to_string(at));
        std::string damaged = intact;
        damaged[static_cast<size_t>(at)] =
            static_cast<char>(damaged[static_cast<size_t>(at)] ^ static_cast<char>(1 + random.below(255)));
        copy_folder(path, copy);
        testing::write_text(copy / name, damaged);
        ++flips;
        bool is_refused = false;
        try {
          DurableMemory memory = DurableMemory::open(copy, kReader);
          ASSERT_EQ(nearest_of(memory), expected_nearest);
          ASSERT_TRUE(state_of(memory) == expected);
        } catch (const Error&) {
          is_refused = true;
        }
        const bool is_reported = !verify_memory(copy).problems.empty();
        refused += is_refused ? 1 : 0;
        reported += is_reported ? 1 : 0;
        ASSERT_TRUE(is_reported || !is_refused) << "verify must report what reading refuses";
      }
    }
    std::cout << flips << " flips: " << refused << " refused, " << reported << " reported by verify, "
              << flips - reported << " harmless\n";
    EXPECT_GT(reported, flips / 20) << "most of a small database is free space";
  }
}

} // namespace
} // namespace mneme::store
