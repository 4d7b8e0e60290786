/* `alert list|test|silence|ack|unsilence`: works beside a running server, which notices
 * at its next look (alerts.evaluate). */
#include "collector/api_alerts.h"
#include "collector/command.h"
#include "common/instant.h"
#include "common/json.h"

#include <curl/curl.h>
#include <stdio.h>
#include <time.h>

const char cmd_alert_usage[] =
    "usage: breakeven-collector alert list [--json]\n"
    "       breakeven-collector alert silence MATCHER --for 2h [--comment TEXT]\n"
    "       breakeven-collector alert ack MATCHER [--comment TEXT]\n"
    "       breakeven-collector alert unsilence ID\n"
    "       breakeven-collector alert test CHANNEL\n"
    "each with --config FILE. A MATCHER is name=value pairs with commas between, * "
    "standing\n"
    "for anything: rule=agent_silent,agent=web-*. A silence holds messages back for its\n"
    "time, an acknowledgement until the alert is over. `test` sends a made-up firing\n"
    "message and its end.\n";

static int64_t clock_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int failed(struct buf *why, enum status st)
{
    fprintf(stderr, "breakeven-collector: alert: %s\n",
            why->n ? buf_cstr(why) : status_name(st));
    return st == ST_BAD ? 2 : 1;
}

/* --- list -----------------------------------------------------------------------------
 */

static void put_when(struct buf *out, int64_t ms)
{
    struct buf b = { 0 };
    instant_format(ms * 1000000, &b);
    buf_add(out, slice_head(buf_slice(&b), 16));
    buf_release(&b);
}

static void print_row(void *arg, const struct alert_row *row)
{
    const struct alert_entry *e = row->entry;
    struct buf line = { 0 };
    size_t *n = arg;
    (*n)++;
    buf_addf(&line, "%-9s %-8s %-18s ",
             e->a.phase == ALERT_INACTIVE ? "resolved" : alert_phase_name(e->a.phase),
             row->severity, row->rule);
    put_when(&line, e->a.since_ms);
    buf_adds(&line, "  ");
    buf_add(&line, e->summary);
    if (row->held)
        buf_addf(&line, "  [%s %.*s]", row->held->ack ? "acknowledged" : "silenced",
                 SLICE_FMT(row->held->id));
    puts(buf_cstr(&line));
    buf_release(&line);
}

static void print_silences(const struct silences *s, int64_t now_ms)
{
    for (size_t i = 0; i < s->n; i++) {
        struct buf line = { 0 };
        if (!s->at[i].ack && s->at[i].until_ms <= now_ms)
            continue;
        buf_addf(&line, "%s %.*s: %.*s", s->at[i].ack ? "ack" : "silence",
                 SLICE_FMT(s->at[i].id), SLICE_FMT(s->at[i].match));
        buf_adds(&line, s->at[i].ack ? " since " : " until ");
        put_when(&line, s->at[i].ack ? s->at[i].at_ms : s->at[i].until_ms);
        if (s->at[i].comment.n)
            buf_addf(&line, "  %.*s", SLICE_FMT(s->at[i].comment));
        puts(buf_cstr(&line));
        buf_release(&line);
    }
}

/* The API's own answer, so that both say the same. */
static void print_json(const struct config *cf, struct store *store, struct arena *a)
{
    struct collector c = { .config = cf, .store = store };
    struct api_request q = { .route = ROUTE_ALERTS,
                             .now_s = clock_now_ms() / 1000,
                             .arena = a };
    struct api_reply r = { .status = 200 };
    api_alerts(&c, &q, &r);
    puts(buf_cstr(&r.body));
    buf_release(&r.body);
}

static int list(const struct config *cf, bool json, struct buf *why)
{
    struct store_options o = { .dir = cf->data_dir, .read_only = true };
    struct silences silences = { 0 };
    struct store *store = NULL;
    struct arena a;
    size_t n = 0;
    int64_t now_ms = clock_now_ms();
    arena_init(&a, (size_t)256 << 20);
    enum status st = store_sqlite_open(&o, &store, why);
    if (st == ST_OK)
        st = silences_load(cf->data_dir, &silences, why);
    if (st == ST_OK && json) {
        print_json(cf, store, &a);
    } else if (st == ST_OK) {
        st = alerts_each(store, &cf->alerts, &silences, now_ms, &a, print_row, &n);
        if (st == ST_OK && n == 0)
            puts("no alerts");
        print_silences(&silences, now_ms);
    }
    silences_release(&silences);
    store_free(store);
    arena_release(&a);
    return st == ST_OK ? 0 : failed(why, st);
}

/* --- changes --------------------------------------------------------------------------
 */

static int add(const struct config *cf, const char *match, bool ack, const char *lasts,
               const char *comment, struct buf *why)
{
    struct buf id = { 0 };
    int64_t ms = 0, now_ms = clock_now_ms();
    if (!ack && !alert_duration(slice_str(lasts), &ms)) {
        fprintf(stderr,
                "alert: silence needs --for with a duration like 30m, 2h or 7d\n");
        return 2;
    }
    struct silence s = { .match = slice_str(match),
                         .comment = slice_str(comment),
                         .ack = ack,
                         .until_ms = ack ? 0 : now_ms + ms };
    enum status st = silences_add(cf->data_dir, &s, now_ms, &id, why);
    if (st == ST_OK)
        puts(buf_cstr(&id));
    buf_release(&id);
    return st == ST_OK ? 0 : failed(why, st);
}

static int end(const struct config *cf, const char *id, struct buf *why)
{
    enum status st = silences_remove(cf->data_dir, slice_str(id), why);
    return st == ST_OK ? 0 : failed(why, st);
}

/* --- test -----------------------------------------------------------------------------
 */

static const struct notify_channel *find_channel(const struct config *cf,
                                                 const char *name)
{
    const struct notify_channel *ch = cf->alerts.channels.at;
    for (size_t i = 0; i < cf->alerts.channels.n; i++)
        if (strcmp(ch[i].name, name) == 0)
            return &ch[i];
    fprintf(stderr, "alert: no channel '%s' in alerts.channels; there are:", name);
    for (size_t i = 0; i < cf->alerts.channels.n; i++)
        fprintf(stderr, " %s", ch[i].name);
    fputs(cf->alerts.channels.n ? "\n" : " none\n", stderr);
    return NULL;
}

static int test(const struct config *cf, const char *name, struct buf *why)
{
    const struct notify_channel *ch = find_channel(cf, name);
    int64_t now_ms = clock_now_ms();
    struct alert_entry e = { .label = { { "workload", SLICE("test") } },
                             .labels = 1,
                             .a = { .since_ms = now_ms, .fired_ms = now_ms },
                             .summary = SLICE("This is a test of the channel; nothing "
                                              "has happened"),
                             .value = { { "answer", 42 } },
                             .values = 1 };
    const struct alert_entry *only = &e;
    if (!ch)
        return 2;
    for (int resolved = 0; resolved < 1 + ch->send_resolved; resolved++) {
        struct notify_message m = { .rule = "breakeven_test",
                                    .severity = "info",
                                    .firing = !resolved,
                                    .at = &only,
                                    .n = 1,
                                    .now_ms = now_ms,
                                    .ends_ms = now_ms + 60000,
                                    .external_url = cf->public_url };
        e.a.phase = resolved ? ALERT_INACTIVE : ALERT_FIRING;
        int64_t wait_ms;
        enum status st = notify_send(NULL, ch, &m, why, &wait_ms);
        if (st != ST_OK)
            return failed(why, st);
        printf("%s: the %s message was taken\n", name, resolved ? "resolved" : "firing");
    }
    return 0;
}

static int run(const struct config *cf, char **argv, int words, const char *lasts,
               const char *comment, bool json, struct buf *why)
{
    struct slice verb = slice_str(argv[1]);
    if (slice_eq(verb, SLICE("list")) && words == 1)
        return list(cf, json, why);
    if (slice_eq(verb, SLICE("silence")) && words == 2)
        return add(cf, argv[2], false, lasts, comment, why);
    if (slice_eq(verb, SLICE("ack")) && words == 2 && !lasts)
        return add(cf, argv[2], true, NULL, comment, why);
    if (slice_eq(verb, SLICE("unsilence")) && words == 2)
        return end(cf, argv[2], why);
    if (slice_eq(verb, SLICE("test")) && words == 2)
        return test(cf, argv[2], why);
    fputs(cmd_alert_usage, stderr);
    return 2;
}

int cmd_alert(int argc, char **argv)
{
    const char *path = NULL, *lasts = NULL, *comment = NULL;
    bool json = false;
    const struct command_option options[] = {
        { "config", &path, NULL },
        { "for", &lasts, NULL },
        { "comment", &comment, NULL },
        { "json", NULL, &json },
    };
    struct config cf;
    struct arena a;
    struct buf why = { 0 };
    int words;
    if (!command_options(argc, argv, options, 4, &words) || words == 0) {
        fputs(cmd_alert_usage, stderr);
        return 2;
    }
    if (!command_config(path, &a, &cf))
        return 2;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int rc = run(&cf, argv, words, lasts, comment, json, &why);
    curl_global_cleanup();
    buf_release(&why);
    arena_release(&a);
    return rc;
}
