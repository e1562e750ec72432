// SPDX-License-Identifier: Apache-2.0
// Who has which virtual address (the guide's "Virtual IP pools"). Leases belong to identities: whoever comes back gets what it had, as
// long as nobody else needs it. Each step costs the logarithm of the number of leases.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "model/config.h"

namespace svti::sa {

// One lease per address, over all pools. An IKE SA that has one is a holder, by its unique id: more than one during a rekey or a
// reauthentication. Without holders the lease is offline: kept for its identity, and given to another one when its pool runs dry, the
// oldest first.
class AddressPools {
 public:
  using Pools = std::map<std::string, std::shared_ptr<const model::Pool>, std::less<>>;
  // So many leases of one pool and family are kept for who is gone before newcomers get the oldest of them instead of a fresh address.
  static constexpr std::size_t kMaxOffline = 65536;

  // Takes pools in place of those before. Leases whose address is still in one of them stay. Returns the holders of the others.
  std::set<std::uint32_t> configure(const Pools& pools);

  struct Wish {
    const model::Identity& identity;
    const std::vector<std::string>& pools;  // in order of preference; names without a pool are passed over
    IpFamily family{};
    IpAddress wanted{};                  // any: whichever there is
    std::vector<IpAddress> shared = {};  // of IKE SAs that this one stands in for: it may hold them as well
    std::uint32_t holder = 0;
  };
  struct Grant {
    IpAddress address;
    std::shared_ptr<const model::Pool> pool;
  };
  // none: the pools have nothing left of that family
  std::optional<Grant> assign(const Wish& wish);
  // This very address, on which somebody else has decided; it may be in no pool. False: another identity holds it.
  bool claim(const IpAddress& address, const model::Identity& identity, std::uint32_t holder);
  // one more holder of a lease that has one
  void hold(const IpAddress& address, std::uint32_t holder);
  // Nothing happens when it is not held.
  void release(const IpAddress& address, std::uint32_t holder);
  // A peer that is not known by name may still use this address, since a former life of the daemon: it goes to whoever asks for the very
  // address, or else last of all. No effect where it is leased, or in no pool.
  void reserve(const IpAddress& address);

  // the holders of a lease of this identity; empty: there is no such lease, or it is offline
  std::set<std::uint32_t> holders(const IpAddress& address, const model::Identity& identity) const;
  bool online(std::string_view pool) const;
  std::vector<model::PoolState> state(bool with_leases) const;

 private:
  struct Lease {
    std::string pool;
    model::Identity identity;  // of no data: not known
    std::set<std::uint32_t> holders;
    std::uint64_t order = 0;  // of going offline
  };
  // the addresses of one family in a pool
  struct Line {
    std::size_t range = 0;          // all addresses of the ranges before, and
    std::optional<IpAddress> next;  // those of this range before `next`, are leased
    std::map<std::uint64_t, IpAddress> offline;
  };
  struct Stock {
    std::shared_ptr<const model::Pool> pool;
    Line v4, v6;
    std::uint64_t online = 0;

    Line& line(IpFamily family) { return family == IpFamily::V4 ? v4 : v6; }
    bool contains(const IpAddress& address) const;
  };
  using OfIdentity = std::tuple<std::string, IpFamily, model::Identity, std::uint64_t>;

  std::optional<IpAddress> unleased(Stock& stock, IpFamily family) const;
  std::optional<IpAddress> choose(const Wish& wish);
  Stock* stock_of(const std::string& pool);
  void take(const IpAddress& address, const std::string& pool, const Wish& wish);
  void set_offline(const IpAddress& address, Lease& lease, std::uint64_t order);
  void end_offline(const IpAddress& address, Lease& lease);

  std::map<std::string, Stock, std::less<>> stocks_;
  std::map<IpAddress, Lease> leases_;
  std::map<IpAddress, Lease> outside_;  // claimed, in no pool; gone without holders
  std::map<OfIdentity, IpAddress> offline_of_;
  std::uint64_t next_order_ = 1;
  std::uint64_t next_reserved_order_ = std::uint64_t{1} << 63;
};

}  // namespace svti::sa
