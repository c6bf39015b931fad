#include <assert.h>
#include <string.h>
#include <troupe_test.h>

extern const troupe_kind_t walker;

static void
add (troupe_test_t *node, int steps)
{
    troupe_status_t status = troupe_test_call (node, "walker/ida", "add", NULL, "{s:i}", "steps", steps);
    assert (status == (steps > 0 ? TROUPE_OK : TROUPE_REFUSED));
}

int
main (void)
{
    const troupe_kind_t *kinds[] = { &walker, NULL };
    for (uint64_t seed = 1; seed <= 100; seed++) {
        troupe_test_t *node = troupe_test_new (kinds, seed, NULL);
        assert (node);
        troupe_test_crash_often (node, 10);
        add (node, 120);
        add (node, -5);
        add (node, 3000);
        assert (strcmp (troupe_test_state (node, "walker/ida"), "{\"total\":3120}") == 0);
        troupe_test_destroy (&node);
    }
    return 0;
}
