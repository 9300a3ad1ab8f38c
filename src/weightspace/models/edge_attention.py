"""The two sums over pairs of nodes in relational attention, written for few passes over memory.

What attention needs of a pair is up to eight times wider than the edge itself, so it is computed
a few networks at a time, used while it lies in the cache, and computed again for the gradient.
Both functions say in one line what they compute; the gradients are written out to the same end,
of operations that `torch.vmap` knows.
"""

from collections.abc import Iterator
from math import ceil
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from weightspace.models.autocast import in_one_dtype

__all__ = ["edge_scores", "edge_values"]

# Pairs of nodes at a time: what a cache of a CPU holds, and on other devices a few GB.
_PAIRS = 2048
_PAIRS_ELSEWHERE = 2**20


def edge_scores(
    q: Float[Tensor, "batch rows d"],
    k: Float[Tensor, "batch columns d"],
    edges: Float[Tensor, "batch rows columns d_edge"],
    to_q: Float[Tensor, "d d_edge"],
    to_k: Float[Tensor, "d d_edge"],
    heads: int,
) -> Float[Tensor, "batch rows heads columns"]:
    """s_ijh = (q_i + Q e_ij)_h . (k_j + K e_ij)_h, with d split into heads.

    Multiplied out: q_ih . k_jh + e_ij . (K_h^T q_ih + Q_h^T k_jh) + e_ij . G_h e_ij with
    G_h = Q_h^T K_h, of which only the symmetric part counts. This needs a quarter less
    arithmetic than the line above: the gradient needs no G_h e_ij again.
    """
    q, k, edges, to_q, to_k = in_one_dtype(q, k, edges, to_q, to_k)
    q, k = q.unflatten(2, (heads, -1)), k.unflatten(2, (heads, -1))
    to_q, to_k = to_q.unflatten(0, (heads, -1)), to_k.unflatten(0, (heads, -1))
    gram = torch.einsum("hce,hcf->hef", to_q, to_k)  # (heads, d_edge, d_edge)
    gram = (gram + gram.transpose(1, 2)) / 2
    of_rows = torch.einsum("brhc,hce->brhe", q, to_k)
    of_columns = torch.einsum("bnhc,hce->bnhe", k, to_q)
    of_edges: Tensor = _EdgeScores.apply(of_rows, of_columns, edges, gram)  # pyright: ignore
    return torch.einsum("brhc,bnhc->brhn", q, k) + of_edges


def edge_values(
    a: Float[Tensor, "batch rows heads columns"],
    v: Float[Tensor, "batch columns d"],
    edges: Float[Tensor, "batch rows columns d_edge"],
    scale: Float[Tensor, "d d_edge"],
) -> tuple[Float[Tensor, "batch rows d"], Float[Tensor, "batch rows heads d_edge"]]:
    """o_ih = sum_j a_ijh (S e_ij)_h * (v_j)_h, and the mean edges sum_j a_ijh e_ij."""
    return _EdgeValues.apply(*in_one_dtype(a, v, edges, scale))  # pyright: ignore


def _pieces(edges: Tensor) -> Iterator[tuple[slice, slice]]:
    """Cut (batch, rows) so that a piece holds about `_PAIRS` pairs, on a GPU more."""
    batch, rows, columns = edges.shape[:3]
    limit = _PAIRS if edges.device.type == "cpu" else _PAIRS_ELSEWHERE
    n_rows = ceil(rows / ceil(rows * columns / limit))
    n_batch = max(1, limit // (rows * columns))
    for b in range(0, batch, n_batch):
        for r in range(0, rows, n_rows):
            yield slice(b, b + n_batch), slice(r, r + n_rows)


def _by_head(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1))


class _EdgeScores(torch.autograd.Function):
    """e_ij . (t_ih + u_jh) + e_ij . G_h e_ij, with symmetric G_h."""

    generate_vmap_rule = True

    @staticmethod
    def forward(t: Tensor, u: Tensor, edges: Tensor, gram: Tensor) -> Tensor:
        out = t.new_empty(*t.shape[:3], u.shape[1])
        for b, r in _pieces(edges):
            e = edges[b, r]
            last = e.flatten(0, 2).t().contiguous()  # (d_edge, pairs)
            products = (gram.flatten(0, 1) @ last).view(*gram.shape[:2], -1).mul_(last)
            out[b, r] = products.sum(1).view(-1, *e.shape[:3]).permute(1, 2, 0, 3)
            out[b, r] += t[b, r] @ e.transpose(2, 3)
            out[b, r] += (u[b] @ e.permute(0, 2, 3, 1)).permute(0, 3, 2, 1)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, ...]:
        (grad,) = grads
        t, u, edges, gram = ctx.saved_tensors
        grad_t, grad_u = torch.empty_like(t), torch.zeros_like(u)
        grad_edges, grad_gram = torch.empty_like(edges), torch.zeros_like(gram)
        for b, r in _pieces(edges):
            e, g = edges[b, r], grad[b, r]
            grad_t[b, r] = g @ e
            g_columns = g.permute(0, 3, 2, 1).contiguous()  # (batch, columns, heads, rows)
            grad_u[b] += g_columns @ e.transpose(1, 2)
            flat = e.flatten(0, 2)
            by_head = g.permute(2, 0, 1, 3).reshape(len(gram), 1, -1)
            weighted = (by_head * flat.t().contiguous()).flatten(0, 1)  # (heads d_edge, pairs)
            grad_gram += (weighted @ flat).view(gram.shape)
            of_e = (weighted.t() @ (2 * gram.flatten(0, 1))).view(e.shape)
            of_e += g.transpose(2, 3) @ t[b, r]
            of_e += (g_columns.transpose(2, 3) @ u[b]).transpose(1, 2)
            grad_edges[b, r] = of_e
        return grad_t, grad_u, grad_edges, grad_gram


class _EdgeValues(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor, v: Tensor, edges: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        heads = a.shape[2]
        out = v.new_empty(*a.shape[:2], v.shape[2])
        for b, r in _pieces(edges):
            values = _by_head(F.linear(edges[b, r], scale).mul_(v[b, None]), heads)
            out[b, r] = values.mul_(a[b, r].transpose(2, 3)[..., None]).sum(2).flatten(-2)
        return out, a @ edges

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, ...]:
        grad, grad_mean = grads
        a, v, edges, scale = ctx.saved_tensors
        heads = a.shape[2]
        grad_a, grad_v = torch.empty_like(a), torch.zeros_like(v)
        grad_edges, grad_scale = a.transpose(2, 3) @ grad_mean, torch.zeros_like(scale)
        for b, r in _pieces(edges):
            e = edges[b, r]
            scales = F.linear(e, scale)  # (batch, rows, columns, d)
            g = grad[b, r, None]  # (batch, rows, 1, d)
            sent = _by_head(scales * v[b, None] * g, heads).sum(-1)
            grad_a[b, r] = sent.transpose(2, 3)
            g = (_by_head(g, heads) * a[b, r].transpose(2, 3)[..., None]).flatten(-2)
            grad_v[b] += scales.mul_(g).sum(1)
            of_scales = g.mul_(v[b, None])
            grad_edges[b, r] += of_scales @ scale
            grad_scale += of_scales.flatten(0, 2).t() @ e.flatten(0, 2)
        return grad_a + grad_mean @ edges.transpose(2, 3), grad_v, grad_edges, grad_scale
