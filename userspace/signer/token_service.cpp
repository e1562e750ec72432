// SPDX-License-Identifier: Apache-2.0
#include "signer/token_service.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

#include "signer/token.h"

namespace svti::signer {

namespace {

constexpr uid_t kNobody = 65534;
constexpr rlim_t kMostMemory = rlim_t{2} << 30;
constexpr rlim_t kMostFile = rlim_t{16} << 20;
constexpr rlim_t kMostDescriptors = 256;

std::string reason() { return std::strerror(errno); }

Status give_up_user() {
  if (geteuid() != 0) return {};
  // a second wall before the network; sockets of AF_UNIX with a path are reached from anywhere
  (void)unshare(CLONE_NEWNET | CLONE_NEWUTS);
  const passwd* user = getpwnam(kTokenUser);
  const uid_t uid = user != nullptr ? user->pw_uid : kNobody;
  const gid_t gid = user != nullptr ? user->pw_gid : kNobody;
  // with the user's groups: that of pcscd, or of SoftHSM's files
  const bool grouped = user != nullptr ? initgroups(kTokenUser, gid) == 0 : setgroups(0, nullptr) == 0;
  if (uid == 0 || !grouped || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
    return system_error("the token's process cannot give up its user: " + reason());
  return {};
}

// Refused, not killed: a module may ask for something that it can do without.
Status filter_calls() {
#if defined(__SANITIZE_ADDRESS__)
  return {};  // the sanitizer has ways of its own
#else
  static constexpr std::array kForbidden = {
      SCMP_SYS(execve),
      SCMP_SYS(execveat),
      SCMP_SYS(fork),
      SCMP_SYS(vfork),
      SCMP_SYS(ptrace),
      SCMP_SYS(process_vm_readv),
      SCMP_SYS(process_vm_writev),
      SCMP_SYS(pidfd_open),
      SCMP_SYS(pidfd_getfd),
      SCMP_SYS(pidfd_send_signal),
      SCMP_SYS(kill),
      SCMP_SYS(bpf),
      SCMP_SYS(perf_event_open),
      SCMP_SYS(userfaultfd),
      SCMP_SYS(io_uring_setup),
      SCMP_SYS(mount),
      SCMP_SYS(umount2),
      SCMP_SYS(move_mount),
      SCMP_SYS(pivot_root),
      SCMP_SYS(chroot),
      SCMP_SYS(unshare),
      SCMP_SYS(setns),
      SCMP_SYS(keyctl),
      SCMP_SYS(add_key),
      SCMP_SYS(request_key),
      SCMP_SYS(open_by_handle_at),
      SCMP_SYS(mknod),
      SCMP_SYS(mknodat),
      SCMP_SYS(init_module),
      SCMP_SYS(finit_module),
      SCMP_SYS(kexec_load),
      SCMP_SYS(personality),
      SCMP_SYS(listen),
      SCMP_SYS(accept),
      SCMP_SYS(accept4),
  };
  const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(SCMP_ACT_ALLOW), [](void* one) { seccomp_release(one); });
  bool right = filter != nullptr;
  for (const int call : kForbidden) {
    const int added = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0);
    right = right && (added == 0 || added == -EEXIST);
  }
  // threads, and no processes; glibc goes back to clone when there is no clone3, whose arguments a filter cannot see
  right = right && seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
  right =
      right && seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) == 0;
  right = right && seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX)) == 0;
  if (!right || seccomp_load(filter.get()) != 0) return system_error("the token's process cannot filter system calls");
  return {};
#endif
}

}  // namespace

Status enter_token_sandbox(int keep) {
  // A module may write to what it believes to be standard output: those three lead nowhere.
  const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int one : {0, 1, 2}) {
    if (one != keep && (nowhere < 0 || dup2(nowhere, one) != one)) return system_error("the token's process has no /dev/null: " + reason());
  }
  for (const auto& [from, to] : {std::pair(3, keep - 1), std::pair(std::max(keep + 1, 3), 1 << 30)}) {
    if (from <= to && close_range(static_cast<unsigned>(from), static_cast<unsigned>(to), 0) != 0)
      return system_error("the token's process cannot close descriptors: " + reason());
  }
  const auto limit = [](auto resource, rlim_t most) {
    const rlimit both{most, most};
    setrlimit(resource, &both);
  };
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, kMostFile);
  limit(RLIMIT_NOFILE, kMostDescriptors);
#if !defined(__SANITIZE_ADDRESS__)
  limit(RLIMIT_AS, kMostMemory);
#endif
  if (Status given = give_up_user(); !given) return given;
  // a change of user undoes the first two
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return system_error("the token's process cannot protect itself: " + reason());
  return filter_calls();
}

int serve_token(int socket) {
  const uid_t owner = geteuid();
  const auto answer = [socket](const TokenAnswer& one) {
    const Bytes packet = encode(one);
    return send(socket, packet.data(), packet.size(), MSG_NOSIGNAL) >= 0;
  };
  if (const Status entered = enter_token_sandbox(socket); !entered) {
    // the daemon sees the end of the process, and this as its reason
    (void)answer({0, fail(entered.error())});
    return 1;
  }
  std::uint64_t number = 0;
  Token token(owner, [&](LoginNote note) { (void)answer({number, note}); });
  Secret packet(kMaxPacket);
  while (true) {
    const ssize_t size = recv(socket, packet.mutable_view().data(), packet.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return 0;
    auto request = decode_token_request(packet.view().first(static_cast<std::size_t>(size)));
    wipe(packet.mutable_view().first(static_cast<std::size_t>(size)));
    if (!request) continue;
    bool sent = true;
    if (const auto* open_key = std::get_if<OpenKey>(&*request)) {
      number = open_key->number;
      auto opened = token.open(*open_key);
      sent = opened ? answer({number, std::move(*opened)})
                    : answer({number, system_error(opened.error().message), opened.error().pin_refused});
    } else if (const auto* remove = std::get_if<RemoveKey>(&*request)) {
      token.close(remove->id);
    } else {
      const auto& sign = std::get<SignOctets>(*request);
      auto made = token.sign(sign.request);
      sent = made ? answer({sign.number, std::move(*made)}) : answer({sign.number, fail(made.error())});
    }
    if (!sent) return 0;
    // Sessions that have failed, cards that were pulled: whoever is asked next begins anew.
    if (token.is_broken()) return 0;
  }
}

}  // namespace svti::signer
