/* One reading of a request's head, or none: see framing.h. */
#include "collector/framing.h"

static bool has_control(struct slice s, bool tab)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && !(tab && c == '\t')) || c == 0x7f)
            return true;
    }
    return false;
}

static bool is_token(struct slice s)
{
    static const char extra[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && (c == '\0' || !strchr(extra, c)))
            return false;
    }
    return s.n > 0;
}

void framing_field(struct framing *f, struct slice name, struct slice value)
{
    if (!is_token(name) || has_control(value, true))
        f->bad_bytes = true;
    if (slice_ieq(name, SLICE("Host"))) {
        f->hosts++;
        f->host = value;
    } else if (slice_ieq(name, SLICE("Content-Length"))) {
        f->lengths++;
        f->bad_length = f->bad_length || !slice_u64(value, &f->length);
    } else if (slice_ieq(name, SLICE("Transfer-Encoding"))) {
        f->encodings++;
        f->bad_encoding = f->bad_encoding || !slice_ieq(value, SLICE("chunked"));
    } else if (slice_ieq(name, SLICE("Expect"))) {
        f->expects = true;
    }
}

const char *framing_verdict(const struct framing *f, struct slice target)
{
    if (f->bad_bytes)
        return "control bytes or blanks in a header field";
    if (has_control(target, false))
        return "control bytes in the request target";
    if (f->hosts != 1)
        return "a request has exactly one Host";
    if (f->lengths > 1 || f->bad_length)
        return "more than one Content-Length, or not a number";
    if (f->encodings > 1 || f->bad_encoding)
        return "only one Transfer-Encoding, and only chunked";
    if (f->lengths && f->encodings)
        return "Content-Length and Transfer-Encoding exclude each other";
    return NULL;
}

bool framing_local_host(struct slice host)
{
    struct slice name = host, port;
    uint64_t n;
    if (host.n && host.p[0] == '[') {
        if (!slice_starts(host, SLICE("[::1]")))
            return false;
        port = slice_from(host, 5);
        return port.n == 0 || (port.p[0] == ':' && slice_u64(slice_from(port, 1), &n));
    }
    if (slice_cut(host, ':', &name, &port) && !slice_u64(port, &n))
        return false;
    if (slice_ieq(name, SLICE("localhost")))
        return true;
    if (!slice_starts(name, SLICE("127.")))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] != '.' && (name.p[i] < '0' || name.p[i] > '9'))
            return false;
    return true;
}

bool framing_same_origin(struct slice origin, struct slice host)
{
    size_t at = slice_find(origin, SLICE("://"));
    if (!origin.n)
        return true;
    return at != SIZE_MAX && slice_ieq(slice_from(origin, at + 3), host);
}
