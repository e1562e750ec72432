// SPDX-License-Identifier: Apache-2.0
// The numbers of IKEv2: RFC 7296 section 3 and the IANA registry "Internet Key Exchange Version 2 (IKEv2) Parameters".
// Enumerations are open: a value that came from a peer may be one that is not named here.
#pragma once

#include <cstdint>
#include <string>

namespace svti::wire {

enum class ExchangeType : std::uint8_t {
  IkeSaInit = 34,
  IkeAuth = 35,
  CreateChildSa = 36,
  Informational = 37,
  IkeSessionResume = 38,  // RFC 5723
  IkeIntermediate = 43,   // RFC 9242
  IkeFollowupKe = 44,     // RFC 9370
};

enum class PayloadType : std::uint8_t {
  None = 0,
  SecurityAssociation = 33,
  KeyExchange = 34,
  IdInitiator = 35,
  IdResponder = 36,
  Certificate = 37,
  CertificateRequest = 38,
  Authentication = 39,
  Nonce = 40,
  Notify = 41,
  Delete = 42,
  VendorId = 43,
  TsInitiator = 44,
  TsResponder = 45,
  Encrypted = 46,
  Configuration = 47,
  Eap = 48,
  EncryptedFragment = 53,
};

enum class ProtocolId : std::uint8_t { None = 0, Ike = 1, Ah = 2, Esp = 3 };

enum class NotifyType : std::uint16_t {
  UnsupportedCriticalPayload = 1,
  InvalidIkeSpi = 4,
  InvalidMajorVersion = 5,
  InvalidSyntax = 7,
  InvalidMessageId = 9,
  InvalidSpi = 11,
  NoProposalChosen = 14,
  InvalidKePayload = 17,
  AuthenticationFailed = 24,
  SinglePairRequired = 34,
  NoAdditionalSas = 35,
  InternalAddressFailure = 36,
  FailedCpRequired = 37,
  TsUnacceptable = 38,
  InvalidSelectors = 39,
  UnacceptableAddresses = 40,
  UnexpectedNatDetected = 41,
  TemporaryFailure = 43,
  ChildSaNotFound = 44,
  StateNotFound = 47,  // RFC 9370
  // status types, RFC 7296 3.10.1: 16384 and above
  InitialContact = 16384,
  SetWindowSize = 16385,
  AdditionalTsPossible = 16386,
  IpcompSupported = 16387,
  NatDetectionSourceIp = 16388,
  NatDetectionDestinationIp = 16389,
  Cookie = 16390,
  UseTransportMode = 16391,
  HttpCertLookupSupported = 16392,
  RekeySa = 16393,
  EspTfcPaddingNotSupported = 16394,
  NonFirstFragmentsAlso = 16395,
  MobikeSupported = 16396,
  // RFC 4555
  AdditionalIp4Address = 16397,
  AdditionalIp6Address = 16398,
  NoAdditionalAddresses = 16399,
  UpdateSaAddresses = 16400,
  Cookie2 = 16401,
  NoNatsAllowed = 16402,
  AuthLifetime = 16403,  // RFC 4478
  // RFC 5685
  MultipleAuthSupported = 16404,  // RFC 4739
  AnotherAuthFollows = 16405,
  RedirectSupported = 16406,
  Redirect = 16407,
  RedirectedFrom = 16408,
  // RFC 5723
  TicketLtOpaque = 16409,
  TicketRequest = 16410,
  TicketAck = 16411,
  TicketNack = 16412,
  TicketOpaque = 16413,
  EapOnlyAuthentication = 16417,    // RFC 5998
  ChildlessIkev2Supported = 16418,  // RFC 6023
  QcdToken = 16419,                 // RFC 6290
  FragmentationSupported = 16430,
  SignatureHashAlgorithms = 16431,
  // RFC 8784
  UsePpk = 16435,
  PpkIdentity = 16436,
  NoPpkAuth = 16437,
  IntermediateExchangeSupported = 16438,  // RFC 9242
  AdditionalKeyExchange = 16441,          // RFC 9370
  SupportedAuthMethods = 16443,           // RFC 9593
};
// RFC 7296 3.10.1: below 16384 a notification reports an error
constexpr bool is_error(NotifyType type) { return static_cast<std::uint16_t>(type) < 16384; }

enum class IdType : std::uint8_t { Ipv4Addr = 1, Fqdn = 2, Rfc822Addr = 3, Ipv6Addr = 5, DerAsn1Dn = 9, DerAsn1Gn = 10, KeyId = 11 };

enum class AuthMethod : std::uint8_t {
  RsaSignature = 1,
  SharedKeyMic = 2,
  DssSignature = 3,
  EcdsaP256 = 9,  // RFC 4754
  EcdsaP384 = 10,
  EcdsaP521 = 11,
  Null = 13,             // RFC 7619
  DigitalSignature = 14  // RFC 7427
};

enum class TransformType : std::uint8_t {
  Encryption = 1,
  Prf = 2,
  Integrity = 3,
  KeyExchange = 4,
  Esn = 5,
  // RFC 9370
  AdditionalKe1 = 6,
  AdditionalKe2 = 7,
  AdditionalKe3 = 8,
  AdditionalKe4 = 9,
  AdditionalKe5 = 10,
  AdditionalKe6 = 11,
  AdditionalKe7 = 12
};
inline constexpr unsigned kMaxAdditionalKe = 7;
constexpr bool is_additional_ke(TransformType type) { return type >= TransformType::AdditionalKe1 && type <= TransformType::AdditionalKe7; }
// `number` from 1
constexpr TransformType additional_ke(unsigned number) { return static_cast<TransformType>(5 + number); }
constexpr unsigned number_of_additional_ke(TransformType type) { return static_cast<unsigned>(type) - 5; }

enum class EncryptionId : std::uint16_t {
  TripleDesCbc = 3,
  Null = 11,
  AesCbc = 12,
  AesCtr = 13,
  AesCcm8 = 14,
  AesCcm12 = 15,
  AesCcm16 = 16,
  AesGcm8 = 18,
  AesGcm12 = 19,
  AesGcm16 = 20,
  NullAesGmac = 21,
  CamelliaCbc = 23,
  ChaCha20Poly1305 = 28
};
enum class PrfId : std::uint16_t { HmacMd5 = 1, HmacSha1 = 2, AesXcbc = 4, HmacSha256 = 5, HmacSha384 = 6, HmacSha512 = 7, AesCmac = 8 };
enum class IntegrityId : std::uint16_t {
  None = 0,
  HmacMd5_96 = 1,
  HmacSha1_96 = 2,
  AesXcbc96 = 5,
  AesCmac96 = 8,
  HmacSha256_128 = 12,
  HmacSha384_192 = 13,
  HmacSha512_256 = 14
};
enum class KeGroup : std::uint16_t {
  None = 0,
  Modp768 = 1,
  Modp1024 = 2,
  Modp1536 = 5,
  Modp2048 = 14,
  Modp3072 = 15,
  Modp4096 = 16,
  Modp6144 = 17,
  Modp8192 = 18,
  Ecp256 = 19,
  Ecp384 = 20,
  Ecp521 = 21,
  Modp1024s160 = 22,
  Modp2048s224 = 23,
  Modp2048s256 = 24,
  Ecp224 = 26,
  Brainpool224 = 27,
  Brainpool256 = 28,
  Brainpool384 = 29,
  Brainpool512 = 30,
  Curve25519 = 31,
  Curve448 = 32,
  MlKem512 = 35,
  MlKem768 = 36,
  MlKem1024 = 37
};
enum class EsnId : std::uint16_t { None = 0, Esn = 1 };

// The RFC's or registry's name ("IKE_SA_INIT", "NO_PROPOSAL_CHOSEN"); an unnamed value as "EXCHANGE_99", "NOTIFY_12345".
std::string to_string(ExchangeType value);
std::string to_string(PayloadType value);
std::string to_string(NotifyType value);
std::string to_string(ProtocolId value);

}  // namespace svti::wire
