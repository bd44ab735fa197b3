"""What an inverter's condition flags mean: normal at night, a fault, or off by the grid's voltage or frequency."""

from __future__ import annotations

import pytest

from logger.readings.conditions import has_fault, is_tripped


@pytest.mark.parametrize(
    ("conditions", "fault", "tripped"),
    [
        ("", False, False),
        ("pcu_ctrl.dc-pwr-low", False, False),
        ("pcu_ctrl.dc-pwr-low,pcu_chan.dcvoltagetoolow", False, False),
        ("pcu_ctrl.runningonac,obs_strs.ok", False, False),
        ("pcu_ctrl.dc-pwr-low,obs_strs.failure", False, False),
        ("pcu_chan.gfitripped", True, False),
        ("pcu_chan.dcresistancelow", True, False),
        ("pcu_chan.hardwareError,pcu_ctrl.dc-pwr-low", True, False),
        ("pcu_chan.acvoltage_avg_hi", True, True),
        ("pcu_ctrl.dc-pwr-low,pcu_chan.acfrequencyoor", True, True),
        ("pcu_chan.dfdt", True, True),
        ("obs_strs.failure", True, False),
        ("something.never-seen-before", True, False),
    ],
)
def test_only_what_no_healthy_inverter_says_is_a_fault(conditions: str, fault: bool, tripped: bool) -> None:
    assert (has_fault(conditions), is_tripped(conditions)) == (fault, tripped)
