/*
 * From the ordered bytes of one connection to judged calls: finds out whether it speaks
 * HTTP/1.x or HTTP/2, decodes the bodies and walks each exchange through extract. One
 * struct http for each connection, one struct http_shared for all of them. Fed by
 * reassembly or by tls through stream.h.
 *
 * Refuses: to keep a byte of a body, to guess numbers where bytes were lost (the call is
 * emitted with quality missing), more memory than the limits. What it refuses it counts.
 */
#ifndef BREAKEVEN_HTTP_H
#define BREAKEVEN_HTTP_H

#include "agent/http_notes.h"
#include "agent/stream.h"

enum http_count {
#define HTTP_COUNT(name, help) HTTP_##name,
#include "agent/http_counts.def"
#undef HTTP_COUNT
    HTTP_COUNTS,
};

/* "exchanges", …; NULL outside the enum. */
const char *http_count_name(enum http_count c);

struct http_limits {
    size_t header_bytes;    /* of one message or header block */
    size_t in_flight;       /* exchanges at a time of one connection */
    size_t in_flight_total; /* exchanges at a time of all; see park.h */
    uint64_t decoded_bytes; /* of one body */
    uint32_t decoded_ratio; /* decoded to coded bytes, beyond the first few MiB */
    size_t decoders;        /* memory of all that decode bodies and messages */
};

#define HTTP_LIMITS                                                                      \
    ((struct http_limits){ .header_bytes = 64 << 10,                                     \
                           .in_flight = 256,                                             \
                           .in_flight_total = 16384,                                     \
                           .decoded_bytes = (uint64_t)1 << 30,                           \
                           .decoded_ratio = 1200,                                        \
                           .decoders = 256 << 20 })

/* Where a call was seen; slices are those of struct http_options. */
struct http_origin {
    struct slice client, server;
    const char *tls; /* "TLSv1.3", …; NULL in clear */
    int64_t stream;  /* of HTTP/2; -1 for HTTP/1 */
    /* A batch's results hold calls: each comes before the exchange's own verdict, `part`
       set; what of them is new the receiver sums up here, to have it with the verdict.
       NULL: there was no batch, or no memory. */
    bool part;
    struct usage *delivered;
    const struct http_notes *notes;
};

/*
 * Receives one judged call, seen = SEEN_CAPTURE, with its latencies, to change as it
 * likes. `u`, `o` and their slices are valid during the call.
 */
typedef void http_call_fn(void *arg, struct usage *u, const struct http_origin *o);

/* Whose call begins here? Sets rule and label of *notes. Borrows during the call. */
struct flow_info;
typedef void http_label_fn(void *arg, const struct flow_info *flow, struct slice target,
                           const struct extract_header *field, size_t fields,
                           struct http_notes *notes);

/* What all connections share. Zero it, set the first members, keep it alive. */
struct http_shared {
    struct extract *extract; /* its record door stays usable between calls into http */
    http_call_fn *emit;
    void *arg;
    struct http_limits limits; /* HTTP_LIMITS */
    http_label_fn *label;      /* NULL: nobody asks */
    bool keep_credentials;     /* label asks for fields that hold them: hpack.h */
    uint64_t count[HTTP_COUNTS];
    size_t in_flight; /* now, of all connections */
    size_t decoding;  /* bytes of limits.decoders that are in use */
};

struct http_options {
    struct http_shared *shared;   /* borrowed */
    struct slice client, server;  /* "ip:port" in text; copied */
    uint16_t server_port;         /* tells a provider where the Host has no port */
    const char *tls;              /* a constant: "TLSv1.3", …; NULL in clear */
    const struct flow_info *flow; /* for `label`; borrowed for the life of the result */
    struct slice sni;             /* the host that TLS was opened for; borrowed as well */
};

struct http;

/* A connection of which nothing was seen yet. NULL: out of memory. */
struct http *http_new(const struct http_options *o);

/*
 * Where the connection's bytes go. ts_ns is the time of the packet that held the bytes,
 * not of the moment they became in order: latencies and pairing after a loss depend on
 * it. Bytes of the two directions should come in the order of their times.
 */
void http_sink(struct http *h, struct stream_sink *out);

/* Ends what is still in flight as aborted at the last time seen, then frees. NULL is
 * fine.
 */
void http_free(struct http *h);

#endif
