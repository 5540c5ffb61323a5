"""Addresses of Redis: what each form means, and that a password is never shown."""

import pytest

from enforcer.store.redis.address import RedisAddress, is_redis, redis_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", RedisAddress("single", (("cache", 6379),))),
        ("redis://cache:7000/2", RedisAddress("single", (("cache", 7000),), db=2)),
        ("redis://[::1]:7000", RedisAddress("single", (("::1", 7000),))),
        (
            "rediss://u:p@cache?ca=/etc/ca.pem",
            RedisAddress("single", (("cache", 6379),), True, "u", "p", ca="/etc/ca.pem"),
        ),
        ("redis://:p%40ss%2Fw%3A@cache", RedisAddress("single", (("cache", 6379),), password="p@ss/w:")),
        ("redis://cache?prefix=shop", RedisAddress("single", (("cache", 6379),), prefix="shop")),
        (
            "redis+sentinel://a,b:1/main/3",
            RedisAddress("sentinel", (("a", 26379), ("b", 1)), db=3, master="main"),
        ),
        ("redis+cluster://u:p@a:1,b:2", RedisAddress("cluster", (("a", 1), ("b", 2)), username="u", password="p")),
        ("rediss+cluster://a", RedisAddress("cluster", (("a", 6379),), True)),
    ],
)
def test_what_a_form_means(url: str, address: RedisAddress) -> None:
    """Every documented form."""
    assert is_redis(url)
    assert redis_address(url) == address


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://", "needs host"),
        ("redis://a b", "needs host"),
        ("redis://host:99999", "needs host"),
        ("redis://host/first", "number of a database"),
        ("redis://a,b", "several hosts"),
        ("redis+sentinel://a", "names its master"),
        ("redis+cluster://a/1", "database 0 only"),
        ("redis://a?timeout=1", "knows \\?prefix= and \\?ca="),
        ("redis://a?prefix={x}", "prefix is"),
        ("redis+other://a", "begins with one of"),
    ],
)
def test_what_is_refused(url: str, problem: str) -> None:
    """In words that help."""
    with pytest.raises(ValueError, match=problem):
        redis_address(url)


@pytest.mark.parametrize("url", ["redis://me:s3cret@a", "redis+sentinel://me:s3cret@a/main"])
def test_a_password_is_never_shown(url: str) -> None:
    """By an address, however it is printed."""
    assert "s3cret" not in f"{redis_address(url)} {redis_address(url)!r}"


@pytest.mark.parametrize("url", ["redis+cluster://me:s3cret@a/9", "redis://me:s3/cret@a"])
def test_nor_by_what_is_wrong(url: str) -> None:
    """Even where the mistake is in the password."""
    with pytest.raises(ValueError, match=r"Redis|Cluster|database") as problem:
        redis_address(url)
    assert "s3" not in str(problem.value)


@pytest.mark.parametrize("url", ["sqlite:///redis.db", "memory://", "http://redis"])
def test_what_is_no_redis(url: str) -> None:
    """Other stores."""
    assert not is_redis(url)
