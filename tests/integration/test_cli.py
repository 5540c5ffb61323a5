"""The command `enforcer`: what it prints, and how it refuses to start."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from enforcer import __version__
from enforcer.command.arguments import parsers
from enforcer.command.cli import main
from enforcer.configuration.describing import SECRET
from enforcer.configuration.settings import SAMPLE_AUTHKEY, Settings
from tests.running import ROOT, EnforcerProcess, free_port, until

KEY = "Zk3vR9xW2mQ8tY5uB7nL4pS6dF1gH0jC-secret"
NOBODY = 65534


def python(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python …`, which must end by itself."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("ENFORCER_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**plain, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python -m enforcer …`"""
    return python("-m", "enforcer", *arguments, cwd=cwd, **environ)


def configured(directory: Path, **settings: Any) -> Path:
    """A configuration in `directory`, on a free port of this machine."""
    path = directory / "config.json"
    path.touch(mode=0o600)
    values = {"port": free_port(), "ipaddr": "127.0.0.1", "authkey": KEY, **settings}
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not ...}))
    return path


def refused(ran: subprocess.CompletedProcess[str]) -> str:
    """A start that was refused as it should: exit 2, one line on stderr, no trace, never the key. The line."""
    assert ran.returncode == 2, ran
    assert ran.stdout == ""
    lines = ran.stderr.splitlines()
    assert len(lines) == 1, ran.stderr
    assert lines[0].startswith("enforcer: ")
    assert KEY not in ran.stderr
    assert "Traceback" not in ran.stderr
    return lines[0].removeprefix("enforcer: ")


# ---- commands ---------------------------------------------------------------------------------------


def test_genkey_prints_a_key_that_works(tmp_path: Path) -> None:
    """A new one each time, long enough for a configuration."""
    keys = [run("genkey", cwd=tmp_path).stdout.strip() for _ in range(2)]
    assert keys[0] != keys[1]
    config = configured(tmp_path, authkey=keys[0])
    assert run("check-config", str(config), cwd=tmp_path).returncode == 0


def test_only_a_server_loads_the_server() -> None:
    """All other commands answer at once."""
    program = "import sys, enforcer.command.cli; print(sorted({'aiohttp', 'socketio', 'redis'} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_check_config_says_every_problem_at_once(tmp_path: Path) -> None:
    """One line each, exit 2, and never the key."""
    config = configured(tmp_path, authkey="short-" + "k", polcy="reject", port=99999, idle_timeout="soon")
    config.chmod(0o644)
    ran = run("check-config", str(config), cwd=tmp_path)
    assert ran.returncode == 2
    lines = ran.stdout.splitlines()
    assert all(line.startswith("error: ") for line in lines)
    for part in ("chmod 600", "port: ", "idle_timeout: ", "'polcy' is not a setting; did you mean 'policy'?"):
        assert sum(part in line for line in lines) == 1, (part, lines)
    assert "short-" not in ran.stdout + ran.stderr


def test_check_config_warns_and_exits_0(tmp_path: Path) -> None:
    """What works but deserves a second thought is no error."""
    config = configured(tmp_path, join="open", idle_timeout="60s", warn_before=5)
    ran = run("check-config", "--config", str(config), cwd=tmp_path)
    assert ran.returncode == 0
    assert "warning: join is open" in ran.stdout
    assert "WCAG 2.2.1" in ran.stdout
    assert "can be used" in ran.stdout


def test_the_example_is_refused_only_for_its_key(tmp_path: Path) -> None:
    """`config.json.example` is right but for the key, which everybody knows."""
    example = tmp_path / "config.json"
    shutil.copy(ROOT / "config.json.example", example)
    example.chmod(0o600)
    assert SAMPLE_AUTHKEY in example.read_text()
    assert refused(run(cwd=tmp_path)).startswith("authkey is still the sample value")


def test_init_writes_a_configuration_once(tmp_path: Path) -> None:
    """With a fresh key, for its owner only; one that is there stays as it is."""
    assert run("init", cwd=tmp_path).returncode == 0
    config = tmp_path / "config.json"
    assert config.stat().st_mode & 0o777 == 0o600
    first = config.read_text()
    assert run("init", cwd=tmp_path).returncode == 0
    assert config.read_text() == first
    assert run("check-config", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("command", [(), ("serve",), ("check-config",), ("genkey",), ("init",)])
def test_help_works_on_every_command(tmp_path: Path, command: tuple[str, ...]) -> None:
    """`--help` and `--config FILE` are everywhere."""
    ran = run(*command, "--help", cwd=tmp_path)
    assert ran.returncode == 0
    assert "--config" in ran.stdout


def test_the_version(tmp_path: Path) -> None:
    """`--version` says it."""
    assert run("--version", cwd=tmp_path).stdout.strip() == f"enforcer {__version__}"


def test_an_unknown_command_is_an_error(tmp_path: Path) -> None:
    """Exit 2, as for all that the caller must mend."""
    assert run("dance", cwd=tmp_path).returncode == 2


def in_process(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit status of a command that needs no process of its own, and what it prints."""
    status = main(arguments)
    return status, "".join(capfd.readouterr())


def test_help_of_a_setting(capfd: pytest.CaptureFixture[str]) -> None:
    """By any of its names, from its own description; and of a command. Nothing needs a configuration."""
    for name in ("warn_before", "warn-before", "ENFORCER_WARN_BEFORE"):
        status, shown = in_process(capfd, "help", name)
        assert status == 0
        for part in (Settings.model_fields["warn_before"].description, '"2m"', "ENFORCER_WARN_BEFORE", "--warn-before"):
            assert str(part) in shown
    assert json.loads(in_process(capfd, "help", "authkey", "--json")[1])["flag"] is None
    assert in_process(capfd, "help", "log") == (0, parsers()["log"].format_help())
    assert in_process(capfd, "help") == (0, parsers()[""].format_help())
    sentence = "enforcer: 'drain_widow' is neither a setting nor a command; did you mean 'drain_window'?\n"
    assert in_process(capfd, "help", "drain_widow") == (2, sentence)
    status, shown = in_process(capfd, "help", KEY)
    assert status == 2
    assert KEY[:12] not in shown


def test_what_needs_no_server_prints_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`init`, `genkey` and `check-config`."""

    def told(*arguments: str) -> Any:
        return json.loads(in_process(capfd, *arguments, "--json")[1])

    path = str(tmp_path / "config.json")
    assert told("init", "--config", path) == {"configuration": path, "written": True}
    assert told("init", "--config", path)["written"] is False
    assert len(told("genkey")["key"]) >= 32
    assert told("settings", "--config", path)[0]["source"] == "file"
    config = configured(tmp_path, max_sessions=0, port="eighty")
    status, shown = in_process(capfd, "check-config", str(config), "--json")
    assert (status, len(json.loads(shown)["errors"])) == (2, 2)


# ---- starts that are refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"max_session": 2}, "'max_session' is not a setting; did you mean 'max_sessions'?"),
        ({"port": "eighty"}, "port: "),
        ({"max_sessions": 0}, "max_sessions: "),
        ({"authkey": "x" * 31}, "authkey has 31 characters, at least 32 are needed; run `enforcer genkey`"),
        ({"authkey": ...}, "authkey is missing; run `enforcer genkey`"),
        ({"workers": 2}, "workers: more than one process needs a store that they can share"),
        ({"store": "redis://a,b"}, "store: several hosts need redis+sentinel://"),
        ({"ipaddr": "192.0.2.1"}, "192.0.2.1 is not an address of this machine; change `ipaddr`"),
        ({"ipaddr": "not an address"}, "cannot listen on not an address"),
    ],
)
def test_a_wrong_configuration(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    """One clear line each."""
    assert refused(run("--config", str(configured(tmp_path, **settings)), cwd=tmp_path)).startswith(sentence)


def test_several_problems_are_one_line(tmp_path: Path) -> None:
    """Joined by `; `."""
    line = refused(run("--config", str(configured(tmp_path, port=-1, policy="x")), cwd=tmp_path))
    assert "port: " in line
    assert "; policy: " in line


def test_a_configuration_that_others_can_read(tmp_path: Path) -> None:
    """It holds the key; the line says how to mend it."""
    config = configured(tmp_path)
    config.chmod(0o644)
    assert refused(run("--config", str(config), cwd=tmp_path)).endswith(f"run: chmod 600 {config}")


def test_a_missing_configuration(tmp_path: Path) -> None:
    """Named, with what to do."""
    assert "nothing.json does not exist" in refused(run("--config", "nothing.json", cwd=tmp_path))
    assert refused(run(cwd=tmp_path)).startswith("authkey is missing")


def test_a_port_in_use(tmp_path: Path) -> None:
    """Says which, and what to do; the database is let go again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = configured(tmp_path, port=port)
        line = refused(run("--config", str(config), cwd=tmp_path))
    assert line == f"127.0.0.1 port {port} is in use; stop the other process, or change `port`"


def test_a_database_of_another_process(tmp_path: Path) -> None:
    """The second process says that it waits, and is kept out; the first goes on."""
    with EnforcerProcess(tmp_path / "first") as server:
        config = configured(tmp_path, store=server.settings["store"])
        ran = run("--config", str(config), cwd=tmp_path)
        waits, _, refusal = ran.stderr.partition("\n")
        assert "waiting for the process that has the store" in waits
        ran.stderr = refusal
        assert "enforcer.db is in use by another process" in refused(ran)
        assert server.login("alice")["created"] is True


def terminate(process: EnforcerProcess) -> None:
    """SIGTERM."""
    assert process.popen is not None
    process.popen.terminate()


def test_a_database_is_handed_over(tmp_path: Path) -> None:
    """A process that was started before the one before it was told to go waits for it, then has all that it had, on the
    same port. One that is told to go while it waits goes at once."""
    old = EnforcerProcess(tmp_path / "old", drain_delay="20s").start()  # so long do those after it wait
    new = EnforcerProcess(tmp_path / "new", **old.settings)
    assert new.port == old.port
    idle = EnforcerProcess(tmp_path / "idle", **old.settings)
    with ThreadPoolExecutor() as beside:
        starting, never = beside.submit(new.start), beside.submit(idle.start)
        try:
            for process in (new, idle):
                until(lambda log=process.log: log.exists() and "waiting for the process" in log.read_text(), 20)
            terminate(idle)
            with pytest.raises(AssertionError, match="did not start"):
                never.result(20)
            assert idle.stop() == 0
            session = old.login("alice")["session"]
            terminate(old)
            until(lambda: "stopping" in old.read_log())
            assert old.stop() == 0, "the second signal ends it at once"
            starting.result(20)
            assert new.record(session)["active"] is True
            assert new.login("alice")["displaced"] == [session]
        finally:
            for process in (old, new, idle):
                process.kill()


@pytest.mark.parametrize("place", ["missing/enforcer.db", "file/enforcer.db", "directory"])
def test_a_place_for_the_database_that_is_none(tmp_path: Path, place: str) -> None:
    """A missing directory, a file in its place, a directory in the database's place."""
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    config = configured(tmp_path, store=f"sqlite:///{tmp_path}/{place}")
    assert place.split("/")[0] in refused(run("--config", str(config), cwd=tmp_path))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """It is not touched."""
    (tmp_path / "enforcer.db").write_text("important\n" * 500)
    config = configured(tmp_path)
    assert "is not a usable database" in refused(run("--config", str(config), cwd=tmp_path))
    assert (tmp_path / "enforcer.db").read_text().startswith("important")


AS_NOBODY = f"""
import os, sys
import enforcer.app  # while all of Python may be read
from enforcer.command.cli import main
if os.geteuid() == 0:  # what root may not do nobody finds out; so somebody else does it
    os.chown(os.environ["CONFIG"], {NOBODY}, -1)
    os.chown(".", {NOBODY}, -1)
    os.setgroups([])
    os.setuid({NOBODY})
os.chmod(".", 0o500)
sys.exit(main(["--config", os.environ["CONFIG"]]))
"""


def test_a_directory_that_is_not_writable() -> None:
    """SQLite makes files beside the database; the line says which directory."""
    with tempfile.TemporaryDirectory(prefix="enforcer-tests-") as name:  # one that an ordinary user may enter
        config = configured(Path(name))
        ran = python("-c", AS_NOBODY, cwd=Path(name), CONFIG=str(config))
        Path(name).chmod(0o700)
    assert refused(ran).endswith("of the store is not writable for this user")


def test_the_environment_alone_is_enough(tmp_path: Path) -> None:
    """Containers start without a file; a wrong value there is refused without being shown."""
    assert "can be used" in run("check-config", cwd=tmp_path, ENFORCER_AUTHKEY=KEY).stdout
    line = refused(run(cwd=tmp_path, ENFORCER_AUTHKEY=KEY, ENFORCER_PORT="eighty"))
    assert line.startswith("port: ")


def test_flags_override_the_file(tmp_path: Path) -> None:
    """A wrong flag is refused like a wrong setting; the key cannot be given as one."""
    config = configured(tmp_path)
    assert refused(run("--config", str(config), "--port", "70000", cwd=tmp_path)).startswith("port: ")
    assert run("--config", str(config), "--authkey", KEY, cwd=tmp_path).returncode == 2


# ---- every problem, once ----------------------------------------------------------------------------


def complaints(ran: subprocess.CompletedProcess[str], kind: str) -> list[str]:
    """What `check-config` says of this kind."""
    return [line.removeprefix(f"{kind}: ") for line in ran.stdout.splitlines() if line.startswith(f"{kind}: ")]


def test_one_pass_collects_every_problem(tmp_path: Path) -> None:
    """A short key beside others, each bad origin, network and target, what contradicts, and what is not known."""
    config = configured(
        tmp_path,
        authkey="short-key-that-nobody-may-see",
        metrics_key="short-key-of-metrics",
        origins=["https://ok.example", "https://app.example/", "*", "app.example"],
        trusted_proxies=["10.0.0.0/8", "10.0.0.0/99", "proxy"],
        redirects={"direct": "login", "sso": "/ok", "kiosk": "//evil.example"},
        port="eighty",
        workers=2,
        event_name="session",
        polcy="reject",
    )
    config.chmod(0o644)
    ran = run("check-config", str(config), cwd=tmp_path)
    assert ran.returncode == 2
    errors = complaints(ran, "error")
    assert len(errors) == len(ran.stdout.splitlines()) == len(set(errors)) == 14, ran.stdout
    for part in (
        "chmod 600", "authkey has 29 characters", "metrics_key has 20 characters", "'https://app.example/' is not",
        '"*" would let', "'app.example' is not", "'10.0.0.0/99' is not", "'proxy' is not", "target of 'direct'",
        "target of 'kiosk'", "port: ", "workers: more than one", "event_name: 'session' is taken", "'polcy' is not",
    ):  # fmt: skip
        assert sum(part in error for error in errors) == 1, (part, errors)
    assert "short-key" not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"port": 8080,}', "line 1, column 15: a comma stands before the closing bracket; remove it"),
        ('{"port": 8080 // here\n}', "line 1, column 15: comments are not JSON; remove this one"),
        ('{"port": 1, "port": 2}', "line 1, column 13: 'port' stands here again, after line 1; keep one"),
        ("", "it is empty"),
    ],
)
def test_a_file_that_is_no_json_is_one_problem(tmp_path: Path, text: str, said: str) -> None:
    """Whether it has an authkey nobody knows, so nothing is said of one."""
    config = tmp_path / "config.json"
    config.touch(0o600)
    config.write_text(text)
    (error,) = complaints(run("check-config", str(config), cwd=tmp_path), "error")
    assert said in error
    assert "authkey" not in error


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    """Some editors write it; in the file of the key, too."""
    config = configured(tmp_path)
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes())
    assert run("check-config", str(config), cwd=tmp_path).returncode == 0
    keys = tmp_path / "keys"
    keys.touch(0o600)
    keys.write_bytes(b"\xef\xbb\xbf" + KEY.encode())
    config = configured(tmp_path, authkey=..., authkey_file="keys")
    assert run("check-config", str(config), cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ({"trusted_proxies": ["0.0.0.0/0"]}, "trusted_proxies has 0.0.0.0/0: whoever connects"),
        ({"trusted_proxies": ["::/0"]}, "trusted_proxies has ::/0: whoever connects"),
        ({"trusted_proxies": ["0.0.0.0/1", "128.0.0.0/1"]}, "trusted_proxies has 0.0.0.0/0"),
        ({"idle_timeout": "2h", "absolute_timeout": "1h"}, "idle_timeout 7200 s is not shorter than absolute_timeout"),
        ({"idle_timeout": "40d", "absolute_timeout": None}, "idle_timeout 3456000 s is not shorter than lost_timeout"),
        ({"lost_timeout": "30s"}, "alive_window 60 s is not shorter than lost_timeout 30 s"),
        ({"ticket_lifetime": "2h", "absolute_timeout": "1h"}, "ticket_lifetime 7200 s is not shorter than absolute"),
        ({"ack_timeout": 2}, "ack_timeout 2 s cuts a page before"),
        ({"max_connections": 50}, "max_connections_per_room 100 is more than max_connections 50"),
        ({"max_sessions": 200}, "max_sessions 200 is more than max_connections_per_room 100"),
        ({"authkey": [KEY, KEY]}, "authkey holds the same key twice"),
        ({"store": "redis://127.0.0.1:1"}, "store: 127.0.0.1 port 1 does not answer"),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else "",
)
def test_what_contradicts_itself_is_a_warning(tmp_path: Path, settings: dict[str, Any], warning: str) -> None:
    """Once, with exit 0: it works, but hardly as it was meant."""
    ran = run("check-config", str(configured(tmp_path, **settings)), cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout
    assert sum(line.startswith(warning) for line in complaints(ran, "warning")) == 1, ran.stdout


def test_a_sound_configuration_has_no_warning(tmp_path: Path) -> None:
    """With the time-outs of the example."""
    config = configured(tmp_path, idle_timeout="30m", absolute_timeout="12h", trusted_proxies=["10.0.0.0/8"])
    assert complaints(run("check-config", str(config), cwd=tmp_path), "warning") == []


def test_a_start_that_would_fail_here_is_foreseen(tmp_path: Path) -> None:
    """The port, which may be this very server's; the address; the place of the database, of which nothing is left."""
    with EnforcerProcess(tmp_path / "running") as server:
        config = configured(tmp_path, port=server.port)
        ran = run("check-config", str(config), cwd=tmp_path)
        assert (ran.returncode, len(complaints(ran, "warning"))) == (0, 1), ran.stdout
        assert complaints(ran, "warning")[0].startswith(f"127.0.0.1 port {server.port} is in use")
    for store, said in (
        (f"sqlite:///{tmp_path}/missing/enforcer.db", f"store: {tmp_path}/missing is not a directory"),
        (f"sqlite:///{tmp_path}", f"store: {tmp_path} is a directory"),
        (f"sqlite:///{config}", f"store: {config} is not a database"),
    ):
        ran = run("check-config", str(configured(tmp_path, store=store)), cwd=tmp_path)
        assert ran.returncode == 2
        assert complaints(ran, "error")[0].startswith(said), ran.stdout
    ran = run("check-config", str(configured(tmp_path, ipaddr="192.0.2.1")), cwd=tmp_path)
    assert complaints(ran, "error") == ["192.0.2.1 is not an address of this machine; change `ipaddr`"]
    assert not list(tmp_path.glob("*.db*"))


def test_origins_as_a_text_are_a_list_of_one(tmp_path: Path) -> None:
    """From the file, a flag and the environment; two in one text are none."""
    config = configured(tmp_path, origins="https://app.example")
    assert run("check-config", str(config), cwd=tmp_path).returncode == 0
    with EnforcerProcess(tmp_path / "enforcer", origins="https://app.example") as server:
        for origin, status in (("https://app.example", 200), ("https://other.example", 403)):
            answer = server.call("GET", "/socket.io/?EIO=4&transport=polling", headers={"Origin": origin})
            assert answer.status_code == status
    config = configured(tmp_path, origins="https://a.example,https://b.example")
    assert "is not an origin" in run("check-config", str(config), cwd=tmp_path).stdout


# ---- usage ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--authkey", KEY],
        [f"--authkey={KEY}"],
        ["serve", "--authkey", KEY],
        ["--metrics-key", KEY],
        [f"--metrics_key={KEY}"],
        ["--authk", KEY],
        ["--autkey", KEY],
        [f"--key={KEY}"],
        ["--key", KEY],
        ["--authkey-file", KEY],
        [f"--authkey-file={KEY}"],
        ["check-config", "--authkey", KEY],
        ["log", "--authkey", KEY],
        ["log", KEY, "--authkey"],
        ["end", "--reason", KEY, "x"],
        ["log", "--limit", KEY],
        ["--port", KEY],
        ["--port", "1", KEY],
        [KEY],
        [f"-{KEY}"],
        [f"--{KEY}"],
    ],
    ids=lambda a: " ".join(a).replace(KEY, "KEY"),
)
def test_no_usage_error_repeats_a_key(tmp_path: Path, arguments: list[str]) -> None:
    """Wherever it was put: one line, exit 2."""
    assert KEY[:12] not in refused(run(*arguments, cwd=tmp_path))


@pytest.mark.parametrize(
    "environ",
    [{"ENFORCER_AUTHKEY": f"[{KEY} "}, {"ENFORCER_AUTHKEY": f'["{KEY}", 5]'}, {"ENFORCER_AUTHKEY_FILE": KEY},
     {"ENFORCER_AUTHKEY": KEY + " x"}, {"ENFORCER_METRICS_KEY": KEY, "ENFORCER_AUTHKEY": KEY}],
)  # fmt: skip
def test_no_error_about_the_environment_repeats_a_key(tmp_path: Path, environ: dict[str, str]) -> None:
    """Broken, in the wrong place, or used twice."""
    assert KEY[:12] not in refused(run(cwd=tmp_path, **environ))


def test_options_are_not_abbreviated(tmp_path: Path) -> None:
    """What is not an option is named, with the nearest that is."""
    line = refused(run("--max-sess", "2", cwd=tmp_path))
    assert line == "--max-sess is not an option; did you mean --max-sessions?; see enforcer --help"


@pytest.mark.parametrize("arguments", [[], ["serve"], ["sessions"], ["log"], ["end", "x"]], ids=" ".join)
def test_without_a_configuration_it_says_how_to_make_one(tmp_path: Path, arguments: list[str]) -> None:
    """`enforcer init`, for every command that needs one."""
    assert "`enforcer init`" in refused(run(*arguments, cwd=tmp_path))
    named = run(*arguments, "--config", "none.json", cwd=tmp_path)
    assert "`enforcer init`" in refused(named)


def test_help_says_what_each_setting_is(tmp_path: Path) -> None:
    """With its default and what it takes, from the settings' own descriptions."""
    shown = " ".join(run("--help", cwd=tmp_path).stdout.split())
    for name, setting in Settings.model_fields.items():
        assert setting.description, name
        if name not in SECRET:
            assert f"--{name.replace('_', '-')}" in shown
            assert " ".join(setting.description.split()) in shown.replace("- ", "-")
    assert "VALUE" not in shown
    assert "--idle-timeout DURATION" in shown
    assert "(default: 30d)" in shown
    assert "--policy displace|reject" in shown


def test_the_variable_of_applications_is_no_mistake(tmp_path: Path) -> None:
    """`ENFORCER_URL` tells an application where the server is; a name that is nobody's is still a warning."""
    config = configured(tmp_path)
    ran = run("check-config", str(config), cwd=tmp_path, ENFORCER_URL="http://127.0.0.1:8080", ENFORCER_PROT="1")
    (warning,) = complaints(ran, "warning")
    assert warning == "ENFORCER_PROT in the environment names no setting; did you mean 'port'?"


# ---- what a start says ------------------------------------------------------------------------------


@pytest.mark.parametrize("ipaddr", ["127.0.0.1", "0.0.0.0", "::", "::1", "0:0:0:0:0:0:0:0", "localhost"])
def test_the_printed_address_answers(tmp_path: Path, ipaddr: str) -> None:
    """Whatever `ipaddr` is; the console finds the server by it, too."""
    config = configured(tmp_path, ipaddr=ipaddr, store="memory://")
    command = [sys.executable, "-m", "enforcer", "--config", str(config)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1]
            assert httpx.get(f"{address}/healthz").status_code == 200
            assert run("sessions", "--config", str(config), cwd=tmp_path).returncode == 0
        finally:
            server.terminate()


@pytest.mark.parametrize("workers", [1, 2])
def test_every_line_of_a_json_log_is_json(tmp_path: Path, workers: int, request: pytest.FixtureRequest) -> None:
    """Warnings of the start, the start, the stop, what comes between: all alike, with one start and one stop."""
    store = {"store": request.getfixturevalue("redis_server").url} if workers > 1 else {}
    with EnforcerProcess(
        tmp_path / "enforcer", log_format="json", demo=True, ack_timeout=1, workers=workers, **store
    ) as server:
        server.login("alice")
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert all(line.keys() >= {"at", "level", "logger", "message"} for line in lines)
    warnings = [line["message"] for line in lines if line["level"] == "warning"]
    assert any(text.startswith("demo is on") for text in warnings)
    assert any(text.startswith("ack_timeout") for text in warnings)
    started = [line for line in lines if line["message"] == "started"]
    assert {line["version"] for line in started} == {__version__}
    assert sum(line["message"] == "stopped" for line in lines) == workers + (workers > 1)
    assert len(started) == workers
    assert lines[-1]["message"] == "stopped"


def test_a_start_that_fails_is_a_line_of_the_json_log(tmp_path: Path) -> None:
    """Exit 2 as ever."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = configured(tmp_path, port=taken.getsockname()[1], log_format="json")
        ran = run("--config", str(config), cwd=tmp_path)
    assert ran.returncode == 2
    (line,) = [json.loads(text) for text in ran.stderr.splitlines()]
    assert (line["level"], line["message"]) == ("error", "cannot start")
    assert "is in use" in line["error"]


def test_connections_of_the_server_before_do_not_keep_the_port(tmp_path: Path) -> None:
    """One that was closed by a server without `SO_REUSEPORT` lingers for a minute (TIME_WAIT): an upgrade starts."""
    with socket.socket() as before:
        before.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        before.bind(("127.0.0.1", 0))
        before.listen()
        port: int = before.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            before.accept()[0].close()
            assert client.recv(1) == b""
    with EnforcerProcess(tmp_path / "enforcer", port=port) as server:
        assert server.login("alice")["created"] is True


def test_more_connections_may_wait_than_one_queue_holds(tmp_path: Path) -> None:
    """While the process stands still the kernel completes more handshakes than `somaxconn` allows for one socket."""
    one_queue = int(Path("/proc/sys/net/core/somaxconn").read_text()) + 1
    wanted = one_queue + 1000
    with EnforcerProcess(tmp_path / "enforcer", max_connections=wanted) as server, ExitStack() as clients:
        assert server.popen is not None
        server.popen.send_signal(signal.SIGSTOP)
        poller = select.poll()
        for _ in range(wanted):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", server.port))
            poller.register(client, select.POLLOUT)
        completed: set[int] = set()
        deadline = time.monotonic() + 0.9  # a dropped one comes again after a second
        while len(completed) < wanted and (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in poller.poll(left * 1000):
                completed.add(descriptor)
                poller.unregister(descriptor)
        server.popen.send_signal(signal.SIGCONT)
        assert len(completed) > one_queue
