/* Lines of the exposition: see metrics_text.h. */
#include "collector/metrics_text.h"

void metrics_head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_label(struct buf *b, const char *name, struct slice v, bool first)
{
    buf_addf(b, "%s%s=\"", first ? "{" : ",", name);
    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];
        if (c == '\n')
            buf_adds(b, "\\n");
        else if (c == '"' || c == '\\')
            buf_addf(b, "\\%c", c);
        else if (c >= 0x20 && c != 0x7f)
            buf_addc(b, (char)c);
    }
    buf_addc(b, '"');
}

void metrics_counter(struct buf *b, const char *name, const char *help, uint64_t v)
{
    metrics_head(b, name, "counter", help);
    buf_addf(b, "%s %llu\n", name, (unsigned long long)v);
}

void metrics_gauge(struct buf *b, const char *name, const char *help, double v)
{
    metrics_head(b, name, "gauge", help);
    buf_addf(b, "%s %.15g\n", name, v);
}
