// SPDX-License-Identifier: MIT

#include "data/file_kind.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "data/numbers.h"
#include "data/readers.h"
#include "data/zip.h"
#include "mneme/data/torch_file.h"

namespace mneme::data {
namespace {

using namespace std::string_view_literals;

constexpr const char* kSupportedFormats =
    "Supported formats are IDX (MNIST: .idx, -ubyte), CIFAR-10 (.bin), .npy, .npz, .png, "
    ".pgm, .pbm, .ppm, .csv, .safetensors and .pt, also compressed (.gz), and folders of images.";
constexpr const char* kToPng =
    "Convert it to PNG: python3 -c \"from PIL import Image; Image.open('FILE').save('NEW.png')\".";

struct UnsupportedFormat {
  size_t offset;
  std::string_view magic;
  std::string_view what; ///< completes "the file is ..."
  std::string_view advice;
};
/// Formats that are recognised by their first bytes but not supported. The first match is used.
constexpr UnsupportedFormat kUnsupportedFormats[] = {
    {0, "BZh"sv, "compressed by bzip2", "Decompress it first: bunzip2 -k FILE."},
    {0,
     "\xFD"
     "7zXZ\0"sv,
     "compressed by xz", "Decompress it first: unxz -k FILE."},
    {0, "\x28\xB5\x2F\xFD"sv, "compressed by zstd", "Decompress it first: unzstd FILE."},
    {0, "\x04\x22\x4D\x18"sv, "compressed by lz4", "Decompress it first: unlz4 FILE."},
    {0, "\x1F\x9D"sv, "compressed by compress", "Decompress it first: gunzip FILE."},
    {257, "ustar"sv, "a tar archive", "Unpack it, and use the files in it: tar -xf FILE."},
    {0, "7z\xBC\xAF\x27\x1C"sv, "a 7z archive", "Unpack it, and use the files in it: 7z x FILE."},
    {0, "Rar!\x1A\x07"sv, "a rar archive", "Unpack it, and use the files in it: unrar x FILE."},
    {0, "\xFF\xD8\xFF"sv, "a JPEG image", kToPng},
    {0, "GIF8"sv, "a GIF image", kToPng},
    {0, "II*\0"sv, "a TIFF image", kToPng},
    {0, "MM\0*"sv, "a TIFF image", kToPng},
    {8, "WEBP"sv, "a WebP image", kToPng},
    {4, "ftypavif"sv, "an AVIF image", kToPng},
    {4, "ftyphei"sv, "a HEIC image", kToPng},
    {0, "\x89HDF\r\n\x1A\n"sv, "an HDF5 file",
     "Save one of its arrays: python3 -c \"import h5py, numpy; numpy.save('NEW.npy', "
     "h5py.File('FILE')['NAME'][:])\"."},
    {0, "MATLAB 7.3 MAT-file"sv, "a MATLAB file (version 7.3, HDF5)",
     "Save one of its arrays: python3 -c \"import h5py, numpy; numpy.save('NEW.npy', "
     "h5py.File('FILE')['NAME'][:].T)\"."},
    {0, "MATLAB 5.0 MAT-file"sv, "a MATLAB file",
     "Save one of its arrays: python3 -c \"import scipy.io, numpy; numpy.save('NEW.npy', "
     "scipy.io.loadmat('FILE')['NAME'])\"."},
    {0, "PAR1"sv, "a Parquet file",
     "Convert it: python3 -c \"import pandas; pandas.read_parquet('FILE').to_csv('NEW.csv', index=False)\"."},
    {0, "ARROW1"sv, "an Arrow file",
     "Convert it: python3 -c \"import pandas; pandas.read_feather('FILE').to_csv('NEW.csv', index=False)\"."},
    {0, "%PDF"sv, "a PDF document", kSupportedFormats},
    {0, "SQLite format 3\0"sv, "an SQLite database", kSupportedFormats},
    {0, "\xD0\xCF\x11\xE0"sv, "an old Microsoft Office document", "Save the table as CSV."},
    {0, "\xFF\xFE"sv, "UTF-16 text", "Convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW."},
    {0, "\xFE\xFF"sv, "UTF-16 text", "Convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW."},
};

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view without_spaces(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    text.remove_prefix(3);
  }
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return text.substr(std::min(begin, text.size()));
}

bool looks_like_safetensors(std::span<const std::byte> start, int64_t size) {
  return start.size() > 8 && start[8] == std::byte{'{'} &&
         unsigned_from(start.first(8), false) <= static_cast<uint64_t>(size - 8);
}

/// True if `start` contains no control characters except tab, form feed and line breaks.
bool is_text(std::string_view start) {
  return std::none_of(start.begin(), start.end(), [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return (code < 0x20 && c != '\t' && c != '\r' && c != '\n' && c != '\f') || code == 0x7F;
  });
}

/// True if one of the first lines consists of numbers.
bool is_table(std::string_view start) {
  constexpr int kLines = 16; // comments and a header may come first
  for (int line = 0; line < kLines && !start.empty(); ++line) {
    const size_t end = std::min(start.find_first_of("\r\n"), start.size());
    const std::string_view text = start.substr(0, end);
    if (text.find_first_of("0123456789") != std::string_view::npos &&
        text.find_first_not_of("0123456789+-.eE,;\" \t") == std::string_view::npos) {
      return true;
    }
    start.remove_prefix(std::min(end + 1, start.size()));
  }
  return false;
}

[[noreturn]] void reject_pickle(const Source& source) {
  // The keys of CIFAR are at the beginning or at the end of the file, so both are searched.
  constexpr int64_t kEnds = 4096;
  const int64_t begin = std::max<int64_t>(0, source.size() - kEnds);
  const std::vector<std::byte> start = source.first_bytes(kEnds),
                               end = SliceSource(source, begin, source.size() - begin, source.name())
                                         .first_bytes(kEnds);
  const std::string keys = std::string(text_of(start)) + std::string(text_of(end));
  if (keys.find("batch_label") != std::string::npos || keys.find("fine_labels") != std::string::npos) {
    fail(source.name(), "is the Python version of CIFAR (a pickle)",
         "Use the binary version (mneme data get cifar-10), or save the images: python3 -c \"import numpy, "
         "pickle; numpy.save('NEW.npy', pickle.load(open('FILE', 'rb'), encoding='bytes')"
         "[b'data'].reshape(-1, 3, 32, 32))\".");
  }
  fail(source.name(), "is a Python pickle, which is not supported because loading one can run arbitrary code",
       "If you trust it, load it in Python, and save its array with numpy.save, or its tensors with "
       "torch.save (PyTorch 1.6 or later).");
}

[[noreturn]] void reject_zip(const Source& source, const std::vector<ZipMember>& members) {
  const auto has = [&](std::string_view folder) {
    return std::any_of(members.begin(), members.end(),
                       [&](const ZipMember& member) { return member.name.starts_with(folder); });
  };
  if (has("xl/")) {
    fail(source.name(), "is an Excel workbook", "Save the table as CSV.");
  }
  constexpr size_t kShown = 5;
  std::string names;
  for (size_t i = 0; i < std::min(kShown, members.size()); ++i) {
    names += fmt::format("{}{:?}", i == 0 ? "" : ", ", members[i].name);
  }
  if (members.size() > kShown) {
    names += fmt::format(" and {} more", members.size() - kShown);
  }
  fail(source.name(),
       members.empty()
           ? "is an empty zip archive"
           : fmt::format("is a zip archive of {}, but neither an .npz nor a file of torch.save", names),
       "Unpack it, and use the files in it: unzip FILE.");
}

FileKind kind_of_zip(const Source& source) {
  const std::vector<ZipMember> members = zip_members(source);
  const auto has = [&](std::string_view ending) {
    return std::any_of(members.begin(), members.end(),
                       [&](const ZipMember& member) { return member.name.ends_with(ending); });
  };
  if (has("/data.pkl")) {
    return FileKind::torch;
  }
  if (has(".npy")) {
    return FileKind::npz;
  }
  reject_zip(source, members);
}

constexpr int64_t kStart = 4096; ///< number of first bytes that are examined

void reject_unsupported_format(const Source& source, std::span<const std::byte> start) {
  const std::string_view text = text_of(start);
  if (text.starts_with("version https://git-lfs.github.com/spec/")) {
    fail(source.name(), "is a git-lfs pointer instead of the file itself",
         "Download the file: git lfs pull.");
  }
  const bool is_binary = !is_text(text); // text may begin with a word such as "PAR1"
  for (const UnsupportedFormat& format : kUnsupportedFormats) {
    const bool is_word = std::ranges::all_of(format.magic, [](char c) { return c >= ' ' && c <= '~'; });
    if ((is_binary || !is_word) && text.size() > format.offset &&
        text.substr(format.offset).starts_with(format.magic)) {
      fail(source.name(), fmt::format("is {}", format.what), std::string(format.advice));
    }
  }
  constexpr std::array kHtml = {"<!doctype html"sv, "<html"sv, "<head"sv, "<body"sv};
  const std::string mark_up = lower_case(std::string(without_spaces(text).substr(0, 512)));
  if (std::any_of(kHtml.begin(), kHtml.end(),
                  [&](std::string_view tag) { return mark_up.starts_with(tag); })) {
    fail(source.name(), "is an HTML page, probably an error page that a server sent instead of the file",
         "Open it in a browser to see the error, then download the file itself.");
  }
  if (mark_up.starts_with("<?xml") || mark_up.starts_with("<svg") || mark_up.starts_with("<error")) {
    fail(source.name(), "is an XML document",
         "If a server sent it instead of the file, look for an error message in it, "
         "then download the file itself.");
  }
  if (text.size() > 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5) {
    reject_pickle(source);
  }
  constexpr size_t kBmpHeader = 6;
  if (text.starts_with("BM") && text.size() > kBmpHeader &&
      unsigned_from(start.subspan(2, 4), false) == static_cast<uint64_t>(source.size())) {
    fail(source.name(), "is a BMP image", kToPng);
  }
  if (text.starts_with("P7\nWIDTH") || text.starts_with("P7\nHEIGHT") || text.starts_with("P7\n#")) {
    fail(source.name(), "is a PAM image", kToPng);
  }
}

/// PBM, PGM or PPM: "P1" to "P6", and then a number or a comment, unlike the header of a table.
bool is_netpbm(std::string_view text) {
  if (text.size() < 4 || text[0] != 'P' || text[1] < '1' || text[1] > '6') {
    return false;
  }
  const size_t next = text.find_first_not_of(" \t\r\n", 2);
  return next != std::string_view::npos && (next > 2 || text[2] == '#') &&
         std::string_view("0123456789#").find(text[next]) != std::string_view::npos;
}

/// The records of CIFAR-100 have two labels: 0 to 19, and 0 to 99.
bool looks_like_cifar_100(const Source& source) {
  constexpr int64_t kRecord = 3074, kMaxRecords = 100;
  if (source.size() % kRecord != 0) {
    return false;
  }
  std::array<std::byte, 2> labels{};
  for (int64_t i = 0; i < std::min(kMaxRecords, source.size() / kRecord); ++i) {
    source.read(i * kRecord, labels, "labels");
    if (static_cast<int>(labels[0]) >= 20 || static_cast<int>(labels[1]) >= 100) {
      return false;
    }
  }
  return true;
}

} // namespace

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

void reject_unsupported_format(const Source& source) {
  reject_unsupported_format(source, source.first_bytes(kStart));
}

void reject_unless_safetensors(const Source& source) {
  const std::vector<std::byte> start = source.first_bytes(kStart);
  reject_unsupported_format(source, start);
  const std::string_view text = text_of(start);
  constexpr size_t kHeader = 8; // the offset of the JSON
  const char* kind = text.starts_with("\x93NUMPY")  ? "a .npy file"
                     : text.starts_with("\x89PNG")  ? "a PNG image"
                     : text.starts_with("\x1F\x8B") ? "compressed by gzip"
                     : is_zip(start)                ? "a zip archive"
                     : is_text(text) && (text.size() <= kHeader || text[kHeader] != '{') ? "text"
                                                                                         : nullptr;
  if (kind != nullptr) {
    fail(source.name(), fmt::format("is {}, but tensors (.safetensors or .pt) were expected", kind),
         "Write tensors with safetensors.torch.save_file, safetensors.numpy.save_file or torch.save.");
  }
}

FileKind kind_of(const Source& source) {
  const std::vector<std::byte> start = source.first_bytes(kStart);
  const std::string_view text = text_of(start);
  std::string name = lower_case(source.title());
  if (name.ends_with(".gz")) {
    name.resize(name.size() - 3);
  }
  if (text.starts_with("\x93NUMPY")) {
    return FileKind::npy;
  }
  if (text.starts_with("\x89PNG")) {
    return FileKind::png;
  }
  if (is_netpbm(text)) {
    return FileKind::netpbm;
  }
  if (is_zip(start)) {
    return kind_of_zip(source);
  }
  // CIFAR-10 has no magic number, and its first bytes could match one of the short ones below.
  constexpr int64_t kCifarRecord = 3073;
  if (name.ends_with(".bin") && source.size() % kCifarRecord == 0) {
    return FileKind::cifar;
  }
  if (name.ends_with(".bin") && looks_like_cifar_100(source)) {
    fail(source.name(),
         "is CIFAR-100 (records of 3074 bytes with two labels), but only CIFAR-10 is supported",
         "Save its images: python3 -c \"import numpy; numpy.save('NEW.npy', numpy.fromfile('FILE', "
         "numpy.uint8).reshape(-1, 3074)[:, 2:].reshape(-1, 3, 32, 32))\".");
  }
  if (start.size() >= 4 &&
      is_idx_magic(static_cast<uint32_t>(unsigned_from(std::span(start).first(4), true)))) {
    return FileKind::idx;
  }
  if (looks_like_safetensors(start, source.size())) {
    return FileKind::safetensors;
  }
  if (is_torch_file(start)) { // format before PyTorch 1.6, without a zip archive
    return FileKind::torch;
  }
  reject_unsupported_format(source, start);
  constexpr std::pair<std::string_view, FileKind> kEndings[] = {
      {".npy", FileKind::npy},   {".safetensors", FileKind::safetensors},
      {".idx", FileKind::idx},   {"-ubyte", FileKind::idx},
      {".bin", FileKind::cifar}, {".csv", FileKind::csv},
      {".tsv", FileKind::csv},
  };
  for (const auto& [ending, kind] : kEndings) {
    if (name.ends_with(ending)) {
      return kind;
    }
  }
  for (const std::string_view ending : {".png"sv, ".npz"sv, ".pt"sv, ".pth"sv}) {
    if (name.ends_with(ending)) {
      fail(source.name(),
           fmt::format("is named {}, but its first bytes are not those of this format", ending),
           "Check where the file comes from, or rename it with the extension of its format.");
    }
  }
  if (is_text(text) && is_table(without_spaces(text))) {
    return FileKind::csv;
  }
  fail(source.name(),
       is_text(text) ? "is text, but none of its first lines consists of numbers"
                     : "the format is unknown: it cannot be detected from the first bytes or the file name",
       kSupportedFormats);
}

} // namespace mneme::data
