// SPDX-License-Identifier: Apache-2.0
// SVTIs of the configuration over a kernel that is a table: made, changed, adopted, taken away, refused; in VRFs that come and go.
#include "engine/interfaces.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>

namespace svti::engine {
namespace {

// The interfaces of all namespaces, as the kernel would have them.
struct FakeKernel {
  struct Link {
    model::LinkStatus status;
    std::string link_vrf, link_interface;
  };
  std::map<std::string, std::map<std::string, Link>> vrfs{{"main", {}}};
  std::vector<std::string> orders;  // "make svti1", in their order
  std::set<std::string> refused;
  std::uint32_t next_index = 1;

  Link& at(const std::string& vrf, const std::string& name) { return vrfs.at(vrf).at(name); }
};

class FakeLinks final : public model::Links {
 public:
  FakeLinks(FakeKernel& kernel, std::string vrf) : kernel_(kernel), vrf_(std::move(vrf)) {}

  Result<std::vector<model::LinkStatus>> list(const std::vector<model::SvtiInterface>& asked) override {
    std::vector<model::LinkStatus> out;
    for (const auto& [name, link] : kernel_.vrfs.at(vrf_)) {
      const auto wanted = std::find_if(asked.begin(), asked.end(), [&, n = name](const auto& svti) { return svti.name == n; });
      if (link.status.svti_id == 0 && wanted == asked.end()) continue;
      out.push_back(link.status);
      if (wanted == asked.end()) continue;
      out.back().link_vrf_fits = wanted->link_vrf == link.link_vrf;
      out.back().link_interface_fits = wanted->link_interface == link.link_interface;
    }
    return out;
  }
  Status add(const model::SvtiInterface& svti) override {
    for (const auto& [vrf, links] : kernel_.vrfs) {
      for (const auto& [name, link] : links) {
        if (link.status.svti_id == svti.svti_id && link.link_vrf == svti.link_vrf) return system_error("another svti has this svti-id");
      }
    }
    if (!kernel_.vrfs.contains(svti.link_vrf)) return system_error("there is no network namespace " + svti.link_vrf);
    if (const Status done = order("make", svti.name); !done) return done;
    FakeKernel::Link link;
    link.status.ifindex = kernel_.next_index++;
    link.status.name = svti.name;
    link.status.svti_id = svti.svti_id;
    link.status.group = model::kLinkGroup;
    link.status.mtu = svti.mtu.value_or(1500);
    link.link_vrf = svti.link_vrf;
    link.link_interface = svti.link_interface;
    kernel_.vrfs.at(vrf_).emplace(svti.name, link);
    return {};
  }
  Status remove(const model::LinkStatus& link) override {
    kernel_.vrfs.at(vrf_).erase(link.name);
    return order("delete", link.name);
  }
  Status adopt(const model::LinkStatus& link) override {
    return change(link, "adopt", [](auto& at) { at.status.group = model::kLinkGroup; });
  }
  Status set_link_interface(const model::LinkStatus& link, const model::SvtiInterface& svti) override {
    return change(link, "link-interface", [&](auto& at) { at.link_interface = svti.link_interface; });
  }
  Status set_mtu(const model::LinkStatus& link, std::uint32_t mtu) override {
    return change(link, "mtu", [&](auto& at) { at.status.mtu = mtu; });
  }
  Status set_up(const model::LinkStatus& link, bool up) override {
    return change(link, up ? "up" : "down", [&](auto& at) { at.status.up = up; });
  }
  Status set_promiscuous(const model::LinkStatus& link, bool promiscuous) override {
    return change(link, "promiscuous", [&](auto& at) { at.status.promiscuous = promiscuous; });
  }
  Status set_description(const model::LinkStatus& link, const std::string& description) override {
    return change(link, "description", [&](auto& at) { at.status.description = description; });
  }
  Status set_ipv6(const model::LinkStatus& link, bool enabled) override {
    return change(link, "ipv6", [&](auto& at) { at.status.ipv6_enabled = enabled; });
  }
  Status add_address(const model::LinkStatus& link, const model::InterfaceAddress& address) override {
    return change(link, "+" + address.address.to_string(), [&](auto& at) { at.status.addresses.push_back(address); });
  }
  Status remove_address(const model::LinkStatus& link, const model::InterfaceAddress& address) override {
    return change(link, "-" + address.address.to_string(), [&](auto& at) { std::erase(at.status.addresses, address); });
  }

 private:
  Status order(const std::string& what, const std::string& name) {
    if (kernel_.refused.contains(what)) return system_error("not today");
    kernel_.orders.push_back(what + " " + name);
    return {};
  }
  Status change(const model::LinkStatus& link, const std::string& what, const std::function<void(FakeKernel::Link&)>& make) {
    if (const Status done = order(what, link.name); !done) return done;
    make(kernel_.at(vrf_, link.name));
    return {};
  }

  FakeKernel& kernel_;
  std::string vrf_;
};

model::SystemPtr system_of(const std::string& text) {
  const auto parsed = config::Document::parse(text, "f");
  BOOST_TEST_REQUIRE(parsed.has_value(), (parsed ? "" : parsed.error().front().to_string()));
  return parsed->resolved();
}

const std::string kPlain =
    "interface svti svti1\n svti-id 7\n mtu 1400\n description \"to B\"\n ipv4 address 10.0.0.1/24\n ipv6 address fd00::1/64\n ..\n";

struct Rig {
  FakeKernel kernel;
  Interfaces interfaces = anew();

  Interfaces anew() {
    return Interfaces(
        [this](const std::string& vrf) -> Result<std::unique_ptr<model::Links>> {
          if (!kernel.vrfs.contains(vrf)) return system_error("there is no network namespace " + vrf);
          return std::unique_ptr<model::Links>(new FakeLinks(kernel, vrf));
        },
        {});
  }
  // what was asked of the kernel, and the problems
  std::string settle(const std::string& text) {
    kernel.orders.clear();
    config::Diagnostics problems;
    const bool done = interfaces.settle(*system_of(text), problems);
    BOOST_TEST(done == problems.empty());
    std::string out;
    for (const std::string& one : kernel.orders) out += (out.empty() ? "" : ", ") + one;
    for (const config::Diagnostic& one : problems) out += "\n" + one.to_string();
    return out;
  }
  std::string conflicts(const std::string& text) {
    std::string out;
    for (const config::Diagnostic& one : interfaces.conflicts(*system_of(text))) out += one.to_string() + "\n";
    return out;
  }
};

BOOST_AUTO_TEST_SUITE(interfaces)

BOOST_AUTO_TEST_CASE(an_interface_is_made_changed_and_taken_away_with_the_configuration) {
  Rig rig;
  BOOST_TEST(rig.settle(kPlain) == "make svti1, description svti1, +10.0.0.1 svti1, +fd00::1 svti1, up svti1");
  BOOST_TEST(rig.kernel.at("main", "svti1").status.svti_id == 7U);
  BOOST_TEST(rig.kernel.at("main", "svti1").status.mtu == 1400U);
  BOOST_TEST(rig.settle(kPlain) == "");
  const std::string changed =
      "interface svti svti1\n svti-id 7\n mtu 1300\n enabled false\n promiscuous true\n link-interface eth0\n ipv4 enabled false\n ipv4 "
      "address 10.0.0.1/24\n ipv6 address fd00::2/64\n ..\n";
  BOOST_TEST(
      rig.settle(changed) ==
      "description svti1, mtu svti1, link-interface svti1, promiscuous svti1, -10.0.0.1 svti1, -fd00::1 svti1, +fd00::2 svti1, down svti1");
  BOOST_TEST(rig.settle("interface svti svti1\n svti-id 7\n ipv6 enabled false\n ..\n").find("ipv6 svti1") != std::string::npos);
  BOOST_TEST(rig.settle("") == "delete svti1");
  BOOST_TEST(rig.settle("") == "");
}

BOOST_AUTO_TEST_CASE(addresses_that_the_kernel_made_itself_stay) {
  Rig rig;
  rig.settle(kPlain);
  rig.kernel.at("main", "svti1").status.addresses.push_back({IpAddress::parse("fe80::5").value(), 64});
  rig.interfaces.look_again();
  BOOST_TEST(rig.settle(kPlain) == "");
}

BOOST_AUTO_TEST_CASE(a_later_life_finds_its_interfaces_and_touches_none_that_fits) {
  Rig rig;
  rig.settle(kPlain + "/ vrf main interface svti svti2 svti-id 8\n");
  rig.interfaces = rig.anew();
  BOOST_TEST(rig.settle(kPlain) == "delete svti2");
  BOOST_TEST(rig.kernel.at("main", "svti1").status.ifindex == 1U);
}

BOOST_AUTO_TEST_CASE(what_somebody_else_made_is_adopted_and_what_nobody_names_is_left) {
  Rig rig;
  for (const char* name : {"svti1", "svti9"}) {
    auto& link = rig.kernel.vrfs["main"][name];
    link.status.name = name;
    link.status.svti_id = name == std::string("svti1") ? 7 : 9;
    link.status.mtu = 1400;
    link.status.up = true;
    link.status.addresses = {{IpAddress::parse("10.0.0.1").value(), 24}, {IpAddress::parse("10.9.9.9").value(), 32}};
    link.link_vrf = "main";
  }
  BOOST_TEST(rig.conflicts(kPlain) == "");
  BOOST_TEST(rig.settle(kPlain) == "adopt svti1, description svti1, -10.9.9.9 svti1, +fd00::1 svti1");
  BOOST_TEST(rig.settle("") == "delete svti1");
  BOOST_TEST(rig.kernel.vrfs["main"].contains("svti9"));
}

BOOST_AUTO_TEST_CASE(an_interface_that_cannot_become_the_one_wanted_is_an_error_that_says_why) {
  Rig rig;
  rig.kernel.vrfs["main"]["svti1"].status.name = "svti1";
  BOOST_TEST(
      rig.conflicts(kPlain) ==
      "vrf main interface svti svti1: an interface of that name is there and is not an SVTI: choose another name, or delete it first\n");
  BOOST_TEST(rig.settle(kPlain).find("is not an SVTI") != std::string::npos);
  BOOST_TEST(rig.kernel.orders.empty());
  rig.kernel.at("main", "svti1").status.svti_id = 8;
  rig.kernel.at("main", "svti1").link_vrf = "main";
  BOOST_TEST(rig.conflicts(kPlain) ==
             "vrf main interface svti svti1: an SVTI of that name is there with svti-id 8, which is fixed for its life: delete it first, "
             "or give that id\n");
  // once it is out of the way the interface is made, though the configuration is the same
  rig.kernel.vrfs["main"].clear();
  BOOST_TEST(rig.settle(kPlain).starts_with("make svti1"));
}

BOOST_AUTO_TEST_CASE(one_of_ours_is_made_anew_where_it_cannot_be_changed) {
  Rig rig;
  rig.kernel.vrfs["blue"];
  rig.settle(kPlain);
  const std::string other_id = "interface svti svti1 svti-id 8\n";
  BOOST_TEST(rig.conflicts(other_id) == "");
  BOOST_TEST(rig.settle(other_id) == "delete svti1, make svti1, up svti1");
  BOOST_TEST(rig.settle("interface svti svti1\n svti-id 8\n link-vrf blue\n ..\n") == "delete svti1, make svti1, up svti1");
  // an id may go from one name to another in one step
  BOOST_TEST(rig.settle("interface svti svti2\n svti-id 8\n link-vrf blue\n ..\n") == "delete svti1, make svti2, up svti2");
}

BOOST_AUTO_TEST_CASE(vrfs_that_are_not_there_are_waited_for_and_those_that_go_need_nothing) {
  Rig rig;
  const std::string red = "vrf red\n interface svti svti1\n  svti-id 7\n  link-vrf main\n  ..\n ..\n";
  BOOST_TEST(rig.settle(red) == "\nwarning: vrf red interface: there is no network namespace red; its SVTIs are made when it is there");
  rig.kernel.vrfs["red"];
  BOOST_TEST(rig.settle(red) == "make svti1, up svti1");
  BOOST_TEST(rig.settle(red) == "");
  rig.kernel.vrfs.erase("red");
  BOOST_TEST(rig.settle("") == "");
  // a link VRF that is missing
  BOOST_TEST(
      rig.settle("interface svti svti1\n svti-id 7\n link-vrf blue\n ..\n").find("cannot be made: there is no network namespace blue") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_was_left_in_a_vrf_of_a_former_life_goes) {
  Rig rig;
  rig.kernel.vrfs["red"];
  const std::string red = "vrf red\n interface svti svti1\n  svti-id 7\n  ..\n ..\n";
  rig.settle(red);
  rig.interfaces = rig.anew();
  rig.interfaces.remember(*system_of(red));
  BOOST_TEST(rig.settle("") == "delete svti1");
}

BOOST_AUTO_TEST_CASE(a_refusal_is_told_for_its_leaf_and_tried_again) {
  Rig rig;
  rig.kernel.refused = {"mtu", "+10.0.0.1"};
  rig.settle("interface svti svti1 svti-id 7\n");
  BOOST_TEST(rig.settle(kPlain) ==
             "description svti1, +fd00::1 svti1\nwarning: vrf main interface svti svti1: mtu: not today\n"
             "warning: vrf main interface svti svti1: address 10.0.0.1/24: not today");
  rig.kernel.refused.clear();
  BOOST_TEST(rig.settle(kPlain) == "mtu svti1, +10.0.0.1 svti1");
}

BOOST_AUTO_TEST_CASE(state_has_what_the_kernel_says_and_nothing_of_another_interface) {
  Rig rig;
  rig.settle(kPlain);
  const auto system = system_of(kPlain);
  BOOST_TEST_REQUIRE(rig.interfaces.state("main", *system).size() == 1U);
  BOOST_TEST(rig.interfaces.state("main", *system)[0].link.has_value());
  rig.kernel.at("main", "svti1").status.svti_id = 8;
  BOOST_TEST(!rig.interfaces.state("main", *system)[0].link.has_value());
  BOOST_TEST(rig.interfaces.state("red", *system).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace svti::engine
