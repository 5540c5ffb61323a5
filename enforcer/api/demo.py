"""The demo page."""

from aiohttp import web

ROUTES: tuple[web.RouteDef, ...] = ()
