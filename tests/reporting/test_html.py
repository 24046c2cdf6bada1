import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest

from bnbench.recipes import RecipeSpec
from bnbench.records import EnvironmentRecord, TrialRecord
from bnbench.reporting.content import ReportContent, Section, Table
from bnbench.reporting.figures import Figure, draw_figures
from bnbench.reporting.figures.palette import CSS_VARIABLES
from bnbench.reporting.html import render_fragment, render_html
from bnbench.specs import StudySpec
from bnbench.store import RunStore
from tests.conftest import BASELINE, BATCHNORM, REFERENCE, SYNTHETIC, make_epochs
from tests.reporting.conftest import read_trials, summarize

VOID = {"meta", "link", "br", "hr", "img", "wbr"}

FIGURE = Figure(
    caption="Each line is one trial.",
    alt="The baseline scores 58 %.",
    svg='<svg role="img" aria-label="The baseline scores 58 %."><path d="M 0 0"/></svg>\n',
    png=b"",
    rows=(),
)
CONTENT = ReportContent(
    title="Batch normalization: small study",
    answer=("It helps.", "By 3 points.", "An epoch takes longer."),
    sections=(
        Section(
            "Accuracy",
            ("Trials are <paired> & scored.",),
            figure="accuracy",
            table=Table(
                ("variant", "accuracy", "note"),
                (
                    ("baseline", "58.0 %", "a text that is long enough to be wrapped"),
                    ("<b>batchnorm</b>", "80.5 %", ""),
                ),
            ),
        ),
        Section("Method", ("See https://arxiv.org/abs/2103.03098. Run `bnbench report <run>`.",)),
        Section("Reproduce", code="bnbench run --study fair > log && echo done"),
    ),
)


class Page(HTMLParser):
    """Reads a page, and fails where an element is not closed or closed twice."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(CONTENT, {"accuracy": FIGURE})


@pytest.fixture
def real_figures(tmp_path: Path, environment: EnvironmentRecord) -> dict[str, Figure]:
    study = StudySpec("big", (BASELINE, BATCHNORM), RecipeSpec(epochs=5), tuple(range(30)))
    store = RunStore.create(tmp_path / "run", study, REFERENCE, SYNTHETIC, environment)
    with store.locked():
        for trial in study.list_scored_trials(REFERENCE):
            epochs = make_epochs([0.5 + 0.01 * trial.seed + 0.03 * i for i in range(5)])
            store.append_trial(TrialRecord(trial, "finished", epochs))
    return draw_figures(summarize(store), read_trials(store))


def test_the_page_is_whole_and_says_its_language_and_width(page: str) -> None:
    parsed = Page(page)
    assert page.startswith("<!DOCTYPE html>\n")
    assert parsed.find("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in parsed.find(
        "meta"
    )
    assert len(parsed.find("h1")) == len(parsed.find("main")) == len(parsed.find("title")) == 1


def test_the_answer_comes_first_and_the_sections_in_their_order(page: str) -> None:
    text = Page(page).text
    places = [
        text.index(part)
        for part in ("It helps.", "By 3 points.", "Accuracy", "Method", "Reproduce", "bnbench run")
    ]
    assert places == sorted(places)


def test_a_figure_stands_before_its_sections_text_and_the_table_after(page: str) -> None:
    places = [page.index(part) for part in ("<svg", "<figcaption>", "Trials are", "<table>")]
    assert places == sorted(places)


def test_all_text_is_escaped(page: str) -> None:
    assert "Trials are &lt;paired&gt; &amp; scored." in page
    assert "&lt;b&gt;batchnorm&lt;/b&gt;" in page
    assert "<code>bnbench report &lt;run&gt;</code>" in page
    assert "<code>bnbench run --study fair &gt; log &amp;&amp; echo done</code>" in page


def test_a_title_cannot_break_out_of_the_page() -> None:
    content = ReportContent('</title><script src="x">', ('"><script>',), ())
    page = Page(render_html(content, {}))
    assert not page.find("script")
    assert '</title><script src="x">' in page.text


def test_nothing_is_loaded_from_anywhere(page: str, real_figures: dict[str, Figure]) -> None:
    sections = tuple(Section(name, figure=name) for name in real_figures)
    content = ReportContent("All figures", ("Look.",), sections)
    for text in (page, render_html(content, real_figures)):
        parsed = Page(text)
        for tag, attributes in parsed.elements:
            for name in ("src", "srcset", "href", "xlink:href", "data", "poster", "action"):
                address = attributes.get(name) or "#"
                assert tag == "a" or address.startswith("#") or address == "data:,"
        assert not {"script", "iframe", "object", "embed"} & {tag for tag, _ in parsed.elements}
        assert not re.search(r"@import|url\((?!#)", text)
        policies = [meta for meta in parsed.find("meta") if "http-equiv" in meta]
        assert str(policies[0]["content"]).startswith("default-src 'none'")


def test_a_fragment_has_answer_and_figures_without_styles_and_ids_of_a_page() -> None:
    content = ReportContent('A "<title>"', ("It <helps>.", "By 3 points."), CONTENT.sections)
    text = render_fragment(content, {"accuracy": FIGURE})
    fragment = Page(text)
    assert "It <helps>." in fragment.text
    assert fragment.text.index("It <helps>.") < fragment.text.index("By 3 points.")
    assert [image["alt"] for image in fragment.find("img")] == [FIGURE.alt]
    assert "Each line is one trial." in fragment.text
    # The text of the sections, and what would change the page around it, are left out.
    assert "Reproduce" not in fragment.text
    assert not {"style", "script", "svg", "html", "link"} & {tag for tag, _ in fragment.elements}


def test_a_fragment_opens_the_first_figure_alone() -> None:
    sections = tuple(Section(name, figure=name) for name in ("one", "two", "not drawn"))
    content = ReportContent("Title", ("It helps.",), sections)
    fragment = Page(render_fragment(content, {"one": FIGURE, "two": FIGURE}))
    assert fragment.find("details") == [{"open": None}, {}]
    assert not Page(render_fragment(content, {})).find("img")


def test_an_address_becomes_a_link_without_the_full_stop_after_it(page: str) -> None:
    assert Page(page).find("a") == [{"href": "https://arxiv.org/abs/2103.03098"}]
    assert "</a>. Run" in page


def test_a_figure_is_an_image_with_its_alternative_text(page: str) -> None:
    assert Page(page).find("svg") == [
        {"role": "img", "aria-label": "The baseline scores 58 %."},
    ]
    assert "<figcaption>Each line is one trial.</figcaption>" in page


def test_a_section_whose_figure_could_not_be_drawn_shows_none() -> None:
    page = Page(render_html(CONTENT, {}))
    assert not page.find("figure")
    assert "Trials are <paired>" in page.text


def test_a_table_scrolls_in_a_box_of_its_own_that_the_keyboard_reaches(page: str) -> None:
    parsed = Page(page)
    boxes = [attributes for attributes in parsed.find("div") if "role" in attributes]
    assert boxes == [
        {"class": "table short", "role": "region", "aria-labelledby": "section-1", "tabindex": "0"}
    ]
    assert parsed.find("h2")[0] == {"id": "section-1"}


def test_only_a_section_whose_table_needs_the_width_takes_a_row_of_its_own() -> None:
    narrow, wide = (Table(tuple("abcdefgh"[:count]), (("1",) * count,)) for count in (5, 6))
    sections = (Section("Narrow", table=narrow), Section("Wide", table=wide))
    pictured = Section("Pictured", figure="accuracy", table=wide)
    page = render_html(ReportContent("T", ("A.",), (*sections, pictured)), {"accuracy": FIGURE})
    assert [section.get("class") for section in Page(page).find("section")] == [None, "wide", None]


def test_a_long_name_of_a_variant_may_wrap_where_its_words_end() -> None:
    section = Section("Names", table=Table(("variant", "a_long"), (("wide_net", "in_a_cell"),)))
    page = render_html(ReportContent("Title", ("Answer.",), (section,)), {})
    assert '<th scope="col">a_<wbr>long</th>' in page
    assert '<th scope="row">wide_<wbr>net</th><td>in_a_cell</td>' in page


def test_intervals_are_kept_on_one_line() -> None:
    page = render_html(ReportContent("Title", ("It is 5 % [-1.5, +2 %] now [see there].",), ()), {})
    assert "It is 5\N{NO-BREAK SPACE}% [-1.5,\N{NO-BREAK SPACE}+2\N{NO-BREAK SPACE}%] now" in page
    assert "[see there]" in page


def test_long_cells_wrap_and_numbers_do_not(page: str) -> None:
    assert '<td class="text">a text that is long' in page
    assert "<td>58.0\N{NO-BREAK SPACE}%</td>" in page
    assert '<th scope="row">baseline</th>' in page


def test_a_table_without_rows_has_its_head() -> None:
    section = Section("Failed trials", table=Table(("variant", "reason"), ()))
    page = render_html(ReportContent("Title", ("Answer.",), (section,)), {})
    assert '<tr><th scope="col">variant</th><th scope="col">reason</th></tr>' in page


def test_the_same_report_is_the_same_text(page: str) -> None:
    assert render_html(CONTENT, {"accuracy": FIGURE}) == page


def test_a_study_of_30_seeds_stays_below_500_kilobytes(real_figures: dict[str, Figure]) -> None:
    sections = tuple(Section(name, figure=name) for name in real_figures)
    page = render_html(ReportContent("30 seeds", ("Answer.",), sections), real_figures)
    assert Page(page).find("svg")
    assert len(page.encode()) < 500_000


def read_themes() -> tuple[dict[str, str], dict[str, str]]:
    css = resources.files("bnbench.reporting").joinpath("report.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
    return tuple(dict(re.findall(r"--([\w-]+): (#\w+);", theme)) for theme in (light, dark))  # type: ignore[return-value]


def test_both_themes_define_every_colour_of_the_figures() -> None:
    light, dark = read_themes()
    assert {variable: color for color, variable in CSS_VARIABLES.items()}.items() <= light.items()
    assert light.keys() == dark.keys()


def test_text_can_be_read_in_both_themes() -> None:
    for theme in read_themes():
        for name in theme.keys() - {"paper", "raised", "grid"}:
            assert contrast(theme[name], theme["paper"]) >= 4.5, name
        assert contrast(theme["ink"], theme["raised"]) >= 4.5


def contrast(color: str, other: str) -> float:
    """Contrast of two colors, 1 to 21, after WCAG 2.2."""
    low, high = sorted((find_luminance(color), find_luminance(other)))
    return (high + 0.05) / (low + 0.05)


def find_luminance(color: str) -> float:
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
