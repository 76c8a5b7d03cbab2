"""The servers that Wagtail is measured on, one worker each, as commands for the harness."""

from __future__ import annotations

from bench.process import Command
from bench.wagtail.prepare import PROJECT, Environment

_APPLICATION = "config.wsgi:application"


def gunicorn_sync(environment: Environment, *, page_cache: bool) -> Command:
    """gunicorn's default worker: one request at a time, one connection per request."""
    return _gunicorn(environment, ("--worker-class", "sync"), page_cache=page_cache)


def gunicorn_gthread(environment: Environment, *, page_cache: bool) -> Command:
    """gunicorn with kept connections, on one thread: more of them only wait for each other."""
    options = ("--worker-class", "gthread", "--threads", "1", "--keep-alive", "75")
    return _gunicorn(environment, options, page_cache=page_cache)


def granian(environment: Environment, *, page_cache: bool) -> Command:
    """granian's WSGI interface with one thread for Python, which is what one worker can use."""
    options = ("--interface", "wsgi", "--workers", "1", "--blocking-threads", "1", "--no-ws")
    argv = ("-m", "granian", *options, "--host", "127.0.0.1", "--port", "{port}", _APPLICATION)
    return _command(environment, argv, page_cache=page_cache)


def commands(environment: Environment, *, page_cache: bool) -> dict[str, Command]:
    """Every server by name, with or without Django's full-page cache and gzip."""
    makers = (gunicorn_sync, gunicorn_gthread, granian)
    return {make.__name__: make(environment, page_cache=page_cache) for make in makers}


def _gunicorn(environment: Environment, options: tuple[str, ...], *, page_cache: bool) -> Command:
    argv = ("-m", "gunicorn", "--workers", "1", "--no-control-socket", *options)
    return _command(
        environment, (*argv, "--bind", "127.0.0.1:{port}", _APPLICATION), page_cache=page_cache
    )


def _command(environment: Environment, argv: tuple[str, ...], *, page_cache: bool) -> Command:
    return Command(
        argv=(str(environment.python), *argv),
        env=environment.variables(page_cache=page_cache),
        cwd=PROJECT,
    )
