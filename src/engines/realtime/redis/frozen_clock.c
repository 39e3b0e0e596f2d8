/* Preloaded into a test's Redis server: its wall clock shows what stands in the file SPAKTOK_FROZEN_CLOCK
 * (eight bytes, Unix milliseconds) and moves only when the test writes there. The monotonic clock, by which
 * the server's event loop waits, goes on. (libfaketime would do, but does not start together with jemalloc.)
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t* shown;

__attribute__((constructor)) static void open_clock(void) {
    const char* path = getenv("SPAKTOK_FROZEN_CLOCK");
    const int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    void* memory = mmap(NULL, sizeof *shown, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (memory != MAP_FAILED) shown = memory;
}

int clock_gettime(clockid_t id, struct timespec* result) {
    if (shown == NULL || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
        return (int)syscall(SYS_clock_gettime, id, result);
    const int64_t milliseconds = *shown;
    result->tv_sec = milliseconds / 1000;
    result->tv_nsec = milliseconds % 1000 * 1000000;
    return 0;
}

int gettimeofday(struct timeval* restrict result, void* restrict zone) {
    (void)zone;
    struct timespec now;
    const int failed = clock_gettime(CLOCK_REALTIME, &now);
    result->tv_sec = now.tv_sec;
    result->tv_usec = now.tv_nsec / 1000;
    return failed;
}

time_t time(time_t* result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result != NULL) *result = now.tv_sec;
    return now.tv_sec;
}
