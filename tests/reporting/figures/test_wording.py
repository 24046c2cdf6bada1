import pytest

from bnbench.reporting.figures.wording import shorten_name, write_seconds


def test_a_long_name_is_cut_in_its_middle() -> None:
    assert shorten_name("batchnorm") == "batchnorm"
    assert shorten_name("a_network_of_many_layers_v2") == "a_networ…layers_v2"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.1, "4.10 s"), (0.0123456, "0.0123 s"), (123.4, "123 s"), (99999.0, "99999 s")],
)
def test_seconds_have_three_digits(seconds: float, text: str) -> None:
    assert write_seconds(seconds).replace("\xa0", " ") == text
