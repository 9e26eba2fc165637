/// \file Certificate: a self-signed one, made on the spot by OpenSSL.
#pragma once

#include <string>

#include <boost/asio/ssl/context.hpp>

namespace hearth::test {

struct Certificate {
  std::string certificate_pem;
  std::string key_pem;

  /// `names` as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1". Valid for a day from now, or until yesterday.
  static Certificate make(const std::string& names, bool expired = false);
  boost::asio::ssl::context server_context() const;
};

}  // namespace hearth::test
