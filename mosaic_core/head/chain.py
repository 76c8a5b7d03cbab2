"""The change log's records and the chain that ties them together.

A record's digest covers what happened, to what, when and by whom, and the digest of the row's
image; the image itself and its salt stay outside, so that both can be erased while the chain stays
whole.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mosaic_core.head.tables import SALT_BYTES
from mosaic_core.types import CanonicalJson, canonical_json, to_image

#: Operations: a row came, changed or went; derived tables were changed (which ones and which of
#: their rows is said while a move follows); the log was compacted; the schema was migrated.
INSERT, UPDATE, DELETE = "insert", "update", "delete"
DERIVE, CHECKPOINT, MIGRATE = "derive", "checkpoint", "migrate"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one row. ``image`` is the whole row afterwards, None when it is gone."""

    operation: str
    entity: str
    entity_id: str
    image: dict[str, Any] | None
    #: The image's canonical JSON, as it was then: its values may be changed later in the write.
    text: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", canonical_json(self.image))


@dataclass(frozen=True, slots=True)
class WriteInfo:
    """What all changes of one write share."""

    write_id: uuid.UUID
    version: int
    at: datetime
    actor: str
    action: str


def image_digest(salt: bytes, image: Any) -> bytes:
    """SHA-256 over the salt and the image's canonical JSON; 32 bytes."""
    return _digest(salt, canonical_json(image))


def _digest(salt: bytes, text: str) -> bytes:
    return hashlib.sha256(salt + text.encode()).digest()


def link(previous: bytes, row: dict[str, Any]) -> bytes:
    """The chain's value after ``row`` (a row of ``changes`` without ``chain``); 32 bytes."""
    covered = [
        row["version"],
        row["seq"],
        str(row["write_id"]),
        to_image(row["at"]),
        row["actor"],
        row["action"],
        row["operation"],
        row["entity"],
        row["entity_id"],
        row["image_digest"].hex(),
    ]
    return hashlib.sha256(previous + canonical_json(covered).encode()).digest()


def rows(info: WriteInfo, changes: Sequence[Change], previous: bytes) -> list[dict[str, Any]]:
    """The rows of ``changes`` for one write, chained on ``previous``; never empty."""
    made = []
    for seq, change in enumerate(changes or [Change(DERIVE, "", "", None)]):
        salt = secrets.token_bytes(SALT_BYTES)
        row: dict[str, Any] = {
            "version": info.version,
            "seq": seq,
            "write_id": info.write_id,
            "at": info.at,
            "actor": info.actor,
            "action": info.action,
            "operation": change.operation,
            "entity": change.entity,
            "entity_id": change.entity_id,
            "salt": salt,
            "image": None if change.image is None else CanonicalJson(change.text),
            "image_digest": _digest(salt, change.text),
        }
        previous = row["chain"] = link(previous, row)
        made.append(row)
    return made
