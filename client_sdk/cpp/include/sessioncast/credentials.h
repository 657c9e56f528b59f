// What a client shows to control: TLS, a certificate, a token.
#pragma once

#include <string>

namespace sessioncast {

// Files, which may be replaced while they are used: those of TLS are looked at once a second, for
// the next connection; the token before a call, when that was not done for two. A call that outlasts
// its token goes on with the next one, if the file has it 2 s before.
struct Credentials {
  // In PEM: one of these must have signed control's certificate. Empty: plaintext, and no
  // certificate.
  std::string ca_file = {};
  // In PEM: the client's own certificate, and its key. Both or none.
  std::string cert_file = {};
  std::string key_file = {};
  // A token, as `sessioncast token` prints it. In plaintext whoever listens on the network can read
  // it.
  std::string token_file = {};
};

}  // namespace sessioncast
