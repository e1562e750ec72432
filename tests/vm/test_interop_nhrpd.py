# SPDX-License-Identifier: Apache-2.0
"""FRR's nhrpd on our control socket: it connects as a user of the socket's group, registers its events, initiates a connection without
addresses to the peers it finds, and sees their SAs. DMVPN itself (transport mode, certificates) is not shown here.

    gwa (svti-iked, zebra, nhrpd, gre1) ═══ wan ═══ gwb (svti-iked)
"""
import pathlib
import re
import shutil

from iked import GCM_ESP, GCM_IKE, SECRET, Iked, block, configuration, esp_sas, wait_tunnel
from lab import wait_until

NHRPD = """log stdout
debug nhrp vici
debug nhrp event
interface gre1
 ip nhrp network-id 1
 ip nhrp nhs 10.255.255.2 nbma 198.51.100.1
 tunnel protection vici profile dmvpn
 tunnel source wan0
"""


def dmvpn(local_id, remote_id, *addresses):
    """VPN `dmvpn` whose only policy is GRE between the addresses of its IKE SA; `addresses`: leaves that fix them."""
    return configuration(
        block("ike-policy-template i", block("ike-proposal 1", *GCM_IKE)),
        block("ipsec-policy-template c", "start-action none", "close-action none", "dpd-action clear", block("esp-proposal 1", *GCM_ESP)),
        block(
            "vpn dmvpn", block("ike-policy", "template i"), block("ipsec-policy", "template c"), *addresses, f"local-id {local_id}", f"remote-id {remote_id}",
            block("security-policy dmvpn", "local-ts protocol 47", "remote-ts protocol 47"),
        ),
        block("pre-shared-key k", f"id {remote_id}", f"secret {SECRET}"),
        options=("install-routes false",),
    )  # fmt: skip


class Frr:
    """zebra and nhrpd on a host, as the user frr that Debian runs them as."""

    def __init__(self, host, config):
        self.host, self.dir = host, host.dir / "frr"
        self.dir.mkdir()
        (self.dir / "zebra.conf").write_text("log stdout\n")
        (self.dir / "nhrpd.conf").write_text(config)
        shutil.chown(self.dir, "frr", "frr")
        for folder in (host.dir, *host.dir.parents):
            folder.chmod(folder.stat().st_mode | 0o11)  # frr must get there
        self.zebra = self.start("zebra")
        wait_until((self.dir / "zserv.api").is_socket, "zebra answers", 60, interval=0.3)
        self.nhrpd = self.start("nhrpd")
        wait_until((self.dir / "nhrpd.vty").is_socket, "nhrpd answers", 60, interval=0.3)

    def start(self, name):
        paths = ["--vty_socket", self.dir, "-z", self.dir / "zserv.api", "-i", self.dir / f"{name}.pid", "-f", self.dir / f"{name}.conf"]
        return self.host.popen([f"/usr/lib/frr/{name}", *paths], name=name)

    def show(self, what):
        return self.host.run(["vtysh", "--vty_socket", self.dir, "-d", "nhrpd", "-c", f"show {what}"], check=False).stdout


def test_interop_nhrpd_initiates_and_sees_the_sa(gateways):
    a, b = gateways.gwa, gateways.gwb
    a.run("ip link add gre1 type gre local 192.0.2.1 key 42 ttl 64")
    a.run("ip addr add 10.255.255.1/32 dev gre1")
    a.run("ip link set gre1 up")
    iked_b = Iked(b, dmvpn("gwb.example", "gwa.example", "local-address 198.51.100.1", "remote-address 192.0.2.1")).start()
    iked_a = Iked(a, dmvpn("gwa.example", "gwb.example"))
    iked_a.socket = pathlib.Path("/run/charon.vici")  # where nhrpd looks
    iked_a.group = "frr"
    iked_a.start()
    frr = Frr(a, NHRPD)

    wait_tunnel(a, b)
    (sa,) = iked_a.ike_sas()
    assert (sa["name"], sa["local-address"], sa["remote-address"], sa["initiator"]) == ("dmvpn", "192.0.2.1", "198.51.100.1", True)

    def seen(pattern):
        listed = frr.show("dmvpn")
        return re.search(pattern, listed, re.MULTILINE)

    wait_until(lambda: seen(r"^192\.0\.2\.1 +198\.51\.100\.1 +\S* +1 +gwb\.example"), f"nhrpd sees the SA:\n{frr.show('dmvpn')}", 60, interval=1)
    first = {one["spi"] for one in esp_sas(a)}

    # a rekey is followed, and so is the end
    iked_a.ctl("rekey", "dmvpn", "dmvpn")
    wait_until(lambda: first.isdisjoint({one["spi"] for one in esp_sas(a)}), "the CHILD SA is rekeyed", 60, interval=1)
    wait_until(lambda: seen(r" 1 +gwb\.example"), "nhrpd counts the old SA no more", 60, interval=1)
    iked_b.terminate("dmvpn")

    def ended():
        """nhrpd has none, or, when it was quick to ask again, one that is another."""
        another = [one for one in iked_a.ike_sas() if one["unique-id"] != sa["unique-id"]]
        return seen(r" 1 +gwb\.example") if another else not seen(r" [1-9] +gwb\.example")

    wait_until(ended, "nhrpd sees that the SA is gone", 60, interval=1)
