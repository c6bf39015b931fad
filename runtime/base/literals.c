/*  literals.c - which texts can never change; see literals.h. */

#include "runtime/base/literals.h"

#include <link.h>
#include <stddef.h>

typedef struct {
    literals_t *literals;
    uintptr_t place;
} search_t;

static bool
has_place (const struct dl_phdr_info *object, uintptr_t place)
{
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW (Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t from = object->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && place - from < part->p_memsz)
            return true;
    }
    return false;
}

static void
add_range (literals_t *self, uintptr_t from, uintptr_t to)
{
    if (literals_have (self, (const void *) from) || self->count == LITERALS_RANGES)
        return;
    self->ranges[self->count].from = from;
    self->ranges[self->count].to = to;
    self->count += 1;
}

static int
look_at_object (struct dl_phdr_info *object, size_t size, void *arg)
{
    const search_t *search = arg;
    (void) size;
    if (!has_place (object, search->place))
        return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW (Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t from = object->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && !(part->p_flags & PF_W))
            add_range (search->literals, from, from + part->p_memsz);
    }
    return 1;
}

void
literals_add (literals_t *self, const void *place)
{
    search_t search = { self, (uintptr_t) place };
    dl_iterate_phdr (look_at_object, &search);
}

bool
literals_have (const literals_t *self, const void *text)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if ((uintptr_t) text - self->ranges[i].from < self->ranges[i].to - self->ranges[i].from)
            return true;
    }
    return false;
}
