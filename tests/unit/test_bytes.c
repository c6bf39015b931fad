/*  test_bytes.c - integers at fixed places, and the hashes of the store's format.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/bytes.h"

static void
bytes_big_endian_order_of_bytes_is_order_of_numbers (void **state)
{
    (void) state;
    static const uint64_t rising[] = { 0, 1, 255, 256, 65535, 65536, 1ull << 32, (1ull << 63) - 1, 1ull << 63,
                                       UINT64_MAX };
    for (size_t i = 0; i < sizeof rising / sizeof rising[0]; i++) {
        uint8_t low[8], high[8];
        put_be64 (high, rising[i]);
        assert_true (get_be64 (high) == rising[i]);
        if (i == 0)
            continue;
        put_be64 (low, rising[i - 1]);
        assert_true (memcmp (low, high, 8) < 0);
    }
}

static void
bytes_big_endian_places_are_fixed (void **state)
{
    (void) state;
    uint8_t bytes[8];
    put_be64 (bytes, 0x0102030405060708ull);
    assert_memory_equal (bytes, "\1\2\3\4\5\6\7\10", 8);
    put_be16 (bytes, 0xfedc);
    assert_memory_equal (bytes, "\xfe\xdc", 2);
    assert_int_equal (get_be16 (bytes), 0xfedc);
}

static void
bytes_little_endian_places_are_fixed (void **state)
{
    (void) state;
    uint8_t bytes[9] = { 0 };
    put_le64 (bytes + 1, 0x0102030405060708ull);
    assert_memory_equal (bytes + 1, "\10\7\6\5\4\3\2\1", 8);
    assert_true (get_le64 (bytes + 1) == 0x0102030405060708ull);
    put_le32 (bytes + 1, 0x01020304u);
    assert_memory_equal (bytes + 1, "\4\3\2\1", 4);
    assert_true (get_le32 (bytes + 1) == 0x01020304u);
    put_le16 (bytes + 1, 0x0102u);
    assert_memory_equal (bytes + 1, "\2\1", 2);
    assert_int_equal (get_le16 (bytes + 1), 0x0102);
    assert_int_equal (bytes[0], 0);
}

/*  The hash places every address and seals every frame of a store on disk: it
 *  may never become another one. */
static void
hash_known_input_stays_the_same (void **state)
{
    (void) state;
    assert_true (hash_bytes ("", 0, 0) == 0x2d06800538d394c2ull);
    assert_true (hash_bytes ("user/42", 7, 0) != hash_bytes ("user/42", 7, 1));
    assert_true (hash_bytes ("user/42", 7, 0) != hash_bytes ("user/43", 7, 0));
    assert_true (hash_mix (1, 2) == hash_mix (1, 2));
    assert_true (hash_mix (1, 2) != hash_mix (2, 1));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (bytes_big_endian_order_of_bytes_is_order_of_numbers),
        cmocka_unit_test (bytes_big_endian_places_are_fixed),
        cmocka_unit_test (bytes_little_endian_places_are_fixed),
        cmocka_unit_test (hash_known_input_stays_the_same),
    };
    return cmocka_run_group_tests_name ("bytes", tests, NULL, NULL);
}
