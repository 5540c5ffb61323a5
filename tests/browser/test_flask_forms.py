"""The Flask example's forms, without a browser: what its login and logout do, and refuse."""

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
    assert site.enforcer.record(first)["end_reason"] == "logout"
    assert site.enforcer.record(session_of(home))["active"]


@pytest.mark.parametrize("path", ["/login", "/logout"])
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
