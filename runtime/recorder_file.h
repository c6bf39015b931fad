/*  recorder_file.h - the flight recorder's file and insides; for recorder*.c alone.
 *
 *  One page of head, then slots, marks and strikes at fixed places, all of a
 *  fixed size, so that a signal handler writes by plain stores. A record of
 *  strikes carries its own checksum; one of them damaged takes no other with it.
 */
#ifndef RUNTIME_RECORDER_FILE_H
#define RUNTIME_RECORDER_FILE_H

#include "runtime/recorder.h"

#include <pthread.h>

#define RECORDER_FORMAT 1
#define RECORDER_HEAD_SIZE 4096
#define RECORDER_MODULES_MAX 64
#define RECORDER_MODULE_NAME_MAX 63

typedef struct {
    char magic[8];
    uint32_t format;
    uint32_t slots, suspects;     /* how many there is room for */
    uint32_t slot_size, mark_size, record_size;
    uint64_t check;               /* of what stands before it; no padding */
} recorder_head_t;

/*  Written by the dying thread, or by the watchdog for a deaf one. All zero while the process is well. */
typedef struct {
    _Atomic uint64_t message;     /* stored when signal and stamp stand; the texts follow as far as they come */
    uint64_t stamp_ns;            /* wall clock: tells one death from another */
    recorder_suspect_t suspect;
} recorder_mark_t;

typedef struct {
    uint64_t check;               /* of all behind it, as it was struck; `message` is zeroed alone to forgive */
    uint64_t stamp_ns;            /* of the newest mark that was counted */
    recorder_suspect_t suspect;
} recorder_record_t;

typedef struct {
    union {
        struct {
            recorder_head_t head;
            _Atomic uint64_t alive_ms;  /* not under the head's check: it changes all the time */
        };
        uint8_t head_page[RECORDER_HEAD_SIZE];
    };
    recorder_slot_t slots[RECORDER_SLOTS_MAX];
    recorder_mark_t marks[RECORDER_SLOTS_MAX];
    recorder_record_t records[RECORDER_SUSPECTS_MAX];
} recorder_file_t;

/*  Something loaded: the program or a shared object. */
typedef struct {
    uintptr_t begin, end;         /* its addresses */
    uintptr_t bias;               /* address - bias is the offset that addr2line takes */
    char name[RECORDER_MODULE_NAME_MAX + 1];
} recorder_module_t;

struct recorder_s {
    _Atomic bool has_suspects;    /* first: see recorder_has_suspects. shared: atomic, set under `lock` */

    /* fixed after start */
    recorder_file_t *file;        /* mapped */
    int fd;                       /* of it; -1: in memory */
    uint32_t slots;
    uint32_t in_hand;             /* handlers that ran when the last process was killed */
    char warning[256];
    bool is_installed;
    uint32_t module_count;
    recorder_module_t modules[RECORDER_MODULES_MAX];

    _Atomic (recorder_slot_t *) alone;  /* shared: atomic; who runs alone, or is about to. seq_cst, with the
                                           slots' `message`: see recorder_make_way */
    _Atomic uint64_t alone_until_ns;    /* shared: atomic; then others go on beside it */

    pthread_mutex_t lock;         /* strikes and threads */
    _Atomic uint32_t used;        /* shared: atomic; ids in use are below it */
    _Atomic uint64_t ids[RECORDER_SUSPECTS_MAX];  /* shared: atomic, release pairs with recorder_find's acquire;
                                                     of records; 0: free */
    struct {
        pthread_t thread;
        bool is_there;
    } threads[RECORDER_SLOTS_MAX];
};

/* ---- recorder_signal.c ---- */

/*  What recorder_destroy does about the signal actions. */
void recorder_uninstall (recorder_t *self);

#endif
