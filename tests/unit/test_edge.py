"""What is judged of a request before anybody listens to it."""

import pytest

from enforcer.edge import Proxies, credentials_in_url, origin_allowed


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "app.example", True),  # native apps; authority comes from tickets
        ("https://app.example", "app.example", True),
        ("http://app.example:3000", "app.example:8080", True),  # any port
        ("http://APP.example", "app.Example", True),
        ("http://[::1]:3000", "[::1]:8080", True),
        ("https://evil.example", "app.example", False),
        ("https://app.example.evil.example", "app.example", False),
        ("https://evilapp.example", "app.example", False),
        ("https://app.example@evil.example", "app.example", False),
        ("null", "app.example", False),
        ("", "app.example", False),
        ("file://app.example", "app.example", False),
        ("http://[", "app.example", False),
        ("http://[zz]", "app.example", False),
        ("http://app.example", "[", False),
    ],
)
def test_same_host(origin: str | None, host: str, allowed: bool) -> None:
    """`same-host`: the origin's host is the host that was asked, whatever the ports; a broken one is foreign."""
    assert origin_allowed(origin, host, "same-host") is allowed


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("https://app.example", True),
        ("https://app.example:8443", False),
        ("http://app.example", False),
        ("https://app.example/", False),
        ("null", False),
    ],
)
def test_an_exact_list(origin: str | None, allowed: bool) -> None:
    """A list is exact: scheme, host and port; the own host does not matter."""
    assert origin_allowed(origin, "app.example", ("https://app.example",)) is allowed


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "ip"),
    [
        ([], "192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
        (["10.0.0.0/8"], "192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
        (["10.0.0.0/8"], "10.1.1.1", ["198.51.100.7"], "198.51.100.7"),
        (["10.0.0.0/8"], "10.1.1.1", ["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
        (["10.0.0.0/8"], "10.1.1.1", ["6.6.6.6", "198.51.100.7, 10.2.2.2"], "198.51.100.7"),
        (["10.0.0.0/8"], "10.1.1.1", [], "10.1.1.1"),
        (["10.0.0.0/8"], "10.1.1.1", ["what"], "10.1.1.1"),
        (["10.0.0.0/8"], "10.1.1.1", ["198.51.100.7, what, 10.2.2.2"], "10.2.2.2"),
        (["::1/128"], "::1", ["2001:db8::7"], "2001:db8::7"),
        ([], None, [], "unknown"),
    ],
)
def test_the_clients_address(trusted: list[str], peer: str | None, forwarded: list[str], ip: str) -> None:
    """The last hop that is not one of our proxies; what a stranger wrote before it does not count."""
    assert Proxies(trusted).client_ip(peer, forwarded) == ip


@pytest.mark.parametrize("name", ["key", "KEY", "ticket", "access_token", "authkey", "proxy_ticket", "Authorization"])
def test_a_secret_parameter_is_one_whatever_it_holds(name: str) -> None:
    """The name is enough, in any case."""
    assert credentials_in_url([name], f"/x?{name}=1", [])


def test_a_key_anywhere_in_the_url_is_one() -> None:
    """Also as the value of an innocent parameter, or in the path."""
    assert credentials_in_url(["room"], "/x?room=the-key", ["the-key"])
    assert credentials_in_url([], "/the-key/x", ["the-key"])
    assert not credentials_in_url(["room", "monkey"], "/x?room=a&monkey=b", ["the-key"])
