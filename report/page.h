// SPDX-License-Identifier: MIT

/// Self-contained HTML page with text, tables, charts and images. It makes no network requests.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "report/chart.h"
#include "report/table.h"

namespace mneme::report {

/// Plain text; blank lines separate paragraphs, `backticks` mark code.
struct Prose {
  std::string text = {};
};

/// Text that keeps its line breaks and blanks, such as the output of a language model; long lines wrap.
struct Verbatim {
  std::string text = {};
};

struct CaptionedTable {
  Table table = {};
  std::string caption = {};
  std::vector<size_t> marked_rows = {}; ///< highlighted rows, such as checks that failed
  std::string folded = {};              ///< summary line of a collapsed table; empty: not collapsed
  std::string remark = {};              ///< as in Prose; explains the columns
};

struct Link {
  std::string text = {};
  std::string target = {}; ///< path relative to the page, such as "results/recall.csv"
};

/// A chart with a remark and links to its files.
struct Figure {
  Chart chart = {};
  std::string remark = {}; ///< as in Prose
  std::vector<Link> links = {};
};

/// A heading within a section.
struct Heading {
  std::string text = {};
};

/// A PNG image.
struct Picture {
  std::string png = {}; ///< contents of the PNG file
  std::string alt = {}; ///< alternative text, for readers who cannot see the image
  std::string caption = {};
  bool pixelated = false; ///< nearest-neighbour scaling when the page enlarges the image
};

struct Note {
  std::string text = {}; ///< as in Prose
  bool is_warning = false;
};

/// Settings of a run as (name, value), in order.
struct Parameters {
  std::vector<std::pair<std::string, std::string>> values = {};
};

using Block =
    std::variant<Prose, Verbatim, Heading, CaptionedTable, Chart, Figure, Picture, Note, Parameters>;

struct Section {
  std::string heading = {};
  std::vector<Block> blocks = {};
  std::string id = {}; ///< for links to it, such as "sdm-recall"; empty: "section-1" and so on
};

struct Page {
  std::string title = {};
  std::string intro = {}; ///< as in Prose
  std::vector<Section> sections = {};
};

/// True if this build contains the JavaScript library that draws charts (CMake: MNEME_VEGA_BUNDLE). Without
/// it, pages show a table for each chart and explain how to build with the library.
bool has_page_bundle();

/// The page as HTML5 in UTF-8. All text is escaped, and a Content-Security-Policy forbids all requests.
///
/// Errors  UsageError if a picture is not a PNG or has no alt text, or a table is not rectangular (table.h)
std::string to_html(const Page& page);

/// Writes the page atomically. Errors as `to_html`, and OutputError.
void write_page(const std::filesystem::path& path, const Page& page);

} // namespace mneme::report
