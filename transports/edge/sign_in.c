/*  sign_in.c - how somebody gets a token.
 *
 *  DESIGN
 *  A flow is one request: a row of steps, each of which asks the actor or the helper one thing and goes on
 *  when it is told. Told is always through the edge's inbox, so steps run on the gateway's thread and never
 *  inside of the call that began the flow. When nobody waits for a flow any more it ends at the next step.
 *
 *  A name that nobody has is asked for, hashed and answered like one with a wrong password.
 */
#include "transports/edge/sign_in_inside.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/json.h"
#include "transports/auth/member.h"

#include <sodium.h>
#include <stdio.h>

#define WAITING_MOST 32          /* passwords that wait to be hashed */
#define SLOWED_KEYS 65536        /* names, and addresses, whose failures are remembered */
#define ANSWERED_KEYS 16384      /* challenges that were answered, of the minute that each is good */
#define NONCE_LEAST 16
#define NONCE_MOST 64
#define SECOND_NS 1000000000ull

static const slowdown_rule_t name_rule = { 5, SECOND_NS, 60 * SECOND_NS, 900 * SECOND_NS };
static const slowdown_rule_t address_rule = { 20, SECOND_NS, 900 * SECOND_NS, 3600 * SECOND_NS };
static const password_cost_t cost;  /* libsodium's least */

static const char wrong_password[] = "the name or the password is wrong";
static const char ended[] = "this sign-in has ended: sign in again";

/* ---- plumbing ---- */

void
flow_audit (sign_in_flow_t *self, const char *what)
{
    const sign_in_options_t *options = &self->service->options;
    char line[256];
    snprintf (line, sizeof line, "%s: %s by %s from %s", what, *self->login ? self->login : "?", self->how,
              *self->from ? self->from : "?");
    if (options->audit)
        options->audit (options->arg, line);
}

static void
flow_free (sign_in_flow_t *self)
{
    buffer_clear (&self->answer.text);
    buffer_clear (&self->told);
    buffer_clear (&self->roles);
    sodium_memzero (self, sizeof *self);
    memory_free (self);
}

static void
fail (sign_in_flow_t *self, const troupe_error_t *error)
{
    self->answer.status = error->status;
    buffer_reset (&self->answer.text);
    buffer_append (&self->answer.text, error->text, strlen (error->text) + 1);
    self->next = NULL;
}

/*  What was asked for came in, or nothing was. */
void
sign_in_told (inbox_item_t *item)
{
    troupe_error_t error;
    sign_in_flow_t *self = (sign_in_flow_t *) item;
    step_t *step = self->next;
    self->is_asking = false;
    self->next = NULL;
    if (self->done && step && step (self, &error) != TROUPE_OK)
        fail (self, &error);
    if (self->is_asking)
        return;
    if (self->answer.text.failed) {
        buffer_clear (&self->answer.text);
        self->answer.status = TROUPE_NO_MEMORY;
    }
    if (self->done)
        self->done (self->arg, &self->answer);
    flow_free (self);
}

/*  On a thread of the node. */
static void
told (void *arg, const troupe_answer_t *answer)
{
    sign_in_flow_t *self = arg;
    self->told_status = answer->status;
    buffer_reset (&self->told);
    if (answer->status == TROUPE_OK)
        buffer_append (&self->told, answer->body, answer->size);
    else
        buffer_append (&self->told, answer->text, strlen (answer->text) + 1);
    edge_tell (self->service->edge, &self->item);
}

static void
ignore (void *arg, const troupe_answer_t *answer)
{
    (void) arg;
    (void) answer;
}

static troupe_status_t
submit (sign_in_flow_t *self, const char *verb, const char *subject, const buffer_t *body, troupe_done_t *done,
        troupe_error_t *error)
{
    const host_port_t *host = &self->service->edge->host;
    char to[sizeof "login/" + LOGIN_MAX];
    snprintf (to, sizeof to, "login/%s", self->login);
    if (body && body->failed)
        return error_set (error, TROUPE_OVERLOADED, "no memory");
    troupe_call_t call = {
        .to = to,
        .verb = verb,
        .body = body ? body->data : NULL,
        .size = body ? body->size : 0,
        .subject = subject,
        .done = done,
        .arg = self
    };
    return host->submit (host->self, &call, error);
}

troupe_status_t
flow_ask (sign_in_flow_t *self, const char *verb, const char *subject, buffer_t *body, step_t *next,
          troupe_error_t *error)
{
    self->next = next;
    self->is_asking = true;
    troupe_status_t status = submit (self, verb, subject, body, told, error);
    if (body)
        buffer_clear (body);
    if (status != TROUPE_OK)
        self->is_asking = false;
    return status;
}

troupe_status_t
flow_said_no (const sign_in_flow_t *self, const char *refused, troupe_error_t *error)
{
    if (self->told_status == TROUPE_REFUSED && refused)
        return error_set (error, TROUPE_FORBIDDEN, "%s", refused);
    return error_set (error, self->told_status, "%.*s", (int) self->told.size, (const char *) self->told.data);
}

packed_reader_t
flow_told_body (const sign_in_flow_t *self)
{
    return (packed_reader_t) { self->told.data, self->told.data + self->told.size };
}

troupe_status_t
flow_take_subject (sign_in_flow_t *self, troupe_error_t *error)
{
    packed_reader_t roles;
    bool is_good = !self->told.failed
                   && member_text (flow_told_body (self), "subject", self->subject, sizeof self->subject) == MEMBER_OK;
    buffer_reset (&self->roles);
    if (is_good && packed_find (self->told.data, self->told.size, "roles", &roles))
        buffer_append (&self->roles, roles.at, (size_t) (roles.end - roles.at));
    return is_good && !self->roles.failed ? TROUPE_OK : error_set (error, TROUPE_OVERLOADED, "no memory");
}

static bool
told_flag (const sign_in_flow_t *self, const char *name)
{
    packed_reader_t reader;
    packed_value_t value;
    return packed_find (self->told.data, self->told.size, name, &reader) && packed_next (&reader, &value)
           && value.type == PACKED_BOOL && value.truth;
}

/*  What the audit of the actor keeps; nobody waits for it. */
static void
note_attempt (sign_in_flow_t *self, bool has_passed)
{
    troupe_error_t error;
    buffer_t body = { 0 };
    packed_put_object (&body, 3);
    packed_put_name (&body, "passed");
    packed_put_bool (&body, has_passed);
    packed_put_text (&body, "how", self->how);
    packed_put_text (&body, "from", self->from);
    (void) submit (self, "attempt", NULL, &body, ignore, &error);
    buffer_clear (&body);
}

static attempt_t
attempt_of (const sign_in_flow_t *self)
{
    return (attempt_t) { self->login, self->address, strlen (self->login), self->address_size };
}

/*  An attempt counts from here on. */
static troupe_status_t
slow_down (sign_in_flow_t *self, troupe_error_t *error)
{
    attempt_t attempt = attempt_of (self);
    uint64_t wait_ns = slowdown_try (self->service->slowdown, &attempt, clock_monotonic_ns ());
    if (wait_ns == 0)
        return TROUPE_OK;
    flow_audit (self, "slowed down");
    self->answer.retry_after_ms = (uint32_t) (wait_ns / 1000000 + 1);
    self->answer.is_limited = true;
    return error_set (error, TROUPE_OVERLOADED, "too many attempts that failed: wait");
}

/* ---- the answer: tokens ---- */

/*  Names of roles as strings: `text` holds them. */
static bool
read_roles (const buffer_t *packed, char *text, size_t size, const char *names[ROLES_MAX])
{
    const uint8_t *data = packed->size ? packed->data : (const uint8_t *) "";
    packed_reader_t reader = { data, data + packed->size };
    packed_value_t value;
    bool is_operator = false;
    unsigned count = 0;
    uint32_t left = packed->size && packed_next (&reader, &value) && value.type == PACKED_ARRAY ? value.count : 0;
    for (; left > 0 && packed_next (&reader, &value) && value.type == PACKED_STRING; left--) {
        int length = (int) value.string.size;
        if ((size_t) length >= size || count == ROLES_MAX - 1)
            break;
        snprintf (text, size, "%.*s", length, (const char *) value.string.bytes);
        if (strcmp (text, "operator") == 0)
            is_operator = true;
        else
            names[count++] = text;
        text += length + 1;
        size -= (size_t) length + 1;
    }
    names[count] = NULL;
    return is_operator;
}

troupe_status_t
flow_write_tokens (sign_in_flow_t *self, troupe_error_t *error)
{
    const sign_in_options_t *options = &self->service->options;
    char text[4096];
    const char *names[ROLES_MAX];
    buffer_t access = { 0 }, *to = &self->answer.text;
    bool is_operator = read_roles (&self->roles, text, sizeof text, names);
    troupe_status_t status = tokens_make (options->tokens, self->subject, is_operator, names, clock_wall_ms (),
                                          options->access_ms, &access, error);
    if (status == TROUPE_OK) {
        buffer_printf (to, "{\"access_token\":\"%.*s\",\"token_type\":\"Bearer\",\"expires_in\":%llu,\"subject\":",
                       (int) access.size, (const char *) access.data, (unsigned long long) options->access_ms / 1000);
        json_put_string (to, self->subject, strlen (self->subject));
        if (*self->token)
            buffer_printf (to, ",\"refresh_token\":\"%s\"", self->token);
        buffer_byte (to, '}');
        flow_audit (self, "signed in");
    }
    buffer_clear (&access);
    return status;
}

static troupe_status_t
family_begun (sign_in_flow_t *self, troupe_error_t *error)
{
    return self->told_status == TROUPE_OK ? flow_write_tokens (self, error)
                                          : flow_said_no (self, wrong_password, error);
}

troupe_status_t
flow_begin_family (sign_in_flow_t *self, const char *key, troupe_error_t *error)
{
    sign_in_t *service = self->service;
    const host_port_t *host = &service->edge->host;
    char id[SECRET_ID_MAX + 1];
    secret_t secret;
    buffer_t body = { 0 };
    note_attempt (self, true);
    secret_new_id (id);
    secret_make (SECRET_REFRESH, id, self->login, self->token);
    CHECK (secret_read (SECRET_REFRESH, self->token, strlen (self->token), &secret));
    packed_put_object (&body, 5);
    packed_put_text (&body, "family", id);
    packed_put_text (&body, "token_hash", secret.hash);
    packed_put_text (&body, "client", self->client);
    packed_put_text (&body, "key", key);
    packed_put_number (&body, "expires", host->now_ms (host->self) + service->options.refresh_ms);
    return flow_ask (self, "begin_family", NULL, &body, family_begun, error);
}

/* ---- passwords ---- */

/*  Has the account keep what the helper made. */
static troupe_status_t
store_hash (sign_in_flow_t *self, const char *verb, step_t *next, troupe_error_t *error)
{
    buffer_t body = { 0 };
    if (self->told_status != TROUPE_OK)
        return error_set (error, TROUPE_OVERLOADED, "no room to hash a password");
    packed_put_object (&body, 1);
    packed_put_text (&body, "secret_hash", self->hash);
    return flow_ask (self, verb, NULL, &body, next, error);
}

/*  On the helper's thread. */
static void
verify_password (helper_job_t *job, bool is_late)
{
    sign_in_flow_t *self = (sign_in_flow_t *) ((char *) job - offsetof (sign_in_flow_t, job));
    self->told_status = is_late ? TROUPE_STOPPING
                                : password_verify (&cost, self->has_hash ? self->hash : NULL, self->password,
                                                   strlen (self->password));
    edge_tell (self->service->edge, &self->item);
}

static void
hash_password (helper_job_t *job, bool is_late)
{
    troupe_error_t error;
    sign_in_flow_t *self = (sign_in_flow_t *) ((char *) job - offsetof (sign_in_flow_t, job));
    self->told_status = is_late ? TROUPE_STOPPING
                                : password_hash (&cost, self->password, strlen (self->password), self->hash, &error);
    edge_tell (self->service->edge, &self->item);
}

static troupe_status_t
help (sign_in_flow_t *self, void (*run) (helper_job_t *job, bool is_late), step_t *next, troupe_error_t *error)
{
    self->job.run = run;
    self->next = next;
    self->is_asking = true;
    if (helper_do (self->service->helper, &self->job))
        return TROUPE_OK;
    self->is_asking = false;
    self->answer.retry_after_ms = 1000;
    return error_set (error, TROUPE_OVERLOADED, "too many passwords are being looked at");
}

static troupe_status_t
secret_set (sign_in_flow_t *self, troupe_error_t *error)
{
    if (self->told_status != TROUPE_OK)
        return flow_said_no (self, wrong_password, error);
    flow_audit (self, "password changed");
    return flow_begin_family (self, "", error);
}

static troupe_status_t
new_password_hashed (sign_in_flow_t *self, troupe_error_t *error)
{
    return store_hash (self, "set_secret", secret_set, error);
}

/*  Who showed the old one has another from now on, and all sign-ins but the one that follows end. */
static troupe_status_t
change_password (sign_in_flow_t *self, troupe_error_t *error)
{
    memcpy (self->password, self->new_password, sizeof self->password);
    return help (self, hash_password, new_password_hashed, error);
}

static troupe_status_t
password_verified (sign_in_flow_t *self, troupe_error_t *error)
{
    if (self->told_status == TROUPE_NO_MEMORY || self->told_status == TROUPE_STOPPING)
        return error_set (error, TROUPE_OVERLOADED, "no room to look at a password");
    if (self->told_status != TROUPE_OK) {
        if (self->has_hash)
            note_attempt (self, false);
        flow_audit (self, "sign-in failed");
        return error_set (error, TROUPE_FORBIDDEN, wrong_password);
    }
    attempt_t attempt = attempt_of (self);
    slowdown_passed (self->service->slowdown, &attempt);
    if (self->is_disabled) {
        flow_audit (self, "disabled");
        return error_set (error, TROUPE_FORBIDDEN, "the account is disabled");
    }
    return *self->new_password ? change_password (self, error) : flow_begin_family (self, "", error);
}

static troupe_status_t
secret_told (sign_in_flow_t *self, troupe_error_t *error)
{
    troupe_status_t status = TROUPE_OK;
    if (self->told_status == TROUPE_OK) {
        status = flow_take_subject (self, error);
        self->is_disabled = told_flag (self, "disabled");
        self->has_hash = member_text (flow_told_body (self), "hash", self->hash, sizeof self->hash) == MEMBER_OK;
    } else if (self->told_status != TROUPE_REFUSED)
        status = flow_said_no (self, NULL, error);
    return status == TROUPE_OK ? help (self, verify_password, password_verified, error) : status;
}

static troupe_status_t
read_password (sign_in_flow_t *self, packed_reader_t body, troupe_error_t *error)
{
    char name[LOGIN_MAX * 2];
    if (member_text (body, "name", name, sizeof name) != MEMBER_OK
        || member_text (body, "password", self->password, sizeof self->password) != MEMBER_OK)
        return error_set (error, TROUPE_INVALID, "name and password are wanted");
    if (!name_login (name, self->login))
        return error_set (error, TROUPE_INVALID, "a name is 1 to %d of a-z 0-9 . _ @ + -", LOGIN_MAX);
    return TROUPE_OK;
}

static troupe_status_t
begin_login (sign_in_flow_t *self, const sign_in_request_t *request, troupe_error_t *error)
{
    self->how = "password";
    troupe_status_t status = read_password (self, request->body, error);
    if (status == TROUPE_OK)
        status = slow_down (self, error);
    return status == TROUPE_OK ? flow_ask (self, "secret", NULL, NULL, secret_told, error) : status;
}

static troupe_status_t
created (sign_in_flow_t *self, troupe_error_t *error)
{
    if (self->told_status != TROUPE_OK)
        return flow_said_no (self, NULL, error);
    flow_audit (self, "registered");
    troupe_status_t status = flow_take_subject (self, error);
    return status == TROUPE_OK ? flow_begin_family (self, "", error) : status;
}

static troupe_status_t
password_hashed (sign_in_flow_t *self, troupe_error_t *error)
{
    return store_hash (self, "create", created, error);
}

/*  It lasts longer than a typing error. */
static troupe_status_t
check_password (const char *password, troupe_error_t *error)
{
    return strlen (password) >= PASSWORD_MIN
               ? TROUPE_OK
               : error_set (error, TROUPE_INVALID, "a password has %d characters or more", PASSWORD_MIN);
}

static troupe_status_t
begin_register (sign_in_flow_t *self, const sign_in_request_t *request, troupe_error_t *error)
{
    self->how = "registration";
    if (!self->service->options.may_register && !request->who->is_operator)
        return error_set (error, TROUPE_FORBIDDEN, "nobody registers here but by an operator (auth_register)");
    troupe_status_t status = read_password (self, request->body, error);
    if (status == TROUPE_OK)
        status = check_password (self->password, error);
    return status == TROUPE_OK ? help (self, hash_password, password_hashed, error) : status;
}

/*  A sign-in, and the password is another after it. */
static troupe_status_t
begin_password (sign_in_flow_t *self, const sign_in_request_t *request, troupe_error_t *error)
{
    if (member_text (request->body, "new_password", self->new_password, sizeof self->new_password) != MEMBER_OK)
        return error_set (error, TROUPE_INVALID, "name, password and new_password are wanted");
    troupe_status_t status = check_password (self->new_password, error);
    return status == TROUPE_OK ? begin_login (self, request, error) : status;
}

/* ---- refresh tokens ---- */

static troupe_status_t
read_refresh (sign_in_flow_t *self, packed_reader_t body, char old[SECRET_TEXT_SIZE], troupe_error_t *error)
{
    if (member_text (body, "refresh_token", old, SECRET_TEXT_SIZE) != MEMBER_OK
        || !secret_read (SECRET_REFRESH, old, strlen (old), &self->secret))
        return error_set (error, TROUPE_FORBIDDEN, "this is no refresh token");
    snprintf (self->login, sizeof self->login, "%s", self->secret.login);
    return TROUPE_OK;
}

static troupe_status_t
rotate (sign_in_flow_t *self, step_t *next, troupe_error_t *error)
{
    buffer_t body = { 0 };
    secret_t fresh;
    CHECK (secret_read (SECRET_REFRESH, self->token, strlen (self->token), &fresh));
    packed_put_object (&body, 3);
    packed_put_text (&body, "family", self->secret.id);
    packed_put_text (&body, "old_hash", self->secret.hash);
    packed_put_text (&body, "new_hash", fresh.hash);
    return flow_ask (self, "rotate", NULL, &body, next, error);
}

static troupe_status_t
rotated (sign_in_flow_t *self, troupe_error_t *error)
{
    if (self->told_status != TROUPE_OK)
        return flow_said_no (self, ended, error);
    if (told_flag (self, "reused")) {
        flow_audit (self, "refresh token used again");
        return error_set (error, TROUPE_FORBIDDEN, ended);
    }
    troupe_status_t status = flow_take_subject (self, error);
    return status == TROUPE_OK ? flow_write_tokens (self, error) : status;
}

static troupe_status_t
begin_refresh (sign_in_flow_t *self, const sign_in_request_t *request, troupe_error_t *error)
{
    char old[SECRET_TEXT_SIZE], nonce[NONCE_MOST + 1];
    uint8_t secret[NODE_SECRET_SIZE];
    self->how = "refresh token";
    troupe_status_t status = read_refresh (self, request->body, old, error);
    if (status != TROUPE_OK)
        return status;
    if (member_text (request->body, "nonce", nonce, sizeof nonce) != MEMBER_OK || strlen (nonce) < NONCE_LEAST)
        return error_set (error, TROUPE_INVALID, "a nonce of %d to %d characters is wanted", NONCE_LEAST, NONCE_MOST);
    tokens_secret (self->service->options.tokens, "refresh tokens", secret);
    secret_successor (secret, old, nonce, strlen (nonce), self->token);
    sodium_memzero (secret, sizeof secret);
    return rotate (self, rotated, error);
}

static troupe_status_t
family_ended (sign_in_flow_t *self, troupe_error_t *error)
{
    if (self->told_status != TROUPE_OK && self->told_status != TROUPE_REFUSED)
        return flow_said_no (self, NULL, error);
    buffer_append (&self->answer.text, "{}", 2);
    flow_audit (self, "signed out");
    return TROUPE_OK;
}

/*  Only who has the token may end what it stands for; a token that is no good any more has ended it now. */
static troupe_status_t
rotated_to_end (sign_in_flow_t *self, troupe_error_t *error)
{
    buffer_t body = { 0 };
    if (self->told_status != TROUPE_OK || told_flag (self, "reused"))
        return family_ended (self, error);
    troupe_status_t status = flow_take_subject (self, error);
    if (status != TROUPE_OK)
        return status;
    packed_put_object (&body, 1);
    packed_put_text (&body, "family", self->secret.id);
    return flow_ask (self, "end_family", self->subject, &body, family_ended, error);
}

static troupe_status_t
begin_logout (sign_in_flow_t *self, const sign_in_request_t *request, troupe_error_t *error)
{
    char old[SECRET_TEXT_SIZE];
    self->how = "refresh token";
    troupe_status_t status = read_refresh (self, request->body, old, error);
    if (status != TROUPE_OK)
        return status;
    secret_make (SECRET_REFRESH, self->secret.id, self->login, self->token);
    return rotate (self, rotated_to_end, error);
}

/* ---- its life ---- */

static const struct {
    const char *what;
    begin_t *begin;
} requests[] = {
    { "register", begin_register }, { "login", begin_login },         { "refresh", begin_refresh },
    { "logout", begin_logout },     { "challenge", sign_in_begin_challenge }, { "device", sign_in_begin_device },
    { "key", sign_in_begin_key },           { "keys", sign_in_begin_keys },    { "password", begin_password },
};

sign_in_t *
sign_in_new (edge_t *edge, const sign_in_options_t *options, troupe_error_t *error)
{
    sign_in_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory to let anybody sign in");
        return NULL;
    }
    self->options = *options;
    self->edge = edge;
    randombytes_buf (self->device_secret, sizeof self->device_secret);
    self->slowdown = slowdown_new (SLOWED_KEYS, &name_rule, &address_rule);
    self->answered = recent_new (ANSWERED_KEYS);
    if (!self->slowdown || !self->answered)
        error_set (error, TROUPE_NO_MEMORY, "no memory to remember attempts");
    else
        self->helper = helper_new (WAITING_MOST, error);
    if (self->helper)
        edge->sign_in = self;
    else
        sign_in_destroy (&self);
    return self;
}

void
sign_in_destroy (sign_in_t **self_p)
{
    sign_in_t *self = *self_p;
    if (!self)
        return;
    helper_destroy (&self->helper);
    (void) edge_drain (self->edge);  /* flows that nobody waits for */
    slowdown_destroy (&self->slowdown);
    recent_destroy (&self->answered);
    sodium_memzero (self->device_secret, sizeof self->device_secret);
    self->edge->sign_in = NULL;
    memory_free (self);
    *self_p = NULL;
}

sign_in_t *
edge_sign_in (const edge_t *edge)
{
    return edge->sign_in;
}

static begin_t *
find_request (const char *what)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        if (strcmp (requests[i].what, what) == 0)
            return requests[i].begin;
    return NULL;
}

troupe_status_t
sign_in_begin (sign_in_t *service, const sign_in_request_t *request,
               void (*done) (void *arg, exchange_answer_t *answer), void *arg, sign_in_flow_t **flow,
               troupe_error_t *error)
{
    troupe_error_t own;
    begin_t *begin = find_request (request->what);
    if (!begin)
        return error_set (error, TROUPE_NOT_FOUND, "nothing is here");
    sign_in_flow_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return error_set (error, TROUPE_OVERLOADED, "no memory");
    self->item.type = ITEM_SIGN_IN;
    self->service = service;
    self->done = done;
    self->arg = arg;
    snprintf (self->from, sizeof self->from, "%s", request->from);
    self->address_size = request->address_size < sizeof self->address ? request->address_size : sizeof self->address;
    memcpy (self->address, request->address, self->address_size);
    *flow = self;
    troupe_status_t status = member_text (request->body, "client", self->client, sizeof self->client) == MEMBER_BAD
                                 ? error_set (&own, TROUPE_INVALID, "client: a text of at most %d", LABEL_SIZE - 1)
                                 : begin (self, request, &own);
    if (status != TROUPE_OK)
        fail (self, &own);
    if (!self->is_asking)
        edge_tell (service->edge, &self->item);
    return TROUPE_OK;
}

void
sign_in_leave (sign_in_flow_t **flow)
{
    if (*flow)
        (*flow)->done = NULL;
    *flow = NULL;
}
