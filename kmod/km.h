/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SVTI_KM_H
#define _SVTI_KM_H

void svti_km_register(void);
void svti_km_unregister(void);

#endif /* _SVTI_KM_H */
