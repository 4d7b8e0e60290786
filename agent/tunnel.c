/* One state a side; a proxy that refuses may be asked again: see tunnel.h. */
#include "agent/tunnel.h"

enum { BEGIN, HEAD, THROUGH };

static const char word[] = "CONNECT ", version[] = "HTTP/1.";
enum { WORD = sizeof word - 1, VERSION = sizeof version - 1, STATUS = 9 };

/* Both sides as they are; what was taken of the client's. */
static struct slice give_up(struct tunnel *t)
{
    size_t taken = t->up == BEGIN ? t->matched : 0;
    t->up = t->down = THROUGH;
    t->asked = t->asked && !t->refused && t->status == '2';
    return slice_of(word, taken);
}

/* One more byte of a head: was it the last? */
static bool is_end(unsigned char *blank, char c)
{
    *blank = (unsigned char)(c == "\r\n\r\n"[*blank] ? *blank + 1 : c == '\r');
    return *blank == 4;
}

static bool take_up(struct tunnel *t, char c)
{
    if (t->up == HEAD) {
        t->up = is_end(&t->blank[STREAM_UP], c) ? THROUGH : HEAD;
        return true;
    }
    if (c != word[t->matched])
        return false;
    if (++t->matched == WORD)
        *t = (struct tunnel){ .up = HEAD, .asked = true };
    return true;
}

static bool take_down(struct tunnel *t, char c)
{
    if (t->refused) /* the rest of what the proxy has to say about it */
        return true;
    if (!t->asked || (t->line < VERSION && c != version[t->line]))
        return false;
    if (t->line == STATUS)
        t->status = c;
    t->line = (unsigned char)(t->line + (t->line <= STATUS));
    if (!is_end(&t->blank[STREAM_DOWN], c))
        return true;
    if (t->status == '2')
        t->down = THROUGH;
    else if (t->status == '1')
        t->line = t->blank[STREAM_DOWN] = 0;
    else
        *t = (struct tunnel){ .refused = true };
    return true;
}

struct slice tunnel_take(struct tunnel *t, enum stream_dir d, struct slice *bytes)
{
    bool up = d == STREAM_UP;
    while (bytes->n && (up ? t->up : t->down) != THROUGH) {
        if (!(up ? take_up(t, bytes->p[0]) : take_down(t, bytes->p[0])))
            return give_up(t);
        *bytes = slice_from(*bytes, 1);
    }
    return slice_of("", 0);
}

void tunnel_gap(struct tunnel *t)
{
    give_up(t);
}

bool tunnel_given(const struct tunnel *t)
{
    return t->asked && t->down == THROUGH;
}
