import copy

import pytest
import torch
from strategies import random_networks

from laws import assert_close, assert_identical, randomise_parameters, relative_error
from weightspace.dataset.inr_dataset import InrDataset
from weightspace.dataset.statistics import standardise, tensor_statistics
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


@pytest.mark.parametrize("c_in", [1, 2, 2 * LANES])
@pytest.mark.parametrize("read", ["all", "matrix", "means"])
def test_training_on_a_cpu_is_update_batch_norm_relu_and_means(read, c_in):
    generator = torch.Generator().manual_seed(0)
    batch, rows, columns, c = 5, 4, 2 * ROWS, 2 * LANES
    sizes = (batch, rows, columns, c_in), (c_in, c), (batch, rows, c), (batch, columns, c)
    given = [torch.randn(s, generator=generator).add(0.5) for s in sizes]
    incoming = [
        torch.randn(s, generator=generator) for s in ((batch, rows, columns, c), *sizes[2:])
    ]
    chosen = {"all": [0, 1, 2], "matrix": [0], "means": [1, 2]}[read]

    def run(dtype):
        # Kept without gradient where the kernel does not find it.
        leaves = [t.clone().to(dtype) for t in given]
        for i, leaf in enumerate(leaves):
            leaf.requires_grad_(i > 0 or c_in > 2)
        norm = FoldedNorm(Channels(c, (1, 1), 1))
        bn = norm.matrices[0]
        randomise_parameters(bn, torch.Generator().manual_seed(1))
        norm.to(dtype)
        rest = tuple(torch.randn(batch, n, 1, dtype=dtype) for n in (columns, rows))
        found = norm([tuple(leaves)], rest, rest[0][:, 0], only_means=read == "means")
        compiled = found.means is not None
        y = None if not found.matrices else found.matrices[0]
        means = found.means[0] if compiled else (y.mean(2), y.mean(1))
        outputs = [(y, *means)[i] for i in chosen]
        torch.autograd.backward(outputs, [incoming[i].to(dtype) for i in chosen])
        grads = [t.grad for t in (*leaves, bn.weight, bn.bias) if t.requires_grad]
        return compiled, [*outputs, *grads, *bn.buffers()]

    (plainly, plain), (compiled, ours) = run(torch.float64), run(torch.float32)
    assert compiled and not plainly
    assert (plain[0] == 0).any() or read == "means"
    assert_close(ours, [t.to(o.dtype) for o, t in zip(ours, plain, strict=True)])


@pytest.mark.parametrize(
    "chosen",
    [
        {"dtype": torch.float64},
        {"columns": ROWS + 1},
        {"c": LANES + 1},
        {"learns": True},
        {"autocast": True},
        {"momentum": None},
    ],
)
def test_what_the_kernel_cannot_do_goes_without(chosen):
    settings = {"dtype": torch.float32, "columns": ROWS, "c": LANES, "learns": False}
    settings |= {"autocast": False, "momentum": 0.1} | chosen
    x = folded(3, 4, settings["columns"], settings["c"], dtype=settings["dtype"])
    norm = norm_of(x)
    norm.matrices[0].momentum = settings["momentum"]
    update = next(as_they_are(x.matrices))
    if settings["learns"]:
        update = update[0][..., :1].clone().requires_grad_(), update[1][:1], *update[2:]
    with torch.autocast("cpu", torch.bfloat16, enabled=settings["autocast"]):
        assert norm([update], x.vectors, x.scalars).means is None
    possible = folded(3, 4, ROWS, LANES)
    assert normed(norm_of(possible), possible).means is not None


@pytest.mark.parametrize("momentum", [0.1, None])
def test_calibration_and_evaluation_are_torchs(momentum):
    x = folded(4, 3, ROWS, LANES)
    norm = norm_of(x).train(momentum is None)
    norm.matrices[0].momentum = momentum
    found = normed(norm, x, only_means=True)
    assert found.means is None
    m = x.matrices[0]
    expected = norm.matrices[0](m.reshape(-1, LANES)).relu().view(m.shape)
    assert_close(found.matrices[0], expected)


def test_a_relu_follows():
    x = Folded((), (torch.randn(4, 3, 2),), torch.randn(4, 5))
    y = normed(norm_of(x), x)
    assert all((t >= 0).all() and (t == 0).any() for t in (*y.vectors, y.scalars))


def test_dws_with_the_kernel_is_dws_without():
    w = random_networks((2, ROWS, 2 * ROWS, ROWS, 1), 6, dtype=torch.float32)
    model = DWSNet(layer_layout=w.layer_layout, d_out=3, channels=LANES, batch_norm=True)
    randomise_parameters(model, torch.Generator().manual_seed(0))

    def gradients(dtype):
        ours = copy.deepcopy(model).to(dtype)
        out = ours(w.map(lambda x: x.to(dtype)))
        out.square().sum().backward()
        # Of one scale, as biases before a norm have no gradient but rounding errors.
        return torch.cat([p.grad.float().flatten() for p in ours.parameters()])

    assert_close(gradients(torch.float32), gradients(torch.float64))


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
