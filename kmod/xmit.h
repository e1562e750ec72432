/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_XMIT_H
#define _SVTI_XMIT_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/dst.h>
#include <net/xfrm.h>

#include "spd.h"

struct svti_dev;
struct svti_sa;

/* What would happen to a packet. */
struct svti_trace {
	struct svti_sp		*sp;		/* the policy it meets, or NULL */
	struct svti_sp_visit	visit;		/* how that was found */
	struct svti_sa		*sa;		/* the state it would be sent with, or NULL */
	int			verdict;	/* 0: it passes; or SVTI_XSTATS_* */
	u8			way;		/* SVTI_WAY_* */
	u32			mtu;		/* room for it, 0 if unknown */
	int			out;		/* ifindex in the link namespace, 0 if unknown */
};

void svti_xmit_init(struct svti_dev *svti);
netdev_tx_t svti_xmit(struct sk_buff *skb, struct net_device *dev);
void svti_xmit_again(struct svti_dev *svti, struct sk_buff *skb, unsigned long expires);
void svti_xmit_drop(struct svti_dev *svti, struct sk_buff *skb, int reason);
bool svti_policy_is_refused(const struct svti_dev *svti, const struct xfrm_policy *pol);
void svti_xmit_trace(struct svti_dev *svti, struct flowi *fl, u16 family, struct svti_trace *trace);
struct dst_entry *svti_outer_route(const struct svti_dev *svti, const struct xfrm_state *x);
u8 svti_state_way(const struct xfrm_state *x);

/**
 * svti_scrub() - take from a packet what belongs to the side of the interface that it leaves
 * @skb: the packet
 * @xnet: it changes its namespace as well
 */
static inline void svti_scrub(struct sk_buff *skb, bool xnet)
{
	skb_clear_tstamp(skb);
	skb->pkt_type = PACKET_HOST;
	skb->skb_iif = 0;
	skb->ignore_df = 0;
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	nf_reset_trace(skb);

	if (!xnet)
		return;

	ipvs_reset(skb);
	secpath_reset(skb);
	skb_orphan(skb);
	skb->mark = 0;
}

#endif /* _SVTI_XMIT_H */
