"""A cable between two network namespaces, in userspace: both kernels speak real TCP, and every packet passes through here.

Each end is a TUN device. The attributes of a `Link` say what the cable does to packets, and may change at any time."""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import random
import socket
import struct
import subprocess

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
TCP, RST, ACK = 6, 4, 16

libc = ctypes.CDLL(None, use_errno=True)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Namespace:
    """A network namespace that exists for the duration of a `with` block."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        ip("netns", "delete", self.name)

    @contextlib.contextmanager
    def entered(self):
        """Sockets and devices opened inside belong to the namespace, and stay there."""
        with open("/proc/thread-self/ns/net") as home, open("/run/netns/" + self.name) as here:
            self._enter(here)
            try:
                yield
            finally:
                self._enter(home)

    @staticmethod
    def _enter(namespace):
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def listen(self, address):
        with self.entered():
            return socket.create_server(address, backlog=2048)

    async def connect(self, address):
        with self.entered():
            s = socket.socket()
        s.setblocking(False)
        await asyncio.get_running_loop().sock_connect(s, address)
        return s


class Link:
    """Joins two namespaces. Each end is `(namespace, its address, the other end's address)`."""

    def __init__(self, *ends):
        # In both directions: the share of packets that are lost, the delay in seconds, the most that is added to it at random (so that
        # packets overtake each other), the largest packet that passes, bytes a second, and whether the cable is cut.
        self.loss, self.delay, self.jitter, self.largest, self.rate, self.cut = 0.0, 0.0, 0.0, 65535, None, False
        self.resets = False
        self.free_at = [0.0, 0.0]
        self.loop = asyncio.get_running_loop()
        self.devices = [self._device(*end) for end in ends]
        for at, device in enumerate(self.devices):
            self.loop.add_reader(device, self._read, at)

    def close(self):
        for device in self.devices:
            self.loop.remove_reader(device)
            os.close(device)

    @staticmethod
    def _device(namespace, own, other):
        name = b"to-" + other.encode()
        with namespace.entered():
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name, IFF_TUN | IFF_NO_PI))
        ip("-n", namespace.name, "address", "add", own, "peer", other, "dev", name.decode())
        ip("-n", namespace.name, "link", "set", name.decode(), "up", "txqueuelen", "1000")
        return device

    def _read(self, at):
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                self._pass(at, os.read(self.devices[at], 65535))

    def _pass(self, at, packet):
        if self.resets and (answer := reset_for(packet)):
            # As a firewall does: the sender gets an RST that seems to come from the other end, and the packet is dropped.
            os.write(self.devices[at], answer)
            return
        if self.cut or len(packet) > self.largest or random.random() < self.loss:
            return
        wait = self.delay + random.random() * self.jitter
        if self.rate:
            now = self.loop.time()
            self.free_at[at] = max(now, self.free_at[at]) + len(packet) / self.rate
            wait += self.free_at[at] - now
        if wait > 0:
            self.loop.call_later(wait, self._deliver, 1 - at, packet)
        else:
            self._deliver(1 - at, packet)

    def _deliver(self, at, packet):
        if not self.cut:
            with contextlib.suppress(OSError):
                os.write(self.devices[at], packet)


def reset_for(packet):
    """The RST that ends the connection of this packet's sender. None if the packet is not TCP, or is an RST itself."""
    header = (packet[0] & 15) * 4
    if packet[0] >> 4 != 4 or packet[9] != TCP or packet[header + 13] & RST or not packet[header + 13] & ACK:
        return None
    source, target = packet[12:16], packet[16:20]
    ports = packet[header + 2 : header + 4] + packet[header : header + 2]
    acknowledged = packet[header + 8 : header + 12]
    tcp = ports + acknowledged + b"\0\0\0\0" + struct.pack(">BBHHH", 5 << 4, RST, 0, 0, 0)
    pseudo = target + source + struct.pack(">BBH", 0, TCP, len(tcp))
    tcp = tcp[:16] + checksum(pseudo + tcp) + tcp[18:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, TCP, 0) + target + source
    return head[:10] + checksum(head) + head[12:] + tcp


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)
