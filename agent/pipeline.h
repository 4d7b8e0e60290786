/*
 * The agent at work: sources -> dedup -> totals -> spool -> shipper. The only file beside
 * main that knows every stage. Called by `breakeven-agent run`.
 *
 * One thread, one poll(2) over everything with the earliest deadline as its timeout: no
 * work, no wake-up (a scan of the patterns every 10 s aside). When the spool says full,
 * reading stops: the logs are the buffer.
 */
#ifndef BREAKEVEN_PIPELINE_H
#define BREAKEVEN_PIPELINE_H

#include "agent/config.h"
#include "agent/source.h"

struct pipeline;

/*
 * Open spool (`replace_spool`: spool_open's replace_damaged), sources and shipper. Every
 * error has been logged. ST_CONFIG for what the
 * user must change, else the failing part's status.
 */
enum status pipeline_new(const struct config *c, const char *token, bool once,
                         bool replace_spool, const struct log *log,
                         struct pipeline **out);
void pipeline_free(struct pipeline *p);

/*
 * Work until a stop is asked for through `signal_fd` (a signalfd of SIGTERM, SIGINT,
 * SIGHUP), or, with `once` or nothing but an ended standard input,
 * until all is read and shipped. Commits and makes a last attempt to ship, for 2 s at
 * most. ST_OK; ST_BUSY: read and stored, but rows wait for a collector; ST_FULL, ST_IO:
 * the spool took no more and the rest is unread.
 */
enum status pipeline_run(struct pipeline *p, int signal_fd);

/* Appends the `health` object of the batch header (docs/architecture.md, Wire). */
void pipeline_health(void *p, struct buf *json);

#endif
