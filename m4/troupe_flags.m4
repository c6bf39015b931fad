dnl  Flags that are used only where the compiler and the linker take them.

dnl  TROUPE_TRY_FLAG(FLAG, THEN, ELSE): links a small program with FLAG, warnings being errors.
AC_DEFUN([TROUPE_TRY_FLAG], [
    AC_MSG_CHECKING([whether $CC takes $1])
    troupe_saved_cflags=$CFLAGS
    CFLAGS="$CFLAGS -Werror $1"
    AC_LINK_IFELSE([AC_LANG_SOURCE([[int main (void) { return 0; }]])],
        [AC_MSG_RESULT([yes])
         CFLAGS=$troupe_saved_cflags
         $2],
        [AC_MSG_RESULT([no])
         CFLAGS=$troupe_saved_cflags
         $3])])

dnl  For compiling and linking, when taken.
AC_DEFUN([TROUPE_CFLAG], [TROUPE_TRY_FLAG([$1], [TROUPE_CFLAGS="$TROUPE_CFLAGS $1"], [:])])

dnl  The same, but asked for by the user: without it there is nothing to build.
AC_DEFUN([TROUPE_CFLAG_NEEDED],
    [TROUPE_TRY_FLAG([$1], [TROUPE_CFLAGS="$TROUPE_CFLAGS $1"],
        [AC_MSG_ERROR([$CC does not take $1 (fuzzing needs CC=clang and libclang-rt-dev)])])])

dnl  For linking programs and libraries.
AC_DEFUN([TROUPE_LDFLAG], [TROUPE_TRY_FLAG([$1], [TROUPE_LDFLAGS="$TROUPE_LDFLAGS $1"], [:])])

dnl  For linking programs alone.
AC_DEFUN([TROUPE_PROGRAM_LDFLAG],
    [TROUPE_TRY_FLAG([$1], [TROUPE_PROGRAM_LDFLAGS="$TROUPE_PROGRAM_LDFLAGS $1"], [:])])
