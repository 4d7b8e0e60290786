/* Lines of one file to judged calls: see logline.h. */
#include "agent/logline_private.h"

#include <stdlib.h>

static const struct {
    const char *name, *help;
} formats[LOGFORMAT_N] = {
#define LOGFORMAT(id, name, help) [LOGFORMAT_##id] = { name, help },
#include "agent/logformat.def"
};

const char *logformat_name(enum logformat f)
{
    return (unsigned)f < LOGFORMAT_N ? formats[f].name : "";
}

const char *logformat_help(enum logformat f)
{
    return (unsigned)f < LOGFORMAT_N ? formats[f].help : "";
}

bool logformat_parse(struct slice name, enum logformat *out)
{
    for (unsigned f = 0; f < LOGFORMAT_N; f++) {
        if (slice_eq(name, slice_str(formats[f].name))) {
            *out = (enum logformat)f;
            return true;
        }
    }
    return false;
}

static struct slice keep(char *to, struct slice s)
{
    s = slice_head(s, LOGLINE_NAME);
    if (s.n)
        memcpy(to, s.p, s.n);
    return slice_of(to, s.n);
}

struct logline *logline_new(struct extract *x, const struct logline_options *opt)
{
    struct logline *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->x = x;
    needle_init(&l->needle);
    l->configured = opt->format;
    logline_set_format(l, opt->format);
    l->rule = opt->rule;
    if (l->rule)
        l->format = logrule_format(l->rule);
    l->provider_s = keep(l->provider, opt->provider);
    l->app_s = keep(l->app, opt->app);
    l->environment_s = keep(l->environment, opt->environment);
    l->mtime_ns = opt->mtime_ns;
    l->last_ns = USAGE_NO_TIME;
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++)
        l->stream[i].text.limit = LOGLINE_JOIN;
    return l;
}

void logline_free(struct logline *l)
{
    if (!l)
        return;
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++)
        buf_release(&l->stream[i].text), buf_release(&l->stream[i].join.text);
    buf_release(&l->scratch);
    buf_release(&l->row);
    buf_release(&l->plain);
    buf_release(&l->inner);
    free(l);
}

/* --- feeding --------------------------------------------------------------------------
 */

static bool feed(struct logline *l, struct slice line, uint64_t offset, uint64_t number,
                 bool squeezed, usage_fn *emit, void *arg)
{
    struct logline_judging j = { l, USAGE_NO_TIME, emit, arg, { NULL, 0 } };
    struct unwrapped u;
    l->stats.lines++;
    if (!offset)
        line = logline_unmarked(line);
    bool wrapped = l->wrap == LOGFORMAT_docker ? unwrap_docker(line, &u)
                   : l->wrap == LOGFORMAT_cri  ? unwrap_cri(line, &u)
                   : l->wrap == LOGFORMAT_journal && line.n && line.p[0] == '{'
                       ? journal_json(line, &l->scratch, &u)
                       : false;
    if (wrapped) {
        logline_piece(&j, &u, offset, number);
        return false;
    }
    if (l->wrap == LOGFORMAT_journal) {
        logline_journal(&j, line, offset, number);
        return false;
    }
    l->offset = offset;
    l->number = number;
    if (l->wrap == LOGFORMAT_csv)
        logline_row(&j, line, offset);
    else if (logline_joins(&l->stream[0], line))
        logline_line(&j, &l->stream[0], line, squeezed);
    else if (l->wrap == LOGFORMAT_auto || logline_wants(l, line))
        logline_judge(&j, line, squeezed);
    return l->stream[0].join.at.depth;
}

bool logline_feed(struct logline *l, struct slice line, uint64_t offset, uint64_t number,
                  usage_fn *emit, void *arg)
{
    return feed(l, line, offset, number, false, emit, arg);
}

bool logline_feed_line(struct logline *l, const struct line *line, usage_fn *emit,
                       void *arg)
{
    return feed(l, line->text, line->offset, line->number, line->squeezed, emit, arg);
}

void logline_finish(struct logline *l, usage_fn *emit, void *arg)
{
    struct logline_judging j = { l, USAGE_NO_TIME, emit, arg, { NULL, 0 } };
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++) {
        if (l->stream[i].waiting) {
            l->stats.torn += l->wrap != LOGFORMAT_journal;
            logline_end(&j, &l->stream[i]);
        }
        if (l->stream[i].join.at.depth)
            logline_broken(&j, &l->stream[i]);
    }
}

uint64_t logline_record_offset(const struct logline *l)
{
    return l->offset;
}

uint64_t logline_record_number(const struct logline *l)
{
    return l->number;
}

enum logformat logline_format(const struct logline *l)
{
    return l->format != LOGFORMAT_auto ? l->format : l->wrap;
}

const struct logline_stats *logline_stats(const struct logline *l)
{
    return &l->stats;
}
