/// \file TlsWorld: a TLS server that does what a test tells it, and what a client needs to trust it.
#pragma once

#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "cloud_stub/certificate.h"
#include "runtime/net/net.h"
#include "tests/runtime/net/attempts.h"
#include "tests/runtime/net/scripted_server.h"
#include "tests/support/temp_folder.h"

namespace hearth::test {

/// Answers every request on every connection with its number.
inline void answer_all(Peer& peer) {
  while (!peer.read_request().empty()) peer.send(ok_reply(std::to_string(peer.number())));
}

/// A TLS server with one certificate, and a client that trusts it or does not.
struct TlsWorld {
  explicit TlsWorld(const std::string& names, ScriptedServer::Script script = answer_all, bool expired = false,
                    ScriptedServer::Options options = {})

      : certificate(stub::Certificate::make(names, expired)), context(certificate.server_context()) {
    std::ofstream(folder.path() / "ca.pem") << certificate.certificate_pem;
    server = std::make_unique<ScriptedServer>(std::move(script), &context, std::move(options));
  }
  net::HttpOptions trusting() const {
    net::HttpOptions options;
    options.ca_file = (folder.path() / "ca.pem").string();
    return options;
  }
  Endpoint at(const std::string& host) const {
    return endpoint_at("https://" + host + ":" + std::to_string(server->port()));
  }

  test::TempFolder folder;
  stub::Certificate certificate;
  boost::asio::ssl::context context;
  std::unique_ptr<ScriptedServer> server;
};

}  // namespace hearth::test
