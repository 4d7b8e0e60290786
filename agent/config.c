/* agent.yaml: see config.h. The tables say types and ranges, this file what they cannot.
 */
#include "agent/config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const config_compressions[] = { "zstd", "gzip", "none", NULL };
static const char *const starts[] = { "beginning", "end", NULL };
static const char *const levels[] = { "error", "warn", "info", "debug", NULL };

#define MINUTE_MS (60e3)
#define DAY_MS    (86400e3)

#define AT(member) offsetof(struct config_collector, member)
static const struct yaml_field collector_fields[] = {
    { .key = "url",
      .type = YAML_STRING,
      .offset = AT(url),
      .fallback = "",
      .help = "http(s)://host:port of the collector" },
    { .key = "token",
      .type = YAML_STRING,
      .offset = AT(token),
      .fallback = "",
      .help = "bearer token; better in token_file" },
    { .key = "token_file",
      .type = YAML_STRING,
      .offset = AT(token_file),
      .fallback = "",
      .help = "file whose first line is the token" },
    { .key = "ca_file",
      .type = YAML_STRING,
      .offset = AT(ca_file),
      .fallback = "",
      .help = "PEM file of the authorities to trust; empty: the system's" },
    { .key = "interval",
      .type = YAML_DURATION,
      .offset = AT(interval_ms),
      .fallback = "10s",
      .min = 100,
      .max = 60 * MINUTE_MS,
      .help = "time between two batches" },
    { .key = "compression",
      .type = YAML_ENUM,
      .offset = AT(compression),
      .fallback = "zstd",
      .names = config_compressions,
      .help = "of batches" },
    { .key = "helper",
      .type = YAML_STRING,
      .offset = AT(helper),
      .fallback = "",
      .help = "path of breakeven-ship; empty: beside the agent" },
    { .type = YAML_LINE, .offset = AT(line) },
    { 0 },
};
#undef AT

#define AT(member) offsetof(struct config_logs, member)
static const struct yaml_field logs_fields[] = {
    { .key = "path",
      .type = YAML_STRINGS,
      .offset = AT(path),
      .min = 1,
      .max = 1000,
      .required = true,
      .help =
          "file patterns (*, ?, [...], ** for any folders), or - for standard input" },
    { .key = "exclude",
      .type = YAML_STRINGS,
      .offset = AT(exclude),
      .help = "patterns to leave out: of the name, or with a slash of the whole path" },
    { .key = "format",
      .type = YAML_STRING,
      .offset = AT(format),
      .fallback = "auto",
      .help = "auto, or a name of docs/formats.md" },
    { .key = "app",
      .type = YAML_STRING,
      .offset = AT(app),
      .fallback = "",
      .help = "given to calls that do not name their application" },
    { .key = "environment",
      .type = YAML_STRING,
      .offset = AT(environment),
      .fallback = "",
      .help = "production, staging, …" },
    { .key = "provider",
      .type = YAML_STRING,
      .offset = AT(provider),
      .fallback = "",
      .help = "of records that do not name theirs" },
    { .key = "regex",
      .type = YAML_STRING,
      .offset = AT(rule_options.regex),
      .fallback = "",
      .help = "of text lines, with named groups: (?<model>\\S+) used (?<in>\\d+)" },
    { .key = "fields",
      .type = YAML_STRUCT,
      .offset = AT(rule_options.fields),
      .table = logrule_fields_table,
      .help = "names of yours in JSON lines or logfmt, a/b for b inside of a" },
    { .key = "input",
      .type = YAML_ENUM,
      .offset = AT(rule_options.sense),
      .fallback = "auto",
      .names = logrule_senses,
      .help = "does `in` contain what was cached (regex, fields); auto: by the sums" },
    { .key = "cumulative",
      .type = YAML_BOOL,
      .offset = AT(rule_options.cumulative),
      .fallback = "no",
      .help = "counters go on from line to line (regex, fields)" },
    { .key = "thousands",
      .type = YAML_BOOL,
      .offset = AT(rule_options.thousands),
      .fallback = "no",
      .help = "1,234 is one number (regex, fields)" },
    { .key = "start",
      .type = YAML_ENUM,
      .offset = AT(start),
      .fallback = "beginning",
      .names = starts,
      .help = "where to begin in files that exist at the very first run" },
    { .type = YAML_LINE, .offset = AT(line) },
    { 0 },
};
#undef AT

#define AT(member) offsetof(struct config_limits, member)
static const struct yaml_field limits_fields[] = {
    { .key = "spool",
      .type = YAML_SIZE,
      .offset = AT(spool_bytes),
      .fallback = "256MiB",
      .min = 1 << 20,
      .max = 1e12,
      .help = "of the spool file; when it is full, reading stops" },
    { .key = "series",
      .type = YAML_INT,
      .offset = AT(series),
      .fallback = "10000",
      .min = 1,
      .max = 1e6,
      .help = "distinct series (app, model, …) in a day; more fold into \"other\"" },
    { .key = "files",
      .type = YAML_INT,
      .offset = AT(files),
      .fallback = "4096",
      .min = 1,
      .max = 1e6,
      .help = "files followed at a time; more are left out and counted" },
    { .key = "open_files",
      .type = YAML_INT,
      .offset = AT(open_files),
      .fallback = "256",
      .min = 4,
      .max = 1e6,
      .help = "files held open; the longest idle is closed first" },
    { .key = "remembered_calls",
      .type = YAML_INT,
      .offset = AT(remembered),
      .fallback = "100000",
      .min = 16,
      .max = 1e8,
      .help = "response ids kept to count a call once" },
    { .key = "turn",
      .type = YAML_SIZE,
      .offset = AT(turn_bytes),
      .fallback = "4MiB",
      .min = 64 << 10,
      .max = 1e9,
      .help = "bytes read from one file before the next has its turn" },
    { 0 },
};
#undef AT

#define AT(member) offsetof(struct config, member)
const struct yaml_field config_fields[] = {
    { .key = "agent",
      .type = YAML_STRING,
      .offset = AT(agent),
      .fallback = "",
      .help = "id of this agent; empty: the host name" },
    { .key = "state_dir",
      .type = YAML_STRING,
      .offset = AT(state_dir),
      .fallback = "/var/lib/breakeven-agent",
      .help = "folder of the spool: read positions and totals" },
    { .key = "log_level",
      .type = YAML_ENUM,
      .offset = AT(log_level),
      .fallback = "info",
      .names = levels,
      .help = "of the agent's own messages" },
    { .key = "commit_interval",
      .type = YAML_DURATION,
      .offset = AT(commit_ms),
      .fallback = "1s",
      .min = 10,
      .max = MINUTE_MS,
      .help = "longest time between a call read and stored" },
    { .key = "rescan_interval",
      .type = YAML_DURATION,
      .offset = AT(rescan_ms),
      .fallback = "10s",
      .min = 100,
      .max = 60 * MINUTE_MS,
      .help = "between two looks at the patterns, besides inotify" },
    { .key = "rotate_grace",
      .type = YAML_DURATION,
      .offset = AT(grace_ms),
      .fallback = "10s",
      .min = 10,
      .max = 60 * MINUTE_MS,
      .help = "a rotated file that did not grow for so long is complete" },
    { .key = "remember_rotated",
      .type = YAML_DURATION,
      .offset = AT(remember_ms),
      .fallback = "7d",
      .min = MINUTE_MS,
      .max = 400 * DAY_MS,
      .help = "how long a vanished file is recognised in its copy or .gz" },
    { .key = "collector",
      .type = YAML_STRUCT,
      .offset = AT(collector),
      .table = collector_fields,
      .help = "where to ship to; without it totals stay in the spool" },
    { .key = "logs",
      .type = YAML_LIST,
      .offset = AT(logs),
      .max = 1000,
      .table = logs_fields,
      .size = sizeof(struct config_logs),
      .help = "what to read" },
    { .key = "capture",
      .type = YAML_STRUCT,
      .offset = AT(capture),
      .table = config_capture_fields,
      .help = "traffic to meter" },
    { .key = "limits",
      .type = YAML_STRUCT,
      .offset = AT(limits),
      .table = limits_fields,
      .help = "bounds of memory, disk and descriptors" },
    { 0 },
};
#undef AT

static enum status refuse(const char *file, int line, struct buf *why, const char *what,
                          const char *found, const char *allowed)
{
    buf_addf(why, "%s:%d: %s '%s': %s", file, line, what, found, allowed);
    return ST_CONFIG;
}

/* regex or fields, compiled into `a`. */
static enum status check_rule(struct config_logs *l, const char *file, struct arena *a,
                              struct buf *why)
{
    size_t before = why->n;
    buf_addf(why, "%s:%d: ", file, l->line);
    enum status st = logrule_new(&l->rule_options, a, &l->rule, why);
    if (st != ST_OK)
        return st;
    why->n = before;
    if (!l->rule && (l->logformat == LOGFORMAT_regex || l->logformat == LOGFORMAT_fields))
        return refuse(file, l->line, why, "format", l->format,
                      "needs the key of the same name beside it");
    return ST_OK;
}

static enum status check_logs(struct config_logs *l, const char *file, struct arena *a,
                              struct buf *why)
{
    if (!logformat_parse(slice_str(l->format), &l->logformat)) {
        buf_addf(why, "%s:%d: format '%s' is not known; one of", file, l->line,
                 l->format);
        for (int f = 0; f < LOGFORMAT_N; f++)
            buf_addf(why, "%s %s", f ? "," : "", logformat_name((enum logformat)f));
        return ST_CONFIG;
    }
    for (size_t i = 0; i < l->path.n; i++) {
        const char *p = l->path.at[i];
        size_t n = strlen(p);
        if (n == 0 || (n > 1 && p[n - 1] == '/'))
            return refuse(file, l->line, why, "path", p,
                          "a file pattern does not end in a slash; a folder is read "
                          "with /*.log or /**");
    }
    return check_rule(l, file, a, why);
}

static enum status check_collector(const struct config_collector *c, const char *file,
                                   struct buf *why)
{
    if (!*c->url)
        return *c->token || *c->token_file
                   ? refuse(file, c->line, why, "collector.url", "", "is missing")
                   : ST_OK;
    struct slice url = slice_str(c->url);
    if (!slice_istarts(url, SLICE("http://")) && !slice_istarts(url, SLICE("https://")))
        return refuse(file, c->line, why, "collector.url", c->url,
                      "must begin with http:// or https://");
    if (*c->token && *c->token_file)
        return refuse(file, c->line, why, "collector.token_file", c->token_file,
                      "give token or token_file, not both");
    return ST_OK;
}

/* As the collector takes it (collector/ingest.c): it stands in globs, labels and logs. */
static bool plain_name(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && !strchr("._:@/+-~", c))
            return false;
    }
    return s.n > 0 && s.n <= 200;
}

static enum status name_agent(struct config *c, struct arena *a, struct buf *why)
{
    char host[256] = "";
    if (*c->agent) {
        if (plain_name(slice_str(c->agent)))
            return ST_OK;
        buf_addf(why,
                 "agent: found '%s', allowed letters, digits and ._:@/+-~, up to 200",
                 c->agent);
        return ST_CONFIG;
    }
    if (gethostname(host, sizeof host - 1) != 0 || !*host) {
        buf_adds(why, "agent: this host has no name; set 'agent'");
        return ST_CONFIG;
    }
    c->agent = arena_dup(a, slice_str(host)).p;
    return c->agent ? ST_OK : ST_NOMEM;
}

static enum status complete(const char *file, struct arena *a, struct config *c,
                            struct buf *why)
{
    enum status st = check_collector(&c->collector, file, why);
    for (size_t i = 0; st == ST_OK && i < c->logs.n; i++)
        st = check_logs((struct config_logs *)c->logs.at + i, file, a, why);
    if (st == ST_OK)
        st = config_capture_check(&c->capture, file, a, why);
    if (st == ST_OK && c->logs.n == 0 && !c->capture.line) {
        buf_addf(why, "%s: neither 'logs' nor 'capture': there is nothing to read", file);
        st = ST_CONFIG;
    }
    return st == ST_OK ? name_agent(c, a, why) : st;
}

enum status config_load(const char *path, struct arena *a, struct config *out,
                        struct buf *why)
{
    *out = (struct config){ 0 };
    enum status st = yaml_load(path, config_fields, out, a, why);
    return st == ST_OK ? complete(path, a, out, why) : st;
}

enum status config_parse(struct slice text, const char *file, struct arena *a,
                         struct config *out, struct buf *why)
{
    *out = (struct config){ 0 };
    enum status st = yaml_parse(text, file, config_fields, out, a, why);
    return st == ST_OK ? complete(file, a, out, why) : st;
}

enum status config_token(const struct config *c, struct arena *a, const char **out,
                         struct buf *why)
{
    char text[4096];
    const char *path = c->collector.token_file;
    *out = c->collector.token;
    if (!*path)
        return ST_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (n < 0)
        buf_addf(why, "collector.token_file %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return ST_IO;
    struct slice line, rest;
    slice_cut(slice_of(text, (size_t)n), '\n', &line, &rest);
    line = slice_trim(line);
    if (line.n == 0 || line.n > 1024) {
        buf_addf(why, "collector.token_file %s: holds no token in its first line", path);
        return ST_CONFIG;
    }
    *out = arena_dup(a, line).p;
    return *out ? ST_OK : ST_NOMEM;
}
