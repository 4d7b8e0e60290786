/*
 * Our price against the cost that a reply states itself (OpenRouter, Perplexity, xAI),
 * over the recorded exchanges: equal within the rounding of the stated number wherever
 * the book has the model at that date. Prints compared, equal, not in the book.
 */
#include "common/price.h"

#include "testing.h"

#include <zlib.h>

#include "common/json.h"
#include "common/price_book.h"

struct exchange {
    char provider[32], model[128], recorded[40];
    bool call, stated;
    uint64_t v[USAGE_N];
    price_pico cost;
    uint64_t slack; /* half a unit of the last digit stated, in pico-dollars */
};

/* --- the corpus -------------------------------------------------------------------- */

static void keep(char *out, size_t size, struct slice s)
{
    snprintf(out, size, "%.*s", SLICE_FMT(s));
}

/* Half a unit of the last decimal of a number as printed, in pico. */
static uint64_t half_digit(struct slice text)
{
    uint64_t half = 500000000000;
    size_t point = slice_chr(text, '.');
    for (size_t i = point == SIZE_MAX ? text.n : point + 1; i < text.n && half > 0; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return 0; /* an exponent: printed with all its digits */
        half /= 10;
    }
    return half;
}

static void read_number(struct exchange *e, struct slice key, struct slice text)
{
    static const struct {
        const char *key;
        unsigned field;
    } counts[] = {
        { "input_uncached", USAGE_input },
        { "cache_read", USAGE_cache_read },
        { "cache_write", USAGE_cache_write },
        { "output", USAGE_output },
        { "reasoning", USAGE_reasoning },
        { "output_image_tokens", USAGE_image_out },
        { "web_search_requests", USAGE_web_searches },
        { "search_units", USAGE_search_units },
    };
    uint64_t n;
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        if (slice_eq(key, slice_str(counts[i].key)) && json_count(text, &n))
            e->v[counts[i].field] = n;
    if (slice_eq(key, SLICE("cost_usd")) && json_decimal(text, 12, &n)) {
        e->cost = n;
        e->slack = half_digit(text);
        e->stated = true;
    } else if (slice_eq(key, SLICE("cost_usd_ticks")) && json_count(text, &n)) {
        e->cost = (price_pico)n * 100; /* a tick is 1e-10 $ */
        e->stated = true;
    }
}

/* Scalars of the outer object and of `units`; the rest is passed over. */
static void read_line(struct slice line, struct exchange *e)
{
    struct json j;
    struct slice text;
    char key[64] = "";
    json_init(&j, JSON_ONE);
    json_feed(&j, line);
    for (enum json_type t; (t = json_next(&j, &text)) > JSON_BAD;) {
        struct slice k = slice_str(key);
        if (t == JSON_KEY)
            keep(key, sizeof key, text);
        else if ((t == JSON_OBJECT && json_depth(&j) > 1 &&
                  !slice_eq(k, SLICE("units"))) ||
                 t == JSON_ARRAY)
            json_skip(&j);
        else if (t == JSON_NUMBER)
            read_number(e, k, text);
        else if (t == JSON_STRING && slice_eq(k, SLICE("provider")))
            keep(e->provider, sizeof e->provider, text);
        else if (t == JSON_STRING && slice_eq(k, SLICE("model")))
            keep(e->model, sizeof e->model, text);
        else if (t == JSON_STRING && slice_eq(k, SLICE("recorded_at")))
            keep(e->recorded, sizeof e->recorded, text);
        else if (t == JSON_STRING && slice_eq(k, SLICE("accounting")))
            e->call = slice_eq(text, SLICE("call"));
    }
}

/* A line of a (gzipped or plain) file into `line`; false at the end. */
static bool next_line(gzFile f, struct buf *line)
{
    buf_reset(line);
    do {
        char *room = buf_room(line, 1 << 16);
        if (!room || !gzgets(f, room, 1 << 16))
            return line->n > 0;
        line->n += strlen(room);
    } while (line->p[line->n - 1] != '\n');
    return true;
}

/* "Mon, 08 Jun 2026 18:50:54 GMT" -> Unix seconds; 0 when it was not recorded. */
static int64_t recorded_day(const char *s)
{
    struct tm tm = { 0 };
    return strptime(s, "%a, %d %b %Y %H:%M:%S", &tm) ? timegm(&tm) : 0;
}

/* --- comparing --------------------------------------------------------------------- */

enum verdict { EQUAL, DIFFERENT, NOT_IN_BOOK };

static enum verdict compare_at(const struct price_book *b, const struct exchange *e,
                               int64_t day, price_pico *ours)
{
    uint64_t input = e->v[USAGE_input] + e->v[USAGE_cache_read] + e->v[USAGE_cache_write];
    struct price_query q = { .provider = slice_str(e->provider),
                             .model = slice_str(e->model),
                             .day = day,
                             .context = usage_context(input) };
    struct price_cost c = price_usage(b, &q, 1, e->v);
    if (!c.priced || c.unpriced)
        return NOT_IN_BOOK;
    price_pico apart = c.pico > e->cost ? c.pico - e->cost : e->cost - c.pico;
    *ours = c.pico;
    /* besides: prices such as 1/12 $ end after six digits, 2 millionths of the cost */
    return apart <= e->slack + e->cost / 500000 ? EQUAL : DIFFERENT;
}

/* At its day; where the recorder kept none, at the day of any row of the model. */
static enum verdict compare(const struct price_book *b, const struct exchange *e,
                            price_pico *ours)
{
    const struct price_tables *t = price_book_prices(b);
    int64_t day = recorded_day(e->recorded);
    if (day)
        return compare_at(b, e, day, ours);
    enum verdict best = NOT_IN_BOOK;
    for (uint32_t i = 0; i < t->n_rows && best != EQUAL; i++) {
        price_pico cost = 0;
        enum verdict v = compare_at(b, e, (int64_t)t->row[i].day * 86400, &cost);
        if (v == EQUAL || (v == DIFFERENT && best == NOT_IN_BOOK)) {
            best = v;
            *ours = cost;
        }
    }
    return best;
}

static bool states_cost(const struct exchange *e)
{
    return e->call && e->stated &&
           (strcmp(e->provider, "openrouter") == 0 ||
            strcmp(e->provider, "perplexity") == 0 || strcmp(e->provider, "xai") == 0);
}

static void stated_costs_are_ours(void **state)
{
    (void)state;
    static const char *const names[] = { "equal", "DIFFERENT", "not in book" };
    char truth_path[512], exchange_path[512];
    if (!corpus_path("exchanges/dev.truth.jsonl", truth_path, sizeof truth_path) ||
        !corpus_path("exchanges/dev.jsonl.gz", exchange_path, sizeof exchange_path))
        skip();
    unsigned count[3] = { 0 };
    struct buf line = { 0 }, text = { 0 }, why = { 0 };
    struct price_book *b;
    assert_int_equal(price_book_open(NULL, NULL, &b, &why), ST_OK);
    gzFile truth = gzopen(truth_path, "rb"), exchanges = gzopen(exchange_path, "rb");
    while (next_line(truth, &line)) {
        struct exchange e = { .call = false }, whole = { .call = false };
        price_pico ours = 0;
        read_line(buf_slice(&line), &e);
        assert_true(next_line(exchanges, &line)); /* same ids, same order */
        read_line(buf_slice(&line), &whole);
        if (!states_cost(&e))
            continue;
        memcpy(e.recorded, whole.recorded, sizeof e.recorded);
        enum verdict v = compare(b, &e, &ours);
        count[v]++;
        buf_reset(&text);
        price_format(e.cost, 10, &text);
        buf_adds(&text, "  ");
        price_format(ours, 10, &text);
        printf("%-10s %-42s %s  %s\n", e.provider, e.model, buf_cstr(&text), names[v]);
    }
    printf("stated costs: %u compared, %u equal, %u different, %u not in book\n",
           count[EQUAL] + count[DIFFERENT], count[EQUAL], count[DIFFERENT],
           count[NOT_IN_BOOK]);
    assert_int_equal(count[DIFFERENT], 0);
    assert_true(count[EQUAL] > count[NOT_IN_BOOK]);
    gzclose(truth);
    gzclose(exchanges);
    buf_release(&line);
    buf_release(&text);
    buf_release(&why);
    price_book_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(stated_costs_are_ours) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
