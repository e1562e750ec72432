// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way out (RFC 4301 5.1): inner packet -> policy -> state -> bundle -> the kernel's own XFRM
 * output.
 *
 * A bundle is what XFRM calls a route with a transformation in front: an xfrm_dst whose output
 * encrypts and whose child is the route of the outer packet. One is built for each state and inner
 * family and kept there; the kernel's dst_check() says whether it still holds. Whatever the short
 * way does not cover goes to xfrm_lookup_with_ifid(), which does: no state (it raises the acquire),
 * several templates, sub policies, states with a selector of their own, marks that are mixed into
 * the route, security labels of states.
 *
 * A packet leaves through a bundle or not at all. All of this runs under RCU with BH disabled.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <net/addrconf.h>
#include <net/icmp.h>
#include <net/inet_sock.h>
#include <net/ip6_route.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/xfrm.h>

#include "compat.h"
#include "device.h"
#include "flow.h"
#include "hold.h"
#include "link.h"
#include "pernet.h"
#include "selector.h"
#include "trace.h"
#include "xmit.h"

/*
 * While a policy has no state, the kernel is asked for one this often; the packets in between just
 * wait.
 */
#define SVTI_ACQUIRE_INTERVAL HZ

/* ... and for one interface, whatever the number of its policies, this often in a second. */
#define SVTI_ACQUIRE_BURST 100

/**
 * svti_xmit_drop() - drop a packet on its way out, count it and tell the sender
 * @svti: the interface
 * @skb: the packet, taken over
 * @reason: SVTI_XSTATS_TX_*
 *
 * BH is disabled.
 */
void svti_xmit_drop(struct svti_dev *svti, struct sk_buff *skb, int reason)
{
	struct net_device *dev = svti->dev;

	trace_svti_drop(dev, skb, reason);
	svti_count(svti, reason);
	DEV_STATS_INC(dev, tx_errors);
	DEV_STATS_INC(dev, tx_dropped);

	switch (reason) {
	case SVTI_XSTATS_TX_NO_POLICY:
	case SVTI_XSTATS_TX_BLOCKED:
	case SVTI_XSTATS_TX_NO_STATE:
	case SVTI_XSTATS_TX_QUEUE_FULL:
	case SVTI_XSTATS_TX_NO_ROUTE:
		DEV_STATS_INC(dev, tx_carrier_errors);
		dst_link_failure(skb);
		break;
	case SVTI_XSTATS_TX_LOOP:
		DEV_STATS_INC(dev, collisions);
		break;
	}
	kfree_skb(skb);
}

/*
 * The sender can be told, or must be: IPv6 is not fragmented under way, IPv4 only if it allows it.
 */
static bool is_too_big(const struct sk_buff *skb, u32 mtu)
{
	if (skb_is_gso(skb) ? skb_gso_validate_network_len(skb, mtu) : skb->len <= mtu)
		return false;
	if (skb->protocol == htons(ETH_P_IPV6))
		return skb->len > IPV6_MIN_MTU;	/* what is smaller must pass, see send() */
	return ip_hdr(skb)->frag_off & htons(IP_DF);
}

static void tell_too_big(struct sk_buff *skb, u32 mtu)
{
	bool ipv6 = skb->protocol == htons(ETH_P_IPV6);

	if (ipv6)
		mtu = max_t(u32, mtu, IPV6_MIN_MTU);	/* routes ignore less, RFC 8201 4 */
	skb_dst_update_pmtu_no_confirm(skb, mtu);
	if (ipv6)
		icmpv6_ndo_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
	else
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
}

/**
 * svti_policy_is_refused() - the policy asks for what an SVTI does not do
 * @svti: the interface
 * @pol: the policy; it blocks then, and the kernel's log says so
 *
 * Nothing here knows the security label of a packet, so none fits that of a policy. With packet
 * offload the device would be handed what is to be encrypted, and nothing with it that says so: if
 * it has no policy for it any more, that leaves in clear.
 */
bool svti_policy_is_refused(const struct svti_dev *svti, const struct xfrm_policy *pol)
{
	bool in_device = svti_compat_policy_is_in_device(pol);

	if (likely(!pol->security && !in_device))
		return false;
	net_warn_ratelimited("%s: policy %u has %s, which an SVTI does not support: its packets are dropped\n",
			     svti->dev->name, pol->index,
			     in_device ? "packet offload" : "a security label");
	return true;
}

/* A state with packet offload has a part in the transformation. */
static bool bundle_is_in_device(struct dst_entry *dst)
{
	for (; dst && dst->xfrm; dst = xfrm_dst_child(dst))
		if (svti_compat_state_is_in_device(dst->xfrm))
			return true;
	return false;
}

static void put_bundle(struct dst_entry *bundle, bool borrowed)
{
	if (!borrowed)
		dst_release(bundle);
}

/*
 * Send a packet through a bundle; takes over both. A bundle that is borrowed, from RCU, is not
 * counted: XFRM takes a reference once it keeps the packet.
 */
static __always_inline void send(struct svti_dev *svti, struct sk_buff *skb,
				 struct dst_entry *bundle, bool borrowed)
{
	struct net_device *dev = svti->dev;
	unsigned int len = skb->len;
	bool must_fragment = false;
	struct sock *sk;
	u32 mtu;
	int err;

	/* What is borrowed was looked at before it was kept. */
	if (!borrowed && unlikely(bundle->dev == dev)) {
		net_warn_ratelimited("%s: the route to the peer leads into the tunnel\n",
				     dev->name);
		put_bundle(bundle, borrowed);
		svti_xmit_drop(svti, skb, SVTI_XSTATS_TX_LOOP);
		return;
	}

	mtu = dst_mtu(bundle);
	if (unlikely(len > mtu)) {
		if (is_too_big(skb, mtu)) {
			put_bundle(bundle, borrowed);
			tell_too_big(skb, mtu);
			svti_xmit_drop(svti, skb, SVTI_XSTATS_TX_TOO_BIG);
			return;
		}
		/*
		 * No IPv6 sender can be told less than 1280, so these are fragmented outside (RFC
		 * 2473 7.1). The ordinary output would do it inside, where it must not and where a
		 * fragment cannot be fragmented again. They do not pass netfilter's inner
		 * postrouting.
		 */
		must_fragment = skb->protocol == htons(ETH_P_IPV6) && !skb_is_gso(skb);
	}

	svti_scrub(skb, !net_eq(svti->net, dev_net(dev)));
	if (borrowed)
		skb_dst_set_noref(skb, bundle);
	else
		skb_dst_set(skb, bundle);
	skb->dev = bundle->dev;

	sk = skb_to_full_sk(skb);
	if (unlikely(must_fragment)) {
		skb->ignore_df = 1;
		err = xfrm_output(sk, skb);
	} else {
		err = dst_output(svti->net, sk, skb);
	}
	if (!net_xmit_eval(err)) {
		dev_sw_netstats_tx_add(dev, 1, len);
		return;
	}
	svti_count(svti, err == -EMSGSIZE ? SVTI_XSTATS_TX_TOO_BIG : SVTI_XSTATS_TX_ERROR);
	DEV_STATS_INC(dev, tx_errors);
	DEV_STATS_INC(dev, tx_aborted_errors);
}

/* A policy without a template would have the packet leave as it is. */
static bool policy_encrypts(const struct xfrm_policy *pol)
{
	return pol->action == XFRM_POLICY_ALLOW && pol->xfrm_nr;
}

/* The short way knows this policy: one tunnel, both of its ends given. */
static bool policy_is_plain(const struct xfrm_policy *pol)
{
	const struct xfrm_tmpl *tmpl = &pol->xfrm_vec[0];

	return pol->xfrm_nr == 1 && !tmpl->optional && tmpl->mode == XFRM_MODE_TUNNEL &&
	       !xfrm_addr_any(&tmpl->saddr, tmpl->encap_family) &&
	       !svti_compat_policy_is_special(pol);
}

/*
 * The short way knows this state: nothing of the packet but its family has a part in choosing it or
 * its route. With crypto offload XFRM's output asks the device if the route leads by it, and
 * encrypts by itself if not.
 */
static bool state_is_plain(const struct xfrm_state *x)
{
	const struct xfrm_mark *smark = &x->props.smark;

	return svti_selector_is_wide(&x->sel) && !x->security &&
	       !(x->props.flags & XFRM_STATE_WILDRECV) &&
	       (!(smark->v | smark->m) || smark->m == ~0U) &&
	       !(x->type->flags &
		 (XFRM_TYPE_NON_FRAGMENT | XFRM_TYPE_LOCAL_COADDR | XFRM_TYPE_REMOTE_COADDR));
}

/* Who finds the route of what is sent with a state: SVTI_WAY_*. */
u8 svti_state_way(const struct xfrm_state *x)
{
	return state_is_plain(x) ? SVTI_WAY_SHORT : SVTI_WAY_KERNEL;
}

/* The address family that the state carries inside, and whether that includes this one. */
static bool state_carries(struct xfrm_state *x, u16 family)
{
	const struct xfrm_mode *mode = &x->inner_mode;

	if (x->sel.family == AF_UNSPEC)
		mode = xfrm_ip2inner_mode(x, xfrm_af2proto(family));
	return mode && mode->family == family;
}

/* The route of what a state sends, with a reference, or an error pointer; dst->error may be set. */
struct dst_entry *svti_outer_route(const struct svti_dev *svti, const struct xfrm_state *x)
{
	u8 proto = x->id.proto;
	union flowi_uli uli = {};
	struct flowi fl = {};
	struct rtable *rt;

	if (x->encap && x->encap->encap_type == UDP_ENCAP_ESPINUDP) {
		proto = IPPROTO_UDP;
		uli.ports.sport = x->encap->encap_sport;
		uli.ports.dport = x->encap->encap_dport;
	}
	fl.flowi_proto = proto;
	fl.flowi_oif = READ_ONCE(svti->link);
	fl.flowi_mark = x->props.smark.v & x->props.smark.m;

	if (x->props.family == AF_INET) {
		fl.u.ip4.saddr = x->props.saddr.a4;
		fl.u.ip4.daddr = x->id.daddr.a4;
		fl.u.ip4.uli = uli;
		rt = __ip_route_output_key(svti->net, &fl.u.ip4);
		return IS_ERR(rt) ? ERR_CAST(rt) : &rt->dst;
	}

	fl.u.ip6.saddr = x->props.saddr.in6;
	fl.u.ip6.daddr = x->id.daddr.in6;
	fl.u.ip6.uli = uli;
	return ip6_route_output(svti->net, NULL, &fl.u.ip6);
}

/* What afinfo->fill_dst() would do, which is not for modules. */
static void fill_family(struct xfrm_dst *xdst, u16 family)
{
	svti_compat_dst_init_uncached(xdst, family);
	if (family == AF_INET)
		xdst->u.rt.rt_type = RTN_UNICAST;
	else
		xdst->u.rt6.rt6i_idev = in6_dev_get(xdst->u.dst.dev);
}

/**
 * build_bundle() - a bundle for a state and an inner family
 * @svti: the interface
 * @x: the state, plain
 * @family: AF_INET or AF_INET6
 *
 * It names no policy: which packets may use it is decided packet by packet. Its output is a
 * function of the kernel and not of this module, so that none outlives the module.
 *
 * Return: the bundle with a reference for the caller, or an error pointer.
 */
static struct dst_entry *build_bundle(struct svti_dev *svti, struct xfrm_state *x, u16 family)
{
	bool ipv6 = family == AF_INET6;
	const struct xfrm_state_afinfo *afinfo;
	struct dst_entry *inner, *outer, *dst;
	struct dst_ops *ops;
	struct xfrm_dst *xdst;
	u32 mtu;
	int err;

	if (!state_carries(x, family))
		return ERR_PTR(-EAFNOSUPPORT);
	inner = rcu_dereference(svti->inner[ipv6]);
	if (!inner || !dst_hold_safe(inner))
		return ERR_PTR(-ENETDOWN);

	outer = svti_outer_route(svti, x);
	if (IS_ERR(outer)) {
		err = PTR_ERR(outer);
		goto err_route;
	}
	err = outer->error;
	if (err)
		goto err_dst;

	err = -ENOBUFS;
	ops = ipv6 ? &svti->net->xfrm.xfrm6_dst_ops : &svti->net->xfrm.xfrm4_dst_ops;
	xdst = svti_compat_dst_alloc(ops, outer->dev);
	if (!xdst)
		goto err_dst;
	memset_after(xdst, 0, u.dst);
	dst = &xdst->u.dst;

	fill_family(xdst, family);
	xdst->route = inner;
	xdst->child = outer;		/* released with the bundle, and @path with it */
	xdst->path = outer;
	if (outer->ops->family == AF_INET6)
		xdst->path_cookie = rt6_get_cookie((struct rt6_info *)outer);
	xdst->num_xfrms = 1;
	xfrm_state_hold(x);
	dst->xfrm = x;
	xdst->xfrm_genid = x->genid;
	dst->header_len = x->props.header_len;
	dst->trailer_len = x->props.trailer_len;
	dst->lastuse = jiffies;
	dst->input = dst_discard;
	afinfo = xfrm_state_afinfo_get_rcu(family);
	dst->output = afinfo ? afinfo->output : dst_discard_out;

	xdst->child_mtu_cached = dst_mtu(outer);
	xdst->route_mtu_cached = dst_mtu(inner);
	mtu = min(xfrm_state_mtu(x, xdst->child_mtu_cached), xdst->route_mtu_cached);
	dst_copy_metrics(dst, inner);
	dst_metric_set(dst, RTAX_MTU, mtu);
	return dst;

err_dst:
	dst_release(outer);
err_route:
	dst_release(inner);
	return ERR_PTR(err);
}

/*
 * The bundle of a state, from the cache if that one still holds; with a reference for the caller.
 */
static struct dst_entry *get_bundle(struct svti_dev *svti, struct svti_sa *sa, u16 family)
{
	bool ipv6 = family == AF_INET6;
	struct dst_entry *bundle;

	bundle = rcu_dereference(sa->bundle[ipv6]);
	if (bundle && dst_check(bundle, 0) && dst_hold_safe(bundle))
		return bundle;

	bundle = build_bundle(svti, sa->x, family);
	if (!IS_ERR(bundle)) {
		svti_count(svti, SVTI_COUNT_TX_BUNDLE);
		svti_sa_keep_bundle(sa, ipv6, bundle);
	}
	return bundle;
}

/* The path of a bundle, as dst_check() has just seen it, is not the one that the MTU goes by. */
static __always_inline void watch_path(struct svti_domain *dom, struct svti_sa *sa,
				       const struct dst_entry *bundle)
{
	u32 path_mtu = ((const struct xfrm_dst *)bundle)->child_mtu_cached;

	if (unlikely(path_mtu != READ_ONCE(sa->path_mtu)))
		svti_link_path_changed(dom, sa, path_mtu);
}

/* No template makes an outer header. */
static bool policy_is_transport(const struct xfrm_policy *pol)
{
	int i;

	for (i = 0; i < pol->xfrm_nr; i++)
		if (pol->xfrm_vec[i].mode != XFRM_MODE_TRANSPORT)
			return false;
	return true;
}

/* The route of a packet that keeps its own addresses; by the underlying link, or it leads here. */
static struct dst_entry *transport_route(const struct svti_dev *svti, const struct flowi *fl,
					 u16 family)
{
	struct dst_entry *dst;
	struct flowi out = *fl;
	struct rtable *rt;
	int err;

	if (family == AF_INET) {
		rt = __ip_route_output_key(svti->net, &out.u.ip4);
		return IS_ERR(rt) ? ERR_CAST(rt) : &rt->dst;
	}
	dst = ip6_route_output(svti->net, NULL, &out.u.ip6);
	err = dst->error;
	if (!err)
		return dst;
	dst_release(dst);
	return ERR_PTR(err);
}

/*
 * The long way: the kernel chooses policy and state by its own tables, and tells the key manager if
 * there is none.
 */
static struct dst_entry *ask_kernel(struct svti_dev *svti, struct flowi *fl, u16 family,
				    bool transport, int flags)
{
	struct dst_entry *route, *dst;

	/* What is not put into another packet leaves by the route that is given here. */
	if (transport) {
		route = transport_route(svti, fl, family);
		if (IS_ERR(route))
			return route;
	} else {
		route = rcu_dereference(svti->inner[family == AF_INET6]);
		if (!route || !dst_hold_safe(route))
			return ERR_PTR(-ENETDOWN);
	}

	dst = xfrm_lookup_with_ifid(svti->net, route, fl, NULL, flags, svti->id);
	if (IS_ERR(dst))
		return dst;
	/* A policy with packet offload may have taken the place of the one that was looked at. */
	if (!dst->xfrm || dst->xfrm->if_id != svti->id || bundle_is_in_device(dst)) {
		dst_release(dst);
		return ERR_PTR(-EPERM);
	}
	return dst;
}

static int drop_reason(int err)
{
	switch (err) {
	case -EPERM:
	case -ENOENT:
		return SVTI_XSTATS_TX_BLOCKED;
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -ENETDOWN:
	case -ENODEV:
	case -EACCES:
	case -EINVAL:		/* of a prohibiting or blackhole route */
		return SVTI_XSTATS_TX_NO_ROUTE;
	}
	return SVTI_XSTATS_TX_ERROR;
}

/* Whether the kernel has been asked for a state of this policy lately, and none has come since. */
static bool asked_lately(const struct svti_sp *sp, u32 gen)
{
	return READ_ONCE(sp->retry_gen) == gen && time_before(jiffies, READ_ONCE(sp->retry_at));
}

/*
 * Send by what is known of the flow. What is looked at again is what may change without a new
 * generation, or just before one; of the state, dst_check() does that.
 */
static __always_inline bool transmit_known(struct svti_dev *svti, struct sk_buff *skb,
					   const struct svti_flow_key *key)
{
	struct svti_flow *flow = svti_flow_lookup(key, svti_flow_gen());
	struct dst_entry *bundle;
	struct svti_sp *sp;
	struct svti_sa *sa;

	if (!flow)
		return false;
	sp = flow->sp;
	sa = flow->sa;
	bundle = rcu_dereference(sa->bundle[svti_flow_is_ipv6(key)]);
	if (unlikely(!bundle || svti_sp_is_dead(sp) || !dst_check(bundle, 0)))
		return false;

	memset(skb->cb, 0, sizeof(struct inet6_skb_parm));
	svti_sp_touch(sp);
	watch_path(svti->dom, sa, bundle);
	send(svti, skb, bundle, true);
	return true;
}

static bool may_acquire(struct svti_dev *svti)
{
	if (__ratelimit(&svti->acquires))
		return true;
	svti_count(svti, SVTI_COUNT_TX_ACQUIRE_LIMIT);
	return false;
}

/* Keep what the full way has found. Before the packet is changed. */
static void keep(struct svti_domain *dom, const struct sk_buff *skb, s64 gen, struct svti_sp *sp,
		 struct svti_sa *sa)
{
	struct svti_flow_key key = { .owner = dom };

	if (svti_flow_key(skb, &key))
		svti_flow_keep(&key, gen, sp, sa);
}

/* The policy that a flow meets, or NULL, and whether the short way knows it. */
static struct svti_sp *policy_of(const struct svti_domain *dom, const struct flowi *fl, u16 family,
				 bool *plain)
{
	struct svti_sp *sp = svti_spd_lookup(dom, SVTI_SPD_OUT, fl, family);

	*plain = sp && policy_is_plain(sp->pol) && !svti_sp_is_dead(sp);
	if (unlikely(READ_ONCE(dom->spd[SVTI_SPD_OUT_SUB].count))) {
		if (!sp)
			sp = svti_spd_lookup(dom, SVTI_SPD_OUT_SUB, fl, family);
		*plain = false;
	}
	return sp;
}

/*
 * The policy for an ICMP error that meets none: that of the flow which the error is about, if it
 * has the flag for it, and that flow. A transport mode SA has ends of its own, which are not those
 * of such an error.
 */
static struct svti_sp *policy_of_returned(const struct svti_dev *svti, const struct sk_buff *skb,
					  struct flowi *fl, u16 family, bool *plain)
{
	struct svti_sp *sp;

	if (svti_flow_dissect_returned(skb, family, fl))
		return NULL;
	fl->flowi_oif = READ_ONCE(svti->link);
	sp = policy_of(svti->dom, fl, family, plain);
	if (!sp || !(sp->pol->flags & XFRM_POLICY_ICMP) || policy_is_transport(sp->pol))
		return NULL;
	return sp;
}

/* The full way. */
static noinline void transmit(struct svti_dev *svti, struct sk_buff *skb, unsigned long expires)
{
	struct svti_domain *dom = svti->dom;
	s64 flow_gen = svti_flow_gen();
	u32 gen = READ_ONCE(dom->sad_gen);
	u16 family = svti_skb_family(skb);
	struct svti_sa *sa = NULL;
	struct dst_entry *bundle;
	struct xfrm_policy *pol;
	struct svti_sp *sp;
	bool plain, asked = false, returned = false;
	struct flowi fl;
	int reason;

	if (svti_flow_dissect(skb, family, &fl)) {
		svti_xmit_drop(svti, skb, SVTI_XSTATS_TX_MALFORMED);
		return;
	}
	fl.flowi_oif = READ_ONCE(svti->link);

	svti_count(svti, SVTI_COUNT_TX_LOOKUP);
	sp = policy_of(dom, &fl, family, &plain);
	if (!sp) {
		sp = policy_of_returned(svti, skb, &fl, family, &plain);
		returned = sp;
	}
	if (!sp) {
		svti_xmit_drop(svti, skb, SVTI_XSTATS_TX_NO_POLICY);
		return;
	}

	pol = sp->pol;
	svti_sp_touch(sp);
	if (!svti_sp_is_dead(sp) && !policy_encrypts(pol)) {
		svti_xmit_drop(svti, skb, SVTI_XSTATS_TX_BLOCKED);
		return;
	}
	if (unlikely(svti_policy_is_refused(svti, pol))) {
		svti_xmit_drop(svti, skb, SVTI_XSTATS_TX_BLOCKED);
		return;
	}

	if (plain)
		sa = svti_sad_lookup(dom, pol, &pol->xfrm_vec[0]);
	if (sa && state_is_plain(sa->x)) {
		bundle = get_bundle(svti, sa, family);
		if (!IS_ERR(bundle)) {
			watch_path(dom, sa, bundle);
			/* Other errors between the same two may be about anything. */
			if (bundle->dev != svti->dev && !returned)
				keep(dom, skb, flow_gen, sp, sa);
		}
	} else if (plain && !sa && (asked_lately(sp, gen) || !may_acquire(svti))) {
		bundle = ERR_PTR(-EAGAIN);
	} else {
		asked = true;
		bundle = ask_kernel(svti, &fl, family, policy_is_transport(pol),
				    returned ? XFRM_LOOKUP_ICMP : 0);
	}
	if (!IS_ERR(bundle)) {
		send(svti, skb, bundle, false);
		return;
	}

	switch (PTR_ERR(bundle)) {
	case -EAGAIN:
	case -EREMOTE:		/* the same, when net.core.xfrm_larval_drop is set */
		if (asked) {
			trace_svti_acquire(svti->dev, &fl, family, pol->index);
			svti_count(svti, SVTI_COUNT_TX_ACQUIRE);
		}
		if (asked && !sa) {
			WRITE_ONCE(sp->retry_at, jiffies + SVTI_ACQUIRE_INTERVAL);
			WRITE_ONCE(sp->retry_gen, gen);
		}
		svti_hold(svti, skb, pol->index, gen, expires);
		break;
	default:
		reason = drop_reason(PTR_ERR(bundle));
		if (reason == SVTI_XSTATS_TX_BLOCKED && svti_sp_is_dead(sp))
			reason = SVTI_XSTATS_TX_NO_POLICY;
		svti_xmit_drop(svti, skb, reason);
	}
}

/**
 * svti_xmit_trace() - what transmit() would do with a packet
 * @svti: the interface
 * @fl: the flow of the packet
 * @family: its family
 * @trace: result
 *
 * Sends nothing and asks for no state. BH is disabled, RCU held, which bounds the life of what the
 * result points to.
 */
void svti_xmit_trace(struct svti_dev *svti, struct flowi *fl, u16 family, struct svti_trace *trace)
{
	struct svti_domain *dom = svti->dom;
	struct dst_entry *bundle;
	struct svti_sp *sp;

	memset(trace, 0, sizeof(*trace));
	fl->flowi_oif = READ_ONCE(svti->link);
	sp = svti_spd_lookup_visit(dom, SVTI_SPD_OUT, fl, family, &trace->visit);
	trace->sp = sp;
	if (!sp && !READ_ONCE(dom->spd[SVTI_SPD_OUT_SUB].count)) {
		trace->verdict = SVTI_XSTATS_TX_NO_POLICY;
		return;
	}
	if (sp && (!policy_encrypts(sp->pol) || svti_policy_is_refused(svti, sp->pol))) {
		trace->verdict = SVTI_XSTATS_TX_BLOCKED;
		return;
	}

	trace->way = SVTI_WAY_KERNEL;
	if (!sp || READ_ONCE(dom->spd[SVTI_SPD_OUT_SUB].count) || !policy_is_plain(sp->pol))
		return;
	trace->sa = svti_sad_lookup(dom, sp->pol, &sp->pol->xfrm_vec[0]);
	if (!trace->sa) {
		trace->verdict = SVTI_XSTATS_TX_QUEUED;
		return;
	}
	if (!state_is_plain(trace->sa->x))
		return;

	trace->way = SVTI_WAY_SHORT;
	bundle = get_bundle(svti, trace->sa, family);
	if (IS_ERR(bundle)) {
		trace->verdict = drop_reason(PTR_ERR(bundle));
		return;
	}
	trace->mtu = dst_mtu(bundle);
	trace->out = bundle->dev->ifindex;
	if (bundle->dev == svti->dev)
		trace->verdict = SVTI_XSTATS_TX_LOOP;
	dst_release(bundle);
}

/**
 * svti_xmit_again() - try a packet that has waited
 * @svti: the interface
 * @skb: the packet, taken over
 * @expires: until when it may wait, jiffies
 *
 * BH is disabled, RCU held.
 */
void svti_xmit_again(struct svti_dev *svti, struct sk_buff *skb, unsigned long expires)
{
	memset(skb->cb, 0, sizeof(struct inet6_skb_parm));
	transmit(svti, skb, expires);
}

void svti_xmit_init(struct svti_dev *svti)
{
	ratelimit_state_init(&svti->acquires, HZ, SVTI_ACQUIRE_BURST);
	/* Counted instead of logged. */
	ratelimit_set_flags(&svti->acquires, RATELIMIT_MSG_ON_RELEASE);
}

/* ndo_start_xmit: under RCU, BH disabled, without a lock. */
netdev_tx_t svti_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct svti_dev *svti = netdev_priv(dev);
	struct svti_flow_key key;

	BUILD_BUG_ON(sizeof(struct inet_skb_parm) > sizeof(struct inet6_skb_parm));

	key.owner = svti->dom;
	if (svti_flow_key(skb, &key) && likely(transmit_known(svti, skb, &key)))
		return NETDEV_TX_OK;

	if (!svti_skb_family(skb) || !pskb_inet_may_pull(skb)) {
		svti_xmit_drop(svti, skb, SVTI_XSTATS_TX_MALFORMED);
		return NETDEV_TX_OK;
	}
	memset(skb->cb, 0, sizeof(struct inet6_skb_parm));
	transmit(svti, skb, 0);
	return NETDEV_TX_OK;
}
