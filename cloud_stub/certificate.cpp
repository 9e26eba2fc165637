#include "cloud_stub/certificate.h"

#include <memory>
#include <stdexcept>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace hearth::stub {
namespace {

template <class T, auto kFree>
struct Freed {
  void operator()(T* object) const { kFree(object); }
};
template <class T, auto kFree>
using Owned = std::unique_ptr<T, Freed<T, kFree>>;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

void check(bool worked) {
  if (!worked) throw std::runtime_error("OpenSSL cannot make a certificate");
}

Owned<BIO, BIO_free_all> bio_of(const std::string& text) {
  return Owned<BIO, BIO_free_all>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

void extend(X509* certificate, int what, const char* value) {
  const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(X509V3_EXT_conf_nid(nullptr, nullptr, what, value));
  check(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

struct Asked {
  const char* common_name;
  const char* alternative_names;  ///< Null: an authority.
  bool expired;
  const Certificate* issuer;  ///< Null: itself.
};

Certificate made(const Asked& asked) {
  const Owned<EVP_PKEY, EVP_PKEY_free> key(EVP_EC_gen("P-256"));
  const Owned<X509, X509_free> certificate(X509_new());
  check(key && certificate);
  constexpr long kDay = 24 * 60 * 60;
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), asked.issuer == nullptr ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -2 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), asked.expired ? -kDay : kDay);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(asked.common_name), -1,
                             -1, 0);
  if (asked.alternative_names == nullptr) {
    extend(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  } else {
    extend(certificate.get(), NID_subject_alt_name, asked.alternative_names);
  }
  if (asked.issuer == nullptr) {
    X509_set_issuer_name(certificate.get(), subject);
    check(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  } else {
    const auto issuer_text = bio_of(asked.issuer->certificate_pem);
    const auto key_text = bio_of(asked.issuer->key_pem);
    const Owned<X509, X509_free> issuer(PEM_read_bio_X509(issuer_text.get(), nullptr, nullptr, nullptr));
    const Owned<EVP_PKEY, EVP_PKEY_free> sign(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
    check(issuer && sign);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get()));
    check(X509_sign(certificate.get(), sign.get(), EVP_sha256()) > 0);
  }
  const Owned<BIO, BIO_free_all> certificate_text(BIO_new(BIO_s_mem()));
  const Owned<BIO, BIO_free_all> key_text(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_X509(certificate_text.get(), certificate.get()) == 1);
  check(PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return {text_of(certificate_text.get()), text_of(key_text.get())};
}

}  // namespace

Certificate Certificate::make(const std::string& names, bool expired, const Certificate* issuer) {
  return made({"hearth test", names.c_str(), expired, issuer});
}

Certificate Certificate::make_authority() { return made({"hearth test authority", nullptr, false, nullptr}); }

boost::asio::ssl::context Certificate::server_context() const {
  boost::asio::ssl::context context(boost::asio::ssl::context::tls_server);
  context.use_certificate_chain(boost::asio::buffer(certificate_pem));
  context.use_private_key(boost::asio::buffer(key_pem), boost::asio::ssl::context::pem);
  return context;
}

}  // namespace hearth::stub
