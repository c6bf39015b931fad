/*  remote.c - a subcommand asks the running node.
 *
 *  DESIGN
 *  Exit codes tell a script apart what it may do next: 1, it was asked and the
 *  answer is an error; 2, it could not be asked so; 3, nobody answered. A broken connection is 3 too: what
 *  became of the request is unknown, and the text says so.
 */
#include "commands/remote.h"

#include "commands/far.h"
#include "runtime/base/clock.h"
#include "runtime/body/json.h"

#include <stdlib.h>
#include <unistd.h>

#define JOIN_PAUSE_US 200000

int
remote_fail (const invocation_t *invocation, const troupe_error_t *error)
{
    int code = error->status == TROUPE_NO_MEMORY   ? EXIT_INTERNAL
               : error->status == TROUPE_INVALID   ? EXIT_USAGE
               : error->status == TROUPE_TOO_LARGE ? EXIT_ANSWER
                                                   : EXIT_UNREACHED;
    return command_fail (invocation, code, "%s", error->text);
}

int
remote_fail_answer (const invocation_t *invocation, const client_answer_t *answer)
{
    return command_fail (invocation, EXIT_ANSWER, "%s: %s", troupe_status_name (answer->status), answer->text);
}

int
remote_open (const invocation_t *invocation, client_t **client)
{
    troupe_error_t error;
    *client = client_open (&invocation->settings, REMOTE_PATIENCE_MS, &error);
    return *client ? EXIT_OK : remote_fail (invocation, &error);
}

bool
remote_join_again (const invocation_t *invocation, client_t **client, uint64_t until_ms)
{
    do {
        client_destroy (client);
        usleep (JOIN_PAUSE_US);
        if (clock_monotonic_ns () / 1000000 >= until_ms)
            return false;
        *client = client_open (&invocation->settings, REMOTE_PATIENCE_MS, NULL);
    } while (!*client);
    return true;
}

int
remote_ask (const invocation_t *invocation, client_t *client, client_answer_t *answer)
{
    troupe_error_t error;
    if (client_ask (client, answer, REMOTE_PATIENCE_MS, &error) != TROUPE_OK)
        return remote_fail (invocation, &error);
    return answer->status == TROUPE_OK ? EXIT_OK : remote_fail_answer (invocation, answer);
}

int
remote_ask_simply (const invocation_t *invocation, client_t *client, const char *what, client_answer_t *answer)
{
    uint64_t tag;
    client_begin (client, what, 0, &tag);
    return remote_ask (invocation, client, answer);
}

int
remote_read_tree (const invocation_t *invocation, const client_answer_t *answer, json_t **tree)
{
    troupe_error_t error;
    *tree = json_tree_from_packed (answer->body, answer->size, &error);
    return *tree ? EXIT_OK : command_fail (invocation, EXIT_INTERNAL, "the node's answer: %s", error.text);
}

int
remote_ask_tree (const invocation_t *invocation, client_t *client, json_t **tree)
{
    client_answer_t answer;
    int code = remote_ask (invocation, client, &answer);
    return code == EXIT_OK ? remote_read_tree (invocation, &answer, tree) : code;
}

/*  Where the node of this machine meets its backends. */
static int
ask_where (const invocation_t *invocation, char *at, size_t size)
{
    client_t *client;
    json_t *node = NULL;
    uint64_t tag;
    int code = remote_open (invocation, &client);
    if (code != EXIT_OK)
        return code;
    client_begin (client, "hello", 0, &tag);
    code = remote_ask_tree (invocation, client, &node);
    snprintf (at, size, "%s", tree_text (node, "zmq"));
    if (code == EXIT_OK && !*at)
        code = command_fail (invocation, EXIT_UNREACHED, "this node listens for nobody over ZeroMQ (zmq_listen)");
    json_decref (node);
    client_destroy (&client);
    return code;
}

int
remote_open_far (const invocation_t *invocation, uint64_t timeout_ms, troupe_client_t **client)
{
    char at[SETTINGS_TEXT_MAX + 1];
    troupe_error_t error;
    int code = EXIT_OK;
    snprintf (at, sizeof at, "%s", invocation->settings.at);
    if (!*at)
        code = ask_where (invocation, at, sizeof at);
    *client = code == EXIT_OK ? far_client (&invocation->settings, at, timeout_ms, &error) : NULL;
    return code == EXIT_OK && !*client ? command_fail (invocation, EXIT_USAGE, "%s", error.text) : code;
}

int
remote_print (const invocation_t *invocation, const void *body, size_t size)
{
    buffer_t text = { 0 };
    troupe_error_t error;
    troupe_status_t status = json_from_packed (body, size, &text, &error);
    if (status == TROUPE_OK)
        printf ("%.*s\n", (int) text.size, (const char *) text.data);
    buffer_clear (&text);
    return status == TROUPE_OK ? EXIT_OK : command_fail (invocation, EXIT_INTERNAL, "the answer: %s", error.text);
}

int
remote_print_tree (const invocation_t *invocation, const json_t *tree)
{
    int failed = json_dumpf (tree, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    putchar ('\n');
    return failed ? command_fail (invocation, EXIT_INTERNAL, "the answer cannot be printed as JSON") : EXIT_OK;
}

const char *
tree_text (const json_t *tree, const char *name)
{
    const char *text = json_string_value (json_object_get (tree, name));
    return text ? text : "";
}

uint64_t
tree_number (const json_t *tree, const char *name)
{
    json_int_t number = json_integer_value (json_object_get (tree, name));
    return number > 0 ? (uint64_t) number : 0;
}
