// SPDX-License-Identifier: Apache-2.0
#include "ikectl/target.h"

#include <unistd.h>

#include <iostream>

#include "config/text.h"
#include "ikectl/client.h"
#include "ikectl/render.h"

namespace svti::ikectl {

VpnName vpn_name(const std::string& vrf, const std::string& vpn) {
  if (!vrf.empty()) return {vrf, vpn};
  const std::size_t slash = vpn.find('/');
  return slash == std::string::npos ? VpnName{"main", vpn} : VpnName{vpn.substr(0, slash), vpn.substr(slash + 1)};
}

std::string path_of(const std::vector<std::string>& words) {
  if (words.size() == 1) return words.front();
  std::string path;
  for (const std::string& word : words) path += (path.empty() ? "" : " ") + config::as_word(word);
  return path;
}

void add_target(CLI::App& verb, Target& target) {
  verb.add_option("VPN", target.vpn, "Name of the VPN; VRF/NAME outside VRF main")->required();
  verb.add_option("--vrf", target.vrf, "Another VRF than main")->type_name("NAME");
  verb.add_option("POLICY", target.policy, "Name of one of its security policies; all of them when left out");
}

void run_on_target(Context& context, std::string_view verb, std::string_view done, const Target& target, vici::Message parameters) {
  parameters.add("ike", target.qualified_vpn());
  if (!target.policy.empty()) parameters.add("child", target.policy);
  Result<Client> client = Client::connect(context.socket);
  if (!client) return context.report(client.error());

  // With --json standard output holds the outcome alone.
  std::ostream& progress = context.json ? std::cerr : std::cout;
  const Result<vici::Message> response =
      client->call(verb, parameters, "control-log", [&](const vici::Message& event) { progress << log_line(event) << std::endl; });
  if (!response) return context.report(response.error());

  const Status outcome = outcome_of(*response);
  if (context.json) std::cout << outcome_json(target.qualified_vpn(), target.policy, outcome);
  if (!outcome)
    return context.report(Error{outcome.error().fault, std::string(verb) + " " + target.name() + " failed: " + outcome.error().message});
  if (!context.json) std::cout << paint(target.name() + ": " + std::string(done), Color::Green, context.color_on(STDOUT_FILENO)) << '\n';
}

}  // namespace svti::ikectl
