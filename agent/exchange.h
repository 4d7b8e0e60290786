/*
 * State of one exchange: what extract.c keeps between its calls. Not an interface;
 * include agent/extract.h instead.
 */
#ifndef BREAKEVEN_EXCHANGE_H
#define BREAKEVEN_EXCHANGE_H

#include "agent/engine.h"
#include "agent/eventstream.h"
#include "agent/sse.h"
#include "agent/walk.h"

/* How the reply's body is framed. */
enum framing {
    FRAMING_UNKNOWN, /* no byte of it has come */
    FRAMING_JSON,    /* one document, several after another, or an array of them */
    FRAMING_SSE,
    FRAMING_EVENTSTREAM,
    FRAMING_OTHER, /* audio, text, pages: not read */
};

/* Numbers that are summed over parts: lines of a batch result, steps of an agent. */
struct sums {
    struct usage usage;
    uint32_t parts;
};

/* What the base64 of Bedrock's {"bytes":"…"} has come to. */
struct chunk_bytes {
    unsigned char state, matched;
    unsigned char digits;
    uint32_t bits;
};

/* The model field of a multipart form: found by its header, cut at the line's end. */
struct form {
    unsigned char matched, n;
    bool inside, done;
    char value[128];
};

struct exchange {
    struct provider_hit hit;
    struct raw request, reply, intact; /* intact: before the message at hand */
    struct walk ask, answer;
    struct walk_names ask_names, names;
    enum framing framing;
    struct sse sse;
    struct eventstream es;
    struct chunk_bytes bytes;
    struct form form;
    struct sums sums;
    bool request_json, request_seen, body_seen, event_stream_type, ndjson_type, exception;
    bool token, thread_run, native_chunk, from_cache;
    bool settled;            /* it said its last word: who leaves now has all of it */
    unsigned char marked;    /* bytes of a byte order mark; 3: behind it */
    unsigned char last_word; /* matched of an event's [DONE] */
    uint32_t searches, pieces;
    uint64_t text_out; /* of the reply, parts that repeat others left out */
    uint64_t bytes_up, bytes_down;
    uint16_t status;
    usage_fn *part; /* receives the calls of a batch, as they come */
    void *part_arg;
    int64_t part_ns;
    char path_model[RAW_TEXT], region[32];
    char id[RAW_TEXT], request_id[128], scope[96], object[64], type[64];
    size_t path_model_n, region_n, id_n, request_id_n, scope_n;
    _Alignas(32) struct repeat repeat; /* the event before; last: see park */
};

/* What the estimator gets to know of a reply that has ended. */
struct estimate_sample exchange_sample(const struct exchange *e);

/* Around each document of the reply: walk_fn of the answer. */
void exchange_document_begin(void *arg);
void exchange_document_end(void *arg);

/* The next bytes of a reply of server-sent events, and their end. */
void exchange_events(struct exchange *e, struct slice piece);
void exchange_events_end(struct exchange *e);

/* Messages of an event stream; their argument is the exchange. */
extern const struct eventstream_events exchange_messages;

#endif
