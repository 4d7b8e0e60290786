/*
 * What to send, wait for or drop next: the state machine of shipping, without clock,
 * socket or spool. Asked and told by shipper, which owns those. Also composes the header
 * line of a batch and reads the collector's answers.
 *
 * A failing collector never costs a row: rows stay in the spool until a durable 200. Only
 * a row that is refused by itself (400, 413), while the collector takes an empty batch,
 * is set aside, so that one poisoned row cannot hold up the rest for ever.
 */
#ifndef BREAKEVEN_SHIP_H
#define BREAKEVEN_SHIP_H

#include "common/buf.h"

struct ship_limits {
    size_t max_rows, max_bytes; /* of one batch, before compression */
    int64_t interval_ms;        /* rows wait at least this long after the last batch */
    int64_t heartbeat_ms;       /* longest silence while all is well */
    int64_t backoff_min_ms, backoff_max_ms;
};

/* 2,000 rows, 512 KiB (an agent stays small); 10 s; 60 s; 1 s, 300 s. */
struct ship_limits ship_limits_default(void);

enum ship_phase {
    SHIP_NORMAL,
    SHIP_PROBE, /* one row alone was refused: does an empty batch pass? */
};

/* What the last answer was, for health and for logging once per change. */
enum ship_health {
    SHIP_UNTRIED,
    SHIP_OK,
    SHIP_UNREACHABLE,   /* no answer: network, DNS, TLS, timeout */
    SHIP_UNAUTHORISED,  /* 401, 403: the token is wrong, or not for this agent */
    SHIP_OVERLOADED,    /* 408, 429, 5xx */
    SHIP_MISUNDERSTOOD, /* redirects, other 4xx, an answer no collector gives */
};

struct ship {
    struct ship_limits limits;
    enum ship_phase phase;
    enum ship_health health;
    size_t rows_cap; /* of the next batch; shrunk by 400 and 413, doubled by 200 */
    size_t bytes_cap;
    unsigned failures; /* in a row */
    int64_t due_ms;    /* nothing is sent before */
    int64_t sent_ms;   /* the last answered batch; heartbeats count from here */
    bool eager;        /* more waited than the last batch could take */
    bool hinted;       /* a batch was shrunk since the last ack */
    char refusal[200]; /* why the row under probe was refused */
};

void ship_init(struct ship *s, const struct ship_limits *limits, int64_t now_ms);

/* What to do now. */
enum ship_do { SHIP_WAIT, SHIP_SEND_ROWS, SHIP_SEND_HEARTBEAT };

struct ship_step {
    enum ship_do what;
    int64_t wait_until_ms;      /* SHIP_WAIT: ask again then, or when rows arrive */
    size_t max_rows, max_bytes; /* SHIP_SEND_ROWS */
};

/* `waiting`: rows are in the spool. `now_ms` is any monotone clock, always the same. */
struct ship_step ship_next(const struct ship *s, int64_t now_ms, bool waiting);

/* What came back. */
struct ship_answer {
    unsigned status;          /* HTTP; 0: none came, `error` says why */
    int64_t retry_after_ms;   /* -1: none (ship_retry_after) */
    struct slice body, error; /* borrowed */
};

enum ship_fate {
    SHIP_ACK,    /* the collector has it */
    SHIP_RETRY,  /* not now; rows stay */
    SHIP_REFUSE, /* set the row that was refused alone aside */
};

struct ship_verdict {
    enum ship_fate fate;
    bool changed;     /* health is another than before: worth a log line */
    char reason[256]; /* for that line; a sentence of ours with the collector's words */
    uint64_t lost;    /* rows that the collector took and did not keep */
    char loss[160];   /* why, if lost */
};

/* What the last step sent: rows (0: a heartbeat), and whether a limit cut it short. */
struct ship_sent {
    size_t rows;
    bool more;
};

/*
 * Judge the answer to `sent` and plan the next. `random` is uniform over all 64-bit
 * values (full jitter). SHIP_REFUSE answers the heartbeat that was the probe: the row
 * meant is the one that was sent alone just before.
 */
struct ship_verdict ship_answered(struct ship *s, int64_t now_ms, uint64_t random,
                                  const struct ship_sent *sent,
                                  const struct ship_answer *a);

/* "unreachable", "unauthorised", … for health and logs. */
const char *ship_health_name(enum ship_health h);

/* The value of Retry-After, seconds or HTTP date (RFC 9110, 10.2.3), at most an hour. In
 * ms from now_s (Unix); -1 for anything else. */
int64_t ship_retry_after(struct slice value, int64_t now_s);

/* An answer of the collector (docs/architecture.md, Wire). */
struct ship_reply {
    bool has_rows;
    uint64_t rows, newer_kept, unknown_fields;
    uint64_t too_old, in_future, over_limit; /* taken from us, but not kept */
    uint64_t line; /* of the fault, from 1 = the header; 0: not said */
    char error[200];
};

/* False when it is not one JSON object with fields of the right type. */
bool ship_reply_parse(struct slice body, struct ship_reply *out);

struct ship_header {
    struct slice agent;
    uint64_t epoch, seq;
    int64_t now_ms; /* Unix */
    size_t rows;
    struct slice health; /* a JSON object, or empty */
};

/* The first line of a batch, '\n' included. */
void ship_header_line(const struct ship_header *h, struct buf *out);

#endif
