// SPDX-License-Identifier: Apache-2.0
#include "ikectl/shell.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "base/log.h"
#include "config/findings.h"
#include "config/text.h"
#include "ikectl/changes.h"
#include "ikectl/transfer.h"

namespace svti::ikectl {

namespace {

constexpr std::string_view kUp = "..";
constexpr std::string_view kTop = "/";

Result<std::vector<std::string>> words_of(std::string_view line) {
  config::Findings findings("");
  config::LineReader reader(line, findings);
  std::vector<std::string> words;
  while (reader.peek() != nullptr) {
    for (config::Word& word : reader.next().words) words.push_back(std::move(word.text));
  }
  if (findings.failed()) return config_error(std::move(findings).take().front().message);
  return words;
}

std::string joined(const std::string& path, std::string_view word) {
  return path.empty() ? std::string(word) : path + " " + std::string(word);
}

// the value of the key of the nearest list `name` that `place` is in; empty: in none
std::string key_in(const Place& place, std::string_view name) {
  for (auto step = place.contexts.rbegin(); step != place.contexts.rend(); ++step) {
    if (step->node->name == name) return step->key;
  }
  return {};
}

}  // namespace

struct Shell::Command {
  std::string_view name;
  std::string_view arguments;
  std::string_view help;
  Status (Shell::*carry_out)(const Words& words);
};

const std::vector<Shell::Command>& Shell::commands() {
  static const std::vector<Command> kCommands = {
      {"..", "", "go to the enclosing context", &Shell::leave},
      {"/", "[PATH]", "go to the top, or to PATH from there", &Shell::enter_or_set},
      {"del", "PATH", "delete a leaf, one of its values, or a whole context", &Shell::remove},
      {"show", "config [nodefault] [secrets] [PATH], or state [VPN]", "print the candidate, or the daemon's state", &Shell::show},
      {"diff", "", "what the candidate changes", &Shell::diff},
      {"validate", "", "what keeps the candidate from being applied", &Shell::check},
      {"commit", "[confirm SECONDS]", "apply the candidate as a whole; roll back unless confirmed in time", &Shell::commit},
      {"confirm", "", "keep what was committed to be confirmed", &Shell::confirm},
      {"rollback", "", "take back at once what was committed to be confirmed", &Shell::roll_back},
      {"discard", "", "drop all changes and take again what runs", &Shell::discard},
      {"help", "", "this list", &Shell::help},
      {"exit", "", "leave the shell", &Shell::end},
  };
  return kCommands;
}

Shell::Shell(ShellDaemon& daemon, std::string host_name, std::ostream& out, bool color)
    : daemon_(daemon), host_name_(std::move(host_name)), out_(out), color_(color) {}

Status Shell::start() {
  auto running = daemon_.running();
  if (!running) return fail(running.error());
  running_ = std::move(*running);
  candidate_.reset();
  edits_.clear();
  leave_what_is_gone();
  return {};
}

std::string Shell::prompt() const {
  const std::string label = context_.label();
  return host_name_ + " running " + (label.empty() ? "config" : printable(label)) + (shown().valid() ? "# " : "#! ");
}

Status Shell::carry_out(std::string_view line) {
  auto words = words_of(line);
  if (!words) return fail(words.error());
  if (words->empty()) return {};
  // "/vrf main" is "/ vrf main"
  if (words->front().size() > 1 && words->front().front() == '/') {
    words->front().erase(0, 1);
    words->insert(words->begin(), std::string(kTop));
  }
  const auto& all = commands();
  const auto command = std::find_if(all.begin(), all.end(), [&](const Command& each) { return each.name == words->front(); });
  if (command == all.end()) return enter_or_set(*words);
  if (command->arguments.empty() && words->size() > 1) return config_error(words->front() + " stands alone");
  return (this->*command->carry_out)(*words);
}

Result<Place> Shell::place_of(const Words& words) const {
  const bool from_top = !words.empty() && words.front() == kTop;
  return follow(from_top ? Place{} : context_, std::span(words).subspan(from_top ? 1 : 0));
}

// Most containers always are there; list entries, and containers whose presence means something, are when they can be printed.
bool Shell::exists(const Place& place) const {
  Place entry{place.contexts, {}};
  while (!entry.contexts.empty() && entry.node().kind != config::Kind::List && !entry.node().presence) entry.contexts.pop_back();
  if (entry.contexts.empty()) return true;
  config::PrintOptions options;
  options.defaults = false;
  options.path = entry.path();
  return shown().print(options).has_value();
}

void Shell::leave_what_is_gone() {
  while (!exists(context_)) context_.contexts.pop_back();
}

Status Shell::change(std::vector<config::Edit> edits) {
  auto changed = shown().draft(edits);
  if (!changed) {
    const config::Diagnostic& first = changed.error().front();
    return config_error((first.leaf.empty() ? "" : first.leaf + ": ") + first.message);
  }
  candidate_ = std::move(*changed);
  std::move(edits.begin(), edits.end(), std::back_inserter(edits_));
  warned_of_changes_ = false;
  return {};
}

Status Shell::enter_or_set(const Words& words) {
  auto place = place_of(words);
  if (!place) return fail(place.error());
  const std::string path = place->path();
  if (place->leaves.empty()) {
    if (!exists(*place)) {
      if (const Status made = change({{false, path}}); !made) return made;
    }
    context_ = std::move(*place);
    return {};
  }
  std::vector<config::Edit> edits;
  for (const Place::Leaf& leaf : place->leaves) {
    std::string edit = joined(path, leaf.node->name);
    for (const std::string& value : leaf.values) edit = joined(edit, config::as_word(value));
    edits.push_back({false, std::move(edit)});
  }
  return change(std::move(edits));
}

Status Shell::leave(const Words&) {
  if (context_.contexts.empty()) return config_error("this is the top; exit leaves the shell");
  context_.contexts.pop_back();
  return {};
}

Status Shell::remove(const Words& words) {
  if (words.size() < 2) return config_error("del takes the path of what to delete");
  const Words rest(words.begin() + 1, words.end());
  auto place = place_of(rest);
  if (!place) return fail(place.error());
  if (place->leaves.size() > 1) return config_error("del takes one leaf at a time");
  std::string path = place->path();
  if (!place->leaves.empty()) {
    path = joined(path, place->leaves.front().node->name);
    for (const std::string& value : place->leaves.front().values) path = joined(path, config::as_word(value));
  }
  if (path.empty()) return config_error("del takes the path of what to delete");
  if (const Status removed = change({{true, path}}); !removed) return removed;
  leave_what_is_gone();
  return {};
}

Status Shell::show(const Words& words) {
  if (words.size() > 1 && words[1] == "config") return show_config(Words(words.begin() + 2, words.end()));
  if (words.size() > 1 && words[1] == "state") return show_state(Words(words.begin() + 2, words.end()));
  return config_error("show takes config or state");
}

Status Shell::show_config(Words words) {
  config::PrintOptions options;
  options.secrets = false;
  const auto take = [&](std::string_view option) {
    if (words.empty() || words.front() != option) return false;
    words.erase(words.begin());
    return true;
  };
  for (bool more = true; more;) {
    more = false;
    if (take("nodefault")) {
      options.defaults = false;
      more = true;
    }
    if (take("secrets")) {
      options.secrets = true;
      more = true;
    }
  }
  const auto place = place_of(words);
  if (!place) return fail(place.error());
  options.path = place->path();
  for (const Place::Leaf& leaf : place->leaves) options.path = joined(options.path, leaf.node->name);
  const auto text = shown().print(options);
  if (!text) return fail(text.error());
  out_ << *text;
  return {};
}

Status Shell::show_state(const Words& words) {
  if (words.size() > 1) return config_error("show state takes at most the name of a VPN");
  const std::string vrf = key_in(context_, "vrf");
  return daemon_.show_state(vrf.empty() ? "main" : vrf, words.empty() ? key_in(context_, "vpn") : words.front(), out_);
}

Status Shell::diff(const Words&) {
  if (candidate_) out_ << changes_text(running_->diff(*candidate_), color_);
  return {};
}

Status Shell::check(const Words&) {
  if (shown().valid()) {
    out_ << "the candidate is valid\n";
    return {};
  }
  return config_error(problems_text());
}

std::string Shell::problems_text() const {
  std::string out = "the candidate is not valid:";
  for (const config::Diagnostic& problem : shown().problems()) {
    if (!problem.warning) out += "\n    " + (problem.leaf.empty() ? "" : problem.leaf + ": ") + problem.message;
  }
  return out;
}

Status Shell::commit(const Words& words) {
  std::optional<std::chrono::seconds> confirm_within;
  if (words.size() > 1) {
    const auto time = words.size() == 3 && words[1] == "confirm" ? parse_seconds(words[2]) : std::nullopt;
    if (!time) return config_error("commit stands alone, or takes confirm and a time such as 60s");
    confirm_within = time;
  }
  if (!candidate_) return config_error("nothing has been changed");
  if (!shown().valid()) return config_error(problems_text());
  const auto applied = daemon_.apply(edits_, confirm_within, out_);
  if (!applied) return fail(applied.error());
  if (!*applied) return config_error("the daemon refused the changes; they are still in the candidate");
  return start();
}

Status Shell::confirm(const Words&) { return daemon_.confirm(); }

Status Shell::roll_back(const Words&) {
  if (candidate_) return config_error("the candidate has changes of its own: commit or discard them first");
  if (const Status done = daemon_.roll_back(); !done) return done;
  return start();
}

Status Shell::discard(const Words&) { return start(); }

Status Shell::help(const Words&) {
  for (const Command& command : commands()) {
    const std::string head = std::string(command.name) + (command.arguments.empty() ? "" : " " + std::string(command.arguments));
    out_ << "  " << head << "\n        " << command.help << "\n";
  }
  out_ << "  LEAF VALUE\n        set a leaf; a leaf that is a list gets one more value\n"
          "  CONTEXT [NAME]\n        enter a context, and make it if it is not there\n";
  return {};
}

Status Shell::end(const Words&) {
  if (candidate_ && !std::exchange(warned_of_changes_, true))
    return config_error("there are changes that were not committed: commit or discard them, or exit again to drop them");
  ended_ = true;
  return {};
}

std::vector<Shell::Choice> Shell::choices(std::string_view line) const {
  // The last word is being written, unless a blank ends it; what stands before it must be whole.
  const std::size_t last = line.find_last_of(" \t");
  const std::string_view before = last == std::string_view::npos ? std::string_view{} : line.substr(0, last);
  const std::string_view begun = last == std::string_view::npos ? line : line.substr(last + 1);
  auto words = words_of(before);
  if (!words) return {};

  std::vector<Choice> out;
  const auto offer = [&](std::string_view word, std::string_view help) {
    if (word.starts_with(begun)) out.push_back({std::string(word), std::string(help)});
  };
  bool wants_path = true;
  if (words->empty()) {
    for (const Command& command : commands()) offer(command.name, command.help);
  } else if (words->front() == "del") {
    words->erase(words->begin());
  } else if (words->front() == "show") {
    if (words->size() == 1) {
      offer("config", "the candidate configuration");
      offer("state", "SAs and counters");
    }
    wants_path = words->size() > 1 && (*words)[1] == "config";
    if (words->size() == 2 && wants_path) {
      offer("nodefault", "only what differs from the defaults");
      offer("secrets", "secrets in clear");
    }
    words->erase(words->begin(), words->begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(words->size(), 2)));
    std::erase_if(*words, [](const std::string& word) { return word == "nodefault" || word == "secrets"; });
  } else if (words->front() == "commit") {
    wants_path = false;
    if (words->size() == 1) offer("confirm", "roll back unless confirmed in time");
  }
  if (!wants_path) return out;

  const bool from_top = !words->empty() && words->front() == kTop;
  if (from_top) words->erase(words->begin());
  std::string path = from_top ? "" : context_.path();
  for (const std::string& word : *words) path = joined(path, config::as_word(word));
  for (const config::Completion& completion : shown().complete("/ " + (path.empty() ? "" : path + " ") + std::string(begun)))
    offer(completion.word, completion.description);
  return out;
}

}  // namespace svti::ikectl
