"""The two sums over pairs of nodes in relational attention, written for few passes over memory.

What attention needs of a pair is four times wider than the edge itself, so it is computed a
few networks at a time, used while it lies in the cache, and computed again for the gradient.
Both functions say in one line what they compute; the gradients are written out to the same end.
"""

from collections.abc import Iterator
from math import ceil
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

__all__ = ["edge_scores", "edge_values"]

# Pairs of nodes at a time: what a cache of a CPU holds, and on other devices a few GB.
_PAIRS = 1024
_PAIRS_ELSEWHERE = 2**20


def edge_scores(
    q: Float[Tensor, "batch rows d"],
    k: Float[Tensor, "batch columns d"],
    edges: Float[Tensor, "batch rows columns d_edge"],
    to_q: Float[Tensor, "d d_edge"],
    to_k: Float[Tensor, "d d_edge"],
    heads: int,
) -> Float[Tensor, "batch rows heads columns"]:
    """s_ijh = (q_i + Q e_ij)_h . (k_j + K e_ij)_h, with d split into heads."""
    return _EdgeScores.apply(q, k, edges, torch.cat([to_q, to_k]), heads)  # pyright: ignore


def edge_values(
    a: Float[Tensor, "batch rows heads columns"],
    v: Float[Tensor, "batch columns d"],
    edges: Float[Tensor, "batch rows columns d_edge"],
    scale: Float[Tensor, "d d_edge"],
) -> tuple[Float[Tensor, "batch rows d"], Float[Tensor, "batch rows heads d_edge"]]:
    """o_ih = sum_j a_ijh (S e_ij)_h * (v_j)_h, and the mean edges sum_j a_ijh e_ij."""
    return _EdgeValues.apply(a, v, edges, scale)  # pyright: ignore


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
    generate_vmap_rule = True

    @staticmethod
    def forward(q: Tensor, k: Tensor, edges: Tensor, to_qk: Tensor, heads: int) -> Tensor:
        out = q.new_empty(*q.shape[:2], heads, k.shape[1])
        for b, r in _pieces(edges):
            qs, ks = _queries_and_keys(q[b, r], k[b], edges[b, r], to_qk)
            out[b, r] = _by_head(qs.mul_(ks), heads).sum(-1).transpose(2, 3)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.heads = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        q, k, edges, to_qk = ctx.saved_tensors
        grad_q, grad_k = torch.empty_like(q), torch.zeros_like(k)
        grad_edges, grad_to = torch.empty_like(edges), torch.zeros_like(to_qk)
        for b, r in _pieces(edges):
            e = edges[b, r]
            qs, ks = _queries_and_keys(q[b, r], k[b], e, to_qk)
            g = grad[b, r].transpose(2, 3)[..., None]  # (batch, rows, columns, heads, 1)
            both = torch.cat(
                [(_by_head(x, ctx.heads) * g).flatten(-2) for x in (ks, qs)], dim=-1
            )  # (batch, rows, columns, 2 d), of the queries and keys of each pair
            of_q, of_k = both.chunk(2, dim=-1)
            grad_q[b, r] = of_q.sum(2)
            grad_k[b] += of_k.sum(1)
            grad_edges[b, r] = both @ to_qk
            grad_to += both.flatten(0, 2).t() @ e.flatten(0, 2)
        return grad_q, grad_k, grad_edges, grad_to, None


def _queries_and_keys(q: Tensor, k: Tensor, e: Tensor, to_qk: Tensor) -> tuple[Tensor, Tensor]:
    """q_i + Q e_ij and k_j + K e_ij, each `(batch, rows, columns, d)`."""
    qs, ks = F.linear(e, to_qk).chunk(2, dim=-1)
    return qs.add_(q[:, :, None]), ks.add_(k[:, None])


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
