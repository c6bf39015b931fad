/*  web_path.c - where a path of a request leads, by PREFIX=VALUE words of a setting. */
#include "transports/web/web_path.h"

#include <stdio.h>
#include <string.h>

bool
web_find_prefix (const char *words, const char *path, char *value, size_t value_size, const char **rest)
{
    size_t best = 0;
    for (const char *word = words; *word;) {
        size_t size = strcspn (word, " "), prefix = strcspn (word, "="), bare = prefix;
        while (bare > 0 && word[bare - 1] == '/')
            bare--;
        bool begins = prefix < size && strncmp (path, word, bare) == 0 && (path[bare] == '/' || path[bare] == '\0');
        if (begins && prefix + 1 > best && size - prefix - 1 < value_size) {
            best = prefix + 1;
            snprintf (value, value_size, "%.*s", (int) (size - prefix - 1), word + prefix + 1);
            *rest = path + bare;
        }
        word += size;
        word += strspn (word, " ");
    }
    return best > 0;
}
