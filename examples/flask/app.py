"""A small site with a login, kept to one live session per user by Enforcer. README.md says how to run it."""

import os
import re
import secrets
import time
from urllib.parse import urlsplit

import httpx
from flask import Flask, abort, flash, g, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash

ENFORCER_URL = os.environ.get("ENFORCER_URL", "http://127.0.0.1:8080").rstrip("/")
ASK_AT_THE_LIMIT = bool(os.environ.get("ASK_AT_THE_LIMIT"))  # let the user choose who goes, instead of the oldest login
CHOOSE_WITHIN = 300  # seconds

app = Flask(__name__)
app.config.update(
    SECRET_KEY=os.environ["SECRET_KEY"],
    SESSION_COOKIE_HTTPONLY=True,
    SESSION_COOKIE_SAMESITE="Lax",  # other sites' forms and scripts come without the cookie
    SESSION_COOKIE_SECURE=bool(os.environ.get("SECURE_COOKIES")),  # set it where the site is served over https
)
enforcer = httpx.Client(
    base_url=ENFORCER_URL, headers={"Authorization": f"Bearer {os.environ['ENFORCER_AUTHKEY']}"}, timeout=3
)
USERS = {name: generate_password_hash(f"{name}-demo") for name in ("alice", "bob")}
NOBODY = generate_password_hash(secrets.token_hex())
EXPECTED = {"session-ended", "session-unknown", "session-limit", "request-id-reused"}
SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
PUBLIC = {"login", "choose", "logout", "goodbye", "static"}
WHY = {
    "displaced": "You were logged out because you have logged in somewhere else.",
    "idle": "You were logged out because you were inactive.",
    "logout": "You have logged out.",
    "logout_everywhere": "You were logged out because you have logged out everywhere.",
    "password_changed": "You were logged out because your password was changed.",
    "security": "You were logged out to protect your account.",
    "admin": "An administrator has ended your session.",
}


def ask(method: str, path: str, **kwargs: object) -> dict:
    """A call to Enforcer; its answer, with a `code` if it says no. What is no answer is a friendly 503 (`unavailable`).

    A wrong address, or a proxy in between, has statuses of its own, 404 too: only a `code` is Enforcer's word.
    """
    response = enforcer.request(method, path, **kwargs)
    answer = response.json() if "json" in response.headers.get("Content-Type", "") else {}
    if response.is_success or answer.get("code") in EXPECTED:
        return answer
    raise httpx.HTTPStatusError(f"{response.status_code} from {path}", request=response.request, response=response)


@app.before_request
def only_our_own_forms() -> None:
    """CSRF: browsers say where a POST comes from, so a form of another site cannot log anybody in or out."""
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin is not None and urlsplit(origin).netloc != request.host:
        abort(403)


@app.before_request
def only_live_sessions():
    """The check on every request. An answer that does not come keeps the page back, but logs nobody out."""
    if request.endpoint in PUBLIC:
        return None
    if "enforcer_id" not in session:
        return redirect(url_for("login"))
    params = {"require": "active", "room": session["user"]}
    answer = ask("GET", f"/v1/sessions/{session['enforcer_id']}", params=params)
    if "code" not in answer:
        g.user = session["user"]
        return None
    if answer.get("end_reason") == "replaced":  # this browser is logging in anew, and its cookie is on the way
        return redirect(url_for("login"))
    session.clear()
    flash(WHY.get(answer.get("end_reason"), "Your session has ended."))
    return redirect(url_for("goodbye"))


@app.route("/login", methods=["GET", "POST"])
def login():
    """Checks the password; only who knows it is told anything of other sessions."""
    if request.method == "GET":
        session.pop("checked", None)  # the way back from `choose`
        return login_form()
    user = request.form.get("user", "")
    if not check_password_hash(USERS.get(user, NOBODY), request.form.get("password", "")):
        return login_form("The name or the password is wrong.", user), 401
    return claim(user, checked_at=int(time.time()))


@app.post("/login/choose")
def choose():
    """The same login once more, with the sessions that shall end for it. The password was checked a moment ago.

    That is remembered in the cookie, which is signed and belongs to this browser. The form names the user as well:
    another tab may have begun to log in somebody else.
    """
    user, checked_at = session.get("checked", (None, 0))
    if user is None or user != request.form.get("user") or time.time() > checked_at + CHOOSE_WITHIN:
        session.pop("checked", None)
        return login_form("Please log in once more; you have not logged out anywhere.", user or ""), 401
    ends = [chosen for chosen in request.form.getlist("ends") if SESSION_ID.fullmatch(chosen)]
    return claim(user, checked_at, ends[:100])


def login_form(problem: str = "", user: str = "") -> str:
    """The page with name and password."""
    return render_template("login.html", problem=problem, user=user, request_id=secrets.token_hex(16))


def claim(user: str, checked_at: int, ends: list[str] | None = None):
    """Tells Enforcer of a login whose password was right at `checked_at`, and only then sets the cookie."""
    body = {
        "room": user,
        "device": {"user_agent": request.headers.get("User-Agent", ""), "ip": request.remote_addr},
        "request_id": request.form.get("request_id", "")[:128] or secrets.token_hex(16),  # a double click is one login
    }
    if ASK_AT_THE_LIMIT:
        body["policy"] = "reject"
    if ends:
        body["ends"] = ends
    if "enforcer_id" in session:  # what this browser held, whoever sat here: its tabs reload, nobody is told off
        body["replaces"] = session["enforcer_id"]
    answer = ask("POST", "/notify", json=body)
    if answer.get("code") == "session-limit":  # policy `reject`: the user chooses; nobody has ended
        session["checked"] = [user, checked_at]
        return render_template(
            "choose.html", user=user, limit=answer, enforcer_url=ENFORCER_URL, request_id=secrets.token_hex(16)
        ), 409
    if "code" in answer:  # this form was sent before
        return login_form("Please log in once more.", user), 409
    session.clear()
    session["user"], session["enforcer_id"] = user, answer["session"]
    return redirect(url_for("home"))


@app.post("/logout")
def logout():
    """Ends the session that the page names, and no other: this browser may have logged in again meanwhile."""
    by_script = "X-Enforcer-Session" in request.headers
    named = request.headers.get("X-Enforcer-Session") or request.form.get("session")
    if named is None or named != session.get("enforcer_id"):
        return ("", 204) if by_script else redirect(url_for("home"))
    session.clear()
    flash(WHY.get(request.form.get("reason", "logout"), "Your session has ended."))
    end(named)
    return ("", 204) if by_script else redirect(url_for("goodbye"))


def end(enforcer_id: str) -> None:
    """Best effort: this browser has lost the cookie already, whether Enforcer answers or not."""
    try:
        ask("DELETE", f"/v1/sessions/{enforcer_id}")
    except httpx.HTTPError as error:
        app.logger.warning("Enforcer was not told of a logout: %s", type(error).__name__)


@app.get("/goodbye")
def goodbye():
    """Where an ended session leads; says why."""
    return render_template("goodbye.html")


@app.get("/")
def home():
    """A private page. Its ticket is made for it, and kept neither in the cookie nor anywhere else."""
    answer = ask("POST", f"/v1/sessions/{session['enforcer_id']}/ticket")
    if "code" in answer:  # ended since `only_live_sessions`, a moment ago
        return redirect(url_for("home"))
    return render_template("home.html", enforcer_url=ENFORCER_URL, ticket=answer["ticket"])


@app.errorhandler(httpx.HTTPError)
def unavailable(error: httpx.HTTPError):
    """Enforcer does not answer: nobody gets in, nobody is logged out."""
    app.logger.error("Enforcer: %s", type(error).__name__)
    return render_template("unavailable.html"), 503, {"Retry-After": "2"}


@app.after_request
def headers(response):
    """Private pages stay out of caches; scripts come from here and from Enforcer only."""
    ws = ENFORCER_URL.replace("http", "ws", 1)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Content-Security-Policy"] = (
        f"default-src 'self'; script-src 'self' {ENFORCER_URL}; connect-src 'self' {ENFORCER_URL} {ws}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return response
