// SPDX-License-Identifier: Apache-2.0
#include "sa/message_rules.h"

#include <algorithm>
#include <array>
#include <span>

namespace svti::sa {

using wire::ExchangeType;
using wire::PayloadType;

namespace {

struct PayloadRule {
  PayloadType type{};
  std::size_t least = 0;
  std::size_t most = 0;
};

constexpr std::size_t kMany = wire::kMaxPayloads;

// Notify, Vendor ID and unknown payloads may stand anywhere.
constexpr std::array kInit = {
    PayloadRule{PayloadType::SecurityAssociation, 1, 1},
    PayloadRule{PayloadType::KeyExchange, 1, 1},
    PayloadRule{PayloadType::Nonce, 1, 1},
    PayloadRule{PayloadType::CertificateRequest, 0, kMany},
};
constexpr std::array kResume = {
    PayloadRule{PayloadType::Nonce, 1, 1},
};
constexpr std::array kAuthRequest = {
    PayloadRule{PayloadType::IdInitiator, 1, 1},     PayloadRule{PayloadType::IdResponder, 0, 1},
    PayloadRule{PayloadType::Authentication, 0, 1},  PayloadRule{PayloadType::SecurityAssociation, 0, 1},
    PayloadRule{PayloadType::TsInitiator, 0, 1},     PayloadRule{PayloadType::TsResponder, 0, 1},
    PayloadRule{PayloadType::Certificate, 0, kMany}, PayloadRule{PayloadType::CertificateRequest, 0, kMany},
    PayloadRule{PayloadType::Configuration, 0, 1},
};
constexpr std::array kAuthResponse = {
    PayloadRule{PayloadType::IdResponder, 1, 1},     PayloadRule{PayloadType::Authentication, 1, 1},
    PayloadRule{PayloadType::Certificate, 0, kMany}, PayloadRule{PayloadType::SecurityAssociation, 0, 1},
    PayloadRule{PayloadType::TsInitiator, 0, 1},     PayloadRule{PayloadType::TsResponder, 0, 1},
    PayloadRule{PayloadType::Configuration, 0, 1},
};
// RFC 7296 2.16: the responder's first answer has no AUTH where EAP alone proves who it is (RFC 5998)
constexpr std::array kAuthEapBegins = {
    PayloadRule{PayloadType::IdResponder, 1, 1},
    PayloadRule{PayloadType::Authentication, 0, 1},
    PayloadRule{PayloadType::Certificate, 0, kMany},
    PayloadRule{PayloadType::Eap, 1, 1},
};
constexpr std::array kAuthEap = {PayloadRule{PayloadType::Eap, 1, 1}};
constexpr std::array kAuthEapEndsRequest = {PayloadRule{PayloadType::Authentication, 1, 1}};
constexpr std::array kAuthEapEndsResponse = {
    PayloadRule{PayloadType::Authentication, 1, 1},      PayloadRule{PayloadType::IdResponder, 0, 1},
    PayloadRule{PayloadType::SecurityAssociation, 0, 1}, PayloadRule{PayloadType::TsInitiator, 0, 1},
    PayloadRule{PayloadType::TsResponder, 0, 1},         PayloadRule{PayloadType::Configuration, 0, 1},
};
constexpr std::array kAuthFurtherRequest = {
    PayloadRule{PayloadType::IdInitiator, 0, 1},
    PayloadRule{PayloadType::IdResponder, 0, 1},
    PayloadRule{PayloadType::Authentication, 0, 1},
    PayloadRule{PayloadType::Certificate, 0, kMany},
    PayloadRule{PayloadType::CertificateRequest, 0, kMany},
};
constexpr std::array kAuthFurtherResponse = {
    PayloadRule{PayloadType::IdResponder, 0, 1},     PayloadRule{PayloadType::Authentication, 0, 1},
    PayloadRule{PayloadType::Certificate, 0, kMany}, PayloadRule{PayloadType::SecurityAssociation, 0, 1},
    PayloadRule{PayloadType::TsInitiator, 0, 1},     PayloadRule{PayloadType::TsResponder, 0, 1},
    PayloadRule{PayloadType::Configuration, 0, 1},
};
constexpr std::array kAuthFurtherEap = {
    PayloadRule{PayloadType::IdResponder, 0, 1},
    PayloadRule{PayloadType::Authentication, 0, 1},
    PayloadRule{PayloadType::Certificate, 0, kMany},
    PayloadRule{PayloadType::Eap, 1, 1},
};
constexpr std::array kCreateChild = {
    PayloadRule{PayloadType::SecurityAssociation, 1, 1}, PayloadRule{PayloadType::Nonce, 1, 1},
    PayloadRule{PayloadType::KeyExchange, 0, 1},         PayloadRule{PayloadType::TsInitiator, 0, 1},
    PayloadRule{PayloadType::TsResponder, 0, 1},         PayloadRule{PayloadType::Configuration, 0, 1},
};
constexpr std::array kInformational = {
    PayloadRule{PayloadType::Delete, 0, kMany},
    PayloadRule{PayloadType::Configuration, 0, 1},
};

constexpr std::array kIntermediate = {PayloadRule{PayloadType::KeyExchange, 0, 1}};
constexpr std::array kFollowupKe = {PayloadRule{PayloadType::KeyExchange, 1, 1}};

std::span<const PayloadRule> rules_of_auth(bool response, AuthRound round) {
  switch (round) {
    case AuthRound::Whole:
      return response ? std::span<const PayloadRule>(kAuthResponse) : std::span<const PayloadRule>(kAuthRequest);
    case AuthRound::EapBegins:
      return kAuthEapBegins;
    case AuthRound::Eap:
      return kAuthEap;
    case AuthRound::Further:
      return response ? std::span<const PayloadRule>(kAuthFurtherResponse) : std::span<const PayloadRule>(kAuthFurtherRequest);
    case AuthRound::FurtherEap:
      return kAuthFurtherEap;
    case AuthRound::EapEnds:
      break;
  }
  return response ? std::span<const PayloadRule>(kAuthEapEndsResponse) : std::span<const PayloadRule>(kAuthEapEndsRequest);
}

std::span<const PayloadRule> rules_of(ExchangeType exchange, bool response, AuthRound round) {
  switch (exchange) {
    case ExchangeType::IkeSaInit:
      return kInit;
    case ExchangeType::IkeSessionResume:
      return kResume;
    case ExchangeType::IkeAuth:
      return rules_of_auth(response, round);
    case ExchangeType::CreateChildSa:
      return kCreateChild;
    case ExchangeType::Informational:
      return kInformational;
    case ExchangeType::IkeIntermediate:
      return kIntermediate;
    case ExchangeType::IkeFollowupKe:
      return kFollowupKe;
  }
  return {};
}

std::size_t count(const std::vector<wire::Payload>& payloads, PayloadType type) {
  return static_cast<std::size_t>(
      std::count_if(payloads.begin(), payloads.end(), [&](const wire::Payload& payload) { return wire::type_of(payload) == type; }));
}

RuleViolation syntax(std::string reason) { return {wire::NotifyType::InvalidSyntax, {}, std::move(reason)}; }

bool replaces_success(ExchangeType exchange, bool response, const std::vector<wire::Payload>& payloads) {
  if (!response) return false;
  const bool init = exchange == ExchangeType::IkeSaInit;
  const bool resume = exchange == ExchangeType::IkeSessionResume;
  if ((init || resume) && find_notify(payloads, wire::NotifyType::Cookie) != nullptr) return true;
  if (resume && find_notify(payloads, wire::NotifyType::TicketNack) != nullptr) return true;
  if (init && find_notify(payloads, wire::NotifyType::Redirect) != nullptr) return true;
  const wire::NotifyPayload* error = find_error(payloads);
  // In IKE_AUTH an error about the CHILD SA comes beside IDr and AUTH (RFC 7296 2.21.2): those are asked for where they are needed.
  return error != nullptr;
}

}  // namespace

std::optional<RuleViolation> check_message(ExchangeType exchange, bool response, const std::vector<wire::Payload>& payloads,
                                           AuthRound round) {
  for (const wire::Payload& payload : payloads) {
    const auto* unknown = std::get_if<wire::UnknownPayload>(&payload);
    if (unknown == nullptr || !unknown->critical) continue;
    // RFC 7296 2.5: the whole message is refused, and the answer names the type
    return RuleViolation{wire::NotifyType::UnsupportedCriticalPayload,
                         {static_cast<std::uint8_t>(unknown->type)},
                         "critical payload of the unknown type " + std::to_string(static_cast<int>(unknown->type))};
  }
  const auto rules = rules_of(exchange, response, round);
  // RFC 5685 6: a gateway may redirect where EAP would begin
  const bool redirected = round == AuthRound::EapBegins && response && find_notify(payloads, wire::NotifyType::Redirect) != nullptr;
  const bool lenient = replaces_success(exchange, response, payloads) || redirected;
  for (const PayloadRule& rule : rules) {
    const std::size_t found = count(payloads, rule.type);
    if (found > rule.most)
      return syntax(std::to_string(found) + " " + wire::to_string(rule.type) + " payloads where " + std::to_string(rule.most) +
                    " may stand");
    if (found < rule.least && !lenient) return syntax("no " + wire::to_string(rule.type) + " payload");
  }
  for (const wire::Payload& payload : payloads) {
    const PayloadType type = wire::type_of(payload);
    if (type == PayloadType::Notify || type == PayloadType::VendorId || std::holds_alternative<wire::UnknownPayload>(payload)) continue;
    const bool ruled = std::any_of(rules.begin(), rules.end(), [&](const PayloadRule& rule) { return rule.type == type; });
    if (!ruled) return syntax(wire::to_string(type) + " payload, which has no place in " + wire::to_string(exchange));
  }
  return std::nullopt;
}

bool is_protected(const wire::Message& message) {
  return message.payloads.size() == 1 && (std::holds_alternative<wire::EncryptedPayload>(message.payloads.front()) ||
                                          std::holds_alternative<wire::EncryptedFragmentPayload>(message.payloads.front()));
}

std::string names_of(const std::vector<wire::Payload>& payloads, bool response) {
  const auto name = [&](const wire::Payload& payload) -> std::string {
    if (const auto* notify = std::get_if<wire::NotifyPayload>(&payload)) return "N(" + wire::to_string(notify->type) + ")";
    switch (wire::type_of(payload)) {
      case PayloadType::SecurityAssociation:
        return "SA";
      case PayloadType::KeyExchange:
        return response ? "KEr" : "KEi";
      case PayloadType::IdInitiator:
        return "IDi";
      case PayloadType::IdResponder:
        return "IDr";
      case PayloadType::Authentication:
        return "AUTH";
      case PayloadType::Nonce:
        return response ? "Nr" : "Ni";
      case PayloadType::Delete:
        return "D";
      case PayloadType::VendorId:
        return "V";
      case PayloadType::TsInitiator:
        return "TSi";
      case PayloadType::TsResponder:
        return "TSr";
      case PayloadType::Configuration: {
        static constexpr std::array kTypes = {"CFG_REQUEST", "CFG_REPLY", "CFG_SET", "CFG_ACK"};
        const std::size_t type = std::get<wire::ConfigPayload>(payload).type;
        return std::string("CP(") + (type >= 1 && type <= kTypes.size() ? kTypes.at(type - 1) : "?") + ")";
      }
      default:
        return wire::to_string(wire::type_of(payload));
    }
  };
  std::string out = "{ ";
  for (const wire::Payload& payload : payloads) out += name(payload) + " ";
  return out + "}";
}

const wire::IdPayload* find_id(const std::vector<wire::Payload>& payloads, PayloadType type) {
  for (const wire::Payload& payload : payloads) {
    const auto* id = std::get_if<wire::IdPayload>(&payload);
    if (id != nullptr && id->type == type) return id;
  }
  return nullptr;
}

const wire::TsPayload* find_ts(const std::vector<wire::Payload>& payloads, PayloadType type) {
  for (const wire::Payload& payload : payloads) {
    const auto* ts = std::get_if<wire::TsPayload>(&payload);
    if (ts != nullptr && ts->type == type) return ts;
  }
  return nullptr;
}

const wire::NotifyPayload* find_notify(const std::vector<wire::Payload>& payloads, wire::NotifyType type) {
  for (const wire::Payload& payload : payloads) {
    const auto* notify = std::get_if<wire::NotifyPayload>(&payload);
    if (notify != nullptr && notify->type == type) return notify;
  }
  return nullptr;
}

const wire::NotifyPayload* find_error(const std::vector<wire::Payload>& payloads) {
  for (const wire::Payload& payload : payloads) {
    const auto* notify = std::get_if<wire::NotifyPayload>(&payload);
    if (notify != nullptr && wire::is_error(notify->type)) return notify;
  }
  return nullptr;
}

}  // namespace svti::sa
