"""An OpenID provider of a few lines, on loopback, that tells the truth or the lie it is asked to tell."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT, SECRET = "temoin", "a secret: of the client"
TRUSTED = ECKey.generate_key("P-256", {"kid": "one", "use": "sig"})
STRANGERS = ECKey.generate_key("P-256", {"kid": "one", "use": "sig"})


class Provider:
    """`published`, `claims` and `userinfo` may be changed; `sign` makes the token."""

    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.published = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=ville",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        }
        self.claims, self.userinfo, self.asked, self.granted = {}, {"sub": "4711"}, [], {}
        self.keys, self.sign = [TRUSTED], signed_by(TRUSTED)
        self.answers = {}  # path -> (status, bytes) instead of the truth
        self.awake = threading.Event()  # cleared, it takes its time
        self.awake.set()
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def grant(self, asked, **claims):
        """What the provider does once somebody has typed their password there: the code that goes back."""
        code = secrets.token_urlsafe(16)
        now = int(time.time())
        told = {"iss": self.issuer, "aud": CLIENT, "sub": "4711", "iat": now, "exp": now + 300}
        told |= {"nonce": asked["nonce"], "email": "camille@ville.example", "name": "Camille Robert"}
        told |= {"email_verified": True} | self.claims | claims
        self.granted[code] = asked, {name: value for name, value in told.items() if value is not None}
        return code

    def exchange(self, fields, authorization):
        """An OAuth 2 token response, or the error: a code serves once, and only who began may have it."""
        asked, claims = self.granted.pop(fields.get("code"), (None, None))
        if authorization != f"Basic {base64.b64encode(b'temoin:a%20secret%3A%20of%20the%20client').decode()}":
            return 401, {"error": "invalid_client"}
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        if fields["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "key", "token_type": "Bearer", "id_token": self.sign(claims)}

    def close(self):
        """Away."""
        self.server.shutdown()
        self.server.server_close()


def signed_by(key, alg="ES256", **header):
    """A way to sign ID tokens."""
    return lambda claims: jwt.encode({"alg": alg, "kid": "one", **header}, claims, key, algorithms=[alg])


def unsigned(claims):
    """An ID token with `alg` none, which joserfc would not make."""
    return _unsealed("none", claims) + "."


def by_shared_secret(claims):
    """HS256 with the client's own secret."""
    return signed_by(OctKey.import_key(SECRET + " " * 16), "HS256")(claims)


def by_public_key(claims):
    """HS256 with the provider's public key as the secret: the classic confusion."""
    said = _unsealed("HS256", claims)
    seal = hmac.digest(RSA.as_pem(private=False), said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}"


def _unsealed(alg, claims):
    parts = [{"alg": alg, "kid": "one"}, claims]
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    )


RSA = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
NEXT = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})


def _handler(provider):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = urlsplit(self.path).path
            provider.asked.append(path)
            provider.awake.wait(20)
            if path in provider.answers:
                return self._say(*provider.answers[path])
            told = {
                "/.well-known/openid-configuration": provider.published,
                "/jwks": {"keys": [key.as_dict(private=False) for key in provider.keys]},
                "/userinfo": provider.userinfo if self.headers["Authorization"] == "Bearer key" else None,
            }.get(path)
            return self._tell(200 if told is not None else 404, told or {})

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            provider.asked.append(self.path)
            if self.path in provider.answers:
                return self._say(*provider.answers[self.path])
            fields = {name: values[0] for name, values in parse_qs(body).items()}
            return self._tell(*provider.exchange(fields, self.headers["Authorization"]))

        def _tell(self, status, told):
            self._say(status, json.dumps(told).encode())

        def _say(self, status, body):
            self.send_response(status)
            self.send_header("Content-Type", "application/jwt" if body[:2] == b"ey" else "application/json")
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", body.decode())
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            """Quiet."""

    return Handler
