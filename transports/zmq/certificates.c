/*  certificates.c - who may come: certificates in a directory, and the questions of ZeroMQ (ZAP, RFC 27).
 *
 *  DESIGN
 *  Files are as czmq writes them: a public key, and metadata of which two count, `subject` and `roles`. What is on disk
 *  holds: the directory is looked at, at most once a second, when somebody knocks, and read again when a name,
 *  a size or a time in it is another. A file that cannot be read is told and left out; what is good stays good.
 */
#include "transports/zmq/certificates.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#include <czmq.h>

#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93  /* libzmq has it, its header calls it a draft */
#endif

#define PATH_MOST 255
#define FILE_MOST 16384      /* bytes of a certificate */
#define FILES_MOST 10000
#define ROLES_MOST 63
#define LOOK_MS 1000
#define PARTS 8
#define PART_MOST 256

typedef struct {
    char key[CERTIFICATE_KEY_TEXT + 1];
    char subject[TROUPE_ADDRESS_MAX + 1];
    char roles[ROLES_MOST + 1];
} certificate_t;

struct certificates_s {
    char path[PATH_MOST + 1];
    void (*log) (bool is_error, const char *line);
    certificate_t *all;
    uint32_t count;
    uint64_t mark;      /* of what was read: another one says to read again */
    uint64_t look_at_ms;
};

/* ---- the directory ---- */

static bool
is_public (const char *name)
{
    size_t size = strlen (name);
    return name[0] != '.' && (size < 7 || strcmp (name + size - 7, "_secret") != 0);
}

static void
tell (const certificates_t *self, const char *name, const char *what)
{
    char line[512];
    snprintf (line, sizeof line, "zmq_certificates: %.100s: %s", name, what);
    if (self->log)
        self->log (true, line);
}

static bool
has_key (const certificates_t *self, const char *key)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (strcmp (self->all[i].key, key) == 0)
            return true;
    return false;
}

static bool
grow (certificates_t *self)
{
    if (self->count & (self->count - 1))
        return true;
    uint32_t room = self->count ? self->count * 2 : 1;
    certificate_t *all = memory_realloc (self->all, room * sizeof *all);
    if (all)
        self->all = all;
    return all != NULL;
}

static void
take_certificate (certificates_t *self, const char *name, const char *key, zconfig_t *file)
{
    const char *subject = zconfig_get (file, "/metadata/subject", NULL);
    const char *roles = zconfig_get (file, "/metadata/roles", NULL);
    certificate_t one = { .key = "" };
    if (!subject || !*subject || strlen (subject) >= sizeof one.subject)
        tell (self, name, "metadata with a subject is wanted");
    else if (roles && strlen (roles) >= sizeof one.roles)
        tell (self, name, "its roles are too long");
    else if (has_key (self, key))
        tell (self, name, "another file has the same key; this one does not count");
    else if (grow (self)) {
        snprintf (one.key, sizeof one.key, "%s", key);
        snprintf (one.subject, sizeof one.subject, "%s", subject);
        snprintf (one.roles, sizeof one.roles, "%s", roles ? roles : "");
        self->all[self->count++] = one;
    }
}

/*  Not with zcert_load, which takes all from a NAME_secret beside it. */
static void
read_file (certificates_t *self, int directory, const char *name)
{
    char path[2 * PATH_MOST + 32];
    uint8_t bytes[32];
    struct stat about;
    if (fstatat (directory, name, &about, 0) != 0 || !S_ISREG (about.st_mode))
        return;
    snprintf (path, sizeof path, "%s/%s", self->path, name);
    zconfig_t *file = about.st_size <= FILE_MOST ? zconfig_load (path) : NULL;
    const char *key = file ? zconfig_get (file, "/curve/public-key", NULL) : NULL;
    if (key && strlen (key) == CERTIFICATE_KEY_TEXT && zmq_z85_decode (bytes, key))
        take_certificate (self, name, key, file);
    else
        tell (self, name, "this is no certificate");
    zconfig_destroy (&file);
}

/*  A number that changes with names, sizes and times. */
static uint64_t
mark_of (int directory, DIR *list)
{
    uint64_t mark = 1;
    struct stat about;
    for (struct dirent *entry; (entry = readdir (list));) {
        if (!is_public (entry->d_name) || fstatat (directory, entry->d_name, &about, 0) != 0)
            continue;
        uint64_t one = 1469598103934665603u;
        for (const char *at = entry->d_name; *at; at++)
            one = (one ^ (uint8_t) *at) * 1099511628211u;
        one = (one ^ (uint64_t) about.st_size) * 1099511628211u;
        one = (one ^ (uint64_t) about.st_mtim.tv_sec) * 1099511628211u;
        mark += (one ^ (uint64_t) about.st_mtim.tv_nsec) * 1099511628211u;
    }
    rewinddir (list);
    return mark;
}

static troupe_status_t
look (certificates_t *self, troupe_error_t *error)
{
    DIR *list = opendir (self->path);
    if (!list)
        return error_set (error, TROUPE_INVALID, "zmq_certificates: %.100s: %s", self->path, strerror (errno));
    uint64_t mark = mark_of (dirfd (list), list);
    if (mark != self->mark) {
        self->mark = mark;
        self->count = 0;
        for (struct dirent *entry; (entry = readdir (list)) && self->count < FILES_MOST;)
            if (is_public (entry->d_name))
                read_file (self, dirfd (list), entry->d_name);
    }
    closedir (list);
    return TROUPE_OK;
}

certificates_t *
certificates_open (const char *path, void (*log) (bool is_error, const char *line), troupe_error_t *error)
{
    certificates_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for certificates");
        return NULL;
    }
    zsys_handler_set (NULL);
    snprintf (self->path, sizeof self->path, "%s", path);
    self->log = log;
    if (look (self, error) != TROUPE_OK)
        certificates_close (&self);
    return self;
}

void
certificates_close (certificates_t **self_p)
{
    certificates_t *self = *self_p;
    if (!self)
        return;
    memory_free (self->all);
    memory_free (self);
    *self_p = NULL;
}

/*  The node's own, with its secret; NULL and an error. */
static zcert_t *
load_own (const char *path, troupe_error_t *error)
{
    zcert_t *own = zcert_load (path);
    static const uint8_t none[32];
    if (!own || memcmp (zcert_secret_key (own), none, sizeof none) == 0) {
        zcert_destroy (&own);
        error_set (error, TROUPE_INVALID, "zmq_certificate: %.100s and %.100s_secret are not the two files of a "
                                          "certificate", path, path);
    }
    return own;
}

troupe_status_t
certificates_guard (void *socket, const char *path, const char *domain, troupe_error_t *error)
{
    int yes = 1;
    zcert_t *own = load_own (path, error);
    if (!own)
        return TROUPE_INVALID;
    bool is_good = zmq_setsockopt (socket, ZMQ_CURVE_SERVER, &yes, sizeof yes) == 0
                   && zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, zcert_secret_key (own), 32) == 0
                   && zmq_setsockopt (socket, ZMQ_ZAP_DOMAIN, domain, strlen (domain)) == 0
                   && zmq_setsockopt (socket, ZMQ_ZAP_ENFORCE_DOMAIN, &yes, sizeof yes) == 0;
    zcert_destroy (&own);
    return is_good ? TROUPE_OK : error_set (error, TROUPE_INVALID, "ZeroMQ: no CURVE here: %s", zmq_strerror (errno));
}

troupe_status_t
certificates_approach (void *socket, const char *path, const char *server_key, troupe_error_t *error)
{
    zcert_t *own = load_own (path, error);
    if (!own)
        return TROUPE_INVALID;
    bool is_good = zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, server_key, CERTIFICATE_KEY_TEXT + 1) == 0
                   && zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, zcert_public_key (own), 32) == 0
                   && zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, zcert_secret_key (own), 32) == 0;
    zcert_destroy (&own);
    return is_good ? TROUPE_OK : error_set (error, TROUPE_INVALID, "ZeroMQ: %.40s is no key for CURVE", server_key);
}

/* ---- new ones ---- */

static bool
is_there (const char *path)
{
    struct stat about;
    return stat (path, &about) == 0;
}

static bool
is_plain (const char *text, size_t most)
{
    return !text || (strlen (text) <= most && text[strcspn (text, "\"\n\r#")] == '\0');
}

troupe_status_t
certificates_make (const char *path, const char *subject, const char *roles, char key[CERTIFICATE_KEY_TEXT + 1],
                   troupe_error_t *error)
{
    char secret[PATH_MOST + 16];
    if (strlen (path) > PATH_MOST)
        return error_set (error, TROUPE_TOO_LARGE, "the path of a certificate has at most %d bytes", PATH_MOST);
    snprintf (secret, sizeof secret, "%s_secret", path);
    if (is_there (path) || is_there (secret))
        return error_set (error, TROUPE_INVALID, "%.200s is there already: no certificate is written over", path);
    if (!is_plain (subject, TROUPE_ADDRESS_MAX) || !is_plain (roles, ROLES_MOST))
        return error_set (error, TROUPE_INVALID, "a subject has at most %d bytes, roles %d, and no quotes",
                          TROUPE_ADDRESS_MAX, ROLES_MOST);
    zsys_handler_set (NULL);
    zcert_t *made = zcert_new ();
    if (subject)
        zcert_set_meta (made, "subject", "%s", subject);
    if (roles)
        zcert_set_meta (made, "roles", "%s", roles);
    mode_t before = umask (077);
    int saved = zcert_save (made, path);
    umask (before);
    snprintf (key, CERTIFICATE_KEY_TEXT + 1, "%s", zcert_public_txt (made));
    zcert_destroy (&made);
    return saved == 0 ? TROUPE_OK : error_set (error, TROUPE_IO, "%.200s: cannot be written", path);
}

/* ---- ZAP ---- */

bool
certificates_has_role (const char *roles, const char *role)
{
    for (const char *at = roles; *at; at += strspn (at, ", ")) {
        size_t size = strcspn (at, ", ");
        if (size == strlen (role) && memcmp (at, role, size) == 0)
            return true;
        at += size;
    }
    return false;
}


enum { ZAP_VERSION, ZAP_REQUEST, ZAP_DOMAIN, ZAP_ADDRESS, ZAP_ROUTING, ZAP_MECHANISM, ZAP_KEY };

typedef struct {
    uint8_t bytes[PARTS][PART_MOST];
    size_t sizes[PARTS];
    unsigned count;
} question_t;

static bool
receive (void *zap, question_t *question)
{
    zmq_msg_t part;
    bool has_more = true;
    question->count = 0;
    zmq_msg_init (&part);
    while (has_more && zmq_msg_recv (&part, zap, ZMQ_DONTWAIT) >= 0) {
        size_t size = zmq_msg_size (&part);
        if (question->count < PARTS) {
            question->sizes[question->count] = size < PART_MOST ? size : PART_MOST;
            memcpy (question->bytes[question->count], zmq_msg_data (&part), question->sizes[question->count]);
        }
        question->count += 1;
        has_more = zmq_msg_more (&part);
    }
    zmq_msg_close (&part);
    return question->count > 0;
}

static bool
is_text (const question_t *self, unsigned part, const char *text)
{
    return self->sizes[part] == strlen (text) && memcmp (self->bytes[part], text, strlen (text)) == 0;
}

static bool
may_enter (const certificate_t *self, const question_t *question)
{
    if (is_text (question, ZAP_DOMAIN, "links"))
        return certificates_has_role (self->roles, "node");
    return !is_text (question, ZAP_DOMAIN, "feeds") || certificates_has_role (self->roles, "feeds")
           || certificates_has_role (self->roles, "operator");
}

/*  Only holders of a known key; of feeds and links those with the role. */
static const certificate_t *
find (certificates_t *self, const question_t *question)
{
    char key[CERTIFICATE_KEY_TEXT + 1];
    if (question->count != ZAP_KEY + 1 || !is_text (question, ZAP_MECHANISM, "CURVE") || question->sizes[ZAP_KEY] != 32)
        return NULL;
    zmq_z85_encode (key, question->bytes[ZAP_KEY], 32);
    for (uint32_t i = 0; i < self->count; i++) {
        const certificate_t *one = &self->all[i];
        if (strcmp (one->key, key) != 0)
            continue;
        return may_enter (one, question) ? one : NULL;
    }
    return NULL;
}

static size_t
put_property (uint8_t *to, const char *name, const char *value)
{
    size_t name_size = strlen (name), size = strlen (value);
    to[0] = (uint8_t) name_size;
    memcpy (to + 1, name, name_size);
    uint8_t *at = to + 1 + name_size;
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t) (size >> (24 - 8 * i));
    memcpy (at + 4, value, size);
    return 1 + name_size + 4 + size;
}

bool
certificates_answer (certificates_t *self, void *zap)
{
    question_t question;
    troupe_error_t error;
    uint8_t about[512];
    size_t size = 0;
    if (!receive (zap, &question))
        return false;
    uint64_t now_ms = clock_monotonic_ns () / 1000000;
    if (now_ms >= self->look_at_ms && look (self, &error) != TROUPE_OK)
        tell (self, "", error.text);
    if (now_ms >= self->look_at_ms)
        self->look_at_ms = now_ms + LOOK_MS;
    const certificate_t *known = find (self, &question);
    if (known) {
        size = put_property (about, "Subject", known->subject);
        size += put_property (about + size, "Roles", known->roles);
    }
    const char *code = known ? "200" : "400", *text = known ? "OK" : "not known here", *user = known ? known->key : "";
    zmq_send (zap, "1.0", 3, ZMQ_SNDMORE);
    zmq_send (zap, question.bytes[ZAP_REQUEST], question.count > ZAP_REQUEST ? question.sizes[ZAP_REQUEST] : 0,
              ZMQ_SNDMORE);
    zmq_send (zap, code, 3, ZMQ_SNDMORE);
    zmq_send (zap, text, strlen (text), ZMQ_SNDMORE);
    zmq_send (zap, user, strlen (user), ZMQ_SNDMORE);
    zmq_send (zap, about, size, 0);
    return true;
}
