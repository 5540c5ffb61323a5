"""What is judged of a request before anybody listens to it."""

import pytest

from enforcer.http.origins import Proxies, block_of, host_allowed, origin_allowed, secret_in_url


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


@pytest.mark.parametrize(
    ("header", "ip"),
    [
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ('"203.0.113.7:4711"', "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7:4711 , 10.2.2.2:80", "203.0.113.7"),
        ("203.0.113.7:", "203.0.113.7"),
        ("unknown", "10.1.1.1"),
        ("_hidden", "10.1.1.1"),
        ("[2001:db8::1", "2001:db8::1"),
        ("1.2.3.4:5:6", "10.1.1.1"),
        ("", "10.1.1.1"),
    ],
)
def test_an_address_may_have_a_port(header: str, ip: str) -> None:
    """As some balancers write it (RFC 7239 §6); each client is its own address."""
    assert Proxies(["10.0.0.0/8"]).client_ip("10.1.1.1", [header]) == ip


@pytest.mark.parametrize(
    ("header", "ip"),
    [
        ("for=203.0.113.7", "203.0.113.7"),
        ('For="[2001:db8::1]:4711"', "2001:db8::1"),
        ("for=6.6.6.6, for=203.0.113.7;proto=https;by=10.0.0.1", "203.0.113.7"),
        ("proto=https;FOR=203.0.113.7;host=a, for=10.2.2.2", "203.0.113.7"),
        ("for=203.0.113.7, proto=https", "10.1.1.1"),
        ("for=unknown", "10.1.1.1"),
        ("203.0.113.7", "10.1.1.1"),
        ("for", "10.1.1.1"),
    ],
)
def test_forwarded_tells_the_address_too(header: str, ip: str) -> None:
    """RFC 7239, where the older header is missing; a hop that does not say for whom ends it."""
    proxies = Proxies(["10.0.0.0/8"])
    assert proxies.client_ip("10.1.1.1", [], [header]) == ip
    assert proxies.client_ip("10.1.1.1", ["198.51.100.1"], [header]) == "198.51.100.1"
    assert proxies.client_ip("192.0.2.1", [], [header]) == "192.0.2.1", "a stranger's word"


def test_a_mapped_address_is_the_proxys_own() -> None:
    """A server that listens on `::` has IPv4 peers as mapped addresses."""
    assert Proxies(["10.0.0.0/8"]).client_ip("::ffff:10.1.1.1", ["198.51.100.1"]) == "198.51.100.1"
    assert Proxies([]).client_ip("::ffff:192.0.2.1", []) == "192.0.2.1"


def test_an_ipv6_network_counts_as_one() -> None:
    """One machine has a /64."""
    assert block_of("2001:db8::1") == block_of("2001:db8:0:0:ffff::1") != block_of("2001:db8:0:1::1")
    assert block_of("192.0.2.1") != block_of("192.0.2.2")
    assert block_of("unknown") == "unknown"


@pytest.mark.parametrize("name", ["key", "KEY", "ticket", "access_token", "authkey", "proxy_ticket", "Authorization"])
def test_a_secret_parameter_is_one_whatever_it_holds(name: str) -> None:
    """The name is enough, in any case."""
    assert secret_in_url(["room", name]) == name.lower()
    assert secret_in_url(["room", "monkey"]) is None


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("app.example", True),
        ("APP.example:8080", True),
        ("[::1]:8080", True),
        ("[::1]", True),
        ("evil.example", False),
        ("app.example.evil.example", False),
        ("app.example@evil.example", False),
        ("app.example.", False),
        ("evil.example:app.example", False),
        ("::1", False),
        ("", False),
        ("]", False),
    ],
)
def test_host_names_are_exact(host: str, allowed: bool) -> None:
    """The port does not count; without the setting any name will do."""
    assert host_allowed(host, ("app.example", "[::1]")) is allowed
    assert host_allowed(host, None)
