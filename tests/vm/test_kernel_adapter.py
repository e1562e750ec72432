# SPDX-License-Identifier: Apache-2.0
"""The daemon's kernel adapter against a real kernel: each case of kernel_adapter_test.cpp is a test here."""
import subprocess

import pytest

from lab import require

PROGRAM = "kernel_adapter_test"
CASES = [
    "without_a_device_that_can_an_sa_is_in_software_or_fails",
    "sas_are_those_that_iproute2_would_make",
    "every_algorithm_is_one_that_the_kernel_has",
    "policies_are_those_that_iproute2_would_make",
    "a_refusal_names_request_error_and_the_kernels_reason",
    "a_packet_without_an_sa_raises_an_acquire",
    "limits_expire_softly_then_hard",
    "a_peer_behind_a_nat_that_moves_is_told",
    "events_that_come_too_fast_are_told_as_an_overrun",
    "routes_follow_svtis",
    "an_svti_is_ours_by_link_namespace_and_place",
    "an_acquire_through_an_svti_names_it",
    "the_inventory_has_ours_and_nothing_else",
    "a_thousand_sas_go_in_and_out",
    "an_sa_moves_to_other_ports_and_addresses_and_goes_on",
    "addresses_and_routes_that_come_and_go_are_told_once_and_listed",
]


def run(*arguments):
    require(PROGRAM)
    return subprocess.run([PROGRAM, "--color_output=no", *arguments], capture_output=True, text=True, timeout=200)


@pytest.mark.parametrize("case", CASES)
def test_kernel_adapter(case):
    result = run("--log_level=message", f"--run_test={case}")
    assert result.returncode == 0, result.stdout + result.stderr


def test_kernel_adapter_cases_are_all_listed():
    assert sorted(line.rstrip("*") for line in run("--list_content").stderr.split()) == sorted(CASES)
