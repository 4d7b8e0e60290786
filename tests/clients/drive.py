#!/usr/bin/env python3
"""Python's own clients against server.mjs: urllib, and http.client on one kept connection.

usage: SSL_CERT_FILE=CA SSLKEYLOGFILE=FILE drive.py PORT

Prints what each call returned, one JSON line as drive.mjs does.
"""
import http.client
import json
import ssl
import sys
import urllib.error
import urllib.request

PORT = int(sys.argv[1])
HEAD = {"Content-Type": "application/json", "Authorization": "Bearer sk-CANARY-KEY"}
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "CANARY-PROMPT"}]}


def say(body):
    usage = body["usage"]
    print(json.dumps({"id": body["id"],
                      "input": usage.get("prompt_tokens", usage.get("input_tokens")),
                      "output": usage.get("completion_tokens", usage.get("output_tokens"))}))


def post(host, path, ask, **head):
    return urllib.request.urlopen(urllib.request.Request(
        "https://%s:%d%s" % (host, PORT, path), json.dumps(ask).encode(), {**HEAD, **head}))


def main():
    say(json.load(post("api.openai.com", "/v1/chat/completions", ASK)))
    say(json.load(post("api.anthropic.com", "/v1/messages",
                       dict(ASK, model="claude-sonnet-5-5", max_tokens=9))))
    streamed = dict(ASK, stream=True, stream_options={"include_usage": True})
    with post("api.openai.com", "/v1/chat/completions", streamed) as reply:
        events = [json.loads(line[6:]) for line in reply
                  if line.startswith(b"data: {")]
    say(events[-1])
    with post("api.openai.com", "/v1/chat/completions", streamed) as reply:
        reply.readline()
    print(json.dumps({"aborted": True}))
    try:
        post("api.openai.com", "/v1/chat/completions", ASK, **{"x-fault": "429;py%d" % PORT})
    except urllib.error.HTTPError as error:
        error.read()
    kept = http.client.HTTPSConnection("api.openai.com", PORT,
                                       context=ssl.create_default_context())
    for ask in (ASK, ASK, dict(ASK, stream=True)):
        kept.request("POST", "/v1/chat/completions", json.dumps(ask), HEAD)
        body = kept.getresponse().read()
        if "stream" not in ask:
            say(json.loads(body))
    # the body in chunks, as when its length is not known
    kept.request("POST", "/v1/chat/completions", iter([json.dumps(ASK).encode()]), HEAD,
                 encode_chunked=True)
    say(json.load(kept.getresponse()))
    kept.close()


if __name__ == "__main__":
    main()
