// SPDX-License-Identifier: Apache-2.0
#include "sa/keys.h"

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

Result<crypto::Prf> prf_of(const wire::Proposal& choice) {
  const wire::Transform* prf = find_transform(choice, TransformType::Prf);
  if (prf == nullptr) return config_error("the chosen proposal has no pseudo-random function");
  return crypto::Prf::create(static_cast<wire::PrfId>(prf->id));
}

}  // namespace

Result<IkeKeys> derive_ike_keys(const wire::Proposal& choice, const KeySeed& seed, const Secret& shared_secret, const KeySink& told) {
  const auto prf = prf_of(choice);
  if (!prf) return fail(prf.error());
  const Secret skeyseed = (*prf)(concat({seed.nonce_i, seed.nonce_r}), {shared_secret.view()});
  return expand(choice, seed, *prf, skeyseed, told);
}

Result<IkeKeys> derive_rekeyed_ike_keys(const wire::Proposal& choice, const KeySeed& seed, const Secret& shared_secret, const IkeKeys& old,
                                        const KeySink& told) {
  const auto prf = prf_of(choice);
  if (!prf) return fail(prf.error());
  const Secret skeyseed = old.prf(old.sk_d.view(), {shared_secret.view(), seed.nonce_i, seed.nonce_r});
  return expand(choice, seed, *prf, skeyseed, told);
}

Result<ChildKeys> derive_child_keys(const wire::Proposal& choice, const IkeKeys& ike, ByteView nonce_i, ByteView nonce_r,
                                    const Secret& shared_secret) {
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
  Secret seed(shared_secret.size() + nonce_i.size() + nonce_r.size());
  std::size_t at = 0;
  for (const ByteView part : {shared_secret.view(), nonce_i, nonce_r}) {
    std::copy(part.begin(), part.end(), seed.mutable_view().begin() + static_cast<std::ptrdiff_t>(at));
    at += part.size();
  }
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
