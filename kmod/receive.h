/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_RECEIVE_H
#define _SVTI_RECEIVE_H

int svti_receive_register(void);
void svti_receive_unregister(void);

#endif /* _SVTI_RECEIVE_H */
