// SPDX-License-Identifier: Apache-2.0
#include "kernel/netlink_message.h"

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>

#include "base/secret.h"

namespace svti::kernel {

Status for_each_message(ByteView datagram, const std::function<Status(const MessageView&)>& visit) {
  // libnl's functions want it mutable, but only read.
  auto* header = reinterpret_cast<nlmsghdr*>(const_cast<std::uint8_t*>(datagram.data()));
  int rest = static_cast<int>(datagram.size());
  while (rest > 0) {
    if (!nlmsg_ok(header, rest)) return system_error("netlink: message cut short, " + std::to_string(rest) + " octets left");
    const MessageView message{header->nlmsg_type,
                              header->nlmsg_flags,
                              header->nlmsg_seq,
                              {static_cast<const std::uint8_t*>(nlmsg_data(header)), static_cast<std::size_t>(nlmsg_datalen(header))}};
    if (Status status = visit(message); !status) return status;
    header = nlmsg_next(header, &rest);
  }
  return {};
}

Result<Ack> parse_ack(const MessageView& message) {
  const auto error = read_struct<int>(message.payload, "acknowledgement");
  if (!error) return fail(error.error());
  Ack out;
  out.error = *error <= 0 ? -*error : EPROTO;
  if ((message.flags & NLM_F_ACK_TLVS) == 0) return out;

  std::size_t at = sizeof(int);
  if (message.type == NLMSG_ERROR) {
    const auto answer = read_struct<nlmsgerr>(message.payload, "nlmsgerr");
    if (!answer) return fail(answer.error());
    at = sizeof(nlmsgerr);
    if ((message.flags & NLM_F_CAPPED) == 0 && answer->msg.nlmsg_len > sizeof(nlmsghdr)) at += answer->msg.nlmsg_len - sizeof(nlmsghdr);
  }
  const auto attributes = Attributes::parse(behind(message.payload, at));
  if (!attributes) return out;  // the verdict counts, its explanation is a courtesy
  out.text = attributes->text(NLMSGERR_ATTR_MSG).value_or("");
  return out;
}

std::string to_string(const Ack& ack) {
  const char* name = strerrorname_np(ack.error);
  std::string out = std::string(strerrordesc_np(ack.error) != nullptr ? strerrordesc_np(ack.error) : "unknown error") + " (" +
                    (name != nullptr ? name : std::to_string(ack.error)) + ")";
  if (!ack.text.empty()) out += ": " + ack.text;
  return out;
}

ByteView behind(ByteView payload, std::size_t size) {
  const std::size_t at = NLMSG_ALIGN(size);
  return at < payload.size() ? payload.subspan(at) : ByteView{};
}

Result<Attributes> Attributes::parse(ByteView octets) {
  Attributes out;
  auto* attribute = reinterpret_cast<nlattr*>(const_cast<std::uint8_t*>(octets.data()));
  int rest = static_cast<int>(octets.size());
  while (rest > 0) {
    if (!nla_ok(attribute, rest)) return system_error("netlink: attribute cut short, " + std::to_string(rest) + " octets left");
    out.found_.emplace_back(static_cast<std::uint16_t>(nla_type(attribute)),
                            ByteView{static_cast<const std::uint8_t*>(nla_data(attribute)), static_cast<std::size_t>(nla_len(attribute))});
    attribute = nla_next(attribute, &rest);
  }
  return out;
}

std::optional<ByteView> Attributes::find(std::uint16_t type) const {
  for (auto it = found_.rbegin(); it != found_.rend(); ++it) {
    if (it->first == type) return it->second;
  }
  return std::nullopt;
}

std::optional<std::string> Attributes::text(std::uint16_t type) const {
  const auto octets = find(type);
  if (!octets) return std::nullopt;
  const auto* begin = reinterpret_cast<const char*>(octets->data());
  return std::string(begin, strnlen(begin, octets->size()));
}

void MessageBuilder::Free::operator()(nl_msg* message) const {
  wipe({reinterpret_cast<std::uint8_t*>(nlmsg_hdr(message)), nlmsg_get_max_size(message)});
  nlmsg_free(message);
}

MessageBuilder::MessageBuilder(std::uint16_t type, std::uint16_t flags, std::size_t capacity) : message_(nlmsg_alloc_size(capacity)) {
  if (!message_) throw std::bad_alloc();
  if (nlmsg_put(message_.get(), 0, 0, type, 0, flags) == nullptr) throw std::logic_error("netlink message: capacity too small");
}

void MessageBuilder::append_octets(ByteView octets) {
  if (nlmsg_append(message_.get(), const_cast<std::uint8_t*>(octets.data()), octets.size(), NLMSG_ALIGNTO) < 0) {
    throw std::logic_error("netlink message: capacity too small");
  }
}

void MessageBuilder::attribute(std::uint16_t type, ByteView value) {
  if (nla_put(message_.get(), type, static_cast<int>(value.size()), value.data()) < 0) {
    throw std::logic_error("netlink message: capacity too small");
  }
}

Bytes MessageBuilder::take() const {
  const nlmsghdr* header = nlmsg_hdr(message_.get());
  const auto* begin = reinterpret_cast<const std::uint8_t*>(header);
  Bytes out(begin, begin + header->nlmsg_len);
  out.resize(NLMSG_ALIGN(out.size()));
  return out;
}

void set_sequence(std::span<std::uint8_t> messages, std::uint32_t sequence) {
  for (std::size_t at = 0; at + sizeof(nlmsghdr) <= messages.size();) {
    std::uint32_t length = 0;
    std::memcpy(&length, messages.data() + at + offsetof(nlmsghdr, nlmsg_len), sizeof(length));
    std::memcpy(messages.data() + at + offsetof(nlmsghdr, nlmsg_seq), &sequence, sizeof(sequence));
    at += std::max<std::size_t>(NLMSG_ALIGN(length), sizeof(nlmsghdr));
  }
}

}  // namespace svti::kernel
