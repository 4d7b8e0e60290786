"""A breakeven-collector under test: started on a free loopback port, with its own folder."""
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HOUR = 3600


class Collector:
    def __init__(self, binary, config="", data_dir=None):
        self.binary = binary
        self.dir = tempfile.mkdtemp(prefix="breakeven-test-")
        self.data_dir = data_dir or os.path.join(self.dir, "store")
        self.yaml = os.path.join(self.dir, "collector.yaml")
        self.log_path = os.path.join(self.dir, "log")
        self.port = free_port()
        self.process = None
        with open(self.yaml, "w") as f:
            f.write(f"listen: 127.0.0.1:{self.port}\ndata_dir: {self.data_dir}\n{config}")

    def command(self, *words, check=True):
        r = subprocess.run([self.binary, *words, "--config", self.yaml], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if check and r.returncode:
            raise RuntimeError(f"{words}: {r.stderr}")
        return r

    def token(self, name, scopes="ingest", agents=None):
        words = ["token", "add", "--name", name, "--scopes", scopes, "--quiet"]
        return self.command(*words, *(["--agents", agents] if agents else [])).stdout.strip()

    def start(self, under=()):
        """`under`: words of a tracer in front of the program."""
        log = open(self.log_path, "a")
        self.process = subprocess.Popen([*under, self.binary, "serve", "--config", self.yaml],
                                        stdout=log, stderr=log)
        log.close()
        for _ in range(6000):
            if self.process.poll() is not None:
                raise RuntimeError("the collector ended: " + self.log())
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.01)
        raise RuntimeError("the collector does not listen")

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            self.process.send_signal(sig)
            code = self.process.wait(timeout=60)
            self.process = None
            return code

    def stop_traced(self):
        """Kill the program under a tracer, then wait for both."""
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        try:
            with open(children) as f:
                for pid in f.read().split():
                    os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass
        self.process.wait(timeout=60)
        self.process = None

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def request(self, method, path, body=None, headers=None, timeout=30):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return r.status, r.read(), dict(r.getheaders())
        finally:
            c.close()

    def get(self, path, token=None):
        status, body, _ = self.request("GET", path, headers=bearer(token))
        return status, body

    def json(self, path, token=None):
        status, body = self.get(path, token)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {body}")
        return json.loads(body)

    def post(self, batch, token, encoding=None, kind="application/x-ndjson", timeout=30):
        headers = {"Content-Type": kind, **bearer(token)}
        if encoding:
            headers["Content-Encoding"] = encoding
        return self.request("POST", "/api/v1/usage", batch, headers, timeout)

    def raw(self, data, wait=5):
        """Bytes in, bytes out until the server closes or `wait` seconds of silence."""
        s = socket.create_connection(("127.0.0.1", self.port), wait)
        s.settimeout(wait)
        out = b""
        try:
            s.sendall(data)
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                out += piece
        except (socket.timeout, ConnectionError):
            pass
        finally:
            s.close()
        return out

    def metric(self, name, token=None):
        """The value of a sample, labels included in the name."""
        _, body = self.get("/metrics", token)
        m = re.search("^" + re.escape(name) + r" (\S+)$", body.decode(), re.M)
        return float(m.group(1)) if m else None


def bearer(token):
    return {"Authorization": "Bearer " + token} if token else {}


def free_port():
    """Below those the kernel gives to clients: no other test's connection takes it meanwhile."""
    while True:
        port = random.randrange(10000, 32768)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def this_hour():
    return int(time.time()) // HOUR * HOUR


def header(agent="web-1", epoch=1, seq=1, **more):
    return json.dumps({"schema": 1, "agent": agent, "epoch": epoch, "seq": seq,
                       "now": int(time.time() * 1000), "version": "0.1.0", **more})


def row(hour, ver, calls, epoch=1, model="gpt-4o", **more):
    return json.dumps({"h": hour, "ver": ver, "ep": epoch, "app": "shop", "prov": "openai",
                       "model": model, "src": "log", "oc": "ok", "q": "exact", "ctx": 0,
                       "n": calls, "in": calls * 100, "out": calls * 7, **more})


def batch(*lines):
    return ("\n".join(lines) + "\n").encode()
