/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_PERNET_H
#define _SVTI_PERNET_H

#include <linux/rhashtable.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "sad.h"
#include "spd.h"

struct svti_dev;

/*
 * What belongs to one svti-id in one link namespace: its interface, its SPD, its SAD. Exists while
 * any of them has something in it. Freed after a grace period.
 */
struct svti_domain {
	u32			id;
	struct rhash_head	hash;
	struct svti_net		*sn;
	unsigned int		users;		/* interface, policies, states; under lock */
	u32			sad_gen;	/* rises with each state that comes */
	u32			spd_gen;	/* change with the SPD, the SAD; under lock */
	u32			sas_gen;
	bool			sa_per_cpu;	/* of usable states each CPU takes another */
	int			epoch;		/* 0, 1: the places and thresholds for lookups */
	bool			rehashing;	/* under lock: the other epoch is being filled */
	int			rehash_err;	/* under lock */
	struct svti_sp_hash	sp_hash[2][2];	/* by epoch, by family; under lock */
	struct svti_dev __rcu	*svti;		/* the interface or NULL */
	struct svti_spd		spd[SVTI_SPD_MAX];
	struct list_head	sps;		/* struct svti_sp; under svti_net.lock */
	struct list_head	sas;		/* struct svti_sa; under svti_net.lock */
	unsigned int		outbound;	/* of them: for sending */
	struct list_head	link_stale;	/* svti_net.link_stale, or empty */
	struct rcu_head		rcu;
};

/*
 * Of a link namespace. Policies and states of every id are indexed from the moment the first
 * interface is made in it, whether or not their interface exists yet: making one needs no search,
 * and a namespace without SVTIs has no entries at all.
 *
 * @lock is taken by all writers, BH disabled. It comes after x->lock, xfrm_state_lock and
 * xfrm_policy_lock; nothing of XFRM is called with it held that takes any of those. The data path
 * takes it only to cache a new bundle.
 */
struct svti_net {
	struct net		*net;
	spinlock_t		lock;		/* see above */
	bool			enabled;	/* under lock: events are followed */
	struct rhashtable	domains;	/* struct svti_domain by id */
	struct rhashtable	sp_nodes;	/* struct svti_sp_node by key */
	struct list_head	sps;		/* struct svti_sp, all */
	struct rhltable		sa_by_key;	/* struct svti_sa by what templates ask for */
	struct rhashtable	sa_by_state;	/* struct svti_sa by struct xfrm_state */
	struct list_head	sas;		/* struct svti_sa, all */
	u32			rank_new;	/* under lock */
	u32			rank_old;
	struct delayed_work	rescan;
	struct list_head	link_stale;	/* domains whose device is to get another MTU */
	struct delayed_work	link_work;
};

extern unsigned int svti_net_id;

static inline struct svti_net *svti_pernet(struct net *net)
{
	return net_generic(net, svti_net_id);
}

struct svti_domain *svti_domain_get(struct svti_net *sn, u32 id);
void svti_domain_put(struct svti_net *sn, struct svti_domain *dom);
struct svti_domain *svti_domain_lookup(struct svti_net *sn, u32 id);

int svti_net_attach(struct svti_net *sn, struct svti_dev *svti);
void svti_net_detach(struct svti_dev *svti);
void svti_net_rescan(struct svti_net *sn, unsigned long delay);

int svti_pernet_register(void);
void svti_pernet_unregister(void);

#endif /* _SVTI_PERNET_H */
