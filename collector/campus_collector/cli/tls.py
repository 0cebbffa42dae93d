"""`campus-collector tls init` and `tls renew`: a private authority and the collector's certificate."""

import argparse
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed
from campus_base.language import Language, Text
from campus_collector.cli.common import data_options
from campus_collector.config import CollectorConfig
from campus_collector.tls.authority import IssuedCertificate, make_authority, renew

DEFAULT_DIR = Path("/etc/campus-collector/tls")


def register(parser: CommandParser) -> None:
    for name, words, command in (
        ("init", Text("make an authority and a certificate", "生成私有 CA 和服务器证书"), _init),
        ("renew", Text("a new certificate under the same authority", "用同一 CA 换发服务器证书"), _renew),
    ):
        action = parser.add_command(name, words, command)
        data_options(action)
        text = Text("host names and addresses of the collector", "采集端的域名和 IP 地址")
        action.add_argument("names", nargs="+" if name == "init" else "*", metavar="NAME", help=parser.words(text))
        action.add_argument(
            "--dir", type=Path, default=DEFAULT_DIR, metavar="DIR", help=parser.words(Text("where to", "证书目录"))
        )


def _init(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:

    code = _make(make_authority, arguments, language)
    if code == EXIT_OK:
        text = Text(
            'For collector.toml:\n[server]\ntls_cert = "{dir}/cert.pem"\ntls_key = "{dir}/key.pem"\nca_file = "{dir}/ca.pem"\n'
            "Keep {dir}/ca-key.pem off this machine when you can; only `tls renew` needs it.",
            '请写入 collector.toml：\n[server]\ntls_cert = "{dir}/cert.pem"\ntls_key = "{dir}/key.pem"\nca_file = "{dir}/ca.pem"\n'
            "{dir}/ca-key.pem 仅换发证书（tls renew）时需要，建议平时离线保存。",
        )
        print(text.in_(language, dir=arguments.dir))
    return code


def _renew(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    code = _make(renew, arguments, language)
    if code == EXIT_OK:
        text = Text(
            "A running collector serves it within a minute; gateways need nothing.",
            "运行中的采集端会在一分钟内自动启用新证书；各校网关无需改动。",
        )
        print(text.in_(language))
    return code


def _make(
    work: Callable[[Path, Sequence[str], datetime], IssuedCertificate],
    arguments: argparse.Namespace,
    language: Language,
) -> int:
    try:
        authority = work(arguments.dir, arguments.names, datetime.now(UTC))
    except FileExistsError as error:
        text = Text(
            "{file} is there already: nothing was written; see `tls renew`", "{file} 已存在：未写入；换发请用 tls renew"
        )
        return failed(EXIT_FAILED, text.in_(language, file=error.filename))
    except OSError as error:
        return failed(EXIT_FAILED, f"{error.filename}: {error.strerror}")
    except ValueError as error:
        text = Text("NAME: {error}", "NAME：必须是域名或 IP 地址（{error}）")
        return failed(EXIT_USAGE, text.in_(language, error=error))
    text = Text(
        "Certificate in {dir}, valid until {until}.\nThe authority's fingerprint (SHA-256): {print}",
        "证书位于 {dir}，有效期至 {until}。\nCA 指纹（SHA-256）：{print}",
    )
    print(text.in_(language, dir=authority.folder, until=f"{authority.expires:%Y-%m-%d}", print=authority.fingerprint))
    return EXIT_OK
