// SPDX-License-Identifier: MIT

#include "mneme/theory/selected_coordinates.h"

#include <bit>
#include <cmath>

#include <gtest/gtest.h>

#include "mneme/theory/shared_locations.h"
#include "mneme/theory/space_fraction.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

/// Fraction of all locations of k coordinates of 8 bits that activate(coordinates, values) is true for.
template <class Activates> double enumerated(int coordinates, bool values_are_ones, Activates activates) {
  double all = 0, activated = 0;
  for (unsigned mask = 0; mask < 256; ++mask) {
    if (std::popcount(mask) != coordinates) {
      continue;
    }
    for (unsigned values = 0; values < 256; ++values) {
      if ((values & ~mask) == 0 && (!values_are_ones || values == mask)) {
        all += 1;
        activated += activates(mask, values) ? 1 : 0;
      }
    }
  }
  return activated / all;
}

TEST(SelectedCoordinateLocations, EqualAnEnumerationOfAllLocations) {
  constexpr unsigned kAddress = 0b01101001;
  for (const int coordinates : {1, 3, 8}) {
    for (int radius = 0; radius <= coordinates; ++radius) {
      const std::vector<double> locations = selected_coordinate_locations(8, 100, coordinates, radius);
      for (int distance = 0; distance <= 8; ++distance) {
        const unsigned other = kAddress ^ ((1U << distance) - 1);
        const double expected = enumerated(coordinates, false, [&](unsigned mask, unsigned values) {
          return std::popcount((kAddress ^ values) & mask) <= radius &&
                 std::popcount((other ^ values) & mask) <= radius;
        });
        EXPECT_NEAR(locations[static_cast<size_t>(distance)], 100 * expected, 1e-11)
            << coordinates << " " << radius << " " << distance;
      }
    }
  }
}

TEST(SelectedCoordinateLocations, EqualKanervasDesignIfAllBitsAreSelected) {
  const std::vector<double> locations = selected_coordinate_locations(100, 1e5, 100, 40);
  const std::vector<double> expected = shared_locations(100, 1e5, 40).at_distance;
  for (size_t v = 0; v < expected.size(); ++v) {
    EXPECT_NEAR(locations[v], expected[v], 1e-10 * expected[v]) << v;
  }
}

TEST(SelectedCoordinateLocations, HaveTheClosedFormOfTheSelectedCoordinateDesign) {
  // Ten of 1000 coordinates: an address activates 1e6 / 1024 locations.
  const std::vector<double> locations = selected_coordinate_locations(1000, 1e6, 10);
  EXPECT_NEAR(locations[0], 1e6 / 1024, 1e-7);
  double fraction = 1; // C(800, 10) / C(1000, 10)
  for (int i = 0; i < 10; ++i) {
    fraction *= (800.0 - i) / (1000.0 - i);
  }
  EXPECT_NEAR(locations[200], 1e6 / 1024 * fraction, 1e-7);
  EXPECT_EQ(locations[991], 0);
}

TEST(HyperplaneLocations, EqualAnEnumerationOfAllLocations) {
  for (const int coordinates : {1, 2, 5, 8}) {
    const std::vector<double> locations = hyperplane_locations(8, 1000, coordinates);
    for (int common = 0; common <= 8; ++common) {
      const unsigned ones = (1U << common) - 1;
      const double expected = enumerated(
          coordinates, true, [&](unsigned mask, unsigned values) { return (ones & mask) == values; });
      EXPECT_NEAR(locations[static_cast<size_t>(common)], 1000 * expected, 1e-10)
          << coordinates << " " << common;
    }
  }
}

TEST(SelectedCoordinateLocations, ReportInvalidArguments) {
  EXPECT_TRUE(contains_all(usage_error_of([] { selected_coordinate_locations(100, 1e5, 0); }),
                           {"0 selected coordinates", "1 .. 100"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { hyperplane_locations(100, 1e5, 101); }),
                           {"101 selected coordinates", "1 .. 100"}));
  EXPECT_TRUE(
      contains_all(usage_error_of([] { selected_coordinate_locations(100, 1e5, 10, 11); }), {"11", "10"}));
  EXPECT_TRUE(contains_all(usage_error_of([] { hyperplane_locations(100, 0, 10); }), {"hard_locations"}));
}

} // namespace
} // namespace mneme::theory
