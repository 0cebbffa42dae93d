"""What each cause means, what to do about it, and who has to: in both languages, for pages, ledger and reports."""

from dataclasses import dataclass
from typing import Literal

from campus_base.language import Text

Unit = Literal["school", "carrier", "integrator", "platform", "bureau"]
UNIT_WORDS: dict[str, Text] = {
    "": Text("—", "—"),
    "school": Text("the school", "学校"),
    "carrier": Text("the carrier", "运营商"),
    "integrator": Text("who maintains the campus network", "校园网运维单位"),
    "platform": Text("who runs the platform", "平台运维单位"),
    "bureau": Text("the education bureau", "教育局信息中心"),
}


@dataclass(frozen=True, slots=True)
class Explanation:
    what: Text
    advice: Text
    unit: Unit | Literal[""]


def _e(unit: Unit | Literal[""], en: str, zh: str, do_en: str, do_zh: str) -> Explanation:
    return Explanation(Text(en, zh), Text(do_en, do_zh), unit)


EXPLANATIONS: dict[str, Explanation] = {
    "": _e("", "", "", "", ""),
    "no_report": _e(
        "school",
        "no result has arrived",
        "尚未收到测量结果",
        "check that the gateway is powered and online, then run `campus-agent doctor` on it",
        "请检查网关是否通电、联网，并在网关上运行 campus-agent doctor",
    ),
    "endpoint_off": _e(
        "school",
        "the classroom machine was not reachable at the times of the tests: switched off or unplugged",
        "测量时教室测试端不可达：未开机或网线未接",
        "switch the classroom machine on for one lesson, check its network cable, or correct its address",
        "请在一节课内开启教室电脑，检查网线，或更正其地址",
    ),
    "endpoint_name": _e(
        "bureau",
        "the endpoint's name is not resolved: check `host`",
        "测试端名称无法解析",
        "correct the address of the classroom in the inventory",
        "请在台账基础信息中更正该班级的地址",
    ),
    "endpoint_silent": _e(
        "school",
        "the endpoint accepts connections, then says nothing: its test service hangs",
        "测试端能连接但无应答：测试服务可能已卡死",
        "restart the test service on the classroom machine",
        "请重启教室电脑上的测试服务",
    ),
    "endpoint_not_running": _e(
        "school",
        "the machine is on, but its test service is not running",
        "教室电脑在线，但测试服务未运行",
        "start the test service (`campus-agent respond` or `iperf3 -s`) and let it start by itself",
        "请启动测试服务（campus-agent respond 或 iperf3 -s）并设为开机自启",
    ),
    "endpoint_weak": _e(
        "school",
        "the classroom machine itself is too slow to be tested",
        "教室电脑性能不足，无法完成测量",
        "test with another machine, or close what runs on it",
        "请更换测试电脑，或关闭其上运行的程序",
    ),
    "gateway_busy": _e(
        "school",
        "the gateway was too busy to measure",
        "网关过忙，无法可靠测量",
        "find what loads the gateway, or use a stronger one",
        "请排查网关上占用资源的程序，或更换性能更高的网关",
    ),
    "gateway_port": _e(
        "integrator",
        "the gateway's own port is slower than the target",
        "网关自身网口速率低于要求",
        "connect the gateway by a gigabit port and a Cat 5e cable or better",
        "请将网关接到千兆端口，并使用超五类及以上网线",
    ),
    "cross_traffic": _e(
        "school",
        "other traffic was too high to measure",
        "其他流量过高，无法可靠测量",
        "find out which traffic fills the line at the times of the tests",
        "请查明测量时段占满线路的流量来源",
    ),
    "port_speed_10": _e(
        "integrator",
        "the tests that fell short were flat at about 10 Mbit/s: a port negotiated 10 Mbit/s",
        "未达要求的测量速率集中在 10 兆左右：端口可能协商为 10 兆",
        "replace the cable (two of four pairs broken is typical), set both ends to auto-negotiation",
        "请更换网线（常见为线芯断开），并将两端端口设为自动协商",
    ),
    "port_speed_100": _e(
        "integrator",
        "the tests that fell short were flat at about 100 Mbit/s: a port negotiated 100 Mbit/s",
        "未达要求的测量速率集中在 100 兆左右：端口可能协商为百兆",
        "use a gigabit port and a cable with all four pairs; check each device between",
        "请使用千兆端口和八芯网线，并逐段检查中间设备",
    ),
    "half_duplex": _e(
        "integrator",
        "the port runs at half duplex: one end is not set to auto-negotiation",
        "端口为半双工：有一端未设自动协商",
        "set both ends of the cable to auto-negotiation",
        "请将网线两端端口都设为自动协商",
    ),
    "cable_errors": _e(
        "integrator",
        "the port counts frames with errors: cable or plug",
        "端口出现错误帧：网线或水晶头存在故障",
        "re-crimp or replace the cable; then watch whether the error counter stands still",
        "请重做水晶头或更换网线，并观察错误计数是否停止增长",
    ),
    "flat_rate": _e(
        "carrier",
        "the tests that fell short had about the same rate: looks like a rate limit",
        "未达要求的测量速率集中在同一水平：疑似被限速",
        "look for a rate limit on the switch or the contract, and have it raised",
        "请核查交换机限速配置或线路合同带宽，并予以调整",
    ),
    "shaped": _e(
        "carrier",
        "fast at first, then held at a lower rate: the line is shaped",
        "起始速率高、随后被压低：线路被限速",
        "show the evidence to whoever runs the line; the contracted rate must hold, not only its first second",
        "请将证据提交线路提供方：合同速率应持续保持，而非仅起始一瞬",
    ),
    "overloaded_line": _e(
        "carrier",
        "in the tests that fell short round trips grow long: the line is overloaded",
        "未达要求的测量中时延大幅上升：线路过载",
        "find out who shares the line and have it widened",
        "请查明共享线路的用户并扩容",
    ),
    "wireless_or_cable": _e(
        "integrator",
        "jitter or loss even when idle, and a rate that changes: Wi-Fi or a bad cable",
        "空闲时也有抖动或丢包且速率波动：无线接入或线路接触不良",
        "connect the classroom machine by cable; then check plugs and cable",
        "请改用有线连接，并检查水晶头和网线",
    ),
    "unstable_rate": _e(
        "integrator",
        "the rate changes from test to test: cable, Wi-Fi or shared line",
        "各次测量速率波动大：请检查网线、无线或共享线路",
        "compare quiet and busy hours; check the cable and what else uses the line",
        "请对比闲时与忙时，检查网线和线路上的其他用户",
    ),
    "uplink_bottleneck": _e(
        "carrier",
        "the classrooms fall short at the rate of the school's uplink",
        "全校班级与上联线路以相近速率未达要求：受上联线路带宽限制",
        "mend the uplink first; the classrooms follow",
        "请先解决学校上联线路问题，班级将随之恢复",
    ),
    "shared_bottleneck": _e(
        "integrator",
        "the classrooms fall short in the same way: what they share is the bottleneck",
        "全校班级以相近速率未达要求：公共设备（核心交换机或网关）是瓶颈",
        "check the gateway's port and the core switch before any classroom",
        "请先检查网关端口和核心交换机，再检查各班级",
    ),
    "agent_silent": _e(
        "school",
        "the school's gateway does not report",
        "学校网关未上报数据",
        "check that the gateway is powered and online, then run `campus-agent doctor` on it",
        "请检查网关是否通电、联网，并在网关上运行 campus-agent doctor",
    ),
    "all_endpoints_off": _e(
        "school",
        "the school's classroom machines were not reachable at the times of the tests",
        "测量时全校教室测试端均不可达",
        "check the switch between gateway and classrooms; have the machines on during one lesson",
        "请检查网关到教室的交换机，并在一节课内开启教室电脑",
    ),
    "name_resolution": _e(
        "carrier",
        "the platform's name is not resolved",
        "平台域名无法解析",
        "check the DNS servers the school uses",
        "请检查学校使用的 DNS 服务器",
    ),
    "unreachable": _e(
        "carrier",
        "the platform is not reached",
        "平台无法连接",
        "check the line and the firewall; ask other schools whether they reach it",
        "请检查线路和防火墙，并与其他学校对比",
    ),
    "certificate": _e(
        "platform",
        "the platform's certificate is refused",
        "平台证书校验未通过",
        "tell the platform's operator; also check the clock of the gateway",
        "请通知平台运维单位，并检查网关时钟",
    ),
    "intercepted": _e(
        "school",
        "something else than the platform answers, such as a log-in page of the network",
        "访问被拦截：应答的不是该平台，例如上网认证页面",
        "let the gateway through without a log-in; if the platform itself leads elsewhere, fill in expect_status or expect_text in the inventory",
        "请将网关加入免认证名单；若为平台自身跳转，请在基础信息中填写期望状态码或期望内容",
    ),
    "slow_answer": _e(
        "platform",
        "the platform's first byte comes too late",
        "平台首字节响应过慢",
        "compare schools: if all are slow it is the platform, else the school's line",
        "请对比各校：若普遍偏慢为平台原因，否则为本校线路原因",
    ),
    "server_error": _e(
        "platform",
        "the platform answers with an error",
        "平台返回错误",
        "tell the platform's operator",
        "请通知平台运维单位",
    ),
    "room_down": _e(
        "school",
        "a required device of each room was down too often",
        "每间录播室都有必备设备多次异常",
        "switch the devices on in school hours; mend the one that is named",
        "请在上课时间开启设备，并维修所列设备",
    ),
    "delay_under_load": _e(
        "carrier",
        "round trips grow too long when the line is full",
        "线路繁忙时时延过大",
        "have queues shortened on the school's router (fair queueing), or the line widened",
        "请在学校路由器上启用公平队列（智能流控），或扩容线路",
    ),
    "delay_idle": _e(
        "carrier",
        "round trips, jitter or loss are too high even when idle",
        "空闲时时延、抖动或丢包已超限",
        "show the evidence to the carrier: the line itself is at fault",
        "请将证据提交运营商：线路本身存在质量问题",
    ),
    "skipped": _e(
        "bureau",
        "tests were planned but not made: no free time or no octets left",
        "测量已计划但未执行：没有空闲时段或当日测量流量已用完",
        "give the gateway more free time or a larger daily budget",
        "请为网关增加可测时段或每日测量流量",
    ),
    "too_few": _e(
        "bureau",
        "too few valid results so far",
        "有效测量次数不足",
        "wait for the rest of the month, or have more tests made",
        "请等待本月后续测量，或增加测量次数",
    ),
    "too_few_days": _e(
        "bureau",
        "valid results on too few days so far",
        "有效测量的天数不足",
        "wait for the rest of the month",
        "请等待本月后续测量",
    ),
    "unknown": _e(
        "bureau",
        "cause unknown",
        "原因不明",
        "look at the results one by one",
        "请逐条查看测量结果",
    ),
}
CAUSE_WORDS: dict[str, Text] = {code: explanation.what for code, explanation in EXPLANATIONS.items()}
