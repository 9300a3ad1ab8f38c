"""The models that benchmarks compare with are what they claim to be."""

import naive_dws
import naive_graph
import pytest
import torch
from strategies import cyclic_perms, random_networks

from laws import assert_close, assert_equivariant, assert_invariant, randomise_parameters
from weightspace.models.graph_transformer import GraphTransformer
from weightspace.symmetry.permutation import permute


def randomised(model):
    return randomise_parameters(model.double(), torch.Generator().manual_seed(0)).eval()


@pytest.mark.parametrize("layout", [(2, 4, 5, 1), (3, 5, 2), (2, 3, 4, 3, 2)])
def test_both_graph_transformers_are_one_function(layout):
    ours = randomised(GraphTransformer(layer_layout=layout, d_out=3))
    plain = naive_graph.NaiveGraphTransformer(layer_layout=layout, d_out=3).double().eval()
    plain.load_state_dict(ours.state_dict())
    w = random_networks(layout)
    assert_close(plain(w), ours(w))
    plain(w).square().sum().backward()
    ours(w).square().sum().backward()
    gradients = dict(ours.named_parameters())
    for name, p in plain.named_parameters():
        if p.grad is not None:
            expected = gradients[name].grad
            assert_close(p.grad, torch.zeros_like(p) if expected is None else expected)


# Layout and the dimension of all linear equivariant maps with one channel in and out.
DIMENSIONS = {(2, 3, 1): 41, (2, 2, 3, 1): 75, (1, 3, 3, 2): 90, (2, 3, 2, 3, 1): 117}


def naive_layer(layout):
    n = len(layout) - 1
    channels = [layout[0], *[1] * (n - 2), layout[-1], *[1] * (n - 1), layout[-1]]
    return randomised(naive_dws.Layer(naive_dws.hidden_axes(n), channels, channels))


def flat(tensors, shapes):
    return torch.cat([x.expand(s).flatten(1) for x, s in zip(tensors, shapes, strict=True)], dim=1)


@pytest.mark.parametrize("layout", DIMENSIONS)
def test_the_naive_dws_layer_is_every_equivariant_map_once(layout):
    layer, w = naive_layer(layout), random_networks(layout, 40)
    tensors = naive_dws.to_tensors(w)
    shapes = [x.shape for x in tensors]
    outputs = []
    for p in layer.parameters():
        torch.nn.init.zeros_(p)
    linear = [p for name, p in layer.named_parameters() if not name.startswith("biases")]
    for p in linear:
        for k in range(p.numel()):
            p.data.view(-1)[k] = 1
            outputs.append(flat(layer(tensors), shapes).flatten().detach())
            p.data.view(-1)[k] = 0
    assert len(outputs) == DIMENSIONS[layout]
    assert torch.linalg.matrix_rank(torch.stack(outputs)) == DIMENSIONS[layout]


@pytest.mark.parametrize("layout", DIMENSIONS)
def test_the_naive_dws_layer_is_equivariant(layout):
    layer, w = naive_layer(layout), random_networks(layout)
    perms = cyclic_perms(w)
    n = len(layout) - 1
    axes = naive_dws.hidden_axes(n)

    def permuted(tensors):
        found = []
        for x, of_x in zip(tensors, axes, strict=True):
            for d, a in enumerate(of_x, start=1):
                index = perms[a - 1].view(len(x), *[-1 if k == d else 1 for k in range(1, x.ndim)])
                x = x.gather(d, index.expand(x.shape))
            found.append(x)
        return tuple(found)

    def f(v):
        tensors = naive_dws.to_tensors(v)
        shapes = [x.shape for x in tensors]
        return tuple(x.expand(s) for x, s in zip(layer(tensors), shapes, strict=True))

    assert_equivariant(f, w, lambda v: permute(v, perms), permuted)


def test_the_naive_dws_does_not_see_the_order_of_neurons():
    w = random_networks((2, 4, 5, 1))
    model = randomised(naive_dws.NaiveDWS(layer_layout=w.layer_layout, d_out=3))
    assert_invariant(model, w, lambda v: permute(v, cyclic_perms(w)))
