/* A state per field of the frame; multi-byte integers are collected in e->field. */
#include "agent/eventstream.h"

#include <zlib.h>

enum { PRELUDE, NAME_LENGTH, NAME, TYPE, LENGTH, VALUE, PAYLOAD, CRC };
enum { MESSAGE_TYPE, EVENT_TYPE, DROPPED };
enum { OVERHEAD = 16 }; /* prelude and both CRCs */

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void start(struct eventstream *e)
{
    e->state = PRELUDE;
    e->want = 12;
    e->have = 0;
    e->crc = (uint32_t)crc32(0, NULL, 0);
    memset(e->text_n, 0, sizeof e->text_n);
}

void eventstream_init(struct eventstream *e)
{
    memset(e, 0, sizeof *e);
    start(e);
}

bool eventstream_idle(const struct eventstream *e)
{
    return !e->dead && e->state == PRELUDE && e->have == 0;
}

static void await(struct eventstream *e, unsigned char state, uint32_t want)
{
    e->state = state;
    e->want = want;
    e->have = 0;
}

/* The headers are over when their bytes are. */
static bool next_header(struct eventstream *e, const struct eventstream_events *on,
                        void *arg)
{
    if (e->headers) {
        await(e, NAME_LENGTH, 1);
        return true;
    }
    on->begin(arg, slice_of(e->text[MESSAGE_TYPE], e->text_n[MESSAGE_TYPE]),
              slice_of(e->text[EVENT_TYPE], e->text_n[EVENT_TYPE]));
    if (e->payload)
        await(e, PAYLOAD, e->payload);
    else
        await(e, CRC, 4);
    return true;
}

static bool prelude(struct eventstream *e, const struct eventstream_events *on, void *arg)
{
    uint32_t total = be32(e->field), headers = be32(e->field + 4);
    if ((uint32_t)crc32(crc32(0, NULL, 0), e->field, 8) != be32(e->field + 8) ||
        total > EVENTSTREAM_MAX || headers > EVENTSTREAM_HEADERS_MAX ||
        total < OVERHEAD || headers > total - OVERHEAD)
        return false;
    e->headers = headers;
    e->payload = total - headers - OVERHEAD;
    return next_header(e, on, arg);
}

static unsigned char slot_of(struct slice name)
{
    if (slice_eq(name, SLICE(":message-type")))
        return MESSAGE_TYPE;
    if (slice_eq(name, SLICE(":event-type")) || slice_eq(name, SLICE(":exception-type")))
        return EVENT_TYPE;
    return DROPPED;
}

/* Bytes of a value by its type; 0xff: a 16-bit length stands before it. */
static const unsigned char value_bytes[] = { 0, 0, 1, 2, 4, 8, 0xff, 0xff, 8, 16 };

static bool value_type(struct eventstream *e, const struct eventstream_events *on,
                       void *arg)
{
    unsigned char type = e->field[0];
    if (type >= sizeof value_bytes)
        return false;
    e->slot = type == 7 ? slot_of(slice_of(e->name, e->name_n)) : DROPPED;
    if (value_bytes[type] == 0xff)
        await(e, LENGTH, 2);
    else if (value_bytes[type])
        await(e, VALUE, value_bytes[type]);
    else
        return next_header(e, on, arg);
    return true;
}

/* The field at hand is complete. */
static bool advance(struct eventstream *e, const struct eventstream_events *on, void *arg)
{
    switch (e->state) {
    case PRELUDE:
        return prelude(e, on, arg);
    case NAME_LENGTH:
        e->name_n = 0;
        if (!e->field[0])
            return false;
        await(e, NAME, e->field[0]);
        return true;
    case NAME:
        await(e, TYPE, 1);
        return true;
    case TYPE:
        return value_type(e, on, arg);
    case LENGTH:
        e->text_n[e->slot] = 0;
        if (e->field[0] || e->field[1])
            await(e, VALUE, (uint32_t)e->field[0] << 8 | e->field[1]);
        else
            return next_header(e, on, arg);
        return true;
    case VALUE:
        return next_header(e, on, arg);
    case PAYLOAD:
        await(e, CRC, 4);
        return true;
    default:
        on->end(arg, e->crc == be32(e->field));
        start(e);
        return true;
    }
}

static void text(struct eventstream *e, struct slice piece)
{
    unsigned char *n = &e->text_n[e->slot];
    size_t room = (size_t)EVENTSTREAM_TEXT - *n;
    size_t take = piece.n < room ? piece.n : room;
    memcpy(e->text[e->slot] + *n, piece.p, take);
    *n = (unsigned char)(*n + take);
}

static void take(struct eventstream *e, struct slice piece,
                 const struct eventstream_events *on, void *arg)
{
    if (e->state != CRC)
        e->crc = (uint32_t)crc32(e->crc, (const unsigned char *)piece.p, (uInt)piece.n);
    if (e->state == PAYLOAD) {
        on->payload(arg, piece);
    } else if (e->state == VALUE) {
        text(e, piece);
    } else if (e->state == NAME) {
        size_t room = sizeof e->name - e->name_n;
        size_t n = piece.n < room ? piece.n : room;
        memcpy(e->name + e->name_n, piece.p, n);
        e->name_n = (unsigned char)(e->name_n + n);
    } else {
        memcpy(e->field + e->have, piece.p, piece.n);
        e->have = (unsigned char)(e->have + piece.n);
    }
}

bool eventstream_feed(struct eventstream *e, struct slice in,
                      const struct eventstream_events *on, void *arg)
{
    while (in.n && !e->dead) {
        struct slice piece = slice_head(in, e->want);
        bool header = e->state >= NAME_LENGTH && e->state <= VALUE;
        if (header && piece.n > e->headers) {
            e->dead = true;
            break;
        }
        if (header)
            e->headers -= (uint32_t)piece.n;
        take(e, piece, on, arg);
        e->want -= (uint32_t)piece.n;
        in = slice_from(in, piece.n);
        if (!e->want && !advance(e, on, arg))
            e->dead = true;
    }
    return !e->dead;
}
