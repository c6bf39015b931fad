/*  login.c - the built-in kind `login`: who may sign in, and what with.
 *
 *  DESIGN. One key of state holds the account, one each family and each key, so that a rotation writes
 *  some hundred bytes. A reuse is no refusal: what it does, ending the family, must be kept. Families that are over
 *  are erased when the next one begins, not by a timer: nobody can use them.
 */
#include "actors/login.h"

#include <stdio.h>
#include <string.h>

#define LOGIN_MAX 64
#define NAME_MAX_BYTES 64        /* of families, keys, roles */
#define HASH_MAX 256
#define LABEL_MAX 128
#define ROLES_MAX 31
#define KEY_SIZE (16 + NAME_MAX_BYTES)
#define AUDIT_KEEP 1000

static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/*  Texts live until the turn ends. */
typedef struct {
    const char *hash;            /* of the password */
    const char *subject;
    int disabled;
    json_int_t created;          /* ms, as all times here */
} account_t;

typedef struct {
    const char *current;         /* hash of the token that is good */
    const char *previous;        /* of the one before it; "": none */
    const char *client;          /* what the owner sees in the list */
    const char *key;             /* of the device that it began with; "": none */
    json_int_t created, used, expires;
} family_t;

typedef struct {
    const char *type;            /* "api", "device" */
    const char *value;           /* hash, public key */
    const char *label;
    json_int_t created;
} entry_t;

/*  Keys of state that begin alike. */
typedef struct {
    char names[LOGIN_KEYS_MAX][KEY_SIZE];
    size_t count;
} list_t;

/* ------------------------------------------------------------------ *
 *  Texts from outside
 * ------------------------------------------------------------------ */

static bool
is_made_of (const char *text, size_t most, const char *more, bool may_have_capitals)
{
    size_t size = strlen (text);
    for (size_t i = 0; i < size; i++)
        if (!strchr (digits, text[i]) && !strchr (more, text[i]) && !(may_have_capitals && strchr (capitals, text[i])))
            return false;
    return size >= 1 && size <= most;
}

static bool
is_name (const char *text)
{
    return is_made_of (text, NAME_MAX_BYTES, "-_", true);
}

static bool
is_text (const char *text, size_t most)
{
    size_t size = 0;
    for (; text[size]; size++)
        if (text[size] < ' ' || text[size] > '~')
            return false;
    return size <= most;
}

static bool
is_hash (const char *text)
{
    return *text && is_text (text, HASH_MAX);
}

static bool
is_subject (const char *text)
{
    return *text && is_text (text, TROUPE_ID_MAX) && !strpbrk (text, " /{}");
}

/* ------------------------------------------------------------------ *
 *  State
 * ------------------------------------------------------------------ */

static troupe_status_t
load (troupe_turn_t *turn, account_t *account)
{
    if (troupe_fetch (turn, "account", "{s:s, s:s, s:b, s:I}", "hash", &account->hash, "subject", &account->subject,
                      "disabled", &account->disabled, "created", &account->created) == TROUPE_OK)
        return TROUPE_OK;
    return troupe_refuse (turn, "there is no such account");
}

/*  For those who come in, and for what lets them in. */
static troupe_status_t
load_enabled (troupe_turn_t *turn, account_t *account)
{
    troupe_status_t status = load (turn, account);
    if (status == TROUPE_OK && account->disabled)
        return troupe_refuse (turn, "the account is disabled");
    return status;
}

static troupe_status_t
load_owned (troupe_turn_t *turn, account_t *account)
{
    troupe_status_t status = load (turn, account);
    if (status == TROUPE_OK && strcmp (troupe_subject (turn), account->subject) != 0 && !*troupe_sender (turn))
        return TROUPE_FORBIDDEN;
    return status;
}

static troupe_status_t
save (troupe_turn_t *turn, const account_t *account)
{
    return troupe_save (turn, "account", "{s:s, s:s, s:b, s:I}", "hash", account->hash, "subject", account->subject,
                        "disabled", account->disabled, "created", account->created);
}

static bool
fetch_family (troupe_turn_t *turn, const char *key, family_t *family)
{
    return troupe_fetch (turn, key, "{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "current", &family->current, "previous",
                         &family->previous, "client", &family->client, "key", &family->key, "created",
                         &family->created, "used", &family->used, "expires", &family->expires) == TROUPE_OK;
}

static troupe_status_t
save_family (troupe_turn_t *turn, const char *key, const family_t *family)
{
    return troupe_save (turn, key, "{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "current", family->current, "previous",
                        family->previous, "client", family->client, "key", family->key, "created", family->created,
                        "used", family->used, "expires", family->expires);
}

static bool
fetch_entry (troupe_turn_t *turn, const char *key, entry_t *entry)
{
    return troupe_fetch (turn, key, "{s:s, s:s, s:s, s:I}", "type", &entry->type, "value", &entry->value, "label",
                         &entry->label, "created", &entry->created) == TROUPE_OK;
}

static void
key_of (char key[KEY_SIZE], const char *prefix, const char *name)
{
    snprintf (key, KEY_SIZE, "%s%s", prefix, name);
}

static bool
list_one (void *arg, const char *key, const void *value, size_t size)
{
    list_t *list = arg;
    (void) value;
    (void) size;
    snprintf (list->names[list->count++], KEY_SIZE, "%s", key);
    return list->count < LOGIN_KEYS_MAX;
}

static void
list_all (troupe_turn_t *turn, const char *prefix, list_t *list)
{
    list->count = 0;
    troupe_each (turn, prefix, list_one, list);
}

/*  Behind the slash of a key. */
static const char *
name_in (const char *key)
{
    return strchr (key, '/') + 1;
}

static const char *
caller (const troupe_turn_t *turn)
{
    return *troupe_sender (turn) ? troupe_sender (turn) : troupe_subject (turn);
}

static void
audit (troupe_turn_t *turn, const char *event, const char *what)
{
    troupe_publish (turn, "audit", "{s:s, s:s, s:s, s:I}", "event", event, "what", what, "by", caller (turn), "at",
                    (json_int_t) troupe_now (turn));
}

/* ------------------------------------------------------------------ *
 *  The account
 * ------------------------------------------------------------------ */

static troupe_status_t
create (troupe_turn_t *turn)
{
    size_t size;
    account_t account = { .subject = troupe_id (turn), .created = (json_int_t) troupe_now (turn) };
    troupe_status_t status = troupe_unpack (turn, "{s:s, s?:s}", "secret_hash", &account.hash, "subject",
                                            &account.subject);
    if (status != TROUPE_OK)
        return status;
    if (!is_made_of (troupe_id (turn), LOGIN_MAX, "._@+-", false))
        return troupe_refuse (turn, "a login name is 1 to %d of a-z 0-9 . _ @ + -", LOGIN_MAX);
    if (!is_hash (account.hash) || !is_subject (account.subject))
        return troupe_refuse (turn, "a hash or a subject is not what it should be");
    if (troupe_value (turn, "account", &size))
        return troupe_refuse (turn, "there is such an account already");
    save (turn, &account);
    troupe_save (turn, "roles", "[]");
    audit (turn, "created", account.subject);
    return troupe_reply (turn, "{s:s}", "subject", account.subject);
}

static troupe_status_t
secret (troupe_turn_t *turn)
{
    account_t account;
    size_t size;
    troupe_status_t status = load (turn, &account);
    if (status != TROUPE_OK)
        return status;
    const void *roles = troupe_value (turn, "roles", &size);
    return troupe_reply (turn, "{s:s, s:v, s:s, s:b}", "hash", account.hash, "roles", roles, size, "subject",
                         account.subject, "disabled", account.disabled);
}

/*  But the one of this name, when it is not NULL. */
static void
end_families (troupe_turn_t *turn, const char *but)
{
    list_t list;
    list_all (turn, "family/", &list);
    for (size_t i = 0; i < list.count; i++)
        if (!but || strcmp (name_in (list.names[i]), but) != 0)
            troupe_erase (turn, list.names[i]);
}

static troupe_status_t
set_secret (troupe_turn_t *turn)
{
    account_t account;
    const char *hash, *keep = NULL;
    troupe_status_t status = load (turn, &account);
    if (status == TROUPE_OK)
        status = troupe_unpack (turn, "{s:s, s?:s}", "secret_hash", &hash, "keep", &keep);
    if (status != TROUPE_OK)
        return status;
    if (!is_hash (hash))
        return troupe_refuse (turn, "this is no hash");
    account.hash = hash;
    save (turn, &account);
    end_families (turn, keep);
    audit (turn, "secret_changed", "");
    return TROUPE_OK;
}

/*  Writes the names side by side into `text`. */
static bool
roles_are_good (const json_t *roles, char *text, size_t size)
{
    size_t i, used = 0;
    json_t *role;
    *text = '\0';
    if (!json_is_array (roles) || json_array_size (roles) > ROLES_MAX)
        return false;
    json_array_foreach (roles, i, role) {
        if (!json_is_string (role) || !is_name (json_string_value (role)))
            return false;
        used += (size_t) snprintf (text + used, size - used, "%s%s", i ? " " : "", json_string_value (role));
    }
    return true;
}

static troupe_status_t
set_roles (troupe_turn_t *turn)
{
    account_t account;
    json_t *roles;
    char text[ROLES_MAX * (NAME_MAX_BYTES + 1) + 1];
    troupe_status_t status = load (turn, &account);
    if (status == TROUPE_OK)
        status = troupe_unpack (turn, "{s:o}", "roles", &roles);
    if (status != TROUPE_OK)
        return status;
    if (roles_are_good (roles, text, sizeof text)) {
        troupe_save (turn, "roles", "o", roles);
        troupe_publish (turn, "audit", "{s:s, s:s, s:s, s:I, s:s, s:o}", "event", "roles_changed", "what", text, "by",
                        caller (turn), "at", (json_int_t) troupe_now (turn), "subject", account.subject, "roles",
                        roles);
    } else
        status = troupe_refuse (turn, "roles are at most %d names", ROLES_MAX);
    json_decref (roles);
    return status;
}

static troupe_status_t
set_disabled (troupe_turn_t *turn, bool disabled)
{
    account_t account;
    troupe_status_t status = load (turn, &account);
    if (status != TROUPE_OK || account.disabled == disabled)
        return status;
    account.disabled = disabled;
    save (turn, &account);
    if (disabled)
        end_families (turn, NULL);
    audit (turn, disabled ? "disabled" : "enabled", account.subject);
    return TROUPE_OK;
}

static troupe_status_t
disable (troupe_turn_t *turn)
{
    return set_disabled (turn, true);
}

static troupe_status_t
enable (troupe_turn_t *turn)
{
    return set_disabled (turn, false);
}

/*  The gateway has compared what somebody showed. */
static troupe_status_t
attempt (troupe_turn_t *turn)
{
    account_t account;
    int passed;
    const char *how, *from = "";
    char what[2 * LABEL_MAX + 2];
    troupe_status_t status = load (turn, &account);
    if (status == TROUPE_OK)
        status = troupe_unpack (turn, "{s:b, s:s, s?:s}", "passed", &passed, "how", &how, "from", &from);
    if (status != TROUPE_OK)
        return status;
    if (!is_text (how, LABEL_MAX) || !is_text (from, LABEL_MAX))
        return troupe_refuse (turn, "how and from are texts of at most %d bytes", LABEL_MAX);
    snprintf (what, sizeof what, "%s%s%s", how, *from ? " " : "", from);
    audit (turn, passed ? "signed_in" : "sign_in_failed", what);
    return TROUPE_OK;
}

/* ------------------------------------------------------------------ *
 *  Families of refresh tokens
 * ------------------------------------------------------------------ */

/*  Erases what is over; if that is not enough, what was used longest ago. */
static void
make_room (troupe_turn_t *turn)
{
    list_t list;
    family_t family;
    size_t left = 0, oldest = 0;
    json_int_t oldest_used = INT64_MAX;
    list_all (turn, "family/", &list);
    for (size_t i = 0; i < list.count; i++) {
        if (!fetch_family (turn, list.names[i], &family) || family.expires <= (json_int_t) troupe_now (turn)) {
            troupe_erase (turn, list.names[i]);
            continue;
        }
        left += 1;
        if (family.used < oldest_used) {
            oldest_used = family.used;
            oldest = i;
        }
    }
    if (left >= LOGIN_FAMILIES_MAX) {
        troupe_erase (turn, list.names[oldest]);
        audit (turn, "family_crowded_out", name_in (list.names[oldest]));
    }
}

static troupe_status_t
begin_family (troupe_turn_t *turn)
{
    account_t account;
    const char *name;
    char key[KEY_SIZE];
    size_t size;
    json_int_t now = (json_int_t) troupe_now (turn);
    family_t family = { .previous = "", .client = "", .key = "", .created = now, .used = now };
    troupe_status_t status = load_enabled (turn, &account);
    if (status == TROUPE_OK)
        status = troupe_unpack (turn, "{s:s, s:s, s:I, s?:s, s?:s}", "family", &name, "token_hash", &family.current,
                                "expires", &family.expires, "client", &family.client, "key", &family.key);
    if (status != TROUPE_OK)
        return status;
    if (!is_name (name) || !is_hash (family.current) || !is_text (family.client, LABEL_MAX)
        || (*family.key && !is_name (family.key)))
        return troupe_refuse (turn, "a name, a hash or a text is not what it should be");
    if (family.expires <= now)
        return troupe_refuse (turn, "the family would be over");
    key_of (key, "key/", family.key);
    if (*family.key && !troupe_value (turn, key, &size))
        return troupe_refuse (turn, "there is no such key");
    key_of (key, "family/", name);
    if (troupe_value (turn, key, &size))
        return troupe_refuse (turn, "there is such a family already");
    make_room (turn);
    save_family (turn, key, &family);
    audit (turn, "family_begun", name);
    return TROUPE_OK;
}

static troupe_status_t
reply_rotated (troupe_turn_t *turn, const account_t *account, bool reused)
{
    size_t size;
    const void *roles = troupe_value (turn, "roles", &size);
    return troupe_reply (turn, "{s:b, s:s, s:v}", "reused", (int) reused, "subject", account->subject, "roles", roles,
                         size);
}

/*  The token that is good is exchanged; the exchange that was made last may be asked for again; all else is a
 *  token that somebody has copied. */
static troupe_status_t
exchange (troupe_turn_t *turn, const account_t *account, const char *key, family_t *family, const char *old,
          const char *new)
{
    if (strcmp (old, family->current) == 0 && strcmp (old, new) != 0) {
        family->previous = old;
        family->current = new;
        family->used = (json_int_t) troupe_now (turn);
        save_family (turn, key, family);
    } else if (strcmp (old, family->previous) != 0 || strcmp (new, family->current) != 0) {
        troupe_erase (turn, key);
        audit (turn, "token_reused", name_in (key));
        return reply_rotated (turn, account, true);
    }
    return reply_rotated (turn, account, false);
}

static troupe_status_t
rotate (troupe_turn_t *turn)
{
    account_t account;
    family_t family;
    const char *name, *old, *new;
    char key[KEY_SIZE];
    troupe_status_t status = load_enabled (turn, &account);
    if (status == TROUPE_OK)
        status = troupe_unpack (turn, "{s:s, s:s, s:s}", "family", &name, "old_hash", &old, "new_hash", &new);
    if (status != TROUPE_OK)
        return status;
    if (!is_name (name) || !is_hash (old) || !is_hash (new))
        return troupe_refuse (turn, "a name or a hash is not what it should be");
    key_of (key, "family/", name);
    if (!fetch_family (turn, key, &family) || family.expires <= (json_int_t) troupe_now (turn))
        return troupe_refuse (turn, "this sign-in has ended");
    return exchange (turn, &account, key, &family, old, new);
}

static troupe_status_t
end_family (troupe_turn_t *turn)
{
    account_t account;
    const char *name;
    char key[KEY_SIZE];
    size_t size;
    troupe_status_t status = load_owned (turn, &account);
    if (status == TROUPE_OK)
        status = troupe_unpack (turn, "{s:s}", "family", &name);
    if (status != TROUPE_OK)
        return status;
    if (!is_name (name))
        return troupe_refuse (turn, "this is no name of a family");
    key_of (key, "family/", name);
    if (troupe_value (turn, key, &size)) {
        troupe_erase (turn, key);
        audit (turn, "family_ended", name);
    }
    return TROUPE_OK;
}

static json_t *
show_family (troupe_turn_t *turn, const char *key)
{
    family_t family;
    if (!fetch_family (turn, key, &family) || family.expires <= (json_int_t) troupe_now (turn))
        return NULL;
    return json_pack ("{s:s, s:s, s:I, s:I, s:I}", "family", name_in (key), "client", family.client, "created",
                      family.created, "used", family.used, "expires", family.expires);
}

static json_t *
show_entry (troupe_turn_t *turn, const char *key)
{
    entry_t entry;
    if (!fetch_entry (turn, key, &entry))
        return NULL;
    return json_pack ("{s:s, s:s, s:s, s:I}", "id", name_in (key), "type", entry.type, "label", entry.label, "created",
                      entry.created);
}

/*  Replies with {name: [...]}, to the owner; what there is nothing to show of is left out. */
static troupe_status_t
reply_list (troupe_turn_t *turn, const char *name, const char *prefix,
            json_t *(*show) (troupe_turn_t *turn, const char *key))
{
    account_t account;
    list_t list;
    troupe_status_t status = load_owned (turn, &account);
    if (status != TROUPE_OK)
        return status;
    json_t *shown = json_array ();
    list_all (turn, prefix, &list);
    for (size_t i = 0; i < list.count; i++) {
        json_t *one = show (turn, list.names[i]);
        if (one)
            json_array_append_new (shown, one);
    }
    status = troupe_reply (turn, "{s:o}", name, shown);
    json_decref (shown);
    return status;
}

static troupe_status_t
families (troupe_turn_t *turn)
{
    return reply_list (turn, "families", "family/", show_family);
}

/* ------------------------------------------------------------------ *
 *  Keys of programs and devices
 * ------------------------------------------------------------------ */

static troupe_status_t
check_entry (troupe_turn_t *turn, const char *name, const entry_t *entry)
{
    list_t list;
    char key[KEY_SIZE];
    size_t size;
    if (!is_name (name) || !is_hash (entry->value) || !is_text (entry->label, LABEL_MAX))
        return troupe_refuse (turn, "an id, a value or a label is not what it should be");
    if (strcmp (entry->type, "api") != 0 && strcmp (entry->type, "device") != 0)
        return troupe_refuse (turn, "the type of a key is \"api\" or \"device\"");
    key_of (key, "key/", name);
    if (troupe_value (turn, key, &size))
        return troupe_refuse (turn, "there is such a key already");
    list_all (turn, "key/", &list);
    if (list.count >= LOGIN_KEYS_MAX)
        return troupe_refuse (turn, "an account has at most %d keys: remove one", LOGIN_KEYS_MAX);
    return TROUPE_OK;
}

static troupe_status_t
add_key (troupe_turn_t *turn)
{
    account_t account;
    const char *name;
    char key[KEY_SIZE];
    entry_t entry = { .label = "", .created = (json_int_t) troupe_now (turn) };
    troupe_status_t status = load_enabled (turn, &account);
    if (status == TROUPE_OK)
        status = troupe_unpack (turn, "{s:s, s:s, s:s, s?:s}", "id", &name, "type", &entry.type, "value", &entry.value,
                                "label", &entry.label);
    if (status == TROUPE_OK)
        status = check_entry (turn, name, &entry);
    if (status != TROUPE_OK)
        return status;
    key_of (key, "key/", name);
    troupe_save (turn, key, "{s:s, s:s, s:s, s:I}", "type", entry.type, "value", entry.value, "label", entry.label,
                 "created", entry.created);
    audit (turn, "key_added", name);
    return TROUPE_OK;
}

/*  Finds the key whose id the body has. */
static troupe_status_t
asked_entry (troupe_turn_t *turn, char key[KEY_SIZE], entry_t *entry)
{
    const char *name;
    troupe_status_t status = troupe_unpack (turn, "{s:s}", "id", &name);
    if (status != TROUPE_OK)
        return status;
    key_of (key, "key/", is_name (name) ? name : "");
    return fetch_entry (turn, key, entry) ? TROUPE_OK : troupe_refuse (turn, "there is no such key");
}

/*  What a device signed in ends with its key. */
static void
end_families_of (troupe_turn_t *turn, const char *id)
{
    list_t list;
    family_t family;
    list_all (turn, "family/", &list);
    for (size_t i = 0; i < list.count; i++)
        if (fetch_family (turn, list.names[i], &family) && strcmp (family.key, id) == 0) {
            troupe_erase (turn, list.names[i]);
            audit (turn, "family_ended", name_in (list.names[i]));
        }
}

static troupe_status_t
remove_key (troupe_turn_t *turn)
{
    account_t account;
    entry_t entry;
    char key[KEY_SIZE];
    troupe_status_t status = load_owned (turn, &account);
    if (status == TROUPE_OK)
        status = asked_entry (turn, key, &entry);
    if (status != TROUPE_OK)
        return status;
    troupe_erase (turn, key);
    end_families_of (turn, name_in (key));
    audit (turn, "key_removed", name_in (key));
    return TROUPE_OK;
}

static troupe_status_t
key (troupe_turn_t *turn)
{
    account_t account;
    entry_t entry;
    char name[KEY_SIZE];
    size_t size;
    troupe_status_t status = load_enabled (turn, &account);
    if (status == TROUPE_OK)
        status = asked_entry (turn, name, &entry);
    if (status != TROUPE_OK)
        return status;
    const void *roles = troupe_value (turn, "roles", &size);
    return troupe_reply (turn, "{s:s, s:s, s:s, s:v}", "type", entry.type, "value", entry.value, "subject",
                         account.subject, "roles", roles, size);
}

static troupe_status_t
keys (troupe_turn_t *turn)
{
    return reply_list (turn, "keys", "key/", show_entry);
}

static const troupe_verb_t verbs[] = {
    { "create", create, .args = "secret_hash:string subject?:string", .gives = "subject:string",
      .doc = "Make the account." },
    { "secret", secret, .reads = true, .args = "", .gives = "hash:string roles:array subject:string disabled:bool",
      .doc = "What a password is compared with, and who it is." },
    { "set_secret", set_secret, .args = "secret_hash:string keep?:string",
      .doc = "Another password; all sign-ins but `keep` end." },
    { "set_roles", set_roles, .allow = TROUPE_OPERATOR, .args = "roles:array", .doc = "All roles, anew." },
    { "disable", disable, .allow = TROUPE_OPERATOR, .args = "", .doc = "Nobody comes in any more; sign-ins end." },
    { "enable", enable, .allow = TROUPE_OPERATOR, .args = "", .doc = "As before, but for the sign-ins." },
    { "attempt", attempt, .args = "passed:bool how:string from?:string",
      .doc = "Note that somebody tried to sign in." },
    { "begin_family", begin_family, .args = "family:string token_hash:string expires:int client?:string key?:string",
      .doc = "A sign-in: the first refresh token." },
    { "rotate", rotate, .args = "family:string old_hash:string new_hash:string",
      .gives = "reused:bool subject:string roles:array",
      .doc = "Exchange a refresh token; with `reused` the sign-in has ended." },
    { "end_family", end_family, .allow = TROUPE_DECIDES, .args = "family:string", .doc = "Sign out; the owner's." },
    { "families", families, .reads = true, .allow = TROUPE_DECIDES, .args = "", .gives = "families:array",
      .doc = "Where one is signed in; the owner's." },
    { "add_key", add_key, .args = "id:string type:string value:string label?:string",
      .doc = "The hash of an API key, or the public key of a device." },
    { "remove_key", remove_key, .allow = TROUPE_DECIDES, .args = "id:string",
      .doc = "It is no key any more; the owner's." },
    { "key", key, .reads = true, .args = "id:string", .gives = "type:string value:string subject:string roles:array",
      .doc = "What a key is compared with, and who it is." },
    { "keys", keys, .reads = true, .allow = TROUPE_DECIDES, .args = "", .gives = "keys:array",
      .doc = "All keys without their values; the owner's." },
    { NULL }
};
static const troupe_channel_t channels[] = {
    { "audit", .keep = AUDIT_KEEP, .allow = TROUPE_OWNER, .doc = "Sign-ins, failures, and what was changed." },
    { NULL }
};
const troupe_kind_t login_kind = { "login", .version = 1, .verbs = verbs, .channels = channels,
                                     .doc = "Who may sign in, and what with." };
