// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module as a key manager of XFRM: it negotiates nothing, it listens. XFRM tells its key
 * managers what happens to policies and states, in whatever context that happens: process, softirq,
 * and with x->lock held when a state expires. What is told is taken as a hint to look at the object
 * itself, since an event may be late, may be about a stand-in, or may not come at all; the last is
 * what svti_net_rescan() is for.
 */
#include <net/xfrm.h>

#include "km.h"
#include "pernet.h"

/*
 * An update of a state that is in use comes with the message's own state, which is dead by then:
 * the one that was changed, and may have changed its if_id, has to be looked up.
 */
static struct xfrm_state *updated_state(struct net *net, struct xfrm_state *x)
{
	return xfrm_state_lookup(net, x->mark.v, &x->id.daddr, x->id.spi, x->id.proto,
				 x->props.family);
}

static void sync_state(struct svti_net *sn, struct xfrm_state *x)
{
	spin_lock_bh(&sn->lock);
	if (sn->enabled && svti_sad_sync(sn, x, false))
		svti_net_rescan(sn, HZ / 10);
	spin_unlock_bh(&sn->lock);
}

static void rescan(struct svti_net *sn)
{
	spin_lock_bh(&sn->lock);
	svti_net_rescan(sn, 0);
	spin_unlock_bh(&sn->lock);
}

static int svti_km_notify(struct xfrm_state *x, const struct km_event *c)
{
	struct net *net = x ? xs_net(x) : c->net;
	struct svti_net *sn = svti_pernet(net);
	struct xfrm_state *real;

	if (!READ_ONCE(sn->enabled))
		return 0;
	if (!x) {
		rescan(sn);		/* flush */
		return 0;
	}

	switch (c->event) {
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_DELSA:
	case XFRM_MSG_EXPIRE:
		sync_state(sn, x);
		break;
	case XFRM_MSG_UPDSA:
		if (x->km.state != XFRM_STATE_DEAD) {
			sync_state(sn, x);
			break;
		}
		real = updated_state(net, x);
		if (real) {
			sync_state(sn, real);
			xfrm_state_put(real);
		}
		break;
	}
	return 0;
}

static int svti_km_notify_policy(struct xfrm_policy *pol, int dir, const struct km_event *c)
{
	struct net *net = pol ? xp_net(pol) : c->net;
	struct svti_net *sn = svti_pernet(net);

	if (!READ_ONCE(sn->enabled))
		return 0;
	if (!pol) {
		rescan(sn);		/* flush */
		return 0;
	}

	spin_lock_bh(&sn->lock);
	if (sn->enabled && svti_spd_sync(sn, pol, dir))
		svti_net_rescan(sn, HZ / 10);
	spin_unlock_bh(&sn->lock);
	return 0;
}

/*
 * MIGRATE makes new states and removes old ones without a word. The error says that nobody was told
 * by this.
 */
static int svti_km_migrate(const struct xfrm_selector *sel, u8 dir, u8 type,
			   const struct xfrm_migrate *m, int num_migrate,
			   const struct xfrm_kmaddress *k, struct net *net,
			   const struct xfrm_encap_tmpl *encap)
{
	rescan(svti_pernet(net));
	return -EOPNOTSUPP;
}

/*
 * XFRM calls these two without looking whether they are there. Success would mean that somebody
 * negotiates.
 */
static int svti_km_acquire(struct xfrm_state *x, struct xfrm_tmpl *tmpl, struct xfrm_policy *pol)
{
	return -EOPNOTSUPP;
}

static struct xfrm_policy *svti_km_compile_policy(struct sock *sk, int opt, u8 *data, int len,
						  int *dir)
{
	*dir = -EINVAL;
	return NULL;
}

static struct xfrm_mgr svti_km = {
	.notify		= svti_km_notify,
	.notify_policy	= svti_km_notify_policy,
	.migrate	= svti_km_migrate,
	.acquire	= svti_km_acquire,
	.compile_policy	= svti_km_compile_policy,
};

void svti_km_register(void)
{
	xfrm_register_km(&svti_km);
}

/* No callback is running when this returns. */
void svti_km_unregister(void)
{
	xfrm_unregister_km(&svti_km);
}
