// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of the flow cache; see flow.h.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "flow.h"

atomic64_t svti_flow_generation = ATOMIC64_INIT(1);
DEFINE_PER_CPU(struct svti_flow *, svti_flow_table);

int __init svti_flow_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svti_flow *table = kvzalloc_node(sizeof(*table) << SVTI_FLOW_BITS,
							GFP_KERNEL, cpu_to_node(cpu));

		if (!table) {
			svti_flow_exit();
			return -ENOMEM;
		}
		per_cpu(svti_flow_table, cpu) = table;
	}
	return 0;
}

/* No packet is under way in this module. */
void svti_flow_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		kvfree(per_cpu(svti_flow_table, cpu));
}
