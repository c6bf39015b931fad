/*  web_path.h - where a path of a request leads, by PREFIX=VALUE words of a setting. Pure: texts. */
#ifndef TRANSPORTS_WEB_WEB_PATH_H
#define TRANSPORTS_WEB_WEB_PATH_H

#include <stdbool.h>
#include <stddef.h>

/*  The value of the longest prefix in PREFIX=VALUE words that the path begins with, and the rest of the path.
 *  False: there is none. */
bool web_find_prefix (const char *words, const char *path, char *value, size_t value_size, const char **rest);

#endif
