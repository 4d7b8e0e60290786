/*
 * One direction of a WebSocket: bytes cut anywhere -> the payloads of its messages,
 * unmasked and inflated (RFC 6455, 5; permessage-deflate, RFC 7692). Fragments are joined
 * by being handed on as they come, control frames between them are passed over, nothing
 * of a message is held. Fed by http_socket, which knows what the handshake agreed on.
 *
 * Refuses: frames outside the grammar (reserved bits and opcodes, a client that does not
 * mask, a server that does, control frames that are long or cut), messages that inflate
 * beyond the limits. After a loss of position it seeks the next frame that begins a JSON
 * text and is not compressed; where messages are inflated with the window of those
 * before, none after a loss can be read, and each is reported as such.
 */
#ifndef BREAKEVEN_WEBSOCKET_H
#define BREAKEVEN_WEBSOCKET_H

#include "agent/decode.h"

enum {
    WEBSOCKET_HEAD = 14, /* the longest head of a frame */
    WEBSOCKET_PEEK = 2,  /* of its payload: {" */
};

struct websocket_events {
    /* The next bytes of the message at hand; the slice lives during the call. */
    void (*data)(void *arg, struct slice piece);
    /* It is over. Not intact: bytes of it are missing, perhaps all. */
    void (*end)(void *arg, bool intact);
};

/* What the handshake agreed on, for one direction. */
struct websocket_options {
    bool masked;                 /* sent by the client */
    bool deflate;                /* permessage-deflate */
    bool no_takeover;            /* each message is compressed on its own */
    struct decode_limits limits; /* of one message, inflated */
};

struct websocket {
    struct websocket_options options;
    unsigned char head[WEBSOCKET_HEAD + WEBSOCKET_PEEK];
    unsigned char have, opcode, mask[4], mask_at;
    uint64_t left; /* of the payload at hand */
    bool payload;  /* it is being read */
    bool fin, control;
    bool message;    /* one has begun and not ended */
    bool compressed; /* that one */
    bool tainted;    /* bytes of it are lost */
    bool seeking, dead, closed;
    bool window_lost;     /* what later messages refer to is not known */
    uint64_t in, out;     /* bytes of the message at hand, as sent and inflated */
    struct z_stream_s *z; /* made with the first compressed message */
    const char *why;      /* it is dead: a constant sentence */
    bool bomb;            /* it is dead since a message grew beyond the limits */
};

void websocket_init(struct websocket *w, const struct websocket_options *o);
void websocket_release(struct websocket *w);

/* The next in-order bytes. False: dead, w->why says why; nothing more is read. */
bool websocket_feed(struct websocket *w, struct slice in,
                    const struct websocket_events *on, void *arg);

/*
 * `bytes` are lost (0: unknown). True: inside of a payload, which goes on behind them.
 * False: the position is lost; the message at hand is ended, the next one is sought.
 */
bool websocket_gap(struct websocket *w, uint64_t bytes, const struct websocket_events *on,
                   void *arg);

/*
 * Read the value of Sec-WebSocket-Extensions that the server answered with: sets deflate
 * and no_takeover of both directions. False: an extension that we do not know is in use.
 */
bool websocket_extensions(struct slice value, struct websocket_options *up,
                          struct websocket_options *down);

#endif
