#pragma once
// The parts of the page, each as markup.
#include <string>
#include <vector>

#include "report/figure.hpp"
#include "seawall/study/traces.hpp"

namespace seawall::report {

/// `<details>` with a summary; `open` shows it at first.
std::string fold(std::string_view summary, std::string_view markup, bool open = false);
/// A table of header cells and rows, each markup; `columns` has `t` for text and `n` for numbers,
/// which are right-aligned.
std::string plain_table(std::string_view columns, const std::vector<std::string>& header,
                        const std::vector<std::vector<std::string>>& rows);
/// Text with `code` in backticks.
std::string code_text(const std::string& text);
/// "holds", "not separable", "contradicted", with a sign that needs no colour.
std::string chip(Finding verdict);

/// What was found: sentences made from the comparisons, the audit, `overview` (markup), the
/// claims.
std::string findings_section(const StudyReading& study, const std::string& overview);
/// One table with its intervals, its tied set, comparisons, costs and hashes.
std::string table_section(const StudyReading& study, const TableReading& table);
/// True if every table belongs to an arena.
bool is_arena(const StudyReading& study);
/// Every defence against every attack: sentences, the matrix, the study's notes; "" without arena.
std::string arena_section(const StudyReading& study);
/// Core-seconds of its runs by part.
std::string arena_costs(const StudyReading& study);
/// Harm over compute, if there is an arena.
void arena_figure(const StudyReading& study, std::vector<Figure>& out);
/// Costs of every trained cell, side by side at equal compute.
std::string compute_section(const StudyReading& study);
/// Which defences are not beaten in harm, utility and over-refusal together.
std::string pareto_section(const StudyReading& study);
/// All judges on the same answers.
std::string judges_section(const StudyReading& study);
/// Answers before and after, for every probe of one seed. Memory: the markup, at most `budget`
/// bytes: longer answers are cut, and say so, until it fits.
std::string samples_section(const StudyReading& study, std::size_t budget);
/// Hashes of every set, overlaps, and every run with its command and key.
std::string provenance_section(const StudyReading& study);
/// Command and hashes of the runs of some cells.
std::string origin_of(const StudyReading& study, const std::vector<const CellReading*>& cells);

/// Tables as one Markdown table, with the figures as the page has them.
std::string markdown_tables(const StudyReading& study);

/// The figures of the page, those whose data are there.
std::vector<Figure> all_figures(const StudyReading& study, const TraceReading& traces);

/// The page's style sheet.
std::string_view style_sheet();

}  // namespace seawall::report
