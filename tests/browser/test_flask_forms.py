"""The Flask example's forms, without a browser: what its login and logout do, and refuse."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.browser.conftest import Site


def session_of(answer: httpx.Response) -> str:
    """The id that the private page names in its logout form."""
    return answer.text.partition('name="session" value="')[2].partition('"')[0]


def test_the_logout_of_another_session_is_left_alone(site: Site) -> None:
    """A page of an ended session cannot log the new one out, neither by the script nor by its button."""
    with site.visit() as browser:
        first = session_of(browser.post("/login", data=site.form(), follow_redirects=True))
        second = session_of(browser.post("/login", data=site.form(), follow_redirects=True))
        assert first != second
        stale = browser.post("/logout", data={"session": first}, headers={"X-Enforcer-Session": first})
        assert (stale.status_code, stale.cookies) == (204, {})
        assert browser.post("/logout", data={"session": first}).headers["Location"] == "/"
        assert browser.post("/logout").headers["Location"] == "/"
        assert session_of(browser.get("/")) == second
        assert browser.post("/logout", data={"session": second}).headers["Location"] == "/goodbye"
        assert browser.get("/").headers["Location"] == "/login"
    assert site.enforcer.record(second)["end_reason"] == "logout"


def test_another_user_in_the_same_browser_ends_the_first_ones_session(site: Site) -> None:
    """Nobody can use the first cookie any more, so nothing is left of its session."""
    with site.visit() as browser:
        first = session_of(browser.post("/login", data=site.form("alice"), follow_redirects=True))
        home = browser.post("/login", data=site.form("bob"), follow_redirects=True)
        assert "Hello, bob" in home.text
    record = site.enforcer.record(first)
    assert (record["end_reason"], record["ended_by"]["session"]) == ("replaced", session_of(home))
    assert site.enforcer.record(session_of(home))["active"]


def test_a_form_that_is_sent_twice_is_one_login(site: Site) -> None:
    """A double click; sent once more later, with what the browser holds by then, it is asked for anew."""
    with site.visit() as browser:
        shown = browser.get("/login").text
        request_id = shown.partition('name="request_id" value="')[2].partition('"')[0]
        assert len(request_id) == 32
        form = site.form() | {"request_id": request_id}
        first = browser.post("/login", data=form)
        assert first.headers["Location"] == "/"
        session = session_of(browser.get("/"))
        assert browser.post("/login", data=form).status_code == 409
        assert session_of(browser.get("/")) == session
        with site.visit() as before:  # as it was when the form was shown
            assert before.post("/login", data=form).headers["Location"] == "/"
            assert session_of(before.get("/")) == session
    rows = site.enforcer.call("GET", "/v1/audit", params={"session": session}).json()["items"]
    assert [row["event"] for row in rows] == ["started"]


def test_the_cookie_of_a_replaced_login_is_left_alone(site: Site) -> None:
    """An old tab asks with the old cookie while the new one is on its way: the answer must not clear it."""
    with site.visit() as browser, site.visit() as old_tab:
        browser.post("/login", data=site.form())
        old_tab.cookies.update(browser.cookies)
        browser.post("/login", data=site.form("bob"))
        answer = old_tab.get("/")
        assert (answer.headers["Location"], "Set-Cookie" in answer.headers) == ("/login", False)


def test_a_404_that_is_not_enforcers_logs_nobody_out(site: Site) -> None:
    """A proxy's own page, or a wrong address: a friendly 503, and the cookie stays."""
    with site.visit() as browser:
        browser.post("/login", data=site.form())
        port, directory = site.enforcer.port, site.enforcer.directory
        site.enforcer.stop()
        with _other_service(port, directory):
            answer = browser.get("/")
            assert (answer.status_code, "Set-Cookie" in answer.headers) == (503, False)
        site.enforcer.start()
        assert "Hello, alice" in browser.get("/").text


@contextmanager
def _other_service(port: int, directory: Path) -> Iterator[None]:
    """Something on Enforcer's port that knows none of its addresses."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as service:
        thread = Thread(target=service.serve_forever)
        thread.start()
        yield
        service.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/login", "/login/choose", "/logout"])
def test_forms_of_other_sites_are_refused(site: Site, path: str) -> None:
    """CSRF: another page can neither log its visitor in nor out."""
    with site.visit() as browser:
        browser.post("/login", data=site.form())
        forged = browser.post(path, data=site.form("bob"), headers={"Origin": "https://evil.example"})
        assert (forged.status_code, forged.cookies) == (403, {})
        assert "Hello, alice" in browser.get("/").text


def test_a_wrong_password_is_refused(site: Site) -> None:
    """And it says the same for a name that does not exist."""
    with site.visit() as browser:
        wrong = browser.post("/login", data={"user": "alice", "password": "x"})
        unknown = browser.post("/login", data={"user": "mallory", "password": "x"})
        assert wrong.status_code == unknown.status_code == 401
        assert "session" not in browser.cookies
