// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module keeps for a link namespace: the domains by svti-id and the indices over SPD and
 * SAD; how these are filled when the first interface is made, and repaired when an event could not
 * be followed.
 */
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "device.h"
#include "flow.h"
#include "link.h"
#include "pernet.h"

/*
 * So many objects are looked at between two chances for others to take the lock of the SPD or SAD.
 */
#define SVTI_WALK_BATCH 256

unsigned int svti_net_id __read_mostly;

static const struct rhashtable_params svti_domain_params = {
	.head_offset		= offsetof(struct svti_domain, hash),
	.key_offset		= offsetof(struct svti_domain, id),
	.key_len		= sizeof(u32),
	.automatic_shrinking	= true,
};

/**
 * svti_domain_get() - the domain of an id, made if there is none
 * @sn: link namespace
 * @id: svti-id, not 0
 *
 * svti_net.lock is held. Give it back with svti_domain_put().
 *
 * Return: the domain, or NULL if there is no memory.
 */
struct svti_domain *svti_domain_get(struct svti_net *sn, u32 id)
{
	struct svti_domain *dom;

	lockdep_assert_held(&sn->lock);

	dom = rhashtable_lookup_fast(&sn->domains, &id, svti_domain_params);
	if (!dom) {
		dom = kzalloc(sizeof(*dom), GFP_ATOMIC);
		if (!dom)
			return NULL;
		dom->id = id;
		dom->sn = sn;
		INIT_LIST_HEAD(&dom->sps);
		INIT_LIST_HEAD(&dom->sas);
		INIT_LIST_HEAD(&dom->link_stale);
		svti_spd_default_hash(dom->sp_hash[0]);
		dom->spd_gen = 1;	/* 0 would say nothing to a dump */
		dom->sas_gen = 1;
		if (rhashtable_insert_fast(&sn->domains, &dom->hash, svti_domain_params)) {
			kfree(dom);
			return NULL;
		}
	}
	dom->users++;
	return dom;
}

static void domain_free(struct rcu_head *head)
{
	struct svti_domain *dom = container_of(head, struct svti_domain, rcu);
	int i;

	for (i = 0; i < ARRAY_SIZE(dom->spd); i++)
		svti_spd_free_tuples(&dom->spd[i]);
	kfree(dom);
}

void svti_domain_put(struct svti_net *sn, struct svti_domain *dom)
{
	lockdep_assert_held(&sn->lock);

	if (--dom->users)
		return;
	rhashtable_remove_fast(&sn->domains, &dom->hash, svti_domain_params);
	call_rcu(&dom->rcu, domain_free);
}

/* The domain of an id or NULL; under RCU. */
struct svti_domain *svti_domain_lookup(struct svti_net *sn, u32 id)
{
	return rhashtable_lookup(&sn->domains, &id, svti_domain_params);
}

struct svti_walk {
	struct svti_net	*sn;
	unsigned int	budget;
	int		err;		/* the first object that could not be indexed */
};

static int walk_policy(struct xfrm_policy *pol, int dir, int count, void *data)
{
	struct svti_walk *walk = data;
	int err;

	if (!walk->budget--)
		return -EAGAIN;
	if (!pol->if_id)
		return 0;

	spin_lock(&walk->sn->lock);
	err = walk->sn->enabled ? svti_spd_sync(walk->sn, pol, dir) : 0;
	spin_unlock(&walk->sn->lock);
	if (err && !walk->err)
		walk->err = err;
	return 0;
}

static int walk_state(struct xfrm_state *x, int count, void *data)
{
	struct svti_walk *walk = data;
	int err;

	if (!walk->budget--)
		return -EAGAIN;
	if (!x->if_id)
		return 0;

	spin_lock(&walk->sn->lock);
	err = walk->sn->enabled ? svti_sad_sync(walk->sn, x, true) : 0;
	spin_unlock(&walk->sn->lock);
	if (err && !walk->err)
		walk->err = err;
	return 0;
}

/* Index whatever is in the SPD and SAD. May sleep. */
static int svti_net_walk(struct svti_net *sn)
{
	struct svti_walk walk = { .sn = sn };
	struct xfrm_policy_walk policies;
	struct xfrm_state_walk states;

	might_sleep();

	xfrm_policy_walk_init(&policies, XFRM_POLICY_TYPE_ANY);
	do {
		cond_resched();
		walk.budget = SVTI_WALK_BATCH;
	} while (xfrm_policy_walk(sn->net, &policies, walk_policy, &walk) == -EAGAIN);
	xfrm_policy_walk_done(&policies, sn->net);

	xfrm_state_walk_init(&states, 0, NULL);
	do {
		cond_resched();
		walk.budget = SVTI_WALK_BATCH;
	} while (xfrm_state_walk(sn->net, &states, walk_state, &walk) == -EAGAIN);
	xfrm_state_walk_done(&states, sn->net);

	return walk.err;
}

/**
 * svti_net_rescan() - compare the indices with the SPD and SAD, soon
 * @sn: link namespace
 * @delay: jiffies
 *
 * For what no event tells, and for when there was no memory to follow one. Until then the data path
 * drops what it finds dead, and asks the kernel for a state it does not find. svti_net.lock is
 * held.
 */
void svti_net_rescan(struct svti_net *sn, unsigned long delay)
{
	lockdep_assert_held(&sn->lock);

	if (sn->enabled)
		queue_delayed_work(system_unbound_wq, &sn->rescan, delay);
}

static void svti_net_retry(struct svti_net *sn)
{
	spin_lock_bh(&sn->lock);
	svti_net_rescan(sn, HZ);
	spin_unlock_bh(&sn->lock);
}

static void rescan_work(struct work_struct *work)
{
	struct svti_net *sn = container_of(to_delayed_work(work), struct svti_net, rescan);

	spin_lock_bh(&sn->lock);
	svti_spd_purge(sn, false);
	svti_sad_purge(sn, false);
	spin_unlock_bh(&sn->lock);

	if (svti_net_walk(sn))
		svti_net_retry(sn);
}

/**
 * svti_net_attach() - enter an interface under its id
 * @sn: link namespace
 * @svti: the interface; @svti->dom is set
 *
 * RTNL is held. May sleep.
 *
 * Return: 0, -EEXIST if the id is taken, -ENOMEM.
 */
int svti_net_attach(struct svti_net *sn, struct svti_dev *svti)
{
	struct svti_domain *dom;
	bool first;
	int err = 0;

	ASSERT_RTNL();

	spin_lock_bh(&sn->lock);
	dom = svti_domain_get(sn, svti->id);
	if (!dom) {
		err = -ENOMEM;
	} else if (rcu_access_pointer(dom->svti)) {
		svti_domain_put(sn, dom);
		err = -EEXIST;
	} else {
		svti->dom = dom;
		dom->sa_per_cpu = svti->sa_per_cpu;
		rcu_assign_pointer(dom->svti, svti);
		first = !sn->enabled;
		WRITE_ONCE(sn->enabled, true);
	}
	spin_unlock_bh(&sn->lock);
	if (err)
		return err;

	/* Events are followed from here on, so nothing falls between them and the walk. */
	if (first && svti_net_walk(sn))
		svti_net_retry(sn);
	return 0;
}

/* Undo svti_net_attach(). RTNL is held. The domain lives on, for a grace period at least. */
void svti_net_detach(struct svti_dev *svti)
{
	struct svti_domain *dom = svti->dom;
	struct svti_net *sn = dom->sn;

	ASSERT_RTNL();

	spin_lock_bh(&sn->lock);
	RCU_INIT_POINTER(dom->svti, NULL);
	svti_flow_forget_all();
	svti_link_forget(dom);
	svti_domain_put(sn, dom);
	spin_unlock_bh(&sn->lock);
}

static int __net_init svti_net_init(struct net *net)
{
	struct svti_net *sn = svti_pernet(net);
	int err;

	sn->net = net;
	spin_lock_init(&sn->lock);
	sn->rank_new = 1;
	INIT_DELAYED_WORK(&sn->rescan, rescan_work);
	svti_link_init(sn);

	err = rhashtable_init(&sn->domains, &svti_domain_params);
	if (err)
		return err;
	err = svti_spd_init(sn);
	if (err)
		goto err_spd;
	err = svti_sad_init(sn);
	if (err)
		goto err_sad;
	return 0;

err_sad:
	svti_spd_destroy(sn);
err_spd:
	rhashtable_destroy(&sn->domains);
	return err;
}

/* An interface dies with its link namespace, wherever the device itself has been moved. */
static void svti_net_collect(struct svti_net *sn, struct list_head *kill)
{
	struct rhashtable_iter iter;
	struct svti_domain *dom;
	struct svti_dev *svti;

	ASSERT_RTNL();

	rhashtable_walk_enter(&sn->domains, &iter);
	rhashtable_walk_start(&iter);
	while ((dom = rhashtable_walk_next(&iter))) {
		if (IS_ERR(dom))
			continue;	/* resized under us: some are seen again */
		svti = rcu_dereference(dom->svti);
		if (svti && !svti->dying) {
			svti->dying = true;
			unregister_netdevice_queue(svti->dev, kill);
		}
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
}

static void __net_exit svti_net_exit_batch(struct list_head *nets)
{
	struct svti_net *sn;
	LIST_HEAD(kill);
	struct net *net;

	rtnl_lock();
	list_for_each_entry(net, nets, exit_list)
		svti_net_collect(svti_pernet(net), &kill);
	unregister_netdevice_many(&kill);
	rtnl_unlock();

	list_for_each_entry(net, nets, exit_list) {
		sn = svti_pernet(net);

		spin_lock_bh(&sn->lock);
		WRITE_ONCE(sn->enabled, false);
		svti_spd_purge(sn, true);
		svti_sad_purge(sn, true);
		spin_unlock_bh(&sn->lock);
		cancel_delayed_work_sync(&sn->rescan);
		svti_link_stop(sn);
	}

	/*
	 * Policies, states and bundles go back before XFRM takes the namespace apart, and the
	 * tables have no readers.
	 */
	rcu_barrier();

	list_for_each_entry(net, nets, exit_list) {
		sn = svti_pernet(net);

		svti_sad_destroy(sn);
		svti_spd_destroy(sn);
		rhashtable_destroy(&sn->domains);
	}
}

static struct pernet_operations svti_net_ops = {
	.init		= svti_net_init,
	.exit_batch	= svti_net_exit_batch,
	.id		= &svti_net_id,
	.size		= sizeof(struct svti_net),
};

int svti_pernet_register(void)
{
	return register_pernet_device(&svti_net_ops);
}

void svti_pernet_unregister(void)
{
	unregister_pernet_device(&svti_net_ops);
}
