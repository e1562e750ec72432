// SPDX-License-Identifier: Apache-2.0
// The supervisor over kernels and transports that only take notes: changes whole or not at all, on trial, over a restart, in several VRFs.
#include "engine/supervisor.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <set>

#include "support/temporary_folder.h"

namespace svti::engine {
namespace {

struct Notes {
  std::map<std::string, int> opened;  // by VRF
  std::set<std::string> missing;      // VRFs whose namespace is not there
  std::vector<model::Datagram> sent;
};

class NotingKernel final : public model::Kernel {
 public:
  void submit(model::KernelRequest, Done done) override {
    if (done) done({});
  }
  void flush() override {}
  Result<model::KernelInventory> inventory() override { return model::KernelInventory{}; }
  Result<model::SaStatus> query(const model::SaId&) override { return system_error("no SA"); }
  Result<IpAddress> source_address(const IpAddress&) override { return IpAddress::parse("192.0.2.1"); }
  Result<std::vector<IpAddress>> local_addresses() override { return std::vector<IpAddress>{}; }
  void set_events(model::KernelEvents*) override {}
};

class NotingTransport final : public model::Transport {
 public:
  explicit NotingTransport(Notes& notes) : notes_(notes) {}
  Status send(const model::Datagram& datagram) override {
    notes_.sent.push_back(datagram);
    return {};
  }
  Status send_keepalive(const Endpoint&, const Endpoint&) override { return {}; }
  void set_receive(Receive) override {}
  void set_returned(Returned) override {}

 private:
  Notes& notes_;
};

std::string vpn_text(const std::string& name, const std::string& remote, bool mobike = false) {
  return "vpn " + name + "\n local-address 192.0.2.1\n remote-address " + remote +
         "\n ike-policy\n  ike-proposal 1\n   aead-alg aes128-gcm-128\n   prf-alg hmac-sha256\n   dh-group curve25519\n   ..\n" +
         (mobike ? "  mobike true\n" : "") +
         "  ..\n ipsec-policy\n  start-action none\n  esp-proposal 1\n   aead-alg aes128-gcm-128\n   ..\n  ..\n"
         " security-policy net\n  local-ts subnet 10.1.0.0/24\n  remote-ts subnet 10.2.0.0/24\n  ..\n ..\n";
}
std::string ike(const std::string& body) { return "ike\n" + body + "..\n"; }

// A daemon's life over a folder: its state directory and its startup file.
struct Life {
  explicit Life(test::TemporaryFolder& at) : folder(at) {
    Supervisor::Options options;
    options.open = [this](const std::string& vrf, const LogSink&) -> Result<Supervisor::Adapters> {
      if (notes.missing.contains(vrf)) return system_error("there is no network namespace " + vrf);
      ++notes.opened[vrf];
      return Supervisor::Adapters{std::make_unique<NotingKernel>(), std::make_unique<NotingTransport>(notes)};
    };
    options.state_dir = folder.file("state");
    options.startup_file = folder.file("ike.conf");
    options.retry_vrf = milliseconds(20);
    supervisor = std::make_unique<Supervisor>(loop, logger, std::move(options));
  }
  LoadOutcome start() {
    auto started = supervisor->start();
    BOOST_REQUIRE(started);
    return *started;
  }
  void run_for(milliseconds time) {
    loop.restart();
    loop.run_for(time);
  }
  bool has(const std::string& vpn, const std::string& vrf = "main") const { return supervisor->configuration(vrf)->vpns.contains(vpn); }

  test::TemporaryFolder& folder;
  Notes notes;
  boost::asio::io_context loop;
  Logger logger{kLogDisabled};
  std::unique_ptr<Supervisor> supervisor;
};

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string first_error(const LoadOutcome& outcome) {
  for (const config::Diagnostic& one : outcome.diagnostics) {
    if (!one.warning) return one.to_string();
  }
  return {};
}

BOOST_AUTO_TEST_CASE(a_dry_run_tells_the_plan_and_changes_nothing) {
  test::TemporaryFolder folder;
  write(folder.file("ike.conf"), ike(vpn_text("hq", "198.51.100.1")));
  Life life(folder);
  BOOST_TEST(life.start().applied);

  const LoadOutcome plan =
      life.supervisor->load(ike(vpn_text("hq", "198.51.100.1", true) + vpn_text("lab", "198.51.100.2")), "new.conf", {true, {}});
  BOOST_TEST(!plan.applied);
  BOOST_TEST(first_error(plan) == "");
  BOOST_TEST(plan.added == std::vector<std::string>{"lab"}, boost::test_tools::per_element());
  BOOST_TEST(plan.changed == std::vector<std::string>{"hq"}, boost::test_tools::per_element());
  BOOST_TEST(!plan.changes.empty());
  BOOST_TEST(!life.has("lab"));
}

BOOST_AUTO_TEST_CASE(an_unconfirmed_change_rolls_back_by_itself) {
  test::TemporaryFolder folder;
  write(folder.file("ike.conf"), ike(vpn_text("hq", "198.51.100.1")));
  Life life(folder);
  life.start();
  BOOST_TEST(life.supervisor->load(ike(vpn_text("lab", "198.51.100.2")), "-", {false, seconds(1)}).applied);
  BOOST_TEST(life.has("lab"));
  BOOST_TEST(first_error(life.supervisor->load(ike(""), "-", {})).find("waits to be confirmed") != std::string::npos);
  life.run_for(milliseconds(1500));
  BOOST_TEST(life.has("hq"));
  BOOST_TEST(!life.has("lab"));
  BOOST_TEST(!life.supervisor->confirm());
}

BOOST_AUTO_TEST_CASE(a_confirmed_change_stays_and_survives_a_restart) {
  test::TemporaryFolder folder;
  write(folder.file("ike.conf"), ike(vpn_text("hq", "198.51.100.1")));
  {
    Life life(folder);
    life.start();
    BOOST_TEST(life.supervisor->load(ike(vpn_text("lab", "198.51.100.2")), "-", {false, seconds(1)}).applied);
    BOOST_TEST(life.supervisor->confirm().has_value());
    life.run_for(milliseconds(1300));
    BOOST_TEST(life.has("lab"));
  }
  Life next(folder);
  next.start();
  BOOST_TEST(next.has("lab"));
  BOOST_TEST(!next.has("hq"));
}

BOOST_AUTO_TEST_CASE(a_daemon_that_dies_before_the_confirmation_comes_back_with_the_old_configuration) {
  test::TemporaryFolder folder;
  write(folder.file("ike.conf"), ike(vpn_text("hq", "198.51.100.1")));
  {
    Life life(folder);
    life.start();
    BOOST_TEST(life.supervisor->edit({{false, "vpn hq ike-policy mobike true"}}, {}).applied);
    BOOST_TEST(life.supervisor->load(ike(vpn_text("lab", "198.51.100.2")), "-", {false, seconds(60)}).applied);
  }
  Life next(folder);
  next.start();
  BOOST_TEST(next.has("hq"));
  BOOST_TEST(!next.has("lab"));
  // and with what was edited and needed no confirmation
  BOOST_TEST(next.supervisor->configuration("main")->vpns.at("hq")->ike.mobike);
}

BOOST_AUTO_TEST_CASE(a_startup_file_that_has_changed_wins_over_the_running_configuration) {
  test::TemporaryFolder folder;
  write(folder.file("ike.conf"), ike(vpn_text("hq", "198.51.100.1")));
  {
    Life life(folder);
    life.start();
    BOOST_TEST(life.supervisor->load(ike(vpn_text("lab", "198.51.100.2")), "-", {}).applied);
  }
  write(folder.file("ike.conf"), ike(vpn_text("branch", "198.51.100.3")));
  Life next(folder);
  next.start();
  BOOST_TEST(next.has("branch"));
  BOOST_TEST(!next.has("lab"));
}

BOOST_AUTO_TEST_CASE(the_running_configuration_is_for_its_owner_alone_and_a_damaged_one_is_said_and_left) {
  test::TemporaryFolder folder;
  write(folder.file("ike.conf"), ike(vpn_text("hq", "198.51.100.1")));
  {
    Life life(folder);
    life.start();
    BOOST_TEST(life.supervisor->load(ike(vpn_text("lab", "198.51.100.2")), "-", {}).applied);
  }
  struct stat info {};
  BOOST_REQUIRE(stat(folder.file("state/running.conf").c_str(), &info) == 0);
  BOOST_TEST((info.st_mode & 0777) == 0600);
  write(folder.file("state/running.conf"), "garbage");
  Life next(folder);
  const LoadOutcome outcome = next.start();
  BOOST_TEST(outcome.applied);
  BOOST_REQUIRE(!outcome.diagnostics.empty());
  BOOST_TEST(outcome.diagnostics.front().warning);
  BOOST_TEST(next.has("hq"));
}

BOOST_AUTO_TEST_CASE(a_change_that_cannot_be_kept_is_refused_before_anything_is_applied) {
  test::TemporaryFolder folder;
  write(folder.file("ike.conf"), ike(vpn_text("hq", "198.51.100.1")));
  write(folder.file("state"), "a file in the way of the directory");
  Life life(folder);
  BOOST_TEST(life.start().applied);
  const LoadOutcome outcome = life.supervisor->load(ike(vpn_text("lab", "198.51.100.2")), "-", {});
  BOOST_TEST(!outcome.applied);
  BOOST_TEST(first_error(outcome).find("nothing was changed") != std::string::npos);
  BOOST_TEST(life.has("hq"));
}

BOOST_AUTO_TEST_CASE(vrfs_come_and_go_with_the_configuration) {
  test::TemporaryFolder folder;
  write(folder.file("ike.conf"), ike(vpn_text("hq", "198.51.100.1")));
  Life life(folder);
  life.notes.missing.insert("blue");
  life.start();
  const std::string both =
      "vrf main\n" + ike(vpn_text("hq", "198.51.100.1")) + "..\nvrf blue\n" + ike(vpn_text("hq", "198.51.100.9")) + "..\n";
  const LoadOutcome outcome = life.supervisor->load(both, "-", {});
  BOOST_TEST(outcome.applied);
  BOOST_TEST(first_error(outcome) == "");
  BOOST_TEST(outcome.added == std::vector<std::string>{"blue/hq"}, boost::test_tools::per_element());
  BOOST_TEST(outcome.unchanged == std::vector<std::string>{"hq"}, boost::test_tools::per_element());
  BOOST_TEST(life.notes.opened["blue"] == 0);
  BOOST_TEST(!outcome.diagnostics.empty());  // the namespace is not there

  life.notes.missing.clear();
  life.run_for(milliseconds(100));
  BOOST_TEST(life.notes.opened["blue"] == 1);
  BOOST_TEST(life.supervisor->vrfs() == (std::vector<std::string>{"main", "blue"}), boost::test_tools::per_element());
  BOOST_TEST(life.supervisor->summary("blue").vpn_counters.contains("hq"));

  // unique ids are unique over VRFs
  for (const std::string vrf : {"main", "blue"})
    life.supervisor->initiate({vrf, "hq", {}, 0, 0}, milliseconds(0), {}, [](const Status&) {});
  const auto in_main = life.supervisor->ike_sas({"main", {}, {}});
  const auto in_blue = life.supervisor->ike_sas({"blue", {}, {}});
  BOOST_REQUIRE(in_main.size() == 1);
  BOOST_REQUIRE(in_blue.size() == 1);
  BOOST_TEST(in_main[0] != in_blue[0]);
  BOOST_TEST(life.supervisor->ike_sa("main", in_main[0])->unique_id == in_main[0]);
  BOOST_TEST(!life.supervisor->ike_sa("main", in_blue[0]));
  BOOST_TEST(life.supervisor->ike_sas({"main", "other", {}}).empty());
  const auto main_state = life.supervisor->summary("main");
  BOOST_TEST(main_state.ike_sas_total == 1U);
  BOOST_TEST(main_state.ike_sas.empty());
  BOOST_TEST(main_state.tasks.workers_total == 1U);
  BOOST_TEST(main_state.tasks.scheduled > 0U);

  BOOST_TEST(life.supervisor->load(ike(vpn_text("hq", "198.51.100.1")), "-", {}).applied);
  life.run_for(milliseconds(600));
  BOOST_TEST(life.supervisor->ike_sas({"blue", {}, {}}).empty());
  BOOST_TEST(life.supervisor->ike_sas({"main", {}, {}}).size() == 1U);  // untouched
}

BOOST_AUTO_TEST_CASE(connections_of_clients_stand_beside_the_text_and_never_hide_it) {
  test::TemporaryFolder folder;
  write(folder.file("ike.conf"), ike(vpn_text("hq", "198.51.100.1")));
  Life life(folder);
  life.start();
  model::Overlay overlay;
  overlay.vpns["swan"] = life.supervisor->configuration("main")->vpns.at("hq");
  BOOST_TEST(life.supervisor->set_overlay(overlay).has_value());
  BOOST_TEST(life.has("swan"));
  BOOST_TEST(life.has("hq"));
  // a reload of the text leaves it alone, and one that takes its name is refused
  BOOST_TEST(life.supervisor->load(ike(vpn_text("lab", "198.51.100.2")), "-", {}).applied);
  BOOST_TEST(life.has("swan"));
  BOOST_TEST(!life.supervisor->load(ike(vpn_text("swan", "198.51.100.2")), "-", {}).applied);
  overlay.vpns["lab"] = overlay.vpns["swan"];
  BOOST_TEST(!life.supervisor->set_overlay(overlay));
  BOOST_TEST(life.supervisor->set_overlay({}).has_value());
  BOOST_TEST(!life.has("swan"));
}

}  // namespace
}  // namespace svti::engine
