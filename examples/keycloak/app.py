"""A small site whose users log in at Keycloak and leave it when Keycloak says so. README.md says how to run it."""

import base64
import hashlib
import html
import json
import os
import secrets
from urllib.parse import urlencode

import httpx
from flask import Flask, Response, abort, redirect, request, session

ENFORCER = os.environ.get("ENFORCER_URL", "http://127.0.0.1:8080").rstrip("/")
ISSUER = os.environ.get("ISSUER", "http://127.0.0.1:8081/realms/demo")
SITE = os.environ.get("SITE_URL", "http://127.0.0.1:8000")

app = Flask(__name__)
app.config.update(SECRET_KEY=os.environ["SECRET_KEY"], SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax")
enforcer = httpx.Client(
    base_url=ENFORCER, headers={"Authorization": f"Bearer {os.environ['ENFORCER_AUTHKEY']}"}, timeout=3
)
provider = httpx.Client(timeout=10)


def described() -> dict[str, str]:
    """How the provider describes itself (OpenID Connect Discovery 1.0)."""
    return provider.get(f"{ISSUER}/.well-known/openid-configuration").raise_for_status().json()


@app.get("/")
def private() -> Response | str:
    """Only for those whose session lives; the script leaves when it ends."""
    known = session.get("session")
    if known is None or enforcer.get(f"/v1/sessions/{known}?require=active").status_code != 200:
        session.pop("session", None)
        return redirect("/login")
    ticket = enforcer.post(f"/v1/sessions/{known}/ticket").raise_for_status().json()["ticket"]
    name = html.escape(session["name"])
    return (
        f"<!doctype html><html lang=en><title>Private</title><h1>Hello, {name}</h1>"
        f'<script src="{ENFORCER}/client/session-guard.js" data-ticket="{html.escape(ticket)}"'
        f' data-login-url="/login" defer></script>'
    )


@app.get("/healthz")
def healthz() -> str:
    """It runs."""
    return "ok"


@app.get("/login")
def login() -> Response:
    """Sends the browser to the provider: authorization code with PKCE (RFC 7636)."""
    session["state"], session["verifier"] = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(session["verifier"].encode()).digest()).decode().rstrip("=")
    asked = {
        "client_id": "app",
        "redirect_uri": f"{SITE}/callback",
        "response_type": "code",
        "scope": "openid email",
        "state": session["state"],
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return redirect(f"{described()['authorization_endpoint']}?{urlencode(asked)}")


@app.get("/callback")
def callback() -> Response:
    """The user has logged in there: claims the session here, and says who it is."""
    state, verifier = session.pop("state", None), session.pop("verifier", None)
    if state is None or not secrets.compare_digest(state, request.args.get("state", "")):
        abort(400)
    code = {"code": request.args.get("code", ""), "code_verifier": verifier, "redirect_uri": f"{SITE}/callback"}
    form = {"grant_type": "authorization_code", "client_id": "app", **code}
    token = provider.post(described()["token_endpoint"], data=form).raise_for_status().json()["id_token"]
    claims = claims_of(token)
    who = {name: claims[name] for name in ("iss", "sub", "sid", "auth_time") if name in claims}
    body = {
        "room": claims["sub"],
        "idp": who,
        "aliases": [f"email:{claims['email']}"] if claims.get("email_verified") else [],
        "device": {"user_agent": request.headers.get("User-Agent", "")},
    }
    answer = enforcer.post("/v1/sessions", json=body)
    if answer.status_code == 409 and answer.json()["code"] == "signed-out":
        return redirect("/login")  # signed out there while the browser was on its way here
    session["session"] = answer.raise_for_status().json()["session"]
    session["name"] = claims.get("given_name") or claims.get("email") or claims["sub"]
    return redirect("/")


def claims_of(token: str) -> dict:
    """What the ID token says. It comes straight from the provider, over TLS where it is not a demo; so its signature
    need not be judged (OpenID Connect Core 1.0 §3.1.3.7, 6)."""
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    if claims["iss"] != ISSUER or claims["aud"] != "app":
        abort(400)
    return claims
