/* Blocks are counted back from the last day, so the newest one is always whole. */
#include "collector/projection/outlook.h"

#include <math.h>

#include "collector/projection/series.h"
#include "collector/projection/stats.h"

/* Total of the block that ends before day `end`: missing days as the mean of the known
 * ones, or NAN when fewer than half are known. */
static double block_total(const double *day, int end, int block)
{
    double sum = 0;
    int known = 0;

    for (int d = end - block; d < end; d++) {
        if (isnan(day[d]))
            continue;
        sum += day[d];
        known++;
    }
    return 2 * known >= block ? sum * block / known : NAN;
}

/* Day-of-week shares of the last 8 weeks, cumulated: a block starts after the last day.
 */
static void week_shape(const double *day, int n, double shape[8])
{
    double sum[7] = { 0 }, total = 0;
    int count[7] = { 0 };

    for (int d = n > 56 ? n - 56 : 0; d < n; d++) {
        if (isnan(day[d]))
            continue;
        sum[(d - n % 7 + 7) % 7] += day[d];
        count[(d - n % 7 + 7) % 7]++;
    }
    for (int i = 0; i < 7; i++)
        total += count[i] ? sum[i] / count[i] : 0;
    shape[0] = 0;
    for (int i = 0; i < 7; i++)
        shape[i + 1] =
            shape[i] + (total > 0 && count[i] ? sum[i] / count[i] / total : 1.0 / 7);
    for (int i = 1; i <= 7; i++)
        shape[i] /= shape[7];
}

/*
 * Under 90 days: the mean of the last four weeks, flat. What a young service does next is
 * not in its history, so the spread is pooled: a week-to-week deviation of at least .1 in
 * logs, and a drift of unknown sign of 1.5 % a week. docs/projection.md, "Short history".
 */
static enum status young(const double *week, int n, int h, struct arena *a,
                         struct forecast *f)
{
    double sum = 0, square = 0;
    int k = n < 4 ? n : 4, pairs = 0;

    *f = (struct forecast){ .h = h, .n = n, .error_logs = true };
    f->point = arena_alloc(a, (size_t)h * sizeof *f->point);
    f->sigma = arena_alloc(a, (size_t)h * sizeof *f->sigma);
    f->factor = arena_alloc(a, (size_t)h * sizeof *f->factor);
    f->psi = arena_alloc(a, (size_t)h * sizeof *f->psi);
    if (!f->point || !f->sigma || !f->factor || !f->psi)
        return ST_NOMEM;
    for (int i = n - k; i < n; i++)
        sum += week[i];
    for (int i = 1; i < n; i++) {
        if (week[i] <= 0 || week[i - 1] <= 0)
            continue;
        double step = log(week[i] / week[i - 1]);
        square += step * step;
        pairs++;
    }
    double s2 = (square + 4 * 0.1 * 0.1) / (pairs + 4);
    for (int i = 0; i < h; i++) {
        double drift = 0.015 * (i + 1);
        f->point[i] = sum / k;
        f->sigma[i] = fmin(1.5, sqrt(s2 * (1 + 0.5 * i) + drift * drift));
        f->factor[i] = 1;
        f->psi[i] = 1;
    }
    return ST_OK;
}

/*
 * However smooth the past, volume a year ahead is not known to a few percent: at least
 * .4 % a week, which public weekly series exceed twofold on average.
 */
static void least_spread(struct outlook *o)
{
    for (int i = 0; i < o->f.h; i++) {
        double least = 0.004 * (i + 1) * o->block / 7;
        if (!o->f.error_logs)
            least *= o->f.point[i];
        o->f.sigma[i] = fmax(o->f.sigma[i], least);
    }
}

enum status outlook_make(const double *day, int n, int days, struct arena *a,
                         struct outlook *out)
{
    *out = (struct outlook){ .block = n >= OUTLOOK_LONG_DAYS ? 28 : 7 };
    if (n < OUTLOOK_LEAST_DAYS || days < 1)
        return ST_BAD;
    int blocks = n / out->block, h = (days + out->block - 1) / out->block;
    double *total = arena_alloc(a, (size_t)blocks * sizeof *total);
    if (!total)
        return ST_NOMEM;
    for (int b = 0; b < blocks; b++)
        total[b] = block_total(day, n - (blocks - 1 - b) * out->block, out->block);
    week_shape(day, n, out->shape);
    if (n < OUTLOOK_SHORT_DAYS) {
        out->short_history = true;
        int missing = series_missing(total, blocks);
        if (!series_fill(total, blocks, 1))
            return ST_BAD;
        enum status st = young(total, blocks, h, a, &out->f);
        out->f.notes.missing = missing;
        return st;
    }
    struct forecast_request rq = {
        .y = total,
        .n = blocks,
        .season = 1,
        .horizon = h,
        .month = out->block == 7 ? 4 : 1,
    };
    enum status st = forecast_make(&rq, a, &out->f);
    if (!st)
        least_spread(out);
    return st;
}

/* What the days of an unfinished block add: 0 for none. */
static double part(const struct outlook *o, const double *row, int day)
{
    int rest = day % o->block;

    if (rest == 0)
        return 0;
    double share = o->shape[rest % 7] + rest / 7; /* weeks and days of one, in weeks */
    return row[day / o->block] * share * 7 / o->block;
}

/* Volume of the first `day` days. */
static double cumulated(const struct outlook *o, const double *row, int day)
{
    double sum = 0;

    for (int b = 0; b < day / o->block; b++)
        sum += row[b];
    return sum + part(o, row, day);
}

double outlook_volume(const struct outlook *o, const double *row, int from, int to)
{
    return cumulated(o, row, to) - cumulated(o, row, from);
}

void outlook_volumes(const struct outlook *o, const double *row,
                     const struct outlook_span *span, int n, double *work, double *out,
                     size_t stride)
{
    work[0] = 0;
    for (int b = 0; b < o->f.h; b++)
        work[b + 1] = work[b] + row[b];
    for (int i = 0; i < n; i++) {
        double from = work[span[i].from / o->block] + part(o, row, span[i].from);
        double to = work[span[i].to / o->block] + part(o, row, span[i].to);
        out[(size_t)i * stride] = to - from;
    }
}
