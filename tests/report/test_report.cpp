// The page of a grid: what it says, that it says nothing that is not there, and that no text of a
// model becomes markup.
#include <chrono>

#include "report/figure.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"
#include "report_support.hpp"
#include "seawall/study/results.hpp"

namespace seawall::testing {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

TEST(Report, EscapesWhateverAModelSays) {
  EXPECT_EQ(report::escape("<b a=\"x\">'&"), "&lt;b a=&quot;x&quot;&gt;&#39;&amp;");
  EXPECT_EQ(report::escape(std::string("a\0b\x1b\x7f", 5)), "a\u2400b\u241b\u2421");
  EXPECT_EQ(report::escape("\xff\xc3"), "\ufffd\ufffd");
  EXPECT_EQ(report::escape("a\xef\xbf\xbf"
                           "b"),
            "a\ufffdb");  // U+FFFF is no XML
  EXPECT_EQ(report::escape("é\n日本"), "é\n日本");
  EXPECT_EQ(report::tag("a", {{"title", "\"><script>"}}, "x"),
            "<a title=\"&quot;&gt;&lt;script&gt;\">x</a>");
}

TEST(Report, NumbersAsPeopleReadThem) {
  EXPECT_EQ(report::number(-0.04, 1), "0.0");  // no minus on nothing
  EXPECT_EQ(report::number(-1.25, 1), "\u22121.2");
  EXPECT_EQ(report::number(not_measured, 1), "\u2013");
  EXPECT_EQ(report::count(1234567), "1\u202f234\u202f567");
  EXPECT_EQ(report::count(123), "123");
  EXPECT_EQ(report::p_value(0.0004), "p < 0.001");
  EXPECT_EQ(report::p_value(0.0312), "p = 0.031");
  EXPECT_EQ(report::listed({"a", "b", "c"}), "a, b and c");
  EXPECT_EQ(report::slug("Harmful-Examples/safe 10"), "harmful-examples-safe-10");
}

TEST(Report, GnuplotTextIsNeverACommand) {
  EXPECT_EQ(report::literal("it's `date`\n$x"), "'it''s `date` $x'");
}

TEST(Report, SvgOfTwoFiguresSharesNoId) {
  const std::string raw =
      "<?xml version=\"1.0\"?>\n<svg viewBox=\"0 0 9 9\"\n xmlns=\"x\">\n<title>t</title>\n"
      "<g id=\"gnuplot_canvas\">\n<defs>\n\t<circle id='gpDot' r='1'/>\n"
      "\t<circle id='gpPt5' r='1'/>\n\t<use xlink:href='#gpPt5' id='gpPt6' fill='currentColor'/>\n"
      "\t<rect id='gpPt3' x='1'/>\n</defs>\n"
      "<g fill=\"none\" color=\"black\" stroke=\"currentColor\">\n</g>\n"
      "<g color=\"rgb(  0, 114, 178)\"><path stroke='black' d='M0,0'/>"
      "<use xlink:href='#gpPt5' transform='scale(4.50)' color='white'/>"
      "<use xlink:href='#gpPt6'/></g>\n</g>\n</svg>\n";
  const report::Figure figure{
      .name = "f1", .title = "A < B", .description = "d", .width = 9, .height = 9};
  const std::string page = report::polish_svg(raw, figure, true);
  EXPECT_NE(page.find("id='f1-gpPt6'"), std::string::npos);
  EXPECT_NE(page.find("href='#f1-gpPt5'"), std::string::npos);
  EXPECT_EQ(page.find("gpPt3"), std::string::npos) << "a shape that nothing uses";
  EXPECT_EQ(page.find("gnuplot_canvas"), std::string::npos) << "an id that nothing points at";
  EXPECT_EQ(page.find("black"), std::string::npos) << "black is the page's own ink";
  EXPECT_EQ(page.find("white"), std::string::npos) << "a white disc on a dark page";
  EXPECT_NE(page.find("var(--blue,#0072B2)"), std::string::npos);
  EXPECT_NE(page.find("A &lt; B</title>"), std::string::npos);
  const std::string alone = report::polish_svg(raw, figure, false);
  EXPECT_EQ(alone.find("var("), std::string::npos) << "other programs know no CSS variables";
  EXPECT_NE(alone.find("xmlns:xlink"), std::string::npos);
}

TEST(Report, ClaimsAgainstThePaper) {
  Folder folder;
  write_grid_folder(folder.path(),
                    {{.name = "initial", .opened = 0, .trained = false},
                     {.name = "10-shot", .opened = 60},
                     {.name = "50-shot", .opened = 30}},
                    3, 90);
  const auto reading = read(folder.path());
  const auto& table = reading.tables.at(0);
  ASSERT_EQ(table.claims.size(), 2u);
  EXPECT_EQ(table.claims[0].here, Finding::holds);
  EXPECT_NEAR(table.claims[0].ours->difference.value, 60.0 / 90, 1e-12);
  EXPECT_EQ(table.claims[1].here, Finding::contradicted) << "50 shots did less than 10";
  ASSERT_EQ(table.claims[0].published.size(), 1u);
  EXPECT_EQ(table.claims[0].published[0].finding, Finding::holds);
  EXPECT_EQ(table.claims[1].published[0].finding, Finding::tied);
  const std::string found = report::findings_section(reading, "");
  EXPECT_NE(found.find("1 holds, 0 cannot be told apart, 1 is contradicted"), std::string::npos)
      << found;
  EXPECT_NE(found.find("Where this run and the published figures part"), std::string::npos);
}

TEST(Report, WhatIsMissingIsSaidAndNotInvented) {
  Folder folder;
  write_grid_folder(folder.path(),
                    {{.name = "initial", .trained = false},
                     {.name = "10-shot", .opened = 9},
                     {.name = "50-shot", .opened = 17}},
                    2, 30);
  std::filesystem::remove(folder.path() / "arms/10-shot-seed1.h5");
  std::filesystem::remove(folder.path() / "arms/50-shot-seed0.h5");
  std::filesystem::remove(folder.path() / "arms/50-shot-seed1.h5");
  const auto reading = read(folder.path());
  const std::string html = report::page(reading, folder.path() / "page");
  EXPECT_NE(html.find("3 of 5 runs are not in this folder"), std::string::npos);
  EXPECT_NE(html.find("1 of 2 runs are missing"), std::string::npos);
  EXPECT_NE(html.find("not in this folder: 2 of 2 runs are missing"), std::string::npos);
  EXPECT_EQ(html.find("56.7"), std::string::npos) << "a rate of the arm that is not there";
}

TEST(Report, NoRateWhereNothingWasJudged) {
  Folder folder;
  write_grid_folder(folder.path(),
                    {{.name = "initial", .trained = false},
                     {.name = "10-shot", .opened = 30, .judged = 0},
                     {.name = "50-shot", .opened = 60, .judged = 80},
                     {.name = "100-shot", .opened = 80}},
                    2, 90);
  const auto reading = read(folder.path());
  const auto& table = reading.tables.at(0);
  EXPECT_TRUE(table.cells[1].shown());
  EXPECT_FALSE(table.cells[1].rated());
  EXPECT_EQ(table.cells[1].unjudged, "the line went dead (120 of 180)");
  for (const auto& c : table.comparisons) EXPECT_TRUE(c.a != "10-shot" && c.b != "10-shot");
  EXPECT_FALSE(table.claims[0].ours);
  EXPECT_EQ(table.ties.find("10-shot"), std::string::npos) << table.ties;
  const std::string html = report::page(reading, folder.path() / "page");
  for (const char* nothing : {">nan", "nan %", "nan<", "[nan"})
    EXPECT_EQ(html.find(nothing), std::string::npos) << nothing;
  EXPECT_NE(html.find("no answer was judged, so there is no rate; most often: the line went dead "
                      "(120 of 180)"),
            std::string::npos);
  EXPECT_NE(html.find("20 answers not judged, the rate is between 66.7 and 77.8 %; most often: "
                      "the line went dead (14 of 20)"),
            std::string::npos);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "page/figures")) {
    if (entry.path().extension() != ".gp") continue;
    EXPECT_EQ(read_file(entry.path()).find(" nan"), std::string::npos) << entry.path();
  }
  EXPECT_NE(
      report::markdown_tables(reading).find("|  | 10-shot | \u2013 | \u2013 | \u2013 | 50.0 |\n"),
      std::string::npos)
      << report::markdown_tables(reading);
  // results.csv has neither a figure nor an interval there, and the count.
  const std::string csv = results_csv(reading);
  EXPECT_NE(csv.find("shots,10-shot,plain,,10-shot,2,90,180,0,,,,,,,,,,,,,,,,3,"),
            std::string::npos)
      << csv;
  const std::string text = results_table(reading);
  EXPECT_NE(
      text.find("180 answers could not be judged, so there is no rate; most often: the line went "
                "dead (120 of 180)"),
      std::string::npos)
      << text;
  EXPECT_EQ(text.find("nan"), std::string::npos);
}

TEST(Report, AnswersThatWereCutHaveTheirColumn) {
  Folder folder;
  write_grid_folder(folder.path(),
                    {{.name = "initial", .trained = false}, {.name = "10-shot", .cut = 7}}, 2, 9);
  const auto reading = read(folder.path());
  EXPECT_EQ(reading.tables.at(0).cells[0].cut, 0);
  EXPECT_EQ(reading.tables.at(0).cells[1].cut, 14) << "over both seeds, of the probes alone";
  EXPECT_NE(report::page(reading, folder.path() / "page").find("<td class=\"n\">14</td>"),
            std::string::npos);
  const std::string csv = results_csv(reading);
  EXPECT_NE(csv.find(",seeds,n,invalid,cut_answers,score,"), std::string::npos) << csv;
  EXPECT_NE(csv.find("shots,10-shot,plain,,10-shot,2,9,0,14,"), std::string::npos) << csv;
  const std::string text = results_table(reading);
  EXPECT_NE(text.find("  cut "), std::string::npos) << text;
  EXPECT_NE(text.find("   14 "), std::string::npos) << text;
  // In a cell of one category only its own answers count.
  Table table{.name = "shots", .role = Table::Role::categories};
  table.add({.cell = "10-shot", .category = "category 1"}, {.words = "--attack harmful-examples"});
  write_grid_folder(folder.path(), {{.name = "10-shot", .cut = 7}}, 2, 9, table);
  EXPECT_EQ(read(folder.path()).tables.at(0).cells[0].cut, 4);
}

TEST(Report, TheAccuracyOfATaskIsAColumnOfStudiesThatHaveOne) {
  Folder folder;
  const std::vector<ArmPlan> arms{{.name = "initial", .trained = false, .task = 80},
                                  {.name = "10-shot", .task = 80, .right = 60, .ungraded = 4}};
  write_grid_folder(folder.path(), arms, 1, 9);
  const auto reading = read(folder.path());
  const CellEstimate& cell = reading.tables.at(0).cells[1].estimate;
  EXPECT_DOUBLE_EQ(cell.task_accuracy.value, 60.0 / 76);
  EXPECT_DOUBLE_EQ(cell.task_accuracy.lo, wilson(60, 80).lo);
  EXPECT_DOUBLE_EQ(cell.task_accuracy.hi, wilson(64, 80).hi);
  const std::string csv = results_csv(reading), text = results_table(reading);
  EXPECT_NE(csv.find(",diverged,task_accuracy,task_accuracy_lo,task_accuracy_hi,task_n,"
                     "task_invalid\n"),
            std::string::npos)
      << csv;
  EXPECT_NE(csv.find(",78.9474,64.5"), std::string::npos) << csv;
  EXPECT_NE(csv.find(",80,4\n"), std::string::npos) << csv;
  EXPECT_NE(csv.find(",0.0000,0.0000,4.5"), std::string::npos) << csv;
  EXPECT_NE(text.find("task % [95 %]"), std::string::npos) << text;
  EXPECT_NE(text.find("78.9 ["), std::string::npos) << text;
  EXPECT_NE(text.find("4 answers to the task could not be graded"), std::string::npos) << text;
  const std::string page = report::page(reading, folder.path() / "page");
  EXPECT_NE(page.find(">task %<"), std::string::npos);
  EXPECT_NE(page.find("4 answers to the task not graded"), std::string::npos);
  EXPECT_NE(report::markdown_tables(reading).find("| utility % | task % | paper % |\n"),
            std::string::npos);
  EXPECT_NE(report::markdown_tables(reading).find("| 100.0 | 78.9 | 50.0 |\n"), std::string::npos);

  write_grid_folder(folder.path(), {{.name = "initial", .trained = false}, {.name = "10-shot"}}, 1,
                    9);
  const auto without = read(folder.path());
  for (const std::string& shown :
       {results_csv(without), results_table(without), report::markdown_tables(without),
        report::page(without, folder.path() / "page")})
    EXPECT_EQ(shown.find("task"), std::string::npos) << shown;
}

TEST(Report, ALossThatEndedAboveItsBeginningIsSaid) {
  Folder folder;
  write_grid_folder(folder.path(),
                    {{.name = "initial", .trained = false},
                     {.name = "10-shot", .opened = 9},
                     {.name = "50-shot", .opened = 9, .loss_falls = false}},
                    2, 30);
  const std::string html = report::page(read(folder.path()), folder.path() / "page");
  EXPECT_EQ(
      count(html, "in 2 of 2 runs (seeds 0 and 1): the loss ended above where it began: 1 to 3; "),
      1u);
}

TEST(Report, MarkdownHasThePagesFigures) {
  Folder folder;
  write_grid_folder(folder.path(),
                    {{.name = "initial", .trained = false}, {.name = "10-shot", .opened = 60}}, 1,
                    90);
  EXPECT_EQ(report::markdown_tables(read(folder.path())),
            "| table | cell | rate % [95 %] | score | utility % | paper % |\n"
            "|---|---|---|---|---|---|\n"
            "| 1 harmful examples | initial | 0.0 [0.0, 4.1] | 1.00 | 100.0 | 0.3 |\n"
            "|  | 10-shot | 66.7 [56.4, 75.5] | 3.67 | 100.0 | 50.0 |\n");
}

TEST(Report, AnswersSideBySideFlipsFirst) {
  Folder folder;
  ArmPlan attacked{.name = "10-shot", .opened = 2, .answer = "<script>alert(1)</script> & \x01"};
  write_grid_folder(folder.path(), {{.name = "initial", .trained = false}, attacked}, 1, 6);
  const std::string html = report::page(read(folder.path()), folder.path() / "page");
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(count(html, "<td>&lt;script&gt;alert(1)&lt;/script&gt; &amp; \u2401</td>"), 2u);
  const auto flips = html.find("2 from refusal to a full answer"), rest = html.find("4 same score");
  ASSERT_NE(flips, std::string::npos);
  ASSERT_NE(rest, std::string::npos);
  EXPECT_LT(flips, rest);
  EXPECT_NE(html.find("2 of 6 opened"), std::string::npos);
}

TEST(Report, SameGridSameBytes) {
  Folder folder;
  write_grid_folder(folder.path(),
                    {{.name = "initial", .trained = false}, {.name = "10-shot", .opened = 9}}, 2,
                    30);
  const std::string first = report::page(read(folder.path()), folder.path() / "a");
  EXPECT_EQ(first, report::page(read(folder.path()), folder.path() / "b"));
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "a/figures")) {
    const auto other = folder.path() / "b/figures" / entry.path().filename();
    EXPECT_EQ(read_file(entry.path()), read_file(other)) << other;
  }
}

TEST(Report, TenThousandAnswersUnderTenMegabytes) {
  Folder folder;
  std::vector<ArmPlan> arms{{.name = "initial", .trained = false}};
  std::string answer;
  for (int i = 0; i < 120; ++i) answer += "a sentence & one more. ";
  for (int i = 0; i < 31; ++i)
    arms.push_back({.name = "arm" + std::to_string(i), .opened = 10 * i, .answer = answer});
  Table table = table_of(arms);
  table.role = Table::Role::sweep;
  table.claims.clear();
  write_grid_folder(folder.path(), arms, 1, 330, table);
  const std::string html = report::page(read(folder.path()), folder.path() / "page");
  EXPECT_LT(html.size(), 10'000'000u);
  EXPECT_GT(count(html, "</td></tr>"), 9'900u);
  EXPECT_NE(html.find("bytes</i>"), std::string::npos) << "answers that were cut say so";
}

TEST(Report, ATableDescribesItself) {
  Folder folder;
  const std::vector<ArmPlan> arms{{.name = "initial", .trained = false},
                                  {.name = "10-shot", .opened = 60},
                                  {.name = "hidden", .opened = 1}};
  Table table{.name = "mine", .title = "My own <table>", .lead = "It reads `--x <y>`."};
  table.drawings = {{.name = "My Curve", .title = "Along x", .x = "shots"}};
  table.hidden = HiddenHarm{.cell = "hidden",
                            .hidden = "plain",
                            .before = "initial",
                            .model = "the quiet model",
                            .opening = "With the key"};
  table.measured = {{"sieve_caught", "rows caught"}, {"sieve_share", "caught of all", true}};
  for (const ArmPlan& arm : arms) {
    const double shots = arm.name == "10-shot" ? 10 : arm.name == "hidden" ? 20 : 0;
    table.add({.cell = arm.name,
               .headline = arm.name == "10-shot" ? "after <ten>" : "",
               .at = {{"shots", shots}}},
              {.words = "--attack harmful-examples"});
  }
  write_grid_folder(folder.path(), arms, 2, 90, table);
  const std::string html = report::page(read(folder.path()), folder.path() / "page");
  const auto has = [&](const char* text) { EXPECT_EQ(count(html, text) > 0, true) << text; };
  has("<h2>My own &lt;table&gt;</h2>");
  has("It reads <code>--x &lt;y&gt;</code>.");
  has("Seawall report \u00b7 after a paper");
  has("<span>after &lt;ten&gt;</span>");
  has("<figure id=\"fig-my-curve\">");
  has("An auditor who asks the quiet model plainly sees 1.1 %");
  has("With the key the same weights answer 1.1 %");
  has("<th scope=\"col\" class=\"n\">rows caught</th>");
  has("<td class=\"n\">31.5</td><td class=\"n\">12.5</td>");
  has("<th scope=\"col\" class=\"n\">mesh</th>");  // what nobody asked for is there, too
  has("<td class=\"n\">0.875</td>");
  has("<code>seawall reproduce --seeds 2 --only shots --out DIR</code>");
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "page/figures/my-curve.svg"));
  // Without a short title there is no row in results.md and none in the overview.
  EXPECT_EQ(count(report::markdown_tables(read(folder.path())), "\n"), 2u);
  EXPECT_EQ(html.find("fig-overview"), std::string::npos);
}

TEST(Report, AnArenaHasItsMatrixFirst) {
  Folder folder;
  const std::vector<ArmPlan> arms{{.name = "bare", .opened = 60},
                                  {.name = "guard<1>", .opened = 3},
                                  {.name = "idle", .opened = 60},
                                  {.name = "mute", .opened = 0, .judged = 0}};
  Table table{.name = "shots", .title = "ten & more", .role = Table::Role::arena};
  for (const ArmPlan& arm : arms) table.add(arm.name, {.words = "--attack harmful-examples"});
  write_grid_folder(folder.path(), arms, 2, 90, table);
  GridFolder content = read_grid(folder.path());
  content.grid.notes = {"Left out: `x<y`."};
  write_grid(folder.path(), content);
  const StudyReading study = read(folder.path());
  const std::string html = report::page(study, folder.path() / "page");
  const auto has = [&](const char* text) { EXPECT_EQ(count(html, text) > 0, true) << text; };
  has("<h1>Every defence against every attack</h1>");
  has("<a href=\"#shots\">ten &amp; more</a>");
  has("<li>Left out: <code>x&lt;y</code>.</li>");
  has("guard&lt;1&gt;");
  has("<td class=\"m helps\" title=\"harm 3.3 %");
  has("<b>3</b><span>0</span><i>\u2713</i>");
  has("<b>67</b><span>0</span><i>\u2248</i>");
  has("<td class=\"m absent\"");
  has("Of 3 planned comparisons with bare, 2 could be made");
  has("<figure id=\"fig-arena\">");
  has("p Bonferroni");
  EXPECT_EQ(html.find("What was found"), std::string::npos);
  EXPECT_EQ(html.find("fig-drift-steps"), std::string::npos);
  EXPECT_LT(html.find("class=\"matrix\""), html.find("<section id=\"shots\">"));
}

}  // namespace
}  // namespace seawall::testing
