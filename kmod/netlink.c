// SPDX-License-Identifier: GPL-2.0-only
/*
 * rtnetlink: links of kind "svti" (see uapi/linux/svti.h).
 */
#include <linux/module.h>
#include <net/rtnetlink.h>

#include "device.h"
#include "flow.h"
#include "link.h"
#include "netlink.h"
#include "pernet.h"

static const struct nla_policy svti_policy[IFLA_SVTI_MAX + 1] = {
	[IFLA_SVTI_UNSPEC]	= { .strict_start_type = IFLA_SVTI_ID },
	[IFLA_SVTI_ID]		= { .type = NLA_U32 },
	[IFLA_SVTI_LINK]	= { .type = NLA_U32 },
	[IFLA_SVTI_SP_HASH_IPV4_LOCAL]	= { .type = NLA_U8 },
	[IFLA_SVTI_SP_HASH_IPV4_REMOTE]	= { .type = NLA_U8 },
	[IFLA_SVTI_SP_HASH_IPV6_LOCAL]	= { .type = NLA_U8 },
	[IFLA_SVTI_SP_HASH_IPV6_REMOTE]	= { .type = NLA_U8 },
	[IFLA_SVTI_AUTO_MTU]	= NLA_POLICY_MAX(NLA_U8, 1),
	[IFLA_SVTI_SA_PER_CPU]	= NLA_POLICY_MAX(NLA_U8, 1),
};

/* The thresholds among the attributes in place of those in @hash. */
static void requested_sp_hash(struct nlattr *data[], struct svti_sp_hash hash[2])
{
	if (!data)
		return;
	if (data[IFLA_SVTI_SP_HASH_IPV4_LOCAL])
		hash[0].local = nla_get_u8(data[IFLA_SVTI_SP_HASH_IPV4_LOCAL]);
	if (data[IFLA_SVTI_SP_HASH_IPV4_REMOTE])
		hash[0].remote = nla_get_u8(data[IFLA_SVTI_SP_HASH_IPV4_REMOTE]);
	if (data[IFLA_SVTI_SP_HASH_IPV6_LOCAL])
		hash[1].local = nla_get_u8(data[IFLA_SVTI_SP_HASH_IPV6_LOCAL]);
	if (data[IFLA_SVTI_SP_HASH_IPV6_REMOTE])
		hash[1].remote = nla_get_u8(data[IFLA_SVTI_SP_HASH_IPV6_REMOTE]);
}

static int validate_sp_hash(struct nlattr *data[], struct netlink_ext_ack *extack)
{
	int i;

	for (i = IFLA_SVTI_SP_HASH_IPV4_LOCAL; i <= IFLA_SVTI_SP_HASH_IPV4_REMOTE; i++) {
		if (data[i] && nla_get_u8(data[i]) > 32) {
			NL_SET_ERR_MSG_ATTR(extack, data[i],
					    "sp-hash: an IPv4 prefix length is from 0 to 32");
			return -ERANGE;
		}
	}
	for (i = IFLA_SVTI_SP_HASH_IPV6_LOCAL; i <= IFLA_SVTI_SP_HASH_IPV6_REMOTE; i++) {
		if (data[i] && nla_get_u8(data[i]) > 128) {
			NL_SET_ERR_MSG_ATTR(extack, data[i],
					    "sp-hash: an IPv6 prefix length is from 0 to 128");
			return -ERANGE;
		}
	}
	return 0;
}

static int svti_validate(struct nlattr *tb[], struct nlattr *data[], struct netlink_ext_ack *extack)
{
	if (data && data[IFLA_SVTI_ID] && !nla_get_u32(data[IFLA_SVTI_ID])) {
		NL_SET_ERR_MSG_ATTR(extack, data[IFLA_SVTI_ID],
				    "svti-id 0 is no interface: give a number from 1 to 4294967295");
		return -EINVAL;
	}
	if (tb[IFLA_ADDRESS]) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_ADDRESS], "an svti has no link-layer address");
		return -EINVAL;
	}
	return data ? validate_sp_hash(data, extack) : 0;
}

/* The underlying link that the request names, in either attribute; 0 for none, negative error. */
static int requested_link(struct net *net, struct nlattr *tb[], struct nlattr *data[],
			  struct netlink_ext_ack *extack)
{
	u32 link = tb[IFLA_LINK] ? nla_get_u32(tb[IFLA_LINK]) : 0;

	if (data && data[IFLA_SVTI_LINK]) {
		u32 own = nla_get_u32(data[IFLA_SVTI_LINK]);

		if (tb[IFLA_LINK] && own != link) {
			NL_SET_ERR_MSG(extack, "two different underlying links are given");
			return -EINVAL;
		}
		link = own;
	}
	if (link && (link > INT_MAX || !__dev_get_by_index(net, link))) {
		NL_SET_ERR_MSG(extack, "the underlying link does not exist in the link namespace");
		return -ENODEV;
	}
	return link;
}

static bool id_is_taken(struct net *net, u32 id)
{
	struct svti_domain *dom;
	bool taken;

	ASSERT_RTNL();

	rcu_read_lock();
	dom = svti_domain_lookup(svti_pernet(net), id);
	taken = dom && rcu_access_pointer(dom->svti);
	rcu_read_unlock();
	return taken;
}

static int svti_newlink(struct net *src_net, struct net_device *dev, struct nlattr *tb[],
			struct nlattr *data[], struct netlink_ext_ack *extack)
{
	struct svti_dev *svti = netdev_priv(dev);
	int link;
	u32 id;

	if (!data || !data[IFLA_SVTI_ID]) {
		NL_SET_ERR_MSG(extack, "svti-id is missing: give a number from 1 to 4294967295");
		return -EINVAL;
	}
	id = nla_get_u32(data[IFLA_SVTI_ID]);
	if (id_is_taken(src_net, id)) {
		NL_SET_ERR_MSG_ATTR(extack, data[IFLA_SVTI_ID],
				    "another svti has this svti-id in the link namespace");
		return -EEXIST;
	}
	link = requested_link(src_net, tb, data, extack);
	if (link < 0)
		return link;

	svti->net = src_net;
	svti->id = id;
	svti->link = link;
	svti->mtu_fixed = tb[IFLA_MTU];
	if (data[IFLA_SVTI_AUTO_MTU])
		svti->mtu_fixed = !nla_get_u8(data[IFLA_SVTI_AUTO_MTU]);
	svti->sa_per_cpu = data[IFLA_SVTI_SA_PER_CPU] && nla_get_u8(data[IFLA_SVTI_SA_PER_CPU]);
	requested_sp_hash(data, svti->sp_hash);
	return register_netdevice(dev);
}

static int svti_changelink(struct net_device *dev, struct nlattr *tb[], struct nlattr *data[],
			   struct netlink_ext_ack *extack)
{
	struct svti_dev *svti = netdev_priv(dev);
	struct svti_net *sn = svti->dom->sn;
	struct svti_sp_hash sp_hash[2];
	int link = svti->link, err;

	if (!rtnl_dev_link_net_capable(dev, svti->net)) {
		NL_SET_ERR_MSG(extack, "CAP_NET_ADMIN is needed in the link namespace as well");
		return -EPERM;
	}
	if (data && data[IFLA_SVTI_ID] && nla_get_u32(data[IFLA_SVTI_ID]) != svti->id) {
		NL_SET_ERR_MSG_ATTR(extack, data[IFLA_SVTI_ID],
				    "svti-id is fixed for the life of the interface: delete it and make another");
		return -EOPNOTSUPP;
	}
	if (tb[IFLA_LINK] || (data && data[IFLA_SVTI_LINK])) {
		link = requested_link(svti->net, tb, data, extack);
		if (link < 0)
			return link;
	}

	/* What can fail comes first, so that a request is carried out whole or not at all. */
	memcpy(sp_hash, svti->sp_hash, sizeof(sp_hash));
	requested_sp_hash(data, sp_hash);
	err = svti_spd_rehash(svti->dom, sp_hash);
	if (err) {
		NL_SET_ERR_MSG(extack, "no memory to hash the policies anew: nothing was changed");
		return err;
	}
	memcpy(svti->sp_hash, sp_hash, sizeof(sp_hash));

	spin_lock_bh(&sn->lock);
	if (link != svti->link) {
		WRITE_ONCE(svti->link, link);
		/* The outer routes in the bundles are by the former link. */
		svti_sad_drop_bundles(sn, svti->dom);
		svti_flow_forget_all();
		svti_link_paths_changed(sn);
	}
	if (data && data[IFLA_SVTI_SA_PER_CPU]) {
		svti->sa_per_cpu = nla_get_u8(data[IFLA_SVTI_SA_PER_CPU]);
		WRITE_ONCE(svti->dom->sa_per_cpu, svti->sa_per_cpu);
		svti_flow_forget_all();
	}
	if (data && data[IFLA_SVTI_AUTO_MTU]) {
		svti->mtu_fixed = !nla_get_u8(data[IFLA_SVTI_AUTO_MTU]);
		svti_link_follow(svti->dom);
	}
	spin_unlock_bh(&sn->lock);
	netdev_state_change(dev);
	return 0;
}

static void svti_dellink(struct net_device *dev, struct list_head *head)
{
	struct svti_dev *svti = netdev_priv(dev);

	svti->dying = true;
	unregister_netdevice_queue(dev, head);
}

static size_t svti_get_size(const struct net_device *dev)
{
	return nla_total_size(sizeof(u32)) +	/* IFLA_SVTI_ID */
	       nla_total_size(sizeof(u32)) +	/* IFLA_SVTI_LINK */
	       4 * nla_total_size(sizeof(u8)) +	/* IFLA_SVTI_SP_HASH_... */
	       nla_total_size(sizeof(u8)) +	/* IFLA_SVTI_AUTO_MTU */
	       nla_total_size(sizeof(u8));	/* IFLA_SVTI_SA_PER_CPU */
}

static int svti_fill_info(struct sk_buff *skb, const struct net_device *dev)
{
	const struct svti_dev *svti = netdev_priv(dev);
	u32 link = READ_ONCE(svti->link);

	if (nla_put_u32(skb, IFLA_SVTI_ID, svti->id) ||
	    (link && nla_put_u32(skb, IFLA_SVTI_LINK, link)) ||
	    nla_put_u8(skb, IFLA_SVTI_SP_HASH_IPV4_LOCAL, svti->sp_hash[0].local) ||
	    nla_put_u8(skb, IFLA_SVTI_SP_HASH_IPV4_REMOTE, svti->sp_hash[0].remote) ||
	    nla_put_u8(skb, IFLA_SVTI_SP_HASH_IPV6_LOCAL, svti->sp_hash[1].local) ||
	    nla_put_u8(skb, IFLA_SVTI_SP_HASH_IPV6_REMOTE, svti->sp_hash[1].remote) ||
	    nla_put_u8(skb, IFLA_SVTI_AUTO_MTU, !svti->mtu_fixed) ||
	    nla_put_u8(skb, IFLA_SVTI_SA_PER_CPU, svti->sa_per_cpu))
		return -EMSGSIZE;
	return 0;
}

static size_t svti_get_xstats_size(const struct net_device *dev)
{
	return nla_total_size(0) +		/* IFLA_INFO_XSTATS */
	       SVTI_XSTATS_MAX * nla_total_size_64bit(sizeof(u64));
}

static int svti_fill_xstats(struct sk_buff *skb, const struct net_device *dev)
{
	const struct svti_dev *svti = netdev_priv(dev);
	struct nlattr *nest;
	int i;

	nest = nla_nest_start(skb, IFLA_INFO_XSTATS);
	if (!nest)
		return -EMSGSIZE;
	for (i = SVTI_XSTATS_UNSPEC + 1; i <= SVTI_XSTATS_MAX; i++) {
		if (nla_put_u64_64bit(skb, i, svti_xstats_read(svti, i), SVTI_XSTATS_UNSPEC)) {
			nla_nest_cancel(skb, nest);
			return -EMSGSIZE;
		}
	}
	nla_nest_end(skb, nest);
	return 0;
}

static struct net *svti_get_link_net(const struct net_device *dev)
{
	const struct svti_dev *svti = netdev_priv(dev);

	return READ_ONCE(svti->net);
}

static struct rtnl_link_ops svti_link_ops __read_mostly = {
	.kind			= "svti",
	.maxtype		= IFLA_SVTI_MAX,
	.policy			= svti_policy,
	.priv_size		= sizeof(struct svti_dev),
	.setup			= svti_setup,
	.validate		= svti_validate,
	.newlink		= svti_newlink,
	.changelink		= svti_changelink,
	.dellink		= svti_dellink,
	.get_size		= svti_get_size,
	.fill_info		= svti_fill_info,
	.get_xstats_size	= svti_get_xstats_size,
	.fill_xstats		= svti_fill_xstats,
	.get_link_net		= svti_get_link_net,
};

int svti_netlink_register(void)
{
	return rtnl_link_register(&svti_link_ops);
}

/* All interfaces are gone when this returns. */
void svti_netlink_unregister(void)
{
	rtnl_link_unregister(&svti_link_ops);
}

MODULE_ALIAS_RTNL_LINK("svti");
