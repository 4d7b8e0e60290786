/*
 * One direction of an HTTP/1.x connection: bytes cut anywhere -> message heads and body
 * pieces without their framing (RFC 9112). Keep-alive and pipelining are one message
 * after another. Fed by http, which pairs requests with responses.
 *
 * Refuses: heads over the limit, framing that two readers could take differently (two
 * lengths, spaces before a colon, a request whose last transfer coding is not chunked).
 * After a refusal or a loss it seeks the next message: a line that is a request or status
 * line to the letter, which text inside JSON cannot be.
 */
#ifndef BREAKEVEN_HTTP1_H
#define BREAKEVEN_HTTP1_H

#include "agent/extract.h"

enum { HTTP1_FIELDS = 200 };

struct http1_head {
    uint16_t status; /* 0: a request */
    struct slice method, target;
    const struct extract_header *field;
    size_t fields;
};

/* The value of the first field of that name; false if there is none. */
bool http1_head_get(const struct http1_head *h, struct slice name, struct slice *value);

/* Is `token` one of the comma-separated elements of `list`? Parameters are ignored. */
bool http1_list_has(struct slice list, struct slice token);

struct http1_events {
    /* A head is complete; slices live during the call. False: no body follows whatever it
     * says (a response to HEAD). */
    bool (*head)(void *arg, const struct http1_head *h);
    void (*body)(void *arg, struct slice piece);
};

enum http1_end {
    HTTP1_MORE, /* all consumed, the message is unfinished, or none has begun */
    HTTP1_DONE, /* a message ends at the returned offset; feed the rest again */
    HTTP1_BAD,  /* outside the grammar or over a limit, h->why says which; the message at
                 * hand is lost, feed the rest again: the next one is sought */
};

struct http1 {
    unsigned char state, blank, digits;
    bool response;
    uint64_t left;       /* of the body or chunk */
    size_t overhead;     /* bytes of trailer or chunk extension so far */
    size_t header_bytes; /* limit */
    struct buf text;     /* head, or line of a search, that is cut between pieces */
    const char *why;
};

void http1_init(struct http1 *h, bool response, size_t header_bytes);
void http1_release(struct http1 *h);

/*
 * The next in-order bytes, any number. Returns bytes consumed and sets *end. Allocates
 * only for heads that are cut.
 */
size_t http1_feed(struct http1 *h, struct slice in, const struct http1_events *on,
                  void *arg, enum http1_end *end);

/*
 * `bytes` are lost (0: unknown). MORE: the message at hand goes on behind them; DONE: it
 * ended in them; BAD: position lost, the next message is sought.
 */
enum http1_end http1_gap(struct http1 *h, uint64_t bytes);

/* The direction is over. MORE: between messages; DONE: this was the end of the message at
 * hand; BAD: that one is cut. */
enum http1_end http1_close(const struct http1 *h);

/* Give the message at hand up: seek the next one. */
void http1_seek(struct http1 *h);

/* A message has begun and not ended, or one is sought. */
bool http1_inside(const struct http1 *h);
bool http1_seeking(const struct http1 *h);

#endif
