/*
 * breakeven-ship: one POST for breakeven-agent. Reads a request from standard input,
 * sends it, writes the answer to standard output (ship_pipe.h), ends. A program of its
 * own so that libcurl and TLS stay out of the agent. Prints nothing else; never the
 * token.
 */
#include "agent/ship.h"
#include "agent/ship_http.h"
#include "agent/ship_pipe.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { CONNECT_S = 5, TOTAL_S = 30, ZSTD_LEVEL = 3, REQUEST_MAX = 64 << 20 };

struct request {
    struct slice token, compression, body;
    char *url, *ca_file; /* NUL-terminated for libcurl; ours */
};

static void take_field(void *arg, struct slice name, struct slice value)
{
    struct request *r = arg;
    if (slice_eq(name, SLICE("url")) && !r->url)
        r->url = strndup(value.p, value.n);
    else if (slice_eq(name, SLICE("ca_file")) && !r->ca_file)
        r->ca_file = strndup(value.p, value.n);
    else if (slice_eq(name, SLICE("token")))
        r->token = value;
    else if (slice_eq(name, SLICE("compression")))
        r->compression = value;
}

static enum status read_all(int fd, struct buf *in)
{
    in->limit = REQUEST_MAX;
    for (;;) {
        char *p = buf_room(in, 65536);
        if (!p)
            return in->st;
        ssize_t n = read(fd, p, 65536);
        if (n == 0)
            return ST_OK;
        if (n < 0 && errno != EINTR)
            return ST_IO;
        if (n > 0)
            in->n += (size_t)n;
    }
}

static bool zstd(struct slice in, struct buf *out)
{
    size_t most = ZSTD_compressBound(in.n);
    char *p = buf_room(out, most);
    if (!p)
        return false;
    size_t n = ZSTD_compress(p, most, in.p, in.n, ZSTD_LEVEL);
    if (ZSTD_isError(n))
        return false;
    out->n += n;
    return true;
}

static bool gzip(struct slice in, struct buf *out)
{
    enum { GZIP_WINDOW = 15 + 16 };
    z_stream z = { .next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n };
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t most = deflateBound(&z, in.n);
    z.next_out = (Bytef *)buf_room(out, most);
    z.avail_out = (uInt)most;
    bool ok = z.next_out && deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (ok)
        out->n += most - z.avail_out;
    deflateEnd(&z);
    return ok;
}

/* Keeps what fits and breaks the transfer off at what does not. */
static size_t take_answer(char *p, size_t one, size_t n, void *arg)
{
    struct buf *body = arg;
    buf_add(body, slice_of(p, one * n));
    return body->st == ST_OK ? n : 0;
}

static struct curl_slist *headers(const struct request *r, struct buf *line)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    list = curl_slist_append(list, "Content-Type: application/x-ndjson");
    list = curl_slist_append(list, "Accept: application/json");
    buf_reset(line);
    buf_addf(line, "Content-Encoding: %.*s", SLICE_FMT(r->compression));
    if (r->compression.n)
        list = curl_slist_append(list, buf_cstr(line));
    buf_reset(line);
    buf_addf(line, "Authorization: Bearer %.*s", SLICE_FMT(r->token));
    if (r->token.n)
        list = curl_slist_append(list, buf_cstr(line));
    return list;
}

static CURLcode send_request(CURL *c, const struct request *r, struct curl_slist *list,
                             struct buf *body, char *error)
{
    curl_easy_setopt(c, CURLOPT_URL, r->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    if (r->ca_file)
        curl_easy_setopt(c, CURLOPT_CAINFO, r->ca_file);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)TOTAL_S);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "breakeven-agent/" BREAKEVEN_VERSION);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body.p);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
    return curl_easy_perform(c);
}

static void say(struct buf *out, long status, int64_t retry_after_ms, const char *error,
                struct slice body)
{
    char number[32];
    ship_pipe_begin(out);
    snprintf(number, sizeof number, "%ld", status);
    ship_pipe_field(out, "status", slice_str(number));
    snprintf(number, sizeof number, "%lld", (long long)retry_after_ms);
    if (retry_after_ms >= 0)
        ship_pipe_field(out, "retry_after_ms", slice_str(number));
    if (!ship_pipe_field(out, "error", slice_str(error)))
        ship_pipe_field(out, "error",
                        SLICE("a network error with an unprintable reason"));
    ship_pipe_end(out, body.n);
    buf_add(out, body);
}

static void perform(const struct request *r, struct buf *out)
{
    char error[CURL_ERROR_SIZE] = "";
    struct buf body = { .limit = SHIP_HTTP_BODY_MAX }, line = { 0 };
    struct curl_header *after;
    struct curl_slist *list = headers(r, &line);
    int64_t retry_after_ms = -1;
    long status = 0;
    CURL *c = curl_easy_init();
    CURLcode rc = c ? send_request(c, r, list, &body, error) : CURLE_FAILED_INIT;
    /* The head stands although the body was broken off: too large, or cut. */
    if (rc == CURLE_OK || rc == CURLE_WRITE_ERROR)
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (rc != CURLE_OK) {
        body.n = 0;
        if (!error[0])
            snprintf(error, sizeof error, "%s", curl_easy_strerror(rc));
    }
    if (status &&
        curl_easy_header(c, "Retry-After", 0, CURLH_HEADER, -1, &after) == CURLHE_OK)
        retry_after_ms = ship_retry_after(slice_str(after->value), time(NULL));
    say(out, status, retry_after_ms, error, slice_of(body.p, body.n));
    curl_easy_cleanup(c);
    curl_slist_free_all(list);
    buf_release(&body);
    buf_release(&line);
}

static enum status write_all(int fd, struct slice s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno != EINTR)
            return ST_IO;
        s = slice_from(s, n > 0 ? (size_t)n : 0);
    }
    return ST_OK;
}

int main(int argc, char **argv)
{
    struct buf in = { 0 }, packed = { 0 }, out = { 0 };
    struct request r = { 0 };
    (void)argv;
    if (argc > 1) {
        fputs("breakeven-ship is started by breakeven-agent and takes no arguments\n",
              stderr);
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (read_all(STDIN_FILENO, &in) != ST_OK ||
        !ship_pipe_read(buf_slice(&in), take_field, &r, &r.body) || !r.url) {
        say(&out, 0, -1, "breakeven-ship was given no whole request",
            (struct slice){ 0 });
    } else {
        if (slice_eq(r.compression, SLICE("zstd")) && zstd(r.body, &packed))
            r.body = buf_slice(&packed);
        else if (slice_eq(r.compression, SLICE("gzip")) && gzip(r.body, &packed))
            r.body = buf_slice(&packed);
        else
            r.compression = (struct slice){ 0 };
        perform(&r, &out);
    }
    enum status st = write_all(STDOUT_FILENO, buf_slice(&out));
    curl_global_cleanup();
    free(r.url);
    free(r.ca_file);
    buf_release(&in);
    buf_release(&packed);
    buf_release(&out);
    return st == ST_OK ? 0 : 1;
}
