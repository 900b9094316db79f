// SPDX-License-Identifier: MIT

#include "data/torch_archive.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/numbers.h"
#include "data/source.h"
#include "mneme/core/error.h"

namespace mneme::data {
namespace {

std::span<const std::byte> slice(std::span<const std::byte> bytes, const ZipEntry& entry) {
  return bytes.subspan(static_cast<size_t>(entry.begin), static_cast<size_t>(entry.end - entry.begin));
}

/// TorchScript archives contain compressed code; files of tensors are never compressed.
[[noreturn]] void reject_program(const std::string& name) {
  fail(name, "is a TorchScript program, not the tensors of a model",
       "Load it with torch.jit.load and save its state_dict() with torch.save.");
}
std::map<std::string, ZipEntry> zip_entries(std::span<const std::byte> bytes, const std::string& name) {
  try {
    return parse_zip(bytes, name);
  } catch (const DataError&) {
    constexpr size_t kDirectoryBytes = size_t{1} << 16; // the central directory is at the end of a zip file
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.substr(text.size() - std::min(text.size(), kDirectoryBytes)).find("/constants.pkl") !=
        std::string_view::npos) {
      reject_program(name);
    }
    throw;
  }
}

/// Format since PyTorch 1.6. All entries are in one folder with the name that the file had when it was
/// written.
TorchArchive read_zip_archive(std::span<const std::byte> bytes, const std::string& name) {
  constexpr std::string_view kPickle = "/data.pkl", kData = "data/";
  const std::map<std::string, ZipEntry> files = zip_entries(bytes, name);
  const auto pickle =
      std::ranges::find_if(files, [&](const auto& file) { return file.first.ends_with(kPickle); });
  if (pickle == files.end()) {
    std::vector<std::string> names;
    for (const auto& [file, entry] : files) {
      names.push_back(fmt::format("{:?}", file));
    }
    fail(name,
         fmt::format("is a zip file without data.pkl, so it was not written by torch.save; it contains {}",
                     names.empty() ? "nothing" : listed(names)),
         kSaveStateDict);
  }
  const std::string folder = pickle->first.substr(0, pickle->first.size() - kPickle.size() + 1);
  if (files.contains(folder + "constants.pkl")) {
    reject_program(name);
  }
  if (const auto order = files.find(folder + "byteorder"); order != files.end()) {
    const std::span<const std::byte> letters = slice(bytes, order->second); // absent before PyTorch 2.1
    if (const std::string_view text(reinterpret_cast<const char*>(letters.data()), letters.size());
        text != "little") {
      fail(name, fmt::format("its byte order is {:?}, not \"little\"", text.substr(0, 20)),
           "Save it again on a little-endian machine.");
    }
  }
  TorchArchive archive{parse_pickle(slice(bytes, pickle->second), name, std::string(kPickle.substr(1))), {}};
  for (const auto& [file, entry] : files) {
    if (file.starts_with(folder + std::string(kData))) {
      archive.storages.emplace(file.substr(folder.size() + kData.size()), entry);
    }
  }
  return archive;
}

/// Magic number of the format before PyTorch 1.6: opcode LONG1 with the 10 bytes of 0x1950a86a20f9469cfc6c.
constexpr std::string_view kOldMagic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Format before PyTorch 1.6: pickles of a magic number, a version, the machine, the object and the keys of
/// all storages; then for each storage the count of its numbers (int64), and the numbers.
class OldFile {
public:
  OldFile(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  TorchArchive read() {
    next("the magic number");
    const Pickle version = next("the version"), machine = next("the description of the machine");
    constexpr int64_t kVersion = 1001;
    if (const auto* number = version.top->as<int64_t>(); number == nullptr || *number != kVersion) {
      fail(name_, fmt::format("has an unsupported version, expected {}", kVersion), kSaveStateDict);
    }
    for (const PickleChild& child : children_of(*machine.top)) {
      const auto* is_little = child.value->as<bool>();
      if (child.name() == "little_endian" && (is_little == nullptr || !*is_little)) {
        fail(name_, "its numbers are not little-endian", "Save it again on a little-endian machine.");
      }
    }
    TorchArchive archive{next("the object"), {}};
    const std::map<std::string, int64_t> number_bytes = number_bytes_of(archive.pickle);
    const Pickle keys = next("the keys of its storages");
    for (const PickleChild& child : children_of(*keys.top)) {
      const auto* key = child.value->as<std::string>();
      const auto size = key == nullptr ? number_bytes.end() : number_bytes.find(*key);
      if (size == number_bytes.end()) {
        fail(name_, fmt::format("storage {} belongs to no tensor", child.index), kFileDamaged);
      }
      const int64_t count = length(), left = std::ssize(bytes_) - at_;
      if (count < 0 || count > left / size->second) {
        fail(name_,
             fmt::format("storage {} has {} numbers of {} bytes, but {} bytes are left", child.index, count,
                         size->second, left),
             kFileDamaged);
      }
      archive.storages.emplace(*key, ZipEntry{at_, at_ + count * size->second});
      at_ += count * size->second;
    }
    archive.trailing_bytes = std::ssize(bytes_) - at_;
    return archive;
  }

private:
  Pickle next(const std::string& part) {
    int64_t size = 0;
    Pickle pickle = parse_pickle(bytes_.subspan(static_cast<size_t>(at_)), name_, part, &size);
    at_ += size;
    return pickle;
  }

  int64_t length() {
    constexpr int64_t kBytes = 8;
    if (std::ssize(bytes_) - at_ < kBytes) {
      fail(name_, "the file ends before the last storage", kFileDamaged);
    }
    const uint64_t number = unsigned_from(bytes_.subspan(static_cast<size_t>(at_), kBytes), false);
    at_ += kBytes;
    return static_cast<int64_t>(number);
  }

  /// Bytes per number of each storage, by its key, from all references in the pickle.
  std::map<std::string, int64_t> number_bytes_of(const Pickle& pickle) const {
    std::map<std::string, int64_t> sizes;
    for (const PickleValue& value : pickle.values) {
      const auto* reference = value.as<PickleReference>();
      const auto* id = reference == nullptr ? nullptr : reference->id->as<PickleTuple>();
      if (id == nullptr || id->items.size() < 3) {
        continue;
      }
      const auto* global = id->items[1]->as<PickleGlobal>();
      const auto* key = id->items[2]->as<std::string>();
      if (global == nullptr || key == nullptr) {
        continue;
      }
      const auto type = std::ranges::find(kTorchStorageTypes, global->name, &TorchStorageType::global);
      if (type == kTorchStorageTypes.end()) {
        fail(name_,
             fmt::format("has a storage of type {}, which is not supported", python_name(global->name)),
             kSaveStateDict);
      }
      if (!sizes.emplace(*key, type->bytes).second && sizes.at(*key) != type->bytes) {
        fail(name_,
             fmt::format("storage {:?} has numbers of {} and of {} bytes", *key, sizes.at(*key), type->bytes),
             kFileDamaged);
      }
    }
    return sizes;
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  int64_t at_ = 0;
};

} // namespace

bool is_old_torch_file(std::span<const std::byte> bytes) {
  constexpr size_t kBeforeMagic = 11; // opcodes of the protocol, and of a frame since protocol 4
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min(bytes.size(), kBeforeMagic + kOldMagic.size()));
  return start.starts_with('\x80') && start.find(kOldMagic) != std::string_view::npos;
}

TorchArchive read_torch_archive(std::span<const std::byte> bytes, const std::string& name) {
  return is_old_torch_file(bytes) ? OldFile(bytes, name).read() : read_zip_archive(bytes, name);
}

std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kNamesShown = 8;
  std::string list =
      fmt::format("{}", fmt::join(names.begin(),
                                  names.begin() + std::min<ptrdiff_t>(std::ssize(names), kNamesShown), ", "));
  return names.size() <= kNamesShown ? list : list + fmt::format(" and {} more", names.size() - kNamesShown);
}

} // namespace mneme::data
