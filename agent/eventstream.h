/*
 * AWS event stream (application/vnd.amazon.eventstream; usage-formats 2.3): body pieces
 * -> messages with their type headers and payload pieces. Any split of the input,
 * constant memory. Fed by extract with the bodies of Bedrock streams.
 *
 * Refuses: a prelude whose CRC is wrong, lengths above EVENTSTREAM_MAX, headers that do
 * not add up. After that the framing is lost and the reader is dead. The CRC of a message
 * is known only at its end: `end` says whether what was handed out may be believed.
 */
#ifndef BREAKEVEN_EVENTSTREAM_H
#define BREAKEVEN_EVENTSTREAM_H

#include "common/slice.h"

enum {
    EVENTSTREAM_MAX = 25 * 1024 * 1024, /* AWS's own libraries refuse more than 24 MiB */
    EVENTSTREAM_HEADERS_MAX = 128 * 1024,
    EVENTSTREAM_TEXT = 64, /* longest type name that is kept */
};

struct eventstream_events {
    /* Headers are read: :message-type ("event", "exception", "error") and the event's or
       exception's type; empty if absent or too long. */
    void (*begin)(void *arg, struct slice message_type, struct slice event_type);
    void (*payload)(void *arg, struct slice piece);
    void (*end)(void *arg, bool intact);
};

struct eventstream {
    unsigned char state;
    bool dead;
    uint32_t crc;         /* over the message so far */
    uint32_t headers;     /* bytes of headers to come */
    uint32_t payload;     /* bytes of payload to come */
    uint32_t want;        /* bytes of the field at hand to come */
    unsigned char have;   /* bytes in `field` */
    unsigned char name_n; /* of the header at hand */
    unsigned char slot;   /* which text the value belongs to */
    unsigned char field[12];
    char name[24];
    unsigned char text_n[3];
    char text[3][EVENTSTREAM_TEXT]; /* message type, event type, dropped */
};

void eventstream_init(struct eventstream *e);

/* The next bytes. False once the framing is lost. */
bool eventstream_feed(struct eventstream *e, struct slice in,
                      const struct eventstream_events *on, void *arg);

/* True between messages: a body that ends elsewhere was cut. */
bool eventstream_idle(const struct eventstream *e);

#endif
