/* Mail about alerts: RFC 5322 headers and a plain text. See notify.h. Pure. */
#include "collector/notify.h"

#include "common/instant.h"

#include <stdio.h>
#include <time.h>

enum {
    WORD_BYTES = 39, /* of text in an encoded word: lines stay below 76 characters */
    LINE_BYTES = 57  /* of text in a line of base64: 76 characters */
};

static bool plain(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e)
            return false;
    return s.n < 70 && slice_find(s, SLICE("=?")) == SIZE_MAX;
}

static void base64(struct slice s, struct buf *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.n; i += 3) {
        unsigned v = (unsigned)(unsigned char)s.p[i] << 16;
        v |= i + 1 < s.n ? (unsigned)(unsigned char)s.p[i + 1] << 8 : 0;
        v |= i + 2 < s.n ? (unsigned)(unsigned char)s.p[i + 2] : 0;
        buf_addc(out, digits[v >> 18]);
        buf_addc(out, digits[v >> 12 & 63]);
        buf_addc(out, i + 1 < s.n ? digits[v >> 6 & 63] : '=');
        buf_addc(out, i + 2 < s.n ? digits[v & 63] : '=');
    }
}

/* One encoded word of up to WORD_BYTES of s, whole characters; RFC 2047, "B". */
static size_t encoded_word(struct slice s, struct buf *out)
{
    size_t n = 0;
    while (n < s.n) {
        size_t c = slice_utf8(slice_from(s, n));
        if (n + (c ? c : 1) > WORD_BYTES)
            break;
        n += c ? c : 1;
    }
    buf_adds(out, "=?utf-8?B?");
    base64(slice_head(s, n), out);
    buf_adds(out, "?=");
    return n;
}

static void put_subject(const struct notify_message *m, struct buf *out)
{
    struct buf title = { 0 };
    buf_adds(&title, "[breakeven] ");
    notify_title(m, &title);
    struct slice rest = buf_slice(&title);
    buf_adds(out, "Subject: ");
    if (plain(rest)) {
        buf_add(out, rest);
    } else {
        while (rest.n) {
            rest = slice_from(rest, encoded_word(rest, out));
            if (rest.n)
                buf_adds(out, "\r\n "); /* folded: still the same field */
        }
    }
    buf_adds(out, "\r\n");
    buf_release(&title);
}

static void put_date(int64_t now_ms, struct buf *out)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct tm tm;
    time_t s = (time_t)(now_ms / 1000);
    gmtime_r(&s, &tm);
    buf_addf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday],
             tm.tm_mday, months[tm.tm_mon], 1900 + tm.tm_year, tm.tm_hour, tm.tm_min,
             tm.tm_sec);
}

/* The part of an address behind its @, without what may not stand in a header. */
static struct slice domain_of(const char *address)
{
    struct slice local, domain;
    if (!slice_cut(slice_str(address), '@', &local, &domain))
        return SLICE("breakeven.invalid");
    size_t n = 0;
    while (n < domain.n && (unsigned char)domain.p[n] > 0x20 && domain.p[n] != '>' &&
           (unsigned char)domain.p[n] < 0x7f)
        n++;
    return n ? slice_head(domain, n) : SLICE("breakeven.invalid");
}

/* The same for every try of one change: a mail that was taken twice can be told by it. */
static void put_id(const struct notify_message *m, const char *from, struct buf *out)
{
    char id[17];
    notify_fingerprint(m->rule, m->at[0], id);
    const struct alert *a = &m->at[0]->a;
    buf_addf(out, "Message-ID: <%s.%lld.%s@%.*s>\r\n", id,
             (long long)(m->firing ? a->fired_ms : a->since_ms), m->firing ? "f" : "r",
             SLICE_FMT(domain_of(from)));
}

static void text_line(struct buf *out, struct slice s)
{
    buf_add(out, s);
    buf_adds(out, "\r\n");
}

static void put_text(const struct notify_message *m, struct buf *out)
{
    struct buf link = { 0 };
    buf_addf(out, "%s: %s (%s)\r\n\r\n", m->firing ? "Firing" : "Resolved", m->rule,
             m->severity);
    for (size_t i = 0; i < m->n; i++) {
        const struct alert_entry *e = m->at[i];
        struct buf when = { 0 };
        buf_adds(out, "- ");
        text_line(out, e->summary);
        instant_format((m->firing ? e->a.fired_ms : e->a.since_ms) * 1000000, &when);
        buf_addf(out, "  since %.*s UTC\r\n",
                 SLICE_FMT(slice_head(buf_slice(&when), 19)));
        for (size_t v = 0; v < e->values && m->n == 1; v++)
            buf_addf(out, "  %s: %.10g\r\n", e->value[v].name, e->value[v].value);
        buf_release(&when);
    }
    if (m->more)
        buf_addf(out, "- and %zu more\r\n", m->more);
    if (!m->firing && m->still)
        buf_addf(out, "\r\n%zu more of %s still firing.\r\n", m->still, m->rule);
    notify_link(m, &link);
    if (link.n) {
        buf_adds(out, "\r\n");
        text_line(out, buf_slice(&link));
    }
    buf_release(&link);
}

void notify_mail(const struct notify_message *m, const char *from,
                 const struct yaml_strings *to, struct buf *out)
{
    struct buf text = { 0 };
    buf_addf(out, "From: Breakeven <%s>\r\nTo: ", from);
    for (size_t i = 0; i < to->n; i++)
        buf_addf(out, "%s<%s>", i ? ",\r\n " : "", to->at[i]);
    buf_adds(out, "\r\n");
    put_subject(m, out);
    put_date(m->now_ms, out);
    put_id(m, from, out);
    buf_adds(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                  "Content-Type: text/plain; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: base64\r\n");
    put_text(m, &text);
    for (size_t at = 0; at < text.n; at += LINE_BYTES) {
        buf_adds(out, "\r\n");
        base64(slice_head(slice_from(buf_slice(&text), at), LINE_BYTES), out);
    }
    buf_adds(out, "\r\n");
    if (text.st != ST_OK)
        out->st = text.st;
    buf_release(&text);
}
