// SPDX-License-Identifier: MIT

/// Times of a durable memory next to SQLite alone: durable_benchmark FOLDER. The folder should be on the disk
/// that is to be measured; about 1 GB is written below it and removed at the end.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>
#include <sqlite3.h>

#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/data/corruption.h"
#include "mneme/data/random_patterns.h"
#include "mneme/store/durable_memory.h"

namespace {

using namespace mneme;
using store::DurableMemory;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int64_t kBits = 1024, kMillion = 1'000'000;
constexpr double kSecondsPerTurn = 1.0;
constexpr int kTurns = 7; // of each, in alternation

/// CPU time of this process so far, in seconds: unlike the time of a clock, it does not depend on other
/// programs.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + std::ssize(values) / 2);
  return values[values.size() / 2];
}

double percentile(std::vector<double> values, double fraction) {
  std::ranges::sort(values);
  return values[static_cast<size_t>(fraction * static_cast<double>(values.size() - 1))];
}

/// The same table and settings, without checksums, head and patterns in main memory.
class PlainSqlite {
public:
  explicit PlainSqlite(const fs::path& path) {
    check(sqlite3_open(path.c_str(), &connection_));
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("CREATE TABLE log(seq INTEGER PRIMARY KEY, key TEXT, label TEXT, pattern BLOB, payload BLOB)");
    check(sqlite3_prepare_v2(connection_,
                             "INSERT INTO log(key, label, pattern, payload) VALUES(NULL, NULL, ?1, NULL)", -1,
                             &insert_, nullptr));
  }
  PlainSqlite(const PlainSqlite&) = delete;
  PlainSqlite& operator=(const PlainSqlite&) = delete;
  ~PlainSqlite() {
    sqlite3_finalize(insert_);
    sqlite3_close(connection_);
  }
  void write(const BitPatterns& patterns) {
    run("BEGIN IMMEDIATE");
    for (int64_t i = 0; i < patterns.count(); ++i) {
      check(sqlite3_bind_blob(insert_, 1, patterns[i].data(), kBits / 8, SQLITE_STATIC));
      check(sqlite3_step(insert_) == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR);
      check(sqlite3_reset(insert_));
    }
    run("COMMIT");
  }

private:
  static void check(int code) {
    if (code != SQLITE_OK) {
      throw std::runtime_error("SQLite failed");
    }
  }
  void run(const char* sql) { check(sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr)); }
  sqlite3* connection_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

/// Patterns per second that `write` acknowledges in one turn.
template <class Write> double rate(int64_t per_commit, const BitPatterns& patterns, Write write) {
  int64_t count = 0;
  const auto begin = Clock::now();
  while (seconds_since(begin) < kSecondsPerTurn) {
    const int64_t first = count % (patterns.count() - per_commit + 1);
    write(slice(patterns, first, first + per_commit));
    count += per_commit;
  }
  return static_cast<double>(count) / seconds_since(begin);
}

void measure_writes(const fs::path& folder) {
  const BitPatterns patterns = data::random_bits(4096, kBits, Random(1));
  std::printf("Acknowledged writes of patterns of %lld bits per second: median of %d turns of %.0f s, in "
              "alternation\n\n",
              static_cast<long long>(kBits), kTurns, kSecondsPerTurn);
  std::printf("  per commit   mneme   SQLite alone   ratio\n");
  for (const int64_t per_commit : {1, 64, 1024}) {
    std::vector<double> ours, theirs, ratios;
    const fs::path our_path = folder / "memory", their_path = folder / "plain.sqlite";
    {
      DurableMemory memory = DurableMemory::create(our_path, {.bits = kBits});
      PlainSqlite plain(their_path);
      for (int turn = 0; turn < kTurns; ++turn) {
        ours.push_back(rate(per_commit, patterns, [&](const BitPatterns& batch) { memory.write(batch); }));
        theirs.push_back(rate(per_commit, patterns, [&](const BitPatterns& batch) { plain.write(batch); }));
        ratios.push_back(ours.back() / theirs.back());
      }
    }
    fs::remove_all(our_path);
    fs::remove(their_path);
    std::printf("  %10lld  %6.0f   %12.0f   %5.2f\n", static_cast<long long>(per_commit), median(ours),
                median(theirs), median(ratios));
  }
}

void measure_opening(const fs::path& folder) {
  const fs::path path = folder / "million";
  const BitPatterns patterns = data::random_bits(kMillion, kBits, Random(2));
  {
    DurableMemory memory = DurableMemory::create(path, {.bits = kBits});
    const auto begin = Clock::now();
    memory.write(patterns);
    std::printf("\nA million patterns of %lld bits\n\n  written in one transaction in %.1f s\n",
                static_cast<long long>(kBits), seconds_since(begin));
    const auto snapshot_begin = Clock::now();
    memory.snapshot();
    std::printf("  snapshot written in %.2f s; %.0f MB on disk\n", seconds_since(snapshot_begin),
                static_cast<double>(memory.info().bytes_on_disk) / 1e6);
  }
  const BitPatterns cue =
      data::flip_bits(slice(patterns, kMillion / 2, kMillion / 2 + 1), kBits / 10, Random(3));
  std::vector<double> opening, opening_cpu, first_read;
  for (int turn = 0; turn < kTurns; ++turn) {
    const auto begin = Clock::now();
    const double cpu_begin = cpu_seconds();
    DurableMemory memory = DurableMemory::open(path, {.access = store::Access::read});
    opening.push_back(seconds_since(begin));
    opening_cpu.push_back(cpu_seconds() - cpu_begin);
    const auto read_begin = Clock::now();
    if (memory.read(cue, {.top = 5}).recall.readout != slice(patterns, kMillion / 2, kMillion / 2 + 1)) {
      throw std::runtime_error("the pattern was not recalled");
    }
    first_read.push_back(seconds_since(read_begin));
  }
  std::printf("  opened in %.2f s (median; min %.2f s; CPU time %.2f s), then the first read takes %.1f ms\n",
              median(opening), std::ranges::min(opening), median(opening_cpu), 1e3 * median(first_read));
  fs::remove_all(path / "snapshot");
  const auto begin = Clock::now();
  DurableMemory::open(path, {.access = store::Access::read});
  std::printf("  opened without a snapshot in %.2f s\n", seconds_since(begin));
  fs::remove_all(path);
}

void measure_reads(const fs::path& folder) {
  constexpr int64_t kStored = 10'000;
  constexpr int kReads = 2000;
  const fs::path path = folder / "shared";
  const BitPatterns patterns = data::random_bits(kStored, kBits, Random(4));
  set_threads(1); // writer and reader have one CPU each
  DurableMemory memory = DurableMemory::create(path, {.bits = kBits});
  memory.write(patterns);
  memory.snapshot();
  const auto measure = [&](const char* name) {
    DurableMemory reader = DurableMemory::open(path, {.access = store::Access::read});
    std::vector<double> times;
    for (int i = 0; i < kReads; ++i) {
      const BitPatterns query = slice(patterns, i % kStored, i % kStored + 1);
      const auto begin = Clock::now();
      reader.read(query, {.top = 5});
      times.push_back(1e3 * seconds_since(begin));
    }
    std::printf("  %-28s p50 %.3f ms, p99 %.3f ms\n", name, percentile(times, 0.5), percentile(times, 0.99));
  };
  std::printf("\nReads (recall and 5 nearest of %lld patterns) in another connection, one thread\n\n",
              static_cast<long long>(kStored));
  measure("without a writer:");
  std::atomic<bool> stop{false};
  std::atomic<int64_t> commits{0};
  std::thread writer([&] {
    while (!stop) {
      memory.write(slice(patterns, 0, 1));
      ++commits;
    }
  });
  measure("while one pattern per commit:");
  stop = true;
  writer.join();
  std::printf("  (%lld commits during the reads)\n", static_cast<long long>(commits.load()));
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: durable_benchmark FOLDER\n";
    return 2;
  }
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 30); // as the program mneme: freed blocks are reused
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
  const fs::path folder = fs::path(argv[1]) / "mneme-durable-benchmark";
  fs::remove_all(folder);
  fs::create_directories(folder);
  measure_writes(folder);
  measure_opening(folder);
  measure_reads(folder);
  fs::remove_all(folder);
}
