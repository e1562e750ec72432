// SPDX-License-Identifier: Apache-2.0
// What processor time the configuration takes as it grows: 1,000 and 10,000 VPNs with a pre-shared key each, read whole, then changed by
// one leaf.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "config/document.h"

namespace {

using svti::config::Document;

std::string text_of(int vpns) {
  std::string out =
      "ike-policy-template i ike-proposal 1 enc-alg aes128-cbc auth-alg hmac-sha256 dh-group ecp256\n"
      "ipsec-policy-template p esp-proposal 1 aead-alg aes128-gcm-128\n";
  for (int i = 0; i < vpns; ++i) {
    const std::string n = std::to_string(i);
    const std::string net = std::to_string(i / 250) + "." + std::to_string(i % 250);
    out += "pre-shared-key key" + n + "\n    id gw" + n + ".example\n    secret secret-number-" + n + "\n    ..\n";
    out += "vpn vpn" + n + "\n    ike-policy template i\n    ipsec-policy template p\n    local-address 192.0.2.1\n    remote-address 10." +
           net + ".1\n    local-id hub.example\n    remote-id gw" + n +
           ".example\n    security-policy s\n        local-ts subnet 172.16.0.0/16\n"
           "        remote-ts subnet 172." +
           net + ".0/24\n        ..\n    ..\n";
  }
  return out;
}

// processor time: what else the machine does must not count
class Step {
 public:
  explicit Step(const char* name) : name_(name), begun_(std::clock()) {}
  ~Step() { std::printf("  %-28s %8.1f ms\n", name_, 1e3 * static_cast<double>(std::clock() - begun_) / CLOCKS_PER_SEC); }

 private:
  const char* name_;
  std::clock_t begun_;
};

Document need(tl::expected<Document, svti::config::Diagnostics> made) {
  if (made) return *made;
  std::fprintf(stderr, "%s\n", made.error().front().to_string().c_str());
  std::exit(1);
}

void measure(int vpns) {
  const std::string text = text_of(vpns);
  std::printf("%d VPNs, %zu octets\n", vpns, text.size());
  Document loaded;
  {
    const Step step("parse, validate, resolve");
    loaded = need(Document::parse(text, "bench"));
  }
  {
    const Step step("the same again");
    const Document again = need(Document::parse(text, "bench", &loaded));
    if (!loaded.diff(again).empty()) std::exit(1);
  }
  {
    const Step step("one leaf: edit, diff, resolve");
    const Document changed = need(loaded.edited({{false, "vpn vpn7 ike-policy rekey-time 3h"}}));
    if (loaded.diff(changed).size() != 1 || !changed.resolved()) std::exit(1);
  }
  const Step step("print");
  if (loaded.print({}).value().empty()) std::exit(1);
}

}  // namespace

int main() {
  for (const int vpns : {1000, 10000}) measure(vpns);
}
