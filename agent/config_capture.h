/*
 * The `capture` section of agent.yaml: what to listen to, the key logs, whose calls they
 * are, and every limit. Part of config.h; checked here, used by source_live and check.
 */
#ifndef BREAKEVEN_CONFIG_CAPTURE_H
#define BREAKEVEN_CONFIG_CAPTURE_H

#include "common/yaml.h"

/* One row of `capture.apps`: all that is given must hold; the first row that fits names
 * the application. */
struct config_app {
    const char *header;        /* a request header, "name" or "name: pattern" */
    const char *path;          /* prefix of the request's path */
    struct yaml_strings ports; /* of the server */
    const char *process;       /* pattern: name of the local process */
    const char *owner;         /* user that the local process runs as */
    const char *app, *environment;
    int line;
    /* header, taken apart by config_capture_check */
    const char *header_name, *header_value;
    uint32_t owner_id;
};

struct config_capture_limits {
    int64_t connections;       /* followed at a time */
    int64_t idle_ms;           /* a silent connection ends */
    uint64_t connection_bytes; /* out of order, waiting; of one, and of all */
    uint64_t total_bytes;
    uint64_t sealed_bytes; /* of TLS that waits for its secrets; of one, and of all */
    uint64_t sealed_total;
    int64_t sealed_ms; /* and how long */
    int64_t secrets;   /* connections whose secrets are kept */
    int64_t exchanges; /* at a time, of one connection, and of all */
    int64_t exchanges_total;
    uint64_t header_bytes; /* of one message */
    uint64_t body_bytes;   /* of one body, decoded */
    uint64_t decoders;     /* memory of all that decode bodies */
    int64_t keylog_files;
};

struct config_capture {
    const char *interface; /* "": no capture */
    struct yaml_strings ports, hosts;
    const char *filter;
    uint64_t ring_bytes;
    int64_t snap_bytes;
    bool promiscuous;
    const char *user;
    struct yaml_strings keylogs, keylog_exclude;
    const char *app, *environment; /* of calls that no row of `apps` fits */
    struct yaml_list apps;         /* struct config_app */
    bool dark_calls;    /* estimated calls of what cannot be read become rows (missing) */
    int64_t silence_ms; /* no packet for so long is worth a warning */
    struct config_capture_limits limits;
    int line; /* 0: there is no such section */
};

extern const struct yaml_field config_capture_fields[];

/* What the table cannot say. ST_CONFIG with "file:line: reason". */
struct arena;
enum status config_capture_check(struct config_capture *c, const char *file,
                                 struct arena *a, struct buf *why);

static inline const struct config_app *config_app(const struct config_capture *c,
                                                  size_t i)
{
    return (const struct config_app *)c->apps.at + i;
}

#endif
