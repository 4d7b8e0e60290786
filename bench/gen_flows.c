/*
 * Makes a capture of many connections at a time, all of them in the middle of a streamed
 * reply: what a meter has to keep in memory. usage: gen_flows FILE.pcap CONNECTIONS
 *
 * Each connection sends a request and gets a reply of chunks of events; a chunk of each
 * goes round before the next of any, so that all stay open to the end. Prints the truth.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS = 12, TEXT = 600, FIN = 1, SYN = 2, PSH = 8, ACK = 16 };

static FILE *out;
static uint64_t now_us = UINT64_C(1790000000000000), packets;

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

static void segment(struct flow *f, uint32_t i, int down, unsigned flags,
                    const char *data, size_t n)
{
    unsigned char h[54] = { [12] = 8, [14] = 0x45, [22] = 64, [23] = 6 };
    uint32_t host[2] = { 0x0a000001 + (i >> 14), 0xc0000201 },
             port[2] = { 20000 + (i & 0x3fff), 80 },
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

static void send_text(struct flow *f, uint32_t i, int down, const char *text)
{
    segment(f, i, down, PSH | ACK, text, strlen(text));
}

static void open_and_ask(struct flow *f, uint32_t i)
{
    char head[512],
        body[] = "{\"model\":\"gpt-4o-mini\",\"stream\":true,\"messages\":[]}";
    f->seq[0] = i * 7919u;
    f->seq[1] = i * 104729u;
    segment(f, i, 0, SYN, "", 0);
    segment(f, i, 1, SYN | ACK, "", 0);
    snprintf(head, sizeof head,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    send_text(f, i, 0, head);
    send_text(f, i, 1,
              "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
              "Transfer-Encoding: chunked\r\n\r\n");
}

static void chunk(struct flow *f, uint32_t i, int at)
{
    char text[TEXT + 1], event[TEXT + 512], framed[TEXT + 600];
    memset(text, 'a' + at, TEXT);
    text[TEXT] = 0;
    if (at < CHUNKS - 1)
        snprintf(
            event, sizeof event,
            "data: "
            "{\"id\":\"chatcmpl-%u\",\"object\":\"chat.completion.chunk\",\"model\":"
            "\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}"
            "\n\n",
            i, text);
    else
        snprintf(event, sizeof event,
                 "data: "
                 "{\"id\":\"chatcmpl-%u\",\"object\":\"chat.completion.chunk\",\"model\":"
                 "\"gpt-4o-mini\",\"choices\":[],\"usage\":{\"prompt_tokens\":%u,"
                 "\"completion_tokens\":%u,\"total_tokens\":%u,\"prompt_tokens_details\":"
                 "{\"cached_tokens\":%u}}}\n\ndata: [DONE]\n\n",
                 i, 100 + i % 50, 20 + i % 30, 120 + i % 50 + i % 30, i % 50);
    snprintf(framed, sizeof framed, "%zx\r\n%s\r\n%s", strlen(event), event,
             at < CHUNKS - 1 ? "" : "0\r\n\r\n");
    send_text(f, i, 1, framed);
    segment(f, i, 0, ACK, "", 0);
}

int main(int argc, char **argv)
{
    uint32_t n = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    uint32_t head[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1 };
    struct flow *flow = calloc(n ? n : 1, sizeof *flow);
    unsigned long long in = 0, cached = 0, generated = 0;
    if (!n || !flow || !(out = fopen(argv[1], "wb"))) {
        fprintf(stderr, "usage: gen_flows FILE.pcap CONNECTIONS\n");
        return 2;
    }
    fwrite(head, sizeof head, 1, out);
    for (uint32_t i = 0; i < n; i++)
        open_and_ask(&flow[i], i);
    for (int at = 0; at < CHUNKS; at++)
        for (uint32_t i = 0; i < n; i++)
            chunk(&flow[i], i, at);
    for (uint32_t i = 0; i < n; i++) {
        segment(&flow[i], i, 0, FIN | ACK, "", 0);
        segment(&flow[i], i, 1, FIN | ACK, "", 0);
        in += 100 + i % 50;
        cached += i % 50;
        generated += 20 + i % 30;
    }
    if (fclose(out))
        return 1;
    printf("{\"packets\":%llu,\"openai\":{\"exchanges\":%u,\"input_tokens\":%llu,"
           "\"cached_tokens\":%llu,\"output_tokens\":%llu}}\n",
           (unsigned long long)packets, n, in, cached, generated);
    free(flow);
    return 0;
}
