/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_XMIT_H
#define _SVTI_XMIT_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

struct svti_dev;

netdev_tx_t svti_xmit(struct sk_buff *skb, struct net_device *dev);
void svti_xmit_again(struct svti_dev *svti, struct sk_buff *skb, unsigned long expires);
void svti_xmit_drop(struct svti_dev *svti, struct sk_buff *skb, int reason);
void svti_scrub(struct sk_buff *skb, bool xnet);

#endif /* _SVTI_XMIT_H */
