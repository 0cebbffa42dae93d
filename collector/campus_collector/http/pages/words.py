"""Every sentence of the pages, in both languages."""

import re

from campus_base.figures import megabits, milliseconds, rounded
from campus_base.language import Text

IDENTITY_SHARED_WORDS = Text(
    "two machines report as this gateway (a copied disk or token): revoke the token and enroll the right one again",
    "有两台设备以该网关身份上报（系统盘或令牌被复制）：请吊销令牌，并为正确的网关重新登记",
)
WORDS: dict[str, Text] = {
    "problems": Text("Problem ledger", "问题台账"),
    "problem": Text("Problem", "问题"),
    "problems_count": Text("{count} shown", "共 {count} 条"),
    "no_problems": Text("No problem fits this selection.", "没有符合条件的问题。"),
    "any": Text("any", "全部"),
    "still_open": Text("still open", "未销号"),
    "older_than": Text("open for days", "立案满（天）"),
    "show": Text("Show", "筛选"),
    "show_content": Text("Show", "查看内容"),
    "as_xlsx": Text("Excel file", "导出 Excel"),
    "as_csv": Text("CSV file", "导出 CSV"),
    "number": Text("No.", "编号"),
    "responsible": Text("Responsible", "责任单位"),
    "due": Text("Due", "完成时限"),
    "opened_on": Text("Opened", "立案日期"),
    "struck_off_on": Text("Struck off", "销号日期"),
    "failing_days": Text("Failing days", "不达标天数"),
    "passing_days": Text("Passing days in a row", "连续达标天数"),
    "measure": Text("Measure", "整改措施"),
    "colon": Text(": ", "："),
    "derivation": Text("How the verdict came about", "查看判定过程"),
    "covers": Text("Classrooms", "涉及班级"),
    "work_on_it": Text("Work on it", "办理"),
    "comment": Text("Comment", "备注"),
    "acknowledge": Text("Acknowledge", "受理"),
    "assign": Text("Assign", "指定责任单位"),
    "change_due": Text("Change the date", "调整时限"),
    "note_measure": Text("Note the measure", "填写措施"),
    "add_comment": Text("Comment", "添加备注"),
    "claim_fixed": Text("Claim it fixed", "报整改完成"),
    "claim_hint": Text(
        "Measurements decide: it is struck off after {days} passing days in a row.",
        "以实测为准：连续 {days} 天达标后自动销号。",
    ),
    "history": Text("History", "办理记录"),
    "back_to_problems": Text("Ledger", "返回台账"),
    "back_to_school": Text("School", "返回学校"),
    "log_in": Text("Log in", "登录"),
    "log_out": Text("Log out", "退出登录"),
    "log_in_to_work": Text("Log in to work on it", "登录后办理"),
    "log_in_to_import": Text("Log in to import", "登录后导入"),
    "logged_in_as": Text("Logged in as {name}.", "当前登录：{name}。"),
    "token": Text("Personal token", "个人令牌"),
    "token_hint": Text("The administrator of this collector prints one:", "个人令牌由采集端管理员生成："),
    "your_name": Text("NAME", "姓名"),
    "person_name": Text("Name", "姓名"),
    "password": Text("Password", "密码"),
    "password_old": Text("Present password", "当前密码"),
    "password_new": Text("New password", "新密码"),
    "password_again": Text("New password again", "再次输入新密码"),
    "password_hint": Text(
        "10 characters or more; length counts, a sentence is good. After it you log in again everywhere.",
        "至少 10 个字符，越长越好，可以是一句话。修改后需在各处重新登录。",
    ),
    "password_refused": Text(
        "Name and password do not fit, or the name is locked for a quarter of an hour after wrong passwords.",
        "姓名与密码不符；或因多次输错，该姓名暂停登录一刻钟。",
    ),
    "passwords_differ": Text("The two new passwords differ.", "两次输入的新密码不一致。"),
    "change_password": Text("Change the password", "修改密码"),
    "set_password": Text("Set a password", "设置密码"),
    "log_in_by_token": Text("With a personal token", "使用个人令牌登录"),
    "log_in_by_provider": Text("Log in with {label}", "使用{label}登录"),
    "provider_away": Text(
        "The log-in service does not answer; try a password or token.", "统一认证服务无应答，请使用密码或令牌登录。"
    ),
    "provider_refused": Text(
        "The log-in service's answer was not accepted; please try again.", "统一认证的应答未被接受，请重试。"
    ),
    "identity_unknown": Text(
        "{identity} has no access here; the administrator can grant it.", "{identity} 尚未获得授权，请联系管理员。"
    ),
    "account": Text("Account", "账户"),
    "people": Text("People", "人员"),
    "role": Text("Role", "角色"),
    "role_viewer": Text("viewer: reads", "查看"),
    "role_operator": Text("operator: works on the ledger", "办理：可办理台账"),
    "role_admin": Text("admin: also the inventory", "管理：另可导入基础信息"),
    "role_town": Text("Reach", "范围"),
    "whole_county": Text("whole county", "全县"),
    "proofs": Text("Logs in by", "登录方式"),
    "proof_token": Text("token", "令牌"),
    "proof_password": Text("password", "密码"),
    "proof_identity": Text("single sign-on ({identity})", "统一认证（{identity}）"),
    "person_locked": Text("locked for now", "暂停登录"),
    "person_revoked": Text("access withdrawn", "已撤销"),
    "person_active": Text("active", "有效"),
    "people_hint": Text("People are let in and refused on the collector's machine:", "在采集端服务器上授权或撤销："),
    "fleet": Text("Gateways", "网关"),
    "test_server": Text(
        "Test server of the uplinks: turns for {rate} Gbit/s are given out ([slots] capacity_bits_per_second), up to {gigabytes} GB an hour."
        " It must serve as much: campus-agent respond --capacity {capacity}; without --capacity it refuses after 10 GB an hour.",
        "上联测试服务器：按 {rate} Gbit/s 分配测试时段（[slots] capacity_bits_per_second），每小时最多 {gigabytes} GB。"
        "测试服务器须以相同额度运行：campus-agent respond --capacity {capacity}；未加 --capacity 时每小时超过 10 GB 即拒绝测试。",
    ),
    "fleet_versions": Text("Versions, and how many gateways have them", "各版本网关数量"),
    "fleet_own": Text("collector {version}", "采集端 {version}"),
    "warnings": Text("Needs a hand", "待处理"),
    "no_warnings": Text("nothing", "无"),
    "trail": Text("What people did", "操作记录"),
    "token_refused": Text("This token is not known, or revoked.", "令牌不存在或已吊销。"),
    "not_allowed": Text("You are not allowed to do that.", "您没有此项权限。"),
    "too_many": Text("Too many attempts; wait some minutes.", "尝试次数过多，请几分钟后再试。"),
    "form_old": Text("The page was too old; please do it again.", "页面已过期，请重新操作。"),
    "inventory": Text("Inventory", "基础信息"),
    "mistakes_count": Text("{count} mistake(s); nothing was changed.", "共 {count} 处错误，未做任何修改。"),
    "would_change": Text("What would change", "将发生的变化"),
    "would_remove": Text(
        "{sheet}: {gone} of {had} rows would be removed. Make sure that this is meant.",
        "{sheet}：{had} 行中将移除 {gone} 行，请确认无误。",
    ),
    "confirm_removal": Text(
        "Rows would be removed: confirm it with the check box.", "将移除数据：请勾选确认后再导入。"
    ),
    "removal_is_meant": Text("Yes, these rows are to be removed", "确认移除以上数据"),
    "ignored": Text("Left aside", "未使用"),
    "valid_from": Text("In force from", "生效日期"),
    "activate": Text("Put in force", "确认导入"),
    "imported": Text("In force: version {version}.", "已生效：第 {version} 版。"),
    "choose_file": Text("Excel file (.xlsx), or CSV files in a .zip", "Excel 文件（.xlsx）或 CSV 压缩包（.zip）"),
    "preview": Text("Preview", "预览"),
    "imports": Text("Imports", "导入记录"),
    "monthly": Text("Monthly reports", "月度通报"),
    "month_word": Text("month", "月份"),
    "monthly_state": Text("state", "状态"),
    "monthly_open": Text("in progress; closes {at}", "进行中（未结），{at} 结账"),
    "monthly_complete": Text("not closed; closes {at}", "未结，{at} 结账"),
    "monthly_closed": Text("closed", "已结"),
    "monthly_documents": Text("report", "通报"),
    "monthly_hash": Text("hash of its figures", "数据摘要"),
    "monthly_none": Text("There are no results yet, so there is no report.", "尚无测量结果，因此没有通报。"),
    "monthly_excerpt": Text("One page for a town or a school", "镇街、学校摘页"),
    "monthly_area": Text("town or school", "镇街或学校"),
    "monthly_form": Text("form", "格式"),
    "monthly_get": Text("get it", "生成"),
    "policy": Text("Policy", "考核政策"),
    "policy_version": Text("version {version}", "版本 {version}"),
    "policy_text": Text("The whole text", "政策文件全文"),
    "source": Text("Source", "依据"),
    "in_force_from": Text("From", "起始日期"),
    "in_force": Text("in force", "生效中"),
    "rule": Text("Rule", "规则"),
    "formula": Text(
        "Line rate = goodput × octets of a full frame on the line / octets of payload in it; for Ethernet, IPv4, TCP with"
        " timestamps 1538/1448.",
        "线路速率＝有效吞吐量×整帧线路字节数÷帧内载荷字节数；以太网、IPv4、TCP 带时间戳时为 1538÷1448。",
    ),
    "ledger_rule": Text(
        "A problem opens after {failing} failing days of the last {window} with results, or {silent} school days without any;"
        " it is due {due} days later, struck off after {passing} passing days in a row; a claim is contradicted by {contradict} failing days.",
        "最近 {window} 个有结果日中有 {failing} 天不达标，或连续 {silent} 个上课日无有效结果，即立案；完成时限为立案后 {due} 天；"
        "连续 {passing} 天达标即销号；报整改完成后有 {contradict} 天不达标，即认定与实测不符。",
    ),
    "maintenance": Text("Planned maintenance", "计划维护"),
    "exemptions": Text("Exemptions", "免考核"),
    "all_targets": Text("all", "全部指标"),
    "from_until": Text("from - until", "起止日期"),
    "reason": Text("Reason", "原因"),
    "likely_causes": Text("Likely causes", "可能原因"),
    "by_day": Text("Day by day", "逐日"),
    "day": Text("Day", "日期"),
    "valid": Text("Valid", "有效"),
    "passing": Text("Passing", "合格"),
    "uncounted": Text("Not judged", "不计入"),
    "exempt_day": Text("(exempt)", "（免考核）"),
    "each_result": Text("Each result ({count})", "逐条结果（{count}）"),
    "port": Text("port {switch} {port}: {link} ({found_by})", "端口 {switch} {port}：{link}（{found_by}）"),
    "port_errors": Text("; {ratio} of frames with errors: cable or plug", "；错误帧 {ratio}：网线或水晶头存在故障"),
    "port_unknown": Text("switch port not read: {why}", "未能读取交换机端口：{why}"),
    "inspection": Text(
        "inspection from a browser {when}: down {down}, up {up}, {verdict} ({machine}; {browser})",
        "现场浏览器检测（{when}）：下行 {down}，上行 {up}，{verdict}（{machine}；{browser}）",
    ),
    "own_machine": Text("the classroom's machine", "班级电脑"),
    "other_machine": Text("another machine, perhaps on Wi-Fi", "其他设备，可能为无线接入"),
    "grade": Text("evidence: {grade}", "证据：{grade}"),
    "dhcp": Text(
        "{count} DHCP servers answer in the school ({listed}; {when}): one of them does not belong there, often a home router plugged in"
        " by its wrong port.",
        "校内有 {count} 台 DHCP 服务器应答（{listed}；{when}）：其中有一台不应存在，常见原因是家用路由器接错网口。",
    ),
    "shared": Text("One cause for the whole school: ", "全校共同原因："),
    "left_out": Text(
        "Left out, because of an error that the log names: {schools}.", "因程序错误未显示（详见日志）：{schools}。"
    ),
    "quarantine": Text("Results that were not accepted", "被隔离的结果"),
    "quarantine_hint": Text(
        "They arrived and are kept apart: they count for no verdict. Of each school the newest 500 are kept.",
        "已收到但未被接受的结果：单独保存，不参与判定；每校保留最新 500 条。",
    ),
    "quarantine_empty": Text("Nothing is in quarantine.", "没有被隔离的结果。"),
    "received": Text("Received", "收到时间"),
    "content": Text("Content", "内容"),
    "certificate_ends": Text(
        "The collector's certificate ends on {day}: renew it (campus-collector tls renew), or gateways and browsers will refuse it.",
        "采集端证书将于 {day} 到期：请更新证书（campus-collector tls renew），否则网关和浏览器将拒绝连接。",
    ),
    "simulated": Text("Invented schools: simulated data.", "虚构学校：模拟数据。"),
    "data_as_of": Text("Data as of {time}.", "数据截至 {time}。"),
    "still_judging": Text(
        "Still being worked out: results of {count} school(s) are not judged yet; figures will change.",
        "正在统计：还有 {count} 所学校的结果尚未判定，数据仍会变化。",
    ),
    "still_ledger": Text(
        "Still being worked out: the ledger has not looked at all complete days yet.",
        "正在统计：问题台账尚未核对完已结束的日期。",
    ),
    "product": Text("CampusMeter", "校园测"),
    "tagline": Text("School network compliance, by measurement", "学校网络达标实测"),
    "overview": Text("Overview", "总览"),
    "other_language": Text("中文", "English"),
    "month": Text("Month {month} (in progress)", "{year} 年 {number} 月（未结）"),
    "agreement": Text(
        "Quick tests against iperf3 for 10 s this month: {agreeing} of {compared} directions agree.",
        "本月快速测速与 iperf3 十秒对照：{compared} 次比对中 {agreeing} 次结论一致。",
    ),
    "no_agreement": Text(
        "Quick tests have not been compared with iperf3 for 10 s this month.",
        "本月尚无快速测速与 iperf3 十秒测试的比对。",
    ),
    "judged_by": Text(
        "Policy version {version}; line rates; tolerance {tolerance}.",
        "政策版本 {version}；按线路速率判定；允许测量误差 {tolerance}。",
    ),
    "provisional": Text(
        "PROVISIONAL CALENDAR: holidays are known to the program up to {day} only; for later days Monday to Friday are taken for workdays.",
        "日历暂定：程序已知的节假日安排仅到 {day}，其后暂按周一至周五为上课日计算。",
    ),
    "calendar_known": Text(
        "Holidays and make-up workdays are known up to {day}; for later days Monday to Friday are taken for workdays, provisionally.",
        "节假日与调休安排已知至 {day}；其后暂按周一至周五为上课日计算。",
    ),
    "doubtful": Text("doubtful: ", "存疑："),
    "targets": Text("This month by target", "本月各项指标"),
    "rate_of": Text("Compliance rate", "达标率"),
    "no_subjects": Text("nothing to judge yet", "暂无考核对象"),
    "subjects_count": Text("{count} to be judged", "应考核 {count} 个"),
    "schools": Text("Schools", "学校"),
    "schools_count": Text("{count} schools, those with most to do first", "共 {count} 所，问题较多者在前"),
    "school": Text("School", "学校"),
    "town": Text("Town", "镇街"),
    "classrooms": Text("Classrooms", "班级网络"),
    "classroom": Text("Classroom", "班级"),
    "uplink": Text("School uplink", "学校出口"),
    "services": Text("Cloud platforms", "云平台"),
    "service": Text("Platform", "平台"),
    "other_targets": Text("The school as a whole", "全校指标"),
    "target": Text("Target", "指标"),
    "room": Text("Recording room {room}", "录播室 {room}"),
    "device": Text("Device", "设备"),
    "state": Text("State", "状态"),
    "readings": Text("What it says", "设备读数"),
    "works": Text("works", "正常"),
    "broken": Text("does not work", "异常"),
    "unknown_state": Text("not known", "未知"),
    "optional": Text("not required", "非必备"),
    "beyond": Text("beyond its limit: {reading}", "超出限值：{reading}"),
    "gateway": Text("Gateway", "网关"),
    "measured": Text("Line rate (latest valid test)", "线路速率（最近一次有效测量）"),
    "required": Text("required {rate}", "要求 {rate}"),
    "down": Text("down", "下行"),
    "up": Text("up", "上行"),
    "latest": Text("Latest test", "最近一次测量"),
    "this_month": Text("This month", "本月结论"),
    "progress": Text(
        "{decided}; {valid}/{need} tests on {days}/{need_days} days",
        "{decided}；需 {need} 次、{need_days} 天，已有 {valid} 次、{days} 天",
    ),
    "rtt": Text("RTT {idle} idle, {working} under load", "空闲时延 {idle}，负载时延 {working}"),
    "rtt_idle": Text("RTT {idle}", "时延 {idle}"),
    "below": Text("{rate} is below {least}", "{rate}，低于 {least}"),
    "by_latest": Text("Latest tests: ✓ {met}  ✗ {not_met}  ? {open}", "按最近一次测量：✓ {met}  ✗ {not_met}  ? {open}"),
    "never": Text("never measured", "尚未测量"),
    "never_valid": Text("no valid test yet", "尚无有效测量"),
    "not_judged": Text("not judged", "不计入考核"),
    "skipped": Text("not tested: {reason}", "未测：{reason}"),
    "first_byte": Text("First byte", "首字节"),
    "access": Text("Result", "访问结果"),
    "reachable": Text("reachable", "可访问"),
    "with_status": Text("{note} (HTTP status {status})", "{note}（HTTP 状态码 {status}）"),
    "not_reachable": Text("not reachable", "不可访问"),
    "last_report": Text("Last report", "最近上报"),
    "silent": Text("no report for {age}", "已 {age}未上报"),
    "reporting": Text("reporting", "正常上报"),
    "pending": Text("Waiting on the gateway", "网关待上报"),
    "results_count": Text("{count} results", "{count} 条"),
    "dropped": Text("Dropped on the gateway", "网关已丢弃"),
    "clock_offset": Text("Clock difference", "时钟偏差"),
    "cpu": Text("CPU", "处理器占用"),
    "memory": Text("Memory free", "可用内存"),
    "disk": Text("Disk free", "可用磁盘"),
    "version": Text("Agent version", "程序版本"),
    "identity": Text("Identity", "身份"),
    "config_problem": Text("Refused the bureau's configuration", "未采用教育局下发的配置"),
    "all_well": Text("nothing to do", "无待处理问题"),
    "not_met_count": Text("{count} not met", "{count} 项未达标"),
    "insufficient_count": Text("{count} with too little data", "{count} 项数据不足"),
    "empty_title": Text("No school has reported yet", "尚无学校上报数据"),
    "empty_1": Text(
        "1. Make a token for the school's gateway, here at the bureau:", "第一步：在采集服务器上为学校网关生成令牌："
    ),
    "empty_2": Text(
        "2. Put it into the gateway's token file and start the agent there:",
        "第二步：把令牌写入网关的 token 文件，并在网关上启动程序：",
    ),
    "empty_3": Text(
        "3. The first results appear here within a few minutes.", "第三步：几分钟后，首批测量结果会显示在本页。"
    ),
    "no_such_school": Text("No such school: {id}", "没有这所学校：{id}"),
    "no_such_problem": Text("No such problem: {number}", "没有这个问题：{number}"),
    "no_such_subject": Text(
        "{subject} was not judged by {target} in {month}.", "{month} 没有考核对象 {subject}（指标 {target}）。"
    ),
    "no_such_target": Text("No such target: {target}", "没有这项指标：{target}"),
    "back": Text("All schools", "全部学校"),
    "legend": Text(
        "Solid line: required rate. Dotted line: required rate less the tolerance. A bar that reaches the dotted line passes.",
        "实线为要求速率，虚线为扣除允许误差后的速率；条形达到虚线即为合格。",
    ),
    "updated": Text("As of {time}; the page renews itself every 30 seconds.", "截至 {time}；页面每 30 秒自动更新。"),
    "unavailable": Text(
        "The database cannot be read at the moment. The page tries again by itself.",
        "暂时无法读取数据库，页面会自动重试。",
    ),
}


REFUSALS: dict[int, Text] = {
    400: Text("This address was not understood: please go back and try again.", "无法识别该请求，请返回重试。"),
    401: Text("Please log in.", "请先登录。"),
    403: Text("You are not allowed to see or do that.", "您没有此项权限。"),
    404: Text("This is not known here.", "没有找到您要的内容。"),
    405: Text("This address was not understood: please go back and try again.", "无法识别该请求，请返回重试。"),
    409: Text("This is not possible now: please open the page again.", "当前无法办理，请重新打开页面。"),
    411: Text("The form did not arrive whole: please try again.", "表单不完整，请重试。"),
    413: Text("The file or form is too large.", "文件或表单过大。"),
    429: Text("Too many attempts; wait some minutes.", "尝试次数过多，请几分钟后再试。"),
    503: Text("Not possible just now; please try again in a moment.", "暂时无法处理，请稍后再试。"),
}


def age_words(seconds: float) -> Text:
    """How long ago, in the largest unit that says enough."""
    if seconds < 60:
        return Text("less than a minute", "不到 1 分钟")
    for unit, en, zh in ((86_400, "day", "天"), (3_600, "hour", "小时"), (60, "minute", "分钟")):
        if seconds >= unit:
            count = int(seconds // unit)
            return Text(f"{count} {en}{'s' if count > 1 else ''}", f"{count} {zh}")
    raise AssertionError("unreachable")


def ago_words(seconds: float) -> Text:
    """The same as a moment."""
    if seconds < 60:
        return Text("just now", "刚刚")
    age = age_words(seconds)
    return Text(f"{age.en} ago", f"{age.zh}前")


def rate_words(bits_per_second: float | None, *limits: float) -> Text:
    """A rate: 兆 is how Chinese readers call Mbit/s (百兆, 千兆). `limits` are rates that it is compared with."""
    if bits_per_second is None:
        return Text("—", "—")
    value = bits_per_second / 1e6
    decimals = 0 if value >= 995 or value == round(value) else 1
    text = megabits(bits_per_second, *limits, decimals=decimals)
    return Text(f"{text} Mbit/s", f"{text} 兆")


def browser_words(agent: str) -> str:
    """Which browser and system a User-Agent names, shortly; what it says is its own word."""
    found = [
        match[0].replace("Edg/", "Edge ").replace("/", " ")
        for pattern in _BROWSERS
        if (match := re.search(pattern, agent)) is not None
    ]
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return " · ".join(part for part in ((found or [agent[:40]])[0], system) if part) or "?"


_BROWSERS = (r"MicroMessenger/[\d.]+", r"Edg/\d+", r"Firefox/\d+", r"Chrome/\d+", r"Safari/\d+")
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def duration_words(seconds: float | None, *limits: float) -> Text:
    """A short time; `limits` are the longest that are allowed."""
    if seconds is None:
        return Text("—", "—")
    if seconds >= 1:
        shown = rounded(seconds, 2, at_most=limits)
        return Text(f"{shown} s", f"{shown} 秒")
    text = milliseconds(seconds, *limits, decimals=1 if seconds < 0.1 else 0)
    return Text(f"{text} ms", f"{text} 毫秒")


def size_words(octets: float | None) -> Text:
    """An amount of memory or disk."""
    if octets is None:
        return Text("—", "—")
    text = f"{octets / 1e9:.1f} GB" if octets >= 1e9 else f"{octets / 1e6:.0f} MB"
    return Text(text, text)
