import pytest

from bnbench.errors import SpecError
from bnbench.models.preprocessing import Step, format_preprocessing, parse_preprocessing


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        ("divide=255", (Step("divide", by=255.0),)),
        ("scale=0.00392", (Step("scale", factor=0.00392),)),
        ("normalize=0.5/0.25", (Step("normalize", mean=(0.5,), std=(0.25,)),)),
        (
            "normalize=0.1:0.2:0.3/1:2:3",
            (Step("normalize", mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 3.0)),),
        ),
        ("reshape=1x28x28", (Step("reshape", shape=(1, 28, 28)),)),
        ("reshape=784", (Step("reshape", shape=(784,)),)),
        ("cast=bfloat16", (Step("cast", dtype="bfloat16"),)),
        (
            "divide=255,reshape=784,cast=float16",
            (
                Step("divide", by=255.0),
                Step("reshape", shape=(784,)),
                Step("cast", dtype="float16"),
            ),
        ),
    ],
)
def test_steps_are_typed_and_come_back(text: str, steps: tuple[Step, ...]) -> None:
    assert parse_preprocessing(text) == steps
    assert format_preprocessing(steps) == text


def test_spaces_between_steps_are_allowed() -> None:
    assert parse_preprocessing("divide=2, scale=3,") == parse_preprocessing("divide=2,scale=3")


@pytest.mark.parametrize(
    "text",
    [
        "divide",
        "divide=",
        "divide=x",
        "crop=3",
        "normalize=0.5",
        "normalize=1/2/3",
        "reshape=1x",
        "reshape=28,28",
    ],
)
def test_what_is_no_step_is_answered_with_the_syntax(text: str) -> None:
    with pytest.raises(SpecError, match=r"preprocess: expected divide=255, scale=0\.5, .*, got '"):
        parse_preprocessing(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("divide=0", "divide: expected a divisor above 0, got 'divide=0'"),
        ("divide=nan", "divide: expected finite numbers"),
        ("scale=inf", "scale: expected finite numbers"),
        ("normalize=0.5/0", "normalize: expected a divisor above 0"),
        ("normalize=0.5/-1", "normalize: expected a divisor above 0"),
        ("normalize=0.5:0.5/1", "normalize: expected as many means as deviations"),
        ("reshape=0x3", "reshape: expected sizes of at least 1, got 'reshape=0x3'"),
        ("cast=float", "dtype: expected one of bool, uint8"),
    ],
)
def test_a_step_that_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_preprocessing(text)
    assert message in str(caught.value)


def test_a_step_takes_its_own_fields_only() -> None:
    with pytest.raises(SpecError, match="by: expected factor of step 'scale', got by"):
        Step("scale", by=2.0)
    with pytest.raises(SpecError, match="factor: expected factor of step 'scale', got no factor"):
        Step("scale")
