# SPDX-License-Identifier: Apache-2.0
"""OpenIKED as Debian ships it (iked), as many instances as there are hosts.

It speaks PF_KEY to the kernel of its host's namespace. Its control tool is called ikectl like ours, and knows of no rekey of one SA: those
come by lifetimes. It begins on its own what its configuration calls active, or waits with `passive` until initiate().
"""
import shlex

from lab import LabError, wait_until


class OpenIked:
    """iked on `host`, with `config`, the text of an iked.conf."""

    def __init__(self, host, config, files=None):
        """`files`: {"certs/gwb.crt": path} are all that it finds in /etc/iked; without them that is what the package has put there."""
        self.host = host
        self.etc = host.dir / "etc-iked" if files else None
        for folder in ("ca", "certs", "crls", "private", "pubkeys/fqdn") if files else ():
            (self.etc / folder).mkdir(parents=True, exist_ok=True)
        for name, source in (files or {}).items():
            (self.etc / name).write_bytes(source.read_bytes())
        self.config = host.dir / "iked.conf"
        self.config.write_text(config)
        self.config.chmod(0o600)
        self.socket = host.dir / "iked.sock"
        self.process = None

    def start(self, passive=True):
        self.host.run("modprobe af_key")
        command = ["/usr/sbin/iked", "-d", "-v", *(["-S"] if passive else []), "-f", self.config, "-s", self.socket]
        if self.etc:
            own_etc = f"mount --bind {self.etc} /etc/iked && exec {shlex.join(map(str, command))}"
            command = ["unshare", "--mount", "sh", "-c", own_etc]
        self.process = self.host.popen(command, name="openiked")
        wait_until(self._answers, f"OpenIKED on {self.host.name} answers")
        return self

    def _answers(self):
        if not self.process.running:
            raise LabError(f"OpenIKED on {self.host.name} ended with {self.process.popen.returncode}:\n{self.process.output()[-3000:]}")
        return self.socket.is_socket() and self.ikectl("show", "sa", check=False).returncode == 0

    def stop(self):
        return self.process.stop()

    def kill(self):
        self.process.kill()

    def ikectl(self, *args, check=True):
        return self.host.run(["/usr/sbin/ikectl", "-s", self.socket, *args], check=check)

    def initiate(self):
        """Begins what the configuration calls active; it keeps trying."""
        self.ikectl("active")

    def terminate(self):
        """Deletes all SAs, with the peer."""
        self.ikectl("reset", "sa")


def policy(
    *flows,
    name="net",
    mode="active",
    encap="esp",
    local="198.51.100.1",
    peer="192.0.2.1",
    ids=("secgwb.example", "secgwa.example"),
    ike="enc aes-128-gcm prf hmac-sha2-256 group curve25519",
    child="enc aes-128-gcm noesn",
    secret="",
    auth="",
    lifetimes="",
    config="",
):
    """iked.conf text of one policy with a pre-shared key, or `auth` in its place. `flows`: ("192.168.99.0/24", "192.168.0.0/24") pairs, own side first;
    `config`: what is given or requested."""
    auth = auth or f'psk "{secret}"'
    selectors = " ".join(f"from {here} to {there}" for here, there in flows)
    return (
        f'ikev2 "{name}" {mode} {encap} {selectors} local {local} peer {peer} ikesa {ike} childsa {child} '
        f'srcid {ids[0]} dstid {ids[1]} {lifetimes} {auth} {config}\n'
    )
