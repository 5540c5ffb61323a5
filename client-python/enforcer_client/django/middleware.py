"""Requests of sessions that have ended are refused, under WSGI and ASGI."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse, JsonResponse
from django.shortcuts import resolve_url

from ..errors import SessionLimit, Unavailable
from .sessions import ADOPTED, KEPT, claim, live, password_changed

log = logging.getLogger(__name__)


class EnforcerMiddleware:
    """Behind `AuthenticationMiddleware`.

    A browser whose session has ended is logged out and sent to `LOGIN_URL`; one that asks for JSON gets 401. Who was
    logged in before there was Enforcer is taken in, and nobody ends for it. Whoever changes the password stays, and all
    other sessions of the user end.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        if iscoroutinefunction(self):
            return self._async(request)
        answer = self._before(request)
        if answer is None:
            answer = self._get_response(request)
            self._after(request)
        return answer

    async def _async(self, request: Any) -> Any:
        answer = await sync_to_async(self._before)(request)
        if answer is None:
            answer = await self._get_response(request)
            await sync_to_async(self._after)(request)
        return answer

    def _before(self, request: Any) -> Any:
        kept = request.session.get(KEPT)
        named = request.headers.get("X-Enforcer-Session")
        if kept is not None and named not in (None, kept["session"]):
            return HttpResponse(status=204)  # the page of an older session, whose browser has logged in again
        request._enforcer_before = kept  # a log-in empties the session of another user
        request._enforcer_hash = request.session.get(HASH_SESSION_KEY)
        try:
            if kept is None:
                if request.user.is_authenticated:
                    claim(request, request.user, {"max_sessions": ADOPTED, "policy": "displace"})
                return None
            if live().is_live(kept["session"], kept["room"]):
                return None
        except Unavailable as error:
            log.warning("a request is refused: %s", error)
            return HttpResponse("Please try again in a moment.", status=503, headers={"Retry-After": "1"})
        request._enforcer_ended = True
        logout(request)
        if named is not None:
            return HttpResponse(status=204)
        if "application/json" in request.headers.get("Accept", ""):
            return JsonResponse({"code": "session-ended"}, status=401)
        if request.path == resolve_url(settings.LOGIN_URL):
            return None
        return redirect_to_login(request.get_full_path())

    def _after(self, request: Any) -> None:
        """A new hash of the password in the session of the same user: it was changed here."""
        kept, now = request.session.get(KEPT), request.session.get(HASH_SESSION_KEY)
        if kept is not None and kept == request._enforcer_before and request._enforcer_hash not in (None, now):
            password_changed(kept)

    def process_exception(self, request: Any, error: Exception) -> Any:
        """A log-in that Enforcer has refused, or could not take, is none. Nobody is logged out by other calls."""
        if not isinstance(error, SessionLimit | Unavailable):
            return None
        if getattr(request, "_enforcer_claims", False):
            request._enforcer_ended = True
            logout(request)
        if isinstance(error, SessionLimit):
            return HttpResponse("You are logged in elsewhere.", status=409)
        log.warning("a request is refused: %s", error)
        return HttpResponse("Please try again in a moment.", status=503, headers={"Retry-After": "1"})
