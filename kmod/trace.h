/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: /sys/kernel/tracing/events/svti. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM svti

#if !defined(_SVTI_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _SVTI_TRACE_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/tracepoint.h>
#include <net/flow.h>

#include "uapi/linux/svti.h"

/* A packet was dropped, and counted by this reason. */
TRACE_EVENT(svti_drop,
	TP_PROTO(const struct net_device *dev, const struct sk_buff *skb, int reason),
	TP_ARGS(dev, skb, reason),
	TP_STRUCT__entry(
		__array(char, name, IFNAMSIZ)
		__field(const void *, skbaddr)
		__field(unsigned int, len)
		__field(u16, protocol)
		__field(int, reason)
	),
	TP_fast_assign(
		memcpy(__entry->name, dev->name, IFNAMSIZ);
		__entry->skbaddr = skb;
		__entry->len = skb->len;
		__entry->protocol = ntohs(skb->protocol);
		__entry->reason = reason;
	),
	TP_printk("dev=%s skbaddr=%p len=%u protocol=%#06x reason=%s", __entry->name,
		  __entry->skbaddr, __entry->len, __entry->protocol,
		  __print_symbolic(__entry->reason,
				   { SVTI_XSTATS_TX_NO_POLICY, "tx-no-policy" },
				   { SVTI_XSTATS_TX_BLOCKED, "tx-blocked" },
				   { SVTI_XSTATS_TX_NO_STATE, "tx-no-state" },
				   { SVTI_XSTATS_TX_QUEUE_FULL, "tx-queue-full" },
				   { SVTI_XSTATS_TX_NO_ROUTE, "tx-no-route" },
				   { SVTI_XSTATS_TX_LOOP, "tx-loop" },
				   { SVTI_XSTATS_TX_TOO_BIG, "tx-too-big" },
				   { SVTI_XSTATS_TX_MALFORMED, "tx-malformed" },
				   { SVTI_XSTATS_RX_NO_POLICY, "rx-no-policy" },
				   { SVTI_XSTATS_RX_BLOCKED, "rx-blocked" },
				   { SVTI_XSTATS_RX_TEMPLATE, "rx-template" },
				   { SVTI_XSTATS_RX_DOWN, "rx-down" },
				   { SVTI_XSTATS_RX_MALFORMED, "rx-malformed" }))
);

/* The kernel was asked for an SA and had none: it tells the IKE daemon, or has done so before. */
TRACE_EVENT(svti_acquire,
	TP_PROTO(const struct net_device *dev, const struct flowi *fl, u16 family, u32 policy),
	TP_ARGS(dev, fl, family, policy),
	TP_STRUCT__entry(
		__array(char, name, IFNAMSIZ)
		__array(u8, saddr, sizeof(struct in6_addr))
		__array(u8, daddr, sizeof(struct in6_addr))
		__field(u16, family)
		__field(u8, proto)
		__field(u32, policy)
	),
	TP_fast_assign(
		memcpy(__entry->name, dev->name, IFNAMSIZ);
		__entry->family = family;
		__entry->proto = fl->flowi_proto;
		__entry->policy = policy;
		memset(__entry->saddr, 0, sizeof(__entry->saddr));
		memset(__entry->daddr, 0, sizeof(__entry->daddr));
		if (family == AF_INET) {
			memcpy(__entry->saddr, &fl->u.ip4.saddr, sizeof(__be32));
			memcpy(__entry->daddr, &fl->u.ip4.daddr, sizeof(__be32));
		} else {
			memcpy(__entry->saddr, &fl->u.ip6.saddr, sizeof(struct in6_addr));
			memcpy(__entry->daddr, &fl->u.ip6.daddr, sizeof(struct in6_addr));
		}
	),
	TP_printk("dev=%s family=%u src=%pI6c dst=%pI6c src4=%pI4 dst4=%pI4 proto=%u policy=%u",
		  __entry->name, __entry->family, __entry->saddr, __entry->daddr, __entry->saddr,
		  __entry->daddr, __entry->proto, __entry->policy)
);

#endif /* _SVTI_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
