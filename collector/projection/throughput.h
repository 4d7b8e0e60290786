/*
 * Throughput of the specialist as metered: the most output tokens a second that a replica
 * kept up for a whole hour while 95 of 100 answers came within the latency target. Pure;
 * fed by throughput_read.c with the busiest hours of the test's specialist arm.
 *
 * What an idle canary carried says little of what it could carry. So the figure is only
 * taken where it decides: when it is above what is otherwise known, or when a busier hour
 * missed the target, so that the limit has been seen.
 */
#ifndef BREAKEVEN_PROJECTION_THROUGHPUT_H
#define BREAKEVEN_PROJECTION_THROUGHPUT_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { THROUGHPUT_LEAST_CALLS = 30 /* an hour needs for its p95 */ };

struct throughput_hour {
    uint64_t calls; /* answered ones */
    double output;  /* tokens in the hour */
    double p95;     /* seconds of a whole answer; NAN: not known */
};

struct throughput {
    double sustained; /* output tokens/s of a replica within the target; 0: never */
    double missed;    /* the slowest rate above it that missed the target; 0: none */
    int hours;        /* with enough calls to tell */
    double target_s;
};

/* Hours in any order; replicas >= 1 that served them. */
struct throughput throughput_of(const struct throughput_hour *hour, size_t n,
                                double target_s, double replicas);

/* Should `sustained` replace a rate of `known` tokens/s (0: nothing is known)? */
bool throughput_decides(const struct throughput *t, double known);

#endif
