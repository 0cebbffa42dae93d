"""The arithmetic of design section 3 against worked examples: each row of the table of goodput shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_wire.encapsulation import (
    Encapsulation,
    goodput_from_line_rate,
    line_rate_from_goodput,
    mtu_from_mss,
    wire_bytes_of,
)


@pytest.mark.parametrize(
    ("path", "mss", "wire", "share"),
    [
        (Encapsulation(tcp_timestamps=False), 1460, 1538, 0.9493),
        (Encapsulation(), 1448, 1538, 0.9415),
        (Encapsulation(vlan_tags=1), 1448, 1542, 0.9390),
        (Encapsulation(vlan_tags=2), 1448, 1546, 0.9366),
        (Encapsulation(address_family="ipv6"), 1428, 1538, 0.9285),
        (Encapsulation(address_family="ipv6", vlan_tags=1), 1428, 1542, 0.9261),
        (Encapsulation(mtu_bytes=1492, pppoe=True), 1440, 1538, 0.9363),
        (Encapsulation(mtu_bytes=1492, pppoe=True, vlan_tags=1), 1440, 1542, 0.9339),
        (Encapsulation(mtu_bytes=1492, pppoe=True, vlan_tags=1, address_family="ipv6"), 1420, 1542, 0.9209),
    ],
)
def test_goodput_share_of_a_line_in_perfect_order(path: Encapsulation, mss: int, wire: int, share: float) -> None:
    assert (path.mss_bytes, path.wire_bytes) == (mss, wire)
    assert goodput_from_line_rate(100e6, path) / 100e6 == pytest.approx(share, abs=5e-5)


paths = st.builds(
    Encapsulation,
    mtu_bytes=st.integers(576, 9000),
    address_family=st.sampled_from(["ipv4", "ipv6"]),
    tcp_timestamps=st.booleans(),
    vlan_tags=st.integers(0, 2),
    pppoe=st.booleans(),
)


@given(paths, st.floats(1, 1e12))
def test_there_and_back_again(path: Encapsulation, rate: float) -> None:
    assert line_rate_from_goodput(goodput_from_line_rate(rate, path), path) == pytest.approx(rate)
    assert line_rate_from_goodput(rate, path) > rate


@given(paths, st.integers(0, 10**10))
def test_octets_on_the_line_are_the_goodput_s_line_rate(path: Encapsulation, payload: int) -> None:
    wire = wire_bytes_of(payload, path)
    exact = line_rate_from_goodput(payload, path)
    assert exact <= wire + 1e-3
    assert wire - exact <= path.wire_bytes


@given(paths)
def test_the_mtu_follows_from_the_segment_size(path: Encapsulation) -> None:
    assert mtu_from_mss(path.mss_bytes, path.address_family, path.tcp_timestamps) == path.mtu_bytes


@pytest.mark.parametrize("values", [{"mtu_bytes": 575}, {"mtu_bytes": 65_536}, {"vlan_tags": 5}, {"vlan_tags": -1}])
def test_a_path_that_cannot_be_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Encapsulation(**values)
