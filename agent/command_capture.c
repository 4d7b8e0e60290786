/* The capture section in check: see command_capture.h. A shell file. */
#include "agent/command_capture.h"

#include "agent/live.h"
#include "agent/privilege.h"
#include "agent/tail_walk.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

struct report {
    const struct config_capture *c;
    struct json_out *o;
    struct buf problems; /* one a line */
    unsigned keylogs;
};

static void problem(struct report *r, const char *text)
{
    buf_adds(&r->problems, text);
    buf_addc(&r->problems, '\n');
}

/* Would `user` read it? Root asks for another; everybody else for himself. */
static bool readable(const struct report *r, const char *path, const struct stat *st)
{
    const struct passwd *p = getpwnam(r->c->user);
    if (geteuid() != 0 || !p || p->pw_uid == 0)
        return access(path, R_OK) == 0;
    if (st->st_uid == p->pw_uid)
        return st->st_mode & S_IRUSR;
    if (st->st_gid == p->pw_gid)
        return st->st_mode & S_IRGRP;
    /* Groups of the user beyond its first are not looked up: `run` says it for sure. */
    return st->st_mode & (S_IROTH | S_IRGRP);
}

static void on_keylog(void *arg, const char *path, const struct stat *st, bool sibling)
{
    struct report *r = arg;
    struct buf text = { 0 };
    bool can = readable(r, path, st), all = st->st_mode & (S_IROTH | S_IWOTH);
    if (sibling)
        return;
    r->keylogs++;
    if (!can) {
        buf_addf(&text, "key log %s: cannot be read by user %s", path,
                 *r->c->user ? r->c->user : "(this one)");
        problem(r, buf_cstr(&text));
    } else if (all) {
        buf_addf(&text, "key log %s: everybody on this host may read it: chmod o= %s",
                 path, path);
        problem(r, buf_cstr(&text));
    }
    if (r->o) {
        json_open(r->o, '{');
        json_key(r->o, "path");
        json_str(r->o, slice_str(path));
        json_key(r->o, "readable");
        json_bool(r->o, can);
        json_key(r->o, "open_to_all");
        json_bool(r->o, all);
        json_close(r->o, '}');
    } else {
        printf("    %-44s %12lld bytes%s%s\n", path, (long long)st->st_size,
               can ? "" : "  cannot be read", all ? "  open to everybody" : "");
    }
    buf_release(&text);
}

static void on_denied(void *arg, const char *path)
{
    struct buf text = { 0 };
    buf_addf(&text, "key logs: folder %s: %s", path, strerror(errno));
    problem(arg, buf_cstr(&text));
    buf_release(&text);
}

static void look_at_keylogs(struct report *r)
{
    const struct tail_walk on = { .arg = r, .file = on_keylog, .denied = on_denied };
    if (r->o) {
        json_key(r->o, "keylogs");
        json_open(r->o, '[');
    }
    for (size_t i = 0; i < r->c->keylogs.n; i++) {
        if (!r->o)
            printf("  %s\n", r->c->keylogs.at[i]);
        r->keylogs = 0;
        tail_walk(r->c->keylogs.at[i], &r->c->keylog_exclude, &on);
        if (!r->o && !r->keylogs)
            printf("    no file matches now\n");
    }
    if (r->o)
        json_close(r->o, ']');
    if (!r->c->keylogs.n)
        problem(r, "no keylogs: calls in TLS stay dark: counted, of quality missing");
}

static void look_at_user(struct report *r, struct buf *wrong)
{
    struct buf text = { 0 };
    uint64_t id;
    if (!*r->c->user || getpwnam(r->c->user) || slice_u64(slice_str(r->c->user), &id))
        return;
    buf_addf(&text, "user: there is no user '%s'", r->c->user);
    problem(r, buf_cstr(&text));
    if (!wrong->n)
        buf_add(wrong, buf_slice(&text));
    buf_release(&text);
}

static void look_at_privileges(struct report *r)
{
    bool root = geteuid() == 0;
    if (!privilege_net_raw())
        problem(r,
                "this user may not capture: `run` needs CAP_NET_RAW at its start (root "
                "with capture.user, or AmbientCapabilities=CAP_NET_RAW in the unit)");
    if (root && !*r->c->user)
        problem(r, "user: as root `run` wants to know whom to become");
}

static void put_problems(struct report *r)
{
    struct slice rest = buf_slice(&r->problems), line;
    if (r->o) {
        json_key(r->o, "problems");
        json_open(r->o, '[');
    }
    while (slice_cut(rest, '\n', &line, &rest)) {
        if (r->o)
            json_str(r->o, line);
        else
            printf("  ! %.*s\n", SLICE_FMT(line));
    }
    if (r->o)
        json_close(r->o, ']');
}

void command_capture(const struct config *c, struct json_out *o, struct buf *wrong)
{
    struct report r = { .c = &c->capture, .o = o };
    struct buf filter = { 0 }, why = { 0 };
    const struct live_options live = {
        .interface = r.c->interface,
        .filter = { r.c->ports, r.c->hosts, r.c->filter, false },
        .ring_bytes = r.c->ring_bytes,
        .snap_bytes = (int)r.c->snap_bytes,
    };
    enum status st = live_check(&live, &filter, &why);
    if (st != ST_OK)
        problem(&r, buf_cstr(&why));
    if (st == ST_CONFIG)
        buf_add(wrong, buf_slice(&why));
    look_at_user(&r, wrong);
    look_at_privileges(&r);
    if (o) {
        json_open(o, '{');
        json_key(o, "interface");
        json_str(o, slice_str(r.c->interface));
        json_key(o, "filter");
        json_str(o, buf_slice(&filter));
        json_key(o, "user");
        json_str(o, slice_str(r.c->user));
        json_key(o, "ring_bytes");
        json_u64(o, r.c->ring_bytes);
    } else {
        printf("capture    %s, ring of %llu KiB, then user %s\n  filter %s\n",
               r.c->interface, (unsigned long long)r.c->ring_bytes >> 10,
               *r.c->user ? r.c->user : "as started", buf_cstr(&filter));
    }
    look_at_keylogs(&r);
    put_problems(&r);
    if (o)
        json_close(o, '}');
    buf_release(&filter);
    buf_release(&why);
    buf_release(&r.problems);
}
