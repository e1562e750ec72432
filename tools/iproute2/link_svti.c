// SPDX-License-Identifier: Apache-2.0
/*
 * link_svti.so: teaches `ip link` the words of an svti. ip(8) loads it by name, from the folder ip/ beside its other libraries or
 * from $IP_LIB_DIR, when a link of this type is named or shown.
 *
 * iproute2 installs no header for such plug-ins. What follows is its interface as of 5.x to 6.x, declared from its use: a
 * structure named TYPE_link_util, and the functions of the ip program that loaded us.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>
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

enum { PRINT_FP = 1, PRINT_JSON = 2, PRINT_ANY = 4 };
enum { COLOR_NONE = 6 };

extern int addattr8(struct nlmsghdr *n, int maxlen, int type, uint8_t data);
extern int addattr32(struct nlmsghdr *n, int maxlen, int type, uint32_t data);
extern unsigned int ll_name_to_index(const char *name);
extern const char *ll_index_to_name(unsigned int index);
extern int get_u32(uint32_t *value, const char *text, int base);
extern int is_json_context(void);
extern int print_color_uint(int type, int color, const char *key, const char *format, unsigned int value);
extern int print_color_string(int type, int color, const char *key, const char *format, const char *value);
extern int print_color_bool(int type, int color, const char *key, const char *format, _Bool value);
extern int parse_rtattr(struct rtattr *tb[], int max, struct rtattr *rta, int len);

#define MAX_MESSAGE 1024 /* of ip's request for a link */

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

static int parse_on_off(struct nlmsghdr *n, const char *word, const char *value, int type)
{
	if (strcmp(value, "on") && strcmp(value, "off"))
		return refuse(word, value, "on or off");
	return addattr8(n, MAX_MESSAGE, type, !strcmp(value, "on"));
}

static int parse_sp_hash(struct nlmsghdr *n, const char *word, const char *value, unsigned int longest, int type)
{
	unsigned int local, remote;
	char rest;

	if (sscanf(value, "%u/%u%c", &local, &remote, &rest) != 2 || local > longest || remote > longest)
		return refuse(word, value, longest == 32 ? "LOCAL/REMOTE, each from 0 to 32" : "LOCAL/REMOTE, each from 0 to 128");
	return addattr8(n, MAX_MESSAGE, type, local) ? -1 : addattr8(n, MAX_MESSAGE, type + 1, remote);
}

static int parse_id(struct nlmsghdr *n, const char *value)
{
	uint32_t id;

	if (get_u32(&id, value, 0) || !id)
		return refuse("id", value, "a number from 1 to 4294967295");
	return addattr32(n, MAX_MESSAGE, IFLA_SVTI_ID, id);
}

static int parse_dev(struct nlmsghdr *n, const char *value)
{
	unsigned int index = ll_name_to_index(value);

	if (!index)
		return refuse("dev", value, "there is no such device");
	return addattr32(n, MAX_MESSAGE, IFLA_SVTI_LINK, index);
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

static uint32_t u32_of(const struct rtattr *attribute)
{
	uint32_t value;

	memcpy(&value, RTA_DATA(attribute), sizeof(value));
	return value;
}

static uint8_t u8_of(const struct rtattr *attribute)
{
	return *(const uint8_t *)RTA_DATA(attribute);
}

static int has(struct rtattr *tb[], int type, size_t size)
{
	return tb[type] && RTA_PAYLOAD(tb[type]) >= size;
}

static void print_sp_hash(struct rtattr *tb[], const char *key, int type)
{
	char pair[sizeof("128/128")];

	if (!has(tb, type, 1) || !has(tb, type + 1, 1))
		return;
	snprintf(pair, sizeof(pair), "%u/%u", u8_of(tb[type]), u8_of(tb[type + 1]));
	if (!is_json_context())
		fprintf(stdout, "%s ", key);
	print_color_string(PRINT_ANY, COLOR_NONE, key, "%s ", pair);
}

static void print_switch(struct rtattr *tb[], const char *key, int type)
{
	if (!has(tb, type, 1))
		return;
	if (is_json_context())
		print_color_bool(PRINT_JSON, COLOR_NONE, key, NULL, u8_of(tb[type]));
	else
		fprintf(stdout, "%s %s ", key, u8_of(tb[type]) ? "on" : "off");
}

static void print_opt(struct link_util *lu, FILE *f, struct rtattr *tb[])
{
	(void)lu;
	(void)f;
	if (!tb || !has(tb, IFLA_SVTI_ID, sizeof(uint32_t)))
		return;
	print_color_uint(PRINT_ANY, COLOR_NONE, "id", "id %u ", u32_of(tb[IFLA_SVTI_ID]));
	if (has(tb, IFLA_SVTI_LINK, sizeof(uint32_t)))
		print_color_string(PRINT_ANY, COLOR_NONE, "link", "dev %s ", ll_index_to_name(u32_of(tb[IFLA_SVTI_LINK])));
	print_sp_hash(tb, "sp-hash-ipv4", IFLA_SVTI_SP_HASH_IPV4_LOCAL);
	print_sp_hash(tb, "sp-hash-ipv6", IFLA_SVTI_SP_HASH_IPV6_LOCAL);
	print_switch(tb, "auto-mtu", IFLA_SVTI_AUTO_MTU);
	print_switch(tb, "sa-per-cpu", IFLA_SVTI_SA_PER_CPU);
}

/* ip -s link show */
static void print_xstats(struct link_util *lu, FILE *f, struct rtattr *xstats)
{
	static const char *const names[] = SVTI_XSTATS_NAMES;
	struct rtattr *tb[SVTI_XSTATS_MAX + 1];
	uint64_t count;

	(void)lu;
	if (!xstats || is_json_context())
		return;
	parse_rtattr(tb, SVTI_XSTATS_MAX, RTA_DATA(xstats), RTA_PAYLOAD(xstats));
	for (int i = 1; i <= SVTI_XSTATS_MAX; i++) {
		if (!has(tb, i, sizeof(count)))
			continue;
		memcpy(&count, RTA_DATA(tb[i]), sizeof(count));
		if (count)
			fprintf(f, "\n    %s %llu", names[i - 1], (unsigned long long)count);
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
