// SPDX-License-Identifier: MIT

#include "verify/device.h"

#include <algorithm>
#include <filesystem>

#include <ATen/Context.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/error.h"
#include "verify/apply_case.h"
#include "verify/on_device.h"
#include "verify/verify.h"

namespace mneme::verify {
namespace {

namespace fs = std::filesystem;
using testing::contains;

/// Two devices that LibTorch finds, but has no operators for.
struct TwoDevices : c10::impl::NoOpDeviceGuardImpl<c10::DeviceType::PrivateUse1> {
  c10::DeviceIndex deviceCount() const noexcept override { return 2; }
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, TwoDevices)

const fs::path kGolden = fs::path(MNEME_SOURCE_DIR) / "tests" / "golden";
const std::string kDevice = "privateuseone:1";

std::string refusal(const std::string& device) {
  try {
    return "accepted as " + checked_device(device);
  } catch (const UsageError& error) {
    return error.what();
  }
}

TEST(Device, HasAFullName) {
  EXPECT_EQ(checked_device("cpu"), "cpu");
  EXPECT_EQ(checked_device("cpu:0"), "cpu");
  EXPECT_EQ(checked_device("privateuseone"), "privateuseone:0");
  EXPECT_EQ(checked_device("privateuseone:1"), "privateuseone:1");
}

TEST(Device, ThatIsUnavailableIsRejectedWithTheAvailableOnes) {
  for (const char* device :
       {"privateuseone:2", "privateuseone:-1", "privateuseone:256", "cpu:1", "gpu", "CPU", "cuda:x",
        "cuda:127", "cuda:256", "cuda:99999999999999999999", "meta", "lazy", "", "cpu "}) {
    testing::expect_contains(refusal(device), {"device \"" + std::string(device) + "\"", "available: cpu",
                                               "privateuseone:0, privateuseone:1.\n"});
  }
  EXPECT_TRUE(contains(refusal("privateuseone:2"), "LibTorch finds 2 PRIVATEUSEONE devices"))
      << refusal("privateuseone:2");
  EXPECT_TRUE(contains(refusal("meta"), "hold no numbers"));
  EXPECT_TRUE(contains(refusal("gpu"), "knows no device of this name"));
  // Most builds of LibTorch have at most one accelerator.
  const bool has_xpu = c10::impl::hasDeviceGuardImpl(c10::DeviceType::XPU);
  EXPECT_TRUE(
      contains(refusal("xpu:99"), has_xpu ? "LibTorch finds" : "this LibTorch was built without XPU"));
}

TEST(Device, AreListedStartingWithTheCpu) {
  const Devices devices = libtorch_devices();
  EXPECT_FALSE(devices.version.empty());
  EXPECT_EQ(devices.found.at(0).name, "cpu");
  EXPECT_EQ(std::ranges::count(devices.found, "privateuseone:1", &Device::name), 1);
  EXPECT_EQ(std::ranges::count(devices.found, "meta", &Device::name), 0);
  EXPECT_EQ(std::ranges::count(devices.built_for, "PRIVATEUSEONE"), 1);
  EXPECT_EQ(std::ranges::count(devices.built_for, "CPU"), 0);
}

TEST(Device, OtherThanTheCpuHasLargerFloat32Tolerances) {
  EXPECT_EQ(float32_tolerance_factor("cpu"), 1);
  EXPECT_GT(float32_tolerance_factor("cuda:0"), 1);
}

TEST(FullFloat32, DisablesTf32ForItsLifetime) {
  at::Context& context = at::globalContext();
  context.setFloat32MatmulPrecision("high");
  context.setAllowTF32CuDNN(true);
  {
    const FullFloat32 on_cpu(at::Device("cpu"));
    EXPECT_TRUE(context.allowTF32CuBLAS());
    const FullFloat32 on_device{at::Device(kDevice)};
    EXPECT_FALSE(context.allowTF32CuBLAS());
    EXPECT_FALSE(context.allowTF32CuDNN(at::Float32Op::RNN));
    EXPECT_FALSE(context.allowTF32CuDNN(at::Float32Op::CONV));
  }
  EXPECT_TRUE(context.allowTF32CuBLAS());
  EXPECT_EQ(context.float32MatmulPrecision(), at::Float32MatmulPrecision::HIGH);
  EXPECT_TRUE(context.allowTF32CuDNN(at::Float32Op::RNN));
  context.setFloat32MatmulPrecision("highest");
}

std::vector<FileResult> verify_on(const std::string& device, const std::vector<fs::path>& files) {
  Progress silent;
  return verify_paths(files, silent, {.device = device});
}

TEST(VerifyOnADevice, FailsACaseThatLibTorchCannotComputeAndContinues) {
  const std::vector<FileResult> results =
      verify_on(kDevice, {kGolden / "hopfield" / "hopfield_default.json",
                          kGolden / "hopfield" / "hopfield_default_f64.json",
                          kGolden / "leap" / "mech_elu_window0.json"});
  ASSERT_EQ(results.size(), 3U);
  for (const FileResult& result : results) {
    EXPECT_EQ(result.state, FileState::checked);
    EXPECT_EQ(result.cases_passed, 0);
    EXPECT_EQ(result.cases_failed, 1);
    ASSERT_FALSE(result.messages.empty());
    EXPECT_TRUE(contains(result.messages[0], "the layer on privateuseone:1: LibTorch error: "))
        << result.messages[0];
    EXPECT_FALSE(contains(result.messages[0], "\n")) << result.messages[0];
  }
}

TEST(VerifyOnADevice, SkipsFilesThatAreComputedOnTheCpuAndNotesWhy) {
  const std::vector<fs::path> files = {kGolden / "hopfield" / "theory_energy.json",
                                       kGolden / "sdm" / "circle_intersection.json",
                                       kGolden / "training" / "projection_training.json"};
  const std::vector<FileResult> results = verify_on(kDevice, files);
  for (const FileResult& result : results) {
    EXPECT_EQ(result.state, FileState::skipped);
    EXPECT_EQ(result.cases_passed + result.cases_failed, 0);
    EXPECT_EQ(result.notes.size(), 1U);
  }
  const std::string text = to_text(results, kDevice);
  testing::expect_contains(text, {"theory_energy.json: theory, skipped\n    note: computed without LibTorch",
                                  "projections are trained on the CPU", "verify on privateuseone:1",
                                  "3 files, 0 cases passed, 0 failed, 3 files skipped\n"});
  const nlohmann::json json = to_json(results, kDevice);
  EXPECT_EQ(json.at("device"), kDevice);
  EXPECT_EQ(json.at("float32_tolerance_factor"), float32_tolerance_factor(kDevice));
  EXPECT_EQ(json.at("total").at("skipped_files"), 3);
  EXPECT_EQ(json.at("files").at(0).at("state"), "skipped");

  EXPECT_EQ(totals(verify_on("cpu", files)).skipped_files, 0);
}

TEST(VerifyOnADevice, IsAnErrorIfNoCaseRuns) {
  const fs::path theory = kGolden / "hopfield" / "theory_energy.json",
                 layer = kGolden / "hopfield" / "hopfield_default.json";
  try {
    require_a_case(verify_on(kDevice, {theory}), kDevice);
    ADD_FAILURE() << "a run without any case counts as passed";
  } catch (const UsageError& error) {
    testing::expect_contains(error.what(),
                             {"no case runs on privateuseone:1", "theory_energy.json", "without LibTorch"});
  }
  EXPECT_NO_THROW(require_a_case(verify_on(kDevice, {theory, layer}), kDevice));
  EXPECT_NO_THROW(require_a_case(verify_on("cpu", {theory}), "cpu"));
}

TEST(VerifyOnADevice, IsRejectedBeforeAnyFileIsRead) {
  EXPECT_THROW(verify_on("privateuseone:2", {"there-is-no-such-file.json"}), UsageError);
  EXPECT_EQ(verify_on(kDevice, {"there-is-no-such-file.json"}).at(0).state, FileState::bad);
}

TEST(ApplyOnADevice, ReportsThatLibTorchFails) {
  const testing::TemporaryFolder folder;
  for (const char* file : {"hopfield/hopfield_default.json", "leap/mech_elu_window0.json"}) {
    try {
      apply_case(kGolden / file, folder / "out.safetensors", {.device = kDevice});
      ADD_FAILURE() << file << " was computed";
    } catch (const UnsupportedError& error) {
      testing::expect_contains(error.what(), {file, "LibTorch fails on privateuseone:1: "});
    }
    EXPECT_FALSE(fs::exists(folder / "out.safetensors"));
  }
}

} // namespace
} // namespace mneme::verify
