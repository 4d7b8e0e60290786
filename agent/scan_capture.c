/* Captures in scan: see scan_capture.h. */
#include "agent/scan_capture.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/keylog.h"
#include "agent/traffic.h"
#include "common/json.h"

struct scan_capture {
    struct traffic *traffic;
    uint64_t files;
    off_t keylog_bytes; /* of all, when they were read last */
};

struct scan_capture *scan_capture_new(struct extract *x, http_call_fn *emit, void *arg)
{
    struct scan_capture *c = calloc(1, sizeof *c);
    struct traffic_options o = traffic_defaults();
    if (!c)
        return NULL;
    o.extract = x;
    o.emit = emit;
    o.arg = arg;
    c->traffic = traffic_new(&o);
    if (c->traffic)
        return c;
    free(c);
    return NULL;
}

void scan_capture_free(struct scan_capture *c)
{
    if (!c)
        return;
    traffic_free(c->traffic);
    free(c);
}

enum status scan_capture_keylog(struct scan_capture *c, const char *path, struct buf *why)
{
    struct keylog k;
    keylog_init(&k, c->traffic->conn.secrets);
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
    return capture_read(c->traffic->capture, first, u, why);
}

void scan_capture_wait(struct scan_capture *c, const char *const *keylogs, size_t n)
{
    struct buf why = { 0 };
    struct stat st;
    off_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += stat(keylogs[i], &st) == 0 ? st.st_size : 0;
    if (bytes == c->keylog_bytes)
        return;
    c->keylog_bytes = bytes;
    for (size_t i = 0; i < n; i++)
        scan_capture_keylog(c, keylogs[i], &why);
    buf_release(&why);
    conn_sweep(&c->traffic->conn, 0, false);
}

bool scan_capture_torn(const struct scan_capture *c)
{
    return capture_stats(c->traffic->capture)->torn;
}

/* --- what was counted -----------------------------------------------------------------
 */

struct count {
    const char *name, *text; /* the key in JSON; after the number in the table */
    uint64_t n;
    bool loss; /* part of the line of what was not read */
};

enum { COUNTS = 28 };

static size_t counts(const struct scan_capture *c, struct count at[COUNTS])
{
    const struct traffic *t = c->traffic;
    const struct capture_stats *cs = capture_stats(t->capture);
    const struct fragment_stats *gs = capture_fragments(t->capture);
    const struct flow_stats *fs = flow_table_stats(capture_flows(t->capture));
    const struct reassembly_stats *rs = flow_table_reassembly(capture_flows(t->capture));
    const uint64_t *http = t->http.count;
    const struct count all[COUNTS] = {
        { "packets", "packets", cs->packets, false },
        { "bytes", "bytes", cs->bytes, false },
        { "flows", "connections", fs->flows, false },
        { "tls", "in TLS", t->conn.stats.tls, false },
        { "tunnels", "through a proxy (CONNECT)", t->conn.stats.tunnels, true },
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
          cs->unstored + fs->unwanted + t->conn.stats.refused, true },
        { "joined", "directions joined in the middle", rs->joined, true },
        { "h2_joined", "HTTP/2 connections joined in the middle", http[HTTP_h2_joined],
          true },
        { "headers_unknown", "header fields of them that only their begin tells",
          http[HTTP_headers_unknown], true },
        { "headers_lost", "header lists of HTTP/2 that do not say enough",
          http[HTTP_headers_lost], true },
        { "tls_dark", "TLS connections without fitting secrets", t->conn.stats.dark,
          true },
        { "tls_dark_bytes", "bytes of TLS in the dark", t->conn.stats.dark_bytes, true },
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
    dark_hosts_table(&c->traffic->dark, out);
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
    json_key(&o, "dark");
    dark_hosts_json(&c->traffic->dark, &o);
    json_close(&o, '}');
}
