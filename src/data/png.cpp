// SPDX-License-Identifier: MIT

#include "mneme/data/png.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <png.h>

#include "data/file_kind.h"
#include "data/pattern_folder.h"
#include "data/readers.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/data/grey.h"
#include "mneme/data/netpbm.h"

namespace mneme::data {
namespace {

// libpng reports errors by longjmp, which must not skip destructors. So every call of libpng that can fail is
// in one of the functions below (read_info, start_pixels, read_pixels, write_rows), which own nothing: their
// callers own all buffers.

/// Input of libpng, its last warning (which contains details of errors) and the error message.
struct ReadState {
  const std::byte* bytes = nullptr;
  size_t size = 0, at = 0;
  char warning[200] = "", error[200] = "";
  bool surplus_allowed = false; ///< while reading pixels, surplus bytes after the last one are not an error
};

void copy_message(char (&where)[200], const char* message) {
  std::snprintf(where, sizeof(where), "%s", message);
}

[[noreturn]] void on_read_error(png_structp png, png_const_charp message) {
  copy_message(static_cast<ReadState*>(png_get_error_ptr(png))->error, message);
  png_longjmp(png, 1);
}

/// True for libpng's messages about compressed bytes after the last pixel. All pixels have been decoded by
/// then, so the image is complete; browsers, Pillow and libpng's own programs show it.
bool is_surplus(std::string_view message) {
  constexpr std::array<std::string_view, 3> kSurplus{"Extra compressed data", "Too much image data",
                                                     "Too many IDATs found"};
  return std::any_of(kSurplus.begin(), kSurplus.end(), [&](std::string_view surplus) {
    return message.find(surplus) != std::string_view::npos;
  });
}

void on_read_warning(png_structp png, png_const_charp message) {
  auto& state = *static_cast<ReadState*>(png_get_error_ptr(png));
  if (state.surplus_allowed &&
      !is_surplus(message)) { // other errors are not tolerated, although libpng would
    on_read_error(png, message);
  }
  copy_message(state.warning, message);
}

void on_read(png_structp png, png_bytep to, size_t length) {
  auto& state = *static_cast<ReadState*>(png_get_io_ptr(png));
  if (length > state.size - state.at) {
    png_error(png, "the file is too short");
  }
  std::memcpy(to, state.bytes + state.at, length);
  state.at += length;
}

class Reader {
public:
  explicit Reader(ReadState& state)
      : png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, on_read_error, on_read_warning)),
        info_(png_ != nullptr ? png_create_info_struct(png_) : nullptr) {
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
    png_set_read_fn(png_, &state, on_read);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  png_structp png() const { return png_; }
  png_infop info() const { return info_; }

private:
  png_structp png_;
  png_infop info_;
};

bool read_info(png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png)) != 0) {
    return false;
  }
  png_set_benign_errors(png, 0);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF); // the caller compares the sizes with that of the file
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr,
                              -1); // texts, profiles, times are not needed
  png_read_info(png, info);
  return true;
}

/// Sets the output format to 8 or 16 bits per sample, without palette. Row bytes and channels are final
/// afterwards.
bool start_pixels(png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png)) != 0) {
    return false;
  }
  png_set_expand(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return true;
}

bool read_pixels(png_structp png, png_bytepp rows) {
  if (setjmp(png_jmpbuf(png)) != 0) {
    return false;
  }
  png_set_benign_errors(png,
                        1); // reported as warnings; on_read_warning accepts only those about surplus bytes
  static_cast<ReadState*>(png_get_error_ptr(png))->surplus_allowed = true;
  png_read_image(png, rows);
  png_read_end(png, nullptr);
  return true;
}

[[noreturn]] void fail_png(const Source& source, const ReadState& state) {
  const std::string detail = state.warning[0] != '\0' ? fmt::format(" ({})", state.warning) : "";
  fail(source.name(),
       fmt::format("the PNG is invalid at or before byte {}: {}{}", state.at, state.error, detail),
       kFileDamaged);
}

/// Decodes a sample of `bytes` bytes (1 or 2, big-endian) to 0 .. 1.
double sample(const png_byte* at, size_t bytes) {
  return bytes == 1 ? at[0] / 255.0 : (at[0] * 256 + at[1]) / 65535.0;
}

double grey_over_white(const png_byte* pixel, size_t channels, size_t bytes) {
  const auto channel = [&](size_t i) { return sample(pixel + i * bytes, bytes); };
  const double grey = channels >= 3 ? luma(channel(0), channel(1), channel(2)) : channel(0);
  const double alpha = channels % 2 == 0 ? channel(channels - 1) : 1;
  return alpha * grey + (1 - alpha);
}

struct WriteState {
  std::vector<std::byte>* bytes = nullptr;
  bool memory_failed = false;
  char error[200] = "";
};

void on_write_warning(png_structp, png_const_charp) {}

[[noreturn]] void on_write_error(png_structp png, png_const_charp message) {
  copy_message(static_cast<WriteState*>(png_get_error_ptr(png))->error, message);
  png_longjmp(png, 1);
}

void on_write(png_structp png, png_bytep from,
              size_t length) { // NOLINT(readability-non-const-parameter): libpng's
  auto& state = *static_cast<WriteState*>(png_get_io_ptr(png));
  try {
    const auto* bytes = reinterpret_cast<const std::byte*>(from);
    state.bytes->insert(state.bytes->end(), bytes, bytes + length);
  } catch (const std::bad_alloc&) {
    state.memory_failed = true;
  }
  if (state.memory_failed) {
    png_error(png, "out of memory");
  }
}

bool write_rows(png_structp png, png_infop info, png_uint_32 width, png_uint_32 height, int colour,
                png_bytepp rows) {
  if (setjmp(png_jmpbuf(png)) != 0) {
    return false;
  }
  png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF);
  png_set_IHDR(png, info, width, height, 8, colour, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE,
               PNG_FILTER_TYPE_BASE);
  png_set_compression_level(png, 9);
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
  png_set_rows(png, info, rows);
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  return true;
}

} // namespace

PatternSet read_png(const Source& source) {
  const std::vector<std::byte> bytes = source.first_bytes(source.size());
  ReadState state{.bytes = bytes.data(), .size = bytes.size()};
  const Reader reader(state);
  if (!read_info(reader.png(), reader.info())) {
    fail_png(source, state);
  }
  const auto width = static_cast<int64_t>(png_get_image_width(reader.png(), reader.info()));
  const auto height = static_cast<int64_t>(png_get_image_height(reader.png(), reader.info()));
  const auto packed = static_cast<int64_t>(png_get_rowbytes(reader.png(), reader.info()));
  constexpr int64_t kMaxInflateRatio = 1032; // deflate: at most 258 bytes from two bits
  const auto file_size = static_cast<int64_t>(bytes.size());
  if (packed > file_size * kMaxInflateRatio / height) { // libpng has rejected a height of 0
    fail(source.name(),
         fmt::format("IHDR at byte 16: {} x {} pixels require {} bytes per row, more than a file of {} bytes "
                     "can contain",
                     width, height, packed, file_size),
         kFileDamaged);
  }
  if (!start_pixels(reader.png(), reader.info())) {
    fail_png(source, state);
  }
  const size_t row_bytes = png_get_rowbytes(reader.png(), reader.info());
  std::vector<std::byte> pixels = make_bytes(source.name(), static_cast<int64_t>(row_bytes) * height);
  std::vector<png_bytep> rows(static_cast<size_t>(height));
  for (size_t y = 0; y < rows.size(); ++y) {
    rows[y] = reinterpret_cast<png_bytep>(pixels.data()) + y * row_bytes;
  }
  if (!read_pixels(reader.png(), rows.data())) {
    fail_png(source, state);
  }
  PatternSet set;
  set.patterns = make_patterns(source.name(), 1, width * height);
  const size_t channels = png_get_channels(reader.png(), reader.info());
  const size_t sample_bytes = png_get_bit_depth(reader.png(), reader.info()) == 16 ? 2 : 1;
  for (size_t i = 0; i < static_cast<size_t>(width * height); ++i) {
    const size_t x = i % static_cast<size_t>(width), y = i / static_cast<size_t>(width);
    set.patterns[0][i] = grey_over_white(rows[y] + x * channels * sample_bytes, channels, sample_bytes);
  }
  set.height = height;
  set.width = width;
  set.channels = 1;
  set.threshold = 0.5;
  set.file_scale = sample_bytes == 1 ? 255 : 65535;
  set.source = source.title();
  return set;
}

PatternSet parse_png(std::span<const std::byte> bytes, const std::string& name) {
  return read_png(MemorySource(bytes, name));
}

PatternSet read_png(const std::filesystem::path& path) {
  return read_png(*open_source(path));
}

PatternSet read_png_folder(const std::filesystem::path& folder, int64_t limit) {
  const FolderContent content = list_folder(folder);
  const std::vector<std::filesystem::path> images = image_files(content.files);
  if (images.empty()) {
    const auto other = std::find_if(content.files.begin(), content.files.end(), [](const auto& file) {
      constexpr std::array<std::string_view, 7> kOthers{".jpg", ".jpeg", ".gif", ".bmp",
                                                        ".tif", ".tiff", ".webp"};
      return std::find(kOthers.begin(), kOthers.end(), lower_case(file.extension().string())) !=
             kOthers.end();
    });
    fail(folder.string(),
         fmt::format("contains no files named *.png or *.pgm, at least 1 was expected{}",
                     other == content.files.end()
                         ? ""
                         : fmt::format("; {:?} is an image of another format", other->filename().string())),
         other == content.files.end() ? "Use a folder of PNG images, or files: 'FOLDER/*.npy'."
                                      : "Convert the images to PNG: mogrify -format png FOLDER/*.");
  }
  PatternSet set = read_image_files(images, limit);
  set.source = folder_title(folder);
  return set;
}

PatternSet read_image_files(std::span<const std::filesystem::path> paths, int64_t limit) {
  const int64_t all_paths = std::ssize(paths);
  paths = paths.first(static_cast<size_t>(limited(all_paths, limit)));
  PatternSet set;
  for (size_t i = 0; i < paths.size(); ++i) {
    const bool is_png = lower_case(paths[i].extension().string()) == ".png";
    PatternSet one = is_png ? read_png(paths[i]) : read_netpbm(paths[i]);
    if (i == 0) {
      set = std::move(one);
      RealPatterns all = make_patterns(paths[i].string(), std::ssize(paths), set.patterns.size());
      std::copy(set.patterns[0].begin(), set.patterns[0].end(), all[0].begin());
      set.patterns = std::move(all);
      continue;
    }
    if (one.height != set.height || one.width != set.width) {
      fail(paths[i].string(),
           fmt::format("has {} x {} pixels (width x height), but {} has {} x {}", one.width, one.height,
                       paths[0].filename().string(), set.width, set.height),
           "Scale all images of a folder to the same size.");
    }
    if (one.file_scale != set.file_scale) { // 8 and 16 bits per sample: both are in [0, 1]
      set.file_scale = 1;
    }
    std::copy(one.patterns[0].begin(), one.patterns[0].end(), set.patterns[static_cast<int64_t>(i)].begin());
  }
  set.count_without_limit = all_paths;
  return set;
}

std::vector<std::byte> to_png(const Image& image) {
  constexpr int64_t kMaxSide = 0x7FFFFFFF; // limit of the format
  const std::array<int64_t, 3> sizes{image.height, image.width, image.channels};
  if (image.height < 1 || image.width < 1 || image.height > kMaxSide || image.width > kMaxSide ||
      (image.channels != 1 && image.channels != 3) || product(sizes) != std::ssize(image.pixels)) {
    throw UsageError(fmt::format(
        "mneme::data::to_png: invalid image: {} x {} pixels of {} channels with {} samples.\n"
        "  Required are sides of 1 to 2^31 - 1, 1 or 3 channels, and height x width x channels samples.",
        image.height, image.width, image.channels, image.pixels.size()));
  }
  std::vector<uint8_t> pixels = image.pixels; // libpng requires writable rows
  std::vector<png_bytep> rows(static_cast<size_t>(image.height));
  for (size_t y = 0; y < rows.size(); ++y) {
    rows[y] = pixels.data() + y * static_cast<size_t>(image.width * image.channels);
  }
  std::vector<std::byte> bytes;
  WriteState state{.bytes = &bytes};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &state, on_write_error, on_write_warning);
  png_infop info = png != nullptr ? png_create_info_struct(png) : nullptr;
  bool written = false;
  if (info != nullptr) {
    png_set_write_fn(png, &state, on_write, [](png_structp) {});
    written =
        write_rows(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height),
                   image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, rows.data());
  }
  png_destroy_write_struct(&png, &info);
  if (!written) {
    throw OutputError(fmt::format("cannot encode a PNG of {} x {} pixels: {}.\n  Use a smaller image.",
                                  image.height, image.width,
                                  state.error[0] != '\0' ? state.error : "out of memory"));
  }
  return bytes;
}

void write_png(const std::filesystem::path& path, const Image& image) {
  write_file_atomically(path, to_png(image));
}

} // namespace mneme::data
