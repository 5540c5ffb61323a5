"""A log-in page for applications behind a reverse proxy: checks a password, claims, and sets the proxy's cookie.

    ENFORCER_URL=http://127.0.0.1:8080 ENFORCER_AUTHKEY=... flask --app examples/proxies/login.py run --port 8001

Users and passwords are made up: put your own check there.
"""

import hmac
import os

import httpx
from flask import Flask, Response, redirect, request

USERS = {"alice": "alice-demo", "bob": "bob-demo"}
COOKIE = "enforcer_proxy"
FORM = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Log in</title><h1>Log in</h1>{problem}
<form method="post"><label>User name <input name="user" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Log in</button></form></html>"""

app = Flask(__name__)
enforcer = httpx.Client(
    base_url=os.environ["ENFORCER_URL"],
    headers={"Authorization": f"Bearer {os.environ['ENFORCER_AUTHKEY']}"},
    timeout=5,
)


@app.get("/login")
def form() -> str:
    """The form; `return_to` is looked at once it is known who asks."""
    return FORM.format(problem="")


@app.post("/login")
def log_in() -> Response | tuple[str, int]:
    """Every older session of the user ends now; the cookie is what the proxy shows Enforcer from here on."""
    user, password = request.form["user"], request.form["password"]
    if user not in USERS or not hmac.compare_digest(USERS[user], password):
        return FORM.format(problem="<p role=alert>User name or password is wrong.</p>"), 403
    try:
        claim = enforcer.post("/v1/sessions", json={"room": user, "device": {"user_agent": str(request.user_agent)}})
        claim.raise_for_status()
    except httpx.HTTPError:
        return FORM.format(problem="<p role=alert>You cannot be logged in right now; please try again.</p>"), 503
    response = redirect("/")
    response.set_cookie(COOKIE, claim.json()["proxy_ticket"], httponly=True, secure=True, samesite="Lax", path="/")
    return response
