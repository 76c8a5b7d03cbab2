"""Loading fails loudly, loads what is selected, and imports nothing else."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mosaic_core import errors, hooks
from mosaic_core.plugins import Plugins, examine, hook_types, installed

Distribution = Callable[..., None]

HEADER = """
from mosaic_core.hooks import hookimpl, ThemeFolder
from mosaic_core.provider import NoSettings, Provider
HOOK_API = ">=1,<2"
"""

GOOD = (
    HEADER
    + """
@hookimpl
def mosaic_storage():
    return Provider(name="attic", settings=NoSettings, open=print)
"""
)


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distribution]:
    """Installs a throw-away distribution with one plugin, as pip would leave it on the disk."""
    made: set[str] = set()

    def make(
        name: str, source: str = GOOD, *, dist: str | None = None, version: str = "2.3", **more: str
    ) -> None:
        dist = dist or f"mosaic-{name.replace('_', '-')}"
        package = dist.replace("-", "_")
        site = tmp_path / "site" / dist
        info = site / f"{package}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {dist}\nVersion: {version}\n", "utf-8"
        )
        (info / "entry_points.txt").write_text(f"[mosaic]\n{name} = {package}.plugin\n", "utf-8")
        (site / package).mkdir()
        (site / package / "__init__.py").write_text("", "utf-8")
        for module, text in {"plugin": source, **more}.items():
            (site / package / f"{module}.py").write_text(textwrap.dedent(text), "utf-8")
        monkeypatch.syspath_prepend(site)
        made.add(package)

    yield make
    for module in [m for m in sys.modules if m.partition(".")[0] in made]:
        del sys.modules[module]


def refusal(kind: type[errors.PluginError], *selected: str) -> str:
    """What loading says; it must be of exactly this kind."""
    with pytest.raises(errors.PluginError) as caught:
        Plugins(selected)
    assert type(caught.value) is kind
    return str(caught.value)


def test_a_plugin_is_found_loaded_and_asked(distribution: Distribution) -> None:
    distribution("attic")
    plugins = Plugins(["attic"])
    assert plugins.names == ("attic",)
    plugin, provider = plugins.providers("mosaic_storage")["attic"]
    assert (plugin.distribution, plugin.version, provider.name) == ("mosaic-attic", "2.3", "attic")
    assert plugins.providers("mosaic_persistence") == {}


def test_what_is_not_selected_is_never_imported(distribution: Distribution) -> None:
    distribution("attic")
    distribution("bomb", "raise SystemExit('this module must not be imported')")
    assert {"attic", "bomb"} <= set(installed())
    Plugins(["attic"])
    assert "mosaic_attic.plugin" in sys.modules
    assert not any(name.startswith("mosaic_bomb") for name in sys.modules)


def test_a_hook_is_called_once_however_often_one_asks(distribution: Distribution) -> None:
    distribution(
        "attic", GOOD.replace("    return", "    calls.append(1)\n    return") + "\ncalls = []\n"
    )
    plugins = Plugins(["attic"])
    assert plugins.providers("mosaic_storage") == plugins.providers("mosaic_storage")
    assert sys.modules["mosaic_attic.plugin"].calls == [1]


def test_an_unknown_name_gets_the_nearest_one(distribution: Distribution) -> None:
    distribution("attic")
    message = refusal(errors.PluginNotFound, "atic")
    assert "'atic' is not installed; did you mean 'attic'?" in message
    assert "[platform] plugins" in message


def test_a_name_like_no_other_gets_all_installed_ones(distribution: Distribution) -> None:
    distribution("attic")
    message = refusal(errors.PluginNotFound, "zzz")
    assert all(name in message for name in ("attic", "host_resolvers", "storage_local"))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("import a_module_that_is_not_there", "No module named 'a_module_that_is_not_there'"),
        ("def broken(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
    ],
)
def test_a_broken_import_names_the_distribution(
    distribution: Distribution, source: str, shown: str
) -> None:
    distribution("attic", source)
    message = refusal(errors.PluginImportFailed, "attic")
    assert "mosaic-attic 2.3" in message
    assert shown in message
    assert "Reinstall mosaic-attic" in message


def test_an_entry_point_to_nowhere_names_the_distribution(
    distribution: Distribution, tmp_path: Path
) -> None:
    distribution("attic")
    (tmp_path / "site" / "mosaic-attic" / "mosaic_attic" / "plugin.py").unlink()
    assert "mosaic-attic 2.3" in refusal(errors.PluginImportFailed, "attic")


def test_a_hook_that_matches_no_specification_gets_the_nearest_one(
    distribution: Distribution,
) -> None:
    distribution("attic", HEADER + "@hookimpl\ndef mosaic_storrage():\n    return None\n")
    message = refusal(errors.PluginInvalid, "attic")
    assert "mosaic-attic 2.3 implements 'mosaic_storrage'" in message
    assert "did you mean 'mosaic_storage'?" in message


def test_a_hook_without_its_mark_is_not_passed_over(distribution: Distribution) -> None:
    distribution("attic", GOOD.replace("@hookimpl\n", ""))
    message = refusal(errors.PluginInvalid, "attic")
    assert "mosaic_storage of mosaic-attic 2.3 is not marked" in message
    assert "@hookimpl" in message


def test_a_hook_that_takes_arguments_is_refused(distribution: Distribution) -> None:
    distribution("attic", GOOD.replace("mosaic_storage()", "mosaic_storage(request)"))
    message = refusal(errors.PluginInvalid, "attic")
    assert "mosaic-attic 2.3" in message
    assert "request" in message


@pytest.mark.parametrize("source", [GOOD.replace("def ", "async def ")])
def test_an_async_hook_is_refused(distribution: Distribution, source: str) -> None:
    distribution("attic", source)
    message = refusal(errors.PluginInvalid, "attic")
    assert "mosaic_storage of mosaic-attic 2.3 is async" in message


@pytest.mark.parametrize("error", ["OSError", "SystemExit"])
def test_a_hook_that_raises_is_named(distribution: Distribution, error: str) -> None:
    distribution("attic", GOOD.replace("return Provider", f"raise {error}('no attic') or Provider"))
    message = refusal(errors.PluginInvalid, "attic")
    assert f"mosaic_storage of mosaic-attic 2.3 failed: {error}: no attic" in message


@pytest.mark.parametrize(
    ("returned", "what"),
    [
        ("Provider(name='', settings=NoSettings, open=print)", "name must be"),
        ("Provider(name=None, settings=NoSettings, open=print)", "name must be"),
        ("Provider(name='attic', settings=dict, open=print)", "settings must be"),
        ("Provider(name='attic', settings=NoSettings(), open=print)", "settings must be"),
        ("Provider(name='attic', settings=NoSettings, open=None)", "open must be"),
    ],
)
def test_a_provider_with_a_wrong_part_is_refused(
    distribution: Distribution, returned: str, what: str
) -> None:
    distribution("attic", f"{HEADER}@hookimpl\ndef mosaic_storage():\n    return {returned}\n")
    message = refusal(errors.PluginInvalid, "attic")
    assert f"mosaic_storage of mosaic-attic 2.3 returned a Provider whose {what}" in message


def test_names_that_answer_to_everything_are_no_hooks(distribution: Distribution) -> None:
    distribution("attic", GOOD + "\nfrom sqlalchemy import func\nfrom unittest.mock import call\n")
    assert set(Plugins(["attic"]).providers("mosaic_storage")) == {"attic"}


# Names


def test_two_providers_of_one_name_name_both_distributions(distribution: Distribution) -> None:
    distribution("attic")
    distribution("cellar", version="0.9")
    message = refusal(errors.PluginConflict, "attic", "cellar")
    assert "mosaic_storage has two providers named 'attic'" in message
    assert "mosaic-attic 2.3" in message
    assert "mosaic-cellar 0.9" in message


def test_one_plugin_that_provides_a_name_twice_is_refused(distribution: Distribution) -> None:
    twice = "Provider(name='by_port', settings=NoSettings, open=print)"
    distribution(
        "attic", f"{HEADER}@hookimpl\ndef mosaic_tenant_resolvers():\n    return [{twice}, {twice}]"
    )
    message = refusal(errors.PluginConflict, "attic")
    assert "two providers named 'by_port'" in message


def test_one_plugin_name_from_two_distributions_is_refused_when_it_is_selected(
    distribution: Distribution,
) -> None:
    distribution("attic", dist="mosaic-attic")
    distribution("attic", dist="acme-attic")
    distribution("cellar")
    message = refusal(errors.PluginConflict, "attic")
    assert "mosaic-attic" in message
    assert "acme-attic" in message
    assert Plugins(["cellar"]).names == ("cellar",)
    (row,) = [row for row in examine(["cellar"]) if row.name == "attic"]
    assert row.state == "refused"
    assert "mosaic-attic" in row.reason
    assert "acme-attic" in row.reason


def test_one_distribution_on_two_paths_is_no_conflict(
    distribution: Distribution, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    distribution("attic")
    site = tmp_path / "site" / "mosaic-attic"
    copy = tmp_path / "again"
    copy.mkdir()
    (copy / "mosaic_attic-2.3.dist-info").symlink_to(site / "mosaic_attic-2.3.dist-info")
    monkeypatch.syspath_prepend(copy)
    assert Plugins(["attic"]).names == ("attic",)


def test_a_plugin_that_is_selected_twice_is_refused(distribution: Distribution) -> None:
    distribution("attic")
    message = refusal(errors.PluginConflict, "attic", "attic")
    assert "'attic' is selected twice" in message


# Versions


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("", "does not say which hook API"),
        ("HOOK_API = 1", "does not say which hook API"),
        ('HOOK_API = ">=2,<3"', "supports the hook API >=2,<3; this MOSAIC has 1"),
        ('HOOK_API = "<1"', "supports the hook API <1; this MOSAIC has 1"),
        ('HOOK_API = "any"', "which is no version range"),
    ],
)
def test_a_plugin_for_another_hook_api_is_refused(
    distribution: Distribution, line: str, shown: str
) -> None:
    distribution("attic", GOOD.replace('HOOK_API = ">=1,<2"', line))
    message = refusal(errors.PluginIncompatible, "attic")
    assert "mosaic-attic 2.3" in message
    assert shown in message


@pytest.mark.parametrize("supported", [">=1,<2", "==1", "~=1.0", ">=1", "!=2"])
def test_a_plugin_for_this_hook_api_is_taken(distribution: Distribution, supported: str) -> None:
    distribution("attic", GOOD.replace(">=1,<2", supported))
    assert Plugins(["attic"]).names == ("attic",)


# The report


def test_the_report_says_of_every_plugin_what_became_of_it(distribution: Distribution) -> None:
    distribution("attic")
    distribution("cellar", version="0.9")
    distribution("shed", "1 / 0", version="0.1")
    distribution("unused", "raise SystemExit")
    rows = {row.name: row for row in examine(["shed", "attic", "cellar", "nothing"])}
    assert (rows["attic"].state, rows["attic"].version) == ("selected", "2.3")
    assert rows["attic"].hooks == ["mosaic_storage"]
    assert rows["cellar"].state == "refused"
    assert "two providers named 'attic'" in rows["cellar"].reason
    assert (rows["shed"].state, rows["shed"].distribution) == ("refused", "mosaic-shed")
    assert "ZeroDivisionError" in rows["shed"].reason
    assert (rows["unused"].state, rows["unused"].reason) == ("available", "")
    assert rows["nothing"].state == "refused"
    assert list(rows) == sorted(rows)


# Every hook, done properly and wrongly

_PROVIDER = "Provider(name='attic', settings=NoSettings, open=print)"
_ONE_PROVIDER = (_PROVIDER, ("None", "'attic'", f"[{_PROVIDER}]"))

#: For each hook, what a plugin returns that does it properly, and things that are wrong.
RETURNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "mosaic_persistence": _ONE_PROVIDER,
    "mosaic_storage": _ONE_PROVIDER,
    "mosaic_billing": _ONE_PROVIDER,
    "mosaic_agents": _ONE_PROVIDER,
    "mosaic_identity": _ONE_PROVIDER,
    "mosaic_cache": _ONE_PROVIDER,
    "mosaic_mail": _ONE_PROVIDER,
    "mosaic_telemetry": _ONE_PROVIDER,
    "mosaic_tenant_resolvers": (f"[{_PROVIDER}]", ("None", _PROVIDER, "[None]", "(1,)")),
    "mosaic_tables": (
        "__import__('mosaic_core.database').database.TenantTables(base=int, migrations=__file__)",
        ("None", "int", "[]"),
    ),
    "mosaic_themes": (
        "[ThemeFolder(name='plain', path=__file__)]",
        ("None", "ThemeFolder(name='plain', path=__file__)", "['plain']"),
    ),
    "mosaic_actions": ("[print]", ("None", "print", "['print']", "[None]")),
    "mosaic_blocks": ("[int]", ("None", "int", "[3]", "{'a': int}")),
    "mosaic_routes": ("['/status']", ("None", "'/status'", "('/status',)")),
    "mosaic_commands": ("[('attic', print)]", ("None", "('attic', print)", "iter([])")),
}


def test_every_hook_is_tried_here() -> None:
    assert set(RETURNS) == set(hook_types())


@pytest.mark.parametrize("hook", RETURNS)
def test_a_hook_done_properly_is_offered(distribution: Distribution, hook: str) -> None:
    distribution("attic", f"{HEADER}@hookimpl\ndef {hook}():\n    return {RETURNS[hook][0]}\n")
    plugins = Plugins(["attic"])
    (offer,) = plugins.offers(hook)
    assert offer.plugin.name == "attic"
    assert all(not plugins.offers(other) for other in hook_types() if other != hook)
    (row,) = [row for row in plugins.report() if row.name == "attic"]
    assert row.hooks == [hook]


@pytest.mark.parametrize(
    ("hook", "wrong"), [(hook, wrong) for hook, (_, many) in RETURNS.items() for wrong in many]
)
def test_a_hook_that_returns_something_else_is_refused_at_once(
    distribution: Distribution, hook: str, wrong: str
) -> None:
    distribution("attic", f"{HEADER}@hookimpl\ndef {hook}():\n    return {wrong}\n")
    message = refusal(errors.PluginInvalid, "attic")
    assert f"{hook} of mosaic-attic 2.3 returned" in message
    assert "it must return" in message


def test_offers_come_in_the_order_of_configuration(distribution: Distribution) -> None:
    for name in ("zulu", "alpha", "mike"):
        distribution(name, f"{HEADER}@hookimpl\ndef mosaic_blocks():\n    return [int, str]\n")
    found = Plugins(["mike", "zulu", "alpha"]).offers("mosaic_blocks")
    assert [offer.plugin.name for offer in found] == ["mike"] * 2 + ["zulu"] * 2 + ["alpha"] * 2
    assert [offer.value for offer in found] == [int, str] * 3


def test_the_specifications_say_what_they_are() -> None:
    assert hooks.HOOK_API == "1"
    with pytest.raises(NotImplementedError):
        hooks.StorageHooks().mosaic_storage()
