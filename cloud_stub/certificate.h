/// \file Certificate: made on the spot by OpenSSL, self-signed or by an authority made the same way.
#pragma once

#include <string>

#include <boost/asio/ssl/context.hpp>

namespace hearth::stub {

struct Certificate {
  std::string certificate_pem;
  std::string key_pem;

  /// `names` as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1". Valid for a day from now, or until yesterday.
  /// Self-signed without an `issuer`.
  static Certificate make(const std::string& names, bool expired = false, const Certificate* issuer = nullptr);
  /// One that others may be issued by.
  static Certificate make_authority();
  boost::asio::ssl::context server_context() const;
};

}  // namespace hearth::stub
