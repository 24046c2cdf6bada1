import dataclasses

import pytest
import torch

from bnbench.environment import describe_environment, list_devices, require_devices
from bnbench.errors import SpecError
from bnbench.records import EnvironmentRecord


def test_the_environment_names_machine_and_versions() -> None:
    environment = describe_environment(["cpu"])
    assert environment.cores >= 1
    assert environment.versions["torch"] == torch.__version__.partition("+")[0]
    assert environment.devices == {"cpu": environment.cpu}
    assert environment.instruction_set is not None
    name, arithmetic = environment.instruction_set.split(", ")
    assert name in {"avx512", "avx2", "portable"}
    assert arithmetic in {"fused multiply-add", "separate multiply and add"}


def test_a_device_that_is_not_here_is_answered_with_those_that_are() -> None:
    require_devices(["cpu"])
    with pytest.raises(SpecError, match=rf"\({', '.join(list_devices())}\), got 'cuda:9'"):
        require_devices(["cpu", "cuda:9"])


def test_another_version_of_torch_or_number_of_threads_is_a_difference(
    environment: EnvironmentRecord,
) -> None:
    other = dataclasses.replace(
        environment, threads=7, versions={"bnbench": "0", "torch": "9"}, started_at="later"
    )
    assert environment.list_differences(environment) == []
    assert environment.list_differences(other) == [
        "the number of threads was 2, is now 7",
        "the version of torch was 0, is now 9",
    ]
