// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SPD of an SVTI (RFC 4301 4.4.1): an index over those policies of the namespace that carry its
 * svti-id.
 *
 * Tuple space: policies whose selectors have the same pair of prefix lengths form a tuple, and in a
 * tuple the masked addresses are an exact hash key. A lookup is one hash lookup for each tuple in
 * use, however many policies there are. Selectors at least as long as both thresholds share the one
 * tuple of the thresholds. Policies of one key hang on a node, in order of match.
 *
 * Order of match is that of one list sorted by priority, then by age. The age of a policy is its
 * index: XFRM numbers policies as they come, and a policy that replaces another inherits its
 * number, as it inherits its place.
 *
 * Writers hold svti_net.lock, readers RCU. The stock SPD stays the authority: an entry whose policy
 * is dead is skipped by lookups and removed when it is seen.
 */
#include <linux/slab.h>

#include "pernet.h"
#include "selector.h"
#include "spd.h"

/*
 * Prefix lengths from which on a selector is hashed with all others that long: local and remote
 * alike.
 */
static const u8 svti_spd_threshold[2] = { 32, 128 };

static const struct rhashtable_params svti_sp_params = {
	.head_offset		= offsetof(struct svti_sp_node, hash),
	.key_offset		= offsetof(struct svti_sp_node, key),
	.key_len		= sizeof(struct svti_sp_key),
	.automatic_shrinking	= true,
};

int svti_spd_init(struct svti_net *sn)
{
	BUILD_BUG_ON(sizeof(struct svti_sp_key) != 8 + 2 * sizeof(xfrm_address_t));

	INIT_LIST_HEAD(&sn->sps);
	return rhashtable_init(&sn->sp_nodes, &svti_sp_params);
}

/* After svti_spd_purge() of everything. */
void svti_spd_destroy(struct svti_net *sn)
{
	WARN_ON_ONCE(!list_empty(&sn->sps));
	rhashtable_destroy(&sn->sp_nodes);
}

static void mask_address(xfrm_address_t *to, const xfrm_address_t *from, u8 len)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(to->a6) && len >= 32; i++, len -= 32)
		to->a6[i] = from->a6[i];
	if (i < ARRAY_SIZE(to->a6) && len)
		to->a6[i] = from->a6[i] & htonl(~0U << (32 - len));
	for (i += len > 0; i < ARRAY_SIZE(to->a6); i++)
		to->a6[i] = 0;
}

static void make_key(struct svti_sp_key *key, u32 id, u8 spd, bool ipv6, u8 slen, u8 dlen,
		     const xfrm_address_t *saddr, const xfrm_address_t *daddr)
{
	key->id = id;
	key->spd = spd;
	key->ipv6 = ipv6;
	key->slen = slen;
	key->dlen = dlen;
	mask_address(&key->saddr, saddr, slen);
	mask_address(&key->daddr, daddr, dlen);
}

static int spd_index(const struct xfrm_policy *pol, int dir)
{
	bool sub = pol->type != XFRM_POLICY_TYPE_MAIN;

	switch (dir) {
	case XFRM_POLICY_OUT:
		return sub ? SVTI_SPD_OUT_SUB : SVTI_SPD_OUT;
	case XFRM_POLICY_IN:
		return sub ? SVTI_SPD_IN_SUB : SVTI_SPD_IN;
	}
	return -1;
}

static void policy_key(struct svti_sp_key *key, const struct xfrm_policy *pol, u8 spd)
{
	const struct xfrm_selector *sel = &pol->selector;
	bool ipv6 = pol->family == AF_INET6;
	u8 limit = svti_spd_threshold[ipv6];
	u8 slen = sel->prefixlen_s, dlen = sel->prefixlen_d;

	if (slen >= limit && dlen >= limit) {
		slen = limit;
		dlen = limit;
	}
	make_key(key, pol->if_id, spd, ipv6, slen, dlen, &sel->saddr, &sel->daddr);
}

static bool matches_before(const struct xfrm_policy *a, const struct xfrm_policy *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return a->index < b->index;
}

static struct svti_tuple *find_tuple(struct svti_tuples *ts, u8 slen, u8 dlen)
{
	unsigned int i;

	for (i = 0; ts && i < ts->n; i++)
		if (ts->t[i].slen == slen && ts->t[i].dlen == dlen)
			return &ts->t[i];
	return NULL;
}

/* One more node of this pair of lengths. */
static int tuple_get(struct svti_net *sn, struct svti_tuples __rcu **slot, u8 slen, u8 dlen,
		     u32 priority)
{
	struct svti_tuples *old, *new;
	struct svti_tuple *t;
	unsigned int n;

	old = rcu_dereference_protected(*slot, lockdep_is_held(&sn->lock));
	t = find_tuple(old, slen, dlen);
	if (t) {
		t->count++;
		return 0;
	}

	n = old ? old->n : 0;
	new = kmalloc(struct_size(new, t, n + 1), GFP_ATOMIC);
	if (!new)
		return -ENOMEM;
	new->n = n + 1;
	if (old)
		memcpy(new->t, old->t, n * sizeof(*t));
	new->t[n] = (struct svti_tuple){ .slen = slen, .dlen = dlen, .best = priority, .count = 1 };

	rcu_assign_pointer(*slot, new);
	if (old)
		kfree_rcu(old, rcu);
	return 0;
}

static void tuple_put(struct svti_net *sn, struct svti_tuples __rcu **slot, u8 slen, u8 dlen)
{
	struct svti_tuples *old, *new = NULL;
	struct svti_tuple *t;
	unsigned int i;

	old = rcu_dereference_protected(*slot, lockdep_is_held(&sn->lock));
	t = find_tuple(old, slen, dlen);
	if (WARN_ON_ONCE(!t) || --t->count)
		return;

	if (old->n > 1) {
		new = kmalloc(struct_size(new, t, old->n - 1), GFP_ATOMIC);
		if (!new)
			return;		/* stays, empty, for tuple_get() to find again */
		new->n = 0;
		for (i = 0; i < old->n; i++)
			if (&old->t[i] != t)
				new->t[new->n++] = old->t[i];
	}
	rcu_assign_pointer(*slot, new);
	kfree_rcu(old, rcu);
}

static void tuple_promise(struct svti_net *sn, struct svti_tuples __rcu **slot, u8 slen, u8 dlen,
			  u32 priority)
{
	struct svti_tuple *t;

	t = find_tuple(rcu_dereference_protected(*slot, lockdep_is_held(&sn->lock)), slen, dlen);
	if (priority < t->best)
		WRITE_ONCE(t->best, priority);
}

static struct svti_tuples __rcu **tuples_of(struct svti_domain *dom, const struct svti_sp_key *key)
{
	return &dom->spd[key->spd].tuples[key->ipv6];
}

static struct svti_sp_node *node_get(struct svti_net *sn, struct svti_domain *dom,
				     const struct svti_sp_key *key, u32 priority)
{
	struct svti_sp_node *node;
	int err;

	node = rhashtable_lookup_fast(&sn->sp_nodes, key, svti_sp_params);
	if (node)
		return node;

	node = kmalloc(sizeof(*node), GFP_ATOMIC);
	if (!node)
		return ERR_PTR(-ENOMEM);
	node->key = *key;
	INIT_LIST_HEAD(&node->sps);

	err = tuple_get(sn, tuples_of(dom, key), key->slen, key->dlen, priority);
	if (err)
		goto err_tuple;
	err = rhashtable_insert_fast(&sn->sp_nodes, &node->hash, svti_sp_params);
	if (err)
		goto err_insert;
	return node;

err_insert:
	tuple_put(sn, tuples_of(dom, key), key->slen, key->dlen);
err_tuple:
	kfree(node);
	return ERR_PTR(err);
}

static void node_put(struct svti_net *sn, struct svti_domain *dom, struct svti_sp_node *node)
{
	if (!list_empty(&node->sps))
		return;

	rhashtable_remove_fast(&sn->sp_nodes, &node->hash, svti_sp_params);
	tuple_put(sn, tuples_of(dom, &node->key), node->key.slen, node->key.dlen);
	kfree_rcu(node, rcu);
}

static void sp_free(struct rcu_head *head)
{
	struct svti_sp *sp = container_of(head, struct svti_sp, rcu);

	xfrm_pol_put(sp->pol);
	kfree(sp);
}

static void sp_remove(struct svti_net *sn, struct svti_sp *sp)
{
	struct svti_domain *dom = sp->dom;

	lockdep_assert_held(&sn->lock);

	list_del_rcu(&sp->link);
	list_del(&sp->all);
	WRITE_ONCE(dom->spd[sp->node->key.spd].count, dom->spd[sp->node->key.spd].count - 1);
	node_put(sn, dom, sp->node);
	svti_domain_put(sn, dom);
	call_rcu(&sp->rcu, sp_free);
}

static int sp_insert(struct svti_net *sn, struct xfrm_policy *pol, const struct svti_sp_key *key)
{
	struct svti_domain *dom;
	struct svti_sp_node *node;
	struct svti_sp *sp, *pos;
	int err = -ENOMEM;

	dom = svti_domain_get(sn, pol->if_id);
	if (!dom)
		return -ENOMEM;
	sp = kzalloc(sizeof(*sp), GFP_ATOMIC);
	if (!sp)
		goto err_alloc;
	node = node_get(sn, dom, key, pol->priority);
	if (IS_ERR(node)) {
		err = PTR_ERR(node);
		goto err_node;
	}

	xfrm_pol_hold(pol);
	sp->pol = pol;
	sp->node = node;
	sp->dom = dom;
	sp->retry_gen = READ_ONCE(dom->sad_gen) - 1;

	/*
	 * Before the policy itself: a lookup must not pass over the tuple once the policy is in it.
	 */
	tuple_promise(sn, tuples_of(dom, key), key->slen, key->dlen, pol->priority);

	list_for_each_entry(pos, &node->sps, link)
		if (matches_before(pol, pos->pol))
			break;
	list_add_tail_rcu(&sp->link, &pos->link);
	list_add_tail(&sp->all, &sn->sps);
	WRITE_ONCE(dom->spd[key->spd].count, dom->spd[key->spd].count + 1);
	return 0;

err_node:
	kfree(sp);
err_alloc:
	svti_domain_put(sn, dom);
	return err;
}

/**
 * svti_spd_sync() - make the index agree with the stock SPD about one policy
 * @sn: the namespace of the policy
 * @pol: the policy, referenced by the caller; alive or dead
 * @dir: its direction
 *
 * Idempotent, so that an event that is seen twice, or late, does no harm. A policy that replaces
 * another is the only one XFRM tells of, hence the dead ones of the same selector are removed along
 * with it, after the new one is in place. svti_net.lock is held.
 *
 * Return: 0, or -ENOMEM if the policy could not be indexed.
 */
int svti_spd_sync(struct svti_net *sn, struct xfrm_policy *pol, int dir)
{
	int spd = spd_index(pol, dir), err = 0;
	struct svti_sp_node *node;
	struct svti_sp *sp, *tmp;
	struct svti_sp_key key;
	bool known = false;

	lockdep_assert_held(&sn->lock);

	if (!pol->if_id || spd < 0)
		return 0;

	policy_key(&key, pol, spd);
	node = rhashtable_lookup_fast(&sn->sp_nodes, &key, svti_sp_params);
	if (node) {
		list_for_each_entry(sp, &node->sps, link)
			known |= sp->pol == pol;
	}
	if (!known && !READ_ONCE(pol->walk.dead))
		err = sp_insert(sn, pol, &key);

	if (node) {
		list_for_each_entry_safe(sp, tmp, &node->sps, link) {
			bool last = list_is_singular(&node->sps);

			if (!READ_ONCE(sp->pol->walk.dead))
				continue;
			sp_remove(sn, sp);
			if (last)
				break;		/* the node went with it */
		}
	}
	return err;
}

/**
 * svti_spd_purge() - remove the entries of policies that died unannounced, or all
 * @sn: the namespace
 * @all: the living ones too
 *
 * svti_net.lock is held.
 */
void svti_spd_purge(struct svti_net *sn, bool all)
{
	struct svti_sp *sp, *tmp;

	lockdep_assert_held(&sn->lock);

	list_for_each_entry_safe(sp, tmp, &sn->sps, all)
		if (all || READ_ONCE(sp->pol->walk.dead))
			sp_remove(sn, sp);
}

static bool sp_match(const struct xfrm_policy *pol, const struct flowi *fl, u16 family)
{
	return !READ_ONCE(pol->walk.dead) && (fl->flowi_mark & pol->mark.m) == pol->mark.v &&
	       svti_selector_match(&pol->selector, fl, family);
}

/**
 * svti_spd_lookup() - the first policy in order of match that selects a flow
 * @dom: whose SPD
 * @spd: which of them
 * @fl: the flow
 * @family: its family
 *
 * Under RCU, which also bounds the life of the result.
 */
struct svti_sp *svti_spd_lookup(const struct svti_domain *dom, enum svti_spd_index spd,
				const struct flowi *fl, u16 family)
{
	bool ipv6 = family == AF_INET6;
	const xfrm_address_t *saddr = xfrm_flowi_saddr(fl, family);
	const xfrm_address_t *daddr = xfrm_flowi_daddr(fl, family);
	const struct svti_tuples *ts;
	struct svti_sp *sp, *best = NULL;
	struct svti_sp_node *node;
	struct svti_sp_key key;
	unsigned int i;

	ts = rcu_dereference(dom->spd[spd].tuples[ipv6]);
	for (i = 0; ts && i < ts->n; i++) {
		const struct svti_tuple *t = &ts->t[i];

		if (best && READ_ONCE(t->best) > best->pol->priority)
			continue;

		make_key(&key, dom->id, spd, ipv6, t->slen, t->dlen, saddr, daddr);
		node = rhashtable_lookup(&dom->sn->sp_nodes, &key, svti_sp_params);
		if (!node)
			continue;
		list_for_each_entry_rcu(sp, &node->sps, link) {
			if (best && !matches_before(sp->pol, best->pol))
				break;
			if (sp_match(sp->pol, fl, family)) {
				best = sp;
				break;
			}
		}
	}
	return best;
}
