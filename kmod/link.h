/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_LINK_H
#define _SVTI_LINK_H

#include <linux/types.h>

struct svti_dev;
struct svti_domain;
struct svti_net;
struct svti_sa;

void svti_link_init(struct svti_net *sn);
void svti_link_stop(struct svti_net *sn);
void svti_link_follow(struct svti_domain *dom);
void svti_link_path_changed(struct svti_domain *dom, struct svti_sa *sa, u32 path_mtu);
void svti_link_paths_changed(struct svti_net *sn);
void svti_link_forget(struct svti_domain *dom);

#endif /* _SVTI_LINK_H */
