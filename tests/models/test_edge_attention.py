import pytest
import torch

from laws import assert_close, assert_no_mutation
from weightspace.models import edge_attention
from weightspace.models.edge_attention import edge_scores, edge_values

HEADS, C, D_EDGE = 2, 3, 4
D = HEADS * C


def draw(*shape, seed):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x.requires_grad_()


def score_case(batch=2, rows=3, columns=5):
    shapes = [(batch, rows, D), (batch, columns, D), (batch, rows, columns, D_EDGE)]
    return [draw(*s, seed=i) for i, s in enumerate([*shapes, (D, D_EDGE), (D, D_EDGE)])]


def value_case(batch=2, rows=3, columns=5):
    shapes = [(batch, rows, HEADS, columns), (batch, columns, D), (batch, rows, columns, D_EDGE)]
    return [draw(*s, seed=i) for i, s in enumerate([*shapes, (D, D_EDGE)])]


def scores(*tensors):
    return edge_scores(*tensors, HEADS)


def naive_scores(q, k, e, to_q, to_k):
    """Entry by entry, for the first network."""
    out = torch.zeros(q.shape[1], HEADS, k.shape[1], dtype=q.dtype)
    for i in range(q.shape[1]):
        for j in range(k.shape[1]):
            product = (q[0, i] + to_q @ e[0, i, j]) * (k[0, j] + to_k @ e[0, i, j])
            for h in range(HEADS):
                out[i, h, j] = product[h * C : (h + 1) * C].sum()
    return out


def naive_values(a, v, e, scale):
    out = torch.zeros(a.shape[1], D, dtype=a.dtype)
    mean = torch.zeros(a.shape[1], HEADS, D_EDGE, dtype=a.dtype)
    for i in range(a.shape[1]):
        for j in range(v.shape[1]):
            scaled = (scale @ e[0, i, j]) * v[0, j]
            for h in range(HEADS):
                head = slice(h * C, (h + 1) * C)
                out[i, head] += a[0, i, h, j] * scaled[head]
                mean[i, h] += a[0, i, h, j] * e[0, i, j]
    return out, mean


def test_scores_agree_with_the_naive_loops():
    case = score_case()
    assert_close(scores(*case)[0], naive_scores(*case))


def test_values_agree_with_the_naive_loops():
    case = value_case()
    out, mean = edge_values(*case)
    assert_close((out[0], mean[0]), naive_values(*case))


CASES = [(scores, score_case), (edge_values, value_case)]


@pytest.mark.parametrize("pairs", [1, 7, 20, 10**6])
@pytest.mark.parametrize(("f", "case"), CASES)
def test_gradients_are_exact_however_the_pairs_are_cut(f, case, pairs, monkeypatch):
    monkeypatch.setattr(edge_attention, "_PAIRS", pairs)
    assert torch.autograd.gradcheck(f, case())


@pytest.mark.parametrize("pairs", [1, 7, 20, 40])
@pytest.mark.parametrize(("f", "case"), CASES)
def test_the_cut_changes_nothing(f, case, pairs, monkeypatch):
    inputs = case(batch=3, rows=4)
    whole = f(*inputs)
    monkeypatch.setattr(edge_attention, "_PAIRS", pairs)
    assert_close(f(*inputs), whole)


@pytest.mark.parametrize(("device", "limit"), [("cpu", 2048), ("meta", 2**20)])
@pytest.mark.parametrize("shape", [(64, 67, 67), (3, 1500, 1500), (1, 2, 3000), (5, 1, 1)])
def test_pieces_are_bounded_on_every_device(device, limit, shape):
    edges = torch.empty(*shape, D_EDGE, device=device)
    pieces = [edges[b, r, :, 0] for b, r in edge_attention._pieces(edges)]
    assert sum(piece.numel() for piece in pieces) == edges[..., 0].numel()
    assert max(piece.numel() for piece in pieces) < limit + shape[2]  # a row more at most
    assert len(pieces) < 4 * edges[..., 0].numel() / limit + 2


@pytest.mark.parametrize(("f", "case"), CASES)
def test_nothing_is_written_into(f, case):
    inputs = case()
    before = [x.detach().clone() for x in inputs]
    found = f(*inputs)
    sum(x.sum() for x in (found if isinstance(found, tuple) else (found,))).backward()
    assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True))
    assert_no_mutation(f, *(x.detach() for x in inputs))
