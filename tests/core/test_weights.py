import pytest
import torch

from weightspace.rng import stream
from weightspace.siren import init_siren, siren
from weightspace.weights import Weights, cat, lerp


def networks(batch_size, seed=0, layout=(2, 5, 4, 3)):
    return init_siren(
        layout, omega_0=30.0, generator=stream(seed, "init"), batch_size=batch_size
    ).to(torch.float64)


def test_siren_is_the_loop_over_layers_of_the_paper():
    w, x = networks(3), torch.rand(7, 2, dtype=torch.float64)
    for i in range(3):
        for p in range(7):
            h = x[p]
            for l in range(2):
                h = torch.sin(30.0 * (w.weights[l][i] @ h + w.biases[l][i]))
            expected = w.weights[2][i] @ h + w.biases[2][i] + 0.5
            found = siren(w, x, omega_0=30.0, output_offset=0.5)[i, p]
            torch.testing.assert_close(found, expected)


def test_siren_takes_points_per_network():
    w, x = networks(3), torch.rand(3, 7, 2, dtype=torch.float64)
    found = siren(w, x, omega_0=30.0)
    for i in range(3):
        torch.testing.assert_close(found[i], siren(w[i : i + 1], x[i], omega_0=30.0)[0])


def test_initialisation_fills_the_stated_ranges():
    w = init_siren((2, 50, 50, 1), omega_0=30.0, generator=stream(1, "init"), batch_size=40)
    for x, bound in zip(w.weights, (1 / 2, *[(6 / 50) ** 0.5 / 30] * 2), strict=True):
        assert 0.98 * bound < x.max() <= bound
        assert -bound <= x.min() < -0.98 * bound
        assert abs(float(x.mean())) < 0.05 * bound
    assert all(not b.any() for b in w.biases)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"weights\[1\] has shape \(4, 32, 16\).*\(4, 32, 32\)"):
        Weights(
            (torch.zeros(4, 32, 2), torch.zeros(4, 32, 16), torch.zeros(4, 1, 32)),
            (torch.zeros(4, 32), torch.zeros(4, 32), torch.zeros(4, 1)),
        )


def test_cat_index_and_flatten():
    a, b = networks(2, 0), networks(3, 1)
    joined = cat([a, b])
    assert torch.equal(joined[2:].flatten(), b.flatten())
    assert joined.flatten().shape == (5, 2 * 5 + 5 * 4 + 4 * 3 + 5 + 4 + 3)
    with pytest.raises(ValueError, match="one layer_layout"):
        cat([a, networks(1, layout=(2, 5, 3))])
    with pytest.raises(ValueError, match="at least one"):
        cat([])


def test_lerp_mixes_each_network_by_its_own_lam():
    a, b = networks(2, 0), networks(2, 1)
    mixed = lerp(a, b, torch.tensor([1.0, 0.25], dtype=torch.float64)).flatten()
    assert torch.equal(mixed[0], a.flatten()[0])
    torch.testing.assert_close(mixed[1], 0.25 * a.flatten()[1] + 0.75 * b.flatten()[1])


def test_streams_are_told_apart_by_every_part_of_their_name():
    names = [(0, "init", 1, 2), (1, "init", 1, 2), (0, "fit", 1, 2), (0, "init", 2, 1), (0, "init")]
    draws = {float(torch.rand((), generator=stream(*n), dtype=torch.float64)) for n in names}
    assert len(draws) == len(names)
    again = float(torch.rand((), generator=stream(*names[0]), dtype=torch.float64))
    assert again in draws


def test_streams_do_not_follow_the_salt_of_the_process():
    # A fixed number: Python's salted hash would change it from process to process.
    assert stream(0, "init", 3, 1).initial_seed() == 5127134772774186730
