/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_DEVICE_H
#define _SVTI_DEVICE_H

#include <linux/netdevice.h>
#include <linux/ratelimit.h>
#include <linux/skbuff.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>

#include "spd.h"
#include "uapi/linux/svti.h"

struct svti_domain;

/* What is counted besides the reasons of uapi/linux/svti.h, for ethtool -S. */
enum {
	SVTI_COUNT_TX_LOOKUP = __SVTI_XSTATS_MAX,	/* the flow cache had no answer */
	SVTI_COUNT_RX_LOOKUP,
	SVTI_COUNT_TX_BUNDLE,				/* bundles built */
	SVTI_COUNT_TX_ACQUIRE,				/* the kernel was asked for an SA in vain */
	SVTI_COUNT_TX_ACQUIRE_LIMIT,			/* not asked: it was, too often */
	__SVTI_COUNT_MAX
};

struct svti_xstats {
	u64_stats_t		count[__SVTI_COUNT_MAX];
	struct u64_stats_sync	syncp;
};

/* An interface. */
struct svti_dev {
	struct net_device		*dev;
	struct net			*net;		/* link namespace; dies with it */
	u32				id;
	int				link;		/* ifindex in @net, or 0 */
	struct svti_sp_hash		sp_hash[2];	/* IPv4, IPv6; under RTNL */
	struct svti_domain		*dom;		/* from ndo_init to the end */
	bool				open;		/* under svti_net.lock: may cache */
	bool				dying;		/* under RTNL: about to go */
	bool				sa_per_cpu;	/* under RTNL */
	bool				mtu_fixed;	/* under RTNL: it is the user's */
	bool				mtu_by_us;	/* under RTNL: set by link.c just now */
	struct svti_xstats __percpu	*xstats;
	struct dst_entry __rcu		*inner[2];	/* while up, see device.c */
	struct sk_buff_head		hold;		/* wait for a state, see hold.c */
	bool				hold_open;	/* under hold.lock */
	struct ratelimit_state		acquires;
	struct delayed_work		hold_work;
};

extern const struct net_device_ops svti_netdev_ops;

void svti_setup(struct net_device *dev);
void svti_count(struct svti_dev *svti, int reason);
u64 svti_xstats_read(const struct svti_dev *svti, int reason);
int svti_notifier_register(void);
void svti_notifier_unregister(void);

static inline bool svti_is_svti(const struct net_device *dev)
{
	return dev->netdev_ops == &svti_netdev_ops;
}

#endif /* _SVTI_DEVICE_H */
