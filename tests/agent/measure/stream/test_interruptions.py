"""500 scripted interruptions, a quiet day, and an interruption over a restart: the observer of the daemon on a simulated clock."""

from random import Random

import pytest

from campus_wire.records import Interruption
from tests.agent.measure.stream.simulation import WALL_AT_ZERO, WHERE, Fault, Simulation

DISTURBANCES = ("slow", "lossy", "reordering", "burst")
OF_STREAM = ("up", "down", "both", "held", "collector", "send", "gateway")


def script(seed: int, number: int) -> tuple[list[Fault], list[Fault], float]:
    """So many outages of 0.3 to 60 s with disturbances between them; and the time at which all is over."""
    random, at = Random(seed), 20.0
    outages: list[Fault] = []
    others: list[Fault] = []
    for _ in range(number):
        seconds = random.choice(
            [random.uniform(0.3, 1.0), random.uniform(1, 5), random.uniform(1, 20), random.uniform(1, 60)]
        )
        outages.append(Fault(random.choice(OF_STREAM), at, seconds))
        at += seconds + random.uniform(8, 15)
        kind = random.choice(DISTURBANCES)
        if kind == "burst":
            others += [Fault("both", at + part, random.uniform(0.05, 0.6)) for part in (0.0, 1.5, 2.5)]
        else:
            amount = random.uniform(0.02, 0.1) if kind == "lossy" else random.uniform(0.05, 0.5)
            others.append(Fault(kind, at, random.uniform(1, 6), amount))
        at += 12
    return outages, others, at


def times(interruption: Interruption) -> tuple[float, float]:
    assert interruption.ended_at is not None
    return interruption.began_at.timestamp() - WALL_AT_ZERO, interruption.ended_at.timestamp() - WALL_AT_ZERO


def place(fault: Fault) -> str:
    return WHERE.get(fault.kind, fault.kind)


@pytest.mark.parametrize("rtt", [0.004, 0.09])
def test_500_scripted_interruptions_are_found_timed_and_placed(rtt: float) -> None:
    outages, others, seconds = script(20, 250)
    simulation = Simulation(outages + others, seconds, rtt=rtt).run()
    reported = simulation.interruptions()
    wanted = [fault for fault in outages if fault.seconds >= 1.0]
    assert len(wanted) > 150
    hits = exact = right = 0
    for fault in wanted:
        near = [each for each in reported if times(each)[0] < fault.end and times(each)[1] > fault.begin]
        hits += bool(near)
        if len(near) == 1:
            begin, end = times(near[0])
            exact += abs(begin - fault.begin) <= 0.2 and abs(end - fault.end) <= 0.2
            right += near[0].where == place(fault)
    assert hits >= 0.99 * len(wanted)
    assert exact >= 0.99 * len(wanted)
    assert right >= 0.98 * len(wanted)
    invented = [
        each
        for each in reported
        if not any(times(each)[0] < fault.end and times(each)[1] > fault.begin for fault in outages)
    ]
    assert invented == []


def test_nothing_is_invented_in_a_day_on_an_idle_line() -> None:
    """24 hours with single losses, waits of the gateway, and an hour between both clocks."""
    random = Random(3)
    faults = [Fault("busy", random.uniform(0, 86_400), random.uniform(0.1, 8)) for _ in range(200)]
    faults += [
        Fault("slow", random.uniform(0, 86_400), random.uniform(0.1, 20), random.uniform(0, 0.4)) for _ in range(200)
    ]
    faults.sort(key=lambda fault: fault.begin)
    simulation = Simulation(faults, 86_400.0, devices=("rec-1",)).run()
    assert simulation.interruptions() == []
    assert len(simulation.minutes) == 1440
    assert len({row.minute for row in simulation.minutes}) == 1440
    lost = sum(row.lost_up + row.lost_down for row in simulation.minutes)
    sent = sum(row.sent for row in simulation.minutes)
    assert 0.0005 < lost / sent < 0.0015
    unknown = sum(row.unknown_seconds for row in simulation.minutes)
    busy = sum(fault.seconds for fault in faults if fault.kind == "busy" and fault.seconds > 0.55)
    assert abs(unknown - busy) < 0.1 * busy


def test_a_recorder_and_the_network_are_different_places() -> None:
    """To half a second: an echo each second. The recorder's end is known to a tenth."""
    random, at = Random(5), 20.0
    faults = []
    for number in range(120):
        faults.append(Fault(("recorder", "lan")[number % 2], at, random.uniform(2.1, 30)))
        at += faults[-1].seconds + 12.0
    reported = Simulation(faults, at).run().interruptions()
    right = 0
    for fault in faults:
        near = [each for each in reported if times(each)[0] < fault.end and times(each)[1] > fault.begin]
        if [each.where for each in near] == [fault.kind]:
            begin, end = times(near[0])
            assert abs(begin - fault.begin) <= 0.6
            assert abs(end - fault.end) <= 0.2
            assert near[0].device == ("rec-1" if fault.kind == "recorder" else None)
            right += 1
    assert right >= 0.98 * len(faults)
    assert len(reported) == len(faults)


def test_the_direction_follows_from_the_numbers() -> None:
    faults = [Fault("up", 20, 5), Fault("down", 40, 5), Fault("both", 60, 5)]
    reported = Simulation(faults, 80, rtt=0.3).run().interruptions()
    assert [each.direction for each in reported] == ["up", "down", "both"]
    assert [abs(each.lost - 100) <= 8 for each in reported] == [True] * 3


@pytest.mark.parametrize(("away", "back", "ends"), [(4.0, 30.0, 54.0), (4.0, 0.0, 20.0), (1200.0, 0.0, 20.0)])
def test_an_interruption_over_a_restart_is_one(away: float, back: float, ends: float) -> None:
    """It goes on when the line is still gone after the restart; else it is known to have lasted as long as it was observed."""
    first = Simulation([Fault("both", 10, 1e6)], 20.0)
    first.run(ends=False)
    unfinished = first.observer.unfinished(20.0)
    assert unfinished is not None
    first._keep(first.observer.take_record(20.0, ends=True))
    (open_one,) = first.interruptions()
    assert open_one.ended_at is None
    start = 20.0 + away
    second = Simulation(
        [Fault("both", start, back)] if back else [], start + 60, start=start, unfinished=unfinished
    ).run()
    (whole,) = second.interruptions()
    assert whole.id == open_one.id
    assert whole.began_at == open_one.began_at
    assert abs(times(whole)[1] - ends) <= 0.2


def test_a_run_after_a_restart_names_the_interruption_that_goes_on() -> None:
    """Whoever counts minutes must know at once that they are the collector's."""
    first = Simulation([Fault("collector", 10, 1e6)], 30.0)
    first.run(ends=False)
    unfinished = first.observer.unfinished(30.0)
    assert unfinished is not None
    second = Simulation([Fault("collector", 40, 1e6)], 400.0, start=40.0, unfinished=unfinished).run()
    (going_on,) = second.interruptions()
    assert (going_on.id, going_on.where, going_on.ended_at) == (unfinished.interruption.id, "collector", None)


def test_an_interruption_over_several_records_and_midnight_is_one() -> None:
    outage = Fault("both", 100, 1000)
    simulation = Simulation([outage], 1200, seed=9).run()
    (reported,) = simulation.interruptions()
    assert abs(times(reported)[0] - 100) <= 0.2
    assert abs(times(reported)[1] - 1100) <= 0.2
    assert sum(row.longest_gap_seconds is not None and row.longest_gap_seconds > 60 for row in simulation.minutes) > 15


def test_a_restarted_reflector_is_the_collector_s_side() -> None:
    simulation = Simulation([Fault("both", 100, 4)], 104.0)
    simulation.run(ends=False)
    simulation._reflected = 0
    simulation.start, simulation.seconds = 104.0, 130.0
    number = 2 * 104 * 20
    for step in range(400):
        now = 104.0 + step * 0.05
        simulation._arrivals(now)
        simulation._send(number + step, now)
    simulation._keep(simulation.observer.take_record(125.0, ends=True))
    assert [each.where for each in simulation.interruptions()] == ["collector"]
