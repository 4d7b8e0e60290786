/*
 * One followed file: its descriptor, what is remembered of it, and one turn of reading.
 * Owned by source_tail, which knows the others and decides; this file does what concerns
 * one alone.
 *
 * Each block is checked *after* it was read: when first bytes and size still agree, the
 * block belongs to the content that we followed, as a truncated content never returns.
 */
#ifndef BREAKEVEN_TAIL_FILE_H
#define BREAKEVEN_TAIL_FILE_H

#include "agent/config.h"
#include "agent/lines.h"
#include "agent/source.h"
#include "agent/tailstate.h"

#include <sys/stat.h>

struct tail_gz;

/* What every file's turn needs; one per tail. */
struct tail_reader {
    const struct source_env *env;
    struct lines *lines; /* shared; NULL while idle */
    struct logline *at;  /* the file whose lines are being fed */
    struct source_health *count;
    uint64_t lines_seen; /* of lines_stats, already counted */
};

struct tail_file {
    uint64_t id; /* key in the spool */
    char *path;
    const struct config_logs *logs; /* the config's row; NULL: none matches any more */
    struct tail_mark mark;
    uint64_t next;                       /* where to read on: the start of a line */
    uint64_t scanned;                    /* no newline in [next, scanned) */
    uint64_t number;                     /* of the line at `next` */
    uint64_t size;                       /* as last seen */
    int64_t mtime_ns, grown_ms, left_ms; /* left_ms: monotone, 0: a name leads here */
    int64_t left_s;                      /* Unix, for the spool */
    int fd, wd;                          /* -1: none */
    struct tail_gz *gz;                  /* while a gz is being read */
    struct logline *logline;             /* NULL: asleep, its state is in `saved` */
    struct buf saved;
    uint64_t resume; /* as of the last turn: what the spool must know */
    unsigned scan;   /* the last scan that met it */
    bool is_gz, done, rotated, sibling;
    bool dirty;   /* worth a turn */
    bool changed; /* worth a row in the spool */
    bool stored;  /* the spool has a row */
    bool drop;    /* to be forgotten, there too */
    bool broken;  /* unreadable; said once */
    bool
        reopened; /* not looked at since it was opened: the inode may be another file's */
    bool moved;   /* its path changed since then */
    struct tail_file *ino_next, *wd_next;
};

/* NULL: out of memory. */
struct tail_file *tail_file_new(uint64_t id, const char *path);
void tail_file_free(struct tail_file *f);
bool tail_file_rename(struct tail_file *f, const char *path);

/* From and to the spool. */
struct tail_file *tail_file_load(const struct spool_position *p);
void tail_file_save(struct tail_file *f, struct spool *spool);

/*
 * Open by path; ST_NOT_FOUND also when another inode stands there now. A descriptor that
 * is open already is kept.
 */
enum status tail_file_open(struct tail_file *f);
/* Close the descriptor and give the memory back; the state stays. */
void tail_file_sleep(struct tail_file *f);
/* Give the memory back, and with it the text of a half record: that is read again. The
 * descriptor stays. */
void tail_file_rest(struct tail_file *f);

/* What stands in the file now, against its own mark or another's. `room` is filled. */
struct tail_room {
    char head[TAIL_HEAD_MAX], seam[TAIL_SEAM_MAX];
};
enum status tail_file_look(int fd, bool gz, const struct tail_mark *m,
                           struct tail_room *room, struct tail_look *out);

/* What a turn ended in. */
enum tail_turn {
    TAIL_TURN_IDLE,      /* read to the end */
    TAIL_TURN_MORE,      /* the budget is used up */
    TAIL_TURN_TRUNCATED, /* other content: f is untouched since its last good line */
    TAIL_TURN_LOST,      /* the path leads elsewhere: scan */
    TAIL_TURN_FAILED,    /* errno says why */
};
enum tail_turn tail_file_turn(struct tail_file *f, struct tail_reader *r,
                              uint64_t budget);
/* The rest after the last newline is a line too: nothing will follow. */
void tail_file_finish(struct tail_file *f, struct tail_reader *r);

/* What stands there already is not wanted: begin behind it. */
void tail_file_skip(struct tail_file *f);
/* Begin again at 0 (after truncation): a fresh mark, a fresh format state. */
void tail_file_restart(struct tail_file *f);

#endif
