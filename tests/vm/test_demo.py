# SPDX-License-Identifier: Apache-2.0
"""scripts/demo from inside: it must end with `demo: ok`, and must not say so when the tunnel does not come up.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (svti-iked, svti100) ─── clientb
"""
import os
import shutil
import subprocess

HOSTS = ("clienta", "gwa", "wan", "gwb", "clientb")


def demo(**environment):
    """Runs the demonstration; returns (exit status, lines)."""
    try:
        done = subprocess.run(
            [f"{os.environ['SVTI_STAGE']}/demo-inside"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment}
        )
    finally:
        for host in HOSTS:
            subprocess.run(["ip", "netns", "delete", host], check=False, capture_output=True)
        shutil.rmtree("/run/demo", ignore_errors=True)
    return done.returncode, done.stdout.splitlines()


def test_demo_shows_everything_and_ends_with_ok():
    status, lines = demo()
    text = "\n".join(lines)
    assert status == 0 and lines[-1] == "demo: ok", text
    for shown in ("192.168.0.2", "IKE_SA_INIT", "IKE_AUTH", " ESP ", "established", "installed", "svti-id 100", "220:", "192.168.99.0/24 dev svti100"):
        assert shown in text, f"{shown} is not shown:\n{text}"
    assert "anything else than IKE, ESP and address resolution: 0 packets" in text


def test_demo_failure_says_what_to_do(tmp_path):
    # The daemon is replaced by a program that ends at once.
    fake = tmp_path / "svti-iked"
    fake.write_text("#!/bin/sh\necho no daemon today\nexit 3\n")
    fake.chmod(0o755)
    status, lines = demo(PATH=f"{tmp_path}:{os.environ['PATH']}")
    text = "\n".join(lines)
    assert status == 1 and "demo: ok" not in text
    for shown in ("no daemon today", "demo: FAILED in step 4", "What to do:"):
        assert shown in text, f"{shown} is not shown:\n{text}"
