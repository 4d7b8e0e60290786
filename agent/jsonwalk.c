/* Scalars with their paths: see jsonwalk.h. */
#include "agent/jsonwalk.h"

struct walk {
    struct json j;
    char path[JSONWALK_PATH];
    size_t n;
    size_t at[JSONWALK_PATH]; /* by depth: length of the container's own path */
    bool array[JSONWALK_PATH];
    jsonwalk_fn *fn;
    void *arg;
};

/* Text that no log format keeps its counters in. */
static bool content(struct slice key)
{
    static const char *const keys[] = { "messages", "inputBodyJson", "outputBodyJson",
                                        "content",  "prompt",        "tools",
                                        "embedding" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (slice_eq(key, slice_str(keys[i])))
            return true;
    return false;
}

static bool push(struct walk *w, struct slice name)
{
    if (w->n + name.n + 2 > JSONWALK_PATH)
        return false;
    w->path[w->n++] = '/';
    if (name.n)
        memcpy(w->path + w->n, name.p, name.n);
    w->n += name.n;
    return true;
}

/* The path of the container at `depth`, or of its elements if it is an array. */
static void stand_in(struct walk *w, unsigned depth)
{
    w->n = depth ? w->at[depth] + (w->array[depth] ? 2 : 0) : 0;
}

/* A container begins at the path in hand; one that is too deep is passed over. */
static void enter(struct walk *w, unsigned depth, bool array)
{
    if (depth >= JSONWALK_PATH || (array && !push(w, SLICE("-")))) {
        json_skip(&w->j);
        stand_in(w, depth - 1);
        return;
    }
    w->at[depth] = array ? w->n - 2 : w->n;
    w->array[depth] = array;
}

bool jsonwalk(struct slice json, jsonwalk_fn *fn, void *arg)
{
    struct walk w = { .fn = fn, .arg = arg };
    struct slice text;
    json_init(&w.j, JSON_ONE);
    json_feed(&w.j, json);
    json_finish(&w.j);
    for (;;) {
        enum json_type t = json_next(&w.j, &text);
        unsigned depth = json_depth(&w.j);
        switch (t) {
        case JSON_MORE:
        case JSON_BAD:
            return false;
        case JSON_END:
            return true;
        case JSON_KEY:
            if (w.j.truncated || content(text) || !push(&w, text)) {
                json_skip(&w.j);
                stand_in(&w, depth);
            }
            continue;
        case JSON_OBJECT:
        case JSON_ARRAY:
            enter(&w, depth, t == JSON_ARRAY);
            continue;
        case JSON_OBJECT_END:
            w.n = w.at[depth + 1];
            fn(arg, slice_of(w.path, w.n), t, slice_of(NULL, 0));
            break;
        case JSON_STRING:
        case JSON_NUMBER:
        case JSON_TRUE:
        case JSON_FALSE:
            if (t == JSON_TRUE || t == JSON_FALSE)
                text = slice_of(NULL, 0);
            if (!w.j.truncated || t != JSON_STRING)
                fn(arg, slice_of(w.path, w.n), t, text);
            break;
        case JSON_ARRAY_END:
        case JSON_NULL:
            break;
        }
        stand_in(&w, depth);
    }
}
