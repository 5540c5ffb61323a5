"""What a key may do."""

import pytest

from enforcer.domain.permissions import EVERYTHING, Caller, May, why_not, why_not_room

APP = Caller(None, EVERYTHING)
SHOP = Caller("shop", frozenset({May.LOGIN, May.VALIDATE}), "shop:")


@pytest.mark.parametrize("may", May)
def test_the_authkey_may_everything_everywhere(may: May) -> None:
    """It has no name, and nothing is missing."""
    assert why_not(APP, may) is None
    assert why_not_room(APP, "shop:1") is why_not_room(APP, "alice") is None


def test_what_is_missing_is_named() -> None:
    """Any of what opens a call is enough."""
    assert why_not(SHOP, May.LOGIN) is why_not(SHOP, May.ELEVATE, May.LOGIN) is None
    assert why_not(SHOP, May.END) == "key 'shop' may not 'end'; it may login, validate"
    assert why_not(SHOP, May.READ, May.ADMIN) == "key 'shop' may not 'read' or 'admin'; it may login, validate"


def test_its_rooms_begin_as_it_says() -> None:
    """Exactly, and from the first character on."""
    assert why_not_room(SHOP, "shop:") is why_not_room(SHOP, "shop:alice") is None
    for room in ("shop", "Shop:alice", " shop:alice", "blog:shop:", "alice"):
        assert why_not_room(SHOP, room) == "key 'shop' may not use this room; its rooms begin with 'shop:'"
