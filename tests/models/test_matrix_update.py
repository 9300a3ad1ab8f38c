import pytest
import torch

from laws import assert_close, assert_no_mutation
from weightspace.models import matrix_update as module
from weightspace.models.matrix_update import (
    mean_rows_and_columns,
    update_and_mean,
    update_matrix,
)


def tensors_of(seed=0, rows=3, columns=4, c_in=2, c_out=5):
    g = torch.Generator().manual_seed(seed)
    shapes = ((2, rows, columns, c_in), (c_in, c_out), (2, rows, c_out), (2, columns, c_out))
    return [torch.randn(s, generator=g, dtype=torch.float64, requires_grad=True) for s in shapes]


def naive_update(m, mixing, rows, columns, *, relu):
    batch, n, k, _ = m.shape
    out = torch.stack(
        [
            m[b, i, j] @ mixing + rows[b, i] + columns[b, j]
            for b in range(batch)
            for i in range(n)
            for j in range(k)
        ]
    ).view(batch, n, k, -1)
    return out.relu() if relu else out


@pytest.mark.parametrize("relu", [False, True])
def test_update_and_its_gradients_agree_with_the_naive_loop(relu):
    args, same = tensors_of(), tensors_of()
    out, expected = update_matrix(*args, relu=relu), naive_update(*same, relu=relu)
    assert_close(out, expected)
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
    (out * weight).sum().backward()
    (expected * weight).sum().backward()
    for x, y in zip(args, same, strict=True):
        assert_close(x.grad, y.grad)


@pytest.mark.parametrize("relu", [False, True])
def test_gradcheck_of_the_update(relu):
    assert torch.autograd.gradcheck(lambda *x: update_matrix(*x, relu=relu), tensors_of(seed=3))


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("numbers", [1, 70, 10**6])
def test_gradcheck_of_the_update_and_its_means(relu, numbers, monkeypatch):
    monkeypatch.setattr(module, "_NUMBERS", numbers)  # a network at a time, or all
    assert torch.autograd.gradcheck(lambda *x: update_and_mean(*x, relu=relu), tensors_of(seed=3))


@pytest.mark.parametrize("used", [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]])
def test_whatever_is_used_of_the_update_and_its_means(used):
    args, same = tensors_of(), tensors_of()
    out = update_and_mean(*args, relu=True)
    expected = naive_update(*same, relu=True)
    expected = (expected, expected.mean(2), expected.mean(1))
    assert_close(out, expected)
    sum(out[i].square().sum() for i in used).backward()
    sum(expected[i].square().sum() for i in used).backward()
    for x, y in zip(args, same, strict=True):
        assert_close(x.grad, y.grad)


def test_under_vmap_it_is_the_same():
    cases = [[x.detach() for x in tensors_of(seed)] for seed in range(3)]
    together = torch.vmap(lambda *x: update_and_mean(*x, relu=True))
    found = together(*(torch.stack(x) for x in zip(*cases, strict=True)))
    for i, case in enumerate(cases):
        assert_close([x[i] for x in found], update_and_mean(*case, relu=True))


def test_update_takes_strided_tensors():
    m, mixing, rows, columns = (x.detach() for x in tensors_of())
    strided = torch.cat([rows, rows], dim=-1)[..., : rows.shape[-1]]
    turned = m.transpose(1, 2).contiguous().transpose(1, 2)
    expected = update_matrix(m, mixing, rows, columns, relu=True)
    assert_close(update_matrix(turned, mixing, strided, columns, relu=True), expected)


def test_gradcheck_of_the_means():
    (m, *_) = tensors_of()
    assert torch.autograd.gradcheck(mean_rows_and_columns, m)


def test_means_of_rows_and_columns():
    (m, *_) = tensors_of()
    rows, columns = mean_rows_and_columns(m)
    for i in range(3):
        assert_close(rows[:, i], sum(m[:, i, j] for j in range(4)) / 4)
    for j in range(4):
        assert_close(columns[:, j], sum(m[:, i, j] for i in range(3)) / 3)


def test_neither_writes_into_its_arguments():
    args = [x.detach() for x in tensors_of()]
    assert_no_mutation(lambda *x: update_matrix(*x, relu=True), *args)
    assert_no_mutation(lambda *x: update_and_mean(*x, relu=True), *args)
    assert_no_mutation(mean_rows_and_columns, args[0])
