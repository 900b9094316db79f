// SPDX-License-Identifier: MIT

#include "mneme/trials/projection_recall.h"

#include <algorithm>
#include <cmath>

#include "mneme/core/random.h"
#include "mneme/data/random_patterns.h"
#include "mneme/memory/attention.h"
#include "mneme/data/corruption.h"
#include "mneme/trials/published_recall.h"
#include "trials/messages.h"

namespace mneme::trials {
namespace {

constexpr int64_t kSize = 80, kDimension = 32;

RealPatterns stored() {
  return data::random_sphere(60, kSize, Random(1));
}
RealPatterns matrix() {
  Random random(2);
  RealPatterns rows(kDimension, kSize);
  std::generate_n(rows.data(), kDimension * kSize, [&] { return random.normal(); });
  return rows;
}
std::vector<ProjectionRecall> run(const ProjectionRecallOptions& test) {
  Progress silent;
  return recall_with_projection(stored(), stored(), matrix(), test, silent);
}

TEST(RecallWithProjection, RecallsWellWithoutNoiseAndWorseWithMore) {
  const std::vector<ProjectionRecall> rows = run({.hamming_radius = 5, .noise = {0, 10, 25, 40}});
  ASSERT_EQ(rows.size(), 4U);
  for (const ProjectionRecall& row : rows) {
    ASSERT_EQ(row.mean_cosine.size(), 4U);
    EXPECT_GT(row.mean_cosine[0], 0.99) << row.algorithm;
    EXPECT_GT(row.mean_cosine[1], row.mean_cosine[3]) << row.algorithm;
    EXPECT_LT(row.mean_cosine[3], 0.6) << row.algorithm; // cues are orthogonal to their targets
    EXPECT_EQ(row.beta != 0, row.algorithm.ends_with("_Attention")) << row.algorithm;
  }
}

TEST(RecallWithProjection, EqualsRecallInTheProjectedSpace) {
  const ProjectionRecallOptions test{.hamming_radius = 5, .noise = {10}, .beta = 7.0, .update_steps_max = 2};
  const ProjectionRecall row = run(test).at(2);
  EXPECT_EQ(row.algorithm, "Cont_SDM_BFit_Attention");
  EXPECT_EQ(row.beta, 7);
  AssociateOptions<RealPatterns> options = cosine_attention(7.0);
  options.encode = matrix();
  options.projection = Average{};
  options.update = published_update(2, true, EmptyRead::keep_query);
  const RealPatterns cues = data::cosine_noise(stored(), 1 - 2 * 10.0 / kSize, Random(test.seed).stream(0));
  const RealPatterns readout = associate(cues, stored(), options).readout;
  double mean = 0;
  for (int64_t i = 0; i < readout.count(); ++i) {
    mean += cosine(readout, i, stored(), i) / static_cast<double>(readout.count());
  }
  EXPECT_NEAR(row.mean_cosine[0], mean, 1e-5); // float32 there, float64 here
}

TEST(RecallWithProjection, OmitsSdmWithoutSharedLocations) {
  const auto names = [](double hard_locations) {
    std::string all;
    for (const ProjectionRecall& row :
         run({.hamming_radius = 5, .noise = {0}, .hard_locations = {hard_locations}})) {
      all += row.algorithm + "; ";
    }
    return all;
  };
  EXPECT_EQ(names(10), "Cont_SDM_BFit_Attention; Cont_SDM_CFit_Attention; ");
  EXPECT_EQ(names(1e12), "Cont_SDM; Cont_Binary_SDM; Cont_SDM_BFit_Attention; Cont_SDM_CFit_Attention; ");
}

TEST(RecallWithProjection, ApproachesInfinitelyManyLocationsAsTheirNumberGrows) {
  const std::vector<ProjectionRecall> rows =
      run({.hamming_radius = 5, .noise = {5}, .hard_locations = {std::nullopt, 1e14}});
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_NEAR(rows[0].mean_cosine[0], rows[2].mean_cosine[0], 0.01);
  EXPECT_NEAR(rows[1].mean_cosine[0], rows[3].mean_cosine[0], 0.01);
}

TEST(RecallWithProjection, ReportsInvalidArguments) {
  Progress silent;
  const auto expect_error = [&](const RealPatterns& targets, const ProjectionRecallOptions& options,
                                std::initializer_list<std::string> parts) {
    expect_usage_error([&] { recall_with_projection(stored(), targets, matrix(), options, silent); }, parts);
  };
  expect_error(RealPatterns(1, 5), {}, {"stored patterns have 80", "targets 5", "matrix 80"});
  expect_error(RealPatterns(0, kSize), {}, {"60 stored patterns, 0 targets"});
  expect_error(stored(), {.noise = {}}, {"0 amounts of noise"});
  expect_error(stored(), {.noise = {81}}, {"noise is 81", "80 numbers"});
  expect_usage_error([] { published_weighting("Binary_SDM", 64, {.hamming_radius = 5}); }, {"works on bits"});
}

} // namespace
} // namespace mneme::trials
