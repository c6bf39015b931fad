/*  test_control.c - both ends of the control socket, with a handler that is no node.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commands/client.h"
#include "commands/control.h"
#include "commands/socket.h"
#include "runtime/body/packed.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH "control.sock"
#define WAIT_MS 20000
#define HELD_MAX 16384

static troupe_error_t error;

/*  What the handler was told to hold back; only the control thread fills it. */
static struct {
    pthread_mutex_t lock;
    request_t *held[HELD_MAX];
    unsigned count;
} hold = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
echo (request_t *request, const wire_message_t *message)
{
    const uint8_t *bytes;
    size_t size;
    if (wire_bytes (message, "body", &bytes, &size, &request->error) == TROUPE_OK) {
        request->error.status = TROUPE_OK;
        buffer_append (&request->body, bytes, size);
    }
    request_finish (request);
}

static void
handle (void *arg, request_t *request, const wire_message_t *message)
{
    (void) arg;
    char what[16] = "";
    uint64_t size = 0;
    if (wire_text (message, "do", what, sizeof what, &request->error) != TROUPE_OK)
        request_finish (request);
    else if (strcmp (what, "echo") == 0)
        echo (request, message);
    else if (strcmp (what, "large") == 0 && wire_number (message, "size", &size, &request->error) == TROUPE_OK) {
        uint8_t *place = buffer_reserve (&request->body, size);
        if (place) {
            memset (place, 0xc0, size);
            request->body.size = size;
        }
        request_finish (request);
    } else if (strcmp (what, "hold") == 0) {
        pthread_mutex_lock (&hold.lock);
        hold.held[hold.count++] = request;
        pthread_mutex_unlock (&hold.lock);
    } else {
        error_set (&request->error, TROUPE_OVERLOADED, "not now");
        request->retry_after_ms = 250;
        request_finish (request);
    }
}

/*  Waits until so many are held, and finishes them newest first. */
static void
let_go (unsigned count)
{
    for (unsigned held = 0; held < count;) {
        pthread_mutex_lock (&hold.lock);
        held = hold.count;
        pthread_mutex_unlock (&hold.lock);
        usleep (1000);
    }
    pthread_mutex_lock (&hold.lock);
    while (hold.count)
        request_finish (hold.held[--hold.count]);
    pthread_mutex_unlock (&hold.lock);
}

static control_t *
serve (const char *path)
{
    control_t *control = control_new (path, handle, NULL, &error);
    if (!control)
        fail_msg ("%s", error.text);
    return control;
}

static client_t *
join (const char *path)
{
    client_t *client = client_new (path, &error);
    if (!client)
        fail_msg ("%s", error.text);
    return client;
}

static uint64_t
send_simple (client_t *client, const char *what)
{
    uint64_t tag;
    client_begin (client, what, 0, &tag);
    assert_int_equal (client_end (client, &error), TROUPE_OK);
    return tag;
}

static uint64_t
send_echo (client_t *client, const char *text)
{
    uint64_t tag;
    buffer_t *to = client_begin (client, "echo", 1, &tag);
    wire_put_bytes (to, "body", text, strlen (text));
    assert_int_equal (client_end (client, &error), TROUPE_OK);
    return tag;
}

static client_answer_t
receive (client_t *client)
{
    client_answer_t answer;
    if (client_receive (client, &answer, WAIT_MS, &error) != TROUPE_OK)
        fail_msg ("%s", error.text);
    return answer;
}

static void
control_answers_with_tag_status_and_body (void **state)
{
    (void) state;
    control_t *control = serve (PATH);
    client_t *client = join (PATH);
    uint64_t tag = send_echo (client, "\xc0");
    client_answer_t answer = receive (client);
    assert_true (answer.tag == tag);
    assert_int_equal (answer.status, TROUPE_OK);
    assert_int_equal (answer.size, 1);
    send_simple (client, "nonsense");
    answer = receive (client);
    assert_int_equal (answer.status, TROUPE_OVERLOADED);
    assert_string_equal (answer.text, "not now");
    assert_int_equal (answer.retry_after_ms, 250);
    client_destroy (&client);
    control_destroy (&control);
    assert_null (control);
    assert_int_equal (access (PATH, F_OK), -1);
}

static void
control_answers_come_in_the_order_in_which_they_are_finished (void **state)
{
    (void) state;
    control_t *control = serve (PATH);
    client_t *client = join (PATH);
    uint64_t first = send_simple (client, "hold"), second = send_simple (client, "hold");
    uint64_t echoed = send_echo (client, "\xc0");
    assert_true (receive (client).tag == echoed);
    let_go (2);
    assert_true (receive (client).tag == second);
    assert_true (receive (client).tag == first);
    client_destroy (&client);
    control_destroy (&control);
}

static void
control_many_requests_on_their_way_are_all_answered (void **state)
{
    (void) state;
    control_t *control = serve (PATH);
    client_t *client = join (PATH);
    enum { MANY = 3 * CONTROL_REQUESTS_MAX };
    static bool answered[MANY + 2];
    for (unsigned i = 0; i < MANY; i++)
        send_echo (client, "\xa5hello");
    for (unsigned i = 0; i < MANY; i++) {
        client_answer_t answer = receive (client);
        assert_true (answer.tag <= MANY + 1 && !answered[answer.tag]);
        answered[answer.tag] = true;
    }
    client_destroy (&client);
    control_destroy (&control);
}

static void
control_requests_over_the_bound_wait_in_the_socket (void **state)
{
    (void) state;
    control_t *control = serve (PATH);
    client_t *client = join (PATH);
    for (unsigned i = 0; i < CONTROL_REQUESTS_MAX + 10; i++)
        send_simple (client, "hold");
    let_go (CONTROL_REQUESTS_MAX);
    for (unsigned i = 0; i < CONTROL_REQUESTS_MAX; i++)
        receive (client);
    let_go (10);
    for (unsigned i = 0; i < 10; i++)
        receive (client);
    client_destroy (&client);
    control_destroy (&control);
}

static void
control_client_that_does_not_read_is_not_read_from (void **state)
{
    (void) state;
    control_t *control = serve (PATH);
    client_t *client = join (PATH);
    for (unsigned i = 0; i < 64; i++) {
        uint64_t tag;
        packed_put_number (client_begin (client, "large", 1, &tag), "size", 1 << 20);
        assert_int_equal (client_end (client, &error), TROUPE_OK);
    }
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal (receive (client).size, 1 << 20);
    client_destroy (&client);
    control_destroy (&control);
}

static void
control_answer_over_the_limit_is_an_error (void **state)
{
    (void) state;
    control_t *control = serve (PATH);
    client_t *client = join (PATH);
    uint64_t tag;
    packed_put_number (client_begin (client, "large", 1, &tag), "size", WIRE_MESSAGE_MAX);
    client_answer_t answer;
    assert_int_equal (client_ask (client, &answer, WAIT_MS, &error), TROUPE_OK);
    assert_int_equal (answer.status, TROUPE_TOO_LARGE);
    assert_true (answer.tag == tag);
    client_destroy (&client);
    control_destroy (&control);
}

static void
control_bad_message_is_answered_and_ends_the_connection (void **state)
{
    (void) state;
    control_t *control = serve (PATH);
    client_t *client = join (PATH), *other = join (PATH);
    assert_int_equal (write (client_fd (client), "GET / HTTP/1.1\r\n\r\n", 18), 18);
    client_answer_t answer = receive (client);
    assert_int_equal (answer.status, TROUPE_TOO_LARGE);
    assert_true (answer.tag == 0);
    assert_true (client_wait_closed (client, WAIT_MS));
    send_echo (other, "\xc0");
    assert_int_equal (receive (other).status, TROUPE_OK);
    client_destroy (&client);
    client_destroy (&other);
    control_destroy (&control);
}

static void
control_client_that_leaves_gets_nobody_elses_answer (void **state)
{
    (void) state;
    control_t *control = serve (PATH);
    client_t *client = join (PATH);
    send_simple (client, "hold");
    for (unsigned held = 0; !held; usleep (1000)) {
        pthread_mutex_lock (&hold.lock);
        held = hold.count;
        pthread_mutex_unlock (&hold.lock);
    }
    client_destroy (&client);
    usleep (50000);
    client = join (PATH);  /* takes the place of the one before */
    let_go (1);
    uint64_t tag = send_echo (client, "\xc0");
    assert_true (receive (client).tag == tag);
    assert_int_equal (client_receive (client, &(client_answer_t) { 0 }, 50, &error), TROUPE_TIMEOUT);
    client_destroy (&client);
    control_destroy (&control);
}

static void
control_connections_over_the_bound_are_told (void **state)
{
    (void) state;
    control_t *control = serve (PATH);
    client_t *clients[CONTROL_CONNECTIONS_MAX + 1];
    for (unsigned i = 0; i <= CONTROL_CONNECTIONS_MAX; i++) {
        clients[i] = join (PATH);
        if (i == CONTROL_CONNECTIONS_MAX)
            break;
        send_echo (clients[i], "\xc0");
        receive (clients[i]);
    }
    usleep (50000);  /* it is turned away before it says anything */
    client_answer_t answer;
    uint64_t tag;
    client_begin (clients[CONTROL_CONNECTIONS_MAX], "echo", 0, &tag);
    assert_int_equal (client_ask (clients[CONTROL_CONNECTIONS_MAX], &answer, WAIT_MS, &error), TROUPE_OK);
    assert_int_equal (answer.status, TROUPE_OVERLOADED);
    assert_int_equal (client_receive (clients[CONTROL_CONNECTIONS_MAX], &answer, WAIT_MS, &error), TROUPE_UNKNOWN);
    for (unsigned i = 0; i <= CONTROL_CONNECTIONS_MAX; i++)
        client_destroy (&clients[i]);
    control_destroy (&control);
}

static void *
let_go_later (void *arg)
{
    usleep (100000);
    let_go (*(unsigned *) arg);
    return NULL;
}

static void
control_quiet_waits_for_what_was_taken (void **state)
{
    (void) state;
    control_t *control = serve (PATH);
    client_t *client = join (PATH);
    send_simple (client, "hold");
    send_simple (client, "hold");
    pthread_t thread;
    unsigned two = 2;
    assert_int_equal (pthread_create (&thread, NULL, let_go_later, &two), 0);
    for (unsigned held = 0; held < 2; usleep (1000)) {
        pthread_mutex_lock (&hold.lock);
        held = hold.count;
        pthread_mutex_unlock (&hold.lock);
    }
    control_quiet (control, WAIT_MS);
    pthread_join (thread, NULL);
    receive (client);
    receive (client);
    assert_false (client_wait_closed (client, 50));
    control_destroy (&control);
    assert_true (client_wait_closed (client, WAIT_MS));
    client_destroy (&client);
}

static void
control_quiet_gives_up_after_its_time (void **state)
{
    (void) state;
    control_t *control = serve (PATH);
    client_t *client = join (PATH);
    send_simple (client, "hold");
    for (unsigned held = 0; !held; usleep (1000)) {
        pthread_mutex_lock (&hold.lock);
        held = hold.count;
        pthread_mutex_unlock (&hold.lock);
    }
    control_quiet (control, 50);
    let_go (1);  /* too late, and still no leak */
    control_destroy (&control);
    client_destroy (&client);
}

static void
control_socket_is_its_users_alone (void **state)
{
    (void) state;
    control_t *control = serve (PATH);
    struct stat status;
    assert_int_equal (stat (PATH, &status), 0);
    assert_true (S_ISSOCK (status.st_mode));
    assert_int_equal (status.st_mode & 0777, 0600);
    control_destroy (&control);
}

static void
socket_of_a_dead_process_is_replaced_a_living_one_is_not (void **state)
{
    (void) state;
    int fd = socket_listen (PATH, &error);
    assert_true (fd >= 0);
    assert_int_equal (socket_listen (PATH, &error), -1);
    assert_int_equal (error.status, TROUPE_LOCKED);
    close (fd);
    assert_int_equal (socket_connect (PATH, &error), -1);
    assert_int_equal (error.status, TROUPE_NOT_FOUND);
    fd = socket_listen (PATH, &error);
    assert_true (fd >= 0);
    close (fd);
    socket_remove (PATH);
    assert_int_equal (socket_connect (PATH, &error), -1);
    assert_int_equal (error.status, TROUPE_NOT_FOUND);
}

static void
socket_never_replaces_a_file (void **state)
{
    (void) state;
    FILE *file = fopen ("precious", "w");
    assert_non_null (file);
    fclose (file);
    assert_int_equal (socket_listen ("precious", &error), -1);
    assert_int_equal (error.status, TROUPE_INVALID);
    socket_remove ("precious");
    assert_int_equal (access ("precious", F_OK), 0);
}

static void
socket_path_may_be_long (void **state)
{
    (void) state;
    char path[512] = "";
    for (unsigned i = 0; i < 6; i++) {
        strcat (path, "a-directory-with-a-long-name-that-goes-on");
        assert_true (mkdir (path, 0700) == 0 || errno == EEXIST);
        strcat (path, "/");
    }
    strcat (path, PATH);
    control_t *control = serve (path);
    client_t *client = join (path);
    send_echo (client, "\xc0");
    assert_int_equal (receive (client).status, TROUPE_OK);
    client_destroy (&client);
    control_destroy (&control);
    assert_int_equal (access (path, F_OK), -1);
    strcat (path, "-name-that-is-too-long-by-itself-and-goes-on-and-on-and-on-and-on-and-on-and-on-and-on");
    assert_int_equal (socket_listen (path, &error), -1);
    assert_int_equal (error.status, TROUPE_INVALID);
}

/* ---- notes ---- */

typedef struct {
    note_t note;
    control_t *control;
    unsigned left;
    _Atomic unsigned arrived;
} beating_t;

static void
beat (note_t *note)
{
    beating_t *self = (beating_t *) note;
    if (--self->left > 0)
        control_post_later (self->control, note, 1);
    self->arrived += 1;  /* last: who sees it may write */
}

static void
control_note_for_later_arrives_again_until_quiet (void **state)
{
    (void) state;
    control_t *control = control_new (PATH, handle, NULL, &error);
    beating_t beating = { .note.arrived = beat, .control = control, .left = 3 };
    control_post (control, &beating.note);
    while (beating.arrived < 3)
        usleep (1000);
    beating.left = 1;
    control_quiet (control, WAIT_MS);
    control_post (control, &beating.note);
    assert_int_equal (beating.arrived, 3);
    control_settle (control);
    assert_int_equal (beating.arrived, 4);
    control_destroy (&control);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (control_answers_with_tag_status_and_body),
        cmocka_unit_test (control_answers_come_in_the_order_in_which_they_are_finished),
        cmocka_unit_test (control_many_requests_on_their_way_are_all_answered),
        cmocka_unit_test (control_requests_over_the_bound_wait_in_the_socket),
        cmocka_unit_test (control_client_that_does_not_read_is_not_read_from),
        cmocka_unit_test (control_answer_over_the_limit_is_an_error),
        cmocka_unit_test (control_bad_message_is_answered_and_ends_the_connection),
        cmocka_unit_test (control_client_that_leaves_gets_nobody_elses_answer),
        cmocka_unit_test (control_connections_over_the_bound_are_told),
        cmocka_unit_test (control_quiet_waits_for_what_was_taken),
        cmocka_unit_test (control_quiet_gives_up_after_its_time),
        cmocka_unit_test (control_note_for_later_arrives_again_until_quiet),
        cmocka_unit_test (control_socket_is_its_users_alone),
        cmocka_unit_test (socket_of_a_dead_process_is_replaced_a_living_one_is_not),
        cmocka_unit_test (socket_never_replaces_a_file),
        cmocka_unit_test (socket_path_may_be_long),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
