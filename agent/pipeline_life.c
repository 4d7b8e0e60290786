/* What the pipeline is made of, opened and closed: see pipeline.h. A shell file. */
#include "agent/pipeline_private.h"

#include "agent/privilege.h"
#include "agent/source_live.h"
#include "agent/source_stdin.h"
#include "agent/source_tail.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status open_spool(struct pipeline *p, bool replace)
{
    char path[PATH_MAX];
    struct spool_limits limits = spool_limits_default();
    const char *dir = p->c->state_dir;
    int n = snprintf(path, sizeof path, "%s/spool.db", dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return ST_CONFIG;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        log_error(p->log, "state_dir %s: %s", dir, strerror(errno));
        return errno == EACCES || errno == EPERM ? ST_DENIED : ST_IO;
    }
    limits.max_bytes = p->c->limits.spool_bytes;
    limits.dedup_max = (uint32_t)p->c->limits.remembered;
    enum status st =
        spool_open(path, &limits, p->now.unix_ms, replace, p->log, &p->spool);
    return st == ST_OK ? spool_load_dedup(p->spool, pipeline_load_dedup, p) : st;
}

/* First of all, as it needs a privilege; which is given up before anything else. */
static enum status open_capture(struct pipeline *p)
{
    struct buf why = { 0 };
    if (!p->c->capture.line)
        return ST_OK;
    if (p->once) {
        log_warn(p->log, "--once reads what stands there: no capture");
        return ST_OK;
    }
    enum status st = source_live_open(p->c, &p->env, &p->source[p->sources]);
    if (st != ST_OK)
        return st;
    p->sources++;
    st = privilege_drop(p->c->capture.user, &why);
    if (st != ST_OK)
        log_error(p->log, "%s", buf_cstr(&why));
    else if (privilege_net_raw())
        log_warn(p->log, "capture.user is root: every privilege is kept");
    buf_release(&why);
    return st;
}

static enum status open_sources(struct pipeline *p)
{
    const struct config_logs *input = NULL;
    size_t patterns = 0;
    for (size_t i = 0; i < p->c->logs.n; i++) {
        const struct config_logs *l = config_logs(p->c, i);
        for (size_t k = 0; k < l->path.n; k++) {
            bool dash = strcmp(l->path.at[k], "-") == 0;
            patterns += !dash;
            if (dash)
                input = l;
        }
    }
    enum status st = ST_OK;
    if (patterns > 0)
        st = source_tail_open(p->c, &p->env, p->spool, &p->source[p->sources]);
    p->sources += patterns > 0 && st == ST_OK;
    if (st == ST_OK && input) {
        st = source_stdin_open(STDIN_FILENO, input, &p->env, &p->source[p->sources]);
        p->sources += st == ST_OK;
    }
    return st;
}

static enum status open_shipper(struct pipeline *p, const char *token)
{
    const struct config_collector *c = &p->c->collector;
    if (!*c->url) {
        log_info(p->log, "no collector: totals stay in %s/spool.db", p->c->state_dir);
        return ST_OK;
    }
    struct shipper_config ship = {
        .agent = p->c->agent,
        .limits = ship_limits_default(),
        .http = { .url = c->url,
                  .token = token,
                  .ca_file = *c->ca_file ? c->ca_file : NULL,
                  .compression = config_compressions[c->compression],
                  .helper = *c->helper ? c->helper : NULL },
    };
    ship.limits.interval_ms = c->interval_ms;
    return shipper_new(&ship, p->spool, pipeline_health, p, p->now.mono_ms, p->log,
                       &p->shipper);
}

enum status pipeline_new(const struct config *c, const char *token, bool once,
                         bool replace_spool, const struct log *log, struct pipeline **out)
{
    uint64_t seed = 0;
    struct pipeline *p = calloc(1, sizeof *p);
    if (!p)
        return ST_NOMEM;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)getpid();
    p->c = c;
    p->log = log;
    p->once = once;
    p->now = p->start = pipeline_clocks();
    p->pending_since_ms = p->unsaved_since_ms = INT64_MAX;
    p->prune_ms = p->now.mono_ms + PRUNE_MS;
    pipeline_worked(p);
    p->lighten_ms = p->now.mono_ms + LIGHTEN_MS;
    p->extract = extract_new();
    p->dedup = dedup_new((size_t)c->limits.remembered);
    p->delta = delta_new((size_t)c->limits.series, seed);
    p->env = (struct source_env){ .extract = p->extract,
                                  .emit = pipeline_call,
                                  .emit_arg = p,
                                  .log = p->log,
                                  .once = p->once };
    enum status st = p->extract && p->dedup && p->delta ? ST_OK : ST_NOMEM;
    if (st == ST_OK)
        st = open_capture(p);
    if (st == ST_OK)
        st = open_spool(p, replace_spool);
    if (st == ST_OK)
        st = open_sources(p);
    if (st == ST_OK)
        st = open_shipper(p, token);
    if (st != ST_OK) {
        pipeline_free(p);
        return st;
    }
    *out = p;
    return ST_OK;
}

void pipeline_free(struct pipeline *p)
{
    if (!p)
        return;
    shipper_free(p->shipper);
    for (size_t i = 0; i < p->sources; i++)
        source_close(p->source[i]);
    spool_close(p->spool);
    delta_free(p->delta);
    dedup_free(p->dedup);
    extract_free(p->extract);
    free(p);
}
