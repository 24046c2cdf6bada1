"""A study with the absolute paths and the hashes of its own code, so that it can be recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from bnbench.errors import SpecError
from bnbench.mapping import MappingError
from bnbench.own_code import OwnCode
from bnbench.own_source import identify
from bnbench.recipes import RecipeChange, RecipeSpec
from bnbench.specs import StudySpec, VariantSpec

Recipe = TypeVar("Recipe", RecipeSpec, RecipeChange)


def identify_own_code(study: StudySpec, folder: Path) -> StudySpec:
    """Fill in where a study's own code is, and its hash.

    Args:
        study: its paths may be relative.
        folder: what they are relative to.

    Raises:
        SpecError: there is no such file or package; the text begins with the key.
    """

    def of_recipe(recipe: Recipe, key: str) -> Recipe:
        if not isinstance(recipe.optimizer, OwnCode):
            return recipe
        with _under_key(f"{key}.optimizer"):
            return replace(recipe, optimizer=identify(recipe.optimizer, folder))

    def of_variant(variant: VariantSpec, key: str) -> VariantSpec:
        variant = replace(variant, recipe=of_recipe(variant.recipe, f"{key}.recipe"))
        if variant.own_code is None:
            return variant
        with _under_key(key):
            code = identify(variant.own_code, folder)
        return replace(variant, module=code.module, source_sha256=code.source_sha256)

    variants = (of_variant(each, f"variants[{n}]") for n, each in enumerate(study.variants))
    return replace(study, variants=tuple(variants), recipe=of_recipe(study.recipe, "recipe"))


@contextlib.contextmanager
def _under_key(key: str) -> Iterator[None]:
    """Put a key before that of an error within."""
    try:
        yield
    except SpecError as error:
        name, _, text = str(error).partition(": ")
        raise MappingError(f"{key}.{name}", text) from None
