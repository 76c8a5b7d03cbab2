"""What goes wrong with the server, as MOSAIC's one error: the one place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeout

from mosaic_core.errors import CacheUnavailable

_SETTINGS = "[plugins.cache_redis]"
_WRONG = "invalid username-password pair"
_SHOWN = 200


@contextmanager
def translated(server: str) -> Iterator[None]:
    """Raises what goes wrong with a server as our error. Who is cancelled ends: the library may
    take that for a connection that was lost, and try again."""
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    try:
        with _as_ours(server):
            yield
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError


@contextmanager
def _as_ours(server: str) -> Iterator[None]:
    try:
        yield
    except (AuthenticationError, AuthorizationError, NoPermissionError):
        raise _kept_out(server) from None
    except (RedisTimeout, TimeoutError) as error:
        raise CacheUnavailable(
            f"Redis at {server} did not answer in time.",
            hint=f"Look whether it is overloaded, or set timeout in {_SETTINGS}.",
        ) from error
    except ResponseError as error:
        raise CacheUnavailable(
            f"Redis at {server} refused: {_line(error)}.",
            hint="Look at its memory and its role: a replica takes no writes.",
        ) from error
    except (RedisError, OSError) as error:
        if _WRONG in str(error):  # the library does not tell it from a lost connection
            raise _kept_out(server) from None
        raise CacheUnavailable(
            f"Redis at {server} cannot be reached: {_line(error)}.",
            hint=f"Check url in {_SETTINGS}, and the server itself.",
        ) from error


def _kept_out(server: str) -> CacheUnavailable:
    """Without the answer's text and without a cause: a server may repeat what it was sent."""
    return CacheUnavailable(
        f"Redis at {server} does not let us in.",
        hint=f"Set username and password in {_SETTINGS}.",
    )


def _line(error: Exception) -> str:
    return str(error)[:_SHOWN].strip().rstrip(".") or type(error).__name__
