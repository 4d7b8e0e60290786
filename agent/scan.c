/* The scan command: see scan.h. */
#include "agent/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/file_set.h"
#include "agent/lighten.h"
#include "agent/logrule.h"
#include "agent/scan_capture.h"
#include "agent/scan_options.h"
#include "agent/scan_out.h"
#include "agent/unpack.h"
#include "common/arena.h"
#include "common/instant.h"

enum {
    WINDOW_SESSIONS = 1 << 20, /* with session files: forks repeat calls far apart */
    PROBLEMS = 200,            /* most that are listed one by one */
    NAMES = 4 << 20,           /* bytes of paths in the problem list */
    OUT = 64 << 10,
};

struct scan {
    const struct scan_options *opt;
    struct extract *x;
    struct lines *lines;
    struct dedup *dedup;
    struct price_book *book;
    struct tally *tally;
    struct logline *logline; /* of the file in hand */
    struct scan_capture *capture;
    const struct http_origin *origin; /* of the call in hand, when captured */
    const char *path;
    struct buf out;
    bool out_failed;
    struct scan_report report;
    struct logrule *rule;
    struct arena names;
    struct scan_problem problems[PROBLEMS];
    size_t n_problems;
    struct file_set seen;
    int64_t shown_ms; /* when progress was written last; 0: not yet */
    int64_t started_ms;
    uint64_t total_bytes, done_bytes; /* as stored, for progress */
};

/* --- output ---------------------------------------------------------------------------
 */

static void flush(struct scan *s)
{
    const char *p = s->out.p;
    for (size_t left = s->out.n; left && !s->out_failed;) {
        ssize_t n = write(STDOUT_FILENO, p, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fprintf(stderr, "breakeven-agent scan: cannot write: %s\n", strerror(errno));
            s->out_failed = true;
            break;
        }
        p += n;
        left -= (size_t)n;
    }
    buf_reset(&s->out);
}

static void problem(struct scan *s, const char *why)
{
    if (s->n_problems == PROBLEMS)
        return;
    struct slice path = arena_dup(&s->names, slice_str(s->path));
    struct slice reason = arena_dup(&s->names, slice_str(why));
    if (path.p && reason.p)
        s->problems[s->n_problems++] = (struct scan_problem){ path.p, reason.p };
}

static void unreadable(struct scan *s, const char *why)
{
    s->report.unreadable++;
    problem(s, why);
    if (s->opt->output != SCAN_TABLE)
        fprintf(stderr, "breakeven-agent scan: %s: %s\n", s->path, why);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void progress(struct scan *s, uint64_t in_file)
{
    int64_t now = s->opt->progress ? now_ms() : 0;
    if (!s->opt->progress || now - s->started_ms < 1000 || now - s->shown_ms < 250)
        return;
    uint64_t done = s->done_bytes + in_file;
    fprintf(stderr, "\r\033[K");
    if (s->total_bytes >= done && s->total_bytes)
        fprintf(stderr, "%3.0f %%  ", 100.0 * (double)done / (double)s->total_bytes);
    fprintf(stderr, "%.1f MB, %llu records, file %llu", (double)done / 1e6,
            (unsigned long long)s->report.log.records +
                (s->logline ? (unsigned long long)logline_stats(s->logline)->records : 0),
            (unsigned long long)s->report.files + 1);
    s->shown_ms = now;
}

static void progress_end(struct scan *s)
{
    if (s->shown_ms)
        fprintf(stderr, "\r\033[K");
}

/* --- one record -----------------------------------------------------------------------
 */

static void print_call(struct scan *s, const struct usage *u, enum dedup_verdict verdict)
{
    bool priceable = u->accounting == ACCOUNTING_CALL && u->have != 0;
    struct price_cost cost = { .priced = false };
    if (priceable)
        cost = tally_cost(s->tally, u);
    struct scan_call call = { .u = u,
                              .verdict = verdict,
                              .cost = priceable ? &cost : NULL,
                              .origin = s->origin,
                              .file = slice_str(s->path),
                              .line = logline_record_number(s->logline) };
    scan_out_call(&call, &s->out);
    if (s->out.n >= OUT)
        flush(s);
}

/* Calls of a batch have no line of their own: the one that delivered them sums them up.
 */
static void deliver(struct usage *sum, const struct usage *u, enum dedup_verdict verdict)
{
    if (verdict == DEDUP_AGAIN || !sum)
        return;
    sum->agg_n += u->agg_n;
    for (unsigned f = 0; f < USAGE_N; f++)
        if (usage_has(u, f))
            usage_set(sum, f, sum->v[f] + u->v[f]);
}

static void on_record(void *arg, struct usage *u)
{
    struct scan *s = arg;
    bool calls = s->opt->output == SCAN_CALLS;
    if (u->ts_ns != USAGE_NO_TIME &&
        (u->ts_ns < s->opt->from_ns || u->ts_ns >= s->opt->to_ns)) {
        s->report.outside++;
        return;
    }
    if (u->accounting == ACCOUNTING_NONE) {
        if (calls && s->opt->all)
            print_call(s, u, DEDUP_NEW);
        return;
    }
    enum dedup_verdict verdict = s->dedup ? dedup_judge(s->dedup, u) : DEDUP_NEW;
    if (verdict == DEDUP_NEW)
        s->report.accountings[u->accounting]++;
    if (u->accounting == ACCOUNTING_CALL && verdict != DEDUP_AGAIN && !calls &&
        tally_add(s->tally, u) != ST_OK)
        s->report.lost++;
    if (s->origin && s->origin->part)
        deliver(s->origin->delivered, u, verdict);
    else if (calls)
        print_call(s, u, verdict);
}

static void on_captured(void *arg, struct usage *u, const struct http_origin *o)
{
    struct scan *s = arg;
    s->report.log.records += u->accounting != ACCOUNTING_NONE && !o->part;
    s->origin = o;
    on_record(s, u);
    s->origin = NULL;
}

static bool on_line(void *arg, const struct line *line)
{
    struct scan *s = arg;
    return logline_feed_line(s->logline, line, on_record, s);
}

/* --- a file that grows ----------------------------------------------------------------
 */

static sigset_t stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

/* Asked at the end of the file: wait a little; false once it is told to stop. */
static bool wait_for_more(void *arg)
{
    struct scan *s = arg;
    const struct timespec a_while = { .tv_nsec = 100000000 };
    const sigset_t stop = stop_signals();
    if (s->opt->output == SCAN_CALLS)
        flush(s);
    if (s->capture)
        scan_capture_wait(s->capture, s->opt->keylogs, s->opt->n_keylogs);
    return !s->out_failed && sigtimedwait(&stop, NULL, &a_while) < 0;
}

/* --- one file -------------------------------------------------------------------------
 */

static void add_stats(struct scan *s)
{
    const struct logline_stats *from = logline_stats(s->logline);
    struct logline_stats *to = &s->report.log;
    to->lines += from->lines;
    to->records += from->records;
    to->not_json += from->not_json;
    to->no_record += from->no_record;
    to->too_long += from->too_long;
    to->torn += from->torn;
    to->time_guessed += from->time_guessed;
    to->points_dropped += from->points_dropped;
}

/* A capture that begins with the bytes `first`. */
static void scan_packets(struct scan *s, struct unpack *u, struct slice first)
{
    struct buf why = { 0 };
    if (!s->capture)
        s->report.capture = s->capture = scan_capture_new(s->x, on_captured, s);
    if (!s->capture)
        unreadable(s, "out of memory");
    else if (scan_capture_read(s->capture, first, u, &why) != ST_OK)
        unreadable(s, buf_cstr(&why));
    else if (scan_capture_torn(s->capture))
        problem(s, "the capture ends inside a packet; the packets before it are counted");
    buf_release(&why);
}

/* Read all of `u` through lines and logline, or through capture. */
static void scan_bytes(struct scan *s, struct unpack *u)
{
    const char *reason = NULL;
    bool first = true;
    enum status st;
    size_t room, n;
    lines_begin(s->lines, logline_need(s->logline), 0, 1);
    for (;;) {
        char *p = lines_room(s->lines, &room);
        st = unpack_read(u, p, room < LINES_BLOCK ? room : LINES_BLOCK, &n);
        if (st != ST_OK)
            break;
        if (first && capture_is(slice_of(p, n))) {
            scan_packets(s, u, slice_of(p, n));
            return;
        }
        if (first)
            lines_set_need(s->lines, logline_sniff(s->logline, slice_of(p, n), &reason));
        first = false;
        if (reason) {
            s->report.not_text++;
            problem(s, reason);
            return;
        }
        lines_take(s->lines, n, on_line, s);
        if (s->dedup && logline_format(s->logline) == LOGFORMAT_claude_code)
            dedup_widen(s->dedup, s->opt->window > WINDOW_SESSIONS ? 0 : WINDOW_SESSIONS);
        progress(s, unpack_taken(u));
    }
    lines_finish(s->lines, on_line, s);
    logline_finish(s->logline, on_record, s);
    if (st != ST_END)
        unreadable(s, unpack_why(u));
}

static void scan_fd(struct scan *s, int fd, const struct stat *st)
{
    struct logline_options lo = { .format = s->opt->format,
                                  .rule = s->rule,
                                  .provider = slice_str(s->opt->provider) };
    struct timespec t = st->st_mtim;
    if (!S_ISREG(st->st_mode)) /* what comes through a pipe happens now */
        clock_gettime(CLOCK_REALTIME, &t);
    lo.mtime_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    struct unpack *u = unpack_new(fd);
    if (u && s->opt->follow)
        unpack_follow(u, wait_for_more, s);
    s->logline = logline_new(s->x, &lo);
    if (u && s->logline) {
        scan_bytes(s, u);
        add_stats(s);
        s->done_bytes += unpack_taken(u);
        s->report.files++;
    } else {
        unreadable(s, "out of memory");
    }
    logline_free(s->logline);
    s->logline = NULL;
    unpack_free(u);
}

static void scan_file(struct scan *s, const char *path)
{
    struct stat st;
    s->path = path;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0)
        unreadable(s, strerror(errno));
    else if (!file_set_has(&s->seen, &st)) /* links would count their calls again */
        scan_fd(s, fd, &st);
    if (fd >= 0)
        close(fd);
}

static void scan_stdin(struct scan *s)
{
    struct stat st = { 0 };
    s->path = "-";
    fstat(STDIN_FILENO, &st);
    scan_fd(s, STDIN_FILENO, &st);
}

/* --- paths ----------------------------------------------------------------------------
 */

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

typedef void path_fn(struct scan *s, FTSENT *e);

/* Every path and what lies below it, sorted, links followed. */
static void walk(struct scan *s, char **paths, path_fn *fn)
{
    for (; *paths; paths++) {
        char *one[] = { *paths, NULL };
        if (strcmp(*paths, "-") == 0) {
            fn(s, NULL);
            continue;
        }
        FTS *f = fts_open(one, FTS_LOGICAL | FTS_NOCHDIR, by_name);
        for (FTSENT *e; f && (e = fts_read(f));)
            fn(s, e);
        if (f)
            fts_close(f);
    }
}

static void add_size(struct scan *s, FTSENT *e)
{
    if (e && e->fts_info == FTS_F)
        s->total_bytes += (uint64_t)e->fts_statp->st_size;
}

static void visit(struct scan *s, FTSENT *e)
{
    if (!e) {
        scan_stdin(s);
        return;
    }
    s->path = e->fts_path;
    switch (e->fts_info) {
    case FTS_F:
        scan_file(s, e->fts_path);
        break;
    case FTS_DEFAULT: /* a pipe named by the user is read, one found in a folder is not */
        if (e->fts_level == 0)
            scan_file(s, e->fts_path);
        break;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        unreadable(s, strerror(e->fts_errno));
        break;
    case FTS_SLNONE:
        unreadable(s, "a link to nothing");
        break;
    default: /* folders before and after, loops */
        break;
    }
}

/* --- all of it ------------------------------------------------------------------------
 */

static int open_rule(struct scan *s)
{
    struct logrule_options o = s->opt->rule;
    struct buf why = { 0 };
    enum status st = ST_OK;
    if (s->opt->fields)
        st = logrule_parse_fields(slice_str(s->opt->fields), &s->names, &o, &why);
    if (st == ST_OK)
        st = logrule_new(&o, &s->names, &s->rule, &why);
    bool needs = s->opt->format == LOGFORMAT_regex || s->opt->format == LOGFORMAT_fields;
    if (st == ST_OK && needs && !s->rule) {
        buf_adds(&why, "this format needs the option of the same name");
        st = ST_CONFIG;
    }
    if (st != ST_OK)
        fprintf(stderr, "breakeven-agent scan: %s\n", buf_cstr(&why));
    buf_release(&why);
    return st == ST_OK ? 0 : 2;
}

static int open_keylogs(struct scan *s)
{
    struct buf why = { 0 };
    int code = 0;
    if (s->opt->n_keylogs)
        s->report.capture = s->capture = scan_capture_new(s->x, on_captured, s);
    for (size_t i = 0; i < s->opt->n_keylogs && code == 0; i++) {
        if (!s->capture)
            buf_adds(&why, "out of memory");
        if (!s->capture ||
            scan_capture_keylog(s->capture, s->opt->keylogs[i], &why) != ST_OK) {
            fprintf(stderr, "breakeven-agent scan: --tls-keylog: %s\n", buf_cstr(&why));
            code = 1;
        }
    }
    buf_release(&why);
    return code;
}

static int open_scan(struct scan *s)
{
    struct buf why = { 0 };
    enum status st = price_book_open(s->opt->prices, NULL, &s->book, &why);
    if (st != ST_OK) {
        fprintf(stderr, "breakeven-agent scan: prices: %s\n", buf_cstr(&why));
        buf_release(&why);
        return 2;
    }
    buf_release(&why);
    arena_init(&s->names, NAMES);
    int code = open_rule(s);
    if (code)
        return code;
    s->x = extract_new();
    s->lines = lines_new();
    s->tally = tally_new(s->book);
    s->dedup = s->opt->no_dedup ? NULL : dedup_new((size_t)s->opt->window);
    if (s->x && s->lines && s->tally && (s->dedup || s->opt->no_dedup))
        return open_keylogs(s);
    fputs("breakeven-agent scan: out of memory\n", stderr);
    return 1;
}

static void close_scan(struct scan *s)
{
    scan_capture_free(s->capture);
    extract_free(s->x);
    lines_free(s->lines);
    tally_free(s->tally);
    dedup_free(s->dedup);
    price_book_free(s->book);
    arena_release(&s->names);
    buf_release(&s->out);
    file_set_release(&s->seen);
}

static void finish_report(struct scan *s)
{
    s->report.lines = *lines_stats(s->lines);
    s->report.bytes = s->report.lines.bytes;
    if (s->dedup) {
        const struct dedup_stats *d = dedup_stats(s->dedup);
        s->report.again = d->again;
        s->report.grown = d->grown;
        s->report.forgotten = d->forgotten;
        s->report.window_bytes = d->bytes;
    }
}

static void print_result(struct scan *s)
{
    const struct scan_report *r = &s->report;
    switch (s->opt->output) {
    case SCAN_TABLE:
        scan_out_table(s->tally, r, s->problems, s->n_problems, &s->out);
        break;
    case SCAN_JSON:
        scan_out_json(s->tally, r, s->problems, s->n_problems, &s->out);
        break;
    case SCAN_CSV:
        scan_out_csv(s->tally, &s->out);
        break;
    case SCAN_CALLS:
        break;
    }
    flush(s);
}

int scan_main(int argc, char **argv)
{
    struct scan_options opt;
    int code = scan_options_parse(&opt, argc, argv);
    if (code >= 0)
        return code;
    struct scan *s = calloc(1, sizeof *s);
    if (!s) {
        fputs("breakeven-agent scan: out of memory\n", stderr);
        return 1;
    }
    s->opt = &opt;
    if (opt.follow) {
        const sigset_t stop = stop_signals();
        sigprocmask(SIG_BLOCK, &stop, NULL);
    }
    s->started_ms = now_ms();
    code = open_scan(s);
    if (code == 0) {
        if (opt.progress)
            walk(s, argv + optind, add_size);
        lighten(); /* what only the start of so many libraries needed */
        walk(s, argv + optind, visit);
        progress_end(s);
        finish_report(s);
        print_result(s);
        code = s->report.unreadable || s->out_failed || s->report.lost ? 1 : 0;
    }
    close_scan(s);
    free(s);
    return code;
}
