// SPDX-License-Identifier: Apache-2.0
#include "wire/ikev2.h"

#include <array>
#include <string_view>

namespace svti::wire {
namespace {

template <typename Enum>
struct Name {
  Enum value;
  std::string_view text;
};

constexpr std::array kExchangeNames{
    Name{ExchangeType::IkeSaInit, "IKE_SA_INIT"},
    Name{ExchangeType::IkeAuth, "IKE_AUTH"},
    Name{ExchangeType::CreateChildSa, "CREATE_CHILD_SA"},
    Name{ExchangeType::Informational, "INFORMATIONAL"},
};

// the notations of RFC 7296 1.2 and 3.2; SKF is RFC 7383's
constexpr std::array kPayloadNames{
    Name{PayloadType::None, "NONE"},
    Name{PayloadType::SecurityAssociation, "SA"},
    Name{PayloadType::KeyExchange, "KE"},
    Name{PayloadType::IdInitiator, "IDi"},
    Name{PayloadType::IdResponder, "IDr"},
    Name{PayloadType::Certificate, "CERT"},
    Name{PayloadType::CertificateRequest, "CERTREQ"},
    Name{PayloadType::Authentication, "AUTH"},
    Name{PayloadType::Nonce, "NONCE"},
    Name{PayloadType::Notify, "N"},
    Name{PayloadType::Delete, "D"},
    Name{PayloadType::VendorId, "V"},
    Name{PayloadType::TsInitiator, "TSi"},
    Name{PayloadType::TsResponder, "TSr"},
    Name{PayloadType::Encrypted, "SK"},
    Name{PayloadType::Configuration, "CP"},
    Name{PayloadType::Eap, "EAP"},
    Name{PayloadType::EncryptedFragment, "SKF"},
};

constexpr std::array kNotifyNames{
    Name{NotifyType::UnsupportedCriticalPayload, "UNSUPPORTED_CRITICAL_PAYLOAD"},
    Name{NotifyType::InvalidIkeSpi, "INVALID_IKE_SPI"},
    Name{NotifyType::InvalidMajorVersion, "INVALID_MAJOR_VERSION"},
    Name{NotifyType::InvalidSyntax, "INVALID_SYNTAX"},
    Name{NotifyType::InvalidMessageId, "INVALID_MESSAGE_ID"},
    Name{NotifyType::InvalidSpi, "INVALID_SPI"},
    Name{NotifyType::NoProposalChosen, "NO_PROPOSAL_CHOSEN"},
    Name{NotifyType::InvalidKePayload, "INVALID_KE_PAYLOAD"},
    Name{NotifyType::AuthenticationFailed, "AUTHENTICATION_FAILED"},
    Name{NotifyType::SinglePairRequired, "SINGLE_PAIR_REQUIRED"},
    Name{NotifyType::NoAdditionalSas, "NO_ADDITIONAL_SAS"},
    Name{NotifyType::InternalAddressFailure, "INTERNAL_ADDRESS_FAILURE"},
    Name{NotifyType::FailedCpRequired, "FAILED_CP_REQUIRED"},
    Name{NotifyType::TsUnacceptable, "TS_UNACCEPTABLE"},
    Name{NotifyType::InvalidSelectors, "INVALID_SELECTORS"},
    Name{NotifyType::TemporaryFailure, "TEMPORARY_FAILURE"},
    Name{NotifyType::ChildSaNotFound, "CHILD_SA_NOT_FOUND"},
    Name{NotifyType::InitialContact, "INITIAL_CONTACT"},
    Name{NotifyType::SetWindowSize, "SET_WINDOW_SIZE"},
    Name{NotifyType::AdditionalTsPossible, "ADDITIONAL_TS_POSSIBLE"},
    Name{NotifyType::IpcompSupported, "IPCOMP_SUPPORTED"},
    Name{NotifyType::NatDetectionSourceIp, "NAT_DETECTION_SOURCE_IP"},
    Name{NotifyType::NatDetectionDestinationIp, "NAT_DETECTION_DESTINATION_IP"},
    Name{NotifyType::Cookie, "COOKIE"},
    Name{NotifyType::UseTransportMode, "USE_TRANSPORT_MODE"},
    Name{NotifyType::HttpCertLookupSupported, "HTTP_CERT_LOOKUP_SUPPORTED"},
    Name{NotifyType::RekeySa, "REKEY_SA"},
    Name{NotifyType::EspTfcPaddingNotSupported, "ESP_TFC_PADDING_NOT_SUPPORTED"},
    Name{NotifyType::NonFirstFragmentsAlso, "NON_FIRST_FRAGMENTS_ALSO"},
    Name{NotifyType::MobikeSupported, "MOBIKE_SUPPORTED"},
    Name{NotifyType::FragmentationSupported, "IKEV2_FRAGMENTATION_SUPPORTED"},
    Name{NotifyType::SignatureHashAlgorithms, "SIGNATURE_HASH_ALGORITHMS"},
};

constexpr std::array kProtocolNames{
    Name{ProtocolId::None, "NONE"},
    Name{ProtocolId::Ike, "IKE"},
    Name{ProtocolId::Ah, "AH"},
    Name{ProtocolId::Esp, "ESP"},
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
