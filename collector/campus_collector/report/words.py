"""What the report says beside its numbers, in both languages side by side."""

from campus_base.language import Language, Text
from campus_base.wire_words import FAILURE_WORDS, OPERATION_WORDS, SKIP_WORDS, VALIDITY_WORDS

WORDS: dict[str, Text] = {
    "title": Text("Monthly report on school network compliance", "学校网络达标情况月通报"),
    "title_county": Text("{county}: monthly report on school network compliance", "{county}学校网络达标情况月通报"),
    "title_excerpt": Text("{name}: school network compliance", "{name}网络达标情况"),
    "month": Text("{month}", "{year}年{number}月"),
    "fact_month": Text("Month", "通报月份"),
    "fact_issued": Text("Issued on", "签发日期"),
    "fact_made": Text("Made on", "生成日期"),
    "fact_policy": Text("Policy version", "政策版本"),
    "fact_as_of": Text("Data as of", "数据截至"),
    "working": Text(
        "still being worked out: not all results are judged, figures will change",
        "正在统计：尚有结果未判定，数据仍会变化",
    ),
    "fact_schools": Text("Schools", "学校总数"),
    "schools_value": Text("{n}", "{n}所"),
    "date": Text("{year}-{number:02d}-{day:02d}", "{year}年{number}月{day}日"),
    "not_closed": Text("NOT CLOSED: figures may still change", "未结：数据仍可能变化"),
    "in_progress": Text(
        "NOT CLOSED: the month is in progress, figures will change", "未结：本月尚未结束，数据仍将变化"
    ),
    "simulated": Text("INVENTED DATA for demonstration and checks", "演示数据：学校与结果均为虚构"),
    "empty": Text(
        "No subject was to be judged and no result is on record for this month.", "本月没有考核对象，也没有测量结果。"
    ),
    "summary": Text("1. Summary", "一、总体情况"),
    "towns": Text("2. Towns", "二、镇街排名"),
    "schools": Text("3. Schools", "三、学校情况"),
    "failing": Text("4. What does not meet its target", "四、未达标清单"),
    "rooms": Text("5. Recording rooms", "五、录播室"),
    "live": Text("6. Ready for live lessons (line tested outside lessons)", "六、三个课堂就绪情况（课外测线路）"),
    "platforms": Text("7. Cloud platforms", "七、云平台访问"),
    "ledger": Text("8. Problem ledger", "八、问题台账"),
    "data": Text("9. How complete the data are", "九、数据完整性"),
    "trend": Text("10. Trend and outlook", "十、趋势与展望"),
    "corrections": Text("11. Corrections of earlier months", "十一、往月更正"),
    "method": Text("Appendix: method", "附：测量与判定方法"),
    "proof": Text("Appendix: proof", "附：数据凭证"),
    "t_targets": Text("Targets", "五项指标"),
    "t_towns": Text("Ranking of towns", "镇街排名"),
    "t_schools": Text("Schools", "学校"),
    "t_failing": Text("Not met", "未达标"),
    "t_rooms": Text("Recording rooms", "录播室"),
    "t_live": Text("Live lessons", "三个课堂"),
    "t_platforms": Text("Platforms", "云平台"),
    "t_ledger": Text("Ledger", "台账"),
    "t_units": Text("By unit", "责任单位"),
    "t_ledger_lines": Text("Overdue or contradicted", "逾期或与实测不符的问题"),
    "t_data": Text("Results", "测量结果"),
    "t_reasons": Text("Not judged", "未判定原因"),
    "t_agreement": Text("Agreement", "一致性"),
    "t_trend": Text("Trend", "趋势"),
    "t_forecast": Text("Outlook", "展望"),
    "t_corrections": Text("Corrections", "往月更正"),
    "t_rules": Text("Rules", "判定规则"),
    "t_heads": Text("Chain heads", "数据链"),
    "c_target": Text("target", "指标"),
    "c_subjects": Text("judged", "应考核数"),
    "c_met": Text("met", "达标"),
    "c_not_met": Text("not met", "未达标"),
    "c_insufficient": Text("too few data", "数据不足"),
    "c_exempt": Text("exempt", "免考核"),
    "c_ratio": Text("rate", "达标率"),
    "c_vs_month": Text("points on last month", "比上月（百分点）"),
    "c_vs_year": Text("points on last year", "比去年同月（百分点）"),
    "c_rank": Text("rank", "名次"),
    "c_town": Text("town", "镇街"),
    "c_school": Text("school", "学校"),
    "c_schools": Text("schools", "学校数"),
    "c_score": Text("all targets", "综合达标率"),
    "c_seat": Text("town seat", "中心校"),
    "c_results": Text("valid results", "有效结果数"),
    "c_classroom": Text("classroom or subject", "班级或对象"),
    "c_verdict": Text("verdict", "判定"),
    "c_decided": Text("passed of valid", "合格情况"),
    "decided": Text("{passing} of {valid}; {share} needed", "{valid}次中{passing}次合格，要求{share}"),
    "decided_of": Text("{passing} of {valid}", "{valid}次中{passing}次合格"),
    "c_measured": Text("measured where short, Mbit/s", "未达要求时的实测速率（Mbit/s）"),
    "c_required": Text("required, Mbit/s", "要求（Mbit/s）"),
    "c_cause": Text("likeliest cause", "主要原因"),
    "c_unit": Text("who has to act", "责任单位"),
    "c_polls": Text("polls in school hours", "上课时间巡检次数"),
    "c_availability": Text("available", "可用率"),
    "c_platform": Text("platform", "平台"),
    "c_requests": Text("requests", "访问次数"),
    "c_success": Text("passing", "合格率"),
    "c_first_byte": Text("first byte, ms", "首字节时间（毫秒）"),
    "c_number": Text("no.", "编号"),
    "c_due": Text("due", "完成时限"),
    "c_state": Text("state", "情况"),
    "c_item": Text("item", "项目"),
    "c_count": Text("number", "数量"),
    "c_reason": Text("reason", "原因"),
    "c_segment": Text("segment", "测试段"),
    "c_compared": Text("directions compared", "比对方向数"),
    "c_agreeing": Text("same verdict", "结论一致"),
    "c_agreement": Text("agreement", "一致率"),
    "c_rate_ratio": Text("rate, quick / reference", "速率比（快速/基准）"),
    "c_month": Text("month", "月份"),
    "c_outlook": Text("met everywhere", "全部达标时间"),
    "c_was": Text("published", "原判定"),
    "c_now": Text("now", "更正为"),
    "c_rule": Text("how it is judged", "判定规则"),
    "c_stored": Text("results stored", "入库结果数"),
    "c_head": Text("SHA-256 of the chain's head", "数据链末端摘要（SHA-256）"),
    "yes": Text("yes", "是"),
    "overdue": Text("overdue", "逾期未销号"),
    "contradicted": Text("measurements contradict the claim", "实测与整改结论不符"),
    "both": Text("overdue; measurements contradict the claim", "逾期未销号；实测与整改结论不符"),
    "l_opening": Text("open before the month", "月初未销号"),
    "l_ended": Text("joined to a school's problem, or no longer judged", "并入全校问题或不再考核"),
    "l_opened": Text("opened in the month", "本月新立案"),
    "l_struck": Text("struck off in the month", "本月销号"),
    "l_contradicted": Text("claims contradicted by measurements", "实测与整改结论不符"),
    "l_open": Text("open at the month's end", "月末未销号"),
    "l_overdue": Text("of these overdue", "其中逾期"),
    "d_valid": Text("valid", "有效"),
    "d_passing": Text("of these passing", "其中合格"),
    "d_invalid": Text("not sound (kept, not judged)", "无效（保留但不判定）"),
    "d_failed": Text("failed", "测量失败"),
    "d_skipped": Text("not made, with a reason", "未测（有原因）"),
    "s_classroom": Text("gateway to classroom", "网关至班级"),
    "s_uplink": Text("school to bureau", "学校至教育局"),
    "n_failing": Text("nothing: every subject meets its target", "全部达标，无未达标对象。"),
    "n_rooms": Text("no school must have a recording room this month", "本月没有应建录播室的学校。"),
    "n_live": Text("the line of every judged school is ready", "应考核学校线路全部就绪。"),
    "n_platforms": Text("no platform is judged this month", "本月没有考核的云平台。"),
    "n_ledger_lines": Text("none is overdue or contradicted", "没有逾期或与实测不符的问题。"),
    "n_units": Text("nothing is open", "没有未销号的问题。"),
    "n_reasons": Text("every result could be judged", "全部结果均可判定。"),
    "n_agreement": Text("nothing was compared this month", "本月没有比对测试。"),
    "n_towns": Text("no town is known", "没有镇街信息。"),
    "n_schools": Text("no school is known", "没有学校信息。"),
    "silent": Text(
        "Schools without any valid result this month ({n}): {names}.", "本月没有有效结果的学校共{n}所：{names}。"
    ),
    "none_silent": Text("Every school has valid results.", "所有学校均有有效结果。"),
    "chart_trend": Text("Share met by month", "各月达标率"),
    "chart_towns": Text("All targets by town", "各镇街综合达标率"),
    "chart_burn": Text("Classrooms below 100 Mbit/s by month (share)", "各月百兆进班未达标班级占比"),
    "chart_burn_told": Text(
        "Classrooms below 100 Mbit/s by month (share); hatched: where it leads, with 95 % confidence",
        "各月百兆进班未达标班级占比（斜线区：按目前进度的推算范围，置信度百分之九十五）",
    ),
    "rules_changed": Text(
        "The rule of {names} changes inside this month; a month is judged by the rule in force on its first day.",
        "{names}的判定规则在本月内调整；当月按月初生效的规则判定。",
    ),
    "score_note": Text(
        "“All targets” is the mean of the town's rates of the targets that all towns with data have: {names}; equal means share a rank."
        " Towns in which fewer than half of such a target's subjects have enough data are not ranked.",
        "综合达标率为各镇街共有指标（{names}）达标率的平均值；数值相同名次并列。其中某项指标有半数以上对象数据不足的镇街不参加排名。",
    ),
    "score_note_none": Text(
        "No town is ranked: too few subjects have enough data, or the towns have no target in common.",
        "本月不作排名：有足够数据的对象过少，或各镇街没有共同的指标。",
    ),
    "score_note_all": Text(
        "“All targets” is the mean of the town's rates of its targets; equal means share a rank.",
        "综合达标率为该镇街各项指标达标率的平均值；数值相同名次并列。",
    ),
    "no_data": Text("no data", "无数据"),
    "not_ranked": Text("not ranked", "不排名"),
    "provisional": Text(
        "PROVISIONAL CALENDAR: the holidays of this month are not known to the program; Monday to Friday are taken for workdays",
        "日历暂定：程序尚无本月的节假日安排，暂按周一至周五为上课日计算",
    ),
    "looked_until": Text(
        "The ledger has been worked out up to {day}; what was measured later is not in it yet.",
        "问题台账已核算至{day}，其后的测量尚未计入。",
    ),
    "never_looked": Text("The ledger has not been worked out yet.", "问题台账尚未核算。"),
    "live_note": Text(
        "Judged on tests of the school's line to the bureau that are made outside lessons: delay, jitter and loss, idle and under load."
        " It says whether the line could bear a live lesson, not how any lesson went.",
        "依据学校至教育局线路在非上课时段的测试结果（空闲及满载时的时延、抖动和丢包）判定：反映线路能否承载三个课堂，不反映课堂上的实际情况。",
    ),
    "method_1": Text(
        "Line rate = measured payload rate × (payload + all headers, preamble and gap) / payload; both directions count.",
        "线路速率＝实测有效数据速率×（有效数据＋全部报文头、前导码和帧间隔）÷有效数据；上行、下行均须达到要求。",
    ),
    "method_2": Text(
        "A tolerance of {tolerance} allows for measurement error. Too few data count as not met; exempt subjects do not count. Rate = met / (all - exempt).",
        "允许{tolerance}的测量误差。数据不足按未达标计；免考核对象不计入。达标率＝达标数÷（总数－免考核数）。",
    ),
    "method_3": Text(
        "A result that was not sound (other traffic, busy gateway, machine switched off, untrusted clock) is kept and shown, never judged."
        " A month is decided by the share of valid results that pass; “measured” is the median of those that fell short, slower direction (of all valid"
        " ones where data are too few).",
        "测量条件不满足的结果（其他流量过高、网关过忙、教室电脑未开机、时钟不可信）予以保留和公示，但不参与判定。当月结论由有效结果的合格率决定；“实测速率”为其中未达要求的结果较慢方向的中位数（数据不足时为全部有效结果的中位数）。",
    ),
    "method_4": Text(
        "The quick test ends as soon as it is sure; agreement compares it with ten seconds of iperf3 within the same hour.",
        "快速测试在结论确定后即结束；一致性是指其与同一小时内十秒 iperf3 基准测试的比对。",
    ),
    "method_5": Text(
        "Outlook: a straight line through the last twelve months at most, with the limits of 95 % confidence of its slope; from six months on, and only while it surely falls.",
        "展望：对最近至多十二个月作线性外推，按斜率的百分之九十五置信区间给出时间范围；不足六个月或下降趋势不明确时不作推算。",
    ),
    "proof_text": Text(
        "Content hash (SHA-256) of these figures: {hash}. Program {version}. Whoever keeps this page can show that nothing stored before was changed.",
        "本通报数据摘要（SHA-256）：{hash}。程序版本 {version}。凭本页可核验此前入库的数据未被改动。",
    ),
    "no_corrections": Text("No verdict of a closed month has changed.", "已结月份的判定没有变化。"),
    "corrections_text": Text(
        "Results that arrived after closing change {n} verdicts; the reports of those months stay as they were issued.",
        "结账后到达的结果使{n}项判定发生变化；相应月份的通报保持原样，特此更正。",
    ),
    "no_trend": Text("There are no earlier months with data.", "没有更早月份的数据。"),
}
UNITS: dict[str, Text] = {
    "classroom_bandwidth": Text("classrooms", "个班级"),
    "uplink_bandwidth": Text("schools", "所学校"),
    "recording_room": Text("town-seat schools", "所中心校"),
    "live_class": Text("schools", "所学校"),
    "platform_access": Text("pairs of school and platform", "项学校访问平台任务"),
}
"""What is counted by a target, with its measure word."""
FORECASTS: dict[str, Text] = {
    "reached": Text("reached", "已全部达标"),
    "too_few_months": Text(
        "cannot be said: data of {months} months, six are needed", "数据仅{months}个月，不足六个月，暂不推算"
    ),
    "not_falling": Text("cannot be said: no sure progress", "改善趋势不明确，暂不推算"),
    "too_far": Text("not within five years, if it goes on so", "按目前进度，五年内难以全部达标"),
    "given": Text("between {earliest} and {latest}", "预计{earliest}至{latest}"),
    "given_open": Text("{earliest} at the earliest", "最早{earliest}"),
}
VERDICTS: dict[str, Text] = {
    "met": Text("met", "达标"),
    "not_met": Text("not met", "未达标"),
    "insufficient": Text("too few data", "数据不足"),
    "exempt": Text("exempt", "免考核"),
}


def say(key: str, language: Language, **values: object) -> str:
    return WORDS[key].in_(language, **values)


def month_words(month: str, language: Language) -> str:
    """`2026-10` as people write it."""
    year, number = month.split("-")
    return say("month", language, month=month, year=year, number=int(number))


def date_words(day: str, language: Language) -> str:
    """`2026-10-05` as people write it."""
    year, number, of = (int(part) for part in day.split("-"))
    return say("date", language, year=year, number=number, day=of)


def reason_words(sign: str, language: Language) -> str:
    """Why a result could not be judged: `invalid:...`, `skipped:...`, `failed:operation/kind`."""
    kind, _, what = sign.partition(":")
    if kind == "failed":
        operation, _, failure = what.partition("/")
        where = _in(OPERATION_WORDS, operation, language)
        why = _in(FAILURE_WORDS, failure, language)
        return f"{where}：{why}" if language == "zh" else f"{where}: {why}"
    return _in(VALIDITY_WORDS if kind == "invalid" else SKIP_WORDS, what, language)


def _in(words: dict, key: str, language: Language) -> str:  # type: ignore[type-arg]
    for known, text in words.items():
        if str(known) == key:
            return str(text.in_(language))
    return key
