// SPDX-License-Identifier: Apache-2.0
// svtictl rule: the policy-routing rules that lead to the table of the SVTI routes.
#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "svtictl/decode.h"
#include "svtictl/netlink.h"
#include "svtictl/verbs.h"

namespace svti::svtictl {
namespace {

unsigned char address_family(IpFamily family) { return family == IpFamily::V4 ? AF_INET : AF_INET6; }
std::string_view family_name(IpFamily family) { return family == IpFamily::V4 ? "IPv4" : "IPv6"; }

// "from all lookup <table>" with that priority and protocol svti
KernelResult<void> change_rule(Netlink& netlink, int type, int flags, IpFamily family, std::uint32_t priority, std::uint32_t table) {
  fib_rule_hdr header{};
  header.family = address_family(family);
  header.action = FR_ACT_TO_TBL;
  header.table = table < RT_TABLE_COMPAT ? static_cast<unsigned char>(table) : static_cast<unsigned char>(RT_TABLE_UNSPEC);
  Request request(type, flags);
  request.header(header).put_u32(FRA_TABLE, table).put_u32(FRA_PRIORITY, priority).put_u8(FRA_PROTOCOL, kProtocolSvti);
  return netlink.execute(request);
}

std::string describe(std::string_view action, IpFamily family, std::uint32_t priority, std::uint32_t table) {
  return fmt::format("cannot {} the {} rule of priority {} to table {}", action, family_name(family), priority, table);
}

std::string done_name(std::uint32_t priority, std::uint32_t table) { return fmt::format("{} lookup {}", priority, table); }

}  // namespace

Result<std::string> run(const RuleShowArguments& arguments, const Style& style) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  std::vector<Rule> rules;
  for (const IpFamily family : {IpFamily::V4, IpFamily::V6}) {
    fib_rule_hdr header{};
    header.family = address_family(family);
    Request request(RTM_GETRULE, NLM_F_DUMP);
    request.header(header);
    const auto answers = netlink->query(request);
    if (!answers) return fail(refusal(fmt::format("cannot list the {} rules", family_name(family)), answers.error()));
    for (const Bytes& answer : *answers) {
      auto rule = decode_rule(answer);
      if (rule && rule->table == arguments.table) rules.push_back(std::move(*rule));
    }
  }
  return render_rules(rules, arguments.table, style);
}

Result<std::string> run(const RuleAddArguments& arguments, const Style& style) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  std::vector<IpFamily> made;
  for (const IpFamily family : arguments.families) {
    const auto added = change_rule(*netlink, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, family, arguments.priority, arguments.table);
    if (added) {
      made.push_back(family);
      continue;
    }
    for (const IpFamily undone : made) {
      static_cast<void>(change_rule(*netlink, RTM_DELRULE, 0, undone, arguments.priority, arguments.table));
    }
    const std::string_view fix = added.error().code == EEXIST ? "'svtictl rule show' shows the rule that is there" : "";
    return fail(refusal(describe("add", family, arguments.priority, arguments.table), added.error(), fix));
  }
  return render_done("added", done_name(arguments.priority, arguments.table), style);
}

Result<std::string> run(const RuleDeleteArguments& arguments, const Style& style) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  // One family that has no rule does not keep the other's from being removed.
  std::optional<Error> refused;
  for (const IpFamily family : arguments.families) {
    const auto deleted = change_rule(*netlink, RTM_DELRULE, 0, family, arguments.priority, arguments.table);
    if (deleted || refused) continue;
    const std::string_view fix = deleted.error().code == ENOENT ? "there is none of protocol svti: 'svtictl rule show' lists all" : "";
    refused = refusal(describe("delete", family, arguments.priority, arguments.table), deleted.error(), fix);
  }
  if (refused) return fail(*refused);
  return render_done("deleted", done_name(arguments.priority, arguments.table), style);
}

}  // namespace svti::svtictl
