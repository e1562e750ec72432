// SPDX-License-Identifier: Apache-2.0
#include "signer/service.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "auth/key_ring.h"
#include "crypto/issuing.h"
#include "crypto/sealed_key.h"
#include "signer/packet.h"

namespace svti::signer {

namespace {

constexpr uid_t kNobody = 65534;

std::string reason() { return std::strerror(errno); }

// What OpenSSL loads when it is first used (its configuration, its providers) is loaded while there are files.
void load_cryptography() {
  static constexpr std::array kHashes = {crypto::SignatureHash::Sha256, crypto::SignatureHash::Sha384, crypto::SignatureHash::Sha512,
                                         crypto::SignatureHash::Identity};
  for (const auto type : {crypto::KeyType::EcdsaP256, crypto::KeyType::Ed25519}) {
    const auto pkcs8 = crypto::new_private_key(type);
    if (!pkcs8) continue;
    const auto key = crypto::SigningKey::from_pkcs8(pkcs8->view());
    if (key) (void)key->sign(Bytes(64), kHashes, crypto::RsaPadding::Pss);
  }
}

Status give_up_user() {
  if (geteuid() != 0) return {};
  // best done, and not needed: nothing of the kind can be asked for behind the filter
  (void)unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS);
  if (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 || setresuid(kNobody, kNobody, kNobody) != 0)
    return system_error("the signer cannot give up its user: " + reason());
  return {};
}

Status filter_calls() {
#if defined(__SANITIZE_ADDRESS__)
  return {};  // the sanitizer reads files of its own
#else
  static constexpr std::array kAllowed = {
      SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),    SCMP_SYS(sendto),       SCMP_SYS(sendmsg),         SCMP_SYS(read),
      SCMP_SYS(write),    SCMP_SYS(close),      SCMP_SYS(brk),          SCMP_SYS(munmap),          SCMP_SYS(mremap),
      SCMP_SYS(madvise),  SCMP_SYS(futex),      SCMP_SYS(getrandom),    SCMP_SYS(clock_gettime),   SCMP_SYS(gettimeofday),
      SCMP_SYS(getpid),   SCMP_SYS(gettid),     SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),  SCMP_SYS(rt_sigaction),
      SCMP_SYS(exit),     SCMP_SYS(exit_group), SCMP_SYS(sched_yield),  SCMP_SYS(restart_syscall),
  };
  const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(SCMP_ACT_KILL_PROCESS), [](void* one) { seccomp_release(one); });
  bool right = filter != nullptr;
  for (const int call : kAllowed) right = right && seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0) == 0;
  // memory, not files, and never code
  constexpr auto kPrivate = static_cast<scmp_datum_t>(-1) & 0xffffffff;
  right = right && seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, SCMP_A4(SCMP_CMP_MASKED_EQ, 0xffffffff, kPrivate),
                                    SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0)) == 0;
  right = right && seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0)) == 0;
  if (!right || seccomp_load(filter.get()) != 0) return system_error("the signer cannot filter system calls");
  return {};
#endif
}

Result<auth::NewKey> make_key(const auth::NewKeyWish& wish, const Secret& sealing) {
  const auto pkcs8 = crypto::new_private_key(wish.type, wish.rsa_bits);
  if (!pkcs8) return fail(pkcs8.error());
  auto request = crypto::make_pkcs10(wish.subject, wish.alt_names, pkcs8->view());
  if (!request) return fail(request.error());
  return auth::NewKey{crypto::seal_key(pkcs8->view(), sealing), std::move(*request)};
}

// of those requests that have an answer
Answer answer_to(const Request& request, const auth::KeyRing& keys, const Result<Secret>& sealing) {
  if (const auto* make = std::get_if<MakeKey>(&request)) {
    if (!sealing) return {make->number, system_error("no key can be sealed: " + sealing.error().message)};
    auto made = make_key(make->wish, *sealing);
    if (!made) return {make->number, fail(made.error())};
    return {make->number, std::move(*made)};
  }
  const auto& sign = std::get<SignOctets>(request);
  auto signature = keys.sign_now(sign.request);
  if (!signature) return {sign.number, fail(signature.error())};
  return {sign.number, std::move(*signature)};
}

// nothing: it is not there
Result<std::optional<Secret>> read_sealing_key(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return std::nullopt;
  if (file < 0) return system_error(path + " cannot be read: " + reason());
  struct stat about {};
  Secret octets(crypto::kSealingKeySize + 1);
  const bool known = fstat(file, &about) == 0 && S_ISREG(about.st_mode);
  const ssize_t got = known ? read(file, octets.mutable_view().data(), octets.size()) : -1;
  close(file);
  if (!known) return system_error(path + " is not a regular file");
  if ((about.st_uid != 0 && about.st_uid != geteuid()) || (about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return system_error(path + " may be read by others, so it protects nothing: remove it and make the keys anew");
  if (got != static_cast<ssize_t>(crypto::kSealingKeySize))
    return system_error(path + " does not hold a sealing key of " + std::to_string(crypto::kSealingKeySize) +
                        " octets: put it back from a backup");
  return octets.slice(0, crypto::kSealingKeySize);
}

// Whole or not at all. A file of that name which another signer has made meanwhile stays.
Status write_sealing_key(const std::string& path, const Secret& key) {
  const std::string beside = path + "." + std::to_string(getpid());
  const int file = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return system_error(beside + " cannot be written: " + reason());
  bool right = write(file, key.view().data(), key.size()) == static_cast<ssize_t>(key.size()) && fsync(file) == 0;
  right = right && (link(beside.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const std::string why = reason();
  close(file);
  unlink(beside.c_str());
  return right ? Status() : system_error(path + " cannot be written: " + why);
}

}  // namespace

Result<Secret> sealing_key(const std::string& path) {
  auto there = read_sealing_key(path);
  if (there && !*there) {
    const std::size_t slash = path.rfind('/');
    if (slash != std::string::npos && slash > 0) (void)mkdir(path.substr(0, slash).c_str(), S_IRWXU);
    Secret made(crypto::kSealingKeySize);
    if (getrandom(made.mutable_view().data(), made.size(), 0) != static_cast<ssize_t>(made.size()))
      return system_error("no random octets for a sealing key: " + reason());
    if (const Status written = write_sealing_key(path, made); !written) return fail(written.error());
    there = read_sealing_key(path);
  }
  if (!there) return fail(there.error());
  if (!*there) return system_error(path + " has vanished");
  return std::move(**there);
}

Status enter_sandbox(int keep) {
  for (const auto& [from, to] : {std::pair(0, keep - 1), std::pair(keep + 1, 1 << 30)}) {
    if (from <= to && close_range(static_cast<unsigned>(from), static_cast<unsigned>(to), 0) != 0)
      return system_error("the signer cannot close descriptors: " + reason());
  }
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  setrlimit(RLIMIT_FSIZE, &none);
  if (Status given = give_up_user(); !given) return given;
  // a change of user undoes the first two
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return system_error("the signer cannot protect itself: " + reason());
  return filter_calls();
}

int serve(int socket, const std::string& sealing_key_path) {
  const auto sealing = sealing_key_path.empty() ? Result<Secret>(config_error("there is no sealing key")) : sealing_key(sealing_key_path);
  load_cryptography();
  if (const Status entered = enter_sandbox(socket); !entered) {
    // the daemon sees the end of the process, and this as its reason
    const Bytes last = encode(Answer{0, fail(entered.error())});
    (void)send(socket, last.data(), last.size(), MSG_NOSIGNAL);
    return 1;
  }
  auth::KeyRing keys;
  Secret packet(kMaxPacket);
  while (true) {
    const ssize_t size = recv(socket, packet.mutable_view().data(), packet.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return 0;
    auto request = decode_request(packet.view().first(static_cast<std::size_t>(size)));
    wipe(packet.mutable_view().first(static_cast<std::size_t>(size)));
    if (!request) continue;
    if (auto* put = std::get_if<PutKey>(&*request)) {
      keys.add(put->id, put->pkcs8.view());
    } else if (const auto* remove = std::get_if<RemoveKey>(&*request)) {
      keys.remove(remove->id);
    } else if (const auto* sealed = std::get_if<PutSealedKey>(&*request)) {
      const auto opened = sealing ? crypto::open_sealed_key(sealed->sealed, *sealing) : Result<Secret>(fail(sealing.error()));
      if (opened)
        keys.add(sealed->id, opened->view());
      else
        keys.add_unusable(sealed->id, {opened.error().fault, "the sealed private key cannot be opened: it " + opened.error().message});
    } else {
      const Bytes answer = encode(answer_to(*request, keys, sealing));
      if (send(socket, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return 0;
    }
  }
}

namespace {

// `more` is the argument behind the mode; null: there is none
Result<Started> start(const char* mode, const char* more, char** environment) {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) return system_error("no socket for the signer: " + reason());
  std::string name("svti-iked"), argument(mode), path(more == nullptr ? "" : more);
  const std::array<char*, 4> arguments{name.data(), argument.data(), more == nullptr ? nullptr : path.data(), nullptr};
  const pid_t process = fork();
  if (process < 0) {
    const std::string why = reason();
    close(pair[0]);
    close(pair[1]);
    return system_error("no process for the signer: " + why);
  }
  if (process == 0) {
    // between fork and exec nothing but system calls
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pair[1] == kSocket) fcntl(kSocket, F_SETFD, 0);
    if (pair[1] != kSocket && dup2(pair[1], kSocket) != kSocket) _exit(127);
    execve("/proc/self/exe", arguments.data(), environment);
    _exit(127);
  }
  close(pair[1]);
  return Started{pair[0], process};
}

}  // namespace

Result<Started> start_process(const std::string& sealing_key_path) {
  std::array<char*, 1> environment{nullptr};
  return start("--signer", sealing_key_path.c_str(), environment.data());
}

Result<Started> start_token_process() { return start("--token", nullptr, environ); }

}  // namespace svti::signer
