/* breakeven-agent: command line and wiring. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("breakeven-agent " BREAKEVEN_VERSION);
        return 0;
    }
    fputs("usage: breakeven-agent --version\n", stderr);
    return 2;
}
