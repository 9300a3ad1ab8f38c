"""Views: a function of their name alone, refitted when they fail, and never silently kept."""

import numpy as np
import pytest
import torch
from torch import Tensor

from weightspace.data.coordinates import grid
from weightspace.fit.fitting import fit_sirens
from weightspace.fit.quality import psnr
from weightspace.fit.views import ViewFits, fit_views, init_views
from weightspace.rng import stream
from weightspace.siren import init_siren

LAYOUT = (2, 9, 7, 1)
SIREN = {"omega_0": 20.0, "output_offset": 0.5}
OBJECTS = np.array([7, 7, 7, 60_003, 60_003, 60_003])
VIEWS = np.array([0, 1, 2, 0, 1, 2])


def signals_of(objects: np.ndarray) -> Tensor:
    """A signal per object, repeated for its views."""
    coords = grid((8, 9))
    frequency = 1 + torch.from_numpy(objects)[:, None, None] % 5
    return 0.5 + 0.4 * torch.sin(frequency * coords.sum(-1, keepdim=True))


def fit(objects: np.ndarray = OBJECTS, views: np.ndarray = VIEWS, **more) -> ViewFits:
    settings = {"steps": 15, "lr": 3e-3, "seed": 5, "min_psnr": 0.0, "retries": 0, **SIREN, **more}
    signals = settings.pop("signals", signals_of(objects))
    coords = settings.pop("coords", grid((8, 9))).to(signals.dtype)
    return fit_views(signals, objects, views, coords, layer_layout=LAYOUT, **settings)


def test_initialisation_is_a_function_of_seed_object_view_and_attempt():
    w = init_views(LAYOUT, OBJECTS, VIEWS, seed=5, attempt=1, omega_0=20.0)
    for n, (object_id, view) in enumerate(zip(OBJECTS, VIEWS, strict=True)):
        generator = stream(5, "init", int(object_id), int(view), 1)
        alone = init_siren(LAYOUT, omega_0=20.0, generator=generator)
        assert torch.equal(w[n : n + 1].flatten(), alone.flatten())
    others = [
        init_views(LAYOUT, OBJECTS, VIEWS, seed=seed, attempt=attempt, omega_0=20.0)
        for seed, attempt in ((5, 0), (6, 1))
    ]
    rows = torch.cat([x.flatten() for x in (w, *others)])
    assert len(rows.unique(dim=0)) == len(rows)


def test_shared_initialisations_leave_the_object_out():
    objects, views = [3, 8, 3, 8], [0, 0, 1, 1]
    w = init_views(LAYOUT, objects, views, seed=5, attempt=0, omega_0=20.0, shared=True).flatten()
    assert torch.equal(w[0], w[1])
    assert torch.equal(w[2], w[3])
    own = init_views(LAYOUT, objects, views, seed=5, attempt=0, omega_0=20.0).flatten()
    again = init_views(LAYOUT, objects, views, seed=5, attempt=1, omega_0=20.0, shared=True)
    assert len(torch.cat([w, own, again.flatten()]).unique(dim=0)) == 2 + 4 + 2


def test_numbers_of_any_kind_name_the_same_network():
    kinds = (OBJECTS, OBJECTS.astype(np.int32), OBJECTS.tolist(), torch.from_numpy(OBJECTS))
    rows = [init_views(LAYOUT, k, VIEWS, seed=5, attempt=0, omega_0=20.0).flatten() for k in kinds]
    assert all(torch.equal(rows[0], r) for r in rows)


@pytest.mark.parametrize(
    ("backend", "dtype"), [("cpu", torch.float32), ("reference", torch.float64)]
)
def test_any_sharding_gives_the_same_networks(backend, dtype):
    """To the last bit from the compiled backend, to rounding from the reference."""
    state = torch.get_rng_state()

    def shard(index: list[int], **more) -> ViewFits:
        signals = signals_of(OBJECTS[index]).to(dtype)
        return fit(OBJECTS[index], VIEWS[index], signals=signals, backend=backend, **more)

    # About half of the first attempts miss the floor, so retries are part of the law. It lies
    # between two values, so that rounding cannot move one across.
    floor = shard([*range(6)]).psnr.sort().values[2:4].mean().item()
    whole = shard([*range(6)], min_psnr=floor, retries=2)
    assert whole.attempts.max() > 1
    for chosen in ([4], [5, 0], [3, 1, 2]):
        part = shard(chosen, min_psnr=floor, retries=2)
        difference = part.result.weights.flatten() - whole.result.weights.flatten()[chosen]
        assert difference.abs().max() <= (0 if backend == "cpu" else 1e-7)
        assert part.attempts.tolist() == whole.attempts[chosen].tolist()
        assert part.failed.tolist() == whole.failed[chosen].tolist()
    assert torch.equal(torch.get_rng_state(), state)


def test_a_failed_fit_starts_again_from_the_next_initialisation():
    first = fit()
    floor = first.psnr.sort().values[2:4].mean().item()
    missed = first.psnr < floor
    assert missed.any() and not missed.all()
    result = fit(min_psnr=floor, retries=1)
    assert torch.equal(result.attempts, 1 + missed.long())
    init = init_views(LAYOUT, OBJECTS, VIEWS, seed=5, attempt=1, omega_0=20.0)
    second = fit_sirens(signals_of(OBJECTS), grid((8, 9)), init=init, **SIREN, steps=15, lr=3e-3)
    for n in range(len(OBJECTS)):
        source = second.weights if missed[n] else first.result.weights
        assert torch.equal(result.result.weights.flatten()[n], source.flatten()[n])
    assert torch.equal(result.psnr, psnr(result.result.mse))
    assert torch.equal(result.failed, result.psnr < floor)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_retry_sees_the_own_points_of_its_view(backend):
    """Against each view fitted alone, from the initialisation of its last attempt."""
    coords = 2 * torch.rand(6, 72, 2, generator=stream(0, "points")) - 1
    objects, views = OBJECTS[[0, 3, 1, 4, 2, 5]], VIEWS[[0, 3, 1, 4, 2, 5]]
    settings = {"points_per_step": 20, "backend": backend}
    first = fit(objects, views, coords=coords, **settings)
    floor = first.psnr.sort().values[2:4].mean().item()
    result = fit(objects, views, coords=coords, min_psnr=floor, retries=2, **settings)
    again = torch.nonzero(result.attempts > 1).flatten().tolist()
    assert again not in ([], [*range(len(again))])  # neither none nor the first rows
    for n, attempt in enumerate((result.attempts - 1).tolist()):
        one = slice(n, n + 1)
        init = init_views(LAYOUT, objects[one], views[one], seed=5, attempt=attempt, omega_0=20.0)
        alone = fit_sirens(
            signals_of(objects[one]), coords[n], init=init, **SIREN, steps=15, lr=3e-3, **settings
        )
        difference = alone.weights.flatten() - result.result.weights[one].flatten()
        assert difference.abs().max() <= (0 if backend == "cpu" else 1e-5)


def test_what_never_reaches_the_floor_is_marked_after_the_last_retry():
    result = fit(min_psnr=200.0, retries=2)
    assert result.attempts.tolist() == [3] * 6
    assert result.failed.all()
    assert not fit(min_psnr=0.0, retries=2).failed.any()


def test_a_fit_that_ends_in_nan_is_marked_whatever_the_floor():
    signals = signals_of(OBJECTS)
    signals[1, 3] = torch.nan
    result = fit(signals=signals, min_psnr=-float("inf"), retries=1)
    assert result.failed.tolist() == [False, True, False, False, False, False]
    assert result.attempts.tolist() == [1, 2, 1, 1, 1, 1]


def test_progress_counts_the_retries():
    seen: list[tuple[int, int]] = []
    fit(min_psnr=200.0, retries=1, progress=lambda *now: seen.append(now))
    assert seen == [(6, 6), (12, 12)]


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="6 signals, 6 object_ids and 5 views"):
        fit(views=VIEWS[:5])
    own = grid((8, 9)).expand(7, -1, -1)
    for coords in (own, own[:5], own[:, None]):
        with pytest.raises(ValueError, match="got 6 signals and coords of shape"):
            fit(coords=coords)
    with pytest.raises(ValueError, match="retries is -1"):
        fit(retries=-1)
