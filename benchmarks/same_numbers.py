"""Compare two runs number by number: every array of `results.nc`, every figure of the tables.

    python -m benchmarks.same_numbers RUN_BEFORE RUN_AFTER

Exits with status 1 if any number differs. Texts are not compared: they may be worded anew.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

RESULTS = "results.nc"
TABLES = ("results.csv", "claims.csv", "changes.csv", "changed_heads.csv")


@dataclass(frozen=True)
class Difference:
    """One array or column of numbers that is not the same in both runs."""

    name: str
    reason: str


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """Read every array of numbers in an HDF5 file, by its path within the file."""
    found: dict[str, np.ndarray] = {}

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Dataset) and node.dtype.kind in "fiub":
            found[name] = node[()]

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def columns_of(path: Path) -> dict[str, np.ndarray]:
    """Read every column of numbers in a CSV table, exactly as printed."""
    table = pd.read_csv(path)
    return {
        str(name): column.to_numpy()
        for name, column in table.items()
        if column.dtype.kind in "fiub"
    }


def differences(
    before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]
) -> Iterator[Difference]:
    """Yield the arrays that differ in presence, type, shape or any bit; NaN equals NaN."""
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield Difference(name, "only " + ("before" if name in before else "after"))
            continue
        old, new = before[name], after[name]
        if old.dtype != new.dtype or old.shape != new.shape:
            yield Difference(name, f"{old.dtype}{old.shape}, then {new.dtype}{new.shape}")
        elif not np.array_equal(old, new, equal_nan=old.dtype.kind == "f"):
            unlike = ~((old == new) | (np.isnan(old) & np.isnan(new)))
            most = np.nanmax(np.abs(new.astype(float) - old.astype(float)), initial=0)
            yield Difference(
                name, f"{unlike.sum()} of {old.size} numbers differ, by at most {most:.3g}"
            )


def compare_runs(before: Path, after: Path) -> tuple[int, int, list[Difference]]:
    """Count arrays and numbers, and list what differs between two run folders."""
    arrays = numbers = 0
    unlike: list[Difference] = []
    for name in (RESULTS, *TABLES):
        ends = [folder / name for folder in (before, after)]
        if not any(end.exists() for end in ends):
            continue
        read = arrays_of if name == RESULTS else columns_of
        old, new = (read(end) if end.exists() else {} for end in ends)
        arrays += len(old)
        numbers += sum(each.size for each in old.values())
        unlike += [Difference(f"{name}: {d.name}", d.reason) for d in differences(old, new)]
    return arrays, numbers, unlike


def main() -> None:
    """Print what differs between two runs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", type=Path, help="folder of the first run")
    parser.add_argument("after", type=Path, help="folder of the second run")
    options = parser.parse_args()
    arrays, numbers, unlike = compare_runs(options.before, options.after)
    for each in unlike:
        print(f"{each.name}: {each.reason}")
    print(f"{arrays} arrays and columns, {numbers} numbers: {len(unlike)} differ")
    sys.exit(bool(unlike) or not arrays)


if __name__ == "__main__":
    main()
