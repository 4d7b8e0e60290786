/* Capabilities through the kernel's own calls; no libcap: see privilege.h. */
#include "agent/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORDS = 2 }; /* of _LINUX_CAPABILITY_VERSION_3 */

static bool have(unsigned capability)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[WORDS];
    return syscall(SYS_capget, &head, data) == 0 &&
           data[capability / 32].effective >> capability % 32 & 1;
}

bool privilege_net_raw(void)
{
    return have(CAP_NET_RAW);
}

bool privilege_ptrace(void)
{
    return have(CAP_SYS_PTRACE);
}

/* Into *uid and *gid; false: there is no such user. */
static bool find_user(const char *user, uid_t *uid, gid_t *gid)
{
    struct slice text = slice_str(user);
    uint64_t number;
    const struct passwd *p = getpwnam(user);
    if (!p && slice_u64(text, &number) && number < UINT32_MAX) {
        p = getpwuid((uid_t)number);
        if (!p) { /* in a container without names */
            *uid = (uid_t)number;
            *gid = (gid_t)number;
            return true;
        }
    }
    if (!p)
        return false;
    *uid = p->pw_uid;
    *gid = p->pw_gid;
    return true;
}

static enum status become(const char *user, struct buf *why)
{
    uid_t uid;
    gid_t gid;
    if (!find_user(user, &uid, &gid)) {
        buf_addf(why, "capture.user: there is no user '%s'", user);
        return ST_CONFIG;
    }
    const struct passwd *p = getpwuid(uid);
    if ((p ? initgroups(p->pw_name, gid) : setgroups(0, NULL)) != 0 ||
        setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
        buf_addf(why, "capture.user: cannot become '%s': %s", user, strerror(errno));
        return ST_DENIED;
    }
    return ST_OK;
}

/* While CAP_SETPCAP lasts; without it the bounding set stays, which no_new_privs mends.
 */
static void empty_bounding_set(void)
{
    for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
}

/* A sandbox may forbid capset: fine if there is nothing to give up. */
static bool nothing_left(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[WORDS];
    return syscall(SYS_capget, &head, data) == 0 && !data[0].permitted &&
           !data[1].permitted;
}

static enum status give_up_capabilities(struct buf *why)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[WORDS] = { { 0 } };
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if ((syscall(SYS_capset, &head, none) != 0 && !nothing_left()) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        buf_addf(why, "cannot give up capabilities: %s", strerror(errno));
        return ST_DENIED;
    }
    return ST_OK;
}

enum status privilege_drop(const char *user, struct buf *why)
{
    uid_t uid;
    gid_t gid;
    bool root = geteuid() == 0;
    if (root && strcmp(user, "root") == 0)
        return ST_OK;
    if (root && !*user) {
        buf_adds(why, "capture.user: started as root: say which user to become once the "
                      "capture is open (user: breakeven; 'root' keeps everything)");
        return ST_CONFIG;
    }
    if (!root && *user && (!find_user(user, &uid, &gid) || uid != geteuid())) {
        buf_addf(why, "capture.user: only root can become '%s'", user);
        return ST_CONFIG;
    }
    empty_bounding_set();
    enum status st = root ? become(user, why) : ST_OK;
    return st == ST_OK ? give_up_capabilities(why) : st;
}
