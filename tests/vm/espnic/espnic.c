// SPDX-License-Identifier: GPL-2.0-only
/*
 * A network device that does ESP offload, for tests: it sits on another Ethernet device
 * (ip link add nic0 link eth0 type espnic), encrypts what it sends and decrypts what it receives for
 * the SAs that it was given, and passes all else on. What leaves below it is real ESP.
 *
 * Its faults are the parameters of the module: @refuse, an errno with which every SA is refused
 * (EOPNOTSUPP, 95: the kernel then goes on in software and says nothing), and @room, the number of
 * SAs that a device takes. It vanishes by ip link del. @encrypted and @decrypted count packets.
 *
 * ESP without extended sequence numbers, AES-GCM with an ICV of 16 octets, IPv4 and IPv6 without
 * extension headers outside; in UDP (RFC 3948) over IPv4, on 6.12. Under a bond on 6.12: older ones
 * add SAs where nothing may sleep.
 *
 * In packet mode (6.12) it has no engine. Like a real one it is given nothing with a packet that names
 * an SA, so it goes by the policies that it was given: what they match it swallows, and counts as
 * @swallowed; what they do not match leaves as it came. Its faults are the same.
 */
#include <crypto/aead.h>
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/scatterlist.h>
#include <linux/version.h>
#include <linux/udp.h>
#include <linux/workqueue.h>
#include <net/bonding.h>
#include <net/esp.h>
#include <net/gro_cells.h>
#include <net/rtnetlink.h>
#include <net/xfrm.h>

#define IV_LEN 8
#define ICV_LEN 16
#define HEAD_LEN (sizeof(struct ip_esp_hdr) + IV_LEN)

static int refuse;
module_param(refuse, int, 0644);
MODULE_PARM_DESC(refuse, "errno with which SAs are refused, 0 none");

static int room = 1024;
module_param(room, int, 0644);
MODULE_PARM_DESC(room, "SAs that a device takes");

static ulong encrypted;
module_param(encrypted, ulong, 0444);
static ulong decrypted;
module_param(decrypted, ulong, 0444);
static ulong swallowed;
module_param(swallowed, ulong, 0444);

struct espnic {
	struct net_device *dev;
	struct net_device *lower;
	struct gro_cells cells;
	atomic_t sas;
	spinlock_t lock;		/* of the list */
	struct list_head policies;	/* for sending, in packet mode; read under RCU */
};

/* What the device knows of an SA; in xso.offload_handle, read under RCU. */
struct espnic_sa {
	struct espnic *nic;
	struct crypto_aead *aead;	/* not in packet mode */
	struct rcu_work free_work;
};

/* What it knows of a policy; in xdo.offload_handle. */
struct espnic_policy {
	struct list_head list;
	struct xfrm_selector sel;
	struct rcu_head rcu;
};

static const struct net_device_ops espnic_netdev_ops;
static struct workqueue_struct *wq;

/* The work on one packet, in place: @esp to the end of a linear packet. */
static int transform(const struct espnic_sa *sa, struct sk_buff *skb, u8 *esp, bool encrypt)
{
	int len = skb_tail_pointer(skb) - esp;
	struct aead_request *req;
	struct scatterlist sg;
	u8 iv[IV_LEN];
	int err;

	if (len < (int)HEAD_LEN + ICV_LEN)
		return -EINVAL;
	req = aead_request_alloc(sa->aead, GFP_ATOMIC);
	if (!req)
		return -ENOMEM;
	if (encrypt) {		/* unique with the key: the sequence number is */
		memset(esp + sizeof(struct ip_esp_hdr), 0, IV_LEN);
		memcpy(esp + sizeof(struct ip_esp_hdr) + 4, esp + 4, 4);
	}
	memcpy(iv, esp + sizeof(struct ip_esp_hdr), IV_LEN);
	sg_init_one(&sg, esp, len);
	aead_request_set_callback(req, 0, NULL, NULL);
	aead_request_set_ad(req, HEAD_LEN);
	aead_request_set_crypt(req, &sg, &sg, len - HEAD_LEN - (encrypt ? ICV_LEN : 0), iv);
	err = encrypt ? crypto_aead_encrypt(req) : crypto_aead_decrypt(req);
	aead_request_free(req);
	return err;
}

/* Of the header between IP and ESP. */
static int udp_len(const struct xfrm_state *x)
{
	return x->encap ? sizeof(struct udphdr) : 0;
}

/* A policy in packet mode matches; IPv4, by addresses and protocol. */
static bool is_for_policy(const struct espnic *nic, const struct sk_buff *skb)
{
	const struct espnic_policy *policy;
	const struct iphdr *ip;
	struct iphdr buf;
	bool found = false;

	if (skb->protocol != htons(ETH_P_IP))
		return false;
	ip = skb_header_pointer(skb, skb_network_offset(skb), sizeof(buf), &buf);
	if (!ip)
		return false;
	rcu_read_lock();
	list_for_each_entry_rcu(policy, &nic->policies, list) {
		const struct xfrm_selector *sel = &policy->sel;

		found |= sel->family == AF_INET && (!sel->proto || sel->proto == ip->protocol) &&
			 addr4_match(ip->saddr, sel->saddr.a4, sel->prefixlen_s) &&
			 addr4_match(ip->daddr, sel->daddr.a4, sel->prefixlen_d);
	}
	rcu_read_unlock();
	return found;
}

static netdev_tx_t espnic_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct espnic *nic = netdev_priv(dev);
	struct xfrm_offload *xo = xfrm_offload(skb);
	struct xfrm_state *x = xo ? xfrm_input_state(skb) : NULL;
	const struct espnic_sa *sa;

	if (!x && is_for_policy(nic, skb)) {
		swallowed++;
		kfree_skb(skb);
		return NETDEV_TX_OK;
	}
	/* Below a bond it is the bond that the kernel has given the SA to. */
	if (x && x->xso.real_dev == dev && !(xo->flags & CRYPTO_FALLBACK)) {
		skb = skb_unshare(skb, GFP_ATOMIC);
		if (!skb)
			return NETDEV_TX_OK;
		sa = (const struct espnic_sa *)READ_ONCE(x->xso.offload_handle);
		if (!sa || skb_linearize(skb) ||
		    transform(sa, skb, skb_transport_header(skb) + udp_len(x), true)) {
			DEV_STATS_INC(dev, tx_errors);
			kfree_skb(skb);
			return NETDEV_TX_OK;
		}
		encrypted++;
	}
	secpath_reset(skb);
	DEV_STATS_INC(dev, tx_packets);
	skb->dev = nic->lower;
	dev_queue_xmit(skb);
	return NETDEV_TX_OK;
}

/* The inbound SA of this device that a packet is for, with a reference, and where its ESP header is. */
static struct xfrm_state *state_of(struct net_device *dev, struct sk_buff *skb, int *offset)
{
	const struct ip_esp_hdr *esp;
	const struct ipv6hdr *ip6;
	const struct iphdr *ip;
	xfrm_address_t daddr = {};
	struct xfrm_state *x;
	u16 family;

	switch (skb->protocol) {
	case htons(ETH_P_IP):
		if (!pskb_may_pull(skb, sizeof(*ip)))
			return NULL;
		ip = (const struct iphdr *)skb->data;
		if ((ip->protocol != IPPROTO_ESP && ip->protocol != IPPROTO_UDP) ||
		    ip->frag_off & htons(IP_MF | IP_OFFSET))
			return NULL;
		family = AF_INET;
		daddr.a4 = ip->daddr;
		*offset = ip->ihl * 4;
		/* In IKE it is the non-ESP marker that is taken for an SPI, which is no SA's. */
		if (ip->protocol == IPPROTO_UDP)
			*offset += sizeof(struct udphdr);
		break;
	case htons(ETH_P_IPV6):
		if (!pskb_may_pull(skb, sizeof(*ip6)))
			return NULL;
		ip6 = (const struct ipv6hdr *)skb->data;
		if (ip6->nexthdr != IPPROTO_ESP)
			return NULL;
		family = AF_INET6;
		daddr.in6 = ip6->daddr;
		*offset = sizeof(*ip6);
		break;
	default:
		return NULL;
	}
	if (!pskb_may_pull(skb, *offset + sizeof(*esp)))
		return NULL;
	esp = (const struct ip_esp_hdr *)(skb->data + *offset);
	x = xfrm_state_lookup(dev_net(dev), 0, &daddr, esp->spi, IPPROTO_ESP, family);
	if (!x)
		return NULL;
	if (x->xso.real_dev == dev && READ_ONCE(x->xso.offload_handle) &&
	    x->xso.type == XFRM_DEV_OFFLOAD_CRYPTO)
		return x;
	xfrm_state_put(x);
	return NULL;
}

static rx_handler_result_t espnic_receive(struct sk_buff **pskb)
{
	struct espnic *nic = rcu_dereference((*pskb)->dev->rx_handler_data);
	struct sk_buff *skb = skb_share_check(*pskb, GFP_ATOMIC);
	const struct espnic_sa *sa;
	struct xfrm_offload *xo;
	struct xfrm_state *x;
	struct sec_path *sp;
	int offset, err;

	if (!skb)
		return RX_HANDLER_CONSUMED;
	if (!(nic->dev->flags & IFF_UP))
		goto drop;
	skb->dev = nic->dev;
	if (skb->pkt_type == PACKET_OTHERHOST &&
	    ether_addr_equal(eth_hdr(skb)->h_dest, nic->dev->dev_addr))
		skb->pkt_type = PACKET_HOST;

	x = state_of(nic->dev, skb, &offset);
	if (x) {
		skb = skb_unshare(skb, GFP_ATOMIC);
		if (!skb) {
			xfrm_state_put(x);
			return RX_HANDLER_CONSUMED;
		}
		sp = secpath_set(skb);
		sa = (const struct espnic_sa *)READ_ONCE(x->xso.offload_handle);
		if (!sa || !sp || skb_linearize(skb)) {
			xfrm_state_put(x);
			goto drop;
		}
		/* Padding of the frame is no ciphertext. */
		if (skb->protocol == htons(ETH_P_IP))
			err = pskb_trim_rcsum(skb, ntohs(((struct iphdr *)skb->data)->tot_len));
		else
			err = pskb_trim_rcsum(skb, sizeof(struct ipv6hdr) +
					      ntohs(((struct ipv6hdr *)skb->data)->payload_len));
		if (!err)
			err = transform(sa, skb, skb->data + offset, false);
		sp->xvec[sp->len++] = x;
		sp->olen++;
		xo = xfrm_offload(skb);
		xo->flags = CRYPTO_DONE;
		xo->status = err ? CRYPTO_TUNNEL_ESP_AUTH_FAILED : CRYPTO_SUCCESS;
		if (!err)
			decrypted++;
	}
	DEV_STATS_INC(nic->dev, rx_packets);
	gro_cells_receive(&nic->cells, skb);
	return RX_HANDLER_CONSUMED;

drop:
	kfree_skb(skb);
	return RX_HANDLER_CONSUMED;
}

static void free_sa(struct work_struct *work)
{
	struct espnic_sa *sa = container_of(to_rcu_work(work), struct espnic_sa, free_work);

	if (sa->aead)
		crypto_free_aead(sa->aead);
	kfree(sa);
	module_put(THIS_MODULE);
}

/*
 * The device that an SA is for. A bond of 6.12 does not say so while it adds one: it is the device
 * that is active then.
 */
static struct espnic *nic_of(const struct xfrm_state *x)
{
	struct net_device *dev = x->xso.real_dev;
	const struct bonding *bond;
	const struct slave *slave;

	if (!dev || dev->netdev_ops != &espnic_netdev_ops) {
		if (LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) ||
		    !netif_is_bond_master(x->xso.dev))
			return NULL;
		bond = netdev_priv(x->xso.dev);
		rcu_read_lock();
		slave = rcu_dereference(bond->curr_active_slave);
		dev = slave ? slave->dev : NULL;
		rcu_read_unlock();
	} else if (LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) && dev != x->xso.dev) {
		return NULL;
	}
	return dev ? netdev_priv(dev) : NULL;
}

static bool can_do(const struct xfrm_state *x)
{
	if (x->xso.type != XFRM_DEV_OFFLOAD_CRYPTO)
		return true;
	if (x->encap && (LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) ||
			 x->props.family != AF_INET))
		return false;
	return x->id.proto == IPPROTO_ESP && x->aead && x->aead->alg_icv_len == 8 * ICV_LEN &&
	       !strcmp(x->aead->alg_name, "rfc4106(gcm(aes))");
}

static int make_aead(const struct xfrm_state *x, struct espnic_sa *sa)
{
	int err;

	sa->aead = crypto_alloc_aead("rfc4106(gcm(aes))", 0, CRYPTO_ALG_ASYNC);
	if (IS_ERR(sa->aead))
		return PTR_ERR(sa->aead);
	err = crypto_aead_setkey(sa->aead, x->aead->alg_key, (x->aead->alg_key_len + 7) / 8);
	if (!err)
		err = crypto_aead_setauthsize(sa->aead, ICV_LEN);
	if (err)
		crypto_free_aead(sa->aead);
	return err;
}

/* The reason, where the kernel takes one. An SA in packet mode may be added where nothing sleeps. */
static int add_sa(struct xfrm_state *x, const char **why)
{
	struct espnic *nic = nic_of(x);
	struct espnic_sa *sa;
	int err;

	if (refuse) {
		*why = "espnic: told to refuse";
		return -refuse;
	}
	if (!nic || !can_do(x)) {
		*why = nic ? "espnic: only ESP with AES-GCM and an ICV of 16 octets" :
			     "espnic: not under a bond of this kernel";
		return -EOPNOTSUPP;
	}
	if (atomic_inc_return(&nic->sas) > READ_ONCE(room)) {
		*why = "espnic: no room for another SA";
		err = -ENOSPC;
		goto err_count;
	}
	err = -ENOMEM;
	sa = kzalloc(sizeof(*sa), GFP_ATOMIC);
	if (!sa)
		goto err_count;
	sa->nic = nic;
	err = x->xso.type == XFRM_DEV_OFFLOAD_CRYPTO ? make_aead(x, sa) : 0;
	if (err)
		goto err_sa;
	INIT_RCU_WORK(&sa->free_work, free_sa);
	__module_get(THIS_MODULE);
	WRITE_ONCE(x->xso.offload_handle, (unsigned long)sa);
	return 0;

err_sa:
	kfree(sa);
err_count:
	atomic_dec(&nic->sas);
	return err;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
static int espnic_state_add(struct xfrm_state *x, struct netlink_ext_ack *extack)
{
	const char *why = NULL;
	int err;

	err = add_sa(x, &why);
	if (why && extack)
		extack->_msg = why;
	return err;
}
#else
static int espnic_state_add(struct xfrm_state *x)
{
	const char *why;

	return add_sa(x, &why);
}
#endif

static void espnic_state_delete(struct xfrm_state *x)
{
	const struct espnic_sa *sa = (const struct espnic_sa *)x->xso.offload_handle;

	if (sa)
		atomic_dec(&sa->nic->sas);
}

static void espnic_state_free(struct xfrm_state *x)
{
	struct espnic_sa *sa = (struct espnic_sa *)xchg(&x->xso.offload_handle, 0);

	if (sa)
		queue_rcu_work(wq, &sa->free_work);
}

static bool espnic_offload_ok(struct sk_buff *skb, struct xfrm_state *x)
{
	return true;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
static int espnic_policy_add(struct xfrm_policy *pol, struct netlink_ext_ack *extack)
{
	struct espnic *nic = netdev_priv(pol->xdo.dev);
	struct espnic_policy *policy;

	if (refuse) {
		NL_SET_ERR_MSG(extack, "espnic: told to refuse");
		return -refuse;
	}
	policy = kzalloc(sizeof(*policy), GFP_ATOMIC);
	if (!policy)
		return -ENOMEM;
	policy->sel = pol->selector;
	INIT_LIST_HEAD(&policy->list);
	if (pol->xdo.dir == XFRM_DEV_OFFLOAD_OUT) {
		spin_lock_bh(&nic->lock);
		list_add_rcu(&policy->list, &nic->policies);
		spin_unlock_bh(&nic->lock);
	}
	pol->xdo.offload_handle = (unsigned long)policy;
	return 0;
}

static void espnic_policy_delete(struct xfrm_policy *pol)
{
	struct espnic *nic = netdev_priv(pol->xdo.dev);
	struct espnic_policy *policy = (struct espnic_policy *)pol->xdo.offload_handle;

	spin_lock_bh(&nic->lock);
	list_del_rcu(&policy->list);
	spin_unlock_bh(&nic->lock);
}

static void espnic_policy_free(struct xfrm_policy *pol)
{
	struct espnic_policy *policy = (struct espnic_policy *)pol->xdo.offload_handle;

	kfree_rcu(policy, rcu);
}
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
/* It counts nothing by itself; without this a bond complains. */
static void espnic_state_update_stats(struct xfrm_state *x)
{
}
#endif

static const struct xfrmdev_ops espnic_xfrmdev_ops = {
	.xdo_dev_state_add = espnic_state_add,
	.xdo_dev_state_delete = espnic_state_delete,
	.xdo_dev_state_free = espnic_state_free,
	.xdo_dev_offload_ok = espnic_offload_ok,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	.xdo_dev_state_update_stats = espnic_state_update_stats,
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	.xdo_dev_policy_add = espnic_policy_add,
	.xdo_dev_policy_delete = espnic_policy_delete,
	.xdo_dev_policy_free = espnic_policy_free,
#endif
};

static int espnic_init(struct net_device *dev)
{
	struct espnic *nic = netdev_priv(dev);

	spin_lock_init(&nic->lock);
	INIT_LIST_HEAD(&nic->policies);
	return gro_cells_init(&nic->cells, dev);
}

static void espnic_uninit(struct net_device *dev)
{
	struct espnic *nic = netdev_priv(dev);

	if (nic->lower) {
		netdev_rx_handler_unregister(nic->lower);
		dev_put(nic->lower);
		nic->lower = NULL;
	}
}

static void espnic_destroy(struct net_device *dev)
{
	struct espnic *nic = netdev_priv(dev);

	gro_cells_destroy(&nic->cells);
}

static const struct net_device_ops espnic_netdev_ops = {
	.ndo_init = espnic_init,
	.ndo_uninit = espnic_uninit,
	.ndo_start_xmit = espnic_xmit,
	.ndo_set_mac_address = eth_mac_addr,
};

static void espnic_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &espnic_netdev_ops;
	dev->xfrmdev_ops = &espnic_xfrmdev_ops;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	dev->features = NETIF_F_HW_ESP;
	dev->hw_features = NETIF_F_HW_ESP;
	dev->hw_enc_features = NETIF_F_HW_ESP;	/* what XFRM sends is marked as encapsulated */
	dev->needs_free_netdev = true;
	dev->priv_destructor = espnic_destroy;
}

static int espnic_newlink(struct net *src_net, struct net_device *dev, struct nlattr *tb[],
			  struct nlattr *data[], struct netlink_ext_ack *extack)
{
	struct espnic *nic = netdev_priv(dev);
	struct net_device *lower;
	int err;

	lower = tb[IFLA_LINK] ? __dev_get_by_index(src_net, nla_get_u32(tb[IFLA_LINK])) : NULL;
	if (!lower || lower->type != ARPHRD_ETHER || !net_eq(dev_net(lower), dev_net(dev))) {
		NL_SET_ERR_MSG(extack, "an Ethernet device of this namespace is needed: link NAME");
		return -EINVAL;
	}
	eth_hw_addr_inherit(dev, lower);
	dev->mtu = lower->mtu;
	nic->dev = dev;
	err = register_netdevice(dev);
	if (err)
		return err;
	err = netdev_rx_handler_register(lower, espnic_receive, nic);
	if (err) {
		unregister_netdevice(dev);
		return err;
	}
	dev_hold(lower);
	nic->lower = lower;
	return 0;
}

static struct rtnl_link_ops espnic_link_ops __read_mostly = {
	.kind = "espnic",
	.priv_size = sizeof(struct espnic),
	.setup = espnic_setup,
	.newlink = espnic_newlink,
};

static int espnic_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *lower = netdev_notifier_info_to_dev(ptr);
	struct espnic *nic;

	if (event == NETDEV_UNREGISTER && rtnl_dereference(lower->rx_handler) == espnic_receive) {
		nic = rtnl_dereference(lower->rx_handler_data);
		/* With a namespace both go at once. */
		if (nic->dev->reg_state == NETREG_REGISTERED)
			unregister_netdevice(nic->dev);
	}
	return NOTIFY_DONE;
}

static struct notifier_block espnic_notifier = { .notifier_call = espnic_event };

static int __init espnic_module_init(void)
{
	int err;

	wq = alloc_workqueue("espnic", 0, 0);
	if (!wq)
		return -ENOMEM;
	err = register_netdevice_notifier(&espnic_notifier);
	if (err)
		goto err_wq;
	err = rtnl_link_register(&espnic_link_ops);
	if (err)
		goto err_notifier;
	return 0;

err_notifier:
	unregister_netdevice_notifier(&espnic_notifier);
err_wq:
	destroy_workqueue(wq);
	return err;
}

static void __exit espnic_module_exit(void)
{
	rtnl_link_unregister(&espnic_link_ops);
	unregister_netdevice_notifier(&espnic_notifier);
	rcu_barrier();
	destroy_workqueue(wq);
}

module_init(espnic_module_init);
module_exit(espnic_module_exit);
MODULE_DESCRIPTION("Network device with ESP offload, for tests");
MODULE_LICENSE("GPL");
MODULE_ALIAS_RTNL_LINK("espnic");
