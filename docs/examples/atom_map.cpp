// SPDX-License-Identifier: MIT

/// Reads one attention head of a model of chemical reactions as a map from the atoms of the products to those
/// of the reactants: atom_map MODEL REACTIONS HEAD, where REACTIONS is a file with one reaction per line.

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "mneme/nn/bert_folder.h"
#include "mneme/theory/attention_head.h"
#include "mneme/tokens/smiles.h"

namespace {

struct Layer {
  double keys_90 = 0, atoms = 0, weight = 0, queries = 0;
};

/// Positions of the atoms of a range of tokens, which all begin with a letter or a bracket.
std::vector<int64_t> atoms(const mneme::tokens::SmilesTokenizer& tokenizer, const std::vector<int32_t>& ids,
                           int64_t begin, int64_t end) {
  std::vector<int64_t> positions;
  for (int64_t i = begin; i < end; ++i) {
    const char first = tokenizer.token_text(ids[static_cast<size_t>(i)])[0];
    if (first == '[' || std::isalpha(static_cast<unsigned char>(first)) != 0) {
      positions.push_back(i);
    }
  }
  return positions;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: atom_map MODEL REACTIONS HEAD\n");
    return 2;
  }
  const torch::NoGradGuard no_gradient;
  mneme::nn::BertEncoder model = mneme::nn::read_bert_model(argv[1]);
  model->eval();
  const auto tokenizer = mneme::tokens::read_smiles_tokenizer(argv[1]);
  const int64_t head = std::atoll(argv[3]);
  std::vector<Layer> layers(static_cast<size_t>(model->config.num_layers()));
  std::ifstream file(argv[2]);
  for (std::string line; std::getline(file, line);) {
    const std::vector<int32_t> ids = tokenizer.encode(line, {.add_special = true});
    const int32_t arrow = tokenizer.encode(">>")[0];
    const int64_t middle = std::find(ids.begin(), ids.end(), arrow) - ids.begin(), end = std::ssize(ids) - 1;
    const torch::Tensor keys = torch::tensor(atoms(tokenizer, ids, 1, middle));
    const std::vector<int64_t> queries = atoms(tokenizer, ids, middle + 1, end);
    const auto observer = [&](const mneme::nn::AttentionView& attention) {
      const torch::Tensor scores = attention.scores(0, attention.query.size(2))[0][head];
      for (const int64_t query : queries) {
        const torch::Tensor row = scores[query].index_select(0, keys).contiguous();
        const std::vector<float> numbers(row.data_ptr<float>(), row.data_ptr<float>() + row.numel());
        const mneme::theory::AttentionRow reading = mneme::theory::attention_row(numbers, numbers);
        Layer& layer = layers[static_cast<size_t>(attention.layer)];
        layer.keys_90 += static_cast<double>(reading.keys_90);
        layer.atoms += static_cast<double>(reading.keys);
        layer.weight += row.softmax(0).max().item<double>();
        layer.queries += 1;
      }
    };
    model->forward(torch::tensor(ids).to(torch::kLong).unsqueeze(0), {.observer = observer});
  }
  std::printf("layer  atoms for 90 %%  of atoms  largest weight  kind\n");
  for (size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    std::printf("%5zu  %14.1f  %8.1f  %14.2f  %s\n", i, layer.keys_90 / layer.queries,
                layer.atoms / layer.queries, layer.weight / layer.queries,
                std::string(name_of(mneme::theory::fixed_point(layer.keys_90 / layer.queries,
                                                               layer.atoms / layer.queries)))
                    .c_str());
  }
}
