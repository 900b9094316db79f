// SPDX-License-Identifier: MIT

#include "kernels/window_scan/window_scan.h"

#include <iostream>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/window_scan/window_scan_problem.h"

namespace mneme::kernels {
namespace {

TEST(LongWindowScan, IsAccurateUpTo64kTokens) {
  for (const FocusWeight focus_weight : {FocusWeight::elu, FocusWeight::exponential}) {
    for (const double logits : {0.0, 45.0}) { // 0: logits of normally distributed rows, -5 to 5
      for (const int64_t window : {0, 4, 16, 64, 100, 256}) {
        WindowScanProblem<float> problem(65536, 64, {window}, focus_weight, 1.0);
        if (logits > 0) {
          problem.set_logits(logits);
        }
        const auto ours = problem.run([](const WindowScanArgs<float>& args) { window_scan(args); });
        const auto plain = problem.as<double>().run(
            [](const WindowScanArgs<double>& args) { reference::window_scan(args); });
        const double worst = max_token_error(problem, ours.readout, plain.readout);
        // The rounding error of a logit of 45 is 3e-6, which is also the relative error of its weight.
        EXPECT_LT(worst, logits > 0 && focus_weight == FocusWeight::exponential ? 1e-5 : 5e-6)
            << "window " << window << ", logits to " << logits;
        std::cout << (focus_weight == FocusWeight::elu ? "elu" : "exp") << ", window " << window
                  << ", logits to " << logits << ": " << worst << "\n";
      }
    }
  }
}

} // namespace
} // namespace mneme::kernels
