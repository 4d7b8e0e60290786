/* Sockets and processes of /proc: see process.h. */
#include "agent/process.h"

#include "agent/procnet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    ANSWERS = 1024, /* power of two */
    OWNERS = 1024,  /* inodes whose process is known; power of two */
    NAME = 16,      /* comm, TASK_COMM_LEN */
    LOOKS = 50,     /* at the sockets, in a second */
    FDS_MS = 1000,  /* between two looks at the processes' descriptors */
    BLOCK = 32 << 10,
};

struct answer { /* about one connection */
    struct flow_info flow;
    bool asked, found;
    uint32_t owner;
    uint64_t inode;
};

struct owner {
    uint64_t inode;
    char name[NAME];
};

struct processes {
    struct answer answer[ANSWERS];
    struct owner owner[OWNERS];
    int64_t second_ms; /* when this second of looks began */
    int looks;         /* in it */
    int64_t fds_ms;    /* of the last look at descriptors; 0: never */
    char block[BLOCK];
};

struct processes *processes_new(void)
{
    return calloc(1, sizeof(struct processes));
}

void processes_free(struct processes *p)
{
    free(p);
}

static bool same(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* --- sockets --------------------------------------------------------------------------
 */

static bool match_line(struct slice line, struct answer *a)
{
    struct procnet s;
    if (!procnet_line(line, &s) || !same(&s.local, &a->flow.client) ||
        !same(&s.remote, &a->flow.server))
        return false;
    a->owner = s.owner;
    a->inode = s.inode;
    return true;
}

static bool look_in(struct processes *p, const char *path, struct answer *a)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t kept = 0;
    ssize_t n = 0;
    bool found = false;
    while (fd >= 0 && !found &&
           (n = read(fd, p->block + kept, sizeof p->block - kept)) > 0) {
        struct slice all = slice_of(p->block, kept + (size_t)n), line;
        while (!found && slice_chr(all, '\n') != SIZE_MAX) {
            slice_cut(all, '\n', &line, &all);
            found = match_line(line, a);
        }
        kept = all.n < sizeof p->block / 2 ? all.n : 0;
        memmove(p->block, all.p, kept);
    }
    if (fd >= 0)
        close(fd);
    return found;
}

/* --- descriptors ----------------------------------------------------------------------
 */

static struct owner *slot_of(struct processes *p, uint64_t inode)
{
    return &p->owner[slice_hash(slice_of(&inode, sizeof inode), 0) & (OWNERS - 1)];
}

static void read_name(int proc, const char *pid, char name[NAME])
{
    char path[300];
    snprintf(path, sizeof path, "%s/comm", pid);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, name, NAME - 1);
    if (fd >= 0)
        close(fd);
    name[n < 0 ? 0 : n] = '\0';
    name[strcspn(name, "\n")] = '\0';
}

/* Every socket of one process. */
static void look_at(struct processes *p, int proc, const char *pid)
{
    char path[300], name[NAME] = "", link[64];
    snprintf(path, sizeof path, "%s/fd", pid);
    int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !dir)
        close(fd);
    for (const struct dirent *e; dir && (e = readdir(dir));) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link);
        struct slice text = slice_of(link, n < 0 ? 0 : (size_t)n);
        uint64_t inode;
        if (!slice_starts(text, SLICE("socket:[")) ||
            !slice_u64(slice_of(text.p + 8, text.n - 9), &inode))
            continue;
        if (!*name)
            read_name(proc, pid, name);
        struct owner *o = slot_of(p, inode);
        o->inode = inode;
        memcpy(o->name, name, sizeof name);
    }
    if (dir)
        closedir(dir);
}

static void look_at_all(struct processes *p)
{
    DIR *dir = opendir("/proc");
    for (const struct dirent *e; dir && (e = readdir(dir));)
        if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
            look_at(p, dirfd(dir), e->d_name);
    if (dir)
        closedir(dir);
}

static bool may_look(struct processes *p, int64_t now_ms)
{
    if (now_ms - p->second_ms >= 1000) {
        p->second_ms = now_ms;
        p->looks = 0;
    }
    return p->looks++ < LOOKS;
}

/* --- answers --------------------------------------------------------------------------
 */

static struct answer *answer_of(struct processes *p, const struct flow_info *flow)
{
    const struct endpoint both[2] = { flow->client, flow->server };
    struct answer *a =
        &p->answer[slice_hash(slice_of(both, sizeof both), 0) & (ANSWERS - 1)];
    if (a->asked && a->flow.ts_ns == flow->ts_ns &&
        same(&a->flow.client, &flow->client) && same(&a->flow.server, &flow->server))
        return a;
    *a = (struct answer){ .flow = *flow };
    return a;
}

struct attribute_process processes_of(struct processes *p, const struct flow_info *flow,
                                      int64_t now_ms)
{
    struct answer *a = answer_of(p, flow);
    if (!a->found && may_look(p, now_ms)) {
        static const char *const files[] = { "/proc/net/tcp", "/proc/net/tcp6" };
        a->asked = true;
        for (size_t i = 0; i < 2 && !a->found; i++)
            a->found = look_in(p, files[i], a);
    }
    if (!a->found || !a->inode)
        return (struct attribute_process){ .known = a->found, .owner = a->owner };
    const struct owner *o = slot_of(p, a->inode);
    if (o->inode != a->inode && (!p->fds_ms || now_ms - p->fds_ms >= FDS_MS)) {
        p->fds_ms = now_ms;
        look_at_all(p);
    }
    bool seen = o->inode == a->inode;
    return (struct attribute_process){ .known = true,
                                       .owner = a->owner,
                                       .name = slice_str(seen ? o->name : "") };
}
