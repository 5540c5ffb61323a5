"""Django: an app, a middleware and a template tag.

    INSTALLED_APPS = [..., "enforcer_client.django"]
    MIDDLEWARE = [..., "django.contrib.auth.middleware.AuthenticationMiddleware",
                  "enforcer_client.django.middleware.EnforcerMiddleware", ...]
    ENFORCER_URL, ENFORCER_KEY = "http://127.0.0.1:8080", os.environ["ENFORCER_KEY"]

Log-ins and log-outs of `django.contrib.auth`, whoever makes them, are Enforcer's from then on. Further settings:
`ENFORCER_PUBLIC_URL` (where browsers find it; the same), `ENFORCER_ROOM` (a function of a user, or where it is; the
primary key), `ENFORCER_TERMS` (a function of a request and a user that gives what a login asks for itself).
"""
