// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SAD of an SVTI (RFC 4301 4.4.2): an index over those states of the namespace that carry its
 * svti-id, by what a template asks for. Which way a state works is not known on all kernels, so
 * states for receiving are in it as well; their addresses are the other way round and no template
 * asks for them. On receive the kernel finds the state.
 *
 * Writers hold svti_net.lock, readers RCU. An entry proves nothing: a lookup looks at the state
 * itself.
 */
#include <linux/inetdevice.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/route.h>

#include "compat.h"
#include "device.h"
#include "flow.h"
#include "hold.h"
#include "link.h"
#include "pernet.h"
#include "sad.h"

static const struct rhashtable_params svti_sa_key_params = {
	.head_offset		= offsetof(struct svti_sa, by_key),
	.key_offset		= offsetof(struct svti_sa, key),
	.key_len		= sizeof(struct svti_sa_key),
	.automatic_shrinking	= true,
};

static const struct rhashtable_params svti_sa_state_params = {
	.head_offset		= offsetof(struct svti_sa, by_state),
	.key_offset		= offsetof(struct svti_sa, x),
	.key_len		= sizeof(struct xfrm_state *),
	.automatic_shrinking	= true,
};

int svti_sad_init(struct svti_net *sn)
{
	int err;

	BUILD_BUG_ON(sizeof(struct svti_sa_key) != 12 + 2 * sizeof(xfrm_address_t));

	INIT_LIST_HEAD(&sn->sas);
	err = rhltable_init(&sn->sa_by_key, &svti_sa_key_params);
	if (err)
		return err;
	err = rhashtable_init(&sn->sa_by_state, &svti_sa_state_params);
	if (err)
		goto err_by_state;
	return 0;

err_by_state:
	rhltable_destroy(&sn->sa_by_key);
	return err;
}

/* After svti_sad_purge() of everything. */
void svti_sad_destroy(struct svti_net *sn)
{
	WARN_ON_ONCE(!list_empty(&sn->sas));
	rhashtable_destroy(&sn->sa_by_state);
	rhltable_destroy(&sn->sa_by_key);
}

static void copy_address(xfrm_address_t *to, const xfrm_address_t *from, u16 family)
{
	memset(to, 0, sizeof(*to));
	if (family == AF_INET)
		to->a4 = from->a4;
	else
		to->in6 = from->in6;
}

static void state_key(struct svti_sa_key *key, const struct xfrm_state *x)
{
	key->id = READ_ONCE(x->if_id);
	key->reqid = x->props.reqid;
	key->family = x->props.family;
	key->proto = x->id.proto;
	key->mode = x->props.mode;
	key->zero = 0;
	copy_address(&key->saddr, &x->props.saddr, x->props.family);
	copy_address(&key->daddr, &x->id.daddr, x->props.family);
}

static void template_key(struct svti_sa_key *key, u32 id, const struct xfrm_tmpl *tmpl)
{
	key->id = id;
	key->reqid = tmpl->reqid;
	key->family = tmpl->encap_family;
	key->proto = tmpl->id.proto;
	key->mode = tmpl->mode;
	key->zero = 0;
	copy_address(&key->saddr, &tmpl->saddr, tmpl->encap_family);
	copy_address(&key->daddr, &tmpl->id.daddr, tmpl->encap_family);
}

static bool address_is_ours(struct net *net, const xfrm_address_t *addr, u16 family)
{
	if (family == AF_INET)
		return inet_addr_type(net, addr->a4) == RTN_LOCAL;
	/* One that is being probed for duplicates is ours as well. */
	return IS_ENABLED(CONFIG_IPV6) &&
	       ipv6_chk_addr_and_flags(net, &addr->in6, NULL, true, 0, 0);
}

/*
 * A state for receiving has an address of this host as its destination. So has one for sending
 * between two addresses of this host.
 */
static bool state_is_outbound(struct net *net, const struct xfrm_state *x)
{
	u16 family = x->props.family;

	if (svti_compat_state_is_inbound(x))
		return false;
	return !address_is_ours(net, &x->id.daddr, family) ||
	       address_is_ours(net, &x->props.saddr, family);
}

static void drop_bundle(struct svti_net *sn, struct dst_entry __rcu **slot)
{
	dst_release(rcu_replace_pointer(*slot, NULL, lockdep_is_held(&sn->lock)));
}

static void sa_free(struct rcu_head *head)
{
	struct svti_sa *sa = container_of(head, struct svti_sa, rcu);

	xfrm_state_put(sa->x);
	kfree(sa);
}

static void sa_remove(struct svti_net *sn, struct svti_sa *sa)
{
	lockdep_assert_held(&sn->lock);

	rhashtable_remove_fast(&sn->sa_by_state, &sa->by_state, svti_sa_state_params);
	rhltable_remove(&sn->sa_by_key, &sa->by_key, svti_sa_key_params);
	list_del_init(&sa->all);
	list_del(&sa->in_dom);
	sa->dom->sas_gen++;
	svti_flow_forget_all();
	drop_bundle(sn, &sa->bundle[0]);
	drop_bundle(sn, &sa->bundle[1]);
	if (sa->outbound) {
		sa->dom->outbound--;
		svti_link_follow(sa->dom);
	}
	svti_domain_put(sn, sa->dom);
	call_rcu(&sa->rcu, sa_free);
}

static int sa_insert(struct svti_net *sn, struct xfrm_state *x, const struct svti_sa_key *key,
		     bool walk)
{
	struct svti_domain *dom;
	struct svti_dev *svti;
	struct svti_sa *sa;
	int err = -ENOMEM;

	dom = svti_domain_get(sn, key->id);
	if (!dom)
		return -ENOMEM;
	sa = kzalloc(sizeof(*sa), GFP_ATOMIC);
	if (!sa)
		goto err_alloc;

	INIT_LIST_HEAD(&sa->all);
	sa->key = *key;
	sa->dom = dom;
	sa->x = x;
	sa->outbound = state_is_outbound(sn->net, x);
	sa->path_stale = true;
	/*
	 * A walk meets the newest first, and all of them are older than what events have told of.
	 */
	sa->rank = walk ? sn->rank_old-- : sn->rank_new++;

	err = rhltable_insert(&sn->sa_by_key, &sa->by_key, svti_sa_key_params);
	if (err)
		goto err_by_key;
	err = rhashtable_insert_fast(&sn->sa_by_state, &sa->by_state, svti_sa_state_params);
	if (err)
		goto err_by_state;

	xfrm_state_hold(x);
	list_add_tail(&sa->all, &sn->sas);
	list_add_tail(&sa->in_dom, &dom->sas);
	dom->sas_gen++;

	svti_flow_forget_all();
	WRITE_ONCE(dom->sad_gen, dom->sad_gen + 1);
	if (sa->outbound) {
		dom->outbound++;
		svti_link_follow(dom);
	}
	svti = rcu_dereference_protected(dom->svti, lockdep_is_held(&sn->lock));
	if (svti)
		svti_hold_kick(svti);
	return 0;

err_by_state:
	/* Readers may have seen it, though none has kept it. */
	rhltable_remove(&sn->sa_by_key, &sa->by_key, svti_sa_key_params);
	svti_domain_put(sn, dom);
	kfree_rcu(sa, rcu);
	return err;
err_by_key:
	kfree(sa);
err_alloc:
	svti_domain_put(sn, dom);
	return err;
}

/*
 * It is known, and something about it has changed: past its soft limit, another encapsulation, or
 * an address of this host has come or gone since it was looked at.
 */
static void sa_changed(struct svti_net *sn, struct svti_sa *sa)
{
	bool outbound = state_is_outbound(sn->net, sa->x);

	svti_flow_forget_all();
	if (outbound != sa->outbound) {
		sa->outbound = outbound;
		sa->dom->outbound += outbound ? 1 : -1;
	}
	if (outbound)
		sa->path_stale = true;
	svti_link_follow(sa->dom);
}

/**
 * svti_sad_address_changed() - an address of this host has come or gone
 * @sn: the namespace
 * @addr: the address
 * @family: its family
 *
 * Which states are for sending may depend on it. svti_net.lock is held.
 */
void svti_sad_address_changed(struct svti_net *sn, const xfrm_address_t *addr, u16 family)
{
	struct svti_sa *sa;

	lockdep_assert_held(&sn->lock);

	list_for_each_entry(sa, &sn->sas, all)
		if (sa->key.family == family &&
		    (xfrm_addr_equal(&sa->key.daddr, addr, family) ||
		     xfrm_addr_equal(&sa->key.saddr, addr, family)))
			sa_changed(sn, sa);
}

/**
 * svti_sad_sync() - make the index agree with the kernel's SAD about one state
 * @sn: the namespace of the state
 * @x: the state, referenced by the caller; in whatever condition
 * @walk: found by a walk through the SAD and not told of by an event
 *
 * Idempotent. Moves the state when its if_id has changed. One with packet offload is not for an
 * SVTI (svti_policy_is_refused()), and not in its SAD. svti_net.lock is held, and x->lock may be.
 *
 * Return: 0, or a negative error if the state could not be indexed.
 */
int svti_sad_sync(struct svti_net *sn, struct xfrm_state *x, bool walk)
{
	bool wanted = READ_ONCE(x->km.state) == XFRM_STATE_VALID && READ_ONCE(x->if_id) &&
		      !svti_compat_state_is_in_device(x);
	struct svti_sa_key key;
	struct svti_sa *sa;

	lockdep_assert_held(&sn->lock);

	state_key(&key, x);
	sa = rhashtable_lookup_fast(&sn->sa_by_state, &x, svti_sa_state_params);
	if (sa) {
		if (wanted && !memcmp(&sa->key, &key, sizeof(key))) {
			sa_changed(sn, sa);
			return 0;
		}
		sa_remove(sn, sa);
	}
	return wanted ? sa_insert(sn, x, &key, walk) : 0;
}

/**
 * svti_sad_purge() - remove the entries of states that died or moved unannounced, or all
 * @sn: the namespace
 * @all: the living ones too
 *
 * svti_net.lock is held.
 */
void svti_sad_purge(struct svti_net *sn, bool all)
{
	struct svti_sa *sa, *tmp;

	lockdep_assert_held(&sn->lock);

	list_for_each_entry_safe(sa, tmp, &sn->sas, all)
		if (all || READ_ONCE(sa->x->km.state) != XFRM_STATE_VALID ||
		    READ_ONCE(sa->x->if_id) != sa->key.id)
			sa_remove(sn, sa);
}

static void sa_drop_bundles(struct svti_net *sn, struct svti_sa *sa, const struct net_device *dev)
{
	struct dst_entry *bundle;
	int i;

	for (i = 0; i < ARRAY_SIZE(sa->bundle); i++) {
		bundle = rcu_dereference_protected(sa->bundle[i], lockdep_is_held(&sn->lock));
		if (bundle && (!dev || bundle->dev == dev))
			drop_bundle(sn, &sa->bundle[i]);
	}
}

/*
 * Forget the cached bundles of a domain. svti_net.lock is held. Packets under way keep their own
 * reference.
 */
void svti_sad_drop_bundles(struct svti_net *sn, struct svti_domain *dom)
{
	struct svti_sa *sa;

	lockdep_assert_held(&sn->lock);

	list_for_each_entry(sa, &dom->sas, in_dom)
		sa_drop_bundles(sn, sa, NULL);
}

/*
 * Forget the cached bundles that leave through a device, which is going away. svti_net.lock is
 * held.
 */
void svti_sad_drop_device(struct svti_net *sn, const struct net_device *dev)
{
	struct svti_sa *sa;

	lockdep_assert_held(&sn->lock);

	list_for_each_entry(sa, &sn->sas, all)
		sa_drop_bundles(sn, sa, dev);
}

/**
 * svti_sa_keep_bundle() - cache a bundle, in place of the one that is there
 * @sa: its state, under RCU
 * @ipv6: for inner IPv6 packets
 * @bundle: the bundle; a reference is taken if it is kept
 *
 * Return: whether it is kept. It is not when the entry is being removed, or the interface has gone
 * down: nobody would take it away again.
 */
bool svti_sa_keep_bundle(struct svti_sa *sa, bool ipv6, struct dst_entry *bundle)
{
	struct svti_domain *dom = sa->dom;
	struct svti_net *sn = dom->sn;
	struct svti_dev *svti;
	struct dst_entry *old;
	bool keep;

	spin_lock_bh(&sn->lock);
	svti = rcu_dereference_protected(dom->svti, lockdep_is_held(&sn->lock));
	keep = svti && svti->open && !list_empty(&sa->all);
	if (keep) {
		dst_hold(bundle);
		old = rcu_replace_pointer(sa->bundle[ipv6], bundle, lockdep_is_held(&sn->lock));
		dst_release(old);
	}
	spin_unlock_bh(&sn->lock);
	return keep;
}

/* The state is in the index; under RCU. */
bool svti_sad_knows(struct svti_net *sn, const struct xfrm_state *x)
{
	return rhashtable_lookup(&sn->sa_by_state, &x, svti_sa_state_params);
}

/*
 * One that is for this CPU, of these the newest that has not reached its soft limit: the order in
 * which the kernel itself chooses.
 */
static bool better(const struct svti_sa *a, const struct svti_sa *b)
{
	u32 a_cpu = svti_compat_state_cpu(a->x), b_cpu = svti_compat_state_cpu(b->x);

	if (a_cpu != b_cpu)
		return b_cpu == UINT_MAX;
	if (a->x->km.dying != b->x->km.dying)
		return a->x->km.dying < b->x->km.dying;
	if (a->x->curlft.add_time != b->x->curlft.add_time)
		return a->x->curlft.add_time > b->x->curlft.add_time;
	return (s32)(a->rank - b->rank) > 0;
}

/* The state can be used for a policy, on this CPU, at this moment. */
static bool fits(const struct svti_sa *sa, const struct svti_domain *dom,
		 const struct xfrm_policy *pol, const struct xfrm_tmpl *tmpl)
{
	const struct xfrm_state *x = sa->x;
	u32 cpu = svti_compat_state_cpu(x);

	return READ_ONCE(x->km.state) == XFRM_STATE_VALID && READ_ONCE(x->if_id) == dom->id &&
	       (pol->mark.v & pol->mark.m & x->mark.m) == x->mark.v &&
	       (!tmpl->id.spi || tmpl->id.spi == x->id.spi) &&
	       !svti_compat_state_is_inbound(x) && (cpu == UINT_MAX || cpu == smp_processor_id());
}

/**
 * svti_sad_lookup() - the state to send with
 * @dom: whose SAD
 * @pol: the policy
 * @tmpl: its template, with both addresses
 *
 * Under RCU, which also bounds the life of the result; BH is disabled.
 *
 * Return: the entry or NULL. Its state was usable a moment ago; the kernel looks again, under the
 * lock of the state, when it encrypts.
 */
struct svti_sa *svti_sad_lookup(const struct svti_domain *dom, const struct xfrm_policy *pol,
				const struct xfrm_tmpl *tmpl)
{
	struct svti_sa *sa, *best = NULL;
	struct rhlist_head *list, *pos;
	struct svti_sa_key key;
	unsigned int n = 0;

	template_key(&key, dom->id, tmpl);
	list = rhltable_lookup(&dom->sn->sa_by_key, &key, svti_sa_key_params);
	rhl_for_each_entry_rcu(sa, pos, list, by_key) {
		if (!fits(sa, dom, pol, tmpl))
			continue;
		n += !sa->x->km.dying;
		if (!best || better(sa, best))
			best = sa;
	}
	if (likely(n < 2 || !READ_ONCE(dom->sa_per_cpu) ||
		   svti_compat_state_cpu(best->x) != UINT_MAX))
		return best;

	/* Any of them is as good: each CPU has its own, as long as there are enough. */
	n = smp_processor_id() % n;
	rhl_for_each_entry_rcu(sa, pos, list, by_key)
		if (fits(sa, dom, pol, tmpl) && !sa->x->km.dying && !n--)
			return sa;
	return best;
}
