"""Saving over what others saved meanwhile: what only one side touched is taken from it, and what
both touched is a conflict, shown with both texts."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mosaic_core.errors import Conflict, InvalidInput
from mosaic_core.types import canonical_json

#: What :func:`revision_of` gives, in an input.
Revision = Annotated[str, Field(max_length=200)]
Kind = Literal["field", "changed", "removed", "moved"]
#: Bytes of a field's digest in a revision.
_SIZE = 6


class Difference(BaseModel):
    """One thing that both sides touched in different ways.

    Attributes:
        kind: ``field`` for one that has no blocks in it; what happened to a block otherwise.
        where: its place: ``title``, ``details.tags``, ``main[2]``.
        block_id: of the block.
        what: the same in words.
        base: what both began with: the block as it is stored, or the field's value; None where it
            was not there, or is not known any more.
        mine: the same of one side.
        theirs: the same of the other side.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    where: str
    block_id: str | None
    what: str
    base: Any
    mine: Any
    theirs: Any


class EditConflict(Conflict):
    """A change is at odds with what is there now; nothing was saved.

    Attributes:
        conflicts: each thing that differs, ``mine`` being the change and ``theirs`` what is there.
        revision: of what is there: what a change that settles them is based on.
    """

    code = "edit-conflict"

    def __init__(self, what: str, revision: int | str, conflicts: Sequence[Difference]) -> None:
        places = ", ".join(conflict.where for conflict in conflicts[:5])
        more = f" and {len(conflicts) - 5} more" if len(conflicts) > 5 else ""
        super().__init__(
            f"{what[:1].upper()}{what[1:]} was changed meanwhile, and so was what you changed: "
            f"{places}{more}.",
            hint=f"Nothing was saved. Settle each, then save based on revision {revision}.",
        )
        self.conflicts = tuple(conflicts)
        self.revision = revision


def revision_of(fields: Mapping[str, Any]) -> str:
    """The revision of what has no counter: it says of each field whether it is still the same."""
    digests = b"".join(_digest(fields[name]) for name in sorted(fields))
    return base64.urlsafe_b64encode(digests).decode()


def settled(
    what: str, now: Mapping[str, Any], given: Mapping[str, Any], based_on: str
) -> dict[str, Any]:
    """What is to be changed: of the fields given, those that were changed since ``based_on``.

    Args:
        what: is changed, such as ``the site 'main'``.
        now: all its fields, as JSON values.
        based_on: what :func:`revision_of` was when the change was begun.

    Raises:
        EditConflict: others changed a field too, in another way.
        InvalidInput: it is the revision of nothing like this.
    """
    names = sorted(now)
    try:
        digests = base64.b64decode(based_on, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        digests = b""
    if len(digests) != _SIZE * len(names):
        raise InvalidInput(
            f"{based_on[:80]!r} is no revision of {what}.",
            hint="Read it again, and base the change on the revision that it has.",
        )
    base = {name: digests[_SIZE * n : _SIZE * (n + 1)] for n, name in enumerate(names)}
    ours = {name: value for name, value in given.items() if _digest(value) != base[name]}
    conflicts = [
        Difference(
            kind="field",
            where=name,
            block_id=None,
            what="both changed it",
            base=None,
            mine=value,
            theirs=now[name],
        )
        for name, value in ours.items()
        if _digest(now[name]) not in (base[name], _digest(value))
    ]
    if conflicts:
        raise EditConflict(what, revision_of(now), conflicts)
    return ours


def _digest(value: Any) -> bytes:
    return hashlib.sha256(canonical_json(value).encode()).digest()[:_SIZE]
