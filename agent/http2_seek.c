/* Headers are judged, payloads passed over: see http2_seek.h. */
#include "agent/http2_seek.h"

enum { LENGTH_MAX = 16384, ANY = LENGTH_MAX };
enum { HEADERS = 1, PUSH_PROMISE = 5, CONTINUATION = 9, END_HEADERS = 4 };
enum { ON_STREAM = 1, ON_CONNECTION = 2, ON_BOTH = 3, ON_ODD = 4 };

/* What a header can be, by type; on: streams (0 is the connection). */
static const struct {
    unsigned char flags, on;
    uint16_t least, most, step;
} grammar[] = {
    { 0x09, ON_ODD, 0, ANY, 1 },           /* DATA */
    { 0x2d, ON_ODD, 1, ANY, 1 },           /* HEADERS */
    { 0, ON_STREAM, 5, 5, 1 },             /* PRIORITY */
    { 0, ON_STREAM, 4, 4, 1 },             /* RST_STREAM */
    { 0x01, ON_CONNECTION, 0, 6 * 64, 6 }, /* SETTINGS */
    { 0x0c, ON_ODD, 5, ANY, 1 },           /* PUSH_PROMISE */
    { 0x01, ON_CONNECTION, 8, 8, 1 },      /* PING */
    { 0, ON_CONNECTION, 8, ANY, 1 },       /* GOAWAY */
    { 0, ON_BOTH, 4, 4, 1 },               /* WINDOW_UPDATE */
    { 0x04, ON_ODD, 0, ANY, 1 },           /* CONTINUATION */
};

static bool may_be(struct http2_seek *s)
{
    const unsigned char *p = s->head;
    uint32_t length = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
    uint32_t stream =
        (uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 | p[8];
    unsigned type = p[3];
    if (type >= sizeof grammar / sizeof *grammar || stream > INT32_MAX ||
        (s->highest && stream > s->highest))
        return false;
    unsigned on = grammar[type].on;
    bool fits = !stream ? on & ON_CONNECTION : on == ON_ODD ? stream & 1 : on & ON_STREAM;
    if (!fits || p[4] & ~grammar[type].flags || length < grammar[type].least ||
        length > grammar[type].most || length % grammar[type].step)
        return false;
    if (s->in_block ? type != CONTINUATION || stream != s->stream
                    : type == CONTINUATION && s->chain)
        return false;
    s->left = length;
    s->stream = stream;
    if (type == HEADERS || type == PUSH_PROMISE || type == CONTINUATION)
        s->in_block = !(p[4] & END_HEADERS);
    return true;
}

/* The client's first bytes, in one piece. */
static size_t preface(struct http2_seek *s, struct slice in)
{
    static const char text[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    struct slice all = SLICE(text);
    s->found = in.n >= all.n && slice_eq(slice_head(in, all.n), all);
    return s->found ? all.n : 0;
}

static void reset(struct http2_seek *s)
{
    *s = (struct http2_seek){ .highest = s->highest };
}

/* Every header in there, from its begin on, can be one; of the last its frame may end
 * there, too, or it is the second at least: zeros before a length look like one. */
static bool begins(struct slice in, uint32_t highest)
{
    struct http2_seek s = { .highest = highest };
    while (in.n >= HTTP2_FRAME_HEAD) {
        memcpy(s.head, in.p, HTTP2_FRAME_HEAD);
        if (!may_be(&s) || (!s.chain && s.head[3] == CONTINUATION))
            return false;
        in = slice_from(in, HTTP2_FRAME_HEAD);
        s.chain++;
        if (s.left > in.n)
            return s.chain > 1;
        in = slice_from(in, s.left);
    }
    return s.chain > 0;
}

size_t http2_seek(struct http2_seek *s, struct slice in)
{
    unsigned least = s->highest ? HTTP2_SEEK_CHAIN - 1 : HTTP2_SEEK_CHAIN;
    size_t at = 0;
    if (!s->following) {
        reset(s);
        if (s->highest)
            s->found = begins(in, s->highest);
        else
            at = preface(s, in);
        s->following = !s->found;
    }
    while (!s->found && at < in.n) {
        if (s->left) {
            size_t n = s->left < in.n - at ? s->left : in.n - at;
            s->left -= (uint32_t)n;
            at += n;
        } else {
            s->head[s->have++] = (unsigned char)in.p[at++];
        }
        if (s->have == HTTP2_FRAME_HEAD) {
            s->have = 0;
            if (!may_be(s)) {
                reset(s);
                return in.n;
            }
            s->chain++;
        }
        s->found = s->chain >= least && !s->left && !s->have && !s->in_block;
    }
    return at;
}

void http2_seek_gap(struct http2_seek *s, uint64_t bytes)
{
    if (bytes && bytes < s->left)
        s->left -= (uint32_t)bytes;
    else if (!s->found)
        reset(s);
}
