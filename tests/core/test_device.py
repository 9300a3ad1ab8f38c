import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from weightspace.device import choose_device, device_name, use_threads


def test_devices_by_name():
    assert choose_device("cpu") == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device("auto").type == expected
    name = device_name(torch.device("cpu"))
    assert name.startswith("cpu: ") and name.endswith(torch.backends.cpu.get_cpu_capability())


def test_a_gpu_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch finds no GPU here; use 'auto' or 'cpu'"):
        choose_device("cuda")


@pytest.fixture
def settings_put_back():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def test_what_cannot_repeat_exactly_is_an_error(settings_put_back, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    use_threads(1)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    with pytest.raises(RuntimeError, match="put_ does not have a deterministic implementation"):
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))


class Calls(TorchDispatchMode):
    """The operations called, with the kind and size of their first argument."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if args and isinstance(args[0], torch.Tensor):
            self.seen.add((func.overloadpacket.__name__, args[0].dtype, args[0].numel()))
        return func(*args, **(kwargs or {}))


def test_the_first_call_of_a_vector_function_is_on_one_number(settings_put_back):
    # What goes wrong without it does so in one of a thousand processes, so no test could see it.
    with Calls() as calls:
        use_threads(2)
    names = ("sin", "cos", "exp", "log", "log10", "sqrt", "tanh", "erf")
    assert {(n, d, 1) for n in names for d in (torch.float32, torch.float64)} <= calls.seen
    assert {size for _, _, size in calls.seen} == {1}
