// SPDX-License-Identifier: Apache-2.0
#include "fetch/service.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "fetch/packet.h"

namespace svti::fetch {

namespace {

constexpr uid_t kNobody = 65534;
constexpr long kMostRedirects = 3;
constexpr rlim_t kMostMemory = rlim_t{512} << 20;
constexpr rlim_t kMostDescriptors = 64;
constexpr rlim_t kMostCpuSeconds = 30;
constexpr std::size_t kMostBase64 = 2;  // times what is wanted: a directory's entry in text

std::string reason() { return std::strerror(errno); }

// What another network has in /etc/netns/VRF, its name servers above all, in place of what stands in /etc; for this process alone.
Status take_files_of(const std::string& vrf) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path folder = fs::path("/etc/netns") / vrf;
  if (vrf == "main" || geteuid() != 0 || !fs::is_directory(folder, error)) return {};
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "none", MS_SLAVE | MS_REC, nullptr) != 0)
    return system_error("the fetcher cannot have files of its own: " + reason());
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const fs::path over = "/etc" / entry.path().filename();
    if (fs::exists(over, error) && mount(entry.path().c_str(), over.c_str(), "none", MS_BIND, nullptr) != 0)
      return system_error(entry.path().string() + " cannot stand in place of " + over.string() + ": " + reason());
  }
  return {};
}

Status give_up_user() {
  if (geteuid() != 0) return {};
  // libldap looks up the address of the host's name when it begins, and would wait for name servers that do not answer
  static constexpr std::string_view kLocal = "localhost";
  if (unshare(CLONE_NEWUTS) == 0) (void)sethostname(kLocal.data(), kLocal.size());
  if (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 || setresuid(kNobody, kNobody, kNobody) != 0)
    return system_error("the fetcher cannot give up its user: " + reason());
  return {};
}

// It needs sockets, threads (to look up names) and to read files (resolv.conf, authorities of https). Nothing of the following.
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
      SCMP_SYS(tkill),
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
      SCMP_SYS(listen),
      SCMP_SYS(accept),
      SCMP_SYS(accept4),
      SCMP_SYS(unlink),
      SCMP_SYS(unlinkat),
      SCMP_SYS(rename),
      SCMP_SYS(renameat),
      SCMP_SYS(renameat2),
      SCMP_SYS(link),
      SCMP_SYS(linkat),
      SCMP_SYS(symlink),
      SCMP_SYS(symlinkat),
      SCMP_SYS(mkdir),
      SCMP_SYS(mkdirat),
      SCMP_SYS(mknod),
      SCMP_SYS(mknodat),
      SCMP_SYS(chmod),
      SCMP_SYS(fchmod),
      SCMP_SYS(fchmodat),
      SCMP_SYS(creat),
      SCMP_SYS(truncate),
      SCMP_SYS(memfd_create),
      SCMP_SYS(init_module),
      SCMP_SYS(finit_module),
      SCMP_SYS(kexec_load),
      SCMP_SYS(add_key),
      SCMP_SYS(personality),
  };
  const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(SCMP_ACT_ALLOW), [](void* one) { seccomp_release(one); });
  bool right = filter != nullptr;
  for (const int call : kForbidden) {
    const int added = seccomp_rule_add(filter.get(), SCMP_ACT_KILL_PROCESS, call, 0);
    right = right && (added == 0 || added == -EEXIST);
  }
  // processes are made by clone; threads too. glibc goes back to it when there is no clone3, whose arguments a filter cannot see.
  right = right && seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
  right =
      right && seccomp_rule_add(filter.get(), SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) == 0;
  // files are read
  for (const int mode : {O_WRONLY, O_RDWR}) {
    const auto wanted = static_cast<scmp_datum_t>(mode);
    right = right && seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 1,
                                      SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, wanted)) == 0;
    right = right &&
            seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, O_ACCMODE, wanted)) == 0;
  }
  right = right && seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0) == 0;
  // no packets of its own making
  right = right && seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_GT, AF_NETLINK)) == 0;
  if (!right || seccomp_load(filter.get()) != 0) return system_error("the fetcher cannot filter system calls");
  return {};
#endif
}

bool near_v4(std::uint32_t host) { return host >> 24 == 127 || host >> 16 == 0xa9fe || host >> 24 == 0; }

// An address of this host or of its link: where a certificate has no business to send us.
bool near(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    return near_v4(ntohl(v4.sin_addr.s_addr));
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, address, sizeof v6);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    std::uint32_t host = 0;
    std::memcpy(&host, &v6.sin6_addr.s6_addr[12], sizeof host);
    return near_v4(ntohl(host));
  }
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) || IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) || IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
}

struct Job {
  model::Fetch what;
  bool ldap = false;
  Bytes body;
  std::size_t most = 0;
  bool too_large = false;
  bool refused_near = false;
};

std::size_t take(char* data, std::size_t size, std::size_t count, void* opaque) {
  auto& job = *static_cast<Job*>(opaque);
  const std::size_t octets = size * count;
  if (octets > job.most - std::min(job.most, job.body.size())) {
    job.too_large = true;
    return 0;
  }
  job.body.insert(job.body.end(), data, data + octets);
  return octets;
}

curl_socket_t open_socket(void* opaque, curlsocktype, curl_sockaddr* address) {
  auto& job = *static_cast<Job*>(opaque);
  if (!job.what.configured && near(&address->addr)) {
    job.refused_near = true;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

constexpr std::string_view kName = "dns:";

// the addresses of a host, one a line, in the order in which they should be tried (RFC 6724)
Result<Bytes> addresses_of(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0)
    return system_error(error == EAI_SYSTEM ? reason() : gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> held(found, freeaddrinfo);
  Bytes out;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) continue;
    const std::string_view address(text.data());
    if (address.find('%') != std::string_view::npos) continue;  // of a link
    out.insert(out.end(), address.begin(), address.end());
    out.push_back('\n');
  }
  return out;
}

Result<Bytes> run(model::Fetch what) {
  if (what.configured && what.uri.starts_with(kName)) return addresses_of(what.uri.substr(kName.size()));
  Job job;
  job.what = std::move(what);
  const std::string scheme = job.what.uri.substr(0, std::min(job.what.uri.find("://"), job.what.uri.size()));
  job.ldap = scheme == "ldap";
  if (scheme != "http" && scheme != "https" && !job.ldap) return peer_error("is not a URI of http, https or ldap");
  job.most = job.ldap ? job.what.most_octets * kMostBase64 : job.what.most_octets;
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
  if (!handle) return system_error("libcurl cannot be used");
  CURL* curl = handle.get();
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(nullptr, curl_slist_free_all);
  std::array<char, CURL_ERROR_SIZE> why{};
  bool right = true;
  const auto set = [&](CURLoption option, auto value) { right = curl_easy_setopt(curl, option, value) == CURLE_OK && right; };
  set(CURLOPT_URL, job.what.uri.c_str());
  set(CURLOPT_PROTOCOLS_STR, scheme.c_str());
  set(CURLOPT_REDIR_PROTOCOLS_STR, scheme == "https" ? "https" : "http");
  set(CURLOPT_FOLLOWLOCATION, job.what.redirects ? 1L : 0L);
  set(CURLOPT_MAXREDIRS, kMostRedirects);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_TIMEOUT, static_cast<long>(job.what.time.count()));
  set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(job.what.time.count()));
  set(CURLOPT_FAILONERROR, 1L);
  set(CURLOPT_ERRORBUFFER, why.data());
  set(CURLOPT_WRITEFUNCTION, take);
  set(CURLOPT_WRITEDATA, &job);
  set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(CURLOPT_OPENSOCKETDATA, &job);
  set(CURLOPT_USERAGENT, "svti-iked");
  if (!job.what.body.empty()) {
    headers.reset(curl_slist_append(nullptr, "Content-Type: application/ocsp-request"));
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_POSTFIELDSIZE, static_cast<long>(job.what.body.size()));
    set(CURLOPT_COPYPOSTFIELDS, reinterpret_cast<const char*>(job.what.body.data()));
  }
  if (!right) return system_error("libcurl does not take what is asked of it");
  const CURLcode done = curl_easy_perform(curl);
  if (job.too_large) return peer_error("has more than " + std::to_string(job.what.most_octets) + " octets");
  if (job.refused_near) return peer_error("leads to an address of this host or its link, which a certificate may not name");
  if (done != CURLE_OK) return peer_error(why[0] != 0 ? why.data() : curl_easy_strerror(done));
  long status = 0;
  if (!job.ldap && curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status / 100 == 3)
    return peer_error("sends us elsewhere (status " + std::to_string(status) + "), where we do not go");
  if (!job.ldap) return std::move(job.body);
  return list_in_directory_entry(job.body, job.what.uri.find("deltaRevocationList") != std::string::npos);
}

void answer(int socket, const Result<Bytes>& result) {
  const Bytes packet = encode(result);
  for (std::size_t sent = 0; sent < packet.size();) {
    const ssize_t size = send(socket, packet.data() + sent, packet.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    sent += static_cast<std::size_t>(size);
  }
}

}  // namespace

Status enter_sandbox(int keep) {
  for (const auto& [from, to] : {std::pair(0, keep - 1), std::pair(keep + 1, 1 << 30)}) {
    if (from <= to && close_range(static_cast<unsigned>(from), static_cast<unsigned>(to), 0) != 0)
      return system_error("the fetcher cannot close descriptors: " + reason());
  }
  const auto limit = [](auto resource, rlim_t most) {
    const rlimit both{most, most};
    setrlimit(resource, &both);
  };
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_NOFILE, kMostDescriptors);
  limit(RLIMIT_CPU, kMostCpuSeconds);
#if !defined(__SANITIZE_ADDRESS__)
  limit(RLIMIT_AS, kMostMemory);
#endif
  if (Status given = give_up_user(); !given) return given;
  // a change of user undoes the first two
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return system_error("the fetcher cannot protect itself: " + reason());
  return filter_calls();
}

int serve(int socket, const std::string& vrf) {
  Status entered = take_files_of(vrf);
  if (entered) entered = enter_sandbox(socket);
  if (!entered) {
    answer(socket, fail(entered.error()));
    return 1;
  }
  Bytes packet(kMaxUri + kMaxBody + 64);
  std::size_t held = 0;
  while (held < packet.size()) {  // until the daemon has said all
    const ssize_t size = recv(socket, packet.data() + held, packet.size() - held, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return 1;
    if (size == 0) break;
    held += static_cast<std::size_t>(size);
  }
  auto request = decode_request(ByteView(packet).first(held));
  if (!request) return 1;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  answer(socket, run(std::move(*request)));
  return 0;
}

Result<Started> start_process(const std::string& vrf) {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return system_error("no socket for a fetcher: " + reason());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pair[1], kSocket);
  std::array<char, 10> name{"svti-iked"};
  std::array<char, 11> argument{"--fetcher"};
  std::string where = vrf;
  std::array<char*, 4> arguments{name.data(), argument.data(), where.data(), nullptr};
  std::array<char*, 1> environment{nullptr};
  pid_t process = -1;
  // not fork: the daemon may be large
  const int error = posix_spawn(&process, "/proc/self/exe", &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  close(pair[1]);
  if (error != 0) {
    close(pair[0]);
    return system_error(std::string("no process for a fetcher: ") + std::strerror(error));
  }
  return Started{pair[0], process};
}

}  // namespace svti::fetch
