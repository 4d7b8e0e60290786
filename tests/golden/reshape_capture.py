#!/usr/bin/env python3
"""The recorded captures as other machines would have written them: the same totals.

usage: reshape_capture.py AGENT [--seed S] [--only NAME] [--shape SHAPE]

Reads $BREAKEVEN_CORPUS/pcap and writes each capture again, seeded: behind other link
headers, in IPv6 with extension headers, in IP fragments, in segments merged by the network
card, with other ports, numbers, clocks and options, in every container that libpcap or
Wireshark writes. Every call and token class must be as NAME.truth.jsonl says; where bytes
are cut off, no wrong number may be called exact. Exit 0, 1 on a difference, 77 without
the corpus.
"""
import argparse
import concurrent.futures
import dataclasses
import gzip
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

from scan_capture import (FIN, NAMES, PSH, RST, SYN, Segment, judge, judge_losses,
                          read_pcap, scan)

ACK, URG, ECE_CWR = 16, 32, 0xc0
SNAP = 262144
INSIDE = "pcapng, secrets inside"


@dataclasses.dataclass
class Seg:
    ns: int
    src: bytes
    dst: bytes
    ports: tuple
    seq: int
    ack: int
    flags: int
    payload: bytes
    options: bytes = b""

    @property
    def key(self):
        return self.src, self.dst, self.ports

    def tcp(self):
        return struct.pack(">HHIIBBHHH", *self.ports, self.seq & 0xffffffff,
                           self.ack & 0xffffffff, 80 + len(self.options) // 4 * 16 & 0xff,
                           self.flags, 65535, 0x1234, 0) + self.options + self.payload


def segments(frames):
    out = []
    for s, us, frame in frames:
        seg = Segment(frame)
        ports = struct.unpack_from(">HH", frame, seg.tcp)
        out.append(Seg(s * 10**9 + us * 1000, frame[26:30], frame[30:34], ports, seg.seq,
                       struct.unpack_from(">I", frame, seg.tcp + 8)[0], seg.flags,
                       seg.payload, frame[seg.tcp + 20:seg.data]))
    return out


# --- IP ---------------------------------------------------------------------------------

def ip4(seg, total=None, ident=1, options=b""):
    data = seg.tcp()
    n = 20 + len(options) + len(data)
    return struct.pack(">BBHHHBBH4s4s", 0x45 + len(options) // 4, 0,
                       n if total is None else total, ident, 0x4000, 64, 6, 0xdead,
                       seg.src, seg.dst) + options + data


def six(address):
    return b"\x20\1\x0d\xb8" + bytes(8) + address


def ip6(seg, extensions=(), total=None):
    """extensions: (protocol number, bytes behind its next-header byte)"""
    body, following = seg.tcp(), 6
    for number, rest in reversed(extensions):
        body, following = bytes([following]) + rest + body, number
    return struct.pack(">IHBB16s16s", 6 << 28, len(body) if total is None else total,
                       following, 64, six(seg.src), six(seg.dst)) + body


EXTENSIONS = ((0, b"\0\5\2\0\0\1\0"), (60, b"\1" + b"\1\14" + bytes(12)),
              (43, b"\0\0\0" + bytes(4)), (51, b"\4" + bytes(22)), (44, bytes(3) + b"\0\0\0\7"),
              (60, b"\0\1\4" + bytes(4)))


def fragments4(rng, seg, ident):
    whole = ip4(seg, ident=ident)
    head, data, out, at = whole[:20], whole[20:], [], 0
    while at < len(data):
        n = len(data) - at if rng.random() < 0.2 else 8 * rng.randrange(1, 80)
        piece = data[at:at + n]
        more = at + len(piece) < len(data)
        out.append(head[:2] + struct.pack(">HHH", 20 + len(piece), ident,
                                          (0x2000 if more else 0) | at // 8)
                   + head[8:] + piece)
        at += len(piece)
    return out


def fragments6(rng, seg, ident):
    data, out, at = seg.tcp(), [], 0
    while at < len(data):
        n = len(data) - at if rng.random() < 0.2 else 8 * rng.randrange(1, 80)
        piece = data[at:at + n]
        more = at + len(piece) < len(data)
        out.append(struct.pack(">IHBB16s16s", 6 << 28, 8 + len(piece), 44, 64, six(seg.src),
                               six(seg.dst))
                   + struct.pack(">BBHI", 6, 0, at | more, ident) + piece)
        at += len(piece)
    return out


# --- links ------------------------------------------------------------------------------

def ethertype(ip):
    return b"\x86\xdd" if ip[0] >> 4 == 6 else b"\x08\0"


def family(ip, six_is=10):
    return six_is if ip[0] >> 4 == 6 else 2


MAC = bytes(range(12))
LINKS = {
    "ethernet": (1, lambda ip: MAC + ethertype(ip) + ip),
    "vlan": (1, lambda ip: MAC + b"\x81\0\0\7" + ethertype(ip) + ip),
    "qinq": (1, lambda ip: MAC + b"\x88\xa8\0\7\x81\0\0\x0b" + ethertype(ip) + ip),
    "qinq old": (1, lambda ip: MAC + b"\x91\0\0\7\x81\0\0\x0b" + ethertype(ip) + ip),
    "padded": (1, lambda ip: (MAC + ethertype(ip) + ip).ljust(60, b"\xee")),
    "trailer": (1, lambda ip: MAC + ethertype(ip) + ip + b"FCS!"),
    "cooked": (113, lambda ip: b"\0\4\0\1\0\6\1\2\3\4\5\6\0\0" + ethertype(ip) + ip),
    "cooked vlan": (113, lambda ip: b"\0\4\0\1\0\6\1\2\3\4\5\6\0\0\x81\0\0\7" + ethertype(ip) + ip),
    "cooked2": (276, lambda ip: ethertype(ip) + bytes(5) + b"\1\0\1\4\6" + bytes(8) + ip),
    "raw": (101, lambda ip: ip),
    "raw bsd": (12, lambda ip: ip),
    "raw openbsd": (14, lambda ip: ip),
    "null little": (0, lambda ip: struct.pack("<I", family(ip, 30)) + ip),
    "null big": (0, lambda ip: struct.pack(">I", family(ip, 24)) + ip),
    "loop": (108, lambda ip: struct.pack(">I", family(ip, 28)) + ip),
}


# --- containers: [(ns, frame, bytes on the wire, interface)] -> bytes ---------------------

def pcap(frames, dlt=1, order="<", nano=False, snap=SNAP, network=0):
    out = [struct.pack(order + "IHHiIII", 0xa1b23c4d if nano else 0xa1b2c3d4, 2, 4, 0, 0,
                       snap, dlt | network)]
    for ns, frame, wire, _ in frames:
        part = ns % 10**9
        out.append(struct.pack(order + "IIII", ns // 10**9, part if nano else part // 1000,
                               len(frame[:snap]), wire) + frame[:snap])
    return b"".join(out)


class Ng:
    """Blocks of pcapng in one byte order; interfaces: [(dlt, snap, tsresol, tsoffset)]"""

    def __init__(self, interfaces, order="<", length=True):
        self.order, self.interfaces = order, interfaces
        comment = self.option(1, b"made up") + self.option(4, b"nobody") + self.option(0, b"")
        self.out = [self.block(0x0a0d0d0a, self.pack("IHHq", 0x1a2b3c4d, 1, 0, -1) + comment)]
        for dlt, snap, resolution, offset in interfaces:
            options = self.option(2, b"eth0") + self.option(9, bytes([resolution]))
            options += self.option(14, self.pack("q", offset)) + self.option(0, b"")
            self.out.append(self.block(1, self.pack("HHI", dlt, 0, snap) + options))

    def pack(self, form, *values):
        return struct.pack(self.order + form, *values)

    def option(self, code, value):
        return self.pack("HH", code, len(value)) + value + bytes(-len(value) % 4)

    def block(self, kind, body):
        body += bytes(-len(body) % 4)
        n = self.pack("I", len(body) + 12)
        return self.pack("I", kind) + n + body + n

    def packet(self, ns, frame, wire, interface):
        dlt, snap, resolution, offset = self.interfaces[interface]
        units = 2**(resolution & 127) if resolution & 128 else 10**resolution
        ticks = (ns - offset * 10**9) * units // 10**9
        kept = frame[:snap or None]
        body = self.pack("IIIII", interface, ticks >> 32, ticks & 0xffffffff, len(kept), wire)
        body += kept + bytes(-len(kept) % 4)
        self.out.append(self.block(6, body + self.option(2, self.pack("I", 1)) +
                                   self.option(0, b"")))

    def old_packet(self, ns, frame, wire, interface):
        us = ns // 1000
        self.out.append(self.block(2, self.pack("HHIIII", interface, 0xffff, us >> 32,
                                                us & 0xffffffff, len(frame), wire) + frame))

    def simple(self, frame):
        self.out.append(self.block(3, self.pack("I", len(frame)) + frame))

    def secrets(self, text):
        self.out.append(self.block(10, self.pack("II", 0x544c534b, len(text)) + text))

    def other(self, rng):
        kind = rng.choice((4, 5, 0xa, 0xbad, 0x40000bad))
        bodies = {4: self.pack("HH", 1, 10) + b"\1\2\3\4a.b\0c\0\0\0" + bytes(4),
                  5: self.pack("III", 0, 1, 2) + self.option(0, b""),
                  0xa: self.pack("II", 0x544c534b, 4) + b"#nop"}
        self.out.append(self.block(kind, bodies.get(kind, self.pack("I", 7) + b"opaque!")))

    def bytes(self):
        return b"".join(self.out)


def ng(frames, interfaces, order="<", rng=None):
    file = Ng(interfaces, order)
    for frame in frames:
        if rng and rng.random() < 0.1:
            file.other(rng)
        file.packet(*frame)
    return file.bytes()


# --- what a network, a card or a kernel makes of segments ---------------------------------

def ethernet(segs, ip=ip4):
    out = []
    for seg in segs:
        frame = LINKS["ethernet"][1](ip(seg))
        out.append((seg.ns, frame, len(frame), 0))
    return out


def linked(segs, link, ip=ip4):
    out = []
    for seg in segs:
        frame = LINKS[link][1](ip(seg))
        out.append((seg.ns, frame, len(frame), 0))
    return pcap(out, LINKS[link][0])


def merged(segs, most):
    """Neighbours of a direction in one, as a card or the kernel merges them."""
    out, last = [], {}
    for seg in segs:
        before = last.get(seg.key)
        if before is not None and before.payload and seg.payload and before.flags & ~PSH == ACK \
                and seg.flags & ~(PSH | FIN) == ACK and \
                before.seq + len(before.payload) == seg.seq and before.ack == seg.ack and \
                len(before.payload) + len(seg.payload) <= most:
            before.payload += seg.payload
            before.flags |= seg.flags
            continue
        seg = dataclasses.replace(seg)
        last[seg.key] = seg
        out.append(seg)
    return out


def numbered(rng, segs):
    """Every direction begins a little below 2^32."""
    first, out = {}, []
    for seg in segs:
        first.setdefault(seg.key, (seg.seq, 2**32 - rng.randrange(1, 3000)))
    for seg in segs:
        own = first[seg.key]
        peer = first.get((seg.dst, seg.src, seg.ports[::-1]), (seg.ack, seg.ack))
        out.append(dataclasses.replace(seg, seq=seg.seq - own[0] + own[1],
                                       ack=seg.ack - peer[0] + peer[1]))
    return out


def probed(rng, segs):
    """Keep-alive probes with and without their byte of garbage, and the answers."""
    out, ends = [], {}
    for seg in segs:
        back = ends.get((seg.dst, seg.src, seg.ports[::-1]))
        if seg.key in ends and back and rng.random() < 0.15 and \
                not seg.flags & (SYN | FIN | RST):
            byte = bytes(rng.randrange(2))
            out.append(Seg(seg.ns, *seg.key, ends[seg.key] - 1, back, ACK, byte))
            out.append(Seg(seg.ns, seg.dst, seg.src, seg.ports[::-1], back, ends[seg.key], ACK,
                           b""))
        out.append(seg)
        end = seg.seq + len(seg.payload) + bool(seg.flags & SYN) + bool(seg.flags & FIN)
        ends[seg.key] = max(end, ends.get(seg.key, 0))
    return out


def optioned(rng, segs):
    stamps = b"\1\1\x08\x0a" + bytes(8)
    sack = b"\1\1\5\x0a" + bytes(8)
    fill = (b"", stamps, sack, stamps + b"\1\1\5\x12" + bytes(16) + bytes(8), b"\0" * 40,
            b"\x1e\x14" + bytes(18), b"\xfe\x0c" + bytes(10))
    return [dataclasses.replace(seg, options=rng.choice(fill),
                                flags=seg.flags | rng.choice((0, 0, ECE_CWR, URG)))
            for seg in segs]


def stepped(rng, segs):
    """A clock that is set back, and one that leaps."""
    out, off = [], 0
    for seg in segs:
        if rng.random() < 0.01:
            off = rng.randrange(-3600 * 10**9, 10**9)
        out.append(dataclasses.replace(seg, ns=seg.ns + off))
    return out


def reused(segs):
    """Everything twice, on the same addresses and ports, at once; other numbers."""
    last = segs[-1].ns - segs[0].ns + 10**6
    return list(segs) + [dataclasses.replace(seg, ns=seg.ns + last, seq=seg.seq + 0x51234567,
                                             ack=seg.ack + 0x51234567) for seg in segs]


def without_syn(segs):
    return [seg for seg in segs if not seg.flags & SYN]


def ported(segs, up, down):
    """The server's port and the client's in other places than usual: {client: new}"""
    clients = {}
    for seg in segs:
        if seg.flags & (SYN | ACK) == SYN:
            clients.setdefault((seg.src, seg.ports[0]), len(clients))
    def of(address, number):
        return up + clients[address, number] if (address, number) in clients else down
    names = {number: up + at for (_, number), at in clients.items()}
    return [dataclasses.replace(seg, ports=(of(seg.src, seg.ports[0]),
                                            of(seg.dst, seg.ports[1])))
            for seg in segs], names


def doubled(rng, frames):
    """A port that mirrors both directions, or `any` on a bridge: each packet twice."""
    out = []
    for i, frame in enumerate(frames):
        out.append((i, frame))
        out.append((i + rng.random() * 6, frame))
    return [frame for _, frame in sorted(out, key=lambda f: f[0])]


def fragmented(rng, segs, cutter, order):
    out = []
    for i, seg in enumerate(segs):
        pieces = cutter(rng, seg, i & 0xffff)
        if order == "swapped":
            rng.shuffle(pieces)
        elif order == "repeated":
            pieces = pieces + pieces[:1] if len(pieces) > 1 and rng.random() < .5 else pieces
            pieces = pieces[:1] + pieces if len(pieces) > 1 else pieces
        out += [(seg.ns, LINKS["ethernet"][1](ip), 14 + len(ip), 0) for ip in pieces]
    return out


def shapes(rng, segs, keys):
    """name -> (file's bytes, how to judge it, {client port: its port in the file})"""
    plain = ethernet(segs)
    turn = rng.randrange(2)
    for i, link in enumerate(LINKS):
        six_too = (i + turn) % 2
        yield f"link {link} ip{6 if six_too else 4}", \
            linked(segs, link, ip6 if six_too else ip4), judge, {}
    yield "ip4 options", pcap(ethernet(segs, lambda s: ip4(s, options=b"\x94\4\0\0" + b"\1" * 8))), \
        judge, {}
    yield "ip6 extensions", pcap(ethernet(segs, lambda s: ip6(s, EXTENSIONS))), judge, {}
    yield "ip4 no total", pcap(ethernet(segs, lambda s: ip4(s, total=0))), judge, {}
    yield "ip6 jumbo", pcap(ethernet(segs, lambda s: ip6(
        s, ((0, b"\0\xc2\4" + struct.pack(">I", 8 + len(s.tcp()))),), total=0))), judge, {}
    for order in ("in order", "swapped", "repeated"):
        for cutter in (fragments4, fragments6):
            yield f"{cutter.__name__} {order}", pcap(fragmented(rng, segs, cutter, order)), \
                judge, {}
    yield "merged", pcap(ethernet(merged(segs, 65000))), judge, {}
    yield "merged over 64 KiB", pcap(ethernet(merged(segs, 200000), lambda s: ip4(
        s, total=0 if len(s.payload) > 65000 else None))), judge, {}
    yield "merged ip6", linked(merged(segs, 65000), "cooked2", ip6), judge, {}
    yield "numbers wrap", pcap(ethernet(numbered(rng, segs))), judge, {}
    yield "probes", pcap(ethernet(probed(rng, segs))), judge, {}
    yield "options, urgent", pcap(ethernet(optioned(rng, segs))), judge, {}
    yield "clock steps", pcap(ethernet(stepped(rng, segs))), judge, {}
    yield "mirrored", pcap(doubled(rng, plain)), judge, {}
    yield "mirrored on two interfaces", ng(
        [(ns, f, n, i & 1) for i, (ns, f, n, _) in enumerate(doubled(rng, plain))],
        [(1, SNAP, 6, 0), (1, SNAP, 9, 0)]), judge, {}
    for name, up, down in (("low clients", 400, 50000), ("443 asks 443", 40000, 443),
                           ("both high", 40000, 60000), ("both low", 500, 81)):
        moved, names = ported(segs, up, down)
        yield "ports: " + name, pcap(ethernet(moved)), judge, names
    yield "reused", pcap(ethernet(reused(segs))), twice, {}
    moved, names = ported(segs, 40000, 443)
    yield "no SYN", pcap(ethernet(without_syn(moved))), judge, names
    for name, up in (("clients only", True), ("servers only", False)):
        half = [seg for seg in moved if (seg.ports[1] == 443) == up]
        yield name, pcap(ethernet(half)), none_known, names
    for snap in (54, 60, 96, 300, 1000):
        yield f"snap {snap}", pcap(plain, snap=snap), judge_losses, {}
    for order in "<>":
        for nano in (False, True):
            yield f"pcap {order} {nano}", pcap(plain, order=order, nano=nano), judge, {}
        yield f"pcapng {order}", ng(plain, [(1, SNAP, 6, 0)], order, rng), judge, {}
    yield "pcap, FCS bits", pcap(plain, network=0x24000000), judge, {}
    begin = segs[0].ns // 10**9 - 5
    for name, resolution, offset in (("ms", 3, 0), ("ns", 9, 0), ("ps", 12, begin),
                                     ("2^-20", 0x94, 0), ("2^-32", 0xa0, begin)):
        yield "pcapng " + name, ng(plain, [(1, SNAP, resolution, offset)]), judge, {}
    yield "pcapng.gz", gzip.compress(ng(plain, [(1, 0, 6, 0)]), 1), judge, {}
    simple = Ng([(1, 0, 6, 0)])
    for _, frame, _, _ in plain:
        simple.simple(frame)
    yield "pcapng simple packets", simple.bytes(), judge, {}
    old = Ng([(1, SNAP, 6, 0)], ">")
    for frame in plain:
        old.old_packet(*frame)
    yield "pcapng old packets", old.bytes(), judge, {}
    mixed, interfaces = [], list(LINKS)
    for seg in segs:
        at = rng.randrange(len(interfaces))
        frame = LINKS[interfaces[at]][1](ip4(seg))
        mixed.append((seg.ns, frame, len(frame), at))
    tables = [(LINKS[name][0], rng.choice((0, 65535, SNAP)), rng.choice((6, 9, 0x94)), 0)
              for name in interfaces]
    yield "pcapng, one link each", ng(mixed, tables, ">", rng), judge, {}
    inside = Ng([(1, 0, 6, 0)])
    inside.secrets(keys)
    for frame in plain:
        inside.packet(*frame)
    yield INSIDE, inside.bytes(), judge, {}
    half = len(plain) // 2
    yield "pcapng, two sections", ng(plain[:half], [(1, 0, 6, 0)]) + \
        ng(plain[half:], [(1, SNAP, 9, 0)], ">"), judge, {}
    yield "pcapng, snap lengths", ng([(ns, f, n, rng.randrange(2)) for ns, f, n, _ in plain],
                                     [(1, 65535, 6, 0), (1, SNAP, 6, 0)]), judge, {}


def none_known(truths, calls, label):
    """Replies, or requests, went another way: no call has a number, not even an estimate."""
    bad = [c for c in calls if c["accounting"] == "call" and c["quality"] != "missing"]
    for call in bad:
        print(label, "numbers of one direction:", call, file=sys.stderr)
    return len(bad) + judge_losses(truths, calls, label)


def renamed(truths, names):
    return [{**t, "client_port": names.get(t["client_port"], t["client_port"])}
            for t in truths]


def twice(truths, calls, label):
    """Judge each half: a stream's records come in the order of its connections."""
    halves = [], []
    seen = {}
    for call in calls:
        seen.setdefault((call["client"], call["stream"]), []).append(call)
    for same in seen.values():
        if len(same) % 2:
            print(label, "an odd number of records", file=sys.stderr)
            return 1
        halves[0].extend(same[:len(same) // 2])
        halves[1].extend(same[len(same) // 2:])
    return sum(judge(truths, half, label) for half in halves)


def reshape(args, corpus, name):
    """The number of wrong shapes of one capture."""
    with open(os.path.join(corpus, name + ".truth.jsonl"), encoding="utf-8") as f:
        truths = [json.loads(line) for line in f]
    segs = segments(read_pcap(os.path.join(corpus, name + ".pcap.gz"))[2])
    rng, bad, count = random.Random(args.seed), 0, 0
    keys, text = os.path.join(corpus, name + ".keys"), b""
    if os.path.exists(keys):
        with open(keys, "rb") as f:
            text = f.read()
    for shape, data, check, names in shapes(rng, segs, text):
        if args.shape and args.shape != shape:
            continue
        count += 1
        with tempfile.NamedTemporaryFile(suffix=".cap") as f:
            f.write(data)
            f.flush()
            if args.keep:
                shutil.copy(f.name, args.keep)
            try:
                calls = scan(args.agent, f.name, "" if shape == INSIDE else keys)
            except subprocess.CalledProcessError as e:
                print(name, shape, e, e.stderr, file=sys.stderr)
                bad += 1
                continue
        one = check(renamed(truths, names), calls, f"{name}, {shape}")
        if one:
            print(f"{name}, {shape}: {one} wrong of {len(truths)}", file=sys.stderr)
        bad += bool(one)
    print(f"{name}, seed {args.seed}: {count} shapes, {bad} wrong")
    return bad if count else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agent")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--shape")
    parser.add_argument("--keep", help="write the last file there")
    args = parser.parse_args()
    corpus = os.path.join(os.environ.get("BREAKEVEN_CORPUS", "../shared/data"), "pcap")
    if not os.path.isdir(corpus):
        print("skipped: no corpus at", corpus)
        return 77
    names = [args.only] if args.only else NAMES
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        done = [pool.submit(reshape, args, corpus, name) for name in names]
        return 1 if sum(f.result() for f in done) else 0


if __name__ == "__main__":
    sys.exit(main())
