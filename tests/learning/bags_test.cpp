// SPDX-License-Identifier: MIT

#include "learning/bags.h"

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::learning {
namespace {

using mneme::testing::contains;
using mneme::testing::TemporaryFolder;
using mneme::testing::write_text;

/// Validation losses over epochs, one list per seed.
BagGroup group(const std::vector<std::vector<double>>& losses) {
  BagGroup fits{.name = "model"};
  for (const std::vector<double>& curve : losses) {
    training::BagFit& fit = fits.fits.emplace_back(training::BagFit{.num_parameters = 7});
    for (const double loss : curve) {
      fit.epochs.push_back({.training = {loss / 2, 1}, .validation = {loss, 0.5}});
    }
  }
  return fits;
}

TEST(BagGroup, ReturnsEachSeedAfterAnEpochOrItsLastEpoch) {
  const BagGroup three = group({{4, 3, 2}, {8, 6}, {5, 5, 5}});
  const BagMeasure& loss = bag_measure("validation_loss");
  EXPECT_EQ(after_epochs(three, loss, 1), (std::vector<double>{4, 8, 5}));
  EXPECT_EQ(after_epochs(three, loss, 3), (std::vector<double>{2, 6, 5}));
  EXPECT_EQ(after_kept_epoch(three, bag_measure("training_loss")), (std::vector<double>{1, 3, 2.5}));
  const report::Series series = seeds_series("loss", three, loss);
  ASSERT_EQ(series.points.size(), 3U);
  EXPECT_EQ(series.points[1].x, 2);
  EXPECT_EQ(series.points[1].y.low, 3);
  EXPECT_EQ(series.points[1].y.value, 5);
  EXPECT_EQ(series.points[1].y.high, 6);
  const report::Table table = bag_table({three});
  ASSERT_EQ(table.rows.size(), 4U);
  EXPECT_EQ(std::get<int64_t>(table.rows[0][1]), 7);
  EXPECT_NO_THROW(report::to_csv(table));
  EXPECT_EQ(bag_curves("curves", {three, {.name = "other", .fits = three.fits}}).numbers.rows.size(),
            2U * 2 * 2 * 3);
}

std::string idx(const std::string& kind, const std::vector<int>& sizes, int values) {
  std::string bytes("\0\0\x08", 3);
  bytes += kind;
  for (const int size : sizes) {
    bytes += {'\0', '\0', static_cast<char>(size >> 8), static_cast<char>(size & 255)};
  }
  return bytes + std::string(static_cast<size_t>(values), '\x09');
}

void write_digits(const TemporaryFolder& folder, const std::string& set, int images, int labels) {
  write_text(folder / (set + "-images-idx3-ubyte"), idx("\x03", {images, 2, 2}, images * 4));
  write_text(folder / (set + "-labels-idx1-ubyte"), idx("\x01", {labels}, labels));
}

TEST(Digits, UseTrainingAndTestImages) {
  const TemporaryFolder folder;
  EXPECT_FALSE(find_digits(folder.path()));
  EXPECT_EQ(digits_at(folder.path()), "no MNIST");
  write_digits(folder, "train", 14, 14);
  std::optional<Digits> digits = find_digits(folder.path());
  ASSERT_TRUE(digits);
  EXPECT_EQ(digits->split, 12);
  EXPECT_EQ(digits->images.patterns.count(), 14);
  write_digits(folder, "t10k", 5, 5);
  digits = find_digits(folder.path());
  EXPECT_EQ(digits->split, 14);
  EXPECT_EQ(digits->images.patterns.count(), 19);
  EXPECT_EQ(digits->images.labels, std::vector<int64_t>(19, 9));
  EXPECT_TRUE(contains(digits->source, "train-images") && contains(digits->source, "t10k-images"));
}

TEST(Digits, ReportInvalidFiles) {
  const auto error = [](const TemporaryFolder& folder) -> std::string {
    try {
      find_digits(folder.path());
    } catch (const DataError& refused) {
      return refused.what();
    }
    ADD_FAILURE() << "no DataError was thrown";
    return "";
  };
  const TemporaryFolder few, unlike, alone;
  write_digits(few, "t10k", 14, 14);
  EXPECT_TRUE(contains(error(few), "contains 14 images, but more than 8000 are required"));
  write_digits(unlike, "train", 14, 13);
  EXPECT_TRUE(contains(error(unlike), "contains 13 labels"));
  write_digits(alone, "train", 14, 14);
  std::filesystem::remove(alone / "train-labels-idx1-ubyte");
  EXPECT_TRUE(contains(error(alone), "no train-labels-idx1-ubyte next to them"));
}

} // namespace
} // namespace mneme::learning
