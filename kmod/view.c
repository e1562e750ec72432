// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink family "svti" (see uapi/linux/svti.h): the SPD and SAD of an interface as it sees
 * them, and what it would do with a packet. Looks, and changes nothing.
 */
#include <linux/rtnetlink.h>
#include <net/genetlink.h>

#include "compat.h"
#include "device.h"
#include "pernet.h"
#include "receive.h"
#include "view.h"
#include "xmit.h"

static struct genl_family svti_view_family;

static const struct nla_policy svti_view_policy[SVTI_A_MARK + 1] = {
	[SVTI_A_IFINDEX]	= { .type = NLA_U32 },
	[SVTI_A_DIR]		= { .type = NLA_U8 },
	[SVTI_A_FAMILY]		= { .type = NLA_U8 },
	[SVTI_A_SADDR]		= { .type = NLA_BINARY, .len = sizeof(xfrm_address_t) },
	[SVTI_A_DADDR]		= { .type = NLA_BINARY, .len = sizeof(xfrm_address_t) },
	[SVTI_A_PROTO]		= { .type = NLA_U8 },
	[SVTI_A_SPORT]		= { .type = NLA_U16 },
	[SVTI_A_DPORT]		= { .type = NLA_U16 },
	[SVTI_A_MARK]		= { .type = NLA_U32 },
};

/* The interface that a request names, with a reference to its device; an error pointer. */
static struct svti_dev *requested_svti(struct sk_buff *skb, struct nlattr *attrs[],
				       struct netlink_ext_ack *extack)
{
	struct net *net = sock_net(skb->sk);
	struct net_device *dev;
	struct svti_dev *svti;

	if (!attrs[SVTI_A_IFINDEX]) {
		NL_SET_ERR_MSG(extack, "the interface is missing: SVTI_A_IFINDEX names it");
		return ERR_PTR(-EINVAL);
	}
	dev = dev_get_by_index(net, nla_get_u32(attrs[SVTI_A_IFINDEX]));
	if (!dev) {
		NL_SET_ERR_MSG_ATTR(extack, attrs[SVTI_A_IFINDEX], "there is no such interface");
		return ERR_PTR(-ENODEV);
	}
	if (!svti_is_svti(dev)) {
		dev_put(dev);
		NL_SET_ERR_MSG_ATTR(extack, attrs[SVTI_A_IFINDEX], "the interface is not an svti");
		return ERR_PTR(-EOPNOTSUPP);
	}
	svti = netdev_priv(dev);
	if (!netlink_ns_capable(skb, svti->net->user_ns, CAP_NET_ADMIN)) {
		dev_put(dev);
		NL_SET_ERR_MSG(extack, "CAP_NET_ADMIN is needed in the link namespace as well");
		return ERR_PTR(-EPERM);
	}
	return svti;
}

static int put_address(struct sk_buff *skb, int attr, const xfrm_address_t *addr, u16 family)
{
	return nla_put(skb, attr, family == AF_INET6 ? sizeof(addr->in6) : sizeof(addr->a4), addr);
}

static int put_policy(struct sk_buff *skb, const struct xfrm_policy *pol)
{
	const struct xfrm_selector *sel = &pol->selector;

	if (nla_put_u8(skb, SVTI_A_DIR, xfrm_policy_id2dir(pol->index)) ||
	    nla_put_u8(skb, SVTI_A_FAMILY, pol->family) ||
	    put_address(skb, SVTI_A_SADDR, &sel->saddr, pol->family) ||
	    put_address(skb, SVTI_A_DADDR, &sel->daddr, pol->family) ||
	    nla_put_u8(skb, SVTI_A_SRC_LEN, sel->prefixlen_s) ||
	    nla_put_u8(skb, SVTI_A_DST_LEN, sel->prefixlen_d) ||
	    nla_put_u8(skb, SVTI_A_PROTO, sel->proto) ||
	    nla_put_be16(skb, SVTI_A_SPORT, sel->sport) ||
	    nla_put_be16(skb, SVTI_A_SPORT_MASK, sel->sport_mask) ||
	    nla_put_be16(skb, SVTI_A_DPORT, sel->dport) ||
	    nla_put_be16(skb, SVTI_A_DPORT_MASK, sel->dport_mask) ||
	    nla_put_u32(skb, SVTI_A_MARK, pol->mark.v) ||
	    nla_put_u32(skb, SVTI_A_MARK_MASK, pol->mark.m) ||
	    nla_put_u32(skb, SVTI_A_INDEX, pol->index) ||
	    nla_put_u32(skb, SVTI_A_PRIORITY, pol->priority) ||
	    nla_put_u8(skb, SVTI_A_ACTION, pol->action) ||
	    nla_put_u8(skb, SVTI_A_TEMPLATES, pol->xfrm_nr) ||
	    nla_put_u8(skb, SVTI_A_TYPE, pol->type))
		return -EMSGSIZE;
	return 0;
}

/* svti_net.lock is held. */
static int put_place(struct sk_buff *skb, const struct svti_sp *sp)
{
	int epoch = sp->dom->epoch;
	const struct svti_sp_node *node = sp->place[epoch].node;
	const struct svti_sp_shape *shape;
	struct svti_sp_place *place;
	u32 position = 0;

	if (!node)
		return 0;
	shape = &node->key.shape;
	list_for_each_entry(place, &node->places, link) {
		if (place->sp == sp)
			break;
		position++;
	}
	if (nla_put_u8(skb, SVTI_A_HASHED, svti_sp_is_hashed(sp, epoch)) ||
	    nla_put_u8(skb, SVTI_A_BUCKET_SRC_LEN, shape->slen) ||
	    nla_put_u8(skb, SVTI_A_BUCKET_DST_LEN, shape->dlen) ||
	    nla_put_u8(skb, SVTI_A_BUCKET_PORTS,
		       shape->proto || shape->sport_len || shape->dport_len) ||
	    nla_put_u32(skb, SVTI_A_BUCKET_SIZE, node->count) ||
	    nla_put_u32(skb, SVTI_A_BUCKET_POS, position))
		return -EMSGSIZE;
	return 0;
}

static u8 usable(const struct xfrm_state *x)
{
	if (READ_ONCE(x->km.state) != XFRM_STATE_VALID)
		return 0;
	return x->km.dying ? 2 : 1;
}

static int put_state(struct sk_buff *skb, const struct svti_sa *sa)
{
	const struct xfrm_state *x = sa->x;

	if (nla_put_be32(skb, SVTI_A_SPI, x->id.spi) ||
	    nla_put_u32(skb, SVTI_A_REQID, x->props.reqid) ||
	    nla_put_u8(skb, SVTI_A_MODE, x->props.mode) ||
	    nla_put_u8(skb, SVTI_A_OUTBOUND, sa->outbound) ||
	    nla_put_u8(skb, SVTI_A_USABLE, usable(x)))
		return -EMSGSIZE;
	return 0;
}

/* Room that the cached bundles leave for inner packets; 0 without one. RCU or svti_net.lock. */
static u32 bundle_mtu(const struct svti_sa *sa)
{
	struct dst_entry *bundle;
	int i;

	for (i = 0; i < ARRAY_SIZE(sa->bundle); i++) {
		bundle = rcu_dereference_check(sa->bundle[i],
					       lockdep_is_held(&sa->dom->sn->lock));
		if (bundle)
			return dst_mtu(bundle);
	}
	return 0;
}

static int fill_policy(struct sk_buff *skb, struct netlink_callback *cb, const struct svti_sp *sp)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				&svti_view_family, NLM_F_MULTI, SVTI_CMD_GET_POLICY);

	if (!hdr)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, hdr);
	if (put_policy(skb, sp->pol) || put_place(skb, sp)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

static int fill_state(struct sk_buff *skb, struct netlink_callback *cb, const struct svti_sa *sa)
{
	const struct xfrm_state *x = sa->x;
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				&svti_view_family, NLM_F_MULTI, SVTI_CMD_GET_STATE);
	u32 mtu = bundle_mtu(sa);

	if (!hdr)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, hdr);
	if (nla_put_u8(skb, SVTI_A_FAMILY, x->props.family) ||
	    put_address(skb, SVTI_A_SADDR, &x->props.saddr, x->props.family) ||
	    put_address(skb, SVTI_A_DADDR, &x->id.daddr, x->props.family) ||
	    nla_put_u8(skb, SVTI_A_PROTO, x->id.proto) ||
	    put_state(skb, sa) ||
	    (sa->outbound && nla_put_u8(skb, SVTI_A_WAY, svti_state_way(x))) ||
	    (mtu && nla_put_u32(skb, SVTI_A_MTU, mtu))) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/*
 * How many entries have been sent is what a dump keeps between two messages; a change in between is
 * told by the generation, and whoever asked begins again.
 */
static int dump_policies(struct sk_buff *skb, struct netlink_callback *cb, struct svti_domain *dom)
{
	long at = 0, skip = cb->args[0];
	struct svti_sp *sp;
	int err = 0;

	cb->seq = dom->spd_gen;
	list_for_each_entry(sp, &dom->sps, in_dom) {
		if (at++ < skip)
			continue;
		err = fill_policy(skb, cb, sp);
		if (err)
			break;
		cb->args[0] = at;
	}
	return err;
}

static int dump_states(struct sk_buff *skb, struct netlink_callback *cb, struct svti_domain *dom)
{
	long at = 0, skip = cb->args[0];
	struct svti_sa *sa;
	int err = 0;

	cb->seq = dom->sas_gen;
	list_for_each_entry(sa, &dom->sas, in_dom) {
		if (at++ < skip)
			continue;
		err = fill_state(skb, cb, sa);
		if (err)
			break;
		cb->args[0] = at;
	}
	return err;
}

static int dump(struct sk_buff *skb, struct netlink_callback *cb,
		int (*dump_list)(struct sk_buff *skb, struct netlink_callback *cb,
				 struct svti_domain *dom))
{
	struct svti_dev *svti;
	struct svti_net *sn;
	int err;

	svti = requested_svti(cb->skb, svti_compat_dump_attrs(cb), cb->extack);
	if (IS_ERR(svti))
		return PTR_ERR(svti);

	/* The domain outlives its interface by a grace period. */
	rcu_read_lock();
	sn = svti_pernet(svti->net);
	spin_lock_bh(&sn->lock);
	err = rcu_access_pointer(svti->dom->svti) == svti ? dump_list(skb, cb, svti->dom) : -ENODEV;
	spin_unlock_bh(&sn->lock);
	rcu_read_unlock();
	dev_put(svti->dev);

	/* What did not fit comes with the next message, unless not even one entry fits. */
	return err == -EMSGSIZE && skb->len ? skb->len : err ? : skb->len;
}

static int svti_dump_policies(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump(skb, cb, dump_policies);
}

static int svti_dump_states(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump(skb, cb, dump_states);
}

static int requested_flow(struct nlattr *attrs[], u8 *dir, struct flowi *fl,
			  struct netlink_ext_ack *extack)
{
	u8 family = attrs[SVTI_A_FAMILY] ? nla_get_u8(attrs[SVTI_A_FAMILY]) : 0;
	u8 proto = attrs[SVTI_A_PROTO] ? nla_get_u8(attrs[SVTI_A_PROTO]) : 0;
	int size = family == AF_INET6 ? sizeof(struct in6_addr) : sizeof(__be32);
	union flowi_uli *uli = family == AF_INET6 ? &fl->u.ip6.uli : &fl->u.ip4.uli;
	__be16 sport = attrs[SVTI_A_SPORT] ? nla_get_be16(attrs[SVTI_A_SPORT]) : 0;
	__be16 dport = attrs[SVTI_A_DPORT] ? nla_get_be16(attrs[SVTI_A_DPORT]) : 0;

	memset(fl, 0, sizeof(*fl));
	*dir = attrs[SVTI_A_DIR] ? nla_get_u8(attrs[SVTI_A_DIR]) : XFRM_POLICY_OUT;
	if (*dir != XFRM_POLICY_OUT && *dir != XFRM_POLICY_IN) {
		NL_SET_ERR_MSG(extack, "the direction of a packet is in or out");
		return -EINVAL;
	}
	if (family != AF_INET && family != AF_INET6) {
		NL_SET_ERR_MSG(extack, "the family of a packet is IPv4 or IPv6");
		return -EAFNOSUPPORT;
	}
	if (!attrs[SVTI_A_SADDR] || nla_len(attrs[SVTI_A_SADDR]) != size ||
	    !attrs[SVTI_A_DADDR] || nla_len(attrs[SVTI_A_DADDR]) != size) {
		NL_SET_ERR_MSG(extack, "a packet has two addresses, both of its family");
		return -EINVAL;
	}

	if (family == AF_INET) {
		fl->u.ip4.saddr = nla_get_in_addr(attrs[SVTI_A_SADDR]);
		fl->u.ip4.daddr = nla_get_in_addr(attrs[SVTI_A_DADDR]);
	} else {
		fl->u.ip6.saddr = nla_get_in6_addr(attrs[SVTI_A_SADDR]);
		fl->u.ip6.daddr = nla_get_in6_addr(attrs[SVTI_A_DADDR]);
	}
	fl->flowi_proto = proto;
	fl->flowi_mark = attrs[SVTI_A_MARK] ? nla_get_u32(attrs[SVTI_A_MARK]) : 0;
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) {
		uli->icmpt.type = ntohs(sport);
		uli->icmpt.code = ntohs(dport);
	} else {
		uli->ports.sport = sport;
		uli->ports.dport = dport;
	}
	return family;
}

static int put_trace(struct sk_buff *skb, const struct svti_trace *trace)
{
	if (nla_put_u32(skb, SVTI_A_VERDICT, trace->verdict) ||
	    nla_put_u32(skb, SVTI_A_TUPLES, trace->visit.tuples) ||
	    nla_put_u32(skb, SVTI_A_PROBES, trace->visit.probes) ||
	    nla_put_u32(skb, SVTI_A_CANDIDATES, trace->visit.candidates) ||
	    nla_put_u8(skb, SVTI_A_WAY, trace->way) ||
	    (trace->mtu && nla_put_u32(skb, SVTI_A_MTU, trace->mtu)) ||
	    (trace->out && nla_put_u32(skb, SVTI_A_OUT_IFINDEX, trace->out)) ||
	    (trace->sp && put_policy(skb, trace->sp->pol)) ||
	    (trace->sa && put_state(skb, trace->sa)))
		return -EMSGSIZE;
	return 0;
}

static int svti_view_trace(struct sk_buff *skb, struct genl_info *info)
{
	struct svti_trace trace;
	struct svti_dev *svti;
	struct sk_buff *msg;
	struct flowi fl;
	int family, err;
	void *hdr;
	u8 dir;

	family = requested_flow(info->attrs, &dir, &fl, info->extack);
	if (family < 0)
		return family;
	svti = requested_svti(skb, info->attrs, info->extack);
	if (IS_ERR(svti))
		return PTR_ERR(svti);

	err = -ENOMEM;
	msg = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		goto out;
	hdr = genlmsg_put_reply(msg, info, &svti_view_family, 0, SVTI_CMD_TRACE);
	if (!hdr)
		goto free;

	local_bh_disable();
	rcu_read_lock();
	if (dir == XFRM_POLICY_OUT)
		svti_xmit_trace(svti, &fl, family, &trace);
	else
		svti_receive_trace(svti, &fl, family, &trace);
	err = put_trace(msg, &trace);
	rcu_read_unlock();
	local_bh_enable();
	if (err)
		goto free;

	genlmsg_end(msg, hdr);
	dev_put(svti->dev);
	return genlmsg_reply(msg, info);

free:
	nlmsg_free(msg);
out:
	dev_put(svti->dev);
	return err;
}

static const struct genl_small_ops svti_view_ops[] = {
	{
		.cmd		= SVTI_CMD_GET_POLICY,
		.flags		= GENL_UNS_ADMIN_PERM,
		.dumpit		= svti_dump_policies,
	},
	{
		.cmd		= SVTI_CMD_GET_STATE,
		.flags		= GENL_UNS_ADMIN_PERM,
		.dumpit		= svti_dump_states,
	},
	{
		.cmd		= SVTI_CMD_TRACE,
		.flags		= GENL_UNS_ADMIN_PERM,
		.doit		= svti_view_trace,
	},
};

static struct genl_family svti_view_family __ro_after_init = {
	.name		= SVTI_GENL_NAME,
	.version	= SVTI_GENL_VERSION,
	.maxattr	= SVTI_A_MARK,
	.policy		= svti_view_policy,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.small_ops	= svti_view_ops,
	.n_small_ops	= ARRAY_SIZE(svti_view_ops),
	.resv_start_op	= SVTI_CMD_GET_POLICY,
};

int __init svti_view_register(void)
{
	return genl_register_family(&svti_view_family);
}

void svti_view_unregister(void)
{
	genl_unregister_family(&svti_view_family);
}

MODULE_ALIAS_GENL_FAMILY(SVTI_GENL_NAME);
