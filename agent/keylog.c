/* NSS key log format: see keylog.h. */
#include "agent/keylog.h"

static const struct {
    struct slice label;
    enum secret_kind kind;
} labels[] = {
    { { "CLIENT_HANDSHAKE_TRAFFIC_SECRET", 31 }, SECRET_CLIENT_HANDSHAKE },
    { { "CLIENT_RANDOM", 13 }, SECRET_MASTER },
    { { "CLIENT_TRAFFIC_SECRET_0", 23 }, SECRET_CLIENT_TRAFFIC },
    { { "SERVER_HANDSHAKE_TRAFFIC_SECRET", 31 }, SECRET_SERVER_HANDSHAKE },
    { { "SERVER_TRAFFIC_SECRET_0", 23 }, SECRET_SERVER_TRAFFIC },
};

void keylog_init(struct keylog *k, struct secrets *into)
{
    memset(k, 0, sizeof *k);
    k->into = into;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* All of `hex`, an even number of digits, into `out`; false on anything else. */
static bool unhex(struct slice hex, char *out, size_t size)
{
    if (hex.n % 2 || hex.n / 2 > size)
        return false;
    for (size_t i = 0; i < hex.n; i += 2) {
        int high = digit(hex.p[i]), low = digit(hex.p[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (char)(high * 16 + low);
    }
    return true;
}

static bool length_fits(enum secret_kind kind, size_t n)
{
    return kind == SECRET_MASTER ? n == 48 : n == 32 || n == 48;
}

/* A label as the format writes it; whether we know it or not. */
static bool is_label(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return s.n > 0;
}

static void read_line(struct keylog *k, struct slice line)
{
    line = slice_trim(line);
    if (!line.n || line.p[0] == '#') {
        k->ignored++;
        return;
    }
    struct slice label, random, secret, rest;
    bool fields = slice_cut(line, ' ', &label, &rest);
    fields = slice_cut(rest, ' ', &random, &secret) && fields;
    if (!fields || !is_label(label)) {
        k->bad++;
        return;
    }
    size_t i = 0, n = sizeof labels / sizeof *labels;
    while (i < n && !slice_eq(labels[i].label, label))
        i++;
    if (i == n) {
        k->ignored++;
        return;
    }
    char id[SECRET_RANDOM_BYTES], key[SECRET_MOST_BYTES];
    if (random.n != 2 * sizeof id || !unhex(random, id, sizeof id) ||
        !unhex(secret, key, sizeof key) || !length_fits(labels[i].kind, secret.n / 2))
        k->bad++;
    else if (secrets_put(k->into, slice_of(id, sizeof id), labels[i].kind,
                         slice_of(key, secret.n / 2)) == ST_OK)
        k->secrets++;
    else
        k->lost++;
    explicit_bzero(key, sizeof key);
}

/* The line that has been gathered ends here. */
static void end_line(struct keylog *k)
{
    if (k->overlong)
        k->bad++;
    else
        read_line(k, slice_of(k->line, k->n));
    explicit_bzero(k->line, k->n);
    k->n = 0;
    k->overlong = false;
}

void keylog_feed(struct keylog *k, struct slice bytes)
{
    while (bytes.n) {
        struct slice part;
        bool ends = slice_cut(bytes, '\n', &part, &bytes);
        if (part.n > sizeof k->line - k->n)
            k->overlong = true;
        if (!k->overlong && part.n) {
            memcpy(k->line + k->n, part.p, part.n);
            k->n += part.n;
        }
        if (ends)
            end_line(k);
    }
}

void keylog_finish(struct keylog *k)
{
    if (k->n || k->overlong)
        end_line(k);
}
