"""Receivers of alerts under test: HTTP ones that keep what is posted, a small SMTP server, and a
real Alertmanager with a webhook behind it."""
import email
import email.policy
import http.server
import json
import os
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.request

from collector import free_port


class Web:
    """Keeps what is POSTed as (path, JSON); answers 503, or the status that it is, while `down`."""

    def __init__(self, answer=200, text=b""):
        self.got, self.refused, self.down, self.headers = [], 0, False, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.down:
                    outer.refused += 1
                    self.send_response(503 if outer.down is True else outer.down)
                    self.send_header("Location", "/elsewhere")
                    self.send_header("Content-Length", "0")
                else:
                    outer.headers.append(dict(self.headers))
                    outer.got.append((self.path, json.loads(body)))
                    self.send_response(answer)
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if not outer.down:
                    self.wfile.write(text)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def bodies(self):
        return [body for _, body in self.got]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Mail:
    """An SMTP server that keeps each mail as (from, [to], parsed message, raw bytes). With `tls`,
    a server context of ssl: STARTTLS is offered and needed for all else, or with `implicit` TLS is
    spoken from the first byte. `plain` counts logins and mails that came in clear."""

    def __init__(self, tls=None, implicit=False, port=0):
        self.got, self.logins, self.plain, self.failed = [], [], 0, 0
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def secure(self):
                try:
                    self.request = tls.wrap_socket(self.request, server_side=True)
                except OSError:  # the client did not like the certificate
                    outer.failed += 1
                    return False
                self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)
                self.secured = True
                return True

            def finish(self):
                try:
                    super().finish()
                except OSError:  # the client left in the middle
                    pass
                self.request.close()

            def handle(self):
                try:
                    self.converse()
                except OSError:  # the client left, at a certificate it does not like
                    outer.failed += 1

            def converse(self):
                self.secured = False
                if implicit and not self.secure():
                    return
                self.say("220 test ESMTP")
                sender, to = None, []
                while line := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
                    word = line.split(" ")[0].upper()
                    outer.plain += not self.secured and word in ("AUTH", "DATA")
                    if word == "EHLO":
                        more = "250-STARTTLS\r\n" if tls and not self.secured else "250-AUTH PLAIN\r\n"
                        self.say(f"250-test\r\n{more}250 8BITMIME")
                    elif word == "STARTTLS" and tls and not self.secured:
                        self.say("220 go ahead")
                        if not self.secure():
                            return
                    elif tls and not self.secured and word != "QUIT":
                        self.say("530 5.7.0 Must issue a STARTTLS command first")
                    elif word == "AUTH":
                        if line.count(" ") == 1:
                            self.say("334 ")
                            line += " " + self.rfile.readline().decode("latin-1").strip()
                        outer.logins.append(line)
                        self.say("235 ok")
                    elif word == "MAIL":
                        sender, to = line.split("<")[1].split(">")[0], []
                        self.say("250 ok")
                    elif word == "RCPT":
                        to.append(line.split("<")[1].split(">")[0])
                        self.say("250 ok")
                    elif word == "DATA":
                        self.say("354 go on")
                        raw = self.read_data()
                        outer.got.append((sender, to, email.message_from_bytes(
                            raw, policy=email.policy.default), raw))
                        self.say("250 taken")
                    elif word == "QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("502 what?")

            def say(self, text):
                self.wfile.write(text.encode() + b"\r\n")

            def read_data(self):
                raw = b""
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    raw += line[1:] if line.startswith(b".") else line
                return raw

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def certificate(folder, name, host):
    """A new self-signed certificate for a host name or address, as (file, ssl server context)."""
    pem = os.path.join(folder, name + ".pem")
    kind = "IP" if host[0].isdigit() else "DNS"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                    "/CN=" + name, "-addext", f"subjectAltName={kind}:{host}", "-keyout", pem + ".key",
                    "-out", pem], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, pem + ".key")
    return pem, context


class Alertmanager:
    """A real one; `behind` keeps what it notifies about."""

    def __init__(self, program, folder, group_wait=2):
        self.behind, self.port = Web(), free_port()
        conf = os.path.join(folder, "alertmanager.yml")
        with open(conf, "w") as f:
            f.write("route: {receiver: hook, group_by: [alertname], group_wait: %ds, group_interval: 1s,\n"
                    "        repeat_interval: 4h}\n"
                    "receivers: [{name: hook, webhook_configs: [{url: '%s/', send_resolved: true}]}]\n"
                    % (group_wait, self.behind.url))
        self.log = open(os.path.join(folder, "alertmanager.log"), "wb")
        self.process = subprocess.Popen(
            [program, "--config.file", conf, "--storage.path", os.path.join(folder, "am"),
             "--web.listen-address", f"127.0.0.1:{self.port}", "--cluster.listen-address", ""],
            stdout=self.log, stderr=self.log)
        self.url = f"http://127.0.0.1:{self.port}"
        for _ in range(200):
            try:
                urllib.request.urlopen(self.url + "/-/ready", timeout=1).read()
                return
            except OSError:
                time.sleep(0.1)
        self.close()
        raise RuntimeError("alertmanager does not start")

    def alerts(self):
        with urllib.request.urlopen(self.url + "/api/v2/alerts", timeout=5) as f:
            return json.load(f)

    def close(self):
        self.process.terminate()
        self.process.wait(90)
        self.log.close()
        self.behind.close()


def wait_for(what, condition, seconds=90):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("not within %d s: %s" % (seconds, what() if callable(what) else what))
