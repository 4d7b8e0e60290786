/* Counters of a capture as JSON: see live_report.h. */
#include "agent/live_report.h"

static void put(struct json_out *o, const char *key, uint64_t v)
{
    json_key(o, key);
    json_u64(o, v);
}

static void put_capture(const struct live_report *r, struct json_out *o)
{
    const struct traffic *t = r->traffic;
    const struct capture_stats *cs = capture_stats(t->capture);
    const struct flow_stats *fs = flow_table_stats(capture_flows(t->capture));
    const struct reassembly_stats *rs = flow_table_reassembly(capture_flows(t->capture));
    json_key(o, "capture");
    json_open(o, '{');
    put(o, "attached", r->attached);
    put(o, "silent", r->silent);
    put(o, "silences", r->silences);
    put(o, "interface_losses", r->losses);
    put(o, "packets", cs->packets);
    put(o, "connections", fs->flows);
    put(o, "connections_open", flow_table_count(capture_flows(t->capture)));
    put(o, "tls", t->conn.stats.tls);
    put(o, "tunnels", t->conn.stats.tunnels);
    put(o, "exchanges", t->http.count[HTTP_exchanges]);
    put(o, "calls", r->calls);
    put(o, "retries", r->retries);
    put(o, "aborted", t->http.count[HTTP_aborted]);
    put(o, "gaps", rs->gaps);
    put(o, "h2_joined", t->http.count[HTTP_h2_joined]);
    put(o, "headers_unknown", t->http.count[HTTP_headers_unknown]);
    put(o, "sealed", t->conn.stats.sealed);
    if (r->keylogs) {
        struct keylog_follow_stats k = keylog_follow_stats(r->keylogs);
        put(o, "keylogs", k.files);
        put(o, "keylogs_unreadable", k.unreadable);
        put(o, "keylogs_open_to_all", k.open_to_all);
        put(o, "keylog_lines_bad", k.bad_lines);
        put(o, "secrets", k.secrets);
    }
    json_close(o, '}');
}

/* By provider, as far as the host is one; everything else is one. */
static void put_dark(const struct live_report *r, struct json_out *o)
{
    const struct dark_hosts *d = &r->traffic->dark;
    uint64_t connections = d->other.connections, up = d->other.up, down = d->other.down;
    uint64_t calls = d->other.calls, known = 0, known_calls = 0;
    for (size_t i = 0; i < d->n; i++) {
        const struct dark_host *h = &d->at[i];
        connections += h->connections;
        up += h->up;
        down += h->down;
        calls += h->calls;
        known += h->provider ? h->connections : 0;
        known_calls += h->provider ? h->calls : 0;
    }
    json_key(o, "dark");
    json_open(o, '{');
    put(o, "connections", connections);
    put(o, "bytes_up", up);
    put(o, "bytes_down", down);
    put(o, "bursts", calls);
    put(o, "llm_connections", known);
    put(o, "llm_calls_estimate", known_calls);
    put(o, "hosts", d->n);
    json_close(o, '}');
}

static void put_limits(const struct live_report *r, struct json_out *o)
{
    char key[64];
    json_key(o, "rate_limit");
    json_open(o, '{');
    for (size_t i = 0; i < r->limits; i++) {
        const struct live_limit *l = &r->limit[i];
        for (int tokens = 0; tokens < 2; tokens++) {
            int64_t left = tokens ? l->tokens : l->requests;
            struct buf name = { 0 };
            buf_addf(&name, "%s_%s", l->provider, tokens ? "tokens" : "requests");
            memcpy(key, buf_cstr(&name), name.n + 1);
            buf_release(&name);
            if (left >= 0)
                put(o, key, (uint64_t)left);
        }
    }
    json_close(o, '}');
}

void live_report_health(const struct live_report *r, struct json_out *o)
{
    put_capture(r, o);
    put_dark(r, o);
    put_limits(r, o);
}

void live_report_drops(const struct traffic *t, uint64_t kernel, struct json_out *o)
{
    const struct capture_stats *cs = capture_stats(t->capture);
    const struct flow_stats *fs = flow_table_stats(capture_flows(t->capture));
    const struct reassembly_stats *rs = flow_table_reassembly(capture_flows(t->capture));
    const uint64_t *http = t->http.count;
    put(o, "capture_kernel", kernel); /* packets */
    put(o, "capture_malformed", cs->kinds[PACKET_BAD]);
    put(o, "capture_cut", cs->kinds[PACKET_CUT] + cs->cut);
    put(o, "capture_fragments", capture_fragments(t->capture)->dropped);
    put(o, "capture_segments", rs->refused);
    put(o, "capture_gap_bytes", rs->gap_bytes);
    put(o, "capture_evicted", fs->ended[FLOW_EVICTED]); /* connections */
    put(o, "capture_no_memory", cs->unstored + fs->unwanted + t->conn.stats.refused);
    put(o, "capture_sealed", t->conn.stats.too_much + t->conn.stats.too_late);
    put(o, "capture_sealed_bytes", t->conn.stats.skipped_bytes);
    put(o, "capture_dark", t->conn.stats.dark);
    put(o, "capture_spoiled", http[HTTP_spoiled]); /* exchanges */
    put(o, "capture_unmatched", http[HTTP_unmatched]);
    put(o, "capture_headers_lost", http[HTTP_headers_lost]); /* header lists */
    put(o, "capture_over_limit", http[HTTP_over_limit]);
    put(o, "capture_coding", http[HTTP_bad_coding] + http[HTTP_bomb]);
    put(o, "capture_not_http", http[HTTP_not_http]);
}
