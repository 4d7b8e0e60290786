/* Options and configuration of the subcommands: see command.h. */
#include "collector/command.h"
#include "collector/store.h"

#include <stdio.h>

static const struct command_option *find(const struct command_option *o, size_t n,
                                         struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(slice_str(o[i].name), name))
            return &o[i];
    return NULL;
}

bool command_options(int argc, char **argv, const struct command_option *o, size_t n,
                     int *words)
{
    uint32_t seen = 0;
    *words = 0;
    for (int i = 1; i < argc; i++) {
        struct slice arg = slice_str(argv[i]), name, value;
        if (slice_eq(arg, SLICE("-c")))
            arg = SLICE("--config");
        if (!slice_starts(arg, SLICE("--"))) {
            argv[++*words] = argv[i];
            continue;
        }
        bool glued = slice_cut(slice_from(arg, 2), '=', &name, &value);
        const struct command_option *hit = find(o, n, name);
        if (!hit) {
            fprintf(stderr, "%s: unknown option --%.*s\n", argv[0], SLICE_FMT(name));
            return false;
        }
        uint32_t bit = UINT32_C(1) << (hit - o);
        if (seen & bit && !hit->flag) { /* taking the last one would be a silent choice */
            fprintf(stderr, "%s: --%s is given twice\n", argv[0], hit->name);
            return false;
        }
        seen |= bit;
        if (hit->flag) {
            *hit->flag = true;
        } else if (glued) {
            *hit->value = value.p;
        } else if (i + 1 < argc) {
            *hit->value = argv[++i];
        } else {
            fprintf(stderr, "%s: --%s needs a value\n", argv[0], hit->name);
            return false;
        }
    }
    return true;
}

bool command_config(const char *path, struct arena *a, struct config *out)
{
    struct buf why = { 0 };
    arena_init(a, 16u << 20);
    enum status st = config_load(path, a, out, &why);
    if (st != ST_OK)
        fprintf(stderr, "breakeven-collector: %s\n",
                why.n ? buf_cstr(&why) : status_name(st));
    buf_release(&why);
    if (st != ST_OK)
        arena_release(a);
    return st == ST_OK;
}

struct log command_log(const struct config *cf)
{
    struct log log = log_open("breakeven-collector");
    log.level = (enum log_level)cf->log_level;
    return log;
}

enum { PARTS_CEILING_BYTES = 1 << 30 };

enum status command_parts_open(const struct config *cf, struct command_parts *p,
                               struct buf *why)
{
    struct store_options o = { .dir = cf->data_dir };

    *p = (struct command_parts){ 0 };
    arena_init(&p->arena, PARTS_CEILING_BYTES);
    arena_init(&p->one, PARTS_CEILING_BYTES);
    enum status st =
        price_book_open(*cf->prices ? cf->prices : NULL,
                        *cf->price_overrides ? cf->price_overrides : NULL, &p->book, why);
    if (st)
        return st;
    st = store_sqlite_open(&o, &p->store, why);
    if (st == ST_EXISTS) {
        buf_reset(why);
        o.read_only = p->read_only = true;
        st = store_sqlite_open(&o, &p->store, why);
    }
    return st ? st : gpu_list_load(cf->projection.gpus, &p->gpus, &p->arena, why);
}

void command_parts_close(struct command_parts *p)
{
    store_free(p->store);
    price_book_free(p->book);
    arena_release(&p->arena);
    arena_release(&p->one);
}

enum status command_no_workload(const char *name, struct buf *why)
{
    if (name)
        buf_addf(why, "no workload '%s' in the configuration", name);
    else
        buf_adds(why, "no workload is configured: describe one under workloads: "
                      "(docs/projection.md)");
    return ST_CONFIG;
}
