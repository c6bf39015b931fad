/*  document.c - JSON documents about kinds, made from their tables.
 *
 *  DESIGN
 *  Without a tree: what stands before tells whether a comma is needed. The
 *  caller's thread.
 */
#include "transports/edge/document.h"

#include "runtime/body/json.h"
#include "runtime/body/schema.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_SHOWN 512  /* bytes of a text made by a format */

static void
put_string (buffer_t *to, const char *text)
{
    json_put_string (to, text, strlen (text));
}

/*  A string ends with a quote, so what ends with a bracket that opens is one. */
static void
put_name (buffer_t *to, const char *name)
{
    if (to->failed)
        return;
    uint8_t last = to->data[to->size - 1];
    if (last != '{' && last != '[')
        buffer_byte (to, ',');
    if (name) {
        put_string (to, name);
        buffer_byte (to, ':');
    }
}

void
document_begin (buffer_t *to)
{
    buffer_byte (to, '{');
}

void
document_open (buffer_t *to, const char *name, char bracket)
{
    put_name (to, name);
    buffer_byte (to, (uint8_t) bracket);
}

void
document_close (buffer_t *to, char bracket)
{
    buffer_byte (to, (uint8_t) bracket);
}

void
document_text (buffer_t *to, const char *name, const char *text)
{
    put_name (to, name);
    put_string (to, text);
}

void
document_format (buffer_t *to, const char *name, const char *format, ...)
{
    char text[TEXT_SHOWN];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    document_text (to, name, text);
}

void
document_number (buffer_t *to, const char *name, uint64_t number)
{
    put_name (to, name);
    json_put_int (to, (int64_t) number);
}

void
document_flag (buffer_t *to, const char *name, bool flag)
{
    document_json (to, name, flag ? "true" : "false");
}

void
document_json (buffer_t *to, const char *name, const char *json)
{
    put_name (to, name);
    buffer_append (to, json, strlen (json));
}

void
document_ref (buffer_t *to, const char *name, const char *place)
{
    document_open (to, name, '{');
    document_text (to, "$ref", place);
    document_close (to, '}');
}

/* ------------------------------------------------------------------ *
 *  Fields
 * ------------------------------------------------------------------ */

static const struct {
    const char *name;
    const char *type;   /* of JSON Schema */
    const char *more;   /* a keyword and its value, or NULL */
    const char *value;  /* JSON */
} types[] = {
    { "int", "integer", "format", "\"int64\"" },
    { "number", "number", NULL, NULL },
    { "string", "string", NULL, NULL },
    { "bool", "boolean", NULL, NULL },
    { "bytes", "string", "contentEncoding", "\"base64\"" },
    { "array", "array", "items", "{}" },
    { "object", "object", NULL, NULL },
};

void
document_type (buffer_t *to, const char *name, const char *type, bool optional)
{
    document_open (to, name, '{');
    for (size_t index = 0; index < sizeof types / sizeof *types; index++) {
        if (strcmp (types[index].name, type) != 0)
            continue;
        if (optional) {
            document_open (to, "type", '[');
            document_text (to, NULL, types[index].type);
            document_text (to, NULL, "null");
            document_close (to, ']');
        } else
            document_text (to, "type", types[index].type);
        if (types[index].more)
            document_json (to, types[index].more, types[index].value);
    }
    document_close (to, '}');
}

static void
put_property (void *arg, const char *name, const char *type, bool optional)
{
    document_type (arg, name, type, optional);
}

static void
put_required (void *arg, const char *name, const char *type, bool optional)
{
    (void) type;
    if (!optional)
        document_text (arg, NULL, name);
}

void
document_schema (buffer_t *to, const char *name, const char *fields, bool is_closed)
{
    troupe_error_t error = { TROUPE_OK, "" };
    schema_t *schema = fields ? schema_new (fields, &error) : NULL;
    if (error.status == TROUPE_NO_MEMORY)
        to->failed = true;
    document_open (to, name, '{');
    if (schema) {
        document_text (to, "type", "object");
        document_open (to, "properties", '{');
        schema_each (schema, put_property, to);
        document_close (to, '}');
        document_open (to, "required", '[');
        schema_each (schema, put_required, to);
        document_close (to, ']');
        if (is_closed)
            document_flag (to, "additionalProperties", false);
    }
    document_close (to, '}');
    schema_destroy (&schema);
}

/* ------------------------------------------------------------------ *
 *  Descriptions
 * ------------------------------------------------------------------ */

void
document_description (buffer_t *to, const char *doc, const permit_t *permit)
{
    static const char *const whom[] = {
        [TROUPE_ACTORS] = "actors and the operator",
        [TROUPE_ANYONE] = "anyone",
        [TROUPE_SIGNED_IN] = "whoever is signed in",
        [TROUPE_OWNER] = "the owner of the actor",
        [TROUPE_OPERATOR] = "the operator",
        [TROUPE_DECIDES] = "whom the actor allows",
        [TROUPE_ROLE] = "the role ",
    };
    document_format (to, "description", "%.400s%sFor %s%s.", doc ? doc : "", doc && *doc ? " " : "",
                     whom[permit->allow], permit->role ? permit->role : "");
}

void
document_about (buffer_t *to, const document_info_t *info)
{
    document_open (to, "info", '{');
    document_text (to, "title", info->title);
    document_text (to, "version", info->version);
    document_text (to, "description", "Durable actors. Made from the tables of their kinds.");
    document_close (to, '}');
}
