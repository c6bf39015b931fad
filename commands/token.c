/*  token.c - `troupe token SUBJECT`: an access token for a node's clients, made with the node's keys.
 *
 *  DESIGN
 *  Whoever may read the file of the keys is an operator already, so nobody is asked: neither
 *  the node, which need not run, nor the accounts. The node sees a new key of the file by itself.
 *  Where no store is no node takes what new keys would sign, so none are made there.
 */
#include "commands/command.h"
#include "runtime/base/clock.h"
#include "storage/files.h"
#include "storage/state.h"
#include "transports/auth/tokens.h"

#include <sodium.h>
#include <string.h>

#define LIFE_MS (60ull * 60 * 1000)
#define LIFE_MOST_MS (366ull * 24 * 60 * 60 * 1000)
#define NAMES_MAX (ROLES_MAX - 1)

static const option_t options[] = {
    { "operator", NULL, "with the role operator" },
    { "roles", "NAME,...", "with these roles" },
    { "life", "TIME", "how long it is good (1h)" },
    { "rotate", NULL, "make a new key first; it signs from now on" },
    { "keep", "TIME", "with --rotate: how long tokens of the keys before are good; 0: no more (1h)" },
    { NULL }
};

static bool
read_times (const invocation_t *invocation, uint64_t *life_ms, uint64_t *keep_ms)
{
    if (!option_duration (invocation, "life", life_ms) || !option_duration (invocation, "keep", keep_ms))
        return false;
    if (*life_ms >= 1000 && *life_ms <= LIFE_MOST_MS && *keep_ms <= LIFE_MOST_MS)
        return true;
    command_fail (invocation, EXIT_USAGE, "a token lives from 1s to 366d");
    return false;
}

/*  Names parted by commas, which become NULs. */
static bool
read_roles (const invocation_t *invocation, char *text, size_t size, const char *names[NAMES_MAX + 1])
{
    const char *given = option_text (invocation, "roles");
    char *at = text;
    snprintf (text, size, "%s", given ? given : "");
    for (unsigned count = 0; *at && count < NAMES_MAX; count++) {
        names[count] = at;
        at += strcspn (at, ",");
        if (*at)
            *at++ = '\0';
    }
    if (!given || (strlen (given) < size && !*at))
        return true;
    command_fail (invocation, EXIT_USAGE, "a token has at most %d roles", NAMES_MAX);
    return false;
}

static troupe_status_t
print_token (const invocation_t *invocation, const char *path, const char *const *names, uint64_t life_ms,
             troupe_error_t *error)
{
    tokens_t *tokens = NULL;
    buffer_t text = { 0 };
    tokens_options_t from = {
        .keys = path,
        .issuer = invocation->settings.token_issuer,
        .audience = invocation->settings.token_audience,
        .issuers = ""
    };
    troupe_status_t status = tokens_open (&from, &tokens, error);
    if (status == TROUPE_OK)
        status = tokens_make (tokens, invocation->words[0], option_given (invocation, "operator"), names,
                              clock_wall_ms (), life_ms, &text, error);
    if (status == TROUPE_OK)
        printf ("%.*s\n", (int) text.size, (const char *) text.data);
    buffer_clear (&text);
    tokens_destroy (&tokens);
    return status;
}

static int
run (invocation_t *invocation)
{
    char path[SETTINGS_TEXT_MAX + 32], text[1024];
    const char *names[NAMES_MAX + 1] = { NULL };
    uint64_t life_ms = LIFE_MS, keep_ms = LIFE_MS;
    troupe_error_t error;
    troupe_status_t status = TROUPE_OK;
    if (!read_times (invocation, &life_ms, &keep_ms) || !read_roles (invocation, text, sizeof text, names))
        return EXIT_USAGE;
    bool rotates = option_given (invocation, "rotate");
    if (!rotates && invocation->word_count == 0)
        return command_fail (invocation, EXIT_USAGE, "the token's subject is wanted");
    if (!*invocation->settings.token_keys && !files_exists (invocation->settings.store, STATE_FILE))
        return command_fail (invocation, EXIT_ANSWER, "there is no store in %s", invocation->settings.store);
    if (sodium_init () < 0)
        return command_fail (invocation, EXIT_INTERNAL, "libsodium does not start");
    settings_token_keys (&invocation->settings, path, sizeof path);
    if (rotates)
        status = keys_rotate (path, clock_wall_ms (), keep_ms, &error);
    if (status == TROUPE_OK && invocation->word_count > 0)
        status = print_token (invocation, path, names, life_ms, &error);
    return status == TROUPE_OK ? EXIT_OK : command_fail_error (invocation, &error);
}

const command_t command_token = {
    .name = "token",
    .words = "[SUBJECT]",
    .most = 1,
    .summary = "make an access token for a client",
    .help = "With the keys of the store, STORE/token.keys (setting token_keys); whoever may read them is an operator.\n"
            "Clients show it in their hello, or over HTTP as \"Authorization: Bearer TOKEN\".\n",
    .options = options,
    .run = run
};
