// SPDX-License-Identifier: Apache-2.0
// Session resumption (RFC 5723): left is the client, right the gateway.
#include <boost/test/unit_test.hpp>

#include "sa/message_rules.h"
#include "sim/pair.h"
#include "sim/world/scripted_peer.h"

using namespace svti;
using namespace svti::sim;
using model::StartAction;
using sa::Notice;
using wire::ExchangeType;
using wire::NotifyType;
using wire::ProtocolId;

namespace {

const Change kClient = [](model::Vpn& vpn) {
  vpn.ike.session_resumption = true;
  vpn.ike.dpd_delay = seconds(30);
  vpn.ipsec.dpd_action = model::DpdAction::Restart;
};
const Change kGateway = [](model::Vpn& vpn) {
  vpn.ike.session_resumption = true;
  vpn.remote_address.reset();
};

// what went over the network, by exchange and notification
struct Seen {
  explicit Seen(World& world) {
    world.lose = [this](const Node&, const wire::Header& header, const model::Datagram& datagram) {
      const auto message = wire::parse_message(datagram.payload);
      inits += header.exchange == ExchangeType::IkeSaInit && !header.response;
      if (header.exchange == ExchangeType::IkeSessionResume) {
        (header.response ? answers : resumes) += 1;
        if (!header.response) last_resume = datagram;
        nacks += has_notify(message->payloads, NotifyType::TicketNack);
      }
      return also && also(header, datagram);
    };
  }
  std::size_t inits = 0, resumes = 0, answers = 0, nacks = 0;
  model::Datagram last_resume;
  std::function<bool(const wire::Header&, const model::Datagram&)> also;
};

void crash_and_come_back(Pair& pair) {
  pair.right.crash();
  pair.right.restart();
}

// until the client has noticed, and is up again
void recover(Pair& pair) {
  const std::size_t ups = pair.left.count(Notice::Kind::IkeUp);
  BOOST_TEST(pair.world.run_until([&] { return pair.left.count(Notice::Kind::IkeUp) == ups + 1; }, seconds(400)));
  pair.world.run_for(seconds(10));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(resumption)

BOOST_AUTO_TEST_CASE(after_a_crash_of_the_gateway_the_session_goes_on_with_a_ticket_and_no_key_exchange) {
  Pair pair(kClient, kGateway);
  pair.connect();
  Seen seen(pair.world);
  // again and again: each time with the ticket of the time before
  for (std::size_t times = 1; times <= 3; ++times) {
    crash_and_come_back(pair);
    recover(pair);
    pair.check_one_pair();
    BOOST_TEST(seen.inits == 0U);
    BOOST_TEST(seen.resumes == times);
    BOOST_TEST(seen.nacks == 0U);
    BOOST_TEST(pair.left.logged("session resumed"));
    BOOST_TEST(pair.right.logged("the peer resumes its session"));
  }
}

BOOST_AUTO_TEST_CASE(a_gateway_that_still_has_the_old_ike_sa_drops_it) {
  Pair pair(kClient, kGateway);
  pair.connect();
  pair.world.part(pair.left, pair.right);
  BOOST_TEST(pair.world.run_until([&] { return pair.left.count(Notice::Kind::IkeDown) == 1; }, seconds(300)));
  BOOST_TEST(pair.right.ike_sas().size() == 1U);
  pair.world.join();
  Seen seen(pair.world);
  recover(pair);
  pair.check_one_pair();
  BOOST_TEST(seen.inits == 0U);
  BOOST_TEST(pair.right.logged("the peer has resumed it"));
}

BOOST_AUTO_TEST_CASE(after_rekeys_by_either_end_the_ticket_is_of_the_new_ike_sa) {
  for (const bool by_client : {false, true}) {
    Pair pair(kClient, kGateway);
    pair.connect();
    const auto first = pair.left.ike_sas().at(0).initiator_spi;
    BOOST_TEST((by_client ? pair.left.rekey("right") : pair.right.rekey("left")).has_value());
    pair.world.run_for(seconds(25));
    BOOST_TEST(pair.left.ike_sas().at(0).initiator_spi != first);
    pair.world.part(pair.left, pair.right);
    BOOST_TEST(pair.world.run_until([&] { return pair.left.count(Notice::Kind::IkeDown) == 1; }, seconds(300)));
    pair.world.join();
    Seen seen(pair.world);
    recover(pair);
    pair.check_one_pair();
    BOOST_TEST(seen.inits == 0U);
  }
}

BOOST_AUTO_TEST_CASE(whatever_is_lost_and_doubled) {
  for (std::uint64_t seed = 1; seed <= 80; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Pair pair(kClient, kGateway, {}, seed);
      pair.connect();
      crash_and_come_back(pair);
      pair.world.weather = {0.15, 0.3, milliseconds(5), milliseconds(300)};
      pair.world.run_for(seconds(400));
      pair.world.weather = {};
      pair.world.run_for(seconds(300));
      // start-action none: an attempt that failed for good is not made again
      if (pair.left.count(Notice::Kind::IkeFailed) > 0) continue;
      pair.check_one_pair();
    }
  }
}

BOOST_AUTO_TEST_CASE(a_ticket_that_is_not_taken_is_followed_by_the_full_exchange) {
  const Change others[] = {
      kGateway,                                                                    // another secret
      [](model::Vpn& vpn) { kGateway(vpn), vpn.ike.session_resumption = false; },  // no longer configured
      [](model::Vpn& vpn) { kGateway(vpn), vpn.name = "elsewhere"; },
      [](model::Vpn& vpn) {
        kGateway(vpn), vpn.ike.proposals = {ike_proposal("aes256-cbc/hmac-sha512/ecp256"), ike_proposal(kCheapIke, 2)};
      },
  };
  std::size_t number = 0;
  for (const Change& change : others) {
    BOOST_TEST_CONTEXT("case " << number) {
      Pair pair(kClient, kGateway);
      pair.connect();
      pair.right.crash();
      pair.right.forgets_secret = number == 0;
      model::Vpn vpn = right_vpn();
      change(vpn);
      pair.right.restart();
      pair.right.apply(configuration({.vpns = {vpn}}));
      Seen seen(pair.world);
      recover(pair);
      pair.check_one_pair();
      BOOST_TEST(seen.resumes == 1U);
      // a proposal more is no reason
      BOOST_TEST(seen.nacks == (number == 3 ? 0U : 1U));
      BOOST_TEST(seen.inits == (number == 3 ? 0U : 1U));
    }
    ++number;
  }
}

BOOST_AUTO_TEST_CASE(an_algorithm_that_is_not_allowed_any_more_is_not_resumed_with) {
  Pair pair(kClient, kGateway);
  pair.connect();
  model::Vpn vpn = right_vpn();
  kGateway(vpn);
  vpn.ike.proposals = {ike_proposal("aes256-cbc/hmac-sha512/ecp256")};
  pair.right.crash();
  pair.right.restart();
  pair.right.apply(configuration({.vpns = {vpn}}));
  Seen seen(pair.world);
  BOOST_TEST(pair.world.run_until([&] { return pair.left.count(Notice::Kind::IkeFailed) == 1; }, seconds(400)));
  BOOST_TEST(seen.nacks == 1U);
  BOOST_TEST(pair.right.core().ike_sas() == 0U);
}

BOOST_AUTO_TEST_CASE(without_it_at_either_end_no_ticket_is_asked_for_or_given) {
  for (const bool client : {false, true}) {
    Pair pair([&](model::Vpn& vpn) { kClient(vpn), vpn.ike.session_resumption = client; },
              [&](model::Vpn& vpn) { kGateway(vpn), vpn.ike.session_resumption = !client; });
    pair.connect();
    BOOST_TEST(pair.right.logged("N(TICKET_REQUEST)") == client);
    BOOST_TEST(pair.left.logged("N(TICKET_NACK)") == client);
    Seen seen(pair.world);
    // nor again with each sign of life
    pair.world.run_for(seconds(100));
    crash_and_come_back(pair);
    recover(pair);
    pair.check_one_pair();
    BOOST_TEST(seen.resumes == 0U);
    BOOST_TEST(seen.inits == 1U);
  }
}

BOOST_AUTO_TEST_CASE(what_was_deleted_on_purpose_is_not_resumed) {
  for (const bool by_client : {false, true}) {
    Pair pair(kClient, kGateway);
    pair.connect();
    BOOST_TEST((by_client ? pair.left.terminate("right") : pair.right.terminate("left")).has_value());
    pair.world.run_for(seconds(20));
    Seen seen(pair.world);
    pair.connect();
    BOOST_TEST(seen.resumes == 0U);
  }
}

BOOST_AUTO_TEST_CASE(tickets_end_with_the_authentication_and_after_a_day) {
  // reauth-time of the gateway, how long the gateway is away, whether it is resumed
  const std::tuple<int, int, bool> cases[] = {{0, 3600, true}, {0, 86300, true}, {0, 86500, false}, {1000, 400, true}, {1000, 1100, false}};
  for (const auto& [reauth, away, resumed] : cases) {
    BOOST_TEST_CONTEXT("reauth-time " << reauth << ", away for " << away) {
      model::GlobalOptions global;
      global.make_before_break = true;
      Pair pair([](model::Vpn& vpn) { kClient(vpn), vpn.ike.rekey_time = seconds(0); },
                [&, seconds_of = reauth](model::Vpn& vpn) {
                  kGateway(vpn), vpn.ike.rekey_time = seconds(0), vpn.ike.reauth_time = seconds(seconds_of);
                },
                global);
      pair.connect();
      pair.right.crash();
      pair.world.run_for(seconds(away));
      pair.right.restart();
      Seen seen(pair.world);
      BOOST_TEST(pair.left.initiate("right").has_value());
      BOOST_TEST(pair.world.run_until([&] { return pair.left.child_sas().size() == 1; }, seconds(200)));
      BOOST_TEST((seen.resumes > 0) == resumed);
      BOOST_TEST((seen.inits == 0) == resumed);
      if (reauth == 0 || !resumed) continue;
      // the authentication is as old as it was
      BOOST_TEST_REQUIRE(pair.left.ike_sas().at(0).reauth.has_value());
      BOOST_TEST(pair.left.ike_sas().at(0).reauth->count() <= reauth - away);
      pair.world.run_for(seconds(reauth - away));
      BOOST_TEST(seen.inits == 1U);
      pair.world.run_for(seconds(20));
      pair.check_one_pair();
    }
  }
}

// a ticket works once, in one life of the gateway
BOOST_AUTO_TEST_CASE(a_ticket_that_was_used_is_not_taken_again_and_one_that_was_stolen_is_good_for_nothing) {
  Pair pair(kClient, kGateway);
  pair.connect();
  Seen seen(pair.world);
  crash_and_come_back(pair);
  // somebody sees the ticket and is faster: it has no keys, and comes to no IKE SA
  model::Datagram stolen;
  seen.also = [&](const wire::Header& header, const model::Datagram& datagram) {
    if (header.exchange != ExchangeType::IkeSessionResume || header.response || !stolen.payload.empty()) return false;
    stolen = {datagram.remote, {address("198.51.100.7"), 500}, datagram.payload};
    return true;
  };
  BOOST_TEST(pair.world.run_until([&] { return !stolen.payload.empty(); }, seconds(400)));
  const auto answers = pair.right.inject(stolen);
  BOOST_TEST_REQUIRE(answers.size() == 1U);
  BOOST_TEST(answers[0].payload.size() <= stolen.payload.size());
  BOOST_TEST(pair.right.ike_sas().empty());
  pair.world.run_for(seconds(60));
  pair.check_one_pair();
  BOOST_TEST(seen.inits == 0U);
  // with other SPIs, so that it is no retransmission
  stolen.payload[0] ^= 1;
  const auto again = pair.right.inject(stolen);
  BOOST_TEST_REQUIRE(again.size() == 1U);
  BOOST_TEST(has_notify(wire::parse_message(again[0].payload)->payloads, NotifyType::TicketNack));
  BOOST_TEST(pair.right.core().ike_sas() == 1U);
}

BOOST_AUTO_TEST_CASE(tickets_that_are_made_up_are_refused_with_no_state_and_fewer_octets) {
  Pair pair(kClient, kGateway);
  pair.connect();
  Seen seen(pair.world);
  crash_and_come_back(pair);
  seen.also = [&](const wire::Header& header, const model::Datagram&) { return header.exchange == ExchangeType::IkeSessionResume; };
  BOOST_TEST(pair.world.run_until([&] { return seen.resumes > 0; }, seconds(400)));
  const auto good = wire::parse_message(seen.last_resume.payload).value();
  const Bytes ticket = sa::find_notify(good.payloads, NotifyType::TicketOpaque)->data;
  const auto send = [&](const std::vector<wire::Payload>& payloads, std::uint64_t spi = 4711) {
    wire::Header header = good.header;
    header.initiator_spi = spi;
    const Bytes message = wire::encode_message(header, payloads);
    const auto answers = pair.right.inject({{address(kRight), 500}, {address("198.51.100.7"), 500}, message});
    for (const auto& answer : answers) BOOST_TEST(answer.payload.size() <= message.size());
    return answers;
  };
  const wire::NoncePayload nonce{Bytes(32, 1)};
  const auto opaque = [](Bytes data) { return wire::NotifyPayload{NotifyType::TicketOpaque, ProtocolId::None, {}, std::move(data)}; };
  std::vector<Bytes> bad = {{}, {1}, Bytes(5, 1), Bytes(64, 1), Bytes(5000, 1)};
  for (std::size_t i = 0; i < ticket.size(); ++i) {
    bad.push_back(ticket);
    bad.back()[i] ^= 1;
  }
  for (std::size_t size = 0; size < ticket.size(); size += 7)
    bad.emplace_back(ticket.begin(), ticket.begin() + static_cast<std::ptrdiff_t>(size));
  for (const Bytes& one : bad) {
    const auto answers = send({nonce, opaque(one)});
    BOOST_TEST_REQUIRE(answers.size() == 1U);
    BOOST_TEST(has_notify(wire::parse_message(answers[0].payload)->payloads, NotifyType::TicketNack));
  }
  BOOST_TEST(send({opaque(ticket)}).empty());                // no nonce
  BOOST_TEST(send({nonce, nonce, opaque(ticket)}).empty());  // two
  BOOST_TEST(send({nonce}).size() == 1U);                    // no ticket
  BOOST_TEST(pair.right.core().ike_sas() == 0U);
  // half-open ones are limited as ever
  for (std::uint64_t spi = 1; spi < 50; ++spi) (void)send({nonce, opaque(ticket)}, spi);
  BOOST_TEST(pair.right.core().ike_sas() <= 10U);
  pair.world.run_for(seconds(31));
  BOOST_TEST(pair.right.core().ike_sas() == 0U);
}

BOOST_AUTO_TEST_CASE(cookies_are_asked_for_and_given) {
  model::GlobalOptions global;
  global.cookie_threshold = model::GlobalOptions::kCookieAlways;
  Pair pair(kClient, kGateway, global);
  pair.connect();
  crash_and_come_back(pair);
  Seen seen(pair.world);
  recover(pair);
  pair.check_one_pair();
  BOOST_TEST(seen.inits == 0U);
  BOOST_TEST(seen.resumes == 2U);
}

BOOST_AUTO_TEST_CASE(the_keys_are_new_and_none_of_the_old_ones_is_used) {
  const Bytes nonce_i(32, 1), nonce_r(32, 2);
  const wire::Proposal choice = ike_proposal(kCheapIke);
  const Secret old(Bytes(32, 3));
  const auto keys = sa::derive_resumed_ike_keys(choice, {nonce_i, nonce_r, 1, 2}, old).value();
  // RFC 5723 5.1, computed by hand
  const auto prf = crypto::Prf::create(wire::PrfId::HmacSha256).value();
  const Secret seed = prf(old.view(), {as_bytes("Resumption"), nonce_i, nonce_r});
  const Bytes spis = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2};
  const Secret stream = prf.plus(seed.view(), concat({nonce_i, nonce_r, spis}), 32);
  BOOST_TEST(equal(keys.sk_d.view(), stream.view()));
  BOOST_TEST(!equal(keys.sk_d.view(), old.view()));
}

BOOST_AUTO_TEST_CASE(a_ticket_is_read_by_who_made_it_for_two_days_of_its_key_and_until_it_expires) {
  SeededEntropy entropy(1);
  seconds wall(86400 * 20000 + 86399);  // the last second of a day
  sa::TicketMint mint, other;
  mint.set_secret(Secret(Bytes(32, 1)), [&] { return wall; });
  other.set_secret(Secret(Bytes(32, 2)), [&] { return wall; });
  sa::TicketContent content;
  content.number = Bytes(16, 9);
  content.expires = wall + seconds(86400);
  content.authenticated = seconds(77);
  content.own_spi = 0x0102030405060708;
  content.vpn = "hq";
  content.session = {identity("a@example.org"), identity("192.0.2.1"), ike_proposal(kCheapIke), Secret(Bytes(32, 5))};
  const Bytes ticket = mint.make(content, entropy);
  const auto read = mint.read(ticket);
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST((read->number == content.number && read->expires == content.expires && read->authenticated == content.authenticated));
  BOOST_TEST((read->own_spi == content.own_spi && read->vpn == content.vpn));
  BOOST_TEST((read->session.local_id == content.session.local_id && read->session.remote_id == content.session.remote_id));
  BOOST_TEST((read->session.choice.transforms == content.session.choice.transforms));
  BOOST_TEST(equal(read->session.sk_d.view(), content.session.sk_d.view()));
  BOOST_TEST(!other.read(ticket).has_value());
  BOOST_TEST((mint.make(content, entropy) != ticket));  // no IV twice
  // nothing of it is readable
  const std::string_view text = as_text(ticket);
  BOOST_TEST(text.find("example.org") == std::string_view::npos);
  wall += seconds(86399);
  BOOST_TEST(mint.read(ticket).has_value());
  wall += seconds(1);
  BOOST_TEST(!mint.read(ticket).has_value());  // expired
  wall -= seconds(2);
  mint.spend(content);
  BOOST_TEST(!mint.read(ticket).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
