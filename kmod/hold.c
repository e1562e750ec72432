// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets that wait for the SA which they asked for. Bounded three ways: in number for an interface
 * and for a policy, so that one peer that does not answer cannot take the room of the others, and
 * in age. Each new state of the interface has all of them tried again.
 */
#include <linux/netdevice.h>

#include "device.h"
#include "hold.h"
#include "pernet.h"
#include "xmit.h"

#define SVTI_HOLD_PACKETS	256
#define SVTI_HOLD_PER_POLICY	16
#define SVTI_HOLD_AGE		(10 * HZ)	/* an IKE exchange with two retransmissions */

struct hold_cb {
	unsigned long	expires;	/* jiffies */
	u32		policy;		/* index of the policy */
};

static struct hold_cb *hold_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct hold_cb) > sizeof(skb->cb));
	return (struct hold_cb *)skb->cb;
}

/* Try everything once more. What still finds no state comes back, unless it is too old. */
static void hold_work(struct work_struct *work)
{
	struct svti_dev *svti = container_of(to_delayed_work(work), struct svti_dev, hold_work);
	struct sk_buff_head list;
	struct sk_buff *skb;

	__skb_queue_head_init(&list);
	spin_lock_bh(&svti->hold.lock);
	skb_queue_splice_init(&svti->hold, &list);
	spin_unlock_bh(&svti->hold.lock);

	while ((skb = __skb_dequeue(&list))) {
		local_bh_disable();
		rcu_read_lock();
		svti_xmit_again(svti, skb, hold_cb(skb)->expires);
		rcu_read_unlock();
		local_bh_enable();
		cond_resched();
	}

	spin_lock_bh(&svti->hold.lock);
	skb = skb_peek(&svti->hold);
	if (skb)
		queue_delayed_work(system_wq, &svti->hold_work,
				   max_t(long, hold_cb(skb)->expires - jiffies, 1));
	spin_unlock_bh(&svti->hold.lock);
}

void svti_hold_init(struct svti_dev *svti)
{
	skb_queue_head_init(&svti->hold);
	INIT_DELAYED_WORK(&svti->hold_work, hold_work);
}

void svti_hold_open(struct svti_dev *svti)
{
	spin_lock_bh(&svti->hold.lock);
	svti->hold_open = true;
	spin_unlock_bh(&svti->hold.lock);
}

/* Drop what waits, and take no more. May sleep. */
void svti_hold_close(struct svti_dev *svti)
{
	struct sk_buff_head list;
	struct sk_buff *skb;

	spin_lock_bh(&svti->hold.lock);
	svti->hold_open = false;
	spin_unlock_bh(&svti->hold.lock);
	cancel_delayed_work_sync(&svti->hold_work);

	__skb_queue_head_init(&list);
	spin_lock_bh(&svti->hold.lock);
	skb_queue_splice_init(&svti->hold, &list);
	spin_unlock_bh(&svti->hold.lock);

	local_bh_disable();
	while ((skb = __skb_dequeue(&list)))
		svti_xmit_drop(svti, skb, SVTI_XSTATS_TX_NO_STATE);
	local_bh_enable();
}

/* A state has come. svti_net.lock is held, which is why the interface is still there. */
void svti_hold_kick(struct svti_dev *svti)
{
	/* sad_gen is written before the queue is read; pairs with svti_hold(). */
	smp_mb();
	if (!skb_queue_empty_lockless(&svti->hold))
		mod_delayed_work(system_wq, &svti->hold_work, 0);
}

static unsigned int held_for(struct svti_dev *svti, u32 policy)
{
	unsigned int n = 0;
	struct sk_buff *skb;

	skb_queue_walk(&svti->hold, skb)
		n += hold_cb(skb)->policy == policy;
	return n;
}

/**
 * svti_hold() - keep a packet until there is an SA, or drop it
 * @svti: the interface
 * @skb: the packet, taken over
 * @policy: index of its policy
 * @gen: generation of the SAD in which no SA was found
 * @expires: when it had been kept before, until when it may be; else 0
 *
 * BH is disabled, RCU held.
 */
void svti_hold(struct svti_dev *svti, struct sk_buff *skb, u32 policy, u32 gen,
	       unsigned long expires)
{
	bool again = expires;

	if (!again)
		expires = (jiffies + SVTI_HOLD_AGE) | 1;
	else if (time_after_eq(jiffies, expires))
		goto drop;

	/* It leaves the context in which its route may be borrowed. */
	skb_dst_force(skb);

	spin_lock(&svti->hold.lock);
	if (!svti->hold_open) {
		spin_unlock(&svti->hold.lock);
		svti_xmit_drop(svti, skb, SVTI_XSTATS_TX_NO_STATE);
		return;
	}
	if (skb_queue_len(&svti->hold) >= SVTI_HOLD_PACKETS ||
	    held_for(svti, policy) >= SVTI_HOLD_PER_POLICY) {
		spin_unlock(&svti->hold.lock);
		goto drop;
	}
	hold_cb(skb)->expires = expires;
	hold_cb(skb)->policy = policy;
	__skb_queue_tail(&svti->hold, skb);
	if (!again)
		svti_count(svti, SVTI_XSTATS_TX_QUEUED);

	/* A state that came since the packet looked for one has found the queue without it. */
	/* The queue is written before sad_gen is read; pairs with svti_hold_kick(). */
	smp_mb();
	if (READ_ONCE(svti->dom->sad_gen) != gen)
		mod_delayed_work(system_wq, &svti->hold_work, 0);
	else
		queue_delayed_work(system_wq, &svti->hold_work, max_t(long, expires - jiffies, 1));
	spin_unlock(&svti->hold.lock);
	return;

drop:
	svti_xmit_drop(svti, skb, SVTI_XSTATS_TX_QUEUE_FULL);
}
