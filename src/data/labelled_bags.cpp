// SPDX-License-Identifier: MIT

#include "mneme/data/labelled_bags.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mneme/core/error.h"

namespace mneme::data {
namespace {

constexpr const char* kDigits = "mneme::data::draw_digit_bags";
constexpr double kWhite = 255, kPixelMean = 0.1307, kPixelStd = 0.3081; // published statistics of MNIST

/// Reimplementation of numpy.random.RandomState.
class RandomState {
public:
  explicit RandomState(uint32_t seed) : bits_(seed) {}

  /// Marsaglia's polar method. It generates two numbers at a time; the second one is cached.
  double normal(double mean, double std) {
    if (cached_) {
      const double number = *cached_;
      cached_.reset();
      return mean + std * number;
    }
    double x = 0, y = 0, square = 0;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    const double factor = std::sqrt(-2 * std::log(square) / square);
    cached_ = factor * x;
    return mean + std * factor * y;
  }

  /// randint(0, bound) for bounds below 2^32: rejection sampling with as many bits as bound - 1 has.
  int64_t below(int64_t bound) {
    const auto max = static_cast<uint32_t>(bound - 1);
    if (max == 0) {
      return 0; // numpy consumes no random numbers in this case
    }
    uint32_t mask = max;
    for (const int shift : {1, 2, 4, 8, 16}) {
      mask |= mask >> shift;
    }
    uint32_t number = 0;
    do {
      number = static_cast<uint32_t>(bits_()) & mask;
    } while (number > max);
    return number;
  }

private:
  double uniform() { // 53 bits from two draws
    const auto high = static_cast<double>(bits_() >> 5), low = static_cast<double>(bits_() >> 6);
    return (high * 67108864.0 + low) / 9007199254740992.0;
  }

  std::mt19937 bits_;
  std::optional<double> cached_;
};

void add_bag(LabelledBags& bags, int64_t instances, uint8_t target) {
  bags.offsets.push_back(bags.offsets.back() + instances);
  bags.targets.push_back(target);
}

} // namespace

int64_t LabelledBags::instance_size() const {
  return std::accumulate(instance_shape.begin(), instance_shape.end(), int64_t{1}, std::multiplies());
}

int64_t LabelledBags::num_positive() const {
  return std::ranges::count(targets, 1);
}

LabelledBags slice(const LabelledBags& bags, int64_t begin, int64_t end) {
  if (!(0 <= begin && begin <= end && end <= bags.count())) {
    throw UsageError(fmt::format("mneme::data::slice: the range {} to {} is not within the {} bags.\n"
                                 "  Choose a range with 0 <= begin <= end <= {}.",
                                 begin, end, bags.count(), bags.count()));
  }
  std::vector<int64_t> indices(static_cast<size_t>(end - begin));
  std::iota(indices.begin(), indices.end(), begin);
  return select(bags, indices);
}

LabelledBags select(const LabelledBags& bags, std::span<const int64_t> indices) {
  LabelledBags some{.instance_shape = bags.instance_shape};
  const int64_t size = bags.instance_size();
  for (const int64_t bag : indices) {
    if (bag < 0 || bag >= bags.count()) {
      throw UsageError(fmt::format(
          "mneme::data::select: there is no bag {}: there are {} bags.\n  Bags are counted from 0.", bag,
          bags.count()));
    }
    const auto at = static_cast<size_t>(bag);
    some.numbers.insert(some.numbers.end(), bags.numbers.begin() + bags.offsets[at] * size,
                        bags.numbers.begin() + bags.offsets[at + 1] * size);
    add_bag(some, bags.bag_size(bag), bags.targets[at]);
  }
  return some;
}

void check(const LabelledBags& bags) {
  const auto refuse = [](const std::string& problem, const std::string& advice) {
    throw UsageError(fmt::format("mneme::data::LabelledBags: {}.\n  {}", problem, advice));
  };
  if (bags.instance_shape.empty() ||
      std::ranges::any_of(bags.instance_shape, [](int64_t n) { return n < 1; })) {
    refuse(fmt::format("instances have the shape [{}]", fmt::join(bags.instance_shape, ", ")),
           "Give at least one size, all of them at least 1.");
  }
  if (std::ssize(bags.offsets) != bags.count() + 1 || bags.offsets.front() != 0) {
    refuse(fmt::format("there are {} offsets for {} labels, and the first offset is {}", bags.offsets.size(),
                       bags.count(), bags.offsets.empty() ? "missing" : std::to_string(bags.offsets.front())),
           "Give one label per bag, and one offset more than labels, beginning with 0.");
  }
  for (int64_t bag = 0; bag < bags.count(); ++bag) {
    if (bags.bag_size(bag) < 1) {
      refuse(fmt::format("bag {} has {} instances (offsets {} and {})", bag, bags.bag_size(bag),
                         bags.offsets[static_cast<size_t>(bag)], bags.offsets[static_cast<size_t>(bag) + 1]),
             "Every bag needs at least one instance.");
    }
    if (bags.targets[static_cast<size_t>(bag)] > 1) {
      refuse(fmt::format("the label of bag {} is {}", bag, bags.targets[static_cast<size_t>(bag)]),
             "A label is 1 (positive) or 0 (negative).");
    }
  }
  const int64_t size = bags.instance_size(), instances = std::ssize(bags.numbers) / size;
  if (bags.offsets.back() != instances || instances * size != std::ssize(bags.numbers)) {
    refuse(fmt::format("the last offset is {}, but there are {} numbers for instances of {} numbers",
                       bags.offsets.back(), bags.numbers.size(), size),
           "The last offset is the number of instances.");
  }
  const auto invalid = std::ranges::find_if(bags.numbers, [](float x) { return !std::isfinite(x); });
  if (invalid != bags.numbers.end()) {
    const int64_t at = invalid - bags.numbers.begin();
    refuse(fmt::format("number {} of instance {} is {}", at % size, at / size, *invalid),
           "Replace it by a finite number.");
  }
}

LabelledBags concatenate(LabelledBags first, const LabelledBags& second) {
  if (first.instance_shape != second.instance_shape) {
    throw UsageError(fmt::format(
        "mneme::data::concatenate: instances have shape [{}] and [{}].\n  Both must have the same shape.",
        fmt::join(first.instance_shape, ", "), fmt::join(second.instance_shape, ", ")));
  }
  first.numbers.insert(first.numbers.end(), second.numbers.begin(), second.numbers.end());
  for (int64_t bag = 0; bag < second.count(); ++bag) {
    add_bag(first, second.bag_size(bag), second.targets[static_cast<size_t>(bag)]);
  }
  return first;
}

std::vector<uint64_t> bag_hashes(std::span<const float> numbers, int64_t size,
                                 std::span<const int64_t> offsets) {
  const auto mix = [](uint64_t x) { // finaliser of splitmix64
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
  };
  std::vector<uint64_t> hashes;
  for (size_t bag = 0; bag + 1 < offsets.size(); ++bag) {
    uint64_t sum = 0; // of the instances: independent of their order
    for (int64_t i = offsets[bag]; i < offsets[bag + 1]; ++i) {
      uint64_t instance = 0x9E3779B97F4A7C15U;
      for (const float number : numbers.subspan(static_cast<size_t>(i * size), static_cast<size_t>(size))) {
        instance = mix(instance ^ std::bit_cast<uint32_t>(number == 0 ? 0.0F : number)); // -0 equals 0
      }
      sum += instance;
    }
    hashes.push_back(sum);
  }
  return hashes;
}

Standardization standardization_of(const LabelledBags& bags) {
  check(bags);
  if (bags.count() == 0) {
    throw UsageError("mneme::data::standardization_of: there are no bags.\n  Give at least one.");
  }
  return standardization_of(bags.numbers, bags.instance_size());
}

Standardization standardization_of(std::span<const float> numbers, int64_t instance_size) {
  const auto size = static_cast<size_t>(instance_size), count = numbers.size() / size;
  Standardization result;
  for (size_t i = 0; i < size; ++i) {
    double sum = 0, squares = 0;
    size_t known = 0; // numbers that are not NaN
    float first = NAN;
    bool differ = false;
    for (size_t row = 0; row < count; ++row) {
      if (const float number = numbers[row * size + i]; !std::isnan(number)) {
        first = known == 0 ? number : first;
        sum += number;
        differ = differ || number != first;
        ++known;
      }
    }
    const double mean = sum / static_cast<double>(known);
    for (size_t row = 0; row < count; ++row) {
      if (const float number = numbers[row * size + i]; !std::isnan(number)) {
        const double difference = number - mean;
        squares += difference * difference;
      }
    }
    const auto deviation = static_cast<float>(std::sqrt(squares / static_cast<double>(known)));
    result.means.push_back(differ ? static_cast<float>(mean) : first);
    result.deviations.push_back(differ && deviation > 0 ? deviation : 1);
  }
  return result;
}

void replace_missing(std::span<float> numbers, std::span<const float> means) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (std::isnan(numbers[i])) {
      numbers[i] = means[i % means.size()];
    }
  }
}

void standardize(LabelledBags& bags, const Standardization& standardization) {
  const auto size = static_cast<size_t>(bags.instance_size());
  if (standardization.means.size() != size || standardization.deviations.size() != size) {
    throw UsageError(fmt::format("mneme::data::standardize: there are {} means and {} deviations for "
                                 "instances of {} numbers.\n  Give one of each per number.",
                                 standardization.means.size(), standardization.deviations.size(), size));
  }
  for (size_t i = 0; i < bags.numbers.size(); ++i) {
    bags.numbers[i] =
        (bags.numbers[i] - standardization.means[i % size]) / standardization.deviations[i % size];
  }
}

LabelledBags to_labelled_bags(const BitBags& bags) {
  LabelledBags all{.instance_shape = {bags.instances.bits()}};
  all.numbers.reserve(static_cast<size_t>(bags.instances.count() * bags.instances.bits()));
  for (int64_t i = 0; i < bags.instances.count(); ++i) {
    for (int64_t bit = 0; bit < bags.instances.bits(); ++bit) {
      all.numbers.push_back(bags.instances.get(i, bit) ? 1.0F : 0.0F);
    }
  }
  for (const uint8_t target : bags.targets) {
    add_bag(all, bags.num_instances, target);
  }
  return all;
}

LabelledBags to_labelled_bags(const LatchSequences& sequences) {
  LabelledBags all{.instance_shape = {sequences.num_characters}};
  all.numbers.resize(sequences.characters.size() * static_cast<size_t>(sequences.num_characters));
  for (size_t i = 0; i < sequences.characters.size(); ++i) {
    all.numbers[i * static_cast<size_t>(sequences.num_characters) +
                static_cast<size_t>(sequences.characters[i])] = 1;
  }
  for (const uint8_t target : sequences.targets) {
    add_bag(all, sequences.num_instances, target);
  }
  return all;
}

LabelledBags draw_digit_bags(const PatternSet& images, int64_t first, int64_t last,
                             const DigitBagOptions& options) {
  if (!(0 <= first && first < last && last <= images.patterns.count())) {
    throw UsageError(
        fmt::format("{}: the range {} to {} is empty or not within the {} images.\n  Choose a range with "
                    "0 <= first < last <= {}.",
                    kDigits, first, last, images.patterns.count(), images.patterns.count()));
  }
  if (static_cast<int64_t>(images.labels.size()) != images.patterns.count()) {
    throw UsageError(fmt::format("{}: there are {} labels for {} images.\n  Read the file of labels as well.",
                                 kDigits, images.labels.size(), images.patterns.count()));
  }
  constexpr double kSizeMax = 1e6; // a larger bag would not fit in memory
  if (options.num_bags < 1 || !(std::abs(options.mean_size) <= kSizeMax) ||
      !(options.size_std >= 0 && options.size_std <= kSizeMax)) {
    throw UsageError(fmt::format("{}: invalid options: {} bags of {} +- {} images.\n"
                                 "  Choose at least one bag, and sizes of at most {:g}.",
                                 kDigits, options.num_bags, options.mean_size, options.size_std, kSizeMax));
  }
  if (!images.is_image() || images.channels != 1) {
    throw UsageError(
        fmt::format("{}: patterns have {} numbers and {} channels, but greyscale images are required.\n  "
                    "Use images of one channel.",
                    kDigits, images.patterns.size(), images.channels));
  }
  LabelledBags bags{.instance_shape = {1, images.height, images.width}};
  constexpr auto kScale = static_cast<float>(1 / (kWhite * kPixelStd)),
                 kShift = static_cast<float>(-kPixelMean / kPixelStd);
  RandomState random(options.seed);
  for (int64_t bag = 0; bag < options.num_bags; ++bag) {
    const auto size =
        std::max<int64_t>(1, static_cast<int64_t>(random.normal(options.mean_size, options.size_std)));
    uint8_t target = 0;
    for (int64_t i = 0; i < size; ++i) {
      const int64_t image = first + random.below(last - first);
      for (const double pixel : images.patterns[image]) {
        bags.numbers.push_back(static_cast<float>(std::lround(pixel * kWhite)) * kScale + kShift);
      }
      target |= images.labels[static_cast<size_t>(image)] == options.target ? 1 : 0;
    }
    add_bag(bags, size, target);
  }
  return bags;
}

} // namespace mneme::data
