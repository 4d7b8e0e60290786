/* Batches of NDJSON: header line, then rollup rows. See ingest.h. */
#include "collector/ingest.h"

#include "common/json.h"

#include <stdlib.h>

void ingest_init(struct ingest *in, uint64_t bytes, size_t rows_max)
{
    *in = (struct ingest){ .rows_max = rows_max };
    in->partial.limit = INGEST_LINE_MAX;
    in->why.limit = 1024;
    arena_init(&in->arena, (size_t)bytes + 65536);
}

void ingest_release(struct ingest *in)
{
    for (size_t i = 0; i < in->rows; i++)
        rollup_release(&in->row[i].total);
    free(in->row);
    arena_release(&in->arena);
    buf_release(&in->partial);
    buf_release(&in->why);
}

const char *ingest_why(struct ingest *in)
{
    return buf_cstr(&in->why);
}

static enum status fail(struct ingest *in, enum status st, const char *why)
{
    if (in->st == ST_OK) {
        in->st = st;
        buf_adds(&in->why, why);
    }
    return in->st;
}

/* --- health ---------------------------------------------------------------------------
 */

enum { HEALTH_KEYS_MAX = 128 };

static bool plain_key(struct slice k)
{
    for (size_t i = 0; i < k.n; i++) {
        char c = k.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return k.n > 0 && k.n <= 64;
}

/*
 * Copy an object of counts, objects of counts inside allowed once; anything else is
 * passed over and counted. So a health report carries numbers only, whatever was sent.
 */
static enum status copy_health(struct ingest *in, struct json *j, struct json_out *out,
                               int *keys, int level)
{
    struct slice key, text;
    enum json_type t;
    json_open(out, '{');
    while ((t = json_next(j, &key)) == JSON_KEY) {
        char name[65];
        bool plain = plain_key(key) && ++*keys <= HEALTH_KEYS_MAX;
        if (!plain) {
            in->unknown++;
            json_skip(j);
            continue;
        }
        memcpy(name, key.p, key.n);
        name[key.n] = '\0';
        uint64_t v;
        t = json_next(j, &text);
        if (t == JSON_NUMBER && slice_u64(text, &v)) {
            json_key(out, name);
            json_u64(out, v);
        } else if (t == JSON_OBJECT && level == 0) {
            json_key(out, name);
            if (copy_health(in, j, out, keys, level + 1) != ST_OK)
                return in->st;
        } else {
            in->unknown++;
            if (t == JSON_OBJECT || t == JSON_ARRAY)
                json_skip(j);
        }
    }
    json_close(out, '}');
    return t == JSON_OBJECT_END ? ST_OK : fail(in, ST_BAD, "health: malformed");
}

static enum status read_health(struct ingest *in, struct json *j)
{
    struct slice text;
    struct buf b = { .limit = 16384 };
    struct json_out out = { .b = &b };
    int keys = 0;
    if (json_next(j, &text) != JSON_OBJECT)
        return fail(in, ST_BAD, "health is not an object");
    enum status st = copy_health(in, j, &out, &keys, 0);
    if (st == ST_OK && b.st == ST_OK) {
        in->agent.health = arena_dup(&in->arena, buf_slice(&b));
        if (!in->agent.health.p)
            st = fail(in, ST_LIMIT, "the batch is too large");
    }
    buf_release(&b);
    return st;
}

/* --- header ---------------------------------------------------------------------------
 */

enum header_key {
    H_SCHEMA,
    H_AGENT,
    H_EPOCH,
    H_SEQ,
    H_NOW,
    H_VERSION,
    H_ROWS,
    H_HEALTH,
    H_N
};

static const char *const header_keys[H_N] = { "schema", "agent",   "epoch", "seq",
                                              "now",    "version", "rows",  "health" };

/* Names stand in logs, metrics and globs of tokens: plain ASCII without blanks, commas,
 * quotes and stars. */
static bool plain_name(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && (c == '\0' || !strchr("._:@/+-~", c)))
            return false;
    }
    return s.n > 0;
}

static enum status read_name(struct ingest *in, struct json *j, size_t most,
                             struct slice *out)
{
    struct slice text;
    if (json_next(j, &text) != JSON_STRING || j->truncated || text.n > most ||
        !plain_name(text))
        return fail(in, ST_BAD,
                    "agent and version are short names of letters, digits and ._:@/+-~");
    *out = arena_dup(&in->arena, text);
    return out->p ? ST_OK : fail(in, ST_LIMIT, "the batch is too large");
}

static enum status read_count(struct ingest *in, struct json *j, uint64_t *out)
{
    struct slice text;
    if (json_next(j, &text) != JSON_NUMBER || !slice_u64(text, out) || *out > INT64_MAX)
        return fail(in, ST_BAD, "schema, epoch, seq, now and rows are integers");
    return ST_OK;
}

static enum status read_header_value(struct ingest *in, struct json *j, enum header_key k)
{
    uint64_t v = 0;
    if (k == H_AGENT)
        return read_name(in, j, ROLLUP_NAME_MAX, &in->agent.name);
    if (k == H_VERSION)
        return read_name(in, j, 64, &in->agent.version);
    if (k == H_HEALTH)
        return read_health(in, j);
    enum status st = read_count(in, j, &v);
    if (k == H_SCHEMA && st == ST_OK && v != INGEST_SCHEMA)
        return fail(in, ST_BAD, "schema: this collector reads schema 1");
    if (k == H_EPOCH)
        in->agent.epoch = v;
    else if (k == H_SEQ)
        in->agent.seq = v;
    else if (k == H_NOW)
        in->agent.clock_ms = (int64_t)v;
    else if (k == H_ROWS)
        in->rows_declared = v;
    return st;
}

static enum header_key find_key(struct slice key)
{
    enum header_key k = 0;
    while (k < H_N && !slice_eq(key, slice_str(header_keys[k])))
        k++;
    return k;
}

static enum status read_header(struct ingest *in, struct slice line)
{
    struct json j;
    struct slice key;
    enum json_type t;
    unsigned have = 0;
    json_init(&j, JSON_ONE);
    json_feed(&j, line);
    json_finish(&j);
    if (json_next(&j, &key) != JSON_OBJECT)
        return fail(in, ST_BAD, "the first line is not a batch header (a JSON object)");
    while ((t = json_next(&j, &key)) == JSON_KEY) {
        enum header_key k = j.truncated ? H_N : find_key(key);
        if (k == H_N) {
            in->unknown++;
            json_skip(&j);
            continue;
        }
        if (have >> k & 1)
            return fail(in, ST_BAD, "a key stands twice in the header");
        have |= 1u << k;
        if (read_header_value(in, &j, k) != ST_OK)
            return in->st;
    }
    if (t != JSON_OBJECT_END || json_next(&j, &key) != JSON_END)
        return fail(in, ST_BAD, json_why(&j));
    if (!(have >> H_SCHEMA & 1) || !(have >> H_EPOCH & 1) || in->agent.name.n == 0)
        return fail(in, ST_BAD, "the header lacks schema, agent or epoch");
    in->have_header = true;
    in->have_rows = have >> H_ROWS & 1;
    return ST_OK;
}

/* --- rows -----------------------------------------------------------------------------
 */

static struct rollup_row *next_row(struct ingest *in)
{
    if (in->rows >= in->rows_max)
        return NULL;
    if (in->rows == in->cap) {
        size_t cap = in->cap ? in->cap * 2 : 32;
        struct rollup_row *row = realloc(in->row, cap * sizeof *row);
        if (!row)
            return NULL;
        in->row = row;
        in->cap = cap;
    }
    return &in->row[in->rows];
}

static enum status read_row(struct ingest *in, struct slice line)
{
    const char *why = "";
    struct rollup_row *row = next_row(in);
    struct slice kept = row ? arena_dup(&in->arena, line) : (struct slice){ 0 };
    if (!kept.p)
        return fail(in, ST_LIMIT, "too many rows, or too much text, for one batch");
    enum status st = rollup_decode(kept, &in->arena, row, &in->unknown, &why);
    in->rows++; /* its sketches are released with the others */
    if (st != ST_OK)
        return fail(in, st == ST_BAD ? ST_BAD : ST_LIMIT,
                    st == ST_BAD ? why : "too large");
    in->bins += (size_t)row->total.duration.bins + row->total.ttft.bins;
    if (in->bins > INGEST_BINS_MAX)
        return fail(in, ST_LIMIT, "too many duration buckets for one batch");
    return ST_OK;
}

static void read_line(struct ingest *in, struct slice line)
{
    in->line++;
    line = slice_trim(line);
    if (line.n == 0)
        return;
    if (!in->have_header)
        read_header(in, line);
    else
        read_row(in, line);
}

enum status ingest_feed(struct ingest *in, struct slice piece)
{
    while (in->st == ST_OK && piece.n) {
        struct slice line;
        bool whole = slice_cut(piece, '\n', &line, &piece);
        if (in->partial.n || !whole) {
            buf_add(&in->partial, line);
            line = buf_slice(&in->partial);
        }
        if (in->partial.st != ST_OK || line.n > INGEST_LINE_MAX) {
            in->line++;
            return fail(in, ST_LIMIT, "a line is over 64 KiB");
        }
        if (whole) {
            read_line(in, line);
            buf_reset(&in->partial);
        }
    }
    return in->st;
}

enum status ingest_finish(struct ingest *in)
{
    if (in->st == ST_OK && in->partial.n) {
        read_line(in, buf_slice(&in->partial));
        buf_reset(&in->partial);
    }
    if (in->st == ST_OK && !in->have_header) {
        in->line = in->line ? in->line : 1;
        return fail(in, ST_BAD, "the batch is empty");
    }
    if (in->st == ST_OK && in->have_rows && in->rows_declared != in->rows)
        return fail(in, ST_BAD, "the header announces another number of rows");
    return in->st;
}
