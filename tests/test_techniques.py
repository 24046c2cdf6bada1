from dataclasses import fields

import pytest

from bnbench.errors import SpecError
from bnbench.recipes import RecipeSpec
from bnbench.specs import VariantSpec
from bnbench.techniques import BASELINE, TECHNIQUES, VARIANTS, find_variant, make_variant


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_technique_differs_from_the_baseline_in_its_own_fields_alone(name: str) -> None:
    variant, technique = VARIANTS[name], TECHNIQUES[name]
    changed = {
        field.name
        for field in fields(VariantSpec)
        if getattr(variant, field.name) != getattr(BASELINE, field.name)
    }
    assert changed > {"name"}
    assert changed == {"name", *technique.network} | ({"recipe"} if technique.recipe else set())
    assert variant.recipe.changes == technique.recipe
    assert technique.title
    variant.adapt(RecipeSpec())


def test_techniques_of_several_kinds_make_one_variant() -> None:
    parts = [TECHNIQUES[name] for name in ("batchnorm_after", "adam", "linear")]
    variant = make_variant("all", *parts)
    assert (variant.normalization, variant.placement) == ("batch", "after")
    assert variant.recipe.changes == {"optimizer": "adam", "schedule": "linear"}


def test_there_are_at_least_twelve_techniques_and_the_notebooks_among_them() -> None:
    assert len(TECHNIQUES) >= 12
    assert find_variant("batchnorm") == VariantSpec("batchnorm", normalization="batch")


def test_an_unknown_variant_is_refused_with_a_list_of_all() -> None:
    with pytest.raises(SpecError, match=r"some of baseline, batchnorm, .*residual; got 'bn'"):
        find_variant("bn")
