import pytest

from bnbench.errors import SpecError
from bnbench.reporting.variant_map import VariantPair, pair_variants


def test_variants_are_paired_by_name() -> None:
    assert pair_variants(["a", "b"], ["b", "c"], {}) == (
        VariantPair("a", None),
        VariantPair("b", "b"),
        VariantPair(None, "c"),
    )


def test_a_mapped_variant_is_compared_with_no_other() -> None:
    # b of the second run is taken by a, so b of the first has no counterpart.
    assert pair_variants(["a", "b"], ["b", "a"], {"a": "b"}) == (
        VariantPair("a", "b", is_mapped=True),
        VariantPair("b", None),
        VariantPair(None, "a"),
    )


def test_the_label_has_both_names_where_they_differ() -> None:
    labels = [pair.label for pair in pair_variants(["a", "b", "c"], ["b", "x"], {"a": "x"})]
    assert labels == ["a = x", "b", "c"]


@pytest.mark.parametrize(
    ("variant_map", "words"),
    [
        ({"x": "c"}, r"a variant of the first run \(a, b\), got 'x'"),
        ({"a": "x"}, r"a variant of the second run \(b, c\), got 'x'"),
        ({"a": "c", "b": "c"}, "each variant of the second run once, got 'c' twice"),
    ],
    ids=["unknown in the first", "unknown in the second", "twice"],
)
def test_a_wrong_map_is_refused_with_the_names_there_are(
    variant_map: dict[str, str], words: str
) -> None:
    with pytest.raises(SpecError, match=words):
        pair_variants(["a", "b"], ["b", "c"], variant_map)
