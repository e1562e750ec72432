/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_VIEW_H
#define _SVTI_VIEW_H

int svti_view_register(void);
void svti_view_unregister(void);

#endif /* _SVTI_VIEW_H */
