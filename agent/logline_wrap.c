/* Lines out of their wrapping: see logline.h and logline_private.h. */
#include "agent/logline_private.h"

#include "common/json.h"

static void add_piece(struct logline_stream *s, const struct unwrapped *u)
{
    if (s->overflow)
        return;
    if (u->escaped)
        json_unescape(u->text, &s->text);
    else
        buf_add(&s->text, u->text);
    if (s->text.st != ST_OK) {
        s->overflow = true;
        buf_release(&s->text);
        s->text.limit = LOGLINE_JOIN;
    }
}

void logline_end(struct logline_judging *j, struct logline_stream *s)
{
    struct logline *l = j->l;
    j->line_ns = s->ts_ns;
    l->offset = s->offset;
    l->number = s->number;
    if (s->overflow)
        l->stats.too_long++;
    else if (logline_joins(s, buf_slice(&s->text)))
        logline_line(j, s, buf_slice(&s->text), false);
    else if (logline_wants(l, buf_slice(&s->text)))
        logline_judge(j, buf_slice(&s->text), false);
    s->waiting = s->overflow = false;
    if (s->text.cap > LOGLINE_JOIN / 8)
        buf_release(&s->text); /* a rare long line does not keep its memory */
    buf_reset(&s->text);
    s->text.limit = LOGLINE_JOIN;
}

void logline_piece(struct logline_judging *j, const struct unwrapped *u, uint64_t offset,
                   uint64_t number)
{
    struct logline *l = j->l;
    struct logline_stream *s = &l->stream[u->stream];
    if (offset < s->done)
        return; /* read again for the other stream's sake */
    s->ts_ns = u->ts_ns;
    if (!s->waiting) {
        s->offset = offset;
        s->number = number;
    }
    if (u->partial) {
        s->waiting = true;
        add_piece(s, u);
        return;
    }
    s->done = offset + 1;
    if (s->waiting || logline_joins(s, u->text) || logline_wants(l, u->text)) {
        add_piece(s, u);
        logline_end(j, s);
    } else if (u->ts_ns != USAGE_NO_TIME) {
        l->last_ns = u->ts_ns;
    }
}

void logline_broken(struct logline_judging *j, struct logline_stream *s)
{
    struct logline *l = j->l;
    struct slice line, rest = buf_slice(&s->join.text);
    l->offset = s->join_offset;
    l->number = s->join_number;
    for (s->join.at.depth = 0; rest.n; l->number++) {
        slice_cut(rest, '\n', &line, &rest);
        if (logline_wants(l, line))
            logline_judge(j, line, false);
    }
    logjoin_reset(&s->join);
}

/* All lines of the record are there. */
static void whole(struct logline_judging *j, struct logline_stream *s)
{
    struct logline *l = j->l;
    l->offset = s->join_offset;
    l->number = s->join_number;
    struct slice text = logjoin_text(&s->join);
    if (!s->join.over && logline_wants(l, text))
        logline_judge(j, text, false);
    logjoin_reset(&s->join);
}

void logline_line(struct logline_judging *j, struct logline_stream *s, struct slice text,
                  bool squeezed)
{
    struct logline *l = j->l;
    uint64_t offset = l->offset, number = l->number;
    if (s->join.at.depth) {
        bool over = s->join.over;
        enum logjoin_step step = logjoin_add(&s->join, text, &text);
        l->stats.too_long += s->join.over && !over;
        switch (step) {
        case LOGJOIN_MORE:
            return;
        case LOGJOIN_WHOLE:
            whole(j, s);
            break;
        case LOGJOIN_BROKEN:
            logline_broken(j, s);
        }
        l->offset = offset;
        l->number = number;
    }
    if (!l->rule && logjoin_may_begin(text) && logjoin_begin(&s->join, text)) {
        s->join_offset = offset;
        s->join_number = number;
    } else if (logline_wants(l, text)) {
        logline_judge(j, text, squeezed);
    }
}

/* A line of `journalctl -o export`: an entry is judged when the next one begins. */
void logline_journal(struct logline_judging *j, struct slice line, uint64_t offset,
                     uint64_t number)
{
    struct logline *l = j->l;
    struct logline_stream *s = &l->stream[0];
    if (journal_begins(line)) {
        if (s->waiting && !l->journal.partial)
            logline_end(j, s);
        if (!s->waiting) {
            s->offset = offset;
            s->number = number;
        }
        s->waiting = true;
    }
    if (!s->waiting)
        return; /* behind the beginning of its entry */
    journal_line(&l->journal, line, offset, &s->text);
    s->ts_ns = l->journal.ts_ns;
    if (s->text.st != ST_OK) {
        s->overflow = true;
        buf_release(&s->text);
        s->text.limit = LOGLINE_JOIN;
    }
}

/* A row of a table: its names stand on the first line of the file. */
void logline_row(struct logline_judging *j, struct slice line, uint64_t offset)
{
    struct logline *l = j->l;
    line = slice_trim(line);
    if (!offset) {
        l->head_n = line.n <= LOGCSV_HEAD ? logline_keep_head(l, line) : 0;
        return;
    }
    const char *why = l->head_n ? logcsv_row(slice_of(l->head, l->head_n), line, &l->row)
                                : "the names of the columns are not known";
    if (why)
        l->stats.not_json += line.n > 0;
    else
        logline_judge(j, buf_slice(&l->row), false);
}
