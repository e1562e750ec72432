// SPDX-License-Identifier: GPL-2.0-only
/*
 * SVTI: Secure Virtual Tunnel Interface. A network device with an SPD and a SAD of its own, over
 * the states and policies of XFRM that carry its id. See docs/svti.md.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "device.h"
#include "flow.h"
#include "km.h"
#include "netlink.h"
#include "pernet.h"
#include "receive.h"
#include "view.h"

static int __init svti_init(void)
{
	const char *what;
	int err;

	what = "flow cache";
	err = svti_flow_init();
	if (err)
		goto err_flow;

	what = "namespaces";
	err = svti_pernet_register();
	if (err)
		goto err_pernet;

	what = "device events";
	err = svti_notifier_register();
	if (err)
		goto err_notifier;

	/* Before the first interface can be made, so that it misses nothing. */
	svti_km_register();

	what = "protocols";
	err = svti_receive_register();
	if (err)
		goto err_receive;

	what = "link kind";
	err = svti_netlink_register();
	if (err)
		goto err_netlink;

	what = "netlink family";
	err = svti_view_register();
	if (err)
		goto err_view;
	return 0;

err_view:
	svti_netlink_unregister();
err_netlink:
	svti_receive_unregister();
err_receive:
	svti_km_unregister();
	svti_notifier_unregister();
err_notifier:
	svti_pernet_unregister();
err_pernet:
	svti_flow_exit();
err_flow:
	pr_err("svti: cannot register %s: %d\n", what, err);
	return err;
}

static void __exit svti_exit(void)
{
	svti_view_unregister();
	svti_netlink_unregister();
	svti_receive_unregister();
	svti_km_unregister();
	svti_notifier_unregister();
	svti_pernet_unregister();
	/* Callbacks that free policies, states and domains are functions of this module. */
	rcu_barrier();
	svti_flow_exit();
}

module_init(svti_init);
module_exit(svti_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Secure Virtual Tunnel Interface: IPsec with a SPD and SAD for each interface");
