"""Signing in at the organisation's OpenID provider: code with PKCE, every answer checked.

1. Nothing a visitor typed is fetched: only the issuer of the settings, and the addresses that it publishes.
2. An answer has at most LARGEST bytes and TIMEOUT seconds; redirects are not followed.
3. Only signatures with a public key count: under HS256 the client secret would sign, or that very public key.
4. The keys are fetched again when a token names one that is not known, at most every RENEWED seconds.
5. At most AT_ONCE threads wait for it: while it is slow, the others serve pages.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode, urlsplit

from service.registry.identities import LONGEST, Told
from service.registry.users import ROLES
from service.settings import LOOPBACK, role_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from service.settings import Settings

ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA", "RS384", "ES384", "PS384", "RS512", "ES512", "PS512")
LEEWAY = 60  # seconds that its clock and ours may differ
TIMEOUT = 5  # seconds
LARGEST = 1_000_000  # bytes
FRESH = 3600  # seconds its addresses and keys are kept
RETRIED = 20  # seconds until a provider that was away is asked again
RENEWED = 60
AT_ONCE = 8  # who may wait for it, of the forty threads that serve every page
BACK = "/sign-in/oidc/back"  # where the provider sends people

KNOWN = "temoin-oidc-known"  # the cookie of a browser that came by a provider which can sign it out


class OidcError(Exception):
    """OidcError
    ├── ProviderAway: it does not answer, or not as a provider does
    └── TokenRefused: it answered, and what it says does not hold
        └── ClockRefused: because its clock and ours differ by more than LEEWAY
    """  # noqa: D205, D400 - the tree of errors


class ProviderAway(OidcError):  # noqa: N818 - see the tree
    """No usable answer; the sentence says to which question."""


class TokenRefused(OidcError):  # noqa: N818 - see the tree
    """The answer is not believed; the sentence says why, without the token."""


class ClockRefused(TokenRefused):
    """Expired, or of the future."""


@dataclass(frozen=True)
class Attempt:
    """What the browser keeps between going to the provider and coming back; `path` is where it was going."""

    state: str
    nonce: str
    verifier: str
    path: str


class Provider:
    """The provider of the settings. Nothing is asked of it before somebody wants to sign in.

    Threads may share one; `clock` is monotonic, in seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self.issuer = settings.oidc_issuer or ""
        self.client = settings.oidc_client_id or ""
        self.returns_to = f"{settings.public_url}{BACK}"
        self._turn, self._places = threading.Lock(), threading.BoundedSemaphore(AT_ONCE)
        self._published: dict[str, Any] = {}
        self._until, self._away_until, self._keys_at = 0.0, 0.0, -float(RENEWED)
        self._keys: dict[str, Any] = {}

    def look(self) -> None:
        """Ask whether it can be used: its addresses and its keys. Raises ProviderAway, TokenRefused."""
        for name in ("authorization_endpoint", "token_endpoint"):
            self._address(name)
        if not self._key_set().keys:
            raise ProviderAway("it publishes no key that signs")

    def begin(self, path: str) -> tuple[str, Attempt]:
        """Where to send the browser, and what it has to bring back. Raises ProviderAway."""
        from authlib.common.security import generate_token  # noqa: PLC0415 - 9 MB, once somebody signs in so
        from authlib.oauth2.rfc7636 import create_s256_code_challenge  # noqa: PLC0415 - likewise

        attempt = Attempt(generate_token(32), generate_token(32), generate_token(64), path)
        asked = {
            "response_type": "code",
            "client_id": self.client,
            "redirect_uri": self.returns_to,
            "scope": self._settings.oidc_scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": create_s256_code_challenge(attempt.verifier),
            "code_challenge_method": "S256",
        }
        address = self._address("authorization_endpoint")
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}", attempt

    def finish(self, attempt: Attempt, code: str, now: datetime) -> tuple[Told, str]:
        """Who came back with this code, and the ID token that says so. Raises ProviderAway, TokenRefused."""
        tokens = self._exchange(attempt, code)
        id_token = str(tokens.get("id_token", ""))
        claims = self._checked(id_token, attempt, now)
        if "email" not in claims or self._role(claims) is None:
            claims = {**self._more(str(tokens.get("access_token", "")), claims), **claims}
        return self._told(claims), id_token

    def end(self, id_token: str) -> str | None:
        """Where one signs out there too (OpenID Connect RP-Initiated Logout 1.0, section 2), if it says so.

        Raises ProviderAway.
        """
        address = self._discovered().get("end_session_endpoint")
        if not isinstance(address, str) or not _reachable(address):
            return None
        asked = {"client_id": self.client, "post_logout_redirect_uri": f"{self._settings.public_url}/sign-in"}
        asked |= {"id_token_hint": id_token} if id_token else {}
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"

    # ------------------------------------------------------------------------------------ what it says

    def _checked(self, token: str, attempt: Attempt, now: datetime) -> dict[str, Any]:
        """The claims of an ID token (OpenID Connect Core 1.0, section 3.1.3.7)."""
        from authlib.oidc.core import CodeIDToken  # noqa: PLC0415 - see begin
        from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError  # noqa: PLC0415 - see begin

        decoded = self._verified(token)
        options = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self.client},
        }
        params = {"nonce": attempt.nonce, "client_id": self.client}
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        try:
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY)
        except ExpiredTokenError as error:
            raise ClockRefused(f"expired by our clock: {_ages(claims, now)}") from error
        except InvalidClaimError as error:
            if error.claim in {"iat", "nbf"}:
                raise ClockRefused(f"from the future by our clock: {_ages(claims, now)}") from error
            raise TokenRefused(f"its {error.claim} is not the one awaited") from error
        except (JoseError, TypeError, ValueError) as error:
            raise TokenRefused(str(error)) from error
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST or not subject.isprintable():
            raise TokenRefused("its sub is no text of 1 to 255 characters")
        return dict(claims)

    def _verified(self, token: str) -> Any:  # noqa: ANN401 - joserfc's Token
        from joserfc import jwt  # noqa: PLC0415 - see begin
        from joserfc.errors import InvalidKeyIdError, JoseError  # noqa: PLC0415 - see begin

        try:
            try:
                return jwt.decode(token, self._key_set(), algorithms=ALGORITHMS)
            except InvalidKeyIdError:
                return jwt.decode(token, self._key_set(renewed=True), algorithms=ALGORITHMS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise TokenRefused(f"its signature does not hold ({type(error).__name__})") from error

    def _more(self, access_token: str, claims: Mapping[str, Any]) -> dict[str, Any]:
        """What the provider keeps for its userinfo endpoint; it must speak of the same person."""
        if not access_token or not self._published.get("userinfo_endpoint"):
            return {}
        bearer = {"Authorization": f"Bearer {access_token}"}
        told = self._ask("GET", self._address("userinfo_endpoint"), signed=True, headers=bearer)
        if told.get("sub") != claims["sub"]:
            raise TokenRefused("its userinfo speaks of somebody else")
        return told

    def _told(self, claims: Mapping[str, Any]) -> Told:
        verified = claims.get("email_verified")
        email = str(claims.get("email") or "").strip().lower()
        name = str(claims.get("name") or claims.get("preferred_username") or "")
        return Told(
            issuer=self.issuer,
            subject=str(claims["sub"]),
            email=email if email.isprintable() else "",
            name="".join(filter(str.isprintable, name)),
            email_verified=None if verified is None else verified in (True, "true"),
            role=self._role(claims) or ("reader" if self._settings.oidc_roles else None),
        )

    def _role(self, claims: Mapping[str, Any]) -> str | None:
        """The highest role that the claim of OIDC_ROLES gives; None where it gives none, or is not told."""
        if not self._settings.oidc_roles:
            return ""
        name, roles = role_rules(self._settings.oidc_roles)
        held = claims.get(name, _deep(claims, name.split(".")))
        values = held if isinstance(held, list) else [held]
        given = [roles[value] for value in values if isinstance(value, str) and value in roles]
        return max(given, key=ROLES.index, default=None)

    # ------------------------------------------------------------------------------- what it is asked

    def _exchange(self, attempt: Attempt, code: str) -> dict[str, Any]:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.returns_to,
            "code_verifier": attempt.verifier,
        }
        headers = {}
        address = self._address("token_endpoint")
        secret = self._settings.oidc_client_secret
        known = self._published.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if secret is None:
            fields["client_id"] = self.client
        elif "client_secret_basic" in known:
            both = ":".join(quote(part, safe="") for part in (self.client, secret.get_secret_value()))
            headers["Authorization"] = f"Basic {b64encode(both.encode()).decode()}"  # RFC 6749, section 2.3.1
        else:
            fields |= {"client_id": self.client, "client_secret": secret.get_secret_value()}
        return self._ask("POST", address, data=fields, headers=headers)

    def _address(self, name: str) -> str:
        address = self._discovered().get(name)
        if not isinstance(address, str) or not _reachable(address):
            raise ProviderAway(f"its {name} is no https address")
        return address

    def _discovered(self) -> dict[str, Any]:
        """What the provider publishes of itself (OpenID Connect Discovery 1.0, section 4)."""
        if self._clock() < self._until:
            return self._published
        with self._place(), self._turn:
            now = self._clock()
            if now < self._until:
                return self._published
            if now < self._away_until:
                raise ProviderAway("it did not answer a moment ago")
            self._away_until = now + RETRIED
            address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
            published = self._asked("GET", address)
            if published.get("issuer") != self.issuer:
                raise ProviderAway("it publishes another issuer than TEMOIN_OIDC_ISSUER")
            self._published, self._until, self._away_until = published, now + FRESH, 0.0
            self._keys = {}
            return published

    def _key_set(self, *, renewed: bool = False) -> Any:  # noqa: ANN401 - joserfc's KeySet
        from joserfc.jwk import KeySet  # noqa: PLC0415 - see begin

        address, known = self._address("jwks_uri"), self._keys
        if renewed or not known:
            with self._place(), self._turn:
                now = self._clock()
                if not self._keys or (renewed and now - self._keys_at >= RENEWED):
                    self._keys, self._keys_at = self._asked("GET", address), now
                known = self._keys
        # those that encrypt, or of a kind that is not known here, sign nothing
        keys = [key for key in known.get("keys", []) if _signs(key)]
        return KeySet.import_key_set(cast("Any", {"keys": keys}))

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the AT_ONCE who may wait for the provider. Raises ProviderAway where all are taken."""
        if not self._places.acquire(blocking=False):
            raise ProviderAway(f"{AT_ONCE} wait for its answer already")
        try:
            yield
        finally:
            self._places.release()

    def _ask(self, method: str, address: str, **sent: Any) -> dict[str, Any]:  # noqa: ANN401 - of httpx
        """As `_asked`, for who does not wait yet."""
        with self._place():
            return self._asked(method, address, **sent)

    def _asked(self, method: str, address: str, *, signed: bool = False, **sent: Any) -> dict[str, Any]:  # noqa: ANN401 - of httpx
        """The JSON object that answers; `signed` ones may come as a token, as ProConnect's do.

        Raises ProviderAway, TokenRefused for an OAuth error.
        """
        import httpx2  # noqa: PLC0415 - see begin

        sent["headers"] = {"Accept": "application/json", "Accept-Encoding": "identity"} | sent.get(
            "headers", {}
        )
        body, late = b"", time.monotonic() + 2 * TIMEOUT
        proxied = urlsplit(address).hostname not in LOOPBACK  # HTTPS_PROXY, where the way out is one
        try:
            with (
                httpx2.Client(
                    verify=ssl.create_default_context(), timeout=TIMEOUT, trust_env=proxied
                ) as client,
                client.stream(method, address, **sent) as answer,
            ):
                for part in answer.iter_raw():
                    body += part
                    if len(body) > LARGEST or time.monotonic() > late:
                        raise ProviderAway(f"{_named(address)} does not end its answer")
            if signed and answer.headers.get("content-type", "").startswith("application/jwt"):
                return dict(self._verified(body.decode("ascii")).claims)
            told = json.loads(body)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise ProviderAway(f"{_named(address)} does not answer ({type(error).__name__})") from error
        except (ValueError, RecursionError) as error:
            raise ProviderAway(f"{_named(address)} answered {answer.status_code} without JSON") from error
        if not isinstance(told, dict):
            raise ProviderAway(f"{_named(address)} answered no JSON object")
        if answer.status_code != 200:  # noqa: PLR2004 - HTTP's own
            why = f"{_named(address)} answered {answer.status_code} {str(told.get('error', ''))[:60]!r}"
            refused = method == "POST" and answer.status_code < 500  # noqa: PLR2004 - the server's own faults
            raise TokenRefused(why) if refused else ProviderAway(why)
        return told


def _signs(key: object) -> bool:
    return isinstance(key, dict) and key.get("use", "sig") == "sig" and key.get("kty") in {"RSA", "EC", "OKP"}


def _deep(claims: Mapping[str, Any], names: list[str]) -> object:
    """`realm_access.roles`, as Keycloak nests them."""
    found: Any = claims
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _reachable(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def _named(address: str) -> str:
    """An address for the log: neither query nor user."""
    parts = urlsplit(address)
    return f"{parts.hostname}{parts.path}"


def _ages(claims: Mapping[str, Any], now: datetime) -> str:
    return ", ".join(
        f"{name} {claims[name] - now.timestamp():+.0f} s"
        for name in ("iat", "nbf", "exp")
        if isinstance(claims.get(name), int | float)
    )
