"""The server as it ships, in processes of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import Any

from tests.processes import Deployment, Running


def titles(text: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", text)
    return found.group(1) if found else ""


def workers_of(server: Running) -> list[int]:
    """The processes that serve, without the one that keeps Python's shared resources."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return [
        int(child)
        for child in children.read_text().split()
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def publish(deployment: Deployment, text: str) -> None:
    (deployment.folder / "notes").mkdir(exist_ok=True)
    (deployment.folder / "notes" / "news.md").write_text(f"---\ntitle: {text}\n---\n\nBody.\n")
    deployment.run("import", "markdown", "notes", "--site", "press")


def test_what_one_process_publishes_every_other_shows_within_a_second(
    deployment: Deployment, serve: Any
) -> None:
    deployment.run("tenant", "create", "press")
    publish(deployment, "One")
    first, second = serve(deployment), serve(deployment)
    for server in (first, second):
        assert titles(server.get("press.localhost", "/news/").text) == "One"
    publish(deployment, "Two")  # the command ends after the commit, so this is the upper bound
    time.sleep(1.0)
    for server in (first, second):
        assert titles(server.get("press.localhost", "/news/").text) == "Two"


def test_a_killed_server_loses_nothing_and_starts_again(deployment: Deployment, serve: Any) -> None:
    deployment.run("tenant", "create", "press")
    publish(deployment, "Kept")
    server = serve(deployment)
    assert server.get("press.localhost", "/news/").status_code == 200
    server.kill()
    again = serve(deployment)
    assert titles(again.get("press.localhost", "/news/").text) == "Kept"
    assert deployment.json("doctor")["problems"] == []


def test_workers_of_one_server_serve_the_same(deployment: Deployment, serve: Any) -> None:
    deployment.run("tenant", "create", "press")
    server = serve(deployment, "--workers", "2")
    answers = {server.get("press.localhost").text for _ in range(20)}
    assert len(answers) == 1


def test_a_server_stops_when_it_is_asked_to(deployment: Deployment, serve: Any) -> None:
    server = serve(deployment)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0


def test_workers_stop_with_their_server(deployment: Deployment, serve: Any) -> None:
    server = serve(deployment, "--workers", "2")
    workers = workers_of(server)
    assert len(workers) == 2
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_a_worker_that_was_killed_is_replaced(deployment: Deployment, serve: Any) -> None:
    deployment.run("tenant", "create", "press")
    server = serve(deployment, "--workers", "2")
    killed, kept = workers_of(server)
    os.kill(killed, signal.SIGKILL)
    until = time.monotonic() + 30
    while not (len(workers := workers_of(server)) == 2 and killed not in workers):
        assert time.monotonic() < until, "no other worker was started"
        time.sleep(0.05)
    assert kept in workers
    os.kill(kept, signal.SIGKILL)  # so that the new one answers
    assert server.get("press.localhost").status_code == 200


def test_a_port_in_use_is_named(deployment: Deployment) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        shown = deployment.run("serve", "--port", port, status=1)
    assert port in shown
    assert "--port" in shown


def test_a_database_newer_than_the_code_is_refused_and_named(deployment: Deployment) -> None:
    import sqlite3

    database = sqlite3.connect(deployment.folder / "data" / "platform.db")
    database.execute("UPDATE alembic_version SET version_num = 'p9999' WHERE version_num LIKE 'p%'")
    database.commit()
    database.close()
    shown = deployment.run("serve", "--port", "0", status=1)
    assert "newer MOSAIC" in shown
    assert "p9999" in shown


def test_workers_are_not_started_for_what_cannot_open(deployment: Deployment) -> None:
    (deployment.folder / "data" / "platform.db").write_bytes(b"not a database" * 1000)
    told = deployment.json("serve", "--port", "0", "--workers", "2", status=1)
    assert "platform database" in told["error"]["message"]


def test_a_large_body_is_refused_unread(deployment: Deployment, serve: Any) -> None:
    deployment.run("tenant", "create", "press")
    server = serve(deployment)
    for length in (b"Content-Length: 10485760", b"Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            raw.sendall(b"POST / HTTP/1.1\r\nHost: press.localhost\r\n" + length + b"\r\n\r\n")
            answer = raw.recv(4096)
        assert answer.startswith(b"HTTP/1.1 405")
    assert server.get("press.localhost").status_code == 200


def test_a_host_header_with_control_characters_gets_no_site(
    deployment: Deployment, serve: Any
) -> None:
    deployment.run("tenant", "create", "press")
    server = serve(deployment)
    for host in (b"press.localhost\x01", b"press\x00.localhost", b"press .localhost", b""):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
            answer = raw.recv(65536)
        assert b" 200 " not in answer.split(b"\r\n")[0]
    assert server.get("press.localhost").status_code == 200
