/* A wall clock that can be stepped while a process runs: loaded before its other libraries.
 *
 * SOAK_CLOCK names a file with one number of 8 bytes: the nanoseconds by which this process and
 * its children see the wall clock ahead. The monotonic clock is left alone, and the machine's too.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static volatile int64_t *ahead;

__attribute__((constructor)) static void begin(void)
{
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("SOAK_CLOCK");
    int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED)
        ahead = mapped;
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    if (real_clock_gettime == NULL)
        begin();
    int failed = real_clock_gettime(which, now);
    if (failed || ahead == NULL || (which != CLOCK_REALTIME && which != CLOCK_REALTIME_COARSE))
        return failed;
    int64_t total = now->tv_sec * 1000000000LL + now->tv_nsec + *ahead;
    now->tv_sec = total / 1000000000LL;
    now->tv_nsec = total % 1000000000LL;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *told)
{
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (told != NULL)
        *told = exact.tv_sec;
    return exact.tv_sec;
}
