/*
 * How the user says a log of an unknown kind is read (usage-formats 8.10, 8.11): a
 * regular expression with named groups for plain text, or the names of the fields of JSON
 * lines and logfmt. Compiled once from the configuration or the command line, then
 * constant and shared by all files of that entry.
 *
 * Refuses: groups and fields without a meaning, expressions that take too many steps on a
 * line (such a line gives nothing).
 */
#ifndef BREAKEVEN_LOGRULE_H
#define BREAKEVEN_LOGRULE_H

#include "agent/logparse.h"
#include "common/arena.h"
#include "common/yaml.h"

/* What a field may be: a group of the expression, a key of `fields`. */
enum logrule_field {
#define LOGFIELD(id, name, help) LOGRULE_##id,
#include "agent/logname.def"
    LOGRULE_FIELDS,
};

/* As in agent.yaml; texts are "" when they are not given. */
struct logrule_options {
    const char *regex;
    const char *fields[LOGRULE_FIELDS];
    int sense;       /* enum logcall_sense, as in logrule_senses */
    bool cumulative; /* counters go on from line to line */
    bool thousands;  /* "1,234" is one number */
};

extern const char *const logrule_senses[];             /* auto, inclusive, exclusive */
extern const struct yaml_field logrule_fields_table[]; /* for `fields`: const char *[] */

struct logrule;

/* The counters of the line before, for cumulative ones. Zeroed at a file's beginning. */
struct logrule_state {
    uint64_t total[CALL_NUMS];
};

/*
 * Compile into `a`, which the rule lives as long as. *out is NULL when no rule is given.
 * ST_CONFIG with a reason in `why`.
 */
enum status logrule_new(const struct logrule_options *o, struct arena *a,
                        struct logrule **out, struct buf *why);
/* "model=m,in=it": the fields of a command line into o. Text lives in `a`. */
enum status logrule_parse_fields(struct slice text, struct arena *a,
                                 struct logrule_options *o, struct buf *why);

/* LOGFORMAT_regex or LOGFORMAT_fields. */
enum logformat logrule_format(const struct logrule *r);

int logrule_line(const struct logrule *r, struct logparse *p, struct logrule_state *s);
void logrule_save(const struct logrule_state *s, struct buf *out);
bool logrule_load(struct logrule_state *s, struct slice text);

#endif
