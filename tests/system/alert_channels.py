#!/usr/bin/env python3
"""Every channel hears of a change once: real Alertmanager, receivers for the others.

A workload with a hostile name crosses its breakeven; the collector is killed (SIGKILL) after the
firing messages, and hosting becomes dear before the next start: one firing and one resolved message
each. Then a hundred agents fall silent together and come back, with a kill in between: one message
each way on every channel. Secrets appear nowhere but where they belong.

Use: alert_channels.py COLLECTOR
"""
import concurrent.futures
import json
import os
import shutil
import signal
import sqlite3
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import parallel  # noqa: E402
from collector import Collector, batch, header, row  # noqa: E402
from receivers import Alertmanager, Mail, Web, certificate, wait_for  # noqa: E402

DAY = 86400
HOSTILE = "sup\"port' <b>&amp; <!channel> {{ .x }} $(id) =1+1,\\n\u4e2d"
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


def usage_rows(days):
    """About 100 dollars a day of gpt-4o, every hour, until yesterday."""
    today = int(time.time()) // DAY * DAY
    return [row(today - d * DAY + h * 3600, d * 24 + h + 1, 100 + d % 3, **{"in": 1000000, "out": 170000})
            for d in range(1, days + 1) for h in range(24)]


class Channels(unittest.TestCase):
    def setUp(self):
        self.hook, self.slack, self.pager, self.mail = Web(), Web(200, b"ok"), Web(202), Mail()
        self.c = Collector(BINARY)
        self.am = None
        for name, secret in (("hook", "hook-s3cret"), ("pager", "pager-s3cret")):
            with open(os.path.join(self.c.dir, name), "w") as f:
                f.write(secret + "\n")
        with open(os.path.join(self.c.dir, "slack"), "w") as f:
            f.write(self.slack.url + "/services/slack-s3cret\n")
        os.environ["BREAKEVEN_TEST_PASSWORD"] = "mail-s3cret"

    def tearDown(self):
        self.c.close()
        for r in (self.hook, self.slack, self.pager, self.mail, self.am):
            if r:
                r.close()

    def configure(self, monthly_fixed, silent_after=86400, group_wait=1.5):
        if ALERTMANAGER and not self.am:
            # It must wait longer than all take to fall silent, and to be noticed by a busy collector.
            self.am = Alertmanager(ALERTMANAGER, self.c.dir, round(2 * group_wait + 5))
        elif not ALERTMANAGER:
            print("prometheus-alertmanager is not here: tested without it")
        d, name = self.c.dir, json.dumps(HOSTILE)
        with open(self.c.yaml, "w") as f:
            f.write(f"""listen: 127.0.0.1:{self.c.port}
data_dir: {self.c.data_dir}
public_url: https://breakeven.example
workloads:
  {name}:
    app: shop
    hosted: {{ monthly_fixed: {monthly_fixed}, setup: 100 }}
alerts:
  evaluate: 200ms
  group_wait: {group_wait * 1000:.0f}ms
  breakeven_crossed: {{ resolve_after: 500ms }}
  breakeven_forecast: {{ enabled: no }}
  volume_anomaly: {{ enabled: no }}
  agent_silent: {{ after: {silent_after * 1000:.0f}ms, forget: 2d }}
  channels:
    - {{ name: hook, type: webhook, url: "{self.hook.url}/x", token_file: {d}/hook }}
    - {{ name: slack, type: slack, url_file: {d}/slack }}
    - {{ name: pager, type: pagerduty, url: "{self.pager.url}/v2/enqueue", token_file: {d}/pager }}
    - {{ name: mail, type: email, url: "smtp://127.0.0.1:{self.mail.port}", tls: none, username: u,
        token_env: BREAKEVEN_TEST_PASSWORD, from: b@example.org, to: [ops@example.org, boss@example.org] }}
""" + (f"    - {{ name: am, type: alertmanager, url: \"{self.am.url}\" }}\n" if self.am else ""))

    def messages(self, rule):
        """For each channel the messages about a rule: firing or resolved."""
        out = {
            "hook": [b["status"] for b in self.hook.bodies() if b["groupLabels"]["alertname"] == rule],
            "slack": [b["text"].split(":")[0] for b in self.slack.bodies()
                      if rule in b["blocks"][0]["text"]["text"]],
            "pager": [{"trigger": "firing", "acknowledge": "acknowledged", "resolve": "resolved"}[b["event_action"]]
                      for b in self.pager.bodies() if b["dedup_key"] in self.dedup(rule)],
            "mail": [m["Subject"].split(": ")[0].split()[-1] for _, _, m, _ in self.mail.got
                     if rule in m.get_content()],
        }
        if self.am:
            out["am"] = [b["status"] for b in self.am.behind.bodies()
                         if b["groupLabels"]["alertname"] == rule]
        return out

    def dedup(self, rule):
        return {b["dedup_key"] for b in self.pager.bodies() if b.get("payload", {}).get("class") == rule}

    def expect(self, rule, wanted, seconds=90):
        channels = len(self.messages(rule))
        wait_for(lambda: f"{rule} {wanted}: {self.messages(rule)}",
                 lambda: list(self.messages(rule).values()) == [wanted] * channels, seconds)

    def kill(self, rule, what="told", channels=None):
        """SIGKILL once the store knows what the channels have heard: before, they would hear it again."""
        channels = channels or (5 if self.am else 4)

        def settled():
            db = sqlite3.connect(f"file:{self.c.data_dir}/breakeven.db?mode=ro", uri=True, timeout=30)
            try:
                (text,) = db.execute("select json from record where kind='alerts' and key=?", (rule,)).fetchone()
            finally:
                db.close()
            alerts = json.loads(text)["alerts"]
            return all(len(a.get(what, [])) == (channels if a["phase"] == "firing" else 0) for a in alerts)

        wait_for(f"{rule} {what}, stored", settled)
        self.c.stop(signal.SIGKILL)

    def test_once_each_through_restarts(self):
        rule = "breakeven_crossed"
        self.configure(200)
        token = self.c.token("t", agents="web-*")
        self.c.start()
        status, body, _ = self.c.post(batch(header(), *usage_rows(60)), token)
        self.assertEqual(status, 200, body)
        self.hook.down = True
        self.c.stop()
        self.c.start()  # projects at start: crossed, and one receiver is down
        wait_for("a first try", lambda: self.hook.refused)
        self.c.stop()
        self.hook.down = False
        self.c.start()
        self.expect(rule, ["firing"])
        self.kill(rule)
        self.c.start()
        time.sleep(2)
        self.expect(rule, ["firing"], 1)
        self.kill(rule)
        self.configure(1000000)
        self.c.start()
        self.expect(rule, ["firing", "resolved"])
        self.kill(rule)
        self.c.start()
        time.sleep(3)
        self.expect(rule, ["firing", "resolved"], 1)
        self.check_contents()

    def check_contents(self):
        alert = self.hook.bodies()[0]["alerts"][0]
        name = HOSTILE.replace("\\n", "\\n")
        self.assertEqual(alert["labels"]["workload"], name)
        self.assertEqual(alert["generatorURL"], "https://breakeven.example/#/breakeven")
        self.assertIn("api_usd_next_month", alert["annotations"])
        self.assertEqual(self.hook.headers[0]["Authorization"], "Bearer hook-s3cret")
        text = self.slack.bodies()[0]["blocks"][0]["text"]["text"]
        self.assertNotIn("<!", text)
        self.assertNotIn("<b>", text)
        self.assertIn("&lt;!channel&gt;", text)
        self.assertIn("|Open Breakeven>", text)
        self.assertEqual(self.slack.got[0][0], "/services/slack-s3cret")
        event = self.pager.bodies()[0]
        self.assertEqual(event["routing_key"], "pager-s3cret")
        self.assertEqual(event["payload"]["component"], name)
        self.assertEqual(self.pager.bodies()[1]["dedup_key"], event["dedup_key"])
        sender, to, mail, raw = self.mail.got[0]
        self.assertEqual((sender, to), ("b@example.org", ["ops@example.org", "boss@example.org"]))
        self.assertIn("<!channel>", mail["Subject"])
        self.assertIn("$", mail.get_content())
        self.assertEqual(len(self.mail.logins), 2)
        if self.am:
            got = self.am.behind.bodies()[0]["alerts"][0]
            self.assertEqual(got["labels"]["workload"], name)
            self.assertEqual(got["startsAt"][:19], alert["startsAt"][:19])
        log = self.c.log() + json.dumps([self.c.json(p) for p in
                                         ("/api/v1/alerts", "/api/v1/status")])
        _, metrics = self.c.get("/metrics")
        for text in (log, metrics.decode(), raw.decode("latin-1"), str(self.hook.bodies())):
            self.assertNotIn("s3cret", text)

    def test_a_hundred_agents(self):
        rule = "agent_silent"
        token = self.c.token("t", agents="web-*")
        beats = [batch(header(agent=f"web-{i}")) for i in range(100)]

        def beat():
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                self.assertEqual({a[0] for a in pool.map(lambda b: self.c.post(b, token), beats)}, {200})

        # A busy machine takes its time: what counts as together is measured, not assumed.
        self.c.start()
        began = time.time()
        beat()
        spread = 3 * (time.time() - began)
        self.c.stop()
        self.configure(1000000, silent_after=8 + 2 * spread, group_wait=1.5 + spread)
        self.c.start()
        beat()
        self.expect(rule, ["firing"], 60 + 5 * spread)
        self.kill(rule)
        self.c.start()
        time.sleep(2)
        self.expect(rule, ["firing"], 1)
        stop = threading.Event()

        def keep_beating():
            while not stop.is_set():
                beat()

        beating = threading.Thread(target=keep_beating)
        beating.start()
        try:
            self.expect(rule, ["firing", "resolved"], 60 + 5 * spread)
            time.sleep(2)
            self.expect(rule, ["firing", "resolved"], 1)
        finally:
            stop.set()
            beating.join()
        self.assertEqual([len(b["alerts"]) for b in self.hook.bodies()], [100, 100])
        self.assertEqual(self.c.metric('breakeven_notifications_total{channel="hook",result="ok"}'), 1)
        self.assertEqual(self.c.metric('breakeven_alerts{rule="agent_silent",phase="firing"}'), 0)
        self.assertIn("and 80 more", self.slack.bodies()[0]["blocks"][0]["text"]["text"])
        if self.am:
            self.assertEqual([len(b["alerts"]) for b in self.am.behind.bodies()], [100, 100])

    def test_acknowledged_at_pagerduty(self):
        """Told once that somebody knows, through kills; of many alerts when all are known."""
        def told(rule):
            return self.messages(rule)["pager"]

        self.configure(200)
        token = self.c.token("t", agents="*")
        self.c.start()
        self.assertEqual(self.c.post(batch(header(), *usage_rows(60)), token)[0], 200)
        for name in "web-2", "web-3":
            self.assertEqual(self.c.post(batch(header(agent=name)), token)[0], 200)
        # Silent by a second and more when it starts again: all at one look, however long a post took.
        self.c.stop()
        time.sleep(1)
        self.configure(200, silent_after=1, group_wait=0.2)
        self.c.start()  # projects at start
        for rule in "breakeven_crossed", "agent_silent":
            wait_for(f"{rule} firing", lambda: told(rule) == ["firing"])
        wait_for("all silent", lambda: len(self.c.json("/api/v1/alerts?phase=firing&rule=agent_silent")) == 3)
        self.c.command("alert", "ack", "rule=breakeven_crossed", "--comment", "on it")
        self.c.command("alert", "ack", "rule=agent_silent,agent=web-1")
        wait_for("acknowledged", lambda: told("breakeven_crossed") == ["firing", "acknowledged"])
        time.sleep(1)
        self.assertEqual(told("agent_silent"), ["firing"])
        self.pager.down = True
        self.c.command("alert", "ack", "rule=agent_silent")
        wait_for("a refused try", lambda: self.pager.refused)
        self.kill("breakeven_crossed", "acked", 1)
        self.pager.down = False
        self.c.start()
        wait_for("acknowledged", lambda: told("agent_silent") == ["firing", "acknowledged"])
        self.kill("agent_silent", "acked", 1)
        self.configure(1000000, group_wait=0.2)
        self.c.start()
        for rule in "breakeven_crossed", "agent_silent":
            wait_for(f"{rule} over", lambda: told(rule) == ["firing", "acknowledged", "resolved"])
        time.sleep(1)
        for rule in "breakeven_crossed", "agent_silent":
            self.assertEqual(told(rule), ["firing", "acknowledged", "resolved"])
        keys = {b["dedup_key"] for b in self.pager.bodies()}
        self.assertEqual(len(keys), 2)
        self.assertTrue(all("payload" not in b for b in self.pager.bodies() if b["event_action"] == "acknowledge"))

    def mail_channel(self, url, ca, tls="required"):
        """A configuration of one mail channel; a login that must never go out in clear."""
        with open(self.c.yaml, "w") as f:
            f.write(f"""listen: 127.0.0.1:{self.c.port}
data_dir: {self.c.data_dir}
workloads: {{ shop: {{ app: shop, hosted: {{ monthly_fixed: 200, setup: 100 }} }} }}
alerts:
  evaluate: 200ms
  breakeven_forecast: {{ enabled: no }}
  volume_anomaly: {{ enabled: no }}
  agent_silent: {{ enabled: no }}
  channels:
    - {{ name: mail, type: email, url: "{url}", tls: {tls}, ca_file: "{ca}", username: u,
        token_env: BREAKEVEN_TEST_PASSWORD, from: b@example.org, to: [ops@example.org] }}
""")

    def test_mail_over_tls(self):
        """STARTTLS and TLS from the first byte; what is wrong with it, in words, and nothing in clear."""
        good, context = certificate(self.c.dir, "good", "127.0.0.1")
        other, _ = certificate(self.c.dir, "other", "127.0.0.1")
        named, misnamed = certificate(self.c.dir, "named", "mail.example.org")
        start, direct = Mail(context), Mail(context, implicit=True)
        elsewhere, elsewhere_direct, none = Mail(misnamed), Mail(misnamed, implicit=True), Mail()
        for server in start, direct, elsewhere, elsewhere_direct, none:
            self.addCleanup(server.close)

        def told(server, scheme, ca, tls="required"):
            self.mail_channel(f"{scheme}://127.0.0.1:{server.port}", ca, tls)
            r = self.c.command("alert", "test", "mail", check=False)
            self.assertNotIn("s3cret", r.stdout + r.stderr)
            return r.returncode, r.stderr

        for server, scheme in (start, "smtp"), (direct, "smtps"):
            self.assertEqual(told(server, scheme, good), (0, ""))
            self.assertEqual((len(server.got), len(server.logins), server.plain), (2, 2, 0))
        for server, scheme, ca, word in (
                (start, "smtp", other, "certificate"), (direct, "smtps", other, "certificate"),
                (elsewhere, "smtp", named, "127.0.0.1"), (elsewhere_direct, "smtps", named, "127.0.0.1"),
                (none, "smtp", good, "STARTTLS"), (start, "smtp", self.c.dir + "/absent", "absent")):
            code, why = told(server, scheme, ca)
            self.assertEqual(code, 1, (scheme, ca))
            self.assertIn(word, why)
        self.assertEqual((none.got, none.logins, elsewhere.got, elsewhere.logins), ([], [], [], []))
        self.assertEqual(told(start, "smtp", other, "try")[0], 1)  # a wrong certificate is no excuse
        self.assertEqual(told(none, "smtp", other, "try")[0], 0)
        self.assertEqual((len(start.got), start.plain), (2, 0))

    def test_a_wrong_certificate_loses_nothing(self):
        """The mail waits through a restart until the server shows one that is trusted."""
        good, right = certificate(self.c.dir, "good", "127.0.0.1")
        _, wrong = certificate(self.c.dir, "other", "127.0.0.1")
        server = Mail(wrong)
        self.mail_channel(f"smtp://127.0.0.1:{server.port}", good)
        token = self.c.token("t", agents="web-*")
        self.c.start()
        self.assertEqual(self.c.post(batch(header(), *usage_rows(60)), token)[0], 200)
        self.c.command("project", "--quiet")
        wait_for("a refused handshake", lambda: server.failed and "certificate" in self.c.log())
        self.assertIn("will try again", self.c.log())
        self.c.stop(signal.SIGKILL)
        server.close()
        server = Mail(right, port=server.port)
        self.addCleanup(server.close)
        self.c.start()
        wait_for("the mail", lambda: server.got)
        time.sleep(1)
        self.assertEqual([(m["Subject"].split(": ")[0], to) for _, to, m, _ in server.got],
                         [("[breakeven] firing", ["ops@example.org"])])
        self.assertEqual(server.plain, 0)

    def test_commands(self):
        """test, list, silence, ack, unsilence; a receiver that is down and comes back."""
        self.configure(200)
        for name in ["hook", "slack", "pager", "mail"] + (["am"] if self.am else []):
            out = self.c.command("alert", "test", name).stdout
            self.assertEqual(out, f"{name}: the firing message was taken\n"
                                  f"{name}: the resolved message was taken\n")
        self.assertEqual(self.c.command("alert", "test", "nobody", check=False).returncode, 2)
        self.hook.down = True
        bad = self.c.command("alert", "test", "hook", check=False)
        self.assertEqual((bad.returncode, bad.stderr),
                         (1, "breakeven-collector: alert: the receiver answered 503\n"))
        for status, hint in ((401, "is the token, or the secret address, right?"), (404, "is the address right?"),
                             (302, "a redirect is not followed"), (429, "too many messages")):
            self.hook.down = status
            bad = self.c.command("alert", "test", "hook", check=False).stderr
            self.assertTrue(bad.startswith(f"breakeven-collector: alert: the receiver answered {status} ({hint}"), bad)
        self.assertEqual(len(self.hook.got), 2)  # of the first test; nobody went elsewhere
        self.hook.down = 401  # a wrong token may be put right: tried again
        token, admin = self.c.token("t", agents="web-*"), self.c.token("a", scopes="admin")
        self.c.start()
        self.assertEqual(self.c.post(batch(header(), *usage_rows(60)), token)[0], 200)
        silence = self.c.command("alert", "silence", "rule=breakeven_*", "--for", "1h",
                                 "--comment", "test").stdout.strip()
        self.c.command("project", "--quiet")
        wait_for("firing", lambda: self.c.json("/api/v1/alerts?phase=firing"))
        alert = self.c.json("/api/v1/alerts?phase=firing")[0]
        self.assertEqual((alert["silenced"], alert["comment"], alert["workload"]),
                         (True, "test", HOSTILE))
        self.assertIn(f"[silenced {silence}]", self.c.command("alert", "list").stdout)
        self.assertEqual(json.loads(self.c.command("alert", "list", "--json").stdout), [alert])
        time.sleep(1)
        self.assertEqual(self.messages("breakeven_crossed")["slack"], [])
        status, body, _ = self.c.request("POST", "/api/v1/alerts/unsilence",
                                         json.dumps({"id": silence}),
                                         {"Authorization": "Bearer " + admin})
        self.assertEqual(status, 200, body)
        wait_for("slack", lambda: self.messages("breakeven_crossed")["slack"] == ["firing"])
        wait_for("a refused try", lambda: self.hook.refused > 5)
        def state():
            return {c["name"]: c for c in self.c.json("/api/v1/alerts/channels")}

        wait_for("both counted", lambda: state()["slack"]["taken"] == 1 and state()["hook"]["attempts"] >= 1)
        channels = state()
        self.assertEqual((channels["slack"]["taken"], channels["slack"]["attempts"]), (1, 0))
        self.assertEqual((channels["hook"]["taken"], channels["hook"]["type"]), (0, "webhook"))
        self.assertGreater(channels["hook"]["next_try"], channels["hook"]["failing_since"])
        self.assertNotIn("s3cret", json.dumps(channels))
        status, body, _ = self.c.request("POST", "/api/v1/alerts/ack",
                                         json.dumps({"match": "breakeven_crossed", "comment": "on it"}),
                                         {"Authorization": "Bearer " + admin})
        self.assertEqual(status, 200, body)
        self.assertTrue(self.c.json("/api/v1/alerts?phase=firing")[0]["acknowledged"])
        self.hook.down = False
        time.sleep(11)  # past the back-off: acknowledged, so the hook is not told
        self.assertEqual(self.messages("breakeven_crossed")["hook"], [])
        for what in ({"match": "colour=red"}, {"match": "*", "for": "1"}, {"x": "y"}, []):
            status, _, _ = self.c.request("POST", "/api/v1/alerts/silence", json.dumps(what),
                                          {"Authorization": "Bearer " + admin})
            self.assertEqual(status, 400)
        for token in (None, token):
            status, _, _ = self.c.request("POST", "/api/v1/alerts/silence",
                                          '{"match":"*","for":"1h"}',
                                          {"Authorization": "Bearer " + token} if token else {})
            self.assertIn(status, (401, 403))


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv.pop(1))
    parallel.main(BINARY)
