/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flow cache: what the SPD, and the SAD, have said about a flow lately. For each CPU a table of
 * fixed size in which each flow has one place; two flows that meet there take turns, and cost a
 * full lookup each time. An answer holds until any SPD or SAD in the system changes: there is one
 * generation for all, which every change raises before it is told to be done.
 *
 * Only whole packets with ports or an ICMP type where they are expected are looked for here: no IP
 * options, no IPv6 extension headers, no fragments. All others, and all answers that depend on more
 * than the flow, take the full way.
 */
#ifndef _SVTI_FLOW_H
#define _SVTI_FLOW_H

#include <linux/hash.h>
#include <linux/in.h>
#include <linux/ipv6.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <net/ip.h>

#include "compat.h"

struct svti_dev;
struct svti_sa;
struct svti_sp;

#define SVTI_FLOW_BITS	10

struct svti_flow_key {
	const void	*owner;		/* out: struct svti_domain; in: struct xfrm_state */
	u64		what;		/* protocol, family; ports or ICMP type and code */
	u64		addr[4];	/* source and destination; of IPv4 both in the first */
	u64		mark;
};

/* RCU bounds the life of what @sp, @sa and @svti point to, if the generation is the present one. */
struct svti_flow {
	s64			gen;	/* in which it was found out; 0: empty */
	struct svti_flow_key	key;
	struct svti_sp		*sp;	/* the policy */
	union {
		struct svti_sa	*sa;	/* out: the state to send with */
		struct svti_dev	*svti;	/* in: the interface it is received on */
		void		*what;
	};
};

extern atomic64_t svti_flow_generation;
DECLARE_PER_CPU(struct svti_flow *, svti_flow_table);

int svti_flow_init(void);
void svti_flow_exit(void);

/* Everything that the cache knows is past. After a change is visible to lookups. */
static inline void svti_flow_forget_all(void)
{
	/* Pairs with svti_flow_gen(). */
	smp_mb__before_atomic();
	atomic64_inc(&svti_flow_generation);
}

/* Read before anything is looked up whose result is to be kept. */
static __always_inline s64 svti_flow_gen(void)
{
	return atomic64_read_acquire(&svti_flow_generation);
}

/*
 * The key of a packet, but for its owner; false if it has to take the full way, be it because what
 * is needed of it is not linear, or not there.
 */
static __always_inline bool svti_flow_key(const struct sk_buff *skb, struct svti_flow_key *key)
{
	const void *tail = skb_tail_pointer(skb);
	const void *next;
	const u64 *addr;
	bool ipv6;
	u32 ports;
	u8 proto;

	if (likely(skb->protocol == htons(ETH_P_IP))) {
		const struct iphdr *iph = ip_hdr(skb);

		next = iph + 1;
		if (next + sizeof(u32) > tail || *(const u8 *)iph != 0x45 || ip_is_fragment(iph))
			return false;
		ipv6 = false;
		key->addr[0] = get_unaligned((const u64 *)&iph->addrs);
		key->addr[1] = 0;
		key->addr[2] = 0;
		key->addr[3] = 0;
		proto = iph->protocol;
	} else if (skb->protocol == htons(ETH_P_IPV6)) {
		const struct ipv6hdr *iph = ipv6_hdr(skb);

		next = iph + 1;
		if (next + sizeof(u32) > tail || iph->version != 6)
			return false;
		ipv6 = true;
		addr = (const u64 *)&iph->addrs;
		key->addr[0] = get_unaligned(addr);
		key->addr[1] = get_unaligned(addr + 1);
		key->addr[2] = get_unaligned(addr + 2);
		key->addr[3] = get_unaligned(addr + 3);
		proto = iph->nexthdr;
	} else {
		return false;
	}

	switch (proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		ports = *(const u32 *)next;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		ports = *(const u16 *)next;
		break;
	default:
		return false;
	}
	key->what = (u64)ports << 32 | proto << 8 | ipv6;
	key->mark = skb->mark;
	return true;
}

static __always_inline bool svti_flow_is_ipv6(const struct svti_flow_key *key)
{
	return key->what & 1;
}

static __always_inline struct svti_flow *svti_flow_place(const struct svti_flow_key *key)
{
	u64 hash = key->addr[0] ^ key->addr[1] ^ key->addr[2] ^ key->addr[3];

	hash = (hash ^ (uintptr_t)key->owner) * GOLDEN_RATIO_64 ^ key->what;
	return this_cpu_read(svti_flow_table) + hash_64(hash, SVTI_FLOW_BITS);
}

/* The answer for a key, if it is known in this generation. RCU is held, BH disabled. */
static __always_inline struct svti_flow *svti_flow_lookup(const struct svti_flow_key *key, s64 gen)
{
	struct svti_flow *flow = svti_flow_place(key);

	if (flow->gen != gen || flow->key.owner != key->owner || flow->key.what != key->what ||
	    flow->key.mark != key->mark || flow->key.addr[0] != key->addr[0] ||
	    flow->key.addr[1] != key->addr[1] || flow->key.addr[2] != key->addr[2] ||
	    flow->key.addr[3] != key->addr[3])
		return NULL;
	return flow;
}

/*
 * Keep an answer, in the place of whatever is there; @gen as it was before the lookup. Whoever
 * interrupts this finds the place empty.
 */
static inline void svti_flow_keep(const struct svti_flow_key *key, s64 gen, struct svti_sp *sp,
				  void *what)
{
	struct svti_flow *flow = svti_flow_place(key);

	WRITE_ONCE(flow->gen, 0);
	barrier();
	flow->key = *key;
	flow->sp = sp;
	flow->what = what;
	barrier();
	WRITE_ONCE(flow->gen, gen);
}

#endif /* _SVTI_FLOW_H */
