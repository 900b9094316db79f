// SPDX-License-Identifier: MIT

#include "mneme/data/grey.h"

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::data {

double luma(double red, double green, double blue) {
  if (red == green && green == blue) { // because of rounding, the weights do not add up to exactly 1
    return red;
  }
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

PatternSet to_grey(PatternSet images) {
  constexpr int64_t kColours = 3;
  if (!images.is_image() || (images.channels != 1 && images.channels != kColours)) {
    throw UsageError(
        fmt::format("data::to_grey: {} has {} channels, but only images of 1 or 3 channels are supported.\n  "
                    "Use greyscale or RGB images.",
                    images.source, images.channels));
  }
  if (images.channels == 1) {
    return images;
  }
  RealPatterns grey(images.patterns.count(), images.height * images.width);
  const double* colours = images.patterns.data();
  for (int64_t pixel = 0; pixel < grey.count() * grey.size(); ++pixel, colours += kColours) {
    grey.data()[pixel] = luma(colours[0], colours[1], colours[2]);
  }
  images.patterns = std::move(grey);
  images.channels = 1;
  return images;
}

} // namespace mneme::data
