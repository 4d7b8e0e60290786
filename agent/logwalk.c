/* Wanted scalars with their paths: see logwalk.h. */
#include "agent/logwalk.h"

struct walk {
    const struct logwalk *w;
    struct json j;
    char path[LOGWALK_PATH];
    size_t base;                    /* length of the path of the document itself */
    size_t n;                       /* of the path in hand */
    size_t at[LOGWALK_DEPTH + 1];   /* by depth: the container's path, "/-" included */
    size_t name[LOGWALK_DEPTH + 1]; /* by depth: without it */
    unsigned nested;                /* levels of JSON in strings */
};

static bool push(struct walk *w, struct slice name)
{
    if (w->n + name.n + 1 > LOGWALK_PATH)
        return false;
    w->path[w->n++] = '/';
    for (size_t i = 0; i < name.n; i++) {
        bool next = w->w->camel && name.p[i] == '_' && i && i + 1 < name.n &&
                    name.p[i + 1] >= 'a' && name.p[i + 1] <= 'z';
        i += next;
        w->path[w->n++] = next ? (char)(name.p[i] ^ 0x20) : name.p[i];
    }
    return true;
}

static struct slice path(const struct walk *w)
{
    return slice_of(w->path, w->n);
}

/* The path again of the container that we are in. */
static void back(struct walk *w)
{
    unsigned depth = json_depth(&w->j);
    w->n = depth ? w->at[depth] : w->base;
}

/* A container begins at the path in hand; one too deep is passed over. */
static void enter(struct walk *w, bool array)
{
    unsigned depth = json_depth(&w->j);
    size_t name = w->n;
    if (depth > LOGWALK_DEPTH || (array && !push(w, SLICE("-")))) {
        json_skip(&w->j);
        w->n = depth > 1 ? w->at[depth - 1] : w->base;
        return;
    }
    w->name[depth] = name;
    w->at[depth] = w->n;
}

static const char *document(struct walk *w, struct slice json);

/* A string that is JSON: its fields stand below its own key. Junk in it is no matter. */
static void nest(struct walk *w, struct slice raw)
{
    struct walk inner = { .w = w->w, .n = w->n, .base = w->n, .nested = 1 };
    memcpy(inner.path, w->path, w->n);
    buf_reset(w->w->scratch);
    if (json_unescape(raw, w->w->scratch) && w->w->scratch->st == ST_OK)
        document(&inner, buf_slice(w->w->scratch));
}

/* Behind a key: decide about its value. */
static void on_key(struct walk *w, struct slice key)
{
    struct slice raw;
    if (w->j.truncated || !push(w, key)) {
        json_skip(&w->j);
        back(w);
        return;
    }
    enum logwalk_want want = w->w->want(w->w->arg, path(w));
    if (want == LOGWALK_SKIP) {
        json_skip(&w->j);
        back(w);
    } else if (want == LOGWALK_NEST && !w->nested && json_raw_string(&w->j, &raw)) {
        nest(w, raw);
        back(w);
    }
}

static const char *document(struct walk *w, struct slice json)
{
    struct slice text;
    json_init(&w->j, JSON_ONE);
    json_feed(&w->j, json);
    json_finish(&w->j);
    for (;;) {
        enum json_type t = json_next(&w->j, &text);
        switch (t) {
        case JSON_MORE:
        case JSON_BAD:
            return t == JSON_BAD ? json_why(&w->j) : "the text ends inside a value";
        case JSON_END:
            return NULL;
        case JSON_KEY:
            on_key(w, text);
            continue;
        case JSON_OBJECT:
        case JSON_ARRAY:
            enter(w, t == JSON_ARRAY);
            continue;
        case JSON_OBJECT_END:
            w->n = w->name[json_depth(&w->j) + 1];
            if (w->w->leave)
                w->w->leave(w->w->arg, path(w));
            break;
        case JSON_STRING:
        case JSON_NUMBER:
        case JSON_TRUE:
        case JSON_FALSE:
            if (t == JSON_TRUE || t == JSON_FALSE)
                text = slice_of(NULL, 0);
            if (!w->j.truncated)
                w->w->scalar(w->w->arg, path(w), t, text);
            break;
        case JSON_ARRAY_END:
        case JSON_NULL:
            break;
        }
        back(w);
    }
}

const char *logwalk(const struct logwalk *w, struct slice json)
{
    struct walk walk = { .w = w };
    return document(&walk, json);
}
