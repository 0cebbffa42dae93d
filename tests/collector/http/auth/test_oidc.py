"""Single sign-on against a real, certified OpenID provider on loopback, in a real browser; and answers that must not be believed."""

import json
import os
import re
import secrets
import shutil
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from playwright.sync_api import Page, sync_playwright

from campus_base.settings import ConfigurationError, Secret
from campus_collector.config import load_config
from campus_collector.domain.people import Person
from campus_collector.http.auth.oidc import IdentityRefused, Provider, ProviderConfig
from tests.agent.measure.equipment.peers import free_port
from tests.collector.world import World, collector

PROVIDER = Path(__file__).parent / "provider"
SECRET = secrets.token_urlsafe(16)


@dataclass
class County:
    """A collector whose people log in at a provider."""

    world: World
    issuer: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.world.port}"


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    """Both, knowing each other's address."""
    if shutil.which("npm") is None:
        assert not os.environ.get("CI"), "under CI there must be Node.js and npm"
        pytest.skip("NO NPM: install Node.js and npm")
    folder = tmp_path_factory.mktemp("provider")
    program = folder / "program"
    shutil.copytree(PROVIDER, program)
    subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=program,
        check=True,
        timeout=300,
        capture_output=True,
    )
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    (folder / "secret").write_text(SECRET)
    environ = {
        "CAMPUS_OIDC_ISSUER": issuer,
        "CAMPUS_OIDC_CLIENT_ID": "campusmeter",
        "CAMPUS_OIDC_CLIENT_SECRET_FILE": str(folder / "secret"),
        "CAMPUS_OIDC_CLAIM": "email",
        "CAMPUS_OIDC_LABEL": "教育云",
        "CAMPUS_OIDC_URL": "http://127.0.0.1:1",  # put right below: the port is not known yet
    }
    with collector(folder / "state", environ) as world:
        found = County(world, issuer)
        provider = world.service.provider
        assert provider is not None
        msgspec.structs.force_setattr(provider.config, "url", found.url)
        command = ["node", "provider.js", str(port), f"{found.url}/login/oidc/return", SECRET]
        process = subprocess.Popen(command, cwd=program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "ready" in line:
                    break
            now = datetime.now(UTC)
            world.service.store.people.put(
                Person("周老师", "operator", ""), now, "console", identity="zhou@edu.example"
            )
            yield found
        finally:
            process.kill()
            process.wait(60)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A browser that knows nobody yet."""
    with sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        first = browser.new_page(locale="zh-CN")
        first.set_default_timeout(120_000)
        yield first
        browser.close()


def log_in(page: Page, county: County, name: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{county.url}/login?next=/fleet")
    page.click("text=使用教育云登录")
    page.wait_for_selector("input[name=login]")
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", "anything")
    page.click("button[type=submit]")
    page.wait_for_selector("text=Continue")
    page.click("button[type=submit]")


@pytest.mark.browser
def test_somebody_who_is_known_here_arrives_where_they_wanted(county: County, page: Page) -> None:
    log_in(page, county, "zhou")
    page.wait_for_url(f"{county.url}/fleet")
    assert "周老师" in page.inner_text("nav")
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies(county.url)}
    assert cookies["campus_session"]["sameSite"] == "Strict"
    assert cookies["campus_session"]["httpOnly"] is True
    assert "campus_oidc" not in cookies
    events = county.world.service.store.ledger.events(limit=1)
    assert (events[0].who, events[0].what, events[0].values) == ("周老师", "logged_in", {"proof": "identity"})


@pytest.mark.browser
@pytest.mark.parametrize(("name", "said"), [("stranger", "尚未获得授权"), ("unverified", "应答未被接受")])
def test_somebody_else_does_not(county: County, page: Page, name: str, said: str) -> None:
    log_in(page, county, name)
    page.wait_for_selector("[role=alert]")
    assert said in page.inner_text("[role=alert]")
    assert "campus_session" not in {cookie["name"] for cookie in page.context.cookies(county.url)}


def test_a_state_that_is_not_this_browser_s_is_refused(county: County) -> None:
    begun = county.world.get("/login/oidc", Accept_Language="zh")
    assert begun.status == 303
    query = parse_qs(urlsplit(begun.headers["location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["scope"] == ["openid email profile"]
    state = query["state"][0]
    cookie = begun.headers["set-cookie"].split(";")[0]
    for wrong_cookie in ("", f"campus_oidc={state}", f"{cookie}x", cookie.replace("=", "=x", 1)):
        answer = county.world.get(f"/login/oidc/return?state={state}&code=x", Cookie=wrong_cookie, Accept_Language="zh")
        assert answer.status == 403
    elsewhere = county.world.get(f"/login/oidc/return?state={state}&code=x&iss=https://evil.example", Cookie=cookie)
    assert elsewhere.status == 403, "the answer of another provider (RFC 9207)"
    assert county.world.get(f"/login/oidc/return?state={state}x&code=x", Cookie=cookie).status == 403
    for _ in range(2):
        wrong = county.world.get(f"/login/oidc/return?state={state}&code=made-up", Cookie=cookie, Accept_Language="zh")
        assert (wrong.status, "应答未被接受" in wrong.body.decode()) == (401, True)


KEY = RSAKey.generate_key(2048, {"kid": "k1"})
OTHER = RSAKey.generate_key(2048, {"kid": "k1"})
CONFIG = ProviderConfig("https://id.example", "campusmeter", Secret("x"), "https://c.example", "sub", "", None)


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    said = {
        "iss": "https://id.example",
        "aud": "campusmeter",
        "sub": "zhou",
        "nonce": "n1",
        "iat": now,
        "exp": now + 300,
    }
    return {key: value for key, value in (said | changed).items() if value is not None}


def believed(
    said: dict[str, Any], key: Any = KEY, header: dict[str, str] | None = None, algorithms: list[str] | None = None
) -> str:
    keys = json.loads(json.dumps(KeySet([KEY]).as_dict(private=False)))
    token = jwt.encode(header or {"alg": "RS256", "kid": "k1"}, said, key, algorithms=algorithms)
    provider = Provider(CONFIG)
    return provider._identity(provider._accepted(token, keys, "n1"))


def test_a_good_identity_token() -> None:
    assert believed(claims()) == "zhou"
    assert believed(claims(aud=["campusmeter", "other"], azp="campusmeter")) == "zhou"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"}, {"aud": "other"}, {"nonce": "n2"}, {"nonce": None}, {"exp": 1}, {"exp": None}, {"sub": None}, {"sub": ""},
        {"iat": None}, {"iat": 9_999_999_999}, {"aud": ["campusmeter", "other"]}, {"aud": ["campusmeter", "other"], "azp": "other"}, {"sub": ["zhou"]},
    ],
    ids=str,
)  # fmt: skip
def test_claims_that_are_not_accepted(changed: dict[str, Any]) -> None:
    with pytest.raises(IdentityRefused):
        believed(claims(**changed))


def test_signatures_that_are_not_accepted() -> None:
    with pytest.raises(IdentityRefused):
        believed(claims(), OTHER)
    public = OctKey.import_key(json.dumps(KEY.as_dict(private=False)).encode())
    with pytest.raises(IdentityRefused):
        believed(claims(), public, {"alg": "HS256", "kid": "k1"}, ["HS256"])
    keys = KeySet([KEY]).as_dict(private=False)
    for token in ("", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ6aG91In0.", "x" * 10_000):
        with pytest.raises(IdentityRefused):
            Provider(CONFIG)._accepted(token, json.loads(json.dumps(keys)), "n1")


def _by_certificate() -> dict[str, Any]:
    """KEY as a provider writes it that gives certificates only."""
    private = load_pem_private_key(KEY.as_pem(private=True), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "id.example")]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    der = builder.sign(private, SHA256()).public_bytes(Encoding.DER)
    return {"kty": "RSA", "kid": "k1", "x5c": [b64encode(der).decode()]}


ODD_KEYS: tuple[Any, ...] = (
    {"kty": "EC", "crv": "SM2", "x": "AA", "y": "AA", "kid": "sm2"},
    {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "k1"},
    {"kty": "OKP", "crv": "Ed448", "x": "AA"},
    {"kty": "new", "kid": "k1"},
    {"kty": "RSA", "kid": "k1", "x5c": ["%%%"]},
    {"kty": "RSA", "kid": "k1", "x5c": []},
    {"kty": "RSA", "kid": 5, "n": 7, "e": []},
    {"kty": "oct", "kid": "k1", "k": "AA"},
    {"kid": "k1"},
    None, "key", 5, [],
)  # fmt: skip


@pytest.mark.parametrize("by_certificate", [False, True])
@pytest.mark.parametrize("odd", [*([key] for key in ODD_KEYS), list(ODD_KEYS)], ids=str)
@pytest.mark.parametrize("named", [True, False])
def test_keys_that_are_not_understood_are_skipped(odd: list[Any], by_certificate: bool, named: bool) -> None:
    good = _by_certificate() if by_certificate else json.loads(json.dumps(KEY.as_dict(private=False)))
    header = {"alg": "RS256", "kid": "k1"} if named else {"alg": "RS256"}
    token = jwt.encode(header, claims(), KEY)
    assert Provider(CONFIG)._accepted(token, {"keys": [*odd, good, *odd]}, "n1")["sub"] == "zhou"
    with pytest.raises(IdentityRefused):
        Provider(CONFIG)._accepted(token, {"keys": odd}, "n1")


@pytest.mark.parametrize("keys", [{}, {"keys": None}, {"keys": {}}, [], None, {"keys": [None] * 1000}])
def test_a_set_of_keys_that_is_none(keys: Any) -> None:
    with pytest.raises(IdentityRefused):
        Provider(CONFIG)._accepted(jwt.encode({"alg": "RS256"}, claims(), KEY), keys, "n1")


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ({}, "client_secret_basic"),
        ({"token_endpoint_auth_methods_supported": ["client_secret_post"]}, "client_secret_post"),
        (
            {"token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"]},
            "client_secret_basic",
        ),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "client_secret_basic"),
    ],
)
def test_the_secret_goes_where_the_provider_takes_it(said: dict[str, Any], way: str) -> None:
    with Provider(CONFIG)._session(said) as session:
        assert session.token_endpoint_auth_method == way


def test_a_provider_that_is_away_is_told_in_words(tmp_path: Path) -> None:
    environ = {
        "CAMPUS_OIDC_ISSUER": f"http://127.0.0.1:{free_port()}",
        "CAMPUS_OIDC_CLIENT_ID": "c",
        "CAMPUS_OIDC_URL": "http://127.0.0.1:1",
    }
    with collector(tmp_path, environ) as world:
        answer = world.get("/login/oidc", Accept_Language="zh")
        assert (answer.status, "统一认证服务无应答" in answer.body.decode()) == (502, True)
        assert "使用OpenID Connect登录" in world.get("/login", Accept_Language="zh").body.decode()


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"CAMPUS_OIDC_ISSUER": "http://id.example"}, "oidc.issuer"), ({"CAMPUS_OIDC_URL": "ftp://x"}, "oidc.url"),
        ({"CAMPUS_OIDC_CLIENT_SECRET_FILE": "/nowhere"}, "oidc.client_secret_file"), ({"CAMPUS_OIDC_CLAIM": "no claim"}, "oidc.claim"),
        ({"CAMPUS_METRICS_TOKEN_FILE": "/nowhere"}, "metrics.token_file"),
    ],
)  # fmt: skip
def test_mistakes_in_the_configuration_are_told(tmp_path: Path, settings: dict[str, str], place: str) -> None:
    sound = {
        "CAMPUS_OIDC_ISSUER": "https://id.example",
        "CAMPUS_OIDC_CLIENT_ID": "c",
        "CAMPUS_OIDC_URL": "https://c.example",
    }
    with pytest.raises(ConfigurationError, match=re.escape(place)):
        load_config(None, tmp_path, sound | settings)


def test_metrics_for_some_addresses(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.write_text('[metrics]\nallow = ["10.0.0.0/33"]\n')
    with pytest.raises(ConfigurationError, match=r"metrics\.allow"):
        load_config(file, None, {})
    file.write_text('[metrics]\nallow = ["10.0.0.0/8", "127.0.0.1"]\n')
    assert [str(each) for each in load_config(file, None, {}).metrics_allow] == ["10.0.0.0/8", "127.0.0.1/32"]


def test_a_provider_that_hangs_holds_one_thread_and_not_all() -> None:
    provider, asked = Provider(CONFIG), []

    class Hangs:
        def __enter__(self) -> "Hangs":
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def request(self, *_: object, **__: object) -> None:
            asked.append(1)
            time.sleep(0.5)
            raise ValueError("no answer")

    provider._session = Hangs  # type: ignore[method-assign,assignment]
    refused: list[str] = []

    def begin() -> None:
        try:
            provider.begin("/")
        except IdentityRefused as why:
            refused.append(str(why))

    threads = [threading.Thread(target=begin) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(asked), len(refused)) == (1, 20)


def test_forged_returns_are_bounded(tmp_path: Path) -> None:
    environ = {
        "CAMPUS_OIDC_ISSUER": "https://id.example",
        "CAMPUS_OIDC_CLIENT_ID": "c",
        "CAMPUS_OIDC_URL": "https://c.example",
    }
    with collector(tmp_path, environ) as world:
        statuses = [
            world.get(f"/login/oidc/return?state=s{n}&code=x", Cookie=f"campus_oidc=s{n}").status for n in range(12)
        ]
    assert statuses == [403] * 10 + [429] * 2
