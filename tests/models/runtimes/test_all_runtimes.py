from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bnbench.models.certificate import Certificate, certify
from bnbench.models.runtimes import RUNTIMES, open_runtime
from bnbench.models.runtimes.aotinductor import AOTInductorRuntime
from bnbench.models.stored_network import read_stored_network
from bnbench.specs import VariantSpec
from tests.conftest import BASELINE, BATCHNORM
from tests.models.conftest import Exporter

# libtorch sees what is on disk and needs the C++ program: tests/cpp/test_bnbench_eval.py runs it.
NAMES = [name for name in RUNTIMES if name not in ("libtorch", "aotinductor")]


def check(logits: NDArray[np.floating], certificate: Certificate) -> None:
    difference = np.abs(logits.astype(np.float64) - certificate.logits)
    assert (difference <= certificate.logit_bounds).all()
    certified = certificate.certified
    assert certified.mean() > 0.9
    assert (logits.argmax(axis=1) == certificate.predictions)[certified].all()


@pytest.mark.parametrize("variant", [BASELINE, BATCHNORM], ids=lambda v: v.name)
@pytest.mark.parametrize("name", NAMES)
def test_a_runtime_stays_within_the_certificates_bounds(
    name: str, variant: VariantSpec, export: Exporter, images: NDArray[np.uint8]
) -> None:
    for package in RUNTIMES[name].packages:
        pytest.importorskip(package)
    model = export(variant, 3)
    certificate = certify(read_stored_network(model.read_bytes()), images)
    assert certificate is not None
    check(open_runtime(name, [model], Path()).load(model).logits(images), certificate)


@pytest.mark.slow
def test_compiled_code_stays_within_the_certificates_bounds(
    compiled: AOTInductorRuntime, export: Exporter, images: NDArray[np.uint8]
) -> None:
    model = export(BATCHNORM, 3)
    certificate = certify(read_stored_network(model.read_bytes()), images)
    assert certificate is not None
    check(compiled.load(model).logits(images), certificate)
