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
	/*
	 * u8, prefix lengths: policies that have at least this many bits of both the local and the
	 * remote address are hashed by these bits, others by their own prefix lengths. May be
	 * changed at any time.
	 */
	IFLA_SVTI_SP_HASH_IPV4_LOCAL,	/* 0..32, default 32 */
	IFLA_SVTI_SP_HASH_IPV4_REMOTE,
	IFLA_SVTI_SP_HASH_IPV6_LOCAL,	/* 0..128, default 128 */
	IFLA_SVTI_SP_HASH_IPV6_REMOTE,
	/*
	 * u8, 1 (default): the MTU follows the SAs and their paths; 0: it stays as it is. To set
	 * IFLA_MTU implies 0.
	 */
	IFLA_SVTI_AUTO_MTU,
	/*
	 * u8, 1: where several SAs could send a packet, each CPU takes another one of them; 0
	 * (default): all take the newest. SAs with XFRMA_SA_PCPU serve their CPU in any case.
	 */
	IFLA_SVTI_SA_PER_CPU,
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

/*
 * Generic netlink family "svti": what an interface holds, for people to look at. All commands name
 * the interface by SVTI_A_IFINDEX, in the namespace of the request, and need CAP_NET_ADMIN there
 * and in the link namespace.
 */
#define SVTI_GENL_NAME		"svti"
#define SVTI_GENL_VERSION	1

enum {
	SVTI_CMD_UNSPEC,
	SVTI_CMD_GET_POLICY,	/* dump: the SPD, one message for a policy, in no order */
	SVTI_CMD_GET_STATE,	/* dump: the SAD, one message for a state, in no order */
	SVTI_CMD_TRACE,		/* what would happen to a packet; answers with one message */
};

/* Attributes of all three; addresses are 4 or 16 octets, ports in network order. */
enum {
	SVTI_A_UNSPEC,
	SVTI_A_IFINDEX,		/* u32 */

	/* A packet to trace; the selector of a policy; the outer addresses of a state. */
	SVTI_A_DIR,		/* u8, XFRM_POLICY_OUT or XFRM_POLICY_IN */
	SVTI_A_FAMILY,		/* u8, AF_INET or AF_INET6 */
	SVTI_A_SADDR,
	SVTI_A_DADDR,
	SVTI_A_PROTO,		/* u8 */
	SVTI_A_SPORT,		/* u16; ICMP: type */
	SVTI_A_DPORT,		/* u16; ICMP: code */
	SVTI_A_MARK,		/* u32 */

	/* Of a policy, besides. */
	SVTI_A_SRC_LEN,		/* u8 */
	SVTI_A_DST_LEN,		/* u8 */
	SVTI_A_SPORT_MASK,	/* u16 */
	SVTI_A_DPORT_MASK,	/* u16 */
	SVTI_A_MARK_MASK,	/* u32 */
	SVTI_A_INDEX,		/* u32 */
	SVTI_A_PRIORITY,	/* u32 */
	SVTI_A_ACTION,		/* u8, XFRM_POLICY_ALLOW or XFRM_POLICY_BLOCK */
	SVTI_A_TEMPLATES,	/* u8, how many */
	SVTI_A_TYPE,		/* u8, XFRM_POLICY_TYPE_MAIN or XFRM_POLICY_TYPE_SUB */
	SVTI_A_HASHED,		/* u8, 1: by the thresholds; 0: by its own prefix lengths */
	SVTI_A_BUCKET_SRC_LEN,	/* u8, bits of the source address in the key of its bucket */
	SVTI_A_BUCKET_DST_LEN,	/* u8, bits of the destination address */
	SVTI_A_BUCKET_PORTS,	/* u8, 1: protocol or ports are in the key as well */
	SVTI_A_BUCKET_SIZE,	/* u32, policies in the bucket */
	SVTI_A_BUCKET_POS,	/* u32, those in front of it */

	/* Of a state, besides. */
	SVTI_A_SPI,		/* u32, network order */
	SVTI_A_REQID,		/* u32 */
	SVTI_A_MODE,		/* u8, XFRM_MODE_* */
	SVTI_A_OUTBOUND,	/* u8, 1: for sending, as far as is known */
	SVTI_A_USABLE,		/* u8, 0: expired or deleted, 1: yes, 2: past its soft limit */
	SVTI_A_WAY,		/* u8, SVTI_WAY_* */
	SVTI_A_MTU,		/* u32, room inside; absent while unknown */

	/* Of a trace, besides; index, priority, ... tell of the policy, SPI, ... of the state. */
	SVTI_A_VERDICT,		/* u32, 0: it passes; or SVTI_XSTATS_*: counted so */
	SVTI_A_TUPLES,		/* u32, groups of buckets in this SPD */
	SVTI_A_PROBES,		/* u32, buckets looked for */
	SVTI_A_CANDIDATES,	/* u32, policies whose selector was compared */
	SVTI_A_OUT_IFINDEX,	/* u32, outer device, in the link namespace */
	__SVTI_A_MAX
};

#define SVTI_A_MAX (__SVTI_A_MAX - 1)

/* Who finds state and route for a packet. */
enum {
	SVTI_WAY_NONE,
	SVTI_WAY_SHORT,		/* the interface, from its own tables */
	SVTI_WAY_KERNEL,	/* the kernel's full lookup */
};

#endif /* _UAPI_LINUX_SVTI_H */
