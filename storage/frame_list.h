/*  frame_list.h - frames in a row, by frame->next. Zero is an empty one; the list owns nothing. */
#ifndef STORAGE_FRAME_LIST_H
#define STORAGE_FRAME_LIST_H

#include "runtime/frame.h"

typedef struct {
    frame_t *first, *last;
} frame_list_t;

static inline void
frame_list_append (frame_list_t *list, frame_t *frame)
{
    frame->next = NULL;
    if (list->last)
        list->last->next = frame;
    else
        list->first = frame;
    list->last = frame;
}

static inline frame_t *
frame_list_take (frame_list_t *list)
{
    frame_t *frame = list->first;
    if (frame) {
        list->first = frame->next;
        frame->next = NULL;
        if (!list->first)
            list->last = NULL;
    }
    return frame;
}

#endif
