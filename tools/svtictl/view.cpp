// SPDX-License-Identifier: Apache-2.0
#include "svtictl/view.h"

#include <fmt/format.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>
#include <linux/xfrm.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <tuple>

#include "svtictl/decode.h"
#include "svtictl/links.h"

namespace svti::svtictl {
namespace {

genlmsghdr generic_header(std::uint8_t command, std::uint8_t version) {
  genlmsghdr header{};
  header.cmd = command;
  header.version = version;
  return header;
}

Result<std::uint16_t> find_family(Netlink& netlink) {
  Request request(GENL_ID_CTRL, 0);
  request.header(generic_header(CTRL_CMD_GETFAMILY, 1)).put_text(CTRL_ATTR_FAMILY_NAME, SVTI_GENL_NAME);
  const auto answers = netlink.query(request);
  if (!answers) {
    const std::string_view fix =
        answers.error().code == ENOENT ? "the loaded module svti is older than this svtictl: load the newer one" : "";
    return fail(refusal("cannot find the netlink family of the module svti", answers.error(), fix));
  }
  for (const Bytes& answer : *answers) {
    if (const auto family = decode_family(answer)) return *family;
  }
  return fail(refusal("cannot find the netlink family of the module svti", {EBADMSG, ""}));
}

}  // namespace

Result<View> View::open(const std::string& name) {
  auto route = Netlink::open();
  if (!route) return fail(route.error());
  const auto link = find_link(*route, name);
  if (!link) return fail(link.error());
  if (!link->svti) return config_error(fmt::format("{} is not an SVTI; 'svtictl show' lists them", name));
  auto generic = Netlink::open_generic();
  if (!generic) return fail(generic.error());
  const auto family = find_family(*generic);
  if (!family) return fail(family.error());
  return View(std::move(*generic), name, link->index, *family);
}

Request View::request(std::uint8_t command, int flags) const {
  Request out(family_, flags);
  out.header(generic_header(command, SVTI_GENL_VERSION)).put_u32(SVTI_A_IFINDEX, index_);
  return out;
}

Result<std::vector<SpdPolicy>> View::policies() {
  Request dump = request(SVTI_CMD_GET_POLICY, NLM_F_DUMP);
  const auto answers = netlink_.query(dump);
  if (!answers) return fail(refusal(fmt::format("cannot read the SPD of {}", name_), answers.error()));
  std::vector<SpdPolicy> out;
  for (const Bytes& answer : *answers) {
    if (auto policy = decode_policy(answer, family_)) out.push_back(std::move(*policy));
  }
  const auto order = [](const SpdPolicy& policy) { return std::tuple(!policy.out, policy.priority, policy.index); };
  std::sort(out.begin(), out.end(), [&](const SpdPolicy& ours, const SpdPolicy& theirs) { return order(ours) < order(theirs); });
  return out;
}

Result<std::vector<SadState>> View::states() {
  Request dump = request(SVTI_CMD_GET_STATE, NLM_F_DUMP);
  const auto answers = netlink_.query(dump);
  if (!answers) return fail(refusal(fmt::format("cannot read the SAD of {}", name_), answers.error()));
  std::vector<SadState> out;
  for (const Bytes& answer : *answers) {
    if (auto state = decode_state(answer, family_)) out.push_back(std::move(*state));
  }
  const auto order = [](const SadState& state) { return std::tuple(!state.outbound, state.destination, state.spi); };
  std::sort(out.begin(), out.end(), [&](const SadState& ours, const SadState& theirs) { return order(ours) < order(theirs); });
  return out;
}

Result<Trace> View::trace(const Flow& flow) {
  Request ask = request(SVTI_CMD_TRACE, 0);
  ask.put_u8(SVTI_A_DIR, flow.out ? XFRM_POLICY_OUT : XFRM_POLICY_IN)
      .put_u8(SVTI_A_FAMILY, flow.source.is_v4() ? AF_INET : AF_INET6)
      .put(SVTI_A_SADDR, flow.source.bytes())
      .put(SVTI_A_DADDR, flow.destination.bytes())
      .put_u8(SVTI_A_PROTO, flow.protocol)
      .put_u16_network(SVTI_A_SPORT, flow.source_port)
      .put_u16_network(SVTI_A_DPORT, flow.destination_port)
      .put_u32(SVTI_A_MARK, flow.mark);
  const auto answers = netlink_.query(ask);
  if (!answers) return fail(refusal(fmt::format("cannot trace through {}", name_), answers.error()));
  for (const Bytes& answer : *answers) {
    if (auto trace = decode_trace(answer, family_)) return std::move(*trace);
  }
  return fail(refusal(fmt::format("cannot trace through {}", name_), {EBADMSG, ""}));
}

}  // namespace svti::svtictl
