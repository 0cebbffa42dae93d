"""Is it the platform that answered? Redirects, pages that only lead elsewhere, statuses and texts, with and without proof by TLS."""

import time

import pytest

from campus_agent.config.model import Expectation
from campus_agent.measure.expectation import ServiceAnswer, failure_of_answer, same_site
from campus_wire.failures import FailureKind

HTTP, HTTPS = "http://www.platform.edu.cn/a/", "https://www.platform.edu.cn/a/"
REFRESH = '<html><head><meta http-equiv="refresh" content="0; url=http://10.9.9.9/portal?x=1"></head></html>'
SCRIPT = "<html><script>top.self.location.href='http://10.9.9.9/eportal/index.jsp?mac=1'</script></html>"
HIDDEN_FROM_OLD_BROWSERS = '<script>\n<!--\nlocation.href="http://10.1.1.1/portal";\n//-->\n</script>'
IN_A_COMMENT = "<!-- <script>location.href='http://10.9.9.9/'</script> --><h1>ok</h1>"
REPLACE = '<script type="text/javascript">location.replace("http://login.school.example/")</script>'


@pytest.mark.parametrize(
    ("url", "status", "location", "text", "kind"),
    [
        (HTTP, 200, None, "<h1>ok</h1>", None),
        (HTTP, 302, "/login", "", None),
        (HTTP, 302, "?next=1", "", None),
        (HTTP, 301, "https://www.platform.edu.cn/a/", "", None),
        (HTTP, 302, "http://WWW.Platform.edu.cn:8080/", "", None),
        (HTTP, 302, "https://platform.edu.cn/", "", None),
        (HTTP, 302, "https://auth.platform.edu.cn/cas", "", None),
        (HTTP, 302, "http://other.edu.cn/", "", "intercepted"),
        (HTTP, 302, "//10.9.9.9/portal", "", "intercepted"),
        (HTTP, 307, "https://portal.example/", "", "intercepted"),
        ("http://10.0.0.5/", 302, "http://10.0.0.6/", "", "intercepted"),
        ("http://10.0.0.5/", 302, "http://10.0.0.5:8080/", "", None),
        (HTTPS, 302, "https://passport.example/login", "", None),
        (HTTP, 200, None, REFRESH, "intercepted"),
        (HTTP, 200, None, SCRIPT, "intercepted"),
        (HTTP, 200, None, REPLACE, "intercepted"),
        (HTTP, 200, None, HIDDEN_FROM_OLD_BROWSERS, "intercepted"),
        (HTTP, 200, None, IN_A_COMMENT, None),
        (HTTPS, 200, None, SCRIPT, None),
        (HTTP, 200, None, REFRESH + "<p>" + "Lessons. " * 40 + "</p>", None),
        (HTTP, 511, None, "", "intercepted"),
        (HTTP, 302, "http://[", "", "protocol_error"),
        (HTTP, 404, None, "", "http_status"),
        (HTTP, 412, None, "<script src=/x.js></script>", "http_status"),
    ],
)
def test_nothing_is_expected(url: str, status: int, location: str | None, text: str, kind: str | None) -> None:
    failure = failure_of_answer(ServiceAnswer(url, status, url.startswith("https"), location, text), Expectation())
    assert (failure and failure.kind) == kind
    if status != 200 and failure is not None:
        assert f"status {status}" in failure.detail


@pytest.mark.parametrize(
    ("expected", "status", "location", "text", "kind"),
    [
        (Expectation(status=(412,)), 412, None, "", None),
        (Expectation(status=(200, 403)), 403, None, "", None),
        (Expectation(status=(403,)), 200, None, "", "http_status"),
        (Expectation(status=(302,)), 302, "http://10.9.9.9/", "", "intercepted"),
        (Expectation(host="cas.other.cn"), 302, "http://cas.other.cn/x", "", None),
        (Expectation(host="cas.other.cn"), 302, "http://10.9.9.9/x", "", "intercepted"),
        (Expectation(host="cas.other.cn"), 302, "http://sso.platform.edu.cn/x", "", "intercepted"),
        (Expectation(text="教育"), 200, None, "<h1>教育资源</h1>", None),
        (Expectation(text="教育"), 200, None, "<h1>请先登录</h1>", "intercepted"),
        (Expectation(text="教育"), 200, None, SCRIPT + "教育", None),
        (Expectation(status=(403,), text="教育"), 403, None, "教育", None),
    ],
)
def test_what_the_inventory_expects(
    expected: Expectation, status: int, location: str | None, text: str, kind: str | None
) -> None:
    failure = failure_of_answer(ServiceAnswer(HTTP, status, False, location, text), expected)
    assert (failure and failure.kind) == kind


def test_a_named_host_holds_by_tls_too() -> None:
    answer = ServiceAnswer(HTTPS, 302, True, "https://elsewhere.example/")
    assert failure_of_answer(answer, Expectation(host="cas.other.cn")) is not None


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("a.example.com", "b.example.com", True),
        ("example.com", "example.com", True),
        ("a.edu.cn", "b.edu.cn", False),
        ("x.a.edu.cn", "y.a.edu.cn", True),
        ("x.school.sd.cn", "y.school.sd.cn", True),
        ("one.sd.cn", "two.sd.cn", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("1.0.0.1", "2.0.0.1", False),
        ("2001:db8::1", "2001:db8::1", True),
        ("portal", "platform", False),
        ("", "platform", False),
    ],
)
def test_one_site(first: str, second: str, same: bool) -> None:
    assert same_site(first, second) is same


@pytest.mark.parametrize(
    "text",
    [
        '<meta content="0;url=http://10.1.1.1/login" http-equiv="refresh">',
        '<script>location.href="//10.1.1.1/login"</script>',
        "<script>window.location.assign(`http://10.1.1.1`)</script>",
        '<script>window.open("http://10.1.1.1/","_self")</script>',
        r'<script>location.href="http:\/\/10.1.1.1\/p"</script>',
        '<script>var url="http://10.1.1.1/p?x="+location.href;\nwindow.location=url;</script>',
        "<script>window.location['href']='http://10.1.1.1/';</script>",
        """<script>setTimeout("location.href='http://10.1.1.1/'", 10)</script>""",
        '<script>window.navigate("http://10.1.1.1")</script>',
        '<script>window.onload = function () { location.href = "http://10.1.1.1" }</script>',
        """<meta http-equiv="Refresh" content="0; url='http://10.1.1.1/'">""",
        '<meta http-equiv="refresh" content="0;url=http&#58;//10.1.1.1/">',
        '<meta http-equiv="refresh" content="0;http://10.1.1.1/">',
        "<META HTTP-EQUIV=REFRESH CONTENT=0;URL=http://10.1.1.1/>",
        '<body onload="document.forms[0].submit()"><form action="http://10.1.1.1/login" method=post></form></body>',
        '<frameset rows="100%"><frame src="http://10.1.1.1/p"></frameset>',
        '<body><iframe src="//10.1.1.1/p" width=100%></iframe></body>',
        "<!--" + "padding " * 2000 + '--><script>location="http://10.1.1.1"</script>',
        '<script src=/x.js></script><script>top.location.href="http://10.1.1.1"</script>',
    ],
)
def test_a_page_that_only_leads_elsewhere_is_found_however_it_is_written(text: str) -> None:
    failure = failure_of_answer(ServiceAnswer("http://www.zxx.cn/", 200, False, None, text), Expectation())
    assert failure is not None
    assert failure.kind is FailureKind.INTERCEPTED


def test_the_header_refresh_leads_elsewhere_too() -> None:
    answer = ServiceAnswer("http://www.zxx.cn/", 200, False, None, "please wait", refresh="0; url=http://10.1.1.1/p")
    assert failure_of_answer(answer, Expectation()) is not None
    stays = ServiceAnswer("http://www.zxx.cn/", 200, False, None, "please wait", refresh="30")
    assert failure_of_answer(stays, Expectation()) is None


APPLICATION = "<div id=app></div><script src=/app.js></script>"


@pytest.mark.parametrize(
    "text",
    [
        '<!--[if lt IE 9]><script>window.location.href="http://browsehappy.com/"</script><![endif]-->',
        '<noscript><meta http-equiv="refresh" content="0;url=http://enable-javascript.com/"></noscript>',
        '<noscript><iframe src="https://counter.example/ns.html"></iframe></noscript>',
        '<!-- <script>location.href="http://old.example/"</script> -->',
        '<script>function help() { window.open("http://help.example/") }</script>',
        '<script>if (/MSIE/.test(navigator.userAgent)) { location.href = "http://old.example/" }</script>',
        '<script>if (!window.Promise) window.location.href = "http://old.example/"</script>',
        '<script>// location.href="http://old.example/"\nrun()</script>',
        '<script>/* location.href="http://old.example/" */</script>',
        '<script>if (location.href == "http://www.other.example/") { run() }</script>',
        '<iframe src="https://counter.example/" hidden></iframe>',
        '<meta http-equiv="refresh" content="300">',
    ],
)
def test_an_application_that_could_lead_elsewhere_is_the_platform(text: str) -> None:
    for page in (text + APPLICATION, APPLICATION + text):
        assert failure_of_answer(ServiceAnswer("http://www.zxx.cn/", 200, False, None, page), Expectation()) is None


@pytest.mark.parametrize(
    "text", ["<!--", "<noscript ", "<script ", "<meta ", "<form ", "/*", "location=a", "<script>{"]
)
def test_no_page_takes_long(text: str) -> None:
    before = time.process_time()
    failure_of_answer(
        ServiceAnswer("http://www.zxx.cn/", 200, False, None, text * (65_536 // len(text))), Expectation()
    )
    failure_of_answer(ServiceAnswer("http://www.zxx.cn/", 200, False, None, text * (8_192 // len(text))), Expectation())
    assert time.process_time() - before < 2


@pytest.mark.parametrize("location", [None, "http://[::1", "http://127.0.0.1:7106x/", "weixin://x"])
def test_a_redirect_to_no_web_address_is_no_answer(location: str | None) -> None:
    failure = failure_of_answer(ServiceAnswer("http://www.zxx.cn/", 302, True, location), Expectation())
    assert failure is not None
    assert failure.kind is FailureKind.PROTOCOL_ERROR
