# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the scripts share. Source it: . "$(dirname "$(readlink -f "$0")")/lib/common.sh"

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
export ROOT
# One preset builds everything that tests and demo use; SVTI_BUILD names another build folder.
SVTI_BUILD=${SVTI_BUILD:-$ROOT/build/dev}
SVTI_MODULES=${SVTI_MODULES:-$ROOT/build/kmod}  # KERNEL/svti.ko
PROGRAM=$(basename "$0")

say() { printf '%s: %s\n' "$PROGRAM" "$*" >&2; }

# die TEXT...: says why, and ends the script with status 1
die() {
	say "FAILED: $*"
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "must be run as root (sudo scripts/$PROGRAM)"
}

# packages_of LIST...: the package names of scripts/packages/LIST, one a line
packages_of() {
	local list
	for list in "$@"; do
		sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$ROOT/scripts/packages/$list"
	done
}

# svti_kernels: versions of the installed kernels that have an image, modules and headers, oldest series first
svti_kernels() {
	local image kv
	for image in /boot/vmlinuz-*; do
		kv=${image#/boot/vmlinuz-}
		[ -d "/lib/modules/$kv" ] && [ -e "/lib/modules/$kv/build/Makefile" ] && echo "$kv"
	done | sort -V | awk -F. '{ newest[$1 "." $2] = $0 } END { for (s in newest) print newest[s] }' | sort -V
}

# svti_runs_here: can the running kernel carry the module? Then tests and demo run on it, in network namespaces of
# their own; else in a VM. SVTI_RUN=vm or SVTI_RUN=host decides instead. Says the reason with -v.
svti_runs_here() {
	local why='' kv lockdown=/sys/kernel/security/lockdown
	kv=$(uname -r)
	case ${SVTI_RUN:-} in
	vm) why="SVTI_RUN=vm" ;;
	host) return 0 ;;
	*)
		if [ "$(id -u)" != 0 ]; then
			why="not root"
		elif [ ! -e "/lib/modules/$kv/build/Makefile" ]; then
			why="no headers of the running kernel $kv"
		elif grep -qs '\[\(integrity\|confidentiality\)\]' $lockdown; then
			why="the kernel is locked down (secure boot)"
		elif grep -qs Y /sys/module/module/parameters/sig_enforce; then
			why="the kernel loads signed modules only"
		elif ! modprobe -a xfrm_user esp4 esp6 veth 2>/dev/null; then
			why="the running kernel $kv loads no xfrm_user, esp4, esp6 or veth"
		elif ! unshare --net ip xfrm state >/dev/null 2>&1; then
			why="no XFRM in the running kernel $kv"
		fi
		;;
	esac
	[ -z "$why" ] && return 0
	[ "${1:-}" = -v ] && say "using a VM: $why"
	return 1
}

# svti_stage KERNEL DIR: what tests and demo use (module, programs, tests), copied, so that a build in the meantime does not
# change it under a running guest. What is not built is left out with a word.
svti_stage() {
	rm -rf "$2"
	mkdir -p "$2/bin"
	local program
	for program in userspace/daemon/svti-iked tools/ikectl/ikectl tools/svtictl/svtictl tools/iproute2/link_svti.so tests/vm/kernel_adapter_test; do
		if [ -x "$SVTI_BUILD/$program" ]; then
			cp "$SVTI_BUILD/$program" "$2/bin/"
		else
			say "$SVTI_BUILD/$program is missing: what needs it will fail"
		fi
	done
	cp "$SVTI_MODULES/$1/svti.ko" "$2/" || die "no svti.ko for $1 in $SVTI_MODULES: run scripts/build --module"
	cp "$SVTI_MODULES/$1/espnic.ko" "$2/" || die "no espnic.ko for $1 in $SVTI_MODULES: run scripts/build --module"
	cp -r "$ROOT/tests/vm" "$2/tests"
	cp "$ROOT"/scripts/lib/* "$2/"
}
