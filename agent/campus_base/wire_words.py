"""What the closed vocabularies of campus_wire are called, in both languages."""

from campus_base.language import Text
from campus_wire.bandwidth import Verdict
from campus_wire.failures import FailureKind, Operation, SkipReason, Validity

OPERATION_WORDS: dict[Operation, Text] = {
    Operation.RESOLVE: Text("resolving the name", "域名解析"),
    Operation.CONNECT: Text("connecting", "建立连接"),
    Operation.TLS: Text("TLS handshake", "TLS 握手"),
    Operation.AUTHENTICATE: Text("authenticating", "身份验证"),
    Operation.REQUEST: Text("sending the request", "发送请求"),
    Operation.READ: Text("reading the answer", "读取应答"),
    Operation.TRANSFER: Text("transferring test data", "传输测试数据"),
    Operation.PREPARE: Text("preparing the test", "测试准备"),
    Operation.UNKNOWN: Text("unknown step", "未知步骤"),
}

FAILURE_WORDS: dict[FailureKind, Text] = {
    FailureKind.NAME_NOT_FOUND: Text("the name does not exist", "域名不存在"),
    FailureKind.NAME_SERVER_FAILED: Text("the name server did not answer", "域名服务器无应答"),
    FailureKind.CONNECTION_REFUSED: Text(
        "connection refused: the host is up, the service is not running", "连接被拒绝：主机在线，但测试服务未运行"
    ),
    FailureKind.CONNECTION_RESET: Text("connection reset by the other side", "连接被对端中断"),
    FailureKind.HOST_UNREACHABLE: Text(
        "host unreachable: switched off or unplugged", "主机不可达：可能未开机或网线未接"
    ),
    FailureKind.NETWORK_UNREACHABLE: Text("network unreachable: no route", "网络不可达：没有路由"),
    FailureKind.TIMEOUT: Text("no answer in time", "超时无应答"),
    FailureKind.BUSY: Text("the endpoint is busy with another test", "测试端正忙（正在进行另一项测试）"),
    FailureKind.NOT_AUTHORISED: Text("not authorised", "未获授权"),
    FailureKind.CERTIFICATE_EXPIRED: Text("the certificate has expired", "证书已过期"),
    FailureKind.CERTIFICATE_NOT_YET_VALID: Text(
        "the certificate is not valid yet by this gateway's clock", "按网关时钟，证书尚未生效"
    ),
    FailureKind.CERTIFICATE_NAME_MISMATCH: Text("the certificate is for another name", "证书与域名不符"),
    FailureKind.CERTIFICATE_UNTRUSTED: Text("the certificate is not trusted", "证书不受信任"),
    FailureKind.TLS_FAILED: Text("TLS handshake failed", "TLS 握手失败"),
    FailureKind.HTTP_STATUS: Text("the server answered with an error status", "服务器返回错误状态码"),
    FailureKind.INTERCEPTED: Text(
        "something else than the platform answered (a log-in page of the network?)",
        "应答并非来自该平台（可能被上网认证页面等拦截）",
    ),
    FailureKind.PROTOCOL_ERROR: Text("the answer was not understood", "应答内容不符合协议"),
    FailureKind.PERMISSION_DENIED: Text("the gateway lacks a permission", "网关缺少所需权限"),
    FailureKind.NOT_CONFIGURED: Text("a file or a setting is missing on the gateway", "网关缺少所需文件或配置"),
    FailureKind.TOOL_MISSING: Text("a program or library is missing on the gateway", "网关缺少所需程序或库"),
    FailureKind.WORKER_DIED: Text("the measuring process died", "测量进程异常退出"),
    FailureKind.UNKNOWN: Text("unknown cause", "原因不明"),
}

VALIDITY_WORDS: dict[Validity, Text] = {
    Validity.OK: Text("valid", "有效"),
    Validity.ENDPOINT_OFF: Text("endpoint switched off or not reachable", "测试端未开机或不可达"),
    Validity.ENDPOINT_BUSY: Text("endpoint busy", "测试端正忙"),
    Validity.CROSS_TRAFFIC: Text("other traffic was too high during the test", "测试期间其他流量过高"),
    Validity.GATEWAY_CPU: Text("the gateway's CPU was too busy during the test", "测试期间网关处理器过忙"),
    Validity.GATEWAY_LIMIT: Text("the gateway itself was the limit, not the line", "瓶颈在网关本身，不在线路"),
    Validity.ENDPOINT_LIMIT: Text("the endpoint itself was the limit, not the line", "瓶颈在测试端本身，不在线路"),
    Validity.CLOCK_UNTRUSTED: Text("the gateway's clock cannot be trusted", "网关时钟不可信"),
    Validity.INCONCLUSIVE: Text("no sure verdict was possible", "无法得出确定结论"),
    Validity.NOT_MEASURED: Text("could not be measured", "未能完成测量"),
    Validity.UNKNOWN: Text("not valid (unknown reason)", "无效（原因未知）"),
}

SKIP_WORDS: dict[SkipReason, Text] = {
    SkipReason.LESSON: Text("a lesson is going on", "正在上课"),
    SkipReason.BLACKOUT: Text("blackout day: no active test", "禁测日，不进行主动测试"),
    SkipReason.HOLIDAY: Text("holiday", "节假日"),
    SkipReason.BYTE_BUDGET: Text("the day's byte budget is used up", "当日测试流量额度已用完"),
    SkipReason.CROSS_TRAFFIC: Text("the segment is busy", "网段正忙"),
    SkipReason.GATEWAY_CPU: Text("the gateway is busy", "网关正忙"),
    SkipReason.SEGMENT_BUSY: Text("another test is running on the segment", "同一网段正在进行其他测试"),
    SkipReason.NO_SLOT: Text("the test server has no free slot", "测试服务器没有空闲时段"),
    SkipReason.ENDPOINT_OFF: Text("the endpoint is switched off", "测试端未开机"),
    SkipReason.STOPPING: Text("the agent is stopping", "程序正在停止"),
    SkipReason.UNKNOWN: Text("unknown reason", "原因未知"),
}

VERDICT_WORDS: dict[Verdict, Text] = {
    Verdict.MET: Text("met", "达标"),
    Verdict.NOT_MET: Text("not met", "未达标"),
    Verdict.INSUFFICIENT: Text("insufficient data", "数据不足"),
    Verdict.EXEMPT: Text("exempt", "免考核"),
}
