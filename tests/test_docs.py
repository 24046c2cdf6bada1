"""README and docs against the code: links, commands and paths."""

import dataclasses
import re
import shlex
from pathlib import Path

import click
import pytest

from bnbench.cli.main import cli
from bnbench.recipes import RecipeSpec
from bnbench.specs import VariantSpec
from bnbench.techniques import TECHNIQUES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
SHELL_BLOCK = re.compile(r"```(?:sh|console)\n(.*?)```", re.DOTALL)


def name_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


def list_anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def list_commands(page: Path) -> list[list[str]]:
    """The arguments of each ``bnbench ...`` line in a page's shell examples."""
    commands = []
    for block in SHELL_BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = (
                shlex.split(line.strip().removeprefix("$ "), comments=True)
                if (line.strip().removeprefix("$ ").startswith("bnbench "))
                else []
            )
            if words:
                commands.append(words[1:])
    return commands


def find_unknown_word(arguments: list[str]) -> str | None:
    """The first command or option that click does not know, or None."""
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        if not arguments or arguments[0].startswith("-"):
            return arguments[0] if arguments else "a command"
        found = command.get_command(context, arguments[0])
        if found is None:
            return arguments[0]
        command, arguments = found, arguments[1:]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--"}
    for word in arguments:
        if word == "--":
            return None
        if word.startswith("-") and word.partition("=")[0] not in known:
            return word
    return None


def test_readme_has_at_most_150_lines() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_relative_link_leads_to_a_file_and_a_title(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in list_anchors(target), link


def test_no_text_promises_every_ieee_754_runtime() -> None:
    # Directed rounding is IEEE arithmetic too, and leaves the certificate's bound.
    texts = [*PAGES, *(ROOT / "bnbench").rglob("*.py"), *(ROOT / "cpp").rglob("*.cc")]
    assert len(texts) > 200
    for path in texts:
        assert not re.search(r"any\s+IEEE", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_command_shown_exists_with_its_options(page: Path) -> None:
    for arguments in list_commands(page):
        assert find_unknown_word(arguments) is None, arguments


@pytest.mark.parametrize(
    ("arguments", "unknown"),
    [
        (["run", "--seeds", "0-4"], None),
        (["run", "--sedes", "0-4"], "--sedes"),
        (["walk"], "walk"),
    ],
    ids=["known", "unknown option", "unknown command"],
)
def test_an_unknown_command_or_option_is_found(arguments: list[str], unknown: str | None) -> None:
    assert find_unknown_word(arguments) == unknown


def test_every_path_and_name_in_the_table_of_tasks_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.split("## Where to change what")[1].split("\n## ")[0]
    rows = [row.split("|")[2] for row in table.splitlines() if row.startswith("| ")][1:]
    assert len(rows) == 15
    for row in rows:
        paths = [ROOT / path for path in re.findall(r"`((?:bnbench|cpp)/[\w./]+)`", row)]
        assert paths, row
        assert all(path.exists() for path in paths), row
        for name in re.findall(r"`(\w+)` in `", row):
            assert any(path.is_file() and name in path.read_text() for path in paths), name


def test_every_technique_and_every_field_of_a_recipe_or_network_is_documented() -> None:
    text = (ROOT / "docs" / "techniques.md").read_text(encoding="utf-8")
    fields = [
        field.name for spec in (RecipeSpec, VariantSpec) for field in dataclasses.fields(spec)
    ]
    missing = [name for name in (*TECHNIQUES, *fields) if f"`{name}`" not in text]
    assert not [name for name in missing if name != "name"]
