"""docs/hooks.md is what the code says, and every hook is explained."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from pathlib import Path
from types import ModuleType

import pytest

from mosaic_core import hooks
from mosaic_core.plugins import hook_types

ROOT = Path(__file__).parents[2]
HOOKS = {
    name: function
    for specification in hooks.SPECIFICATIONS
    for name, function in vars(specification).items()
    if name in hook_types()
}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    found = importlib.util.spec_from_file_location(
        "generate_hooks", ROOT / "docs/generate_hooks.py"
    )
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(generator: ModuleType) -> None:
    assert generator.TARGET.read_text("utf-8") == generator.page(), (
        "run: python docs/generate_hooks.py"
    )


def test_the_page_has_every_hook(generator: ModuleType) -> None:
    headings = [line for line in generator.page().splitlines() if line.startswith("### ")]
    assert [heading[5:].partition("(")[0] for heading in headings] == list(HOOKS)
    assert {"mosaic_persistence", "mosaic_storage", "mosaic_tenant_resolvers"} <= set(HOOKS)


def test_every_public_name_of_a_specification_is_a_hook() -> None:
    public = {n for s in hooks.SPECIFICATIONS for n in vars(s) if not n.startswith("_")}
    assert public == set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_has_words_a_return_type_and_an_example_of_itself(name: str) -> None:
    function = HOOKS[name]
    assert list(inspect.signature(function).parameters) == ["self"]
    assert inspect.signature(function).return_annotation is not inspect.Signature.empty
    words, _, example = inspect.cleandoc(function.__doc__ or "").partition("Example::\n")
    assert words.strip()
    (shown,) = ast.parse(inspect.cleandoc(example)).body
    assert isinstance(shown, ast.FunctionDef)
    assert shown.name == name
    assert [ast.unparse(mark) for mark in shown.decorator_list] == ["hookimpl"]


@pytest.mark.parametrize("doc", [None, "", "Words and no example.", "Example::\n\n    x = 1\n"])
def test_a_hook_without_words_or_example_is_refused(generator: ModuleType, doc: str | None) -> None:
    def mosaic_attic() -> None: ...

    mosaic_attic.__doc__ = doc
    with pytest.raises(ValueError, match="mosaic_attic needs a docstring with an Example"):
        generator.entry("mosaic_attic", mosaic_attic, type(None))


def test_a_provisional_hook_says_so(generator: ModuleType) -> None:
    for name, function in HOOKS.items():
        entry = generator.entry(name, function, hook_types()[name])
        assert ("Provisional.\n" in entry) == (function.__doc__ or "").startswith("Provisional. ")
