/*  kinds.c - `troupe kinds [FILE.so ...]`: the kinds, verbs and channels, from their tables.
 *
 *  DESIGN
 *  The tables are the documentation. With files, or in a program that has kinds
 *  compiled in, their tables are shown and no node is needed; otherwise the
 *  running node says what it hosts.
 */
#include "commands/describe.h"
#include "commands/plugin.h"
#include "commands/remote.h"
#include "commands/text.h"
#include "runtime/body/json.h"

#include <stdlib.h>

static const option_t options[] = {
    { "json", NULL, "JSON" },
    { "node", NULL, "ask the running node, also when kinds are compiled in" },
    { NULL }
};

static void
print_verb (const json_t *verb)
{
    const char *args = tree_text (verb, "args"), *gives = tree_text (verb, "gives"), *doc = tree_text (verb, "doc");
    printf ("    %s %s%s%s%s\n", json_is_true (json_object_get (verb, "reads")) ? "read" : "verb",
            tree_text (verb, "name"), *args ? " { " : "", args, *args ? " }" : "");
    printf ("        for %s%s%s%s\n", tree_text (verb, "allow"), *gives ? ", gives { " : "", gives, *gives ? " }" : "");
    if (*doc)
        printf ("        %s\n", doc);
}

static void
print_channel (const json_t *channel)
{
    const char *doc = tree_text (channel, "doc"), *presence = tree_text (channel, "presence");
    printf ("    channel %s\n        for %s", tree_text (channel, "name"), tree_text (channel, "allow"));
    if (json_is_true (json_object_get (channel, "volatile")))
        printf (", not recorded");
    else if (tree_number (channel, "keep"))
        printf (", keeps %llu", (unsigned long long) tree_number (channel, "keep"));
    if (tree_number (channel, "keep_ms")) {
        char kept[TEXT_FIGURE];
        text_duration (tree_number (channel, "keep_ms"), kept);
        printf (", keeps %s", kept);
    }
    if (strcmp (presence, "none") != 0)
        printf (", watchers see %s of each other", strcmp (presence, "list") == 0 ? "a list" : "the count");
    printf ("%s%s\n", *doc ? "\n        " : "", doc);
}

static void
print_kind (const json_t *kind)
{
    const json_t *verbs = json_object_get (kind, "verbs"), *channels = json_object_get (kind, "channels");
    const char *doc = tree_text (kind, "doc");
    printf ("%s, version %llu\n%s%s%s", tree_text (kind, "name"), (unsigned long long) tree_number (kind, "version"),
            *doc ? "    " : "", doc, *doc ? "\n" : "");
    for (size_t i = 0; i < json_array_size (verbs); i++)
        print_verb (json_array_get (verbs, i));
    for (size_t i = 0; i < json_array_size (channels); i++)
        print_channel (json_array_get (channels, i));
}

static troupe_status_t
add_all (registry_t *registry, const troupe_kind_t *const *kinds, troupe_error_t *error)
{
    troupe_status_t status = TROUPE_OK;
    for (; kinds && *kinds && status == TROUPE_OK; kinds++)
        status = registry_add (registry, *kinds, error);
    return status;
}

/*  Kinds of this program and of the files; the caller decrefs the tree. */
static int
read_own (const invocation_t *invocation, json_t **tree)
{
    troupe_error_t error = { TROUPE_NO_MEMORY, "out of memory" };
    buffer_t packed = { 0 };
    registry_t *registry = registry_new ();
    troupe_status_t status = registry ? add_all (registry, invocation->kinds, &error) : TROUPE_NO_MEMORY;
    for (unsigned i = 0; i < invocation->word_count && status == TROUPE_OK; i++) {
        const troupe_kind_t *const *kinds = plugin_load (invocation->words[i], &error);
        status = kinds ? add_all (registry, kinds, &error) : error.status;
    }
    if (status == TROUPE_OK) {
        describe_kinds (registry, &packed);
        *tree = packed.failed ? NULL : json_tree_from_packed (packed.data, packed.size, &error);
    }
    buffer_clear (&packed);
    registry_destroy (&registry);
    return *tree ? EXIT_OK : command_fail (invocation, EXIT_CONFIG, "%s", error.text);
}

static int
ask_node (const invocation_t *invocation, json_t **tree)
{
    client_t *client;
    uint64_t tag;
    int code = remote_open (invocation, &client);
    if (code != EXIT_OK)
        return code;
    client_begin (client, "kinds", 0, &tag);
    code = remote_ask_tree (invocation, client, tree);
    client_destroy (&client);
    return code;
}

static int
run (invocation_t *invocation)
{
    json_t *tree = NULL;
    bool has_own = invocation->word_count > 0 || invocation->kinds[0];
    int code = has_own && !option_given (invocation, "node") ? read_own (invocation, &tree)
                                                             : ask_node (invocation, &tree);
    if (code == EXIT_OK && option_given (invocation, "json"))
        code = remote_print_tree (invocation, tree);
    else
        for (size_t i = 0; i < json_array_size (tree); i++) {
            printf ("%s", i ? "\n" : "");
            print_kind (json_array_get (tree, i));
        }
    json_decref (tree);
    return code;
}

const command_t command_kinds = {
    .name = "kinds",
    .words = "[FILE.so ...]",
    .most = REGISTRY_KINDS_MAX,
    .summary = "show the kinds with their verbs and channels",
    .help = "Of the files; else of this program; else of the running node.\n",
    .reach = REACH_NODE,
    .options = options,
    .run = run
};
