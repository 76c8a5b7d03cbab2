"""``mosaic doctor`` names an issuer that is not there."""

from __future__ import annotations

import json

import pytest

from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployments
from tests.cms.plugs import SHIPPED
from tests.processes import free_port


def test_the_doctor_names_an_issuer_that_is_not_there(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line(deployments, monkeypatch)
    nowhere = f"http://127.0.0.1:{free_port()}"
    way = {"issuer": nowhere, "client_id": "mosaic", "client_secret": "canary"}
    monkeypatch.setenv("MOSAIC_PLATFORM__PLUGINS", json.dumps([*SHIPPED, "identity_oidc"]))
    monkeypatch.setenv("MOSAIC_PLUGINS__IDENTITY_OIDC__WAYS", json.dumps({"company": way}))
    said = invoke("doctor", "--json", code=1)
    (problem,) = json.loads(said)["problems"]
    assert problem["subject"] == "sign-in company"
    assert nowhere.removeprefix("http://") in problem["what"]
    assert "canary" not in said
