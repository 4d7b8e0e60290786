/* Messages to alert channels: see notify.h. A shell file: sockets by libcurl. */
#include "collector/notify.h"

#include "common/json.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *const kinds[] = { [NOTIFY_WEBHOOK] = "webhook", NULL };

#define FIELD(member) offsetof(struct notify_channel, member)
const struct yaml_field notify_channel_fields[] = {
    { .key = "name",
      .type = YAML_STRING,
      .offset = FIELD(name),
      .required = true,
      .help = "name of the channel in messages and commands" },
    { .key = "type",
      .type = YAML_ENUM,
      .offset = FIELD(kind),
      .fallback = "webhook",
      .names = kinds,
      .help = "what the receiver understands" },
    { .key = "url",
      .type = YAML_STRING,
      .offset = FIELD(url),
      .required = true,
      .help = "where to POST; treated as a secret" },
    { .key = "token_file",
      .type = YAML_STRING,
      .offset = FIELD(token_file),
      .help = "file with a bearer token for the receiver" },
    { .key = "timeout",
      .type = YAML_DURATION,
      .offset = FIELD(timeout_ms),
      .fallback = "10s",
      .min = 100,
      .max = 120000,
      .help = "longest wait for an answer" },
    { .key = "send_resolved",
      .type = YAML_BOOL,
      .offset = FIELD(send_resolved),
      .fallback = "true",
      .help = "also say when an alert is over" },
    { .type = YAML_LINE, .key = "", .offset = FIELD(line) },
    { 0 },
};

void notify_fingerprint(const struct notify_message *m, char out[17])
{
    uint64_t h = slice_hash(slice_str(m->workload), slice_hash(slice_str(m->rule), 0));
    snprintf(out, 17, "%016llx", (unsigned long long)h);
}

static void put_time(struct json_out *o, int64_t ms)
{
    char text[40];
    struct tm tm;
    time_t s = (time_t)(ms / 1000);
    gmtime_r(&s, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(text + n, sizeof text - n, ".%03dZ", (int)(ms % 1000));
    json_str(o, slice_of(text, n));
}

static void put_pair(struct json_out *o, const char *key, struct slice value)
{
    json_key(o, key);
    json_str(o, value);
}

static void put_labels(struct json_out *o, const char *key,
                       const struct notify_message *m)
{
    json_key(o, key);
    json_open(o, '{');
    put_pair(o, "alertname", slice_str(m->rule));
    put_pair(o, "severity", slice_str(m->severity));
    put_pair(o, "workload", slice_str(m->workload));
    json_close(o, '}');
}

static void put_annotations(struct json_out *o, const char *key,
                            const struct notify_message *m)
{
    json_key(o, key);
    json_open(o, '{');
    put_pair(o, "summary", m->summary);
    put_pair(o, "description", m->description);
    for (size_t i = 0; i < m->nvalues; i++) {
        char text[40];
        int n = snprintf(text, sizeof text, "%.10g", m->values[i].value);
        put_pair(o, m->values[i].name, slice_of(text, (size_t)n));
    }
    json_close(o, '}');
}

/* Prometheus Alertmanager, webhook_config, version "4". */
static void webhook_body(const char *receiver, const struct notify_message *m,
                         struct buf *out)
{
    char fingerprint[17];
    struct slice status = m->firing ? SLICE("firing") : SLICE("resolved");
    struct slice url = slice_str(m->external_url ? m->external_url : "");
    struct json_out o = { .b = out };
    notify_fingerprint(m, fingerprint);
    json_open(&o, '{');
    put_pair(&o, "version", SLICE("4"));
    put_pair(&o, "groupKey", slice_str(fingerprint));
    json_key(&o, "truncatedAlerts");
    json_u64(&o, 0);
    put_pair(&o, "status", status);
    put_pair(&o, "receiver", slice_str(receiver));
    put_labels(&o, "groupLabels", m);
    put_labels(&o, "commonLabels", m);
    put_annotations(&o, "commonAnnotations", m);
    put_pair(&o, "externalURL", url);
    json_key(&o, "alerts");
    json_open(&o, '[');
    json_open(&o, '{');
    put_pair(&o, "status", status);
    put_labels(&o, "labels", m);
    put_annotations(&o, "annotations", m);
    json_key(&o, "startsAt");
    put_time(&o, m->starts_ms);
    json_key(&o, "endsAt");
    if (m->firing)
        json_str(&o, SLICE("0001-01-01T00:00:00Z"));
    else
        put_time(&o, m->ends_ms);
    put_pair(&o, "generatorURL", url);
    put_pair(&o, "fingerprint", slice_str(fingerprint));
    json_close(&o, '}');
    json_close(&o, ']');
    json_close(&o, '}');
}

void notify_body(enum notify_kind kind, const char *receiver,
                 const struct notify_message *m, struct buf *out)
{
    switch (kind) {
    case NOTIFY_WEBHOOK:
        webhook_body(receiver, m, out);
        break;
    }
}

/* What a receiver answers is of no interest beyond its status. */
static size_t discard(char *p, size_t size, size_t n, void *arg)
{
    (void)p;
    (void)arg;
    return size * n;
}

static enum status add_token(struct curl_slist **headers, const char *path,
                             struct buf *why)
{
    char text[4096];
    struct buf line = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0) {
        buf_addf(why, "%s: token file unreadable or empty", path);
        return ST_CONFIG;
    }
    buf_adds(&line, "Authorization: Bearer ");
    buf_add(&line, slice_trim(slice_of(text, (size_t)n)));
    struct curl_slist *more = curl_slist_append(*headers, buf_cstr(&line));
    buf_release(&line);
    if (!more)
        return ST_NOMEM;
    *headers = more;
    return ST_OK;
}

static enum status judge(CURLcode rc, long http, struct buf *why)
{
    if (rc != CURLE_OK) {
        buf_adds(why, curl_easy_strerror(rc));
        bool hopeless = rc == CURLE_UNSUPPORTED_PROTOCOL || rc == CURLE_URL_MALFORMAT;
        return hopeless ? ST_BAD : ST_BUSY;
    }
    if (http >= 200 && http < 300)
        return ST_OK;
    buf_addf(why, "the receiver answered %ld", http);
    return http == 408 || http == 429 || http >= 500 ? ST_BUSY : ST_BAD;
}

enum status notify_send(const struct notify_channel *c, const struct notify_message *m,
                        struct buf *why)
{
    struct buf body = { 0 };
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/json");
    CURL *curl = curl_easy_init();
    enum status st = curl && headers ? ST_OK : ST_NOMEM;
    if (st == ST_OK && c->token_file)
        st = add_token(&headers, c->token_file, why);
    if (st != ST_OK)
        goto out;
    notify_body((enum notify_kind)c->kind, c->name, m, &body);
    if (body.st != ST_OK) {
        st = body.st;
        goto out;
    }
    curl_easy_setopt(curl, CURLOPT_URL, c->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "breakeven-collector/" BREAKEVEN_VERSION);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.p);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    CURLcode rc = curl_easy_perform(curl);
    long http = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
    st = judge(rc, http, why);
out:
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    buf_release(&body);
    return st;
}

enum status notify_deliver(void *arg, const struct notify_channel *c,
                           const struct notify_message *m, struct buf *why)
{
    (void)arg;
    return notify_send(c, m, why);
}
