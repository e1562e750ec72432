/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_RECEIVE_H
#define _SVTI_RECEIVE_H

#include <net/flow.h>

struct svti_dev;
struct svti_trace;

void svti_receive_trace(struct svti_dev *svti, struct flowi *fl, u16 family,
			struct svti_trace *trace);
int svti_receive_register(void);
void svti_receive_unregister(void);

#endif /* _SVTI_RECEIVE_H */
