"""Adam steps to a target PSNR, for learning rates, schedules and decay rates.

    python -m benchmarks.steps_to_target [--target 40] [--objects 64] [--most 1000]

Pictures of the bundled Fashion-MNIST, 2-32-32-1, one view each. The steps are counted, so the
table repeats exactly; the last column multiplies them with one measured rate.
"""

from argparse import ArgumentParser
from itertools import product
from time import perf_counter

import torch
from tabulate import tabulate

from weightspace.data.fashion_mnist import load_bundled_fashion_mnist
from weightspace.data.signals import image_signals
from weightspace.fit.fitting import FitResult, fit_sirens
from weightspace.fit.quality import psnr
from weightspace.fit.views import init_views

LAYOUT = (2, 32, 32, 1)
DEFAULT, FAST = (0.9, 0.999), (0.8, 0.999)
# schedule, betas, learning rates, steps (None: the most)
TRIALS = [
    ("constant", DEFAULT, [0.0005, 0.001, 0.002, 0.004, 0.006], [None]),
    ("constant", FAST, [0.002, 0.004, 0.006], [None]),
    ("constant", (0.8, 0.99), [0.002, 0.004], [None]),
    ("constant", (0.7, 0.99), [0.002, 0.004], [None]),
    ("cosine", DEFAULT, [0.002, 0.004, 0.008], [100, 150, 300]),
    ("cosine", FAST, [0.004, 0.006, 0.008], [60, 100, 150]),
    ("cosine", (0.8, 0.99), [0.008], [100, 150]),
    ("cosine", (0.7, 0.99), [0.008], [100, 150]),
]
HEAD = ("schedule", "betas", "lr", "steps", "reached", "mean steps", "INR/s")
FORMATS = ("", "", "", "", ".2f", ".0f", ".0f")


def main() -> None:
    """Fit with every setting, and print."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=float, default=40.0)
    parser.add_argument("--objects", type=int, default=64)
    parser.add_argument("--most", type=int, default=1000)
    args = parser.parse_args()
    images = load_bundled_fashion_mnist()
    chosen = torch.randperm(len(images.images), generator=torch.Generator().manual_seed(0))
    signals = image_signals(images.images[chosen[: args.objects].numpy()])
    init = init_views(
        LAYOUT, range(args.objects), [0] * args.objects, seed=0, attempt=0, omega_0=30.0
    )

    def fit(**settings) -> FitResult:
        return fit_sirens(
            signals.values, signals.coords, init=init, omega_0=30.0, output_offset=0.5, **settings
        )

    fit(steps=1, lr=1e-3)
    start = perf_counter()
    fit(steps=50, lr=1e-3)
    rate = 50 * args.objects / (perf_counter() - start)
    rows = []
    for schedule, betas, rates, all_steps in TRIALS:
        for lr, steps in product(rates, all_steps):
            steps = steps or args.most
            found = fit(steps=steps, lr=lr, schedule=schedule, betas=betas, target_psnr=args.target)
            reached = (psnr(found.mse) >= args.target).sum().item()
            spent = found.steps.sum().item()
            mean = found.steps.double().mean().item()
            rows.append(
                [schedule, betas, lr, steps, reached / args.objects, mean, reached / spent * rate]
            )
    print(f"{rate:,.0f} INR-steps/s; INR/s: those that reach {args.target} dB")
    print(tabulate(rows, HEAD, floatfmt=FORMATS))


if __name__ == "__main__":
    main()
