// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SPD of an SVTI (RFC 4301 4.4.1): an index over those policies of the namespace that carry its
 * svti-id.
 *
 * Tuple space: policies whose selectors have the same shape (prefix lengths, and whether they name
 * a protocol, ports, a mark) form a tuple, and in a tuple the masked values are an exact hash key.
 * A lookup is one hash lookup for each tuple in use, however many policies there are. Selectors
 * whose prefixes are both at least as long as the thresholds of the interface share the tuple of
 * the thresholds, whatever their lengths: few tuples against longer buckets is what the thresholds
 * are for. Policies of one key hang on a node, in order of match.
 *
 * Order of match is that of one list sorted by priority, then by age. The age of a policy is its
 * index: XFRM numbers policies as they come, and a policy that replaces another inherits its
 * number, as it inherits its place. Tuples are visited by their best priority, so a lookup ends as
 * soon as no other tuple can have a better policy.
 *
 * Writers hold svti_net.lock, readers RCU. The stock SPD stays the authority: an entry whose policy
 * is dead says that the truth is about to change.
 */
#include <linux/inetdevice.h>
#include <linux/jhash.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "flow.h"
#include "pernet.h"
#include "selector.h"
#include "spd.h"

/* So many policies find a new place between two chances for others to take the lock. */
#define SVTI_REHASH_BATCH 256

static const struct svti_sp_hash svti_sp_hash_default[2] = { { 32, 32 }, { 128, 128 } };

static u8 key_table(u8 spd, bool ipv6, int epoch)
{
	return spd << 2 | ipv6 << 1 | epoch;
}

static bool key_is_ipv6(const struct svti_sp_key *key)
{
	return key->table & 2;
}

static u32 key_size(const struct svti_sp_key *key)
{
	return key_is_ipv6(key) ? sizeof(*key) : offsetof(struct svti_sp_key, addr[2]);
}

static u32 key_hash(const void *data, u32 len, u32 seed)
{
	return jhash2(data, key_size(data) / sizeof(u32), seed);
}

static int key_compare(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct svti_sp_node *node = obj;

	return memcmp(&node->key, arg->key, key_size(arg->key));
}

static const struct rhashtable_params svti_sp_params = {
	.head_offset		= offsetof(struct svti_sp_node, hash),
	.key_offset		= offsetof(struct svti_sp_node, key),
	.key_len		= sizeof(struct svti_sp_key),
	.hashfn			= key_hash,
	.obj_cmpfn		= key_compare,
	.automatic_shrinking	= true,
};

int svti_spd_init(struct svti_net *sn)
{
	BUILD_BUG_ON(sizeof(struct svti_sp_key) != 20 + 8 * sizeof(__be32));
	BUILD_BUG_ON(SVTI_SPD_MAX > 1 << 6);

	INIT_LIST_HEAD(&sn->sps);
	return rhashtable_init(&sn->sp_nodes, &svti_sp_params);
}

/* After svti_spd_purge() of everything. */
void svti_spd_destroy(struct svti_net *sn)
{
	WARN_ON_ONCE(!list_empty(&sn->sps));
	rhashtable_destroy(&sn->sp_nodes);
}

void svti_spd_default_hash(struct svti_sp_hash hash[2])
{
	memcpy(hash, svti_sp_hash_default, sizeof(svti_sp_hash_default));
}

/* Without readers. Normally they went with the last policy. */
void svti_spd_free_tuples(struct svti_spd *spd)
{
	int i;

	for (i = 0; i < 4; i++)
		kfree(rcu_dereference_protected(spd->tuples[i / 2][i % 2], true));
}

static void mask_address6(__be32 *to, const xfrm_address_t *from, u8 len)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(from->a6); i++) {
		u8 bits = min_t(u8, len, 32);

		to[i] = from->a6[i] & inet_make_mask(bits);
		len -= bits;
	}
}

static __be16 mask_port(__be16 port, u8 len)
{
	return port & htons((u16)(0xffff0000 >> len));
}

/* A contiguous mask is as long as it looks; of any other, what leads. */
static u8 port_mask_len(__be16 mask)
{
	return 16 - fls((u16)~ntohs(mask));
}

/* What of a flow, or of a selector, keys are made of. */
struct key_source {
	const xfrm_address_t	*saddr;
	const xfrm_address_t	*daddr;
	__be16			sport;
	__be16			dport;
	u8			proto;
	u32			mark;
};

/* id and table are set already. */
static void fill_key(struct svti_sp_key *key, const struct svti_sp_shape *shape,
		     const struct key_source *src)
{
	key->shape = *shape;
	key->proto = shape->proto ? src->proto : 0;
	key->mark = shape->mark ? src->mark : 0;
	key->sport = mask_port(src->sport, shape->sport_len);
	key->dport = mask_port(src->dport, shape->dport_len);
	if (key_is_ipv6(key)) {
		mask_address6(key->addr, src->saddr, shape->slen);
		mask_address6(key->addr + 4, src->daddr, shape->dlen);
	} else {
		key->addr[0] = src->saddr->a4 & inet_make_mask(shape->slen);
		key->addr[1] = src->daddr->a4 & inet_make_mask(shape->dlen);
	}
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

static bool spd_is_out(u8 spd)
{
	return spd == SVTI_SPD_OUT || spd == SVTI_SPD_OUT_SUB;
}

/* The thresholds for the selectors of an SPD: local and remote are on other sides in `in`. */
static void thresholds(const struct svti_sp_hash *hash, u8 spd, u8 *slen, u8 *dlen)
{
	*slen = spd_is_out(spd) ? hash->local : hash->remote;
	*dlen = spd_is_out(spd) ? hash->remote : hash->local;
}

/* A selector is longer than the protocol allows only if it was not checked; it would not match. */
static void selector_lengths(const struct xfrm_policy *pol, u8 *slen, u8 *dlen)
{
	u8 longest = pol->family == AF_INET6 ? 128 : 32;

	*slen = min_t(u8, pol->selector.prefixlen_s, longest);
	*dlen = min_t(u8, pol->selector.prefixlen_d, longest);
}

static void policy_key(struct svti_sp_key *key, const struct xfrm_policy *pol, u8 spd,
		       const struct svti_domain *dom, int epoch)
{
	const struct xfrm_selector *sel = &pol->selector;
	bool ipv6 = pol->family == AF_INET6;
	const struct key_source src = {
		.saddr	= &sel->saddr,
		.daddr	= &sel->daddr,
		.sport	= sel->sport,
		.dport	= sel->dport,
		.proto	= sel->proto,
		.mark	= pol->mark.v,
	};
	struct svti_sp_shape shape = {
		.sport_len	= port_mask_len(sel->sport_mask),
		.dport_len	= port_mask_len(sel->dport_mask),
		.proto		= !!sel->proto,
		.mark		= pol->mark.m == ~0U,
	};
	u8 slen, dlen;

	selector_lengths(pol, &shape.slen, &shape.dlen);
	thresholds(&dom->sp_hash[epoch][ipv6], spd, &slen, &dlen);
	if (shape.slen >= slen && shape.dlen >= dlen) {
		shape.slen = slen;
		shape.dlen = dlen;
	}

	memset(key, 0, sizeof(*key));
	key->id = pol->if_id;
	key->table = key_table(spd, ipv6, epoch);
	fill_key(key, &shape, &src);
}

/* Whether the thresholds of an epoch hash the policy, as against a bucket of its own lengths. */
bool svti_sp_is_hashed(const struct svti_sp *sp, int epoch)
{
	u8 slen, dlen, min_slen, min_dlen;

	selector_lengths(sp->pol, &slen, &dlen);
	thresholds(&sp->dom->sp_hash[epoch][sp->pol->family == AF_INET6], sp->spd, &min_slen,
		   &min_dlen);
	return slen >= min_slen && dlen >= min_dlen;
}

static bool matches_before(const struct xfrm_policy *a, const struct xfrm_policy *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return a->index < b->index;
}

static struct svti_tuple *find_tuple(struct svti_tuples *ts, const struct svti_sp_shape *shape)
{
	unsigned int i;

	for (i = 0; ts && i < ts->n; i++)
		if (!memcmp(&ts->t[i].shape, shape, sizeof(*shape)))
			return &ts->t[i];
	return NULL;
}

/* Replace the array by one without @drop and with @add, each of which may be NULL. */
static int tuples_replace(struct svti_net *sn, struct svti_tuples __rcu **slot,
			  const struct svti_tuple *drop, const struct svti_tuple *add)
{
	struct svti_tuples *old, *new = NULL;
	unsigned int i, n;

	old = rcu_dereference_protected(*slot, lockdep_is_held(&sn->lock));
	n = (old ? old->n : 0) - !!drop + !!add;
	if (n) {
		new = kmalloc(struct_size(new, t, n), GFP_ATOMIC);
		if (!new)
			return -ENOMEM;
		new->n = 0;
		for (i = 0; old && i < old->n; i++) {
			if (&old->t[i] == drop)
				continue;
			if (add && add->best < old->t[i].best) {
				new->t[new->n++] = *add;
				add = NULL;
			}
			new->t[new->n++] = old->t[i];
		}
		if (add)
			new->t[new->n++] = *add;
	}
	rcu_assign_pointer(*slot, new);
	if (old)
		kfree_rcu(old, rcu);
	return 0;
}

/*
 * One more policy of this shape. Comes before the policy itself: a lookup must not pass over the
 * tuple once the policy is in it.
 */
static int tuple_get(struct svti_net *sn, struct svti_tuples __rcu **slot,
		     const struct svti_sp_shape *shape, u32 priority)
{
	struct svti_tuple moved, *t;
	struct svti_tuples *ts;

	ts = rcu_dereference_protected(*slot, lockdep_is_held(&sn->lock));
	t = find_tuple(ts, shape);
	if (t && (priority >= t->best || t == ts->t || t[-1].best <= priority)) {
		if (priority < t->best)
			WRITE_ONCE(t->best, priority);
		t->count++;
		return 0;
	}

	moved = (struct svti_tuple){ .shape = *shape, .best = priority, .count = 1 };
	if (t)
		moved.count += t->count;
	return tuples_replace(sn, slot, t, &moved);
}

static void tuple_put(struct svti_net *sn, struct svti_tuples __rcu **slot,
		      const struct svti_sp_shape *shape)
{
	struct svti_tuple *t;

	t = find_tuple(rcu_dereference_protected(*slot, lockdep_is_held(&sn->lock)), shape);
	if (WARN_ON_ONCE(!t) || --t->count)
		return;
	/* Without memory it stays, empty, for tuple_get() to find again. */
	tuples_replace(sn, slot, t, NULL);
}

static struct svti_sp_node *node_get(struct svti_net *sn, const struct svti_sp_key *key)
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
	node->count = 0;
	INIT_LIST_HEAD(&node->places);
	err = rhashtable_insert_fast(&sn->sp_nodes, &node->hash, svti_sp_params);
	if (err) {
		kfree(node);
		return ERR_PTR(err);
	}
	return node;
}

/* Put a policy where it belongs in an epoch. */
static int sp_place(struct svti_net *sn, struct svti_sp *sp, int epoch)
{
	bool ipv6 = sp->pol->family == AF_INET6;
	struct svti_tuples __rcu **slot = &sp->dom->spd[sp->spd].tuples[epoch][ipv6];
	struct svti_sp_place *place = &sp->place[epoch], *pos;
	struct svti_sp_node *node;
	struct svti_sp_key key;
	int err;

	policy_key(&key, sp->pol, sp->spd, sp->dom, epoch);
	err = tuple_get(sn, slot, &key.shape, sp->pol->priority);
	if (err)
		return err;
	node = node_get(sn, &key);
	if (IS_ERR(node)) {
		tuple_put(sn, slot, &key.shape);
		return PTR_ERR(node);
	}

	place->node = node;
	place->sp = sp;
	node->count++;
	list_for_each_entry(pos, &node->places, link)
		if (matches_before(sp->pol, pos->sp->pol))
			break;
	list_add_tail_rcu(&place->link, &pos->link);
	return 0;
}

static void sp_unplace(struct svti_net *sn, struct svti_sp *sp, int epoch)
{
	bool ipv6 = sp->pol->family == AF_INET6;
	struct svti_sp_place *place = &sp->place[epoch];
	struct svti_sp_node *node = place->node;

	if (!node)
		return;
	place->node = NULL;
	list_del_rcu(&place->link);
	tuple_put(sn, &sp->dom->spd[sp->spd].tuples[epoch][ipv6], &node->key.shape);
	if (--node->count)
		return;
	rhashtable_remove_fast(&sn->sp_nodes, &node->hash, svti_sp_params);
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

	sp_unplace(sn, sp, 0);
	sp_unplace(sn, sp, 1);
	list_del(&sp->all);
	list_del(&sp->in_dom);
	dom->spd_gen++;
	WRITE_ONCE(dom->spd[sp->spd].count, dom->spd[sp->spd].count - 1);
	svti_flow_forget_all();
	svti_domain_put(sn, dom);
	call_rcu(&sp->rcu, sp_free);
}

static int sp_insert(struct svti_net *sn, struct svti_domain *dom, struct xfrm_policy *pol, u8 spd)
{
	struct svti_sp *sp;
	int err;

	sp = kzalloc(sizeof(*sp), GFP_ATOMIC);
	if (!sp)
		return -ENOMEM;
	sp->pol = pol;
	sp->dom = dom;
	sp->spd = spd;
	sp->retry_gen = READ_ONCE(dom->sad_gen) - 1;

	/* A rehash that misses a policy must not take effect. */
	if (dom->rehashing && !dom->rehash_err)
		dom->rehash_err = sp_place(sn, sp, !dom->epoch);
	err = sp_place(sn, sp, dom->epoch);
	if (err) {
		sp_unplace(sn, sp, !dom->epoch);
		kfree_rcu(sp, rcu);
		return err;
	}

	dom->users++;
	xfrm_pol_hold(pol);
	list_add_tail(&sp->all, &sn->sps);
	list_add_tail(&sp->in_dom, &dom->sps);
	dom->spd_gen++;
	WRITE_ONCE(dom->spd[spd].count, dom->spd[spd].count + 1);
	svti_flow_forget_all();
	return 0;
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
	struct svti_sp_place *place, *tmp;
	int spd = spd_index(pol, dir);
	struct svti_sp_node *node;
	struct svti_domain *dom;
	struct svti_sp_key key;
	bool known = false;
	int err = 0;

	lockdep_assert_held(&sn->lock);

	if (!pol->if_id || spd < 0)
		return 0;
	dom = svti_domain_get(sn, pol->if_id);
	if (!dom)
		return -ENOMEM;

	policy_key(&key, pol, spd, dom, dom->epoch);
	node = rhashtable_lookup_fast(&sn->sp_nodes, &key, svti_sp_params);
	if (node) {
		list_for_each_entry(place, &node->places, link)
			known |= place->sp->pol == pol;
	}
	if (!known && !READ_ONCE(pol->walk.dead))
		err = sp_insert(sn, dom, pol, spd);

	if (node) {
		list_for_each_entry_safe(place, tmp, &node->places, link) {
			bool last = list_is_singular(&node->places);

			if (!svti_sp_is_dead(place->sp))
				continue;
			sp_remove(sn, place->sp);
			if (last)
				break;		/* the node went with it */
		}
	}
	svti_domain_put(sn, dom);
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
		if (all || svti_sp_is_dead(sp))
			sp_remove(sn, sp);
}

/* Let others have the lock now and then. */
static void rehash_breathe(struct svti_net *sn, unsigned int *done)
{
	if (++*done % SVTI_REHASH_BATCH)
		return;
	spin_unlock_bh(&sn->lock);
	cond_resched();
	spin_lock_bh(&sn->lock);
}

/*
 * Give every policy its place in an epoch, or take it away. What is done goes to the end of the
 * list, where policies that come meanwhile go as well; so the first one tells whether there is more
 * to do, whatever happens while the lock is open.
 */
static int place_all(struct svti_net *sn, struct svti_domain *dom, int epoch)
{
	unsigned int done = 0;
	struct svti_sp *sp;

	while ((sp = list_first_entry_or_null(&dom->sps, struct svti_sp, in_dom)) &&
	       !sp->place[epoch].node && !dom->rehash_err) {
		dom->rehash_err = sp_place(sn, sp, epoch);
		list_move_tail(&sp->in_dom, &dom->sps);
		rehash_breathe(sn, &done);
	}
	return dom->rehash_err;
}

static void unplace_all(struct svti_net *sn, struct svti_domain *dom, int epoch)
{
	unsigned int done = 0;
	struct svti_sp *sp;

	while ((sp = list_first_entry_or_null(&dom->sps, struct svti_sp, in_dom)) &&
	       sp->place[epoch].node) {
		sp_unplace(sn, sp, epoch);
		list_move_tail(&sp->in_dom, &dom->sps);
		rehash_breathe(sn, &done);
	}
}

/**
 * svti_spd_rehash() - change the thresholds of a domain
 * @dom: the domain, which has an interface
 * @want: the thresholds for IPv4 and IPv6
 *
 * No packet notices: each policy first gets a second place, in the other epoch, where the new
 * thresholds hold; then one store moves all lookups there; and when no lookup is left in the old
 * epoch the places there are given up. Policies that come in between go to both. RTNL is held. May
 * sleep.
 *
 * Return: 0, or -ENOMEM and nothing has changed.
 */
int svti_spd_rehash(struct svti_domain *dom, const struct svti_sp_hash want[2])
{
	struct svti_net *sn = dom->sn;
	int old, new, err;

	ASSERT_RTNL();
	might_sleep();

	spin_lock_bh(&sn->lock);
	old = dom->epoch;
	new = !old;
	if (!memcmp(dom->sp_hash[old], want, sizeof(dom->sp_hash[old])) || list_empty(&dom->sps)) {
		memcpy(dom->sp_hash[old], want, sizeof(dom->sp_hash[old]));
		spin_unlock_bh(&sn->lock);
		return 0;
	}
	memcpy(dom->sp_hash[new], want, sizeof(dom->sp_hash[new]));
	dom->rehash_err = 0;
	dom->rehashing = true;
	err = place_all(sn, dom, new);
	dom->rehashing = false;
	if (!err) {
		/* The tuples of the epoch are complete before it is entered: see lookup(). */
		smp_store_release(&dom->epoch, new);
		dom->spd_gen++;
	}
	spin_unlock_bh(&sn->lock);

	if (!err)
		synchronize_rcu();

	spin_lock_bh(&sn->lock);
	unplace_all(sn, dom, err ? new : old);
	spin_unlock_bh(&sn->lock);
	return err;
}

static bool sp_match(const struct xfrm_policy *pol, const struct flowi *fl, u16 family)
{
	return (fl->flowi_mark & pol->mark.m) == pol->mark.v &&
	       svti_selector_match(&pol->selector, fl, family);
}

static __always_inline struct svti_sp *lookup(const struct svti_domain *dom,
					      enum svti_spd_index spd, const struct flowi *fl,
					      u16 family, bool dead_too,
					      struct svti_sp_visit *visit)
{
	bool ipv6 = family == AF_INET6;
	const union flowi_uli *uli = ipv6 ? &fl->u.ip6.uli : &fl->u.ip4.uli;
	const struct key_source src = {
		.saddr	= xfrm_flowi_saddr(fl, family),
		.daddr	= xfrm_flowi_daddr(fl, family),
		.sport	= xfrm_flowi_sport(fl, uli),
		.dport	= xfrm_flowi_dport(fl, uli),
		.proto	= fl->flowi_proto,
		.mark	= fl->flowi_mark,
	};
	struct svti_sp *best = NULL;
	const struct svti_tuples *ts;
	struct svti_sp_place *place;
	struct svti_sp_node *node;
	struct svti_sp_key key;
	unsigned int i;
	int epoch;

	/* Pairs with svti_spd_rehash(). */
	epoch = smp_load_acquire(&dom->epoch);
	ts = rcu_dereference(dom->spd[spd].tuples[epoch][ipv6]);
	key.id = dom->id;
	key.table = key_table(spd, ipv6, epoch);
	if (visit)
		*visit = (struct svti_sp_visit){ .tuples = ts ? ts->n : 0 };

	for (i = 0; ts && i < ts->n; i++) {
		const struct svti_tuple *t = &ts->t[i];

		if (best && READ_ONCE(t->best) > best->pol->priority)
			break;

		if (visit)
			visit->probes++;
		fill_key(&key, &t->shape, &src);
		node = rhashtable_lookup(&dom->sn->sp_nodes, &key, svti_sp_params);
		if (!node)
			continue;
		list_for_each_entry_rcu(place, &node->places, link) {
			struct svti_sp *sp = place->sp;

			if (best && !matches_before(sp->pol, best->pol))
				break;
			if (visit)
				visit->candidates++;
			if (sp_match(sp->pol, fl, family) && (dead_too || !svti_sp_is_dead(sp))) {
				best = sp;
				break;
			}
		}
	}
	return best;
}

/**
 * svti_spd_lookup() - the first policy in order of match that selects a flow
 * @dom: whose SPD
 * @spd: which of them
 * @fl: the flow
 * @family: its family
 *
 * Under RCU, which also bounds the life of the result. For packets on their way out that may be a
 * policy that is dead and whose successor, or removal, is about to be seen: until then the kernel's
 * own lookup has to decide.
 */
struct svti_sp *svti_spd_lookup(const struct svti_domain *dom, enum svti_spd_index spd,
				const struct flowi *fl, u16 family)
{
	return lookup(dom, spd, fl, family, spd == SVTI_SPD_OUT, NULL);
}

/* svti_spd_lookup() that also tells what it did. */
struct svti_sp *svti_spd_lookup_visit(const struct svti_domain *dom, enum svti_spd_index spd,
				      const struct flowi *fl, u16 family,
				      struct svti_sp_visit *visit)
{
	return lookup(dom, spd, fl, family, spd == SVTI_SPD_OUT, visit);
}
