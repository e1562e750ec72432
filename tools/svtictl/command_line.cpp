// SPDX-License-Identifier: Apache-2.0
#include "svtictl/command_line.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "svtictl/completion.h"
#include "svtictl/words.h"

namespace svti::svtictl {
namespace {

const std::string kKeywords = "Keywords";
const std::string kSpHashHelp = "policies with prefixes at least this long are hashed by so many bits ";
const std::string kGlobalOptions = "\nEverywhere: --json, -n NS, --color WHEN; 'svtictl --help' explains them.";

bool is_keyword(const CLI::Option* option) { return option->get_group() == kKeywords; }

// Help that shows keywords the way they are written: without dashes, and in the usage line.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(26); }

  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    return is_positional || !is_keyword(option) ? CLI::Formatter::make_option_name(option, is_positional) : option->get_lnames().front();
  }

  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string line = "Usage: " + name;
    for (const CLI::Option* option : app->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
      line += bracketed(option, make_option_name(option, true));
    }
    for (const CLI::Option* option : app->get_options(is_keyword)) {
      const bool flag = option->get_items_expected_max() == 0;
      line += bracketed(option, option->get_lnames().front() + (flag ? "" : " " + option->get_type_name()));
      if (option->get_items_expected_max() > 1) line += "...";
    }
    if (!app->get_subcommands([](const CLI::App*) { return true; }).empty())
      line += app->get_require_subcommand_min() > 0 ? " VERB" : " [VERB]";
    return line + " [OPTIONS]\n";
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_items_expected_max() == 0) return "";
    return (option->get_positional() ? "" : " " + option->get_type_name()) + (option->get_required() ? " (required)" : "");
  }

 private:
  static std::string bracketed(const CLI::Option* option, const std::string& text) {
    return option->get_required() ? " " + text : " [" + text + "]";
  }
};

// An option whose word `parse` turns into `target`; its refusal becomes a usage error.
template <typename Target, typename Value>
CLI::Option* parsed(CLI::App* app, const std::string& name, Target& target, Result<Value> (*parse)(std::string_view),
                    const std::string& value_name, const std::string& description) {
  CLI::Option* const option = app->add_option_function<std::string>(
      name,
      [&target, parse, name](const std::string& word) {
        auto value = parse(word);
        if (!value) throw CLI::ValidationError(value.error().message);
        target = std::move(*value);
      },
      description);
  return option->type_name(value_name);
}

template <typename Target, typename Value>
CLI::Option* keyword(CLI::App* app, const std::string& name, Target& target, Result<Value> (*parse)(std::string_view),
                     const std::string& value_name, const std::string& description) {
  return parsed(app, "--" + name, target, parse, value_name, description)->group(kKeywords);
}

// the option that a word with dashes names, in `app` or, as CLI11 falls through, in a command above it
const CLI::Option* find_option(const CLI::App* app, const std::string& word) {
  for (; app != nullptr; app = app->get_parent()) {
    if (const CLI::Option* option = app->get_option_no_throw(word)) return option;
  }
  return nullptr;
}

const CLI::App* find_command(const CLI::App* app, const std::string& word) {
  const auto found = app->get_subcommands([&word](const CLI::App* sub) { return sub->get_name() == word; });
  return found.empty() ? nullptr : found.front();
}

std::size_t required_positionals(const CLI::App* app) {
  return app->get_options([](const CLI::Option* option) { return option->get_positional() && option->get_required(); }).size();
}

// Rewrites `id 100` to `--id=100` wherever the verb knows that keyword, so that CLI11 does the rest. What a keyword or an option takes
// as its value is never taken for a keyword, nor are the words a verb needs first (NAME, PREFIX).
std::vector<std::string> keywords_to_options(const CLI::App& root, const std::vector<std::string>& words) {
  std::vector<std::string> out;
  const CLI::App* app = &root;
  std::size_t needed = 0;
  std::vector<const CLI::Option*> given;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool last = i + 1 == words.size();
    if (word.starts_with('-')) {
      out.push_back(word);
      const CLI::Option* option = find_option(app, word);
      if (option != nullptr && option->get_items_expected_max() > 0 && !last) out.push_back(words[++i]);
    } else if (const CLI::App* sub = find_command(app, word)) {
      out.push_back(word);
      app = sub;
      needed = required_positionals(app);
    } else if (needed > 0) {
      out.push_back(word);
      --needed;
    } else if (const CLI::Option* option = app->get_option_no_throw("--" + word); option != nullptr && is_keyword(option)) {
      const bool takes_value = option->get_items_expected_max() > 0;
      const bool repeated = option->get_items_expected_max() <= 1 && std::find(given.begin(), given.end(), option) != given.end();
      if (takes_value && last) throw CLI::ArgumentMismatch(fmt::format("'{}' needs a value ({})", word, option->get_type_name()));
      if (takes_value && repeated) throw CLI::ArgumentMismatch(fmt::format("'{}' is there twice", word));
      given.push_back(option);
      out.push_back(takes_value ? "--" + word + "=" + words[++i] : "--" + word);
    } else {
      out.push_back(word);
    }
  }
  return out;
}

// The tree of commands and where their words go. Each command leaves its verb in `out`.
class Tree {
 public:
  Tree() {
    app_.formatter(std::make_shared<HelpFormatter>());
    app_.fallthrough();
    app_.require_subcommand(1);
    app_.set_help_flag("-h,--help", "this help");
    app_.set_version_flag("-V,--version", "svtictl " SVTI_VERSION, "the version");
    app_.add_flag("-j,--json", out_.json, "print JSON");
    app_.add_option("--color,--colour", colour_, "always, never, or auto: on a terminal unless NO_COLOR is set")
        ->type_name("WHEN")
        ->check(CLI::IsMember({"auto", "always", "never"}));
    app_.add_option("-n,--netns", out_.netns, "run in this network namespace: a name of 'ip netns' or a process id")->type_name("NS");
    app_.footer(
        "Examples:\n"
        "  svtictl add svti100 id 100 address 10.0.0.1/24 up\n"
        "  svtictl route add 10.2.0.0/16 dev svti100\n"
        "  svtictl rule add\n"
        "  svtictl stats svti100\n"
        "Each verb has its own --help. Exit status: 0 done, 1 failed, 2 the command line makes no sense.");
    declare_interfaces();
    declare_tables();
    declare_routes();
    declare_rules();
    declare_offload();
    declare_completion();
  }

  CLI::App& app() { return app_; }

  Invocation take() {
    out_.colour = colour_ == "always" ? Colour::Always : colour_ == "never" ? Colour::Never : Colour::Auto;
    return std::move(out_);
  }

 private:
  template <typename Arguments>
  CLI::App* verb(CLI::App* parent, const std::string& name, Arguments& arguments, const std::string& description,
                 const std::string& examples) {
    CLI::App* const sub = parent->add_subcommand(name, description);
    sub->footer("Examples:\n" + examples + kGlobalOptions);
    sub->callback([this, &arguments] { out_.verb = arguments; });
    return sub;
  }

  void declare_interfaces() {
    CLI::App* add = verb(&app_, "add", add_, "make an SVTI",
                         "  svtictl add svti100 id 100\n"
                         "  svtictl add svti100 id 0x64 mtu 1400 address 10.0.0.1/24 address 2001:db8::1/64 up\n"
                         "  svtictl add svti100 id 100 dev eth0 link-netns red   (clear packets here, encrypted ones in red)");
    parsed(add, "NAME", add_.name, parse_svti_name, "NAME", "name of the interface, begins with 'svti'")->required();
    keyword(add, "id", add_.id, parse_svti_id, "N", "svti-id, 1..4294967295, decimal or 0x: the if_id of its SAs and policies")->required();
    keyword(add, "dev", add_.dev, parse_interface_name, "IFNAME", "underlying link, in the link namespace");
    add->add_option("--link-netns", add_.link_netns, "namespace of the encrypted packets: a name of 'ip netns' or a process id")
        ->type_name("NS")
        ->group(kKeywords);
    keyword(add, "mtu", add_.mtu, parse_mtu, "N",
            "largest inner packet in octets; stays so (default: follows the SAs, 1500 until there are some)");
    keyword(add, "sp-hash-ipv4", add_.sp_hash_ipv4, parse_sp_hash_ipv4, "LOCAL/REMOTE", kSpHashHelp + "(default 32/32)");
    keyword(add, "sp-hash-ipv6", add_.sp_hash_ipv6, parse_sp_hash_ipv6, "LOCAL/REMOTE", "the same for IPv6 (default 128/128)");
    add->add_option_function<std::vector<std::string>>(
           "--address", [this](const std::vector<std::string>& words) { read_addresses(words); },
           "IPv4 or IPv6 address with its length; may be repeated")
        ->type_name("PREFIX")
        ->allow_extra_args(false)
        ->group(kKeywords);
    add->add_flag("--up", add_.up, "set it up")->group(kKeywords);

    CLI::App* set = verb(&app_, "set", set_, "change an SVTI, under traffic",
                         "  svtictl set svti100 sp-hash-ipv4 16/24 sp-hash-ipv6 56/64\n  svtictl set svti100 dev eth1\n"
                         "  svtictl set svti100 mtu auto");
    parsed(set, "NAME", set_.name, parse_interface_name, "NAME", "name of the interface")->required();
    keyword(set, "dev", set_.dev, parse_interface_name, "IFNAME", "underlying link, in the link namespace");
    keyword(set, "mtu", set_.mtu, parse_mtu_or_auto, "N|auto", "largest inner packet in octets; auto: follows the SAs and their paths");
    keyword(set, "sa-per-cpu", set_.sa_per_cpu, parse_on_off, "on|off",
            "where several SAs could send a packet each CPU takes another (default off)");
    keyword(set, "sp-hash-ipv4", set_.sp_hash_ipv4, parse_sp_hash_ipv4, "LOCAL/REMOTE", kSpHashHelp);
    keyword(set, "sp-hash-ipv6", set_.sp_hash_ipv6, parse_sp_hash_ipv6, "LOCAL/REMOTE", "the same for IPv6");

    CLI::App* del = verb(&app_, "delete", delete_, "remove an SVTI", "  svtictl delete svti100");
    parsed(del, "NAME", delete_.name, parse_interface_name, "NAME", "name of the interface")->required();
    CLI::App* show = verb(&app_, "show", show_, "state of one SVTI or of all", "  svtictl show\n  svtictl show svti100 --json");
    parsed(show, "NAME", show_.name, parse_interface_name, "NAME", "name of the interface (default: all)");
    CLI::App* monitor = verb(&app_, "monitor", monitor_, "print changes of SVTIs as they happen",
                             "  svtictl monitor\n  svtictl monitor svti100 --json   (an object a line)");
    parsed(monitor, "NAME", monitor_.name, parse_interface_name, "NAME", "name of the interface (default: all)");
    CLI::App* stats = verb(&app_, "stats", stats_, "counters, and why packets were dropped",
                           "  svtictl stats\n  svtictl stats svti100\n  watch -n1 svtictl stats svti100");
    parsed(stats, "NAME", stats_.name, parse_interface_name, "NAME", "name of the interface (default: all)");
  }

  void declare_tables() {
    CLI::App* spd = verb(&app_, "spd", spd_, "policies of an SVTI, where each sits, and how long a lookup is",
                         "  svtictl spd svti100\n  svtictl spd svti100 from 10.1.0.1 to 10.2.0.1 proto tcp dport 443");
    parsed(spd, "NAME", spd_.name, parse_interface_name, "NAME", "name of the interface")->required();
    declare_flow(spd, spd_.flow);
    CLI::App* sad = verb(&app_, "sad", sad_, "SAs of an SVTI", "  svtictl sad svti100\n  svtictl sad svti100 --json");
    parsed(sad, "NAME", sad_.name, parse_interface_name, "NAME", "name of the interface")->required();
    CLI::App* trace = verb(&app_, "trace", trace_, "what would happen to a packet, and why",
                           "  svtictl trace svti100 from 10.1.0.1 to 10.2.0.1 proto tcp dport 443\n"
                           "  svtictl trace svti100 dir in from 10.2.0.1 to 10.1.0.1 proto icmp");
    parsed(trace, "NAME", trace_.name, parse_interface_name, "NAME", "name of the interface")->required();
    declare_flow(trace, trace_.flow);
  }

  void declare_flow(CLI::App* app, FlowArguments& flow) {
    keyword(app, "from", flow.from, parse_address, "ADDRESS", "source of the packet");
    keyword(app, "to", flow.to, parse_address, "ADDRESS", "its destination");
    keyword(app, "dir", flow.out, parse_direction, "DIR", "out: routed into the SVTI (default); in: decrypted by an SA of it");
    keyword(app, "proto", flow.protocol, parse_protocol, "PROTO", "protocol, by name or number");
    keyword(app, "sport", flow.source_port, parse_port, "N", "source port; ICMP: type");
    keyword(app, "dport", flow.destination_port, parse_port, "N", "destination port; ICMP: code");
    keyword(app, "mark", flow.mark, parse_u32, "N", "firewall mark");
  }

  void read_addresses(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
      const auto address = parse_interface_address(word);
      if (!address) throw CLI::ValidationError(address.error().message);
      add_.addresses.push_back(*address);
    }
  }

  // a command that only groups others; without one of them it shows
  template <typename Arguments>
  CLI::App* group(const std::string& name, const Arguments& by_default, const std::string& description, const std::string& examples) {
    CLI::App* const sub = app_.add_subcommand(name, description);
    sub->require_subcommand(0, 1);
    sub->footer("Examples:\n" + examples + kGlobalOptions);
    sub->callback([this, sub, &by_default] {
      if (sub->get_subcommands().empty()) out_.verb = by_default;
    });
    return sub;
  }

  void declare_routes() {
    CLI::App* route = group("route", route_show_, "routes that lead into SVTIs (table 220)",
                            "  svtictl route\n  svtictl route add 10.2.0.0/16 dev svti100\n  svtictl route delete 10.2.0.0/16");
    CLI::App* show =
        verb(route, "show", route_show_, "list the routes of the table", "  svtictl route show\n  svtictl route show table 300 --json");
    keyword(show, "table", route_show_.table, parse_table, "N", "routing table (default 220)");

    CLI::App* add = verb(route, "add", route_add_, "add a route, marked 'proto svti'",
                         "  svtictl route add 10.2.0.0/16 dev svti100 src 10.1.0.1\n"
                         "  svtictl route add 192.0.2.1/32 type throw   (the peer itself: go on with the next rule)");
    parsed(add, "PREFIX", route_add_.prefix, parse_prefix, "PREFIX", "destination, IPv4 or IPv6")->required();
    keyword(add, "dev", route_add_.dev, parse_interface_name, "IFNAME", "interface; needed unless the type is another than unicast");
    keyword(add, "type", route_add_.type, parse_route_type, "TYPE", "unicast (default), throw, blackhole, unreachable, prohibit");
    keyword(add, "src", route_add_.source, parse_address, "ADDRESS", "source address of packets of this host");
    keyword(add, "metric", route_add_.metric, parse_u32, "N", "the lower is preferred (default: the kernel's)");
    keyword(add, "table", route_add_.table, parse_table, "N", "routing table (default 220)");

    CLI::App* del = verb(route, "delete", route_delete_, "delete a route that is marked 'proto svti'",
                         "  svtictl route delete 10.2.0.0/16\n  svtictl route delete 10.2.0.0/16 dev svti100 table 300");
    parsed(del, "PREFIX", route_delete_.prefix, parse_prefix, "PREFIX", "destination, IPv4 or IPv6")->required();
    keyword(del, "dev", route_delete_.dev, parse_interface_name, "IFNAME", "only the route to this interface");
    keyword(del, "type", route_delete_.type, parse_route_type, "TYPE", "only a route of this type");
    keyword(del, "metric", route_delete_.metric, parse_u32, "N", "only the route of this metric");
    keyword(del, "table", route_delete_.table, parse_table, "N", "routing table (default 220)");
  }

  void declare_rules() {
    CLI::App* rule = group("rule", rule_show_, "policy-routing rules to that table (priority 220)",
                           "  svtictl rule\n  svtictl rule add\n  svtictl rule delete");
    CLI::App* show =
        verb(rule, "show", rule_show_, "list the rules that lead to the table", "  svtictl rule show\n  svtictl rule show table 300");
    keyword(show, "table", rule_show_.table, parse_table, "N", "routing table (default 220)");

    CLI::App* add = verb(rule, "add", rule_add_, "add a rule, marked 'proto svti'",
                         "  svtictl rule add\n  svtictl rule add family ipv4 priority 100 table 300");
    keyword(add, "family", rule_add_.families, parse_families, "FAMILY", "ipv4, ipv6 or both (default)");
    keyword(add, "priority", rule_add_.priority, parse_u32, "N", "the lower comes first (default 220)");
    keyword(add, "table", rule_add_.table, parse_table, "N", "routing table (default 220)");

    CLI::App* del = verb(rule, "delete", rule_delete_, "delete a rule that is marked 'proto svti'",
                         "  svtictl rule delete\n  svtictl rule delete family ipv6");
    keyword(del, "family", rule_delete_.families, parse_families, "FAMILY", "ipv4, ipv6 or both (default)");
    keyword(del, "priority", rule_delete_.priority, parse_u32, "N", "its priority (default 220)");
    keyword(del, "table", rule_delete_.table, parse_table, "N", "its table (default 220)");
  }

  void declare_offload() {
    CLI::App* offload = group("offload", offload_show_, "devices that encrypt and decrypt ESP, and the SAs that they have",
                              "  svtictl offload\n  svtictl offload show --json");
    verb(offload, "show", offload_show_, "list devices with ESP offload, and for every SA who encrypts it",
         "  svtictl offload show\n  svtictl offload show --json");
  }

  void declare_completion() {
    CLI::App* const completion = app_.add_subcommand("completion", "print a completion script for a shell");
    completion->footer("Examples:\n  svtictl completion bash > /usr/share/bash-completion/completions/svtictl");
    completion->add_option("SHELL", shell_, "bash")->required()->check(CLI::IsMember({"bash"}));
    completion->callback([this] { out_.verb = PrintArguments{bash_completion(command_of(&app_))}; });
  }

  // what the completion needs to know of a command
  static Command command_of(const CLI::App* app) {
    Command out{app->get_name(), {}, {}, {}};
    for (const CLI::App* sub : app->get_subcommands([](const CLI::App*) { return true; })) out.commands.push_back(command_of(sub));
    for (const CLI::Option* option : app->get_options([](const CLI::Option* o) { return o->nonpositional(); })) {
      if (is_keyword(option)) out.keywords.push_back({option->get_lnames().front(), option->get_items_expected_max() > 0});
      if (is_keyword(option)) continue;
      for (const std::string& name : option->get_lnames()) out.options.push_back("--" + name);
    }
    return out;
  }

  CLI::App app_{"Secure Virtual Tunnel Interfaces: the interfaces, their counters, routes and rules.", "svtictl"};
  Invocation out_;
  std::string colour_ = "auto";
  std::string shell_;
  AddArguments add_;
  SetArguments set_;
  DeleteArguments delete_;
  ShowArguments show_;
  MonitorArguments monitor_;
  StatsArguments stats_;
  SpdArguments spd_;
  SadArguments sad_;
  TraceArguments trace_;
  RouteShowArguments route_show_;
  RouteAddArguments route_add_;
  RouteDeleteArguments route_delete_;
  RuleShowArguments rule_show_;
  RuleAddArguments rule_add_;
  RuleDeleteArguments rule_delete_;
  OffloadShowArguments offload_show_;
};

std::optional<std::string> contradiction(const FlowArguments& flow, bool needed) {
  if (!flow.from && !flow.to && !needed) {
    const bool described = flow.protocol != 0 || flow.source_port != 0 || flow.destination_port != 0 || flow.mark != 0 || !flow.out;
    return described ? std::optional<std::string>("a packet needs 'from ADDRESS' and 'to ADDRESS'") : std::nullopt;
  }
  if (!flow.from || !flow.to) return "a packet needs 'from ADDRESS' and 'to ADDRESS'";
  if (flow.from->family() != flow.to->family()) {
    return fmt::format("from {} and to {} are of different families", flow.from->to_string(), flow.to->to_string());
  }
  return std::nullopt;
}

// what no single word shows: nothing, or what is wrong
std::optional<std::string> contradiction(const Verb& verb) {
  if (const auto* spd = std::get_if<SpdArguments>(&verb)) return contradiction(spd->flow, false);
  if (const auto* trace = std::get_if<TraceArguments>(&verb)) return contradiction(trace->flow, true);
  if (const auto* set = std::get_if<SetArguments>(&verb);
      set != nullptr && set->dev.empty() && !set->mtu && !set->sa_per_cpu && !set->sp_hash_ipv4 && !set->sp_hash_ipv6) {
    return "nothing to set: say 'sp-hash-ipv4', 'sp-hash-ipv6', 'mtu', 'sa-per-cpu' or 'dev'";
  }
  const auto* route = std::get_if<RouteAddArguments>(&verb);
  if (route == nullptr) return std::nullopt;
  if (route->type == RTN_UNICAST && route->dev.empty()) {
    return fmt::format("route {} leads nowhere: say 'dev IFNAME', or 'type throw' to leave it to the next rule", route->prefix.to_string());
  }
  if (route->type != RTN_UNICAST && (!route->dev.empty() || route->source)) {
    return fmt::format("a route of type {} has neither dev nor src", route_type_name(route->type));
  }
  if (route->source && route->source->family() != route->prefix.family()) {
    return fmt::format("src {} and {} are of different families", route->source->to_string(), route->prefix.to_string());
  }
  return std::nullopt;
}

// the command whose words went wrong, as one would type it to get its help
std::string help_command(const CLI::App& root, const std::vector<std::string>& words) {
  std::string out = root.get_name();
  const CLI::App* app = &root;
  for (const std::string& word : words) {
    const CLI::App* const sub = find_command(app, word);
    if (sub == nullptr) continue;
    app = sub;
    out += " " + word;
  }
  return out + " --help";
}

// CLI11 sets two empty lines between groups of options
std::string single_spaced(std::string text) {
  for (std::size_t at = 0; (at = text.find("\n\n\n", at)) != std::string::npos;) text.erase(at, 1);
  return text;
}

// CLI11 names an option with its dashes; a keyword is written without
std::string as_written(const CLI::App& root, std::string text) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  for (const CLI::Option* option : app->get_options(is_keyword)) {
    const std::string dashed = "--" + option->get_lnames().front();
    if (text == dashed || text.starts_with(dashed + ":") || text.starts_with(dashed + " ")) return text.substr(2);
  }
  return text;
}

// CLI11's errors in the words of this tool
std::string explain(const CLI::App& root, const CLI::ParseError& error) {
  const bool verb_known = !root.get_subcommands().empty();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr || (!verb_known && !root.remaining().empty())) {
    const std::vector<std::string> extra = root.remaining(true);
    if (extra.empty()) return error.what();
    const bool option = extra.front().starts_with('-');
    return fmt::format("{} '{}'", option ? "unknown option" : verb_known ? "unexpected word" : "unknown verb", extra.front());
  }
  if (!verb_known && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) return "a verb is needed, such as 'show'";
  return as_written(root, error.what());
}

}  // namespace

std::variant<Invocation, Stop> parse_command_line(const std::vector<std::string>& words) {
  Tree tree;
  CLI::App& app = tree.app();
  const auto usage_error = [&](const std::string& message) {
    return Stop{kExitUsage, fmt::format("{}; '{}' shows how it is used", message, help_command(app, words))};
  };
  try {
    std::vector<std::string> rest = keywords_to_options(app, words);
    std::reverse(rest.begin(), rest.end());  // CLI11 takes them from the back
    app.parse(std::move(rest));
  } catch (const CLI::CallForHelp&) {
    return Stop{kExitOk, single_spaced(app.help())};
  } catch (const CLI::CallForVersion& version) {
    return Stop{kExitOk, std::string(version.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    return usage_error(explain(app, error));
  }
  Invocation out = tree.take();
  if (const auto wrong = contradiction(out.verb)) return usage_error(*wrong);
  return out;
}

}  // namespace svti::svtictl
