"""The bureau's configuration: defaults, samples, and each mistake by name."""

import subprocess
from pathlib import Path

import pytest

from campus_base.settings import ConfigurationError
from campus_collector.config import load_config, shipped_policy
from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.judge.policy import load_policy

ROOT = Path(__file__).parents[3]


def certificate(folder: Path) -> None:
    """cert.pem and key.pem that belong together."""
    make = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bureau")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    subprocess.run([*make, *files], check=True, capture_output=True)


def test_without_a_file_it_is_sqlite_and_loopback(tmp_path: Path) -> None:
    config = load_config(None, tmp_path, {})
    assert (config.host, config.port, config.loopback) == ("127.0.0.1", 8080, True)
    assert config.database == tmp_path / "campus.db"
    assert config.policy_file == shipped_policy()


def test_the_environment_overrides(tmp_path: Path) -> None:
    config = load_config(None, tmp_path, {"CAMPUS_SERVER_LISTEN": "[::1]:9000", "CAMPUS_COUNTY_NAME": "测试县"})
    assert (config.host, config.port, config.loopback, config.county) == ("::1", 9000, True, "测试县")


def test_the_sample_loads(tmp_path: Path) -> None:
    sample = tmp_path / "collector.toml"
    sample.write_bytes((ROOT / "deploy" / "collector.sample.toml").read_bytes())
    certificate(tmp_path)
    (tmp_path / "read-token").write_text("x")
    config = load_config(sample, None, {})
    assert config.tls_cert == tmp_path / "cert.pem"
    assert config.host == "0.0.0.0"


def test_a_store_on_a_server_has_its_files_in_the_state_folder(tmp_path: Path) -> None:
    config = load_config(None, tmp_path, {"CAMPUS_STORE_URL": "postgresql://campus:secret@db1,db2/campus"})
    assert config.store == PostgresUrl("postgresql://campus:secret@db1,db2/campus")
    assert config.database == tmp_path / "campus.db"
    assert "secret" not in repr(config)
    with pytest.raises(ConfigurationError, match="not 'mysql://campus:") as caught:
        load_config(None, tmp_path, {"CAMPUS_STORE_URL": "mysql://campus:secret@db/campus"})
    assert "secret" not in str(caught.value) + caught.value.in_("zh")


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ('[server]\nlisten = "8080"', ["server.listen: must be ADDRESS:PORT like 127.0.0.1:8080, not '8080'"]),
        (
            '[server]\nlisten = "0.0.0.0:8443"',
            ["server.listen: 0.0.0.0 is not loopback: set tls_cert and tls_key, or tokens would travel readable"],
        ),
        (
            '[server]\ntls_cert = "no.pem"',
            ["server.tls_cert: tls_cert and tls_key go together", "server.tls_cert: no such"],
        ),
        ('[store]\nurl = "mysql://x"', ["store.url: must be sqlite:/// with an absolute path"]),
        ('[store]\nurl = "sqlite:///../data/campus.db"', ["store.url: must be sqlite:/// with an absolute path"]),
        ('[store]\nurl = "sqlite:///campus.db"', ["store.url: must be sqlite:/// with an absolute path"]),
        ('[store]\nurl = "sqlite:campus.db"', ["store.url: must be sqlite:/// with an absolute path"]),
        ('[store]\nurl = "sqlite:///"', ["store.url: must be sqlite:/// with an absolute path"]),
        ('[policy]\nfile = "no.toml"', ["policy.file: no such file"]),
        ('[county]\ntimezone = "Asia/Jinan"', ["county.timezone: is not a known time zone: 'Asia/Jinan'"]),
        ('[sever]\nlisten = "x"', ["sever: unknown key; did you mean 'server'?"]),
        ("listen = ", ["file: is not TOML"]),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: str, mistakes: list[str]) -> None:
    file = tmp_path / "collector.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_config(file, None, {})
    actual = str(caught.value).splitlines()[1:]
    assert len(actual) == len(mistakes)
    for line, mistake in zip(actual, mistakes, strict=True):
        assert line.strip().startswith(mistake)
    assert caught.value.in_("zh") != str(caught.value)


def test_secrets_and_certificates_are_opened_before_anything_starts(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem", "token"):
        (tmp_path / name).write_text("" if name == "token" else "no certificate")
    file = tmp_path / "collector.toml"
    file.write_text(
        '[server]\nlisten = "0.0.0.0:8443"\ntls_cert = "cert.pem"\ntls_key = "key.pem"\nread_token_file = "token"\n'
    )
    with pytest.raises(ConfigurationError) as raised:
        load_config(file, None, {})
    text = raised.value.in_("en")
    assert f"server.read_token_file: {tmp_path / 'token'}: it is empty" in text
    assert "do not make a certificate with its key" in text


def test_deeply_nested_toml_is_one_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.write_text("a = " + "[" * 5000)
    with pytest.raises(ConfigurationError, match="is not TOML"):
        load_config(file, None, {})


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000, "{ b = " * 5000])
def test_what_only_the_limits_of_the_reader_refuse_is_a_mistake_in_every_file(tmp_path: Path, value: str) -> None:
    for name in ("collector.toml", "policy.toml"):
        (tmp_path / name).write_text(f"tolerance_ratio = {value}")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        load_config(tmp_path / "collector.toml", None, {})
    with pytest.raises(ConfigurationError, match="is not TOML"):
        load_policy(tmp_path / "policy.toml")


@pytest.mark.parametrize(
    ("octets", "mistake"),
    [
        ("# 考核规则\ntolerance_ratio = 0.98\n# 考核\n".encode("gbk"), "file: 第 1 行不是 UTF-8 编码，而是 GBK"),
        ("# 考核规则".encode("utf-16"), "file: 第 1 行不是 UTF-8 编码，而是 UTF-16"),
        (b"tolerance_ratio = 0.98\n\xff\xff", "file: 第 2 行不是 UTF-8 编码"),
        (bytes(16_000_001), "file: 超过 16 MB"),
        (None, "file: 无法读取"),
        (b"[[target]]\nname = 'uplink_bandwidth'\neffective_from = 2023-01-01T08:00:00\n", "，不能是 2023-01-01T08:00:00"),
        (b"tolerance_ratio = 08:00:00\n", "，不能是 08:00:00"),
    ],
    ids=["GBK", "UTF-16", "no text", "large", "none", "date and time", "time"],
)  # fmt: skip
def test_a_policy_file_that_cannot_be_read_is_named_in_the_reader_s_words(
    tmp_path: Path, octets: bytes | None, mistake: str
) -> None:
    if octets is not None:
        (tmp_path / "policy.toml").write_bytes(octets)
    with pytest.raises(ConfigurationError) as raised:
        load_policy(tmp_path / "policy.toml")
    assert mistake in raised.value.in_("zh")
    assert "codec" not in raised.value.in_("en")


def test_the_version_of_a_policy_is_the_same_however_its_lines_end(tmp_path: Path) -> None:
    policy = shipped_policy().read_bytes()
    (tmp_path / "windows.toml").write_bytes(b"\xef\xbb\xbf" + policy.replace(b"\n", b"\r\n"))
    assert load_policy(tmp_path / "windows.toml").version == load_policy(shipped_policy()).version


def test_a_variable_of_too_many_digits_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "collector.toml").write_text("")
    with pytest.raises(ConfigurationError, match="report.dir|server.listen"):
        load_config(tmp_path / "collector.toml", None, {"CAMPUS_SERVER_LISTEN": "9" * 5000})


@pytest.mark.parametrize("slashes", ["///", "////"])
def test_a_database_is_named_by_an_absolute_path(tmp_path: Path, slashes: str) -> None:
    file, wanted = tmp_path / "collector.toml", tmp_path / "data" / "campus.db"
    file.write_text(f'[store]\nurl = "sqlite:{slashes}{str(wanted)[1:]}"')
    assert load_config(file, None, {}).database == wanted


def test_a_database_that_an_older_version_made_beside_its_configuration_is_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """0.2.0 read three slashes as relative."""
    file, former = tmp_path / "collector.toml", tmp_path / "campus.db"
    file.write_text('[store]\nurl = "sqlite:///campus.db"')
    former.touch()
    assert load_config(file, None, {}).database == former
    assert f"sqlite://{former}" in caplog.text


def test_a_key_with_a_pass_phrase_is_named_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    certificate(tmp_path)
    protect = ("openssl", "pkey", "-in", "key.pem", "-aes128", "-passout", "pass:secret", "-out", "protected.pem")
    subprocess.run(protect, check=True, capture_output=True, cwd=tmp_path)
    (tmp_path / "protected.pem").replace(tmp_path / "key.pem")
    file = tmp_path / "collector.toml"
    file.write_text('[server]\nlisten = "0.0.0.0:8443"\ntls_cert = "cert.pem"\ntls_key = "key.pem"\n')
    with pytest.raises(ConfigurationError) as raised:
        load_config(file, None, {})
    assert f"server.tls_key: {tmp_path / 'key.pem'} 有口令" in raised.value.in_("zh")


def test_what_an_office_says_of_itself_in_its_reports(tmp_path: Path) -> None:
    file, font = tmp_path / "collector.toml", tmp_path / "xbs.ttf"
    font.write_bytes(b"")
    file.write_text(
        '[server]\npublic_url = "https://campus.example/"\n[report]\nheading = "示例县教育局文件"\nissuer = "示例县教育局"\n'
        'number = "示教电〔{year}〕{month}号"\nsigner = "张三"\naddressees = ["各镇街中心校", "县直各学校"]\n'
        'copies_to = ["市教育局"]\nprinted_by = "办公室"\nprint_date = "2026年11月6日"\nfont_files = ["xbs.ttf"]\n'
    )
    config = load_config(file, None, {})
    official = config.official
    assert (official.address, official.signer, official.print_date) == ("https://campus.example", "张三", "2026-11-06")
    assert official.addressees == ("各镇街中心校", "县直各学校")
    assert config.report_font_files == (font,)
    october = official.of_month(2026, 10, "2026-11-05")
    assert (october.number, october.print_date) == ("示教电〔2026〕10号", "2026-11-06")
    assert official.of_month(2026, 11, "2026-12-05").print_date == "2026-12-05", (
        "a date of before the issue is not used"
    )
    assert load_config(None, tmp_path, {}).official == type(official)()


@pytest.mark.parametrize("number", ["{jahr}", "{year.x}", "{year[0]}", "{0}", "{"])
def test_a_number_with_other_braces_is_a_mistake(tmp_path: Path, number: str) -> None:
    file = tmp_path / "collector.toml"
    file.write_text(f'[report]\nnumber = "{number}"\n')
    with pytest.raises(ConfigurationError, match=r"report\.number"):
        load_config(file, None, {})


@pytest.mark.parametrize(
    "address",
    [
        "https://[", "https://a℀b.example", "https://a\\nb.example", "https://u:secret@a.example", "https://a.example:99999",
        "https://a.example/?q=1", "https://a.example/#x", "https://a.example/\\\"><script>", "https://a b.example", "http://a.example",
    ],
)  # fmt: skip
def test_an_address_that_no_browser_can_use_is_a_mistake(tmp_path: Path, address: str) -> None:
    file = tmp_path / "collector.toml"
    file.write_text(f'[server]\npublic_url = "{address}"\n')
    with pytest.raises(ConfigurationError, match=r"server\.public_url"):
        load_config(file, None, {})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('host = "a.example"\nname = " "', r"test_server\[0\]\.name"),
        ('host = " "\nname = "x"', r"test_server\[0\]\.host"),
        (
            'host = "a.example"\nname = "x"\n[[test_server]]\nhost = "A.example"\nname = "y"',
            r"test_server\[1\]\.host: .*twice",
        ),
    ],
)
def test_mistakes_of_test_servers_name_their_place(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "collector.toml"
    file.write_text(f"[[test_server]]\n{text}\n")
    with pytest.raises(ConfigurationError, match=place):
        load_config(file, None, {})


def test_mistakes_in_what_an_office_says_are_reported_together(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.write_text(
        '[server]\npublic_url = "http://campus.example"\n[report]\nnumber = "示教电〔{jahr}〕"\nprint_date = "soon"\n'
        'addressees = "各镇街中心校"\nfont_files = ["nowhere.ttf"]\nissuers = "x"\n'
    )
    with pytest.raises(ConfigurationError) as raised:
        load_config(file, None, {})
    text = str(raised.value)
    for words in (
        "server.public_url",
        "report.number",
        "report.print_date",
        "report.addressees",
        "report.font_files",
        "issuers",
    ):
        assert words in text
