/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_SELECTOR_H
#define _SVTI_SELECTOR_H

#include <linux/skbuff.h>
#include <net/flow.h>
#include <net/xfrm.h>

int svti_flow_dissect(const struct sk_buff *skb, u16 family, struct flowi *fl);
int svti_flow_dissect_transport(const struct sk_buff *skb, u16 family, u8 proto, struct flowi *fl);
int svti_flow_dissect_returned(const struct sk_buff *skb, u16 family, struct flowi *fl);
bool svti_selector_match(const struct xfrm_selector *sel, const struct flowi *fl, u16 family);
bool svti_selector_is_wide(const struct xfrm_selector *sel);

/* The address family of the packet, by skb->protocol; 0 if it is neither IPv4 nor IPv6. */
static inline u16 svti_skb_family(const struct sk_buff *skb)
{
	switch (skb->protocol) {
	case htons(ETH_P_IP):
		return AF_INET;
	case htons(ETH_P_IPV6):
		return AF_INET6;
	}
	return 0;
}

#endif /* _SVTI_SELECTOR_H */
