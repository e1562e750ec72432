# SPDX-License-Identifier: Apache-2.0
"""libreswan as Debian ships it (pluto), as many instances as there are hosts.

Each has its configuration, secrets, NSS database and control socket in its host's folder; its sockets, SAs and policies are in the host's
network namespace. It keeps to plain policies: no script of its own touches addresses or routes.
"""
import os
import re
import subprocess

from lab import LabError, wait_until

LIBEXEC = "/usr/libexec/ipsec"
UNPACKED = "/opt/svti-peers/libreswan/usr/libexec"  # see scripts/packages/unpacked


class Libreswan:
    """pluto on `host`, with `config`, the text of an ipsec.conf, and `secrets`, that of an ipsec.secrets."""

    def __init__(self, host, config, secrets):
        self.host = host
        self.folder = host.dir
        self.config = host.dir / "ipsec.conf"
        self.secrets = host.dir / "ipsec.secrets"
        self.config.write_text(config)
        self.secrets.write_text(secrets)
        self.secrets.chmod(0o600)
        self.nss = host.dir / "nss"
        self.socket = host.dir / "pluto.ctl"
        self.connections = re.findall(r"^conn (?!%)(\S+)", config, re.MULTILINE)
        self.process = None

    def start(self):
        """Starts pluto and waits until it has loaded every connection."""
        if not os.path.exists(f"{LIBEXEC}/pluto"):
            # where pluto looks for its helpers, in this mount namespace alone
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={UNPACKED}:/usr/libexec", "/usr/libexec"], check=True)
        for folder in (self.nss, self.folder / "ipsec.d"):
            folder.mkdir(exist_ok=True)
        if not (self.nss / "cert9.db").exists():
            self.host.run(["certutil", "-N", "-d", f"sql:{self.nss}", "--empty-password"])
        folders = ["--rundir", self.folder, "--ipsecdir", self.folder / "ipsec.d", "--nssdir", self.nss]
        command = [f"{LIBEXEC}/pluto", "--config", self.config, "--secretsfile", self.secrets, *folders, "--nofork", "--stderrlog", "--no-dnssec"]
        self.process = self.host.popen([*command, "--nhelpers", "0"], name="pluto")
        wait_until(self._answers, f"pluto on {self.host.name} has its connections")
        return self

    def _answers(self):
        if not self.process.running:
            raise LabError(f"pluto on {self.host.name} ended with {self.process.popen.returncode}:\n{self.process.output()[-3000:]}")
        if not self.socket.is_socket():
            return False
        status = self.whack("--status", check=False).stdout
        return all(f'"{name}"' in status or f'"{name}/' in status for name in self.connections)

    def import_certificate(self, name, folder):
        """Takes NAME.pem, NAME.key and ca.pem of `folder` into the NSS database, as `name` and its authority, before start()."""
        self.nss.mkdir(exist_ok=True)
        self.host.run(["certutil", "-N", "-d", f"sql:{self.nss}", "--empty-password"])
        self.host.run(["certutil", "-A", "-d", f"sql:{self.nss}", "-n", "ca", "-t", "CT,,", "-a", "-i", folder / "ca.pem"])
        bundle = self.folder / f"{name}.p12"
        self.host.run(["openssl", "pkcs12", "-export", "-in", folder / f"{name}.pem", "-inkey", folder / f"{name}.key", "-name", name, "-passout", "pass:", "-out", bundle])
        self.host.run(["pk12util", "-i", bundle, "-d", f"sql:{self.nss}", "-W", ""])

    def stop(self):
        """Ends pluto in good order; it deletes its SAs with the peer."""
        self.whack("--shutdown")
        return self.process.popen.wait(60)

    def kill(self):
        self.process.kill()

    def whack(self, *args, check=True, timeout=30):
        return self.host.run([f"{LIBEXEC}/whack", "--rundir", self.folder, "--ctlsocket", self.socket, *args], check=check, timeout=timeout)

    def initiate(self, child):
        """Returns when the CHILD SA is up."""
        return self.whack("--initiate", "--name", child)

    def terminate(self, child):
        return self.whack("--terminate", "--name", child)

    # What whack waits for, some rekeys never tell it.
    def rekey_child(self, child):
        return self.whack("--rekey-ipsec", "--name", child, "--asynchronous")

    def rekey_ike(self, child):
        return self.whack("--rekey-ike", "--name", child, "--asynchronous")

    def states(self):
        """[(serial number, connection, state)] of IKE SAs (state ESTABLISHED_IKE_SA) and CHILD SAs (ESTABLISHED_CHILD_SA)."""
        listed = self.whack("--showstates").stdout
        return [(int(m[1]), m[2], m[3]) for m in re.finditer(r'^(?:\d+ )?#(\d+): "([^"]+)".* STATE_V2_(\w+) ', listed, re.MULTILINE)]

    def unique_ids(self, child):
        """Serial numbers of the established IKE SAs and of the CHILD SAs of that name: they change with a rekey."""
        states = self.states()
        return [n for n, _, s in states if s == "ESTABLISHED_IKE_SA"], [n for n, name, s in states if s == "ESTABLISHED_CHILD_SA" and name == child]

    def wait_child(self, child, timeout=60):
        wait_until(lambda: self.unique_ids(child)[1], f"CHILD SA {child} of pluto on {self.host.name}", timeout, interval=0.5)

    def wait_no_sa(self, timeout=60):
        wait_until(lambda: not self.states(), f"no SA of pluto on {self.host.name}", timeout, interval=0.5)


def conn(name, *lines, left="198.51.100.1", right="192.0.2.1", ids=("secgwb.example", "secgwa.example"), ike="aes_gcm128-sha2_256;curve25519", esp="aes_gcm128", give_up=30, authby="secret"):
    """ipsec.conf text of one IKEv2 connection; left is pluto. `lines`: more of it; `give_up`: seconds without an answer."""
    common = (f"left={left}", f"right={right}", f"leftid=@{ids[0]}", f"rightid=@{ids[1]}", f"ike={ike}", f"phase2alg={esp}", "ikev2=yes", f"authby={authby}")
    return "\n\t".join([f"conn {name}", *common, "leftupdown=%disabled", "auto=add", f"retransmit-timeout={give_up}s", *lines]) + "\n"


def pre_shared_key(secret, ids=("secgwb.example", "secgwa.example")):
    return f'@{ids[0]} @{ids[1]} : PSK "{secret}"\n'
