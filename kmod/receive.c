// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way in (RFC 4301 5.2). The kernel finds the state by its SPI, decrypts, and asks each
 * registered protocol in the order of priority whether the packet is its own (cb_handler: > 0 not
 * mine, 0 taken, < 0 drop). The module registers twice for each protocol:
 *
 * - in front of all others, where the if_id of the state names the SVTI. Its inbound SPD is asked
 *   here and now.
 * - behind xfrm_interface and ahead of the plain path. What is bound to an id and comes here
 *   belongs to an interface that does not exist, and is dropped: it must not reach the host as if
 *   it had come without a tunnel.
 *
 * Whether a packet stays on the host or is forwarded is not known yet when it is checked, so it is
 * the policies for XFRM_POLICY_IN that it is checked against in both cases; those for
 * XFRM_POLICY_FWD are not looked at.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/protocol.h>
#include <net/route.h>
#include <net/xfrm.h>

#include "device.h"
#include "flow.h"
#include "pernet.h"
#include "receive.h"
#include "selector.h"
#include "trace.h"
#include "xmit.h"

/* Taken: 0 by esp, ah and ipcomp, 10 by xfrm_interface, 100 by ip_vti. */
#define SVTI_PRIORITY_FRONT	200
#define SVTI_PRIORITY_GUARD	5

static struct svti_dev *svti_by_id(struct net *net, u32 id)
{
	struct svti_domain *dom = svti_domain_lookup(svti_pernet(net), id);

	return dom ? rcu_dereference(dom->svti) : NULL;
}

/* The state is one that the template demands. */
static bool state_fits(const struct xfrm_state *x, const struct xfrm_tmpl *tmpl, u32 id)
{
	if (xfrm_state_kern(x))
		return tmpl->optional && !xfrm_state_addr_cmp(tmpl, x, tmpl->encap_family);

	return x->id.proto == tmpl->id.proto && x->props.mode == tmpl->mode && x->if_id == id &&
	       (!tmpl->id.spi || x->id.spi == tmpl->id.spi) &&
	       (!tmpl->reqid || x->props.reqid == tmpl->reqid) &&
	       (tmpl->allalgs || (tmpl->aalgos & (1U << x->props.aalgo)) ||
		!xfrm_id_proto_match(tmpl->id.proto, IPSEC_PROTO_ANY)) &&
	       (x->props.mode == XFRM_MODE_TRANSPORT ||
		(x->props.family == tmpl->encap_family &&
		 !xfrm_state_addr_cmp(tmpl, x, tmpl->encap_family)));
}

/*
 * What was undone is what the policy demands, all of it and in its order: the states stand in the
 * order in which they were removed, the templates in the order in which they are applied. A
 * template that is optional may be passed over, a tunnel that no template demands may not.
 */
static bool path_fits(const struct sec_path *sp, const struct xfrm_policy *pol, u32 id)
{
	int i, k = 0;

	for (i = pol->xfrm_nr - 1; i >= 0; i--) {
		const struct xfrm_tmpl *tmpl = &pol->xfrm_vec[i];
		int at = k;

		while (at < sp->len && !state_fits(sp->xvec[at], tmpl, id) &&
		       sp->xvec[at]->props.mode == XFRM_MODE_TRANSPORT)
			at++;
		if (at < sp->len && state_fits(sp->xvec[at], tmpl, id))
			k = at + 1;
		else if (!tmpl->optional)
			return false;
	}
	for (; k < sp->len; k++)
		if (sp->xvec[k]->props.mode != XFRM_MODE_TRANSPORT)
			return false;
	return true;
}

/* The packet is of those that the state was made for. */
static bool selectors_fit(const struct sec_path *sp, const struct flowi *fl, u16 family)
{
	int i;

	for (i = 0; i < sp->len; i++) {
		const struct xfrm_selector *sel = &sp->xvec[i]->sel;

		if (svti_selector_is_wide(sel))
			continue;
		if ((sel->family && sel->family != family) || !svti_selector_match(sel, fl, family))
			return false;
	}
	return true;
}

/* In transport mode XFRM has not yet put the header together again. */
static int dissect(const struct sk_buff *skb, const struct xfrm_state *x, u16 family,
		   struct flowi *fl)
{
	if (x->props.mode == XFRM_MODE_TRANSPORT)
		return svti_flow_dissect_transport(skb, family, XFRM_MODE_SKB_CB(skb)->protocol,
						   fl);
	return svti_flow_dissect(skb, family, fl);
}

/* 0 and the policy that lets the flow in, or the reason for which it is not let in. */
static int judge(struct svti_dev *svti, const struct sec_path *sp, struct flowi *fl, u16 family,
		 struct svti_sp **met)
{
	const struct svti_domain *dom = svti->dom;
	struct svti_sp *policy;

	fl->flowi_oif = READ_ONCE(svti->link);
	svti_count(svti, SVTI_COUNT_RX_LOOKUP);

	/*
	 * Two policies would have to be met at once; nobody asks for that here, so such traffic is
	 * refused.
	 */
	if (unlikely(READ_ONCE(dom->spd[SVTI_SPD_IN_SUB].count)) &&
	    svti_spd_lookup(dom, SVTI_SPD_IN_SUB, fl, family))
		return SVTI_XSTATS_RX_BLOCKED;

	policy = svti_spd_lookup(dom, SVTI_SPD_IN, fl, family);
	if (!policy)
		return SVTI_XSTATS_RX_NO_POLICY;
	svti_sp_touch(policy);
	if (policy->pol->action != XFRM_POLICY_ALLOW ||
	    svti_policy_is_refused(svti, policy->pol))
		return SVTI_XSTATS_RX_BLOCKED;
	if (!selectors_fit(sp, fl, family) || !path_fits(sp, policy->pol, svti->id))
		return SVTI_XSTATS_RX_TEMPLATE;
	*met = policy;
	return 0;
}

/*
 * 0 and the policy that lets a decrypted packet in, or the reason for which it is not let in. No
 * policy where that is one for what an ICMP error is about, which no other packet may profit by.
 */
static int verdict(struct svti_dev *svti, const struct sk_buff *skb, struct svti_sp **met)
{
	const struct sec_path *sp = skb_sec_path(skb);
	const struct xfrm_state *x = sp->xvec[sp->len - 1];
	u16 family = svti_skb_family(skb);
	struct flowi fl;
	int reason;

	if (!family || dissect(skb, x, family, &fl))
		return SVTI_XSTATS_RX_MALFORMED;
	reason = judge(svti, sp, &fl, family, met);
	if (likely(reason != SVTI_XSTATS_RX_NO_POLICY && reason != SVTI_XSTATS_RX_TEMPLATE))
		return reason;
	/* As the stock path does: a router in between speaks of a flow that may pass. */
	if (!(x->props.flags & XFRM_STATE_ICMP) || x->props.mode == XFRM_MODE_TRANSPORT ||
	    svti_flow_dissect_returned(skb, family, &fl) || judge(svti, sp, &fl, family, met))
		return reason;
	*met = NULL;
	return 0;
}

/* svti_xmit_trace() for a packet that was decrypted by the SA that its policy demands. */
void svti_receive_trace(struct svti_dev *svti, struct flowi *fl, u16 family,
			struct svti_trace *trace)
{
	memset(trace, 0, sizeof(*trace));
	fl->flowi_oif = READ_ONCE(svti->link);
	trace->sp = svti_spd_lookup_visit(svti->dom, SVTI_SPD_IN, fl, family, &trace->visit);
	if (!trace->sp)
		trace->verdict = SVTI_XSTATS_RX_NO_POLICY;
	else if (trace->sp->pol->action != XFRM_POLICY_ALLOW ||
		 svti_policy_is_refused(svti, trace->sp->pol))
		trace->verdict = SVTI_XSTATS_RX_BLOCKED;
}

static int drop(struct svti_dev *svti, struct sk_buff *skb, int reason)
{
	trace_svti_drop(svti->dev, skb, reason);
	svti_count(svti, reason);
	DEV_STATS_INC(svti->dev, rx_dropped);
	/*
	 * XFRM calls once more, to tell of the drop that it makes for us: then this tells that it
	 * is counted.
	 */
	secpath_reset(skb);
	return -EPERM;
}

/*
 * From here on it is a packet that came in by the SVTI, and nothing about it is secret to the stock
 * SPD.
 */
static __always_inline int let_in(struct svti_dev *svti, struct sk_buff *skb)
{
	skb->dev = svti->dev;
	svti_scrub(skb, !net_eq(svti->net, dev_net(svti->dev)));
	secpath_reset(skb);
	dev_sw_netstats_rx_add(svti->dev, skb->len);
	return 0;
}

/* The interface that a packet is to be received on, if that is known of its flow and state. */
static __always_inline struct svti_dev *known(const struct svti_flow_key *key)
{
	const struct svti_flow *flow = svti_flow_lookup(key, svti_flow_gen());
	const struct xfrm_state *x = key->owner;

	if (!flow || svti_sp_is_dead(flow->sp) || x->if_id != flow->svti->id ||
	    !(flow->svti->dev->flags & IFF_UP))
		return NULL;
	svti_sp_touch(flow->sp);
	return flow->svti;
}

/*
 * Keep what the full way has found, if it depends on the flow and the state alone. A state that is
 * not indexed could go, and another come in its place, unseen.
 */
static void keep(struct svti_dev *svti, const struct sk_buff *skb, s64 gen, struct svti_sp *sp)
{
	const struct sec_path *path = skb_sec_path(skb);
	struct svti_flow_key key = { .owner = path->xvec[0] };

	if (path->len == 1 && svti_flow_key(skb, &key) &&
	    svti_sad_knows(svti->dom->sn, path->xvec[0]))
		svti_flow_keep(&key, gen, sp, svti);
}

/* The full way. */
static noinline int decide(struct sk_buff *skb, const struct xfrm_state *x, int err)
{
	s64 gen = svti_flow_gen();
	struct svti_dev *svti;
	struct svti_sp *sp;
	int reason;

	svti = svti_by_id(xs_net((struct xfrm_state *)x), x->if_id);
	if (!svti)
		return 1;
	if (err) {
		DEV_STATS_INC(svti->dev, rx_errors);
		return 0;
	}
	if (!(svti->dev->flags & IFF_UP))
		return drop(svti, skb, SVTI_XSTATS_RX_DOWN);
	reason = verdict(svti, skb, &sp);
	if (reason)
		return drop(svti, skb, reason);
	if (sp)
		keep(svti, skb, gen, sp);
	return let_in(svti, skb);
}

/**
 * svti_rcv_cb() - a packet was decrypted, or could not be
 * @skb: the packet; without a security path it never got as far as a state
 * @err: not 0 if it is about to be dropped
 *
 * Under RCU, in softirq. The state belongs to the security path and is not freed before the next
 * grace period.
 */
static int svti_rcv_cb(struct sk_buff *skb, int err)
{
	const struct sec_path *sp = skb_sec_path(skb);
	const struct xfrm_state *x;
	struct svti_flow_key key;
	struct svti_dev *svti;

	if (!sp || !sp->len)
		return 1;
	x = sp->xvec[sp->len - 1];
	if (!x->if_id)
		return 1;

	key.owner = x;
	if (!err && sp->len == 1 && svti_flow_key(skb, &key)) {
		svti = known(&key);
		if (likely(svti))
			return let_in(svti, skb);
	}
	return decide(skb, x, err);
}

/* Nobody has taken the packet, and it is the plain path's turn. */
static int svti_guard_cb(struct sk_buff *skb, int err)
{
	const struct sec_path *sp = skb_sec_path(skb);

	if (err || !sp || !sp->len || !xfrm_input_state(skb)->if_id)
		return 1;

	XFRM_INC_STATS(xs_net(xfrm_input_state(skb)), LINUX_MIB_XFRMINNOPOLS);
	return -ENODEV;
}

/* SPI of a packet of ours that came back in an ICMP error, or 0. */
static __be32 returned_spi(const struct sk_buff *skb, int offset, u8 proto)
{
	struct ip_comp_hdr comp, *c;
	__be32 words[2], *w;

	switch (proto) {
	case IPPROTO_ESP:
	case IPPROTO_AH:
		w = skb_header_pointer(skb, offset, sizeof(words), words);
		return w ? w[proto == IPPROTO_AH] : 0;
	case IPPROTO_COMP:
		c = skb_header_pointer(skb, offset, sizeof(comp), &comp);
		return c ? htonl(ntohs(c->cpi)) : 0;
	}
	return 0;
}

/* It is one of our states that the packet was encrypted with. */
static bool returned_is_ours(struct net *net, const struct sk_buff *skb,
			     const xfrm_address_t *daddr, __be32 spi, u8 proto, u16 family)
{
	struct xfrm_state *x;
	bool ours;

	if (!spi)
		return false;
	x = xfrm_state_lookup(net, skb->mark, daddr, spi, proto, family);
	if (!x)
		return false;
	ours = x->if_id && svti_by_id(net, x->if_id);
	xfrm_state_put(x);
	return ours;
}

/*
 * ICMP about an outer packet. What it says of the path goes to the outer route, where bundles read
 * it.
 */
static int svti4_err(struct sk_buff *skb, u32 info)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	const struct icmphdr *icmp = icmp_hdr(skb);
	struct net *net = dev_net(skb->dev);
	bool too_big = icmp->type == ICMP_DEST_UNREACH && icmp->code == ICMP_FRAG_NEEDED;
	__be32 spi;

	if (!too_big && icmp->type != ICMP_REDIRECT)
		return 1;
	spi = returned_spi(skb, iph->ihl * 4, iph->protocol);
	if (!returned_is_ours(net, skb, (const xfrm_address_t *)&iph->daddr, spi, iph->protocol,
			      AF_INET))
		return 1;

	if (too_big)
		ipv4_update_pmtu(skb, net, info, 0, iph->protocol);
	else
		ipv4_redirect(skb, net, 0, iph->protocol);
	return 0;
}

static int svti6_err(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type, u8 code, int offset,
		     __be32 info)
{
	const struct ipv6hdr *iph = (const struct ipv6hdr *)skb->data;
	struct net *net = dev_net(skb->dev);
	__be32 spi;

	if (type != ICMPV6_PKT_TOOBIG && type != NDISC_REDIRECT)
		return 1;
	spi = returned_spi(skb, offset, iph->nexthdr);
	if (!returned_is_ours(net, skb, (const xfrm_address_t *)&iph->daddr, spi, iph->nexthdr,
			      AF_INET6))
		return 1;

	if (type == ICMPV6_PKT_TOOBIG)
		ip6_update_pmtu(skb, net, info, 0, 0, sock_net_uid(net, NULL));
	else
		ip6_redirect(skb, net, skb->dev->ifindex, 0, sock_net_uid(net, NULL));
	return 0;
}

/* Decryption is left to the next in line. */
static int svti_rcv(struct sk_buff *skb)
{
	return -EINVAL;
}

static int svti_input(struct sk_buff *skb, int nexthdr, __be32 spi, int encap_type)
{
	return -EINVAL;
}

static int svti4_guard_err(struct sk_buff *skb, u32 info)
{
	return 1;
}

static int svti6_guard_err(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type, u8 code,
			   int offset, __be32 info)
{
	return 1;
}

#define SVTI_HANDLER(cb, err, prio) {		\
	.handler	= svti_rcv,		\
	.input_handler	= svti_input,		\
	.cb_handler	= (cb),			\
	.err_handler	= (err),		\
	.priority	= (prio),		\
}

#define SVTI_FRONT(err) SVTI_HANDLER(svti_rcv_cb, err, SVTI_PRIORITY_FRONT)
#define SVTI_GUARD(err) SVTI_HANDLER(svti_guard_cb, err, SVTI_PRIORITY_GUARD)

static const u8 svti_protocols[] = { IPPROTO_ESP, IPPROTO_AH, IPPROTO_COMP };

static struct xfrm4_protocol svti4_handlers[ARRAY_SIZE(svti_protocols)][2] __read_mostly = {
	{ SVTI_FRONT(svti4_err), SVTI_GUARD(svti4_guard_err) },
	{ SVTI_FRONT(svti4_err), SVTI_GUARD(svti4_guard_err) },
	{ SVTI_FRONT(svti4_err), SVTI_GUARD(svti4_guard_err) },
};

static struct xfrm6_protocol svti6_handlers[ARRAY_SIZE(svti_protocols)][2] __read_mostly = {
	{ SVTI_FRONT(svti6_err), SVTI_GUARD(svti6_guard_err) },
	{ SVTI_FRONT(svti6_err), SVTI_GUARD(svti6_guard_err) },
	{ SVTI_FRONT(svti6_err), SVTI_GUARD(svti6_guard_err) },
};

/* The i-th handler of each family, of 2 for each protocol. */
static int register_both(int i)
{
	u8 proto = svti_protocols[i / 2];
	int err;

	err = xfrm4_protocol_register(&svti4_handlers[i / 2][i % 2], proto);
	if (err)
		return err;
	err = xfrm6_protocol_register(&svti6_handlers[i / 2][i % 2], proto);
	if (err)
		xfrm4_protocol_deregister(&svti4_handlers[i / 2][i % 2], proto);
	return err;
}

static void deregister_both(int i)
{
	u8 proto = svti_protocols[i / 2];

	xfrm6_protocol_deregister(&svti6_handlers[i / 2][i % 2], proto);
	xfrm4_protocol_deregister(&svti4_handlers[i / 2][i % 2], proto);
}

int svti_receive_register(void)
{
	int i, err;

	for (i = 0; i < 2 * ARRAY_SIZE(svti_protocols); i++) {
		err = register_both(i);
		if (err)
			goto err_register;
	}
	return 0;

err_register:
	while (i--)
		deregister_both(i);
	return err;
}

/* No callback is running when this returns. */
void svti_receive_unregister(void)
{
	int i = 2 * ARRAY_SIZE(svti_protocols);

	while (i--)
		deregister_both(i);
}
