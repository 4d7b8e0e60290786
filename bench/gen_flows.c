/*
 * Makes a capture of many connections at a time, all of them in the middle of a streamed
 * reply: what a meter has to keep in memory. usage: gen_flows FILE.pcap CONNECTIONS [h2]
 *
 * Each connection sends a request and gets a reply of chunks of events; a chunk of each
 * goes round before the next of any, so that all stay open to the end. Prints the truth.
 * h2: HTTP/2 in clear, with the header fields that an SDK sends and a provider answers,
 * all of which go into the tables of header compression.
 */
#include "flows.h"

enum { CHUNKS = 12, TEXT = 600 };

static int h2;

static void send_text(struct flow *f, uint32_t i, int down, const char *text)
{
    segment(f, i, down, PSH | ACK, text, strlen(text));
}

static void open_and_ask_h2(struct flow *f, uint32_t i, const char *body)
{
    char whole[4096];
    send_text(f, i, 0, preface);
    for (int down = 0; down < 2; down++)
        segment(f, i, down, PSH | ACK, whole, frame(whole, SETTINGS, 0, "", 0));
    segment(f, i, 0, PSH | ACK, whole, headers(whole, asked));
    segment(f, i, 0, PSH | ACK, whole,
            frame(whole, DATA, END_STREAM, body, strlen(body)));
    segment(f, i, 1, PSH | ACK, whole, headers(whole, answered));
}

static void open_and_ask(struct flow *f, uint32_t i)
{
    char head[512],
        body[] = "{\"model\":\"gpt-4o-mini\",\"stream\":true,\"messages\":[]}";
    f->seq[0] = i * 7919u;
    f->seq[1] = i * 104729u;
    segment(f, i, 0, SYN, "", 0);
    segment(f, i, 1, SYN | ACK, "", 0);
    if (h2) {
        open_and_ask_h2(f, i, body);
        return;
    }
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
    if (h2) {
        segment(
            f, i, 1, PSH | ACK, framed,
            frame(framed, DATA, at < CHUNKS - 1 ? 0 : END_STREAM, event, strlen(event)));
        return;
    }
    snprintf(framed, sizeof framed, "%zx\r\n%s\r\n%s", strlen(event), event,
             at < CHUNKS - 1 ? "" : "0\r\n\r\n");
    send_text(f, i, 1, framed);
    segment(f, i, 0, ACK, "", 0);
}

int main(int argc, char **argv)
{
    uint32_t n = argc >= 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    struct flow *flow = calloc(n ? n : 1, sizeof *flow);
    unsigned long long in = 0, cached = 0, generated = 0;
    h2 = argc == 4 && strcmp(argv[3], "h2") == 0;
    if (!n || argc > 3 + h2 || !flow) {
        fprintf(stderr, "usage: gen_flows FILE.pcap CONNECTIONS [h2]\n");
        return 2;
    }
    begin_capture(argv[1]);
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
