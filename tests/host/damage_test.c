// A root over a damaged image: directories with names in two places, without links, without a type.
// What is damaged is an error, and what is beside it goes on.
#include "linux_test.h"

static void test_loop(void) {
    CHECK_IS(path_call(NR_CHDIR, "/a/b"), 0);
    CHECK_IS(stat_path(NR_STAT, "/a/b/up"), -EIO); // /a itself
    CHECK_IS(stat_path(NR_STAT, "up/b"), -EIO);
    CHECK_IS(open_path("up", O_RDONLY | O_DIRECTORY), -EIO);
    CHECK_IS(path_call(NR_RMDIR, "up"), -EIO);
    CHECK_IS(paths_call(NR_RENAME, "up", "/c/moved"), -EIO);
    CHECK_IS(paths_call(NR_RENAME, "/a", "/a/b/up"), -EIO);
    CHECK_IS(stat_path(NR_STAT, "root"), -EIO);
    CHECK_IS(CALL2(first, NR_GETCWD, buffer, 100), 5);
    CHECK_IS(strcmp(buffer, "/a/b"), 0);
    CHECK_IS(make_file("/a/b/new", "new"), 3);
    CHECK_TEXT("new", "new");
    CHECK_IS(path_call(NR_CHDIR, "/"), 0);
}

static void test_bad_inodes(void) {
    CHECK_IS(stat_path(NR_STAT, "/gone"), -EIO);
    CHECK_IS(path_call(NR_RMDIR, "/gone"), -EIO);
    CHECK_IS(path_call(NR_CHDIR, "/gone"), -EIO);
    CHECK_IS(path_call(NR_MKDIR, "/gone"), -EIO);
    CHECK_IS(stat_path(NR_STAT, "/untyped"), -EIO);
    CHECK_IS(open_path("/untyped", O_RDONLY), -EIO);
    CHECK_IS(paths_call(NR_RENAME, "/c", "/untyped"), -EIO);
    CHECK_TEXT("/c/f", "kept");
    CHECK_IS(paths_call(NR_RENAME, "/c", "/d"), 0);
    CHECK_TEXT("/d/f", "kept");
}

int main(int argc, char **argv) {
    boot_image(argc, argv);
    test_loop();
    test_bad_inodes();
    return failures ? 1 : 0;
}
