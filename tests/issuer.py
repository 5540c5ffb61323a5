"""An identity provider of the tests' own: real keys, a real server for them, and what such providers send."""

import json
import threading
import time
import uuid
import warnings
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
SSF = "https://schemas.openid.net/secevent/ssf/event-type/"

_RSA = rsa.generate_private_key(65537, 2048)
MAKERS: dict[str, Callable[[], Any]] = {
    "RS256": lambda: _RSA,
    "PS256": lambda: _RSA,
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


class Key:
    """A key pair of an issuer. `publishes` says whether its JWK names its algorithm."""

    def __init__(self, algorithm: str = "ES256", kid: str | None = None, private: Any = None) -> None:
        self.algorithm = algorithm
        self.kid = kid or uuid.uuid4().hex[:8]
        self.private = private if private is not None else MAKERS[algorithm]()

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half, as it is published."""
        codec = jwt.get_algorithm_by_name(self.algorithm)
        members = json.loads(codec.to_jwk(self.private.public_key()))
        return {**members, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        """A token; members of the header that are None are left out."""
        fields = {"kid": self.kid, **header}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of weak keys, which some tests want
            return jwt.encode(claims, self.private, self.algorithm, headers=fields)


class Issuer:
    """Publishes keys on a free port; a context manager. `answer` takes the place of what it says at a path."""

    def __init__(self, *keys: Key) -> None:
        self.keys = list(keys or [Key()])
        self.asked: list[str] = []
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                issuer.answers.get(self.path, issuer._say)(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _say(self, request: BaseHTTPRequestHandler) -> None:
        """What a well-kept issuer says."""
        if request.path == "/keys":
            say(request, {"keys": [key.jwk for key in self.keys]})
        elif request.path in ("/.well-known/openid-configuration", "/.well-known/ssf-configuration"):
            say(request, {"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        else:
            say(request, {}, 404)

    # ---- what it sends -------------------------------------------------------------------------

    def logout_claims(self, **claims: Any) -> dict[str, Any]:
        """Of a logout token for the client `app`; those that are None are left out."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": "app",
            "iat": now,
            "exp": now + 120,
            "jti": uuid.uuid4().hex,
            "events": {LOGOUT_EVENT: {}},
        }
        return {name: value for name, value in {**usual, **claims}.items() if value is not None}

    def logout_token(self, **claims: Any) -> str:
        """A logout token, signed by the first key."""
        return self.keys[0].signed(self.logout_claims(**claims), typ="logout+jwt")

    def event_claims(self, event: str, sub_id: dict[str, Any] | None, **claims: Any) -> dict[str, Any]:
        """Of a security event token for `https://app.example/events`."""
        usual = {
            "iss": self.url,
            "aud": ["https://app.example/events"],
            "iat": int(time.time()),
            "jti": uuid.uuid4().hex,
            "sub_id": sub_id,
            "events": {event: {"event_timestamp": int(time.time())}},
        }
        return {name: value for name, value in {**usual, **claims}.items() if value is not None}

    def event_token(self, event: str, sub_id: dict[str, Any] | None, **claims: Any) -> str:
        """A security event token, signed by the first key."""
        return self.keys[0].signed(self.event_claims(event, sub_id, **claims), typ="secevent+jwt")

    def credential(self, audience: str, **claims: Any) -> str:
        """What a token revocation is signed with (RFC 7523 §2.2)."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "sub": "client",
            "aud": audience,
            "iat": now,
            "exp": now + 300,
            "jti": uuid.uuid4().hex,
        }
        return self.keys[0].signed({n: v for n, v in {**usual, **claims}.items() if v is not None})


def say(request: BaseHTTPRequestHandler, document: Any, status: int = 200, **headers: str) -> None:
    """Answers with JSON."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    request.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)
