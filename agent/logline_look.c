/* Which format is it? See logline.h and logline_private.h. */
#include "agent/logline_private.h"

#include "common/json.h"

enum { CONSOLE_LOOK = 64 << 10 /* bytes of a file in which a console shows */ };

static const struct {
    struct slice magic;
    const char *what;
} magics[] = {
#define M(magic, what)                                                                   \
    {                                                                                    \
        { magic, sizeof(magic) - 1 }, what                                               \
    }
    M("\x1f\x8b", "gzip data"),
    M("\x28\xb5\x2f\xfd", "zstd data"),
    M("BZh", "bzip2 data"),
    M("\xfd"
      "7zXZ",
      "xz data"),
    M("PK\x03\x04", "zip data"),
    M("SQLite format 3", "an SQLite database"),
    M("\x7f"
      "ELF",
      "a program"),
    M("\xff\xfe", "UTF-16 text"),
    M("\xfe\xff", "UTF-16 text"),
    M("\xd4\xc3\xb2\xa1", "a packet capture"),
    M("\x4d\x3c\xb2\xa1", "a packet capture"),
    M("\x0a\x0d\x0d\x0a", "a packet capture"),
#undef M
};

static const char *not_text(struct slice block)
{
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (slice_starts(block, magics[i].magic))
            return magics[i].what;
    while (block.n && block.p[0] == '\0') /* the hole that copytruncate leaves */
        block = slice_from(block, 1);
    struct slice look = slice_head(block, 8192);
    size_t odd = 0;
    for (size_t i = 0; i < look.n; i++) {
        unsigned char c = (unsigned char)look.p[i];
        odd += c < 32 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 27;
    }
    return odd > look.n / 16 ? "binary data" : NULL;
}

/* The format of one line of the first block: what wraps it, and what is inside. */
static void look_at(struct logline *l, struct slice line)
{
    struct unwrapped u = { .text = line };
    if (unwrap_cri(line, &u))
        logline_set_format(l, LOGFORMAT_cri);
    else if (unwrap_docker(line, &u))
        logline_set_format(l, LOGFORMAT_docker);
    else if (journal_begins(line) || logcsv_detect(line)) {
        logline_set_format(l, journal_begins(line) ? LOGFORMAT_journal : LOGFORMAT_csv);
        return;
    } else
        u = (struct unwrapped){ .text = line };
    if (u.escaped) {
        buf_reset(&l->scratch);
        json_unescape(u.text, &l->scratch);
        u.text = buf_slice(&l->scratch);
    }
    enum logformat found = logparse_detect(u.text);
    if (found != LOGFORMAT_auto && !l->rule)
        logline_set_format(l, found);
}

enum lines_need logline_sniff(struct logline *l, struct slice block, const char **reason)
{
    struct slice line, rest = logline_unmarked(block);
    *reason = not_text(block);
    if (l->configured != LOGFORMAT_auto || *reason)
        return logline_need(l);
    for (unsigned looks = 0; looks < 4 && rest.n; looks++) {
        bool whole = slice_cut(rest, '\n', &line, &rest);
        look_at(l, slice_trim(line));
        if (!whole)
            break;
    }
    if (l->format == LOGFORMAT_otlp)
        log_otlp_peek(&l->otlp, block);
    bool text = l->wrap != LOGFORMAT_auto || !slice_starts(block, SLICE("{"));
    if (text && l->format == LOGFORMAT_auto && !l->rule &&
        log_console_detect(slice_head(block, CONSOLE_LOOK)))
        l->format = LOGFORMAT_console;
    return logline_need(l);
}

enum lines_need logline_need(const struct logline *l)
{
    if (l->wrap != LOGFORMAT_auto || logline_reads_all(l))
        return LINES_ALL;
    return l->stream[0].join.at.depth ? LINES_NEXT : LINES_USAGE;
}

enum logformat logline_look(struct slice text)
{
    enum logformat found = logparse_detect(text);
    if (found != LOGFORMAT_auto)
        return found;
    bool session = slice_find(text, SLICE("\"sessionId\":\"")) != SIZE_MAX &&
                   slice_find(text, SLICE("\"parentUuid\":")) != SIZE_MAX;
    return session ? LOGFORMAT_claude_code : LOGFORMAT_json;
}
