// SPDX-License-Identifier: MIT

#include "report/page.h"

#include <algorithm>
#include <regex>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "mneme/core/error.h"
#include "mneme/data/png.h"

namespace mneme::report {
namespace {

using std::string_literals::operator""s;

const std::string kHostile = "</script><img src=x onerror=alert(1)>\"' <!-- \u2028 http://evil.example/";

std::string tiny_png() {
  const testing::TemporaryFolder folder;
  data::write_png(folder / "tiny.png",
                  {.height = 2, .width = 3, .channels = 1, .pixels = {0, 50, 100, 150, 200, 250}});
  return testing::read_text(folder / "tiny.png");
}

/// A page with every kind of block, each filled with `text`.
Page full_page(const std::string& text) {
  const Table table{.columns = {{.name = text, .key = "a"}, {.name = "n"}}, .rows = {{text, int64_t{5}}}};
  const Chart chart = to_chart(LineChart{.title = text,
                                         .description = text,
                                         .x = {.title = text},
                                         .y = {.title = text},
                                         .series = {{.name = text, .points = {{1, {2, 1, 3}}}}}});
  return {
      .title = text,
      .intro = text,
      .sections = {
          {text, {Prose{text}, Verbatim{text}, Note{text}, Note{text, true}, CaptionedTable{table, text}}},
          {text, {chart, Parameters{{{text, text}}}}},
          {text, {Picture{tiny_png(), text, text}}}}};
}

size_t count(const std::string& text, const std::string& pattern) {
  size_t found = 0;
  for (size_t at = text.find(pattern); at != std::string::npos; at = text.find(pattern, at + 1)) {
    ++found;
  }
  return found;
}

/// The page without the contents of script and style elements.
std::string markup(const std::string& html) {
  std::string rest;
  for (size_t at = 0; at < html.size();) {
    const size_t script = html.find("<script", at), style = html.find("<style", at);
    const size_t begin = std::min({script, style, html.size()});
    rest += html.substr(at, begin - at);
    at = begin == html.size() ? begin : html.find(begin == script ? "</script>" : "</style>", begin);
  }
  return rest;
}

TEST(Page, EscapesHostileTextEverywhere) {
  const std::string html = to_html(full_page(kHostile));
  EXPECT_EQ(html.find("<img src=x"), std::string::npos);
  EXPECT_EQ(count(html, "<script"), count(html, "</script>"));
  EXPECT_EQ(count(markup(html), "<img"), 1U); // the picture itself
  EXPECT_EQ(count(markup(html), "onerror"), count(markup(html), "&lt;img src=x onerror"));
}

TEST(Page, EscapesJsonInsideTheScriptElement) {
  if (!has_page_bundle()) {
    GTEST_SKIP() << "this build has no MNEME_VEGA_BUNDLE";
  }
  const std::string html = to_html(full_page(kHostile));
  const std::string opening = "<script type=\"application/json\" id=\"charts\">";
  const size_t begin = html.find(opening) + opening.size();
  const std::string text = html.substr(begin, html.find("</script>", begin) - begin);
  EXPECT_EQ(text.find_first_of("<>&"), std::string::npos);
  EXPECT_EQ(text.find("\u2028"), std::string::npos);
  const auto specs = nlohmann::json::parse(text);
  EXPECT_EQ(specs[0]["data"]["values"][0]["series"], kHostile);
}

TEST(Page, MakesNoRequests) {
  const std::string html = to_html(full_page("plain"));
  EXPECT_NE(html.find("default-src 'none'"), std::string::npos);
  const std::string outside = markup(html);
  EXPECT_EQ(outside.find("http"), outside.find("http-equiv"));
  EXPECT_EQ(count(outside, "http"), 1U);
  const std::regex reference(R"re((src|href)="([^"]*)")re");
  for (std::sregex_iterator at(outside.begin(), outside.end(), reference), end; at != end; ++at) {
    const std::string target = (*at)[2];
    EXPECT_TRUE(target.starts_with("data:") || target.starts_with("#section-")) << target.substr(0, 80);
  }
  EXPECT_EQ(count(html, "<script src"), 0U);
  EXPECT_EQ(count(html, "@import"), 0U);
  EXPECT_EQ(count(html, "url("), count(html.substr(html.find("</style>")), "url("));
}

TEST(Page, IsAccessible) {
  const std::string html = to_html(full_page("plain"));
  EXPECT_NE(html.find("<html lang=\"en\">"), std::string::npos);
  EXPECT_NE(html.find("name=\"viewport\""), std::string::npos);
  EXPECT_NE(html.find("prefers-color-scheme: dark"), std::string::npos);
  EXPECT_NE(html.find(":focus-visible"), std::string::npos);
  EXPECT_EQ(count(markup(html), "<h1>"), 1U);
  EXPECT_EQ(count(markup(html), "<h2 "), 3U);
  EXPECT_EQ(count(markup(html), "<th>"), 0U); // every header cell has a scope
  EXPECT_GE(count(markup(html), "scope=\"col\""), 4U);
  EXPECT_GE(count(markup(html), "scope=\"row\""), 2U);
  EXPECT_NE(html.find("alt=\"plain\" width=\"3\" height=\"2\""), std::string::npos);
}

TEST(Page, NamesTablesByTheirCaptionsOutsideOfThePartThatScrolls) {
  const std::string html = markup(to_html(full_page("plain")));
  EXPECT_EQ(count(html, "role=\"region\""), 0U); // landmarks of the same name could not be distinguished
  EXPECT_EQ(count(html, "<caption>"), 0U);
  const size_t caption = html.find("<p class=\"caption\" id=\"table-1\">"),
               scroll = html.find(
                   "<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-labelledby=\"table-1\">");
  ASSERT_NE(caption, std::string::npos);
  ASSERT_NE(scroll, std::string::npos);
  EXPECT_LT(caption, scroll);
}

TEST(Page, PrintsAllColumnsOfATable) {
  const std::string html = to_html(full_page("plain"));
  const size_t print = html.find("@media print"), rule = html.find(".scroll, details .scroll", print);
  ASSERT_NE(rule, std::string::npos);
  EXPECT_EQ(html.find("overflow: visible", rule), html.find("overflow", rule)) << "paper does not scroll";
}

TEST(Page, ExplainsATableBelowItsCaptionAndDoesNotBreakNames) {
  const Table table{.columns = {{.name = "memory"}, {.name = "noise"}},
                    .rows = {{std::string("pattern-sdm"), 0.1}, {std::string("more than one word"), 0.2}}};
  const std::string html = markup(to_html(
      {.title = "t",
       .sections = {
           {.heading = "h",
            .blocks = {CaptionedTable{.table = table, .caption = "Results", .remark = "A note."}}}}}));
  EXPECT_NE(html.find(">Results</p>\n<p class=\"remark\">A note.</p>\n<div class=\"scroll\""),
            std::string::npos);
  EXPECT_NE(html.find("<th scope=\"row\" class=\"name\">pattern-sdm</th>"), std::string::npos);
  EXPECT_NE(html.find("<th scope=\"row\">more than one word</th>"), std::string::npos);
}

TEST(Page, ShowsTheDataOfAChart) {
  const std::string html = markup(to_html(full_page("plain")));
  EXPECT_NE(html.find("Data of this chart"), std::string::npos);
  EXPECT_NE(html.find("2 ± 1"), std::string::npos);
}

TEST(Page, DrawsChartsOrExplainsHowToEnableThem) {
  const std::string html = to_html(full_page("plain"));
  EXPECT_EQ(html.find("-DMNEME_VEGA_BUNDLE") == std::string::npos, has_page_bundle());
  EXPECT_EQ(html.find("vegaEmbed") != std::string::npos, has_page_bundle());
}

TEST(Page, IncludesTheBundleOnlyForCharts) {
  const std::string html = to_html({.title = "t", .sections = {{"s", {Prose{"p"}}}}});
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_LT(html.size(), 20'000U);
}

TEST(Page, ConvertsParagraphsAndCodeInProse) {
  const std::string html = to_html({.title = "t", .sections = {{"s", {Prose{"a `b<c` d\n\n\n`open"}}}}});
  EXPECT_NE(html.find("<p>a <code>b&lt;c</code> d</p>\n<p>"), std::string::npos) << markup(html);
  EXPECT_NE(html.find("`open</p>"), std::string::npos);
}

TEST(Page, KeepsTheLinesOfVerbatimText) {
  const std::string html =
      to_html({.title = "t", .sections = {{"s", {Verbatim{"\nROMEO:\n  `a<b\n\nend"}}}}});
  EXPECT_NE(html.find("<pre>\n\nROMEO:\n  `a&lt;b\n\nend</pre>"), std::string::npos) << markup(html);
  EXPECT_NE(html.find("white-space: pre-wrap"), std::string::npos);
}

TEST(Page, ShowsTheFirstRowsOfLongChartData) {
  Series series{.name = "s"};
  for (int i = 0; i < 600; ++i) {
    series.points.push_back({1.0 * i, {1, 1, 1}});
  }
  const std::string html =
      to_html({.title = "t", .sections = {{"s", {to_chart(LineChart{.title = "c", .series = {series}})}}}});
  EXPECT_NE(html.find("The first 500 of 600 rows."), std::string::npos);
}

TEST(Page, RejectsInvalidPictures) {
  try {
    (void)to_html({.title = "t", .sections = {{"s", {Picture{"GIF89a", "a picture"}}}}});
    FAIL() << "nothing was thrown";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("\"a picture\" is 6 bytes that are not a PNG file"),
              std::string::npos);
  }
  EXPECT_THROW((void)to_html({.title = "t", .sections = {{"s", {Picture{tiny_png(), ""}}}}}), UsageError);
}

TEST(Page, IsReproducible) {
  const testing::TemporaryFolder folder;
  write_page(folder / "page.html", full_page("plain"));
  EXPECT_EQ(testing::read_text(folder / "page.html"), to_html(full_page("plain")));
  EXPECT_THROW(write_page("/nonexistent-folder/page.html", full_page("plain")), OutputError);
}

} // namespace
} // namespace mneme::report
