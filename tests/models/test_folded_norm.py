import copy

import pytest
import torch
from processes import outputs_of_two
from strategies import random_networks

from laws import assert_close, assert_identical, randomise_parameters, relative_error
from weightspace.dataset.inr_dataset import InrDataset
from weightspace.dataset.statistics import standardise, tensor_statistics
from weightspace.fit.blocks import SOURCE
from weightspace.models import norm_kernel
from weightspace.models.dws import DWSNet
from weightspace.models.folded_norm import FoldedNorm
from weightspace.models.folding import Channels, Folded, fold
from weightspace.models.norm_kernel import LANES, ROWS
from weightspace.train.calibrate import calibrate_norms


def as_they_are(matrices):
    """Updates that leave matrices as they are."""
    for m in matrices:
        eye = torch.eye(m.shape[-1], dtype=m.dtype)
        yield m, eye, torch.zeros_like(m[:, :, 0]), torch.zeros_like(m[:, 0])


def norm_of(x):
    channels = x.matrices[0].shape[-1] if x.matrices else 0
    vectors = tuple(v.shape[-1] for v in x.vectors)
    return FoldedNorm(Channels(channels, vectors, x.scalars.shape[-1])).to(x.scalars.dtype)


def normed(norm, x, **chosen):
    return norm([*as_they_are(x.matrices)], x.vectors, x.scalars, **chosen)


def folded(*shape, dtype=torch.float32):
    """Random features with one matrix of this shape."""
    batch, rows, columns, _ = shape
    sizes = (shape, (batch, columns, 2), (batch, rows, 2), (batch, 2))
    generator = torch.Generator().manual_seed(0)
    m, *vectors, scalars = (torch.randn(s, dtype=dtype, generator=generator) for s in sizes)
    return Folded((m.mul(3).add(2),), tuple(vectors), scalars)


def test_every_channel_is_normalised_over_networks_and_neurons():
    x = fold(random_networks((2, 4, 5, 6, 3), 8, channels=(3,)).map(lambda t: 5 * t + 2))
    norm = norm_of(x).train()
    for bn in norm.modules():
        if isinstance(bn, torch.nn.BatchNorm1d):
            torch.nn.init.constant_(bn.bias, 100.0)  # so that the ReLU hides nothing
    y = normed(norm, x)
    for before, after in zip(
        (*x.matrices, *x.vectors, x.scalars), (*y.matrices, *y.vectors, y.scalars), strict=True
    ):
        assert after.shape == before.shape
        flat = before.flatten(0, -2)
        expected = (flat - flat.mean(0)) / (flat.var(0, correction=0) + 1e-5).sqrt() + 100
        assert_close(after.flatten(0, -2), expected)


def update_of(batch, rows, columns, c_in, c):
    """Random m, mixing and contexts, and what their gradients come from."""
    generator = torch.Generator().manual_seed(0)
    contexts = (batch, rows, c), (batch, columns, c)
    sizes = (batch, rows, columns, c_in), (c_in, c), *contexts
    given = [torch.randn(s, generator=generator).add(0.5) for s in sizes]
    incoming = [torch.randn(s, generator=generator) for s in ((batch, rows, columns, c), *contexts)]
    return given, incoming


def normed_update(given, incoming, dtype, read=(0, 1, 2), turned=lambda t: t):
    """Whether the kernel did it; the outputs `read`, all gradients, and the running statistics."""
    m, mixing, *_ = given
    leaves = [t.clone().to(dtype) for t in given]
    for leaf in leaves:  # but for an m whose gradient the kernel does not find
        leaf.requires_grad_(leaf.shape != m.shape or m.shape[-1] % LANES == 0)
    c = mixing.shape[1]
    norm = FoldedNorm(Channels(c, (1, 1), 1))
    bn = norm.matrices[0]
    randomise_parameters(bn, torch.Generator().manual_seed(1))
    norm.to(dtype)
    rest = tuple(torch.randn(len(m), n, 1, dtype=dtype) for n in m.shape[2:0:-1])
    update = tuple(turned(t) for t in leaves)
    found = norm([update], rest, rest[0][:, 0], only_means=0 not in read)
    compiled = found.means is not None
    y = found.matrices[0] if found.matrices else None
    means = found.means[0] if compiled else (y.mean(2), y.mean(1))
    outputs = [(y, *means)[i] for i in read]
    torch.autograd.backward(
        [turned(t) for t in outputs], [turned(incoming[i].to(dtype)) for i in read]
    )
    grads = [t.grad for t in (*leaves, bn.weight, bn.bias) if t.requires_grad]
    return compiled, [*outputs, *grads, *bn.buffers()]


def assert_kernel_is_torch(*args, **chosen):
    (plainly, plain), (compiled, ours) = (
        normed_update(*args, dtype=dtype, **chosen) for dtype in (torch.float64, torch.float32)
    )
    assert compiled and not plainly
    assert (plain[0] > 0).any()
    for own, expected in zip(ours, plain, strict=True):
        if own.is_floating_point():
            assert_close(own, expected.to(own.dtype))
    return plain


@pytest.mark.parametrize("c_in", [1, ROWS - 1, ROWS, 2 * LANES])
@pytest.mark.parametrize("read", [(0, 1, 2), (0,), (1, 2), (1,), (0, 2)])
def test_training_on_a_cpu_is_update_batch_norm_relu_and_means(read, c_in):
    plain = assert_kernel_is_torch(*update_of(5, 4, 2 * ROWS, c_in, 2 * LANES), read=read)
    assert 0 not in read or (plain[0] == 0).any()


def test_the_kernel_takes_tensors_of_any_strides():
    def turned(t):  # equal numbers, another order in memory
        return t.transpose(0, -1).contiguous().transpose(0, -1)

    assert_kernel_is_torch(*update_of(5, 4, ROWS, LANES, LANES), turned=turned)


def test_the_variance_is_right_where_the_first_matrix_is_far_from_the_others():
    (m, *others), incoming = update_of(64, 8, ROWS, 1, LANES)
    m[0] += 100
    assert_kernel_is_torch((m, *others), incoming)


@pytest.mark.parametrize("wrong", [2, 3])
def test_contexts_of_other_shapes_are_refused(wrong):
    given, incoming = update_of(3, 4, ROWS, LANES, LANES)
    given[wrong] = given[wrong][:-1]
    with pytest.raises(ValueError, match="mixing and contexts are"):
        normed_update(given, incoming, torch.float32)


@pytest.mark.parametrize(
    "chosen",
    [
        {"dtype": torch.float64},
        {"columns": ROWS + 1},
        {"c": LANES + 1},
        {"c_in": ROWS + 1},
        {"learns": True},
        {"autocast": True},
        {"momentum": None},
    ],
)
def test_what_the_kernel_cannot_do_goes_without(chosen):
    possible = {"dtype": torch.float32, "columns": ROWS, "c_in": 1, "c": LANES, "learns": False}
    possible |= {"autocast": False, "momentum": 0.1}

    def compiled(dtype, columns, c_in, c, learns, autocast, momentum):
        (m, *others), _ = update_of(3, 4, columns, c_in, c)
        update = m.to(dtype).requires_grad_(learns), *(t.to(dtype) for t in others)
        norm = FoldedNorm(Channels(c, (1, 1), 1)).to(dtype)
        norm.matrices[0].momentum = momentum
        rest = tuple(torch.randn(3, n, 1, dtype=dtype) for n in (columns, 4))
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return norm([update], rest, rest[0][:, 0]).means is not None

    assert compiled(**possible)
    assert not compiled(**possible | chosen)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_calibration_and_evaluation_are_torchs(momentum):
    x = folded(4, 3, ROWS, LANES)
    norm = norm_of(x).train(momentum is None)
    norm.matrices[0].momentum = momentum
    found = normed(norm, x, only_means=True)
    assert found.means is None
    m = x.matrices[0]
    expected = norm.matrices[0](m.reshape(-1, LANES)).relu().view(m.shape)
    assert_identical((found.matrices[0],), (expected,))


def test_a_relu_follows():
    x = Folded((), (torch.randn(4, 3, 2),), torch.randn(4, 5))
    y = normed(norm_of(x), x)
    assert all((t >= 0).all() and (t == 0).any() for t in (*y.vectors, y.scalars))


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_dws_with_the_kernel_is_dws_without(reduce, monkeypatch):
    w = random_networks((2, ROWS, 2 * ROWS, ROWS, 1), 6, dtype=torch.float32)
    settings = {"channels": LANES, "reduce": reduce, "batch_norm": True}
    model = DWSNet(layer_layout=w.layer_layout, d_out=3, **settings)
    randomise_parameters(model, torch.Generator().manual_seed(0))
    calls, kernel = [], norm_kernel.forward
    monkeypatch.setattr(norm_kernel, "forward", lambda *a: calls.append(kernel(*a)))

    def found(dtype):
        ours = copy.deepcopy(model).to(dtype)
        out = ours(w.map(lambda x: x.to(dtype)))
        out.square().sum().backward()
        return out.float(), [p.grad.float() for p in ours.parameters()]

    (plain, plain_grads) = found(torch.float64)
    assert not calls
    (out, grads) = found(torch.float32)
    assert len(calls) == 2 * 2  # two layers of two matrices
    assert_close(out, plain)
    if reduce == "max":  # rounding decides which of two equal entries has the gradient
        return
    largest = max(g.abs().max() for g in plain_grads)
    compared = [
        (a, b) for a, b in zip(grads, plain_grads, strict=True) if b.abs().max() > 1e-6 * largest
    ]
    assert len(compared) > len(grads) / 2  # biases before a norm have no gradient
    for own, expected in compared:
        assert relative_error(own, expected) < 1e-3


def test_gradients_by_torch_func_go_without_the_kernel():
    w = random_networks((2, ROWS, ROWS, 1), 4, dtype=torch.float32)
    model = DWSNet(layer_layout=w.layer_layout, d_out=3, channels=LANES, batch_norm=True)
    parameters = {k: p.detach() for k, p in model.named_parameters()}
    buffers = {k: b.clone() for k, b in model.named_buffers()}

    def loss(parameters, buffers):
        return torch.func.functional_call(model, (parameters, buffers), (w,)).square().sum()

    by_func = torch.func.grad(loss)(parameters, buffers)
    model(w).square().sum().backward()
    assert_close(by_func["head.5.weight"], model.head[5].weight.grad)


def test_the_compiled_code_on_disk_is_known_by_the_blocks_it_is_made_of():
    for function in (norm_kernel.forward, norm_kernel.backward):
        assert SOURCE in [cell.cell_contents for cell in function.py_func.__closure__]


STEP = """
import hashlib, torch
from weightspace.models.dws import DWSNet
from weightspace.rng import stream
from weightspace.siren import init_siren
w = init_siren((2, 8, 8, 1), omega_0=30.0, generator=stream(0, "init"), batch_size=3)
torch.manual_seed(0)
model = DWSNet(layer_layout=w.layer_layout, d_out=2, batch_norm=True)
model(w).square().sum().backward()
numbers = torch.cat([p.grad.flatten() for p in model.parameters()])
print(hashlib.md5(numbers.numpy().tobytes()).hexdigest())
"""


def test_the_process_that_compiles_trains_as_those_that_load_the_compiled_code(tmp_path):
    first, second = outputs_of_two(STEP, tmp_path, "norm_kernel*")
    assert first == second


def test_it_stands_between_the_layers_of_dws_only():
    def norms(**chosen):
        model = DWSNet(layer_layout=(2, 4, 5, 1), d_out=3, **chosen)
        return sum(isinstance(m, torch.nn.BatchNorm1d) for m in model.modules())

    read_out = 1
    per_layer = 1 + 2 + 1  # a matrix, two vectors, the scalars
    assert norms() == read_out
    assert norms(batch_norm=True, depth=3) == read_out + 2 * per_layer
    assert norms(batch_norm=True, depth=1) == read_out


def test_without_it_dws_is_what_it_was():
    w = random_networks((2, 4, 5, 1), dtype=torch.float32)
    model = DWSNet(layer_layout=(2, 4, 5, 1), d_out=3).eval()
    assert not [k for k in model.state_dict() if k.startswith("norms")]
    x = fold(w)
    for layer in model.layers:
        x = layer(x, relu=True)
    found = model.features(w)
    assert_identical((*found.vectors, found.scalars), (*x.vectors, x.scalars))


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_calibration_measures_its_statistics(reduce):
    w = random_networks((2, 4, 5, 1), 12, dtype=torch.float32)
    model = DWSNet(layer_layout=(2, 4, 5, 1), d_out=3, batch_norm=True, reduce=reduce)
    randomise_parameters(model, torch.Generator().manual_seed(0))
    index = torch.arange(12)
    dataset = InrDataset(
        weights=w,
        labels=index % 3,
        object_ids=index,
        views=0 * index,
        n_classes=3,
        omega_0=1.0,
        output_offset=0.0,
    )
    calibrate_norms(model, dataset, tensor_statistics(w), 100)
    seen = {}
    for name, m in model.named_modules():
        if isinstance(m, torch.nn.BatchNorm1d):
            m.register_forward_hook(lambda m, args, out, name=name: seen.update({name: args[0]}))
    model.eval()(standardise(w, tensor_statistics(w)))
    assert len(seen) == 1 + 2 * 4
    for name, x in seen.items():
        # Later norms are measured behind norms by the batch, whose variance is not the unbiased
        # one that evaluation uses.
        error = relative_error(model.get_submodule(name).running_mean, x.mean(0))
        assert error < (1e-5 if name.startswith("norms.0") else 0.05), name
