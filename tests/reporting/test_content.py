import pytest

from bnbench.reporting.content import Table

ROWS = [
    {"variant": "baseline", "device": "cpu", "engine": "native", "accuracy": "84 %"},
    {"variant": "batchnorm", "device": "cpu", "engine": "native", "accuracy": "86 %"},
]


def test_what_all_rows_share_is_said_once_above_the_table() -> None:
    table = Table.from_rows(ROWS, qualifiers=("device", "engine"))
    assert table.columns == ("variant", "accuracy")
    assert table.rows == (("baseline", "84 %"), ("batchnorm", "86 %"))
    assert table.constants == "device cpu, engine native"


def test_what_tells_rows_apart_stands_beside_their_names() -> None:
    other = {**ROWS[0], "engine": "reference"}
    table = Table.from_rows([*ROWS, other], qualifiers=("device", "engine"))
    assert table.columns == ("variant, engine", "accuracy")
    assert [row[0] for row in table.rows] == [
        "baseline, native",
        "batchnorm, native",
        "baseline, reference",
    ]
    assert table.constants == "device cpu"


@pytest.mark.parametrize("details", [(), ("accuracy",)])
def test_without_qualifiers_all_columns_stay(details: tuple[str, ...]) -> None:
    table = Table.from_rows(ROWS, details)
    assert (table.columns, table.details, table.constants) == (tuple(ROWS[0]), details, "")
