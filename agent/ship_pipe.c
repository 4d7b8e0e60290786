/* What ship_http and breakeven-ship say to each other: see ship_pipe.h. Pure. */
#include "agent/ship_pipe.h"

static const struct slice first_line = { "breakeven-ship 1", 16 };

void ship_pipe_begin(struct buf *b)
{
    buf_add(b, first_line);
    buf_addc(b, '\n');
}

bool ship_pipe_field(struct buf *b, const char *name, struct slice value)
{
    for (size_t i = 0; i < value.n; i++) {
        if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f)
            return false;
    }
    if (value.n) {
        buf_adds(b, name);
        buf_addc(b, ' ');
        buf_add(b, value);
        buf_addc(b, '\n');
    }
    return true;
}

void ship_pipe_end(struct buf *b, size_t body_bytes)
{
    buf_adds(b, "body ");
    buf_addu(b, body_bytes);
    buf_adds(b, "\n\n");
}

bool ship_pipe_read(struct slice message, ship_pipe_fn *field, void *arg,
                    struct slice *body)
{
    struct slice line, name, value;
    uint64_t n;
    if (!slice_cut(message, '\n', &line, &message) || !slice_eq(line, first_line))
        return false;
    while (slice_cut(message, '\n', &line, &message)) {
        slice_cut(line, ' ', &name, &value);
        if (!slice_eq(name, SLICE("body"))) {
            field(arg, name, value);
            continue;
        }
        if (!slice_u64(value, &n) || !slice_cut(message, '\n', &line, &message) || line.n)
            return false;
        *body = message;
        return message.n == n;
    }
    return false;
}
