/* Captures in scan: see scan_capture.h. */
#include "agent/scan_capture.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "agent/conn.h"
#include "agent/keylog.h"
#include "common/json.h"

struct scan_capture {
    struct capture *capture;
    struct http_shared http;
    struct conn_env conn;
    uint64_t files;
};

enum { SECRETS = 65536 }; /* connections whose secrets are kept */

/* --- connections ----------------------------------------------------------------------
 */

static void *open_http(void *arg, const struct flow_info *flow, const char *tls,
                       struct stream_sink *sink)
{
    struct scan_capture *c = arg;
    char client[ENDPOINT_TEXT], server[ENDPOINT_TEXT];
    struct http_options o = { .shared = &c->http,
                              .client = slice_str(endpoint_text(&flow->client, client)),
                              .server = slice_str(endpoint_text(&flow->server, server)),
                              .server_port = flow->server.port,
                              .tls = tls };
    struct http *h = http_new(&o);
    if (h)
        http_sink(h, sink);
    return h;
}

static void end_http(void *arg, void *state, const struct flow_info *flow,
                     const struct tls_info *info)
{
    (void)arg, (void)flow, (void)info;
    http_free(state);
}

struct scan_capture *scan_capture_new(struct extract *x, http_call_fn *emit, void *arg)
{
    struct scan_capture *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    struct flow_limits limits = flow_limits_default();
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint64_t)time(NULL); /* early at boot: better than none */
    c->conn.secrets = secrets_new(SECRETS, seed);
    c->conn.upper = (struct conn_upper){ c, open_http, end_http };
    struct flow_events events = conn_events(&c->conn);
    c->http = (struct http_shared){
        .extract = x, .emit = emit, .arg = arg, .limits = HTTP_LIMITS
    };
    c->capture = c->conn.secrets ? capture_new(&limits, &events, NULL) : NULL;
    if (c->capture)
        return c;
    secrets_free(c->conn.secrets);
    free(c);
    return NULL;
}

void scan_capture_free(struct scan_capture *c)
{
    if (!c)
        return;
    capture_free(c->capture);
    secrets_free(c->conn.secrets);
    free(c);
}

enum status scan_capture_keylog(struct scan_capture *c, const char *path, struct buf *why)
{
    struct keylog k;
    keylog_init(&k, c->conn.secrets);
    enum status st = keylog_load(&k, path);
    if (st != ST_OK) {
        buf_addf(why, "%s: %s", path, strerror(errno));
        return st;
    }
    if (k.secrets)
        return ST_OK;
    buf_addf(why, "%s: not a TLS key log: no secrets, %llu lines outside the format",
             path, (unsigned long long)k.bad);
    return ST_BAD;
}

enum status scan_capture_read(struct scan_capture *c, struct slice first,
                              struct unpack *u, struct buf *why)
{
    c->files++;
    return capture_read(c->capture, first, u, why);
}

bool scan_capture_torn(const struct scan_capture *c)
{
    return capture_stats(c->capture)->torn;
}

/* --- what was counted -----------------------------------------------------------------
 */

struct count {
    const char *name, *text; /* the key in JSON; after the number in the table */
    uint64_t n;
    bool loss; /* part of the line of what was not read */
};

enum { COUNTS = 24 };

static size_t counts(const struct scan_capture *c, struct count at[COUNTS])
{
    const struct capture_stats *cs = capture_stats(c->capture);
    const struct fragment_stats *gs = capture_fragments(c->capture);
    const struct flow_stats *fs = flow_table_stats(capture_flows(c->capture));
    const struct reassembly_stats *rs = flow_table_reassembly(capture_flows(c->capture));
    const uint64_t *http = c->http.count;
    const struct count all[COUNTS] = {
        { "packets", "packets", cs->packets, false },
        { "bytes", "bytes", cs->bytes, false },
        { "flows", "connections", fs->flows, false },
        { "tls", "in TLS", c->conn.stats.tls, false },
        { "exchanges", "HTTP exchanges", http[HTTP_exchanges], false },
        { "not_tcp", "packets of other protocols", cs->kinds[PACKET_OTHER], true },
        { "cut_headers", "packets without whole headers", cs->kinds[PACKET_CUT], true },
        { "malformed", "malformed packets", cs->kinds[PACKET_BAD], true },
        { "cut_segments", "segments cut by the snap length", cs->cut, true },
        { "fragments_dropped", "IP fragments dropped", gs->dropped, true },
        { "fragments_unfinished", "datagrams with a fragment missing", gs->unfinished,
          true },
        { "gaps", "gaps", rs->gaps, true },
        { "gap_bytes", "bytes in gaps", rs->gap_bytes, true },
        { "refused_segments", "segments behind the end of their connection", rs->refused,
          true },
        { "evicted", "connections ended for want of room", fs->ended[FLOW_EVICTED],
          true },
        { "no_memory", "segments and pieces for lack of memory",
          cs->unstored + fs->unwanted + c->conn.stats.refused, true },
        { "joined", "directions joined in the middle", rs->joined, true },
        { "tls_dark", "TLS connections without fitting secrets", c->conn.stats.dark,
          true },
        { "tls_dark_bytes", "bytes of TLS in the dark", c->conn.stats.dark_bytes, true },
        { "spoiled", "exchanges with lost bytes", http[HTTP_spoiled], true },
        { "unmatched", "replies without their request", http[HTTP_unmatched], true },
        { "over_limit", "exchanges over a limit", http[HTTP_over_limit], true },
        { "bad_coding", "bodies that do not decode",
          http[HTTP_bad_coding] + http[HTTP_bomb], true },
        { "not_http", "connections without HTTP", http[HTTP_not_http], true },
    };
    memcpy(at, all, sizeof all);
    return COUNTS;
}

static void line(const char *label, const struct count *at, size_t n, bool loss,
                 struct buf *out)
{
    bool begun = false;
    for (size_t i = 0; i < n; i++) {
        if (at[i].loss != loss || at[i].n == 0)
            continue;
        if (begun)
            buf_adds(out, ", ");
        else
            buf_addf(out, "%-10s ", label);
        buf_addf(out, "%llu %s", (unsigned long long)at[i].n, at[i].text);
        begun = true;
    }
    if (begun)
        buf_addc(out, '\n');
}

void scan_capture_notes(const struct scan_capture *c, struct buf *out)
{
    struct count at[COUNTS];
    size_t n = counts(c, at);
    if (!c->files)
        return;
    line("Captured", at, n, false, out);
    line("Not read", at, n, true, out);
}

void scan_capture_json(const struct scan_capture *c, struct buf *out)
{
    struct json_out o = { .b = out };
    struct count at[COUNTS];
    size_t n = counts(c, at);
    json_open(&o, '{');
    for (size_t i = 0; i < n; i++) {
        json_key(&o, at[i].name);
        json_u64(&o, at[i].n);
    }
    json_close(&o, '}');
}
