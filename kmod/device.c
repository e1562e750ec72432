// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network device: its life from setup to destructor, its counters, and what it does when
 * devices come and go.
 */
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/inetdevice.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>
#include <net/ip6_route.h>
#include <net/ip_tunnels.h>
#include <net/route.h>

#include "compat.h"
#include "device.h"
#include "flow.h"
#include "hold.h"
#include "link.h"
#include "pernet.h"
#include "xmit.h"

#define SVTI_FEATURES (NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_GSO_SOFTWARE | NETIF_F_HW_CSUM)

/*
 * Outer IPv6 and UDP headers, ESP header and IV in front; padding, its length, next header and ICV
 * behind.
 */
#define SVTI_HEADROOM (LL_MAX_HEADER + 40 + 8 + 8 + 16)
#define SVTI_TAILROOM (16 + 2 + 64)

/**
 * svti_count() - count a packet by reason
 * @svti: the interface
 * @reason: SVTI_XSTATS_*
 *
 * BH is disabled.
 */
void svti_count(struct svti_dev *svti, int reason)
{
	struct svti_xstats *stats = this_cpu_ptr(svti->xstats);

	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(&stats->count[reason]);
	u64_stats_update_end(&stats->syncp);
}

/* The sum over all CPUs. */
u64 svti_xstats_read(const struct svti_dev *svti, int reason)
{
	unsigned int start;
	u64 sum = 0, n;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct svti_xstats *stats = per_cpu_ptr(svti->xstats, cpu);

		do {
			start = u64_stats_fetch_begin(&stats->syncp);
			n = u64_stats_read(&stats->count[reason]);
		} while (u64_stats_fetch_retry(&stats->syncp, start));
		sum += n;
	}
	return sum;
}

static void free_stats(struct svti_dev *svti)
{
	free_percpu(svti->xstats);
	svti->xstats = NULL;
	free_percpu(svti->dev->tstats);
	svti->dev->tstats = NULL;
}

static int svti_dev_init(struct net_device *dev)
{
	struct svti_dev *svti = netdev_priv(dev);
	int cpu, err;

	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	svti->xstats = alloc_percpu(struct svti_xstats);
	err = -ENOMEM;
	if (!dev->tstats || !svti->xstats)
		goto err_stats;
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(svti->xstats, cpu)->syncp);

	svti_hold_init(svti);
	svti_xmit_init(svti);

	err = svti_net_attach(svti_pernet(svti->net), svti);
	if (err)
		goto err_stats;
	err = svti_spd_rehash(svti->dom, svti->sp_hash);
	if (err)
		goto err_rehash;
	return 0;

err_rehash:
	svti_net_detach(svti);
err_stats:
	free_stats(svti);
	return err;
}

static void svti_dev_uninit(struct net_device *dev)
{
	struct svti_dev *svti = netdev_priv(dev);

	svti_net_detach(svti);
	/* Nobody finds the interface by its domain now, so nobody starts the work again. */
	cancel_delayed_work_sync(&svti->hold_work);
}

static void svti_dev_free(struct net_device *dev)
{
	free_stats(netdev_priv(dev));
}

/*
 * The route an inner packet took to the interface is not kept in a bundle, since many flows share
 * one. In its place stands a route that leads to the interface and nowhere else. XFRM looks at its
 * MTU; and netfilter falls back to it when NAT changed the packet after it was matched, which thus
 * comes to the interface again and is matched again. It must never be the outer route: that is how
 * a packet would leave in clear.
 */
static struct dst_entry *inner_route4(struct net_device *dev)
{
	struct rtable *rt = rt_dst_alloc(dev, 0, RTN_UNICAST, true);

	if (!rt)
		return NULL;
	rt->dst.obsolete = DST_OBSOLETE_NONE;	/* it belongs to no table that could change */
	return &rt->dst;
}

static struct dst_entry *inner_route6(struct net_device *dev)
{
	struct rt6_info *rt;

	if (!IS_ENABLED(CONFIG_IPV6) || !ipv6_mod_enabled())
		return NULL;
	rt = ip6_dst_alloc(dev_net(dev), dev, 0);
	if (!rt)
		return NULL;
	rt->dst.obsolete = DST_OBSOLETE_NONE;
	return &rt->dst;
}

static int svti_dev_open(struct net_device *dev)
{
	struct svti_dev *svti = netdev_priv(dev);
	struct svti_net *sn = svti->dom->sn;
	struct dst_entry *inner4, *inner6;

	inner4 = inner_route4(dev);
	inner6 = inner_route6(dev);
	if (!inner4 || (!inner6 && ipv6_mod_enabled())) {
		dst_release(inner4);
		dst_release(inner6);
		return -ENOMEM;
	}

	spin_lock_bh(&sn->lock);
	rcu_assign_pointer(svti->inner[0], inner4);
	rcu_assign_pointer(svti->inner[1], inner6);
	svti->open = true;
	svti_link_follow(svti->dom);
	spin_unlock_bh(&sn->lock);

	svti_hold_open(svti);
	return 0;
}

static int svti_dev_stop(struct net_device *dev)
{
	struct svti_dev *svti = netdev_priv(dev);
	struct svti_net *sn = svti->dom->sn;
	int i;

	svti_hold_close(svti);

	/* Whoever still transmits finds no route to build a bundle on, and may not cache one. */
	spin_lock_bh(&sn->lock);
	svti->open = false;
	svti_sad_drop_bundles(sn, svti->dom);
	for (i = 0; i < ARRAY_SIZE(svti->inner); i++)
		dst_release(rcu_replace_pointer(svti->inner[i], NULL, lockdep_is_held(&sn->lock)));
	spin_unlock_bh(&sn->lock);
	return 0;
}

static int svti_dev_get_iflink(const struct net_device *dev)
{
	const struct svti_dev *svti = netdev_priv(dev);
	int link = READ_ONCE(svti->link);

	return link ? link : dev->ifindex;	/* its own: none */
}

/* Whoever sets an MTU but link.c means it to stay. */
static int svti_dev_change_mtu(struct net_device *dev, int mtu)
{
	struct svti_dev *svti = netdev_priv(dev);

	WRITE_ONCE(dev->mtu, mtu);
	if (!svti->mtu_by_us)
		svti->mtu_fixed = true;
	return 0;
}

const struct net_device_ops svti_netdev_ops = {
	.ndo_init		= svti_dev_init,
	.ndo_uninit		= svti_dev_uninit,
	.ndo_open		= svti_dev_open,
	.ndo_stop		= svti_dev_stop,
	.ndo_start_xmit		= svti_xmit,
	.ndo_change_mtu		= svti_dev_change_mtu,
	.ndo_get_stats64	= dev_get_tstats64,
	.ndo_get_iflink		= svti_dev_get_iflink,
};

static const char svti_stat_names[][ETH_GSTRING_LEN] = {
	[0 ... SVTI_XSTATS_MAX - 1] = "",
	[SVTI_COUNT_TX_LOOKUP - 1]		= "tx-full-lookup",
	[SVTI_COUNT_RX_LOOKUP - 1]		= "rx-full-lookup",
	[SVTI_COUNT_TX_BUNDLE - 1]		= "tx-bundle-built",
	[SVTI_COUNT_TX_ACQUIRE - 1]		= "tx-acquire",
	[SVTI_COUNT_TX_ACQUIRE_LIMIT - 1]	= "tx-acquire-limited",
};

static int svti_get_sset_count(struct net_device *dev, int sset)
{
	return sset == ETH_SS_STATS ? ARRAY_SIZE(svti_stat_names) : -EOPNOTSUPP;
}

static void svti_get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	static const char *const reasons[] = SVTI_XSTATS_NAMES;
	int i;

	BUILD_BUG_ON(ARRAY_SIZE(reasons) != SVTI_XSTATS_MAX);

	if (sset != ETH_SS_STATS)
		return;
	memcpy(data, svti_stat_names, sizeof(svti_stat_names));
	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		strscpy(data + i * ETH_GSTRING_LEN, reasons[i], ETH_GSTRING_LEN);
}

static void svti_get_ethtool_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	struct svti_dev *svti = netdev_priv(dev);
	int i;

	for (i = 0; i < ARRAY_SIZE(svti_stat_names); i++)
		data[i] = svti_xstats_read(svti, i + 1);
}

static void svti_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "svti", sizeof(info->driver));
}

static const struct ethtool_ops svti_ethtool_ops = {
	.get_drvinfo		= svti_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_sset_count		= svti_get_sset_count,
	.get_strings		= svti_get_strings,
	.get_ethtool_stats	= svti_get_ethtool_stats,
};

/* rtnl_link_ops.setup: what all interfaces have in common. */
void svti_setup(struct net_device *dev)
{
	struct svti_dev *svti = netdev_priv(dev);

	svti->dev = dev;
	svti_spd_default_hash(svti->sp_hash);

	dev->netdev_ops = &svti_netdev_ops;
	dev->ethtool_ops = &svti_ethtool_ops;
	dev->header_ops = &ip_tunnel_header_ops;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_NOARP;
	dev->mtu = ETH_DATA_LEN;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = IP_MAX_MTU;
	dev->needed_headroom = SVTI_HEADROOM;
	dev->needed_tailroom = SVTI_TAILROOM;
	dev->features |= SVTI_FEATURES;
	dev->hw_features |= SVTI_FEATURES;
	dev->needs_free_netdev = true;
	dev->priv_destructor = svti_dev_free;
	svti_compat_set_lltx(dev);
	netif_keep_dst(dev);
	/* Until it is up and has an SA; nobody is told before it is registered. See link.c. */
	set_bit(__LINK_STATE_DORMANT, &dev->state);
}

/*
 * The SVTI has compared what it received with its own SPD. The stock SPD must not have another say,
 * for it does not know the SVTI and refuses what it has no policy for; neither must it claim IPv4
 * packets on their way out to the SVTI.
 */
static void exempt_from_stock_spd(struct net_device *dev)
{
	struct in_device *in_dev = __in_dev_get_rtnl(dev);
	struct inet6_dev *idev = __in6_dev_get(dev);

	if (in_dev) {
		IN_DEV_CONF_SET(in_dev, NOPOLICY, 1);
		IN_DEV_CONF_SET(in_dev, NOXFRM, 1);
	}
	if (idev)
		WRITE_ONCE(idev->cnf.disable_policy, 1);
}

static void forget_device(struct net_device *dev)
{
	struct svti_net *sn = svti_pernet(dev_net(dev));

	if (!READ_ONCE(sn->enabled))
		return;

	spin_lock_bh(&sn->lock);
	svti_sad_drop_device(sn, dev);
	/*
	 * The kernel removes states and policies of an offload device without telling key managers.
	 */
	if (dev->features & NETIF_F_HW_ESP)
		svti_net_rescan(sn, 0);
	spin_unlock_bh(&sn->lock);
}

static void paths_changed(struct net_device *dev)
{
	struct svti_net *sn = svti_pernet(dev_net(dev));

	if (!READ_ONCE(sn->enabled))
		return;
	spin_lock_bh(&sn->lock);
	svti_link_paths_changed(sn);
	spin_unlock_bh(&sn->lock);
}

static void address_changed(struct net *net, const xfrm_address_t *addr, u16 family)
{
	struct svti_net *sn = svti_pernet(net);

	if (!READ_ONCE(sn->enabled))
		return;
	spin_lock_bh(&sn->lock);
	svti_sad_address_changed(sn, addr, family);
	spin_unlock_bh(&sn->lock);
}

static int svti_inetaddr_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct in_ifaddr *ifa = ptr;
	xfrm_address_t addr = { .a4 = ifa->ifa_local };

	address_changed(dev_net(ifa->ifa_dev->dev), &addr, AF_INET);
	return NOTIFY_DONE;
}

static int svti_inet6addr_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct inet6_ifaddr *ifa = ptr;
	xfrm_address_t addr = { .in6 = ifa->addr };

	address_changed(dev_net(ifa->idev->dev), &addr, AF_INET6);
	return NOTIFY_DONE;
}

static int svti_netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	switch (event) {
	case NETDEV_REGISTER:
	case NETDEV_UP:
	case NETDEV_CHANGEMTU:		/* IPv6 comes and goes with 1280 */
		if (svti_is_svti(dev))
			exempt_from_stock_spd(dev);
		else if (event == NETDEV_CHANGEMTU)
			paths_changed(dev);
		break;
	case NETDEV_DOWN:
	case NETDEV_UNREGISTER:
		forget_device(dev);
		break;
	}
	return NOTIFY_DONE;
}

/* After IPv4 and IPv6, which give the device its configuration, and after XFRM, which flushes. */
static struct notifier_block svti_netdev_notifier = {
	.notifier_call	= svti_netdev_event,
	.priority	= INT_MIN + 1,
};

/* After the FIB, which knows then which addresses are local. */
static struct notifier_block svti_inetaddr_notifier = {
	.notifier_call	= svti_inetaddr_event,
	.priority	= INT_MIN + 1,
};

static struct notifier_block svti_inet6addr_notifier = {
	.notifier_call	= svti_inet6addr_event,
	.priority	= INT_MIN + 1,
};

int svti_notifier_register(void)
{
	int err;

	err = register_netdevice_notifier(&svti_netdev_notifier);
	if (err)
		return err;
	err = register_inetaddr_notifier(&svti_inetaddr_notifier);
	if (err)
		goto err_inetaddr;
	err = register_inet6addr_notifier(&svti_inet6addr_notifier);
	if (err)
		goto err_inet6addr;
	return 0;

err_inet6addr:
	unregister_inetaddr_notifier(&svti_inetaddr_notifier);
err_inetaddr:
	unregister_netdevice_notifier(&svti_netdev_notifier);
	return err;
}

void svti_notifier_unregister(void)
{
	unregister_inet6addr_notifier(&svti_inet6addr_notifier);
	unregister_inetaddr_notifier(&svti_inetaddr_notifier);
	unregister_netdevice_notifier(&svti_netdev_notifier);
}
