import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bnbench.errors import SpecError
from bnbench.networks import build_first_network
from bnbench.own_call import build_own_network, call_own, seed_generators
from bnbench.recipes import RecipeSpec
from bnbench.specs import TrialSpec
from tests.own_nets import make_own_code, make_own_variant

RUDE = """
import warnings
import torch

print("hello from the import")
torch.set_default_dtype(torch.float64)
AT_IMPORT = torch.rand(3)


def make(scale=1):
    print("hello from the call")
    torch.set_default_dtype(torch.float16)
    torch.set_num_threads(7)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)
    warnings.simplefilter("error")
    return scale * AT_IMPORT
"""

THREE_GENERATORS = """
import random
import numpy
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        numbers = [torch.rand(1).item(), float(numpy.random.rand()), random.random()]
        self.weight = nn.Parameter(torch.tensor(numbers))
"""


def test_settings_that_own_code_changes_are_set_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = make_own_code(tmp_path, "make", RUDE)
    before, filters = torch.get_num_threads(), list(warnings.filters)
    torch.manual_seed(3)
    call_own(code)
    drawn = torch.rand(1)
    assert torch.get_default_dtype() == torch.float32
    assert torch.get_num_threads() == before
    assert torch.is_grad_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    assert warnings.filters == filters
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "hello from the import\nhello from the call\n"
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))  # the import drew from a generator of its own


def test_what_an_import_draws_does_not_depend_on_when_it_is(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = call_own(make_own_code(tmp_path, "make", RUDE))
    torch.manual_seed(2)
    again = call_own(make_own_code(tmp_path, "make", RUDE + "# another file\n"))
    assert torch.equal(first, again)


def test_a_call_that_fails_names_its_line_and_arguments(tmp_path: Path) -> None:
    text = "def make(width):\n    return 1 // width\n"
    with pytest.raises(
        SpecError,
        match=r"own.py:make, line 2: expected a call with \(width=0\) that works, got "
        r"ZeroDivisionError: .*; correct the code or its args",
    ):
        call_own(make_own_code(tmp_path, "make", text, width=0))
    with pytest.raises(
        SpecError, match="got TypeError: make.. got an unexpected keyword .*'depth'"
    ):
        call_own(make_own_code(tmp_path, "make", text, depth=0))


def test_a_callable_that_returns_no_module_is_refused(tmp_path: Path) -> None:
    code = make_own_code(tmp_path, "make", "def make(): return make\n")
    with pytest.raises(SpecError, match="returns an nn.Module, got function; return the network"):
        build_own_network(code)


def test_a_seed_decides_weights_from_all_three_generators(tmp_path: Path) -> None:
    variant = make_own_variant(tmp_path, "Net", THREE_GENERATORS)

    def draw(seed: int) -> torch.Tensor:
        network = build_first_network(TrialSpec(variant, RecipeSpec(), seed, "cpu"))
        (weight,) = network.parameters()
        return weight.detach()

    assert torch.equal(draw(1), draw(1))
    assert not (draw(1) == draw(2)).any()


def test_an_own_network_leaves_the_random_stream_as_one_written_by_hand(tmp_path: Path) -> None:
    variant = make_own_variant(tmp_path, "Same")
    trial = TrialSpec(variant, RecipeSpec(), 5, "cpu")
    network = build_first_network(trial)
    next_number = torch.rand(1)
    torch.manual_seed(5)
    by_hand = [nn.Linear(784, 8), nn.Linear(8, 6), nn.Linear(6, 10)]
    assert torch.equal(torch.rand(1), next_number)
    weights = [each for layer in by_hand for each in layer.parameters()]
    assert all(map(torch.equal, network.parameters(), weights))


def test_seeding_covers_torch_numpy_and_python() -> None:
    seed_generators(4)
    first = torch.rand(1).item(), np.random.rand(), random.random()
    seed_generators(4)
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == first
