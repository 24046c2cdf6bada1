import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest

from bnbench.errors import SpecError
from bnbench.mapping import build_from_mapping
from bnbench.own_code import Arguments, OwnCode
from bnbench.recipes import RecipeSpec
from bnbench.specs import StudySpec, TrialSpec, VariantSpec

ARGUMENTS = Arguments(width=16, rates=(0.5, 1), table={"a": [True, "x"]})


def test_arguments_are_equal_and_hashable_by_their_values() -> None:
    same = Arguments({"table": {"a": [1, "x"]}, "rates": [0.5, 1.0], "width": 16.0})
    assert same == ARGUMENTS
    assert hash(ARGUMENTS) == hash(same)
    assert Arguments(width=17) != ARGUMENTS


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda each: each.update(width=1), id="update"),
        pytest.param(lambda each: each.pop("width"), id="pop"),
        pytest.param(lambda each: each.__setitem__("width", 1), id="set"),
        pytest.param(lambda each: each.clear(), id="clear"),
    ],
)
def test_arguments_cannot_be_changed(change: Any) -> None:
    with pytest.raises(TypeError, match="can't be changed"):
        change(Arguments(width=16))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {"a": [b"bytes"]}, None])
def test_arguments_that_json_cannot_hold_are_refused(value: object) -> None:
    with pytest.raises(SpecError, match="args: expected texts, finite numbers, .* for width"):
        Arguments(width=value)


def test_arguments_come_back_from_copies_pickles_and_json() -> None:
    assert copy.deepcopy(ARGUMENTS) == ARGUMENTS
    assert pickle.loads(pickle.dumps(ARGUMENTS)) == ARGUMENTS
    variant = VariantSpec("own", module="a.py:Net", args=ARGUMENTS, source_sha256="0" * 64)
    text = json.dumps(dataclasses.asdict(variant))
    again = build_from_mapping(VariantSpec, json.loads(text))
    assert again == variant
    assert hash(again) == hash(variant)


@pytest.mark.parametrize("module", ["", "Net", "a.py", "a.py:", ":Net", "a.py:1x", "a.py:N()"])
def test_a_module_that_names_no_callable_is_refused(module: str) -> None:
    with pytest.raises(SpecError, match="module: expected FILE.py:NAME or package.module:NAME"):
        VariantSpec("own", module=module)


def test_own_code_says_its_place_name_and_label() -> None:
    file = OwnCode("/home/me/my_nets.py:SmallCNN", Arguments(width=16))
    assert (file.place, file.name) == ("/home/me/my_nets.py", "SmallCNN")
    assert str(file) == "my_nets.py:SmallCNN(width=16)"
    package = OwnCode("package.module:Net")
    assert package.path is None
    assert str(package) == "package.module:Net()"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"hidden_sizes": (3,)}, "hidden_sizes: expected no value with a module"),
        ({"normalization": "batch"}, "normalization: expected no value with a module"),
        ({"module": None, "args": Arguments(a=1)}, "args: expected none without a module"),
    ],
)
def test_an_own_network_has_no_layers_of_a_spec(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(SpecError, match=text):
        VariantSpec("own", **{"module": "a.py:Net", **fields})


@pytest.mark.parametrize("name", ["momentum", "weight_decay"])
def test_an_own_optimizer_takes_its_settings_as_arguments(name: str) -> None:
    with pytest.raises(SpecError, match=f"{name}: expected 0 with an own optimizer, which takes"):
        RecipeSpec(optimizer=OwnCode("a.py:Lion"), **{name: 0.5})  # type: ignore[arg-type]


def test_a_recipe_reads_an_optimizer_as_a_name_or_a_table() -> None:
    table = {"module": "a.py:Lion", "args": {"betas": [0.9, 0.99]}}
    recipe = build_from_mapping(RecipeSpec, {"optimizer": table})
    assert recipe.optimizer == OwnCode("a.py:Lion", Arguments(betas=[0.9, 0.99]))
    assert build_from_mapping(RecipeSpec, {"optimizer": "adam"}).optimizer == "adam"
    with pytest.raises(SpecError, match="optimizer: expected one of sgd, adam, adamw; got 'lion'"):
        build_from_mapping(RecipeSpec, {"optimizer": "lion"})
    with pytest.raises(SpecError, match="optimizer.module: expected a value, got none"):
        build_from_mapping(RecipeSpec, {"optimizer": {}})


def test_a_study_lists_the_own_code_of_all_variants_once() -> None:
    lion, net = OwnCode("b.py:Lion"), OwnCode("a.py:Net")
    variants = (VariantSpec("baseline"), VariantSpec("own", module=net.module))
    study = StudySpec("mine", variants, RecipeSpec(optimizer=lion))
    assert study.own_codes == (lion, net)
    assert TrialSpec(variants[1], study.recipe, 0, "cpu").own_codes == (net, lion)
    assert StudySpec("mine", variants[:1]).own_codes == ()


def test_an_own_network_keeps_precise_statistics_since_it_may_normalize() -> None:
    recipe = RecipeSpec(evaluation_statistics="precise")
    variants = (VariantSpec("baseline"), VariantSpec("own", module="a.py:Net"))
    StudySpec("mine", variants, recipe)
    assert variants[1].adapt(recipe).evaluation_statistics == "precise"
    assert variants[0].adapt(recipe).evaluation_statistics == "running"
