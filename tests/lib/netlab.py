"""A small network of one's own for tests that capture packets: two hosts, that is network
namespaces, joined by a veth pair, seen by nobody else and gone with the process.

`enter()` starts the test again as root of host A, with a private mount namespace, so that
even /etc/hosts can be another one. `Host` is host B. What goes over A's interfaces is taken
by `Tcpdump`.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

SKIP = 77
VETH = "veth0"


def skip(why):
    print("skipped:", why)
    sys.exit(SKIP)


def fail(why):
    print("FAIL", why)
    sys.exit(1)


def wants(*programs):
    """Skip the test unless all these programs are there."""
    for name in programs:
        if not shutil.which(name):
            skip("needs " + name)


def run(*command, **options):
    return subprocess.run(command, check=True, **options)


def enter():
    """Go on in namespaces of one's own: the program is run again from its start there, and
    when that ends all that it started ends too. Skips where that is not allowed."""
    if os.environ.get("BREAKEVEN_NETLAB") and os.getpid() == 1:
        run("ip", "link", "set", "lo", "up")
        return
    wants("unshare", "nsenter", "ip", "tcpdump")
    spaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    probe = subprocess.run(spaces + ["true"], stderr=subprocess.PIPE, check=False)
    if os.getuid() != 0 or probe.returncode:
        skip("needs root and namespaces: " + probe.stderr.decode().strip())
    os.environ["BREAKEVEN_NETLAB"] = "1"
    sys.stdout.flush()
    os.execvp(spaces[0], spaces + [sys.executable] + sys.argv)


def entered():
    return bool(os.environ.get("BREAKEVEN_NETLAB"))


def until(what, seconds=90, process=None):
    """Wait for what() to be true; fails loudly when it does not come, or the process ends."""
    end = time.monotonic() + seconds
    while not what():
        if process and process.poll() is not None:
            fail("%s ended with %s" % (process.args, process.returncode))
        if time.monotonic() > end:
            fail("waited %d s in vain for %s" % (seconds, what))
        time.sleep(0.02)


def end(process, how=signal.SIGTERM):
    """Ask a process of ours to end; its exit code."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        return process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class Host:
    """Host B: commands run there with popen; joined to A by join()."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"],
                                       stdout=subprocess.DEVNULL)
        pid = self.holder.pid
        own = os.readlink("/proc/self/ns/net")
        until(lambda: os.readlink("/proc/%d/ns/net" % pid) != own, process=self.holder)
        self.inside = ["nsenter", "--net=/proc/%d/ns/net" % pid]
        run(*self.inside, "ip", "link", "set", "lo", "up")

    def join(self, here, there, prefix=24):
        """A veth pair; addresses of A and B on it. Addresses in 127/8 go over it too: each
        loopback then keeps 127.0.0.1 alone, and route_localnet lets the rest out."""
        run("ip", "link", "add", VETH, "type", "veth", "peer", "name", VETH,
            "netns", str(self.holder.pid))
        for inside, address in (([], here), (self.inside, there)):
            if address.startswith("127."):
                run(*inside, "ip", "address", "del", "127.0.0.1/8", "dev", "lo")
                run(*inside, "ip", "address", "add", "127.0.0.1/32", "dev", "lo")
                run(*inside, "sh", "-c",
                    "echo 1 >/proc/sys/net/ipv4/conf/%s/route_localnet" % VETH)
            run(*inside, "ip", "address", "add", "%s/%d" % (address, prefix), "dev", VETH)
            run(*inside, "ip", "link", "set", VETH, "up")

    def popen(self, command, **options):
        return subprocess.Popen(self.inside + command, **options)

    def close(self):
        end(self.holder)


class Tcpdump:
    """Writes what an interface sees into a file, packet by packet."""

    def __init__(self, interface, path, what="tcp"):
        self.path, self.log = path, path + ".log"
        self.process = subprocess.Popen(
            ["tcpdump", "-i", interface, "-Z", "root", "-s", "0", "-B", "65536", "-U",
             "--immediate-mode", "-w", path, what],
            stderr=open(self.log, "w"), stdout=subprocess.DEVNULL)
        until(lambda: "listening on" in self.said(), process=self.process)

    def said(self):
        with open(self.log) as f:
            return f.read()

    def stop(self):
        """End; the number of packets that the kernel dropped."""
        time.sleep(0.5)
        end(self.process, signal.SIGINT)
        dropped = [line for line in self.said().splitlines() if "dropped by kernel" in line]
        return int(dropped[0].split()[0]) if dropped else -1
