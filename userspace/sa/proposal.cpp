// SPDX-License-Identifier: Apache-2.0
#include "sa/proposal.h"

#include <algorithm>
#include <array>

#include "model/algorithm.h"

namespace svti::sa {

using wire::Proposal;
using wire::Transform;
using wire::TransformType;

namespace {

constexpr std::array kTypes = {TransformType::Encryption,    TransformType::Prf,           TransformType::Integrity,
                               TransformType::KeyExchange,   TransformType::AdditionalKe1, TransformType::AdditionalKe2,
                               TransformType::AdditionalKe3, TransformType::AdditionalKe4, TransformType::AdditionalKe5,
                               TransformType::AdditionalKe6, TransformType::AdditionalKe7, TransformType::Esn};

bool is_key_exchange(TransformType type) { return type == TransformType::KeyExchange || is_additional_ke(type); }

// NONE integrity stands for its absence with an AEAD, NONE key exchange for no PFS (RFC 7296 3.3.3)
bool means_absent(const Transform& transform) {
  return transform.id == 0 && (transform.type == TransformType::Integrity || is_key_exchange(transform.type));
}

std::vector<Transform> of_type(const Proposal& proposal, TransformType type) {
  std::vector<Transform> out;
  std::copy_if(proposal.transforms.begin(), proposal.transforms.end(), std::back_inserter(out), [&](const Transform& transform) {
    return transform.type == type && !transform.unknown_attribute && !means_absent(transform);
  });
  return out;
}

bool allows_absence(const Proposal& proposal, TransformType type) {
  bool present = false;
  for (const Transform& transform : proposal.transforms) {
    if (transform.type != type) continue;
    if (means_absent(transform)) return true;
    present = true;
  }
  return !present;
}

bool knows_types(const Proposal& proposal) {
  return std::all_of(proposal.transforms.begin(), proposal.transforms.end(),
                     [](const Transform& transform) { return std::find(kTypes.begin(), kTypes.end(), transform.type) != kTypes.end(); });
}

// nullopt: no transform of this type in common; else the one chosen, or none when both do without
struct TypeMatch {
  bool fits = false;
  std::optional<Transform> chosen;
};

// `taken`: what was chosen of the types before
TypeMatch match_type(const Proposal& ours, const Proposal& theirs, TransformType type, const std::vector<Transform>& taken) {
  const auto mine = of_type(ours, type);
  const auto yours = of_type(theirs, type);
  for (const Transform& transform : mine) {
    // RFC 9370 2.2.1: the same method is not used twice
    const bool used = is_additional_ke(type) && std::any_of(taken.begin(), taken.end(), [&](const Transform& one) {
                        return is_key_exchange(one.type) && one.id == transform.id;
                      });
    if (used) continue;
    if (std::find(yours.begin(), yours.end(), transform) != yours.end()) return {true, transform};
  }
  // A peer that names no ESN transform for ESP means the 32-bit numbers (RFC 7296 3.3.3 demands it; some leave it out).
  if (type == TransformType::Esn && yours.empty()) {
    const Transform none = wire::transform(TransformType::Esn, wire::EsnId::None);
    if (std::find(mine.begin(), mine.end(), none) != mine.end()) return {true, none};
  }
  return {allows_absence(ours, type) && allows_absence(theirs, type), std::nullopt};
}

// how many types fit before the first that does not; kTypes.size() when all do
std::size_t matching_types(const Proposal& ours, const Proposal& theirs, KeyExchangeUse ke, Proposal* choice) {
  std::vector<Transform> taken;
  for (std::size_t i = 0; i < kTypes.size(); ++i) {
    if (is_key_exchange(kTypes[i]) && ke == KeyExchangeUse::Ignore) continue;
    const TypeMatch match = match_type(ours, theirs, kTypes[i], taken);
    if (!match.fits) return i;
    if (match.chosen) taken.push_back(*match.chosen);
  }
  if (choice != nullptr) choice->transforms = std::move(taken);
  return kTypes.size();
}

}  // namespace

std::string_view name_of(TransformType type) {
  switch (type) {
    case TransformType::Encryption:
      return "encryption algorithm";
    case TransformType::Prf:
      return "pseudo-random function";
    case TransformType::Integrity:
      return "integrity algorithm";
    case TransformType::KeyExchange:
      return "key exchange group";
    case TransformType::Esn:
      return "extended sequence number setting";
    default:
      break;
  }
  return is_additional_ke(type) ? "additional key exchange" : "transform type";
}

std::optional<Proposal> choose_proposal(const std::vector<Proposal>& ours, const std::vector<Proposal>& theirs, KeyExchangeUse ke) {
  for (const Proposal& mine : ours) {
    for (const Proposal& yours : theirs) {
      // RFC 7296 3.3.6: a proposal with a transform type that is not understood is refused
      if (mine.protocol != yours.protocol || !knows_types(yours)) continue;
      Proposal choice{yours.number, yours.protocol, {}, {}};
      if (matching_types(mine, yours, ke, &choice) == kTypes.size()) return choice;
    }
  }
  return std::nullopt;
}

std::optional<Proposal> accept_choice(const std::vector<Proposal>& offered, const Proposal& answer, KeyExchangeUse ke) {
  const auto mine = std::find_if(offered.begin(), offered.end(), [&](const Proposal& one) { return one.number == answer.number; });
  if (mine == offered.end() || mine->protocol != answer.protocol || !knows_types(answer)) return std::nullopt;
  for (const TransformType type : kTypes) {
    if (of_type(answer, type).size() > 1) return std::nullopt;
  }
  Proposal choice{answer.number, answer.protocol, answer.spi, {}};
  if (matching_types(*mine, answer, ke, &choice) != kTypes.size()) return std::nullopt;
  return choice;
}

const Transform* find_transform(const Proposal& choice, TransformType type) {
  const auto found =
      std::find_if(choice.transforms.begin(), choice.transforms.end(), [&](const Transform& transform) { return transform.type == type; });
  return found == choice.transforms.end() ? nullptr : &*found;
}

bool offers_group(const std::vector<Proposal>& proposals, wire::KeGroup group) {
  return std::any_of(proposals.begin(), proposals.end(), [&](const Proposal& proposal) {
    const auto groups = of_type(proposal, TransformType::KeyExchange);
    return std::any_of(groups.begin(), groups.end(), [&](const Transform& one) { return one.id == static_cast<std::uint16_t>(group); });
  });
}

wire::KeGroup first_group(const std::vector<Proposal>& proposals) {
  for (const Proposal& proposal : proposals) {
    const auto groups = of_type(proposal, TransformType::KeyExchange);
    if (!groups.empty()) return static_cast<wire::KeGroup>(groups.front().id);
  }
  return wire::KeGroup::None;
}

std::vector<Proposal> without_key_exchange(std::vector<Proposal> proposals) {
  for (Proposal& proposal : proposals) {
    std::erase_if(proposal.transforms, [](const Transform& transform) { return is_key_exchange(transform.type); });
  }
  return proposals;
}

std::vector<wire::KeGroup> additional_groups(const Proposal& choice) {
  std::vector<wire::KeGroup> out;
  for (unsigned number = 1; number <= wire::kMaxAdditionalKe; ++number) {
    const Transform* transform = find_transform(choice, wire::additional_ke(number));
    if (transform != nullptr && transform->id != 0) out.push_back(static_cast<wire::KeGroup>(transform->id));
  }
  return out;
}

bool offers_additional_groups(const std::vector<Proposal>& proposals) {
  return std::any_of(proposals.begin(), proposals.end(), [](const Proposal& proposal) {
    return std::any_of(proposal.transforms.begin(), proposal.transforms.end(),
                       [](const Transform& one) { return is_additional_ke(one.type) && one.id != 0; });
  });
}

std::vector<Proposal> without_additional_groups(std::vector<Proposal> proposals) {
  std::erase_if(proposals, [](const Proposal& proposal) {
    for (unsigned number = 1; number <= wire::kMaxAdditionalKe; ++number) {
      if (!allows_absence(proposal, wire::additional_ke(number))) return true;
    }
    return false;
  });
  for (Proposal& proposal : proposals)
    std::erase_if(proposal.transforms, [](const Transform& transform) { return is_additional_ke(transform.type); });
  return proposals;
}

std::string to_string(const Proposal& proposal) {
  std::string out;
  for (const TransformType type : kTypes) {
    const auto transforms = of_type(proposal, type);
    // the 32-bit sequence numbers are what everybody has: naming them would be noise
    if (transforms.empty() || (type == TransformType::Esn && transforms.size() == 1 && transforms[0].id == 0)) continue;
    if (!out.empty()) out += '/';
    if (is_additional_ke(type)) out += "ke" + std::to_string(number_of_additional_ke(type)) + "_";
    for (std::size_t i = 0; i < transforms.size(); ++i) out += (i == 0 ? "" : ",") + model::name_of(transforms[i]);
  }
  return out.empty() ? "nothing" : out;
}

std::string to_string(const std::vector<Proposal>& proposals) {
  static constexpr std::size_t kShown = 8;
  std::string out;
  for (std::size_t i = 0; i < proposals.size() && i < kShown; ++i) out += (i == 0 ? "" : " or ") + to_string(proposals[i]);
  if (proposals.size() > kShown) out += " or " + std::to_string(proposals.size() - kShown) + " more";
  return out.empty() ? "nothing" : out;
}

std::vector<TypeComparison> compare_proposals(const Proposal& ours, const Proposal& theirs, KeyExchangeUse ke) {
  std::vector<TypeComparison> out;
  std::vector<Transform> taken;
  for (const TransformType type : kTypes) {
    if (is_key_exchange(type) && ke == KeyExchangeUse::Ignore) continue;
    const TypeMatch match = match_type(ours, theirs, type, taken);
    if (match.chosen) taken.push_back(*match.chosen);
    TypeComparison one{type, of_type(ours, type), {}, match.fits};
    // what cannot be chosen is shown too: it is why nothing was
    std::copy_if(theirs.transforms.begin(), theirs.transforms.end(), std::back_inserter(one.theirs),
                 [&](const Transform& transform) { return transform.type == type && !means_absent(transform); });
    if (!one.ours.empty() || !one.theirs.empty()) out.push_back(std::move(one));
  }
  if (knows_types(theirs)) return out;
  TypeComparison unknown;
  for (const Transform& transform : theirs.transforms) {
    if (std::find(kTypes.begin(), kTypes.end(), transform.type) == kTypes.end()) unknown.theirs.push_back(transform);
  }
  unknown.type = unknown.theirs.front().type;
  out.push_back(std::move(unknown));
  return out;
}

std::string explain_mismatch(const std::vector<Proposal>& ours, const std::vector<Proposal>& theirs, KeyExchangeUse ke) {
  std::string out = "ours: " + to_string(ours) + "; theirs: " + to_string(theirs);
  std::optional<std::size_t> most;
  for (const Proposal& mine : ours) {
    for (const Proposal& yours : theirs) {
      if (mine.protocol != yours.protocol) continue;
      most = std::max(most.value_or(0), matching_types(mine, yours, ke, nullptr));
    }
  }
  if (!most || *most == kTypes.size()) return out;
  return out + "; the closest pair has no " + std::string(name_of(kTypes[*most])) + " in common";
}

}  // namespace svti::sa
