// SPDX-License-Identifier: Apache-2.0
#include "engine/interfaces.h"

#include <algorithm>
#include <set>

namespace svti::engine {

namespace {

const std::vector<model::SvtiInterface>& interfaces_of(const model::System& system, const std::string& vrf) {
  static const std::vector<model::SvtiInterface> kNone;
  const auto found = system.vrfs.find(vrf);
  return found == system.vrfs.end() ? kNone : found->second.interfaces;
}

const model::LinkStatus* find(const std::vector<model::LinkStatus>& links, const std::string& name) {
  const auto found = std::find_if(links.begin(), links.end(), [&](const model::LinkStatus& link) { return link.name == name; });
  return found == links.end() ? nullptr : &*found;
}

std::string path_of(const std::string& vrf, const std::string& name) { return "vrf " + vrf + " interface svti " + name; }

bool is_ours(const model::LinkStatus& link) { return link.svti_id != 0 && link.group == model::kLinkGroup; }

// id and link namespace are fixed for the life of an interface
bool can_become(const model::LinkStatus& link, const model::SvtiInterface& wanted) {
  return link.svti_id == wanted.svti_id && link.link_vrf_fits;
}

// why an interface that is there cannot be the one wanted; empty when it can, or is ours to replace
std::string conflict(const model::LinkStatus& link, const model::SvtiInterface& wanted) {
  if (link.svti_id == 0) return "an interface of that name is there and is not an SVTI: choose another name, or delete it first";
  if (is_ours(link) || can_become(link, wanted)) return {};
  if (link.svti_id != wanted.svti_id)
    return "an SVTI of that name is there with svti-id " + std::to_string(link.svti_id) +
           ", which is fixed for its life: delete it first, or give that id";
  return "an SVTI of that name is there with another link namespace than that of VRF " + wanted.link_vrf + ": delete it first";
}

// those that are to be on the interface
std::vector<model::InterfaceAddress> addresses_of(const model::SvtiInterface& svti) {
  std::vector<model::InterfaceAddress> out;
  for (const model::InterfaceAddress& one : svti.addresses) {
    if (one.address.family() == IpFamily::V4 ? svti.ipv4_enabled : svti.ipv6_enabled) out.push_back(one);
  }
  return out;
}

// fe80::/10, which the kernel gives an interface by itself
bool is_link_local(const IpAddress& address) {
  return address.family() == IpFamily::V6 && address.bytes()[0] == 0xfe && (address.bytes()[1] & 0xc0) == 0x80;
}

bool contains(const std::vector<model::InterfaceAddress>& list, const model::InterfaceAddress& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

std::string to_string(const model::InterfaceAddress& address) {
  return address.address.to_string() + "/" + std::to_string(address.prefix_length);
}

}  // namespace

// One VRF while it is being settled.
struct Interfaces::Work {
  std::string vrf;
  const std::vector<model::SvtiInterface>& wanted;
  std::unique_ptr<model::Links> links;
  std::vector<model::LinkStatus> found;
  config::Diagnostics& problems;
  bool done = true;

  void problem(const std::string& name, const std::string& text) {
    done = false;
    problems.push_back({true, {}, 0, name.empty() ? "vrf " + vrf + " interface" : path_of(vrf, name), text});
  }
  bool list() {
    auto listed = links->list(wanted);
    if (!listed) {
      problem({}, "cannot list the interfaces: " + listed.error().message);
      return false;
    }
    found = std::move(*listed);
    return true;
  }
};

void Interfaces::log(const std::string& vrf, LogLevel level, const std::string& text) const {
  if (log_) log_({Subsystem::Kernel, level, {}, (vrf == model::kMainVrf ? "" : "vrf " + vrf + ": ") + text});
}

void Interfaces::look_again() {
  for (auto& [vrf, known] : known_) known.settled = false;
}

void Interfaces::remember(const model::System& former) {
  for (const auto& [name, vrf] : former.vrfs) {
    if (!vrf.interfaces.empty()) known_.try_emplace(name);
  }
}

std::vector<std::string> Interfaces::pending(const model::System& wanted) {
  std::set<std::string> names;
  for (const auto& [name, vrf] : wanted.vrfs) {
    if (!vrf.interfaces.empty()) names.insert(name);
  }
  for (const auto& [name, known] : known_) names.insert(name);
  std::vector<std::string> out;
  for (const std::string& name : names) {
    const auto known = known_.find(name);
    if (known == known_.end() || !known->second.settled || known->second.applied != interfaces_of(wanted, name)) out.push_back(name);
  }
  return out;
}

config::Diagnostics Interfaces::conflicts(const model::System& wanted) {
  config::Diagnostics out;
  if (!open_) return out;
  for (const std::string& vrf : pending(wanted)) {
    const auto& interfaces = interfaces_of(wanted, vrf);
    if (interfaces.empty()) continue;
    const auto links = open_(vrf);  // what is not there yet is told when it is needed
    const auto found = links ? (*links)->list(interfaces) : Result<std::vector<model::LinkStatus>>(fail(links.error()));
    if (!found) continue;
    for (const model::SvtiInterface& svti : interfaces) {
      const model::LinkStatus* link = find(*found, svti.name);
      const std::string why = link == nullptr ? std::string() : conflict(*link, svti);
      if (!why.empty()) out.push_back({false, {}, 0, path_of(vrf, svti.name), why});
    }
  }
  return out;
}

bool Interfaces::settle(const model::System& wanted, config::Diagnostics& problems) {
  if (!open_) return true;
  std::vector<Work> works;
  bool done = true;
  for (const std::string& vrf : pending(wanted)) {
    const auto& interfaces = interfaces_of(wanted, vrf);
    auto links = open_(vrf);
    if (!links) {
      // What is gone with its namespace needs no taking away.
      if (interfaces.empty()) {
        known_.erase(vrf);
        continue;
      }
      known_[vrf].settled = false;
      done = false;
      problems.push_back({true, {}, 0, "vrf " + vrf + " interface", links.error().message + "; its SVTIs are made when it is there"});
      continue;
    }
    works.push_back({vrf, interfaces, std::move(*links), {}, problems});
  }
  // Everywhere first what goes: a svti-id may move from one VRF to another.
  for (Work& work : works) remove_leftovers(work);
  for (Work& work : works) {
    if (!work.wanted.empty()) {
      add_missing(work);
      bring_in_line(work);
    }
    known_[work.vrf] = {work.wanted, work.done};
    done = done && work.done;
  }
  return done;
}

void Interfaces::remove_leftovers(Work& work) const {
  if (!work.list()) return;
  for (const model::LinkStatus& link : work.found) {
    if (!is_ours(link)) continue;
    const auto wanted = std::find_if(work.wanted.begin(), work.wanted.end(), [&](const auto& svti) { return svti.name == link.name; });
    if (wanted != work.wanted.end() && can_become(link, *wanted)) continue;
    if (const Status removed = work.links->remove(link); !removed) {
      work.problem(link.name, "cannot be deleted: " + removed.error().message);
    } else {
      log(work.vrf, 1,
          "interface " + link.name + " deleted: " + (wanted == work.wanted.end() ? "it is not configured any more" : "it is made anew"));
    }
  }
}

void Interfaces::add_missing(Work& work) const {
  if (!work.list()) return;
  for (const model::SvtiInterface& svti : work.wanted) {
    if (find(work.found, svti.name) != nullptr) continue;
    if (const Status added = work.links->add(svti); !added) {
      work.problem(svti.name, "cannot be made: " + added.error().message);
    } else {
      log(work.vrf, 1, "interface " + svti.name + " made, svti-id " + std::to_string(svti.svti_id));
    }
  }
}

void Interfaces::bring_in_line(Work& work) const {
  if (!work.list()) return;
  for (const model::SvtiInterface& svti : work.wanted) {
    const model::LinkStatus* link = find(work.found, svti.name);
    if (link == nullptr) continue;
    if (const std::string why = conflict(*link, svti); !why.empty()) {
      work.problem(svti.name, why);
      continue;
    }
    const auto ask = [&](bool due, const char* what, const auto& order) {
      if (!due) return;
      if (const Status done = order(*work.links); !done) work.problem(svti.name, std::string(what) + ": " + done.error().message);
    };
    using model::Links;
    if (!is_ours(*link)) log(work.vrf, 1, "interface " + svti.name + " was there, and belongs to the configuration from now on");
    ask(!is_ours(*link), "group", [&](Links& links) { return links.adopt(*link); });
    ask(link->description != svti.description, "description", [&](Links& links) { return links.set_description(*link, svti.description); });
    ask(svti.mtu && link->mtu != *svti.mtu, "mtu", [&](Links& links) { return links.set_mtu(*link, *svti.mtu); });
    ask(!link->link_interface_fits, "link-interface", [&](Links& links) { return links.set_link_interface(*link, svti); });
    ask(link->promiscuous != svti.promiscuous, "promiscuous", [&](Links& links) { return links.set_promiscuous(*link, svti.promiscuous); });
    ask(link->ipv6_enabled != svti.ipv6_enabled, "ipv6 enabled", [&](Links& links) { return links.set_ipv6(*link, svti.ipv6_enabled); });

    const std::vector<model::InterfaceAddress> addresses = addresses_of(svti);
    for (const model::InterfaceAddress& one : link->addresses) {
      const bool extra =
          !contains(addresses, one) && !is_link_local(one.address) && (one.address.family() == IpFamily::V4 || svti.ipv6_enabled);
      ask(extra, "address", [&](Links& links) { return links.remove_address(*link, one); });
    }
    for (const model::InterfaceAddress& one : addresses) {
      ask(!contains(link->addresses, one), ("address " + to_string(one)).c_str(),
          [&](Links& links) { return links.add_address(*link, one); });
    }
    ask(link->up != svti.enabled, "enabled", [&](Links& links) { return links.set_up(*link, svti.enabled); });
  }
}

std::vector<model::SvtiState> Interfaces::state(const std::string& vrf, const model::System& wanted) const {
  std::vector<model::SvtiState> out;
  const auto& interfaces = interfaces_of(wanted, vrf);
  if (interfaces.empty()) return out;
  const auto links = open_ ? open_(vrf) : Result<std::unique_ptr<model::Links>>(system_error("not looked at"));
  const auto found = links ? (*links)->list(interfaces) : Result<std::vector<model::LinkStatus>>(fail(links.error()));
  for (const model::SvtiInterface& svti : interfaces) {
    const model::LinkStatus* link = found ? find(*found, svti.name) : nullptr;
    // one that only has the name is not it
    const bool is_it = link != nullptr && can_become(*link, svti);
    out.push_back({svti, is_it ? std::optional(*link) : std::nullopt});
  }
  return out;
}

}  // namespace svti::engine
