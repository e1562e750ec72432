// SPDX-License-Identifier: Apache-2.0
#include "control/proposal_keywords.h"

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "crypto/key_exchange.h"
#include "model/algorithm.h"

namespace svti::control {

namespace {

using model::AlgorithmKind;
using wire::ProtocolId;
using wire::Transform;
using wire::TransformType;

struct Keyword {
  std::string_view keyword;
  AlgorithmKind kind;
  std::string_view ours;  // the keyword of our own configuration
};

constexpr Keyword kKeywords[] = {
    {"aes", AlgorithmKind::Encryption, "aes128-cbc"},
    {"aes128", AlgorithmKind::Encryption, "aes128-cbc"},
    {"aes192", AlgorithmKind::Encryption, "aes192-cbc"},
    {"aes256", AlgorithmKind::Encryption, "aes256-cbc"},
    {"aes128ctr", AlgorithmKind::Encryption, "aes128-ctr"},
    {"aes192ctr", AlgorithmKind::Encryption, "aes192-ctr"},
    {"aes256ctr", AlgorithmKind::Encryption, "aes256-ctr"},
    {"aesctr", AlgorithmKind::Encryption, "aes128-ctr"},
    {"camellia", AlgorithmKind::Encryption, "camellia128-cbc"},
    {"camellia128", AlgorithmKind::Encryption, "camellia128-cbc"},
    {"camellia192", AlgorithmKind::Encryption, "camellia192-cbc"},
    {"camellia256", AlgorithmKind::Encryption, "camellia256-cbc"},
    {"3des", AlgorithmKind::Encryption, "3des-cbc"},
    {"null", AlgorithmKind::Encryption, "null"},
    // the ICV in octets, or in bits
    {"aes128gcm8", AlgorithmKind::Aead, "aes128-gcm-64"},
    {"aes128gcm64", AlgorithmKind::Aead, "aes128-gcm-64"},
    {"aes128gcm12", AlgorithmKind::Aead, "aes128-gcm-96"},
    {"aes128gcm96", AlgorithmKind::Aead, "aes128-gcm-96"},
    {"aes128gcm16", AlgorithmKind::Aead, "aes128-gcm-128"},
    {"aes128gcm128", AlgorithmKind::Aead, "aes128-gcm-128"},
    {"aes128gcm", AlgorithmKind::Aead, "aes128-gcm-128"},
    {"aes192gcm8", AlgorithmKind::Aead, "aes192-gcm-64"},
    {"aes192gcm64", AlgorithmKind::Aead, "aes192-gcm-64"},
    {"aes192gcm12", AlgorithmKind::Aead, "aes192-gcm-96"},
    {"aes192gcm96", AlgorithmKind::Aead, "aes192-gcm-96"},
    {"aes192gcm16", AlgorithmKind::Aead, "aes192-gcm-128"},
    {"aes192gcm128", AlgorithmKind::Aead, "aes192-gcm-128"},
    {"aes192gcm", AlgorithmKind::Aead, "aes192-gcm-128"},
    {"aes256gcm8", AlgorithmKind::Aead, "aes256-gcm-64"},
    {"aes256gcm64", AlgorithmKind::Aead, "aes256-gcm-64"},
    {"aes256gcm12", AlgorithmKind::Aead, "aes256-gcm-96"},
    {"aes256gcm96", AlgorithmKind::Aead, "aes256-gcm-96"},
    {"aes256gcm16", AlgorithmKind::Aead, "aes256-gcm-128"},
    {"aes256gcm128", AlgorithmKind::Aead, "aes256-gcm-128"},
    {"aes256gcm", AlgorithmKind::Aead, "aes256-gcm-128"},
    {"aes128ccm8", AlgorithmKind::Aead, "aes128-ccm-64"},
    {"aes128ccm64", AlgorithmKind::Aead, "aes128-ccm-64"},
    {"aes128ccm12", AlgorithmKind::Aead, "aes128-ccm-96"},
    {"aes128ccm96", AlgorithmKind::Aead, "aes128-ccm-96"},
    {"aes128ccm16", AlgorithmKind::Aead, "aes128-ccm-128"},
    {"aes128ccm128", AlgorithmKind::Aead, "aes128-ccm-128"},
    {"aes128ccm", AlgorithmKind::Aead, "aes128-ccm-128"},
    {"aes192ccm8", AlgorithmKind::Aead, "aes192-ccm-64"},
    {"aes192ccm64", AlgorithmKind::Aead, "aes192-ccm-64"},
    {"aes192ccm12", AlgorithmKind::Aead, "aes192-ccm-96"},
    {"aes192ccm96", AlgorithmKind::Aead, "aes192-ccm-96"},
    {"aes192ccm16", AlgorithmKind::Aead, "aes192-ccm-128"},
    {"aes192ccm128", AlgorithmKind::Aead, "aes192-ccm-128"},
    {"aes192ccm", AlgorithmKind::Aead, "aes192-ccm-128"},
    {"aes256ccm8", AlgorithmKind::Aead, "aes256-ccm-64"},
    {"aes256ccm64", AlgorithmKind::Aead, "aes256-ccm-64"},
    {"aes256ccm12", AlgorithmKind::Aead, "aes256-ccm-96"},
    {"aes256ccm96", AlgorithmKind::Aead, "aes256-ccm-96"},
    {"aes256ccm16", AlgorithmKind::Aead, "aes256-ccm-128"},
    {"aes256ccm128", AlgorithmKind::Aead, "aes256-ccm-128"},
    {"aes256ccm", AlgorithmKind::Aead, "aes256-ccm-128"},
    {"aes128gmac", AlgorithmKind::Aead, "aes128-gmac"},
    {"aes192gmac", AlgorithmKind::Aead, "aes192-gmac"},
    {"aes256gmac", AlgorithmKind::Aead, "aes256-gmac"},
    {"chacha20poly1305", AlgorithmKind::Aead, "chacha20-poly1305"},
    {"sha", AlgorithmKind::Integrity, "hmac-sha1"},
    {"sha1", AlgorithmKind::Integrity, "hmac-sha1"},
    {"sha256", AlgorithmKind::Integrity, "hmac-sha256"},
    {"sha2_256", AlgorithmKind::Integrity, "hmac-sha256"},
    {"sha384", AlgorithmKind::Integrity, "hmac-sha384"},
    {"sha2_384", AlgorithmKind::Integrity, "hmac-sha384"},
    {"sha512", AlgorithmKind::Integrity, "hmac-sha512"},
    {"sha2_512", AlgorithmKind::Integrity, "hmac-sha512"},
    {"aesxcbc", AlgorithmKind::Integrity, "aes-xcbc"},
    {"aescmac", AlgorithmKind::Integrity, "aes-cmac"},
    {"md5", AlgorithmKind::Integrity, "hmac-md5"},
    {"prfmd5", AlgorithmKind::Prf, "hmac-md5"},
    {"prfaesxcbc", AlgorithmKind::Prf, "aes-xcbc"},
    {"prfaescmac", AlgorithmKind::Prf, "aes-cmac"},
    {"prfsha1", AlgorithmKind::Prf, "hmac-sha1"},
    {"prfsha256", AlgorithmKind::Prf, "hmac-sha256"},
    {"prfsha384", AlgorithmKind::Prf, "hmac-sha384"},
    {"prfsha512", AlgorithmKind::Prf, "hmac-sha512"},
    {"modp768", AlgorithmKind::DhGroup, "modp768"},
    {"modp1024", AlgorithmKind::DhGroup, "modp1024"},
    {"modp1536", AlgorithmKind::DhGroup, "modp1536"},
    {"modp1024s160", AlgorithmKind::DhGroup, "modp1024s160"},
    {"modp2048s224", AlgorithmKind::DhGroup, "modp2048s224"},
    {"modp2048s256", AlgorithmKind::DhGroup, "modp2048s256"},
    {"ecp224", AlgorithmKind::DhGroup, "ecp224"},
    {"ecp224bp", AlgorithmKind::DhGroup, "brainpool224"},
    {"ecp256bp", AlgorithmKind::DhGroup, "brainpool256"},
    {"ecp384bp", AlgorithmKind::DhGroup, "brainpool384"},
    {"ecp512bp", AlgorithmKind::DhGroup, "brainpool512"},
    {"modp2048", AlgorithmKind::DhGroup, "modp2048"},
    {"modp3072", AlgorithmKind::DhGroup, "modp3072"},
    {"modp4096", AlgorithmKind::DhGroup, "modp4096"},
    {"modp6144", AlgorithmKind::DhGroup, "modp6144"},
    {"modp8192", AlgorithmKind::DhGroup, "modp8192"},
    {"ecp256", AlgorithmKind::DhGroup, "ecp256"},
    {"ecp384", AlgorithmKind::DhGroup, "ecp384"},
    {"ecp521", AlgorithmKind::DhGroup, "ecp521"},
    {"x25519", AlgorithmKind::DhGroup, "curve25519"},
    {"curve25519", AlgorithmKind::DhGroup, "curve25519"},
    {"x448", AlgorithmKind::DhGroup, "curve448"},
    {"curve448", AlgorithmKind::DhGroup, "curve448"},
};

// Keywords that other implementations know: a refusal says that they are right, only not here. By their beginning.
constexpr std::string_view kForeign[] = {"des",         "blowfish",    "cast128", "camellia", "serpent", "twofish", "sha1_160", "sha256_96",
                                         "sha2_256_96", "prfcamellia", "modp",    "ecp",      "mlkem",   "ntru",    "newhope"};

tl::unexpected<Error> refuse(std::string_view proposal, std::string_view why) {
  return config_error("proposal '" + printable(proposal) + "': " + std::string(why));
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> out;
  while (true) {
    const std::size_t end = text.find(at);
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

bool has(const std::vector<Transform>& transforms, TransformType type) {
  return std::any_of(transforms.begin(), transforms.end(), [type](const Transform& one) { return one.type == type; });
}

const model::Algorithm* find_keyword(std::string_view word) {
  const auto* found = std::find_if(std::begin(kKeywords), std::end(kKeywords), [&](const Keyword& known) { return known.keyword == word; });
  // null as well for one that this version does not negotiate yet
  return found == std::end(kKeywords) ? nullptr : model::find_algorithm(found->kind, found->ours);
}

bool is_foreign(std::string_view word) {
  return std::any_of(std::begin(kForeign), std::end(kForeign), [&](std::string_view known) { return word.starts_with(known); }) ||
         std::any_of(std::begin(kKeywords), std::end(kKeywords), [&](const Keyword& known) { return known.keyword == word; });
}

// "ke1_x25519" to "ke7_none": additional key exchanges (RFC 9370)
bool is_additional(std::string_view word) {
  return word.size() > 4 && word.starts_with("ke") && word[2] >= '1' && word[2] <= '7' && word[3] == '_';
}

Result<Transform> additional(std::string_view proposal, std::string_view word) {
  const unsigned number = static_cast<unsigned>(word[2] - '0');
  const std::string_view method = word.substr(4);
  const auto* alias = std::find_if(std::begin(kKeywords), std::end(kKeywords),
                                   [&](const Keyword& known) { return known.keyword == method && known.kind == AlgorithmKind::DhGroup; });
  const auto transform = model::additional_key_exchange(number, alias == std::end(kKeywords) ? method : alias->ours);
  if (!transform) return refuse(proposal, "'" + printable(word) + "' is not a key exchange");
  if (transform->id != 0 && !crypto::supported(static_cast<wire::KeGroup>(transform->id)))
    return refuse(proposal,
                  "'" + printable(word) + "' is not supported: it needs OpenSSL 3.5 or later, this is " + crypto::provider_version());
  return *transform;
}

Status add_keyword(std::string_view proposal, std::string_view word, std::vector<Transform>& out) {
  if (word == "modpnone") return {};  // no key exchange: what the absence of a group says
  std::optional<Transform> transform;
  if (word == "esn") transform = wire::transform(TransformType::Esn, wire::EsnId::Esn);
  if (word == "noesn") transform = wire::transform(TransformType::Esn, wire::EsnId::None);
  if (const model::Algorithm* known = find_keyword(word)) transform = model::to_transform(*known);
  if (is_additional(word)) {
    const auto more = additional(proposal, word);
    if (!more) return fail(more.error());
    transform = *more;
  }
  if (!transform && is_foreign(word)) return refuse(proposal, "'" + printable(word) + "' is not supported");
  if (!transform) return refuse(proposal, "'" + printable(word) + "' is not an algorithm");
  if (std::find(out.begin(), out.end(), *transform) == out.end()) out.push_back(*transform);
  return {};
}

bool any_aead(const std::vector<Transform>& transforms) { return std::any_of(transforms.begin(), transforms.end(), model::is_aead); }
bool any_plain(const std::vector<Transform>& transforms) {
  return std::any_of(transforms.begin(), transforms.end(),
                     [](const Transform& one) { return one.type == TransformType::Encryption && !model::is_aead(one); });
}

Status complete_ike(std::string_view text, std::vector<Transform>& transforms) {
  for (const Transform& one : transforms) {
    const model::Algorithm* known = model::find_algorithm(one);
    if (known != nullptr && one.type == TransformType::Encryption && !known->for_ike)
      return refuse(text, std::string(known->keyword) + " encrypts nothing: it is for ESP alone");
  }
  std::erase_if(transforms, [](const Transform& one) { return one.type == TransformType::Esn; });
  if (!has(transforms, TransformType::KeyExchange)) return refuse(text, "a key exchange group is missing, such as x25519 or modp2048");
  if (has(transforms, TransformType::Prf)) return {};
  // where no PRF is named, those of the integrity algorithms serve
  std::vector<Transform> prfs;
  for (const Transform& one : transforms) {
    if (one.type != TransformType::Integrity) continue;
    if (const auto prf = model::prf_of_integrity(one.id)) prfs.push_back(wire::transform(TransformType::Prf, *prf));
  }
  if (prfs.empty()) return refuse(text, "a PRF is missing, such as prfsha256");
  transforms.insert(transforms.end(), prfs.begin(), prfs.end());
  return {};
}

void complete_esp(std::vector<Transform>& transforms) {
  std::erase_if(transforms, [](const Transform& one) { return one.type == TransformType::Prf; });
  // RFC 7296 3.3.2: the ESN transform is mandatory
  if (!has(transforms, TransformType::Esn)) transforms.push_back(wire::transform(TransformType::Esn, wire::EsnId::None));
}

Result<std::vector<Transform>> parse_proposal(std::string_view text, ProtocolId protocol) {
  std::vector<Transform> transforms;
  for (const std::string_view word : split(text, '-')) {
    if (const Status added = add_keyword(text, word, transforms); !added) return fail(added.error());
  }
  const bool more = std::any_of(transforms.begin(), transforms.end(), [](const Transform& one) { return is_additional_ke(one.type); });
  if (more && !has(transforms, TransformType::KeyExchange))
    return refuse(text, "ke1_ to ke7_ come beside a key exchange group, such as x25519");
  if (protocol == ProtocolId::Ah) {
    if (has(transforms, TransformType::Encryption)) return refuse(text, "AH has no encryption: expected integrity alone, such as sha256");
    if (!has(transforms, TransformType::Integrity)) return refuse(text, "an integrity algorithm is missing, such as sha256");
    complete_esp(transforms);
    std::stable_sort(transforms.begin(), transforms.end(), [](const Transform& a, const Transform& b) { return a.type < b.type; });
    return transforms;
  }
  if (!has(transforms, TransformType::Encryption)) return refuse(text, "an encryption algorithm is missing, such as aes256");
  if (any_aead(transforms) && any_plain(transforms)) {
    return refuse(text, "an AEAD algorithm cannot stand beside one that is none: write two proposals");
  }
  if (any_plain(transforms) && !has(transforms, TransformType::Integrity)) {
    return refuse(text, "an integrity algorithm is missing, such as sha256");
  }
  if (protocol == ProtocolId::Ike) {
    if (const Status completed = complete_ike(text, transforms); !completed) return fail(completed.error());
  } else {
    complete_esp(transforms);
  }
  // an AEAD needs no integrity algorithm, though it may have lent its PRF
  if (any_aead(transforms)) std::erase_if(transforms, [](const Transform& one) { return one.type == TransformType::Integrity; });
  std::stable_sort(transforms.begin(), transforms.end(), [](const Transform& a, const Transform& b) { return a.type < b.type; });
  return transforms;
}

// What `default` stands for: everything of today's strength that we negotiate, AEAD first.
std::vector<std::string_view> default_proposals(ProtocolId protocol) {
  if (protocol == ProtocolId::Ah) return {"sha256-sha384-sha512"};
  if (protocol == ProtocolId::Esp) {
    return {"aes128gcm16-aes192gcm16-aes256gcm16", "aes128-aes192-aes256-sha256-sha384-sha512"};
  }
  return {"aes128gcm16-aes192gcm16-aes256gcm16-prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-ecp521-modp3072-modp4096-modp2048",
          "aes128-aes192-aes256-sha256-sha384-sha512-x25519-ecp256-ecp384-ecp521-modp3072-modp4096-modp2048"};
}

}  // namespace

Result<std::vector<wire::Proposal>> parse_proposals(const std::vector<std::string>& texts, ProtocolId protocol) {
  std::vector<std::string_view> wanted;
  for (const std::string& text : texts) {
    if (text != "default") {
      wanted.emplace_back(text);
      continue;
    }
    const auto defaults = default_proposals(protocol);
    wanted.insert(wanted.end(), defaults.begin(), defaults.end());
  }
  if (wanted.empty()) wanted = default_proposals(protocol);
  if (wanted.size() > 64) return config_error(std::to_string(wanted.size()) + " proposals, at most 64 are allowed");

  std::vector<wire::Proposal> out;
  for (const std::string_view text : wanted) {
    auto transforms = parse_proposal(text, protocol);
    if (!transforms) return fail(transforms.error());
    wire::Proposal& proposal = out.emplace_back();
    proposal.number = static_cast<std::uint8_t>(out.size());
    proposal.protocol = protocol;
    proposal.transforms = std::move(*transforms);
  }
  return out;
}

}  // namespace svti::control
