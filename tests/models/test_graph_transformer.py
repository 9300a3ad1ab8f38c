import pytest
import torch
from hypothesis import given, settings
from strategies import cyclic_perms, networks_and, random_networks, random_perms

from laws import (
    assert_close,
    assert_equivariant,
    assert_sensitive,
    randomise_parameters,
    uncoupled_permute,
)
from weightspace.dataset.statistics import Statistics
from weightspace.models.graph import EdgeBlock, dense_edges, layer_slices
from weightspace.models.graph_transformer import GraphTransformer
from weightspace.models.relational_attention import RelationalAttention
from weightspace.models.relational_layer import EdgeUpdate
from weightspace.symmetry.permutation import permute

ALL = slice(None)
PUBLISHED = 376_586


def randomised(module):
    return randomise_parameters(module.double(), torch.Generator().manual_seed(0)).eval()


def model_for(layout, **chosen):
    return randomised(GraphTransformer(layer_layout=layout, d_out=3, **chosen))


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def count(**chosen):
    model = GraphTransformer(**({"layer_layout": (2, 32, 32, 1), "d_out": 10} | chosen))
    return sum(p.numel() for p in model.parameters())


# Size


def test_it_has_about_as_many_parameters_as_the_published_one():
    assert count() == 373_098
    assert abs(count() - PUBLISHED) < 0.1 * PUBLISHED


def test_the_count_does_not_depend_on_the_width_of_the_networks():
    assert count(layer_layout=(2, 8, 8, 1)) == count()


# The graph


def test_edges_lie_where_the_weights_are():
    layout = (2, 3, 4, 1)
    slices = layer_slices(layout)
    w = random_networks(layout)
    blocks = [
        EdgeBlock(rows, columns, x[..., None])
        for columns, rows, x in zip(slices, slices[1:], w.weights, strict=False)
    ]
    edges = dense_edges(blocks, sum(layout))[..., 0]
    assert edges.shape == (3, 10, 10)
    assert torch.equal(edges[:, 5, 2], w.weights[1][:, 0, 0])  # into hidden 2, from hidden 1
    assert torch.equal(edges[:, 9, 8], w.weights[2][:, 0, 3])  # into the output
    assert int((edges[0] != 0).sum()) == 2 * 3 + 3 * 4 + 4


def test_neurons_of_a_hidden_layer_start_equal_and_all_others_do_not():
    embedding = randomised(GraphTransformer(layer_layout=(2, 3, 4, 2), d_out=3)).embedding
    w = random_networks((2, 3, 4, 2), 1).map(torch.zeros_like)
    nodes, _ = embedding(w)
    apart = torch.cdist(nodes[0], nodes[0]) > 1e-6
    layers = torch.tensor([0, 1, 2, 2, 2, 3, 3, 3, 3, 4, 5])
    assert torch.equal(apart, layers[:, None] != layers)


# Against the equations


def naive_attention(m, receiving, nodes, edges):
    """The equations of the class, pair by pair, for one network."""
    to_q, to_k, scale, shift = m.edge.weight.chunk(4)
    d = len(to_q)
    rows = []
    for i, x in enumerate(receiving[0]):
        q = torch.stack([m.query(x) + to_q @ e for e in edges[0, i]])
        k = torch.stack([m.key(y) + to_k @ e for y, e in zip(nodes[0], edges[0, i], strict=True)])
        v = torch.stack(
            [
                m.value(y) * (1 + scale @ e) + shift @ e
                for y, e in zip(nodes[0], edges[0, i], strict=True)
            ]
        )
        heads = []
        for qh, kh, vh in zip(*(t.chunk(m.heads, dim=1) for t in (q, k, v)), strict=True):
            a = ((qh * kh).sum(1) / (d / m.heads) ** 0.5).softmax(0)
            heads.append(a @ vh)
        rows.append(m.out(torch.cat(heads)))
    return torch.stack(rows)[None]


def test_attention_agrees_with_the_naive_loops():
    attention = randomised(RelationalAttention(6, 4, 8, 2))
    x, e = draw(1, 5, 6), draw(1, 5, 5, 4, seed=1)
    found = attention(x[:, :3], x, [EdgeBlock(ALL, ALL, e[:, :3])])
    assert_close(found, naive_attention(attention, x[:, :3], x, e))


def test_edges_that_are_zero_may_be_left_out():
    attention = randomised(RelationalAttention(6, 4, 8, 2))
    x = draw(2, 6, 6)
    blocks = [
        EdgeBlock(slice(1, 4), slice(0, 1), draw(2, 3, 1, 4, seed=1)),
        EdgeBlock(slice(4, 6), slice(1, 4), draw(2, 2, 3, 4, seed=2)),
    ]
    whole = [EdgeBlock(ALL, ALL, dense_edges(blocks, 6))]
    assert_close(attention(x, x, blocks), attention(x, x, whole))


def naive_edge(m, nodes, edges, i, j):
    pair = torch.cat([edges[0, i, j], edges[0, j, i]])
    seen = m.row(nodes[0, i]) + m.column(nodes[0, j]) + m.pair(pair)
    e = m.norms[0](edges[0, i, j] + m.out(seen.relu()))
    return m.norms[1](e + m.mlp(e))


def test_edges_agree_with_the_naive_loops():
    update = randomised(EdgeUpdate(d_node=6, d_edge=4, hidden=5, dropout=0.2))
    x, e = draw(1, 5, 6), draw(1, 5, 5, 4, seed=1)
    found = update(x, e, slice(1, 4))
    naive = [[naive_edge(update, x, e, i, j) for j in range(5)] for i in range(1, 4)]
    assert_close(found[0], torch.stack([torch.stack(row) for row in naive]))


@pytest.mark.parametrize("depth", [2, 3])
def test_what_is_left_out_of_the_last_layer_changes_nothing(depth):
    w = random_networks((2, 4, 5, 2))
    model = model_for(w.layer_layout, depth=depth)
    nodes, edges = model.features(w)
    nodes = model.nodes[-1](nodes, nodes, [EdgeBlock(ALL, ALL, edges)])
    assert_close(model(w), model.head(nodes[:, -2:].flatten(1)))


def test_dropout_leaves_out_whole_changes_of_edges():
    update = randomised(EdgeUpdate(d_node=6, d_edge=4, hidden=5, dropout=0.5)).train()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        change = update._drop(torch.ones(3, 8, 8, 4))
    assert set(change.unique().tolist()) == {0.0, 2.0}
    assert (change == change[..., :1]).all()
    assert 0.3 < (change == 0).float().mean() < 0.7


# Equivariance


def indices(w, perms):
    """Where each node comes from: the permutation of all nodes."""
    slices = layer_slices(w.layer_layout)
    found = torch.arange(slices[-1].stop).repeat(len(w), 1)
    for s, p in zip(slices[1:-1], perms, strict=True):
        found[:, s] = p + s.start
    return found


def permute_graph(w, perms):
    i, b = indices(w, perms), torch.arange(len(w))[:, None]
    return lambda graph: (graph[0][b, i], graph[1][b[..., None], i[:, :, None], i[:, None, :]])


@pytest.mark.parametrize("probes", [0, 3])
@settings(max_examples=10)
@given(case=networks_and(random_perms, max_layers=4))
def test_the_body_is_equivariant(case, probes):
    w, perms = case
    ones = (1.0,) * (2 * len(w.weights))
    model = model_for(
        w.layer_layout,
        probes=probes,
        statistics=Statistics(ones, ones),
        omega_0=2.0,
        output_offset=0.5,
    )
    assert_equivariant(model.features, w, lambda v: permute(v, perms), permute_graph(w, perms))


@pytest.mark.parametrize("layout", [(2, 5, 1), (3, 4, 5, 2), (2, 4, 4, 5, 3)])
def test_the_body_feels_an_uncoupled_permutation(layout):
    w = random_networks(layout)
    perms = cyclic_perms(w)
    assert_sensitive(
        model_for(layout).features,
        w,
        lambda v: uncoupled_permute(v, perms),
        permute_graph(w, perms),
    )


def test_it_learns_a_function_of_the_weights():
    """Fits labels that no linear map of the weights tells: the sign of a product of two."""
    w = random_networks((2, 4, 4, 1), 64, dtype=torch.float32)
    label = (w.weights[1].mean((1, 2)) * w.biases[2][:, 0] > 0).long()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        sizes = {"depth": 2, "heads": 2, "d_node": 16, "d_edge": 16, "d_attention": 16}
        model = GraphTransformer(layer_layout=(2, 4, 4, 1), d_out=2, dropout=0.0, **sizes)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(120):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(w), label).backward()
        optimiser.step()
    assert (model(w).argmax(1) == label).float().mean() > 0.95


# Errors


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"depth": 1}, "depth is 1; it must be a whole number of at least 2"),
        ({"heads": 0}, "heads is 0; it must be a whole number of at least 1"),
        ({"heads": 3}, "d_attention is 128; it must be a multiple of heads, which is 3"),
        ({"edge_hidden": 0}, "edge_hidden is 0"),
        ({"dropout": 1.0}, r"dropout is 1.0; it must lie in \[0, 1\)"),
        ({"probes": -1}, "probes is -1; it must be a whole number of at least 0"),
        ({"probes": 4}, "probes is 4, but statistics, omega_0, output_offset is None"),
        ({"probes": 4, "omega_0": 30.0}, "probes is 4, but statistics, output_offset is None"),
    ],
)
def test_impossible_settings_are_refused(chosen, message):
    with pytest.raises(ValueError, match=message):
        GraphTransformer(layer_layout=(2, 3, 1), d_out=3, **chosen)


def test_networks_of_another_layout_are_refused():
    with pytest.raises(ValueError, match=r"layer_layout \(2, 4, 5, 1\); got .* \(2, 5, 4, 1\)"):
        model_for((2, 4, 5, 1))(random_networks((2, 5, 4, 1)))
