/*
 * What-if questions of people at sliders: many about one workload within a minute. They
 * are asked of the demand that the newest projection was made of, which the job leaves
 * here (questions_keep); before its first run it is read, and remembered for a minute.
 * One question at a time runs. Fed by the API and background. Stores nothing.
 *
 * Refuses: waiting long for the others (ST_BUSY).
 */
#ifndef BREAKEVEN_PROJECTION_QUESTIONS_H
#define BREAKEVEN_PROJECTION_QUESTIONS_H

#include "collector/projection/job.h"

struct questions;

struct questions *questions_new(void); /* NULL: no memory */
void questions_free(struct questions *q);

/*
 * Remember what the projection of w at `now` was made of, in place of what was there, for
 * a day and an hour (it is made daily). A projection_read_fn; arg is the questions.
 * Copies. ST_OK or ST_NOMEM.
 */
enum status questions_keep(void *arg, const struct workload *w, int64_t now,
                           const struct demand *demand, const struct throughput *seen);

/*
 * projection_what_if as of the full hour, from demand that is remembered. ST_BUSY: others
 * have been asking for two seconds. Else as there.
 */
enum status questions_ask(struct questions *q, const struct projection_job *job,
                          const struct workload *w, const struct whatif *change,
                          struct arena *a, struct projection_result *out,
                          struct buf *why);

#endif
