/*  web_tls.c - TLS 1.2 and 1.3 of the listening socket: the certificate, at the start and again.
 *
 *  DESIGN
 *  The files are read into a context of their own, which says what is wrong with them; what is good is then handed to
 *  the contexts of libwebsockets, also to those that are made later, in one call each. Connections keep what they
 *  began with, so that nobody is cut off by a new certificate, and a bad one changes nothing. The gateway's thread, and
 *  before it starts whoever starts it.
 */
#include "transports/web/web_inside.h"

#include "runtime/base/error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/*  Of TLS 1.2: forward secrecy and authenticated encryption; those of 1.3 are all so. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/*  A key with a password would have OpenSSL ask at the terminal. */
static int
no_password (char *to, int size, int is_writing, void *arg)
{
    (void) to;
    (void) size;
    (void) is_writing;
    (void) arg;
    return -1;
}

static troupe_status_t
wrong (const char *setting, const char *file, troupe_error_t *error)
{
    char why[120];
    ERR_error_string_n (ERR_peek_error (), why, sizeof why);
    const char *reason = ERR_reason_error_string (ERR_peek_error ());
    ERR_clear_error ();
    return error_set (error, TROUPE_INVALID, "%s: %.120s: %s", setting, file, reason ? reason : why);
}

static troupe_status_t
read_files (const web_t *web, SSL_CTX *to, troupe_error_t *error)
{
    SSL_CTX_set_default_passwd_cb (to, no_password);
    ERR_clear_error ();
    if (SSL_CTX_use_certificate_chain_file (to, web->certificate) != 1)
        return wrong ("web_certificate", web->certificate, error);
    if (SSL_CTX_use_PrivateKey_file (to, web->key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key (to) != 1)
        return wrong ("web_key", web->key, error);
    return TROUPE_OK;
}

static troupe_status_t
hand_over (SSL_CTX *from, SSL_CTX *to, troupe_error_t *error)
{
    STACK_OF (X509) *chain = NULL;
    (void) SSL_CTX_get0_chain_certs (from, &chain);
    if (SSL_CTX_use_cert_and_key (to, SSL_CTX_get0_certificate (from), SSL_CTX_get0_privatekey (from), chain, 1) == 1)
        return TROUPE_OK;
    return wrong ("web_certificate", "it is not taken", error);
}

troupe_status_t
web_tls_read (web_t *web, troupe_error_t *error)
{
    SSL_CTX *fresh = SSL_CTX_new (TLS_server_method ());
    if (!fresh)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for the certificate");
    troupe_status_t status = read_files (web, fresh, error);
    for (unsigned i = 0; status == TROUPE_OK && i < web->rooms_count; i++)
        if (web->rooms[i].vhost)  /* or its context is gone */
            status = hand_over (fresh, web->rooms[i].tls, error);
    if (status == TROUPE_OK && !web->outgoing && !(web->outgoing = SSL_CTX_new (TLS_client_method ())))
        status = error_set (error, TROUPE_NO_MEMORY, "no memory for TLS");
    if (status != TROUPE_OK) {
        SSL_CTX_free (fresh);
        return status;
    }
    SSL_CTX_free (web->tls);
    web->tls = fresh;
    return TROUPE_OK;
}

int
web_tls_begin (web_room_t *room, SSL_CTX *context)
{
    troupe_error_t error;
    room->tls = context;
    if (SSL_CTX_set_min_proto_version (context, TLS1_2_VERSION) != 1
        || SSL_CTX_set_cipher_list (context, CIPHERS) != 1)
        return -1;
    return hand_over (room->web->tls, context, &error) == TROUPE_OK ? 0 : -1;
}

void
web_tls_end (web_t *web)
{
    SSL_CTX_free (web->tls);
    SSL_CTX_free (web->outgoing);
    web->tls = web->outgoing = NULL;
}
