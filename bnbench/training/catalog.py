"""The built-in studies and series, and studies read from TOML files or from runs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bnbench.data_names import resolve_data
from bnbench.errors import SpecError
from bnbench.mapping import MappingError, build_from_mapping
from bnbench.recipes import RecipeChange, RecipeSpec
from bnbench.series import SeriesSpec
from bnbench.specs import StudySpec, TimingSpec, TuningSpec, VariantSpec, parse_seeds
from bnbench.store import RunStore
from bnbench.techniques import VARIANTS, find_variant
from bnbench.training.identify import identify_own_code

TUNING_DEFAULTS: dict[str, Any] = {"refine": True, "max_alternates": 5}
"""Of new studies; runs of before that lack these keys had neither."""

STUDIES: dict[str, StudySpec] = {
    "notebook": StudySpec(
        name="notebook",
        variants=(VARIANTS["baseline"], VARIANTS["batchnorm"]),
        recipe=RecipeSpec(epochs=5, batch_size=64, learning_rate=0.001),
        seeds=tuple(range(30)),  # one more than the verdict's error rates need
        devices=("cpu",),
    ),
}


def _tune(
    name: str, recipe: RecipeSpec, learning_rates: Sequence[float], **fields: Any
) -> StudySpec:
    """The notebook study by another recipe, tuned and without times of its own."""
    tuning = {"refine": True, "refine_octaves": (1.0, 0.5), **fields}
    return replace(
        STUDIES["notebook"],
        name=name,
        recipe=recipe,
        tuning=TuningSpec(tuple(learning_rates), **tuning),
        timing=TimingSpec(num_pairs=0),
    )


_LINEAR = RecipeSpec(schedule="linear")
_PRECISE = replace(_LINEAR, evaluation_statistics="precise")
_FEW_SEEDS: dict[str, Any] = {
    "seeds": tuple(range(1000, 1005)),
    "num_first_seeds": 3,
    "num_finalists": 2,
    "max_alternates": 1,
}
"""Tuning where trials differ little from seed to seed, since the rate falls to zero."""
_GRID = tuple(0.001 * 4**power for power in range(7))  # up to 4.096

STUDIES["techniques"] = replace(
    STUDIES["notebook"],
    name="techniques",
    variants=tuple(VARIANTS.values()),
    tuning=TuningSpec(
        tuple(0.00025 * 4**power for power in range(8)),  # up to 4.096; Adam's are the low ones
        seeds=tuple(range(1000, 1015)),
        num_first_seeds=3,
        refine=True,
        refine_octaves=(1.0, 0.5),
    ),
    timing=TimingSpec(num_pairs=6),
)
"""Every technique alone, each tuned with the same budget; intervals hold at the chosen rates."""

_VARIED: dict[str, RecipeChange] = {
    "": RecipeChange(),
    ".init": RecipeChange(order_seed=30),
    ".order": RecipeChange(initialization_seed=30),
    ".droplast": RecipeChange(drop_last=True),
    ".precise": RecipeChange(evaluation_statistics="precise"),
}
"""What varies in each variant of a network: everything, or what its name says; or everything
without the remainder batch, or with precise statistics."""

STUDIES["variance"] = replace(
    STUDIES["notebook"],
    name="variance",
    # Each network near the best of the constant rates that the series `fair` tried.
    variants=tuple(
        replace(
            VARIANTS[name],
            name=f"{name}{suffix}",
            recipe=replace(change, learning_rate=learning_rate),
        )
        for name, learning_rate in (("baseline", None), ("batchnorm", 0.006))
        for suffix, change in _VARIED.items()
        if name == "batchnorm" or suffix != ".precise"
    ),
    recipe=RecipeSpec(learning_rate=0.09),
    timing=TimingSpec(num_pairs=0),
)
"""Where the spread over seeds comes from: each source of randomness alone, and all together."""

SERIES: dict[str, SeriesSpec] = {
    "fair": SeriesSpec(
        "fair",
        (
            STUDIES["notebook"],
            _tune(
                "constant",
                RecipeSpec(),
                _GRID,
                seeds=tuple(range(1000, 1015)),
                num_first_seeds=5,
                max_alternates=2,
            ),
            _tune("linear", _LINEAR, _GRID, **_FEW_SEEDS),
            _tune("linear-precise", _PRECISE, _GRID, **_FEW_SEEDS),
            _tune(
                "linear-precise-20",
                replace(_PRECISE, epochs=20),
                _GRID[2:],
                refine_octaves=(1.0,),
                seeds=tuple(range(1000, 1004)),
                num_first_seeds=2,
                num_finalists=2,
                max_alternates=1,
                num_alternate_seeds=10,
            ),
        ),
        verified=("notebook",),
    )
}
"""From the notebook's recipe to the best one; a rate falls, then statistics and epochs change."""


def find_study(name: str) -> StudySpec:
    """Find a study: built-in by its name, or of a TOML file or a run's ``run.json`` by its path.

    A study of a series has the name ``SERIES/STUDY``.

    Raises:
        SpecError: there is no such study, or the file does not describe one.
        RunError: the run cannot be read.
    """
    built_in = STUDIES | {
        f"{series.name}/{study.name}": study
        for series in SERIES.values()
        for study in series.studies
    }
    if name in built_in:
        return built_in[name]
    path = Path(name)
    if path.name == "run.json":
        return RunStore.open(path.parent).study
    if path.suffix == ".toml" or path.exists():
        return read_study_file(path)
    raise SpecError(
        f"study: expected {', '.join([*built_in, *SERIES])}, a .toml file or a run's run.json, "
        f"got {name!r}"
    )


def read_study_file(path: Path) -> StudySpec:
    """Read a study from TOML; keys that it leaves out are as in the notebook study.

    ``data`` names what is trained on, by a path relative to the file or as `DATA_SETS` does.
    ``variants`` lists names, or tables with the fields of `VariantSpec`; ``seeds`` is a list or
    a text such as ``"0-29"``; ``[recipe]`` has the fields of `RecipeSpec`. A ``[tuning]`` refines
    the rates and scores alternates, unless it says otherwise.

    Raises:
        SpecError: the file cannot be read; the text names the line and the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: expected a study file that can be read, got: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path}: expected TOML, got: {error}") from None
    defaults = STUDIES["notebook"]
    names = [variant.name for variant in defaults.variants]
    content = {"name": path.stem, "variants": names, "seeds": defaults.seeds, **content}
    try:
        if isinstance(content.get("tuning"), dict):
            content["tuning"] = {**TUNING_DEFAULTS, **content["tuning"]}
        for table in (content, content.get("tuning")):
            if isinstance(table, dict) and isinstance(table.get("seeds"), str):
                table["seeds"] = parse_seeds(table["seeds"])
        if isinstance(content["variants"], list):
            content["variants"] = [
                asdict(find_variant(entry)) if isinstance(entry, str) else entry
                for entry in content["variants"]
            ]
        study = build_from_mapping(StudySpec, content)
        study = replace(study, data=resolve_data(study.data, path.parent))
        return identify_own_code(study, path.parent)
    except SpecError as error:
        key = error.key if isinstance(error, MappingError) else str(error).split(":", 1)[0]
        line = _find_line(text, key)
        where = f"{path}, line {line}" if line else str(path)
        raise SpecError(f"{where}: {error}") from None


def _find_line(text: str, key: str) -> int | None:
    """Find the line of a dotted key such as ``recipe.epochs`` or ``variants[1].hidden_sizes``.

    The TOML reader keeps no positions, so the file is scanned for the key beneath its table.
    """
    *tables, name = re.sub(r"\[\d+\]", "", key).split(".")
    index = re.search(r"\[(\d+)\]", key)
    wanted, table, seen = ".".join(tables), "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*(\[\[?)\s*([\w.\-]+)\s*\]", line)
        if header:
            table = header[2]
            seen += header[1] == "[[" and table == wanted
        elif re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=", line):
            in_right_table = index is None or not tables or seen == int(index[1]) + 1
            if table == wanted and in_right_table:
                return number
        elif wanted and table == "" and re.match(rf"\s*{re.escape(wanted)}\s*=", line):
            return number
    # A key within an inline table has the line of that table.
    return _find_line(text, key.rpartition(".")[0]) if tables else None


def check_against_data(study: StudySpec, num_train_images: int) -> None:
    """Check the recipes of a study's variants against the size of the training set.

    Tuning trials train on fewer inputs, those that are not cut for validation.

    Raises:
        SpecError: an epoch has no step, the warm-up takes the whole training, or batch
            normalization would be left with a batch of one image.
    """
    sizes = [num_train_images]
    if study.tuning is not None:
        sizes.append(num_train_images - study.tuning.count_validation(num_train_images))
    for variant in study.variants:
        for size in sizes:
            _check_recipe(variant, variant.adapt(study.recipe), size)


def _check_recipe(variant: VariantSpec, recipe: RecipeSpec, num_images: int) -> None:
    num_steps = recipe.epochs * recipe.count_steps(num_images)
    if num_steps == 0:
        raise SpecError(
            f"batch_size: expected at most {num_images}, the number of training images, "
            f"where the last batch is left out, got {recipe.batch_size}"
        )
    if recipe.warmup_steps >= num_steps:
        raise SpecError(
            f"warmup_steps: expected fewer than the {num_steps} steps of the training of "
            f"{variant.name}, got {recipe.warmup_steps}; warm up for less, or train longer"
        )
    left_over = 0 if recipe.drop_last else num_images % recipe.batch_size
    if variant.normalization == "batch" and (recipe.batch_size == 1 or left_over == 1):
        raise SpecError(
            f"batch_size: expected batches of two images or more for {variant.name}, since a "
            f"batch of one has no variance; got {recipe.batch_size}, which leaves one "
            f"of {num_images} images alone; choose another batch size, or drop_last"
        )
