// SPDX-License-Identifier: Apache-2.0
// svti-iked: puts kernel, network, engine and control together and runs them.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "control/server.h"
#include "engine/key_log.h"
#include "engine/supervisor.h"
#include "fetch/client.h"
#include "kernel/netlink_kernel.h"
#include "kernel/netlink_links.h"
#include "kernel/null_kernel.h"
#include "net/namespace.h"
#include "net/plain_socket.h"
#include "net/udp_transport.h"
#include "signer/client.h"
#include "signer/key_maker.h"
#include "signer/token_service.h"
#include "signer/token_signer.h"

namespace {

using namespace svti;

struct Options {
  std::string config = "/etc/svti/ike.conf";
  bool config_given = false;
  std::string socket{control::kDefaultSocket};
  std::string run_dir = "/run/svti-iked";
  std::string state_dir = "/var/lib/svti-iked";
  std::string group;
  std::string kernel = "netlink";
  std::string key_log;
  int log_stderr = kLogDisabled;
};

int complain(const std::string& text) {
  std::cerr << "svti-iked: " << text << "\n";
  return 1;
}

// One daemon for a run directory. The lock goes with the process, however it ends. Returns the descriptor that holds it.
Result<int> lock_run_dir(const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return system_error("run directory " + dir + " cannot be made: " + error.message());
  const std::string path = dir + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return system_error(path + ": " + std::strerror(errno));
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  close(fd);
  return system_error("another svti-iked runs with run directory " + dir + ": stop it, or give this one another with --run-dir");
}

// What there is to say about a configuration goes to standard error and the log. False: nothing was applied.
bool report(const engine::LoadOutcome& outcome, engine::Logger& logger) {
  for (const config::Diagnostic& one : outcome.diagnostics) {
    logger.write({Subsystem::Config, static_cast<LogLevel>(one.warning ? 1 : 0), {}, one.to_string()});
    std::cerr << (one.warning ? "" : "error: ") << one.to_string() << "\n";
  }
  return outcome.applied;
}

// Sockets belong for ever to the namespace they were opened in; the thread goes back to its own at once.
Result<engine::Supervisor::Adapters> open_vrf(boost::asio::io_context& loop, const std::string& vrf, bool null_kernel, const LogSink& log) {
  const auto inside = net::InNamespace::enter(vrf);
  if (!inside) return fail(inside.error());
  engine::Supervisor::Adapters out;
  if (null_kernel) {
    out.kernel = std::make_unique<kernel::NullKernel>(loop);
  } else {
    auto kernel = kernel::NetlinkKernel::create(loop, log);
    if (!kernel) return fail(kernel.error());
    out.kernel = std::move(*kernel);
  }
  auto transport = net::UdpTransport::create(loop, {}, log);
  if (!transport) return fail(transport.error());
  out.transport = std::move(*transport);
  out.open_socket = [&loop, vrf](const model::PlainSocket::Where& at,
                                 model::PlainSocket::Receive receive) -> Result<std::unique_ptr<model::PlainSocket>> {
    const auto there = net::InNamespace::enter(vrf);
    if (!there) return fail(there.error());
    return net::open_plain_socket(loop, at, std::move(receive));
  };
  return out;
}

Result<std::unique_ptr<model::Links>> open_links(const std::string& vrf) {
  const auto within = [](const std::string& name, const std::function<Status()>& work) -> Status {
    const auto inside = net::InNamespace::enter(name);
    if (!inside) return fail(inside.error());
    return work();
  };
  auto links = kernel::NetlinkLinks::open(vrf, {net::open_namespace, within});
  if (!links) return fail(links.error());
  return std::unique_ptr<model::Links>(std::move(*links));
}

int run(const Options& options) {
  // Keys are in this memory: no core dumps, no debugger of another user.
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  umask(0077);
  openlog("svti-iked", LOG_PID, LOG_DAEMON);

  const auto lock = lock_run_dir(options.run_dir);
  if (!lock) return complain(lock.error().message);
  engine::Logger logger(static_cast<LogLevel>(options.log_stderr));
  boost::asio::io_context loop(1);

  // Private keys live in a process of their own, apart from the one that parses what comes over the network.
  const auto start_signer = [sealing_key = options.state_dir + "/sealing-key"] { return signer::start_process(sealing_key); };
  signer::Client signer(loop, start_signer, logger.sink());
  signer::KeyMaker key_maker(loop, start_signer);

  // Those on tokens are used by processes of their own again, which run foreign code.
  signer::TokenSigner tokens(loop, signer, signer::start_token_process, {}, logger.sink());

  // So does who speaks with the servers of authorities, for each of them.
  // A process stays in the namespace it was started from.
  fetch::Client fetcher(loop, [](const std::string& vrf) -> Result<fetch::Started> {
    const auto inside = net::InNamespace::enter(vrf);
    if (!inside) return fail(inside.error());
    return fetch::start_process(vrf);
  });

  const bool has_config = std::filesystem::exists(options.config);
  if (!has_config && options.config_given) return complain(options.config + " does not exist");
  engine::Supervisor::Options where;
  const bool null_kernel = options.kernel == "null";
  where.open = [&loop, null_kernel](const std::string& vrf, const LogSink& log) { return open_vrf(loop, vrf, null_kernel, log); };
  where.signer = &tokens;
  where.key_maker = &key_maker;
  where.fetcher = &fetcher;
  if (!options.key_log.empty()) {
    auto key_log = engine::open_key_log(options.key_log);
    if (!key_log) return complain(key_log.error().message);
    where.key_sink = std::move(*key_log);
    logger.write(
        {Subsystem::Daemon, 0, {}, "--key-log: whoever reads " + options.key_log + " can read what is said between us and our peers"});
  }
  if (!null_kernel) where.links = open_links;
  where.state_dir = options.state_dir;
  where.startup_file = options.config;
  engine::Supervisor engine(loop, logger, std::move(where));
  const auto started = engine.start();
  if (!started) return complain(started.error().message);
  if (!report(*started, logger)) return complain(options.config + " was not applied; nothing was changed");

  const auto reload = [&]() -> Status {
    if (report(engine.reload(), logger)) return {};
    return config_error(options.config + " was not applied and nothing was changed: the log says why");
  };
  auto server = control::Server::open(loop, engine, {options.socket, options.group, SVTI_VERSION, logger.sink(), reload});
  if (!server) return complain(server.error().message);

  bool stopped = false;
  engine.on_stopped([&] {
    stopped = true;
    loop.stop();
  });
  boost::asio::signal_set signals(loop, SIGINT, SIGTERM, SIGHUP);
  std::function<void()> await_signal = [&] {
    signals.async_wait([&](const boost::system::error_code& error, int number) {
      if (error) return;
      if (number == SIGHUP) {
        sd_notify(0, "RELOADING=1");
        report(engine.reload(), logger);
        sd_notify(0, "READY=1");
      } else {
        sd_notify(0, "STOPPING=1");
        engine.shut_down();
      }
      await_signal();
    });
  };
  await_signal();
  sd_notify(0, "READY=1");
  logger.write({Subsystem::Daemon, 1, {}, std::string("svti-iked ") + SVTI_VERSION + " is up"});
  if (null_kernel)
    logger.write({Subsystem::Daemon, 0, {}, "--kernel null: SAs are negotiated and installed nowhere, so no packet is protected"});
  loop.run();
  // what the shutdown asked of the kernel and of the network is still queued
  loop.restart();
  loop.poll();
  close(*lock);
  return stopped ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--signer") return signer::serve(signer::kSocket, argv[2]);
  if (argc == 2 && std::string_view(argv[1]) == "--token") return signer::serve_token(signer::kSocket);
  if (argc == 3 && std::string_view(argv[1]) == "--fetcher") return fetch::serve(fetch::kSocket, argv[2]);
  Options options;
  CLI::App app{
      "IKEv2 daemon for route-based VPNs over SVTI interfaces.\n\n"
      "Runs in the foreground, in the network namespace it is started in, which is VRF main; a VRF NAME of the configuration is the "
      "namespace "
      "/run/netns/NAME. SIGHUP loads the configuration file again, SIGTERM deletes all "
      "SAs "
      "and ends.\n"};
  app.footer(
      "Examples:\n"
      "  svti-iked                                  /etc/svti/ike.conf, control socket /run/svti-iked.vici\n"
      "  svti-iked --config site.conf --log-stderr 1\n"
      "  ip netns exec gw svti-iked --config gw.conf --socket /run/gw.vici --run-dir /run/gw --state-dir /var/lib/gw\n");
  auto* config =
      app.add_option("--config,-c", options.config, "configuration file in the native text form")->type_name("FILE")->capture_default_str();
  app.add_option("--socket,-s", options.socket, "control socket (VICI)")->type_name("PATH")->capture_default_str();
  app.add_option("--group", options.group, "group that may use the control socket")->type_name("GROUP");
  app.add_option("--run-dir", options.run_dir, "directory of the lock")->type_name("DIR")->capture_default_str();
  app.add_option("--state-dir", options.state_dir,
                 "directory in which the running configuration survives a restart; it is taken up again unless FILE has changed since")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--kernel", options.kernel,
                 "where SAs, policies and routes go: netlink (the kernel), or null (nowhere: they are negotiated and shown, and protect "
                 "nothing; for load tests and trials)")
      ->type_name("KIND")
      ->check(CLI::IsMember({"netlink", "null"}))
      ->capture_default_str();
  bool foreground = true;
  app.add_flag("--foreground,-f", foreground, "stay in the foreground (always so)");
  app.add_option("--log-stderr", options.log_stderr, "log up to this level to standard error too: 0 (audit) to 4 (with secrets)")
      ->type_name("LEVEL")
      ->check(CLI::Range(-1, 4));
  app.add_option("--key-log", options.key_log,
                 "append the keys of each IKE SA to this file (mode 0600), in the form of Wireshark's ikev2_decryption_table; for "
                 "debugging alone: with it captures of IKE can be read")
      ->type_name("FILE");
  app.set_version_flag("--version", std::string("svti-iked ") + SVTI_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? 0 : 2;
  }
  options.config_given = config->count() > 0;
  return run(options);
}
