/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_SAD_H
#define _SVTI_SAD_H

#include <linux/rhashtable.h>
#include <net/xfrm.h>

struct svti_net;
struct svti_domain;

/* What a template asks of a state: a hash key, so without padding. */
struct svti_sa_key {
	u32		id;
	u32		reqid;
	u8		family;		/* of the outer header */
	u8		proto;
	u8		mode;
	u8		zero;
	xfrm_address_t	saddr;
	xfrm_address_t	daddr;
};

/* A state as the SVTI sees it. Holds a reference to @x and to each bundle. */
struct svti_sa {
	struct rhlist_head	by_key;
	struct svti_sa_key	key;
	struct rhash_head	by_state;
	struct list_head	all;		/* svti_net.sas */
	struct list_head	in_dom;		/* dom->sas */
	struct svti_domain	*dom;
	struct xfrm_state	*x;
	u32			rank;		/* order of arrival */
	bool			outbound;	/* for sending, as far as is known */
	bool			path_stale;	/* under svti_net.lock: find out @path_mtu */
	u32			path_mtu;	/* of the outer route, 0 if unknown */
	struct dst_entry __rcu	*bundle[2];	/* inner IPv4, IPv6 */
	struct rcu_head		rcu;
};

int svti_sad_init(struct svti_net *sn);
void svti_sad_destroy(struct svti_net *sn);
int svti_sad_sync(struct svti_net *sn, struct xfrm_state *x, bool walk);
void svti_sad_purge(struct svti_net *sn, bool all);
void svti_sad_address_changed(struct svti_net *sn, const xfrm_address_t *addr, u16 family);
void svti_sad_drop_bundles(struct svti_net *sn, struct svti_domain *dom);
void svti_sad_drop_device(struct svti_net *sn, const struct net_device *dev);
bool svti_sa_keep_bundle(struct svti_sa *sa, bool ipv6, struct dst_entry *bundle);
bool svti_sad_knows(struct svti_net *sn, const struct xfrm_state *x);
struct svti_sa *svti_sad_lookup(const struct svti_domain *dom, const struct xfrm_policy *pol,
				const struct xfrm_tmpl *tmpl);

#endif /* _SVTI_SAD_H */
