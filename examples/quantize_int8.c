/* Symmetric int8 quantization by tensor, in float32, judged by qparity:
 *
 *     cc -O2 -ffp-contract=off quantize_int8.c -lm -o quantize_int8
 *     qparity gen quantize --only args.type=int | ./quantize_int8 | qparity check quantize
 *
 * -DBROKEN multiplies by the reciprocal of the scale instead of dividing, and is found out.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int8_t quantize(float x, float scale) {
#ifdef BROKEN
    float y = x * (1.0f / scale);
#else
    float y = x / scale;
#endif
    if (isnan(y)) return 0; /* NaN has no code: it gives that of zero */
    return (int8_t)rintf(fminf(fmaxf(y, -128.0f), 127.0f)); /* to nearest, ties to even */
}

/* The text behind " name=" in a line, or NULL. */
static const char *field(const char *line, const char *name) {
    char key[64];
    snprintf(key, sizeof key, " %s=", name);
    const char *found = strstr(line, key);
    return found ? found + strlen(key) : NULL;
}

static int is(const char *line, const char *name, const char *value) {
    const char *text = field(line, name);
    size_t n = strlen(value);
    return text && strncmp(text, value, n) == 0 && strchr(" :\n", text[n]);
}

/* The next of the comma-separated words at *text as a float32; returns 0 at their end. */
static int next(const char **text, float *value) {
    unsigned bits;
    if (sscanf(*text, "%8x", &bits) != 1) return 0;
    memcpy(value, &bits, sizeof *value);
    *text += 8 + ((*text)[8] == ',');
    return 1;
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, stdin)) > 0) {
        if (line[length - 1] == '\n') line[--length] = '\0';
        fputs(line, stdout);
        if (!is(line, "op", "quantize") || !is(line, "x", "float32") ||
            !is(line, "scale", "float32") || !is(line, "zero_point", "null") ||
            !is(line, "args.type", "int") || !is(line, "args.num_bits", "8") ||
            !is(line, "args.strategy", "tensor") || field(line, "global_scale") ||
            !is(line, "dtype", "int8")) {
            puts(" -> unsupported");
            continue;
        }
        const char *scales = strchr(field(line, "scale") + 8, ':') + 1;
        const char *shape = field(line, "x") + 8, *words = strchr(shape, ':') + 1;
        float x, scale;
        next(&scales, &scale);
        if (shape[0] == ':') printf(" -> out=int8:1:"); /* a number is one of shape (1,) */
        else printf(" -> out=int8:%.*s", (int)(words - shape), shape);
        for (const char *comma = ""; next(&words, &x); comma = ",")
            printf("%s%02x", comma, (unsigned)(uint8_t)quantize(x, scale));
        putchar('\n');
    }
    return 0;
}
