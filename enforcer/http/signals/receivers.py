"""One receiver for each signal of the settings: it judges who speaks and what is said, and does nothing itself."""

import asyncio
import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from enforcer.configuration.signals import BackchannelLogout, Caep, SignalSettings, TokenRevocation
from enforcer.domain.signals import Signal
from enforcer.http.signals import reading
from enforcer.http.signals.issuers import Fetcher, Issuer, Keys
from enforcer.http.signals.reading import Notice, Unacceptable

if TYPE_CHECKING:
    from enforcer.http.signals.signatures import Token

DOCUMENTS = {
    "backchannel-logout": "openid-configuration",
    "token-revocation": "openid-configuration",
    "caep": "ssf-configuration",
}
"""What describes an issuer of each kind."""
NO_CREDENTIAL = "show the key of this signal in the header Authorization: Bearer …"


class NotAuthenticated(Exception):
    """Whoever calls has not shown who it is; the text says what is wrong."""


class Receiver:
    """Of one signal. `now` is UTC seconds everywhere."""

    def __init__(self, name: str, setting: SignalSettings, issuer: Issuer | None) -> None:
        self.name = name
        self.setting = setting
        self.issuer = issuer

    async def logout(self, token: str, now: float) -> Signal:
        """A logout token. Raises `Unacceptable`, `KeysUnavailable`."""
        setting = self.setting
        assert isinstance(setting, BackchannelLogout), "the route asks for its kind"
        header, claims = await self._verified(token)
        return reading.logout(self.name, header, claims, setting.issuer, setting.client_id, setting.typ, now)

    async def caller(self, shown: str | None, now: float) -> str | None:
        """Who asks for a token revocation has shown this; what tells a signed credential from every other one.

        Raises:
            NotAuthenticated: it is not right.
            KeysUnavailable: whether it is cannot be said now.
        """
        setting = self.setting
        assert isinstance(setting, TokenRevocation), "the route asks for its kind"
        if not shown:
            raise NotAuthenticated(NO_CREDENTIAL)
        if setting.issuer is None or setting.audience is None:
            if not self._is_key(shown):
                raise NotAuthenticated("the key is wrong")
            return None
        try:
            _, claims = await self._verified(shown)
            return reading.credential(claims, setting.issuer, setting.audience, now)
        except Unacceptable as e:
            raise NotAuthenticated(str(e)) from None

    def revocation(self, body: Mapping[str, Any], now: float) -> Signal:
        """What a caller that is known asks. Raises as `reading.revocation`."""
        setting = self.setting
        assert isinstance(setting, TokenRevocation), "the route asks for its kind"
        return reading.revocation(self.name, body, setting.issuer, now)

    async def event(self, token: str, shown: str | None, now: float) -> Signal | Notice:
        """A security event token. Raises `Unacceptable`, `KeysUnavailable`."""
        setting = self.setting
        assert isinstance(setting, Caep), "the route asks for its kind"
        if setting.key is not None and not (shown and self._is_key(shown)):
            raise Unacceptable(NO_CREDENTIAL, "authentication_failed")
        header, claims = await self._verified(token)
        return reading.event(self.name, header, claims, setting.issuer, setting.audience, now)

    def _is_key(self, shown: str) -> bool:
        """Compared by digests, all of them: the time that it takes tells nothing."""
        digest = _digest(shown)
        matches = [hmac.compare_digest(digest, _digest(key)) for key in self.setting.keys]
        return any(matches)

    async def _verified(self, text: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Header and claims of a token that the issuer has signed."""
        from enforcer.http.signals.signatures import Token, UnknownKey  # needs the extra `signals`

        assert self.issuer is not None, "a kind that verifies has an issuer"
        token = Token(text)
        try:
            return token.header, token.claims(await self.issuer.keys())
        except UnknownKey:
            keys = await self.issuer.newer_keys()
        return token.header, _by_newer_keys(token, keys)


def _by_newer_keys(token: "Token", keys: Keys | None) -> dict[str, Any]:
    from enforcer.http.signals.signatures import UnknownKey

    try:
        if keys is not None:
            return token.claims(keys)
    except UnknownKey:
        pass
    raise Unacceptable("the issuer publishes no key of a kind and strength for this token", "invalid_key")


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


class Receivers:
    """All of them. An issuer's keys are kept over a reload of the settings that leaves its signal as it was."""

    def __init__(self, settings: Mapping[str, SignalSettings], elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._fetcher = Fetcher()
        self._by_name: dict[str, Receiver] = {}
        self.configure(settings)

    def configure(self, settings: Mapping[str, SignalSettings]) -> None:
        """Other signals, from now on."""
        before, self._by_name = self._by_name, {}
        for name, setting in settings.items():
            known = before.get(name)
            same = known is not None and known.setting == setting
            self._by_name[name] = known if known is not None and same else self._made(name, setting)

    def _made(self, name: str, setting: SignalSettings) -> Receiver:
        if setting.issuer is None:
            return Receiver(name, setting, None)
        import enforcer.http.signals.signatures  # noqa: F401 - now, for half a second, and not when a message comes

        document = DOCUMENTS[setting.kind]
        issuer = Issuer(self._fetcher, setting.issuer, document, setting.jwks_uri, setting.allow_http, self._elapsed)
        return Receiver(name, setting, issuer)

    def called(self, name: str) -> Receiver | None:
        """The receiver of this name."""
        return self._by_name.get(name)

    async def close(self) -> None:
        """Lets go of all connections. May be called twice."""
        issuers = [receiver.issuer for receiver in self._by_name.values() if receiver.issuer is not None]
        await asyncio.gather(*(issuer.close() for issuer in issuers))
        await self._fetcher.close()
