import pytest
import torch
from strategies import random_networks

from laws import assert_close, assert_identical, randomise_parameters, relative_error
from weightspace.dataset.inr_dataset import InrDataset
from weightspace.dataset.statistics import standardise, tensor_statistics
from weightspace.models.dws import DWSNet
from weightspace.models.folded_norm import FoldedNorm
from weightspace.models.folding import Channels, Folded, fold
from weightspace.train.calibrate import calibrate_norms


def test_every_channel_is_normalised_over_networks_and_neurons():
    x = fold(random_networks((2, 4, 5, 6, 3), 8, channels=(3,)).map(lambda t: 5 * t + 2))
    norm = FoldedNorm(Channels(3, tuple(v.shape[2] for v in x.vectors), x.scalars.shape[1]))
    norm.double().train()
    for bn in norm.modules():
        if isinstance(bn, torch.nn.BatchNorm1d):
            torch.nn.init.constant_(bn.bias, 100.0)  # so that the ReLU hides nothing
    y = norm(x)
    for before, after in zip(
        (*x.matrices, *x.vectors, x.scalars), (*y.matrices, *y.vectors, y.scalars), strict=True
    ):
        assert after.shape == before.shape
        flat = before.flatten(0, -2)
        expected = (flat - flat.mean(0)) / (flat.var(0, correction=0) + 1e-5).sqrt() + 100
        assert_close(after.flatten(0, -2), expected)


@pytest.mark.parametrize("read", ["all", "matrix", "means"])
def test_training_on_a_cpu_is_batch_norm_relu_and_means(read):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 4, 6, 3, dtype=torch.float64, generator=generator).mul(3).add(2)
    sizes = x.shape, (5, 4, 3), (5, 6, 3)
    incoming = [torch.randn(s, dtype=x.dtype, generator=generator) for s in sizes]
    chosen = {"all": [0, 1, 2], "matrix": [0], "means": [1, 2]}[read]

    def run(compiled):
        norm = FoldedNorm(Channels(3, (1, 1), 1)).double()
        bn = norm.matrices[0]
        randomise_parameters(bn, torch.Generator().manual_seed(1))
        leaf = x.clone().requires_grad_()
        if compiled:
            rest = tuple(torch.randn(5, n, 1, dtype=x.dtype) for n in (6, 4))
            found = norm(Folded((leaf,), rest, rest[0][:, 0]))
            y, (rows, columns) = found.matrices[0], found.means[0]
        else:
            y = bn(leaf.reshape(-1, 3)).relu().view(leaf.shape)
            rows, columns = y.mean(2), y.mean(1)
        outputs = [(y, rows, columns)[i] for i in chosen]
        torch.autograd.backward(outputs, [incoming[i] for i in chosen])
        return y, rows, columns, leaf.grad, bn.weight.grad, bn.bias.grad, *bn.buffers()

    plain, compiled = run(False), run(True)
    assert (plain[0] == 0).any() and (plain[0] > 0).any()
    assert_close(compiled, plain)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_calibration_and_evaluation_are_torchs(momentum):
    x = torch.randn(4, 3, 2, 5)
    norm = FoldedNorm(Channels(5, (1, 1), 1)).train(momentum is None)
    norm.matrices[0].momentum = momentum
    found = norm(Folded((x,), (torch.randn(4, 2, 1), torch.randn(4, 3, 1)), torch.randn(4, 1)))
    assert found.means is None
    expected = norm.matrices[0](x.reshape(-1, 5)).relu().view(x.shape)
    assert_identical((found.matrices[0],), (expected,))


def test_a_relu_follows():
    x = Folded((), (torch.randn(4, 3, 2),), torch.randn(4, 5))
    y = FoldedNorm(Channels(0, (2,), 5))(x)
    assert all((t >= 0).all() and (t == 0).any() for t in (*y.vectors, y.scalars))


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
