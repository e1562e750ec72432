# SPDX-License-Identifier: Apache-2.0
"""strongSwan as Debian ships it (charon-systemd, swanctl), as many instances as there are hosts.

All instances share one file system, so each gets its own strongswan.conf, log and VICI socket in its host's folder; its
sockets and SAs are in the host's network namespace.
"""
import re

from lab import LabError, wait_until

CHARON = "/usr/sbin/charon-systemd"
PLUGINS = "random nonce openssl kdf hmac sha1 sha2 curve25519 gmp pem pkcs1 pkcs8 x509 pubkey constraints kernel-netlink socket-default vici"


class StrongSwan:
    """charon on `host`, loaded with the swanctl.conf text `config`. `settings`: more lines for the charon section, `plugins`: more of them.
    Keys and certificates are in `private`, `x509`, `x509ca` of the host's folder."""

    def __init__(self, host, config, settings="", plugins="", files=None, charon_plugins=""):
        """`files`: {"x509/gw.pem": path} are put into the host's folder. `charon_plugins`: of the daemon alone."""
        self.host = host
        self.folder = host.dir  # where swanctl looks when it is given a file
        for name, source in (files or {}).items():
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
        self.socket = f"unix://{host.dir}/charon.vici"
        self.settings = host.dir / "strongswan.conf"
        self.config = host.dir / "swanctl.conf"
        self.config.write_text(config)
        self.settings.write_text(
            f"""
charon-systemd {{
  load = {PLUGINS} {plugins} {charon_plugins}
  install_routes = no
  install_virtual_ip = no
  retransmit_tries = 4
  retransmit_timeout = 3
  {settings}
  plugins {{
    vici {{ socket = {self.socket} }}
  }}
  filelog {{
    stderr {{ default = 1  knl = 1  cfg = 1  flush_line = yes  ike_name = yes }}
  }}
}}
swanctl {{
  load = random pem pkcs1 pkcs8 x509 openssl curve25519 {plugins}
  socket = {self.socket}
}}
"""
        )
        self.process = None

    def start(self):
        """Starts charon and loads the configuration."""
        self.process = self.host.popen([CHARON], name="charon", env={"STRONGSWAN_CONF": str(self.settings)})
        wait_until(self._answers, f"charon on {self.host.name} answers\n{self.process.output()[-1000:]}")
        self.swanctl("--load-all", "--file", str(self.config))
        return self

    def _answers(self):
        if not self.process.running:
            raise LabError(f"charon on {self.host.name} ended:\n{self.process.output()[-3000:]}")
        return (self.host.dir / "charon.vici").is_socket() and self.swanctl("--stats", check=False).returncode == 0

    def stop(self):
        """Ends charon; it deletes its SAs with the peer."""
        return self.process.stop()

    def kill(self):
        self.process.kill()

    def swanctl(self, *args, check=True, timeout=90):
        env = {"STRONGSWAN_CONF": str(self.settings), "SWANCTL_DIR": str(self.folder)}
        return self.host.run(["swanctl", *args, "--uri", self.socket], check=check, timeout=timeout, env=env)

    def initiate(self, child, check=True):
        return self.swanctl("--initiate", "--child", child, "--timeout", "60", check=check)

    def terminate(self, ike):
        return self.swanctl("--terminate", "--ike", ike, "--timeout", "60")

    def rekey_child(self, child):
        return self.swanctl("--rekey", "--child", child)

    def rekey_ike(self, ike):
        return self.swanctl("--rekey", "--ike", ike)

    def sas(self):
        """Text of --list-sas."""
        return self.swanctl("--list-sas").stdout

    def wait_child(self, child, timeout=60):
        """Waits for an INSTALLED CHILD_SA of that name and returns the text of --list-sas."""

        def installed():
            text = self.sas()
            return text if re.search(rf"^\s+{child}: #\d+, reqid \d+, INSTALLED", text, re.MULTILINE) else None

        return wait_until(installed, f"CHILD_SA {child} on {self.host.name}", timeout, interval=0.5)

    def wait_no_sa(self, timeout=60):
        wait_until(lambda: not self.sas().strip(), f"no SA on {self.host.name}", timeout, interval=0.5)

    def unique_ids(self, child):
        """Unique ids of the IKE SA and of each INSTALLED CHILD SA of that name: they change with a rekey."""
        text = self.sas()
        ike = re.findall(r"^\S+: #(\d+), ESTABLISHED", text, re.MULTILINE)
        children = re.findall(rf"^\s+{child}: #(\d+), reqid \d+, INSTALLED", text, re.MULTILINE)
        return ike, children


def connection(
    local, remote, local_id, remote_id, local_ts, remote_ts, proposal, esp_proposal, secret, name="site", child="net", svti_id=100, options="", child_options=""
):
    """swanctl.conf text of one IKEv2 connection with a pre-shared key whose CHILD SA belongs to the SVTI (or xfrm interface) `svti_id`."""
    return f"""
connections {{
  {name} {{
    version = 2
    local_addrs = {local}
    remote_addrs = {remote}
    proposals = {proposal}
    mobike = no
    {options}
    local {{
      auth = psk
      id = {local_id}
    }}
    remote {{
      auth = psk
      id = {remote_id}
    }}
    children {{
      {child} {{
        local_ts = {local_ts}
        remote_ts = {remote_ts}
        esp_proposals = {esp_proposal}
        if_id_in = {svti_id}
        if_id_out = {svti_id}
        {child_options}
      }}
    }}
  }}
}}
secrets {{
  ike-{name} {{
    id-1 = {remote_id}
    secret = {secret}
  }}
}}
"""
