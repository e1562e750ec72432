#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes scapy.json: IKEv2 messages put together by scapy's contrib.ikev2, which tests/unit/wire must read. Needs python3-scapy.

scapy computes lengths and counts; what it gets wrong (lengths of ID, of Notify with an SPI, of an IPv6 selector; Delete) is set here.
"""

import json
import pathlib
import struct

from scapy.packet import Raw
from scapy.contrib.ikev2 import (IKEv2, IKEv2_payload_AUTH, IKEv2_payload_IDi, IKEv2_payload_IDr, IKEv2_payload_KE, IKEv2_payload_Nonce,
                                 IKEv2_payload_Notify, IKEv2_payload_Proposal, IKEv2_payload_SA, IKEv2_payload_Transform,
                                 IKEv2_payload_TSi, IKEv2_payload_TSr, IKEv2_payload_VendorID, IPv4TrafficSelector, IPv6TrafficSelector)


def transforms(*list_):
    """(type, id) or (type, id, key bits)"""
    out = None
    for at, (kind, number, *bits) in enumerate(list_):
        fields = {"transform_type": kind, "transform_id": number, "next_payload": 0 if at + 1 == len(list_) else 3}
        if bits:
            fields |= {"length": 12, "key_length": 0x800E0000 | bits[0]}
        one = IKEv2_payload_Transform(**fields)
        out = one if out is None else out / one
    return out


def proposal(number, protocol, spi, list_, last=True):
    return IKEv2_payload_Proposal(proposal=number, proto=protocol, SPI=spi, SPIsize=len(spi), trans_nb=len(list_),
                                  trans=transforms(*list_), next_payload=0 if last else 2)


IKE_CBC = [(1, 12, 256), (1, 12, 128), (2, 5), (3, 12), (4, 31), (4, 14)]
IKE_GCM = [(1, 20, 128), (2, 6), (4, 19)]
ESP_GCM = [(1, 20, 256), (5, 0)]
ESP_CBC = [(1, 12, 128), (3, 12), (5, 1), (5, 0)]

header = {"init_SPI": bytes.fromhex("0102030405060708"), "exch_type": 34, "flags": "Initiator"}
auth_header = header | {"resp_SPI": bytes.fromhex("1112131415161718"), "exch_type": 35, "id": 1}

messages = {
    "ike_sa_init": IKEv2(**header, next_payload=33) /
    IKEv2_payload_SA(next_payload=34, prop=proposal(1, 1, b"", IKE_CBC, last=False) / proposal(2, 1, b"", IKE_GCM)) /
    IKEv2_payload_KE(next_payload=40, group=31, load=bytes(range(32))) /
    IKEv2_payload_Nonce(next_payload=41, load=bytes(range(100, 132))) /
    IKEv2_payload_Notify(next_payload=41, proto=1, type=16388, load=bytes(20)) /
    IKEv2_payload_Notify(next_payload=43, proto=0, type=16430) /
    IKEv2_payload_VendorID(next_payload=0, vendorID=b"scapy"),
    "cookie": IKEv2(**(header | {"flags": "Response"}), next_payload=41) / IKEv2_payload_Notify(type=16390, proto=0, load=b"c" * 40),
    "ike_auth_inside": IKEv2(**auth_header, next_payload=35) /
    IKEv2_payload_IDi(next_payload=36, length=19, IDtype=2, ID=b"gw1.example") /
    IKEv2_payload_IDr(next_payload=39, length=12, IDtype=1, ID="192.0.2.2") /
    IKEv2_payload_AUTH(next_payload=33, auth_type=2, load=bytes(32)) /
    IKEv2_payload_SA(next_payload=44, prop=proposal(1, 3, bytes.fromhex("c0ffee01"), ESP_GCM, last=False) /
                     proposal(2, 3, bytes.fromhex("c0ffee02"), ESP_CBC)) /
    IKEv2_payload_TSi(next_payload=45, number_of_TSs=2, traffic_selector=[
        IPv4TrafficSelector(IP_protocol_ID=6, start_port=80, end_port=80, starting_address_v4="10.1.0.0", ending_address_v4="10.1.255.255"),
        IPv6TrafficSelector(IP_protocol_ID=0, length=40, starting_address_v6="2001:db8:1::",
                            ending_address_v6="2001:db8:1:ffff:ffff:ffff:ffff:ffff")]) /
    IKEv2_payload_TSr(next_payload=41, number_of_TSs=1, traffic_selector=[
        IPv4TrafficSelector(IP_protocol_ID=1, start_port=65535, end_port=0, starting_address_v4="10.2.0.1", ending_address_v4="10.2.0.9")]) /
    IKEv2_payload_Notify(next_payload=42, proto=3, SPI=bytes.fromhex("c0ffee03"), SPIsize=4, length=12, type=16393) /
    Raw(bytes.fromhex("00000010") + struct.pack("!BBHII", 3, 4, 2, 0xC0FFEE04, 0xC0FFEE05)),
}


def finished(message):
    octets = bytes(message)  # scapy counts only payloads that it knows
    return octets[:24] + struct.pack("!I", len(octets)) + octets[28:]


pathlib.Path(__file__).with_name("scapy.json").write_text(
    json.dumps({name: finished(message).hex() for name, message in messages.items()}, indent=1) + "\n")
