"""Do the fast paths find what the reference paths find?

    python -m benchmarks.agreement [--objects 256]

Fits of pictures of the bundled Fashion-MNIST by both backends of the CPU, in the settings of
config.yaml: the weights after 50 steps and the PSNR at the end, whose distributions are compared
by a two-sample Kolmogorov-Smirnov test.
"""

from argparse import ArgumentParser
from pathlib import Path

import torch
import yaml
from scipy.stats import ks_2samp
from tabulate import tabulate

from weightspace.data.fashion_mnist import load_bundled_fashion_mnist
from weightspace.data.signals import image_signals
from weightspace.fit.fitting import FitResult, fit_sirens
from weightspace.fit.quality import psnr
from weightspace.fit.views import init_views

USED = ("omega_0", "output_offset", "steps", "lr", "schedule", "betas", "target_psnr")
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def main() -> None:
    """Fit with both, and print."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=256)
    n = parser.parse_args().objects
    config = yaml.safe_load(Path("config.yaml").read_text())["fit"]
    images = load_bundled_fashion_mnist().images
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    signals = image_signals(images[order[:n].numpy()])
    layout = (2, *config["hidden"], 1)
    init = init_views(layout, range(n), [0] * n, seed=0, attempt=0, omega_0=config["omega_0"])

    def fit(backend: str, **changed) -> FitResult:
        settings = {key: config[key] for key in USED} | changed
        return fit_sirens(signals.values, signals.coords, init=init, backend=backend, **settings)

    after_50 = {
        name: fit(name, steps=50, schedule="constant", target_psnr=None).weights.flatten()
        for name in ("reference", "cpu")
    }
    distance = (after_50["cpu"] - after_50["reference"]).abs()
    moved = (after_50["reference"] - init.flatten()).abs()
    print(
        f"after 50 steps the weights differ by {distance.max():.1e} at most, by "
        f"{distance.mean():.1e} on average; they have moved by {moved.mean():.1e} on average"
    )
    decibels = {name: psnr(fit(name).mse).double() for name in ("reference", "cpu")}
    quantiles = torch.tensor(QUANTILES, dtype=torch.float64)
    rows = [
        [name, *x.quantile(quantiles).tolist(), x.mean().item()] for name, x in decibels.items()
    ]
    print(tabulate(rows, ["PSNR, dB", *map(str, QUANTILES), "mean"], floatfmt=".2f"))
    test = ks_2samp(decibels["reference"].numpy(), decibels["cpu"].numpy())
    print(
        f"Kolmogorov-Smirnov: statistic {test.statistic:.3f}, p = {test.pvalue:.2f}, n = {n} each"
    )


if __name__ == "__main__":
    main()
