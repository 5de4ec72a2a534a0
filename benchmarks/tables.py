"""Figures as a table to read and as JSON to keep."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch


def machine() -> dict[str, Any]:
    """Name what figures depend on besides the code."""
    return {
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
        "vector units": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def show(rows: Sequence[Mapping[str, Any]], asked: Mapping[str, Any], path: str | None) -> None:
    """Print rows as a table, then all figures as a line of JSON, added to a file if asked."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [columns, *([_cell(row.get(name)) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
    figures = json.dumps({"machine": machine(), "asked": dict(asked), "rows": [*map(dict, rows)]})
    print(figures)
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(figures + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
