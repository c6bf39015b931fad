/*  client_keys.c - the keys of a client.
 *
 *  DESIGN
 *  Two lines of a certificate are all that a client needs. They are read here and not by czmq, which would take over
 *  the signals of the program that we are in.
 */
#include "transports/zmq/client_keys.h"

#include "runtime/base/error.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define FILE_MOST 16384
#define PATH_MOST 255

/*  name = "KEY" on a line of its own. */
static bool
find_key (const char *text, const char *name, char key[CERTIFICATE_KEY_TEXT + 1])
{
    size_t name_size = strlen (name);
    for (const char *line = text; *line; line += strcspn (line, "\n"), line += *line == '\n') {
        const char *at = line + strspn (line, " \t");
        if (strncmp (at, name, name_size) != 0)
            continue;
        at += name_size;
        at += strspn (at, " \t");
        if (*at++ != '=')
            continue;
        at += strspn (at, " \t");
        if (*at++ != '"' || strcspn (at, "\"\n") != CERTIFICATE_KEY_TEXT || at[CERTIFICATE_KEY_TEXT] != '"')
            continue;
        memcpy (key, at, CERTIFICATE_KEY_TEXT);
        key[CERTIFICATE_KEY_TEXT] = '\0';
        return true;
    }
    return false;
}

static troupe_status_t
read_key (const char *path, const char *name, char key[CERTIFICATE_KEY_TEXT + 1], troupe_error_t *error)
{
    char text[FILE_MOST + 1];
    FILE *file = fopen (path, "re");
    if (!file)
        return error_set (error, TROUPE_INVALID, "%.180s: %s", path, strerror (errno));
    text[fread (text, 1, FILE_MOST, file)] = '\0';
    fclose (file);
    bool is_found = find_key (text, name, key);
    sodium_memzero (text, sizeof text);
    return is_found ? TROUPE_OK : error_set (error, TROUPE_INVALID, "%.180s has no %s", path, name);
}

/*  A key is no path: it has its length, and there is no such file. */
static troupe_status_t
read_server (const char *server, char key[CERTIFICATE_KEY_TEXT + 1], troupe_error_t *error)
{
    troupe_status_t status = read_key (server, "public-key", key, error);
    if (status == TROUPE_OK || strlen (server) != CERTIFICATE_KEY_TEXT)
        return status;
    memcpy (key, server, CERTIFICATE_KEY_TEXT + 1);
    return TROUPE_OK;
}

troupe_status_t
client_keys_read (client_keys_t *self, const char *certificate, const char *server, troupe_error_t *error)
{
    char secret[PATH_MOST + 16];
    *self = (client_keys_t) { .are_there = certificate != NULL };
    if (!certificate != !server)
        return error_set (error, TROUPE_INVALID, "our certificate and the key of the server go together");
    if (!certificate)
        return TROUPE_OK;
    if (strlen (certificate) > PATH_MOST)
        return error_set (error, TROUPE_INVALID, "the path of a certificate has at most %d bytes", PATH_MOST);
    snprintf (secret, sizeof secret, "%s_secret", certificate);
    troupe_status_t status = read_key (secret, "public-key", self->public, error);
    if (status == TROUPE_OK)
        status = read_key (secret, "secret-key", self->secret, error);
    return status == TROUPE_OK ? read_server (server, self->server, error) : status;
}
