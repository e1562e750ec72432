/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernels this module builds for (6.1 and 6.12), and nothing else. The
 * versions below separate those two; they are not claimed to be the release that made the change.
 */
#ifndef _SVTI_COMPAT_H
#define _SVTI_COMPAT_H

#include <linux/netdevice.h>
#include <linux/version.h>
#include <net/dst.h>
#include <net/genetlink.h>
#include <net/xfrm.h>

#define SVTI_KERNEL_6_12 (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0))

#if SVTI_KERNEL_6_12
#include <linux/unaligned.h>
#include <net/gso.h>
#else
#include <asm/unaligned.h>
#endif

/* Transmit takes no lock of the core: a feature bit once, a field of the device now. */
static inline void svti_compat_set_lltx(struct net_device *dev)
{
#if SVTI_KERNEL_6_12
	dev->lltx = true;
#else
	dev->features |= NETIF_F_LLTX;
#endif
}

/* A dst with one reference, for the caller. */
static inline void *svti_compat_dst_alloc(struct dst_ops *ops, struct net_device *dev)
{
#if SVTI_KERNEL_6_12
	return dst_alloc(ops, dev, DST_OBSOLETE_FORCE_CHK, DST_XFRM_TUNNEL);
#else
	return dst_alloc(ops, dev, 1, DST_OBSOLETE_FORCE_CHK, DST_XFRM_TUNNEL);
#endif
}

/*
 * The node in the list of uncached routes: dst_alloc() makes it ready where it is part of the dst.
 */
static inline void svti_compat_dst_init_uncached(struct xfrm_dst *xdst, u16 family)
{
#if !SVTI_KERNEL_6_12
	if (family == AF_INET)
		INIT_LIST_HEAD(&xdst->u.rt.rt_uncached);
	else
		INIT_LIST_HEAD(&xdst->u.rt6.rt6i_uncached);
#endif
}

/* The state says of itself that it is for decryption only. */
static inline bool svti_compat_state_is_inbound(const struct xfrm_state *x)
{
#if SVTI_KERNEL_6_12
	return x->dir == XFRM_SA_DIR_IN;
#else
	return false;
#endif
}

/* The CPU that the state serves (XFRMA_SA_PCPU), or UINT_MAX: any. */
static inline u32 svti_compat_state_cpu(const struct xfrm_state *x)
{
#if SVTI_KERNEL_6_12
	return x->pcpu_num;
#else
	return UINT_MAX;
#endif
}

/* The policy wants a state for each CPU. */
static inline bool svti_compat_policy_is_special(const struct xfrm_policy *pol)
{
#if SVTI_KERNEL_6_12
	return pol->flags & XFRM_POLICY_CPU_ACQUIRE;
#else
	return false;
#endif
}

/* The policy is carried out by a network card: packet offload, which 6.1 has not. */
static inline bool svti_compat_policy_is_in_device(const struct xfrm_policy *pol)
{
#if SVTI_KERNEL_6_12
	return pol->xdo.type == XFRM_DEV_OFFLOAD_PACKET;
#else
	return false;
#endif
}

/* So is the state. */
static inline bool svti_compat_state_is_in_device(const struct xfrm_state *x)
{
#if SVTI_KERNEL_6_12
	return x->xso.type == XFRM_DEV_OFFLOAD_PACKET;
#else
	return false;
#endif
}

/* The attributes of the request that began a dump. */
static inline struct nlattr **svti_compat_dump_attrs(struct netlink_callback *cb)
{
#if SVTI_KERNEL_6_12
	return genl_info_dump(cb)->attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

#endif /* _SVTI_COMPAT_H */
