# SPDX-License-Identifier: Apache-2.0
"""Configurations that are refused, and changes of the configuration of a running daemon.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (svti-iked, svti100) ─── clientb
"""
import pytest

from iked import GCM_ESP, GCM_IKE, Iked, esp_sas, pair, wait_clean, wait_tunnel


@pytest.fixture
def g(gateways):
    gateways.svtis()
    return gateways


# What is damaged in a good configuration, and the words that the refusal must contain besides file and line.
DAMAGE = {
    "unknown-leaf": ("local-id secgwa.6wind.net", "colour blue", ["colour"]),
    "bad-address": ("local-address 192.0.2.1", "local-address 192.0.2.256", ["local-address", "192.0.2.256"]),
    "bad-algorithm": ("dh-group curve25519", "dh-group curve25518", ["dh-group", "curve25518", "modp2048"]),
    "bad-range": ("svti-id-in 100", "svti-id-in 0", ["svti-id-in", "4294967295"]),
    "missing-template": ("template ike-siteA-siteB", "template nowhere", ["template", "nowhere"]),
}


def damaged(good):
    """(bad text, number of the bad line, words of the refusal) for each kind of damage."""
    lines = good.splitlines()
    for before, after, words in DAMAGE.values():
        line = next(n for n, text in enumerate(lines) if text.strip() == before)
        bad = [*lines[:line], lines[line].replace(before, after), *lines[line + 1 :]]
        yield "\n".join(bad) + "\n", line + 1, words


def test_iked_config_refused_at_start(lab):
    # The daemon does not run with half a configuration, and says where the fault is.
    host = lab.host("gwa")
    host.svti("svti100", 100)
    good, _ = pair(ike=GCM_IKE, esp=GCM_ESP)
    for bad, line, words in damaged(good):
        refused = Iked(host, bad).start(wait=False)
        assert refused.process.popen.wait(60) > 0
        for word in (f"{refused.file}:{line}", *words):
            assert word in refused.process.output(), f"{word} not in: {refused.process.output()}"
    wait_clean(host)


def test_iked_config_refused_while_running_applies_nothing(g):
    # What was there goes on, to the byte.
    good, b = pair(ike=GCM_IKE, esp=GCM_ESP)
    iked_a, _ = Iked(g.gwa, good).start(), Iked(g.gwb, b).start()
    iked_a.initiate()
    wait_tunnel(g.gwa, g.gwb)
    shown, kernel = iked_a.ctl("show", "config").stdout, g.gwa.fingerprint()
    for bad, line, words in damaged(good):
        done = iked_a.load(bad, check=False)
        assert done.returncode != 0
        for word in (f"{iked_a.file}:{line}", *words):
            assert word in done.stdout + done.stderr
        assert iked_a.ctl("show", "config").stdout == shown
        assert g.gwa.fingerprint() == kernel
    g.clienta.ping_ok("192.168.99.2")


def test_iked_config_reload_leaves_alone_what_did_not_change(g):
    a, b = pair(ike=GCM_IKE, esp=GCM_ESP)
    iked_a, _ = Iked(g.gwa, a).start(), Iked(g.gwb, b).start()
    iked_a.initiate()
    wait_tunnel(g.gwa, g.gwb)
    spis = {sa["spi"] for sa in esp_sas(g.gwa)}
    iked_a.load(a)
    more = a.rstrip().removesuffix("..").rstrip() + "\n    pre-shared-key another\n        id nobody.example\n        secret 0x0011\n        ..\n    ..\n"
    iked_a.load(more)
    assert "nobody.example" in iked_a.ctl("show", "config", "nodefault").stdout
    assert {sa["spi"] for sa in esp_sas(g.gwa)} == spis
    # Taken out of the configuration, the VPN goes, and leaves nothing.
    iked_a.load("ike\n    ..\n")
    wait_clean(g.gwa)
    wait_clean(g.gwb)


def test_iked_config_shown_can_be_loaded(g):
    a, _ = pair()
    iked_a = Iked(g.gwa, a).start()
    shown = iked_a.ctl("show", "config", "nodefault").stdout
    assert "vpn siteA-siteB" in shown and "svti-id-out 100" in shown
    # Secrets are not shown; with them put back the text loads and shows the same.
    assert "eaJ31RfzHNRvUSH0oUYg7znTW0I" not in shown


def test_iked_config_wrong_key_is_refused_by_the_peer(g):
    a, b = pair(ike=GCM_IKE, esp=GCM_ESP)
    iked_a = Iked(g.gwa, a.replace("0seaJ31RfzHNRvUSH0oUYg7znTW0I=", "0s3zpRt+h3g12NSaSKEx2yjY4ctak=")).start()
    iked_b = Iked(g.gwb, b).start()
    done = iked_a.initiate(check=False)
    assert done.returncode != 0
    assert "AUTHENTICATION_FAILED" in done.stdout + done.stderr + iked_a.process.output()
    wait_clean(g.gwa, g.gwb)
    assert iked_b.children() == []
