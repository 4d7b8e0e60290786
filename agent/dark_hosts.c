/* Dark traffic by host: see dark_hosts.h. */
#include "agent/dark_hosts.h"

#include "agent/provider.h"

/* The name without control bytes or bytes outside ASCII: it came from the network. */
static void name_of(const struct flow_info *flow, const struct tls_info *info,
                    char out[DARK_NAME])
{
    char address[ENDPOINT_TEXT];
    const char *from = *info->sni ? info->sni : endpoint_text(&flow->server, address);
    size_t n = 0;
    for (; from[n] && n < DARK_NAME - 1; n++)
        out[n] = from[n] > ' ' && from[n] < 0x7f ? from[n] : '?';
    out[n] = '\0';
}

static struct dark_host *find(struct dark_hosts *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++)
        if (strcmp(h->at[i].name, name) == 0)
            return &h->at[i];
    return NULL;
}

const struct dark_host *dark_hosts_add(struct dark_hosts *h, const struct flow_info *flow,
                                       const struct tls_info *info,
                                       const struct conn_dark *since)
{
    char name[DARK_NAME];
    name_of(flow, info, name);
    struct dark_host *host = find(h, name);
    if (!host && h->n < DARK_HOSTS) {
        host = &h->at[h->n++];
        memcpy(host->name, name, sizeof name);
        host->provider = provider_of_host(slice_str(info->sni), flow->server.port);
    }
    if (!host) {
        host = &h->other;
        memcpy(host->name, "(other)", sizeof "(other)");
    }
    host->connections += since->first;
    host->up += since->up;
    host->down += since->down;
    host->calls += since->bursts;
    return host;
}

/* By bytes, the most first, "(other)" last. */
static size_t ordered(const struct dark_hosts *h,
                      const struct dark_host *out[DARK_HOSTS + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++, n++) {
        size_t at = n;
        const struct dark_host *one = &h->at[i];
        for (; at > 0 && out[at - 1]->up + out[at - 1]->down < one->up + one->down; at--)
            out[at] = out[at - 1];
        out[at] = one;
    }
    if (h->other.connections)
        out[n++] = &h->other;
    return n;
}

void dark_hosts_table(const struct dark_hosts *h, struct buf *out)
{
    enum { SHOWN = 20 };
    const struct dark_host *host[DARK_HOSTS + 1];
    size_t n = ordered(h, host);
    if (n == 0)
        return;
    buf_addf(out, "%-10s TLS without keys; calls estimated by bursts, not in the table\n",
             "Dark");
    for (size_t i = 0; i < n && i < SHOWN; i++)
        buf_addf(out,
                 "           %s: %llu connections, %llu bytes up, %llu down, "
                 "about %llu calls%s%s%s\n",
                 host[i]->name, (unsigned long long)host[i]->connections,
                 (unsigned long long)host[i]->up, (unsigned long long)host[i]->down,
                 (unsigned long long)host[i]->calls, host[i]->provider ? " (" : "",
                 host[i]->provider ? host[i]->provider : "",
                 host[i]->provider ? ")" : "");
    if (n > SHOWN)
        buf_addf(out, "           and %zu hosts more (--json)\n", n - SHOWN);
}

void dark_hosts_json(const struct dark_hosts *h, struct json_out *o)
{
    const struct dark_host *host[DARK_HOSTS + 1];
    size_t n = ordered(h, host);
    json_open(o, '[');
    for (size_t i = 0; i < n; i++) {
        json_open(o, '{');
        json_key(o, "host");
        json_str(o, slice_str(host[i]->name));
        json_key(o, "provider");
        if (host[i]->provider)
            json_str(o, slice_str(host[i]->provider));
        else
            json_null(o);
        const struct {
            const char *key;
            uint64_t v;
        } count[] = { { "connections", host[i]->connections },
                      { "bytes_up", host[i]->up },
                      { "bytes_down", host[i]->down },
                      { "calls_estimate", host[i]->calls } };
        for (size_t k = 0; k < sizeof count / sizeof *count; k++) {
            json_key(o, count[k].key);
            json_u64(o, count[k].v);
        }
        json_key(o, "quality");
        json_str(o, SLICE("missing"));
        json_close(o, '}');
    }
    json_close(o, ']');
}
