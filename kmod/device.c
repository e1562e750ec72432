// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network device: its life from setup to destructor, its counters, and what it does when
 * devices come and go.
 */
#include <linux/if_arp.h>
#include <linux/inetdevice.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>
#include <net/ip6_route.h>
#include <net/ip_tunnels.h>
#include <net/route.h>

#include "compat.h"
#include "device.h"
#include "hold.h"
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

const struct net_device_ops svti_netdev_ops = {
	.ndo_init		= svti_dev_init,
	.ndo_uninit		= svti_dev_uninit,
	.ndo_open		= svti_dev_open,
	.ndo_stop		= svti_dev_stop,
	.ndo_start_xmit		= svti_xmit,
	.ndo_get_stats64	= dev_get_tstats64,
	.ndo_get_iflink		= svti_dev_get_iflink,
};

/* rtnl_link_ops.setup: what all interfaces have in common. */
void svti_setup(struct net_device *dev)
{
	struct svti_dev *svti = netdev_priv(dev);

	svti->dev = dev;
	svti_spd_default_hash(svti->sp_hash);

	dev->netdev_ops = &svti_netdev_ops;
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

static int svti_netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	switch (event) {
	case NETDEV_REGISTER:
	case NETDEV_UP:
	case NETDEV_CHANGEMTU:		/* IPv6 comes and goes with 1280 */
		if (svti_is_svti(dev))
			exempt_from_stock_spd(dev);
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

int svti_notifier_register(void)
{
	return register_netdevice_notifier(&svti_netdev_notifier);
}

void svti_notifier_unregister(void)
{
	unregister_netdevice_notifier(&svti_netdev_notifier);
}
