// SPDX-License-Identifier: Apache-2.0
// `show pools`: pools of virtual addresses, and who has which.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "ikectl/client.h"
#include "ikectl/target.h"
#include "ikectl/verbs.h"

namespace svti::ikectl {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string pool;
  std::string vrf;
  bool leases = false;
};

std::uint64_t number(const vici::Section& section, std::string_view key) {
  return static_cast<std::uint64_t>(section.number(key, 0, 0).value_or(0));
}

// Adds the leases in an answer, which may be a part of the pool's. How many the daemon left out behind them.
std::uint64_t add_leases(const vici::Section& pool, Json& out) {
  if (const vici::Section* leases = pool.section("leases")) {
    for (const vici::Entry& entry : leases->entries()) {
      const auto* lease = std::get_if<vici::Section>(&entry.content);
      if (lease == nullptr) continue;
      out.push_back({{"address", lease->text("address")}, {"identity", lease->text("identity")}, {"status", lease->text("status")}});
    }
  }
  return number(pool, "omitted");
}

// Asks until all leases are there: one message has no room for those of a large pool.
Status read_leases(Client& client, const std::string& name, Json& out) {
  for (std::uint64_t omitted = 1; omitted > 0;) {
    vici::Message parameters;
    parameters.add("name", name).add_flag("leases", true).add_number("from", out.size());
    const Result<vici::Message> response = client.call("get-pools", parameters);
    if (!response) return fail(response.error());
    const vici::Section* pool = response->section(name);
    const std::size_t before = out.size();
    omitted = pool == nullptr ? 0 : add_leases(*pool, out);
    if (out.size() == before) return {};
  }
  return {};
}

std::string text_of(const Json& pools, bool leases) {
  std::size_t width = 4, base_width = 4;
  for (const Json& pool : pools) {
    width = std::max(width, pool["name"].get_ref<const std::string&>().size());
    base_width = std::max(base_width, pool["base"].get_ref<const std::string&>().size());
  }
  std::string out = fmt::format("{:<{}}  {:<{}}  {:>8}  {:>8}  {:>10}\n", "POOL", width, "BASE", base_width, "ONLINE", "OFFLINE", "SIZE");
  for (const Json& pool : pools) {
    const auto text = [](const Json& value) { return printable(value.get_ref<const std::string&>(), 512); };
    out += fmt::format("{:<{}}  {:<{}}  {:>8}  {:>8}  {:>10}\n", text(pool["name"]), width, text(pool["base"]), base_width,
                       pool["online"].get<std::uint64_t>(), pool["offline"].get<std::uint64_t>(), pool["size"].get<std::uint64_t>());
    if (!leases) continue;
    for (const Json& lease : pool["leases"])
      out += fmt::format("    {:<39}  {:<7}  {}\n", text(lease["address"]), text(lease["status"]), text(lease["identity"]));
  }
  return out;
}

void show_pools(Context& context, const Options& options) {
  Result<Client> client = Client::connect(context.socket);
  if (!client) return context.report(client.error());
  vici::Message parameters;
  const std::string only = options.pool.empty() ? std::string() : vpn_name(options.vrf, options.pool).qualified();
  if (!only.empty()) parameters.add("name", only);
  const Result<vici::Message> response = client->call("get-pools", parameters);
  if (!response) return context.report(response.error());
  if (const Status outcome = outcome_of(*response); !outcome) return context.report(outcome.error());
  Json pools = Json::array();
  for (const vici::Entry& entry : response->entries()) {
    const auto* pool = std::get_if<vici::Section>(&entry.content);
    if (pool == nullptr) continue;
    const bool of_vrf = options.vrf.empty() ||
                        (options.vrf == "main" ? entry.name.find('/') == std::string::npos : entry.name.starts_with(options.vrf + "/"));
    if (!of_vrf) continue;
    Json one{{"name", entry.name},
             {"base", pool->text("base")},
             {"size", number(*pool, "size")},
             {"online", number(*pool, "online")},
             {"offline", number(*pool, "offline")}};
    if (options.leases) {
      Json leases = Json::array();
      if (const Status read = read_leases(*client, entry.name, leases); !read) return context.report(read.error());
      one["leases"] = std::move(leases);
    }
    pools.push_back(std::move(one));
  }
  if (!only.empty() && pools.empty()) return context.report({Fault::Configuration, "there is no pool " + only});
  if (context.json) {
    std::cout << Json{{"pool", pools}}.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    std::cout << text_of(pools, options.leases);
  }
}

}  // namespace

void add_show_pools(CLI::App& show_verb, Context& context) {
  CLI::App* verb = show_verb.add_subcommand("pools", "Pools of virtual addresses, and who has which address");
  const auto options = std::make_shared<Options>();
  verb->add_option("POOL", options->pool, "Only this pool; VRF/NAME outside VRF main");
  verb->add_option("--vrf", options->vrf, "Only those of this VRF")->type_name("NAME");
  verb->add_flag("--leases", options->leases, "Each address that was given away, and to whom");
  verb->footer(
      "An address is online while an IKE SA has it. Offline it is kept for the identity that had it, until\n"
      "the pool has no other left.\n\n"
      "Examples:\n"
      "  ikectl show pools\n"
      "  ikectl show pools user-vips --leases\n"
      "  ikectl show pools --leases --json | jq '.pool[].leases[] | select(.status == \"online\")'");
  verb->callback([&context, options] { show_pools(context, *options); });
}

}  // namespace svti::ikectl
