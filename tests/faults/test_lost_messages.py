"""Messages between nodes that are lost: every kick is told all the same, because the store is read, not the message."""

import pytest

from tests.faults.conftest import OpenPage, StartNode
from tests.integration.pages import Page
from tests.redis_server import RedisServer

ROOMS = 12

pytestmark = pytest.mark.parametrize("uvloop", [True, False], ids=["uvloop", "asyncio"], indirect=True)


def test_a_session_that_no_message_ever_named_is_told_its_end(
    start_node: StartNode, open_page: OpenPage, redis: RedisServer
) -> None:
    """A node holds the room for an earlier page and hears nothing. A page joins it whose login it has not heard of;
    nor does it hear of the next login, which ends that session."""
    redis.let_listen("deaf")
    url = redis.url.replace("//", "//deaf:deaf@")
    there, here = start_node(), start_node(url=url)
    earlier = [open_page(here, there.login(f"room-{n}")) for n in range(ROOMS)]
    for page in earlier:
        page.joined()
    redis.deafen("deaf")
    pages: list[Page] = []
    for n in range(ROOMS):
        page = open_page(here, there.login(f"room-{n}"))
        page.joined()
        there.login(f"room-{n}")
        pages.append(page)
    for page in pages + earlier:
        assert page.take("force-logout")["reason"] == "displaced"


def test_an_end_that_is_asked_about_is_told_at_once(
    start_node: StartNode, open_page: OpenPage, redis: RedisServer
) -> None:
    """An app server's question on the node that missed the message meets the end, and so tells the page."""
    redis.let_listen("deaf")
    there, here = start_node(), start_node(url=redis.url.replace("//", "//deaf:deaf@"))
    login = there.login("alice")
    page = open_page(here, login)
    page.joined()
    redis.deafen("deaf")
    there.login("alice")
    assert here.record(login["session"])["end_reason"] == "displaced"
    assert page.take("force-logout", within=0.5)["session"] == login["session"]
