// SPDX-License-Identifier: Apache-2.0
#include "sa/keys.h"

#include <algorithm>
#include <vector>

#include "model/algorithm.h"
#include "sa/proposal.h"

namespace svti::sa {

using wire::TransformType;

namespace {

Bytes spi_bytes(wire::IkeSpi spi) {
  Writer out;
  out.u64(spi);
  return std::move(out).take();
}

// cuts key material off the front of a prf+ stream
class Cutter {
 public:
  explicit Cutter(const Secret& stream) : stream_(stream) {}
  Secret take(std::size_t size) {
    Secret out = stream_.slice(at_, size);
    at_ += size;
    return out;
  }

 private:
  const Secret& stream_;
  std::size_t at_ = 0;
};

Result<IkeKeys> expand(const wire::Proposal& choice, const KeySeed& seed, const crypto::Prf& prf, const Secret& skeyseed,
                       const KeySink& told) {
  const wire::Transform* encryption = find_transform(choice, TransformType::Encryption);
  const wire::Transform* integrity = find_transform(choice, TransformType::Integrity);
  if (encryption == nullptr) return config_error("the chosen proposal has no encryption algorithm");
  const auto integrity_id = integrity == nullptr ? wire::IntegrityId::None : static_cast<wire::IntegrityId>(integrity->id);
  const auto sizes = crypto::sk_key_sizes(*encryption, integrity_id);
  if (!sizes) return fail(sizes.error());

  const std::size_t prf_size = prf.output_size();
  const std::size_t total = 3 * prf_size + 2 * (sizes->encryption + sizes->integrity);
  const Bytes label = concat({seed.nonce_i, seed.nonce_r, spi_bytes(seed.spi_i), spi_bytes(seed.spi_r)});
  const Secret stream = prf.plus(skeyseed.view(), label, total);

  // RFC 7296 2.14: SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr
  Cutter cutter(stream);
  Secret sk_d = cutter.take(prf_size);
  const Secret sk_ai = cutter.take(sizes->integrity);
  const Secret sk_ar = cutter.take(sizes->integrity);
  const Secret sk_ei = cutter.take(sizes->encryption);
  const Secret sk_er = cutter.take(sizes->encryption);
  Secret sk_pi = cutter.take(prf_size);
  Secret sk_pr = cutter.take(prf_size);

  auto to_responder = crypto::SkCipher::create(*encryption, integrity_id, sk_ei, sk_ai);
  if (!to_responder) return fail(to_responder.error());
  auto to_initiator = crypto::SkCipher::create(*encryption, integrity_id, sk_er, sk_ar);
  if (!to_initiator) return fail(to_initiator.error());
  if (told) told({seed.spi_i, seed.spi_r, choice, sk_ei.view(), sk_er.view(), sk_ai.view(), sk_ar.view()});
  return IkeKeys{prf, std::move(sk_d), std::move(sk_pi), std::move(sk_pr), std::move(*to_responder), std::move(*to_initiator)};
}

Secret joined(std::initializer_list<ByteView> parts, std::span<const Secret> more) {
  std::vector<ByteView> all(parts);
  for (const Secret& one : more) all.push_back(one.view());
  std::size_t size = 0;
  for (const ByteView part : all) size += part.size();
  Secret out(size);
  auto at = out.mutable_view().begin();
  for (const ByteView part : all) at = std::copy(part.begin(), part.end(), at);
  return out;
}

Result<crypto::Prf> prf_of(const wire::Proposal& choice) {
  const wire::Transform* prf = find_transform(choice, TransformType::Prf);
  if (prf == nullptr) return config_error("the chosen proposal has no pseudo-random function");
  return crypto::Prf::create(static_cast<wire::PrfId>(prf->id));
}

}  // namespace

Result<IkeKeys> derive_ike_keys(const wire::Proposal& choice, const KeySeed& seed, const Secret& shared_secret, const KeySink& told) {
  const auto prf = prf_of(choice);
  if (!prf) return fail(prf.error());
  const Secret skeyseed = (*prf)(prf->skeyseed_key(seed.nonce_i, seed.nonce_r), {shared_secret.view()});
  return expand(choice, seed, *prf, skeyseed, told);
}

Result<IkeKeys> derive_rekeyed_ike_keys(const wire::Proposal& choice, const KeySeed& seed, const Secret& shared_secret, const IkeKeys& old,
                                        std::span<const Secret> additional, const KeySink& told) {
  const auto prf = prf_of(choice);
  if (!prf) return fail(prf.error());
  const Secret seeds = joined({shared_secret.view(), seed.nonce_i, seed.nonce_r}, additional);
  const Secret skeyseed = old.prf(old.sk_d.view(), {seeds.view()});
  return expand(choice, seed, *prf, skeyseed, told);
}

IkeSecrets mix_ppk(IkeKeys& keys, const Secret& ppk) {
  IkeSecrets before;
  for (const auto& [was, now] :
       {std::pair{&before.sk_d, &keys.sk_d}, std::pair{&before.sk_pi, &keys.sk_pi}, std::pair{&before.sk_pr, &keys.sk_pr}}) {
    *was = std::move(*now);
    *now = keys.prf.plus(ppk.view(), was->view(), was->size());
  }
  return before;
}

Result<IkeKeys> derive_resumed_ike_keys(const wire::Proposal& choice, const KeySeed& seed, const Secret& sk_d, const KeySink& told) {
  const auto prf = prf_of(choice);
  if (!prf) return fail(prf.error());
  const Secret skeyseed = (*prf)(sk_d.view(), {as_bytes("Resumption"), seed.nonce_i, seed.nonce_r});
  return expand(choice, seed, *prf, skeyseed, told);
}

Result<ChildKeys> derive_child_keys(const wire::Proposal& choice, const IkeKeys& ike, ByteView nonce_i, ByteView nonce_r,
                                    const Secret& shared_secret, std::span<const Secret> additional) {
  std::size_t encryption_size = 0;
  std::size_t integrity_size = 0;
  for (const auto& [type, size] :
       {std::pair{TransformType::Encryption, &encryption_size}, std::pair{TransformType::Integrity, &integrity_size}}) {
    const wire::Transform* transform = find_transform(choice, type);
    if (transform == nullptr) continue;
    const model::Algorithm* algorithm = model::find_algorithm(*transform);
    if (algorithm == nullptr) return config_error("no key size is known for " + model::name_of(*transform));
    *size = algorithm->key_octets;
  }
  const Secret seed = joined({shared_secret.view(), nonce_i, nonce_r}, additional);
  const Secret keymat = ike.prf.plus(ike.sk_d.view(), seed.view(), 2 * (encryption_size + integrity_size));
  Cutter cutter(keymat);
  ChildKeys out;
  out.encryption_i = cutter.take(encryption_size);
  out.integrity_i = cutter.take(integrity_size);
  out.encryption_r = cutter.take(encryption_size);
  out.integrity_r = cutter.take(integrity_size);
  return out;
}

}  // namespace svti::sa
