import pytest
import torch

from weightspace.device import choose_device, device_name


def test_devices_by_name():
    assert choose_device("cpu") == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device("auto").type == expected
    assert device_name(torch.device("cpu")).startswith("cpu: ")


def test_a_gpu_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch finds no GPU here; use 'auto' or 'cpu'"):
        choose_device("cuda")
