/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_HOLD_H
#define _SVTI_HOLD_H

#include <linux/skbuff.h>

struct svti_dev;

void svti_hold_init(struct svti_dev *svti);
void svti_hold_open(struct svti_dev *svti);
void svti_hold_close(struct svti_dev *svti);
void svti_hold_kick(struct svti_dev *svti);
void svti_hold(struct svti_dev *svti, struct sk_buff *skb, u32 policy, u32 gen,
	       unsigned long expires);

#endif /* _SVTI_HOLD_H */
