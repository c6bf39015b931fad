/*  main.c - the bank as a server. */

#include "bank.h"

int
main (int argc, char **argv)
{
    return troupe_main (argc, argv, &account, NULL);
}
