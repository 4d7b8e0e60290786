#!/usr/bin/env python3
"""WebSockets of a real client and server, captured: every usage-carrying event one call.

usage: socket_pcap.py AGENT

python3-websockets speaks both sides, with and without permessage-deflate, in a network
namespace of its own, and tcpdump writes what went over the wire. Exit 0, 1, or 77 where
a program or the right to make a namespace is missing.
"""
import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SYSTEM_PYTHON = "/usr/bin/python3"
try:
    import websockets
except ImportError:
    if sys.executable != SYSTEM_PYTHON and os.path.exists(SYSTEM_PYTHON):
        os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON, *sys.argv])
    print("skipped: no python3-websockets")
    sys.exit(77)

CANARY = "CANARY-SPOKEN"
TURNS = 40


def realtime_usage(rng):
    cached, audio = rng.randrange(50), rng.randrange(200)
    total = cached + audio + rng.randrange(100)
    out = rng.randrange(1, 500)
    return {"total_tokens": total + out, "input_tokens": total, "output_tokens": out,
            "input_token_details": {"text_tokens": total - audio, "audio_tokens": audio,
                                    "cached_tokens": cached},
            "output_token_details": {"text_tokens": out, "audio_tokens": 0}}


async def realtime(socket, rng, truth):
    """A session of several responses, each with its bill and, apart, a transcription."""
    await socket.send(json.dumps({"type": "session.created", "session": {
        "model": "gpt-realtime-x", "input_audio_transcription": {"model": "hear-x"}}}))
    for turn in range(TURNS):
        await socket.recv()
        rid, usage = f"resp_{turn}", realtime_usage(rng)
        await socket.send(json.dumps({"type": "response.created", "response":
                                      {"id": rid, "status": "in_progress", "usage": None}}))
        for _ in range(rng.randrange(8)):
            await socket.send(json.dumps({"type": "response.output_text.delta",
                                          "response_id": rid,
                                          "delta": CANARY * rng.randrange(1, 400)}))
        await socket.send(json.dumps({"type": "response.done", "response":
                                      {"id": rid, "status": "completed", "usage": usage}}))
        truth.append(("gpt-realtime-x", rid, usage["input_tokens"]
                      - usage["input_token_details"]["cached_tokens"],
                      usage["input_token_details"]["cached_tokens"],
                      usage["output_tokens"]))
        if turn % 3 == 0:
            heard = rng.randrange(1, 90)
            await socket.send(json.dumps({
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": f"item_{turn}", "transcript": CANARY, "usage":
                {"type": "tokens", "total_tokens": heard + 3, "input_tokens": heard,
                 "output_tokens": 3}}))
            truth.append(("hear-x", f"item_{turn}", heard, None, 3))


async def live(socket, rng, truth):
    """Gemini Live in binary frames, running totals in each."""
    setup = json.loads(await socket.recv())
    await socket.send(json.dumps({"setupComplete": {}}).encode())
    for _ in range(TURNS):
        await socket.recv()
        prompt = rng.randrange(1, 900)
        for out in range(1, rng.randrange(2, 9)):
            usage = {"promptTokenCount": prompt, "responseTokenCount": out * 7,
                     "totalTokenCount": prompt + out * 7}
            await socket.send(json.dumps({"serverContent": {"modelTurn": {"parts": [
                {"text": CANARY * rng.randrange(1, 300)}]}}, "usageMetadata": usage}).encode())
        await socket.send(json.dumps({"serverContent": {"turnComplete": True}}).encode())
        truth.append((setup["setup"]["model"].split("/")[1], None, prompt, None, out * 7))


async def serve(port_file, truth_file):
    truth, rng = [], random.Random(7)

    async def handler(socket, path=None):
        path = path or socket.path
        await (live if "Bidi" in path else realtime)(socket, rng, truth)

    servers = [await websockets.serve(handler, "127.0.0.1", 0, compression=c)
               for c in ("deflate", None)]
    stop = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set_result, None)
    with open(port_file + ".part", "w", encoding="ascii") as f:
        f.write(" ".join(str(s.sockets[0].getsockname()[1]) for s in servers))
    os.rename(port_file + ".part", port_file)
    await stop
    with open(truth_file, "w", encoding="utf-8") as f:
        json.dump(truth, f)


async def talk(port, path, host, first):
    async with websockets.connect(f"ws://127.0.0.1:{port}{path}", max_size=None,
                                  extra_headers={"Authorization": "Bearer CANARY-KEY"},
                                  origin=f"https://{host}") as socket:
        if first:
            await socket.send(json.dumps(first))
        for _ in range(TURNS):
            await socket.send(json.dumps({"type": "response.create",
                                          "response": {"instructions": CANARY * 30}}))
        async for _ in socket:
            pass


async def client(ports):
    paths = [("/v1/realtime?model=gpt-realtime", "api.openai.com", None),
             ("/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
              "generativelanguage.googleapis.com", {"setup": {"model": "models/gem-live-x"}})]
    await asyncio.gather(*(talk(port, *path) for port in ports for path in paths))


def wait_for(what, seconds=90):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            sys.exit("timed out")
        time.sleep(0.05)


def record(tmp):
    """Inside of the namespace: leaves tmp/x.pcap and tmp/truth.json."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    pcap, port = os.path.join(tmp, "x.pcap"), os.path.join(tmp, "port")
    with subprocess.Popen(["tcpdump", "-Z", "root", "-i", "lo", "-U", "-s", "0", "-w", pcap,
                           "tcp"], stderr=subprocess.PIPE) as dump, \
         subprocess.Popen([sys.executable, __file__, "--serve", port,
                           os.path.join(tmp, "truth.json")]) as server:
        dump.stderr.readline()  # listening
        wait_for(lambda: os.path.exists(port) and os.path.exists(pcap))
        with open(port, encoding="ascii") as f:
            ports = f.read().split()
        asyncio.run(client(ports))
        server.terminate()
        server.wait()
        time.sleep(1)
        dump.terminate()


def judge(agent, tmp):
    run = subprocess.run([agent, "scan", "--calls", "--no-dedup", os.path.join(tmp, "x.pcap")],
                         capture_output=True, check=True)
    assert b"CANARY" not in run.stdout + run.stderr, "content shows"
    calls = [json.loads(line) for line in run.stdout.splitlines()]
    got = sorted((c["model"], c["response_id"] or "", c["input"], c["cache_read"] or 0,
                  c["output"]) for c in calls if c["accounting"] == "call")
    with open(os.path.join(tmp, "truth.json"), encoding="utf-8") as f:
        want = sorted((m, r or "", i, c or 0, o) for m, r, i, c, o in json.load(f))
    assert all(c["quality"] == "exact" for c in calls), "not exact"
    assert len(want) == 4 * TURNS + 2 * ((TURNS + 2) // 3), len(want)
    assert got == want, set(got) ^ set(want)
    print(len(want), "calls of 4 sockets equal the truth")


def main():
    if sys.argv[1] == "--serve":
        asyncio.run(serve(*sys.argv[2:]))
    elif sys.argv[1] == "--record":
        record(sys.argv[2])
    else:
        if not all(map(shutil.which, ("tcpdump", "unshare", "ip"))) or subprocess.run(
                ["unshare", "-n", "true"], check=False, stderr=subprocess.DEVNULL).returncode:
            print("skipped: needs tcpdump, ip and the right to make a network namespace")
            return 77
        with tempfile.TemporaryDirectory() as tmp:
            subprocess.run(["unshare", "-n", sys.executable, __file__, "--record", tmp],
                           check=True)
            judge(sys.argv[1], tmp)
    return 0


if __name__ == "__main__":
    sys.exit(main())
