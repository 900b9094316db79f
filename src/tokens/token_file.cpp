// SPDX-License-Identifier: MIT

#include "mneme/tokens/token_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "tokens/errors.h"

namespace mneme::tokens {
namespace {

constexpr std::string_view kMagic = "mnemetok";
constexpr int64_t kHeaderBytes = 128, kLlmHeaderBytes = 1024;
constexpr uint32_t kVersion = 1;
/// Magic and version of llm.c for GPT-2 (ids of 2 bytes) and for Llama 3 (ids of 4 bytes).
constexpr uint32_t kLlmMagic16 = 20240520, kLlmVersion16 = 1, kLlmMagic32 = 20240801, kLlmVersion32 = 7;
constexpr int64_t kMaxVocabulary = int64_t{1} << 31; // ids are int32_t
constexpr const char* kDamaged = "The file is damaged or cut short: write it again, or copy it again.";

int64_t bytes_of(TokenType type) {
  return type == TokenType::uint16 ? 2 : 4;
}

/// Number of `size` bytes at `at`, little-endian.
uint64_t load(std::span<const std::byte> bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) {
    value = value << 8U | std::to_integer<uint64_t>(bytes[at + i]);
  }
  return value;
}

void store(std::string& bytes, size_t at, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    bytes[at + i] = static_cast<char>(value >> (8 * i));
  }
}

bool has_magic(std::span<const std::byte> bytes) {
  return bytes.size() >= kMagic.size() && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
}

bool has_llm_magic(std::span<const std::byte> bytes) {
  return bytes.size() >= 12 && ((load(bytes, 0, 4) == kLlmMagic16 && load(bytes, 4, 4) == kLlmVersion16) ||
                                (load(bytes, 0, 4) == kLlmMagic32 && load(bytes, 4, 4) == kLlmVersion32));
}

/// Bytes of a file that is in memory or on disk.
class Input {
public:
  Input(std::span<const std::byte> bytes, std::string name)
      : name_(std::move(name)), bytes_(bytes), size_(static_cast<int64_t>(bytes.size())) {}

  explicit Input(const std::filesystem::path& path) : name_(path.string()) {
    // The type is checked before open, which blocks on a pipe that no process writes to.
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
      fail_reading(errno);
    }
    if (!S_ISREG(status.st_mode)) {
      fail(name_, "is not a regular file, but ids are read from any place of it", "Use a file on disk.");
    }
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) {
      fail_reading(errno);
    }
    size_ = status.st_size;
  }
  Input(Input&& other) noexcept
      : name_(std::move(other.name_)), bytes_(other.bytes_), size_(other.size_),
        descriptor_(std::exchange(other.descriptor_, -1)) {}
  Input& operator=(Input&&) = delete;
  ~Input() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
  }

  const std::string& name() const { return name_; }
  int64_t size() const { return size_; }

  /// Reads a range that is within the size.
  void read(int64_t offset, std::span<std::byte> to) const {
    if (descriptor_ < 0) {
      std::copy_n(bytes_.begin() + offset, to.size(), to.begin());
      return;
    }
    while (!to.empty()) {
      const ssize_t got = ::pread(descriptor_, to.data(), to.size(), offset);
      if (got < 0 && errno != EINTR) {
        fail_reading(errno);
      }
      if (got == 0) {
        fail(name_, fmt::format("ends at byte {}, but had {} bytes when it was opened", offset, size_),
             "Another program is writing to it: wait until it has finished, then try again.");
      }
      to = to.subspan(static_cast<size_t>(std::max<ssize_t>(got, 0)));
      offset += std::max<ssize_t>(got, 0);
    }
  }

private:
  [[noreturn]] void fail_reading(int error) const {
    fail(name_, fmt::format("cannot be read: {}", std::strerror(error)),
         "Check the path and its permissions.");
  }

  std::string name_;
  std::span<const std::byte> bytes_;
  int64_t size_ = 0;
  int descriptor_ = -1;
};

struct Layout {
  TokenFileInfo info;
  int64_t first_byte = 0;
};

void check_count(const std::string& name, uint64_t count, int64_t header_bytes, TokenType type,
                 int64_t size) {
  const auto available = static_cast<uint64_t>(size - header_bytes);
  const auto width = static_cast<uint64_t>(bytes_of(type));
  if (count > available / width || count * width != available) {
    fail(name,
         fmt::format("its header names {} ids of {} bytes, but {} bytes follow the header", count, width,
                     available),
         kDamaged);
  }
}

Layout read_mneme_header(const Input& input, std::span<const std::byte> header) {
  const std::string& name = input.name();
  if (header.size() < kHeaderBytes) {
    fail(name, fmt::format("has {} bytes, but a token file has a header of {}", header.size(), kHeaderBytes),
         kDamaged);
  }
  if (const uint64_t version = load(header, 8, 4); version != kVersion) {
    fail(name,
         fmt::format("is a token file of version {}, but this build reads version {}", version, kVersion),
         "Write it again with this version of mneme.");
  }
  const uint64_t width = load(header, 12, 4), vocab_size = load(header, 16, 8);
  if (vocab_size < 1 || vocab_size > kMaxVocabulary) {
    fail(name, fmt::format("its vocabulary has {} ids, 1 to {} were expected", vocab_size, kMaxVocabulary),
         kDamaged);
  }
  if (width != (vocab_size <= 65536 ? 2 : 4)) {
    fail(name,
         fmt::format("its ids have {} bytes, which does not fit a vocabulary of {} ids", width, vocab_size),
         kDamaged);
  }
  if (std::ranges::any_of(header.subspan(72, 56), [](std::byte byte) { return byte != std::byte{0}; })) {
    fail(name, "its header is not followed by zeros up to byte 128", kDamaged);
  }
  Layout layout{.first_byte = kHeaderBytes};
  layout.info.type = width == 2 ? TokenType::uint16 : TokenType::uint32;
  check_count(name, load(header, 24, 8), kHeaderBytes, layout.info.type, input.size());
  layout.info.num_tokens = static_cast<int64_t>(load(header, 24, 8));
  layout.info.vocab_size = static_cast<int64_t>(vocab_size);
  if (load(header, 32, 8) > uint64_t{1} << 62U) {
    fail(name, fmt::format("its text has {} bytes", load(header, 32, 8)), kDamaged);
  }
  layout.info.text_bytes = static_cast<int64_t>(load(header, 32, 8));
  for (const std::byte byte : header.subspan(40, 32)) {
    layout.info.tokenizer_hash += fmt::format("{:02x}", std::to_integer<int>(byte));
  }
  return layout;
}

Layout read_llm_header(const Input& input, std::span<const std::byte> header) {
  if (input.size() < kLlmHeaderBytes) {
    fail(input.name(),
         fmt::format("has {} bytes, but a file of llm.c has a header of {}", input.size(), kLlmHeaderBytes),
         kDamaged);
  }
  Layout layout{.first_byte = kLlmHeaderBytes};
  layout.info.format = TokenFileFormat::llm_c;
  layout.info.type = load(header, 0, 4) == kLlmMagic16 ? TokenType::uint16 : TokenType::uint32;
  check_count(input.name(), load(header, 8, 4), kLlmHeaderBytes, layout.info.type, input.size());
  layout.info.num_tokens = static_cast<int64_t>(load(header, 8, 4));
  return layout;
}

Layout read_layout(const Input& input, std::optional<TokenType> raw_type) {
  std::vector<std::byte> header(static_cast<size_t>(std::min(input.size(), kHeaderBytes)));
  input.read(0, header);
  const bool is_mneme = has_magic(header), is_llm_c = has_llm_magic(header);
  if (is_mneme || is_llm_c) {
    if (raw_type) {
      fail(input.name(),
           fmt::format("is a token file of {} with a header, but a type of ids was given",
                       is_mneme ? "mneme" : "llm.c"),
           "Leave out the type of the ids: the header has it.");
    }
    return is_mneme ? read_mneme_header(input, header) : read_llm_header(input, header);
  }
  if (!raw_type) {
    fail(input.name(), "is not a token file of mneme or llm.c",
         "If it contains only ids, as the .bin files of nanoGPT do, give their type: uint16 or uint32.");
  }
  Layout layout;
  layout.info.format = TokenFileFormat::raw;
  layout.info.type = *raw_type;
  if (input.size() % bytes_of(*raw_type) != 0) {
    fail(input.name(),
         fmt::format("has {} bytes, which is not a multiple of {}", input.size(), bytes_of(*raw_type)),
         "Give the type of its ids, uint16 or uint32, or copy the file again.");
  }
  layout.info.num_tokens = input.size() / bytes_of(*raw_type);
  return layout;
}

} // namespace

struct TokenFile::State {
  Input input;
  Layout layout;

  State(Input opened, std::optional<TokenType> raw_type)
      : input(std::move(opened)), layout(read_layout(input, raw_type)) {}

  template <class Stored> void read(int64_t first, std::span<int32_t> to, int64_t vocab_size) const {
    std::array<Stored, 4096> block; // NOLINT(cppcoreguidelines-pro-type-member-init): read from the file
    for (size_t done = 0; done < to.size();) {
      const size_t count = std::min(block.size(), to.size() - done);
      const std::span<Stored> stored(block.data(), count);
      const int64_t at = first + static_cast<int64_t>(done);
      input.read(layout.first_byte + at * static_cast<int64_t>(sizeof(Stored)),
                 std::as_writable_bytes(stored));
      for (size_t i = 0; i < count; ++i) {
        uint32_t id = stored[i];
        if constexpr (std::endian::native == std::endian::big) {
          id = sizeof(Stored) == 2 ? __builtin_bswap16(static_cast<uint16_t>(id)) : __builtin_bswap32(id);
        }
        if (id >= static_cast<uint64_t>(vocab_size)) {
          fail(input.name(),
               fmt::format("id number {} is {}, but the vocabulary has {} ids", at + static_cast<int64_t>(i),
                           id, vocab_size),
               "Use the tokenizer with which the file was written.");
        }
        to[done + i] = static_cast<int32_t>(id);
      }
      done += count;
    }
  }
  void read(int64_t first, std::span<int32_t> to, int64_t vocab_size) const {
    if (layout.info.type == TokenType::uint16) {
      read<uint16_t>(first, to, vocab_size);
    } else {
      read<uint32_t>(first, to, vocab_size);
    }
  }
};

TokenFile::TokenFile(const std::filesystem::path& path, std::optional<TokenType> raw_type)
    : state_(std::make_shared<const State>(Input(path), raw_type)) {}
TokenFile::TokenFile(std::span<const std::byte> bytes, const std::string& name,
                     std::optional<TokenType> raw_type)
    : state_(std::make_shared<const State>(Input(bytes, name), raw_type)) {}

const TokenFileInfo& TokenFile::info() const {
  return state_->layout.info;
}

void TokenFile::read(int64_t first, std::span<int32_t> to) const {
  const auto count = static_cast<int64_t>(to.size());
  if (first < 0 || count > size() || first > size() - count) {
    throw UsageError(
        fmt::format("mneme::tokens::TokenFile: cannot read {} ids from number {} on, because {} has {}.\n"
                    "  Read ids within this range.",
                    count, first, state_->input.name(), size()));
  }
  state_->read(first, to, info().vocab_size.value_or(kMaxVocabulary));
}

void TokenFile::require_vocabulary(const Tokenizer& tokenizer, const std::string& advice) const {
  if (!info().tokenizer_hash.empty()) {
    if (info().tokenizer_hash != tokenizer.hash()) {
      fail(
          state_->input.name(),
          fmt::format(
              "was written with another tokenizer ({} ids, SHA-256 {:.12}...) than the one in use ({} ids, "
              "SHA-256 {:.12}...)",
              info().vocab_size.value_or(0), info().tokenizer_hash, tokenizer.vocab_size(), tokenizer.hash()),
          advice.empty() ? "Use the tokenizer with which it was written, or encode the text again." : advice);
    }
    return;
  }
  std::vector<int32_t> ids(size_t{1} << 16);
  for (int64_t first = 0; first < size(); first += static_cast<int64_t>(ids.size())) {
    const auto count = std::min(static_cast<int64_t>(ids.size()), size() - first);
    state_->read(first, std::span(ids).first(static_cast<size_t>(count)), tokenizer.vocab_size());
  }
}

bool is_token_file(std::span<const std::byte> first_bytes) {
  return has_magic(first_bytes) || has_llm_magic(first_bytes);
}

std::vector<int32_t> ids_of(std::span<const std::byte> content, const std::string& name,
                            const Tokenizer& tokenizer, const EncodeOptions& options,
                            const std::string& advice, std::optional<TokenType> raw_type) {
  if (!raw_type && !is_token_file(content)) {
    return tokenizer.encode({reinterpret_cast<const char*>(content.data()), content.size()}, options);
  }
  const TokenFile file(content, name, raw_type);
  file.require_vocabulary(tokenizer, advice);
  std::vector<int32_t> ids(static_cast<size_t>(file.size()));
  file.read(0, ids);
  return ids;
}

TokenFileWriter::TokenFileWriter(const Tokenizer& tokenizer)
    : tokenizer_(tokenizer), type_(tokenizer.vocab_size() <= 65536 ? TokenType::uint16 : TokenType::uint32),
      bytes_(kHeaderBytes, '\0') {}

void TokenFileWriter::add(std::span<const int32_t> ids) {
  text_bytes_ += tokenizer_.text_bytes(ids); // checks the ids
  const auto width = static_cast<size_t>(bytes_of(type_));
  size_t at = bytes_.size();
  bytes_.resize(at + ids.size() * width);
  for (const int32_t id : ids) {
    store(bytes_, at, static_cast<uint32_t>(id), width);
    at += width;
  }
  num_tokens_ += static_cast<int64_t>(ids.size());
}

void TokenFileWriter::write(const std::filesystem::path& path) {
  std::copy(kMagic.begin(), kMagic.end(), bytes_.begin());
  store(bytes_, 8, kVersion, 4);
  store(bytes_, 12, static_cast<uint64_t>(bytes_of(type_)), 4);
  store(bytes_, 16, static_cast<uint64_t>(tokenizer_.vocab_size()), 8);
  store(bytes_, 24, static_cast<uint64_t>(num_tokens_), 8);
  store(bytes_, 32, static_cast<uint64_t>(text_bytes_), 8);
  const std::string hash = tokenizer_.hash();
  for (size_t i = 0; i < 32; ++i) {
    bytes_[40 + i] = static_cast<char>(std::stoi(hash.substr(2 * i, 2), nullptr, 16));
  }
  write_file_atomically(path, bytes_);
}

} // namespace mneme::tokens
