// SPDX-License-Identifier: Apache-2.0
#include "wire/ikev2.h"

#include <string_view>

namespace svti::wire {
namespace {

template <typename Enum>
struct Name {
  Enum value;
  std::string_view text;
};

constexpr Name<ExchangeType> kExchangeNames[] = {
    {ExchangeType::IkeSaInit, "IKE_SA_INIT"},
    {ExchangeType::IkeAuth, "IKE_AUTH"},
    {ExchangeType::CreateChildSa, "CREATE_CHILD_SA"},
    {ExchangeType::Informational, "INFORMATIONAL"},
    {ExchangeType::IkeSessionResume, "IKE_SESSION_RESUME"},
    {ExchangeType::IkeIntermediate, "IKE_INTERMEDIATE"},
    {ExchangeType::IkeFollowupKe, "IKE_FOLLOWUP_KE"},
};

// the notations of RFC 7296 1.2 and 3.2; SKF is RFC 7383's
constexpr Name<PayloadType> kPayloadNames[] = {
    {PayloadType::None, "NONE"},
    {PayloadType::SecurityAssociation, "SA"},
    {PayloadType::KeyExchange, "KE"},
    {PayloadType::IdInitiator, "IDi"},
    {PayloadType::IdResponder, "IDr"},
    {PayloadType::Certificate, "CERT"},
    {PayloadType::CertificateRequest, "CERTREQ"},
    {PayloadType::Authentication, "AUTH"},
    {PayloadType::Nonce, "NONCE"},
    {PayloadType::Notify, "N"},
    {PayloadType::Delete, "D"},
    {PayloadType::VendorId, "V"},
    {PayloadType::TsInitiator, "TSi"},
    {PayloadType::TsResponder, "TSr"},
    {PayloadType::Encrypted, "SK"},
    {PayloadType::Configuration, "CP"},
    {PayloadType::Eap, "EAP"},
    {PayloadType::EncryptedFragment, "SKF"},
};

constexpr Name<NotifyType> kNotifyNames[] = {
    {NotifyType::UnsupportedCriticalPayload, "UNSUPPORTED_CRITICAL_PAYLOAD"},
    {NotifyType::InvalidIkeSpi, "INVALID_IKE_SPI"},
    {NotifyType::InvalidMajorVersion, "INVALID_MAJOR_VERSION"},
    {NotifyType::InvalidSyntax, "INVALID_SYNTAX"},
    {NotifyType::InvalidMessageId, "INVALID_MESSAGE_ID"},
    {NotifyType::InvalidSpi, "INVALID_SPI"},
    {NotifyType::NoProposalChosen, "NO_PROPOSAL_CHOSEN"},
    {NotifyType::InvalidKePayload, "INVALID_KE_PAYLOAD"},
    {NotifyType::AuthenticationFailed, "AUTHENTICATION_FAILED"},
    {NotifyType::SinglePairRequired, "SINGLE_PAIR_REQUIRED"},
    {NotifyType::NoAdditionalSas, "NO_ADDITIONAL_SAS"},
    {NotifyType::InternalAddressFailure, "INTERNAL_ADDRESS_FAILURE"},
    {NotifyType::FailedCpRequired, "FAILED_CP_REQUIRED"},
    {NotifyType::TsUnacceptable, "TS_UNACCEPTABLE"},
    {NotifyType::InvalidSelectors, "INVALID_SELECTORS"},
    {NotifyType::UnacceptableAddresses, "UNACCEPTABLE_ADDRESSES"},
    {NotifyType::UnexpectedNatDetected, "UNEXPECTED_NAT_DETECTED"},
    {NotifyType::TemporaryFailure, "TEMPORARY_FAILURE"},
    {NotifyType::ChildSaNotFound, "CHILD_SA_NOT_FOUND"},
    {NotifyType::StateNotFound, "STATE_NOT_FOUND"},
    {NotifyType::InitialContact, "INITIAL_CONTACT"},
    {NotifyType::SetWindowSize, "SET_WINDOW_SIZE"},
    {NotifyType::AdditionalTsPossible, "ADDITIONAL_TS_POSSIBLE"},
    {NotifyType::IpcompSupported, "IPCOMP_SUPPORTED"},
    {NotifyType::NatDetectionSourceIp, "NAT_DETECTION_SOURCE_IP"},
    {NotifyType::NatDetectionDestinationIp, "NAT_DETECTION_DESTINATION_IP"},
    {NotifyType::Cookie, "COOKIE"},
    {NotifyType::UseTransportMode, "USE_TRANSPORT_MODE"},
    {NotifyType::HttpCertLookupSupported, "HTTP_CERT_LOOKUP_SUPPORTED"},
    {NotifyType::RekeySa, "REKEY_SA"},
    {NotifyType::EspTfcPaddingNotSupported, "ESP_TFC_PADDING_NOT_SUPPORTED"},
    {NotifyType::NonFirstFragmentsAlso, "NON_FIRST_FRAGMENTS_ALSO"},
    {NotifyType::MobikeSupported, "MOBIKE_SUPPORTED"},
    {NotifyType::AdditionalIp4Address, "ADDITIONAL_IP4_ADDRESS"},
    {NotifyType::AdditionalIp6Address, "ADDITIONAL_IP6_ADDRESS"},
    {NotifyType::NoAdditionalAddresses, "NO_ADDITIONAL_ADDRESSES"},
    {NotifyType::UpdateSaAddresses, "UPDATE_SA_ADDRESSES"},
    {NotifyType::Cookie2, "COOKIE2"},
    {NotifyType::NoNatsAllowed, "NO_NATS_ALLOWED"},
    {NotifyType::AuthLifetime, "AUTH_LIFETIME"},
    {NotifyType::MultipleAuthSupported, "MULTIPLE_AUTH_SUPPORTED"},
    {NotifyType::AnotherAuthFollows, "ANOTHER_AUTH_FOLLOWS"},
    {NotifyType::RedirectSupported, "REDIRECT_SUPPORTED"},
    {NotifyType::Redirect, "REDIRECT"},
    {NotifyType::RedirectedFrom, "REDIRECTED_FROM"},
    {NotifyType::TicketLtOpaque, "TICKET_LT_OPAQUE"},
    {NotifyType::TicketRequest, "TICKET_REQUEST"},
    {NotifyType::TicketAck, "TICKET_ACK"},
    {NotifyType::TicketNack, "TICKET_NACK"},
    {NotifyType::TicketOpaque, "TICKET_OPAQUE"},
    {NotifyType::EapOnlyAuthentication, "EAP_ONLY_AUTHENTICATION"},
    {NotifyType::ChildlessIkev2Supported, "CHILDLESS_IKEV2_SUPPORTED"},
    {NotifyType::QcdToken, "QCD_TOKEN"},
    {NotifyType::FragmentationSupported, "IKEV2_FRAGMENTATION_SUPPORTED"},
    {NotifyType::SignatureHashAlgorithms, "SIGNATURE_HASH_ALGORITHMS"},
    {NotifyType::UsePpk, "USE_PPK"},
    {NotifyType::PpkIdentity, "PPK_IDENTITY"},
    {NotifyType::NoPpkAuth, "NO_PPK_AUTH"},
    {NotifyType::IntermediateExchangeSupported, "INTERMEDIATE_EXCHANGE_SUPPORTED"},
    {NotifyType::AdditionalKeyExchange, "ADDITIONAL_KEY_EXCHANGE"},
    {NotifyType::SupportedAuthMethods, "SUPPORTED_AUTH_METHODS"},
};

constexpr Name<ProtocolId> kProtocolNames[] = {
    {ProtocolId::None, "NONE"},
    {ProtocolId::Ike, "IKE"},
    {ProtocolId::Ah, "AH"},
    {ProtocolId::Esp, "ESP"},
};

template <typename Names, typename Enum>
std::string name_of(const Names& names, Enum value, std::string_view family) {
  for (const auto& name : names) {
    if (name.value == value) return std::string(name.text);
  }
  return std::string(family) + "_" + std::to_string(static_cast<unsigned>(value));
}

}  // namespace

std::string to_string(ExchangeType value) { return name_of(kExchangeNames, value, "EXCHANGE"); }
std::string to_string(PayloadType value) { return name_of(kPayloadNames, value, "PAYLOAD"); }
std::string to_string(NotifyType value) { return name_of(kNotifyNames, value, "NOTIFY"); }
std::string to_string(ProtocolId value) { return name_of(kProtocolNames, value, "PROTOCOL"); }

}  // namespace svti::wire
