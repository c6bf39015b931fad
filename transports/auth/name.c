/*  name.c - which texts may name somebody. */
#include "transports/auth/name.h"

#include <string.h>

bool
name_is_subject (const char *text)
{
    size_t size = 0;
    for (; text[size]; size++)
        if (size == TROUPE_ID_MAX || text[size] <= ' ' || text[size] > '~' || strchr ("/{}", text[size]))
            return false;
    return size > 0;
}

bool
name_login (const char *typed, char login[LOGIN_MAX + 1])
{
    typed += strspn (typed, " ");
    size_t size = strlen (typed);
    while (size > 0 && typed[size - 1] == ' ')
        size--;
    if (size == 0 || size > LOGIN_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = typed[i];
        if (c >= 'A' && c <= 'Z')
            c = (char) (c - 'A' + 'a');
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr ("._@+-", c))
            return false;
        login[i] = c;
    }
    login[size] = '\0';
    return true;
}
