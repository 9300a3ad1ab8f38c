"""The layer is equivariant, and it is all that a linear equivariant layer can be."""

from functools import partial
from itertools import permutations, product

import pytest
import torch
from hypothesis import given
from strategies import cyclic_perms, networks_and, random_networks, random_perms
from unfolding import unfold

from laws import (
    assert_close,
    assert_equivariant,
    assert_sensitive,
    equivariance_error,
    randomise_parameters,
    uncoupled_permute,
)
from weightspace.models.equivariant_linear import REDUCTIONS, EquivariantLinear, contexts
from weightspace.models.folding import Channels, Folded, fold, folded_channels
from weightspace.symmetry.permutation import permute
from weightspace.weights import Weights

# Layout and the dimension of all linear equivariant maps with one channel in and out.
DIMENSIONS = {
    (2, 3, 1): 41,
    (2, 2, 3, 1): 75,
    (1, 3, 3, 2): 90,
    (1, 2, 2, 2, 1): 93,
    (2, 3, 2, 3, 1): 117,
}


def layer_for(layout, c_in=1, c_out=1, **settings):
    channels = (folded_channels(layout, c) for c in (c_in, c_out))
    layer = EquivariantLinear(*channels, **settings).double()
    return randomise_parameters(layer, torch.Generator().manual_seed(0))


def on_weights(layer, w: Weights, **settings) -> Weights:
    return unfold(layer(fold(w), **settings), w.layer_layout)


def from_rows(rows, layout) -> Weights:
    """The networks, with one channel, whose flattened forms are `rows`; undoes `flatten`."""
    shapes = [t.shape[1:] for t in random_networks(layout, 1, channels=(1,))]
    parts = rows.split([s.numel() for s in shapes], dim=1)
    parts = [p.reshape(-1, *s) for p, s in zip(parts, shapes, strict=True)]
    half = len(parts) // 2
    return Weights(tuple(parts[:half]), tuple(parts[half:]))


# Equivariance


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("reduce", REDUCTIONS)
@given(case=networks_and(random_perms, channels=(2,)))
def test_every_layer_is_equivariant(case, reduce, relu):
    w, perms = case
    layer = layer_for(w.layer_layout, 2, 3, reduce=reduce)
    f = partial(on_weights, layer, relu=relu)
    assert_equivariant(f, w, lambda v: permute(v, perms))


@pytest.mark.parametrize("layout", [*DIMENSIONS, (3, 4, 5, 4, 4)])
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_an_uncoupled_permutation_breaks_it(layout, reduce):
    w = random_networks(layout, channels=(2,))
    perms = cyclic_perms(w)
    assert_sensitive(
        partial(on_weights, layer_for(layout, 2, 2, reduce=reduce)),
        w,
        lambda v: uncoupled_permute(v, perms),
        lambda v: permute(v, perms),
    )


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_contexts_of_swapped_axes_are_refused(reduce):
    """Teeth: on a square layout the wrong pairing fits every shape, and the law must see it."""
    w = random_networks((2, 3, 3, 1), channels=(2,))
    layer = layer_for(w.layer_layout, 2, 2, reduce=reduce)

    def swapped(w):
        x = fold(w)
        turned = Folded(tuple(m.transpose(1, 2) for m in x.matrices), x.vectors, x.scalars)
        return unfold(layer(turned), w.layer_layout)

    first, second = cyclic_perms(w)
    perms = (first, second.roll(1, dims=1))  # two different ones, or turning would commute
    assert equivariance_error(swapped, w, lambda v: permute(v, perms)) > 1e-3


# Completeness


def all_group_elements(layout):
    """Every choice of one permutation per hidden layer, as a batch of `perms`."""
    choices = list(product(*(permutations(range(n)) for n in layout[1:-1])))
    return tuple(torch.tensor([c[h] for c in choices]) for h in range(len(layout) - 2))


def fixed_entries(layout):
    """How many entries of a network each group element leaves in place."""
    perms = all_group_elements(layout)
    n = random_networks(layout, 1).flatten().shape[1]
    labels = torch.arange(n, dtype=torch.float64).expand(len(perms[0]), n)
    return (permute(from_rows(labels, layout), perms).flatten() == labels).sum(1).double()


def maps_of_all_parameters(layout):
    """The matrix of the layer with one parameter at 1 and all others at 0, one row for each."""
    layer = layer_for(layout)
    torch.nn.init.zeros_(layer.pooled.bias)
    parameters = [p for name, p in layer.named_parameters() if name != "pooled.bias"]
    n = random_networks(layout, 1).flatten().shape[1]
    basis = from_rows(torch.eye(n, dtype=torch.float64), layout)
    rows = []
    with torch.no_grad():
        for p in parameters:
            p.zero_()
        for p in parameters:
            for i in range(p.numel()):
                p.view(-1)[i] = 1
                rows.append(on_weights(layer, basis).flatten().flatten())
                p.view(-1)[i] = 0
    return torch.stack(rows)


@pytest.mark.parametrize(("layout", "dimension"), DIMENSIONS.items())
def test_the_layer_is_the_space_of_all_equivariant_maps(layout, dimension):
    # The maps that commute with a permutation representation of characters chi form a space
    # of dimension mean(chi^2).
    assert fixed_entries(layout).square().mean().item() == pytest.approx(dimension)
    maps = maps_of_all_parameters(layout)
    assert len(maps) == dimension
    assert torch.linalg.matrix_rank(maps).item() == dimension


@pytest.mark.parametrize("layout", DIMENSIONS)
def test_the_bias_is_the_space_of_all_equivariant_constants(layout):
    layer = layer_for(layout)
    assert fixed_entries(layout).mean().item() == pytest.approx(layer.pooled.bias.numel())


def test_with_mean_the_layer_is_affine():
    a, b = (random_networks((2, 3, 4, 1), channels=(2,), seed=s) for s in (0, 1))
    f = partial(on_weights, layer_for((2, 3, 4, 1), 2, 2))
    mixed = f(a.map(lambda x, y: 0.3 * x + 0.7 * y, b))
    assert_close(mixed, f(a).map(lambda x, y: 0.3 * x + 0.7 * y, f(b)))


# Against the equations


def naive_layer(layer, x: Folded) -> Folded:
    """The equations of the class, entry by entry, for one network."""
    last = len(x.vectors) - 1

    def seen(h, i):
        parts = [x.vectors[h][0, i]]
        if h > 0:
            m = x.matrices[h - 1][0]
            parts.append(sum(m[i, j] for j in range(m.shape[1])) / m.shape[1])
        if h < last:
            m = x.matrices[h][0]
            parts.append(sum(m[j, i] for j in range(m.shape[0])) / m.shape[0])
        return torch.cat(parts)

    means = [t.flatten(1, -2).mean(1)[0] for t in (*x.vectors, *x.matrices)]
    g, *shared = layer.pooled(torch.cat([x.scalars[0], *means])).split(layer.pooled_sizes)
    sent = [
        [layer.local[h](seen(h, i)).split(layer.local_sizes[h]) for i in range(v.shape[1])]
        for h, v in enumerate(x.vectors)
    ]
    shared = [s.split(sizes[:2]) for s, sizes in zip(shared, layer.local_sizes, strict=True)]
    vectors = [torch.stack([s[0] + shared[h][0] for s in sent[h]]) for h in range(last + 1)]
    matrices = [
        torch.stack(
            [
                torch.stack(
                    [
                        x.matrices[h][0, i, j] @ mixing
                        + sent[h + 1][i][2]
                        + sent[h][j][1]
                        + shared[h][1]
                        for j in range(x.matrices[h].shape[2])
                    ]
                )
                for i in range(x.matrices[h].shape[1])
            ]
        )
        for h, mixing in enumerate(layer.mixing)
    ]
    return Folded(tuple(m[None] for m in matrices), tuple(v[None] for v in vectors), g[None])


@pytest.mark.parametrize("layout", [(2, 3, 1), (2, 3, 4, 2), (1, 2, 3, 4, 1)])
def test_the_layer_agrees_with_the_naive_loops(layout):
    w = random_networks(layout, 1, channels=(2,))
    layer = layer_for(layout, 2, 3)
    assert_close(unfold(naive_layer(layer, fold(w)), layout), on_weights(layer, w))


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_contexts_reduce_the_right_axes(reduce):
    x = fold(random_networks((1, 2, 3, 1)))
    local, pooled = contexts(x, reduce)
    f = torch.Tensor.mean if reduce == "mean" else torch.Tensor.amax
    (m,) = x.matrices  # (batch, 3, 2, 1)
    assert_close(local[0], torch.cat([x.vectors[0], f(m, 1)], -1))
    assert_close(local[1], torch.cat([x.vectors[1], f(m, 2)], -1))
    assert_close(pooled[:, -1:], f(m, (1, 2)))


def test_without_matrix_channels_the_matrices_are_left_out():
    w = random_networks((2, 3, 4, 1))
    outputs = Channels(0, (5, 6), 7)
    layer = EquivariantLinear(folded_channels(w.layer_layout), outputs).double()
    x = layer(fold(w), relu=True)
    assert x.matrices == ()
    assert [v.shape for v in x.vectors] == [(3, 3, 5), (3, 4, 6)]
    assert x.scalars.shape == (3, 7)
    assert all((v >= 0).all() for v in (*x.vectors, x.scalars))
