"""mosaic.toml and the environment: what is said is meant, and what is wrong is named."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from mosaic_core.errors import ConfigurationError
from mosaic_core.settings import Settings, load_settings, make_settings
from mosaic_core.settings_problems import nearest, problems
from mosaic_core.tenants import default_tiers


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MOSAIC_")]:
        monkeypatch.delenv(name)


def load(folder: Path, text: str) -> Settings:
    (folder / "mosaic.toml").write_text(text, "utf-8")
    return load_settings(folder)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text)
    return str(caught.value)


# What is said


def test_nothing_said_is_a_whole_configuration(tmp_path: Path) -> None:
    settings = load(tmp_path, "")
    assert settings.platform.domain == "localhost"
    assert settings.platform.plugins == ("host_resolvers", "tenancy_sqlite", "storage_local")
    assert settings.tiers == default_tiers()
    assert settings.data_dir == tmp_path / "data"


def test_a_file_and_its_folder_are_the_same(tmp_path: Path) -> None:
    settings = load(tmp_path, '[platform]\nname = "Mosaik"')
    assert load_settings(tmp_path / "mosaic.toml") == settings
    assert settings.platform.name == "Mosaik"


def test_the_data_folder_is_read_against_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, '[platform]\ndata = "../d"').data_dir == tmp_path / "../d"
    assert load(tmp_path, '[platform]\ndata = "/srv/d"').data_dir == Path("/srv/d")


def test_a_domain_has_one_form(tmp_path: Path) -> None:
    assert load(tmp_path, '[platform]\ndomain = "BÜCHER.example."').platform.domain == (
        "xn--bcher-kva.example"
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ('"100 MB"', 10**8),
        ('"1.5 GB"', 1_500_000_000),
        ('"1 MiB"', 2**20),
        ("12345", 12_345),
        ('"12345"', 12_345),
    ],
)
def test_sizes_are_bytes_or_text_with_a_unit(tmp_path: Path, text: str, size: int) -> None:
    settings = load(tmp_path, f"[tiers.free.limits]\ndatabase = {text}\n[serve]\npage_cache={text}")
    assert settings.tiers["free"].limits.database == size
    assert settings.serve.page_cache == size


def test_a_tier_that_ships_is_completed_from_its_defaults(tmp_path: Path) -> None:
    tiers = load(tmp_path, '[tiers.free.limits]\nfiles = "2 GB"').tiers
    shipped = default_tiers()
    assert tiers["free"].limits.files == 2 * 10**9
    assert tiers["free"].limits.database == shipped["free"].limits.database
    assert tiers["free"].persistence == "tenancy_sqlite"
    assert {name: tiers[name] for name in ("paid", "enterprise")} == {
        name: shipped[name] for name in ("paid", "enterprise")
    }


def test_a_new_tier_and_its_plan_are_added_to_those_that_ship(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        [tiers.gold]
        persistence = "tenancy_sqlite"
        storage = "storage_local"
        [plans.club]
        name = "Club"
        tier = "gold"
        price = "19.90"
        """,
    )
    assert set(settings.tiers) == {"free", "paid", "enterprise", "gold"}
    assert settings.tiers["gold"].limits.database is None
    assert settings.plans["club"].price == Decimal("19.90")


def test_settings_do_not_change(tmp_path: Path) -> None:
    settings = load(tmp_path, "")
    with pytest.raises(ValidationError):
        settings.platform = settings.platform
    with pytest.raises(ValidationError):
        settings.platform.domain = "example.com"


# The environment


@pytest.mark.parametrize(
    ("variable", "value", "path", "found"),
    [
        ("MOSAIC_PLATFORM__DOMAIN", "example.com", "platform.domain", "example.com"),
        ("MOSAIC_PLATFORM__PLUGINS", '["attic"]', "platform.plugins", ("attic",)),
        ("MOSAIC_SERVE__PORT", "9000", "serve.port", 9000),
        ("MOSAIC_SERVE", '{"port": 9001}', "serve.port", 9001),
        ("MOSAIC_SERVE__PAGE_CACHE", "1 MB", "serve.page_cache", 10**6),
        ("MOSAIC_ROOT", "/elsewhere", "platform.name", "MOSAIC"),
        ("MOSAIC_CONFIG", "x", "platform.name", "MOSAIC"),
    ],
)
def test_the_environment_overrides_a_key(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    path: str,
    found: Any,
) -> None:
    monkeypatch.setenv(variable, value)
    settings = load(tmp_path, "[serve]\nport = 1\nworkers = 3\n")
    part: Any = settings
    for name in path.split("."):
        part = getattr(part, name)
    assert part == found
    assert settings.serve.workers == 3
    assert settings.root == tmp_path


def test_the_environment_reaches_into_tiers_and_leaves_the_rest_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOSAIC_TIERS__FREE__LIMITS__DATABASE", "200 MB")
    limits = load(tmp_path, "[tiers.free.limits]\nfiles = 5").tiers["free"].limits
    assert (limits.database, limits.files) == (200 * 10**6, 5)
    assert limits.bandwidth_per_month == 10**10


def test_the_environment_reaches_into_a_plugin_s_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOSAIC_PLUGINS__BILLING_STRIPE__SECRET_KEY", "sk")
    settings = load(tmp_path, '[plugins.billing_stripe]\ncurrency = "EUR"\nsecret_key = "no"')
    assert settings.plugins == {"billing_stripe": {"currency": "EUR", "secret_key": "sk"}}


@pytest.mark.parametrize(
    ("variable", "value", "shown"),
    [
        ("MOSAIC_PLATFORM__DOMIAN", "x", "there is no such key; did you mean 'domain'?"),
        ("MOSAIC_PLATFROM__DOMAIN", "x", "there is no such key; did you mean 'platform'?"),
        ("MOSAIC_ROOT__X", "x", "there is no such key"),
        ("MOSAIC_SERVE__PORT", "eighty", "valid integer"),
        ("MOSAIC_PLATFORM__PLUGINS", "a,b", "JSON"),
        ("MOSAIC_SERVE", "x", "JSON"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named_as_it_stands_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, shown: str
) -> None:
    monkeypatch.setenv(variable, value)
    message = refusal(tmp_path, "")
    assert f"In the environment: {variable}:" in message or f"one of {variable}" in message
    assert shown in message


# What is wrong


@pytest.mark.parametrize(
    ("text", "where", "meant"),
    [
        ("[plattform]", "plattform", "platform"),
        ("[platform]\ndomian = 1", "platform.domian", "domain"),
        ("[serve]\nporrt = 1", "serve.porrt", "port"),
        ("[tiers.free]\npersistance = 'x'", "tiers.free.persistance", "persistence"),
        ("[tiers.free.limits]\ndatabse = 1", "tiers.free.limits.databse", "database"),
        ("[plans.a]\nname='a'\ntier='free'\npreis=1", "plans.a.preis", "price"),
    ],
)
def test_an_unknown_key_gets_the_nearest_one_at_every_level(
    tmp_path: Path, text: str, where: str, meant: str
) -> None:
    message = refusal(tmp_path, text)
    expected = f"{tmp_path}/mosaic.toml: {where}: there is no such key; did you mean {meant!r}?"
    assert expected in message


def test_an_unknown_key_like_no_other_gets_the_list(tmp_path: Path) -> None:
    message = refusal(tmp_path, "[serve]\nzzz = 1")
    assert "known are cdn_seconds, host, page_cache, port, public_ports, workers." in message


@pytest.mark.parametrize(
    "key", ["root", "_env_prefix", "_cli_parse_args", "model_config", "data_dir"]
)
def test_no_key_reaches_the_machinery(tmp_path: Path, key: str) -> None:
    assert f"{key}: there is no such key" in refusal(tmp_path, f'{key} = "x"')


@pytest.mark.parametrize(
    ("text", "where", "shown"),
    [
        ("platform = 3", "platform", "dictionary"),
        ("[platform]\nplugins = 'a'", "platform.plugins", "tuple"),
        ("[platform]\nname = 5", "platform.name", "string"),
        ("[platform]\ndomain = 'ex ample'", "platform.domain", "not a domain name"),
        ("[platform]\nfreshness = -1", "platform.freshness", "greater than"),
        ("[platform]\nfreshness = nan", "platform.freshness", "less than"),
        ("[platform]\nproxies = ['300.1.1.1']", "platform.proxies.0", "not a valid IPv4 network"),
        ("[platform]\ndefault_tier = 'fre'", "platform.default_tier", "did you mean 'free'?"),
        ("[serve]\nport = 99999", "serve.port", "less than or equal to 65535"),
        ("[serve]\nport = true", "serve.port", "not true or false"),
        ("[serve]\nworkers = 1.5", "serve.workers", "integer"),
        ("[serve]\npage_cache = -1", "serve.page_cache", "-1"),
        ("[tiers.free.limits]\ndatabase = '12 potatoes'", "tiers.free.limits.database", "potatoes"),
        ("[tiers.free.limits]\nsites = 0", "tiers.free.limits.sites", "greater than"),
        ("[tiers.free]\nlimits = 5", "tiers.free.limits", "dictionary"),
        ("[tiers.gold]\nstorage = 'a'", "tiers.gold.persistence", "is needed"),
        ("[plans.a]\nname='a'\ntier='freee'", "plans.a.tier", "did you mean 'free'?"),
        ("[plugins]\nattic = 3", "plugins.attic", "dictionary"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(
    tmp_path: Path, text: str, where: str, shown: str
) -> None:
    message = refusal(tmp_path, text)
    assert f"{tmp_path}/mosaic.toml: {where}: " in message
    assert shown in message


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path, "[serve]\nport = -1\nworkers = 0\nhots = 1\n[platform]\nname = 1")
    assert [
        line.rpartition("mosaic.toml: ")[2].partition(":")[0] for line in message.split("\n")
    ] == [
        "platform.name",
        "serve.port",
        "serve.workers",
        "serve.hots",
    ]


def test_broken_toml_is_named_with_its_line(tmp_path: Path) -> None:
    message = refusal(tmp_path, "[platform]\nname = \n")
    assert f"{tmp_path}/mosaic.toml is not valid TOML" in message
    assert "line 2" in message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_read_as_any_editor_writes_it(tmp_path: Path, encoding: str, end: str) -> None:
    text = end.join(("[platform]", 'name = "Bücher"', ""))
    (tmp_path / "mosaic.toml").write_bytes(text.encode(encoding))
    assert load_settings(tmp_path).platform.name == "Bücher"


@pytest.mark.parametrize(("encoding", "byte"), [("cp1252", "0xfc"), ("utf-16", "0xff")])
def test_a_file_that_is_not_utf8_is_named(tmp_path: Path, encoding: str, byte: str) -> None:
    (tmp_path / "mosaic.toml").write_bytes('[platform]\nname = "Bücher"\n'.encode(encoding))
    with pytest.raises(ConfigurationError, match=r"mosaic\.toml is not UTF-8") as caught:
        load_settings(tmp_path)
    assert byte in caught.value.message
    assert "Save it as UTF-8" in caught.value.hint


def test_a_file_that_is_nested_without_end_is_named(tmp_path: Path) -> None:
    assert "nested too deeply" in refusal(tmp_path, "x = " + "[" * 100_000)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "other.toml"):
        with pytest.raises(ConfigurationError, match="mosaic init"):
            load_settings(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "mosaic.toml").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path)


def test_settings_made_without_a_file_say_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"In the demo: serve\.port"):
        make_settings({"serve": {"port": "x"}}, root=tmp_path, source="the demo")


def test_the_nearest_of_nothing_is_nothing() -> None:
    assert nearest("a", []) == "."


# Secrets


class _Vault(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    password: SecretStr
    spare: SecretStr | None = None
    others: dict[str, SecretStr] = {}


@pytest.mark.parametrize(
    "given",
    [
        {"name": "a", "password": 12345678},
        {"name": "a", "password": "x", "spare": 12345678},
        {"name": "a", "password": "x", "others": {"b": 12345678}},
        {"name": "a", "password": [12345678]},
    ],
)
def test_what_is_wrong_with_a_secret_is_told_without_it(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        _Vault.model_validate(given)
    message = problems(caught.value, "[plugins.vault]", _Vault)
    assert "valid string" in message
    assert "12345678" not in message


def test_what_is_wrong_with_something_else_is_told_with_it() -> None:
    with pytest.raises(ValidationError) as caught:
        _Vault.model_validate({"name": 12345678, "password": "x"})
    assert "(given: '12345678')" in problems(caught.value, "[plugins.vault]", _Vault)


def test_settings_are_shown_without_those_of_plugins(tmp_path: Path) -> None:
    settings = load(tmp_path, '[plugins.mail_smtp]\npassword = "canary"')
    assert "canary" not in repr(settings)
    assert "canary" not in str(settings)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[mail]\naddress = "nobody"', "'nobody' is no mail address"),
        ('[mail]\naddress = "a@b.example\\r\\nBcc: c@d.example"', "is no mail address"),
        ('[mail]\nadress = "a@b.example"', "did you mean 'address'?"),
    ],
)
def test_the_sender_of_mail_is_checked(tmp_path: Path, text: str, told: str) -> None:
    assert told in refusal(tmp_path, text)
