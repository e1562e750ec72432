// SPDX-License-Identifier: GPL-2.0-only
/*
 * For benchmarks only: sends packets through the stack, one after the other, and counts the
 * instructions that each takes. Under QEMU's -icount shift=0 the time stamp counter is a counter of
 * guest instructions, which is what makes a figure repeatable to the last digit. On any other
 * machine the figures are cycles and mean little.
 *
 * Links of kind "svti_bench" are Ethernet devices that take what is sent on them and keep its
 * number; they can also keep the packets, to be received later by another.
 *
 * /proc/svti_bench takes one run, as a line of "key=value" in the order of bench_parse(), in
 * the namespace of the writer, and then reads as its result. One CPU, one user.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/netfilter_ipv4.h>
#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/udp.h>
#include <linux/version.h>
#include <net/dst.h>
#include <net/route.h>
#include <net/rtnetlink.h>
#include <net/xfrm.h>

#define BENCH_MAX_PACKETS	8192
#define BENCH_HEADROOM		(LL_MAX_HEADER + 128)	/* as a driver with room to spare leaves it */
#define BENCH_TAILROOM		96

/* How a packet gets into the stack, and what of its way is counted. */
enum bench_mode {
	BENCH_XMIT,	/* sent on a device */
	BENCH_FORWARD,	/* received by a device, and what follows */
	BENCH_CAPTURE,	/* sent on a device; the sink keeps it */
	BENCH_REPLAY,	/* captured before, now received by a device */
	BENCH_OWN,	/* sent on a device, as far as the transformation */
};

struct bench_run {
	unsigned int		mode;
	char			device[IFNAMSIZ];
	char			sink[IFNAMSIZ];
	unsigned int		packets;	/* counted */
	unsigned int		warm_up;	/* before them, not counted */
	unsigned int		size;		/* of the inner IP packet */
	u32			saddr, daddr;	/* host order */
	unsigned int		flows;		/* so many flows take turns */
	u32			sstep, dstep;	/* from one flow to the next, in address ... */
	unsigned int		sport, dport, pstep;	/* ... and destination port */
	struct net		*net;
	struct net_device	*dev;
	struct net_device	*sink_dev;
};

struct bench_sink {
	u64			packets;
	u64			bytes;
};

static struct sk_buff_head bench_captured;
static bool bench_capturing;

/* What the hook behind the device has seen; see bench_hook(). */
static struct sk_buff_head bench_stolen;
static struct dst_entry *bench_bundle;
static unsigned int bench_bundles;

static u32 bench_cost[BENCH_MAX_PACKETS];
static char bench_result[512];

/* --- the sink --- */

static netdev_tx_t bench_sink_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct bench_sink *sink = netdev_priv(dev);

	sink->packets++;
	sink->bytes += skb->len;
	if (bench_capturing) {
		skb_scrub_packet(skb, true);
		skb_orphan(skb);
		__skb_queue_tail(&bench_captured, skb);
	} else {
		dev_consume_skb_any(skb);
	}
	return NETDEV_TX_OK;
}

static const struct net_device_ops bench_sink_ops = {
	.ndo_start_xmit		= bench_sink_xmit,
	.ndo_set_mac_address	= eth_mac_addr,
};

static void bench_sink_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &bench_sink_ops;
	dev->needs_free_netdev = true;
	dev->flags |= IFF_NOARP;
	dev->flags &= ~IFF_MULTICAST;
	dev->priv_flags |= IFF_NO_QUEUE;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	dev->lltx = true;
#else
	dev->features |= NETIF_F_LLTX;
#endif
	eth_hw_addr_random(dev);
}

static struct rtnl_link_ops bench_link_ops __read_mostly = {
	.kind		= "svti_bench",
	.priv_size	= sizeof(struct bench_sink),
	.setup		= bench_sink_setup,
};

/*
 * At the inner postrouting, which is the first thing the transformation does: takes the packet out
 * of it. What is counted up to here is the work of the device alone.
 */
static unsigned int bench_hook(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct dst_entry *dst = skb_dst(skb);

	if (!dst || !dst_xfrm(dst))
		return NF_ACCEPT;
	if (dst != bench_bundle) {
		dst_hold(dst);
		dst_release(bench_bundle);
		bench_bundle = dst;
		bench_bundles++;
	}
	__skb_queue_tail(&bench_stolen, skb);
	return NF_STOLEN;
}

static const struct nf_hook_ops bench_hook_ops = {
	.hook		= bench_hook,
	.pf		= NFPROTO_IPV4,
	.hooknum	= NF_INET_POST_ROUTING,
	.priority	= INT_MIN,
};

/* --- packets --- */

/* Flows take turns in an order that has nothing to do with that of the policies. */
static unsigned int bench_flow(const struct bench_run *run, unsigned int i)
{
	return i * 7919 % run->flows;
}

static struct sk_buff *bench_build(const struct bench_run *run, unsigned int i)
{
	unsigned int flow = bench_flow(run, i);
	struct sk_buff *skb;
	struct udphdr *udp;
	struct iphdr *ip;

	skb = alloc_skb(BENCH_HEADROOM + run->size + BENCH_TAILROOM, GFP_KERNEL);
	if (!skb)
		return ERR_PTR(-ENOMEM);
	skb_reserve(skb, BENCH_HEADROOM);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(*ip));

	ip = skb_put_zero(skb, run->size);
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->protocol = IPPROTO_UDP;
	ip->tot_len = htons(run->size);
	ip->saddr = htonl(run->saddr + flow * run->sstep);
	ip->daddr = htonl(run->daddr + flow * run->dstep);
	ip_send_check(ip);

	udp = udp_hdr(skb);
	udp->source = htons(run->sport);
	udp->dest = htons(run->dport + flow * run->pstep);
	udp->len = htons(run->size - sizeof(*ip));

	skb->protocol = htons(ETH_P_IP);
	skb->pkt_type = PACKET_HOST;
	skb->dev = run->dev;
	return skb;
}

/* As it comes from the IP layer: with the route that led it to the device. */
static struct sk_buff *bench_build_routed(const struct bench_run *run, unsigned int i)
{
	struct sk_buff *skb = bench_build(run, i);
	struct flowi4 fl4 = {};
	struct rtable *rt;

	if (IS_ERR(skb))
		return skb;
	fl4.saddr = ip_hdr(skb)->saddr;
	fl4.daddr = ip_hdr(skb)->daddr;
	fl4.flowi4_flags = FLOWI_FLAG_ANYSRC;	/* the source is no address of this host */
	rt = __ip_route_output_key(run->net, &fl4);
	if (IS_ERR(rt)) {
		kfree_skb(skb);
		return ERR_CAST(rt);
	}
	if (rt->dst.dev != run->dev) {
		ip_rt_put(rt);
		kfree_skb(skb);
		return ERR_PTR(-EXDEV);
	}
	skb_dst_set(skb, &rt->dst);
	return skb;
}

static struct sk_buff *bench_next_captured(const struct bench_run *run)
{
	struct sk_buff *skb = __skb_dequeue(&bench_captured);

	if (!skb)
		return ERR_PTR(-ENODATA);
	skb->protocol = eth_type_trans(skb, run->dev);
	skb->pkt_type = PACKET_HOST;
	skb_reset_network_header(skb);
	skb_reset_transport_header(skb);
	return skb;
}

static struct sk_buff *bench_packet(const struct bench_run *run, unsigned int i)
{
	switch (run->mode) {
	case BENCH_FORWARD:
		return bench_build(run, i);
	case BENCH_REPLAY:
		return bench_next_captured(run);
	default:
		return bench_build_routed(run, i);
	}
}

/* --- counting --- */

/* For tests/bench/kmod/profile.c, the plug-in of QEMU: here it begins, here it ends. */
static __always_inline void bench_mark_begin(void)
{
	asm volatile("nopl 0x53565401(%%rax,%%rax,1)" ::: "memory");
}

static __always_inline void bench_mark_end(void)
{
	asm volatile("nopl 0x53565402(%%rax,%%rax,1)" ::: "memory");
}

/* Instructions of one packet. In softirq's stead: BH off, RCU held. */
static u32 bench_one(const struct bench_run *run, struct sk_buff *skb)
{
	u64 begin, end;

	local_bh_disable();
	rcu_read_lock();
	bench_mark_begin();
	begin = rdtsc();
	switch (run->mode) {
	case BENCH_FORWARD:
	case BENCH_REPLAY:
		netif_receive_skb(skb);
		break;
	case BENCH_OWN:
		run->dev->netdev_ops->ndo_start_xmit(skb, run->dev);
		break;
	default:
		dev_queue_xmit(skb);
	}
	rcu_read_unlock();
	local_bh_enable();	/* what was decrypted waits in a queue for this: gro_cells */
	end = rdtsc();
	bench_mark_end();
	return end - begin;
}

/* The same for what BENCH_OWN must not count: the call of the transformation, as far as the hook. */
static u32 bench_one_output(const struct bench_run *run, struct sk_buff *skb)
{
	u64 begin, end;

	skb_dst_drop(skb);
	dst_hold(bench_bundle);
	skb_dst_set(skb, bench_bundle);
	skb->dev = bench_bundle->dev;

	local_bh_disable();
	rcu_read_lock();
	begin = rdtsc();
	dst_output(run->net, NULL, skb);
	rcu_read_unlock();
	local_bh_enable();
	end = rdtsc();
	return end - begin;
}

static int bench_compare(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

/* Sorts bench_cost; returns the mean. */
static u32 bench_summarize(unsigned int n)
{
	u64 sum = 0;
	unsigned int i;

	sort(bench_cost, n, sizeof(bench_cost[0]), bench_compare, NULL);
	for (i = 0; i < n; i++)
		sum += bench_cost[i];
	return div_u64(sum, n);
}

/* What two readings of the counter cost by themselves. */
static u32 bench_overhead(void)
{
	u32 best = U32_MAX;
	int i;

	for (i = 0; i < 16; i++) {
		u64 begin = rdtsc();
		u64 end = rdtsc();

		best = min_t(u32, best, end - begin);
	}
	return best;
}

static int bench_series(const struct bench_run *run)
{
	unsigned int i;

	for (i = 0; i < run->warm_up + run->packets; i++) {
		struct sk_buff *skb = bench_packet(run, i);
		u32 cost;

		if (IS_ERR(skb))
			return PTR_ERR(skb);
		cost = bench_one(run, skb);
		if (i >= run->warm_up)
			bench_cost[i - run->warm_up] = cost;
		else
			bench_bundles = 0;
		__skb_queue_purge(&bench_stolen);
		cond_resched();
	}
	return 0;
}

static int bench_output_series(const struct bench_run *run)
{
	unsigned int i;

	if (!bench_bundle)
		return -ENOLINK;
	for (i = 0; i < run->packets; i++) {
		struct sk_buff *skb = bench_build_routed(run, i);

		if (IS_ERR(skb))
			return PTR_ERR(skb);
		bench_cost[i] = bench_one_output(run, skb);
		__skb_queue_purge(&bench_stolen);
		cond_resched();
	}
	return 0;
}

/* The work of the device: all of ndo_start_xmit, less the call of dst_output() in it. */
static int bench_own(const struct bench_run *run)
{
	u32 whole, output;
	int err;

	err = nf_register_net_hook(run->net, &bench_hook_ops);
	if (err)
		return err;
	err = bench_series(run);
	if (err)
		goto out;
	bench_summarize(run->packets);
	whole = bench_cost[run->packets / 2];
	err = bench_output_series(run);
	if (err)
		goto out;
	bench_summarize(run->packets);
	output = bench_cost[run->packets / 2];
	snprintf(bench_result, sizeof(bench_result), "own=%u whole=%u bundles=%u\n", whole - output,
		 whole, bench_bundles);
out:
	nf_unregister_net_hook(run->net, &bench_hook_ops);
	__skb_queue_purge(&bench_stolen);
	dst_release(bench_bundle);
	bench_bundle = NULL;
	return err;
}

static int bench_measure(const struct bench_run *run)
{
	struct bench_sink *sink = netdev_priv(run->sink_dev);
	u64 packets = sink->packets, bytes = sink->bytes;
	u32 overhead, mean;
	int err;

	bench_capturing = run->mode == BENCH_CAPTURE;
	err = bench_series(run);
	bench_capturing = false;
	if (err)
		return err;

	overhead = bench_overhead();
	mean = bench_summarize(run->packets);
	snprintf(bench_result, sizeof(bench_result),
		 "min=%u median=%u mean=%u max=%u sink_packets=%llu sink_bytes=%llu\n",
		 bench_cost[0] - overhead, bench_cost[run->packets / 2] - overhead, mean - overhead,
		 bench_cost[run->packets - 1] - overhead, sink->packets - packets,
		 sink->bytes - bytes);
	return 0;
}

static int bench_parse(struct bench_run *run, const char *text)
{
	int n = sscanf(text,
		       "mode=%u device=%15s sink=%15s packets=%u warm_up=%u size=%u saddr=%x daddr=%x flows=%u sstep=%u dstep=%u sport=%u dport=%u pstep=%u",
		       &run->mode, run->device, run->sink, &run->packets, &run->warm_up, &run->size,
		       &run->saddr, &run->daddr, &run->flows, &run->sstep, &run->dstep, &run->sport,
		       &run->dport, &run->pstep);

	if (n != 14 || run->mode > BENCH_OWN || !run->packets || run->packets > BENCH_MAX_PACKETS ||
	    !run->flows || run->size < 28 || run->size > 1400)
		return -EINVAL;
	return 0;
}

static ssize_t bench_write(struct file *file, const char __user *data, size_t size, loff_t *pos)
{
	struct bench_run run = {};
	char *text;
	int err;

	text = memdup_user_nul(data, min_t(size_t, size, PAGE_SIZE - 1));
	if (IS_ERR(text))
		return PTR_ERR(text);
	err = bench_parse(&run, text);
	kfree(text);
	if (err)
		return err;

	bench_result[0] = 0;
	run.net = current->nsproxy->net_ns;
	run.dev = dev_get_by_name(run.net, run.device);
	run.sink_dev = dev_get_by_name(run.net, run.sink);
	err = -ENODEV;
	if (run.dev && run.sink_dev && run.sink_dev->netdev_ops == &bench_sink_ops)
		err = run.mode == BENCH_OWN ? bench_own(&run) : bench_measure(&run);
	dev_put(run.sink_dev);
	dev_put(run.dev);
	if (run.mode != BENCH_CAPTURE)
		__skb_queue_purge(&bench_captured);
	return err ? err : size;
}

static ssize_t bench_read(struct file *file, char __user *data, size_t size, loff_t *pos)
{
	return simple_read_from_buffer(data, size, pos, bench_result, strlen(bench_result));
}

static const struct proc_ops bench_proc_ops = {
	.proc_read	= bench_read,
	.proc_write	= bench_write,
	.proc_lseek	= default_llseek,
};

static int __init bench_init(void)
{
	int err;

	__skb_queue_head_init(&bench_captured);
	__skb_queue_head_init(&bench_stolen);

	err = rtnl_link_register(&bench_link_ops);
	if (err)
		return err;
	if (!proc_create("svti_bench", 0600, NULL, &bench_proc_ops)) {
		rtnl_link_unregister(&bench_link_ops);
		return -ENOMEM;
	}
	return 0;
}

static void __exit bench_exit(void)
{
	remove_proc_entry("svti_bench", NULL);
	__skb_queue_purge(&bench_captured);
	rtnl_link_unregister(&bench_link_ops);
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_DESCRIPTION("Instruction counts of packets, for the benchmark of svti");
MODULE_LICENSE("GPL");
