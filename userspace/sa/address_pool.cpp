// SPDX-License-Identifier: Apache-2.0
#include "sa/address_pool.h"

#include <algorithm>

namespace svti::sa {

namespace {

bool names(const std::vector<std::string>& pools, const std::string& pool) {
  return std::find(pools.begin(), pools.end(), pool) != pools.end();
}

std::uint64_t add_up(std::uint64_t one, std::uint64_t other) { return one > UINT64_MAX - other ? UINT64_MAX : one + other; }

}  // namespace

bool AddressPools::Stock::contains(const IpAddress& address) const {
  return std::any_of(pool->ranges.begin(), pool->ranges.end(), [&](const model::AddressRange& range) { return range.contains(address); });
}

AddressPools::Stock* AddressPools::stock_of(const std::string& pool) {
  const auto found = stocks_.find(pool);
  return found == stocks_.end() ? nullptr : &found->second;
}

std::set<std::uint32_t> AddressPools::configure(const Pools& pools) {
  const bool same =
      stocks_.size() == pools.size() && std::equal(pools.begin(), pools.end(), stocks_.begin(), [](const auto& a, const auto& b) {
        return a.first == b.first && (a.second == b.second.pool || *a.second == *b.second.pool);
      });
  if (same) return {};
  stocks_.clear();
  for (const auto& [name, pool] : pools) stocks_[name].pool = pool;
  offline_of_.clear();
  std::set<std::uint32_t> homeless;
  for (auto entry = leases_.begin(); entry != leases_.end();) {
    auto& [address, lease] = *entry;
    Stock* stock = stock_of(lease.pool);
    if (stock == nullptr || !stock->contains(address)) {
      const auto other =
          std::find_if(stocks_.begin(), stocks_.end(), [&wanted = address](const auto& one) { return one.second.contains(wanted); });
      if (other == stocks_.end()) {
        homeless.insert(lease.holders.begin(), lease.holders.end());
        entry = leases_.erase(entry);
        continue;
      }
      lease.pool = other->first;
      stock = &other->second;
    }
    if (lease.holders.empty())
      set_offline(address, lease, lease.order);
    else
      ++stock->online;
    ++entry;
  }
  return homeless;
}

void AddressPools::set_offline(const IpAddress& address, Lease& lease, std::uint64_t order) {
  lease.order = order;
  stock_of(lease.pool)->line(address.family()).offline[order] = address;
  offline_of_[{lease.pool, address.family(), lease.identity, order}] = address;
}

void AddressPools::end_offline(const IpAddress& address, Lease& lease) {
  stock_of(lease.pool)->line(address.family()).offline.erase(lease.order);
  offline_of_.erase({lease.pool, address.family(), lease.identity, lease.order});
}

// The first address that nobody has a lease of. Those before it all have one, which only configure() ends: so the search goes on where it
// left off.
std::optional<IpAddress> AddressPools::unleased(Stock& stock, IpFamily family) const {
  Line& line = stock.line(family);
  for (; line.range < stock.pool->ranges.size(); ++line.range, line.next.reset()) {
    const model::AddressRange& range = stock.pool->ranges[line.range];
    if (range.first.family() != family) continue;
    if (!line.next) line.next = range.first;
    while (leases_.contains(*line.next) && *line.next != range.last) line.next = model::next_address(*line.next);
    if (!leases_.contains(*line.next)) return line.next;
  }
  return std::nullopt;
}

// which address; it is leased to nobody, or its lease is offline
std::optional<IpAddress> AddressPools::choose(const Wish& wish) {
  if (!wish.wanted.is_any() && wish.wanted.family() == wish.family) {
    const auto lease = leases_.find(wish.wanted);
    if (lease == leases_.end()) {
      for (const std::string& name : wish.pools) {
        const Stock* stock = stock_of(name);
        if (stock != nullptr && stock->contains(wish.wanted)) return wish.wanted;
      }
    } else if (lease->second.holders.empty() && names(wish.pools, lease->second.pool)) {
      const model::Identity& owner = lease->second.identity;
      if (owner.data.empty() || owner == wish.identity) return wish.wanted;
    }
  }
  for (const std::string& name : wish.pools) {
    const auto behind = offline_of_.upper_bound({name, wish.family, wish.identity, UINT64_MAX});
    if (behind == offline_of_.begin()) continue;
    const auto& [pool, family, identity, order] = std::prev(behind)->first;
    if (pool == name && family == wish.family && identity == wish.identity) return std::prev(behind)->second;
  }
  for (const std::string& name : wish.pools) {
    Stock* stock = stock_of(name);
    if (stock == nullptr || stock->line(wish.family).offline.size() >= kMaxOffline) continue;
    if (auto fresh = unleased(*stock, wish.family)) return fresh;
  }
  for (const std::string& name : wish.pools) {
    Stock* stock = stock_of(name);
    if (stock == nullptr || stock->line(wish.family).offline.empty()) continue;
    return stock->line(wish.family).offline.begin()->second;
  }
  return std::nullopt;
}

void AddressPools::take(const IpAddress& address, const std::string& pool, const Wish& wish) {
  const auto [entry, fresh] = leases_.try_emplace(address);
  Lease& lease = entry->second;
  if (fresh) {
    lease.pool = pool;
  } else {
    end_offline(address, lease);
  }
  lease.identity = wish.identity;
  lease.holders = {wish.holder};
  ++stock_of(lease.pool)->online;
}

std::optional<AddressPools::Grant> AddressPools::assign(const Wish& wish) {
  const auto shareable = [&](const IpAddress& address) {
    const auto lease = leases_.find(address);
    return address.family() == wish.family && lease != leases_.end() && !lease->second.holders.empty() &&
           lease->second.identity == wish.identity && names(wish.pools, lease->second.pool);
  };
  std::optional<IpAddress> shared;
  for (const IpAddress& address : wish.shared) {
    if (shareable(address) && (!shared || address == wish.wanted)) shared = address;
  }
  if (shared) {
    hold(*shared, wish.holder);
    return Grant{*shared, stock_of(leases_.at(*shared).pool)->pool};
  }
  const auto address = choose(wish);
  if (!address) return std::nullopt;
  const auto pool = std::find_if(wish.pools.begin(), wish.pools.end(), [&](const std::string& name) {
    const Stock* stock = stock_of(name);
    return stock != nullptr && stock->contains(*address);
  });
  take(*address, *pool, wish);
  return Grant{*address, stock_of(leases_.at(*address).pool)->pool};
}

bool AddressPools::claim(const IpAddress& address, const model::Identity& identity, std::uint32_t holder) {
  const auto home = std::find_if(stocks_.begin(), stocks_.end(), [&](const auto& one) { return one.second.contains(address); });
  auto& among = home == stocks_.end() ? outside_ : leases_;
  const auto entry = among.find(address);
  if (entry != among.end() && !entry->second.holders.empty()) {
    if (!(entry->second.identity == identity)) return false;
    entry->second.holders.insert(holder);
    return true;
  }
  if (home != stocks_.end()) {
    take(address, home->first, {identity, {}, address.family(), address, {}, holder});
  } else {
    outside_[address] = {{}, identity, {holder}, 0};
  }
  return true;
}

void AddressPools::hold(const IpAddress& address, std::uint32_t holder) {
  if (const auto claimed = outside_.find(address); claimed != outside_.end()) claimed->second.holders.insert(holder);
  const auto lease = leases_.find(address);
  if (lease != leases_.end() && !lease->second.holders.empty()) lease->second.holders.insert(holder);
}

void AddressPools::release(const IpAddress& address, std::uint32_t holder) {
  if (const auto claimed = outside_.find(address); claimed != outside_.end()) {
    if (claimed->second.holders.erase(holder) > 0 && claimed->second.holders.empty()) outside_.erase(claimed);
  }
  const auto entry = leases_.find(address);
  if (entry == leases_.end()) return;
  Lease& lease = entry->second;
  if (lease.holders.erase(holder) == 0 || !lease.holders.empty()) return;
  --stock_of(lease.pool)->online;
  set_offline(address, lease, next_order_++);
}

void AddressPools::reserve(const IpAddress& address) {
  if (leases_.contains(address)) return;
  for (const auto& [name, stock] : stocks_) {
    if (!stock.contains(address)) continue;
    Lease& lease = leases_[address];
    lease.pool = name;
    return set_offline(address, lease, next_reserved_order_++);
  }
}

std::set<std::uint32_t> AddressPools::holders(const IpAddress& address, const model::Identity& identity) const {
  const auto lease = leases_.find(address);
  return lease == leases_.end() || !(lease->second.identity == identity) ? std::set<std::uint32_t>{} : lease->second.holders;
}

bool AddressPools::online(std::string_view pool) const {
  const auto found = stocks_.find(pool);
  return found != stocks_.end() && found->second.online > 0;
}

std::vector<model::PoolState> AddressPools::state(bool with_leases) const {
  std::map<std::string_view, model::PoolState> by_name;
  for (const auto& [name, stock] : stocks_) {
    model::PoolState& out = by_name[name];
    out.name = name;
    if (!stock.pool->ranges.empty()) out.base = stock.pool->ranges.front().first;
    for (const model::AddressRange& range : stock.pool->ranges) out.size = add_up(out.size, model::size_of(range));
    out.online = stock.online;
    out.offline = stock.v4.offline.size() + stock.v6.offline.size();
  }
  if (with_leases) {
    for (const auto& [address, lease] : leases_) {
      const std::string identity = lease.identity.data.empty() ? std::string() : lease.identity.to_string();
      by_name.at(lease.pool).leases.push_back({address, identity, !lease.holders.empty()});
    }
  }
  std::vector<model::PoolState> out;
  for (auto& [name, state] : by_name) out.push_back(std::move(state));
  return out;
}

}  // namespace svti::sa
