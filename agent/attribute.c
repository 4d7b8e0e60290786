/* Rows of `capture.apps`: see attribute.h. */
#include "agent/attribute.h"

#include "agent/capture_filter.h"

#include <fnmatch.h>

enum { VALUE = 128 }; /* of a header that is compared; longer ones fit no pattern */

static bool fits(const char *pattern, struct slice s)
{
    char text[VALUE];
    if (!*pattern)
        return true;
    if (s.n >= sizeof text || memchr(s.n ? s.p : "", '\0', s.n))
        return false;
    if (s.n)
        memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return fnmatch(pattern, text, 0) == 0;
}

static bool header_fits(const struct config_app *r, const struct attribute_facts *f,
                        struct slice *value)
{
    for (size_t i = 0; i < f->fields; i++) {
        if (!slice_ieq(f->field[i].name, slice_str(r->header_name)))
            continue;
        *value = slice_trim(f->field[i].value);
        return value->n > 0 && fits(r->header_value, *value);
    }
    return false;
}

static bool port_fits(const struct config_app *r, uint16_t port)
{
    unsigned low, high;
    for (size_t i = 0; i < r->ports.n; i++)
        if (capture_filter_port(r->ports.at[i], &low, &high) && port >= low &&
            port <= high)
            return true;
    return r->ports.n == 0;
}

/* The path of a request target, which may be a whole URL (RFC 9112, 3.2.2). */
static struct slice path_of(struct slice target)
{
    size_t scheme = slice_find(target, SLICE("://"));
    if (scheme == SIZE_MAX || (target.n && target.p[0] == '/'))
        return target;
    target = slice_from(target, scheme + 3);
    size_t slash = slice_chr(target, '/');
    return slash == SIZE_MAX ? SLICE("/") : slice_from(target, slash);
}

static bool process_fits(const struct config_app *r, const struct attribute_facts *f,
                         struct slice *name)
{
    if (!*r->process && !*r->owner)
        return true;
    if (!f->process)
        return false;
    struct attribute_process p = f->process(f->arg);
    *name = p.name;
    return p.known && (!*r->owner || p.owner == r->owner_id) &&
           (!*r->process || (p.name.n && fits(r->process, p.name)));
}

void attribute(const struct config_capture *c, const struct attribute_facts *f,
               struct http_notes *notes)
{
    for (size_t i = 0; i < c->apps.n; i++) {
        const struct config_app *r = config_app(c, i);
        struct slice value = { 0 }, process = { 0 };
        if (!port_fits(r, f->port) ||
            (*r->path && !slice_starts(path_of(f->target), slice_str(r->path))) ||
            (*r->header && !header_fits(r, f, &value)) || !process_fits(r, f, &process))
            continue;
        struct slice label = value.n ? value : process;
        notes->rule = (uint16_t)(i + 1);
        if (*r->app)
            return;
        label = slice_head(label, sizeof notes->label);
        notes->label_n = (unsigned char)label.n;
        if (label.n)
            memcpy(notes->label, label.p, label.n);
        return;
    }
}

void attribute_names(const struct config_capture *c, const struct http_notes *notes,
                     struct slice *app, struct slice *environment)
{
    *app = slice_str(c->app);
    *environment = slice_str(c->environment);
    if (!notes || !notes->rule)
        return;
    const struct config_app *r = config_app(c, notes->rule - 1u);
    *app = *r->app ? slice_str(r->app) : slice_of(notes->label, notes->label_n);
    if (*r->environment)
        *environment = slice_str(r->environment);
}
