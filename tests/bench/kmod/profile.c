// SPDX-License-Identifier: Apache-2.0
/*
 * A plug-in of QEMU's emulation (API version 1, of QEMU 4.2 and later): counts how often each instruction is executed
 * between the two marks that svti_bench.ko sets around a packet, no-operations with a number of their own. What the last
 * packets took is appended to out=FILE after each run of packets, as lines "address count"; a line "run N" heads it.
 * profile_text.py makes functions of the addresses.
 *
 * One emulated CPU, so there is one thread.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The part of qemu-plugin.h that is used; Debian does not package it. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct {
	const char *target_name;
	struct {
		int min;
		int cur;
	} version;
	bool system_emulation;
	int smp_vcpus;
	int max_vcpus;
} qemu_info_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void (*qemu_plugin_vcpu_udata_cb_t)(unsigned int vcpu, void *data);
typedef void (*qemu_plugin_vcpu_tb_trans_cb_t)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_plugin_vcpu_tb_trans_cb_t cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, qemu_plugin_vcpu_udata_cb_t cb,
					    enum qemu_plugin_cb_flags flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

/* nopl MARK(%rax,%rax,1): 0f 1f 84 00 and the number. */
static const uint8_t nop_head[] = { 0x0f, 0x1f, 0x84, 0x00 };
#define MARK_BEGIN 0x53565401u
#define MARK_END 0x53565402u

#define TRACE_MAX (1u << 20)

static const char *out_name;
static bool counting;
static uint64_t trace[TRACE_MAX]; /* of the packet under way */
static size_t traced;
static uint64_t packets;

/* The trace of the last packet is what is wanted: it is in steady state. */
static void on_insn(unsigned int vcpu, void *data)
{
	(void)vcpu;
	if (counting && traced < TRACE_MAX)
		trace[traced++] = (uint64_t)(uintptr_t)data;
}

static void on_begin(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	traced = 0;
	counting = true;
}

/* A packet of the warm-up and of the series alike: the host takes the one before the last of each run. */
static void on_end(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	counting = false;
	packets++;
	/* One in so many is enough, and none of them is the first of a run. */
	if (packets % 660 != 600)
		return;
	FILE *out = fopen(out_name, "a");
	if (!out)
		return;
	fprintf(out, "run %" PRIu64 "\n", packets / 660);
	for (size_t i = 0; i < traced; i++)
		fprintf(out, "%" PRIx64 "\n", trace[i]);
	fclose(out);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t address = qemu_plugin_insn_vaddr(insn);
		const uint8_t *bytes = qemu_plugin_insn_data(insn);
		uint32_t number = 0;

		if (address < 0xffff800000000000u)
			continue; /* not the kernel's */
		if (qemu_plugin_insn_size(insn) == 8 && !memcmp(bytes, nop_head, sizeof(nop_head)))
			memcpy(&number, bytes + 4, 4);
		if (number == MARK_BEGIN)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_begin, QEMU_PLUGIN_CB_NO_REGS, NULL);
		else if (number == MARK_END)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_end, QEMU_PLUGIN_CB_NO_REGS, NULL);
		else
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_insn, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)address);
	}
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out_name = strdup(argv[i] + 4);
	if (!out_name) {
		fprintf(stderr, "profile: out=FILE is missing\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	return 0;
}
