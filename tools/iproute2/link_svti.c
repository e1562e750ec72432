// SPDX-License-Identifier: Apache-2.0
/*
 * link_svti.so: teaches `ip link` the words of an svti. ip(8) loads it by name when a link of this kind is named or shown, from the
 * folder ip/ beside the system's libraries or the one that $IP_LIB_DIR names.
 *
 * iproute2 installs no header for such plug-ins and promises nothing. What is used of it is kept small, and declared here as it is in
 * iproute2 6.1, that of Debian 12: one structure, found by the name KIND_link_util; and four functions of the ip program itself, for
 * its JSON output. An ip that does not export those gets plain text only.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct link_util {
	struct link_util *next;
	const char *id;
	int maxattr;
	int (*parse_opt)(struct link_util *, int, char **, struct nlmsghdr *);
	void (*print_opt)(struct link_util *, FILE *, struct rtattr *[]);
	void (*print_xstats)(struct link_util *, FILE *, struct rtattr *);
	void (*print_help)(struct link_util *, int, char **, FILE *);
	int (*parse_ifla_xstats)(struct link_util *, int, char **);
	int (*print_ifla_xstats)(struct nlmsghdr *, void *);
};

/* Kinds of output, and the colour that is none; another number would do no harm but for the colour. */
enum { PRINT_FP = 1, PRINT_JSON = 2, PRINT_ANY = 4 };
enum { COLOR_NONE = 6 };

#define IP_HAS __attribute__((weak)) extern
IP_HAS _Bool is_json_context(void);
IP_HAS int print_color_uint(int type, int color, const char *key, const char *format, unsigned int value);
IP_HAS int print_color_string(int type, int color, const char *key, const char *format, const char *value);
IP_HAS int print_color_bool(int type, int color, const char *key, const char *format, _Bool value);

/* The room that ip keeps for attributes behind the header of its request for a link. */
#define MAX_MESSAGE 1024

static void explain(FILE *f)
{
	fprintf(f, "Usage: ... svti id SVTI-ID [ dev IFNAME ] [ sp-hash-ipv4 LOCAL/REMOTE ] [ sp-hash-ipv6 LOCAL/REMOTE ]\n"
		   "                [ auto-mtu { on | off } ] [ sa-per-cpu { on | off } ]\n"
		   "\n"
		   "Where:  SVTI-ID := { 1..4294967295 }, the if_id of its SAs and policies; fixed\n"
		   "        dev IFNAME, the link by which encrypted packets leave\n"
		   "        LOCAL/REMOTE := prefix lengths from which on policies are hashed together\n"
		   "        auto-mtu: the MTU follows the SAs (default, unless mtu is given)\n"
		   "        sa-per-cpu: where several SAs could send a packet each CPU takes another\n"
		   "\n"
		   "Example: ip link add svti100 type svti id 100 dev eth0\n");
}

static int refuse(const char *word, const char *value, const char *why)
{
	fprintf(stderr, "svti: '%s %s': %s\n", word, value, why);
	return -1;
}

static int add(struct nlmsghdr *n, int type, const void *data, size_t size)
{
	size_t at = NLMSG_ALIGN(n->nlmsg_len);
	struct rtattr attribute = { .rta_len = (unsigned short)RTA_LENGTH(size), .rta_type = (unsigned short)type };

	if (at + RTA_SPACE(size) > MAX_MESSAGE) {
		fprintf(stderr, "svti: too many words\n");
		return -1;
	}
	memset((char *)n + at, 0, RTA_SPACE(size));
	memcpy((char *)n + at, &attribute, sizeof(attribute));
	memcpy((char *)n + at + RTA_LENGTH(0), data, size);
	n->nlmsg_len = (uint32_t)(at + RTA_SPACE(size));
	return 0;
}

static int add_u8(struct nlmsghdr *n, int type, unsigned int value)
{
	uint8_t octet = (uint8_t)value;

	return add(n, type, &octet, sizeof(octet));
}

static int parse_on_off(struct nlmsghdr *n, const char *word, const char *value, int type)
{
	if (strcmp(value, "on") && strcmp(value, "off"))
		return refuse(word, value, "on or off");
	return add_u8(n, type, !strcmp(value, "on"));
}

static int parse_sp_hash(struct nlmsghdr *n, const char *word, const char *value, unsigned int longest, int type)
{
	unsigned int local, remote;
	char rest;

	if (strspn(value, "0123456789/") != strlen(value) || sscanf(value, "%3u/%3u%c", &local, &remote, &rest) != 2 || local > longest ||
	    remote > longest)
		return refuse(word, value, longest == 32 ? "LOCAL/REMOTE, each from 0 to 32" : "LOCAL/REMOTE, each from 0 to 128");
	return add_u8(n, type, local) ? -1 : add_u8(n, type + 1, remote);
}

static int parse_id(struct nlmsghdr *n, const char *value)
{
	unsigned long long number;
	uint32_t id;
	char *end;

	errno = 0;
	number = strtoull(value, &end, 0);
	if (errno || end == value || *end || *value == '-' || !number || number > UINT32_MAX)
		return refuse("id", value, "a number from 1 to 4294967295");
	id = (uint32_t)number;
	return add(n, IFLA_SVTI_ID, &id, sizeof(id));
}

/* Of the attributes that ip has put into the request before it came here. */
static int has_link_netns(const struct nlmsghdr *n)
{
	size_t at = NLMSG_SPACE(sizeof(struct ifinfomsg));
	struct rtattr attribute;

	while (at + sizeof(attribute) <= n->nlmsg_len) {
		memcpy(&attribute, (const char *)n + at, sizeof(attribute));
		if (attribute.rta_type == IFLA_LINK_NETNSID)
			return 1;
		if (attribute.rta_len < sizeof(attribute))
			break;
		at += RTA_ALIGN(attribute.rta_len);
	}
	return 0;
}

static int parse_dev(struct nlmsghdr *n, const char *value)
{
	uint32_t index = if_nametoindex(value);

	/* The device is one of the link namespace, and names are looked up here. */
	if (has_link_netns(n))
		return refuse("dev", value, "with link-netns it cannot be looked up: use `ip -n LINK-NETNS link add netns THIS-NETNS ...`");
	if (!index)
		return refuse("dev", value, "there is no such device");
	return add(n, IFLA_SVTI_LINK, &index, sizeof(index));
}

static int parse_word(struct nlmsghdr *n, const char *word, const char *value)
{
	if (!strcmp(word, "id") || !strcmp(word, "if_id"))
		return parse_id(n, value);
	if (!strcmp(word, "dev"))
		return parse_dev(n, value);
	if (!strcmp(word, "sp-hash-ipv4"))
		return parse_sp_hash(n, word, value, 32, IFLA_SVTI_SP_HASH_IPV4_LOCAL);
	if (!strcmp(word, "sp-hash-ipv6"))
		return parse_sp_hash(n, word, value, 128, IFLA_SVTI_SP_HASH_IPV6_LOCAL);
	if (!strcmp(word, "auto-mtu"))
		return parse_on_off(n, word, value, IFLA_SVTI_AUTO_MTU);
	if (!strcmp(word, "sa-per-cpu"))
		return parse_on_off(n, word, value, IFLA_SVTI_SA_PER_CPU);
	fprintf(stderr, "svti: unknown word '%s'\n", word);
	explain(stderr);
	return -1;
}

static int parse_opt(struct link_util *lu, int argc, char **argv, struct nlmsghdr *n)
{
	(void)lu;
	for (; argc > 0; argc -= 2, argv += 2) {
		if (!strcmp(*argv, "help")) {
			explain(stdout);
			return -1;
		}
		if (argc == 1) {
			fprintf(stderr, "svti: '%s' needs a value\n", *argv);
			return -1;
		}
		if (parse_word(n, argv[0], argv[1]))
			return -1;
	}
	return 0;
}

static int has(struct rtattr *tb[], int type, size_t size)
{
	return tb[type] && RTA_PAYLOAD(tb[type]) >= size;
}

static uint8_t u8_of(const struct rtattr *attribute)
{
	return *(const uint8_t *)RTA_DATA(attribute);
}

static int json(void)
{
	return is_json_context && is_json_context();
}

static void print_sp_hash(FILE *f, struct rtattr *tb[], const char *key, int type)
{
	char pair[sizeof("255/255")];

	if (!has(tb, type, 1) || !has(tb, type + 1, 1))
		return;
	snprintf(pair, sizeof(pair), "%u/%u", u8_of(tb[type]), u8_of(tb[type + 1]));
	if (!json())
		fprintf(f, "%s %s ", key, pair);
	else if (print_color_string)
		print_color_string(PRINT_JSON, COLOR_NONE, key, NULL, pair);
}

static void print_switch(FILE *f, struct rtattr *tb[], const char *key, int type)
{
	if (!has(tb, type, 1))
		return;
	if (!json())
		fprintf(f, "%s %s ", key, u8_of(tb[type]) ? "on" : "off");
	else if (print_color_bool)
		print_color_bool(PRINT_JSON, COLOR_NONE, key, NULL, u8_of(tb[type]));
}

/* The link of `dev` is not among it: ip shows that one behind the name, as of every link. */
static void print_opt(struct link_util *lu, FILE *f, struct rtattr *tb[])
{
	uint32_t id;

	(void)lu;
	if (!tb || !has(tb, IFLA_SVTI_ID, sizeof(id)))
		return;
	memcpy(&id, RTA_DATA(tb[IFLA_SVTI_ID]), sizeof(id));
	if (!json())
		fprintf(f, "id %u ", id);
	else if (print_color_uint)
		print_color_uint(PRINT_JSON, COLOR_NONE, "id", NULL, id);
	print_sp_hash(f, tb, "sp-hash-ipv4", IFLA_SVTI_SP_HASH_IPV4_LOCAL);
	print_sp_hash(f, tb, "sp-hash-ipv6", IFLA_SVTI_SP_HASH_IPV6_LOCAL);
	print_switch(f, tb, "auto-mtu", IFLA_SVTI_AUTO_MTU);
	print_switch(f, tb, "sa-per-cpu", IFLA_SVTI_SA_PER_CPU);
}

/* ip -d -s link show; the JSON of ip has no place for these. */
static void print_xstats(struct link_util *lu, FILE *f, struct rtattr *xstats)
{
	static const char *const names[] = SVTI_XSTATS_NAMES;
	struct rtattr *attribute;
	uint64_t count;
	int left;

	(void)lu;
	if (!xstats || json())
		return;
	left = (int)RTA_PAYLOAD(xstats);
	for (attribute = RTA_DATA(xstats); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (!attribute->rta_type || attribute->rta_type > SVTI_XSTATS_MAX || RTA_PAYLOAD(attribute) < sizeof(count))
			continue;
		memcpy(&count, RTA_DATA(attribute), sizeof(count));
		if (count)
			fprintf(f, "\n    %s %llu", names[attribute->rta_type - 1], (unsigned long long)count);
	}
}

static void print_help(struct link_util *lu, int argc, char **argv, FILE *f)
{
	(void)lu;
	(void)argc;
	(void)argv;
	explain(f);
}

__attribute__((visibility("default"))) struct link_util svti_link_util = {
	.id = "svti",
	.maxattr = IFLA_SVTI_MAX,
	.parse_opt = parse_opt,
	.print_opt = print_opt,
	.print_xstats = print_xstats,
	.print_help = print_help,
};
