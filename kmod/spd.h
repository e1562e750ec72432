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

/*
 * From which prefix lengths on policies of one family share the one tuple of these lengths, as seen
 * from the interface: local is the source of `out` and the destination of `in`.
 */
struct svti_sp_hash {
	u8	local;
	u8	remote;
};

/* How much of a flow a hash key takes in: all policies that agree in this form a tuple. */
struct svti_sp_shape {
	u8	slen;		/* leading bits of the addresses */
	u8	dlen;
	u8	sport_len;	/* leading bits of the ports */
	u8	dport_len;
	u8	proto;		/* 1: the protocol */
	u8	mark;		/* 1: the mark */
};

struct svti_tuple {
	struct svti_sp_shape	shape;
	u32			best;	/* no policy here has a smaller (better) priority */
	u32			count;	/* policies; 0 if there was no memory for a smaller array */
};

/*
 * By @best. Replaced as a whole when a tuple comes, goes or changes its place; @best is lowered in
 * place as long as it keeps its place.
 */
struct svti_tuples {
	struct rcu_head		rcu;
	unsigned int		n;
	struct svti_tuple	t[];
};

/* The tuples stand twice, see svti_spd_rehash(). */
struct svti_spd {
	struct svti_tuples __rcu	*tuples[2][2];	/* by epoch, by IPv4 and IPv6 */
	unsigned int			count;		/* policies */
};

/* What policies of one node have in common: a hash key, so without padding. */
struct svti_sp_key {
	u32			id;
	struct svti_sp_shape	shape;
	u8			table;		/* enum svti_spd_index, family and epoch */
	u8			proto;
	u32			mark;
	__be16			sport;
	__be16			dport;
	__be32			addr[8];	/* source, destination; IPv4 needs two of them */
};

struct svti_sp_node {
	struct rhash_head	hash;
	struct svti_sp_key	key;
	unsigned int		count;
	struct list_head	places;	/* struct svti_sp_place.link, in order of match, RCU */
	struct rcu_head		rcu;
};

/* Where a policy stands in one epoch. */
struct svti_sp_place {
	struct list_head	link;	/* node->places */
	struct svti_sp_node	*node;	/* NULL: it does not */
	struct svti_sp		*sp;
};

/* A policy as the SVTI sees it. Holds a reference to @pol. */
struct svti_sp {
	struct svti_sp_place	place[2];	/* by epoch */
	struct list_head	all;		/* svti_net.sps */
	struct list_head	in_dom;		/* dom->sps */
	struct svti_domain	*dom;
	struct xfrm_policy	*pol;
	u8			spd;		/* enum svti_spd_index */
	u32			retry_gen;	/* SAD generation in which no SA was found */
	unsigned long		retry_at;	/* jiffies before which that is not tried again */
	struct rcu_head		rcu;
};

/* What a lookup did. */
struct svti_sp_visit {
	u32	tuples;		/* that there are */
	u32	probes;		/* hash lookups: tuples that were not passed over */
	u32	candidates;	/* policies whose selector was compared */
};

int svti_spd_init(struct svti_net *sn);
void svti_spd_destroy(struct svti_net *sn);
int svti_spd_sync(struct svti_net *sn, struct xfrm_policy *pol, int dir);
void svti_spd_purge(struct svti_net *sn, bool all);
void svti_spd_default_hash(struct svti_sp_hash hash[2]);
int svti_spd_rehash(struct svti_domain *dom, const struct svti_sp_hash want[2]);
void svti_spd_free_tuples(struct svti_spd *spd);
bool svti_sp_is_hashed(const struct svti_sp *sp, int epoch);
struct svti_sp *svti_spd_lookup(const struct svti_domain *dom, enum svti_spd_index spd,
				const struct flowi *fl, u16 family);
struct svti_sp *svti_spd_lookup_visit(const struct svti_domain *dom, enum svti_spd_index spd,
				      const struct flowi *fl, u16 family,
				      struct svti_sp_visit *visit);

static inline bool svti_sp_is_dead(const struct svti_sp *sp)
{
	return READ_ONCE(sp->pol->walk.dead);
}

/* The policy was met; told by whole seconds, so that CPUs seldom fight for it. */
static inline void svti_sp_touch(struct svti_sp *sp)
{
	time64_t now = ktime_get_real_seconds();

	if (READ_ONCE(sp->pol->curlft.use_time) != now)
		WRITE_ONCE(sp->pol->curlft.use_time, now);
}

#endif /* _SVTI_SPD_H */
