#!/usr/bin/env python3
"""The collector over its real socket: who gets in, what is refused and how, what lasts.

usage: collector.py BREAKEVEN_COLLECTOR
"""
import gzip
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import unittest
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import parallel  # noqa: E402
from collector import HOUR, Collector, batch, bearer, header, row, this_hour  # noqa: E402

BINARY = ""
LIMITS = """
limits: { head_timeout: 1s, body_timeout: 2s, idle_timeout: 2s, body: 64KiB, batch: 1MiB,
          batch_ratio: 100, batch_rows: 100 }
"""


class Case(unittest.TestCase):
    config = LIMITS

    def setUp(self):
        self.c = Collector(BINARY, self.config)
        self.addCleanup(self.c.close)
        self.write = self.c.token("web", agents="web-*")
        self.read = self.c.token("dash", "read")
        self.c.start()

    def tearDown(self):
        """Whatever was sent: it stops in order, and no sanitizer had anything to say."""
        if self.c.process:
            self.assertEqual(self.c.stop(), 0, self.c.log())
        self.assertNotIn("Sanitizer", self.c.log())

    def calls(self):
        return sum(r["calls"] for r in self.c.json("/api/v1/usage/daily"))


class Tokens(Case):
    def test_who_gets_in(self):
        good = batch(header(), row(this_hour(), 1, 5))
        for token, want in [(None, 401), ("", 401), (self.write[:-1], 401),
                            (self.write + "0", 401), ("brk_" + "0" * 64, 401),
                            (self.read, 403), (self.write, 200)]:
            status, body, head = self.c.post(good, token)
            self.assertEqual(status, want, (token, body))
            if want == 401:
                self.assertIn("WWW-Authenticate", head)
        self.assertEqual(self.calls(), 5)
        self.assertNotIn(self.write, self.c.log())

    def test_an_agent_of_another(self):
        status, body, _ = self.c.post(batch(header("db-1"), row(this_hour(), 1, 5)), self.write)
        self.assertEqual(status, 403, body)
        r = self.c.command("token", "add", "--name", "x", "--agents", "web-7", check=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn("web-*", r.stderr)

    def test_revoked_while_running(self):
        self.assertEqual(self.c.post(batch(header()), self.write)[0], 200)
        self.c.command("token", "revoke", "web")
        time.sleep(0.7)
        self.assertEqual(self.c.post(batch(header()), self.write)[0], 401)
        again = self.c.token("web-new", agents="web-*")
        time.sleep(0.7)
        self.assertEqual(self.c.post(batch(header()), again)[0], 200)

    def test_reading(self):
        self.assertEqual(self.c.get("/api/v1/usage/daily")[0], 200)  # loopback
        self.assertEqual(self.c.get("/api/v1/usage/daily", "wrong")[0], 401)
        self.assertEqual(self.c.get("/api/v1/usage/daily", self.write)[0], 403)
        # a name of the outer world that points here is not this machine
        out = self.c.raw(b"GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\n"
                         b"Connection: close\r\n\r\n")
        self.assertIn(b" 401 ", out)
        self.assertEqual(self.c.get("/healthz")[0], 200)


class Batches(Case):
    def test_whole_or_nothing(self):
        h = this_hour()
        status, body, _ = self.c.post(batch(header(), row(h, 1, 5), row(h, 2, 6)[:-2]),
                                      self.write)
        self.assertEqual(status, 400)
        self.assertEqual(json.loads(body)["line"], 3)
        self.assertEqual(self.calls(), 0)
        status, body, _ = self.c.post(batch(header(rows=3), row(h, 1, 5)), self.write)
        self.assertEqual(status, 400, body)

    def test_answers(self):
        h = this_hour()
        good = batch(header(rows=2), row(h, 2, 5), row(h - 3600, 2, 6))
        self.assertEqual(json.loads(self.c.post(good, self.write)[1]),
                         {"rows": 2, "newer_kept": 0})
        self.assertEqual(json.loads(self.c.post(good, self.write)[1]),
                         {"rows": 0, "newer_kept": 2})
        odd = batch(header(), row(h, 1, 50), row(h - 401 * 86400, 1, 1),
                    row(h + 7200, 1, 1, model="x", later=1))
        self.assertEqual(json.loads(self.c.post(odd, self.write)[1]),
                         {"rows": 0, "newer_kept": 1, "too_old": 1, "in_future": 1,
                          "unknown_fields": 1})
        self.assertEqual(self.calls(), 11)

    def test_a_sum_too_large(self):
        """Each row is fine, their day is not: 400, nothing changed, others go on."""
        h = this_hour() // 86400 * 86400
        most = {"in": 2 ** 63 - 1}
        first = batch(header(), row(h, 1, 1, **most))
        self.assertEqual(self.c.post(first, self.write)[0], 200)
        again = batch(header(), row(h, 1, 1, model="y"), row(h, 1, 1, epoch=2, **most))
        status, body, _ = self.c.post(again, self.write)
        self.assertEqual(status, 400, body)
        self.assertEqual(self.c.post(batch(header(), row(h, 1, 3, model="z")), self.write)[0], 200)
        self.assertEqual(self.calls(), 4)

    def test_encodings(self):
        plain = batch(header(), row(this_hour(), 1, 5))
        zstd = subprocess.run(["zstd", "-qc"], input=plain, stdout=subprocess.PIPE,
                              check=True).stdout
        for body, encoding in [(gzip.compress(plain), "gzip"), (zstd, "zstd"),
                               (plain, "identity")]:
            status, answer, _ = self.c.post(body, self.write, encoding)
            self.assertEqual(status, 200, (encoding, answer))
        for body, encoding, want in [(plain, "br", 415), (plain, "gzip", 400),
                                     (gzip.compress(plain)[:-3], "gzip", 400),
                                     (gzip.compress(plain) + b"x", "gzip", 400)]:
            self.assertEqual(self.c.post(body, self.write, encoding)[0], want, encoding)
        self.assertEqual(self.c.post(plain, self.write, kind="text/plain")[0], 415)
        self.assertEqual(self.calls(), 5)

    def test_too_large(self):
        h = this_hour()
        many = batch(header(), *[row(h, 1, 1, model=f"m{i}") for i in range(101)])
        self.assertEqual(self.c.post(many, self.write)[0], 413)
        blank = header().encode() + b"\n" * 70000
        self.assertEqual(self.c.post(blank, self.write)[0], 413)  # body over 64 KiB
        bomb = gzip.compress(header().encode() + b"\n" * (16 << 20))
        self.assertLess(len(bomb), 65536)
        status, body, _ = self.c.post(bomb, self.write, "gzip")
        self.assertEqual(status, 413, body)
        zstd = subprocess.run(["zstd", "-qc19"], input=header().encode() + b"\n" * (900 << 20),
                              stdout=subprocess.PIPE, check=True).stdout
        status, body, _ = self.c.post(zstd[:60000], self.write, "zstd")
        self.assertEqual(status, 413, body)
        with open(f"/proc/{self.c.process.pid}/status") as f:
            peak = [int(s.split()[1]) for s in f if s.startswith("VmHWM")][0]
        print(f"peak memory after the bombs: {peak} KiB")
        self.assertLess(peak, 200 << 10)
        self.assertEqual(self.c.get("/readyz")[0], 200)


class Hostile(Case):
    def test_slow_clients(self):
        """A byte now and then keeps nobody's place: heads 1 s, bodies 2 s."""
        for start, most in [(b"GET / HTTP/1.1\r\nX: ", 4),
                            (b"POST /api/v1/usage HTTP/1.1\r\nHost: localhost\r\n"
                             b"Content-Type: application/x-ndjson\r\nAuthorization: Bearer "
                             + self.write.encode() + b"\r\nContent-Length: 999\r\n\r\n", 6)]:
            s = socket.create_connection(("127.0.0.1", self.c.port))
            s.sendall(start)
            began = time.time()
            try:
                while time.time() - began < 15:
                    s.sendall(b"a")
                    s.settimeout(0.2)
                    try:
                        if s.recv(1000) == b"":
                            break
                    except socket.timeout:
                        pass
            except OSError:
                pass
            took = time.time() - began
            s.close()
            self.assertLess(took, most, start)
        self.assertEqual(self.c.metric("breakeven_http_reaped_connections_total"), 2)

    def test_silence(self):
        s = socket.create_connection(("127.0.0.1", self.c.port))
        s.settimeout(10)
        began = time.time()
        self.assertEqual(s.recv(1), b"")
        self.assertLess(time.time() - began, 4)
        s.close()

    def test_smuggling(self):
        """What a proxy in front could read another way is refused, and the line closed."""
        tail = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        post = b"POST /api/v1/usage HTTP/1.1\r\nHost: localhost\r\n"
        for name, head in [
                ("two lengths", post + b"Content-Length: 0\r\nContent-Length: 4\r\n\r\n"),
                ("same length twice", post + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
                ("length and chunks", post + b"Content-Length: 0\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                ("blank before colon", post + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
                ("unknown coding", post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
                ("two hosts", b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
                ("no host", b"GET /healthz HTTP/1.1\r\n\r\n"),
                ("NUL in a header", post + b"Content-Length: 0\r\n"
                 b"Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n"),
                ("bell in a header", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\7b\r\n\r\n"),
                ("control in path", b"GET /health%0dz HTTP/1.1\r\nHost: a\r\n\r\n"),
                ("huge header", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70000 + b"\r\n\r\n"),
        ]:
            out = self.c.raw(head + tail, 3)
            self.assertNotIn(b"HTTP/1.1 2", out, (name, out))
        self.assertEqual(self.c.get("/healthz")[0], 200)

    def test_addresses(self):
        for method, path, want in [("GET", "/nope", 404), ("GET", "/../etc/passwd", 404),
                                   ("GET", "/api/v1/usage", 405), ("PUT", "/healthz", 405),
                                   ("GET", "/api/v1/usage/daily?modle=x", 400),
                                   ("GET", "/api/v1/usage/daily?from=yesterday", 400),
                                   ("GET", "/api/v1/usage/daily?from=2026-01-02&to=2026-01-01",
                                    400),
                                   ("GET", "/api/v1/usage/daily?group_by=day", 400),
                                   ("GET", "/api/v1/dimensions/secret", 404),
                                   ("HEAD", "/healthz", 200)]:
            status, body, head = self.c.request(method, path)
            self.assertEqual(status, want, (path, body))
            self.assertEqual(head["X-Content-Type-Options"], "nosniff")
        self.assertEqual(self.c.request("PUT", "/healthz")[2]["Allow"], "GET, HEAD")

    def test_pages_of_elsewhere(self):
        """Where a change needs no token, a page of another origin may not ask for one."""
        self.c.stop()
        c = Collector(BINARY, "insecure: true\n")
        self.addCleanup(c.close)
        c.start()
        here = f"127.0.0.1:{c.port}"
        for origin, want in ((None, 200), (f"http://{here}", 200), (f"HTTPS://{here}", 200), ("http://evil.example", 403),
                             ("null", 403), (f"http://{here}.evil.example", 403), ("", 200)):
            status, body, _ = c.request("POST", "/api/v1/alerts/ack", '{"match":"agent_silent"}',
                                        {"Origin": origin} if origin is not None else {})
            self.assertEqual(status, want, (origin, body))
        self.c.start()

    def test_burst(self):
        socks = []
        for _ in range(150):
            s = socket.create_connection(("127.0.0.1", self.c.port))
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            socks.append(s)
        ok = 0
        for s in socks:
            s.settimeout(10)
            ok += b" 200 " in s.recv(1000)
            s.close()
        self.assertEqual(ok, 150)

    def test_hostile_names(self):
        name = "<b>\"\\{}',=1+1 DROP"
        self.c.post(batch(header(), row(this_hour(), 1, 5, model="=" + name)), self.write)
        rows = self.c.json("/api/v1/usage/daily?group_by=model")
        self.assertEqual(rows[0]["model"], "=" + name)
        _, csv = self.c.get("/api/v1/usage/daily?group_by=model&format=csv")
        self.assertIn(b",\"'=<b>", csv)
        if shutil.which("promtool"):
            _, text = self.c.get("/metrics")
            r = subprocess.run(["promtool", "check", "metrics"], input=text,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(r.returncode, 0, r.stdout)
        else:
            print("promtool is not here: the exposition was not linted")


class Large(Case):
    """More rows than one answer holds: pages, or words; never a part for the whole."""
    config = ""
    models, days, hours = 260, 33, 20

    def setUp(self):
        super().setUp()
        self.first = (this_hour() // 24 // HOUR - self.days) * 24 * HOUR
        for day in range(self.days):
            rows = [row(self.first + (24 * day + h) * HOUR, 1, 1 + m % 7, model=f"m{m:03d}")
                    for h in range(self.hours) for m in range(self.models)]
            status, body, _ = self.c.post(batch(header(seq=day + 1), *rows), self.write)
            self.assertEqual(status, 200, body)

    def pages(self, path):
        """Bodies of a question from page to page."""
        while path:
            status, body, head = self.c.request("GET", path)
            self.assertEqual(status, 200, (path, body))
            yield body
            link = re.fullmatch("<([^>]+)>; rel=\"next\"", head.get("Link", ""))
            self.assertTrue(link or "Link" not in head, head)
            path = link and link.group(1)

    def refused(self, path, *words):
        status, body, head = self.c.request("GET", path)
        self.assertEqual((status, "Link" in head), (413, False), (path, body))
        for word in words:
            self.assertIn(word, json.loads(body)["error"])

    def test_pages(self):
        url, since = "/api/v1/usage/", f"?from={self.first}"
        calls = self.days * self.hours * sum(1 + m % 7 for m in range(self.models))
        whole = self.c.json(url + "daily" + since + "&group_by=model")
        self.assertEqual(len(whole), self.days * self.models)
        paged = [json.loads(b) for b in self.pages(url + "daily" + since + "&group_by=model&limit=1000")]
        self.assertEqual([len(p) for p in paged[:2]], [4 * self.models] * 2)  # whole days
        self.assertEqual([r for p in paged for r in p], whole)
        self.refused(url + "hourly" + since + "&group_by=model", "Link header", "limit=")
        hourly = [json.loads(b) for b in self.pages(url + "hourly" + since + "&group_by=model&limit=10000")]
        self.assertEqual(sum(r["calls"] for p in hourly for r in p), calls)
        # few rows out of many: what they were read from counts
        self.refused(url + "hourly" + since, "75000 hourly rows", "Link header")
        for how in "", "&format=csv":
            few = list(self.pages(url + "hourly" + since + "&limit=10000" + how))
            self.assertEqual(len(few), 3)  # 75,000 of 171,600 rows each
        self.assertEqual(few[0].split(b"\r\n")[0], few[1].split(b"\r\n")[0])
        lines = [line for page in few for line in page.decode().split("\r\n")[1:-1]]
        self.assertEqual((len(lines), sum(int(x.split(",")[1]) for x in lines)), (self.days * self.hours, calls))
        zone = list(self.pages(url + "daily" + since + "&offset=%2B02:00&limit=9&model=m001&model=m%30%302"))
        self.assertEqual(sum(r["calls"] for b in zone for r in json.loads(b)), self.days * self.hours * (2 + 3))
        self.refused(url + "daily" + since + "&grain=total&agent=web-1&limit=5", "finer grain")
        end = self.first + self.days * 24 * HOUR  # midnight may pass meanwhile
        for path, days in ("breakdown?by=agent&", 13), ("breakdown?grain=hour&", 13), ("profile?", 27):
            self.refused(f"{url}{path}from={self.first}&to={end}", "less time")
            self.assertEqual(self.c.get(f"{url}{path}from={end - days * 24 * HOUR}&to={end}")[0], 200)
        self.refused(f"/api/v1/unpriced{since}&offset=1", "less time")
        for limit in "0", "10001", "-1", "x", "":
            self.assertEqual(self.c.get(f"{url}daily?limit={limit}")[0], 400, limit)


class Life(Case):
    def test_kept_results(self):
        """Projections and alerts of the store, as their makers wrote them."""
        self.c.stop()
        db = sqlite3.connect(os.path.join(self.c.data_dir, "breakeven.db"))
        db.executemany("insert into record values(?,?,?,?)",
                       [("projection", "faq", 100, '{"n":1}'),
                        ("projection", "faq", 200, '{"n":2}'),
                        ("projection", "b", 50, '{}'), ("alerts", "breakeven_crossed", 7,
                         '{"alerts":[{"labels":{"workload":"faq"},"phase":"firing",'
                         '"since_ms":7000,"fired_ms":7000,"summary":"a <b>"}]}')])
        db.commit()
        db.close()
        self.c.start()
        both = self.c.json("/api/v1/projections")
        self.assertEqual([(r["key"], r["result"]) for r in both], [("b", {}), ("faq", {"n": 2})])
        self.assertEqual([r["result"]["n"] for r in self.c.json("/api/v1/projections/faq")],
                         [2, 1])
        self.assertEqual(self.c.json("/api/v1/projections/none"), [])
        alert = self.c.json("/api/v1/alerts?phase=firing")[0]
        self.assertEqual((alert["rule"], alert["workload"], alert["summary"], alert["fired"]),
                         ("breakeven_crossed", "faq", "a <b>", "1970-01-01T00:00:07.000Z"))
        self.assertEqual(self.c.json("/api/v1/alerts?rule=agent_silent"), [])
        self.assertIn("GET /metrics", self.c.json("/api/v1")["addresses"])

    def test_restart_keeps_all(self):
        self.c.post(batch(header(), row(this_hour(), 1, 5)), self.write)
        self.assertEqual(self.c.stop(), 0)
        self.c.start()
        self.assertEqual(self.calls(), 5)
        csv = self.c.command("export", "--csv", "--group-by", "model").stdout
        self.assertIn(",gpt-4o,5,500,", csv)
        mode = os.stat(os.path.join(self.c.data_dir, "breakeven.db")).st_mode & 0o777
        self.assertEqual(mode, 0o600)

    def test_snapshot(self):
        """Copies beside a server that writes: whole, read-only, never over another file."""
        stop, total = threading.Event(), [0]

        def keep_writing():
            while not stop.is_set():
                total[0] += 1
                self.c.post(batch(header(), row(this_hour(), total[0], total[0])), self.write)

        writing = threading.Thread(target=keep_writing)
        writing.start()
        try:
            for i in range(5):
                path = os.path.join(self.c.dir, f"copy{i}.sqlite")
                before = total[0]
                self.c.command("snapshot", path)
                db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
                self.assertEqual(db.execute("pragma integrity_check").fetchone(), ("ok",))
                self.assertEqual(db.execute("pragma journal_mode").fetchone(), ("delete",))
                calls = db.execute("select ifnull(sum(calls), 0) from usage_hour").fetchone()[0]
                self.assertEqual(calls, db.execute("select ifnull(sum(calls), 0) from usage_day").fetchone()[0])
                self.assertTrue(max(before - 1, 0) <= calls <= total[0], (before, calls, total))
                db.close()
                self.assertEqual(os.stat(path).st_mode & 0o222, 0)
        finally:
            stop.set()
            writing.join()
        again = self.c.command("snapshot", path, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("exists; --replace", again.stderr)
        inode = os.stat(path).st_ino
        self.c.command("snapshot", path, "--replace")
        self.assertNotEqual(os.stat(path).st_ino, inode)
        self.assertEqual(self.c.command("snapshot", "/nowhere/x", check=False).returncode, 1)
        self.assertEqual([f for f in os.listdir(self.c.dir) if f.endswith(".new")], [])
        self.c.stop()
        self.c.command("snapshot", path, "--replace")  # without a server too
        self.c.start()
        self.assertEqual(self.calls(), total[0])

    def test_second_collector(self):
        r = self.c.command("serve", check=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn("another collector", r.stderr)

    def test_refuses_to_be_exposed(self):
        for config, word in [("", "tls"), ("tls: { cert: /nope, key: /nope }\n", "/nope")]:
            other = Collector(BINARY, config)
            self.addCleanup(other.close)
            with open(other.yaml) as f:
                text = f.read().replace("127.0.0.1", "0.0.0.0")
            with open(other.yaml, "w") as f:
                f.write(text)
            other.token("a")
            for verb in ["serve", "check"]:
                r = other.command(verb, check=False)
                self.assertEqual(r.returncode, 2, r.stderr)
                self.assertIn(word, r.stderr)

    def test_wrong_config(self):
        other = Collector(BINARY, "lisen: x\n")
        self.addCleanup(other.close)
        for verb in ["serve", "check", "export"]:
            r = other.command(verb, check=False)
            self.assertEqual(r.returncode, 2)
            self.assertIn("collector.yaml:3: ", r.stderr)

    def test_wrong_usage(self):
        for args, word in [
                (["export", "--filter", "app=a", "--filter", "model=b"], "--filter is given twice"),
                (["export", "--filter", "model"], "usage: "),
                (["export", "--grain", "year"], "export: grain is total, hour"),
                (["token", "add", "--name", "x", "--scopes", "all"], "found 'all' as scopes")]:
            r = self.c.command(*args, check=False)
            self.assertEqual(r.returncode, 2, args)
            self.assertIn(word, r.stderr)

    def test_a_store_that_is_not_ours(self):
        self.c.stop()
        path = os.path.join(self.c.data_dir, "breakeven.db")

        def junk():
            with open(path, "wb") as f:
                f.write(b"not a database" * 999)

        def foreign():
            db = sqlite3.connect(path)
            db.execute("create table t(a)")
            db.close()
        for make, word in [(junk, ""), (foreign, "another program")]:
            for suffix in ["", "-wal", "-shm"]:
                if os.path.exists(path + suffix):
                    os.unlink(path + suffix)
            make()
            r = self.c.command("serve", check=False)
            self.assertEqual(r.returncode, 1, r.stderr)
            self.assertIn(word, r.stderr)

    def test_pipelined_stop(self):
        """SIGTERM while batches fly: each is stored or was not acknowledged."""
        import threading
        acked, stop = [], threading.Event()

        def send(n):
            ver = 0
            while not stop.is_set():
                ver += 1
                try:
                    status = self.c.post(batch(header(f"web-{n}"),
                                               row(this_hour(), ver, ver)), self.write)[0]
                except OSError:
                    continue
                if status == 200:
                    acked.append((n, ver))
        threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        time.sleep(1)
        self.assertEqual(self.c.stop(), 0)
        stop.set()
        for t in threads:
            t.join()
        best = {n: max(v for m, v in acked if m == n) for n in range(8)}
        db = sqlite3.connect(os.path.join(self.c.data_dir, "breakeven.db"))
        for n, ver in best.items():
            got = db.execute("select max(ver) from usage_hour join source on source.id=source "
                             "where agent=?", (f"web-{n}",)).fetchone()[0]
            self.assertGreaterEqual(got, ver)


class Decisions(Case):
    config = LIMITS + """
workloads:
  support:
    app: shop
    hosted: { monthly_fixed: 5 }
    decision: { privacy: high, task: specific, examples: 340 }
alerts: { evaluate: 1s }
"""

    def decide(self, *words):
        return self.c.command("decide", *words)

    def records(self, least):
        """The records of the API, newest first, once there are `least`."""
        for _ in range(100):
            found = self.c.json("/api/v1/decision/support")
            if len(found) >= least:
                return [r["result"] for r in found]
            time.sleep(0.2)
        self.fail(f"{len(found)} records, not {least}: " + self.c.log())

    def test_records(self):
        """Without the server, and by a server that is asked and sees what changed."""
        rows = [row(this_hour() - d * 86400, 1, 1000) for d in range(1, 61)]
        self.c.post(batch(header(), *rows), self.write)
        self.c.stop()
        time.sleep(1.1)  # a record of the same second is replaced
        page = self.decide("--save").stdout
        self.assertIn("# Decision: support\n", page)
        self.assertIn("run the test", page)
        self.assertIn("660 more reviewed examples", page)
        self.assertIn("340 reviewed examples", page)
        with open(self.c.yaml) as f:
            text = f.read()
        with open(self.c.yaml, "w") as f:
            f.write(text.replace("examples: 340", "examples: 1200, test: passed"))
        d = json.loads(self.decide("--workload", "support", "--json").stdout)[0]
        self.assertEqual(d["recommendation"], "migrate")
        self.assertIn("test: passed, was not_started", d["changes"])
        time.sleep(1.1)
        self.c.start()  # it projects at once, and keeps what changed
        found = self.records(least=3)  # of the empty store, saved, changed
        self.assertEqual(found[0]["stage"], "migrate")
        self.assertIn("recommendation: migrate, was run the test", found[0]["changes"])
        self.assertEqual([len(r["criteria"]) for r in found[:2]], [9, 9])
        self.assertEqual(self.c.json("/api/v1/decision")[0]["key"], "support")
        self.assertIn("None.", self.decide("--save").stdout)  # beside the server
        time.sleep(2.5)
        self.assertEqual(len(self.records(1)), len(found))  # nothing new, nothing kept
        self.assertEqual(self.c.command("decide", "--workload", "x", check=False).returncode, 2)


class FullDisk(unittest.TestCase):
    def test_full_disk(self):
        if os.geteuid() != 0:
            self.skipTest("needs root for a small tmpfs")
        c = Collector(BINARY)
        self.addCleanup(c.close)
        os.mkdir(c.data_dir)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", c.data_dir],
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest("cannot mount a tmpfs here")
        self.addCleanup(subprocess.run, ["umount", "-l", c.data_dir])
        token = c.token("web", agents="*")
        c.start()
        h, sent, refused = this_hour(), {}, 0
        for i in range(400):
            rows = [row(h - 3600 * (i % 300), i + 1, i + 1, model=f"model-{k}-" + "x" * 100)
                    for k in range(20)]
            status, body, head = c.post(batch(header(), *rows), token)
            if status == 200:
                sent[i % 300] = i + 1
            else:
                self.assertEqual(status, 503, body)
                self.assertIn("Retry-After", head)
                self.assertIn(b"full", body)
                refused += 1
                if refused > 5:
                    break
        self.assertGreater(refused, 5)
        self.assertEqual(c.get("/readyz")[0], 503)
        self.assertEqual(c.metric("breakeven_store_writable"), 0)
        want = sum(20 * v for v in sent.values())
        self.assertEqual(sum(r["calls"] for r in c.json("/api/v1/usage/daily")), want)
        subprocess.run(["mount", "-o", "remount,size=64m", c.data_dir], check=True)
        status, body, _ = c.post(batch(header(), row(h, 1000, 7, model="after")), token)
        self.assertEqual(status, 200, body)
        self.assertEqual(c.get("/readyz")[0], 200)
        self.assertEqual(sum(r["calls"] for r in c.json("/api/v1/usage/daily")), want + 7)
        print(f"full disk: {len(sent)} batches stored, {refused} refused, {want} calls kept")
        c.stop()
        db = sqlite3.connect(os.path.join(c.data_dir, "breakeven.db"))
        self.assertEqual(db.execute("pragma integrity_check").fetchone()[0], "ok")
        db.close()
        self.assertNotIn("Sanitizer", c.log())


class Faults(unittest.TestCase):
    """Death and errors at every sync of the store: what was acknowledged is there."""

    def setUp(self):
        if not shutil.which("strace"):
            self.skipTest("needs strace")

    def send(self, c, token, most):
        """Batches until the collector is gone; acknowledged versions by hour."""
        acked, answers = {}, []
        for i in range(most):
            try:
                answers.append(c.post(batch(header(), row(this_hour() - 3600 * (i % 7), i + 1,
                                                          i + 1)), token)[0])
            except OSError:
                break
            if answers[-1] == 200:
                acked[i % 7] = i + 1
        return acked, answers

    def run_with(self, inject, most=30):
        c = Collector(BINARY)
        try:
            token = c.token("a", agents="*")
            try:
                c.start(["strace", "-f", "-qq", "-o", "/dev/null", "-e",
                         "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:" + inject])
            except RuntimeError:
                acked, answers = {}, []
            else:
                acked, answers = self.send(c, token, most)
            c.stop_traced()
            c.start()
            now = this_hour()
            db = sqlite3.connect(os.path.join(c.data_dir, "breakeven.db"))
            got = {(now - h) // 3600: n for h, n in db.execute("select hour, calls from "
                                                               "usage_hour")}
            for hour, ver in acked.items():
                self.assertGreaterEqual(got.get(hour, 0), ver, inject)
            days = db.execute("select coalesce(sum(calls), 0) from usage_day").fetchone()[0]
            self.assertEqual(days, sum(got.values()))
            self.assertEqual(db.execute("pragma integrity_check").fetchone()[0], "ok")
            db.close()
            self.assertEqual(c.stop(), 0)
            return answers
        finally:
            c.close()

    def test_killed_at_every_sync(self):
        for n in range(1, 16):
            self.run_with(f"signal=KILL:when={n}", 20)

    def test_sync_errors(self):
        for error in ["EIO", "ENOSPC"]:
            answers = self.run_with(f"error={error}:when=8..11")
            self.assertEqual(answers.count(503), 4, answers)
            self.assertEqual(answers.count(200), 26, answers)


class Tls(unittest.TestCase):
    def test_https(self):
        if not shutil.which("openssl"):
            self.skipTest("needs openssl to make a certificate")
        import ssl
        import urllib.request
        c = Collector(BINARY)
        self.addCleanup(c.close)
        cert, key = os.path.join(c.dir, "cert.pem"), os.path.join(c.dir, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
        with open(c.yaml, "a") as f:
            f.write(f"tls: {{ cert: {cert}, key: {key} }}\n")
        token = c.token("web")
        c.start()
        trust = ssl.create_default_context(cafile=cert)
        request = urllib.request.Request(
            f"https://127.0.0.1:{c.port}/api/v1/usage", batch(header("web"), row(this_hour(), 1, 5)),
            {"Content-Type": "application/x-ndjson", **bearer(token)})
        with urllib.request.urlopen(request, context=trust, timeout=10) as answer:
            self.assertEqual(json.loads(answer.read())["rows"], 1)
            self.assertEqual(answer.status, 200)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_verify_locations(cert)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises(OSError):
            urllib.request.urlopen(f"https://127.0.0.1:{c.port}/healthz", context=old, timeout=10)
        self.assertEqual(c.stop(), 0)


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv.pop(1))
    parallel.main(BINARY)
