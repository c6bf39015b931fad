/*  message.c - names of feeds and resume tokens, as every form writes them. */
#include "transports/edge/message.h"

#include "runtime/base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
message_split_feed (const char *feed, char address[TROUPE_ADDRESS_MAX + 1], char channel[TROUPE_NAME_MAX + 1])
{
    const char *slash = strrchr (feed, '/');
    size_t size = slash ? (size_t) (slash - feed) : 0;
    if (!slash || !memchr (feed, '/', size) || size > TROUPE_ADDRESS_MAX || strlen (slash + 1) > TROUPE_NAME_MAX)
        return false;
    memcpy (address, feed, size);
    address[size] = '\0';
    memcpy (channel, slash + 1, strlen (slash + 1) + 1);
    return true;
}

void
message_resume (const char *epoch, uint64_t offset, char text[RESUME_MAX + 1])
{
    snprintf (text, RESUME_MAX + 1, "%s-%llu", epoch, (unsigned long long) offset);
}

resume_t
message_read_resume (const char *text, const char *epoch, uint64_t *offset)
{
    size_t size = strcspn (text, "-");
    const char *digits = text + size + 1;
    if (size == 0 || text[size] != '-' || strspn (digits, "0123456789") != strlen (digits) || !*digits
        || strlen (digits) > 15)
        return RESUME_BAD;
    *offset = strtoull (digits, NULL, 10);
    return strlen (epoch) == size && memcmp (epoch, text, size) == 0 ? RESUME_OK : RESUME_OTHER_EPOCH;
}

/*  Some are a node's own affair: without memory or disk it is one that accepts nothing for a while. */
const char *
message_status (troupe_status_t status)
{
    if (status == TROUPE_NO_MEMORY || status == TROUPE_FULL)
        return troupe_status_name (TROUPE_OVERLOADED);
    return troupe_status_name (status <= TROUPE_FAILED ? status : TROUPE_FAILED);
}

troupe_status_t
message_status_named (const char *name, size_t size)
{
    for (troupe_status_t status = TROUPE_OK; status < TROUPE_STATUSES; status++) {
        const char *known = message_status (status);
        if (strlen (known) == size && memcmp (known, name, size) == 0)
            return status;
    }
    return TROUPE_FAILED;
}
