// SPDX-License-Identifier: MIT

/// Entry points of the fuzzers: each calls one reader with arbitrary bytes. A reader may throw only
/// DataError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <unistd.h>

#include "mneme/core/crc32c.h"
#include "mneme/core/error.h"
#include "mneme/data/bag_files.h"
#include "mneme/data/cifar.h"
#include "mneme/data/csv.h"
#include "mneme/data/idx.h"
#include "mneme/data/load_patterns.h"
#include "mneme/data/netpbm.h"
#include "mneme/data/npy.h"
#include "mneme/data/npz.h"
#include "mneme/data/packed_bits.h"
#include "mneme/data/png.h"
#include "mneme/data/row_file.h"
#include "mneme/data/safetensors.h"
#include "mneme/data/shard_index.h"
#include "mneme/data/torch_file.h"
#include "mneme/tokens/json_lines.h"
#include "mneme/tokens/smiles.h"
#include "mneme/tokens/token_file.h"
#include "mneme/tokens/word_piece.h"
#include "store/chunk_file.h"
#include "store/memory_file.h"
#include "tokens/tokenizer_json.h"

namespace mneme::data::fuzz {

/// True if the bytes were read, false if they caused a DataError.
template <class Read> bool try_read(Read read) {
  try {
    read();
    return true;
  } catch (const DataError&) {
    return false;
  }
}

/// A file with these bytes, for readers that open it themselves.
class TemporaryFile {
public:
  TemporaryFile(std::span<const std::byte> bytes, const std::string& extension)
      : path_(std::filesystem::temp_directory_path() /
              ("mneme-fuzz-" + std::to_string(::getpid()) + "." + extension)) {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code error; // ignored
    std::filesystem::remove(path_, error);
  }
  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

inline bool idx(std::span<const std::byte> bytes) {
  try_read([&] { parse_idx(bytes, "fuzz", 1); });
  const bool labels = try_read([&] { parse_idx_labels(bytes, "fuzz"); });
  return try_read([&] { parse_idx(bytes, "fuzz"); }) || labels;
}

inline bool cifar(std::span<const std::byte> bytes) {
  try_read([&] { parse_cifar(bytes, "fuzz", 1); });
  return try_read([&] { parse_cifar(bytes, "fuzz"); });
}

inline bool csv(std::span<const std::byte> bytes) {
  try_read([&] { parse_csv(bytes, "fuzz", 1); });
  return try_read([&] { parse_csv(bytes, "fuzz"); });
}

inline bool bag_files(std::span<const std::byte> bytes) {
  const auto read = [&](const auto& parse) {
    return try_read([&] {
      const BagFile file = parse();
      try {
        check(to_labelled_bags(file, choose_classes(file)));
      } catch (const UsageError&) { // more than two classes
      }
    });
  };
  const bool table = read([&] { return parse_bag_csv(bytes, "fuzz"); });
  return read([&] { return parse_bag_safetensors(bytes, "fuzz"); }) || table;
}

inline bool netpbm(std::span<const std::byte> bytes) {
  return try_read([&] { parse_netpbm(bytes, "fuzz"); });
}

inline bool npy(std::span<const std::byte> bytes) {
  try_read([&] { parse_npy(bytes, "fuzz", 1); });
  try_read([&] { parse_npy_integers(bytes, "fuzz"); });
  try_read([&] { parse_npy_numbers(bytes, "fuzz"); });
  return try_read([&] { parse_npy(bytes, "fuzz"); });
}

inline bool npz(std::span<const std::byte> bytes) {
  try_read([&] { parse_npz(bytes, "fuzz", "x", 1); });
  return try_read([&] { parse_npz(bytes, "fuzz"); });
}

inline bool png(std::span<const std::byte> bytes) {
  return try_read([&] { parse_png(bytes, "fuzz"); });
}

inline bool safetensors(std::span<const std::byte> bytes) {
  try_read([&] { parse_safetensors(bytes, "fuzz", "", 1); });
  try_read([&] { parse_safetensors_metadata(bytes, "fuzz"); });
  return try_read([&] {
    for (const SafetensorsEntry& entry : parse_safetensors_entries(bytes, "fuzz")) {
      try_read([&] { parse_safetensors_numbers(bytes, "fuzz", entry.name); });
      parse_safetensors(bytes, "fuzz", entry.name);
    }
  });
}

inline bool torch_file(std::span<const std::byte> bytes) {
  try_read([&] { parse_torch_checkpoint(bytes, "fuzz", "model.weight"); });
  try_read([&] { parse_torch_file(bytes, "fuzz"); });
  return try_read([&] { parse_torch_checkpoint(bytes, "fuzz"); });
}

/// A file of any kind, as patterns and as packed bits.
inline bool pattern_file(std::span<const std::byte> bytes) {
  const TemporaryFile file(bytes, "patterns");
  try_read([&] {
    try {
      load_packed_bits(file.path());
    } catch (const UsageError&) { // a file that cannot contain packed bits
    }
  });
  try_read([&] { count_patterns(std::span(&file.path(), 1)); });
  return try_read([&] { load_patterns(file.path()); });
}

/// A matrix in a file of either kind that is read row by row.
inline bool row_file(std::span<const std::byte> bytes) {
  bool read = false;
  for (const char* extension : {"npy", "safetensors"}) {
    const TemporaryFile file(bytes, extension);
    read = try_read([&] {
             const RowFile matrix(file.path());
             std::vector<float> numbers(static_cast<size_t>(matrix.count() * matrix.size()));
             matrix.read(0, numbers);
             std::vector<double> row(static_cast<size_t>(matrix.size()));
             matrix.read(std::max<int64_t>(matrix.count() - 1, 0),
                         std::span(row).first(matrix.count() > 0 ? row.size() : 0));
           }) ||
           read;
  }
  return read;
}

inline bool shard_index(std::span<const std::byte> bytes) {
  return try_read([&] { parse_shard_index(bytes, "fuzz"); });
}

/// A tokenizer that is read must restore every text, unless it puts a space in front.
inline void require_round_trip(const tokens::Tokenizer& tokenizer, std::string_view text) {
  const std::string decoded = tokenizer.decode(tokenizer.encode(text, {.parse_special = true}));
  if (decoded != text && !tokenizer.state().definition.rules.add_prefix_space) {
    throw std::logic_error("a text was not restored");
  }
}

inline bool tokenizer_json(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return try_read([&] {
    try {
      require_round_trip(tokens::make_tokenizer(tokens::parse_tokenizer_json(text, "fuzz"), "fuzz"), text);
    } catch (const UnsupportedError& error) {
      throw DataError(error.what());
    }
  });
}

/// A tokenizer_config.json of a tokenizer with two added tokens.
inline bool tokenizer_config(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const tokens::Definition definition{.added = {{.id = 0, .text = "<s>"}, {.id = 1, .text = "</s>"}}};
  try_read([&] { tokens::parse_named_tokens(text, "fuzz", definition); });
  return try_read([&] { tokens::parse_end_of_text(text, "fuzz", definition); });
}

/// A vocab.txt of SMILES and a text, separated by a byte 0.
inline bool smiles(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const size_t end = std::min(text.find('\0'), text.size());
  return try_read([&] {
    const tokens::SmilesTokenizer tokenizer = tokens::parse_smiles_vocabulary(text.substr(0, end), "fuzz");
    const std::string_view rest = text.substr(std::min(end + 1, text.size()));
    for (const int32_t id : tokenizer.encode(rest, {.parse_special = true, .add_special = true})) {
      tokenizer.token_text(id); // checks the id
    }
  });
}

/// Encodes the text of the file with the tokenizer that it defines.
inline bool word_piece(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return try_read([&] {
    try {
      const tokens::WordPiece tokenizer = tokens::parse_word_piece(text, "fuzz");
      for (const int32_t id : tokenizer.encode(text, {.parse_special = true, .add_special = true})) {
        tokenizer.token_text(id); // checks the id
      }
    } catch (const UnsupportedError& error) {
      throw DataError(error.what());
    }
  });
}

/// vocab.json and merges.txt, separated by a byte 0.
inline bool gpt2_files(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const size_t end = std::min(text.find('\0'), text.size());
  return try_read([&] {
    require_round_trip(tokens::make_tokenizer(
                           tokens::parse_gpt2_files(text.substr(0, end), "vocabulary",
                                                    text.substr(std::min(end + 1, text.size())), "merges"),
                           "fuzz"),
                       text);
  });
}

inline bool token_file(std::span<const std::byte> bytes) {
  const auto read = [&](std::optional<tokens::TokenType> type) {
    return try_read([&] {
      const tokens::TokenFile file(bytes, "fuzz", type);
      std::vector<int32_t> ids(static_cast<size_t>(file.size())); // at most the bytes of the input
      file.read(0, ids);
    });
  };
  const bool raw = read(tokens::TokenType::uint16), raw_wide = read(tokens::TokenType::uint32);
  return read({}) || raw || raw_wide;
}

inline bool json_lines(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return try_read([&] { tokens::parse_json_lines(text, "text", "fuzz"); });
}

/// Snapshot files of durable memories, as they are and with correct checksums.
inline bool chunk_file(std::span<const std::byte> bytes) {
  const auto parse = [](std::span<const std::byte> file) {
    const bool records = try_read([&] { store::parse_record_chunk(file, "fuzz"); });
    return try_read([&] { store::parse_counter_chunk(file, "fuzz"); }) || records;
  };
  constexpr size_t kHeader = 72, kContentCrc = 64, kHeaderCrc = 68;
  if (bytes.size() >= kHeader) {
    std::vector<std::byte> repaired(bytes.begin(), bytes.end());
    const uint32_t content = crc32c(std::span(repaired).subspan(kHeader));
    std::memcpy(repaired.data() + kContentCrc, &content, sizeof(content));
    const uint32_t header = crc32c(std::span(repaired).first(kHeaderCrc));
    std::memcpy(repaired.data() + kHeaderCrc, &header, sizeof(header));
    parse(repaired);
  }
  return parse(bytes);
}

/// Item memories, whatever their checksum.
inline bool memory_file(std::span<const std::byte> bytes) {
  const auto parse = [&]<class Patterns>(Patterns) {
    try_read([&] { store::parse_memory<Patterns>(bytes, "fuzz", store::Checksum::ignore); });
    return try_read([&] { store::parse_memory<Patterns>(bytes, "fuzz"); });
  };
  const bool bits = parse(BitPatterns());
  return parse(RealPatterns()) || bits;
}

} // namespace mneme::data::fuzz
