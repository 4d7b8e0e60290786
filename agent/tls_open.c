/* Records into plaintext, and the handshake messages that steer it: see tls_private.h. */
#include "agent/tls_hello.h"
#include "agent/tls_private.h"

#include <assert.h>

enum { TYPE_CCS = 20, TYPE_ALERT, TYPE_HANDSHAKE, TYPE_DATA };

enum {
    MSG_CLIENT_HELLO = 1,
    MSG_SERVER_HELLO = 2,
    MSG_ENCRYPTED_EXTENSIONS = 8,
    MSG_FINISHED = 20,
    MSG_KEY_UPDATE = 24,
    MSG_MOST_BYTES = 32768, /* post-quantum hellos have two thousand */
};

enum {
    FAILED_HANDSHAKE = 64, /* early data, and handshakes without their secrets, fail */
    FAILED_TRAFFIC = 8,
};

static bool is_13(const struct tls *t)
{
    return t->info.version == 0x0304;
}

static void die_both(struct tls *t, int64_t ts_ns, const char *why)
{
    tls_die(t, STREAM_UP, ts_ns, why);
    tls_die(t, STREAM_DOWN, ts_ns, why);
}

static struct slice secret_of(struct tls *t, enum secret_kind kind)
{
    return secrets_get(t->secrets, slice_of(t->client_random, sizeof t->client_random),
                       kind);
}

static bool key_13(struct tls *t)
{
    struct tls_dir *up = &t->dir[STREAM_UP], *down = &t->dir[STREAM_DOWN];
    if (tls_key_set13(&up->traffic, t->suite, secret_of(t, SECRET_CLIENT_TRAFFIC)) ||
        tls_key_set13(&down->traffic, t->suite, secret_of(t, SECRET_SERVER_TRAFFIC)))
        return false;
    /* Without these only the server's choice of protocol stays unknown. */
    tls_key_set13(&up->handshake, t->suite, secret_of(t, SECRET_CLIENT_HANDSHAKE));
    tls_key_set13(&down->handshake, t->suite, secret_of(t, SECRET_SERVER_HANDSHAKE));
    return true;
}

static bool key_12(struct tls *t)
{
    struct tls_key key[2] = { 0 };
    bool ok =
        tls_key_set12(key, t->suite, t->encrypt_then_mac, secret_of(t, SECRET_MASTER),
                      slice_of(t->client_random, sizeof t->client_random),
                      slice_of(t->server_random, sizeof t->server_random)) == ST_OK;
    t->dir[STREAM_UP].traffic = key[STREAM_UP];
    t->dir[STREAM_DOWN].traffic = key[STREAM_DOWN];
    explicit_bzero(key, sizeof key);
    return ok;
}

bool tls_keys_ready(struct tls *t)
{
    if (t->keyed || !t->suite || t->info.state == TLS_DARK ||
        t->asked == secrets_version(t->secrets))
        return t->keyed;
    t->asked = secrets_version(t->secrets);
    t->keyed = is_13(t) ? key_13(t) : key_12(t);
    if (t->keyed) {
        t->news = true;
        t->info.state = TLS_OPEN;
    }
    return t->keyed;
}

/* --- handshake messages ---------------------------------------------------------------
 */

/* A name for humans and for matching: only what may stand in a host name or protocol. */
static void copy_name(char *to, size_t size, struct slice from)
{
    bool clean = from.n < size;
    for (size_t i = 0; i < from.n && clean; i++)
        clean = from.p[i] > ' ' && from.p[i] < 0x7f;
    if (!clean)
        from.n = 0;
    if (from.n)
        memcpy(to, from.p, from.n);
    to[from.n] = 0;
}

static void on_client_hello(struct tls *t, int64_t ts_ns, struct slice body)
{
    struct tls_client_hello hello;
    if (t->greeted) /* the second, after a HelloRetryRequest, has the same random */
        return;
    if (!tls_client_hello_read(body, &hello)) {
        die_both(t, ts_ns, "malformed ClientHello");
        return;
    }
    memcpy(t->client_random, hello.random.p, sizeof t->client_random);
    copy_name(t->info.sni, sizeof t->info.sni, hello.sni);
    copy_name(t->info.alpn, sizeof t->info.alpn, hello.alpn);
    t->greeted = true;
}

static void choose_alpn(struct tls *t, struct slice name)
{
    if (name.n) {
        copy_name(t->info.alpn, sizeof t->info.alpn, name);
        t->info.alpn_chosen = t->info.alpn[0] != 0;
    }
}

static void on_server_hello(struct tls *t, int64_t ts_ns, struct slice body)
{
    struct tls_server_hello hello;
    if (t->suite)
        return;
    if (!tls_server_hello_read(body, &hello)) {
        die_both(t, ts_ns, "malformed ServerHello");
        return;
    }
    t->info.version = hello.version;
    t->info.suite = hello.suite;
    if (hello.retry)
        return;
    const struct tls_suite *suite = tls_suite_find(hello.version, hello.suite);
    if (!t->greeted || !suite) {
        die_both(t, ts_ns,
                 !t->greeted ? "no ClientHello seen"
                 : hello.version == 0x0303 || hello.version == 0x0304
                     ? "cipher suite not supported"
                     : "TLS version not supported");
        return;
    }
    memcpy(t->server_random, hello.random.p, sizeof t->server_random);
    choose_alpn(t, hello.alpn);
    t->encrypt_then_mac = hello.encrypt_then_mac;
    t->suite = suite;
    t->news = true;
    t->info.state = TLS_WAITING;
    for (int d = 0; d < 2 && is_13(t); d++)
        if (t->dir[d].epoch == TLS_CLEAR)
            t->dir[d].epoch = TLS_HANDSHAKE;
}

static void on_key_update(struct tls *t, enum stream_dir d, int64_t ts_ns)
{
    t->info.key_updates++;
    if (tls_key_update(&t->dir[d].traffic) != ST_OK)
        tls_die(t, d, ts_ns, "out of memory");
}

static void on_message(struct tls *t, enum stream_dir d, int64_t ts_ns,
                       unsigned char type, struct slice body)
{
    struct tls_dir *dir = &t->dir[d];
    struct slice alpn;
    if (dir->epoch == TLS_CLEAR && type == MSG_CLIENT_HELLO && d == STREAM_UP) {
        on_client_hello(t, ts_ns, body);
    } else if (dir->epoch == TLS_CLEAR && type == MSG_SERVER_HELLO && d == STREAM_DOWN) {
        on_server_hello(t, ts_ns, body);
    } else if (dir->epoch == TLS_HANDSHAKE && type == MSG_ENCRYPTED_EXTENSIONS) {
        if (tls_encrypted_extensions_read(body, &alpn))
            choose_alpn(t, alpn);
    } else if (dir->epoch == TLS_HANDSHAKE && type == MSG_FINISHED) {
        dir->epoch = TLS_TRAFFIC;
        tls_key_release(&dir->handshake);
    } else if (dir->epoch == TLS_TRAFFIC && is_13(t) && type == MSG_KEY_UPDATE) {
        on_key_update(t, d, ts_ns);
    } else if (dir->epoch == TLS_TRAFFIC && !is_13(t) && type == MSG_CLIENT_HELLO) {
        t->info.renegotiations++;
    }
}

static bool wanted(enum tls_epoch epoch, unsigned char type)
{
    return epoch == TLS_CLEAR ? type == MSG_CLIENT_HELLO || type == MSG_SERVER_HELLO
                              : type == MSG_ENCRYPTED_EXTENSIONS;
}

static void start_message(struct tls_messages *m, enum tls_epoch epoch)
{
    m->left = (uint32_t)m->head[1] << 16 | (uint32_t)m->head[2] << 8 | m->head[3];
    m->keep = wanted(epoch, m->head[0]) && m->left <= MSG_MOST_BYTES;
}

static void messages(struct tls *t, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct tls_messages *m = &t->dir[d].messages;
    while (t->dir[d].epoch != TLS_DEAD) {
        if (m->head_n < sizeof m->head) {
            if (!bytes.n)
                return;
            m->head[m->head_n++] = (unsigned char)bytes.p[0];
            bytes = slice_from(bytes, 1);
            if (m->head_n < sizeof m->head)
                continue;
            start_message(m, t->dir[d].epoch);
        }
        struct slice part = slice_head(bytes, m->left);
        bytes = slice_from(bytes, part.n);
        m->left -= (uint32_t)part.n;
        if (m->keep)
            buf_add(&m->body, part);
        if (m->left)
            return;
        m->head_n = 0;
        if (m->body.st != ST_OK) {
            tls_die(t, d, ts_ns, "out of memory");
            return;
        }
        struct buf body = m->body; /* die, in there, releases what m holds */
        m->body = (struct buf){ 0 };
        on_message(t, d, ts_ns, m->head[0], buf_slice(&body));
        buf_release(&body);
    }
}

/* --- records --------------------------------------------------------------------------
 */

static bool clear_record(struct tls *t, const struct tls_event *ev)
{
    struct tls_dir *dir = &t->dir[ev->d];
    switch (ev->bytes.p[0]) {
    case TYPE_HANDSHAKE:
        messages(t, ev->d, ev->ts_ns, slice_from(ev->bytes, TLS_RECORD_HEAD));
        return true;
    case TYPE_CCS:
        if (t->info.version == 0 && ev->d == STREAM_UP)
            return false; /* of which version, the ServerHello will say */
        if (t->suite && !is_13(t))
            dir->epoch = TLS_TRAFFIC;
        return true;
    case TYPE_DATA:
        if (!t->suite && ev->d == STREAM_UP)
            return false; /* early data */
        if (t->suite && dir->slack) {
            dir->epoch = TLS_TRAFFIC; /* what announced it was lost in a gap */
            return tls_record(t, ev);
        }
        t->info.dark_bytes[ev->d] += ev->bytes.n;
        tls_die(t, ev->d, ev->ts_ns, "begin of the connection not seen");
        return true;
    default:
        return true;
    }
}

/* Hand the content of an opened record on. */
static void content(struct tls *t, const struct tls_event *ev, struct slice plain)
{
    unsigned char type = (unsigned char)ev->bytes.p[0];
    if (is_13(t)) {
        while (plain.n && !plain.p[plain.n - 1])
            plain.n--; /* padding */
        type = plain.n ? (unsigned char)plain.p[--plain.n] : 0;
    }
    if (type == TYPE_DATA && plain.n && t->dir[ev->d].epoch == TLS_TRAFFIC) {
        t->info.plain_bytes[ev->d] += plain.n;
        t->inner.data(t->inner.arg, ev->d, ev->ts_ns, plain);
    } else if (type == TYPE_HANDSHAKE) {
        messages(t, ev->d, ev->ts_ns, plain);
    } else if (type == TYPE_CCS && !is_13(t)) {
        tls_die(t, ev->d, ev->ts_ns, "renegotiated");
    }
}

/* Open with the next sequence number, or one of those after it that a gap allows. */
static bool open_with(struct tls_key *k, unsigned slack, struct slice record,
                      unsigned char *out, size_t *n)
{
    const unsigned char *head = (const unsigned char *)record.p;
    struct slice body = slice_from(record, TLS_RECORD_HEAD);
    for (unsigned i = 0; k->suite && i <= slack; i++) {
        if (tls_key_open(k, k->seq + i, head, body, out, n)) {
            k->seq += i + 1;
            return true;
        }
    }
    return false;
}

bool tls_probe(struct tls *t, const struct tls_event *ev)
{
    unsigned char out[TLS_RECORD_MOST];
    struct tls_dir *dir = &t->dir[ev->d];
    size_t n = 0;
    bool ok = dir->epoch == TLS_HANDSHAKE &&
              open_with(&dir->handshake, dir->slack, ev->bytes, out, &n);
    if (!ok && open_with(&dir->traffic, dir->slack, ev->bytes, out, &n)) {
        ok = true;
        if (dir->epoch == TLS_HANDSHAKE) { /* the Finished was not seen */
            dir->epoch = TLS_TRAFFIC;
            dir->messages.head_n = 0;
            tls_key_release(&dir->handshake);
        }
    }
    if (ok) {
        dir->slack = 0;
        dir->failed = 0;
        content(t, ev, slice_of(out, n));
        explicit_bzero(out, n);
    }
    return ok;
}

/* A record that no key opens: early data, damage, or the secrets do not fit. */
static void unreadable(struct tls *t, const struct tls_event *ev)
{
    struct tls_dir *dir = &t->dir[ev->d];
    bool handshake = dir->epoch == TLS_HANDSHAKE;
    t->info.dark_bytes[ev->d] += ev->bytes.n;
    dir->failed++;
    if (dir->failed > (handshake ? FAILED_HANDSHAKE : FAILED_TRAFFIC))
        tls_die(t, ev->d, ev->ts_ns, "the secrets do not fit");
    else if (!handshake)
        tls_post(t, (struct tls_event){
                        .what = TLS_GAP, .d = ev->d, .ts_ns = ev->ts_ns, .lost = 1 });
    else if (dir->failed == 1 && ev->d == STREAM_UP && dir->handshake.suite)
        tls_post(t,
                 (struct tls_event){ .what = TLS_GAP, .d = ev->d, .ts_ns = ev->ts_ns });
}

/* The dummy of the middlebox mode (RFC 8446, D.4), or an alert before there are keys. */
static bool is_clear_13(const struct tls *t, const struct tls_event *ev)
{
    unsigned char type = (unsigned char)ev->bytes.p[0];
    return type == TYPE_CCS ||
           (t->dir[ev->d].epoch == TLS_HANDSHAKE && type != TYPE_DATA);
}

bool tls_record(struct tls *t, const struct tls_event *ev)
{
    struct tls_dir *dir = &t->dir[ev->d];
    if (dir->epoch == TLS_DEAD) {
        t->info.dark_bytes[ev->d] += ev->bytes.n;
        return true;
    }
    if (dir->epoch == TLS_CLEAR)
        return clear_record(t, ev);
    if (is_13(t) && is_clear_13(t, ev))
        return true;
    if (!tls_keys_ready(t))
        return false;
    if (!tls_probe(t, ev))
        unreadable(t, ev);
    return true;
}
