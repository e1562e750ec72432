# SPDX-License-Identifier: Apache-2.0
"""tshark reads every IKE message that our daemons send in any of the tests, with the keys that they log, and may find no error in one.

No test has to ask for it: svti-iked's start opens a packet socket on its host, whose filter keeps the IKE messages; it is read when the laboratory
closes. tshark runs once, when all tests are done.
"""
import ctypes
import functools
import os
import pathlib
import socket
import struct
import subprocess

from lab import LabError

SO_ATTACH_FILTER, SO_RCVBUFFORCE, PACKET_STATISTICS, SOL_PACKET = 26, 33, 6, 263
ETH_P_ALL, PACKET_OUTGOING = 3, 4
ROOM = 64 << 20  # octets of the socket's buffer: a thousand rekeys
IKE = (
    "udp src port 500 or (udp src port 4500 and udp[8:4] = 0) or (ip6 and udp src port 4500 and ip6[48:4] = 0)"
    " or (ip proto 17 and ip[6:2] & 0x1fff != 0) or (ip6 and ip6[6] = 44)"
)
ENCRYPTED, FRAGMENT = "46", "53"  # payloads
ERROR = 8388608  # _ws.expert.severity
# What tshark 4.0 calls an error and is none: {its words: why}.
BORNE = {}
OCSP_CONTENT = "14"  # encoding of a CERT payload (RFC 4806), whose content tshark takes for a certificate

_packets = []  # (test, packet from its IP header on)
_seen = set()
_keys = {}  # lines of the decryption table; a dict for its order


@functools.cache
def _filter():
    """IKE as classic BPF, in the octets that the kernel takes."""
    lines = subprocess.run(["tcpdump", "-ddd", "-y", "RAW", IKE], check=True, capture_output=True, text=True).stdout.splitlines()[1:]
    code = b"".join(struct.pack("=HBBI", *map(int, line.split())) for line in lines)
    return len(lines), ctypes.create_string_buffer(code, len(code))


class Watch:
    """What leaves `host` as IKE from now on, and the file of keys to read it with."""

    def __init__(self, host, keys):
        self._keys = keys
        self._name = host.name
        count, code = _filter()
        with host.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", count, ctypes.addressof(code)))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        self._socket.setblocking(False)
        # all interfaces; Python's bind() knows none by its number
        address = struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(ETH_P_ALL), 0, 0, 0, 0, b"")
        if ctypes.CDLL(None, use_errno=True).bind(self._socket.fileno(), address, len(address)):
            raise OSError(ctypes.get_errno(), "bind of a packet socket")

    def close(self, test):
        """Keeps what was sent for check(); LabError when some of it was lost."""
        while True:
            try:
                packet, (_, _, kind, _, _) = self._socket.recvfrom(65536)
            except BlockingIOError:
                break
            # sent again, or seen at a second interface: octet for octet the same, but for IP's header
            said = (packet[40:] if packet[0] >> 4 == 6 else packet[(packet[0] & 15) * 4 :])[8:]
            if kind == PACKET_OUTGOING and (test, said) not in _seen:
                _seen.add((test, said))
                _packets.append((test, packet))
        _, dropped = struct.unpack("=II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self._socket.close()
        if self._keys.exists():
            _keys.update(dict.fromkeys(self._keys.read_text().splitlines()))
        if dropped:
            raise LabError(f"{dropped} IKE messages of {self._name} were not kept: ROOM is too small")


def check(packets=_packets, keys=_keys, folder=pathlib.Path("/run/messages")):
    """Has tshark read all that was kept. Returns (number of messages read, [what is wrong])."""
    if not packets:
        return 0, []
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ikev2_decryption_table").write_text("".join(line + "\n" for line in keys))
    with open(folder / "sent.pcap", "wb") as file:
        file.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))  # from the IP header on
        for number, (_, packet) in enumerate(packets, 1):
            file.write(struct.pack("=IIII", number, 0, len(packet), len(packet)) + packet)
    unreadable = {line[2:18] for line in keys if line.startswith("#")}  # initiator's SPI: of algorithms that Wireshark does not have
    names = ("frame.number", "isakmp.ispi", "isakmp.nextpayload", "isakmp.enc.decrypted", "isakmp.typepayload", "_ws.malformed", "_ws.expert.severity", "_ws.expert.message", "isakmp.cert.encoding")
    fields = ("-T", "fields", "-E", "separator=/t", "-E", "aggregator=|", *(word for name in names for word in ("-e", name)))
    lines = _tshark(folder, "-Y", "isakmp", *fields).splitlines()
    wrong = []
    for line in lines:
        number, spi, payloads, decrypted, _, malformed, severities, said, encodings = (line.split("\t") + [""] * 9)[:9]
        errors = [w for s, w in zip(severities.split("|"), said.split("|")) if s and int(s) >= ERROR and w not in BORNE]
        # it stops at the payload that it does not understand
        if malformed and not errors and encodings.split("|")[-1] != OCSP_CONTENT:
            errors = ["malformed"]
        if payloads.split("|")[0] in (ENCRYPTED, FRAGMENT) and not decrypted and spi not in unreadable:
            errors.append("cannot be read with the keys logged")
        if errors:
            wrong.append(f"{packets[int(number) - 1][0]}: tshark of message {number}: {', '.join(errors)}")
            if len(wrong) == 1:
                wrong[0] += "\n" + _tshark(folder, "-Y", f"frame.number == {number}", "-O", "isakmp")[:6000]
    return len(lines), wrong


def _tshark(folder, *args):
    done = subprocess.run(["tshark", "-n", "-r", folder / "sent.pcap", *args], capture_output=True, text=True, env={**os.environ, "WIRESHARK_CONFIG_DIR": str(folder)})
    if done.returncode:
        raise LabError(f"tshark: {done.stderr}")
    return done.stdout
