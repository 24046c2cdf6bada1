from bnbench.reporting.figures.palette import CSS_VARIABLES, PAPER, SERIES


def test_all_text_of_the_colours_can_be_read_on_white() -> None:
    for color, variable in CSS_VARIABLES.items():
        if variable not in ("grid", "paper"):
            assert contrast(color, PAPER) >= 4.5


def test_the_first_two_variants_differ_in_lightness() -> None:
    assert contrast(SERIES[0].color, SERIES[1].color) > 1.5


def contrast(color: str, other: str) -> float:
    """Contrast of two colors, 1 to 21, after WCAG 2.2."""
    low, high = sorted((find_luminance(color), find_luminance(other)))
    return (high + 0.05) / (low + 0.05)


def find_luminance(color: str) -> float:
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
