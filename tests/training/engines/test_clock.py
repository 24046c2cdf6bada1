from unittest.mock import Mock

import pytest
import torch

from bnbench.training.engines.clock import DeviceClock


def test_the_time_is_that_of_the_clock_it_is_given() -> None:
    clock = DeviceClock(torch.device("cpu"), iter([1.5, 4.0]).__next__)
    assert (clock.read(), clock.read()) == (1.5, 4.0)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_the_device_is_done_before_the_time_is_read(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    calls = Mock()
    calls.read.return_value = 1.0
    monkeypatch.setattr(getattr(torch, device), "synchronize", calls.synchronize)
    DeviceClock(torch.device(device), calls.read).read()
    assert [call[0] for call in calls.mock_calls] == ["synchronize", "read"]
