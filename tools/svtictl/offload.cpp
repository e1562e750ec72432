// SPDX-License-Identifier: Apache-2.0
// svtictl offload: which devices encrypt and decrypt ESP, and for which SAs.
#include <linux/netlink.h>
#include <linux/xfrm.h>

#include "base/device_features.h"
#include "svtictl/links.h"
#include "svtictl/verbs.h"

namespace svti::svtictl {

Result<std::string> run(const OffloadShowArguments&, const Style& style) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  const auto links = all_links(*netlink);
  if (!links) return fail(links.error());
  std::vector<OffloadDevice> devices;
  for (const auto& [index, link] : *links) {
    // A device of which ethtool knows nothing can do nothing.
    const auto features = esp_features(netlink->fd(), link.name);
    if (features && (features->hw_offload || features->tx_csum_offload)) {
      devices.push_back({link.name, features->hw_offload, features->tx_csum_offload});
    }
  }

  auto xfrm = Netlink::open_xfrm();
  if (!xfrm) return fail(xfrm.error());
  Request request(XFRM_MSG_GETSA, NLM_F_DUMP);
  const auto answers = xfrm->query(request);
  if (!answers) return fail(refusal("cannot list the SAs", answers.error()));
  std::vector<OffloadedSa> sas;
  for (const Bytes& answer : *answers) {
    auto sa = decode_offloaded_sa(answer);
    if (!sa) continue;
    if (const auto link = links->find(sa->device_index); link != links->end()) sa->device = link->second.name;
    sas.push_back(std::move(*sa));
  }
  return render_offload(devices, sas, style);
}

}  // namespace svti::svtictl
