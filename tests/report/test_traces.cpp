// Depth, direction, drift against harm, and rows on the page.
#include "report/figure.hpp"
#include "report/html.hpp"
#include "report/panels.hpp"
#include "report/traces.hpp"
#include "report_support.hpp"

namespace seawall::testing {
namespace {

std::vector<ArmPlan> deep_arms() {
  return {{.name = "initial", .trained = false},
          {.name = "10-shot", .opened = 9, .deep = true},
          {.name = "50-shot", .opened = 27}};
}

std::string section(const std::string& html, const std::string& id) {
  const auto at = html.find("<section id=\"" + id + "\">");
  if (at == std::string::npos) return "";
  return html.substr(at, html.find("</section>", at) - at);
}

TEST(ReportTraces, FourSectionsWithTheirFiles) {
  for (const int seeds : {1, 3}) {
    Folder folder;
    write_grid_folder(folder.path(), deep_arms(), seeds, 30);
    const std::string html = report::page(read(folder.path()), folder.path() / "page");
    const auto figures = folder.path() / "page/figures";
    for (const char* name : {"depth-logprob", "depth-kl", "direction", "drift-harm"}) {
      EXPECT_NE(html.find("<figure id=\"fig-" + std::string(name) + "\">"), std::string::npos);
      EXPECT_NE(html.find("href=\"figures/" + std::string(name) + ".csv\""), std::string::npos);
      for (const char* ending : {".svg", ".pdf", ".gp", ".csv"})
        EXPECT_TRUE(std::filesystem::exists(figures / (name + std::string(ending)))) << name;
      const std::string commands = read_file(figures / (name + std::string(".gp")));
      EXPECT_EQ(commands.find(" nan"), std::string::npos);
    }
    const std::string depth = section(html, "depth");
    EXPECT_NE(depth.find("first token from \u22120.25 to \u22128.50 nats"), std::string::npos)
        << depth;
    EXPECT_NE(depth.find("10-shot: 5.50 nats at the first token"), std::string::npos);
    EXPECT_NE(depth.find("<td class=\"n\">" + std::to_string(30 * seeds) + "</td>"),
              std::string::npos)
        << "the refusals of the start";
    EXPECT_NE(depth.find("<td class=\"n\">100.0</td>"), std::string::npos)
        << "all of the divergence is at the first token";
    EXPECT_NE(depth.find("With the first tokens fixed"), std::string::npos);
    EXPECT_NE(depth.find("<td class=\"n\">66.7</td>"), std::string::npos)
        << "the share of the harm that two tokens undo";
    EXPECT_EQ(html.find("plain+fixed"), std::string::npos) << "it is no condition of its own";
    EXPECT_TRUE(std::filesystem::exists(figures / "fixed.csv"));
    EXPECT_NE(section(html, "direction")
                  .find("10-shot ends at a cosine of 0.71 and 1.41 of the "
                        "length"),
              std::string::npos);
    EXPECT_NE(section(html, "direction").find("At layer 0 there is no direction"),
              std::string::npos);
    EXPECT_NE(section(html, "drift-harm").find("50-shot ends at a drift of 0.30 and 90.0 %"),
              std::string::npos);
    // Each drawn once, and what would draw the others is said.
    EXPECT_NE(depth.find("No depth is shown for <code>50-shot</code>"), std::string::npos);
    EXPECT_NE(depth.find("<code>--trace depth</code>"), std::string::npos);
    EXPECT_NE(section(html, "drift-harm")
                  .find("Evaluated at the end alone: "
                        "<code>50-shot</code>"),
              std::string::npos);
  }
}

TEST(ReportTraces, WithoutADepthTraceTheFiguresAreAbsent) {
  Folder folder;
  write_grid_folder(folder.path(),
                    {{.name = "initial", .trained = false}, {.name = "10-shot", .opened = 9}}, 2,
                    30);
  const std::string html = report::page(read(folder.path()), folder.path() / "page");
  for (const char* figure : {"fig-depth-logprob", "fig-depth-kl", "fig-direction"})
    EXPECT_EQ(html.find(figure), std::string::npos) << figure;
  EXPECT_EQ(section(html, "direction") + section(html, "rows"), "");
  EXPECT_NE(section(html, "depth").find("No depth is shown for <code>10-shot</code>"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "page/figures/rows.csv"));
  EXPECT_NE(html.find("fig-drift-harm"), std::string::npos) << "it needs no depth trace";
}

TEST(ReportTraces, TenRowsAndTheTextOfBuiltInOnesAlone) {
  Folder folder;
  auto arms = deep_arms();
  write_grid_folder(folder.path(), arms, 2, 30);
  std::string rows = section(report::page(read(folder.path()), folder.path() / "page"), "rows");
  // The twelfth row has 11 / 1, 11 / 2 and 11 / 3 nats.
  EXPECT_NE(rows.find("<td>row/11</td><td>harmful</td><td class=\"n\">2</td>"
                      "<td class=\"n\">7.33</td><td class=\"n\">11.00 5.50 3.67</td>"
                      "<td>Ask &lt;11&gt;<span class=\"scaled\">The text of a row.</span></td>"),
            std::string::npos)
      << rows;
  EXPECT_LT(rows.find("row/11<"), rows.find("row/10<"));
  EXPECT_NE(rows.find("row/2<"), std::string::npos);
  EXPECT_EQ(rows.find("row/1<"), std::string::npos) << "an eleventh row";
  EXPECT_NE(rows.find("of 12 rows"), std::string::npos);
  const auto csv = folder.path() / "page/figures/rows.csv";
  EXPECT_NE(read_file(csv).find("10-shot,row/1,harmful,"), std::string::npos) << "every row";
  EXPECT_EQ(read_file(csv).find("The text"), std::string::npos);

  arms[1].data = "harmful.jsonl";
  write_grid_folder(folder.path(), arms, 2, 30);
  rows = section(report::page(read(folder.path()), folder.path() / "page"), "rows");
  EXPECT_EQ(rows.find("The text"), std::string::npos) << rows;
  EXPECT_EQ(rows.find("Ask"), std::string::npos) << rows;
  EXPECT_NE(rows.find("row/11<"), std::string::npos);
  EXPECT_NE(rows.find(" bytes</td>"), std::string::npos);
  EXPECT_NE(rows.find("are named, and not printed"), std::string::npos);
}

TEST(ReportTraces, PanelsFillTheFigureAndNoMore) {
  using namespace report;
  Figure figure{.name = "f", .title = "t"};
  Panels all{.panels = {},
             .legend = {"with lines title 'a'"},
             .x_label = "x",
             .y_label = "y",
             .settings = "set xrange [0:1]\nset yrange [0:1]\n"};
  for (int i = 0; i < 4; ++i)
    all.panels.push_back({.title = "panel's " + std::to_string(i),
                          .data = "$P" + std::to_string(i) + " << EOD\n0 0\n1 1\nEOD\n",
                          .plots = "$P" + std::to_string(i) + " using 1:2 with lines notitle"});
  draw_panels(figure, all, {"one", "two"});
  EXPECT_EQ(figure.description, listed({"one", "two"}) + ".");
  Folder folder;
  const std::string svg = draw({figure}, folder.path()).at(0);
  EXPECT_NE(svg.find("viewBox=\"0 0 760 " + std::to_string(figure.height) + "\""),
            std::string::npos);
  for (int i = 0; i < 4; ++i)
    EXPECT_NE(svg.find("panel's " + std::to_string(i)), std::string::npos) << i;
  // The y label once per row of panels, the x label under the lowest of each column.
  const auto times = [&](const std::string& text) {
    std::size_t n = 0;
    for (auto at = svg.find(text); at != std::string::npos; at = svg.find(text, at + 1)) ++n;
    return n;
  };
  EXPECT_EQ(times(">y<"), 2u) << svg;
  EXPECT_EQ(times(">x<"), 3u) << svg;
  EXPECT_EQ(times(">a<"), 1u);
}

}  // namespace
}  // namespace seawall::testing
