"""Django's log-ins and log-outs, with the app of the Python client, against the real server."""

import asyncio
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import django
import pytest
from django.conf import settings
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.core.checks import run_checks
from django.core.handlers.asgi import ASGIHandler
from django.core.management import call_command
from django.http import HttpResponse
from django.template import engines
from django.test import Client
from django.urls import path
from enforcer_client.django.sessions import client, live, log_out_everywhere
from enforcer_client.errors import Unavailable

from tests.running import EnforcerProcess
from tests.running import until as within

until = partial(within, within=30.0)
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "enforcer_client.django.middleware.EnforcerMiddleware",
]
terms: dict[str, Any] = {}


def log_in(request: Any) -> HttpResponse:
    """The view of an application that knows nothing of Enforcer."""
    login(request, authenticate(username=request.POST["user"], password="right"))
    login(request, request.user)  # twice in one request is one
    return HttpResponse("in")


def home(request: Any) -> HttpResponse:
    """A page with the script line."""
    text = "{% load enforcer %}{{ request.user.username }}|{% session_guard logout_url='/logout/' %}"
    return HttpResponse(engines["django"].from_string(text).render(request=request))


def log_out(request: Any) -> HttpResponse:
    """Likewise."""
    logout(request)
    return HttpResponse("out")


def everywhere(request: Any) -> HttpResponse:
    """The button of an application."""
    log_out_everywhere(request)
    return HttpResponse("out")


def away(request: Any) -> HttpResponse:
    """A call of the application's own, while Enforcer is away."""
    raise Unavailable("it does not answer")


def change(request: Any) -> HttpResponse:
    """A change of the password, as Django's own view does it."""
    request.user.set_password("right")
    request.user.save()
    update_session_auth_hash(request, request.user)
    return HttpResponse("changed")


def from_before(request: Any) -> HttpResponse:
    """What a session looks like that began before there was Enforcer."""
    del request.session["enforcer"]
    return HttpResponse("old")


urlpatterns = [
    path("login/", log_in), path("", home), path("logout/", log_out), path("change/", change),
    path("old/", from_before), path("everywhere/", everywhere), path("away/", away),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcerProcess]:
    """The server, and Django with two users."""
    directory = tmp_path_factory.mktemp("django")
    with EnforcerProcess(directory / "enforcer") as running:
        settings.configure(
            SECRET_KEY="x" * 50,
            ROOT_URLCONF=__name__,
            ALLOWED_HOSTS=["*"],
            MIDDLEWARE=MIDDLEWARE,
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions",
                            "enforcer_client.django"],
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(directory / "db.sqlite3")}},
            TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {
                "context_processors": ["django.template.context_processors.request"]}}],
            PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
            LOGIN_URL="/login/",
            ENFORCER_URL=running.url,
            ENFORCER_KEY=running.authkey,
            ENFORCER_ROOM=lambda user: f"dj-{user.username}",
            ENFORCER_TERMS=lambda request, user: terms,
        )  # fmt: skip
        django.setup()
        call_command("migrate", verbosity=0)
        from django.contrib.auth.models import User

        for name in ("alice", "bob", "carol", "dave", "erin"):
            User.objects.create_user(name, password="right")
        yield running
        from django.db import connections

        live().close()
        client().close()
        connections.close_all()


def browser(user: str) -> Client:
    """A browser in which somebody has logged in."""
    made = Client()
    assert made.post("/login/", {"user": user}).content == b"in"
    return made


def sessions(server: EnforcerProcess, user: str) -> list[str]:
    """The live sessions of a user."""
    return [s["session"] for s in server.call("GET", f"/v1/users/dj-{user}/sessions").json()["sessions"]]


def test_a_second_browser_ends_the_first(server: EnforcerProcess) -> None:
    """Which is logged out and sent to the log-in page; a page of it that logs out late harms no newer login."""
    first = browser("alice")
    (old,) = sessions(server, "alice")
    page = first.get("/").content.decode()
    assert page.startswith(
        f'alice|<script src="{server.url}/client/session-guard.js" data-url="{server.url}" data-ticket="'
    )
    assert re.search(r'data-logout-url="/logout/" data-csrf-header="X-CSRFToken" data-csrf-token="\w{64}" defer>', page)
    second = browser("alice")
    assert len(sessions(server, "alice")) == 1
    until(lambda: first.get("/").status_code == 302)
    assert first.get("/").content == b"|"
    first.post("/login/", {"user": "alice"})
    assert first.post("/logout/", headers={"X-Enforcer-Session": old}).status_code == 204
    assert first.get("/").content.startswith(b"alice|<script")
    until(lambda: second.get("/", headers={"Accept": "application/json"}).status_code in (401, 200))
    assert first.post("/logout/").content == b"out"
    assert sessions(server, "alice") == []
    assert first.get("/").content == b"|"
    reasons = [row["reason"] for row in server.call("GET", "/v1/audit?room=dj-alice").json()["items"]]
    assert reasons.count("logout") == 1
    assert [row["event"] for row in server.call("GET", "/v1/audit?room=dj-alice").json()["items"]].count("started") == 3


def test_a_change_of_the_password_ends_the_others(server: EnforcerProcess) -> None:
    """And leaves the browser in which it was changed alone."""
    terms["max_sessions"] = 5
    try:
        mine, other = browser("bob"), browser("bob")
    finally:
        terms.clear()
    assert len(sessions(server, "bob")) == 2
    assert mine.post("/change/").content == b"changed"
    assert len(sessions(server, "bob")) == 1
    assert mine.get("/").content.startswith(b"bob|<script")
    assert other.get("/").status_code in (200, 302)
    ends = server.call("GET", "/v1/sessions?room=dj-bob&open=false").json()["items"]
    assert [s["end_reason"] for s in ends] == ["password_changed"]


def test_logging_out_everywhere(server: EnforcerProcess) -> None:
    """Ends the others as such, and this one as any log-out. A call that is not answered logs nobody out."""
    terms["max_sessions"] = 5
    try:
        mine, other = browser("bob"), browser("bob")
    finally:
        terms.clear()
    (first, second) = (b.session["enforcer"]["session"] for b in (mine, other))
    assert mine.post("/away/").status_code == 503
    assert mine.get("/").content.startswith(b"bob|<script")
    assert mine.post("/everywhere/").content == b"out"
    assert [server.record(s)["end_reason"] for s in (first, second)] == ["logout", "logout_everywhere"]
    assert mine.get("/").content == b"|"


def test_another_user_in_the_same_browser(server: EnforcerProcess) -> None:
    """Takes the place of the one before."""
    one = browser("carol")
    assert one.post("/login/", {"user": "dave"}).content == b"in"
    assert sessions(server, "carol") == []
    assert len(sessions(server, "dave")) == 1
    assert one.get("/").content.startswith(b"dave|")


def test_sessions_from_before_are_taken_in_and_a_refused_login_is_none(server: EnforcerProcess) -> None:
    """Nobody ends for what was there; at the limit the newcomer is not logged in."""
    one = browser("erin")
    before = sessions(server, "erin")
    one.post("/old/")
    assert one.get("/").content.startswith(b"erin|<script")
    assert set(before) < set(sessions(server, "erin"))
    made = Client()
    terms["policy"] = "reject"
    try:
        refused = made.post("/login/", {"user": "erin"})
    finally:
        terms.clear()
    assert refused.status_code == 409
    assert made.get("/").content == b"|"


def test_asgi_and_the_checks(server: EnforcerProcess) -> None:
    """The middleware is async where the application is; `manage.py check` says what is missing."""
    one = browser("alice")
    cookie = f"sessionid={one.cookies['sessionid'].value}".encode()
    sent: list[dict[str, Any]] = []

    async def ask() -> None:
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        inbox.put_nowait({"type": "http.request", "body": b""})

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"cookie", cookie), (b"host", b"app")]}
        await ASGIHandler()({**scope, "query_string": b""}, inbox.get, send)

    asyncio.run(ask())
    assert sent[0]["status"] == 200
    assert b"alice|<script" in sent[1]["body"]
    assert [e.id for e in run_checks() if e.id.startswith("enforcer.")] == []
    kept, settings.MIDDLEWARE, settings.ENFORCER_KEY = settings.MIDDLEWARE, MIDDLEWARE[:2], ""
    try:
        assert [e.id for e in run_checks() if e.id.startswith("enforcer.")] == ["enforcer.E002", "enforcer.E003"]
    finally:
        settings.MIDDLEWARE, settings.ENFORCER_KEY = kept, server.authkey
