/*
 * What-if questions of people at sliders: many about one workload within a minute. Keeps
 * the demand of the last workload asked about, because reading it is the dear part, and
 * lets one question at a time run. Fed by the API. Stores nothing.
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
 * projection_what_if as of the full hour, from demand that was read at most a minute ago.
 * ST_BUSY: others have been asking for two seconds. Else as there.
 */
enum status questions_ask(struct questions *q, const struct projection_job *job,
                          const struct workload *w, const struct whatif *change,
                          struct arena *a, struct projection_result *out,
                          struct buf *why);

#endif
