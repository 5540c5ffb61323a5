"""The contract as the python-socketio documentation shows it: AsyncServer attached to aiohttp."""

import base64
import hashlib
import hmac
import json
import os

import socketio
from aiohttp import web

AUTHKEY = os.environ["AUTHKEY"]

sio = socketio.AsyncServer(async_mode="aiohttp")
app = web.Application()
sio.attach(app)

current = {}  # room -> the session that is logged in
rooms = {}  # session -> room


def sign(body):
    return hmac.new(AUTHKEY.encode(), body.encode(), hashlib.sha256).hexdigest()


def make_ticket(room, session):
    body = base64.urlsafe_b64encode(json.dumps({"room": room, "session": session}).encode()).decode()
    return f"{body}.{sign(body)}"


def read_ticket(ticket):
    body, _, mac = ticket.partition(".")
    if not hmac.compare_digest(sign(body), mac):
        raise socketio.exceptions.ConnectionRefusedError("bad ticket")
    claim = json.loads(base64.urlsafe_b64decode(body))
    return claim["room"], claim["session"]


@sio.event
async def connect(sid, environ, auth):
    room, session = read_ticket((auth or {}).get("ticket", ""))
    if current.get(room, session) != session:
        raise socketio.exceptions.ConnectionRefusedError("session is over")
    await sio.save_session(sid, {"room": room, "session": session})
    await sio.enter_room(sid, room)
    await sio.emit("session", {"room": room, "session": session}, to=sid)


async def notify(request):
    data = await request.json()
    if data.get("key") != AUTHKEY:
        return web.json_response({"error": "bad key"}, status=401)
    room, session = data["room"], data["session"]
    old = current.get(room)
    displaced = [old] if old and old != session else []
    for ended in displaced:
        rooms.pop(ended, None)
    current[room] = session
    rooms[session] = room
    for sid, _ in list(sio.manager.get_participants("/", room)):
        victim = (await sio.get_session(sid))["session"]
        if victim != session:
            await sio.emit("force-logout", {"code": "logged-in-elsewhere", "room": room, "session": victim}, to=sid)
            await sio.disconnect(sid)
    return web.json_response(
        {"room": room, "session": session, "ticket": make_ticket(room, session), "displaced": displaced}
    )


async def validate(request):
    if request.headers.get("Authorization") != f"Bearer {AUTHKEY}":
        return web.json_response({"error": "bad key"}, status=401)
    sid = request.match_info["sid"]
    if sid not in rooms:
        return web.json_response({"session": sid, "active": False}, status=404)
    return web.json_response({"session": sid, "room": rooms[sid], "active": True})


async def healthz(request):
    return web.json_response({"ok": True})


app.add_routes([web.post("/notify", notify), web.get("/v1/sessions/{sid}", validate), web.get("/healthz", healthz)])

if __name__ == "__main__":
    web.run_app(app, host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ["PORT"]))
