"""Makes Wagtail's own environment and its site: `python -m bench.wagtail.prepare [folder]`.

Needs what tools/setup makes. A second run finds both made and does nothing; a changed list
of requirements makes a new environment, changed content or templates' models a new database.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.process import BenchError
from bench.wagtail import content

HERE = Path(__file__).resolve().parent
PROJECT = HERE / "project"
REQUIREMENTS = HERE / "requirements.txt"
DEFAULT_FOLDER = HERE.parent / ".wagtail"
#: The one that tools/setup brings.
_UV = HERE.parents[1] / ".cache" / "bootstrap" / "bin" / "uv"


@dataclass(frozen=True, slots=True)
class Environment:
    """A folder with a virtual environment in `venv` and the site's data in `data`."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def variables(self, data: Path | None = None, *, page_cache: bool = False) -> dict[str, str]:
        """What the project's settings read, with a secret key that lives as long as a process."""
        return {
            "BENCH_DATA": str(data or self.data),
            "BENCH_PAGE_CACHE": "1" if page_cache else "0",
            "BENCH_SECRET_KEY": secrets.token_urlsafe(48),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONPATH": str(PROJECT),
        }


def prepare(folder: Path = DEFAULT_FOLDER) -> Environment:
    """The environment in `folder`, made where it is missing or out of date.

    BenchError if a step fails, with what it printed.
    """
    environment = Environment(folder.resolve())
    environment.folder.mkdir(parents=True, exist_ok=True)
    (environment.folder / ".gitignore").write_text("*\n", encoding="utf-8")
    _install(environment)
    _fill(environment)
    return environment


def _install(environment: Environment) -> None:
    venv = environment.folder / "venv"
    stamp, wanted = venv / "made-from", _digest([REQUIREMENTS], sys.version)
    if _holds(stamp, wanted):
        return
    shutil.rmtree(venv, ignore_errors=True)
    python, requirements = str(environment.python), str(REQUIREMENTS)
    _run([str(_UV), "venv", "--quiet", "--python", sys.executable, str(venv)])
    _run([str(_UV), "pip", "install", "--quiet", "--python", python, "-r", requirements])
    stamp.write_text(wanted, encoding="utf-8")


def _fill(environment: Environment) -> None:
    sources = [REQUIREMENTS, HERE / "content.py", *sorted(PROJECT.rglob("*.py"))]
    stamp, wanted = environment.data / "made-from", _digest(sources, sys.version)
    if _holds(stamp, wanted):
        return
    # Built beside and moved into place when complete: a run that is stopped leaves no half site.
    building = environment.folder / "data.new"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    source = building / "pages.json"
    source.write_text(json.dumps(_source()), encoding="utf-8")
    variables = environment.variables(building)
    python = str(environment.python)
    _run([python, "-m", "django", "migrate", "--verbosity", "0"], variables)
    _run([python, "-m", "likesite.seed", str(source)], variables)
    (building / "made-from").write_text(wanted, encoding="utf-8")
    shutil.rmtree(environment.data, ignore_errors=True)
    building.rename(environment.data)


def _source() -> dict[str, object]:
    home = branch("home", content.SITE_NAME, in_menu=False, seed=100)
    section = branch(content.SECTION, content.SECTION.title(), in_menu=True, seed=101)
    return {
        "site_name": content.SITE_NAME,
        "home": asdict(home),
        "section": asdict(section),
        "pages": [asdict(page) for page in content.pages()],
    }


def branch(slug: str, title: str, *, in_menu: bool, seed: int) -> content.Page:
    """A page that others are below: the home page, or the section."""
    summary = "Notes from a house where tiles are made, mended and looked at."
    return content.Page(slug, title, summary, in_menu, False, content.lead_blocks(seed))


def _digest(files: Sequence[Path], also: str) -> str:
    digest = hashlib.sha256(also.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


def _run(argv: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(argv, check=False, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make Wagtail's environment and its site.")
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT_FOLDER)
    print(prepare(parser.parse_args().folder).folder)
