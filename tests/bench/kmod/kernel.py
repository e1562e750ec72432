# SPDX-License-Identifier: Apache-2.0
"""SPDs, SADs and links by the ten thousand: rtnetlink and XFRM netlink messages, many in one datagram."""
import ctypes
import os
import socket
import struct
import subprocess

NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL = 1, 4, 0x400, 0x200
NLMSG_ERROR, RTM_NEWLINK, XFRM_MSG_NEWPOLICY = 2, 16, 0x13
IFLA_IFNAME, IFLA_LINKINFO, IFLA_INFO_KIND, IFLA_INFO_DATA = 3, 18, 1, 2
XFRMA_TMPL, XFRMA_MARK, XFRMA_IF_ID = 5, 21, 31
DIRECTIONS = {"in": 0, "out": 1, "fwd": 2}
IFF_UP = 1
BATCH = 128  # messages in a datagram


def run(*command):
    """Runs a program; its own words are the error."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def enter(path):
    """Moves this process into the network namespace that the file stands for."""
    with open(path) as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), f"cannot enter {path}")


def leave():
    """Back to where everything began."""
    enter("/proc/1/ns/net")


class Namespace:
    """A network namespace that this process can enter."""

    def __init__(self, name):
        self.name = name
        run("ip", "netns", "add", name)

    def enter(self):
        enter(f"/run/netns/{self.name}")

    def ip(self, *lines):
        """`ip` command lines, run by one process."""
        text = "".join(line + "\n" for line in lines)
        done = subprocess.run(["ip", "-n", self.name, "-batch", "-"], input=text, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"ip in {self.name}: {done.stderr.strip()} in:\n{text}")

    def remove(self):
        run("ip", "netns", "del", self.name)


def address(number):
    return struct.pack("!I", number) + bytes(12)


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


class Batch:
    """Sends messages of one kind in the namespace that is entered; only errors and the last are answered."""

    def __init__(self, protocol, kind, flags):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.socket.setsockopt(270, 10, 1)  # NETLINK_CAP_ACK: a request is not echoed
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.kind, self.flags, self.messages, self.total = kind, flags | NLM_F_REQUEST, [], 0

    def add(self, body):
        self.messages.append(body)
        self.total += 1
        if len(self.messages) == BATCH:
            self.flush()

    def flush(self):
        if not self.messages:
            return
        last = len(self.messages) - 1
        data = b"".join(
            struct.pack("=IHHII", 16 + len(body), self.kind, self.flags | (NLM_F_ACK if n == last else 0), n + 1, 0) + body
            for n, body in enumerate(self.messages)
        )
        self.socket.send(data)
        while True:
            answer = self.socket.recv(65536)
            length, kind, _, number, _ = struct.unpack_from("=IHHII", answer)
            error = struct.unpack_from("=i", answer, 16)[0] if kind == NLMSG_ERROR else 0
            if error:
                raise OSError(-error, f"message {self.total - last + number - 1} of kind {self.kind} is refused")
            if number == last + 1:
                break
        self.messages = []

    def close(self):
        self.flush()
        self.socket.close()


class Policies:
    """Inserts policies for ESP tunnels of IPv4 in IPv4. Use as a context."""

    def __init__(self, direction, outer, reqid, mark=0):
        self.direction = DIRECTIONS[direction]
        src, dst = outer
        template = address(dst) + struct.pack("=IBxxxHxx", 0, socket.IPPROTO_ESP, socket.AF_INET) + address(src)
        template += struct.pack("=IBBBxIII", reqid, 1, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
        self.tail = attribute(XFRMA_TMPL, template) + (attribute(XFRMA_MARK, struct.pack("=II", mark, 0xFFFFFFFF)) if mark else b"")
        self.limits = struct.pack("=4Q4Q", *[(1 << 64) - 1] * 4, 0, 0, 0, 0) + bytes(32)

    def __enter__(self):
        self.batch = Batch(socket.NETLINK_XFRM, XFRM_MSG_NEWPOLICY, NLM_F_CREATE | NLM_F_EXCL)
        return self

    def __exit__(self, *_):
        self.batch.close()

    def add(self, if_id, src, dst, port=0, priority=100):
        """`src` and `dst` are (address, prefix length); `port` that of the destination, with UDP."""
        selector = address(dst[0]) + address(src[0])
        selector += struct.pack("!HHHH", port, 0xFFFF if port else 0, 0, 0)
        selector += struct.pack("=HBBBxxxiI", socket.AF_INET, dst[1], src[1], socket.IPPROTO_UDP if port else 0, 0, 0)
        body = selector + self.limits + struct.pack("=IIBBBBxxxx", priority, 0, self.direction, 0, 0, 0)
        self.batch.add(body + self.tail + (attribute(XFRMA_IF_ID, struct.pack("=I", if_id)) if if_id else b""))


def links(kind, names_and_ids):
    """Makes links of kind "svti" or "xfrm", up, in the namespace that is entered."""
    id_attribute = {"svti": 1, "xfrm": 2}[kind]
    batch = Batch(socket.NETLINK_ROUTE, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL)
    for name, if_id in names_and_ids:
        data = attribute(id_attribute, struct.pack("=I", if_id))
        info = attribute(IFLA_INFO_KIND, kind.encode() + b"\0") + attribute(IFLA_INFO_DATA | 0x8000, data)
        body = struct.pack("=BxHiII", 0, 0, 0, IFF_UP, IFF_UP) + attribute(IFLA_IFNAME, name.encode() + b"\0")
        batch.add(body + attribute(IFLA_LINKINFO | 0x8000, info))
    batch.close()


def xfrm_errors():
    """{name: packets} of the drops that XFRM has counted in the namespace that is entered."""
    with open(f"/proc/{os.getpid()}/net/xfrm_stat") as file:
        return {name: int(count) for name, count in (line.split() for line in file)}
