/*  links.c - `troupe links [accept NODE]`: how it stands with the other nodes of the cluster.
 *
 *  DESIGN
 *  A node that was restored, or whose other side was, is linked with again only when a person says so, on both sides:
 *  messages may be missing or handled twice, and only a person knows what that means for his actors.
 */
#include "commands/remote.h"

static const option_t options[] = {
    { "json", NULL, "JSON" },
    { NULL }
};

static void
print_line (const json_t *node)
{
    bool is_linked = json_is_true (json_object_get (node, "linked"));
    const char *name = tree_text (node, "node");
    printf ("%-16s %-24s %s%s\n", name, tree_text (node, "address"), is_linked ? "linked" : "not linked: ",
            is_linked ? "" : tree_text (node, "why"));
    if (json_is_true (json_object_get (node, "asks")))
        printf ("%-16s to go on without what is lost: troupe links accept %s, on both nodes\n", "", name);
}

static int
list (const invocation_t *invocation, client_t *client)
{
    json_t *tree = NULL;
    uint64_t tag;
    client_begin (client, "links", 0, &tag);
    int code = remote_ask_tree (invocation, client, &tree);
    if (code == EXIT_OK && option_given (invocation, "json"))
        code = remote_print_tree (invocation, tree);
    else
        for (size_t i = 0; i < json_array_size (tree); i++)
            print_line (json_array_get (tree, i));
    json_decref (tree);
    return code;
}

static int
accept_node (const invocation_t *invocation, client_t *client, const char *name)
{
    client_answer_t answer;
    uint64_t tag;
    packed_put_text (client_begin (client, "links-accept", 1, &tag), "node", name);
    return remote_ask (invocation, client, &answer);
}

static int
run (invocation_t *invocation)
{
    client_t *client;
    if (invocation->word_count > 0 && (invocation->word_count != 2 || strcmp (invocation->words[0], "accept") != 0))
        return command_fail (invocation, EXIT_USAGE, "accept NODE is wanted, or nothing");
    int code = remote_open (invocation, &client);
    if (code == EXIT_OK)
        code = invocation->word_count > 0 ? accept_node (invocation, client, invocation->words[1])
                                          : list (invocation, client);
    client_destroy (&client);
    return code;
}

const command_t command_links = {
    .name = "links",
    .words = "[accept NODE]",
    .most = 2,
    .summary = "show the links with other nodes, or accept one whose store was restored",
    .help = "accept, on both nodes: links go on from what each sender says. What the restored store had sent and\n"
            "forgotten is handled twice if it is sent again; what it had taken and forgotten is lost.\n",
    .reach = REACH_NODE,
    .options = options,
    .run = run
};
