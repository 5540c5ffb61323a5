"""`{% load enforcer %}{% session_guard %}`: the script line of the browser client, empty while nobody is logged in."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.middleware.csrf import get_token
from django.utils.html import format_html, format_html_join

from ..sessions import KEPT

register = template.Library()


@register.simple_tag(takes_context=True)  # type: ignore[untyped-decorator]  # Django is not typed
def session_guard(context: Any, **data: str) -> Any:
    """`data` are the `data-…` attributes, with `_` for `-`: `{% session_guard logout_url="/logout/" %}`.

    The log-out of the page carries Django's token against cross-site requests.
    """
    request = context["request"]
    kept = getattr(request, "session", {}).get(KEPT)
    if kept is None:
        return ""
    url = getattr(settings, "ENFORCER_PUBLIC_URL", settings.ENFORCER_URL).rstrip("/")
    attributes = {"url": url, "ticket": kept["ticket"], **data}
    if "logout_url" in data:
        attributes |= {"csrf_header": "X-CSRFToken", "csrf_token": get_token(request)}
    told = format_html_join(" ", 'data-{}="{}"', ((n.replace("_", "-"), value) for n, value in attributes.items()))
    return format_html('<script src="{}/client/session-guard.js" {} defer></script>', url, told)
