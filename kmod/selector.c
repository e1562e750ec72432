// SPDX-License-Identifier: GPL-2.0-only
/*
 * Selectors (RFC 4301 4.4.1.1): what of a packet is compared, and how. Matching is that of the
 * stock SPD, so a policy means the same here as it does there: ports of a fragment are unknown and
 * compare as 0, ICMP type and code take the place of source and destination port, a GRE key that of
 * both.
 */
#include <linux/icmp.h>
#include <linux/ipv6.h>
#include <net/gre.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/mip6.h>

#include "selector.h"

static void dissect_gre(const struct sk_buff *skb, int offset, union flowi_uli *uli)
{
	struct gre_base_hdr hdr, *h;
	__be32 key, *k;

	h = skb_header_pointer(skb, offset, sizeof(hdr), &hdr);
	if (!h || !(h->flags & GRE_KEY))
		return;

	offset += sizeof(hdr) + (h->flags & GRE_CSUM ? sizeof(__be32) : 0);
	k = skb_header_pointer(skb, offset, sizeof(key), &key);
	if (k)
		uli->gre_key = *k;
}

/*
 * What is behind the IP header; a header that is cut short leaves zeroes, which no narrow selector
 * matches.
 */
static void dissect_transport(const struct sk_buff *skb, int offset, u8 proto, union flowi_uli *uli)
{
	__be16 ports[2], *p;
	u8 icmp[2], *i;
	struct ip6_mh mh, *m;

	switch (proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		p = skb_header_pointer(skb, offset, sizeof(ports), ports);
		if (p) {
			uli->ports.sport = p[0];
			uli->ports.dport = p[1];
		}
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		i = skb_header_pointer(skb, offset, sizeof(icmp), icmp);
		if (i) {
			uli->icmpt.type = i[0];
			uli->icmpt.code = i[1];
		}
		break;
	case IPPROTO_GRE:
		dissect_gre(skb, offset, uli);
		break;
	case IPPROTO_MH:
		m = skb_header_pointer(skb, offset, sizeof(mh), &mh);
		if (m)
			uli->mht.type = m->ip6mh_type;
		break;
	}
}

static int dissect4(const struct sk_buff *skb, int offset, struct flowi4 *fl4)
{
	struct iphdr hdr, *iph;

	iph = skb_header_pointer(skb, offset, sizeof(hdr), &hdr);
	if (!iph || iph->version != 4 || iph->ihl < 5)
		return -EINVAL;

	fl4->saddr = iph->saddr;
	fl4->daddr = iph->daddr;
	fl4->flowi4_proto = iph->protocol;
	if (!ip_is_fragment(iph))
		dissect_transport(skb, offset + iph->ihl * 4, iph->protocol, &fl4->uli);
	return 0;
}

static int dissect6(const struct sk_buff *skb, int offset, struct flowi6 *fl6)
{
	struct ipv6hdr hdr, *iph;
	__be16 frag = 0;
	u8 nexthdr;

	iph = skb_header_pointer(skb, offset, sizeof(hdr), &hdr);
	if (!iph || iph->version != 6)
		return -EINVAL;

	fl6->saddr = iph->saddr;
	fl6->daddr = iph->daddr;
	nexthdr = iph->nexthdr;
	offset = ipv6_skip_exthdr(skb, offset + sizeof(hdr), &nexthdr, &frag);
	fl6->flowi6_proto = nexthdr;
	if (offset >= 0 && !frag)
		dissect_transport(skb, offset, nexthdr, &fl6->uli);
	return 0;
}

/**
 * svti_flow_dissect() - describe an inner packet as the flow that selectors are compared with
 * @skb: the packet, network header set
 * @family: AF_INET or AF_INET6
 * @fl: result; the outgoing interface is left 0 for the caller
 *
 * Reads only, so a shared or non-linear packet is fine.
 *
 * Return: 0, or -EINVAL if the IP header is cut short or of the other version.
 */
int svti_flow_dissect(const struct sk_buff *skb, u16 family, struct flowi *fl)
{
	int offset = skb_network_offset(skb);

	memset(fl, 0, sizeof(*fl));
	fl->flowi_mark = skb->mark;
	return family == AF_INET ? dissect4(skb, offset, &fl->u.ip4) :
				   dissect6(skb, offset, &fl->u.ip6);
}

/* Where the packet begins that an ICMP error is about, or a negative number if it is none. */
static int returned_at(const struct sk_buff *skb, u16 family)
{
	int offset = skb_network_offset(skb);
	struct ipv6hdr hdr6, *ip6h;
	struct iphdr hdr, *iph;
	u8 nexthdr, *type, value;
	__be16 frag = 0;

	if (family == AF_INET) {
		iph = skb_header_pointer(skb, offset, sizeof(hdr), &hdr);
		if (!iph || iph->version != 4 || iph->ihl < 5 || ip_is_fragment(iph) ||
		    iph->protocol != IPPROTO_ICMP)
			return -EINVAL;
		offset += iph->ihl * 4;
		type = skb_header_pointer(skb, offset, sizeof(value), &value);
		if (!type || (*type != ICMP_DEST_UNREACH && *type != ICMP_TIME_EXCEEDED &&
			      *type != ICMP_PARAMETERPROB))
			return -EINVAL;
		return offset + sizeof(struct icmphdr);
	}

	ip6h = skb_header_pointer(skb, offset, sizeof(hdr6), &hdr6);
	if (!ip6h || ip6h->version != 6)
		return -EINVAL;
	nexthdr = ip6h->nexthdr;
	offset = ipv6_skip_exthdr(skb, offset + sizeof(hdr6), &nexthdr, &frag);
	if (offset < 0 || frag || nexthdr != IPPROTO_ICMPV6)
		return -EINVAL;
	type = skb_header_pointer(skb, offset, sizeof(value), &value);
	if (!type || *type & ICMPV6_INFOMSG_MASK)
		return -EINVAL;
	return offset + sizeof(struct icmp6hdr);
}

/* The flow in the other direction. ICMP types, GRE keys and such are the same both ways. */
static void turn_round(struct flowi *fl, u16 family)
{
	union flowi_uli *uli;

	if (family == AF_INET) {
		swap(fl->u.ip4.saddr, fl->u.ip4.daddr);
		uli = &fl->u.ip4.uli;
	} else {
		swap(fl->u.ip6.saddr, fl->u.ip6.daddr);
		uli = &fl->u.ip6.uli;
	}
	switch (fl->flowi_proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		swap(uli->ports.sport, uli->ports.dport);
		break;
	}
}

/* An error goes to whoever sent what it is about, and so to where an answer to that would go. */
static bool goes_to_sender(const struct sk_buff *skb, u16 family, const struct flowi *fl)
{
	int offset = skb_network_offset(skb);
	struct in6_addr addr6, *a6;
	__be32 addr4, *a4;

	if (family == AF_INET) {
		a4 = skb_header_pointer(skb, offset + offsetof(struct iphdr, daddr), sizeof(addr4),
					&addr4);
		return a4 && *a4 == fl->u.ip4.daddr;
	}
	a6 = skb_header_pointer(skb, offset + offsetof(struct ipv6hdr, daddr), sizeof(addr6),
				&addr6);
	return a6 && ipv6_addr_equal(a6, &fl->u.ip6.daddr);
}

/**
 * svti_flow_dissect_returned() - describe what an ICMP error is about (RFC 4301 6.2)
 * @skb: the packet, network header set
 * @family: AF_INET or AF_INET6
 * @fl: result: the flow of the packet in it, the other way round, as that would be answered
 *
 * Anybody can write such an error, about anything. But that it is sent to the sender of what it is
 * about means that it goes where a packet of this flow may go.
 *
 * Return: 0, or -EINVAL if the packet is no ICMP error, or goes to somebody else than the sender of
 * what is in it, or has too little in it.
 */
int svti_flow_dissect_returned(const struct sk_buff *skb, u16 family, struct flowi *fl)
{
	int offset = returned_at(skb, family);
	int err;

	if (offset < 0)
		return -EINVAL;
	memset(fl, 0, sizeof(*fl));
	fl->flowi_mark = skb->mark;
	err = family == AF_INET ? dissect4(skb, offset, &fl->u.ip4) :
				  dissect6(skb, offset, &fl->u.ip6);
	if (err)
		return err;
	turn_round(fl, family);
	return goes_to_sender(skb, family, fl) ? 0 : -EINVAL;
}

/**
 * svti_flow_dissect_transport() - the same for a packet that has just been decrypted in transport
 * mode
 * @skb: the packet: its IP header, not up to date, in front of its data, and there what was inside
 * @family: AF_INET or AF_INET6
 * @proto: what was inside
 * @fl: result
 *
 * Return: 0, or -EINVAL if the header is no such header.
 */
int svti_flow_dissect_transport(const struct sk_buff *skb, u16 family, u8 proto, struct flowi *fl)
{
	bool ipv6 = family == AF_INET6;

	memset(fl, 0, sizeof(*fl));
	fl->flowi_mark = skb->mark;
	fl->flowi_proto = proto;
	if (skb_network_header(skb) + (ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) >
	    skb->data)
		return -EINVAL;
	if (ipv6) {
		fl->u.ip6.saddr = ipv6_hdr(skb)->saddr;
		fl->u.ip6.daddr = ipv6_hdr(skb)->daddr;
		dissect_transport(skb, 0, proto, &fl->u.ip6.uli);
	} else {
		fl->u.ip4.saddr = ip_hdr(skb)->saddr;
		fl->u.ip4.daddr = ip_hdr(skb)->daddr;
		dissect_transport(skb, 0, proto, &fl->u.ip4.uli);
	}
	return 0;
}

static bool match_ports(const struct xfrm_selector *sel, const struct flowi *fl,
			const union flowi_uli *uli)
{
	return !((xfrm_flowi_dport(fl, uli) ^ sel->dport) & sel->dport_mask) &&
	       !((xfrm_flowi_sport(fl, uli) ^ sel->sport) & sel->sport_mask);
}

/**
 * svti_selector_match() - whether a flow is one of those that a selector selects
 * @sel: the selector; its own family is not looked at, as in the stock SPD
 * @fl: the flow
 * @family: that of the flow
 */
bool svti_selector_match(const struct xfrm_selector *sel, const struct flowi *fl, u16 family)
{
	if (sel->proto && sel->proto != fl->flowi_proto)
		return false;
	if (sel->ifindex && sel->ifindex != fl->flowi_oif)
		return false;

	if (family == AF_INET)
		return addr4_match(fl->u.ip4.daddr, sel->daddr.a4, sel->prefixlen_d) &&
		       addr4_match(fl->u.ip4.saddr, sel->saddr.a4, sel->prefixlen_s) &&
		       match_ports(sel, fl, &fl->u.ip4.uli);

	return addr_match(&fl->u.ip6.daddr, &sel->daddr, sel->prefixlen_d) &&
	       addr_match(&fl->u.ip6.saddr, &sel->saddr, sel->prefixlen_s) &&
	       match_ports(sel, fl, &fl->u.ip6.uli);
}

/*
 * The selector of a state that selects everything: ip-xfrm gives each state one, so its presence
 * says nothing.
 */
bool svti_selector_is_wide(const struct xfrm_selector *sel)
{
	return !sel->prefixlen_d && !sel->prefixlen_s && !sel->proto && !sel->ifindex &&
	       !sel->dport_mask && !sel->sport_mask;
}
