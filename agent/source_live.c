/* Wiring of live capture: see source_live.h. A shell file. */
#include "agent/source_live.h"

#include "agent/attribute.h"
#include "agent/hpack_names.h"
#include "agent/live.h"
#include "agent/live_report.h"
#include "agent/process.h"

#include <ctype.h>
#include <stdlib.h>

enum {
    STEP_PACKETS = 8192,
    BEHIND_MS = 1000, /* what the ring may still hold, when time passes by our clock */
    TICK_MS = 1000,   /* while connections are open: holes, silence of flows */
    SEALED_MS = 100,  /* while TLS waits for secrets: the key logs */
    SCAN_MS = 250,    /* then also new key logs */
    TELL_MS = 10000,  /* how dark it is, and what the kernel dropped */
    LOOK_MS = 1000,   /* is the interface still there? */
    RETRY_MS = 500,   /* first try to attach again; doubled to RETRY_MOST_MS */
    RETRY_MOST_MS = 5000,
    PROVIDERS = 8, /* whose rate limit is shown */
};

struct live_source {
    struct source base;
    const struct config_capture *c;
    const struct source_env *env;
    struct live *live;
    struct traffic *traffic; /* NULL before the first step */
    struct keylog_follow *keylogs;
    struct processes *processes;
    bool asks_processes; /* a row of apps wants to know */
    struct source_time now;
    int64_t scan_ms, rescan_ms, tell_ms, tick_ms; /* next; mono */
    int64_t look_ms;
    int64_t packet_ms;            /* of the last packet, or of the start */
    int64_t retry_ms, backoff_ms; /* retry_ms 0: attached */
    bool rescan, silent, over;
    uint64_t packets_before; /* of this step */
    uint64_t silences, losses, calls, retries, dark_rows, kernel_told;
    struct live_limit limit[PROVIDERS];
    size_t limits;
};

static struct live_source *of(const struct source *s)
{
    return (struct live_source *)(uintptr_t)s;
}

/* --- calls ----------------------------------------------------------------------------
 */

static struct attribute_process ask_process(void *arg)
{
    const struct {
        struct live_source *s;
        const struct flow_info *flow;
    } *about = arg;
    return processes_of(about->s->processes, about->flow, about->s->now.mono_ms);
}

static void on_label(void *arg, const struct flow_info *flow, struct slice target,
                     const struct extract_header *field, size_t fields,
                     struct http_notes *notes)
{
    struct live_source *s = arg;
    struct {
        struct live_source *s;
        const struct flow_info *flow;
    } about = { s, flow };
    const struct attribute_facts facts = { .port = flow->server.port,
                                           .target = target,
                                           .field = field,
                                           .fields = fields,
                                           .process = s->processes ? ask_process : NULL,
                                           .arg = &about };
    attribute(s->c, &facts, notes);
}

static struct live_limit *limit_of(struct live_source *s, struct slice provider)
{
    char key[sizeof s->limit[0].provider] = "";
    for (size_t i = 0; i < provider.n && i < sizeof key - 1; i++) {
        char c = provider.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        key[i] = plain ? c : '_';
    }
    for (size_t i = 0; i < s->limits; i++)
        if (strcmp(s->limit[i].provider, key) == 0)
            return &s->limit[i];
    if (s->limits == PROVIDERS || !*key)
        return NULL;
    struct live_limit *l = &s->limit[s->limits++];
    memcpy(l->provider, key, sizeof key);
    l->requests = l->tokens = -1;
    return l;
}

static void take_notes(struct live_source *s, const struct usage *u,
                       const struct http_notes *n)
{
    s->retries += n->retry > 0;
    if (n->left_requests < 0 && n->left_tokens < 0)
        return;
    struct live_limit *l = limit_of(s, u->provider);
    if (l && n->left_requests >= 0)
        l->requests = n->left_requests;
    if (l && n->left_tokens >= 0)
        l->tokens = n->left_tokens;
}

static void on_call(void *arg, struct usage *u, const struct http_origin *o)
{
    struct live_source *s = arg;
    if (u->accounting == ACCOUNTING_NONE)
        return;
    take_notes(s, u, o->notes);
    attribute_names(s->c, o->notes, &u->app, &u->environment);
    s->calls++;
    s->env->emit(s->env->emit_arg, u);
}

/* What could not be read of an LLM API is a row too: of quality missing, surface dark. */
static void on_dark(void *arg, const struct dark_host *host,
                    const struct conn_dark *since, int64_t ts_ns)
{
    struct live_source *s = arg;
    struct usage u;
    if (!s->c->dark_calls || !host->provider)
        return;
    usage_init(&u);
    u.ts_ns = ts_ns;
    u.provider = slice_str(host->provider);
    u.surface = SLICE("dark");
    u.accounting = ACCOUNTING_CALL;
    u.outcome = OUTCOME_NA;
    u.quality = QUALITY_MISSING;
    u.seen = SEEN_CAPTURE;
    u.agg_n = since->bursts < UINT32_MAX ? (uint32_t)since->bursts : UINT32_MAX;
    usage_set(&u, USAGE_bytes_up, since->up);
    usage_set(&u, USAGE_bytes_down, since->down);
    attribute_names(s->c, NULL, &u.app, &u.environment);
    s->dark_rows += since->bursts;
    s->env->emit(s->env->emit_arg, &u);
}

/* A row of `apps` compares what the header tables of HTTP/2 else leave out: a header that
 * holds keys, the query of a path. */
static bool asks_credentials(const struct config_capture *c)
{
    for (size_t i = 0; i < c->apps.n; i++) {
        const struct config_app *r = config_app(c, i);
        char name[64];
        size_t n = 0;
        for (; *r->header && r->header_name[n] && n < sizeof name; n++)
            name[n] = (char)tolower((unsigned char)r->header_name[n]);
        if (hpack_is_credential(slice_of(name, n)) || strchr(r->path, '?'))
            return true;
    }
    return false;
}

/* --- opening --------------------------------------------------------------------------
 */

static struct traffic_options options_of(struct live_source *s)
{
    const struct config_capture_limits *l = &s->c->limits;
    struct traffic_options o = traffic_defaults();
    o.extract = s->env->extract;
    o.emit = on_call;
    o.label = s->c->apps.n ? on_label : NULL;
    o.keep_credentials = asks_credentials(s->c);
    o.dark = on_dark;
    o.arg = s;
    o.flows.max_flows = (size_t)l->connections;
    o.flows.idle_ns = l->idle_ms * 1000000;
    o.flows.reassembly.flow_bytes = (size_t)l->connection_bytes;
    o.flows.reassembly.total_bytes = (size_t)l->total_bytes;
    o.http.header_bytes = (size_t)l->header_bytes;
    o.http.in_flight = (size_t)l->exchanges;
    o.http.in_flight_total = (size_t)l->exchanges_total;
    o.http.decoded_bytes = l->body_bytes;
    o.http.decoders = (size_t)l->decoders;
    o.secrets = (size_t)l->secrets;
    o.sealed_ns = l->sealed_ms * 1000000;
    o.sealed_total = (size_t)l->sealed_total;
    o.tls.held_bytes = s->c->keylogs.n ? (size_t)l->sealed_bytes : TLS_HELD_NONE;
    return o;
}

/* Everything that needs no privilege: at the first step, when there are none any more. */
static enum status begin(struct live_source *s)
{
    struct traffic_options o = options_of(s);
    s->traffic = traffic_new(&o);
    if (s->traffic && s->c->keylogs.n)
        s->keylogs = keylog_follow_new(&s->c->keylogs, &s->c->keylog_exclude,
                                       (size_t)s->c->limits.keylog_files,
                                       s->traffic->conn.secrets, s->env->log);
    if (s->asks_processes)
        s->processes = processes_new();
    if (!s->traffic || (s->c->keylogs.n && !s->keylogs) ||
        (s->asks_processes && !s->processes))
        return ST_NOMEM;
    if (!s->c->keylogs.n)
        log_info(s->env->log, "capture: no keylogs: TLS stays dark, and is counted so");
    s->packet_ms = s->now.mono_ms;
    s->tell_ms = s->now.mono_ms + TELL_MS;
    s->rescan = true;
    return ST_OK;
}

static bool asks_processes(const struct config_capture *c)
{
    for (size_t i = 0; i < c->apps.n; i++)
        if (*config_app(c, i)->process || *config_app(c, i)->owner)
            return true;
    return false;
}

/* --- the turn -------------------------------------------------------------------------
 */

static void on_packet(void *arg, enum packet_link link, struct slice frame,
                      size_t wire_bytes, int64_t ts_ns)
{
    struct live_source *s = arg;
    capture_packet(s->traffic->capture, link, frame, wire_bytes, ts_ns);
}

static void follow_keylogs(struct live_source *s)
{
    int64_t now = s->now.mono_ms;
    bool waiting = s->traffic->conn.stats.sealed > 0;
    if (!s->keylogs)
        return;
    if (s->rescan || now >= s->rescan_ms || (waiting && now >= s->scan_ms)) {
        keylog_follow_scan(s->keylogs, now);
        s->scan_ms = now + SCAN_MS;
        s->rescan_ms = now + TELL_MS;
        s->rescan = false;
    }
    keylog_follow_read(s->keylogs, now);
}

static void lose(struct live_source *s, const char *why)
{
    s->losses++;
    s->backoff_ms = RETRY_MS;
    s->retry_ms = s->now.mono_ms + s->backoff_ms;
    log_warn(s->env->log, "capture: %s: nothing is metered until it is back", why);
}

static void try_again(struct live_source *s)
{
    struct buf why = { 0 };
    if (s->now.mono_ms < s->retry_ms)
        return;
    if (live_attach(s->live, &why) == ST_OK) {
        log_info(s->env->log, "capture: %s is back", s->c->interface);
        s->retry_ms = 0;
        s->packet_ms = s->now.mono_ms;
    } else {
        s->backoff_ms =
            s->backoff_ms * 2 < RETRY_MOST_MS ? s->backoff_ms * 2 : RETRY_MOST_MS;
        s->retry_ms = s->now.mono_ms + s->backoff_ms;
        log_debug(s->env->log, "capture: %s", buf_cstr(&why));
    }
    buf_release(&why);
}

static enum status take_packets(struct live_source *s)
{
    struct buf why = { 0 };
    uint64_t before = capture_stats(s->traffic->capture)->packets;
    enum status st = live_read(s->live, STEP_PACKETS, on_packet, s, &why);
    if (capture_stats(s->traffic->capture)->packets != before) {
        if (s->silent)
            log_info(s->env->log, "capture: packets come again");
        s->silent = false;
        s->packet_ms = s->now.mono_ms;
    }
    if (st != ST_IO && s->now.mono_ms >= s->look_ms) {
        s->look_ms = s->now.mono_ms + LOOK_MS;
        if (live_gone(s->live, &why))
            st = ST_IO;
    }
    if (st == ST_IO)
        lose(s, buf_cstr(&why));
    buf_release(&why);
    return st == ST_MORE ? ST_MORE : ST_OK;
}

static void say_silence(struct live_source *s)
{
    if (s->silent || s->now.mono_ms - s->packet_ms < s->c->silence_ms)
        return;
    s->silent = true;
    s->silences++;
    log_warn(s->env->log,
             "capture: no packet for %lld s on %s: right interface, ports, hosts?",
             (long long)(s->c->silence_ms / 1000), s->c->interface);
}

static void say_drops(struct live_source *s)
{
    uint64_t dropped = live_stats(s->live)->dropped;
    if (dropped != s->kernel_told)
        log_warn(s->env->log,
                 "capture: the kernel dropped %llu packets: their calls are marked "
                 "missing; a larger ring or a narrower filter helps",
                 (unsigned long long)(dropped - s->kernel_told));
    s->kernel_told = dropped;
}

static enum status live_step(struct source *base, struct source_time now)
{
    struct live_source *s = of(base);
    s->now = now;
    if (s->over)
        return ST_END;
    if (!s->traffic && begin(s) != ST_OK) {
        log_error(s->env->log, "capture: out of memory: nothing is metered");
        s->over = true;
        return ST_END;
    }
    bool tell = now.mono_ms >= s->tell_ms;
    int64_t past_ns = (now.unix_ms - BEHIND_MS) * 1000000;
    enum status st = ST_OK;
    follow_keylogs(s);
    if (s->retry_ms)
        try_again(s);
    if (!s->retry_ms)
        st = take_packets(s);
    conn_sweep(&s->traffic->conn, past_ns, tell);
    if (st != ST_MORE)
        capture_expire(s->traffic->capture, past_ns);
    if (!s->retry_ms)
        say_silence(s);
    if (tell) {
        say_drops(s);
        s->tell_ms = now.mono_ms + TELL_MS;
    }
    s->tick_ms = now.mono_ms + TICK_MS;
    return st;
}

static int live_source_fd(const struct source *base)
{
    const struct live_source *s = of(base);
    return s->over || s->retry_ms ? -1 : live_fd(s->live);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t live_wake_ms(const struct source *base)
{
    const struct live_source *s = of(base);
    if (!s->traffic)
        return 0;
    int64_t at = s->tell_ms;
    if (s->retry_ms)
        at = earlier(at, s->retry_ms);
    else if (!s->silent)
        at = earlier(at, s->packet_ms + s->c->silence_ms);
    if (flow_table_count(capture_flows(s->traffic->capture)) > 0)
        at = earlier(at, s->tick_ms);
    if (s->traffic->conn.stats.sealed > 0 && s->keylogs)
        at = earlier(at, s->now.mono_ms + SEALED_MS);
    return at;
}

static void live_rescan(struct source *base)
{
    of(base)->rescan = true;
}

static bool never(const struct source *s)
{
    (void)s;
    return false;
}

static void save_nothing(struct source *s, struct spool *spool)
{
    (void)s, (void)spool;
}

static void nothing(struct source *s)
{
    (void)s;
}

/* --- health ---------------------------------------------------------------------------
 */

static void live_health(const struct source *base, struct source_health *sum)
{
    const struct live_source *s = of(base);
    if (s->traffic)
        sum->bytes += capture_stats(s->traffic->capture)->bytes;
    sum->records += s->calls;
}

static void live_more_health(struct source *base, struct json_out *o)
{
    const struct live_source *s = of(base);
    const struct live_report r = { .traffic = s->traffic,
                                   .keylogs = s->keylogs,
                                   .attached = s->retry_ms == 0,
                                   .silent = s->silent,
                                   .silences = s->silences,
                                   .losses = s->losses,
                                   .calls = s->calls,
                                   .retries = s->retries,
                                   .limit = s->limit,
                                   .limits = s->limits };
    if (s->traffic)
        live_report_health(&r, o);
}

static void live_more_drops(struct source *base, struct json_out *o)
{
    const struct live_source *s = of(base);
    if (s->traffic)
        live_report_drops(s->traffic, live_stats(s->live)->dropped, o);
}

/* What the ring holds, then what is known of the calls under way. */
static void live_finish(struct source *base)
{
    struct live_source *s = of(base);
    if (!s->traffic)
        return;
    if (!s->retry_ms)
        take_packets(s);
    traffic_finish(s->traffic);
    log_info(s->env->log,
             "capture: %llu packets, %llu dropped by the kernel; %llu exchanges, %llu "
             "calls; %llu TLS connections in the dark",
             (unsigned long long)capture_stats(s->traffic->capture)->packets,
             (unsigned long long)live_stats(s->live)->dropped,
             (unsigned long long)s->traffic->http.count[HTTP_exchanges],
             (unsigned long long)s->calls,
             (unsigned long long)s->traffic->conn.stats.dark);
}

/* --- life -----------------------------------------------------------------------------
 */

static void live_source_close(struct source *base)
{
    struct live_source *s = of(base);
    keylog_follow_free(s->keylogs);
    traffic_free(s->traffic);
    processes_free(s->processes);
    live_close(s->live);
    free(s);
}

static const struct source_ops live_ops = {
    .name = "capture",
    .live = true,
    .fd = live_source_fd,
    .wake_ms = live_wake_ms,
    .step = live_step,
    .rescan = live_rescan,
    .unsaved = never,
    .save = save_nothing,
    .saved = nothing,
    .finish = live_finish,
    .health = live_health,
    .more_health = live_more_health,
    .more_drops = live_more_drops,
    .close = live_source_close,
};

enum status source_live_open(const struct config *c, const struct source_env *env,
                             struct source **out)
{
    struct buf why = { 0 };
    struct live_source *s = calloc(1, sizeof *s);
    if (!s)
        return ST_NOMEM;
    s->base.ops = &live_ops;
    s->c = &c->capture;
    s->env = env;
    s->asks_processes = asks_processes(s->c);
    const struct live_options o = {
        .interface = s->c->interface,
        .filter = { s->c->ports, s->c->hosts, s->c->filter, false },
        .ring_bytes = s->c->ring_bytes,
        .snap_bytes = (int)s->c->snap_bytes,
        .promiscuous = s->c->promiscuous,
    };
    enum status st = live_open(&o, &s->live, &why);
    if (st != ST_OK)
        log_error(env->log, "capture: %s", buf_cstr(&why));
    else
        log_info(env->log, "capture: %s is open", s->c->interface);
    buf_release(&why);
    if (st != ST_OK) {
        free(s);
        return st;
    }
    *out = &s->base;
    return ST_OK;
}
