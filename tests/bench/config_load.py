#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long a configuration of many VPNs takes to load, side by side with strongSwan, and a change of one leaf of it.

Both daemons run here, in a network and mount namespace of their own, ours with `--kernel null`; no module and no VM is needed. Each
loads the same VPNs (one PSK, one policy, nothing started) with its own tool, from the start of the tool to its end:
`ikectl load` and `swanctl --load-all`. The two take turns, and the best of the rounds counts.

    tests/bench/config_load.py [--build build/dev] [--vpns 1000,10000] [--rounds 3] [--json]

Targets: a load in at most 1/5 of swanctl's time, a change of one leaf within 100 ms with 10,000 VPNs.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET_RATIO, TARGET_LEAF_MS = 0.2, 100


def addresses(i):
    """Of VPN `i`: the peer's address, and the network behind it."""
    return f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", f"172.{16 + (i >> 16)}.{i >> 8 & 255}.{i & 255}/32"


def our_text(count):
    lines = """ike
    ike-policy-template i
        ike-proposal 1
            enc-alg aes128-cbc
            auth-alg hmac-sha256
            dh-group modp2048
            ..
        ..
    ipsec-policy-template c
        start-action none
        close-action none
        dpd-action clear
        esp-proposal 1
            enc-alg aes128-cbc
            auth-alg hmac-sha256
            ..
        ..
""".splitlines()
    for i in range(count):
        peer, net = addresses(i)
        lines += f"""    vpn vpn{i}
        ike-policy template i
        ipsec-policy template c
        local-address 192.0.2.1
        remote-address {peer}
        local-id gw.example.net
        remote-id site{i}.example.net
        security-policy trunk
            local-ts subnet 192.168.0.0/16
            remote-ts subnet {net}
            ..
        ..
    pre-shared-key k{i}
        id site{i}.example.net
        secret secret-number-{i}
        ..
""".splitlines()
    return "\n".join([*lines, "    ..", ""])


def swanctl_text(count):
    connections, secrets = [], []
    for i in range(count):
        peer, net = addresses(i)
        connections.append(
            f"""  vpn{i} {{
    version = 2
    local_addrs = 192.0.2.1
    remote_addrs = {peer}
    proposals = aes128-sha256-modp2048
    local {{
      auth = psk
      id = gw.example.net
    }}
    remote {{
      auth = psk
      id = site{i}.example.net
    }}
    children {{
      trunk {{
        local_ts = 192.168.0.0/16
        remote_ts = {net}
        esp_proposals = aes128-sha256
      }}
    }}
  }}
"""
        )
        secrets.append(f"  ike-{i} {{\n    id = site{i}.example.net\n    secret = secret-number-{i}\n  }}\n")
    return "connections {\n" + "".join(connections) + "}\nsecrets {\n" + "".join(secrets) + "}\n"


class Daemon:
    """A daemon with a VICI socket in a folder of its own; ended with the block."""

    def __init__(self, folder, command, socket, env=None):
        self.folder, self.command, self.socket = folder, command, socket
        self.env = {**os.environ, **(env or {})}
        self.process = None

    def __enter__(self):
        self.log = (self.folder / "log").open("w")
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log, env=self.env)
        for _ in range(600):
            if self.socket.is_socket():
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f"{self.command[0]} does not run:\n" + (self.folder / "log").read_text()[-2000:])

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def run(self, *command):
        """Seconds that the command takes; it must succeed."""
        start = time.monotonic()
        done = subprocess.run(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seconds = time.monotonic() - start
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-2000:]}")
        return seconds

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def charon(folder):
    socket, settings = folder / "charon.vici", folder / "strongswan.conf"
    settings.write_text(
        f"""
charon-systemd {{
  load = random nonce openssl kdf hmac sha1 sha2 curve25519 gmp kernel-netlink socket-default vici
  install_routes = no
  plugins {{
    vici {{
      socket = unix://{socket}
    }}
  }}
  syslog {{
    daemon {{
      default = -1
    }}
  }}
}}
swanctl {{
  load = random openssl
  socket = unix://{socket}
}}
"""
    )
    return Daemon(folder, ["charon-systemd"], socket, {"STRONGSWAN_CONF": str(settings)})


def iked(folder, build):
    empty, socket = folder / "empty.conf", folder / "iked.vici"
    empty.write_text("ike\n    ..\n")
    command = [build / "userspace/daemon/svti-iked", "--kernel", "null", "--config", empty, "--socket", socket]
    return Daemon(folder, [*command, "--run-dir", folder / "run", "--state-dir", folder / "state"], socket)


def measure(build, count, rounds, folder):
    """The figures for `count` VPNs."""
    ours, theirs = folder / "ike.conf", folder / "swanctl.conf"
    ours.write_text(our_text(count))
    theirs.write_text(swanctl_text(count))
    ikectl = build / "tools/ikectl/ikectl"
    best = {}

    def keep(name, seconds):
        best[name] = min(seconds, best.get(name, seconds))

    for number in range(rounds):
        for start, name in ((iked, "svti"), (charon, "strongswan")):
            (own := folder / f"{name}-{number}").mkdir()
            with start(own, build) if start is iked else start(own) as daemon:
                if start is charon:
                    keep("swanctl_load_s", daemon.run("swanctl", "--load-all", "--file", theirs))
                    keep("swanctl_reload_s", daemon.run("swanctl", "--load-all", "--file", theirs))
                    best["charon_mib"] = daemon.memory_mib()
                    continue
                tool = (ikectl, "--socket", daemon.socket)
                keep("ikectl_load_s", daemon.run(*tool, "load", ours))
                keep("ikectl_reload_s", daemon.run(*tool, "load", ours))
                for delay in (31, 32, 33):
                    keep("one_leaf_s", daemon.run(*tool, "set", "vpn", f"vpn{count // 2}", "ike-policy", "dpd-delay", f"{delay}s"))
                keep("show_config_s", daemon.run(*tool, "show", "config", "nodefault"))
                keep("show_state_s", daemon.run(*tool, "show", "state"))
                best["iked_mib"] = daemon.memory_mib()
    best["load_ratio"] = best["ikectl_load_s"] / best["swanctl_load_s"]
    return {"vpns": count, **{name: round(value, 4) for name, value in best.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/dev", help="build folder of userspace")
    parser.add_argument("--vpns", default="1000,10000", help="numbers of VPNs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    for program in ("charon-systemd", "swanctl", "unshare", "ip"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is missing: scripts/setup installs it")
    if os.environ.get("SVTI_BENCH_INSIDE") != "1":
        return subprocess.run(["unshare", "-mn", sys.executable, *sys.argv], env={**os.environ, "SVTI_BENCH_INSIDE": "1"}).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    missed = False
    for count in (int(word) for word in options.vpns.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            figures = measure(options.build.resolve(), count, options.rounds, pathlib.Path(folder))
        leaf_ms = figures["one_leaf_s"] * 1000
        missed = missed or figures["load_ratio"] > TARGET_RATIO or leaf_ms > TARGET_LEAF_MS
        if options.json:
            print(json.dumps(figures))
            continue
        print(f"{count} VPNs, best of {options.rounds}:")
        print(f"  load          ikectl {figures['ikectl_load_s']:8.3f} s   swanctl {figures['swanctl_load_s']:8.3f} s   ratio {figures['load_ratio']:.3f} (to reach: {TARGET_RATIO})")
        print(f"  the same again ikectl {figures['ikectl_reload_s']:7.3f} s   swanctl {figures['swanctl_reload_s']:8.3f} s")
        print(f"  one leaf      {leaf_ms:.0f} ms (to reach: {TARGET_LEAF_MS})")
        print(f"  show config   {figures['show_config_s']:.3f} s, show state {figures['show_state_s']:.3f} s")
        print(f"  memory        svti-iked {figures['iked_mib']:.0f} MiB, charon {figures['charon_mib']:.0f} MiB")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
