// SPDX-License-Identifier: MIT

#include "mneme/store/durable_memory.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>

#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/memory/associate.h"
#include "mneme/memory/nearest.h"
#include "mneme/trials/memory_kinds.h"
#include "store/memories.h"

namespace mneme::store {
namespace {

using namespace test;
namespace fs = std::filesystem;

const MemoryDesign kSmall{.bits = 200};
const MemoryDesign kLocations{.bits = 100, .steps = {}, .hard_locations = 2000, .hamming_radius = 40};

TEST(DurableMemory, RecallsWhatAnotherProcessWrote) {
  const FastFolder folder;
  const BitPatterns patterns = random_bits(50, 200, 1);
  WriteResult written;
  {
    DurableMemory memory = DurableMemory::create(folder / "memory", kSmall);
    written = memory.write(patterns, numbered(0, 50));
    EXPECT_EQ(memory.stored(), 50);
  }
  DurableMemory memory = DurableMemory::open(folder / "memory", kReader);
  EXPECT_EQ(memory.design(), kSmall);
  const ReadResult result = memory.read(with_flips(patterns, 30, 2), {.top = 2});
  EXPECT_EQ(result.recall.readout, patterns);
  for (int64_t i = 0; i < 50; ++i) {
    const std::vector<Neighbour>& nearest = result.nearest[static_cast<size_t>(i)];
    ASSERT_EQ(nearest.size(), 2);
    EXPECT_EQ(nearest[0].seq, written.seqs[static_cast<size_t>(i)]);
    EXPECT_EQ(nearest[0].distance, 30);
    EXPECT_EQ(nearest[0].annotation, numbered(i));
    EXPECT_GT(nearest[1].distance, 30);
  }
}

TEST(DurableMemory, EqualsTheMemoryInMainMemoryForEveryKind) {
  const BitPatterns patterns = random_bits(60, 120, 3), cues = with_flips(patterns, 25, 4);
  for (const trials::SeparationStep& separation : trials::separations()) {
    for (const trials::SimilarityStep& similarity : trials::similarities()) {
      const trials::MemorySteps steps{similarity.name, separation.name, "majority"};
      try {
        trials::require_compatible(steps);
      } catch (const UsageError&) {
        continue;
      }
      SCOPED_TRACE(similarity.name + ", " + separation.name);
      const FastFolder folder;
      DurableMemory memory = DurableMemory::create(folder / "memory", {.bits = 120, .steps = steps});
      const MemoryDesign& design = memory.design();
      memory.write(patterns);
      const trials::MemoryKind kind = trials::composed_memory(steps);
      const trials::RecallBits expected = trials::build(kind, patterns,
                                                        {.hamming_radius = design.hamming_radius,
                                                         .beta = design.beta,
                                                         .alpha = design.alpha,
                                                         .degree = design.degree},
                                                        1, {.update_steps_max = 10}, Precision::float64);
      EXPECT_EQ(memory.read(cues).recall.readout, expected(cues).readout);
    }
  }
}

TEST(DurableMemory, ReplaysCountersBitByBitOnAnyNumberOfThreads) {
  const BitPatterns patterns = random_bits(300, 100, 5);
  NeuronSdm expected({.bits = 100, .hard_locations = 2000, .hamming_radius = 40, .seed = 1});
  expected.write(patterns);
  const FastFolder folder;
  const int before = threads();
  for (const int count : {1, 4}) {
    set_threads(count);
    const fs::path path = folder / std::to_string(count);
    {
      DurableMemory memory = DurableMemory::create(path, kLocations);
      memory.write(slice(patterns, 0, 100));
      memory.snapshot();
      memory.write(slice(patterns, 100, 300));
    }
    for (const bool has_snapshot : {true, false}) {
      if (!has_snapshot) {
        fs::remove_all(path / "snapshot");
      }
      DurableMemory memory = DurableMemory::open(path, kReader);
      EXPECT_EQ(counters_of(memory.hard_locations()), counters_of(&expected)) << count << has_snapshot;
      EXPECT_EQ(memory.read(patterns).recall.readout,
                expected.recall(patterns, {.update_steps_max = 10}).readout);
    }
  }
  set_threads(before);
}

TEST(DurableMemory, EqualsOneThatWasNeverGivenForgottenPatterns) {
  const BitPatterns patterns = random_bits(10000, 100, 6);
  for (const MemoryDesign& design : {MemoryDesign{.bits = 100}, kLocations}) {
    const FastFolder folder;
    DurableMemory memory = DurableMemory::create(folder / "a", design),
                  never = DurableMemory::create(folder / "b", design);
    BitPatterns forgotten(0, 100), kept(0, 100);
    for (int64_t i = 0; i < 10000; ++i) {
      (i % 10 == 3 ? forgotten : kept).append(slice(patterns, i, i + 1));
    }
    memory.write(slice(patterns, 0, 6000));
    memory.snapshot();
    memory.write(slice(patterns, 6000, 10000));
    never.write(kept);
    EXPECT_EQ(memory.forget_patterns(forgotten), 1000);
    const BitPatterns cues = with_flips(slice(patterns, 0, 200), 20, 7);
    const auto expect_equal = [&](DurableMemory& changed, const char* when) {
      EXPECT_EQ(changed.stored(), 9000) << when;
      EXPECT_TRUE(counters_of(changed.hard_locations()) == counters_of(never.hard_locations())) << when;
      EXPECT_EQ(changed.read(cues).recall.readout, never.read(cues).recall.readout) << when;
    };
    expect_equal(memory, "after the forget");
    DurableMemory reader = DurableMemory::open(folder / "a", kReader);
    expect_equal(reader, "for a reader, partly from a snapshot");
    memory.compact();
    expect_equal(memory, "after compact");
    expect_equal(reader, "for an open reader after compact");
    DurableMemory again = DurableMemory::open(folder / "a", kReader);
    expect_equal(again, "for a new reader after compact");
  }
}

TEST(DurableMemory, WritesAreIdempotentByKey) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", kSmall);
  const BitPatterns patterns = random_bits(3, 200, 8);
  const WriteResult first = memory.write(patterns, numbered(0, 3));
  EXPECT_EQ(first.repeated, 0);
  const WriteResult second = memory.write(patterns, numbered(0, 3));
  EXPECT_EQ(second.repeated, 3);
  EXPECT_EQ(second.seqs, first.seqs);
  EXPECT_EQ(memory.stored(), 3);

  // Also within one call, and after opening again.
  BitPatterns twice = slice(patterns, 0, 1);
  twice.append(slice(patterns, 0, 1));
  const std::vector<Annotation> same_key{{.key = "new"}, {.key = "new"}};
  const WriteResult both = memory.write(twice, same_key);
  EXPECT_EQ(both.repeated, 1);
  EXPECT_EQ(both.seqs[0], both.seqs[1]);
  expect_contains(message_of<UsageError>([&] {
                    memory.write(slice(patterns, 1, 3), std::vector<Annotation>(2, {.key = "newer"}));
                  }),
                  {"\"newer\"", "patterns 0 and 1 of one call"});

  // Another pattern under a known key is an error, and nothing of the call is written.
  std::vector<Annotation> annotations{{}, {.key = "key 1"}};
  const BitPatterns others = random_bits(2, 200, 9);
  expect_contains(message_of<UsageError>([&] { memory.write(others, annotations); }),
                  {"key 1", "record 2", "--replace"});
  EXPECT_EQ(memory.stored(), 4);
  const WriteResult replaced = memory.write(others, annotations, KeyConflict::replace);
  EXPECT_EQ(replaced.replaced, 1);
  EXPECT_EQ(memory.stored(), 5);
  EXPECT_EQ(memory.read(slice(others, 1, 2), {.top = 1}).nearest[0][0].annotation.key, "key 1");
  EXPECT_EQ(memory.forget_key("key 1"), 1);
  EXPECT_EQ(memory.forget_key("key 1"), 0);
  EXPECT_EQ(memory.write(slice(patterns, 1, 2), numbered(1, 1)).repeated, 0) << "a forgotten key is free";
  EXPECT_TRUE(verify_memory(folder / "memory").problems.empty());
}

TEST(DurableMemory, ReplacesAKeyOfTheSameCall) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", kLocations);
  const BitPatterns patterns = random_bits(3, 100, 10);
  const std::vector<Annotation> annotations(3, Annotation{.key = "k"});
  const WriteResult result = memory.write(patterns, annotations, KeyConflict::replace);
  EXPECT_EQ(result.replaced, 2);
  EXPECT_EQ(memory.stored(), 1);
  NeuronSdm expected({.bits = 100, .hard_locations = 2000, .hamming_radius = 40, .seed = 1});
  expected.write(slice(patterns, 2, 3));
  EXPECT_EQ(counters_of(memory.hard_locations()), counters_of(&expected));
  DurableMemory again = DurableMemory::open(folder / "memory", kReader);
  EXPECT_EQ(counters_of(again.hard_locations()), counters_of(&expected));
  EXPECT_EQ(contents_of(again).begin()->first, result.seqs[2]);
}

TEST(DurableMemory, ForgetsSeveralKeysInOneTransaction) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", kSmall);
  memory.write(random_bits(9, 200, 11), numbered(0, 9));
  const std::vector<std::string> keys{"key 3", "key 8", "unknown", "key 3"};
  EXPECT_EQ(memory.unknown_keys(keys), (std::vector<std::string>{"unknown"}));
  EXPECT_EQ(memory.forget_keys(keys), 2);
  EXPECT_EQ(memory.unknown_keys(keys), (std::vector<std::string>{"key 3", "key 8", "unknown"}));
  EXPECT_EQ(memory.unknown_seqs(std::vector<int64_t>{9, 4, 10, 4, 1}), (std::vector<int64_t>{9, 4, 10}));
  EXPECT_EQ(memory.stored(), 7);
  EXPECT_FALSE(contents_of(memory).contains(4));
}

TEST(DurableMemory, StopsAfterAnInterruptWithTheStateBefore) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", kLocations);
  const BitPatterns patterns = random_bits(60, 100, 12);
  memory.write(slice(patterns, 0, 50), numbered(0, 50));
  const Contents before = contents_of(memory);
  const auto expect_interrupted = [&](const auto& act) {
    request_interrupt();
    message_of<Interrupted>(act);
    clear_interrupt();
    EXPECT_EQ(contents_of(memory), before);
    EXPECT_TRUE(verify_memory(folder / "memory").problems.empty());
  };
  expect_interrupted([&] { memory.write(slice(patterns, 50, 60)); });
  expect_interrupted([&] { memory.forget_patterns(patterns); });
  expect_interrupted([&] { memory.forget_label("even"); });
  expect_interrupted([&] { memory.for_each([](const Entry&) {}); });
  expect_interrupted([&] { memory.compact(); });
  expect_interrupted([&] { memory.snapshot(); });
  expect_interrupted([&] { verify_memory(folder / "memory"); });
  expect_interrupted([&] { DurableMemory::open(folder / "memory", kReader); });
  EXPECT_EQ(memory.forget_patterns(patterns), 50);
}

TEST(DurableMemory, ForgetsByNumber) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", kSmall);
  memory.write(random_bits(5, 200, 11));
  EXPECT_EQ(memory.forget_seqs(std::vector<int64_t>{2, 5, 2, 9}), 2);
  EXPECT_EQ(memory.forget_seqs(std::vector<int64_t>{2, 6}), 0) << "forgotten, and a record of a forget";
  EXPECT_EQ(memory.stored(), 3);
  EXPECT_FALSE(contents_of(memory).contains(5));
}

TEST(DurableMemory, ForgetsByLabel) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", kSmall);
  memory.write(random_bits(9, 200, 11), numbered(0, 9));
  EXPECT_EQ(memory.forget_label("even"), 5);
  EXPECT_EQ(memory.forget_label("even"), 0);
  EXPECT_EQ(memory.stored(), 4);
  EXPECT_EQ(memory.info().records, 14);
  for (const auto& [seq, stored] : contents_of(memory)) {
    EXPECT_EQ(stored.annotation.label, "odd");
  }
}

TEST(DurableMemory, ReadersFollowTheWriter) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", kLocations);
  DurableMemory reader = DurableMemory::open(folder / "memory", kReader);
  const BitPatterns patterns = random_bits(40, 100, 12);
  for (int64_t i = 0; i < 40; ++i) {
    memory.write(slice(patterns, i, i + 1), std::vector{numbered(i)});
    if (i % 7 == 6) {
      memory.forget_key("key " + std::to_string(i - 3));
    }
    if (i == 20) {
      memory.compact();
    }
    if (i == 30) {
      memory.snapshot();
    }
    ASSERT_EQ(reader.stored(), memory.stored());
    ASSERT_EQ(reader.info().seq, memory.info().seq);
    ASSERT_EQ(reader.read(slice(patterns, i, i + 1), {.top = 1}).nearest[0][0].annotation, numbered(i));
    ASSERT_EQ(counters_of(reader.hard_locations()), counters_of(memory.hard_locations())) << i;
    ASSERT_EQ(contents_of(reader), contents_of(memory)) << i;
  }
  EXPECT_THROW(reader.write(patterns), UsageError);
}

// NOLINTBEGIN(bugprone-use-after-move): every function throws
TEST(DurableMemory, RefusesToBeUsedAfterAMove) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", kSmall);
  DurableMemory moved = std::move(memory);
  const BitPatterns patterns = random_bits(2, 200, 1);
  for (const std::function<void()>& use : std::vector<std::function<void()>>{
           [&] { memory.stored(); }, [&] { memory.write(patterns); }, [&] { memory.read(patterns); }}) {
    expect_contains(message_of<UsageError>(use), {"was moved to another object"});
  }
  memory = std::move(moved);
  EXPECT_EQ(memory.write(patterns).seqs.size(), 2U);
}
// NOLINTEND(bugprone-use-after-move)

TEST(DurableMemory, RefusesASecondWriterWithinASecond) {
  const FastFolder folder;
  const DurableMemory memory = DurableMemory::create(folder / "memory", kSmall);
  const auto begin = std::chrono::steady_clock::now();
  expect_contains(message_of<OutputError>([&] { DurableMemory::open(folder / "memory"); }),
                  {"this process has the memory open for writing already"});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

TEST(DurableMemory, KeepsTheThresholdOfItsFirstWrite) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", kSmall);
  DurableMemory reader = DurableMemory::open(folder / "memory", kReader);
  const BitPatterns patterns = random_bits(4, 200, 14);
  memory.write(slice(patterns, 0, 1));
  EXPECT_EQ(memory.threshold(), std::nullopt);
  const Threshold threshold{.value = 0.1, .min = -2, .max = 1e-300, .file_scale = 255};
  const auto write = [&](int64_t pattern, const std::optional<Threshold>& given) {
    memory.write(slice(patterns, pattern, pattern + 1), {}, KeyConflict::refuse, given);
  };
  write(1, threshold);
  write(2, Threshold{.value = 0.1, .max = 7});
  write(3, std::nullopt);
  expect_contains(message_of<UsageError>([&] { write(1, Threshold{.value = 0.2}); }), {"is 0.2", "is 0.1"});
  EXPECT_EQ(memory.stored(), 4);
  EXPECT_EQ(memory.threshold(), threshold);
  EXPECT_EQ(reader.threshold(), threshold) << "of an object that was open before";
  memory.compact();
  EXPECT_EQ(memory.info().threshold, threshold);
  EXPECT_TRUE(verify_memory(folder / "memory").problems.empty());
}

TEST(DurableMemory, AcknowledgesNothingIfItsFilesWereRemoved) {
  const BitPatterns patterns = random_bits(2, 200, 15);
  const std::vector<Annotation> key{{.key = "k"}};
  const auto expect_refused = [&](const auto& change) {
    const FastFolder folder;
    const fs::path path = folder / "memory";
    DurableMemory memory = DurableMemory::create(path, kSmall);
    memory.write(slice(patterns, 0, 1), key);
    change(path);
    for (const int64_t pattern : {0, 1}) { // the first one is stored already
      expect_contains(message_of<OutputError>([&] {
                        memory.write(slice(patterns, pattern, pattern + 1),
                                     pattern == 0 ? std::span<const Annotation>(key)
                                                  : std::span<const Annotation>());
                      }),
                      {path.string(), "removed, renamed or replaced"});
    }
    expect_contains(message_of<OutputError>([&] { memory.forget_key("k"); }), {"removed"});
    expect_contains(message_of<OutputError>([&] { memory.compact(); }), {"removed"});
  };
  expect_refused([](const fs::path& path) { fs::remove_all(path); });
  expect_refused([](const fs::path& path) { fs::rename(path, path.string() + "2"); });
  expect_refused([](const fs::path& path) { fs::remove(path / "memory.sqlite-wal"); });
  expect_refused([](const fs::path& path) {
    fs::remove_all(path);
    DurableMemory::create(path, {.bits = 8});
  });
}

TEST(DurableMemory, AnswersNothingIfItsFilesWereReplaced) {
  const BitPatterns patterns = random_bits(2, 200, 15);
  const FastFolder folder;
  const fs::path path = folder / "memory", moved = folder / "moved";
  DurableMemory::create(path, kSmall).write(patterns);
  DurableMemory reader = DurableMemory::open(path, {.access = Access::read});
  const auto expect_refused = [&] {
    expect_contains(message_of<DataError>([&] { reader.read(patterns); }),
                    {path.string(), "renamed or replaced"});
    EXPECT_THROW(reader.for_each([](const Entry&) {}), DataError);
  };
  fs::rename(path, moved);
  expect_refused();
  DurableMemory::create(path, kSmall);
  expect_refused();
  fs::remove_all(path);
  fs::rename(moved, path);
  DurableMemory::open(path).compact(); // rewrites the same file
  EXPECT_EQ(reader.read(patterns).nearest.size(), 2U) << "the folder is back";
}

TEST(DurableMemory, CompactLeavesNothingOfForgottenPatterns) {
  const FastFolder folder;
  const BitPatterns patterns = random_bits(3000, 200, 13);
  std::vector<Annotation> annotations;
  for (int64_t i = 0; i < 3000; ++i) {
    annotations.push_back({.label = i % 3 == 0 ? "kept" : "secret",
                           .payload = (i % 3 == 0 ? "kept" : "SECRET-PAYLOAD-") + std::to_string(i)});
  }
  DurableMemory memory = DurableMemory::create(folder / "memory", kSmall);
  memory.write(patterns, annotations);
  memory.snapshot();
  EXPECT_EQ(memory.forget_label("secret"), 2000);
  const CompactResult result = memory.compact();
  EXPECT_EQ(result.removed, 4000);
  EXPECT_TRUE(result.log_is_clean);
  EXPECT_LT(result.bytes_after, result.bytes_before);
  std::string all;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder / "memory")) {
    if (entry.is_regular_file()) {
      all += testing::read_text(entry.path());
    }
  }
  EXPECT_EQ(all.find("SECRET-PAYLOAD"), std::string::npos);
  EXPECT_NE(all.find("kept2997"), std::string::npos);
  EXPECT_EQ(all.find(std::string(reinterpret_cast<const char*>(patterns[1].data()), 25)), std::string::npos);

  // The size is that of a memory which never had them.
  DurableMemory never = DurableMemory::create(folder / "never", kSmall);
  for (int64_t i = 0; i < 3000; i += 3) {
    never.write(slice(patterns, i, i + 1), std::span(annotations).subspan(static_cast<size_t>(i), 1));
  }
  const CompactResult expected = never.compact();
  EXPECT_LE(static_cast<double>(result.bytes_after), 1.1 * static_cast<double>(expected.bytes_after));
  EXPECT_TRUE(verify_memory(folder / "memory").problems.empty());
  EXPECT_EQ(memory.write(slice(patterns, 1, 2)).seqs[0], 5001) << "numbers are not used again";
}

TEST(DurableMemory, OpensWithoutSnapshots) {
  const FastFolder folder;
  Contents expected;
  {
    DurableMemory memory = DurableMemory::create(folder / "memory", kSmall);
    for (int64_t i = 0; i < 5; ++i) {
      memory.write(random_bits(20, 200, 20 + static_cast<uint64_t>(i)), numbered(20 * i, 20));
      memory.forget_key("key " + std::to_string(20 * i + 7));
      memory.snapshot();
    }
    EXPECT_EQ(memory.info().in_snapshot, 105);
    expected = contents_of(memory);
  }
  const std::vector<fs::path> chunks(fs::directory_iterator(folder / "memory" / "snapshot"), {});
  ASSERT_EQ(chunks.size(), 5);
  for (const fs::path& removed : chunks) {
    const FastFolder copy;
    fs::copy(folder / "memory", copy / "memory", fs::copy_options::recursive);
    fs::remove(copy / "memory" / "snapshot" / removed.filename());
    DurableMemory memory = DurableMemory::open(copy / "memory");
    EXPECT_EQ(contents_of(memory), expected);
    EXPECT_EQ(memory.stored(), 95);
    const Verification verification = verify_memory(copy / "memory");
    EXPECT_TRUE(verification.problems.empty());
    EXPECT_EQ(verification.missing, 1);
  }
  const fs::path emptied = folder / "memory" / "snapshot" / chunks[0].filename();
  fs::resize_file(emptied, 0);
  expect_contains(verify_memory(folder / "memory").problems.at(0), {emptied.string(), "is empty (0 bytes)"});
}

TEST(DurableMemory, StoresMorePatternsThanACounterCanCount) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(
      folder / "memory", {.bits = 64, .steps = {}, .hard_locations = 20, .hamming_radius = 20});
  const BitPatterns patterns = random_bits(40000, 64, 15);
  memory.write(patterns); // each location is near few of them
  NeuronSdm expected({.bits = 64, .hard_locations = 20, .hamming_radius = 20, .seed = 1});
  expected.write(patterns);
  EXPECT_EQ(counters_of(memory.hard_locations()), counters_of(&expected));
}

TEST(DurableMemory, RefusesAWriteThatMightSaturateCounters) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(
      folder / "memory", {.bits = 8, .steps = {}, .hard_locations = 2, .hamming_radius = 8});
  memory.write(BitPatterns(32000, 8));
  expect_contains(message_of<UnsupportedError>([&] { memory.write(BitPatterns(1000, 8)); }),
                  {"hard location 0", "32767 writes", "smaller Hamming radius"});
  EXPECT_EQ(memory.read(BitPatterns(1, 8)).recall.readout, BitPatterns(1, 8));
  EXPECT_EQ(memory.hard_locations()->writes(0), 32000) << "nothing was written";
  memory.write(BitPatterns(767, 8));
  EXPECT_EQ(memory.hard_locations()->saturations(), 0);
  EXPECT_EQ(memory.forget_patterns(BitPatterns(1, 8)), 32767);
  EXPECT_EQ(memory.hard_locations()->counters(0), std::vector<int16_t>(8, 0));
}

TEST(DurableMemory, ReportsInvalidArguments) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", kSmall);
  const BitPatterns one = random_bits(1, 200, 14);
  const auto write_with = [&](const Annotation& annotation) {
    return message_of<UsageError>([&] { memory.write(one, std::vector{annotation}); });
  };
  expect_contains(write_with({.key = ""}), {"key", "0 bytes"});
  expect_contains(write_with({.label = std::string(70000, 'x')}), {"label", "70000"});
  expect_contains(write_with({.key = "\xff"}), {"\\xff", "UTF-8"});
  expect_contains(write_with({.key = std::string("a\0b", 3)}), {"zero bytes"});
  expect_contains(message_of<UsageError>([&] { memory.write(random_bits(1, 199, 1)); }), {"199", "200"});
  expect_contains(message_of<UsageError>([&] { memory.read(random_bits(1, 201, 1)); }), {"201", "200"});
  expect_contains(message_of<UsageError>([&] { memory.forget_patterns(random_bits(1, 1, 1)); }),
                  {"1 bits", "200"});
  expect_contains(message_of<UsageError>([&] { memory.write(one, numbered(0, 2)); }),
                  {"2 annotations", "1 patterns"});
  expect_contains(message_of<UsageError>([&] { memory.read(one, {.top = -1}); }), {"-1"});
  EXPECT_EQ(memory.stored(), 0);
  EXPECT_EQ(memory.read(one).recall.readout, one) << "an empty memory keeps the query";
}

TEST(DurableMemory, ReturnsTheQueriesWhileItIsEmptyForEveryKind) {
  const BitPatterns queries = random_bits(3, 100, 2);
  MemoryDesign classical{.bits = 100, .steps = {"dot", "identity", "majority"}};
  for (const MemoryDesign& design : {MemoryDesign{.bits = 100}, kLocations, classical}) {
    const FastFolder folder;
    DurableMemory memory = DurableMemory::create(folder / "memory", design);
    const auto expect_queries = [&] {
      const ReadResult result = memory.read(queries);
      EXPECT_EQ(result.recall.readout, queries);
      EXPECT_EQ(result.recall.num_activated, std::vector<int64_t>(3, 0));
      EXPECT_EQ(result.recall.steps, std::vector<int64_t>(3, 1));
      EXPECT_EQ(result.recall.converged, std::vector<uint8_t>(3, 1));
    };
    expect_queries();
    memory.forget_seqs(memory.write(random_bits(1, 100, 3)).seqs);
    expect_queries();
  }
}

TEST(DurableMemory, LeavesNothingBehindIfItCannotBeCreated) {
  const FastFolder folder;
  const MemoryDesign huge{.bits = 1000, .steps = {}, .hard_locations = 1'000'000'000};
  fs::create_directory(folder / "empty");
  for (const fs::path& path : {folder / "new" / "memory", folder / "new/", folder / "empty"}) {
    expect_contains(message_of<UsageError>([&] { DurableMemory::create(path, huge); }), {"1000000000 hard"});
  }
  EXPECT_FALSE(fs::exists(folder / "new"));
  EXPECT_TRUE(fs::is_empty(folder / "empty")) << "a folder that was there before is kept";
  expect_contains(message_of<UnsupportedError>(
                      [&] { DurableMemory::create(folder / "new", kLocations, {.bytes_max = 1000}); }),
                  {"at most 1000 may be used"});
  EXPECT_FALSE(fs::exists(folder / "new"));
  DurableMemory::create(folder / "empty", kSmall).write(random_bits(1, 200, 1));
  EXPECT_THROW(DurableMemory::create(folder / "empty", huge), UsageError);
  EXPECT_EQ(DurableMemory::open(folder / "empty").stored(), 1);
}

TEST(DurableMemory, RefusesToBeUsedByItsVisitor) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", kSmall);
  const BitPatterns patterns = random_bits(2, 200, 1);
  const std::vector<int64_t> seqs = memory.write(patterns).seqs;
  const std::vector<std::string> keys{"a"};
  const std::vector<std::function<void()>> uses{[&] { memory.write(patterns); },
                                                [&] { memory.forget_seqs(seqs); },
                                                [&] { memory.forget_patterns(patterns); },
                                                [&] { memory.read(patterns); },
                                                [&] { memory.for_each([](const Entry&) {}); },
                                                [&] { memory.unknown_keys(keys); },
                                                [&] { memory.unknown_seqs(seqs); },
                                                [&] { memory.snapshot(); },
                                                [&] { memory.compact(); }};
  for (const auto& use : uses) {
    expect_contains(message_of<UsageError>([&] { memory.for_each([&](const Entry&) { use(); }); }),
                    {"visitor", "must not use the memory"});
  }
  memory.for_each([&](const Entry&) { EXPECT_EQ(memory.stored(), 2); });
  EXPECT_EQ(memory.forget_seqs(seqs), 2) << "the memory can be used afterwards";
}

TEST(DurableMemory, ReportsFoldersThatDoNotFit) {
  const FastFolder folder;
  expect_contains(message_of<DataError>([&] { DurableMemory::open(folder / "none"); }),
                  {"none", "mneme memory create"});
  testing::write_text(folder / "file", "x");
  expect_contains(message_of<UsageError>([&] { DurableMemory::create(folder.path(), kSmall); }),
                  {"new or empty folder"});
  expect_contains(message_of<UsageError>([&] { DurableMemory::create(folder / "file", kSmall); }),
                  {"new or empty folder"});
  fs::create_symlink("missing", folder / "link");
  expect_contains(message_of<DataError>([&] { DurableMemory::create(folder / "link", kSmall); }),
                  {"symbolic link to missing, which does not exist"});
  { DurableMemory::create(folder / "memory", kSmall); }
  expect_contains(message_of<UsageError>([&] { DurableMemory::create(folder / "memory", kSmall); }),
                  {"already"});
  fs::create_directory(folder / "other");
  testing::write_text(folder / "other" / "memory.sqlite", std::string(5000, 'x'));
  expect_contains(message_of<DataError>([&] { DurableMemory::open(folder / "other"); }), {"memory.sqlite"});
  testing::write_text(folder / "other" / "memory.sqlite", "");
  expect_contains(message_of<DataError>([&] { DurableMemory::open(folder / "other"); }),
                  {"application_id is 0"});
  DurableMemory::open(folder / "memory").write(random_bits(10, 200, 1));
  expect_contains(
      message_of<UnsupportedError>([&] { DurableMemory::open(folder / "memory", {.bytes_max = 1000}); }),
      {"needs 1280 bytes", "at most 1000 may be used"});
}

TEST(DurableMemory, KeepsSelectedCoordinates) {
  const BitPatterns patterns = random_bits(200, 100, 5), removed = random_bits(30, 100, 6);
  for (const AssignedValues values : {AssignedValues::random, AssignedValues::ones}) {
    const MemoryDesign design{.bits = 100,
                              .steps = {},
                              .hard_locations = 2000,
                              .seed = 3,
                              .selected_coordinates = 6,
                              .assigned_values = values};
    NeuronSdm expected({.bits = 100,
                        .hard_locations = 2000,
                        .hamming_radius = 0,
                        .seed = 3,
                        .selected_coordinates = 6,
                        .assigned_values = values});
    expected.write(patterns);
    const FastFolder folder;
    {
      DurableMemory memory = DurableMemory::create(folder / "memory", design);
      memory.write(patterns);
      memory.write(removed);
      memory.snapshot();
      memory.forget_patterns(removed);
    }
    EXPECT_EQ(verify_memory(folder / "memory").problems, std::vector<std::string>());
    for (const bool has_snapshot : {true, false}) {
      if (!has_snapshot) {
        fs::remove_all(folder / "memory" / "snapshot");
      }
      DurableMemory memory = DurableMemory::open(folder / "memory", kReader);
      EXPECT_EQ(memory.design(), completed(design));
      EXPECT_EQ(counters_of(memory.hard_locations()), counters_of(&expected)) << has_snapshot;
    }
  }
}

TEST(DurableMemory, DesignsAreCompletedAndChecked) {
  EXPECT_EQ(completed({.bits = 1000, .steps = {}, .hard_locations = 1000}).hamming_radius, 451)
      << "Kanerva's";
  const auto refuse = [](const MemoryDesign& design) {
    return message_of<UsageError>([&] { completed(design); });
  };
  expect_contains(refuse({.bits = 0}), {"bits", "0"});
  expect_contains(refuse({.bits = 64, .beta = 2}), {"beta", "best-match does not use it"});
  expect_contains(refuse({.bits = 64, .steps = {"hamming", "softmax", "average"}}), {"average", "majority"});
  expect_contains(refuse({.bits = 64, .steps = {"hamming", "polynomial", "majority"}}),
                  {"polynomial", "hamming"});
  expect_contains(refuse({.bits = 64, .steps = {"dot", "softmax", "majority"}, .hard_locations = 5}),
                  {"hard locations"});
  expect_contains(refuse({.bits = 64, .steps = {}, .hard_locations = 5, .hamming_radius = 65}), {"65", "64"});
  expect_contains(refuse({.bits = 64, .update_steps_max = 0}), {"update steps", "0"});
  expect_contains(refuse({.bits = 64, .selected_coordinates = 5}), {"only hard locations"});
  expect_contains(refuse({.bits = 64, .steps = {}, .hard_locations = 5, .selected_coordinates = 65}),
                  {"selected coordinates", "65", "64"});
  expect_contains(
      refuse({.bits = 64, .steps = {}, .hard_locations = 5, .hamming_radius = 3, .selected_coordinates = 6}),
      {"Hamming radius is 3", "does not use it"});
}

} // namespace
} // namespace mneme::store
