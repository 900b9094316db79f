// SPDX-License-Identifier: MIT

#include "fetch/data_sets.h"

#include <algorithm>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/nearest_word.h"

namespace mneme::fetch {
namespace {

constexpr int64_t kCifarFile = 10'000 * 3073; // a label and 32 x 32 x 3 pixels each

} // namespace

const std::vector<DataSet>& data_sets() {
  static const std::vector<DataSet> kDataSets = {
      {.name = "mnist",
       .title = "MNIST: 60 000 + 10 000 handwritten digits, 28 x 28, grey",
       .mirrors = {"https://ossci-datasets.s3.amazonaws.com/mnist/",
                   "https://storage.googleapis.com/cvdf-datasets/mnist/"},
       .files = {{"train-images-idx3-ubyte.gz", 9'912'422,
                  "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
                 {"train-labels-idx1-ubyte.gz", 28'881,
                  "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
                 {"t10k-images-idx3-ubyte.gz", 1'648'877,
                  "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
                 {"t10k-labels-idx1-ubyte.gz", 4'542,
                  "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"}},
       .example = "t10k-images-idx3-ubyte.gz"},
      {.name = "cifar-10",
       .title = "CIFAR-10: 50 000 + 10 000 photographs in ten classes, 32 x 32, colour",
       .mirrors = {"https://www.cs.toronto.edu/~kriz/"},
       .files = {{"cifar-10-binary.tar.gz", 170'052'171,
                  "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}},
       .unpacked = {{"data_batch_1.bin", kCifarFile,
                     "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
                    {"data_batch_2.bin", kCifarFile,
                     "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
                    {"data_batch_3.bin", kCifarFile,
                     "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
                    {"data_batch_4.bin", kCifarFile,
                     "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
                    {"data_batch_5.bin", kCifarFile,
                     "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
                    {"test_batch.bin", kCifarFile,
                     "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"}},
       .example = "test_batch.bin"},
      {.name = "sdm",
       .title = "nine texts on which the betas of GPT-2 were measured (Bricken & Pehlevan 2021)",
       .mirrors = {"https://raw.githubusercontent.com/TrentBrick/attention-approximates-sdm/"
                   "4cb44d825408a2e5af488ef166a9aa82ad2a2b31/HugFace/"},
       .files = {{"text_inputs.txt", 35'536,
                  "7b417ce03f881005fcba66dd26a3c915bb34641ce99dd83fb80deb48c2d2470e"}},
       .example = "text_inputs.txt",
       .command = "mneme inspect MODEL --texts sdm"},
  };
  return kDataSets;
}

const DataSet& data_set_named(std::string_view name) {
  const auto found = std::ranges::find(data_sets(), name, &DataSet::name);
  if (found == data_sets().end()) {
    std::vector<std::string> names;
    for (const DataSet& set : data_sets()) {
      names.push_back(set.name);
    }
    const std::string close = nearest_word(name, names);
    throw UsageError(fmt::format("unknown data set {}.\n  {}Available data sets: {}.", name,
                                 close.empty() ? "" : fmt::format("Did you mean \"{}\"? ", close),
                                 fmt::join(names, ", ")));
  }
  return *found;
}

} // namespace mneme::fetch
