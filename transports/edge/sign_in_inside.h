/*  sign_in_inside.h - what the files of signing in share. For transports/edge/sign_in*.c alone.
 *
 *      sign_in.c       flows, passwords, refresh tokens
 *      sign_in_keys.c  API keys and devices
 */
#ifndef TRANSPORTS_EDGE_SIGN_IN_INSIDE_H
#define TRANSPORTS_EDGE_SIGN_IN_INSIDE_H

#include "transports/auth/device.h"
#include "transports/auth/name.h"
#include "transports/auth/password.h"
#include "transports/auth/recent.h"
#include "transports/auth/secret.h"
#include "transports/auth/slowdown.h"
#include "transports/edge/edge_inside.h"
#include "transports/edge/helper.h"
#include "transports/edge/sign_in.h"

#define LABEL_SIZE 65

struct sign_in_s {
    sign_in_options_t options;
    edge_t *edge;
    helper_t *helper;
    slowdown_t *slowdown;
    recent_t *answered;          /* challenges, by what makes them one */
    uint8_t device_secret[DEVICE_SECRET_SIZE];
};

/*  TROUPE_OK and nothing asked: the flow is done. */
typedef troupe_status_t (step_t) (sign_in_flow_t *self, troupe_error_t *error);

struct sign_in_flow_s {
    inbox_item_t item;
    helper_job_t job;
    sign_in_t *service;
    void (*done) (void *arg, exchange_answer_t *answer);  /* NULL: nobody waits */
    void *arg;
    step_t *next;                /* when it is told; NULL: done */
    bool is_asking;
    exchange_answer_t answer;
    /* what was told; of the thread that tells it, then the gateway's */
    troupe_status_t told_status;
    buffer_t told;               /* packed, or the text of an error */
    /* what the request said */
    const char *how;
    char from[64], client[LABEL_SIZE];
    uint8_t address[16];
    size_t address_size;
    char login[LOGIN_MAX + 1];
    char subject[TROUPE_ID_MAX + 1];
    char password[PASSWORD_MAX + 1];
    char new_password[PASSWORD_MAX + 1];  /* "": it stays */
    char hash[PASSWORD_HASH_SIZE];
    bool has_hash, is_disabled;
    buffer_t roles;              /* packed, as the actor has them */
    secret_t secret;             /* that was shown */
    char token[SECRET_TEXT_SIZE];  /* a new one, for the client */
    char device[SECRET_ID_MAX + 1 + LOGIN_MAX + 1];
    char challenge[DEVICE_CHALLENGE_SIZE];
    uint8_t signature[ED25519_SIGNATURE_SIZE];
};

/*  A request's first step. */
typedef troupe_status_t (begin_t) (sign_in_flow_t *self, const sign_in_request_t *request, troupe_error_t *error);

begin_t sign_in_begin_key, sign_in_begin_challenge, sign_in_begin_device, sign_in_begin_keys;

/*  Asks the actor as `subject`, NULL as the gateway, and goes on with `next`. The body is taken. */
troupe_status_t flow_ask (sign_in_flow_t *self, const char *verb, const char *subject, buffer_t *body, step_t *next,
                          troupe_error_t *error) TROUPE_CHECKED;

/*  What the actor refused, in words that tell nothing of who exists, unless they are NULL; all else as it came. */
troupe_status_t flow_said_no (const sign_in_flow_t *self, const char *refused, troupe_error_t *error);
packed_reader_t flow_told_body (const sign_in_flow_t *self);

/*  Whom the actor says it is, and what roles he has. */
troupe_status_t flow_take_subject (sign_in_flow_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  Ends: an access token for the subject; with a new sign-in, for who has shown who he is. */
troupe_status_t flow_write_tokens (sign_in_flow_t *self, troupe_error_t *error) TROUPE_CHECKED;
troupe_status_t flow_begin_family (sign_in_flow_t *self, const char *key, troupe_error_t *error) TROUPE_CHECKED;
void flow_audit (sign_in_flow_t *self, const char *what);

#endif
