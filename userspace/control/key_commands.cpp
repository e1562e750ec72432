// SPDX-License-Identifier: Apache-2.0
// Keys that the signer makes.
#include <fmt/format.h>

#include <array>

#include "control/command_table.h"
#include "crypto/issuing.h"
#include "crypto/sealed_key.h"

namespace svti::control {

namespace {

constexpr std::size_t kMostSubject = 1024;  // octets
constexpr std::size_t kMostAltNames = 64;

Result<auth::NewKeyWish> wish_of(const vici::Message& parameters) {
  auth::NewKeyWish out;
  const std::string_view type = parameters.text("type", crypto::key_kinds().front().name);
  const crypto::KeyKind* kind = crypto::find_key_kind(type);
  if (kind == nullptr) {
    std::string names;
    for (const crypto::KeyKind& one : crypto::key_kinds()) names += (names.empty() ? "" : ", ") + std::string(one.name);
    return config_error(fmt::format("no key is of type \"{}\": there are {}", printable(type), names));
  }
  out.type = kind->type;
  out.rsa_bits = kind->rsa_bits;
  out.subject = parameters.text("subject");
  if (out.subject.empty()) return config_error("subject is missing: whose key it is, as in \"C=CH, O=Example, CN=gw\"");
  if (out.subject.size() > kMostSubject) return config_error(fmt::format("subject has more than {} octets", kMostSubject));
  if (const auto named = crypto::parse_name(out.subject); !named) return fail(named.error());
  vici::List names;
  if (const vici::List* list = parameters.list("san")) names = *list;
  if (const std::string* value = parameters.find("san")) names = {*value};
  if (names.size() > kMostAltNames) return config_error(fmt::format("there are more than {} alternative names", kMostAltNames));
  for (const std::string& text : names) {
    auto name = crypto::parse_alt_name(text);
    if (!name) return fail(name.error());
    out.alt_names.push_back(std::move(*name));
  }
  return out;
}

Reply make_key(const Call& call) {
  auto wish = wish_of(call.parameters);
  if (!wish) return failure(wish.error().message);
  call.service.make_key(std::move(*wish), [requester = std::weak_ptr(call.requester), request = call.request](Result<auth::NewKey> made) {
    const auto asker = requester.lock();
    if (!asker) return;  // what was made for it is lost with it, as it should be
    if (!made) return asker->respond(request, failure(made.error().message));
    vici::Message message = success();
    message.add("private-key", crypto::to_pem(crypto::kSealedKeyLabel, made->sealed));
    message.add("request", crypto::to_pem("CERTIFICATE REQUEST", made->request));
    asker->respond(request, message);
  });
  return Deferred{};
}

}  // namespace

std::span<const Command> key_commands() {
  static constexpr std::array<Command, 1> kTable = {{{"svti-make-key", make_key}}};
  return kTable;
}

}  // namespace svti::control
