// SPDX-License-Identifier: MIT

#include "mneme/training/checkpoint_folder.h"

#include <csignal>
#include <fstream>

#include <sys/resource.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "ops/tensors.h"

namespace mneme::training {
namespace {

using mneme::testing::TemporaryFolder;
using ops::random_tensor;

Checkpoint checkpoint_of(int64_t step) {
  return {.tensors = {{"x", random_tensor({40}, static_cast<uint64_t>(step), at::kFloat)}},
          .texts = {{"step", std::to_string(step)}},
          .source = {}};
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

/// Step of the newest checkpoint that can be read; -1 if there is none.
int64_t newest_step(const CheckpointFolder& folder, std::vector<std::string>* damaged = nullptr) {
  const std::optional<Checkpoint> found = folder.newest([&](const std::string& reason) {
    if (damaged != nullptr) {
      damaged->push_back(reason);
    }
  });
  return found ? std::stoll(found->text("step")) : -1;
}

TEST(CheckpointFolder, KeepsTheNewestCheckpoints) {
  const TemporaryFolder temporary;
  const CheckpointFolder folder(temporary / "checkpoints", 2);
  EXPECT_EQ(newest_step(folder), -1);
  for (const int64_t step : {5, 90, 1000}) {
    folder.save(step, checkpoint_of(step));
    EXPECT_EQ(newest_step(folder), step);
  }
  EXPECT_EQ(names_in(temporary / "checkpoints"),
            (std::vector<std::string>{"step-000000090.safetensors", "step-000001000.safetensors"}));
}

TEST(CheckpointFolder, RemovesTemporaryFilesOfKilledRunsAndNothingElse) {
  const TemporaryFolder temporary;
  const CheckpointFolder folder(temporary.path(), 1);
  folder.save(1, checkpoint_of(1));
  testing::write_text(temporary / "step-000000002.safetensors.part-77-0", "half");
  testing::write_text(temporary / "notes.txt", "mine");
  EXPECT_EQ(newest_step(folder), 1);
  folder.save(2, checkpoint_of(2));
  EXPECT_EQ(names_in(temporary.path()),
            (std::vector<std::string>{"notes.txt", "step-000000002.safetensors"}));
}

TEST(CheckpointFolder, UsesTheOneBeforeADamagedCheckpoint) {
  const TemporaryFolder temporary;
  const CheckpointFolder folder(temporary.path());
  folder.save(1, checkpoint_of(1));
  folder.save(2, checkpoint_of(2));
  const std::filesystem::path newest = folder.files().front();
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) - 1);
  std::vector<std::string> damaged;
  EXPECT_EQ(newest_step(folder, &damaged), 1);
  ASSERT_EQ(damaged.size(), 1U);
  EXPECT_TRUE(testing::contains(damaged[0], newest.string())) << damaged[0];
}

TEST(CheckpointFolder, UsesTheOneBeforeACheckpointWithAChangedBit) {
  const TemporaryFolder temporary;
  const CheckpointFolder folder(temporary.path());
  folder.save(1, checkpoint_of(1));
  folder.save(2, checkpoint_of(2));
  const std::filesystem::path newest = folder.files().front();
  std::string bytes = testing::read_text(newest);
  bytes[bytes.size() - 7] = static_cast<char>(bytes[bytes.size() - 7] ^ 4);
  testing::write_text(newest, bytes);
  std::vector<std::string> damaged;
  EXPECT_EQ(newest_step(folder, &damaged), 1);
  ASSERT_EQ(damaged.size(), 1U);
  EXPECT_TRUE(testing::contains(damaged[0], newest.string() + ": the file is damaged")) << damaged[0];
}

TEST(CheckpointFolder, KeepsEarlierCheckpointsIfTheDiskIsFull) {
  const TemporaryFolder temporary;
  const CheckpointFolder folder(temporary.path(), 1);
  folder.save(1, checkpoint_of(1));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN); // so that a write beyond the limit fails instead
  const rlimit small{.rlim_cur = 64, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(folder.save(2, checkpoint_of(2)), OutputError);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_EQ(newest_step(folder), 1);
  EXPECT_EQ(names_in(temporary.path()), std::vector<std::string>{"step-000000001.safetensors"});
}

TEST(CheckpointFolder, RequiresThatAtLeastOneIsKept) {
  EXPECT_THROW(CheckpointFolder("folder", 0), UsageError);
}

} // namespace
} // namespace mneme::training
