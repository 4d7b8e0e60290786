/*
 * What the generators of captures share: TCP segments into a pcap file, HTTP/2 frames,
 * and the header fields that an SDK sends and a provider answers.
 */
#ifndef BREAKEVEN_BENCH_FLOWS_H
#define BREAKEVEN_BENCH_FLOWS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16 };

static FILE *out; /* a generator is one file and one thread */
static unsigned server_port = 80;
static uint64_t now_us = UINT64_C(1790000000000000), packets;

enum { DATA, HEADERS, SETTINGS = 4, END_STREAM = 1, END_HEADERS = 4, FRAME = 9 };

struct flow {
    uint32_t seq[2]; /* by direction: up, down */
};

static void put16(unsigned char *p, unsigned v)
{
    p[0] = (unsigned char)(v >> 8);
    p[1] = (unsigned char)v;
}

static void put32(unsigned char *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static void begin_capture(const char *path)
{
    const uint32_t head[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1 };
    out = fopen(path, "wb");
    if (!out || fwrite(head, sizeof head, 1, out) != 1) {
        perror(path);
        exit(1);
    }
}

static void segment(struct flow *f, uint32_t i, int down, unsigned flags,
                    const char *data, size_t n)
{
    unsigned char h[54] = { [12] = 8, [14] = 0x45, [22] = 64, [23] = 6 };
    uint32_t host[2] = { 0x0a000001 + (i >> 14), 0xc0000201 },
             port[2] = { 20000 + (i & 0x3fff), server_port },
             record[4] = { (uint32_t)(now_us / 1000000), (uint32_t)(now_us % 1000000),
                           (uint32_t)(sizeof h + n), (uint32_t)(sizeof h + n) };
    put16(h + 16, (unsigned)(40 + n));
    put32(h + 26, host[down]);
    put32(h + 30, host[!down]);
    put16(h + 34, port[down]);
    put16(h + 36, port[!down]);
    put32(h + 38, f->seq[down]);
    put32(h + 42, f->seq[!down]);
    h[46] = 0x50;
    h[47] = (unsigned char)flags;
    put16(h + 48, 65535);
    fwrite(record, sizeof record, 1, out);
    fwrite(h, sizeof h, 1, out);
    fwrite(data, 1, n, out);
    f->seq[down] += (uint32_t)n + !!(flags & (SYN | FIN));
    now_us += 3;
    packets++;
}

/* A frame of stream 1, or of the connection; returns its length. */
static size_t frame(char *to, unsigned type, unsigned flags, const char *p, size_t n)
{
    const char head[FRAME] = { (char)(n >> 16), (char)(n >> 8), (char)n,
                               (char)type,      (char)flags,    [8] = type != SETTINGS };
    memcpy(to, head, FRAME);
    memcpy(to + FRAME, p, n);
    return FRAME + n;
}

/* Fields as literals with incremental indexing (RFC 7541, 6.2.1), all under 127 bytes. */
static size_t headers(char *to, const char *const *field)
{
    char block[2048];
    size_t n = 0;
    for (; *field; field++) {
        size_t name = strcspn(*field, "=");
        block[n++] = 0x40;
        for (int part = 0; part < 2; part++) {
            const char *from = part ? *field + name + 1 : *field;
            size_t len = part ? strlen(from) : name;
            block[n++] = (char)len;
            memcpy(block + n, from, len);
            n += len;
        }
    }
    return frame(to, HEADERS, END_HEADERS, block, n);
}

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static const char *const asked[] = {
    ":method=POST",
    ":scheme=https",
    ":authority=api.openai.com",
    ":path=/v1/chat/completions",
    "accept=application/json",
    "accept-encoding=gzip, deflate, br, zstd",
    "content-type=application/json",
    "user-agent=OpenAI/Python 1.109.1",
    "x-stainless-lang=python",
    "x-stainless-package-version=1.109.1",
    "x-stainless-os=Linux",
    "x-stainless-arch=x64",
    "x-stainless-runtime=CPython",
    "x-stainless-runtime-version=3.11.2",
    "x-stainless-async=false",
    "x-stainless-retry-count=0",
    "x-stainless-read-timeout=600",
    "authorization=Bearer made-up-key-of-nobody-made-up-key-of-nobody-made-up",
    "content-length=51",
    NULL,
};

static const char *const answered[] = {
    ":status=200",
    "date=Mon, 30 Nov 2026 12:00:00 GMT",
    "content-type=text/event-stream; charset=utf-8",
    "openai-organization=made-up-organization",
    "openai-processing-ms=412",
    "openai-project=proj_madeupmadeupmadeup00",
    "openai-version=2020-10-01",
    "x-envoy-upstream-service-time=431",
    "x-ratelimit-limit-requests=10000",
    "x-ratelimit-limit-tokens=2000000",
    "x-ratelimit-remaining-requests=9999",
    "x-ratelimit-remaining-tokens=1999231",
    "x-ratelimit-reset-requests=6ms",
    "x-ratelimit-reset-tokens=23ms",
    "x-request-id=req_00000000000000000000000000000000",
    "x-openai-proxy-wasm=v0.1",
    "cf-cache-status=DYNAMIC",
    "set-cookie=__cf_bm=madeup; path=/; domain=.api.openai.com; HttpOnly; Secure",
    "strict-transport-security=max-age=31536000; includeSubDomains; preload",
    "x-content-type-options=nosniff",
    "server=cloudflare",
    "cf-ray=0000000000000000-FRA",
    "alt-svc=h3=\":443\"; ma=86400",
    NULL,
};

#endif
