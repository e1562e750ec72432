# SPDX-License-Identifier: Apache-2.0
"""FreeRADIUS as Debian ships it, on a host of the laboratory, with a configuration of its own."""
import re
import subprocess

from lab import wait_until

PROGRAM = "/usr/sbin/freeradius"


class FreeRadius:
    """`users`: text of its users file. `clients`: {address: secret}. `pki`: a folder with NAME.pem, NAME.key and ca.pem, for TLS and TTLS."""

    def __init__(self, host, users, clients, pki, certificate="radius", eap="md5"):
        self.host = host
        self.dir = host.dir / "radius"
        self.dir.mkdir(parents=True, exist_ok=True)
        self.details = self.dir / "detail"
        (self.dir / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n")
        (self.dir / "users").write_text(users)
        client = "".join(
            f"client c{n} {{\n ipaddr = {address}\n secret = {secret}\n require_message_authenticator = yes\n}}\n" for n, (address, secret) in enumerate(clients.items())
        )
        (self.dir / "radiusd.conf").write_text(
            f"""
name = radiusd
prefix = /usr
logdir = {self.dir}
raddbdir = {self.dir}
run_dir = {self.dir}
db_dir = {self.dir}
pidfile = {self.dir}/pid
libdir = /usr/lib/freeradius
max_request_time = 30
cleanup_delay = 5
log {{
  destination = stdout
  auth = yes
}}
security {{
  max_attributes = 200
  reject_delay = 0
  status_server = no
}}
{client}
thread pool {{
  start_servers = 1
  max_servers = 2
  min_spare_servers = 1
  max_spare_servers = 2
}}
modules {{
  pap {{
  }}
  mschap {{
  }}
  files {{
    filename = {self.dir}/users
  }}
  detail {{
    filename = {self.details}
    permissions = 0600
  }}
  eap {{
    default_eap_type = {eap}
    md5 {{
    }}
    mschapv2 {{
    }}
    tls-config common {{
      private_key_file = {pki}/{certificate}.key
      certificate_file = {pki}/{certificate}.pem
      ca_file = {pki}/ca.pem
      cipher_list = "DEFAULT"
      tls_min_version = "1.2"
      tls_max_version = "1.2"
      fragment_size = 1024
    }}
    tls {{
      tls = common
    }}
    ttls {{
      tls = common
      default_eap_type = md5
      virtual_server = inner
      use_tunneled_reply = yes
    }}
  }}
}}
server default {{
  listen {{
    type = auth
    ipaddr = *
    port = 1812
  }}
  listen {{
    type = acct
    ipaddr = *
    port = 1813
  }}
  authorize {{
    files
    eap {{
      ok = return
    }}
    pap
  }}
  authenticate {{
    Auth-Type MS-CHAP {{
      mschap
    }}
    eap
  }}
  accounting {{
    detail
  }}
}}
server inner {{
  authorize {{
    files
    mschap
    eap {{
      ok = return
    }}
    pap
  }}
  authenticate {{
    Auth-Type PAP {{
      pap
    }}
    Auth-Type MS-CHAP {{
      mschap
    }}
    eap
  }}
}}
"""
        )
        self.process = None

    def start(self):
        # it does not read what others may write
        subprocess.run(["chmod", "-R", "go-w", str(self.dir)], check=True)
        self.process = self.host.popen([PROGRAM, "-X", "-d", str(self.dir)], name="freeradius")
        self.process.wait_output("^Ready to process requests")
        return self

    def stop(self):
        self.process.kill()

    def accounted(self, status):
        """The records of that Acct-Status-Type, each {attribute: text}."""
        text = self.details.read_text() if self.details.exists() else ""
        records = [dict(re.findall(r"^\t([\w-]+) = \"?(.*?)\"?$", one, re.MULTILINE)) for one in text.split("\n\n")]
        return [one for one in records if one.get("Acct-Status-Type") == status]

    def wait_accounted(self, status, count=1):
        return wait_until(lambda: len(found := self.accounted(status)) >= count and found, f"{count} {status} records in {self.details}", 60)[-1]


def ask_nas(host, server, kind, secret, attributes, port=3799):
    """radclient: what the NAS answers to a Disconnect-Request (kind "disconnect") or a CoA-Request ("coa")."""
    done = host.run(["radclient", "-x", "-r", "2", "-t", "3", f"{server}:{port}", kind, secret], check=False, input=attributes + "\n", timeout=60)
    return done.stdout + done.stderr
