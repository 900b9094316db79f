// SPDX-License-Identifier: MIT

#include "fetch/certificate.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

namespace mneme::testing {
namespace {

void add_extension(X509* certificate, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

} // namespace

Certificate make_certificate() {
  constexpr long kOneDay = 24 * 60 * 60; // NOLINT(google-runtime-int): OpenSSL's type
  Certificate made{.x509 = {X509_new(), X509_free}, .key = {EVP_RSA_gen(2048), EVP_PKEY_free}, .pem = {}};
  X509* certificate = made.x509.get();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kOneDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), kOneDay);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("127.0.0.1"),
                             -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  add_extension(certificate, NID_subject_alt_name, "IP:127.0.0.1");
  add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(certificate, made.key.get(), EVP_sha256());

  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(memory.get(), certificate);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(memory.get(), &text);
  made.pem.assign(text, static_cast<size_t>(size));
  return made;
}

} // namespace mneme::testing
