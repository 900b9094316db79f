// SPDX-License-Identifier: MIT

#include "mneme/theory/book_intersection.h"

#include <cmath>

#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {

/// The book's continuous form of the circle intersection: the published quadrature, and the accurate
/// integral.
void run_book_intersection(const GoldenValue& file, Checker& checker) {
  checker.note(
      "values: compared to 1e-6 of the value + 5e-10 of the space, values_accurate to 1e-9 + 4e-20: the "
      "errors of their quadratures");
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) {
    const int64_t bits = golden.at("n").integer_between(1, kGoldenBitsMax);
    const int64_t radius = golden.at("hamm_radius").integer_between(0, bits);
    const double factor = golden.at("times_r").boolean() ? golden.at("r").count() : 1;
    const GoldenValue distances = golden.at("dv");
    const GoldenValue values = golden.list("values", distances.size()),
                      accurate = golden.list("values_accurate", distances.size());
    for (size_t i = 0; i < distances.size(); ++i) {
      const int64_t distance = distances.at(i).integer_between(0, bits);
      const double ours = factor * std::exp(theory::log_book_intersection(bits, radius, distance));
      checker.near(values.at(i), ours, 1e-6 * ours + kBookQuadratureError * factor);
      checker.near(accurate.at(i), ours, 1e-9 * ours + kAccurateBookQuadratureError * factor);
    }
  });
}

} // namespace mneme::verify
