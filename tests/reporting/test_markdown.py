from bnbench.reporting.content import ReportContent, Section, Table
from bnbench.reporting.markdown import render_markdown

TABLE = Table(("a", "b"), (("x|y", "1"),), constants="device cpu")
CONTENT = ReportContent(
    "A title",
    ("First.", "Second."),
    (
        Section("One", ("Text.",), figure="there", table=TABLE),
        Section("Two", figure="missing", code="bnbench run"),
    ),
)


def test_a_report_in_markdown_has_title_answer_figures_tables_and_code() -> None:
    assert render_markdown(CONTENT, {"there": "what it shows"}) == (
        "# A title\n\n**First.**\n\nSecond.\n\n"
        "## One\n\n![what it shows](there.png)\n\nText.\n\n"
        "For all rows: device cpu.\n\n| a | b |\n| --- | ---: |\n| x\\|y | 1 |\n\n"
        "## Two\n\n```sh\nbnbench run\n```\n"
    )


def test_the_ranking_stands_below_the_headline() -> None:
    content = ReportContent("A title", ("First.", "Second."), (), ranking=Table(("a",), (("x",),)))
    text = render_markdown(content, {})
    assert text == "# A title\n\n**First.**\n\n| a |\n| --- |\n| x |\n\nSecond.\n"
