# SPDX-License-Identifier: Apache-2.0
"""Debian's swanctl drives svti-iked: the same commands and files as it has for strongSwan, which is the peer.

    clienta ─── gwa (svti-iked, swanctl, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
"""
import re
import subprocess

import pytest

from iked import SECRET, Iked, configuration, wait_tunnel
from lab import wait_until
from strongswan import StrongSwan, connection

NAME = "C=CH, O=Example, CN=gwa.example"
CERTIFIED = """
connections {
  certs {
    remote_addrs = 198.51.100.7
    local {
      auth = pubkey
      certs = gwa.pem
      id = "%s"
    }
    remote {
      auth = pubkey
    }
    children {
      certs-net {
      }
    }
  }
}
authorities {
  example {
    cacert = gwa.pem
    crl_uris = http://ca.example/crl
  }
}
pools {
  rw {
    addrs = 10.9.0.0/24
    dns = 192.0.2.53
  }
}
""" % NAME


class Swanctl:
    """swanctl on a host with a folder of its own, talking to svti-iked there."""

    def __init__(self, host, iked, config):
        self.host = host
        self.iked = iked
        self.dir = host.dir / "swanctl"
        self.config = self.dir / "swanctl.conf"
        for folder in ("x509", "x509ca", "private"):
            (self.dir / folder).mkdir(parents=True)
        key = self.dir / "private" / "gwa.pem"
        certificate = self.dir / "x509" / "gwa.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"]
            + ["-subj", "/C=CH/O=Example/CN=gwa.example", "-keyout", key, "-out", certificate],
            check=True,
            capture_output=True,
        )
        (self.dir / "x509ca" / "gwa.pem").write_bytes(certificate.read_bytes())
        settings = host.dir / "swanctl-settings.conf"
        settings.write_text("swanctl { load = random pem pkcs1 pkcs8 x509 openssl }\n")
        self.env = {"SWANCTL_DIR": str(self.dir), "STRONGSWAN_CONF": str(settings)}
        self.write(config)

    def write(self, config):
        self.config.write_text(config)

    def argv(self, *args):
        return ["swanctl", *args, "--uri", f"unix://{self.iked.socket}"]

    def __call__(self, *args, check=True):
        return self.host.run(self.argv(*args), check=check, timeout=90, env=self.env).stdout

    def error(self, *args):
        """What a command that fails says."""
        done = self.host.run(self.argv(*args), check=False, timeout=90, env=self.env)
        assert done.returncode != 0, f"{args} succeeded: {done.stdout}"
        return done.stdout + done.stderr

    def follow(self, *args):
        """Starts a command that goes on; its output is not kept back."""
        return self.host.popen(["stdbuf", "-oL", *self.argv(*args)], name=f"swanctl{args[0]}", env=self.env)


def ids(listing, child="net"):
    """Unique ids of the IKE SA and of the CHILD SA in --list-sas."""
    ike = re.search(r"^site: #(\d+), ESTABLISHED, IKEv2", listing, re.MULTILINE)
    one = re.search(rf"^\s+{child}: #(\d+), reqid \d+, INSTALLED, TUNNEL, ESP:AES_GCM_16-128", listing, re.MULTILINE)
    return (ike[1] if ike else None, one[1] if one else None)


class Sides:
    def __init__(self, g):
        suite = ("aes128gcm16-prfsha256-x25519", "aes128gcm16")
        ours = connection(
            "192.0.2.1", "198.51.100.1", "secgwa.example", "secgwb.example", "192.168.0.0/24", "192.168.99.0/24", *suite, SECRET,
            child_options="start_action = trap",
        )  # fmt: skip
        theirs = connection(
            "198.51.100.1", "192.0.2.1", "secgwb.example", "secgwa.example", "192.168.99.0/24", "192.168.0.0/24", *suite, SECRET
        )
        self.ours = ours
        self.iked = Iked(g.gwa, configuration()).start()
        self.swanctl = Swanctl(g.gwa, self.iked, ours + CERTIFIED)
        self.peer = StrongSwan(g.gwb, theirs).start()


@pytest.fixture
def sides(gateways):
    gateways.svtis()
    gateways.gwb.route("192.168.0.0/24", dev="svti100")
    return Sides(gateways)


@pytest.mark.limit(600)
def test_iked_swanctl_loads_lists_and_controls(gateways, sides):
    g, swanctl = gateways, sides.swanctl

    # what is loaded is listed
    loaded = swanctl("--load-all")
    for line in ("loaded certificate from", "loaded ike secret 'ike-site'", "loaded authority 'example'", "loaded pool 'rw'", "loaded connection 'site'", "loaded connection 'certs'"):
        assert line in loaded, loaded
    assert "successfully loaded 2 connections, 0 unloaded" in loaded
    conns = swanctl("--list-conns")
    assert re.search(r"^site: IKEv2, no reauthentication, rekeying every 14400s", conns, re.MULTILINE), conns
    assert re.search(r"^  local pre-shared key authentication:\n    id: secgwa.example", conns, re.MULTILINE), conns
    assert re.search(r"^  net: TUNNEL, rekeying every 3600s\n    local:  192.168.0.0/24\n    remote: 192.168.99.0/24", conns, re.MULTILINE), conns
    assert re.search(rf"^  local public key authentication:\n    id: {NAME}\n    certs: {NAME}", conns, re.MULTILINE), conns
    certs = swanctl("--list-certs")
    assert f'subject:  "{NAME}"' in certs and "has private key" in certs, certs
    assert re.search(r"^example:\n  cacert: .*gwa.example\n  crl_uris:  http://ca.example/crl", swanctl("--list-authorities"), re.MULTILINE)
    assert re.search(r"^rw +10\.9\.0\.1 +0 / 0 / 254$", swanctl("--list-pools"), re.MULTILINE)
    assert re.search(r"^site/net, TUNNEL\n  local:  192.168.0.0/24", swanctl("--list-pols"), re.MULTILINE)
    assert "AES_GCM_16[openssl]" in swanctl("--list-algs")

    # the tunnel
    assert "initiate completed successfully" in swanctl("--initiate", "--child", "net", "--timeout", "60")
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    first = swanctl("--list-sas")
    assert None not in ids(first), first
    assert re.search(r"^    in  \w+ \(-\|0x00000064\), +168 bytes, +2 packets", first, re.MULTILINE), first
    assert "local  'secgwa.example' @ 192.0.2.1[500]" in first and "remote 'secgwb.example' @ 198.51.100.1[500]" in first, first
    swanctl("--rekey", "--child", "net")
    wait_until(lambda: ids(swanctl("--list-sas"))[1] not in (None, ids(first)[1]), "the CHILD SA is rekeyed", 30, interval=0.5)
    swanctl("--rekey", "--ike-id", ids(first)[0])
    wait_until(lambda: ids(swanctl("--list-sas"))[0] not in (None, ids(first)[0]), "the IKE SA is rekeyed", 30, interval=0.5)
    g.clienta.ping_ok("192.168.99.2")

    # figures
    assert "IKE_SAs: 1 total, 0 half-open" in swanctl("--stats")
    assert re.search(r"^ +ike-init-out-req +: 1$", swanctl("--counters"), re.MULTILINE)
    assert re.search(r"^ +child-rekey +: 1$", swanctl("--counters", "--name", "site"), re.MULTILINE)
    swanctl("--counters", "--reset", "--all")
    assert re.search(r"^ +ike-init-out-req +: 0$", swanctl("--counters"), re.MULTILINE)

    # down, by id; traps by command
    assert "no matching SAs to terminate found" in swanctl.error("--terminate", "--ike", "nobody")
    assert "terminate completed successfully" in swanctl("--terminate", "--ike-id", ids(swanctl("--list-sas"))[0])
    assert swanctl("--list-sas").strip() == ""
    swanctl("--uninstall", "--child", "net")
    assert swanctl("--list-pols").strip() == ""
    swanctl("--install", "--child", "net")
    assert "site/net" in swanctl("--list-pols")

    # what vanished from the file is unloaded; what is wrong is refused with its name
    swanctl.write(sides.ours)
    assert "successfully loaded 1 connections, 1 unloaded" in swanctl("--load-all")
    assert "certs" not in swanctl("--list-conns") and swanctl("--list-authorities").strip() == ""
    swanctl.write(sides.ours.replace("mobike = no", "mobike = no\n    colour = red"))
    assert "unknown option: colour, config discarded" in swanctl.error("--load-conns")
    assert "site: IKEv2" in swanctl("--list-conns")
    sides.iked.stop()


@pytest.mark.limit(400)
def test_iked_swanctl_follows_what_happens(gateways, sides):
    swanctl = sides.swanctl
    swanctl("--load-all")
    monitor, log = swanctl.follow("--monitor-sa"), swanctl.follow("--log")
    # they are connected, and have registered when a command that was begun after that is answered
    socket = str(sides.iked.socket)
    wait_until(lambda: sum(line.endswith(socket) and " 03 " in line for line in gateways.gwa.run("cat /proc/net/unix").stdout.splitlines()) == 2, "both listen")
    swanctl("--stats")
    swanctl("--initiate", "--child", "net", "--timeout", "60")
    monitor.wait_output(r"site: #\d+, ESTABLISHED, IKEv2")
    monitor.wait_output(r"net: #\d+, reqid \d+, INSTALLED, TUNNEL")
    log.wait_output(r"\[IKE\] .*IKE SA established")
    swanctl("--terminate", "--ike", "site")
    monitor.wait_output(r"DELETING")
    monitor.stop()
    log.stop()
    sides.iked.stop()
