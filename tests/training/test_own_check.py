from pathlib import Path

import pytest
import torch

from bnbench.data import Dataset
from bnbench.errors import SpecError
from bnbench.recipes import RecipeSpec
from bnbench.specs import StudySpec
from bnbench.training.own_check import check_own_code, count_parameters
from tests.conftest import BASELINE
from tests.own_nets import OPTIMIZERS, make_own_code, make_own_variant

HEAD = """
import torch
from torch import nn
from torch.nn import functional


class Net(nn.Module):
    def __init__(self, outputs=10):
        super().__init__()
        self.linear = nn.Linear(784, outputs)
        self.setup()

    def setup(self):
        pass

    def forward(self, images):
        return self.linear(images.flatten(1))


"""
RECIPE = RecipeSpec(epochs=1, batch_size=32, learning_rate=0.1)


def check_network(folder: Path, dataset: Dataset, body: str, recipe: RecipeSpec = RECIPE) -> None:
    variant = make_own_variant(folder, "Own", HEAD + body)
    check_own_code(StudySpec("mine", (BASELINE, variant), recipe), dataset)


@pytest.mark.parametrize("name", ["Same", "SmallCNN", "Traced"])
def test_a_network_that_can_be_trained_and_exported_passes(
    tmp_path: Path, synthetic_dataset: Dataset, name: str
) -> None:
    variant = make_own_variant(tmp_path, name)
    state = torch.get_rng_state()
    check_own_code(StudySpec("mine", (variant,), RECIPE), synthetic_dataset)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(
            "class Own(Net):\n    def __init__(self): super().__init__(outputs=7)\n",
            r"expected float32 logits of shape \(32, 10\) for inputs of shape \(32, 1, 28, 28\), "
            r"got torch.float32 of shape \(32, 7\); change the last layer",
            id="shape",
        ),
        pytest.param(
            "class Own(Net):\n    def forward(self, x): return self.linear(x)\n",
            r"own.py:Own, line 21: expected inputs of shape \(32, 1, 28, 28\) to pass, got "
            "RuntimeError: mat1 and mat2 shapes cannot be multiplied",
            id="forward",
        ),
        pytest.param(
            "class Own(Net):\n    def forward(self, x): return super().forward(x).view(32, -1)\n",
            r"expected inputs of shape \(10, 1, 28, 28\) to pass, got RuntimeError|"
            r"logits of shape \(10, 10\) .* got torch.float32 of shape \(32",
            id="batch size",
        ),
        pytest.param(
            "class Own(Net):\n    def forward(self, x): return (super().forward(x), 1)\n",
            "got tuple; return one tensor",
            id="tuple",
        ),
        pytest.param(
            "class Own(Net):\n    def forward(self, x): return super().forward(x).double()\n",
            "got torch.float64 of shape",
            id="type",
        ),
        pytest.param(
            "class Own(Net):\n    def forward(self, x): return super().forward(x) / 0\n",
            "got NaN or infinite ones; check its initial weights",
            id="finite",
        ),
        pytest.param(
            "class Own(Net):\n    def setup(self): self.requires_grad_(False)\n",
            "expected trainable parameters, got none",
            id="parameters",
        ),
        pytest.param(
            "class Own(Net):\n    def setup(self): self.double()\n",
            "expected parameters of type torch.float32, got torch.float64",
            id="double",
        ),
        pytest.param(
            "class Own(Net):\n    def setup(self):\n        torch.manual_seed(0)\n"
            "        self.linear.reset_parameters()\n",
            "got the same random numbers for two seeds: it seeds torch; remove torch.manual_seed",
            id="seed",
        ),
        pytest.param(
            "class Own(Net):\n    def setup(self): self.linear = nn.LazyLinear(10)\n",
            "expected parameters with a shape, got lazy ones; name their sizes",
            id="lazy",
        ),
        pytest.param(
            "NET = Net()\ndef Own(): return NET\n",
            "expected a new network from each call, got the same parameters twice",
            id="one for all",
        ),
        pytest.param(
            "class Own(Net):\n    def forward(self, x, *unused):\n        torch.manual_seed(0)\n"
            "        return super().forward(x)\n",
            "got the same ones for two seeds after a training step: it seeds torch",
            id="seed in forward",
        ),
        pytest.param(
            "class Own(Net):\n    def forward(self, x, *unused):\n"
            "        torch.set_default_dtype(torch.float64)\n        return super().forward(x)\n",
            "expected torch's settings as they were, got another default type after it",
            id="setting in forward",
        ),
        pytest.param(
            "import os\nclass Own(Net):\n    def setup(self):\n"
            "        nn.init.constant_(self.linear.bias, int.from_bytes(os.urandom(7)))\n",
            "expected the same weights twice for one seed, got others",
            id="not reproducible",
        ),
        pytest.param(
            "class Own(Net):\n    def forward(self, x):\n"
            "        return functional.dropout(super().forward(x), 0.5, True)\n",
            "expected the same outputs twice in evaluation mode, got others; use nn.Dropout",
            id="random in evaluation",
        ),
        pytest.param(
            "class Own(Net):\n    def setup(self): self.shift = torch.rand(10)\n"
            "    def forward(self, x): return super().forward(x) + self.shift\n",
            "got others after loading the same state_dict; register every random tensor",
            id="hidden state",
        ),
        pytest.param(
            "class Own(Net):\n    def forward(self, x, *unused):\n"
            "        return super().forward(x) * (2 if x.mean() > 0.01 else 1)\n",
            "expected the same outputs of the exported network, got others for a batch of 32",
            id="tracing",
        ),
        pytest.param(
            "class Own(Net):\n    def forward(self, x): return super().forward(x).detach()\n",
            "expected a training step with a batch of 32, got RuntimeError: element 0",
            id="no gradient",
        ),
    ],
)
def test_what_would_spoil_every_trial_is_one_line(
    tmp_path: Path, synthetic_dataset: Dataset, body: str, error: str
) -> None:
    with pytest.raises(SpecError, match=error) as caught:
        check_network(tmp_path, synthetic_dataset, body)
    assert torch.get_default_dtype() == torch.float32
    assert str(caught.value).startswith("own.py:Own")
    assert "\n" not in str(caught.value)


def test_a_batch_of_one_is_tried_unless_it_is_left_out(
    tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    body = "class Own(Net):\n    def setup(self):\n        self.linear = nn.Sequential("
    body += "nn.Linear(784, 10), nn.BatchNorm1d(10))\n"
    recipe = RecipeSpec(epochs=1, batch_size=47)  # of 330 inputs, 1 is left
    with pytest.raises(SpecError, match="a training step with a batch of 1, got ValueError: Exp"):
        check_network(tmp_path, synthetic_dataset, body, recipe)
    kept = RecipeSpec(epochs=1, batch_size=47, drop_last=True)
    check_network(tmp_path, synthetic_dataset, body, kept)


@pytest.mark.parametrize("name", ["Lion", "make_sgd"])
def test_an_optimizer_that_takes_a_step_passes(
    tmp_path: Path, synthetic_dataset: Dataset, name: str
) -> None:
    recipe = RecipeSpec(learning_rate=0.3, optimizer=make_own_code(tmp_path, name, OPTIMIZERS))
    check_own_code(StudySpec("mine", (BASELINE,), recipe), synthetic_dataset)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            "def make(params, lr): return torch.optim.SGD(params, lr=0.5)\n",
            "expected an optimizer of the learning rate 0.3 that it is given as lr, got another",
        ),
        ("def make(params, lr): return 3\n", "returns a torch.optim.Optimizer, got int"),
        (
            "def make(params, lr): return torch.optim.LBFGS(params, lr=lr)\n",
            r"expected step\(\) without a closure, got TypeError",
        ),
        (
            "def make(params, rate): pass\n",
            "got TypeError: make.* unexpected keyword argument 'lr'",
        ),
    ],
)
def test_an_optimizer_that_cannot_be_tuned_or_stepped_is_refused(
    tmp_path: Path, synthetic_dataset: Dataset, body: str, error: str
) -> None:
    code = make_own_code(tmp_path, "make", f"import torch\n{body}")
    recipe = RecipeSpec(learning_rate=0.3, optimizer=code)
    with pytest.raises(SpecError, match=f"own.py:make.*{error}"):
        check_own_code(StudySpec("mine", (BASELINE,), recipe), synthetic_dataset)


def test_trainable_parameters_are_counted_by_variant(
    tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    study = StudySpec("mine", (BASELINE, make_own_variant(tmp_path, "SmallCNN")))
    # 784 * 8 + 8 + 8 * 6 + 6 + 6 * 10 + 10 and 9 * 4 + 4 + 2 * 4 + 4 * 10 + 10
    assert count_parameters(study, synthetic_dataset.shape) == {"baseline": 6404, "own": 98}
