/*  main.c - the binary `troupe`: no kinds of its own, they come from shared objects. */
#include <troupe.h>

int
main (int argc, char **argv)
{
    return troupe_main (argc, argv, NULL);
}
