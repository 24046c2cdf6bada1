from bnbench.reporting.content import ReportContent, Section, Table
from bnbench.reporting.markdown import render_markdown

CONTENT = ReportContent(
    "A title",
    ("First.", "Second."),
    (
        Section("One", ("Text.",), figure="there", table=Table(("a", "b"), (("x|y", "1"),))),
        Section("Two", figure="missing", code="bnbench run"),
    ),
)


def test_a_report_in_markdown_has_title_answer_figures_tables_and_code() -> None:
    assert render_markdown(CONTENT, {"there": "what it shows"}) == (
        "# A title\n\nFirst. Second.\n\n"
        "## One\n\n![what it shows](there.png)\n\nText.\n\n"
        "| a | b |\n| --- | ---: |\n| x\\|y | 1 |\n\n"
        "## Two\n\n```sh\nbnbench run\n```\n"
    )
