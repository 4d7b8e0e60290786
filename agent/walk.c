/* A loop over tokens; the stack holds the context of each open container. */
#include "agent/walk.h"

void walk_init(struct walk *w, const struct raw_table *table, enum raw_context top,
               struct raw *raw, struct walk_names *names)
{
    w->table = table;
    w->top = top;
    w->raw = raw;
    w->names = names;
    w->begin = w->end = NULL;
    w->arg = NULL;
    w->notes = NULL;
    w->documents = 0;
    w->array = false;
    walk_restart(w);
}

void walk_restart(struct walk *w)
{
    json_init(&w->json, JSON_MULTI);
    w->key = raw_element(w->top);
    w->measured = NULL;
    w->value_at = 0;
    w->depth = 0;
    w->dead = false;
}

static struct slice copy(char *to, size_t cap, struct slice s)
{
    s.n = s.n < cap ? s.n : cap;
    if (s.n)
        memcpy(to, s.p, s.n);
    return slice_of(to, s.n);
}

/* The name that was just stored points into the piece: make it last. */
static void keep(struct walk *w, const struct raw_key *k)
{
    struct raw *r = w->raw;
    if (k->action != A_PASS_STR) {
        if (r->have_str >> k->arg & 1)
            r->str[k->arg] = copy(w->names->name[k->arg], RAW_TEXT, r->str[k->arg]);
        return;
    }
    if (!r->passes)
        return;
    unsigned at = r->passes - 1u;
    struct slice *s = k->arg ? &r->pass[at].model : &r->pass[at].type;
    *s = copy(w->names->pass[at][k->arg], WALK_PASS_TEXT, *s);
}

static void add_text(struct walk *w, uint64_t *measured, uint64_t n)
{
    *measured += n;
    w->raw->pieces += measured == &w->raw->text_out && n;
}

/* A text was passed over: its length is what lies between its quotes. */
static void measure(struct walk *w)
{
    add_text(w, w->measured, w->json.skip_end - w->value_at - 2);
    w->measured = NULL;
}

/* Where the value of the key at hand begins, or NULL where that is another piece. */
static const char *value_start(const struct walk *w)
{
    const char *p = w->json.at;
    while (p < w->json.end && (*p == ' ' || *p == ':'))
        p++;
    return p < w->json.end ? p : NULL;
}

static void odd(struct walk *w)
{
    if (w->notes)
        w->notes->odd = true;
}

/*
 * A value that nobody wants and that is no string: a number may be another one in the
 * next event; a word or empty brackets hold no text.
 */
static void note_passed(struct walk *w)
{
    const char *p = value_start(w), *end = w->json.end;
    if (!w->notes)
        return;
    if (!p) {
        odd(w);
        return;
    }
    size_t n = 0;
    while (p + n < end && p[n] >= '0' && p[n] <= '9')
        n++;
    bool word = *p == 'n' || *p == 't' || *p == 'f';
    bool empty = (*p == '[' || *p == '{') && end - p > 1 && p[1] == *p + 2;
    if (n)
        repeat_note(w->notes, REPEAT_DIGITS, slice_of(p, n), NULL);
    else if (!word && !empty)
        odd(w);
}

/* A string that is passed over, measured or not: at once if all of it is here. */
static bool pass_string(struct walk *w, uint64_t *measured)
{
    struct slice text;
    if (!json_raw_string(&w->json, &text))
        return false;
    if (measured)
        add_text(w, measured, text.n);
    if (w->notes) {
        w->notes->odd |= measured == &w->raw->text_in;
        repeat_note(w->notes, measured ? REPEAT_MEASURED : REPEAT_PASSED, text, NULL);
    }
    return true;
}

/* What the length of a text of this key is added to; NULL: it is not measured. */
static uint64_t *sum_of(const struct walk *w, const struct raw_key *k)
{
    return k->action == A_TEXT_OUT  ? &w->raw->text_out
           : k->action == A_TEXT_IN ? &w->raw->text_in
                                    : NULL;
}

static void on_key(struct walk *w, struct slice name)
{
    const struct raw_key *k =
        raw_find(w->table, w->level[w->depth - 1].context, name, name.n);
    uint64_t *measured = sum_of(w, k);
    w->key = k;
    if (measured) {
        if (pass_string(w, measured)) {
            w->raw->flags |= k->see;
            return;
        }
        const char *quote = value_start(w);
        if (quote && *quote == '"') {
            w->value_at = json_offset(&w->json) + (uint64_t)(quote - w->json.at);
            w->measured = measured;
            w->raw->flags |= k->see;
            json_skip(&w->json);
        }
    } else if (k->action == A_NONE && k->sub == C_SKIP && !k->see) {
        if (pass_string(w, NULL))
            return;
        note_passed(w);
        json_skip(&w->json);
    }
}

static void on_open(struct walk *w, bool object)
{
    const struct raw_key *k = w->key;
    bool top = !w->depth;
    bool inlined = object && k->context == C_INLINED && k->sub == C_INLINED;
    bool document = inlined || (object && (top || (w->depth == 1 && w->array)));
    if (document) {
        w->documents += !inlined;
        if (w->begin)
            w->begin(w->arg);
    }
    raw_enter(w->raw, k, object ? JSON_OBJECT : JSON_ARRAY);
    if (w->notes) {
        w->notes->documents += document;
        w->notes->odd |= inlined || k->sub == C_PASS || (top && !object);
    }
    if (k->sub == C_SKIP || w->depth == WALK_DEPTH) {
        odd(w);
        json_skip(&w->json);
        return;
    }
    if (top)
        w->array = !object;
    w->level[w->depth].context = k->sub;
    w->level[w->depth].object = object;
    w->level[w->depth].document = document;
    w->depth++;
    w->key = raw_element(k->sub);
}

static void on_close(struct walk *w)
{
    w->depth--;
    raw_leave(w->raw, w->level[w->depth].context, w->level[w->depth].object);
    if (w->level[w->depth].document && w->end)
        w->end(w->arg);
}

/* An array's next element has the array's own context. */
static void next_value(struct walk *w)
{
    if (!w->depth)
        w->key = raw_element(w->top);
    else if (!w->level[w->depth - 1].object)
        w->key = raw_element(w->level[w->depth - 1].context);
}

/* Only what can be said twice without a change, and holds no text of prompt or answer. */
static void note_scalar(struct walk *w, enum json_type type, struct slice text)
{
    const struct raw_key *k = w->key;
    if (type == JSON_NULL || type == JSON_FALSE)
        return;
    if (type == JSON_NUMBER && (k->action == A_NUM || k->action == A_NONE))
        repeat_note(w->notes, k->action == A_NUM ? REPEAT_COUNT : REPEAT_DIGITS, text, k);
    else if (type == JSON_TRUE)
        w->notes->odd |= k->action != A_NONE && k->action != A_FLAG;
    else
        w->notes->odd |= k->action != A_STR && k->action != A_STR_ELSE &&
                         k->action != A_MODALITY && k->action != A_MODALITY_TOKENS;
}

static void on_scalar(struct walk *w, enum json_type type, struct slice text)
{
    const struct raw_key *k = w->key;
    if (w->notes)
        note_scalar(w, type, text);
    if (type == JSON_STRING && sum_of(w, k) && json_depth(&w->json)) {
        /* of a list, or its quote lay in the next piece */
        add_text(w, sum_of(w, k), json_string_bytes(&w->json, text));
        w->raw->flags |= k->see;
    } else if (raw_scalar(w->raw, k, type, text)) {
        keep(w, k);
    }
}

static void run(struct walk *w)
{
    for (;;) {
        struct slice text = { NULL, 0 };
        enum json_type type = json_next(&w->json, &text);
        if (w->measured && type != JSON_MORE && type != JSON_BAD)
            measure(w);
        switch (type) {
        case JSON_BAD:
            w->dead = true;
            odd(w);
            return;
        case JSON_MORE:
        case JSON_END:
            return;
        case JSON_KEY:
            on_key(w, text);
            break;
        case JSON_OBJECT:
        case JSON_ARRAY:
            on_open(w, type == JSON_OBJECT);
            break;
        case JSON_OBJECT_END:
        case JSON_ARRAY_END:
            on_close(w);
            next_value(w);
            break;
        default:
            on_scalar(w, type, text);
            next_value(w);
        }
    }
}

void walk_feed(struct walk *w, struct slice piece)
{
    if (w->dead || !piece.n)
        return;
    json_feed(&w->json, piece);
    run(w);
}

void walk_finish(struct walk *w)
{
    if (w->dead)
        return;
    json_finish(&w->json);
    run(w);
}
