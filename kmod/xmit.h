/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_XMIT_H
#define _SVTI_XMIT_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

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

netdev_tx_t svti_xmit(struct sk_buff *skb, struct net_device *dev);
void svti_xmit_again(struct svti_dev *svti, struct sk_buff *skb, unsigned long expires);
void svti_xmit_drop(struct svti_dev *svti, struct sk_buff *skb, int reason);
void svti_xmit_trace(struct svti_dev *svti, struct flowi *fl, u16 family, struct svti_trace *trace);
u8 svti_state_way(const struct xfrm_state *x);
void svti_scrub(struct sk_buff *skb, bool xnet);

#endif /* _SVTI_XMIT_H */
