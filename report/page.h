// SPDX-License-Identifier: MIT

/// One HTML page that holds everything it shows: text, tables, charts, pictures. No request leaves it.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "report/chart.h"
#include "report/table.h"

namespace mneme::report {

/// Plain text; blank lines part paragraphs, `backticks` mark code.
struct Prose {
  std::string text = {};
};

struct CaptionedTable {
  Table table = {};
  std::string caption = {};
  std::vector<size_t> marked_rows = {}; ///< rows that ask for attention, such as a check that did not hold
  std::string folded = {};              ///< what stands for the table until it is opened; empty: it is open
};

struct Link {
  std::string text = {};
  std::string target = {}; ///< a file beside the page, such as "results/recall.csv"
};

/// A chart with what is to be seen in it, and the files that hold it.
struct Figure {
  Chart chart = {};
  std::string remark = {}; ///< as in Prose
  std::vector<Link> links = {};
};

/// A heading within a section.
struct Heading {
  std::string text = {};
};

/// A PNG file's bytes.
struct Picture {
  std::string png = {};
  std::string alt = {}; ///< what it shows, for readers who cannot see it
  std::string caption = {};
  bool pixelated = false; ///< keep pixels crisp when the page enlarges it
};

struct Note {
  std::string text = {}; ///< as in Prose
  bool is_warning = false;
};

/// What was run with which settings: name and value, in order.
struct Parameters {
  std::vector<std::pair<std::string, std::string>> values = {};
};

using Block = std::variant<Prose, Heading, CaptionedTable, Chart, Figure, Picture, Note, Parameters>;

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

/// True if this build carries the JavaScript that draws charts (CMake: MNEME_VEGA_BUNDLE). Without it pages
/// show the numbers of each chart and say how to get the drawing.
bool has_page_bundle();

/// The page as HTML5, UTF-8. All text is escaped; the page forbids itself every request
/// (Content-Security-Policy).
///
/// Errors  UsageError if a picture is no PNG or has no alt text, or a table is not rectangular (table.h)
std::string to_html(const Page& page);

/// Writes the page atomically. Errors as `to_html`, and OutputError.
void write_page(const std::filesystem::path& path, const Page& page);

} // namespace mneme::report
