/* Decisions of the tail: see tailstate.h. */
#include "agent/tailstate.h"

struct tail_print tail_print_of(struct slice bytes)
{
    return (struct tail_print){ (uint32_t)bytes.n, bytes.n ? slice_hash(bytes, 0) : 0 };
}

bool tail_print_agrees(struct tail_print p, struct slice bytes)
{
    return p.n == 0 ||
           (bytes.n >= p.n && slice_hash(slice_head(bytes, p.n), 0) == p.hash);
}

/* The bytes that were read are still there. */
static bool intact(const struct tail_mark *m, const struct tail_look *look)
{
    return look->size >= m->read && tail_print_agrees(m->head, look->head) &&
           tail_print_agrees(m->seam, look->seam);
}

enum tail_verdict tail_judge(const struct tail_mark *m, const struct tail_look *look)
{
    if (m->dev != look->dev || m->ino != look->ino)
        return TAIL_OTHER;
    if (!intact(m, look))
        return TAIL_TRUNCATED;
    return look->size == m->read ? TAIL_SAME : TAIL_GROWN;
}

bool tail_same_content(const struct tail_mark *m, const struct tail_look *look)
{
    return m->read > 0 && m->head.n > 0 && intact(m, look);
}

void tail_grow_head(struct tail_mark *m, struct slice head)
{
    if (m->head.n < TAIL_HEAD_MAX && head.n > m->head.n)
        m->head = tail_print_of(slice_head(head, TAIL_HEAD_MAX));
}

bool tail_telling(struct slice start)
{
    struct slice first, rest;
    if (!slice_cut(start, '\n', &first, &rest))
        return true;
    rest = slice_head(rest, first.n);
    return !slice_eq(first, rest);
}

/*
 * A copy of a file that stands (cp before a truncation, a backup) is the original's
 * shadow. Content that repeats itself proves little: after the grace period such a file
 * is a new one, and a file that is gone vouches only for a gz.
 */
enum tail_copy tail_copy_of(const struct tail_mark *m, bool gz, bool waited)
{
    switch (m->fate) {
    case TAIL_HERE:
        return !m->telling && waited ? TAIL_NEW : TAIL_WAIT;
    case TAIL_CUT:
        return TAIL_TAKEN;
    case TAIL_GONE:
        return m->telling || gz ? TAIL_TAKEN : TAIL_NEW;
    }
    return TAIL_NEW;
}

/* --- codec: version byte, then decimal numbers with blanks, '\n', logline state --- */

enum { STATE_NUMBERS = 16 };

void tail_state_encode(const struct tail_state *s, struct buf *out)
{
    const struct tail_mark *m = &s->mark;
    const uint64_t number[STATE_NUMBERS] = {
        m->dev,
        m->ino,
        m->head.n,
        m->head.hash,
        m->seam.n,
        m->seam.hash,
        m->read,
        (uint64_t)m->fate,
        m->telling,
        s->number,
        (uint64_t)s->left_s,
        s->gz_size,
        (uint64_t)s->gz_mtime_ns,
        s->gz,
        s->done,
        s->rotated,
    };
    buf_addc(out, '1');
    for (size_t i = 0; i < STATE_NUMBERS; i++) {
        buf_addc(out, ' ');
        buf_addu(out, number[i]);
    }
    buf_addc(out, '\n');
    buf_add(out, s->logline);
}

enum status tail_state_decode(struct slice bytes, struct tail_state *out)
{
    struct slice line, word;
    uint64_t v[STATE_NUMBERS];
    if (!slice_cut(bytes, '\n', &line, &bytes))
        return ST_BAD;
    slice_cut(line, ' ', &word, &line);
    if (!slice_eq(word, SLICE("1")))
        return ST_BAD;
    for (size_t i = 0; i < STATE_NUMBERS; i++) {
        slice_cut(line, ' ', &word, &line);
        if (!slice_u64(word, &v[i]))
            return ST_BAD;
    }
    if (line.n > 0 || v[2] > TAIL_HEAD_MAX || v[4] > TAIL_SEAM_MAX || v[4] > v[6] ||
        v[7] > TAIL_GONE || v[8] > 1 || v[13] > 1 || v[14] > 1 || v[15] > 1)
        return ST_BAD;
    *out = (struct tail_state){
        .mark = { .dev = v[0],
                  .ino = v[1],
                  .head = { (uint32_t)v[2], v[3] },
                  .seam = { (uint32_t)v[4], v[5] },
                  .read = v[6],
                  .fate = (enum tail_fate)v[7],
                  .telling = v[8] },
        .number = v[9],
        .left_s = (int64_t)v[10],
        .gz_size = v[11],
        .gz_mtime_ns = (int64_t)v[12],
        .gz = v[13],
        .done = v[14],
        .rotated = v[15],
        .logline = bytes,
    };
    return ST_OK;
}
