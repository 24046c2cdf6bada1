from bnbench.reporting.figures import Figure
from tests.reporting.figures.conftest import read_texts


def test_the_matrix_shows_the_change_in_points_and_its_sign(inspected: dict[str, Figure]) -> None:
    texts = read_texts(inspected["mistakes"])
    # Shoes taken for boots: 6 of 8 against 2 of 8; caps taken for boots: 0 against 1 of 20.
    # Row by row, the hardest class first: shoes, boots without a change, caps.
    changes = [text for text in texts if text[0] in "+\N{MINUS SIGN}"]
    assert changes == ["+50", "\N{MINUS SIGN}50", "+5.0", "\N{MINUS SIGN}5.0"]
    assert "batchnorm minus baseline, points" in texts
    # The hardest class comes first.
    assert inspected["mistakes"].alt.startswith(
        "What the networks get wrong: baseline: shoe 25.0 %;"
    )
    rows = inspected["mistakes"].rows
    assert len(rows) == 2 * 3 * 3
    assert rows[0]["share"] == rows[0]["low"] == 1.0
