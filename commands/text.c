/*  text.c - figures as people read them.
 *
 *  DESIGN
 *  Three digits are what an eye takes in; the unit carries the rest. Scripts
 *  read --json, where nothing is rounded.
 */
#include "commands/text.h"

#include <stdio.h>
#include <time.h>

/*  Three digits and the unit that fits; units[0] is for what is below `step`. */
static const char *
scaled (double value, double step, const char *const *units, unsigned count, char *text)
{
    unsigned unit = 0;
    while (unit + 1 < count && value >= step * 0.9995) {
        value /= step;
        unit++;
    }
    int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf (text, TEXT_FIGURE, "%.*f%s%s", decimals, value, *units[unit] ? " " : "", units[unit]);
    return text;
}

const char *
text_count (uint64_t count, char *text)
{
    static const char *const units[] = { "", "k", "M", "G", "T" };
    return scaled ((double) count, 1000, units, 5, text);
}

const char *
text_bytes (uint64_t bytes, char *text)
{
    static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
    return scaled ((double) bytes, 1024, units, 5, text);
}

const char *
text_rate (double per_second, char *text)
{
    if (per_second > 0 && per_second < 10) {
        snprintf (text, TEXT_FIGURE, "%.2f", per_second);
        return text;
    }
    return text_count (per_second > 0 ? (uint64_t) (per_second + 0.5) : 0, text);
}

const char *
text_nanoseconds (uint64_t ns, char *text)
{
    static const char *const units[] = { "ns", "us", "ms", "s" };
    return scaled ((double) ns, 1000, units, 4, text);
}

const char *
text_duration (uint64_t ms, char *text)
{
    uint64_t seconds = ms / 1000, minutes = seconds / 60, hours = minutes / 60;
    unsigned long long days = hours / 24;
    if (ms < 1000)
        snprintf (text, TEXT_FIGURE, "%u ms", (unsigned) ms);
    else if (minutes == 0)
        snprintf (text, TEXT_FIGURE, "%u.%u s", (unsigned) seconds, (unsigned) (ms % 1000 / 100));
    else if (hours == 0)
        snprintf (text, TEXT_FIGURE, "%u min %u s", (unsigned) minutes, (unsigned) (seconds % 60));
    else if (days == 0)
        snprintf (text, TEXT_FIGURE, "%u h %u min", (unsigned) hours, (unsigned) (minutes % 60));
    else
        snprintf (text, TEXT_FIGURE, "%llu d %u h", days, (unsigned) (hours % 24));
    return text;
}

const char *
text_time (uint64_t wall_ms, char *text)
{
    time_t seconds = (time_t) (wall_ms / 1000);
    struct tm parts;
    localtime_r (&seconds, &parts);
    size_t used = strftime (text, TEXT_FIGURE, "%Y-%m-%d %H:%M:%S", &parts);
    if (used > 0)
        snprintf (text + used, TEXT_FIGURE - used, ".%03u", (unsigned) (wall_ms % 1000));
    else
        snprintf (text, TEXT_FIGURE, "?");
    return text;
}
