/* The spool against a model: restarts, kills and errors at every file operation. */
#include "fault_vfs.h"
#include "spool_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

/* Its complaints belong to the tests; BREAKEVEN_TEST_LOG=1 shows them. */
static const struct log *test_log(void)
{
    static const struct log to_stderr = { .program = "test", .fd = 2 };
    return getenv("BREAKEVEN_TEST_LOG") ? &to_stderr : NULL;
}

struct fixture {
    char dir[64], path[96];
    struct world *w;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    /* In memory, where a sync is free: what it promises is played by the shim. */
    const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(f->dir, sizeof f->dir, "%s/spool-XXXXXX", tmp);
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/spool.db", f->dir);
    f->w = calloc(1, sizeof *f->w);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
    int rc = system(command);
    free(f->w);
    free(f);
    return rc;
}

static struct spool *opened(const struct fixture *f, int64_t now_ms)
{
    struct spool *s;
    struct spool_limits limits = spool_limits_default();
    assert_int_equal(spool_open(f->path, &limits, now_ms, false, test_log(), &s), ST_OK);
    return s;
}

static struct spool_stats stats(struct spool *s)
{
    struct spool_stats out;
    assert_int_equal(spool_stats(s, &out), ST_OK);
    return out;
}

static void add_one(struct fixture *f, struct spool *s, unsigned hour, unsigned series)
{
    assert_int_equal(spool_begin(s, world_hour0), ST_OK);
    assert_int_equal(world_add(s, hour, series, 10), ST_OK);
    assert_int_equal(spool_commit(s), ST_OK);
    world_truth(f->w, hour, series, 10);
}

/* --- Plain use ------------------------------------------------------------------- */

static void see_position(void *arg, const struct spool_position *p)
{
    struct buf *b = arg;
    buf_addf(b, "%.*s=%llu(%.*s,%zu) ", SLICE_FMT(p->path), (unsigned long long)p->offset,
             SLICE_FMT(p->state), p->key.n);
}

static void see_dedup(void *arg, uint64_t hash, int64_t hour, struct slice blob)
{
    buf_addf(arg, "%llx@%lld:%.*s ", (unsigned long long)hash, (long long)hour,
             SLICE_FMT(blob));
}

static void test_everything_survives_a_reopen(void **state)
{
    struct fixture *f = *state;
    struct buf seen = { 0 };
    struct spool *s = opened(f, 1000);
    spool_begin(s, 7);
    spool_put_position(s, &(struct spool_position){ .key = SLICE("k\0y"),
                                                    .path = SLICE("/var/log/a"),
                                                    .offset = UINT64_C(1) << 40,
                                                    .state = SLICE("st") });
    spool_put_position(s, &(struct spool_position){
                              .key = SLICE("b"), .path = SLICE("/b"), .offset = 3 });
    spool_put_position(s,
                       &(struct spool_position){ .key = SLICE("c"), .path = SLICE("c") });
    spool_drop_position(s, SLICE("c"));
    spool_put_dedup(s, UINT64_MAX, 3600, SLICE("one"));
    spool_put_dedup(s, 5, 3600, SLICE("two"));
    spool_put_value(s, "salt", SLICE("x"));
    spool_put_value(s, "salt", SLICE("\0\1"));
    world_add(s, 0, 0, 42);
    world_truth(f->w, 0, 0, 42);
    assert_int_equal(spool_commit(s), ST_OK);
    spool_begin(s, 8);
    spool_put_value(s, "salt", SLICE("never"));
    world_add(s, 0, 0, 42);
    spool_rollback(s);
    uint64_t epoch = stats(s).epoch;
    assert_int_equal(epoch, 1000);
    spool_close(s);

    s = opened(f, 2000);
    assert_int_equal(stats(s).epoch, epoch);
    assert_int_equal(spool_load_positions(s, see_position, &seen), ST_OK);
    assert_string_equal(buf_cstr(&seen), "/b=3(,1) /var/log/a=1099511627776(st,3) ");
    buf_reset(&seen);
    assert_int_equal(spool_load_dedup(s, see_dedup, &seen), ST_OK);
    assert_string_equal(buf_cstr(&seen), "ffffffffffffffff@3600:one 5@3600:two ");
    buf_reset(&seen);
    assert_int_equal(spool_get_value(s, "salt", &seen), ST_OK);
    assert_true(slice_eq(buf_slice(&seen), SLICE("\0\1")));
    assert_int_equal(spool_get_value(s, "none", &seen), ST_NOT_FOUND);
    assert_true(world_drain(f->w, s) && world_agrees(f->w));
    spool_close(s);
    buf_release(&seen);
}

static void test_batches_are_cut_by_rows_and_bytes_in_ver_order(void **state)
{
    struct fixture *f = *state;
    struct buf lines = { 0 };
    struct spool_batch b;
    struct spool *s = opened(f, 1000);
    assert_int_equal(spool_next_batch(s, 10, 1000, &lines, &b), ST_END);
    assert_int_equal(b.rows, 0);
    for (unsigned h = 0; h < 9; h++)
        add_one(f, s, h, 0);
    add_one(f, s, 0, 0); /* now the newest */
    assert_int_equal(spool_next_batch(s, 4, 100000, &lines, &b), ST_OK);
    assert_int_equal(b.rows, 4);
    assert_true(b.more && b.first_ver < b.last_ver);
    size_t four = lines.n;
    buf_reset(&lines);
    assert_int_equal(spool_next_batch(s, 100, four, &lines, &b), ST_OK);
    assert_int_equal(b.rows, 4);
    buf_reset(&lines);
    assert_int_equal(spool_next_batch(s, 100, 1, &lines, &b), ST_OK);
    assert_int_equal(b.rows, 1);
    assert_true(slice_find(buf_slice(&lines), SLICE("\"h\":1795424400,")) != SIZE_MAX);
    buf_reset(&lines);
    assert_int_equal(spool_next_batch(s, 100, 100000, &lines, &b), ST_OK);
    assert_int_equal(b.rows, 9);
    assert_false(b.more);
    assert_true(world_drain(f->w, s) && world_agrees(f->w));
    spool_close(s);
    buf_release(&lines);
}

static void test_a_row_that_changed_in_flight_waits_again(void **state)
{
    struct fixture *f = *state;
    struct buf lines = { 0 };
    struct spool_batch b;
    struct spool *s = opened(f, 1000);
    add_one(f, s, 0, 0);
    add_one(f, s, 0, 1);
    spool_next_batch(s, 10, 100000, &lines, &b);
    add_one(f, s, 0, 1);
    assert_int_equal(spool_ack(s, &b), ST_OK);
    assert_int_equal(stats(s).waiting, 1);
    assert_int_equal(stats(s).seq, 1);
    assert_true(world_drain(f->w, s));
    assert_false(world_agrees(f->w)); /* the first batch went nowhere */
    spool_close(s);
    buf_release(&lines);
}

static void test_refused_rows_are_counted_and_offered_again(void **state)
{
    struct fixture *f = *state;
    struct buf lines = { 0 };
    struct spool_batch b;
    struct spool *s = opened(f, 1000);
    add_one(f, s, 0, 0);
    add_one(f, s, 0, 1);
    spool_next_batch(s, 2, 100000, &lines, &b);
    assert_int_equal(spool_refuse(s, &b), ST_OK);
    assert_int_equal(stats(s).refused, 2);
    assert_int_equal(stats(s).waiting, 0);
    add_one(f, s, 0, 0); /* it changed: the next ver is offered */
    assert_int_equal(stats(s).refused, 1);
    assert_int_equal(stats(s).waiting, 1);
    spool_close(s);
    s = opened(f, 2000);
    assert_int_equal(stats(s).refused, 0);
    assert_int_equal(stats(s).waiting, 2);

    spool_next_batch(s, 2, 100000, &lines, &b);
    spool_refuse(s, &b);
    assert_int_equal(spool_prune(s, world_hour0 + 30 * 24 * 3600), ST_OK);
    assert_int_equal(stats(s).refused, 0);
    assert_int_equal(stats(s).refused_pruned, 2);
    assert_int_equal(stats(s).rows, 0);
    spool_close(s);
    buf_release(&lines);
}

/* The busiest minute grows across commits, as one agent's memory would have seen it. */
static void test_peaks_continue_across_commits(void **state)
{
    struct fixture *f = *state;
    struct buf lines = { 0 };
    struct spool_batch b;
    static const unsigned minutes[] = { 1, 1, 1, 2, 2, 5, 5, 5, 5, 6 };
    struct spool *s = opened(f, 1000);
    for (size_t i = 0; i < sizeof minutes / sizeof *minutes; i++) {
        spool_begin(s, 0);
        assert_int_equal(world_add(s, 0, 0, minutes[i] * 60), ST_OK);
        assert_int_equal(spool_commit(s), ST_OK);
    }
    spool_next_batch(s, 1, 100000, &lines, &b);
    assert_true(slice_find(buf_slice(&lines), SLICE("\"pkc\":4,\"pkt\":1200,")) !=
                SIZE_MAX);
    spool_close(s);
    buf_release(&lines);
}

static void test_a_pruned_row_never_restarts_in_its_epoch(void **state)
{
    struct fixture *f = *state;
    const int64_t day = 24 * 3600;
    struct spool *s = opened(f, 1000);
    add_one(f, s, 0, 0);
    add_one(f, s, 0, 1);
    assert_int_equal(spool_prune(s, world_hour0 + 30 * day), ST_OK);
    assert_int_equal(stats(s).rows, 2); /* nothing goes before it is shipped */
    assert_true(world_drain(f->w, s));
    assert_int_equal(spool_prune(s, world_hour0 + 2 * day), ST_OK);
    assert_int_equal(stats(s).rows, 2); /* too young */
    assert_int_equal(spool_prune(s, world_hour0 + 4 * day), ST_OK);
    assert_int_equal(stats(s).rows, 0);
    add_one(f, s, 60, 0); /* a young hour: the same epoch goes on */
    assert_int_equal(stats(s).epoch, 1000);
    spool_close(s);
    s = opened(f, 5000);
    add_one(f, s, 0, 0); /* late */
    assert_int_equal(stats(s).epoch, 1001);
    add_one(f, s, 0, 1);
    assert_int_equal(stats(s).epoch, 1001);
    assert_true(world_drain(f->w, s) && world_agrees(f->w));
    spool_close(s);
}

static void test_dedup_is_bounded_by_number_and_age(void **state)
{
    struct fixture *f = *state;
    struct buf seen = { 0 };
    struct spool *s;
    struct spool_limits limits = spool_limits_default();
    limits.dedup_max = 5000;
    assert_int_equal(spool_open(f->path, &limits, 1, false, test_log(), &s), ST_OK);
    spool_begin(s, 0);
    for (uint64_t i = 0; i < 14000; i++)
        spool_put_dedup(s, i, world_hour0, SLICE("x"));
    assert_int_equal(spool_commit(s), ST_OK);
    assert_int_equal(spool_prune(s, world_hour0), ST_OK);
    spool_load_dedup(s, see_dedup, &seen);
    assert_int_equal(seen.n / strlen("2328@1795420800:x "), 5000);
    assert_true(slice_starts(buf_slice(&seen), SLICE("2328@"))); /* 9000 */
    buf_reset(&seen);
    assert_int_equal(spool_prune(s, world_hour0 + limits.dedup_keep_s + 1), ST_OK);
    spool_load_dedup(s, see_dedup, &seen);
    assert_int_equal(seen.n, 0);
    spool_close(s);
    buf_release(&seen);
}

/* --- A random life against the model --------------------------------------------- */

static void ship_randomly(struct fixture *f, struct spool *s, uint64_t *random)
{
    struct buf lines = { 0 };
    struct spool_batch b;
    size_t rows = 1 + world_random(random) % 20;
    if (spool_next_batch(s, rows, 100000, &lines, &b) == ST_OK) {
        if (world_random(random) % 4) /* arrives … */
            assert_true(world_take_all(f->w, buf_slice(&lines)));
        else
            b.rows = 0;
        if (b.rows && world_random(random) % 4) /* … and so does the answer */
            assert_int_equal(spool_ack(s, &b), ST_OK);
    }
    buf_release(&lines);
}

static void test_random_lives_lose_and_double_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = (uint64_t)time(NULL) << 20 | ((uint64_t)getpid() & 0xfffff);
    uint64_t random = seed | 1;
    unsigned clock_h = 0, epochs = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct spool *s = opened(f, 1000);
    for (int step = 0; step < 1500; step++) {
        unsigned what = (unsigned)(world_random(&random) % 100);
        if (what < 60) {
            unsigned n = 1 + (unsigned)(world_random(&random) % 8);
            bool keep = world_random(&random) % 5 != 0;
            spool_begin(s, world_hour0 + (int64_t)clock_h * 3600);
            for (unsigned i = 0; i < n; i++) {
                unsigned hour = (unsigned)(world_random(&random) % WORLD_HOURS);
                unsigned series = (unsigned)(world_random(&random) % WORLD_SERIES);
                uint64_t input = world_random(&random) % 5000;
                assert_int_equal(world_add(s, hour, series, input), ST_OK);
                if (keep)
                    world_truth(f->w, hour, series, input);
            }
            if (keep)
                assert_int_equal(spool_commit(s), ST_OK);
            else if (what % 2)
                spool_rollback(s);
            if (!keep && what % 2 == 0) {
                spool_close(s);
                s = opened(f, 2000 + step);
            }
        } else if (what < 90) {
            ship_randomly(f, s, &random);
        } else if (what < 95) {
            clock_h += (unsigned)(world_random(&random) % 96);
            assert_int_equal(spool_prune(s, world_hour0 + (int64_t)clock_h * 3600),
                             ST_OK);
        } else {
            spool_close(s);
            s = opened(f, 2000 + step);
        }
        if (step % 300 == 299) {
            assert_true(world_drain(f->w, s) && world_agrees(f->w));
            epochs = (unsigned)(stats(s).epoch - 1000);
        }
    }
    assert_in_range(epochs, 1, 200); /* pruning and late calls did meet */
    spool_close(s);
}

/* --- Killed at every file operation ---------------------------------------------- */

/* What the agent tells the outside; `batch` goes to the collector before the ack. */
struct outside {
    void (*opened)(struct outside *o, uint64_t position);
    void (*committed)(struct outside *o, uint64_t position);
    void (*batch)(struct outside *o, struct slice ndjson);
    int fd;
    struct world *w;
    uint64_t promised; /* the newest position that a commit said is durable */
    uint64_t failures;
};

/* Call number i of the log. */
static void record(uint64_t i, unsigned *hour, unsigned *series, uint64_t *input)
{
    uint64_t r = slice_hash(slice_of(&i, sizeof i), 7);
    *hour = (unsigned)(r % 12);
    *series = (unsigned)(r >> 20) % WORLD_SERIES;
    *input = r >> 40 & 4095;
}

static void get_offset(void *arg, const struct spool_position *p)
{
    *(uint64_t *)arg = p->offset;
}

static enum status commit_some(struct spool *s, uint64_t *at)
{
    uint64_t to = *at + 1 + *at % 5, input;
    unsigned hour, series;
    spool_begin(s, world_hour0);
    for (uint64_t i = *at; i < to; i++) {
        record(i, &hour, &series, &input);
        world_add(s, hour, series, input);
        spool_put_dedup(s, i, world_hour0, slice_of(&i, sizeof i));
    }
    spool_put_position(s, &(struct spool_position){
                              .key = SLICE("log"), .path = SLICE("log"), .offset = to });
    enum status st = spool_commit(s);
    if (st == ST_OK)
        *at = to;
    return st;
}

/* Open, read a bit of the log, ship a bit, prune, close. False: the spool did not open.
 */
static bool agent_life(const char *path, int64_t now_ms, struct outside *o)
{
    struct spool *s;
    struct spool_limits limits = spool_limits_default();
    struct spool_batch b;
    struct buf lines = { 0 };
    uint64_t at = 0;
    limits.dedup_max = 20;
    if (spool_open(path, &limits, now_ms, false, test_log(), &s) != ST_OK)
        return false;
    if (spool_load_positions(s, get_offset, &at) != ST_OK)
        o->failures++;
    o->opened(o, at);
    for (int i = 0; i < 8; i++) {
        if (commit_some(s, &at) == ST_OK)
            o->committed(o, at);
        else
            o->failures++;
        if (i % 2 && spool_next_batch(s, 9, 100000, &lines, &b) == ST_OK) {
            o->batch(o, buf_slice(&lines));
            if (spool_ack(s, &b) != ST_OK)
                o->failures++;
        }
        buf_reset(&lines);
        if (i % 3 == 2 && spool_prune(s, world_hour0 + 30 * 24 * 3600) != ST_OK)
            o->failures++;
    }
    spool_close(s);
    buf_release(&lines);
    return true;
}

/* From the child through a pipe: 'O', 'C' or 'B', a number, for 'B' that many bytes. */
static void say(struct outside *o, char what, uint64_t n, struct slice data)
{
    char head[1 + sizeof n];
    head[0] = what;
    memcpy(head + 1, &n, sizeof n);
    if (write(o->fd, head, sizeof head) != sizeof head ||
        (data.n && write(o->fd, data.p, data.n) != (ssize_t)data.n))
        _exit(3);
}

static void say_opened(struct outside *o, uint64_t at)
{
    say(o, 'O', at, (struct slice){ 0 });
}

static void say_committed(struct outside *o, uint64_t at)
{
    say(o, 'C', at, (struct slice){ 0 });
}

static void say_batch(struct outside *o, struct slice ndjson)
{
    say(o, 'B', ndjson.n, ndjson);
}

static void hear(struct fixture *f, struct slice said, uint64_t *promised)
{
    uint64_t n;
    while (said.n >= 1 + sizeof n) {
        memcpy(&n, said.p + 1, sizeof n);
        char what = said.p[0];
        said = slice_from(said, 1 + sizeof n);
        if (what == 'O')
            assert_true(n >= *promised); /* what was committed is still there */
        if (what == 'C')
            *promised = n;
        if (what == 'B' && said.n >= n) {
            assert_true(world_take_all(f->w, slice_head(said, n)));
            said = slice_from(said, n);
        }
    }
}

/* A life in a child, killed at operation `at`. True: it ran to its end before that. */
static bool killed_life(struct fixture *f, struct fault fault, uint64_t *promised)
{
    int ends[2], wstatus;
    char block[4096];
    ssize_t n;
    struct buf said = { 0 };
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct outside o = { say_opened, say_committed, say_batch, .fd = ends[1] };
        close(ends[0]);
        fault_begin(&fault);
        bool ok = agent_life(f->path, 1000 + (int64_t)fault.at, &o);
        _exit(ok && o.failures == 0 ? 0 : 1);
    }
    close(ends[1]);
    while ((n = read(ends[0], block, sizeof block)) > 0)
        buf_add(&said, slice_of(block, (size_t)n));
    close(ends[0]);
    assert_int_equal(waitpid(child, &wstatus, 0), child);
    hear(f, buf_slice(&said), promised);
    buf_release(&said);
    assert_true(WIFSIGNALED(wstatus) || WEXITSTATUS(wstatus) == 0);
    return WIFEXITED(wstatus);
}

static void lose_power(const struct fixture *f)
{
    static const char *const parts[] = { "", "-wal" };
    char name[128], synced[160];
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s%s", f->path, parts[i]);
        snprintf(synced, sizeof synced, "%s.synced", name);
        if (access(synced, F_OK) == 0)
            fault_copy(synced, name);
        else
            unlink(name);
    }
}

static void kill_everywhere(struct fixture *f, bool torn, bool power)
{
    uint64_t promised = 0, at = 0, input;
    unsigned hour, series;
    unsigned long n = 0;
    bool done = false;
    while (!done && n < 5000) {
        n++;
        done = killed_life(
            f, (struct fault){ .at = n, .times = 1, .torn = torn, .shadow = power },
            &promised);
        if (power && !done)
            lose_power(f);
    }
    assert_true(done);
    struct spool *s = opened(f, 9999);
    spool_load_positions(s, get_offset, &at);
    assert_true(at >= promised);
    for (uint64_t i = 0; i < at; i++) {
        record(i, &hour, &series, &input);
        world_truth(f->w, hour, series, input);
    }
    assert_true(world_drain(f->w, s) && world_agrees(f->w));
    print_message("%lu kills, %llu calls, epochs %llu\n", n - 1, (unsigned long long)at,
                  (unsigned long long)stats(s).epoch);
    assert_true(n > 50);
    spool_close(s);
}

static void test_killed_before_every_operation(void **state)
{
    kill_everywhere(*state, false, false);
}

static void test_killed_inside_every_write(void **state)
{
    kill_everywhere(*state, true, false);
}

static void test_power_lost_at_every_operation(void **state)
{
    kill_everywhere(*state, false, true);
}

static void overwrite(const char *path, off_t at, const char *with, size_t n)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, with, n, at), n);
    close(fd);
}

/* --- A damaged log: the newest transactions are gone, shipped or not ------------- */

/* Calls *at .. to of one series; a batch of them is one change of the total. */
static void commit_until(struct spool *s, uint64_t *at, uint64_t to)
{
    struct rollup_key k = world_key(0, 0);
    struct rollup delta = { .calls = to - *at };
    spool_begin(s, world_hour0);
    if (*at < to)
        spool_add(s, &k, &delta);
    spool_put_position(s, &(struct spool_position){
                              .key = SLICE("log"), .path = SLICE("log"), .offset = to });
    assert_int_equal(spool_commit(s), ST_OK);
    *at = to;
}

static void leave_a_log(struct fixture *f)
{
    int ends[2], wstatus;
    char block[4096];
    ssize_t n;
    uint64_t promised = 0;
    struct buf said = { 0 };
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct outside o = { say_opened, say_committed, say_batch, .fd = ends[1] };
        struct spool *s = opened(f, 1000);
        struct spool_batch b;
        struct buf lines = { 0 };
        uint64_t at = 0;
        for (uint64_t to = 1; to <= 21; to++) {
            commit_until(s, &at, to);
            while (spool_next_batch(s, 9, 100000, &lines, &b) == ST_OK) {
                o.batch(&o, buf_slice(&lines));
                spool_ack(s, &b);
                buf_reset(&lines);
            }
        }
        _exit(0); /* without closing */
    }
    close(ends[1]);
    while ((n = read(ends[0], block, sizeof block)) > 0)
        buf_add(&said, slice_of(block, (size_t)n));
    close(ends[0]);
    waitpid(child, &wstatus, 0);
    hear(f, buf_slice(&said), &promised);
    buf_release(&said);
}

static void test_a_log_that_lost_its_end_is_read_again(void **state)
{
    struct fixture *f = *state;
    char log[128];
    struct stat size;
    uint64_t back = 0;
    snprintf(log, sizeof log, "%s-wal", f->path);
    for (int part = 0; part <= 10; part++) {
        uint64_t at = 0;
        memset(f->w, 0, sizeof *f->w);
        leave_a_log(f);
        assert_int_equal(stat(log, &size), 0);
        assert_true(size.st_size > 50000);
        if (part % 2)
            assert_int_equal(truncate(log, size.st_size * part / 10), 0);
        else
            overwrite(log, size.st_size * part / 11, "flip", 4);
        struct spool *s = opened(f, 2000);
        assert_int_equal(stats(s).epoch, 1000);
        spool_load_positions(s, get_offset, &at);
        back += at < 21;
        commit_until(s, &at, 25);
        f->w->calls[0][0] = 25;
        assert_true(world_drain(f->w, s) && world_agrees(f->w));
        spool_close(s);
        unlink(f->path);
    }
    assert_in_range(back, 5, 11);
}

/* --- Errors at every file operation ---------------------------------------------- */

static void note_opened(struct outside *o, uint64_t at)
{
    assert_true(at >= o->promised);
}

static void note_committed(struct outside *o, uint64_t at)
{
    o->promised = at;
}

static void note_batch(struct outside *o, struct slice ndjson)
{
    assert_true(world_take_all(o->w, ndjson));
}

static void test_errors_at_every_operation_cost_nothing(void **state)
{
    struct fixture *f = *state;
    static const int errors[] = { SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC };
    struct outside o = { note_opened, note_committed, note_batch, .w = f->w };
    uint64_t at = 0, input, unopened = 0;
    unsigned hour, series;
    struct fault fault = { 0 };
    for (unsigned long n = 1; n < 400; n += 1 + n / 60) {
        fault = (struct fault){ .at = n,
                                .times = n % 5 == 0 ? 40 : 1,
                                .error = errors[n % 3] };
        fault_begin(&fault);
        if (!agent_life(f->path, 1000, &o))
            unopened++;
        fault_end(&fault);
    }
    struct spool *s = opened(f, 9999);
    spool_load_positions(s, get_offset, &at);
    assert_true(at >= o.promised);
    for (uint64_t i = 0; i < at; i++) {
        record(i, &hour, &series, &input);
        world_truth(f->w, hour, series, input);
    }
    assert_true(world_drain(f->w, s) && world_agrees(f->w));
    print_message("%llu failed operations, %llu failed opens, %llu calls\n",
                  (unsigned long long)o.failures, (unsigned long long)unopened,
                  (unsigned long long)at);
    assert_true(o.failures > 20);
    spool_close(s);
}

/* --- Full ------------------------------------------------------------------------ */

static enum status fill_once(struct spool *s, uint64_t i)
{
    char model[32];
    struct rollup_key k = world_key(0, 0);
    struct rollup delta = { .calls = 1 };
    snprintf(model, sizeof model, "m%llu", (unsigned long long)i);
    k.name[ROLLUP_model] = slice_str(model);
    spool_begin(s, world_hour0);
    for (unsigned j = 0; j < 20; j++) {
        k.hour = world_hour0 - (int64_t)j * ROLLUP_HOUR_S;
        spool_add(s, &k, &delta);
    }
    return spool_commit(s);
}

static void ship_all(struct spool *s)
{
    struct buf lines = { 0 };
    struct spool_batch b;
    while (spool_next_batch(s, 500, 1 << 20, &lines, &b) == ST_OK) {
        assert_int_equal(spool_ack(s, &b), ST_OK);
        buf_reset(&lines);
    }
    buf_release(&lines);
}

static void test_at_its_limit_it_refuses_and_recovers(void **state)
{
    struct fixture *f = *state;
    struct spool *s;
    uint64_t i = 0;
    struct stat size;
    struct spool_limits limits = spool_limits_default();
    enum status st;
    limits.max_bytes = 1 << 20;
    assert_int_equal(spool_open(f->path, &limits, 1000, false, test_log(), &s), ST_OK);
    while ((st = fill_once(s, i)) == ST_OK)
        i++;
    assert_int_equal(st, ST_FULL);
    assert_in_range(i, 20, 500);
    assert_int_equal(stats(s).rows, i * 20);
    assert_int_equal(stats(s).waiting, i * 20);
    assert_int_equal(fill_once(s, i), ST_FULL);
    ship_all(s);
    assert_int_equal(spool_prune(s, world_hour0), ST_OK);
    assert_int_equal(fill_once(s, i), ST_OK);
    assert_true(stats(s).bytes < limits.max_bytes);
    spool_close(s);
    assert_int_equal(stat(f->path, &size), 0);
    assert_true((uint64_t)size.st_size <= limits.max_bytes);
}

/* A file that cannot grow, as on a full disk; then it can again, without a reopen. */
static void test_a_full_disk_is_survived(void **state)
{
    struct fixture *f = *state;
    int wstatus;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit, small;
        struct spool *s;
        struct spool_limits limits = spool_limits_default();
        enum status st;
        uint64_t i = 0;
        signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &limit);
        small = limit;
        small.rlim_cur = 700 * 1024;
        setrlimit(RLIMIT_FSIZE, &small);
        if (spool_open(f->path, &limits, 1000, false, test_log(), &s) != ST_OK)
            _exit(1);
        while ((st = fill_once(s, i)) == ST_OK && i < 5000)
            i++;
        if (st != ST_FULL || fill_once(s, i) != ST_FULL)
            _exit(2);
        setrlimit(RLIMIT_FSIZE, &limit);
        if (fill_once(s, i) != ST_OK || stats(s).rows != (i + 1) * 20)
            _exit(3);
        spool_close(s);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &wstatus, 0), child);
    assert_true(WIFEXITED(wstatus));
    assert_int_equal(WEXITSTATUS(wstatus), 0);
}

/* --- Refusals -------------------------------------------------------------------- */

static enum status try_open(const struct fixture *f, bool replace)
{
    struct spool *s;
    struct spool_limits limits = spool_limits_default();
    enum status st = spool_open(f->path, &limits, 777, replace, test_log(), &s);
    assert_true((st == ST_OK) == (s != NULL));
    spool_close(s);
    return st;
}

static void test_a_second_opener_is_refused(void **state)
{
    struct fixture *f = *state;
    int wstatus;
    struct spool *s = opened(f, 1000);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit((int)try_open(f, true));
    assert_int_equal(waitpid(child, &wstatus, 0), child);
    assert_int_equal(WEXITSTATUS(wstatus), ST_EXISTS);
    assert_int_equal(try_open(f, true), ST_EXISTS);
    add_one(f, s, 0, 0);
    spool_close(s);
    assert_int_equal(try_open(f, false), ST_OK);
}

static void sql(const struct fixture *f, const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void fill_some(struct fixture *f)
{
    struct spool *s = opened(f, 1000);
    for (uint64_t i = 0; i < 40; i++)
        assert_int_equal(fill_once(s, i), ST_OK);
    spool_close(s);
}

static void test_a_damaged_file_is_refused_or_moved_aside(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        off_t at;
        size_t n;
    } rows[] = { { "header", 0, 100 },
                 { "first page", 100, 3000 },
                 { "a page", 40960, 4096 } };
    char junk[4096], aside[160];
    memset(junk, 0x5a, sizeof junk);
    snprintf(aside, sizeof aside, "%s.corrupt-777", f->path);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fill_some(f);
        overwrite(f->path, rows[i].at, junk, rows[i].n);
        if (try_open(f, false) != ST_BAD)
            fail_msg("damaged %s accepted", rows[i].name);
        assert_int_not_equal(access(aside, F_OK), 0);
        assert_int_equal(try_open(f, true), ST_OK);
        assert_int_equal(access(aside, F_OK), 0);
        struct spool *s = opened(f, 5);
        assert_int_equal(stats(s).rows, 0);
        assert_int_equal(stats(s).epoch, 777);
        spool_close(s);
        unlink(aside);
        unlink(f->path);
    }
    fill_some(f);
    assert_int_equal(truncate(f->path, 30000), 0);
    assert_int_equal(try_open(f, false), ST_BAD);
}

static void test_foreign_and_newer_files_are_left_alone(void **state)
{
    struct fixture *f = *state;
    sql(f, "CREATE TABLE mine(x); PRAGMA journal_mode = DELETE");
    assert_int_equal(try_open(f, true), ST_DENIED);
    sql(f, "INSERT INTO mine VALUES(1); DROP TABLE mine"); /* still theirs and whole */
    unlink(f->path);
    overwrite(f->path, 0, "this is a text file, not a database, and it is long enough",
              58);
    assert_int_equal(try_open(f, false), ST_BAD);
    unlink(f->path);
    assert_int_equal(try_open(f, false), ST_OK);
    sql(f, "PRAGMA user_version = 2");
    assert_int_equal(try_open(f, true), ST_LIMIT);
}

/* One flipped digit inside a stored line: SQLite cannot see it, the row's sum does. */
static void test_a_flipped_digit_is_never_shipped(void **state)
{
    struct fixture *f = *state;
    struct spool *s = opened(f, 1000);
    add_one(f, s, 0, 0);
    spool_close(s);
    assert_int_equal(try_open(f, false), ST_OK);
    sql(f, "UPDATE total SET line = replace(line, '\"in\":10,', '\"in\":90,')");
    assert_int_equal(try_open(f, false), ST_BAD);
    assert_int_equal(try_open(f, true), ST_OK);
}

static void test_a_folder_without_permission_or_existence(void **state)
{
    struct fixture *f = *state;
    struct fixture gone = *f;
    snprintf(gone.path, sizeof gone.path, "%s/no/spool.db", f->dir);
    assert_int_equal(try_open(&gone, false), ST_IO);
    if (geteuid() == 0)
        return; /* root may write anywhere */
    chmod(f->dir, 0500);
    assert_int_equal(try_open(f, false), ST_DENIED);
    chmod(f->dir, 0700);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_everything_survives_a_reopen),
        EACH(test_batches_are_cut_by_rows_and_bytes_in_ver_order),
        EACH(test_a_row_that_changed_in_flight_waits_again),
        EACH(test_refused_rows_are_counted_and_offered_again),
        EACH(test_peaks_continue_across_commits),
        EACH(test_a_pruned_row_never_restarts_in_its_epoch),
        EACH(test_dedup_is_bounded_by_number_and_age),
        EACH(test_random_lives_lose_and_double_nothing),
        EACH(test_killed_before_every_operation),
        EACH(test_killed_inside_every_write),
        EACH(test_power_lost_at_every_operation),
        EACH(test_a_log_that_lost_its_end_is_read_again),
        EACH(test_errors_at_every_operation_cost_nothing),
        EACH(test_at_its_limit_it_refuses_and_recovers),
        EACH(test_a_full_disk_is_survived),
        EACH(test_a_second_opener_is_refused),
        EACH(test_a_damaged_file_is_refused_or_moved_aside),
        EACH(test_foreign_and_newer_files_are_left_alone),
        EACH(test_a_flipped_digit_is_never_shipped),
        EACH(test_a_folder_without_permission_or_existence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
