"""How well the networks represent their objects, counted from the file of the fits."""

from pathlib import Path

import numpy as np
import pandas as pd

from weightspace.report.collect import ReportError
from weightspace.store import read_columns, read_inrs

__all__ = ["fit_quality_table", "read_fits"]

SPLITS = ("train", "val", "test")


def read_fits(inr_path: str | Path) -> pd.DataFrame:
    """List every fit of a file, one row each, the failed ones too.

    Args:
        inr_path: an assembled dataset, or one shard.

    Returns:
        The columns of the file (object_id, view, label, split, seed, psnr in dB, attempts,
        steps) and `failed`.

    Raises:
        ReportError: if the file holds no network at all.
    """
    kept = pd.DataFrame(read_columns(inr_path))
    lost = pd.DataFrame(read_inrs(inr_path, rows=slice(0, 0)).failures)
    if kept.empty:
        raise ReportError(f"{inr_path} holds no network; fit it again")
    parts = [part.assign(failed=failed) for part, failed in ((kept, False), (lost, True))]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def fit_quality_table(fits: pd.DataFrame) -> pd.DataFrame:
    """Summarise the fits per split: counts, failures and the PSNR of those that were kept.

    Args:
        fits: as `read_fits` returns.

    Returns:
        One row per split with the columns split, objects, views, inrs, failed, refitted,
        psnr_min, psnr_p05, psnr_median, psnr_mean, psnr_max (dB) and steps_mean.
    """
    rows = []
    for split in _ordered(fits["split"]):
        own = fits[fits["split"] == split]
        kept = own[~own["failed"]]
        psnr = kept["psnr"].to_numpy(dtype=float)
        # an exact fit has infinitely many dB, which quantiles cannot interpolate
        p05, median = np.quantile(psnr.clip(max=1e9), [0.05, 0.5]) if len(psnr) else [np.nan] * 2
        rows.append(
            {"split": split, "objects": own["object_id"].nunique(), "views": own["view"].nunique()}
            | {"inrs": len(kept), "failed": len(own) - len(kept)}
            | {"refitted": int((kept["attempts"] > 1).sum())}
            | {"psnr_min": kept["psnr"].min(), "psnr_p05": p05, "psnr_median": median}
            | {"psnr_mean": kept["psnr"].mean(), "psnr_max": kept["psnr"].max()}
            | {"steps_mean": kept["steps"].mean()}
        )
    return pd.DataFrame(rows)


def _ordered(splits: pd.Series) -> list[str]:
    """The splits that occur: train, val, test, then any other by name."""
    present = set(splits)
    return [s for s in SPLITS if s in present] + sorted(present - set(SPLITS))
