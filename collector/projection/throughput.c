/* See throughput.h: the busiest hour within the target, and what lay above it. */
#include "collector/projection/throughput.h"

#include <math.h>

enum { HOUR_S = 3600 };

static bool tells(const struct throughput_hour *h)
{
    return h->calls >= THROUGHPUT_LEAST_CALLS && h->output > 0 && !isnan(h->p95);
}

struct throughput throughput_of(const struct throughput_hour *hour, size_t n,
                                double target_s, double replicas)
{
    struct throughput t = { .target_s = target_s };

    for (size_t i = 0; i < n; i++) {
        double rate = hour[i].output / HOUR_S / replicas;
        if (!tells(&hour[i]))
            continue;
        t.hours++;
        if (hour[i].p95 <= target_s && rate > t.sustained)
            t.sustained = rate;
    }
    for (size_t i = 0; i < n; i++) {
        double rate = hour[i].output / HOUR_S / replicas;
        if (tells(&hour[i]) && rate > t.sustained && (t.missed == 0 || rate < t.missed))
            t.missed = rate;
    }
    return t;
}

bool throughput_decides(const struct throughput *t, double known)
{
    return t->sustained > 0 && (t->sustained >= known || t->missed > 0);
}
