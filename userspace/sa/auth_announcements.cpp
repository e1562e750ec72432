// SPDX-License-Identifier: Apache-2.0
// SUPPORTED_AUTH_METHODS (RFC 9593): each end says how the other may authenticate itself, the responder in IKE_SA_INIT and the initiator in
// IKE_AUTH. Who has several certificates chooses by it, and who cannot do what the other wants says so.
#include <algorithm>

#include "sa/ike_sa.h"
#include "sa/message_rules.h"
#include "wire/auth_announcement.h"

namespace svti::sa {

using wire::AuthAnnouncement;
using wire::AuthMethod;
using wire::NotifyType;

std::optional<wire::NotifyPayload> auth_announcements(bool shared_keys, bool certificates) {
  std::vector<AuthAnnouncement> out;
  if (shared_keys) out.push_back({AuthMethod::SharedKeyMic, 0, {}});
  if (certificates) {
    for (const AuthMethod method : {AuthMethod::EcdsaP256, AuthMethod::EcdsaP384, AuthMethod::EcdsaP521, AuthMethod::RsaSignature})
      out.push_back({method, 0, {}});
    for (const Bytes& algorithm : crypto::verifiable_algorithms()) out.push_back({AuthMethod::DigitalSignature, 0, algorithm});
  }
  if (out.empty()) return std::nullopt;
  return wire::NotifyPayload{NotifyType::SupportedAuthMethods, wire::ProtocolId::None, {}, wire::encode_auth_announcements(out)};
}

void IkeSa::learn_announcements(const Payloads& payloads, Effects& out) {
  const auto* said = find_notify(payloads, NotifyType::SupportedAuthMethods);
  if (said == nullptr) return;
  auto announced = wire::parse_auth_announcements(said->data);
  if (!announced) return log(out, Subsystem::Ike, 1, "SUPPORTED_AUTH_METHODS ignored: " + announced.error().message);
  init_->peer_takes = std::move(*announced);
}

// What the peer says it takes where that is not what we are configured for; empty: it has not said, or takes it.
std::string IkeSa::announced_instead() const {
  if (!init_ || init_->peer_takes.empty() || !vpn_ || model::is_eap(vpn_->authentication.local)) return {};
  const auto takes_keys = [](const AuthAnnouncement& one) { return one.method == AuthMethod::SharedKeyMic; };
  const bool keys = std::any_of(init_->peer_takes.begin(), init_->peer_takes.end(), takes_keys);
  const bool certificates = !std::all_of(init_->peer_takes.begin(), init_->peer_takes.end(), takes_keys);
  if (vpn_->authentication.local == model::AuthMethod::PresharedKey)
    return keys ? std::string() : "it takes certificates, and no pre-shared key";
  if (!certificates) return "it takes pre-shared keys, and no certificate";
  return announced_certificates(*vpn_).empty() ? "it takes no signature that a certificate of ours can make" : std::string();
}

// those of our certificates whose signatures the peer takes; all when it has not said
std::vector<model::LocalCertificatePtr> IkeSa::announced_certificates(const model::Vpn& vpn) const {
  std::vector<model::LocalCertificatePtr> out = vpn.authentication.certificates;
  if (!init_->peer_takes.empty())
    std::erase_if(out, [&](const auto& one) { return !crypto::use_of(one->key_type, init_->peer_takes).usable; });
  return out;
}

}  // namespace svti::sa
