/* Sending messages to alert channels: see notify.h. A shell file: sockets by libcurl. */
#include "collector/notify.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static const char pagerduty_url[] = "https://events.pagerduty.com/v2/enqueue";

/* What a receiver answers is of no interest beyond its status. */
static size_t discard(char *p, size_t size, size_t n, void *arg)
{
    (void)p;
    (void)arg;
    return size * n;
}

/* A secret from its file or the environment, without the blanks around it; nothing when
 * neither is named. Read at each use, so that it can be replaced. */
static enum status read_secret(const char *file, const char *env, struct buf *out,
                               struct buf *why)
{
    char text[4096];
    struct slice found = { 0 };
    if (env && *env) {
        found = slice_trim(slice_str(getenv(env)));
        if (!found.n)
            buf_addf(why, "the environment variable %s is not set", env);
    } else if (file && *file) {
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
        if (fd >= 0)
            close(fd);
        if (n > 0)
            found = slice_trim(slice_of(text, (size_t)n));
        if (!found.n)
            buf_addf(why, "%s: unreadable or empty", file);
    } else {
        return ST_OK;
    }
    for (size_t i = 0; i < found.n; i++)
        if ((unsigned char)found.p[i] < 0x20) {
            buf_adds(why, "a secret has more than one line");
            return ST_CONFIG;
        }
    buf_add(out, found);
    return found.n ? out->st : ST_CONFIG;
}

/* What libcurl says of TLS names the host, the certificate's fault or the file of
 * certificates; other texts of it might quote an address that is secret. */
static void say_fault(CURLcode rc, const char *detail, struct buf *why)
{
    bool tls = rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CONNECT_ERROR ||
               rc == CURLE_SSL_CACERT_BADFILE || rc == CURLE_USE_SSL_FAILED;
    buf_adds(why, tls && *detail ? detail : curl_easy_strerror(rc));
    if (rc == CURLE_PEER_FAILED_VERIFICATION)
        buf_adds(why, " (ca_file: says whom to trust)");
}

/* What a status of HTTP or a reply of SMTP most often means here; "" for all others. */
static const char *hint(CURLcode rc, long code)
{
    if (rc == CURLE_LOGIN_DENIED)
        return " (are username and password right?)";
    if (rc != CURLE_OK)
        return "";
    if (code >= 300 && code < 400)
        return " (a redirect is not followed: give the address it leads to)";
    switch (code) {
    case 401:
    case 403:
        return " (is the token, or the secret address, right?)";
    case 404:
    case 405:
        return " (is the address right?)";
    case 429:
        return " (too many messages)";
    default:
        return "";
    }
}

/* Somebody can put it right before we give up: a secret is read at each use. */
static bool repairable(long code)
{
    return code == 401 || code == 403 || code == 404 || code == 407;
}

static enum status judge(CURLcode rc, long code, const char *detail, struct buf *why)
{
    if (rc == CURLE_OK && code >= 200 && code < 300)
        return ST_OK;
    if (code >= 300 || rc == CURLE_OK)
        buf_addf(why, "the receiver answered %ld%s", code, hint(rc, code));
    else
        say_fault(rc, detail, why);
    if (rc == CURLE_OK)
        return code == 408 || code == 429 || code >= 500 || repairable(code) ? ST_BUSY
                                                                             : ST_BAD;
    if (rc == CURLE_LOGIN_DENIED)
        return ST_BUSY;
    bool smtp_refusal = code >= 500 && code < 600;
    bool hopeless = rc == CURLE_UNSUPPORTED_PROTOCOL || rc == CURLE_URL_MALFORMAT;
    return hopeless || smtp_refusal ? ST_BAD : ST_BUSY;
}

static bool add_header(struct curl_slist **list, const struct buf *line)
{
    struct buf b = { 0 };
    buf_add(&b, buf_slice(line));
    struct curl_slist *more = curl_slist_append(*list, buf_cstr(&b));
    bool ok = more && b.st == ST_OK && line->st == ST_OK;
    buf_release(&b);
    if (more)
        *list = more;
    return ok;
}

static void common_options(CURL *curl, const struct notify_channel *c, const char *url)
{
    bool mail = c->kind == NOTIFY_EMAIL;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, mail ? "smtp,smtps" : "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    if (c->ca_file && *c->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, c->ca_file);
}

static enum status perform(CURL *curl, struct buf *why, int64_t *wait_ms)
{
    char detail[CURL_ERROR_SIZE] = "";
    long code = 0;
    curl_off_t wait_s = 0;
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    CURLcode rc = curl_easy_perform(curl);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait_s);
    *wait_ms = wait_s > 0 && wait_s < 86400 ? (int64_t)wait_s * 1000 : 0;
    return judge(rc, code, detail, why);
}

/* --- HTTP -----------------------------------------------------------------------------
 */

/* Alertmanager's address is its base; its API stands below. */
static void complete_url(const struct notify_channel *c, struct buf *url)
{
    if (!url->n && c->kind == NOTIFY_PAGERDUTY)
        buf_adds(url, pagerduty_url);
    if (c->kind != NOTIFY_ALERTMANAGER || slice_ends(buf_slice(url), SLICE("/alerts")))
        return;
    while (url->n && url->p[url->n - 1] == '/')
        url->n--;
    buf_adds(url, "/api/v2/alerts");
}

static enum status send_web(CURL *curl, const struct notify_channel *c,
                            const struct notify_message *m, struct slice secret,
                            const char *url, struct buf *why, int64_t *wait_ms)
{
    struct buf body = { 0 }, line = { 0 };
    struct curl_slist *headers = NULL;
    enum status st = ST_NOMEM;
    notify_body((enum notify_kind)c->kind, c->name, secret, m, &body);
    buf_adds(&line, "Content-Type: application/json");
    bool ok = body.st == ST_OK && add_header(&headers, &line);
    if (ok && secret.n && c->kind != NOTIFY_PAGERDUTY) {
        buf_reset(&line);
        buf_adds(&line, "Authorization: Bearer ");
        buf_add(&line, secret);
        ok = add_header(&headers, &line);
    }
    if (ok) {
        common_options(curl, c, url);
        curl_easy_setopt(curl, CURLOPT_USERAGENT,
                         "breakeven-collector/" BREAKEVEN_VERSION);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.p);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        st = perform(curl, why, wait_ms);
    }
    curl_slist_free_all(headers);
    buf_release(&body);
    buf_release(&line);
    return st;
}

/* --- SMTP -----------------------------------------------------------------------------
 */

static struct curl_slist *recipients(const struct notify_channel *c)
{
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < c->to.n; i++) {
        struct curl_slist *more = curl_slist_append(list, c->to.at[i]);
        if (!more) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = more;
    }
    return list;
}

/* libcurl asks for the mail piece by piece. */
static size_t next_piece(char *to, size_t size, size_t n, void *arg)
{
    struct slice *left = arg, piece = slice_head(*left, size * n);
    memcpy(to, piece.p, piece.n);
    *left = slice_from(*left, piece.n);
    return piece.n;
}

static enum status send_mail(CURL *curl, const struct notify_channel *c,
                             const struct notify_message *m, struct buf *secret,
                             const char *url, struct buf *why, int64_t *wait_ms)
{
    static const long tls[] = { [NOTIFY_TLS_REQUIRED] = CURLUSESSL_ALL,
                                [NOTIFY_TLS_TRY] = CURLUSESSL_TRY,
                                [NOTIFY_TLS_NONE] = CURLUSESSL_NONE };
    struct buf mail = { 0 };
    struct curl_slist *to = recipients(c);
    enum status st = ST_NOMEM;
    notify_mail(m, c->from, &c->to, &mail);
    if (to && mail.st == ST_OK) {
        struct slice left = buf_slice(&mail);
        common_options(curl, c, url);
        curl_easy_setopt(curl, CURLOPT_USE_SSL, tls[c->tls]);
        curl_easy_setopt(curl, CURLOPT_MAIL_FROM, c->from);
        curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, next_piece);
        curl_easy_setopt(curl, CURLOPT_READDATA, &left);
        if (c->username && *c->username) {
            curl_easy_setopt(curl, CURLOPT_USERNAME, c->username);
            curl_easy_setopt(curl, CURLOPT_PASSWORD, buf_cstr(secret));
        }
        st = perform(curl, why, wait_ms);
    }
    curl_slist_free_all(to);
    buf_release(&mail);
    return st;
}

enum status notify_send(void *arg, const struct notify_channel *c,
                        const struct notify_message *m, struct buf *why, int64_t *wait_ms)
{
    struct buf url = { 0 }, secret = { 0 };
    (void)arg;
    *wait_ms = 0;
    /* An incident of a group ends with its last alert. */
    if (c->kind == NOTIFY_PAGERDUTY && !m->firing && m->grouped && m->still)
        return ST_OK;
    buf_adds(&url, c->url ? c->url : "");
    enum status st = read_secret(c->url_file, c->url_env, &url, why);
    if (st == ST_OK)
        st = read_secret(c->token_file, c->token_env, &secret, why);
    CURL *curl = st == ST_OK ? curl_easy_init() : NULL;
    if (st == ST_OK && !curl)
        st = ST_NOMEM;
    if (st == ST_OK && c->kind == NOTIFY_EMAIL) {
        st = send_mail(curl, c, m, &secret, buf_cstr(&url), why, wait_ms);
    } else if (st == ST_OK) {
        complete_url(c, &url);
        st = send_web(curl, c, m, buf_slice(&secret), buf_cstr(&url), why, wait_ms);
    }
    curl_easy_cleanup(curl);
    if (secret.p)
        memset(secret.p, 0, secret.n);
    buf_release(&secret);
    buf_release(&url);
    return st;
}
