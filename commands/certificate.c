/*  certificate.c - `troupe certificate FILE`: keys for those who speak ZeroMQ with a node. */
#include "commands/command.h"
#include "transports/auth/name.h"
#include "transports/zmq/certificates.h"

static const option_t options[] = {
    { "subject", "NAME", "who comes with it; not needed for the node's own" },
    { "roles", "NAME,...", "its roles: operator, feeds, worker, node, or of its kinds" },
    { NULL }
};

static int
run (invocation_t *invocation)
{
    char key[CERTIFICATE_KEY_TEXT + 1];
    const char *subject = option_text (invocation, "subject"), *roles = option_text (invocation, "roles");
    troupe_error_t error;
    if (roles && !subject)  /* no node counts one without a subject */
        return command_fail (invocation, EXIT_USAGE, "--roles goes with --subject");
    if (subject && !name_is_subject (subject))
        return command_fail (invocation, EXIT_USAGE, "--subject: the id of an actor is wanted, without / { }");
    troupe_status_t status = certificates_make (invocation->words[0], subject, roles, key, &error);
    if (status != TROUPE_OK)
        return command_fail_error (invocation, &error);
    printf ("%s\n", key);
    return EXIT_OK;
}

const command_t command_certificate = {
    .name = "certificate",
    .words = "FILE",
    .least = 1,
    .most = 1,
    .summary = "make a certificate for ZeroMQ",
    .help = "Writes FILE, which the other side gets, and FILE_secret, which nobody else does, and prints the public\n"
            "key. FILE of a client goes into the node's zmq_certificates, FILE of the node to its clients.\n",
    .reach = REACH_NONE,
    .options = options,
    .run = run
};
