/*
 * Inside of tls.h, shared by its files: tls.c (the public face, what waits), tls_frame.c
 * (bytes into records, gaps), tls_open.c (records into plaintext, handshake messages).
 *
 * Everything that happens to a direction is an event: a record, a gap, its close. An
 * event that cannot be acted on yet, and every later one of its direction, is held; held
 * events are posted again, in order, when secrets or the ServerHello have come.
 */
#ifndef BREAKEVEN_TLS_PRIVATE_H
#define BREAKEVEN_TLS_PRIVATE_H

#include "agent/tls.h"
#include "agent/tls_key.h"
#include "common/buf.h"

enum tls_epoch {
    TLS_CLEAR,
    TLS_HANDSHAKE, /* TLS 1.3: under the handshake secrets */
    TLS_TRAFFIC,
    TLS_DEAD, /* will not be read any more */
};

/* Handshake messages of one direction, taken from its records. */
struct tls_messages {
    unsigned char head[4];
    unsigned head_n;
    uint32_t left; /* of the body */
    bool keep;     /* a message we want: gathered in body */
    struct buf body;
};

struct tls_dir {
    enum tls_epoch epoch;
    struct tls_key handshake, traffic;
    struct tls_messages messages;
    unsigned slack;  /* records that may be lost before the next one */
    unsigned failed; /* records in a row that no key has opened */
    /* Framing. */
    struct buf part; /* the begin of a record, or what is searched for one */
    uint64_t skip;   /* rest of a record with a hole */
    bool seeking;    /* where the next record begins is unknown */
    bool unframed;   /* framing has ended for good */
    unsigned tries;  /* spent on seeking */
    size_t held;     /* events held, and their bytes */
    size_t held_bytes;
    size_t skips; /* offset + 1 of the TLS_SKIP that is the last of them; 0: it is not */
    bool closed;  /* told to inner */
};

enum tls_what { TLS_RECORD, TLS_GAP, TLS_SKIP, TLS_CLOSE };

struct tls_event {
    enum tls_what what;
    enum stream_dir d;
    int64_t ts_ns;
    struct slice bytes; /* TLS_RECORD: with its head */
    unsigned lost; /* TLS_GAP: records that it may have swallowed; TLS_SKIP: that were
                      let go */
    bool reset;    /* TLS_CLOSE */
};

struct tls {
    struct tls_options o;
    struct secrets *secrets;
    struct stream_sink inner;
    struct tls_info info;
    const struct tls_suite *suite; /* NULL: no ServerHello yet */
    bool encrypt_then_mac;
    bool greeted;   /* client_random is known */
    bool keyed;     /* the directions have their keys */
    bool news;      /* held events may be able to move */
    uint64_t asked; /* secrets_version when it was last asked */
    char client_random[SECRET_RANDOM_BYTES], server_random[SECRET_RANDOM_BYTES];
    struct tls_dir dir[2];
    struct buf held;
};

/* tls.c: act on an event, now or later. */
void tls_post(struct tls *t, struct tls_event ev);
/* The direction is not readable from here: one gap to inner, keys zeroed. */
void tls_die(struct tls *t, enum stream_dir d, int64_t ts_ns, const char *why);

/* tls_frame.c */
void tls_frame(struct tls *t, enum stream_dir d, int64_t ts_ns, struct slice bytes);
void tls_frame_gap(struct tls *t, enum stream_dir d, int64_t ts_ns, uint64_t bytes);
/* The direction ends: a record cut short becomes a gap. */
void tls_frame_end(struct tls *t, enum stream_dir d, int64_t ts_ns);

/* tls_open.c */
/* Act on a record; false: it cannot be yet, nothing has changed. */
bool tls_record(struct tls *t, const struct tls_event *ev);
/* Try the record as the next of its direction, some lost before it; if it opens, its
 * content is handed on. For seeking; needs keys. */
bool tls_probe(struct tls *t, const struct tls_event *ev);
/* Whether both directions have keys, asking the store when it has news. */
bool tls_keys_ready(struct tls *t);

#endif
