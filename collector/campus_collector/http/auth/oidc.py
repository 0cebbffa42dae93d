"""Logging in at the county's own OpenID provider: authorization code with PKCE (OpenID Connect Core 1.0 section 3.1, RFC 7636, RFC 9700).

The protocol is Authlib's and joserfc's; here is which answers are accepted. What belongs to a log-in between the two requests of a browser
travels with the browser, so that any collector can finish it; the provider's code is good once.
"""

import logging
import secrets
import threading
from base64 import b64decode
from time import monotonic, time
from typing import Any, NamedTuple

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import extract_compact
from requests import RequestException
from requests.adapters import HTTPAdapter

from campus_collector.config import ProviderConfig

log = logging.getLogger(__name__)

CALLBACK = "/login/oidc/return"
METADATA_SECONDS = 3600.0
LEEWAY_SECONDS = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Signatures by the provider's own key only: never `none`, never a shared secret (RFC 8725 section 3.1)."""
REQUEST_SECONDS = 10.0
MAX_KEYS = 100
DAMAGED = (JoseError, ValueError, TypeError, LookupError, AttributeError, UnsupportedAlgorithm)
"""What the libraries raise over keys and tokens that are not what they should be."""


class IdentityRefused(Exception):
    """The provider's answer is not accepted, or there is none; says why, for the log."""


class ProviderUnavailable(IdentityRefused):
    """The provider cannot be asked now: the person cannot be identified."""


class PendingLogin(NamedTuple):
    """What the browser must bring back beside the provider's answer, as it was signed here."""

    state: str
    nonce: str
    verifier: str
    path: str


class SignIn(NamedTuple):
    """Where to send the browser, and what it must bring back."""

    url: str
    pending: PendingLogin


class Identified(NamedTuple):
    """Whom the provider names, and where the browser goes on."""

    identity: str
    path: str


def usable_keys(jwks: Any) -> list[tuple[str | None, RSAKey | ECKey]]:
    """The provider's keys that we can verify with, by their `kid`. Others are skipped: of unknown kinds or curves, for encryption, damaged.

    A key may be given by its certificate alone (`x5c`, RFC 7517 section 4.7).
    """
    keys: list[tuple[str | None, RSAKey | ECKey]] = []
    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    for jwk in (listed if isinstance(listed, list) else [])[:MAX_KEYS]:
        if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or jwk.get("kty") == "oct":
            continue
        try:
            key = _key_of(jwk)
        except DAMAGED as error:
            log.info("a key of the OpenID provider is skipped", extra={"error": str(error)[:200]})
            continue
        kid = jwk.get("kid")
        keys.append((kid if isinstance(kid, str) else None, key))
    return keys


def _key_of(jwk: dict[str, Any]) -> RSAKey | ECKey:
    numbers = {name: value for name, value in jwk.items() if name in ("kty", "n", "e", "crv", "x", "y")}
    if jwk.get("kty") == "RSA" and {"n", "e"} <= jwk.keys():
        return RSAKey.import_key(numbers)
    if jwk.get("kty") == "EC" and {"crv", "x", "y"} <= jwk.keys():
        return ECKey.import_key(numbers)
    certificate = load_der_x509_certificate(b64decode(jwk["x5c"][0], validate=True))
    public = certificate.public_key()
    if not isinstance(public, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise ValueError(f"a certificate with a key of kind {type(public).__name__}")
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return (RSAKey if isinstance(public, rsa.RSAPublicKey) else ECKey).import_key(pem)


def _verified(id_token: str, keys: list[tuple[str | None, RSAKey | ECKey]]) -> dict[str, Any]:
    """The claims of a token that one of the keys signed: the one it names, else any. Raises JoseError, ValueError."""
    kid = extract_compact(id_token.encode()).headers().get("kid")
    fitting = [key for name, key in keys if kid is None or name is None or name == kid]
    problem: Exception = ValueError("no key of the provider fits")
    for key in fitting:
        try:
            return dict(jwt.decode(id_token, key, algorithms=ALGORITHMS).claims)
        except DAMAGED as error:
            problem = error
    raise problem


class Provider:
    def __init__(self, config: ProviderConfig) -> None:
        """It is asked for its endpoints when somebody logs in first."""
        self.config = config
        self._lock = threading.Lock()
        self._metadata: tuple[float, dict[str, Any], dict[str, Any]] | None = None
        self._away_until = 0.0

    def begin(self, path: str) -> SignIn:
        """`path` is where the browser goes on afterwards. Raises IdentityRefused, ProviderUnavailable."""
        metadata, _ = self._discovered()
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        with self._session() as session:
            url, state = session.create_authorization_url(
                metadata["authorization_endpoint"],
                nonce=nonce,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
            )
        return SignIn(url, PendingLogin(state, nonce, verifier, path))

    def finish(self, pending: PendingLogin, code: str) -> Identified:
        """Whom the provider's code stands for. Raises IdentityRefused, ProviderUnavailable."""
        metadata, keys = self._discovered()
        try:
            with self._session(metadata) as session:
                token = session.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=pending.verifier,
                )
        except RequestException as error:
            raise ProviderUnavailable(f"the code was not exchanged: {error}") from None
        except (OAuthError, ValueError) as error:
            raise IdentityRefused(f"the code was not exchanged: {error}") from None
        claims = self._accepted(str(token.get("id_token", "")), keys, pending.nonce)
        return Identified(self._identity(claims), pending.path)

    def _accepted(self, id_token: str, keys: dict[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of a token that the provider signed for us, now, for this visit (Core 1.0 section 3.1.3.7)."""
        try:
            claims = _verified(id_token, usable_keys(keys))
            registry = jwt.JWTClaimsRegistry(
                now=int(time()),
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self.config.issuer},
                aud={"essential": True, "value": self.config.client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            )
            registry.validate(claims)
        except DAMAGED as error:
            with self._lock:
                self._metadata = None  # its keys may be new: they are asked for again next time
            raise IdentityRefused(f"the identity token is not believed: {error}") from None
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", self.config.client_id if not several else None) != self.config.client_id:
            raise IdentityRefused("the identity token was made for another client")
        return dict(claims)

    def _identity(self, claims: dict[str, Any]) -> str:
        value = claims.get(self.config.claim)
        if not isinstance(value, str) or not 0 < len(value) <= 200:
            raise IdentityRefused(f"the identity token has no claim {self.config.claim!r}")
        if self.config.claim == "email" and claims.get("email_verified") is not True:
            raise IdentityRefused("the provider has not verified the e-mail address")
        return value

    def _discovered(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The provider's endpoints and keys (OpenID Connect Discovery 1.0 section 4), kept for an hour. Raises IdentityRefused, ProviderUnavailable."""
        with self._lock:
            if self._metadata is not None and monotonic() < self._metadata[0]:
                return self._metadata[1], self._metadata[2]
            if monotonic() < self._away_until:  # asked just now, or being asked: one thread waits for it, not all
                raise ProviderUnavailable(f"{self.config.issuer} was asked a moment ago")
            self._away_until = monotonic() + 2 * REQUEST_SECONDS
        try:
            with self._session() as session:
                url = f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration"
                metadata = session.request("GET", url, withhold_token=True).json()
                if metadata["issuer"] != self.config.issuer:
                    raise IdentityRefused(f"{url} speaks for another issuer: {metadata['issuer']!r}")
                keys = session.request("GET", metadata["jwks_uri"], withhold_token=True).json()
                needed = (metadata["authorization_endpoint"], metadata["token_endpoint"])
        except (RequestException, ValueError, KeyError, TypeError) as error:
            raise ProviderUnavailable(f"{self.config.issuer} does not tell its endpoints: {error}") from None
        loose = [url for url in needed if not str(url).startswith(("https://", "http://127.0.0.1", "http://localhost"))]
        if loose:
            raise IdentityRefused(f"not https: {loose[0]!r}")
        with self._lock:
            self._metadata, self._away_until = (monotonic() + METADATA_SECONDS, metadata, keys), 0.0
        return metadata, keys

    def _session(self, metadata: dict[str, Any] | None = None) -> Any:
        """A client of the provider; the secret goes in a header unless the provider takes it in the form only (Core 1.0 section 9)."""
        methods = (metadata or {}).get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        in_form = "client_secret_basic" not in methods and "client_secret_post" in methods
        method = "client_secret_post" if in_form else "client_secret_basic"
        secret = self.config.client_secret
        session = OAuth2Session(
            self.config.client_id,
            secret.reveal() if secret else None,
            token_endpoint_auth_method=method if secret else "none",
            scope="openid email profile" if self.config.claim != "sub" else "openid",
            redirect_uri=self.config.url.rstrip("/") + CALLBACK,
            default_timeout=REQUEST_SECONDS,
        )
        session.mount("https://", HTTPAdapter(max_retries=1))
        if self.config.ca_file is not None:
            session.verify = str(self.config.ca_file)
        return session
