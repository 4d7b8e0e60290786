/*
 * Runs a fuzz target over its stored corpus in a normal build: every file of every folder
 * (or file) named on the command line. With BREAKEVEN_FUZZ libFuzzer takes this place.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) {
        perror(path);
        return 1;
    }
    /* An exact allocation: one byte of over-read is an error under ASan. */
    uint8_t *data = malloc(st.st_size ? (size_t)st.st_size : 1);
    size_t n = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
    fclose(f);
    if (!data)
        return 1;
    LLVMFuzzerTestOneInput(data, n);
    free(data);
    return 0;
}

static int run_folder(const char *path, unsigned *files)
{
    struct dirent **entry;
    int failed = 0, n = scandir(path, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entry[i]->d_name);
        struct stat st;
        if (stat(name, &st) == 0 && S_ISREG(st.st_mode)) {
            failed |= run_file(name);
            ++*files;
        }
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
    return failed || n < 0;
}

int main(int argc, char **argv)
{
    unsigned files = 0;
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0) {
            perror(argv[i]);
            return 1;
        }
        if (S_ISDIR(st.st_mode)) {
            failed |= run_folder(argv[i], &files);
        } else {
            failed |= run_file(argv[i]);
            files++;
        }
    }
    printf("%u inputs replayed\n", files);
    return failed || files == 0;
}
