// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device says of its tunnel to the rest of the system.
 *
 * Operational state: DORMANT while there is no SA to send with, UP with the first. RFC 2863 3.1.12
 * has dormant for exactly this, an on-demand interface that waits for an event. The carrier stays
 * on: without it routes by the device would be dead, and no packet would come any more that could
 * ask for an SA. Routing daemons and `ip monitor` look at IFF_RUNNING, which goes with the state.
 *
 * MTU, unless the user has fixed one: the room inside the tightest of the SAs for sending, from
 * their outer routes. It follows rekeys, NAT changes and path MTU. Never less than what IPv6
 * demands of a link; a narrower path is told packet by packet. Without an SA the last one stays.
 */
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/ipv6.h>
#include <net/xfrm.h>

#include "device.h"
#include "link.h"
#include "pernet.h"
#include "xmit.h"

/* Many SAs that come together, as after a restart, make one change of the MTU. */
#define SVTI_LINK_DELAY	(HZ / 20)

/* So many routes are looked up between two chances for others to take the lock. */
#define SVTI_LINK_BATCH	64

static u32 room_inside(struct svti_sa *sa, u32 path_mtu)
{
	return xfrm_state_mtu(sa->x, path_mtu);
}

/*
 * Look up the path of SAs that have none yet; false when there are more to do. svti_net.lock is
 * held.
 */
static bool find_paths(struct svti_dev *svti, struct svti_domain *dom)
{
	unsigned int budget = SVTI_LINK_BATCH;
	struct dst_entry *outer;
	struct svti_sa *sa;

	list_for_each_entry(sa, &dom->sas, in_dom) {
		if (!sa->outbound || !sa->path_stale)
			continue;
		if (!budget--)
			return false;
		sa->path_stale = false;
		outer = svti_outer_route(svti, sa->x);
		if (IS_ERR(outer))
			continue;
		if (!outer->error)
			WRITE_ONCE(sa->path_mtu, dst_mtu(outer));
		dst_release(outer);
	}
	return true;
}

/* The MTU for the device, or 0 if there is nothing to go by. */
static u32 link_mtu(struct svti_dev *svti)
{
	struct svti_domain *dom = svti->dom;
	struct svti_net *sn = dom->sn;
	struct svti_sa *sa;
	u32 path, best = 0;

	spin_lock_bh(&sn->lock);
	while (!find_paths(svti, dom)) {
		spin_unlock_bh(&sn->lock);
		cond_resched();
		spin_lock_bh(&sn->lock);
	}
	list_for_each_entry(sa, &dom->sas, in_dom) {
		path = sa->path_mtu;
		if (!sa->outbound || !path || READ_ONCE(sa->x->km.state) != XFRM_STATE_VALID)
			continue;
		path = room_inside(sa, path);
		if (!best || path < best)
			best = path;
	}
	spin_unlock_bh(&sn->lock);
	return best ? clamp_t(u32, best, IPV6_MIN_MTU, IP_MAX_MTU) : 0;
}

static void set_mtu(struct svti_dev *svti, u32 mtu)
{
	struct net_device *dev = svti->dev;

	if (!mtu || mtu == dev->mtu)
		return;
	svti->mtu_by_us = true;
	if (dev_set_mtu(dev, mtu))
		netdev_warn(dev, "the MTU of the tunnel, %u, was refused\n", mtu);
	svti->mtu_by_us = false;
}

/* RTNL keeps the interfaces. */
static void link_work(struct work_struct *work)
{
	struct svti_net *sn = container_of(to_delayed_work(work), struct svti_net, link_work);
	struct svti_domain *dom;
	struct svti_dev *svti;

	rtnl_lock();
	spin_lock_bh(&sn->lock);
	while ((dom = list_first_entry_or_null(&sn->link_stale, struct svti_domain, link_stale))) {
		list_del_init(&dom->link_stale);
		svti = rcu_dereference_protected(dom->svti, lockdep_is_held(&sn->lock));
		if (!svti || svti->dying || svti->mtu_fixed)
			continue;
		spin_unlock_bh(&sn->lock);
		set_mtu(svti, link_mtu(svti));
		spin_lock_bh(&sn->lock);
	}
	spin_unlock_bh(&sn->lock);
	rtnl_unlock();
}

void svti_link_init(struct svti_net *sn)
{
	INIT_LIST_HEAD(&sn->link_stale);
	INIT_DELAYED_WORK(&sn->link_work, link_work);
}

/* Without RTNL. No interface is left. */
void svti_link_stop(struct svti_net *sn)
{
	cancel_delayed_work_sync(&sn->link_work);
}

static void want_mtu(struct svti_domain *dom)
{
	struct svti_net *sn = dom->sn;

	lockdep_assert_held(&sn->lock);

	if (!rcu_access_pointer(dom->svti))
		return;
	if (list_empty(&dom->link_stale))
		list_add_tail(&dom->link_stale, &sn->link_stale);
	queue_delayed_work(system_unbound_wq, &sn->link_work, SVTI_LINK_DELAY);
}

/**
 * svti_link_follow() - have the device say what its SAD has become
 * @dom: the domain of which a state has come, gone or changed; or whose device has come up
 *
 * The state of the device changes here and now, under svti_net.lock as the SAD itself does; its MTU
 * soon after, since that takes RTNL.
 */
void svti_link_follow(struct svti_domain *dom)
{
	struct svti_dev *svti;

	svti = rcu_dereference_protected(dom->svti, lockdep_is_held(&dom->sn->lock));
	if (!svti)
		return;
	/* Until it is open it is as svti_setup() has made it: no event before it is registered. */
	if (svti->open) {
		if (dom->outbound)
			netif_dormant_off(svti->dev);
		else
			netif_dormant_on(svti->dev);
	}
	want_mtu(dom);
}

/**
 * svti_link_path_changed() - a packet has met another path MTU than was known
 * @dom: the domain
 * @sa: its state
 * @path_mtu: that of its outer route
 *
 * BH is disabled, RCU held.
 */
void svti_link_path_changed(struct svti_domain *dom, struct svti_sa *sa, u32 path_mtu)
{
	spin_lock(&dom->sn->lock);
	/* First, so that the next packet does not come here. */
	WRITE_ONCE(sa->path_mtu, path_mtu);
	sa->path_stale = false;
	want_mtu(dom);
	spin_unlock(&dom->sn->lock);
}

/* The paths of all SAs may have changed. svti_net.lock is held. */
void svti_link_paths_changed(struct svti_net *sn)
{
	struct svti_sa *sa;

	lockdep_assert_held(&sn->lock);

	list_for_each_entry(sa, &sn->sas, all) {
		if (!sa->outbound || sa->path_stale)
			continue;
		sa->path_stale = true;
		want_mtu(sa->dom);
	}
}

/* The interface goes. svti_net.lock is held. */
void svti_link_forget(struct svti_domain *dom)
{
	lockdep_assert_held(&dom->sn->lock);

	list_del_init(&dom->link_stale);
}
