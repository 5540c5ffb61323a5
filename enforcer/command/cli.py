"""The command `enforcer`: starts things and prints things."""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enforcer import __version__
from enforcer.command import doctor, ending, history, hooks, manual
from enforcer.command.arguments import USAGE_ERROR, parse, parsers
from enforcer.command.console import Console
from enforcer.command.printing import print_json
from enforcer.configuration import advice
from enforcer.configuration.reading import load
from enforcer.configuration.settings import Settings
from enforcer.domain.errors import ConfigError, EnforcerError, StartError
from enforcer.process import descriptors, garbage, metrics
from enforcer.process import loglines as logs
from enforcer.process.listening import local_url, reserved_port, why_not_listening
from enforcer.process.tasks import cancelled
from enforcer.process.terminal import plain
from enforcer.process.workers import Workers
from enforcer.webhooks.signing import secret_text

if TYPE_CHECKING:
    from enforcer.app import Server

try:
    from uvloop import run
except ImportError:  # there is none for Windows
    from asyncio import run  # type: ignore[assignment] # it knows one option more

log = logging.getLogger("enforcer.command.cli")

DEFAULT_CONFIG = Path("config.json")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; the exit status. What the operator must mend is one line on stderr and status 2."""
    arguments = parse(argv)
    try:
        return _COMMANDS[arguments.command or "serve"](arguments)
    except EnforcerError as error:
        print(f"enforcer: {plain(str(error))}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `enforcer log | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to complain at the exit
        return 141


def serve(arguments: argparse.Namespace) -> int:
    """Starts the server and runs it until SIGTERM or SIGINT."""
    config = load(_config_path(arguments), _flags(arguments))
    worker: int | None = getattr(arguments, "worker", None)
    logs.configure(config.log_format, worker)
    descriptors.raise_limit()
    try:
        if worker is None:
            for warning in advice.warnings(config):
                log.warning(warning)
            if config.workers > 1:
                return run(_serve_by_workers(config, arguments))
        run(_serve(config, arguments))
    except StartError as error:
        if config.log_format != "json":
            raise
        log.error("cannot start", extra={"error": str(error)})
        return USAGE_ERROR
    return 0


async def _serve_by_workers(config: Settings, arguments: argparse.Namespace) -> int:
    """Several processes on one port, or two."""
    with contextlib.ExitStack() as keepers:
        ports = {"port": _kept_port(keepers, "port", config.ipaddr, config.port)}
        if config.internal is not None:
            ports["internal_port"] = _kept_port(keepers, "internal_port", *config.internal)
        config = config.model_copy(update=ports)
        workers = Workers(
            config.workers,
            _worker_arguments(ports, arguments),
            lambda: _announce(config),
            config.drain_delay + config.drain_window,
        )
        log.info("starting", extra={"version": __version__, "workers": config.workers})
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, workers.stop)
        loop.add_signal_handler(signal.SIGHUP, workers.signal, signal.SIGHUP)
        status = await workers.run()
    log.info("stopped")
    return status


def _kept_port(keepers: contextlib.ExitStack, setting: str, host: str, port: int) -> int:
    """Keeps a port for the workers; its number."""
    try:
        number: int = keepers.enter_context(reserved_port(host, port)).getsockname()[1]
    except OSError as error:
        raise StartError(why_not_listening(host, port, error, setting)) from None
    return number


def _worker_arguments(ports: dict[str, int], arguments: argparse.Namespace) -> list[str]:
    """The command line of a worker: what ours said, with the ports that were found."""
    given = _flags(arguments) | ports
    line = ["--config", str(path)] if (path := _config_path(arguments)) is not None else []
    for name, value in given.items():
        line += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return line


def _announce(config: Settings) -> None:
    """What a start says when it is done; the ports are those that were found."""
    address = local_url(config.ipaddr, config.port)
    print(f"Enforcer {__version__} is listening on {address}", flush=True)
    if config.internal is not None:
        print(f"App servers find it at {local_url(*config.internal)}", flush=True)
    if config.demo:
        print(f"Open {address}/demo in two browser windows.", flush=True)


async def _serve(config: Settings, arguments: argparse.Namespace) -> None:
    from enforcer.app import Server  # it takes longer to load than all else, and no other command needs it

    stopping, at_once = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        """The second time, it is not drained any more."""
        (at_once if stopping.is_set() else stopping).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    worker: int | None = getattr(arguments, "worker", None)
    orphaned = asyncio.Event()

    def bereft() -> None:
        """Whoever started us holds the other end: when that is gone, so are we."""
        loop.remove_reader(sys.stdin.fileno())
        for event in (orphaned, stopping, at_once):
            event.set()

    if worker is not None:
        loop.add_reader(sys.stdin.fileno(), bereft)
    server = Server(config, worker=worker)
    loop.add_signal_handler(signal.SIGHUP, _reload, server, arguments)
    started = await _unless(stopping, server.start())  # False: it still waited for the process before it
    try:
        if started:
            garbage.settle()
            log.info("started", extra={"version": __version__, "address": local_url(config.ipaddr, server.port)})
            _announce(config.model_copy(update={"port": server.port, "internal_port": server.internal_port}))
            await stopping.wait()
            log.info("stopping")
            await _unless(at_once, server.drain())
    finally:
        await server.stop()
        log.info("stopped")
        if orphaned.is_set():
            metrics.remove_directory()  # which nobody else will


async def _unless(event: asyncio.Event, doing: Coroutine[Any, Any, None]) -> bool:
    """Does something, unless the event is set before it is done, which cancels it; whether it was done."""
    task, waiting = asyncio.create_task(doing), asyncio.create_task(event.wait())
    try:
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            return True
        return False
    finally:
        await cancelled([task, waiting])


def _reload(server: "Server", arguments: argparse.Namespace) -> None:
    """SIGHUP: reads the configuration again. One that cannot be used changes nothing."""
    try:
        config = load(_config_path(arguments), _flags(arguments))
    except ConfigError as error:
        log.error("the configuration cannot be used, nothing has changed", extra={"problems": error.problems})
        return
    waiting = server.configure(config)
    log.info("the configuration is reloaded", extra={"needs_restart": waiting} if waiting else {})


def check_config(arguments: argparse.Namespace) -> int:
    """Says every problem of a configuration at once."""
    path = arguments.file or _config_path(arguments)
    errors: Sequence[str] = ()
    found: list[str] = []
    try:
        config = load(path)
    except ConfigError as error:
        errors = error.problems
    else:
        errors, found = advice.preflight(config)
        found = [*advice.warnings(config), *found]
    about = str(path or "the environment")
    if arguments.json:
        print_json({"configuration": about, "errors": list(errors), "warnings": found})
        return USAGE_ERROR if errors else 0
    for problem in errors:
        print(f"error: {plain(problem)}")
    for warning in found:
        print(f"warning: {plain(warning)}")
    if errors:
        return USAGE_ERROR
    for line in advice.who_may_what(config):
        print(plain(line))
    print(f"{about}: can be used")
    return 0


def genkey(arguments: argparse.Namespace) -> int:
    """Prints a new authkey, or a secret for a webhook: 256 random bits."""
    key = secret_text(secrets.token_bytes(32)) if arguments.webhook else secrets.token_urlsafe(32)
    if arguments.json:
        print_json({"key": key})
    else:
        print(key)
    return 0


def init(arguments: argparse.Namespace) -> int:
    """Writes a configuration with a fresh key, unless the file is there."""
    path: Path = getattr(arguments, "config", None) or DEFAULT_CONFIG
    values: dict[str, Any] = {"port": 8080, "ipaddr": "127.0.0.1", "authkey": secrets.token_urlsafe(32)}
    if arguments.demo:
        values["demo"] = True
    written = _written_anew(path, json.dumps(values, indent=2) + "\n")
    if arguments.json:
        print_json({"configuration": str(path), "written": written})
    elif written:
        print(f"{path} is written, with a fresh key; only you can read it")
    else:
        print(f"{path} is there already; it stays as it is")
    return 0


def _written_anew(path: Path, text: str) -> bool:
    """Writes a file that only its owner can read; False if it is there already."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise EnforcerError(f"{path} cannot be written: {error.strerror}") from None
    with open(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def _on_server(command: Callable[[Console, argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A command that speaks to the running server."""

    def run(arguments: argparse.Namespace) -> int:
        return command(Console(load(_config_path(arguments)), arguments.url), arguments)

    return run


def _config_path(arguments: argparse.Namespace) -> Path | None:
    """The file that was named, else `config.json` if there is one: the environment alone may be enough."""
    named: Path | None = getattr(arguments, "config", None)
    if named is not None:
        return named
    return DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None


def _flags(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given as flags."""
    return {name: value for name, value in vars(arguments).items() if name in Settings.model_fields}


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "serve": serve,
    "check-config": check_config,
    "genkey": genkey,
    "init": init,
    "help": lambda arguments: manual.explain_name(arguments, parsers()),
    "settings": lambda arguments: manual.settings(load(_config_path(arguments)), arguments),
    "sessions": _on_server(history.sessions),
    "log": _on_server(history.audit),
    "end": _on_server(ending.end),
    "explain": _on_server(ending.explain),
    "doctor": lambda arguments: doctor.diagnose(load(_config_path(arguments)), arguments),
    "webhooks": _on_server(hooks.webhooks),
}
