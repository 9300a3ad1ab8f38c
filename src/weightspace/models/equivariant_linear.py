"""The linear layer that commutes with every permutation of the hidden neurons."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from weightspace.models.folded_norm import FoldedNorm
from weightspace.models.folding import Channels, Folded
from weightspace.models.matrix_update import (
    mean_rows_and_columns,
    update_and_mean,
    update_matrix,
)

__all__ = ["REDUCTIONS", "EquivariantLinear", "contexts"]

REDUCTIONS = ("mean", "max")


def contexts(x: Folded, reduce: str) -> tuple[list[Tensor], Float[Tensor, "batch c"]]:
    """What each hidden neuron sees of its own weights, and what the whole network looks like.

    Args:
        x: the features.
        reduce: how the entries of an axis become one: "mean" or "max".

    Returns:
        s: per hidden layer `(batch, n[h], c)`: the neuron's vector, its row of the matrix below
            and its column of the matrix above, both reduced.
        p: the scalars beside every vector and every matrix, reduced.
    """
    if reduce == "mean" and x.means is not None:
        pools = x.means
    elif reduce == "mean":
        pools = [mean_rows_and_columns(m) for m in x.matrices]
    else:
        pools = [(m.amax(2), m.amax(1)) for m in x.matrices]
    rows, columns = [r for r, _ in pools], [c for _, c in pools]
    local = [
        torch.cat([v, *rows[max(h - 1, 0) : h], *columns[h : h + 1]], dim=-1)
        for h, v in enumerate(x.vectors)
    ]
    pooled = [v.mean(1) if reduce == "mean" else v.amax(1) for v in (*x.vectors, *rows)]
    return local, torch.cat([x.scalars, *pooled], dim=-1)


class EquivariantLinear(nn.Module):
    """Every output = its own entry + row context + column context + pooled global.

        v'_h = V_h s_h + P_h p
        M'_h = A_h M_h + (R_h s_{h+1}) 1^T + 1 (C_h s_h + Q_h p)^T
        g'   = G p

    with the contexts s and p of `contexts`. With "mean" and layers of two neurons or more, this
    is every linear map that commutes with the permutations, each exactly once; a bias joins p.
    The maps of one s_h, and those of p, are stacked into one matrix product each.

    Args:
        inputs: the channels of the features that come in.
        outputs: the channels of those that go out; `matrix=0` leaves the matrices out.
        reduce: "mean" or "max"; with "max" the layer is equivariant and not linear.

    Reference: Navon et al. 2023, Equivariant Architectures for Learning in Deep Weight Spaces.
    """

    def __init__(self, inputs: Channels, outputs: Channels, *, reduce: str = "mean") -> None:
        super().__init__()
        self.reduce = reduce
        last = len(inputs.vectors) - 1
        # What neurons of layer h send: to their vector, along columns above and rows below.
        self.local_sizes = [
            (c, outputs.matrix * (h < last), outputs.matrix * (h > 0))
            for h, c in enumerate(outputs.vectors)
        ]
        self.local = nn.ModuleList(
            nn.Linear(c + inputs.matrix * ((h < last) + (h > 0)), sum(sizes), bias=False)
            for h, (c, sizes) in enumerate(zip(inputs.vectors, self.local_sizes, strict=True))
        )
        self.pooled_sizes = [outputs.scalars, *(v + c for v, c, _ in self.local_sizes)]
        n_pooled = inputs.scalars + sum(inputs.vectors) + inputs.matrix * last
        self.pooled = nn.Linear(n_pooled, sum(self.pooled_sizes))
        self.mixing = nn.ParameterList(
            torch.empty(inputs.matrix, outputs.matrix) for _ in range(last if outputs.matrix else 0)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights so that a ReLU after the layer about keeps the size of the features.

        A ReLU halves the mean square, so the terms of an output should give twice that of the
        inputs. The maps of s and of p have variance 1 / fan_in and give 1 each: vectors have 2,
        scalars, of p alone, 1. The A_h have 1 / (2 fan_in) and give 1/2: matrices, of four
        terms, have 3.5. Biases are zero.
        """
        for linear in self.modules():
            if isinstance(linear, nn.Linear):
                nn.init.normal_(linear.weight, std=(2 / (2 * linear.in_features)) ** 0.5)
        nn.init.zeros_(self.pooled.bias)
        for mixing in self.mixing:
            nn.init.normal_(mixing, std=(2 / (4 * mixing.shape[0])) ** 0.5)

    def forward(
        self,
        x: Folded,
        *,
        relu: bool = False,
        norm: FoldedNorm | None = None,
        only_means: bool = False,
    ) -> Folded:
        """Return the layer of `x`, followed by a ReLU or by `norm`, which has one, if asked.

        With `only_means`, what follows reads the means of the matrices and not the matrices.
        """
        local, pooled = contexts(x, self.reduce)
        scalars, *shared = self.pooled(pooled).split(self.pooled_sizes, dim=-1)
        vectors, rows, columns = [], [], []
        for h, (v, c, r) in enumerate(self.local_sizes):
            own, row = self.local[h](local[h]).split((v + c, r), dim=-1)
            vector, column = (own + shared[h][:, None]).split((v, c), dim=-1)
            vectors.append(vector.relu() if relu else vector)
            rows.append(row)
            columns.append(column)
        scalars = scalars.relu() if relu else scalars
        updates = [
            (x.matrices[h], mixing, rows[h + 1], columns[h]) for h, mixing in enumerate(self.mixing)
        ]
        if norm is not None:
            return norm(updates, vectors, scalars, only_means=only_means)
        # Behind a ReLU the next layer wants the means.
        if relu and self.reduce == "mean":
            found = [update_and_mean(*update, relu=True) for update in updates]
            means = tuple((r, c) for _, r, c in found)
            return Folded(tuple(m for m, _, _ in found), tuple(vectors), scalars, means)
        matrices = tuple(update_matrix(*update, relu=relu) for update in updates)
        return Folded(matrices, tuple(vectors), scalars)
