// SPDX-License-Identifier: MIT

#include "report/page.h"

#include <algorithm>
#include <utility>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/version.h"
#include "report/embedded.h"
#include "report/text.h"

namespace mneme::report {
namespace {

constexpr uint32_t kPageWidth = 856;    // CSS pixels of the text at most, as in page.css
constexpr size_t kNameLength = 24;      // a row heading of one word of up to this length is not wrapped
constexpr size_t kChartRowsShown = 500; // rows in the table of a chart's data; the drawing has all points
// Vega compiles its expressions with Function(), which needs unsafe-eval. All requests are forbidden.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'";
constexpr const char* kHowToBundle =
    "This build of mneme does not include the JavaScript library that draws charts, so each chart is shown "
    "as a table of its data. To draw the charts, create the library with `python -c \"import vl_convert; "
    "print(vl_convert.javascript_bundle())\" > vega.js` and configure the build with "
    "`-DMNEME_VEGA_BUNDLE=vega.js`.";

constexpr const char* kFigureSpace = "\u2007"; // as wide as a digit, unlike a normal space in many fonts

std::string base64(std::string_view bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (size_t k = 0; k < 4; ++k) {
      text += k <= count ? kLetters[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

/// JSON for a script element: < > & and the Unicode line separators U+2028, U+2029 as \u escapes.
std::string json_for_script(const nlohmann::json& json) {
  const std::string dumped = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string text;
  text.reserve(dumped.size());
  for (size_t i = 0; i < dumped.size(); ++i) {
    const std::string_view rest = std::string_view(dumped).substr(i);
    if (rest.starts_with("\u2028") || rest.starts_with("\u2029")) {
      text += rest.starts_with("\u2028") ? "\\u2028" : "\\u2029";
      i += 2;
    } else if (dumped[i] == '<' || dumped[i] == '>' || dumped[i] == '&') {
      text += dumped[i] == '<' ? "\\u003c" : dumped[i] == '>' ? "\\u003e" : "\\u0026";
    } else {
      text += dumped[i];
    }
  }
  return text;
}

std::string with_code(std::string_view text) {
  std::string html;
  for (bool is_code = false; !text.empty(); is_code = !is_code) {
    const size_t tick = std::min(text.find('`'), text.size());
    const std::string part = escape_html(text.substr(0, tick));
    const bool closed = tick < text.size();
    html += is_code && closed ? "<code>" + part + "</code>" : is_code ? "`" + part : part;
    text.remove_prefix(closed ? tick + 1 : tick);
  }
  return html;
}

std::string paragraphs(std::string_view text, const std::string& attributes = "",
                       const std::string& lead = "") {
  std::string html, first = lead;
  while (!text.empty()) {
    const size_t end = std::min(text.find("\n\n"), text.size());
    const std::string_view paragraph = text.substr(0, end);
    if (paragraph.find_first_not_of(" \n") != std::string_view::npos) {
      html += "<p" + attributes + ">" + std::exchange(first, "") + with_code(paragraph) + "</p>\n";
    }
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  return html;
}

/// Width and height, read from the IHDR chunk at the beginning of the file.
std::pair<uint32_t, uint32_t> png_size(const Picture& picture) {
  using std::string_view_literals::operator""sv;
  constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"sv;
  if (picture.png.size() < 24 || !std::string_view(picture.png).starts_with(kSignature)) {
    throw UsageError("mneme::report::Picture: \"" + one_line(picture.alt) + "\" is " +
                     std::to_string(picture.png.size()) +
                     " bytes that are not a PNG file.\n  Pass the contents of a complete .png file.");
  }
  const auto read = [&](size_t at) {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4; ++i) {
      value = value << 8 | static_cast<unsigned char>(picture.png[i]);
    }
    return value;
  };
  return {read(16), read(20)};
}

class Writer {
public:
  std::string section(const Section& section, const std::string& id) {
    std::string html = "<section aria-labelledby=\"" + id + "\">\n<h2 id=\"" + id + "\">" +
                       escape_html(section.heading) + "</h2>\n";
    for (const Block& block : section.blocks) {
      html += std::visit([this](const auto& content) { return this->write(content); }, block);
    }
    return html + "</section>\n";
  }

  const nlohmann::json& charts() const { return charts_; }

private:
  static std::string write(const Prose& prose) { return paragraphs(prose.text); }

  static std::string write(const Verbatim& verbatim) { // the first line break in <pre> is not shown
    return "<pre>\n" + escape_html(verbatim.text) + "</pre>\n";
  }

  static std::string write(const Heading& heading) { return "<h3>" + escape_html(heading.text) + "</h3>\n"; }

  static std::string write(const Note& note) {
    const std::string lead = note.is_warning ? "<strong>Warning.</strong> " : "";
    return "<div class=\"note" + std::string(note.is_warning ? " warning" : "") + "\" role=\"note\">\n" +
           paragraphs(note.text, "", lead) + "</div>\n";
  }

  static std::string write(const Parameters& parameters) {
    std::string html = "<dl>\n";
    for (const auto& [name, value] : parameters.values) {
      html += "<dt>" + escape_html(name) + "</dt><dd>" + escape_html(value) + "</dd>\n";
    }
    return html + "</dl>\n";
  }

  std::string write(const CaptionedTable& block) {
    const std::string html =
        table(block.table, block.caption, block.table.rows.size(), block.marked_rows, block.remark);
    return block.folded.empty()
               ? html
               : "<details><summary>" + escape_html(block.folded) + "</summary>\n" + html + "</details>\n";
  }

  static std::string write(const Picture& picture) {
    const auto [width, height] = png_size(picture);
    if (picture.alt.empty()) {
      throw UsageError(
          "mneme::report::Picture: alt is empty.\n  Describe in one sentence what the picture shows.");
    }
    const std::string caption =
        picture.caption.empty() ? "" : "<figcaption>" + escape_html(picture.caption) + "</figcaption>\n";
    // A picture wider than the page is reduced, for which nearest-neighbour scaling would drop lines of text.
    const bool is_pixelated = picture.pixelated && width <= kPageWidth;
    return "<figure class=\"picture" + std::string(is_pixelated ? " pixelated" : "") + "\">\n" + caption +
           "<img alt=\"" + escape_html(picture.alt) + "\" width=\"" + std::to_string(width) + "\" height=\"" +
           std::to_string(height) + "\" src=\"data:image/png;base64," + base64(picture.png) +
           "\">\n</figure>\n";
  }

  std::string write(const Chart& chart) { return write(Figure{.chart = chart}); }

  std::string write(const Figure& figure) {
    const Chart& chart = figure.chart;
    nlohmann::json spec = chart.spec;
    spec.erase("title");   // The page shows it above the drawing, as text that wraps.
    spec.erase("$schema"); // Without it, both Vega-Lite 5 and 6 draw without a warning.
    charts_.push_back(std::move(spec));
    std::string html = "<figure>\n<figcaption>" + escape_html(chart.title) + "</figcaption>\n" +
                       paragraphs(figure.remark, " class=\"remark\"");
    if (has_page_bundle()) {
      html += "<div class=\"chart\"></div>\n<noscript><p>This chart needs JavaScript.</p></noscript>\n";
    } else if (!chart.description.empty()) {
      html += "<p>" + escape_html(chart.description) + "</p>\n";
    }
    html += "<details" + std::string(has_page_bundle() ? "" : " open") +
            "><summary>Data of this chart</summary>\n" +
            table(chart.numbers, "Data of: " + chart.title, kChartRowsShown) + "</details>\n";
    return html + links(figure.links) + "</figure>\n";
  }

  static std::string links(const std::vector<Link>& links) {
    std::string html;
    for (const auto& [text, target] : links) {
      html += (html.empty() ? "<p class=\"links\">" : " · ") + ("<a href=\"" + escape_html(target) + "\">") +
              escape_html(text) + "</a>";
    }
    return html.empty() ? html : html + "</p>\n";
  }

  std::string table(const Table& all, const std::string& caption, size_t rows_shown,
                    const std::vector<size_t>& marked = {}, const std::string& remark = "") {
    check_table(all);
    Table shown = all;
    shown.rows.resize(std::min(all.rows.size(), rows_shown));
    std::vector<std::vector<std::string>> cells;
    std::vector<std::string> attributes;
    // The caption is outside of the part that scrolls, so that it is as wide as the page.
    const std::string id = "table-" + std::to_string(++num_tables_);
    const std::string name = caption.empty() ? " aria-label=\"Table\"" : " aria-labelledby=\"" + id + "\"";
    std::string html = "<div class=\"table\">\n";
    html +=
        caption.empty() ? "" : "<p class=\"caption\" id=\"" + id + "\">" + escape_html(caption) + "</p>\n";
    html += paragraphs(remark, " class=\"remark\"");
    html += "<div class=\"scroll\" role=\"group\" tabindex=\"0\"" + name + ">\n<table" + name + ">\n";
    html += "<thead><tr>";
    for (size_t c = 0; c < shown.columns.size(); ++c) {
      cells.push_back(shown_cells(shown, c, kFigureSpace));
      attributes.emplace_back(is_right_aligned(shown, c) ? " class=\"number\"" : "");
      html += "<th scope=\"col\"" + attributes[c] + ">" + escape_html(heading(shown.columns[c])) + "</th>";
    }
    html += "</tr></thead>\n<tbody>\n";
    for (size_t r = 0; r < shown.rows.size(); ++r) {
      html += std::ranges::find(marked, r) != marked.end() ? "<tr class=\"marked\">" : "<tr>";
      for (size_t c = 0; c < cells.size(); ++c) {
        const bool is_heading = c == 0 && !cells[c][r].empty(); // empty: the heading is that of the row above
        const std::string tag = is_heading ? "th" : "td";
        // A name such as "pattern-sdm" is not broken at its hyphens.
        const bool is_name = is_heading && attributes[c].empty() && cells[c][r].size() <= kNameLength &&
                             cells[c][r].find(' ') == std::string::npos;
        html += "<" + tag + (is_heading ? " scope=\"row\"" : "") +
                (is_name ? " class=\"name\"" : attributes[c]) + ">" + escape_html(cells[c][r]) + "</" + tag +
                ">";
      }
      html += "</tr>\n";
    }
    html += "</tbody>\n</table>\n</div>\n";
    if (shown.rows.size() < all.rows.size()) {
      html += "<p>The first " + std::to_string(shown.rows.size()) + " of " + std::to_string(all.rows.size()) +
              " rows.</p>\n";
    }
    return html + "</div>\n";
  }

  nlohmann::json charts_ = nlohmann::json::array();
  int64_t num_tables_ = 0;
};

std::string id_of(const Page& page, size_t section) {
  const std::string& id = page.sections[section].id;
  return id.empty() ? "section-" + std::to_string(section + 1) : escape_html(id);
}

std::string contents(const Page& page) {
  if (page.sections.size() < 3) {
    return "";
  }
  std::string html = "<nav aria-label=\"Contents\"><ul>\n";
  for (size_t i = 0; i < page.sections.size(); ++i) {
    html +=
        "<li><a href=\"#" + id_of(page, i) + "\">" + escape_html(page.sections[i].heading) + "</a></li>\n";
  }
  return html + "</ul></nav>\n";
}

} // namespace

bool has_page_bundle() {
  return !kVegaBundle.empty();
}

std::string to_html(const Page& page) {
  Writer writer;
  std::string sections;
  for (size_t i = 0; i < page.sections.size(); ++i) {
    sections += writer.section(page.sections[i], id_of(page, i));
  }
  const bool has_charts = !writer.charts().empty();
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"" +
                     std::string(kPolicy) +
                     "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<link rel=\"icon\" href=\"data:,\">\n<title>" +
                     escape_html(page.title) + "</title>\n<style>\n" + std::string(kPageStyle) +
                     "</style>\n</head>\n<body>\n<header>\n<h1>" + escape_html(page.title) + "</h1>\n" +
                     paragraphs(page.intro, " class=\"intro\"") + contents(page) + "</header>\n<main>\n";
  if (has_charts && !has_page_bundle()) {
    html += "<div class=\"note\" role=\"note\">\n" + paragraphs(kHowToBundle) + "</div>\n";
  }
  html += sections + "</main>\n<footer>Made by mneme " + std::string(version()) +
          ". This page is self-contained and works offline.</footer>\n";
  if (has_charts && has_page_bundle()) {
    html += "<script type=\"application/json\" id=\"charts\">" + json_for_script(writer.charts()) +
            "</script>\n<script>\n(() => {\"use strict\";\n" + escape_script(kVegaBundle) +
            "\n})();\n</script>\n<script>\n" + escape_script(kPageScript) + "</script>\n";
  }
  return html + "</body>\n</html>\n";
}

void write_page(const std::filesystem::path& path, const Page& page) {
  write_file_atomically(path, to_html(page));
}

} // namespace mneme::report
