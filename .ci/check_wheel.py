"""Build the package, install it in a fresh environment, and try what is installed.

    python .ci/check_wheel.py [--python INTERPRETER] [--keep FOLDER]

Source distribution and wheel are built, and the wheel once more from the source distribution: both
must hold the same files. The wheel goes into a new environment with the versions of
`constraints.txt`, without extras. Outside the checkout, every module is imported, the bundled
models are listed, and two models are compared on a few seconds of bundled speech. Whatever is
imported must be a dependency that `pyproject.toml` declares.
"""

import argparse
import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_BYTES = 12e6
# Imports every module, and prints which distributions the packages belong to.
TRIAL = """
import importlib, json, pkgutil, sys
import assonance
for module in pkgutil.walk_packages(assonance.__path__, "assonance."):
    if module.name != "assonance.__main__":
        importlib.import_module(module.name)
from importlib.metadata import packages_distributions
print(json.dumps(packages_distributions()))
"""


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command, and return what it printed; its errors end this program."""
    ended = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise SystemExit(f"{command} ended with {ended.returncode}:\n{ended.stdout}")
    return ended.stdout


def contents(wheel: Path) -> dict[str, str]:
    """Return the hash of each file of a wheel."""
    with zipfile.ZipFile(wheel) as files:
        return {
            name: hashlib.sha256(files.read(name)).hexdigest() for name in sorted(files.namelist())
        }


def build(scratch: Path) -> Path:
    """Build the wheel in both ways, hold one against the other, and return it."""
    shutil.copytree(
        ROOT,
        scratch / "checkout",
        ignore=shutil.ignore_patterns(".venv", "runs", "data", "training", ".*_cache", ".git"),
    )
    checkout = scratch / "checkout"
    run(sys.executable, "-m", "build", "--outdir", scratch / "dist", cwd=checkout)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", scratch / "direct", cwd=checkout)
    (through_sdist,) = (scratch / "dist").glob("*.whl")
    (direct,) = (scratch / "direct").glob("*.whl")
    if contents(through_sdist) != contents(direct):
        raise SystemExit("the source distribution builds another wheel than the checkout")
    size = through_sdist.stat().st_size
    print(f"wheel: {size / 1e6:.1f} MB, {len(contents(through_sdist))} files")
    if size > MOST_BYTES:
        raise SystemExit(f"the wheel takes more than {MOST_BYTES / 1e6:.0f} MB")
    return through_sdist


def install(wheel: Path, folder: Path, interpreter: str) -> Path:
    """Install a wheel in a new environment without extras, and return its interpreter."""
    run(interpreter, "-m", "venv", folder, cwd=ROOT)
    python = folder / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    constraints = ("--constraint", ROOT / "constraints.txt")
    run(*pip, *constraints, "torch==2.13.0", cwd=folder)
    run(*pip, *constraints, wheel, cwd=folder)
    (site,) = folder.glob("lib/python*/site-packages")
    sizes = {
        each.name: sum(file.stat().st_size for file in each.rglob("*") if file.is_file())
        for each in site.iterdir()
        if each.is_dir()
    }
    print(
        f"installed: {sum(sizes.values()) / 1e6:.0f} MB, {sizes['torch'] / 1e6:.0f} of them torch"
    )
    return python


def declared() -> tuple[set[str], set[str]]:
    """Return the declared distributions: those always needed, and those of extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [each for group in project["optional-dependencies"].values() for each in group]
    return {normal(each) for each in project["dependencies"]}, {normal(each) for each in extras}


def normal(requirement: str) -> str:
    """Return the name of the distribution that a requirement asks for."""
    name = requirement
    for end in "[<>=!~; ":
        name = name.partition(end)[0]
    return name.lower().replace("_", "-")


def imported(package: Path) -> dict[str, str]:
    """Return the top-level packages that a package imports, each with the first file that does."""
    found: dict[str, str] = {}
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                found.setdefault(name.partition(".")[0], str(path.relative_to(package)))
    return {name: file for name, file in found.items() if name not in sys.stdlib_module_names}


def check_imports(python: Path, elsewhere: Path) -> None:
    """Import every module without extras, and hold all imports against what is declared."""
    distributions = json.loads(run(python, "-c", TRIAL, cwd=elsewhere).splitlines()[-1])
    (package,) = python.parent.parent.glob("lib/python*/site-packages/assonance")
    needed, extras = declared()
    for name, file in imported(package).items():
        if name == "assonance":
            continue
        by = {normal(each) for each in distributions.get(name, [name])}
        if not by & (needed | extras):
            raise SystemExit(f"{file} imports {name}, of {', '.join(by)}, which is not declared")
    print(f"imports: {len(imported(package)) - 1} packages, all declared")


def try_out(python: Path, elsewhere: Path) -> None:
    """List the bundled models, and compare two on a few seconds of bundled speech."""
    assonance = python.with_name("assonance")
    listed = run(assonance, "models", cwd=elsewhere)
    print(listed.splitlines()[-1])
    where = "from assonance.demo import SPEECH; print(SPEECH)"
    speech = run(python, "-c", where, cwd=elsewhere).strip()
    if Path(speech).is_relative_to(ROOT):
        raise SystemExit(f"{speech}: not what was installed")
    command = (assonance, "compare", "hubert-mini", "wav2vec2-mini", "--audio", speech)
    options = ("--max-hours", "0.02", "--offline", "--out", "run")
    measures = [part for name in ("cka", "linreg_heldout", "attn_js") for part in ("-m", name)]
    print(run(*command, *options, *measures, cwd=elsewhere))
    for name in ("results.nc", "results.csv", "report.html", "config.yaml", "claims.csv"):
        if not (elsewhere / "run" / name).stat().st_size:
            raise SystemExit(f"{name} is empty")


def main() -> None:
    """Build, install, try."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="copy wheel and source distribution here")
    parser.add_argument("--python", default=sys.executable, help="of the new environment")
    args = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="wheel-") as folder:
        scratch = Path(folder)
        wheel = build(scratch)
        if args.keep:
            shutil.copytree(scratch / "dist", args.keep, dirs_exist_ok=True)
        python = install(wheel, scratch / "environment", args.python)
        elsewhere = scratch / "elsewhere"
        elsewhere.mkdir()
        check_imports(python, elsewhere)
        try_out(python, elsewhere)
        version = run(python, "--version", cwd=elsewhere).strip()
    print(f"the wheel works: {version}, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
