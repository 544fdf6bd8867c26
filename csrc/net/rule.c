/* SPDX-License-Identifier: MIT */
#include "rule.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DIGITS "0123456789"

static const char *const words[] = {"Address", "Subnet", "Range"}; /* by kind */

static uint64_t big_endian(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

dg_key dg_key_of(const dg_address *address)
{
    dg_key key = {0, 0};
    if (address->u.any.sa_family == AF_INET6) {
        key.high = big_endian(address->u.in6.sin6_addr.s6_addr);
        key.low = big_endian(address->u.in6.sin6_addr.s6_addr + 8);
    } else {
        key.low = UINT64_C(0xffff) << 32 | ntohl(address->u.in.sin_addr.s_addr);
    }
    return key;
}

/* ---- From texts */

int dg_rule_address(dg_rule *out, int family, const char *text, size_t length)
{
    char literal[INET6_ADDRSTRLEN];
    dg_address address;
    memset(out, 0, sizeof *out);
    out->is_ipv6 = family == AF_INET6;
    const char *zone = out->is_ipv6 ? memchr(text, '%', length) : NULL;
    if (memchr(text, '\0', length) != NULL)
        return DG_RULE_BAD_ADDRESS;
    if (zone != NULL)
        length = (size_t)(zone - text);
    if (length >= sizeof literal)
        return DG_RULE_BAD_ADDRESS;
    memcpy(literal, text, length);
    literal[length] = '\0';
    if (dg_address_parse(&address, family, 0, literal, 0) != 0)
        return DG_RULE_BAD_ADDRESS;
    out->kind = DG_RULE_ADDRESS;
    out->first = out->last = out->written = dg_key_of(&address);
    return DG_RULE_GOOD;
}

void dg_rule_range(dg_rule *out, const dg_rule *first, const dg_rule *last)
{
    *out = *first;
    out->kind = DG_RULE_RANGE;
    out->last = last->last;
}

/* Returns a word with the lowest `bits` bits set. */
static uint64_t low_bits(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

void dg_rule_subnet(dg_rule *out, const dg_rule *address, unsigned prefix)
{
    unsigned host = dg_rule_width(address) - prefix;
    uint64_t low = low_bits(host), high = host > 64 ? low_bits(host - 64) : 0;
    dg_key key = address->first;
    *out = *address;
    out->kind = DG_RULE_SUBNET;
    out->prefix = (unsigned char)prefix;
    out->first = (dg_key){key.high & ~high, key.low & ~low};
    out->last = (dg_key){key.high | high, key.low | low};
}

/* Makes a subnet of an address's text and a prefix, which may be out of range. */
static int read_subnet(dg_rule *out, int family, const char *text, size_t length, long prefix)
{
    dg_rule address;
    int status = dg_rule_address(&address, family, text, length);
    *out = address;
    if (status != DG_RULE_GOOD)
        return status;
    if (prefix < 0 || prefix > (long)dg_rule_width(&address))
        return DG_RULE_BAD_PREFIX;
    dg_rule_subnet(out, &address, (unsigned)prefix);
    return DG_RULE_GOOD;
}

/* Returns the number that so many digits stand for, or one that is greater than every prefix. */
static long number(const char *digits, size_t length)
{
    long value = 0;
    for (size_t i = 0; i < length && value <= 128; i++)
        value = 10 * value + (digits[i] - '0');
    return value;
}

int dg_rule_cidr(dg_rule *out, int family, const char *text, size_t length)
{
    size_t slash = length;
    memset(out, 0, sizeof *out);
    while (slash > 0 && text[slash - 1] != '/')
        slash--;
    if (slash == 0)
        return DG_RULE_NO_PREFIX;
    const char *digits = text + slash;
    size_t count = length - slash;
    int negative = count != 0 && *digits == '-';
    digits += negative;
    count -= (size_t)negative;
    /* The number must be written without leading zeros. The text ends with a NUL. */
    if (count == 0 || strspn(digits, DIGITS) != count || (*digits == '0' && (count > 1 || negative)))
        return DG_RULE_NO_PREFIX;
    family = memchr(text, ':', slash) != NULL ? AF_INET6 : AF_INET;
    return read_subnet(out, family, text, slash - 1, negative ? -1 : number(digits, count));
}

/* Returns how many characters from the start of a text may be an address of the family. */
static size_t address_span(int family, const char *text)
{
    if (family == AF_INET6)
        return strspn(text, "0123456789abcdefABCDEF:.");
    size_t length = 0;
    for (int i = 0; i < 4; i++) {
        if (i != 0 && text[length++] != '.')
            return 0;
        size_t digits = strspn(text + length, DIGITS);
        if (digits == 0)
            return 0;
        length += digits;
    }
    return length;
}

/* Reads what stands behind "Address: IPv4 " and the like. */
static int parse_behind(dg_rule *out, int kind, int family, const char *text)
{
    dg_rule first, last;
    size_t length = address_span(family, text);
    if (length == 0)
        return DG_RULE_NONE;
    if (kind == DG_RULE_ADDRESS)
        return dg_rule_address(out, family, text, length);
    const char *more = text + length + 1;
    if (text[length] != (kind == DG_RULE_RANGE ? '-' : '/'))
        return DG_RULE_NONE;
    if (kind == DG_RULE_SUBNET) {
        size_t digits = strspn(more, DIGITS);
        return digits == 0 ? DG_RULE_NONE : read_subnet(out, family, text, length, number(more, digits));
    }
    size_t rest = address_span(family, more);
    if (rest == 0)
        return DG_RULE_NONE;
    int status = dg_rule_address(&first, family, text, length);
    if (status == DG_RULE_GOOD)
        status = dg_rule_address(&last, family, more, rest);
    *out = first;
    if (status != DG_RULE_GOOD)
        return status;
    dg_rule_range(out, &first, &last);
    return dg_key_less(last.first, first.first) ? DG_RULE_BAD_ORDER : DG_RULE_GOOD;
}

/* Finds the first rule of a kind in the text. */
static int search(dg_rule *out, const char *word, int kind, int family, const char *text)
{
    char head[20];
    size_t length = (size_t)snprintf(head, sizeof head, "%s: IPv%d ", word, family == AF_INET6 ? 6 : 4);
    for (; *text != '\0'; text++) {
        /* Node.js takes IPv6 rules in any case of letters. */
        if ((family == AF_INET6 ? strncasecmp : strncmp)(text, head, length) != 0)
            continue;
        int status = parse_behind(out, kind, family, text + length);
        if (status != DG_RULE_NONE)
            return status;
    }
    return DG_RULE_NONE;
}

int dg_rule_parse(dg_rule *out, int family, const char *text, size_t length)
{
    static const int kinds[] = {DG_RULE_SUBNET, DG_RULE_ADDRESS, DG_RULE_RANGE}, families[] = {AF_INET, AF_INET6};
    (void)family, (void)length;
    for (size_t i = 0; i < 6; i++) {
        int kind = kinds[i % 3], status;
        if (strstr(text, i < 3 ? "IPv4" : "IPv6") == NULL)
            continue;
        status = search(out, words[kind], kind, families[i / 3], text);
        if (status != DG_RULE_NONE)
            return status;
    }
    return DG_RULE_NONE;
}

/* ---- To texts */

static size_t format_key(dg_key key, int is_ipv6, char text[INET6_ADDRSTRLEN])
{
    unsigned char bytes[16];
    for (int i = 0; i < 8; i++) {
        bytes[7 - i] = (unsigned char)(key.high >> 8 * i);
        bytes[15 - i] = (unsigned char)(key.low >> 8 * i);
    }
    inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, is_ipv6 ? bytes : bytes + 12, text, INET6_ADDRSTRLEN);
    return strlen(text);
}

size_t dg_rule_format(const dg_rule *rule, char text[DG_RULE_TEXT])
{
    size_t length = (size_t)snprintf(text, DG_RULE_TEXT, "%s: IPv%d ", words[rule->kind], rule->is_ipv6 ? 6 : 4);
    length += format_key(rule->written, rule->is_ipv6, text + length);
    if (rule->kind == DG_RULE_SUBNET)
        length += (size_t)snprintf(text + length, DG_RULE_TEXT - length, "/%d", rule->prefix);
    if (rule->kind == DG_RULE_RANGE) {
        text[length++] = '-';
        length += format_key(rule->last, rule->is_ipv6, text + length);
    }
    return length;
}

static int compare_keys(dg_key a, dg_key b)
{
    return dg_key_less(a, b) ? -1 : dg_key_less(b, a);
}

int dg_rule_compare(const dg_rule *a, const dg_rule *b)
{
    int order = compare_keys(a->first, b->first);
    if (order == 0)
        order = compare_keys(a->last, b->last);
    if (order == 0)
        order = a->kind - b->kind;
    if (order == 0 && a->kind != DG_RULE_ADDRESS)
        order = a->is_ipv6 - b->is_ipv6;
    return order != 0 ? order : compare_keys(a->written, b->written);
}
