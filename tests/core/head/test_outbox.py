"""The outbox: a message is one process's at a time, is tried again when it is due, and is never
forgotten."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from mosaic_core.head import TENANT, Write
from mosaic_core.head.outbox import Message, Outbox, enqueue
from tests.core.head.toys import Toys, toy

LEASE = timedelta(minutes=5)


def with_outbox(
    folder: Path, scenario: Callable[[Toys, Outbox, list[Mapping[str, Any]]], Awaitable[None]]
) -> None:
    async def main() -> None:
        async with toy(folder) as toys:
            noted: list[Mapping[str, Any]] = []

            async def note(due: Mapping[str, datetime | None]) -> None:
                noted.append(due)

            await scenario(toys, outbox_of(toys, note), noted)
            await toys.whole()

    asyncio.run(main())


def outbox_of(toys: Toys, note: Any = None) -> Outbox:
    return Outbox(TENANT, partial(toys.files.session, toys.tenant), toys.writer.write, note)


async def leave(toys: Toys, *words: str, topic: str = "mail") -> list[uuid.UUID]:
    async def fn(write: Write) -> list[uuid.UUID]:
        return [await enqueue(write, TENANT, topic, {"say": word}) for word in words]

    return list(await toys.write(fn))


def later(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


async def take(outbox: Outbox, at: datetime | None = None) -> Message:
    taken = await outbox.take("mail", at or later(0), LEASE)
    assert taken is not None
    return taken


def test_messages_are_taken_in_their_order_and_each_once(tmp_path: Path) -> None:
    async def scenario(toys: Toys, outbox: Outbox, noted: Any) -> None:
        await leave(toys, "a", "b", "c")
        await leave(toys, "other", topic="render")
        taken = [(await take(outbox)).payload["say"] for _ in range(3)]
        assert taken == ["a", "b", "c"]
        assert await outbox.take("mail", later(0), LEASE) is None
        assert len(await outbox.messages(("mail",), 10)) == 3, "they stay until they are done"

    with_outbox(tmp_path, scenario)


def test_many_at_once_get_different_messages(tmp_path: Path) -> None:
    async def scenario(toys: Toys, outbox: Outbox, noted: Any) -> None:
        ids = await leave(toys, *map(str, range(12)))
        others = [outbox_of(Toys(toys.files, toys.tenant)) for _ in range(4)]
        taken = await asyncio.gather(*(take(other) for other in others for _ in range(3)))
        assert sorted(message.id for message in taken) == sorted(ids)

    with_outbox(tmp_path, scenario)


def test_what_a_killed_process_had_taken_is_due_again_when_its_lease_ends(tmp_path: Path) -> None:
    async def scenario(toys: Toys, outbox: Outbox, noted: Any) -> None:
        await leave(toys, "a")
        first = await take(outbox)
        assert (first.attempts, first.error) == (1, "")
        assert await outbox.take("mail", later(4.9), LEASE) is None
        again = await take(outbox, later(5.1))
        assert (again.id, again.attempts) == (first.id, 2)

    with_outbox(tmp_path, scenario)


def test_a_message_that_failed_is_due_when_it_was_put_off_to(tmp_path: Path) -> None:
    async def scenario(toys: Toys, outbox: Outbox, noted: Any) -> None:
        await leave(toys, "a", "b")
        first = await take(outbox)
        await outbox.put_off(first.id, later(10), "not now")
        assert (await take(outbox)).payload == {"say": "b"}
        assert await outbox.take("mail", later(4), LEASE) is None
        kept = await outbox.find("mail", first.id)
        assert kept is not None
        assert (kept.error, kept.attempts) == ("not now", 1)
        # The lease of "b" ends first, so it has been due for longer by then.
        at_eleven = [await take(outbox, later(11)), await take(outbox, later(11))]
        assert [(m.payload["say"], m.attempts, m.error) for m in at_eleven] == [
            ("b", 2, ""),
            ("a", 2, ""),
        ]

    with_outbox(tmp_path, scenario)


def test_a_message_that_was_given_up_is_kept_and_not_taken(tmp_path: Path) -> None:
    async def scenario(toys: Toys, outbox: Outbox, noted: Any) -> None:
        (message_id,) = await leave(toys, "a")
        await take(outbox)
        await outbox.put_off(message_id, None, "nobody lives there")
        assert await outbox.take("mail", later(100_000), LEASE) is None
        (kept,) = await outbox.messages(("mail",), 10)
        assert (kept.due, kept.error) == (None, "nobody lives there")
        anew = await outbox.take_anew("mail", message_id, later(0), LEASE)
        assert anew is not None
        assert (anew.attempts, anew.error) == (1, "")

    with_outbox(tmp_path, scenario)


def test_what_somebody_has_taken_is_not_taken_anew(tmp_path: Path) -> None:
    async def scenario(toys: Toys, outbox: Outbox, noted: Any) -> None:
        (message_id,) = await leave(toys, "a")
        await take(outbox)
        assert await outbox.take_anew("mail", message_id, later(0), LEASE) is None
        assert await outbox.take_anew("mail", uuid.uuid4(), later(0), LEASE) is None
        assert await outbox.take_anew("render", message_id, later(0), LEASE) is None
        await outbox.put_off(message_id, later(60), "not now")
        assert await outbox.take_anew("mail", message_id, later(0), LEASE) is not None

    with_outbox(tmp_path, scenario)


def test_a_rest_notes_what_is_due_next_of_each_topic(tmp_path: Path) -> None:
    async def scenario(toys: Toys, outbox: Outbox, noted: list[Mapping[str, Any]]) -> None:
        await leave(toys, "a", "b")
        assert not await outbox.rest(("mail",), later(0)), "there is something to be done"
        assert noted == []
        first, second = await take(outbox), await take(outbox)
        due = later(30)
        await outbox.put_off(first.id, due, "not now")
        await outbox.put_off(second.id, None, "never")
        assert await outbox.rest(("mail", "render"), later(0))
        assert noted == [{"mail": due, "render": None}]
        await outbox.acknowledge(first.id)
        assert await outbox.rest(("mail",), later(0))
        assert noted[1:] == [{"mail": None}]

    with_outbox(tmp_path, scenario)


def test_a_rest_does_not_overlook_what_a_write_is_about_to_leave(tmp_path: Path) -> None:
    """A hint is noted before the commit: who looks in between must not say that nothing is due."""

    async def scenario(toys: Toys, outbox: Outbox, noted: list[Mapping[str, Any]]) -> None:
        about_to_commit, go_on = asyncio.Event(), asyncio.Event()

        async def hint(topics: set[str]) -> None:
            about_to_commit.set()
            await go_on.wait()

        writing = Toys(toys.files, toys.tenant, hint=hint)
        leaving = asyncio.create_task(leave(writing, "a"))
        await about_to_commit.wait()
        resting = asyncio.create_task(outbox.rest(("mail",), later(0)))
        done, _ = await asyncio.wait([resting], timeout=0.3)
        assert not done, "it waits for the write"
        go_on.set()
        await leaving
        assert not await resting
        assert noted == []

    with_outbox(tmp_path, scenario)


def test_what_is_taken_anew_is_looked_for_again(tmp_path: Path) -> None:
    async def scenario(toys: Toys, outbox: Outbox, noted: Any) -> None:
        hinted: list[set[str]] = []

        async def hint(topics: set[str]) -> None:
            hinted.append(set(topics))

        hinting = Toys(toys.files, toys.tenant, hint=hint)
        (message_id,) = await leave(toys, "a")
        await take(outbox_of(hinting))
        await outbox.put_off(message_id, None, "never")
        await outbox_of(hinting).take_anew("mail", message_id, later(0), LEASE)
        assert hinted == [{"mail"}], "else nobody would look into an outbox that was given up"

    with_outbox(tmp_path, scenario)


def test_acknowledging_says_how_many_there_were(tmp_path: Path) -> None:
    async def scenario(toys: Toys, outbox: Outbox, noted: Any) -> None:
        ids = await leave(toys, "a", "b")
        version = (await toys.head()).version
        assert await outbox.acknowledge(uuid.uuid4()) == 0
        assert (await toys.head()).version == version, "it leaves no trace"
        assert await outbox.acknowledge(*ids, uuid.uuid4()) == 2
        assert await outbox.messages(("mail",), 10) == []

    with_outbox(tmp_path, scenario)
