/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_SPD_H
#define _SVTI_SPD_H

#include <linux/rhashtable.h>
#include <net/xfrm.h>

struct svti_net;
struct svti_domain;

/*
 * The SPDs of one domain. The stock SPD consults sub policies (XFRM_POLICY_TYPE_SUB) before the
 * others; they are kept apart so that their presence is known.
 */
enum svti_spd_index {
	SVTI_SPD_OUT,
	SVTI_SPD_IN,
	SVTI_SPD_OUT_SUB,
	SVTI_SPD_IN_SUB,
	SVTI_SPD_MAX
};

/* One of the pairs of prefix lengths by which policies are hashed. */
struct svti_tuple {
	u8	slen;
	u8	dlen;
	u32	best;		/* no policy here has a smaller (better) priority */
	u32	count;		/* nodes; 0 if removal had no memory for the smaller array */
};

/* Replaced as a whole when a pair comes or goes; @best alone is lowered in place. */
struct svti_tuples {
	struct rcu_head		rcu;
	unsigned int		n;
	struct svti_tuple	t[];
};

struct svti_spd {
	struct svti_tuples __rcu	*tuples[2];	/* IPv4, IPv6 */
	unsigned int			count;		/* policies */
};

/* What policies of one node have in common: part of the hash key, so without padding. */
struct svti_sp_key {
	u32		id;
	u8		spd;		/* enum svti_spd_index */
	u8		ipv6;
	u8		slen;
	u8		dlen;
	xfrm_address_t	saddr;		/* first slen bits, the rest 0 */
	xfrm_address_t	daddr;
};

struct svti_sp_node {
	struct rhash_head	hash;
	struct svti_sp_key	key;
	struct list_head	sps;	/* struct svti_sp.link, in order of match, RCU */
	struct rcu_head		rcu;
};

/* A policy as the SVTI sees it. Holds a reference to @pol. */
struct svti_sp {
	struct list_head	link;	/* node->sps */
	struct list_head	all;	/* svti_net.sps */
	struct svti_sp_node	*node;
	struct svti_domain	*dom;
	struct xfrm_policy	*pol;
	u32			retry_gen;	/* SAD generation in which no SA was found */
	unsigned long		retry_at;	/* jiffies before which that is not tried again */
	struct rcu_head		rcu;
};

int svti_spd_init(struct svti_net *sn);
void svti_spd_destroy(struct svti_net *sn);
int svti_spd_sync(struct svti_net *sn, struct xfrm_policy *pol, int dir);
void svti_spd_purge(struct svti_net *sn, bool all);
struct svti_sp *svti_spd_lookup(const struct svti_domain *dom, enum svti_spd_index spd,
				const struct flowi *fl, u16 family);

#endif /* _SVTI_SPD_H */
