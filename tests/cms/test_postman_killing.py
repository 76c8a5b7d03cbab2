"""A process that is killed while it sends mail loses none, and at most doubles the one that it had
on its way: a real process, a real mail server, SIGKILL."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from mosaic_core.testing.mail import parsed
from tests.cms.deployment import Deployment, Deployments, opened
from tests.cms.test_web_forms import GOOD, add_form
from tests.mail_server import MailServer

ROOT = Path(__file__).parents[2]
#: Sends all mail that is due, and what it finds later: python -c … ROOT PORT LEASE MOMENT
WORKER = """
import asyncio, os, signal, sys
from datetime import timedelta
from pathlib import Path
from mosaic_cms import postman
from mosaic_cms.product import open_product
from mosaic_core.head.outbox import Outbox
from tests.cms.deployment import settings_for

root, port, lease, moment = sys.argv[1:]
postman.LEASE = timedelta(seconds=float(lease))
settings = settings_for(
    Path(root),
    platform={"plugins": ["host_resolvers", "tenancy_sqlite", "storage_local", "mail_smtp"]},
    plugins={"mail_smtp": {"host": "127.0.0.1", "port": int(port), "security": "none"}},
)

async def killed(self, *ids):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with open_product(settings) as product:
        if moment == "before it says so":
            Outbox.acknowledge = killed
        print("ready", flush=True)
        while await product.postman.deliver():
            pass
        print("done", flush=True)
        if moment == "any":
            while True:
                await product.postman.deliver()
                await asyncio.sleep(0.05)

asyncio.run(main())
"""


def worker(root: Path, server: MailServer, lease: float, moment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(root), str(server.port), str(lease), moment],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def fill_in(root: Path, times: int) -> None:
    """Has forms filled in that somebody is to be told of."""

    async def main() -> None:
        async with opened(root) as deployment:
            await add_form(deployment)
            page = await deployment.do("pages.show", path="/contact/")
            for number in range(times):
                values = {key: value for key, value in GOOD.items() if key[0] != "_"}
                values["name"] = f"Reader {number}"
                await deployment.do("forms.submit", page_id=page.id, form_id="f1", values=values)

    asyncio.run(main())


def left(root: Path) -> int:
    async def main() -> int:
        async with opened(root) as deployment:
            return len(await mails(deployment))

    return asyncio.run(main())


async def mails(deployment: Deployment) -> list[object]:
    return list(await deployment.rule("mails.list"))


def arrived(server: MailServer) -> Counter[str]:
    """How often each mail arrived, by its message id."""
    return Counter(str(parsed(mail.content)["Message-ID"]) for mail in server.arrived)


def test_a_mail_that_was_sent_but_not_noted_is_sent_once_more(deployments: Deployments) -> None:
    root = deployments.copy()
    fill_in(root, 1)
    with MailServer() as server:
        dying = worker(root, server, 0.1, "before it says so")
        _, errors = dying.communicate(timeout=120)
        assert dying.returncode == -signal.SIGKILL, errors
        assert list(arrived(server).values()) == [1]
        assert left(root) == 1
        time.sleep(0.1)  # the lease
        living = worker(root, server, 300, "never")
        _, errors = living.communicate(timeout=120)
        assert living.returncode == 0, errors
        assert list(arrived(server).values()) == [2], "twice, and recognisable by its id"
        assert left(root) == 0


@pytest.mark.parametrize("kills", [2, pytest.param(60, marks=pytest.mark.campaign)])
@pytest.mark.timeout(3600)
def test_no_mail_is_lost_whenever_a_process_is_killed(deployments: Deployments, kills: int) -> None:
    chance = random.Random(kills)
    root = deployments.copy()
    count = 15 * kills
    fill_in(root, count)
    with MailServer() as server:
        for _ in range(kills):
            process = worker(root, server, 0.5, "any")
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.0, 0.4))
            process.kill()
            process.communicate(timeout=60)
        until = time.monotonic() + 120
        while left(root) and time.monotonic() < until:
            process = worker(root, server, 300, "never")
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
        found = arrived(server)
        assert left(root) == 0
        assert len(found) == count, "each arrived"
        doubled = found.total() - count
        print(f"kills: {kills}, mails: {count}, sent twice: {doubled}")
        assert doubled <= kills, "a killed process had one of this outbox on its way"
