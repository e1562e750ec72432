/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * SVTI: Secure Virtual Tunnel Interface.
 *
 * A link of kind "svti" is made with RTM_NEWLINK,
 * IFLA_LINKINFO { IFLA_INFO_KIND "svti", IFLA_INFO_DATA { below } }. The namespace in which
 * encrypted packets travel (the link namespace) is the one the request is made in, or the one that
 * IFLA_LINK_NETNSID names. The pair (link namespace, svti-id) is unique.
 *
 * States and policies belong to the interface when they carry XFRMA_IF_ID equal to its svti-id in
 * its link namespace.
 */
#ifndef _UAPI_LINUX_SVTI_H
#define _UAPI_LINUX_SVTI_H

/* IFLA_INFO_DATA */
enum {
	IFLA_SVTI_UNSPEC,
	IFLA_SVTI_ID,		/* u32, 1..4294967295, mandatory, fixed for life */
	IFLA_SVTI_LINK,		/* u32, ifindex in the link namespace, optional */
	__IFLA_SVTI_MAX
};

#define IFLA_SVTI_MAX (__IFLA_SVTI_MAX - 1)

/*
 * IFLA_INFO_XSTATS: each a u64, the reason a packet was dropped, counted from the creation of the
 * interface. Their names, for people, are SVTI_XSTATS_NAMES in the order of the values.
 */
enum {
	SVTI_XSTATS_UNSPEC,
	SVTI_XSTATS_TX_NO_POLICY,	/* no policy of this SPD matches the packet */
	SVTI_XSTATS_TX_BLOCKED,		/* the matching policy says block */
	SVTI_XSTATS_TX_NO_STATE,	/* no SA is usable, and the packet could not wait */
	SVTI_XSTATS_TX_QUEUE_FULL,	/* waiting for an SA: too many, or for too long */
	SVTI_XSTATS_TX_NO_ROUTE,	/* the outer destination cannot be routed */
	SVTI_XSTATS_TX_LOOP,		/* the outer route leads into this interface */
	SVTI_XSTATS_TX_TOO_BIG,		/* for the path; the sender was told by ICMP */
	SVTI_XSTATS_TX_MALFORMED,	/* inner header cut short, or neither IPv4 nor IPv6 */
	SVTI_XSTATS_TX_ERROR,		/* refused by the transformation */
	SVTI_XSTATS_TX_QUEUED,		/* not a drop: kept until there is an SA */
	SVTI_XSTATS_RX_NO_POLICY,	/* decrypted, no policy of this SPD matches */
	SVTI_XSTATS_RX_BLOCKED,		/* decrypted, and the matching policy says block */
	SVTI_XSTATS_RX_TEMPLATE,	/* decrypted by an SA the policy does not demand */
	SVTI_XSTATS_RX_DOWN,		/* decrypted while the interface was down */
	SVTI_XSTATS_RX_MALFORMED,	/* decrypted, neither IPv4 nor IPv6 */
	__SVTI_XSTATS_MAX
};

#define SVTI_XSTATS_MAX (__SVTI_XSTATS_MAX - 1)

#define SVTI_XSTATS_NAMES {						\
	"tx-no-policy", "tx-blocked", "tx-no-state", "tx-queue-full",	\
	"tx-no-route", "tx-loop", "tx-too-big", "tx-malformed",		\
	"tx-error", "tx-queued", "rx-no-policy", "rx-blocked",		\
	"rx-template", "rx-down", "rx-malformed" }

#endif /* _UAPI_LINUX_SVTI_H */
