/*
 * The world around a spool, for its tests: a log of numbered calls whose truth is known,
 * an agent that folds them, and a collector that keeps the highest ver of each row.
 */
#ifndef BREAKEVEN_TESTS_SPOOL_WORLD_H
#define BREAKEVEN_TESTS_SPOOL_WORLD_H

#include "agent/spool.h"
#include "common/arena.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORLD_SERIES = 5, WORLD_HOURS = 64, WORLD_ROWS = 4096 };
static const int64_t world_hour0 = 1795420800;

struct world_row {
    unsigned hour, series;
    uint64_t epoch, ver, calls, input;
};

struct world {
    uint64_t calls[WORLD_HOURS][WORLD_SERIES], input[WORLD_HOURS][WORLD_SERIES];
    struct world_row row[WORLD_ROWS]; /* the collector's */
    size_t rows;
};

static inline uint64_t world_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static inline struct rollup_key world_key(unsigned hour, unsigned series)
{
    static const char *const models[WORLD_SERIES] = { "gpt-x", "claude-y", "gemini-z",
                                                      "names \"with\" \\ and \xc3\xa9",
                                                      "" };
    struct rollup_key k = { .hour = world_hour0 + (int64_t)hour * ROLLUP_HOUR_S };
    k.name[ROLLUP_provider] = SLICE("openai");
    k.name[ROLLUP_model] = slice_str(models[series]);
    return k;
}

/* Add one call of `input` tokens to an open transaction. */
static inline enum status world_add(struct spool *s, unsigned hour, unsigned series,
                                    uint64_t input)
{
    struct rollup_key k = world_key(hour, series);
    struct rollup delta = { 0 };
    struct usage u;
    usage_init(&u);
    u.accounting = ACCOUNTING_CALL;
    u.ts_ns = (k.hour + (int64_t)(input % 3600)) * 1000000000;
    u.total_us = (int64_t)input * 1000;
    usage_set(&u, USAGE_input, input);
    enum status st = rollup_add(&delta, &u);
    if (st == ST_OK)
        st = spool_add(s, &k, &delta);
    rollup_release(&delta);
    return st;
}

static inline void world_truth(struct world *w, unsigned hour, unsigned series,
                               uint64_t input)
{
    w->calls[hour][series]++;
    w->input[hour][series] += input;
}

/* The collector takes one line. False: it is not a row of this world. */
static inline bool world_take(struct world *w, struct slice line)
{
    struct rollup_row r = { 0 };
    struct arena names;
    uint64_t unknown = 0;
    const char *why = "";
    bool ok = false;
    arena_init(&names, 65536);
    if (rollup_decode(line, &names, &r, &unknown, &why) != ST_OK) {
        fprintf(stderr, "bad row: %s: %.*s\n", why, SLICE_FMT(line));
        goto out;
    }
    struct world_row in = { .hour =
                                (unsigned)((r.key.hour - world_hour0) / ROLLUP_HOUR_S),
                            .series = WORLD_SERIES,
                            .epoch = r.epoch,
                            .ver = r.ver,
                            .calls = r.total.calls,
                            .input = r.total.v[USAGE_input] };
    for (unsigned i = 0; i < WORLD_SERIES; i++) {
        struct rollup_key k = world_key(in.hour, i);
        if (rollup_key_eq(&k, &r.key))
            in.series = i;
    }
    if (in.hour >= WORLD_HOURS || in.series == WORLD_SERIES)
        goto out;
    ok = true;
    for (size_t i = 0; i < w->rows; i++) {
        struct world_row *have = &w->row[i];
        if (have->hour != in.hour || have->series != in.series || have->epoch != in.epoch)
            continue;
        if (in.ver > have->ver)
            *have = in;
        goto out;
    }
    ok = w->rows < WORLD_ROWS;
    if (ok)
        w->row[w->rows++] = in;
out:
    rollup_release(&r.total);
    arena_release(&names);
    return ok;
}

static inline bool world_take_all(struct world *w, struct slice ndjson)
{
    struct slice line;
    bool ok = true;
    while (ndjson.n && ok) {
        slice_cut(ndjson, '\n', &line, &ndjson);
        ok = world_take(w, line);
    }
    return ok;
}

/* Ship until nothing waits. */
static inline bool world_drain(struct world *w, struct spool *s)
{
    struct buf lines = { 0 };
    struct spool_batch b;
    enum status st;
    bool ok = true;
    while (ok && (st = spool_next_batch(s, 7, 100000, &lines, &b)) == ST_OK) {
        ok = world_take_all(w, buf_slice(&lines)) && spool_ack(s, &b) == ST_OK;
        buf_reset(&lines);
    }
    buf_release(&lines);
    return ok && st == ST_END;
}

/* Does what the collector has, summed over epochs, equal the truth? Says where not. */
static inline bool world_agrees(const struct world *w)
{
    bool ok = true;
    for (unsigned h = 0; h < WORLD_HOURS; h++) {
        for (unsigned s = 0; s < WORLD_SERIES; s++) {
            uint64_t calls = 0, input = 0;
            for (size_t i = 0; i < w->rows; i++) {
                if (w->row[i].hour == h && w->row[i].series == s) {
                    calls += w->row[i].calls;
                    input += w->row[i].input;
                }
            }
            if (calls != w->calls[h][s] || input != w->input[h][s]) {
                fprintf(stderr, "hour %u series %u: %llu calls, truth %llu\n", h, s,
                        (unsigned long long)calls, (unsigned long long)w->calls[h][s]);
                ok = false;
            }
        }
    }
    return ok;
}

#endif
