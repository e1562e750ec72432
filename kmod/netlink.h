/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_NETLINK_H
#define _SVTI_NETLINK_H

int svti_netlink_register(void);
void svti_netlink_unregister(void);

#endif /* _SVTI_NETLINK_H */
