"""The app: it listens for log-ins and log-outs, and looks at the settings."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core import checks


class EnforcerConfig(AppConfig):  # type: ignore[misc]  # Django is not typed
    """`enforcer_client.django`."""

    name = "enforcer_client.django"
    label = "enforcer"
    verbose_name = "Enforcer"

    def ready(self) -> None:
        """Connects."""
        from .sessions import logged_in, logged_out

        user_logged_in.connect(logged_in, dispatch_uid="enforcer")
        user_logged_out.connect(logged_out, dispatch_uid="enforcer")
        checks.register(look)


def look(app_configs: Any, **_: Any) -> list[Any]:
    """`manage.py check`: what would keep it from working."""
    found = [
        checks.Error(f"{name} is not set", hint=hint, id=f"enforcer.E00{n}")
        for n, (name, hint) in enumerate(
            (
                ("ENFORCER_URL", "where your application finds Enforcer, such as http://127.0.0.1:8080"),
                ("ENFORCER_KEY", "a key that may login, validate, end and stream; take it from the environment"),
            ),
            1,
        )
        if not getattr(settings, name, None)
    ]
    here, auth = (
        "enforcer_client.django.middleware.EnforcerMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    )
    order = list(settings.MIDDLEWARE)
    if here not in order or auth not in order or order.index(here) < order.index(auth):
        hint = f"put {here} behind {auth}"
        found.append(checks.Error("ended sessions are not refused", hint=hint, id="enforcer.E003"))
    return found
