/*  top.c - `troupe top`: what a node does now, in the terminal.
 *
 *  DESIGN
 *  Two samples make a picture. In a terminal it is drawn again and again on the
 *  alternate screen, which is given back as it was, also on a signal; without
 *  one, or with --once, it is printed once. The node only answers what it is asked,
 *  so a watched node costs no more than two messages a second.
 */
#include "commands/remote.h"
#include "commands/text.h"
#include "commands/top_view.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define INTERVAL_MS 1000
#define HOT_ASKED 20
#define ROWS_WITHOUT_TERMINAL 1000
#define COLUMNS_WITHOUT_TERMINAL 160
#define HEADING_ON "\033[7m"
#define HEADING_OFF "\033[0m"

static const option_t options[] = {
    { "once", NULL, "print one picture and leave" },
    { "json", NULL, "a JSON object a line, without --once one an interval" },
    { "interval", "TIME", "from one picture to the next (1s)" },
    { NULL }
};

static volatile sig_atomic_t is_over;

/* ---- drawing ---- */

typedef struct {
    buffer_t text;
    unsigned rows, columns;  /* left, and of a line */
    bool is_terminal;
} screen_t;

/*  A line, cut to the screen; a heading is shown inverse. */
static void __attribute__ ((format (printf, 3, 4)))
draw (screen_t *screen, bool is_heading, const char *format, ...)
{
    char line[512];
    va_list arguments;
    if (screen->rows == 0)
        return;
    screen->rows--;
    va_start (arguments, format);
    vsnprintf (line, sizeof line, format, arguments);
    va_end (arguments);
    if (strlen (line) > screen->columns && screen->columns < sizeof line)
        line[screen->columns] = '\0';
    bool inverse = is_heading && screen->is_terminal;
    buffer_printf (&screen->text, "%s%s%s%s\n", inverse ? HEADING_ON : "", line, inverse ? HEADING_OFF : "",
                   screen->is_terminal ? "\033[K" : "");
}

static const char *
rate (const json_t *tree, const char *name, char *text)
{
    return text_rate (json_real_value (json_object_get (tree, name)), text);
}

static const char *
level (const json_t *tree, const char *name, char *text)
{
    return text_count (tree_number (tree, name), text);
}

static void
draw_summary (screen_t *screen, const json_t *view)
{
    char a[TEXT_FIGURE], b[TEXT_FIGURE], c[TEXT_FIGURE], d[TEXT_FIGURE], e[TEXT_FIGURE], f[TEXT_FIGURE];
    const json_t *rates = json_object_get (view, "rates"), *levels = json_object_get (view, "levels");
    const json_t *storage = json_object_get (view, "storage");
    const char *door = tree_text (view, "door");
    text_duration (tree_number (view, "uptime_ms"), a);
    draw (screen, false, "up %s, %llu shards on %llu workers, calls are %s", a,
          (unsigned long long) tree_number (view, "shards"), (unsigned long long) tree_number (view, "workers"),
          strcmp (door, "ok") == 0 ? "taken" : door);
    draw (screen, false, "turns     %7s/s   failed  %7s/s   refused %7s/s   retried %7s/s", rate (rates, "turns", a),
          rate (rates, "failed", b), rate (rates, "refused", c), rate (rates, "retried", d));
    draw (screen, false, "calls     %7s/s   overload%7s/s   told    %7s/s   away    %7s/s", rate (rates, "calls", a),
          rate (rates, "overloaded", b), rate (rates, "told", c), rate (rates, "told_away", d));
    text_bytes (tree_number (levels, "mail_bytes"), f);
    draw (screen, false, "actors    %7s awake   mail %s, %s   timers %s, %s/s fire   asks %s",
          level (levels, "awake", a), level (levels, "mail", b), f, level (levels, "timers", c),
          rate (rates, "timers_fired", d), level (levels, "asks", e));
    draw (screen, false, "set aside %7s dead letters   %s parked", level (levels, "dead_letters", a),
          level (levels, "parked", b));
    text_bytes ((uint64_t) json_real_value (json_object_get (storage, "written_bytes")), b);
    text_bytes (tree_number (storage, "journal_bytes"), c);
    text_bytes (tree_number (storage, "unfolded_bytes"), d);
    text_bytes (tree_number (storage, "used_bytes"), e);
    draw (screen, false, "disk      %7s syncs/s   %s/s written   store %s, journal %s, %s not folded",
          rate (storage, "syncs", a), b, e, c, d);
}

static void
draw_latency (screen_t *screen, const json_t *view)
{
    static const struct {
        const char *name, *title;
    } rows[] = { { "turn_ns", "a turn" }, { "durable_ns", "frame to disk" }, { "call_ns", "call to answer" } };
    const json_t *latency = json_object_get (view, "latency");
    draw (screen, true, "%-24s %10s %10s %10s", "takes", "p50", "p99", "p99.9");
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const json_t *row = json_object_get (latency, rows[i].name);
        char a[TEXT_FIGURE] = "-", b[TEXT_FIGURE] = "-", c[TEXT_FIGURE] = "-";
        if (tree_number (row, "count")) {
            text_nanoseconds (tree_number (row, "p50"), a);
            text_nanoseconds (tree_number (row, "p99"), b);
            text_nanoseconds (tree_number (row, "p999"), c);
        }
        draw (screen, false, "%-24s %10s %10s %10s", rows[i].title, a, b, c);
    }
}

static void
draw_kinds (screen_t *screen, const json_t *view)
{
    const json_t *kinds = json_object_get (view, "kinds");
    draw (screen, true, "%-16s %8s %8s %8s %8s %8s %8s %8s", "kind", "turns/s", "reads/s", "refused", "failed",
          "awake", "p50", "p99");
    for (size_t i = 0; i < json_array_size (kinds); i++) {
        const json_t *kind = json_array_get (kinds, i);
        char a[TEXT_FIGURE], b[TEXT_FIGURE], c[TEXT_FIGURE], d[TEXT_FIGURE], e[TEXT_FIGURE];
        char p50[TEXT_FIGURE] = "-", p99[TEXT_FIGURE] = "-";
        if (tree_number (kind, "count")) {
            text_nanoseconds (tree_number (kind, "p50"), p50);
            text_nanoseconds (tree_number (kind, "p99"), p99);
        }
        draw (screen, false, "%-16.16s %8s %8s %8s %8s %8s %8s %8s", tree_text (kind, "name"),
              rate (kind, "turns", a), rate (kind, "reads", b), rate (kind, "refused", c), rate (kind, "failed", d),
              level (kind, "awake", e), p50, p99);
        if (tree_number (kind, "parked"))
            draw (screen, false, "    parked: it sent too much mail; `troupe revive %s`", tree_text (kind, "name"));
    }
}

static void
draw_lists (screen_t *screen, const json_t *view)
{
    char a[TEXT_FIGURE], b[TEXT_FIGURE];
    const json_t *suspects = json_object_get (view, "suspects"), *hot = json_object_get (view, "hot");
    if (json_array_size (suspects))
        draw (screen, true, "%-40s %-20s %8s %8s", "ended the process", "verb", "strikes", "signal");
    for (size_t i = 0; i < json_array_size (suspects); i++) {
        const json_t *row = json_array_get (suspects, i);
        draw (screen, false, "%-40s %-20s %8llu %8llu", tree_text (row, "address"), tree_text (row, "verb"),
              (unsigned long long) tree_number (row, "strikes"), (unsigned long long) tree_number (row, "signal"));
    }
    draw (screen, true, "%-40s %10s %10s", "busy actors", "turns", "mail");
    for (size_t i = 0; i < json_array_size (hot); i++) {
        const json_t *row = json_array_get (hot, i);
        draw (screen, false, "%-40s %10s %10s", tree_text (row, "address"), level (row, "turns", a),
              level (row, "mail", b));
    }
}

static void
show (const json_t *view, bool is_terminal)
{
    screen_t screen = { .rows = ROWS_WITHOUT_TERMINAL, .columns = COLUMNS_WITHOUT_TERMINAL };
    screen.is_terminal = is_terminal;
    struct winsize size;
    if (is_terminal && ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1) {
        screen.rows = size.ws_row - 1u;
        screen.columns = size.ws_col;
        buffer_printf (&screen.text, "\033[H");
    }
    draw_summary (&screen, view);
    draw_latency (&screen, view);
    draw_kinds (&screen, view);
    draw_lists (&screen, view);
    if (is_terminal)
        buffer_printf (&screen.text, "\033[J");
    fwrite (screen.text.data, 1, screen.text.size, stdout);
    fflush (stdout);
    buffer_clear (&screen.text);
}

/* ---- sampling ---- */

/*  The caller decrefs both. */
static int
sample (const invocation_t *invocation, client_t *client, json_t **metrics, json_t **hot)
{
    uint64_t tag;
    client_begin (client, "metrics", 0, &tag);
    int code = remote_ask_tree (invocation, client, metrics);
    if (code != EXIT_OK)
        return code;
    packed_put_number (client_begin (client, "hot", 1, &tag), "most", HOT_ASKED);
    return remote_ask_tree (invocation, client, hot);
}

/*  One picture; `before` becomes the sample that it was made of. */
static int
picture (const invocation_t *invocation, client_t *client, json_t **before, bool shows, bool is_terminal)
{
    json_t *now = NULL, *hot = NULL;
    int code = sample (invocation, client, &now, &hot);
    json_t *view = code == EXIT_OK && shows ? top_view (*before, now, hot) : NULL;
    if (view && option_given (invocation, "json"))
        code = remote_print_tree (invocation, view);
    else if (view)
        show (view, is_terminal);
    else if (code == EXIT_OK && shows)
        code = command_fail (invocation, EXIT_INTERNAL, "the node's figures are not understood: another version?");
    if (code == EXIT_OK && fflush (stdout) != 0)
        code = EXIT_DISK;
    json_decref (view);
    json_decref (hot);
    json_decref (*before);
    *before = now;
    return code;
}

/* ---- the terminal ---- */

static struct termios terminal_before;

static void
on_signal (int number)
{
    (void) number;
    is_over = 1;
}

static void
take_terminal (void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
    sigaction (SIGHUP, &action, NULL);
    struct termios raw;
    if (tcgetattr (STDIN_FILENO, &terminal_before) == 0) {
        raw = terminal_before;
        raw.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
        tcsetattr (STDIN_FILENO, TCSANOW, &raw);
    }
    fputs ("\033[?1049h\033[?25l", stdout);
    fflush (stdout);
}

static void
give_terminal_back (void)
{
    fputs ("\033[?25h\033[?1049l", stdout);
    fflush (stdout);
    tcsetattr (STDIN_FILENO, TCSANOW, &terminal_before);
}

/*  Sleeps; q ends it all. */
static void
wait_or_key (uint64_t ms, bool is_terminal)
{
    struct pollfd input = { .fd = is_terminal ? STDIN_FILENO : -1, .events = POLLIN };
    char key;
    if (poll (&input, 1, (int) ms) > 0 && (read (STDIN_FILENO, &key, 1) < 1 || key == 'q'))
        is_over = 1;
}

static int
watch (const invocation_t *invocation, client_t *client, uint64_t interval_ms)
{
    bool json = option_given (invocation, "json");
    bool is_terminal = !json && isatty (STDOUT_FILENO) && isatty (STDIN_FILENO);
    bool once = option_given (invocation, "once") || (!json && !is_terminal);
    json_t *before = NULL;
    is_terminal = is_terminal && !once;
    int code = picture (invocation, client, &before, is_terminal, is_terminal);
    if (is_terminal)
        take_terminal ();
    while (code == EXIT_OK && !is_over) {
        wait_or_key (interval_ms, is_terminal);
        if (!is_over)
            code = picture (invocation, client, &before, true, is_terminal);
        if (once)
            break;
    }
    if (is_terminal) {
        give_terminal_back ();  /* and with it what was said meanwhile */
        if (code != EXIT_OK)
            command_fail (invocation, code, "the node no longer answers");
    }
    json_decref (before);
    return code;
}

static int
run (invocation_t *invocation)
{
    client_t *client;
    uint64_t interval_ms = INTERVAL_MS;
    if (!option_duration (invocation, "interval", &interval_ms))
        return EXIT_USAGE;
    if (interval_ms < 50 || interval_ms > 3600000)
        return command_fail (invocation, EXIT_USAGE, "--interval: must be 50ms to 1h");
    int code = remote_open (invocation, &client);
    if (code == EXIT_OK)
        code = watch (invocation, client, interval_ms);
    client_destroy (&client);
    return code;
}

const command_t command_top = {
    .name = "top",
    .words = "",
    .summary = "show what the node does now: rates, latencies, busy actors",
    .help = "In a terminal the picture is drawn anew each second; q leaves.\n",
    .reach = REACH_NODE,
    .options = options,
    .run = run
};
