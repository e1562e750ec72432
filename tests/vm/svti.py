# SPDX-License-Identifier: Apache-2.0
"""The module's own interfaces, spoken by the tests themselves: links of kind svti over rtnetlink, as uapi/linux/svti.h has
them, and SAs and policies as `ip xfrm` takes them. No tool of ours is in between, so what fails here is the module.
"""
import os
import socket
import struct

from lab import wait_until

XSTATS = (
    "tx-no-policy tx-blocked tx-no-state tx-queue-full tx-no-route tx-loop tx-too-big tx-malformed "
    "tx-error tx-queued rx-no-policy rx-blocked rx-template rx-down rx-malformed"
).split()

IFLA_IFNAME, IFLA_LINK, IFLA_LINKINFO, IFLA_NET_NS_FD, IFLA_LINK_NETNSID = 3, 5, 18, 28, 37
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_XSTATS = 1, 2, 3
IFLA_SVTI_ID, IFLA_SVTI_LINK = 1, 2
SP_HASH = {(4, "local"): 3, (4, "remote"): 4, (6, "local"): 5, (6, "remote"): 6}  # IFLA_SVTI_SP_HASH_*
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWNSID = 88
NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL = 1, 4, 0x400, 0x200
NESTED = 0x8000


class Refused(Exception):
    """The kernel's answer to a request: `errno` (positive) and the sentence that came with it."""

    def __init__(self, errno, text):
        super().__init__(f"{os.strerror(errno)}: {text}")
        self.errno = errno
        self.text = text


def attr(kind, data=b""):
    if isinstance(data, int):
        data = struct.pack("=I", data)
    if isinstance(data, str):
        data = data.encode() + b"\0"
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def attrs(data):
    """{type: payload} of a row of attributes."""
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def request(host, kind, flags, body, protocol=0):
    """One rtnetlink (or other) request in the host's namespace; returns the messages' bodies, raises Refused."""
    with host.entered(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as sock:
        sock.setsockopt(270, 11, 1)  # NETLINK_EXT_ACK
        sock.setsockopt(270, 10, 1)  # NETLINK_CAP_ACK: the request is not echoed
        sock.send(struct.pack("=IHHII", 16 + len(body), kind, flags | NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
        bodies = []
        while True:
            data, at = sock.recv(1 << 17), 0
            while at + 16 <= len(data):
                length, got, got_flags, _, _ = struct.unpack_from("=IHHII", data, at)
                payload = data[at + 16 : at + length]
                at += (length + 3) & ~3
                if got not in (2, 3):  # NLMSG_ERROR, NLMSG_DONE
                    bodies.append(payload)
                    continue
                error = struct.unpack_from("=i", payload)[0]
                if error:
                    text = attrs(payload[20:]).get(1, b"") if got_flags & 0x200 else b""
                    raise Refused(-error, text.rstrip(b"\0").decode())
                return bodies


def link_message(name=None, index=0, data=None, more=b""):
    info = attr(IFLA_INFO_KIND, "svti") + (attr(IFLA_INFO_DATA | NESTED, data) if data is not None else b"")
    return (
        struct.pack("=BxHiII", 0, 0, index, 0, 0)
        + (attr(IFLA_IFNAME, name) if name else b"")
        + more
        + attr(IFLA_LINKINFO | NESTED, info)
    )


def index_of(host, name):
    with host.entered():
        return socket.if_nametoindex(name)


def sp_hash_attrs(family, local, remote):
    return attr(SP_HASH[family, "local"], bytes([local])) + attr(SP_HASH[family, "remote"], bytes([remote]))


def create(host, name, svti_id=None, link=None, more=b"", data=b""):
    """RTM_NEWLINK for an svti, in and as seen from the namespace of `host`; raises Refused."""
    data += (attr(IFLA_SVTI_ID, svti_id) if svti_id is not None else b"") + (attr(IFLA_SVTI_LINK, link) if link else b"")
    request(host, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link_message(name, data=data, more=more))


def change(host, name, svti_id=None, link=None, data=b""):
    data += (attr(IFLA_SVTI_ID, svti_id) if svti_id is not None else b"") + (attr(IFLA_SVTI_LINK, link) if link else b"")
    request(host, RTM_NEWLINK, 0, link_message(index=index_of(host, name), data=data))


def delete(host, name):
    request(host, RTM_DELLINK, 0, struct.pack("=BxHiII", 0, 0, index_of(host, name), 0, 0))


def exists(host, name):
    try:
        index_of(host, name)
    except OSError:
        return False
    return True


def show(host, name):
    """(attributes of the link, of its IFLA_LINKINFO, of its IFLA_INFO_DATA)"""
    bodies = request(host, RTM_GETLINK, 0, struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attr(IFLA_IFNAME, name))
    link = attrs(bodies[0][16:])
    info = attrs(link[IFLA_LINKINFO])
    return link, info, attrs(info[IFLA_INFO_DATA])


def xstats(host, name):
    """{name of the reason: packets}"""
    _, info, _ = show(host, name)
    counters = attrs(info[IFLA_INFO_XSTATS])
    return {reason: struct.unpack("=Q", counters[i + 1])[0] for i, reason in enumerate(XSTATS)}


# --- generic netlink family "svti" ---

CMD_POLICY, CMD_STATE, CMD_TRACE = 1, 2, 3
VIEW = (
    "ifindex dir family saddr daddr proto sport dport mark src-len dst-len sport-mask dport-mask mark-mask index priority action "
    "templates type hashed bucket-src bucket-dst bucket-ports bucket-size bucket-pos spi reqid mode outbound usable way mtu verdict "
    "tuples probes candidates out-ifindex"
).split()
NETWORK_ORDER = {"sport", "dport", "sport-mask", "dport-mask", "spi"}


def genl_family(host):
    body = struct.pack("=BBH", 3, 1, 0) + attr(2, "svti")  # CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME
    return struct.unpack("=H", attrs(request(host, 16, 0, body, 16)[0][4:])[1])[0]


def view(host, name, command, flags=0, more=b""):
    """Answers of the family to a request about the interface: {name of the attribute: value} each."""
    body = struct.pack("=BBH", command, 1, 0) + attr(1, index_of(host, name)) + more
    answers = []
    for payload in request(host, genl_family(host), flags, body, 16):
        answer = {}
        for kind, value in attrs(payload[4:]).items():
            field = VIEW[kind - 1]
            if field in ("saddr", "daddr"):
                answer[field] = socket.inet_ntop(socket.AF_INET if len(value) == 4 else socket.AF_INET6, value)
            else:
                answer[field] = int.from_bytes(value, "big" if field in NETWORK_ORDER else "little")
        answers.append(answer)
    return answers


def spd(host, name):
    """Every policy of the interface with its place."""
    return view(host, name, CMD_POLICY, 0x300)


def sad(host, name):
    return view(host, name, CMD_STATE, 0x300)


def trace(host, name, src, dst, proto=17, sport=0, dport=0, direction="out"):
    family = socket.AF_INET6 if ":" in src else socket.AF_INET
    return view(
        host,
        name,
        CMD_TRACE,
        more=attr(2, bytes([1 if direction == "out" else 0]))
        + attr(3, bytes([family]))
        + attr(4, socket.inet_pton(family, src))
        + attr(5, socket.inet_pton(family, dst))
        + attr(6, bytes([proto]))
        + attr(7, struct.pack(">H", sport))
        + attr(8, struct.pack(">H", dport)),
    )[0]


def netns_attr(host):
    """The namespace the link is to live in, and the file that must stay open meanwhile."""
    file = open(f"/run/netns/{host.name}")
    return file, attr(IFLA_NET_NS_FD, file.fileno())


def send_udp(host, flows):
    """One datagram for each (address, port)."""
    with host.entered():
        for address, port in flows:
            with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
                try:
                    sock.sendto(b"x", (address, port))
                except OSError:
                    pass  # an ICMP error of a datagram before


class Counters:
    """What was counted on an svti since this was made: `counters.since()` has only what is not 0."""

    def __init__(self, host, name):
        self.host, self.name = host, name
        self.before = xstats(host, name)

    def since(self):
        now = xstats(self.host, self.name)
        return {reason: now[reason] - self.before[reason] for reason in XSTATS if now[reason] != self.before[reason]}

    def wait(self, reason, count=1, timeout=20):
        wait_until(lambda: self.since().get(reason, 0) >= count, f"{self.name} counts {count} {reason}; has {self.since()}", timeout)


# --- SAs and policies ---

SUITES = {
    "gcm": "aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128",
    "cbc": "enc 'cbc(aes)' 0x000102030405060708090a0b0c0d0e0f "
    "auth-trunc 'hmac(sha256)' 0x000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f 128",
    "null": "enc ecb(cipher_null) '' auth-trunc 'hmac(sha256)' 0x000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f 128",
}


def sa(src, dst, spi, if_id, reqid=1, suite="gcm", verb="add", more=""):
    return (
        f"xfrm state {verb} src {src} dst {dst} proto esp spi {spi:#x} reqid {reqid} mode tunnel if_id {if_id:#x} "
        f"replay-window 32 flag af-unspec {SUITES[suite]} {more}"
    )


def policy(src, dst, direction, if_id, outer_src, outer_dst, reqid=1, priority=0, verb="add", more="", sel=""):
    return (
        f"xfrm policy {verb} src {src} dst {dst} {sel} dir {direction} if_id {if_id:#x} priority {priority} {more} "
        f"tmpl src {outer_src} dst {outer_dst} proto esp reqid {reqid} mode tunnel"
    )


class Ends:
    """Two hosts on one cable, an svti on each:

        a ───────────── underlay ───────────── b
          10.0.0.1                    10.0.0.2            outside, also fd00::1, fd00::2
          svti1 192.168.1.1     svti1 192.168.1.2         inside, also fd01::1, fd01::2; svti-id 1
    """

    def __init__(self, lab, up=True):
        self.lab = lab
        self.a, self.b = lab.host("a"), lab.host("b")
        lab.link(self.a, "eth0", self.b, "eth0")
        for n, host in ((1, self.a), (2, self.b)):
            host.addr("eth0", f"10.0.0.{n}/24", f"fd00::{n}/64")
            self.svti(host, "svti1", 1, 1, n, up)

    @staticmethod
    def svti(host, name, svti_id, net, n, up=True):
        """Makes an svti without the chatter of IPv6, whose packets would be counted; with its addresses."""
        create(host, name, svti_id)
        host.ip(f"link set {name} addrgenmode none", f"addr add 192.168.{net}.{n}/24 dev {name}")
        host.ip(f"addr add fd{net:02}::{n}/64 dev {name} nodad")
        if up:
            host.run(f"ip link set {name} up")

    def outer(self, family):
        return ("10.0.0.1", "10.0.0.2") if family == 4 else ("fd00::1", "fd00::2")

    def states(self, family=4, if_id=1, reqid=1, spi=0x100, suite="gcm", more=""):
        """A pair of SAs, the same on both hosts."""
        a, b = self.outer(family)
        to_b, to_a = sa(a, b, spi + 1, if_id, reqid, suite, more=more), sa(b, a, spi + 2, if_id, reqid, suite, more=more)
        # Each end can receive before it sends, as with IKE.
        self.b.ip(to_b, to_a)
        self.a.ip(to_a, to_b)

    def policies(self, family=4, if_id=1, reqid=1, inner=(4, 6), priority=0):
        """Policies for everything, both ways, on both hosts."""
        a, b = self.outer(family)
        for host, (here, there) in ((self.a, (a, b)), (self.b, (b, a))):
            host.ip(
                *(
                    policy(any_, any_, direction, if_id, src, dst, reqid, priority)
                    for any_ in ("0.0.0.0/0" if f == 4 else "::/0" for f in inner)
                    for direction, src, dst in (("out", here, there), ("in", there, here))
                )
            )

    def protect(self, family=4, suite="gcm", more=""):
        self.states(family, suite=suite, more=more)
        self.policies(family)
