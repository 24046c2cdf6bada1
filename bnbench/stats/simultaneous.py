"""Several comparisons in one study: how sure each must be, for all to be right together."""

from __future__ import annotations

from bnbench.stats.estimates import DEFAULT_CONFIDENCE, check_confidence


def count_contrasts(num_variants: int, num_groups: int = 1) -> int:
    """Count what a study says of variants: each against the baseline, and the best two.

    With two variants, that is one contrast. With more, the best two of a group are compared too.
    That they are chosen by their results needs no further correction: a two-sided comparison of
    the best with the second has its error rate for two variants, and a lower one for more.

    Args:
        num_variants: the baseline included, at least 2.
        num_groups: devices on which all of them are compared, at least 1.

    Raises:
        ValueError: if an argument is outside its range.

    Source: Gutmann and Maymin (1987), "Is the Selected Population the Best?", The Annals of
    Statistics 15(1); Hung and Fithian (2019), "Rank Verification for Exponential Families", The
    Annals of Statistics 47(2).
    """
    if num_variants < 2 or num_groups < 1:
        raise ValueError(
            f"num_variants: expected at least 2 in at least 1 group, got {num_variants} in "
            f"{num_groups}"
        )
    return num_groups * (1 if num_variants == 2 else num_variants)


def correct_confidence(num_contrasts: int, confidence: float = DEFAULT_CONFIDENCE) -> float:
    """Find the level of each of several intervals that hold together with `confidence`.

    ``1 - (1 - confidence) / num_contrasts``: 98.75 % for four. The chance that any interval misses
    is at most the sum of their chances, whatever ties them together. Contrasts with one baseline
    are tied, and so are trials of one seed.

    Holm's procedure would find more, but has no intervals of its own: a verdict here needs both
    ends of an interval, and the report prints the one that was judged.

    Args:
        num_contrasts: intervals that are to hold together, at least 1.
        confidence: the level of all of them together, in (0, 1).

    Raises:
        ValueError: if an argument is outside its range.

    Source: Dunn (1961), "Multiple Comparisons Among Means", JASA 56(293).
    """
    check_confidence(confidence)
    if num_contrasts < 1:
        raise ValueError(f"num_contrasts: expected at least 1, got {num_contrasts}")
    return confidence if num_contrasts == 1 else 1.0 - (1.0 - confidence) / num_contrasts
