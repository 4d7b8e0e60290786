/*
 * The wanted scalars of a whole JSON text with their paths, in one pass. The caller says
 * by path what it wants; all else is passed over unread, so a prompt is never unescaped,
 * copied or searched. Fed by the log formats; refuses trees.
 */
#ifndef BREAKEVEN_LOGWALK_H
#define BREAKEVEN_LOGWALK_H

#include "common/json.h"

enum {
    LOGWALK_PATH = 256, /* longest path; what lies deeper is passed over */
    LOGWALK_DEPTH = 24,
};

enum logwalk_want {
    LOGWALK_SKIP,
    LOGWALK_TAKE, /* a scalar, or a container to look into */
    LOGWALK_NEST, /* the same; a string is JSON and is walked as if it stood there */
};

/*
 * Paths are "/a/b", "/list/-/x" for an element of any index. Keys that hold a '/' are
 * kept as they are. Slices live in the call.
 */
struct logwalk {
    enum logwalk_want (*want)(void *arg, struct slice path); /* the value of a key */
    /* STRING, NUMBER; TRUE and FALSE with an empty text; never NULL. Text without
       escapes, at most JSON_HOLD bytes if it had any. */
    void (*scalar)(void *arg, struct slice path, enum json_type type, struct slice text);
    void (*leave)(void *arg, struct slice path); /* an object ends; may be NULL */
    void *arg;
    struct buf *scratch; /* for JSON in strings */
    bool camel;          /* read int_value as intValue: protobuf's JSON may be either */
};

/* NULL, or why the text is not JSON; what came before has been handed out. */
const char *logwalk(const struct logwalk *w, struct slice json);

#endif
